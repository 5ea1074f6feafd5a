/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Graphs: what is folded is what was there, nothing lies on anything else, the same graph gives the
 * same picture, and texts of others stay texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/graph_parts.h"
#include "vethwall/cleanup.h"

static uint32_t node(struct vw_graph *g, enum vw_party_kind kind, const char *name)
{
	uint32_t i;

	assert_int_equal(vw_graph_node(g, kind, name, 1, &i), 0);
	return i;
}

static void edge(struct vw_graph *g, uint32_t from, uint32_t to, enum vw_graph_kind kind,
		 const char *text)
{
	assert_int_equal(vw_graph_edge(g, from, to, kind, text, 7), 0);
}

static unsigned next(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 8) % n;
}

/* n services in namespaces of ten, `edges` at random, two ends outside. */
static void make_random(struct vw_graph *g, unsigned seed, unsigned n, unsigned edges)
{
	static const char *const texts[] = {"tcp/80", "tcp/5432, tcp/6379", "any"};
	char name[96];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "ns-%u/service-%.*s%u", i / 10, (int)next(&seed, 30),
			 "-with-a-rather-long-name-of-its-own", i);
		node(g, VW_PARTY_SERVICE, name);
	}
	node(g, VW_PARTY_OUTSIDE, "world");
	node(g, VW_PARTY_HOST, "host");
	for (unsigned i = 0; i < edges; i++)
		edge(g, next(&seed, n + 2), next(&seed, n),
		     (enum vw_graph_kind)next(&seed, _VW_GRAPH_KIND_MAX), texts[next(&seed, 3)]);
}

