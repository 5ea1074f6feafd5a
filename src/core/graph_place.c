/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places: nodes in columns inside their group, groups in columns of the picture. Everything is in
 * whole pixels and in a fixed order, so that the same graph gives the same picture. Nothing
 * overlaps because nothing is moved after it has been put beside the others. */
#include <limits.h>

#include "core/graph_parts.h"
#include "vethwall/cleanup.h"

#define NODE_PAD_X 11
#define NODE_PAD_Y 7
#define NODE_MIN_W 60
#define NODE_GAP 14
#define GROUP_PAD 16
#define GROUP_GAP 30
#define MARGIN 28
#define SWEEPS 4
#define FEW 60 /* edges up to which each has its label, and room for it */

/* Groups and nodes in the order in which they are put; links between groups. */
struct placing {
	struct vw_graph *g;
	uint32_t *order; /* nodes, by group, column, row */
	size_t *first; /* of each group's nodes in order; one more than there are groups */
	unsigned *layer; /* of nodes */
	int *rank; /* of nodes in their column, 0..1000 */
	uint32_t *groups; /* in the order in which they are put */
	unsigned *group_layer;
	unsigned *column; /* of groups */
	long *key; /* to sort by, of nodes or groups */
	VW_VEC(struct graph_arc) links; /* between groups, sorted, each as often as it is */
	int column_gap, group_gap;
};

static void placing_done(struct placing *p)
{
	free(p->order);
	free(p->first);
	free(p->layer);
	free(p->rank);
	free(p->groups);
	free(p->group_layer);
	free(p->column);
	free(p->key);
	vw_vec_done(&p->links);
}

static int isqrt(long v)
{
	long r = 0;

	while ((r + 1) * (r + 1) <= v)
		r++;
	return (int)r;
}

/* ---- sizes ---- */

static void size_node(struct vw_graph_node *n)
{
	int lines, w = graph_lines_width(n->title, VW_GRAPH_PX, &lines), none;
	int small = graph_lines_width(n->folds, VW_GRAPH_SMALL_PX, &none);

	if (n->members > 1)
		w += 8 + 7 * (2 + (n->members > 9) + (n->members > 99) + (n->members > 999));
	if (small > w)
		w = small;
	n->box.w = (w < NODE_MIN_W - 2 * NODE_PAD_X ? NODE_MIN_W - 2 * NODE_PAD_X : w) +
		   2 * NODE_PAD_X;
	n->box.h = lines * VW_GRAPH_LINE + (n->folds ? VW_GRAPH_SMALL_LINE : 0) + 2 * NODE_PAD_Y;
}

static int head_height(const struct vw_graph_group *p)
{
	int lines;

	(void)graph_lines_width(p->title, VW_GRAPH_PX, &lines);
	return lines * VW_GRAPH_LINE + (p->folds ? VW_GRAPH_SMALL_LINE : 0) + 14;
}

/* Titles of groups are bold, which is up to a fifth wider. */
static int head_width(const struct vw_graph_group *p)
{
	int none, w = graph_lines_width(p->title, VW_GRAPH_PX, &none) * 6 / 5;
	int small = graph_lines_width(p->folds, VW_GRAPH_SMALL_PX, &none);

	return (w > small ? w : small) + 2 * GROUP_PAD;
}

/* ---- inside a group ---- */

static int by_key(const void *a, const void *b, void *arg)
{
	const struct placing *p = arg;
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return p->key[x] != p->key[y] ? (p->key[x] < p->key[y] ? -1 : 1) : (x > y) - (x < y);
}

static bool is_inner(const struct vw_graph *g, const struct vw_graph_edge *e)
{
	return !e->folded && e->from != e->to &&
	       g->nodes.v[e->from].group == g->nodes.v[e->to].group;
}

/* All groups at once: an arc stays inside one. */
static int layer_nodes(struct placing *p)
{
	VW_VEC(struct graph_arc) arcs = {0};
	int r = 0;

	vw_vec_foreach (e, &p->g->edges)
		if (is_inner(p->g, e) && !r)
			r = vw_vec_push(&arcs, ((struct graph_arc){e->from, e->to}), SIZE_MAX);
	if (!r)
		r = graph_layers(p->g->nodes.n, arcs.v, arcs.n, p->layer);
	vw_vec_done(&arcs);
	return r;
}

