/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where each of some nodes has the same edge to each of others, one fold stands for all of these
 * edges: where all is open, 200 services have 40,000. It looks for the largest such pair of sets,
 * folds it, and looks again. Finding the best one is hard in general; policies make few kinds of
 * rows, so each kind of row is tried as a beginning. */
#include <stdio.h>

#include "base/escape.h"
#include "core/graph_parts.h"
#include "vethwall/cleanup.h"
#include "vethwall/ruleset.h"

#define NODES_MAX 4096 /* 2 MiB of bits for a square of them */
#define FOLDS_MAX 64
#define SEEDS_MAX 64
#define BLOCK_MIN 12 /* edges that are worth a fold */
#define STAR_MIN 16 /* the same where one side has fewer than three nodes */

/* The edges of one kind and text, as a square of bits. */
struct square {
	const struct vw_graph *g;
	size_t n, words;
	uint64_t *real; /* edges that are there */
	uint64_t *wide; /* and those that cannot be: of a node to itself, between two outside */
	uint64_t *from, *to, *best_from, *best_to; /* sets of nodes */
	uint32_t *reached; /* number of edges to each node */
};

static void square_done(struct square *q)
{
	free(q->real);
	free(q->wide);
	free(q->from);
	free(q->to);
	free(q->best_from);
	free(q->best_to);
	free(q->reached);
}

static bool has(const uint64_t *set, size_t i)
{
	return set[i / 64] >> i % 64 & 1;
}

static void put(uint64_t *set, size_t i)
{
	set[i / 64] |= (uint64_t)1 << i % 64;
}

static size_t count(const uint64_t *set, size_t words)
{
	size_t n = 0;

	for (size_t i = 0; i < words; i++)
		n += (size_t)__builtin_popcountll(set[i]);
	return n;
}

static int square_init(struct square *q, const struct vw_graph *g)
{
	q->g = g;
	q->n = g->nodes.n;
	q->words = (q->n + 63) / 64;
	q->real = calloc(q->n, q->words * 8);
	q->wide = calloc(q->n, q->words * 8);
	q->from = calloc(q->words, 8);
	q->to = calloc(q->words, 8);
	q->best_from = calloc(q->words, 8);
	q->best_to = calloc(q->words, 8);
	q->reached = calloc(q->n, sizeof(*q->reached));
	return q->real && q->wide && q->from && q->to && q->best_from && q->best_to && q->reached
		       ? 0
		       : -ENOMEM;
}

static uint64_t *row(uint64_t *bits, const struct square *q, size_t i)
{
	return bits + i * q->words;
}

static void square_fill(struct square *q, const uint32_t *edges, size_t n_edges)
{
	memset(q->real, 0, q->n * q->words * 8);
	memset(q->reached, 0, q->n * sizeof(*q->reached));
	for (size_t i = 0; i < n_edges; i++) {
		const struct vw_graph_edge *e = &q->g->edges.v[edges[i]];

		if (e->folded)
			continue;
		put(row(q->real, q, e->from), e->to);
		q->reached[e->to]++;
	}
	memcpy(q->wide, q->real, q->n * q->words * 8);
	for (size_t i = 0; i < q->n; i++) {
		put(row(q->wide, q, i), i);
		for (size_t j = 0; q->g->nodes.v[i].kind != VW_PARTY_SERVICE && j < q->n; j++)
			if (q->g->nodes.v[j].kind != VW_PARTY_SERVICE)
				put(row(q->wide, q, i), j);
	}
}

/* q->to holds a wish: takes into q->from all who reach all of it, then into q->to all whom those
 * reach. Returns the number of edges between them. */
