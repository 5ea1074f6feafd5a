/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that a scraper is told: what was counted, and what the status says now. */
#include <stdlib.h>
#include <string.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/version.h"

static void gauge(FILE *f, const char *name, const char *help, double v)
{
	vw_om_family(f, name, "gauge", help);
	vw_om_sample(f, name, NULL, 0, v);
}

static void counter(FILE *f, const char *name, const char *help, double v)
{
	char full[96];

	snprintf(full, sizeof(full), "%s_total", name);
	vw_om_family(f, name, "counter", help);
	vw_om_sample(f, full, NULL, 0, v);
}

static double number(const json_t *j, const char *object, const char *key)
{
	return json_number_value(json_object_get(json_object_get(j, object), key));
}

/* The same figures as `vethwall status`, from the same place. */
static void print_status(const struct vw_agent *a, const json_t *j, FILE *f)
{
	static const char *const states[] = {"enforced", "not_enforced", "not_enforceable", "held"};
	struct vw_om_label version = {"version", vw_version};

	vw_om_family(f, "vethwall", "info", "The agent.");
	vw_om_sample(f, "vethwall_info", &version, 1, 1);
	gauge(f, "vethwall_healthy", "1: everything found is enforced and recorded.",
	      json_is_true(json_object_get(j, "healthy")));
	gauge(f, "vethwall_start_time_seconds", "When the agent started.",
	      (double)a->since_ns / 1e9);
	vw_om_family(f, "vethwall_interfaces", "gauge", "Interfaces of workloads by their state.");
	for (size_t i = 0; i < VW_ARRAY_SIZE(states); i++) {
		struct vw_om_label label = {"state", states[i]};

		vw_om_sample(f, "vethwall_interfaces", &label, 1, number(j, "counts", states[i]));
	}
	gauge(f, "vethwall_policies", "Documents in force.", (double)a->policies.list.n);
	gauge(f, "vethwall_policies_refused", "1: the last edit of the policies was refused.",
	      a->policies_state.failed);
	gauge(f, "vethwall_runtime_connected", "1: the container runtime answers.",
	      a->runtime_state.ok);
	counter(f, "vethwall_tamperings", "Changes of our table by others, undone.",
		(double)a->heal.tamperings);
	counter(f, "vethwall_flows_cut", "Live flows ended because their permission ended.",
		(double)a->rejudge.cut);
}

static void print_log(const struct vw_denied_stats *s, FILE *f)
{
	counter(f, "vethwall_log_records", "Records written.", (double)s->records);
	counter(f, "vethwall_log_write_errors", "Attempts to write that failed.",
		(double)s->write_errors);
	gauge(f, "vethwall_log_waiting_packets", "Counted, not yet written.",
	      (double)s->unwritten_packets);
	counter(f, "vethwall_log_overflow_packets",
		"Refused packets that are in no flow's record, only in their workload's total.",
		(double)s->overflow_packets);
	counter(f, "vethwall_samples", "Packets captured as evidence.", (double)s->samples);
	counter(f, "vethwall_samples_lost", "Times that captured packets were lost.",
		(double)s->samples_lost);
}

static void print_live(const struct vw_agent *a, FILE *f)
{
	struct vw_live_stats s = {0};
	double most;

	if (a->live)
		vw_live_watch_stats(a->live, &s);
	most = (double)s.walls * a->s->config.live_max;
	gauge(f, "vethwall_live_flows", "Open flows that policy allowed.", (double)s.flows);
	gauge(f, "vethwall_live_fill_ratio", "Share of all live-flow tables that is used.",
	      most > 0 ? (double)s.flows / most : 0);
}

static void print_outputs(const struct vw_agent *a, FILE *f)
{
	vw_om_family(f, "vethwall_output_records", "counter",
		     "Records for another system: sent, or dropped because it was slow or gone.");
	for (size_t i = 0; i < a->outputs.n; i++) {
		const struct vw_output_settings *s = &a->s->outputs.v[i];
		char address[VW_OUTPUT_ADDRESS_MAX];
		struct vw_om_label labels[] = {{"kind", vw_output_kind_str(s->kind)},
					       {"address", vw_output_address_str(s, address)},
					       {"result", "sent"}};
		struct vw_output_stats st;

		vw_output_stats(a->outputs.list[i], &st);
		vw_om_sample(f, "vethwall_output_records_total", labels, 3, (double)st.sent);
		labels[2].value = "dropped";
		vw_om_sample(f, "vethwall_output_records_total", labels, 3, (double)st.dropped);
	}
}

char *vw_agent_metrics_text(void *agent)
{
	struct vw_agent *a = agent;
	struct vw_denied_stats stats = {0};
	json_t *status = vw_agent_status(a, NULL, NULL);
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f) {
		json_decref(status);
		return NULL;
	}
	if (a->denied)
		vw_denied_stats(a->denied, &stats);
	print_status(a, status, f);
	print_live(a, f);
	print_log(&stats, f);
	print_outputs(a, f);
	vw_metrics_print(&a->metrics, f);
	vw_om_end(f);
	json_decref(status);
	return fclose(f) ? (free(text), NULL) : text;
}

json_t *vw_agent_metrics(void *agent, const json_t *request, const struct vw_control_peer *peer)
{
	_cleanup_free_ char *text = vw_agent_metrics_text(agent);

	(void)request;
	(void)peer;
	return text ? json_pack("{s:b, s:s}", "ok", 1, "text", text) : NULL;
}