static bool overlap(const struct vw_box *a, const struct vw_box *b)
{
	return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

static bool within(const struct vw_box *a, const struct vw_box *b)
{
	return a->x >= b->x && a->y >= b->y && a->x + a->w <= b->x + b->w &&
	       a->y + a->h <= b->y + b->h;
}

static void check_places(const struct vw_graph *g)
{
	struct vw_box all = {0, 0, g->width, g->height};

	for (size_t i = 0; i < g->nodes.n; i++) {
		const struct vw_graph_node *n = &g->nodes.v[i];
		int lines;

		assert_true(within(&n->box, &g->groups.v[n->group].box));
		assert_true(graph_lines_width(n->title, VW_GRAPH_PX, &lines) < n->box.w);
		assert_true(lines * VW_GRAPH_LINE < n->box.h);
		for (size_t k = i + 1; k < g->nodes.n; k++)
			assert_false(overlap(&n->box, &g->nodes.v[k].box));
	}
	for (size_t i = 0; i < g->groups.n; i++) {
		assert_true(within(&g->groups.v[i].box, &all));
		for (size_t k = i + 1; k < g->groups.n; k++)
			assert_false(overlap(&g->groups.v[i].box, &g->groups.v[k].box));
	}
	vw_vec_foreach (c, &g->curves) {
		if (!c->label || c->crowded)
			continue;
		assert_true(within(&c->label_box, &all));
		vw_vec_foreach (n, &g->nodes)
			assert_false(overlap(&c->label_box, &n->box));
	}
}

static char *svg_of(const struct vw_graph *g)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	vw_graph_svg(g, "/* style */", "a title", f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void nothing_overlaps(void **state)
{
	static const unsigned sizes[][2] = {{0, 0},   {1, 1},	  {5, 12},     {12, 40},
					    {60, 90}, {200, 500}, {200, 4000}, {700, 900}};

	(void)state;
	for (unsigned i = 0; i < VW_ARRAY_SIZE(sizes); i++) {
		_cleanup_(vw_graph_done) struct vw_graph g = {0}, again = {0};
		_cleanup_free_ char *one = NULL, *two = NULL;
		unsigned n = sizes[i][0] ? sizes[i][0] : 1;

		make_random(&g, i, n, sizes[i][1]);
		make_random(&again, i, n, sizes[i][1]);
		assert_int_equal(vw_graph_layout(&g), 0);
		assert_int_equal(vw_graph_layout(&again), 0);
		check_places(&g);
		one = svg_of(&g);
		two = svg_of(&again);
		assert_string_equal(one, two);
	}
}

/* ---- folds ---- */

static bool listed(const uint32_t *v, size_t n, uint32_t x)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= v[i] == x;
	return any;
}

static int by_ends(const void *a, const void *b)
{
	const struct vw_graph_edge *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

static const struct vw_graph_edge *find_edge(const struct vw_graph *g, uint32_t from, uint32_t to,
					     const struct vw_graph_fold *f)
{
	const struct vw_graph_edge want = {.from = from, .to = to, .kind = f->kind};

	return bsearch(&want, g->edges.v, g->edges.n, sizeof(want), by_ends);
}

/* Every pair that a fold claims is an edge, or one that cannot be; every folded edge is claimed. */
static void check_folds(const struct vw_graph *g)
{
	vw_vec_foreach (f, &g->folds) {
		vw_vec_foreach (from, &f->from) {
			vw_vec_foreach (to, &f->to) {
				const struct vw_graph_edge *e = find_edge(g, *from, *to, f);
				bool outside = g->nodes.v[*from].kind != VW_PARTY_SERVICE &&
					       g->nodes.v[*to].kind != VW_PARTY_SERVICE;

				if (*from != *to && !outside) {
					assert_non_null(e);
					assert_true(e->folded && e->text == f->text);
				}
			}
		}
	}
	vw_vec_foreach (e, &g->edges) {
		bool claimed = false;

		vw_vec_foreach (f, &g->folds)
			claimed |= f->kind == e->kind && f->text == e->text &&
				   listed(f->from.v, f->from.n, e->from) &&
				   listed(f->to.v, f->to.n, e->to);
		assert_int_equal(claimed, e->folded);
	}
}

/* Everyone reaches everyone but the two that are isolated one way and both ways. */
static void an_open_world_is_folded(void **state)
{
	_cleanup_(vw_graph_done) struct vw_graph g = {0};
	_cleanup_free_ char *words = NULL, *from = NULL;
	const uint32_t n = 200, db = 3, quiet = 17;
	uint32_t world, i, k;
	char name[32];

	(void)state;
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "ns-%u/s%u", i / 10, i);
		node(&g, VW_PARTY_SERVICE, name);
	}
	world = node(&g, VW_PARTY_OUTSIDE, "world");
	for (i = 0; i <= n; i++)
		for (k = 0; k <= n; k++)
			if (i != k && i != db && k != db && i != quiet)
				edge(&g, i, k, VW_GRAPH_KEPT, "any");
	edge(&g, 5, db, VW_GRAPH_KEPT, "tcp/5432");
	assert_int_equal(vw_graph_layout(&g), 0);
	assert_int_equal(g.folds.n, 1);
	check_folds(&g);
	check_places(&g);
	assert_true(listed(g.folds.v[0].from.v, g.folds.v[0].from.n, world));
	assert_false(listed(g.folds.v[0].to.v, g.folds.v[0].to.n, db));
	assert_int_equal(g.folds.v[0].from.n, n - 1);
	assert_int_equal(g.folds.v[0].to.n, n);
	assert_null(g.nodes.v[db].folds);
	assert_null(g.nodes.v[quiet].folds);
	assert_string_equal(g.groups.v[g.nodes.v[quiet].group].folds, "A▸");
	assert_string_equal(g.nodes.v[quiet + 1].folds, "▸A");
	assert_int_equal(g.curves.n, 1);
	words = vw_graph_fold_words(&g, 0);
	from = vw_graph_fold_side(&g, 0, false);
	assert_string_equal(from, "the 199 marked ▸A");
	assert_string_equal(words, "the 199 marked ▸A may reach the 200 marked A▸: any");
}

static void folds_say_no_more_and_no_less(void **state)
{
	size_t folded = 0;

	(void)state;
	for (unsigned seed = 0; seed < 40; seed++) {
		_cleanup_(vw_graph_done) struct vw_graph g = {0};
		unsigned s = seed;

		make_random(&g, seed, 24, 30);
		for (unsigned b = 0; b < 3; b++) { /* blocks that may overlap, with holes */
			unsigned from = next(&s, 12), to = next(&s, 12), w = 3 + next(&s, 9);

			for (unsigned i = from; i < from + w; i++)
				for (unsigned k = to; k < to + w; k++)
					if (next(&s, 20))
						edge(&g, i, k, VW_GRAPH_GAINED, "tcp/80");
		}
		assert_int_equal(vw_graph_layout(&g), 0);
		check_folds(&g);
		folded += g.folds.n;
	}
	assert_true(folded > 40);
}

