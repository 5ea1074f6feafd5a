/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people and programs are told of a comparison: lines, tables, JSON. Names in it come from
 * containers and files, so none may be a command to what shows them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/connectivity_print.h"
#include "vethwall/cleanup.h"
#include "vethwall/connectivity_json.h"
#include "model.h"
#include "conn.h"

static char *printed(const struct scene *s, bool markdown, bool colour, bool all)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	if (markdown)
		vw_connectivity_markdown(&s->out, all, f);
	else
		vw_connectivity_text(&s->out, colour, all, f);
	fclose(f);
	return text;
}

static void assert_prints(const struct scene *s, bool markdown, const char *want)
{
	_cleanup_free_ char *text = printed(s, markdown, false, false);

	assert_string_equal(text, want);
}

static void one_line_an_edge(void **state)
{
	struct scene s;

	(void)state;
	shop(&s, DB "  ingress:\n    - {from: [{service: web}], ports: [tcp/80]}\n",
	     DB "  ingress:\n    - {from: [{cidr: 10.0.0.1/32}], ports: [tcp/80, udp/53]}\n");
	assert_prints(&s, false,
		      "+ shop/web (1 of 2) -> shop/db udp/53   because ingress: shop/db "
		      "ingress[0] (p.yaml:7), before: shop/db allows nothing of it (p.yaml:1)\n"
		      "- shop/web -> shop/db tcp/80   because ingress: shop/db allows nothing of "
		      "it (p.yaml:1), before: shop/db ingress[0] (p.yaml:7)\n"
		      "  policy changed: ServicePolicy shop/db (p.yaml:1)\n");
	scene_done(&s);
}

static void nothing_is_no_line(void **state)
{
	struct scene s;

	(void)state;
	shop(&s, DB "  ingress: []\n", DB "  ingress: []\n");
	assert_prints(&s, false, "");
	assert_prints(&s, true, "");
	scene_done(&s);
}

static void isolation_by_service(void **state)
{
	struct scene s;

	(void)state;
	shop(&s, "", WEB "  mode: audit\n  ingress: []\n");
	assert_prints(&s, false, "  new policy: ServicePolicy shop/web (p.yaml:1), only watches\n");
	scene_done(&s);
	shop(&s, WEB "  mode: audit\n  egress: []\n", WEB "  egress: []\n");
	_cleanup_free_ char *text = printed(&s, false, false, false);
	assert_non_null(strstr(text, "isolated now: egress of shop/web (2 workloads)\n"));
	assert_non_null(strstr(text, "(p.yaml:1), enforced now\n"));
	assert_non_null(strstr(text, "- shop/web -> world any   because egress: shop/web allows "
				     "nothing of it (p.yaml:1), before: shop/web"));
	scene_done(&s);
}

/* A name that would open a cell, a tag, or move the cursor. */
static void names_are_no_commands(void **state)
{
	static const char odd[] = "a|b<i>`c\033[2J\xe2\x80\xae";
	struct scene s;

	(void)state;
	shop(&s, "", "");
	vw_vec_foreach (w, &s.world.workloads)
		if (!strcmp(w->service, "tool")) {
			free(w->service);
			w->service = m_text(odd);
		}
	parse(DB "  ingress: []\n", &s.set[1]);
	compare_again(&s);
	_cleanup_free_ char *text = printed(&s, false, true, false);
	_cleanup_free_ char *md = printed(&s, true, false, false);
	assert_non_null(strstr(text, "ops/a|b<i>`c\\u001b[2J\\u202e"));
	assert_null(strstr(text, "\033[2J"));
	assert_non_null(strstr(text, "\033[31m- "));
	assert_non_null(strstr(md, "ops/a&#124;b&#60;i&#62;&#96;c"));
	assert_null(strpbrk(md, "\033`<"));
	scene_done(&s);
}

/* As many services as it takes. */
static void many_services(struct scene *s, unsigned n)
{
	shop(s, "", "");
	for (unsigned i = 0; i < n; i++) {
		char name[32], ip[32];

		snprintf(name, sizeof(name), "x%u", i);
		snprintf(ip, sizeof(ip), "10.1.0.%u", i);
		struct vw_workload w = m_workload("more", name, name, "n", ip, NULL);

		w.ifaces.v[0].ifindex = 100 + i;
		m_put(&s->world, w);
	}
	parse(DB "  ingress: []\n", &s->set[1]);
	compare_again(s);
}

static size_t lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void many_are_summed_up(void **state)
{
	struct scene s;

	(void)state;
	many_services(&s, 60);
	_cleanup_free_ char *some = printed(&s, false, false, false);
	_cleanup_free_ char *all = printed(&s, false, false, true);
	_cleanup_free_ char *md = printed(&s, true, false, false);
	assert_non_null(
		strstr(some, "- more/* -> shop/* 60 pairs   such as more/x0 -> shop/db any\n"));
	assert_non_null(strstr(some, "64 pairs in all, by namespace; --all shows each\n"));
	assert_int_equal(lines(some), 8);
	assert_int_equal(lines(all), 66);
	assert_non_null(strstr(md, "| denied | more/&#42; | shop/&#42; | 60 pairs | "));
	scene_done(&s);
}

static void json_has_all_of_it(void **state)
{
	struct scene s;
	const char *from, *to, *word, *ports, *rule, *kind, *policy, *change, *workload;
	int proto, port, members, line, isolated;

	(void)state;
	shop(&s, "", DB "  ingress:\n    - {from: [{entity: any}], ports: [udp]}\n");
	json_auto_t *o = vw_connectivity_json(&s.out);
	json_t *list = json_object_get(o, "connectivity"), *last;
	assert_true(json_array_size(list) >= 4);
	last = json_array_get(list, json_array_size(list) - 1);
	assert_int_equal(
		json_unpack(last, "{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:{s:{s:s, s:s}}}",
			    "from", &from, "from_kind", &kind, "to", &to, "state", &word, "ports",
			    &ports, "proto_first", &proto, "port_last", &port, "to_members",
			    &members, "after", "ingress", "policy", &policy, "rule", &rule),
		0);
	assert_string_equal(from, "world");
	assert_string_equal(kind, "outside");
	assert_string_equal(to, "shop/db");
	assert_string_equal(word, "denied");
	assert_string_equal(ports, "protocols 18-255");
	assert_int_equal(proto, 18);
	assert_int_equal(port, 65535);
	assert_int_equal(members, 1);
	assert_string_equal(policy, "default");
	assert_int_equal(json_unpack(json_array_get(json_object_get(o, "policies"), 0),
				     "{s:s, s:s, s:i}", "change", &change, "policy", &policy,
				     "line", &line),
			 0);
	assert_string_equal(change, "added");
	assert_string_equal(policy, "shop/db");
	assert_int_equal(json_unpack(json_array_get(json_object_get(o, "isolation"), 0),
				     "{s:s, s:s, s:b}", "workload", &workload, "direction", &word,
				     "isolated", &isolated),
			 0);
	assert_string_equal(workload, "shop/db-1");
	assert_string_equal(word, "ingress");
	assert_true(isolated);
	assert_true(json_is_false(json_object_get(o, "cut_short")));
	scene_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_an_edge),	cmocka_unit_test(nothing_is_no_line),
		cmocka_unit_test(isolation_by_service), cmocka_unit_test(names_are_no_commands),
		cmocka_unit_test(many_are_summed_up),	cmocka_unit_test(json_has_all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