/* Sets every node's rank from where it stands among those of its group and layer. */
static void rank_nodes(struct placing *p)
{
	size_t n = p->g->nodes.n, end;

	for (size_t i = 0; i < n; i = end) {
		const struct vw_graph_node *first = &p->g->nodes.v[p->order[i]];

		for (end = i + 1; end < n; end++)
			if (p->g->nodes.v[p->order[end]].group != first->group ||
			    p->layer[p->order[end]] != p->layer[p->order[i]])
				break;
		for (size_t k = i; k < end; k++)
			p->rank[p->order[k]] = (int)((k - i) * 2 + 1) * 500 / (int)(end - i);
	}
}

static int by_layer(const void *a, const void *b, void *arg)
{
	const struct placing *p = arg;
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const struct vw_graph_node *m = &p->g->nodes.v[x], *n = &p->g->nodes.v[y];

	if (m->group != n->group)
		return m->group < n->group ? -1 : 1;
	if (p->layer[x] != p->layer[y])
		return p->layer[x] < p->layer[y] ? -1 : 1;
	return by_key(a, b, arg);
}

/* Puts nodes at the height of those they have edges with, a few times over. */
static int order_nodes(struct placing *p)
{
	size_t n = p->g->nodes.n;
	_cleanup_free_ long *sum = calloc(n + 1, sizeof(*sum));
	_cleanup_free_ long *of = calloc(n + 1, sizeof(*of));

	if (!sum || !of)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		p->order[i] = (uint32_t)i;
	qsort_r(p->order, n, sizeof(*p->order), by_layer, p);
	for (int sweep = 0; sweep < SWEEPS; sweep++) {
		rank_nodes(p);
		memset(sum, 0, n * sizeof(*sum));
		memset(of, 0, n * sizeof(*of));
		vw_vec_foreach (e, &p->g->edges) {
			if (!is_inner(p->g, e))
				continue;
			sum[e->from] += p->rank[e->to];
			sum[e->to] += p->rank[e->from];
			of[e->from]++;
			of[e->to]++;
		}
		for (size_t i = 0; i < n; i++)
			p->key[i] = of[i] ? sum[i] / of[i] : p->rank[i];
		qsort_r(p->order, n, sizeof(*p->order), by_layer, p);
	}
	return 0;
}

/* One column of nodes: same width, below each other from the group's head on. Returns its height.
 */
static int put_column(struct placing *p, const uint32_t *nodes, size_t n, int x, int *ret_w)
{
	int y = 0, w = 0;

	for (size_t i = 0; i < n; i++)
		if (p->g->nodes.v[nodes[i]].box.w > w)
			w = p->g->nodes.v[nodes[i]].box.w;
	for (size_t i = 0; i < n; i++) {
		struct vw_box *b = &p->g->nodes.v[nodes[i]].box;

		b->x = x;
		b->y = y;
		b->w = w;
		y += b->h + NODE_GAP;
	}
	*ret_w = w;
	return y - NODE_GAP;
}

/* Columns of a group, at 0,0. Columns are as high as the highest allows, in the middle of it. */
static void put_nodes(struct placing *p, size_t group)
{
	struct vw_graph_group *gr = &p->g->groups.v[group];
	size_t from = p->first[group], to = p->first[group + 1], rows = 3, end;
	int x = GROUP_PAD, head = head_height(gr), tallest = 0, w;

	if (isqrt((long)(to - from) * 3) > (int)rows)
		rows = (size_t)isqrt((long)(to - from) * 3);
	for (int pass = 0; pass < 2; pass++) {
		x = GROUP_PAD;
		for (size_t i = from; i < to; i = end) {
			int h;

			for (end = i + 1; end < to && end - i < rows; end++)
				if (p->layer[p->order[end]] != p->layer[p->order[i]])
					break;
			h = put_column(p, p->order + i, end - i, x, &w);
			for (size_t k = i; pass && k < end; k++)
				p->g->nodes.v[p->order[k]].box.y += head + (tallest - h) / 2;
			if (h > tallest)
				tallest = h;
			x += w + p->column_gap;
		}
	}
	gr->box.w = x - p->column_gap + GROUP_PAD;
	gr->box.h = head + tallest + GROUP_PAD;
	if (gr->box.w < head_width(gr))
		gr->box.w = head_width(gr);
}

/* ---- groups ---- */

static int by_ends(const void *a, const void *b)
{
	const struct graph_arc *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return (x->to > y->to) - (x->to < y->to);
}

