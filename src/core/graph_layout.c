/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of laying out, who is in which group, and layers: who begins stands left of whom it
 * reaches. */
#include <stdio.h>

#include "core/graph_parts.h"
#include "vethwall/cleanup.h"

#define TITLE_MAX_W 200 /* a longer name goes on in the next line */

/* ---- layers ---- */

struct walk {
	const struct graph_arc *arcs;
	size_t *first; /* of each thing's arcs in `by_from`; n + 1 of them */
	size_t *by_from, *next; /* arcs by origin; where each thing's walk stands */
	uint32_t *stack, *after; /* things in the order in which the walk left them */
	size_t n_after;
	unsigned char *seen; /* 0 no, 1 on the stack, 2 left */
	bool *closes; /* this arc closes a circle */
};

static void walk_done(struct walk *w)
{
	free(w->first);
	free(w->by_from);
	free(w->next);
	free(w->stack);
	free(w->after);
	free(w->seen);
	free(w->closes);
}

static int walk_init(struct walk *w, size_t n, const struct graph_arc *arcs, size_t n_arcs)
{
	w->arcs = arcs;
	w->first = calloc(n + 2, sizeof(*w->first));
	w->by_from = calloc(n_arcs + 1, sizeof(*w->by_from));
	w->next = calloc(n + 1, sizeof(*w->next));
	w->stack = calloc(n + 1, sizeof(*w->stack));
	w->after = calloc(n + 1, sizeof(*w->after));
	w->seen = calloc(n + 1, 1);
	w->closes = calloc(n_arcs + 1, sizeof(*w->closes));
	if (!w->first || !w->by_from || !w->next || !w->stack || !w->after || !w->seen ||
	    !w->closes)
		return -ENOMEM;
	for (size_t i = 0; i < n_arcs; i++)
		w->first[arcs[i].from + 2]++;
	for (size_t i = 2; i <= n + 1; i++)
		w->first[i] += w->first[i - 1];
	for (size_t i = 0; i < n_arcs; i++)
		w->by_from[w->first[arcs[i].from + 1]++] = i;
	for (size_t i = 0; i < n; i++)
		w->next[i] = w->first[i];
	return 0;
}

/* Everything that can be reached from `root` and was not seen yet, depth first. */
static void walk_from(struct walk *w, uint32_t root)
{
	size_t depth = 0;

	if (w->seen[root])
		return;
	w->stack[depth++] = root;
	w->seen[root] = 1;
	while (depth) {
		uint32_t at = w->stack[depth - 1], to;
		size_t arc;

		if (w->next[at] == w->first[at + 1]) {
			w->seen[at] = 2;
			w->after[w->n_after++] = at;
			depth--;
			continue;
		}
		arc = w->by_from[w->next[at]++];
		to = w->arcs[arc].to;
		if (w->seen[to] == 1) {
			w->closes[arc] = true;
		} else if (!w->seen[to]) {
			w->seen[to] = 1;
			w->stack[depth++] = to;
		}
	}
}

int graph_layers(size_t n, const struct graph_arc *arcs, size_t n_arcs, unsigned *ret)
{
	_cleanup_(walk_done) struct walk w = {0};
	_cleanup_free_ bool *reached = calloc(n + 1, sizeof(*reached));
	int r = reached ? walk_init(&w, n, arcs, n_arcs) : -ENOMEM;

	if (r)
		return r;
	for (size_t i = 0; i < n_arcs; i++)
		reached[arcs[i].to] = true;
	for (uint32_t i = 0; i < n; i++)
		if (!reached[i])
			walk_from(&w, i);
	for (uint32_t i = 0; i < n; i++)
		walk_from(&w, i);
	memset(ret, 0, n * sizeof(*ret));
	for (size_t i = n; i-- > 0;) {
		uint32_t at = w.after[i];

		for (size_t k = w.first[at]; k < w.first[at + 1]; k++) {
			const struct graph_arc *a = &arcs[w.by_from[k]];

			if (!w.closes[w.by_from[k]] && ret[a->to] < ret[at] + 1)
				ret[a->to] = ret[at] + 1;
		}
	}
	return 0;
}

/* ---- groups ---- */

enum { INSIDE, COMES_IN, REACHED_ONLY };

static int by_place(const void *a, const void *b, void *arg)
{
	const struct vw_graph *g = arg;
	const struct vw_graph_node *x = &g->nodes.v[*(const uint32_t *)a];
	const struct vw_graph_node *y = &g->nodes.v[*(const uint32_t *)b];
	int c;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1; /* one of the above, for now */
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	c = strcmp(x->name, y->name);
	return c ? c : (x > y) - (x < y);
}

static size_t namespace_len(const struct vw_graph_node *n)
{
	const char *slash = strchr(n->name, '/');

	return n->kind == VW_PARTY_SERVICE && slash ? (size_t)(slash - n->name) : 0;
}

static bool same_namespace(const struct vw_graph_node *a, const struct vw_graph_node *b)
{
	size_t len = namespace_len(a);

	return len == namespace_len(b) && !strncmp(a->name, b->name, len);
}

static int open_group(struct vw_graph *g, const struct vw_graph_node *first)
{
	static const char *const outside[] = {NULL, "outside", "outside, only reached"};
	size_t len = namespace_len(first);
	struct vw_graph_group p = {.comes_in = first->group == COMES_IN};
	int r = -ENOMEM;

	if (first->group == INSIDE)
		p.name = strndup(first->name, len);
	p.title = graph_lines(p.name ? p.name : outside[first->group], VW_GRAPH_PX, TITLE_MAX_W);
	if (p.title && (p.name || first->group != INSIDE))
		r = vw_vec_push(&g->groups, p, VW_GRAPH_NODES_MAX);
	if (r) {
		free(p.name);
		free(p.title);
	}
	return r;
}

static int name_node(struct vw_graph_node *n)
{
	size_t len = namespace_len(n);

	n->title = graph_lines(n->name + (len ? len + 1 : 0), VW_GRAPH_PX, TITLE_MAX_W);
	return n->title ? 0 : -ENOMEM;
}

int graph_group(struct vw_graph *g)
{
	_cleanup_free_ uint32_t *order = calloc(g->nodes.n + 1, sizeof(*order));
	const struct vw_graph_node *before = NULL;
	uint32_t where = INSIDE;
	int r = order ? 0 : -ENOMEM;

	if (r)
		return r;
	vw_vec_foreach (n, &g->nodes)
		n->group = n->kind == VW_PARTY_SERVICE ? INSIDE : REACHED_ONLY;
	vw_vec_foreach (e, &g->edges)
		if (g->nodes.v[e->from].group == REACHED_ONLY)
			g->nodes.v[e->from].group = COMES_IN;
	for (uint32_t i = 0; i < g->nodes.n; i++)
		order[i] = i;
	qsort_r(order, g->nodes.n, sizeof(*order), by_place, g);
	for (size_t i = 0; i < g->nodes.n && !r; i++) {
		struct vw_graph_node *n = &g->nodes.v[order[i]];
		uint32_t now = n->group;

		if (!before || now != where || (now == INSIDE && !same_namespace(n, before)))
			r = open_group(g, n);
		if (!r)
			r = name_node(n);
		if (r)
			break;
		where = now;
		n->group = (uint32_t)g->groups.n - 1;
		g->groups.v[n->group].nodes++;
		before = n;
	}
	return r;
}

int vw_graph_layout(struct vw_graph *g)
{
	int r = graph_fold(g);

	if (!r)
		r = graph_group(g);
	if (!r)
		r = graph_fold_letters(g);
	if (!r)
		r = graph_place(g);
	return r ? r : graph_route(g);
}