static size_t block(struct square *q)
{
	size_t edges = 0;

	memset(q->from, 0, q->words * 8);
	for (size_t s = 0; s < q->n; s++) {
		const uint64_t *wide = row(q->wide, q, s);
		uint64_t missing = 0, real = 0;

		for (size_t w = 0; w < q->words && !missing; w++) {
			missing = q->to[w] & ~wide[w];
			real |= q->to[w] & row(q->real, q, s)[w];
		}
		if (!missing && real)
			put(q->from, s);
	}
	memset(q->to, 0xff, q->words * 8);
	for (size_t s = 0; s < q->n; s++)
		for (size_t w = 0; has(q->from, s) && w < q->words; w++)
			q->to[w] &= row(q->wide, q, s)[w];
	for (size_t w = 0; w < q->words; w++) { /* not those whom nobody really reaches */
		uint64_t real = 0;

		for (size_t s = 0; s < q->n; s++)
			if (has(q->from, s))
				real |= row(q->real, q, s)[w];
		q->to[w] &= real;
	}
	for (size_t s = 0; s < q->n; s++)
		for (size_t w = 0; has(q->from, s) && w < q->words; w++)
			edges += (size_t)__builtin_popcountll(row(q->real, q, s)[w] & q->to[w]);
	return edges;
}

static bool worth(const struct square *q, size_t edges)
{
	bool star = count(q->from, q->words) < 3 || count(q->to, q->words) < 3;

	return edges >= (star ? STAR_MIN : BLOCK_MIN);
}

static void keep_best(struct square *q, size_t *best)
{
	size_t edges = block(q);

	if (edges <= *best || !worth(q, edges))
		return;
	*best = edges;
	memcpy(q->best_from, q->from, q->words * 8);
	memcpy(q->best_to, q->to, q->words * 8);
}

/* The best block that begins with some node's row, or with the much-used part of it: 0 if none. */
static size_t find_block(struct square *q)
{
	uint64_t seen[SEEDS_MAX];
	size_t n_seen = 0, best = 0;

	for (size_t s = 0; s < q->n && n_seen < SEEDS_MAX; s++) {
		const uint64_t *real = row(q->real, q, s);
		uint64_t h = vw_hash(row(q->wide, q, s), q->words * 8, 1);
		bool known = !count(real, q->words);

		for (size_t i = 0; i < n_seen && !known; i++)
			known = seen[i] == h;
		if (known)
			continue;
		seen[n_seen++] = h;
		memcpy(q->to, real, q->words * 8);
		keep_best(q, &best);
		memset(q->to, 0, q->words * 8);
		for (size_t t = 0; t < q->n; t++)
			if (has(real, t) && q->reached[t] > 2 && q->reached[t] > q->n / 4)
				put(q->to, t);
		if (count(q->to, q->words))
			keep_best(q, &best);
	}
	return best;
}

static int take_block(struct vw_graph *g, struct square *q, const uint32_t *edges, size_t n_edges)
{
	struct vw_graph_fold fold = {.kind = g->edges.v[edges[0]].kind,
				     .text = g->edges.v[edges[0]].text};
	int r = 0;

	for (uint32_t i = 0; i < q->n && !r; i++) {
		if (has(q->best_from, i))
			r = vw_vec_push(&fold.from, i, NODES_MAX);
		if (!r && has(q->best_to, i))
			r = vw_vec_push(&fold.to, i, NODES_MAX);
	}
	if (!r)
		r = vw_vec_push(&g->folds, fold, FOLDS_MAX);
	if (r) {
		vw_vec_done(&fold.from);
		vw_vec_done(&fold.to);
		return r;
	}
	for (size_t i = 0; i < n_edges; i++) {
		struct vw_graph_edge *e = &g->edges.v[edges[i]];

		e->folded |= has(q->best_from, e->from) && has(q->best_to, e->to);
	}
	return 0;
}

static int by_class(const void *a, const void *b, void *arg)
{
	const struct vw_graph *g = arg;
	const uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct vw_graph_edge *x = &g->edges.v[i], *y = &g->edges.v[j];

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->text != y->text)
		return x->text < y->text ? -1 : 1;
	return (i > j) - (i < j);
}