static size_t weight(const struct placing *p, uint32_t from, uint32_t to)
{
	const struct graph_arc want = {from, to};
	size_t n = 0, lo = 0, hi = p->links.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (by_ends(&p->links.v[mid], &want) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo + n < p->links.n && !by_ends(&p->links.v[lo + n], &want))
		n++;
	return n;
}

/* Who comes from outside stands left, who is only reached right; else most edges lead right. */
static bool leads_right(const struct placing *p, const struct graph_arc *a)
{
	const struct vw_graph_group *from = &p->g->groups.v[a->from];
	const struct vw_graph_group *to = &p->g->groups.v[a->to];
	size_t there = weight(p, a->from, a->to), back = weight(p, a->to, a->from);

	if (!from->name != !to->name)
		return !from->name || !to->comes_in;
	return there > back || (there == back && a->from < a->to);
}

static int layer_groups(struct placing *p)
{
	VW_VEC(struct graph_arc) arcs = {0};
	int r = 0;

	vw_vec_foreach (e, &p->g->edges) {
		struct graph_arc a = {p->g->nodes.v[e->from].group, p->g->nodes.v[e->to].group};

		if (!r && !e->folded && a.from != a.to)
			r = vw_vec_push(&p->links, a, SIZE_MAX);
	}
	if (!r && p->links.n)
		qsort(p->links.v, p->links.n, sizeof(*p->links.v), by_ends);
	for (size_t i = 0; i < p->links.n && !r; i++)
		if ((!i || by_ends(&p->links.v[i - 1], &p->links.v[i])) &&
		    leads_right(p, &p->links.v[i]))
			r = vw_vec_push(&arcs, p->links.v[i], SIZE_MAX);
	if (!r)
		r = graph_layers(p->g->groups.n, arcs.v, arcs.n, p->group_layer);
	vw_vec_done(&arcs);
	for (size_t i = 0; i < p->g->groups.n; i++) /* even without any arc */
		if (!p->g->groups.v[i].name && !p->g->groups.v[i].comes_in)
			p->group_layer[i] = UINT_MAX;
	return r;
}

static long area(const struct placing *p)
{
	long sum = 0;

	vw_vec_foreach (gr, &p->g->groups)
		sum += (long)(gr->box.w + p->group_gap) * (gr->box.h + GROUP_GAP);
	return sum;
}

/* Fills columns of about the height with groups; by_layers: each layer begins a new one. Returns
 * the width. */
static int fill_columns(struct placing *p, int height, bool by_layers)
{
	unsigned column = 0;
	int y = 0, w = 0, sum = 0;

	for (size_t i = 0; i < p->g->groups.n; i++) {
		const struct vw_graph_group *gr = &p->g->groups.v[p->groups[i]];
		bool next = i && by_layers &&
			    p->group_layer[p->groups[i]] != p->group_layer[p->groups[i - 1]];

		if (y && (next || y + gr->box.h > height)) {
			sum += w + p->group_gap;
			column++;
			y = w = 0;
		}
		p->column[p->groups[i]] = column;
		y += gr->box.h + GROUP_GAP;
		if (gr->box.w > w)
			w = gr->box.w;
	}
	return sum + w;
}

/* A picture about as wide as a screen. */
static void choose_columns(struct placing *p)
{
	int height = isqrt(area(p) * 10 / 16);

	vw_vec_foreach (gr, &p->g->groups)
		if (gr->box.h > height)
			height = gr->box.h;
	if (fill_columns(p, height, true) > 3 * height + 600)
		(void)fill_columns(p, height, false);
}

/* Groups below each other in their columns, each column in the middle of the height. */
static void put_groups(struct placing *p)
{
	size_t n = p->g->groups.n, end;
	int x = MARGIN, tallest = 0;

	for (int pass = 0; pass < 2; pass++) {
		x = MARGIN;
		for (size_t i = 0; i < n; i = end) {
			int y = 0, w = 0, at;

			for (end = i;
			     end < n && p->column[p->groups[end]] == p->column[p->groups[i]];
			     end++) {
				const struct vw_box *b = &p->g->groups.v[p->groups[end]].box;

				y += b->h + GROUP_GAP;
				w = b->w > w ? b->w : w;
			}
			y -= GROUP_GAP;
			tallest = y > tallest ? y : tallest;
			at = MARGIN + (tallest - y) / 2;
			for (size_t k = i; k < end; k++) {
				struct vw_box *b = &p->g->groups.v[p->groups[k]].box;

				b->x = x + (w - b->w) / 2;
				b->y = at;
				at += b->h + GROUP_GAP;
			}
			x += w + p->group_gap;
		}
	}
	p->g->width = (n ? x - p->group_gap : x) + MARGIN;
	p->g->height = tallest + 2 * MARGIN;
}

