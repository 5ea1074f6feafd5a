/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures about the node for a scraper. What containers can make many of is bounded: refused
 * packets are told by workload and rule up to a number of series, the rest in one. */
#ifndef VETHWALL_AGENT_METRICS_H
#define VETHWALL_AGENT_METRICS_H

#include "vethwall/flow.h"
#include "vethwall/openmetrics.h"

#define VW_METRIC_SERIES_MAX 1000

/* Refused (or watched) packets of one workload by one rule. */
struct vw_metric_series {
	enum vw_flow_event event;
	bool egress;
	char *workload, *policy, *rule; /* "" where the record has none */
	uint64_t packets, bytes;
};

struct vw_metrics {
	VW_VEC(struct vw_metric_series) series; /* sorted */
	struct vw_metric_series rest; /* of all that found no room */
	struct vw_histogram news; /* first packet of a flow to its record in the log */
	struct vw_histogram commits; /* one transaction of nf_tables */
	uint64_t commit_errors;
};

void vw_metrics_done(struct vw_metrics *m);
/* A record was written. */
void vw_metrics_flow(struct vw_metrics *m, const struct vw_flow *f);
void vw_metrics_commit(struct vw_metrics *m, int64_t us, bool failed);
/* The families that come from records and commits, in OpenMetrics. */
void vw_metrics_print(const struct vw_metrics *m, FILE *f);

#endif
