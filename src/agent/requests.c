/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control socket answers, beside status. */
#include <string.h>

#include "agent/notify.h"
#include "agent/snapshot.h"
#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/explain_json.h"

static json_t *refused(struct vw_agent *a, const struct vw_diag *d)
{
	json_t *answer =
		vw_control_error("%s: refused, what was in force stays in force", a->s->policies);

	a->policies_state.failed = true;
	if (answer)
		json_object_set_new(answer, "diagnostics", vw_control_diagnostics(d));
	return answer;
}

/* A set that cannot be compiled for this world is refused like one that cannot be read. */
static int try_policies(struct vw_agent *a, struct vw_sources *sources, struct vw_policyset *set,
			struct vw_diag *d)
{
	_cleanup_(vw_compiled_done) struct vw_compiled c = {};
	const char *path = a->s->policies;
	int r = vw_sources_load(&path, 1, sources, d);

	if (!r)
		r = vw_sources_parse(sources, set, d);
	if (r < 0 && !d->errors)
		vw_error(d, NULL, "%s: %s", path, strerror(-r));
	if (!r)
		r = vw_compile(set, &a->world, NULL, 0, &a->s->config, &c, d);
	if (r < 0 && !d->errors)
		vw_error(d, NULL, "the policies cannot be compiled: %s", strerror(-r));
	return r;
}

json_t *vw_agent_reload(void *agent, const json_t *request, const struct vw_control_peer *peer)
{
	struct vw_agent *a = agent;
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	_cleanup_(vw_sources_done) struct vw_sources sources = {};
	_cleanup_(vw_policyset_done) struct vw_policyset set = {};
	bool changed;
	int r;

	(void)request;
	if (peer)
		vw_info("reload, asked for by uid %u, pid %d", (unsigned)peer->uid, (int)peer->pid);
	if (vw_agent_applied_pending(a)) {
		vw_warn("reload refused: what is in force waits for 'vethwall confirm'");
		return vw_control_error("what is in force waits for confirmation: 'vethwall "
					"confirm' or 'vethwall rollback' first");
	}
	vw_notify_reloading();
	r = try_policies(a, &sources, &set, &d);
	if (r < 0) {
		vw_err("reload of %s refused, %zu errors; what was in force stays", a->s->policies,
		       d.errors);
		vw_notify("READY=1");
		return refused(a, &d);
	}
	vw_agent_applied_reloading(a, peer, &sources, set.list.n);
	vw_agent_take_policies(a, &sources, &set);
	vw_agent_images_check(a);
	if (vw_agent_host_addrs(a, &changed) < 0)
		vw_err("addresses of the node: out of memory");
	r = a->runtime_state.synced ? vw_agent_reconcile(a) : 0;
	vw_notify("READY=1");
	if (!a->runtime_state.synced)
		return vw_control_error("the policies were read; they are enforced as soon as the "
					"runtime has reported what runs");
	vw_info("reload: %zu policies%s", a->policies.list.n, r < 0 ? ", not yet enforced" : "");
	if (r < 0)
		return vw_control_error(
			"the policies were read, but are not enforced: %s; the agent "
			"goes on trying",
			a->enforced.error ? a->enforced.error : strerror(-r));
	return json_pack("{s:b, s:I, s:I, s:I, s:o}", "ok", 1, "policies",
			 (json_int_t)a->policies.list.n, "files", (json_int_t)a->policies.files.n,
			 "generation", (json_int_t)a->policies_state.generation, "diagnostics",
			 vw_control_diagnostics(&d));
}

static void vw_explainer_freep(struct vw_explainer **e)
{
	vw_explainer_free(e);
}

/* The question in the request: NULL, or what is wrong with it. */
static const char *question_of(const json_t *request, struct vw_question *ret)
{
	const char *port = json_string_value(json_object_get(request, "port"));
	json_int_t family = json_integer_value(json_object_get(request, "family"));
	const char *why = NULL;

	*ret = (struct vw_question){
		.from = json_string_value(json_object_get(request, "from")),
		.to = json_string_value(json_object_get(request, "to")),
		.family = family == 4 || family == 6 ? (uint8_t)family : 0,
		.namespace_ = json_string_value(json_object_get(request, "namespace")),
	};
	if (!ret->from || !ret->to || !port)
		return "explain needs \"from\", \"to\" and \"port\"";
	return vw_probe_port_parse(port, &ret->proto, &ret->port, &why) < 0 ? why : NULL;
}

static json_t *explain(void *agent, const json_t *request, const struct vw_control_peer *peer)
{
	struct vw_agent *a = agent;
	_cleanup_(vw_explainer_freep) struct vw_explainer *e = NULL;
	struct vw_question q;
	struct vw_answer answer;
	char why[VW_WHY_MAX];
	const char *wrong = question_of(request, &q);
	json_t *verdict;
	int r;

	(void)peer;
	if (wrong)
		return vw_control_error("%s", wrong);
	if (vw_explainer_new(&a->policies, &a->world, a->s->config.default_deny, &e) < 0)
		return NULL;
	r = vw_explainer_ask(e, &q, &answer, why);
	if (r == -EINVAL)
		return vw_control_error("%s", why);
	verdict = r < 0 ? NULL : vw_explain_json(&q, &answer);
	return verdict ? json_pack("{s:b, s:o}", "ok", 1, "verdict", verdict) : NULL;
}

const struct vw_control_cmd vw_agent_requests[] = {
	{"status", false, vw_agent_status},   {"explain", false, explain},
	{"metrics", false, vw_agent_metrics}, {"live", false, vw_agent_live},
	{"seen", false, vw_agent_seen},	      {"snapshot", false, vw_agent_snapshot},
	{"reload", true, vw_agent_reload},    {"apply", true, vw_agent_apply},
	{"confirm", true, vw_agent_confirm},  {"rollback", true, vw_agent_rollback},
	{"history", false, vw_agent_history}, {NULL},
};
