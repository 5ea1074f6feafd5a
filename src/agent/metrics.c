/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is counted for metrics as it happens; the state of the agent itself is added when somebody
 * asks (metrics_text.c). */
#include "agent/metrics.h"

#include <stdlib.h>
#include <string.h>

static void series_done(struct vw_metric_series *s)
{
	free(s->workload);
	free(s->policy);
	free(s->rule);
}

void vw_metrics_done(struct vw_metrics *m)
{
	vw_vec_foreach (s, &m->series)
		series_done(s);
	vw_vec_done(&m->series);
}

static int compare(const char *a, const struct vw_str *b)
{
	size_t n = strlen(a);
	int r = memcmp(a, b->s ? b->s : "", n < b->n ? n : b->n);

	return r ? r : (n > b->n) - (n < b->n);
}

static int order(const struct vw_metric_series *s, const struct vw_flow *f)
{
	int r = compare(s->workload, &f->workload);

	if (!r)
		r = compare(s->policy, &f->policy);
	if (!r)
		r = compare(s->rule, &f->rule);
	if (!r)
		r = (int)s->event - (int)f->event;
	return r ? r : (int)s->egress - (int)f->egress;
}

/* Index of the first that is not before f's. */
static size_t find(const struct vw_metrics *m, const struct vw_flow *f)
{
	size_t lo = 0, hi = m->series.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (order(&m->series.v[mid], f) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static char *copy(const struct vw_str *s)
{
	return strndup(s->s ? s->s : "", s->n);
}

static struct vw_metric_series *insert(struct vw_metrics *m, size_t at, const struct vw_flow *f)
{
	struct vw_metric_series s = {
		f->event, f->egress, copy(&f->workload), copy(&f->policy), copy(&f->rule), 0, 0};
	struct vw_metric_series none = {0};

	if (!s.workload || !s.policy || !s.rule ||
	    vw_vec_push(&m->series, none, VW_METRIC_SERIES_MAX)) {
		series_done(&s);
		return &m->rest;
	}
	memmove(&m->series.v[at + 1], &m->series.v[at],
		(m->series.n - 1 - at) * sizeof(m->series.v[0]));
	m->series.v[at] = s;
	return &m->series.v[at];
}

void vw_metrics_flow(struct vw_metrics *m, const struct vw_flow *f)
{
	size_t at = find(m, f);
	struct vw_metric_series *s = at < m->series.n && !order(&m->series.v[at], f)
					     ? &m->series.v[at]
					     : insert(m, at, f);

	s->packets += f->packets;
	s->bytes += f->bytes;
	if (f->packets == f->total_packets && f->event != VW_FLOW_OVERFLOW)
		vw_histogram_add(&m->news, f->time_us - f->first_us);
}

void vw_metrics_commit(struct vw_metrics *m, int64_t us, bool failed)
{
	m->commit_errors += failed;
	if (!failed)
		vw_histogram_add(&m->commits, us);
}

static void print_series(const struct vw_metrics *m, FILE *f, const char *name, bool bytes)
{
	vw_vec_foreach (s, &m->series) {
		struct vw_om_label labels[] = {{"event", vw_flow_event_str(s->event)},
					       {"direction", s->egress ? "egress" : "ingress"},
					       {"workload", s->workload},
					       {"policy", s->policy},
					       {"rule", s->rule}};

		vw_om_sample(f, name, labels, 5, (double)(bytes ? s->bytes : s->packets));
	}
}

void vw_metrics_print(const struct vw_metrics *m, FILE *f)
{
	vw_om_family(f, "vethwall_packets", "counter",
		     "Packets refused, or watched, by workload and deciding rule.");
	print_series(m, f, "vethwall_packets_total", false);
	vw_om_family(f, "vethwall_bytes", "counter", "Bytes of these packets.");
	print_series(m, f, "vethwall_bytes_total", true);
	vw_om_family(f, "vethwall_other_packets", "counter",
		     "Packets of workloads and rules beyond the number told one by one.");
	vw_om_sample(f, "vethwall_other_packets_total", NULL, 0, (double)m->rest.packets);
	vw_om_family(f, "vethwall_record_delay_seconds", "histogram",
		     "From a flow's first refused packet to its record in the log.");
	vw_om_histogram(f, "vethwall_record_delay_seconds", &m->news);
	vw_om_family(f, "vethwall_commit_seconds", "histogram",
		     "Time that the kernel took for one change of the rules.");
	vw_om_histogram(f, "vethwall_commit_seconds", &m->commits);
	vw_om_family(f, "vethwall_commit_errors", "counter", "Changes that the kernel refused.");
	vw_om_sample(f, "vethwall_commit_errors_total", NULL, 0, (double)m->commit_errors);
}
