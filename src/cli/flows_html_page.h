/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What flows_html.c counts and flows_html_page.c shows. */
#ifndef VETHWALL_CLI_FLOWS_HTML_PAGE_H
#define VETHWALL_CLI_FLOWS_HTML_PAGE_H

#include "vethwall/graph.h"
#include "vethwall/review.h"

#define FLOWS_HTML_TOPS 4

/* The fields that make a row. */
enum {
	ROW_EVENT,
	ROW_DIRECTION,
	ROW_WORKLOAD,
	ROW_WORKLOAD_IP,
	ROW_IMAGE,
	ROW_PEER,
	ROW_PEER_NAME,
	ROW_PEER_IP,
	ROW_PROTO,
	ROW_PORT,
	ROW_ICMP,
	ROW_POLICY,
	ROW_RULE,
	_ROW_MAX
};

struct flows_html_top {
	const char *title;
	enum vw_field by[3];
	size_t n_by;
};
extern const struct flows_html_top flows_html_tops[FLOWS_HTML_TOPS];

struct vw_flows_html {
	struct vw_sums sums;
	struct vw_groups *rows, *tops[FLOWS_HTML_TOPS];
	struct vw_scans *scans;
	struct vw_graph_denied denied;
	struct vw_timeline timeline;
};

#endif