/* Folds the edges that say the same, as long as it is worth it. */
static int fold_class(struct vw_graph *g, struct square *q, const uint32_t *edges, size_t n)
{
	int r = 0;

	if (g->edges.v[edges[0]].kind == VW_GRAPH_DENIED)
		return 0; /* each has its own count */
	while (!r && n >= BLOCK_MIN && g->folds.n < FOLDS_MAX) {
		square_fill(q, edges, n);
		if (!find_block(q))
			break;
		r = take_block(g, q, edges, n);
	}
	return r;
}

int graph_fold(struct vw_graph *g)
{
	_cleanup_(square_done) struct square q = {0};
	_cleanup_free_ uint32_t *order = NULL;
	int r;

	if (g->edges.n < BLOCK_MIN || g->nodes.n > NODES_MAX)
		return 0;
	order = calloc(g->edges.n, sizeof(*order));
	r = order ? square_init(&q, g) : -ENOMEM;
	for (uint32_t i = 0; !r && i < g->edges.n; i++)
		order[i] = i;
	if (!r)
		qsort_r(order, g->edges.n, sizeof(*order), by_class, g);
	for (size_t i = 0, end; !r && i < g->edges.n; i = end) {
		const struct vw_graph_edge *first = &g->edges.v[order[i]];

		for (end = i + 1; end < g->edges.n; end++)
			if (g->edges.v[order[end]].kind != first->kind ||
			    g->edges.v[order[end]].text != first->text)
				break;
		r = fold_class(g, &q, order + i, end - i);
	}
	return r;
}

/* ---- how it is told ---- */

