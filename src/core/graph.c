/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filling a graph: nodes by name, edges by their ends, texts each once, since a thousand services
 * that may reach each other have a million edges that say the same. */
#include "vethwall/graph.h"

#include <stdio.h>

#include "core/graph_parts.h"
#include "core/text.h"
#include "vethwall/cleanup.h"

const char *vw_graph_kind_str(enum vw_graph_kind k)
{
	static const char *const names[_VW_GRAPH_KIND_MAX] = {"kept", "gained", "lost", "denied"};

	return names[k];
}

const char *vw_graph_kind_words(enum vw_graph_kind k)
{
	static const char *const words[_VW_GRAPH_KIND_MAX] = {
		"permitted",
		"newly permitted (+)",
		"no longer permitted (−)",
		"tried and denied (✕)",
	};

	return words[k];
}

static void node_done(struct vw_graph_node *n)
{
	free(n->name);
	free(n->title);
	free(n->folds);
}

void vw_graph_done(struct vw_graph *g)
{
	vw_vec_foreach (n, &g->nodes)
		node_done(n);
	vw_vec_foreach (p, &g->groups) {
		free(p->name);
		free(p->title);
		free(p->folds);
	}
	vw_vec_foreach (f, &g->folds) {
		vw_vec_done(&f->from);
		vw_vec_done(&f->to);
	}
	vw_vec_foreach (c, &g->curves)
		free(c->label);
	vw_vec_foreach (t, &g->texts)
		free(*t);
	vw_vec_done(&g->nodes);
	vw_vec_done(&g->groups);
	vw_vec_done(&g->edges);
	vw_vec_done(&g->folds);
	vw_vec_done(&g->curves);
	vw_vec_done(&g->texts);
	vw_vec_done(&g->by_name);
	vw_vec_done(&g->by_text);
	*g = (struct vw_graph){0};
}

/* Opens a place for one more element at i. */
#define vec_insert(vec, i, val, max)                                       \
	({                                                                 \
		int _i = vw_vec_push(vec, val, max);                       \
		if (!_i) {                                                 \
			memmove((vec)->v + (i) + 1, (vec)->v + (i),        \
				((vec)->n - 1 - (i)) * sizeof(*(vec)->v)); \
			(vec)->v[i] = (val);                               \
		}                                                          \
		_i;                                                        \
	})