static void everyone_has_words(void **state)
{
	_cleanup_(vw_graph_done) struct vw_graph g = {0};
	_cleanup_free_ char *words = NULL;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "%s/s%u", i < 5 ? "shop" : "ops", i);
		node(&g, VW_PARTY_SERVICE, name);
	}
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < 5; k++)
			if (i != k)
				edge(&g, i, k, VW_GRAPH_LOST, "any");
	assert_int_equal(vw_graph_layout(&g), 0);
	words = vw_graph_fold_words(&g, 0);
	assert_string_equal(words, "everyone in shop may no longer reach everyone in shop: any");
	assert_string_equal(g.groups.v[1].folds, "▸A A▸");
	assert_int_equal(g.curves.n, 0);
}

/* 30 groups of two, all of which tried to reach all others: 435 pairs of groups. */
static void many_of_a_kind_are_bundled(void **state)
{
	_cleanup_(vw_graph_done) struct vw_graph g = {0};
	size_t bundles = 0, hidden = 0, in_bundles = 0;
	char name[32];

	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "ns-%02u/s%u", i / 2, i % 2);
		node(&g, VW_PARTY_SERVICE, name);
	}
	for (uint32_t i = 0; i < 60; i++)
		for (uint32_t k = 0; k < 60; k++)
			if (i != k)
				edge(&g, i, k, VW_GRAPH_DENIED, "tcp/22");
	assert_int_equal(vw_graph_edge(&g, 58, 1, VW_GRAPH_DENIED, "tcp/23", 1000), 0);
	assert_int_equal(vw_graph_layout(&g), 0);
	check_places(&g);
	vw_vec_foreach (c, &g.curves) {
		bundles += c->edge == SIZE_MAX;
		in_bundles += c->edges;
		hidden += c->bundled;
		assert_true(c->edge != SIZE_MAX || (c->back && c->edges == 8));
	}
	assert_int_equal(bundles, 150);
	assert_int_equal(g.minor, 435 - 150);
	assert_int_equal(in_bundles, 150 * 8);
	assert_int_equal(hidden, 60 * 58);
	assert_int_equal(g.undrawn, 0);
	assert_int_equal(g.curves.v[0].packets, 8 * 7 + 1000); /* the heaviest */
}

/* ---- filling ---- */

static void edges_are_merged(void **state)
{
	_cleanup_(vw_graph_done) struct vw_graph g = {0};
	uint32_t a, b;

	(void)state;
	a = node(&g, VW_PARTY_SERVICE, "shop/a");
	b = node(&g, VW_PARTY_OUTSIDE, "shop/a"); /* another kind is another node */
	assert_int_not_equal(a, b);
	assert_int_equal(node(&g, VW_PARTY_SERVICE, "shop/a"), a);
	edge(&g, b, a, VW_GRAPH_DENIED, "tcp/1");
	edge(&g, a, b, VW_GRAPH_DENIED, "tcp/2");
	edge(&g, b, a, VW_GRAPH_DENIED, "tcp/3");
	assert_int_equal(g.edges.n, 2);
	assert_int_equal(g.edges.v[1].packets, 14);
	assert_string_equal(g.texts.v[g.edges.v[1].text], "tcp/3");
	assert_int_equal(vw_graph_count(&g, VW_GRAPH_DENIED), 2);
}