static int by_column(const void *a, const void *b, void *arg)
{
	const struct placing *p = arg;
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (p->column[x] != p->column[y])
		return p->column[x] < p->column[y] ? -1 : 1;
	return by_key(a, b, arg);
}

/* Groups to the height of those they have edges with, a few times over. */
static int order_groups(struct placing *p)
{
	size_t n = p->g->groups.n;
	_cleanup_free_ long *sum = calloc(n + 1, sizeof(*sum));
	_cleanup_free_ long *of = calloc(n + 1, sizeof(*of));

	if (!sum || !of)
		return -ENOMEM;
	for (int sweep = 0; sweep < SWEEPS; sweep++) {
		put_groups(p);
		memset(sum, 0, n * sizeof(*sum));
		memset(of, 0, n * sizeof(*of));
		vw_vec_foreach (l, &p->links) {
			sum[l->from] += graph_mid_y(&p->g->groups.v[l->to].box);
			sum[l->to] += graph_mid_y(&p->g->groups.v[l->from].box);
			of[l->from]++;
			of[l->to]++;
		}
		for (size_t i = 0; i < n; i++)
			p->key[i] = of[i] ? sum[i] / of[i] : graph_mid_y(&p->g->groups.v[i].box);
		qsort_r(p->groups, n, sizeof(*p->groups), by_column, p);
	}
	put_groups(p);
	return 0;
}

static int by_group_layer(const void *a, const void *b, void *arg)
{
	const struct placing *p = arg;
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (p->group_layer[x] != p->group_layer[y])
		return p->group_layer[x] < p->group_layer[y] ? -1 : 1;
	if (!p->g->groups.v[x].name != !p->g->groups.v[y].name)
		return p->g->groups.v[x].name ? 1 : -1;
	return (x > y) - (x < y);
}

/* ---- all of it ---- */

static int placing_init(struct placing *p)
{
	size_t n = p->g->nodes.n + 1, m = p->g->groups.n + 1, edges = 0;

	p->order = calloc(n, sizeof(*p->order));
	p->first = calloc(m, sizeof(*p->first));
	p->layer = calloc(n, sizeof(*p->layer));
	p->rank = calloc(n, sizeof(*p->rank));
	p->groups = calloc(m, sizeof(*p->groups));
	p->group_layer = calloc(m, sizeof(*p->group_layer));
	p->column = calloc(m, sizeof(*p->column));
	p->key = calloc(n > m ? n : m, sizeof(*p->key));
	if (!p->order || !p->first || !p->layer || !p->rank || !p->groups || !p->group_layer ||
	    !p->column || !p->key)
		return -ENOMEM;
	vw_vec_foreach (e, &p->g->edges)
		edges += !e->folded;
	p->g->large = edges > FEW || p->g->nodes.n > FEW;
	p->column_gap = p->g->large ? (edges ? 36 : 16) : edges ? 110 : 28;
	p->group_gap = p->g->large ? 64 : edges ? 120 : 48;
	vw_vec_foreach (node, &p->g->nodes) {
		size_node(node);
		p->first[node->group + 1]++;
	}
	for (size_t i = 0; i < p->g->groups.n; i++) {
		p->first[i + 1] += p->first[i];
		p->groups[i] = (uint32_t)i;
	}
	return 0;
}

int graph_place(struct vw_graph *g)
{
	_cleanup_(placing_done) struct placing p = {.g = g};
	int r = placing_init(&p);

	if (!r)
		r = layer_nodes(&p);
	if (!r)
		r = order_nodes(&p);
	for (size_t i = 0; i < g->groups.n && !r; i++)
		put_nodes(&p, i);
	if (!r)
		r = layer_groups(&p);
	if (r)
		return r;
	qsort_r(p.groups, g->groups.n, sizeof(*p.groups), by_group_layer, &p);
	choose_columns(&p);
	r = order_groups(&p);
	vw_vec_foreach (n, &g->nodes) {
		n->box.x += g->groups.v[n->group].box.x;
		n->box.y += g->groups.v[n->group].box.y;
	}
	return r;
}
