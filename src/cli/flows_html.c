/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report's sums: rows by who, whom, port and rule, what each workload, peer, port and rule came
 * to, the time line, scans, and pairs of services. All of them are bounded; what came over a bound
 * is told on the page. How it is shown is in flows_html_page.c. */
#include "cli/flows_html.h"

#include <sys/random.h>

#include "cli/flows_html_page.h"
#include "vethwall/cleanup.h"

#define ROWS_TOLD_APART 80000 /* a scan of all ports, and then some */
#define TOPS_TOLD_APART 20000

const struct flows_html_top flows_html_tops[FLOWS_HTML_TOPS] = {
	{"Workloads", {VW_FIELD_WORKLOAD}, 1},
	{"Peers", {VW_FIELD_PEER, VW_FIELD_PEER_NAME, VW_FIELD_PEER_IP}, 3},
	{"Ports", {VW_FIELD_PROTO, VW_FIELD_DEST_PORT}, 2},
	{"Decided by", {VW_FIELD_POLICY, VW_FIELD_RULE}, 2},
};

void vw_flows_html_free(struct vw_flows_html **hp)
{
	struct vw_flows_html *h = *hp;

	if (!h)
		return;
	vw_groups_free(&h->rows);
	for (size_t i = 0; i < FLOWS_HTML_TOPS; i++)
		vw_groups_free(&h->tops[i]);
	vw_scans_free(&h->scans);
	vw_graph_denied_done(&h->denied);
	free(h);
	*hp = NULL;
}

static int make_tops(struct vw_flows_html *h, const uint64_t seed[static 2])
{
	int r = 0;

	for (size_t i = 0; i < FLOWS_HTML_TOPS && !r; i++) {
		struct vw_groups_options o = {.n_by = flows_html_tops[i].n_by,
					      .max = TOPS_TOLD_APART,
					      .seed = {seed[0], seed[1]}};

		memcpy(o.by, flows_html_tops[i].by, sizeof(flows_html_tops[i].by));
		r = vw_groups_new(&o, &h->tops[i]);
	}
	return r;
}

int vw_flows_html_new(struct vw_flows_html **ret)
{
	_cleanup_(vw_flows_html_free) struct vw_flows_html *h = calloc(1, sizeof(*h));
	struct vw_groups_options rows = {.max = ROWS_TOLD_APART,
					 .n_by = _ROW_MAX,
					 .by = {
						 [ROW_EVENT] = VW_FIELD_EVENT_TYPE,
						 [ROW_DIRECTION] = VW_FIELD_DIRECTION,
						 [ROW_WORKLOAD] = VW_FIELD_WORKLOAD,
						 [ROW_WORKLOAD_IP] = VW_FIELD_WORKLOAD_IP,
						 [ROW_IMAGE] = VW_FIELD_IMAGE,
						 [ROW_PEER] = VW_FIELD_PEER,
						 [ROW_PEER_NAME] = VW_FIELD_PEER_NAME,
						 [ROW_PEER_IP] = VW_FIELD_PEER_IP,
						 [ROW_PROTO] = VW_FIELD_PROTO,
						 [ROW_PORT] = VW_FIELD_DEST_PORT,
						 [ROW_ICMP] = VW_FIELD_ICMP_TYPE,
						 [ROW_POLICY] = VW_FIELD_POLICY,
						 [ROW_RULE] = VW_FIELD_RULE,
					 }};
	int r;

	if (!h)
		return -ENOMEM;
	if (getrandom(rows.seed, sizeof(rows.seed), 0) != sizeof(rows.seed))
		return -EIO;
	vw_timeline_init(&h->timeline, 0);
	r = vw_groups_new(&rows, &h->rows);
	if (!r)
		r = make_tops(h, rows.seed);
	if (!r)
		r = vw_scans_new(rows.seed, &h->scans);
	if (!r)
		*ret = TAKE_PTR(h);
	return r;
}

int vw_flows_html_add(struct vw_flows_html *h, const struct vw_flow *f)
{
	int r = vw_groups_add(h->rows, f);

	for (size_t i = 0; i < FLOWS_HTML_TOPS && !r; i++)
		r = vw_groups_add(h->tops[i], f);
	if (!r)
		r = vw_scans_add(h->scans, f);
	if (!r)
		r = vw_graph_denied_add(&h->denied, f);
	vw_timeline_add(&h->timeline, f);
	vw_sums_add(&h->sums, f);
	return r;
}