static void a_comparison_becomes_edges(void **state)
{
	struct vw_party parties[] = {{.kind = VW_PARTY_SERVICE, .name = "shop/web", .members = 3},
				     {.kind = VW_PARTY_SERVICE, .name = "shop/db", .members = 1}};
	struct vw_conn_range ranges[20] = {0};
	struct vw_conn_edge e = {.from = 0, .to = 1, .ranges = {ranges, 20}};
	struct vw_connectivity c = {.parties = {parties, 2, 2}, .edges = {&e, 1, 1}};
	_cleanup_(vw_graph_done) struct vw_graph g = {0};

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		ranges[i] = (struct vw_conn_range){.state = i < 2 ? VW_CONN_GAINED : VW_CONN_LOST,
						   .proto = 6,
						   .proto_last = 6,
						   .lo = (uint16_t)(100 + 2 * i),
						   .hi = (uint16_t)(100 + 2 * i)};
	assert_int_equal(vw_graph_add_connectivity(&g, &c), 0);
	assert_int_equal(g.edges.n, 2);
	assert_int_equal(g.edges.v[0].kind, VW_GRAPH_GAINED);
	assert_string_equal(g.texts.v[g.edges.v[0].text], "tcp/100, tcp/102");
	assert_non_null(strstr(g.texts.v[g.edges.v[1].text], " and 6 more"));
	assert_int_equal(g.nodes.v[0].members, 3);
}

static void one_service_alone(void **state)
{
	_cleanup_(vw_graph_done) struct vw_graph g = {0};
	uint32_t web, api, db, other;

	(void)state;
	other = node(&g, VW_PARTY_SERVICE, "a/other");
	web = node(&g, VW_PARTY_SERVICE, "shop/web");
	api = node(&g, VW_PARTY_SERVICE, "shop/api");
	db = node(&g, VW_PARTY_SERVICE, "shop/db");
	edge(&g, web, api, VW_GRAPH_KEPT, "tcp/80");
	edge(&g, api, db, VW_GRAPH_KEPT, "tcp/5432");
	edge(&g, other, web, VW_GRAPH_KEPT, "tcp/80");
	assert_int_equal(vw_graph_focus(&g, "nobody"), -ENOENT);
	assert_int_equal(vw_graph_focus(&g, "db"), 0);
	assert_int_equal(g.nodes.n, 2);
	assert_int_equal(g.edges.n, 1);
	assert_string_equal(g.nodes.v[g.edges.v[0].from].name, "shop/api");
	assert_string_equal(g.nodes.v[g.edges.v[0].to].name, "shop/db");
	assert_int_equal(node(&g, VW_PARTY_SERVICE, "shop/db"), g.edges.v[0].to);
	assert_int_equal(vw_graph_layout(&g), 0);
}

/* ---- refused flows ---- */

static struct vw_flow flow(const char *workload, const char *service, const char *peer,
			   const char *peer_service, bool egress, uint16_t port)
{
	return (struct vw_flow){.event = VW_FLOW_DENIED,
				.egress = egress,
				.t = {.proto = 6, .dport = port},
				.workload = vw_str_of(workload),
				.service = vw_str_of(service),
				.peer = vw_str_of(peer),
				.peer_service = vw_str_of(peer_service),
				.packets = 10};
}

static void refusals_are_summed_by_service(void **state)
{
	_cleanup_(vw_graph_denied_done) struct vw_graph_denied d = {0};
	_cleanup_(vw_graph_done) struct vw_graph g = {0};
	struct vw_flow f[] = {
		flow("shop/web-1", "web", "shop/db-1", "db", true, 5432),
		flow("shop/web-2", "web", "shop/db-1", "db", true, 22),
		flow("shop/db-1", "db", "shop/web-2", "web", false,
		     5432), /* seen at the other end */
		flow("shop/db-1", "db", "world", NULL, false, 5432),
		flow("shop/db-1", "db", "host", NULL, true, 53),
		flow("shop/db-1", "db", NULL, NULL, true, 53),
		flow("shop/db-1", "db", "world", NULL, true, 443),
	};

	(void)state;
	f[6].peer_name = vw_str_of("api.example.org");
	for (size_t i = 0; i < VW_ARRAY_SIZE(f); i++)
		assert_int_equal(vw_graph_denied_add(&d, &f[i]), 0);
	f[0].event = VW_FLOW_ALLOWED;
	assert_int_equal(vw_graph_denied_add(&d, &f[0]), 0);
	f[0].event = VW_FLOW_OVERFLOW;
	assert_int_equal(vw_graph_denied_add(&d, &f[0]), 0);
	assert_int_equal(d.left_out, 20);
	assert_int_equal(d.list.n, 4);
	assert_int_equal(vw_graph_add_denied(&g, &d), 0);
	assert_int_equal(g.edges.n, 4);
	assert_string_equal(g.nodes.v[node(&g, VW_PARTY_NAME, "api.example.org")].name,
			    "api.example.org");
	assert_int_equal(g.nodes.n, 5);
	vw_vec_foreach (e, &g.edges) {
		if (strcmp(g.nodes.v[e->from].name, "shop/web"))
			continue;
		assert_string_equal(g.nodes.v[e->to].name, "shop/db");
		assert_string_equal(g.texts.v[e->text], "tcp/22, tcp/5432");
		assert_int_equal(e->packets, 30);
	}
}