/* Where the node stands in by_name, or would; *ret_found tells which. */
static size_t name_place(const struct vw_graph *g, enum vw_party_kind kind, const char *name,
			 bool *ret_found)
{
	size_t lo = 0, hi = g->by_name.n;

	*ret_found = false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct vw_graph_node *n = &g->nodes.v[g->by_name.v[mid]];
		int c = n->kind != kind ? (n->kind < kind ? -1 : 1) : strcmp(n->name, name);

		if (c == 0)
			*ret_found = true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int add_node(struct vw_graph *g, size_t place, enum vw_party_kind kind, const char *name,
		    size_t members)
{
	struct vw_graph_node n = {.kind = kind, .name = strdup(name), .members = members};
	uint32_t i = (uint32_t)g->nodes.n;
	int r = n.name ? vw_vec_push(&g->nodes, n, VW_GRAPH_NODES_MAX) : -ENOMEM;

	if (r) {
		node_done(&n);
		return r;
	}
	r = vec_insert(&g->by_name, place, i, VW_GRAPH_NODES_MAX);
	if (r)
		node_done(&g->nodes.v[--g->nodes.n]);
	return r;
}

int vw_graph_node(struct vw_graph *g, enum vw_party_kind kind, const char *name, size_t members,
		  uint32_t *ret)
{
	bool found;
	size_t place = name_place(g, kind, name, &found);
	int r = found ? 0 : add_node(g, place, kind, name, members);

	if (r)
		return r;
	*ret = g->by_name.v[place];
	if (members > g->nodes.v[*ret].members)
		g->nodes.v[*ret].members = members;
	return 0;
}

static int intern(struct vw_graph *g, const char *text, uint32_t *ret)
{
	size_t lo = 0, hi = g->by_text.n;
	_cleanup_free_ char *copy = NULL;
	uint32_t i = (uint32_t)g->texts.n;
	int r;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(g->texts.v[g->by_text.v[mid]], text);

		if (c == 0) {
			*ret = g->by_text.v[mid];
			return 0;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	copy = strdup(text);
	r = copy ? vw_vec_push(&g->texts, copy, VW_CONN_EDGES_MAX) : -ENOMEM;
	if (r)
		return r;
	TAKE_PTR(copy);
	r = vec_insert(&g->by_text, lo, i, VW_CONN_EDGES_MAX);
	if (r)
		free(g->texts.v[--g->texts.n]);
	else
		*ret = i;
	return r;
}

static int edge_cmp(const struct vw_graph_edge *a, const struct vw_graph_edge *b)
{
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	return (a->kind > b->kind) - (a->kind < b->kind);
}

int vw_graph_edge(struct vw_graph *g, uint32_t from, uint32_t to, enum vw_graph_kind kind,
		  const char *text, uint64_t packets)
{
	struct vw_graph_edge e = {.from = from, .to = to, .kind = kind, .packets = packets};
	size_t lo = 0, hi = g->edges.n;
	int r = intern(g, text, &e.text);

	if (r)
		return r;
	if (hi && edge_cmp(&g->edges.v[hi - 1], &e) < 0)
		lo = hi; /* they mostly come in order */
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (edge_cmp(&g->edges.v[mid], &e) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < g->edges.n && !edge_cmp(&g->edges.v[lo], &e)) {
		g->edges.v[lo].text = e.text;
		g->edges.v[lo].packets += packets;
		return 0;
	}
	return vec_insert(&g->edges, lo, e, VW_CONN_EDGES_MAX);
}

size_t vw_graph_count(const struct vw_graph *g, enum vw_graph_kind k)
{
	size_t n = 0;

	vw_vec_foreach (e, &g->edges)
		n += e->kind == k;
	return n;
}

int vw_graph_add_world(struct vw_graph *g, const struct vw_world *world)
{
	int r = 0;

	vw_vec_foreach (w, &world->workloads) {
		char name[2 * VW_NAME_MAX + 2];
		uint32_t i;

		snprintf(name, sizeof(name), "%s/%s", w->namespace_, w->service);
		r = vw_graph_node(g, VW_PARTY_SERVICE, name, 0, &i);
		if (r)
			break;
		g->nodes.v[i].members++;
	}
	g->cut_short |= r == -ENOSPC;
	return r == -ENOSPC ? 0 : r;
}

/* ---- from a comparison ---- */

static const enum vw_graph_kind kind_of[_VW_CONN_STATE_MAX] = {
	[VW_CONN_KEPT] = VW_GRAPH_KEPT,
	[VW_CONN_GAINED] = VW_GRAPH_GAINED,
	[VW_CONN_LOST] = VW_GRAPH_LOST,
};

/* The ranges of one state in words: NULL without memory, "" when there is none. */
static char *range_words(const struct vw_conn_edge *e, enum vw_conn_state state)
{
	char *text = NULL, one[VW_CONN_RANGE_STRLEN];
	size_t len, n = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	vw_vec_foreach (r, &e->ranges) {
		if (r->state != state)
			continue;
		if (n < VW_GRAPH_PORTS_MAX)
			fprintf(f, "%s%s", n ? ", " : "", vw_conn_range_str(r, one));
		n++;
	}
	if (n > VW_GRAPH_PORTS_MAX)
		fprintf(f, " and %zu more", n - VW_GRAPH_PORTS_MAX);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int add_edge(struct vw_graph *g, const struct vw_conn_edge *e, const uint32_t *node)
{
	int r = 0;

	for (int s = 0; s < _VW_CONN_STATE_MAX && !r; s++) {
		_cleanup_free_ char *text = range_words(e, (enum vw_conn_state)s);

		if (!text)
			return -ENOMEM;
		if (*text)
			r = vw_graph_edge(g, node[e->from], node[e->to], kind_of[s], text, 0);
	}
	return r;
}

int vw_graph_add_connectivity(struct vw_graph *g, const struct vw_connectivity *c)
{
	_cleanup_free_ uint32_t *node = calloc(c->parties.n + 1, sizeof(*node));
	int r = node ? 0 : -ENOMEM;

	g->cut_short |= c->cut_short;
	for (size_t i = 0; i < c->parties.n && !r; i++)
		r = vw_graph_node(g, c->parties.v[i].kind, c->parties.v[i].name,
				  c->parties.v[i].members, &node[i]);
	for (size_t i = 0; i < c->edges.n && !r; i++)
		r = add_edge(g, &c->edges.v[i], node);
	g->cut_short |= r == -ENOSPC;
	return r == -ENOSPC ? 0 : r;
}

/* ---- one service's part ---- */

static bool is_called(const struct vw_graph_node *n, const char *service)
{
	const char *slash = strchr(n->name, '/');

	return !strcmp(n->name, service) ||
	       (n->kind == VW_PARTY_SERVICE && slash && !strcmp(slash + 1, service));
}

int vw_graph_focus(struct vw_graph *g, const char *service)
{
	_cleanup_free_ uint32_t *now = calloc(g->nodes.n + 1, sizeof(*now));
	_cleanup_free_ bool *asked = calloc(g->nodes.n + 1, sizeof(*asked));
	_cleanup_free_ bool *stays = calloc(g->nodes.n + 1, sizeof(*stays));
	size_t n = 0;
	bool any = false;

	if (!now || !asked || !stays)
		return -ENOMEM;
	for (size_t i = 0; i < g->nodes.n; i++) {
		asked[i] = stays[i] = is_called(&g->nodes.v[i], service);
		any |= asked[i];
	}
	if (!any)
		return -ENOENT;
	vw_vec_foreach (e, &g->edges) {
		if (!asked[e->from] && !asked[e->to])
			continue;
		stays[e->from] = stays[e->to] = true;
		g->edges.v[n++] = *e;
	}
	g->edges.n = n;
	n = 0;
	for (size_t i = 0; i < g->nodes.n; i++) {
		now[i] = (uint32_t)n;
		if (stays[i])
			g->nodes.v[n++] = g->nodes.v[i];
		else
			node_done(&g->nodes.v[i]);
	}
	g->nodes.n = n;
	n = 0;
	vw_vec_foreach (i, &g->by_name)
		if (stays[*i])
			g->by_name.v[n++] = now[*i];
	g->by_name.n = n;
	vw_vec_foreach (e, &g->edges) {
		e->from = now[e->from];
		e->to = now[e->to];
	}
	return 0;
}