char *vw_graph_letter(size_t fold, char buf[static VW_GRAPH_LETTER_MAX])
{
	size_t n = 0;

	if (fold >= 26)
		buf[n++] = (char)('A' + fold / 26 - 1);
	buf[n++] = (char)('A' + fold % 26);
	buf[n] = '\0';
	return buf;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

#define LETTERS_MAX 4 /* at one node; the others are counted */

/* One side of a fold: the even sides are those that reach, the odd ones those that are reached. */
struct side {
	const uint32_t *v;
	size_t n;
};

static struct side side_of(const struct vw_graph *g, size_t i)
{
	const struct vw_graph_fold *f = &g->folds.v[i / 2];

	return i % 2 ? (struct side){f->to.v, f->to.n} : (struct side){f->from.v, f->from.n};
}

static bool is_in(struct side s, uint32_t node)
{
	return s.n && bsearch(&node, s.v, s.n, sizeof(*s.v), by_number);
}

/* Whether all of a group's nodes are on the side: then the letter stands at the group. Returned
 * for all groups of all sides, side by side; NULL without memory. */
static bool *whole_groups(const struct vw_graph *g)
{
	bool *whole = calloc(2 * g->folds.n, g->groups.n);
	_cleanup_free_ size_t *n = calloc(g->groups.n, sizeof(*n));

	if (!whole || !n) {
		free(whole);
		return NULL;
	}
	for (size_t i = 0; i < 2 * g->folds.n; i++) {
		struct side s = side_of(g, i);

		memset(n, 0, g->groups.n * sizeof(*n));
		for (size_t k = 0; k < s.n; k++)
			n[g->nodes.v[s.v[k]].group]++;
		for (size_t k = 0; k < g->groups.n; k++)
			whole[i * g->groups.n + k] = n[k] > 1 && n[k] == g->groups.v[k].nodes;
	}
	return whole;
}

/* The letters at a node, or (node UINT32_MAX) at a group. */
static int letters(const struct vw_graph *g, const bool *whole, uint32_t node, size_t group,
		   char **ret)
{
	char text[LETTERS_MAX * (VW_GRAPH_LETTER_MAX + 4) + 16], name[VW_GRAPH_LETTER_MAX];
	size_t len = 0, n = 0;

	for (size_t i = 0; i < 2 * g->folds.n; i++) {
		bool here = whole[i * g->groups.n + group];

		if (node == UINT32_MAX ? !here : here || !is_in(side_of(g, i), node))
			continue;
		if (++n > LETTERS_MAX)
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, i % 2 ? "%s%s▸" : "%s▸%s",
					n > 1 ? " " : "", vw_graph_letter(i / 2, name));
	}
	if (n > LETTERS_MAX)
		snprintf(text + len, sizeof(text) - len, " +%zu", n - LETTERS_MAX);
	if (!n)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

int graph_fold_letters(struct vw_graph *g)
{
	_cleanup_free_ bool *whole = NULL;
	int r = 0;

	if (!g->folds.n)
		return 0;
	whole = whole_groups(g);
	if (!whole)
		return -ENOMEM;
	for (size_t i = 0; i < g->groups.n && !r; i++)
		r = letters(g, whole, UINT32_MAX, i, &g->groups.v[i].folds);
	for (uint32_t i = 0; i < g->nodes.n && !r; i++)
		r = letters(g, whole, i, g->nodes.v[i].group, &g->nodes.v[i].folds);
	return r;
}

static void put_name(FILE *f, const char *s)
{
	size_t n = strlen(s), len;
	char c[VW_ESCAPE_CHAR_MAX];

	for (size_t i = 0; i < n;) {
		i += vw_escape_char(s + i, n - i, c, &len);
		fwrite(c, 1, len, f);
	}
}

static void put_side(FILE *f, const struct vw_graph *g, struct side s, const char *mark)
{
	uint32_t group = g->nodes.v[s.v[0]].group;
	size_t services = 0, all_services = 0, here = 0;

	vw_vec_foreach (n, &g->nodes)
		all_services += n->kind == VW_PARTY_SERVICE;
	for (size_t i = 0; i < s.n; i++) {
		services += g->nodes.v[s.v[i]].kind == VW_PARTY_SERVICE;
		here += g->nodes.v[s.v[i]].group == group;
	}
	if (s.n == g->nodes.n) {
		fputs("everyone", f);
	} else if (s.n == services && s.n == all_services) {
		fputs("every service", f);
	} else if (s.n == 1) {
		put_name(f, g->nodes.v[s.v[0]].name);
	} else if (here == s.n && here == g->groups.v[group].nodes) {
		fputs("everyone in ", f);
		put_name(f, g->groups.v[group].name ? g->groups.v[group].name : "outside");
	} else {
		fprintf(f, "the %zu marked %s", s.n, mark);
	}
}

char *vw_graph_fold_side(const struct vw_graph *g, size_t fold, bool to)
{
	char letter[VW_GRAPH_LETTER_MAX], mark[VW_GRAPH_LETTER_MAX + 4];
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	snprintf(mark, sizeof(mark), to ? "%s▸" : "▸%s", vw_graph_letter(fold, letter));
	put_side(f, g, side_of(g, 2 * fold + to), mark);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

char *vw_graph_fold_words(const struct vw_graph *g, size_t fold)
{
	static const char *const verbs[_VW_GRAPH_KIND_MAX] = {
		[VW_GRAPH_KEPT] = "may reach",
		[VW_GRAPH_GAINED] = "may now reach",
		[VW_GRAPH_LOST] = "may no longer reach",
		[VW_GRAPH_DENIED] = "tried to reach",
	};
	const struct vw_graph_fold *x = &g->folds.v[fold];
	_cleanup_free_ char *from = vw_graph_fold_side(g, fold, false);
	_cleanup_free_ char *to = vw_graph_fold_side(g, fold, true);
	char *text;

	if (!from || !to ||
	    asprintf(&text, "%s %s %s: %s", from, verbs[x->kind], to, g->texts.v[x->text]) < 0)
		return NULL;
	return text;
}