static void a_flood_of_names_is_bounded(void **state)
{
	_cleanup_(vw_graph_denied_done) struct vw_graph_denied d = {0};
	uint64_t sum = 0;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < VW_GRAPH_DENIED_MAX + 100; i++) {
		struct vw_flow f;

		snprintf(name, sizeof(name), "a/w%05u", (i * 7919u) % 100000u);
		f = flow(name, NULL, "world", NULL, true, (uint16_t)i);
		assert_int_equal(vw_graph_denied_add(&d, &f), 0);
	}
	assert_int_equal(d.list.n, VW_GRAPH_DENIED_MAX);
	vw_vec_foreach (t, &d.list)
		sum += t->packets;
	assert_int_equal(sum + d.left_out, 10 * (VW_GRAPH_DENIED_MAX + 100));
}

/* ---- texts ---- */

static void long_names_go_on_below(void **state)
{
	char name[254];
	_cleanup_free_ char *lines = NULL;
	size_t letters = 0;
	int n;

	(void)state;
	for (size_t i = 0; i < 253; i++)
		name[i] = i % 9 ? 'm' : '-';
	name[253] = '\0';
	lines = graph_lines(name, VW_GRAPH_PX, 200);
	assert_true(graph_lines_width(lines, VW_GRAPH_PX, &n) <= 200);
	assert_true(n > 10);
	for (const char *s = lines; *s; s++)
		letters += *s != '\n';
	assert_int_equal(letters, 253); /* none is cut */
}

static void texts_of_others_stay_texts(void **state)
{
	static const char bad[] = "x/\"><script>alert(1)</script>\x1b[31m\xe2\x80\xae\n\xff&amp;";
	_cleanup_(vw_graph_done) struct vw_graph g = {0};
	_cleanup_free_ char *svg = NULL, *dot = NULL;
	size_t n;
	FILE *f;
	uint32_t i;

	(void)state;
	i = node(&g, VW_PARTY_SERVICE, bad);
	edge(&g, i, node(&g, VW_PARTY_OUTSIDE, bad + 2), VW_GRAPH_KEPT, bad);
	assert_int_equal(vw_graph_layout(&g), 0);
	svg = svg_of(&g);
	assert_null(strstr(svg, "<script"));
	assert_null(strchr(svg, '\x1b'));
	assert_null(strstr(svg, "\xe2\x80\xae"));
	assert_non_null(strstr(svg, "&quot;&gt;&lt;script&gt;"));
	assert_non_null(strstr(svg, "\\u001b[31m\\u202e\\u000a\\ufffd&amp;amp;"));
	f = open_memstream(&dot, &n);
	vw_graph_dot(&g, bad, f);
	assert_int_equal(fclose(f), 0);
	assert_non_null(strstr(dot, "\\\"><script>alert(1)</script>\\\\u001b[31m"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_overlaps),
		cmocka_unit_test(an_open_world_is_folded),
		cmocka_unit_test(folds_say_no_more_and_no_less),
		cmocka_unit_test(everyone_has_words),
		cmocka_unit_test(many_of_a_kind_are_bundled),
		cmocka_unit_test(edges_are_merged),
		cmocka_unit_test(a_comparison_becomes_edges),
		cmocka_unit_test(one_service_alone),
		cmocka_unit_test(refusals_are_summed_by_service),
		cmocka_unit_test(a_flood_of_names_is_bounded),
		cmocka_unit_test(long_names_go_on_below),
		cmocka_unit_test(texts_of_others_stay_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
