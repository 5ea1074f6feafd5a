/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is drawn of a graph: each edge, or where a kind has many, bundles of them between groups. */
#include "core/graph_parts.h"

#define SINGLE_MAX 60 /* edges of a kind between groups that are drawn one by one */
#define BUNDLES_MAX 150 /* of a kind */

static bool is_between(const struct vw_graph *g, const struct vw_graph_edge *e)
{
	return !e->folded && g->nodes.v[e->from].group != g->nodes.v[e->to].group;
}

/* Kinds that are bundled in a large graph: what is permitted always, others when they are many. */
static unsigned bundled_kinds(const struct vw_graph *g)
{
	size_t n[_VW_GRAPH_KIND_MAX] = {0};
	unsigned ret = 0;

	vw_vec_foreach (e, &g->edges)
		n[e->kind] += is_between(g, e);
	for (int k = 0; k < _VW_GRAPH_KIND_MAX; k++)
		if (g->large && (k == VW_GRAPH_KEPT || n[k] > SINGLE_MAX))
			ret |= 1u << k;
	return ret;
}

/* One edge as the bundle that it belongs to. */
static struct vw_graph_curve bundle_of(const struct vw_graph *g, const struct vw_graph_edge *e)
{
	return (struct vw_graph_curve){.edge = SIZE_MAX,
				       .kind = e->kind,
				       .from = g->nodes.v[e->from].group,
				       .to = g->nodes.v[e->to].group,
				       .edges = 1,
				       .packets = e->packets};
}

/* By kind and by the two groups, whichever way round; then by direction. */
static int by_pair(const void *x, const void *y)
{
	const struct vw_graph_curve *p = x, *q = y;
	uint32_t pa = p->from < p->to ? p->from : p->to, pb = p->from + p->to - pa;
	uint32_t qa = q->from < q->to ? q->from : q->to, qb = q->from + q->to - qa;

	if (p->kind != q->kind)
		return p->kind < q->kind ? -1 : 1;
	if (pa != qa)
		return pa < qa ? -1 : 1;
	if (pb != qb)
		return pb < qb ? -1 : 1;
	return (p->from > q->from) - (p->from < q->from);
}

static bool same_pair(const struct vw_graph_curve *p, const struct vw_graph_curve *q)
{
	return p->kind == q->kind &&
	       ((p->from == q->from && p->to == q->to) || (p->from == q->to && p->to == q->from));
}

static int by_weight(const void *x, const void *y)
{
	const struct vw_graph_curve *p = x, *q = y;

	if (p->kind != q->kind)
		return p->kind < q->kind ? -1 : 1;
	if (p->packets != q->packets)
		return p->packets > q->packets ? -1 : 1;
	if (p->edges != q->edges)
		return p->edges > q->edges ? -1 : 1;
	return by_pair(x, y);
}

/* One bundle for each two groups and kind, both ways together; the heaviest of a kind are shown. */
static int add_bundles(struct vw_graph *g, unsigned kinds)
{
	VW_VEC(struct vw_graph_curve) all = {0};
	size_t n = 0, shown = 0;
	int r = 0;

	vw_vec_foreach (e, &g->edges)
		if (!r && kinds >> e->kind & 1 && is_between(g, e))
			r = vw_vec_push(&all, bundle_of(g, e), SIZE_MAX);
	if (!r && all.n)
		qsort(all.v, all.n, sizeof(*all.v), by_pair);
	for (size_t i = 0; i < all.n && !r; i++) {
		if (n && same_pair(&all.v[n - 1], &all.v[i])) {
			all.v[n - 1].back |= all.v[i].from != all.v[n - 1].from;
			all.v[n - 1].edges += all.v[i].edges;
			all.v[n - 1].packets += all.v[i].packets;
		} else {
			all.v[n++] = all.v[i];
		}
	}
	if (!r && n)
		qsort(all.v, n, sizeof(*all.v), by_weight);
	for (size_t i = 0; i < n && !r; i++) {
		shown = i && all.v[i].kind == all.v[i - 1].kind ? shown + 1 : 1;
		if (shown > BUNDLES_MAX)
			g->minor++;
		else
			r = vw_vec_push(&g->curves, all.v[i], VW_GRAPH_DRAWN_MAX);
	}
	vw_vec_done(&all);
	return r;
}

/* Curves of edges, what changes first: if not all can be drawn, those are not left out. */
static int add_edges(struct vw_graph *g, unsigned bundled)
{
	int r = 0;

	for (int kept = 0; kept < 2; kept++) {
		for (size_t i = 0; i < g->edges.n && !r; i++) {
			const struct vw_graph_edge *e = &g->edges.v[i];
			struct vw_graph_curve c = {
				.edge = i, .kind = e->kind, .from = e->from, .to = e->to};

			if (e->folded || kept != (e->kind == VW_GRAPH_KEPT))
				continue;
			c.bundled = bundled >> e->kind & 1 && is_between(g, e);
			r = vw_vec_push(&g->curves, c, VW_GRAPH_DRAWN_MAX);
			if (r == -ENOSPC) {
				g->undrawn++;
				r = 0;
			}
		}
	}
	return r;
}

int graph_curves(struct vw_graph *g, unsigned *ret_bundled)
{
	int r;

	*ret_bundled = bundled_kinds(g);
	r = add_bundles(g, *ret_bundled);
	return r ? r : add_edges(g, *ret_bundled);
}
