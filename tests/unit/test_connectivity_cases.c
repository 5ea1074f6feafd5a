/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The comparison of connectivity in a small shop: sets that are written differently but decide
 * alike, one packet that differs, and everything that is told beside the edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vethwall/cleanup.h"
#include "model.h"
#include "conn.h"

/* Pairs of texts that decide alike. */
static const char *const alike[][2] = {
	{DB "  ingress:\n    - {from: [{service: web}], ports: [tcp/80-90]}\n",
	 DB "  ingress:\n    - {from: [{service: web}], ports: [tcp/86-90, tcp/80-85]}\n"},
	{DB "  ingress:\n    - {from: [{service: web}, {cidr: 10.9.0.0/16}], ports: [tcp/80]}\n",
	 DB "  ingress:\n    - {from: [{cidr: 10.9.128.0/17}], ports: [tcp/80]}\n"
	    "    - {from: [{cidr: 10.9.0.0/17}], ports: [tcp/80]}\n"
	    "    - {from: [{service: web}], ports: [tcp/80]}\n"},
	{DB "  ingress:\n    - {from: [{service: web}]}\n",
	 DB "  ingress:\n    - {from: [{selector: {matchLabels: {app: web}}}]}\n"},
	{DB "  ingress:\n    - {from: [{entity: any}], ports: [tcp/1-9]}\n",
	 DB "  ingress:\n    - {from: [{cidr: 0.0.0.0/1}, {cidr: 128.0.0.0/1}, "
	    "{cidr: \"::/0\"}], ports: [tcp/1-9]}\n"},
	{DB "  ingress:\n    - {from: [{entity: any}]}\n",
	 DB "  ingress:\n    - {from: [{entity: cluster}, {entity: host}]}\n"
	    "    - {from: [{entity: world}], ports: [any]}\n"},
	{DB "  ingress:\n    - {from: [{cidr: 10.0.0.0/24, except: [10.0.0.2/32]}]}\n",
	 DB "  ingress:\n    - {from: [{cidr: 10.0.0.0/31}, {cidr: 10.0.0.3/32}, "
	    "{cidr: 10.0.0.4/30}, {cidr: 10.0.0.8/29}, {cidr: 10.0.0.16/28}, "
	    "{cidr: 10.0.0.32/27}, {cidr: 10.0.0.64/26}, {cidr: 10.0.0.128/25}]}\n"},
	/* an address that is a workload's by name or by number */
	{DB "  ingress:\n    - {from: [{service: tool, namespace: ops}], ports: [udp/53]}\n",
	 DB "  ingress:\n    - {from: [{cidr: 10.0.0.4/32}, {cidr: \"fd77::4/128\"}], ports: "
	    "[udp/53]}\n"},
};

static void written_otherwise_is_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(alike); i++) {
		struct scene s;

		shop(&s, alike[i][0], alike[i][1]);
		if (s.out.edges.n)
			fail_msg("pair %zu: %s -> %s", i, s.out.parties.v[s.out.edges.v->from].name,
				 s.out.parties.v[s.out.edges.v->to].name);
		assert_false(vw_connectivity_differs(&s.out));
		scene_done(&s);
	}
}

static void assert_range(const struct scene *s, const char *from, const char *to, size_t i,
			 const char *state, const char *text, uint32_t from_members)
{
	const struct vw_conn_edge *e = edge(s, from, to);
	char buf[VW_CONN_RANGE_STRLEN];

	if (!e)
		fail_msg("no edge %s -> %s", from, to);
	assert_true(i < e->ranges.n);
	assert_string_equal(vw_conn_state_str(e->ranges.v[i].state), state);
	assert_string_equal(vw_conn_range_str(&e->ranges.v[i], buf), text);
	assert_int_equal(e->ranges.v[i].from_members, from_members);
}

static void one_packet_shows(void **state)
{
	struct scene s;
	const struct vw_conn_range *r;

	(void)state;
	shop(&s, DB "  ingress:\n    - {from: [{service: web}], ports: [tcp/80-90]}\n",
	     DB "  ingress:\n    - {from: [{service: web}], ports: [tcp/80-88, tcp/90]}\n");
	assert_int_equal(s.out.edges.n, 1);
	assert_range(&s, "shop/web", "shop/db", 0, "denied", "tcp/89", 2);
	r = s.out.edges.v->ranges.v;
	assert_string_equal(r->before->ingress.policy->name, "db");
	assert_ptr_equal(r->before->ingress.policy, &s.set[0].list.v[0]);
	assert_non_null(r->before->ingress.rule);
	assert_ptr_equal(r->after->ingress.policy, NULL);
	assert_ptr_equal(r->after->ingress.near_policy, &s.set[1].list.v[0]);
	assert_true(r->after->egress.allow);
	assert_string_equal(r->from->workload->service, "web");
	assert_int_equal(vw_conn_sample(r).port, 89);
	assert_int_equal(s.out.policies.n, 1);
	assert_int_equal(s.out.policies.v->what, VW_POLICY_CHANGED);
	assert_int_equal(s.out.isolation.n, 0);
	scene_done(&s);
}

/* The first policy: everybody else loses, each named party once. */
static void isolation_shows(void **state)
{
	struct scene s;

	(void)state;
	shop(&s, "",
	     DB "  ingress:\n    - {from: [{cidr: 10.9.0.0/16}], ports: [tcp/80]}\n"
		"    - {from: [{service: web}]}\n");
	assert_int_equal(s.out.edges.n, 4);
	assert_range(&s, "ops/tool", "shop/db", 0, "denied", "any", 1);
	assert_range(&s, "host", "shop/db", 0, "denied", "any", 0);
	assert_range(&s, "10.9.0.0/16", "shop/db", 0, "denied", "protocols 0-5", 0);
	assert_range(&s, "10.9.0.0/16", "shop/db", 1, "denied", "tcp/0-79", 0);
	assert_range(&s, "10.9.0.0/16", "shop/db", 2, "denied", "tcp/81-65535", 0);
	assert_range(&s, "10.9.0.0/16", "shop/db", 3, "denied", "protocols 7-255", 0);
	assert_range(&s, "world except 10.9.0.0/16", "shop/db", 0, "denied", "any", 0);
	assert_int_equal(s.out.policies.n, 1);
	assert_int_equal(s.out.policies.v->what, VW_POLICY_ADDED);
	assert_int_equal(s.out.isolation.n, 1);
	assert_string_equal(s.out.isolation.v->workload->name, "db-1");
	assert_int_equal(s.out.isolation.v->dir, VW_INGRESS);
	assert_true(s.out.isolation.v->isolated);
	scene_done(&s);
}

/* An address in it that is a workload's, and told apart, is not outside at all. */
static void places_are_told_short(void **state)
{
	struct scene s;

	(void)state;
	shop(&s, DB "  ingress: []\n",
	     DB "  ingress:\n    - {from: [{cidr: 10.0.0.0/24}], ports: [tcp/80]}\n"
		"    - {from: [{cidr: 10.0.0.1/32}], ports: [tcp/81]}\n");
	assert_range(&s, "10.0.0.0/24", "shop/db", 0, "allowed", "tcp/80", 0);
	assert_range(&s, "shop/web", "shop/db", 0, "allowed", "tcp/80", 2);
	assert_range(&s, "shop/web", "shop/db", 1, "allowed", "tcp/81", 1);
	scene_done(&s);
}

static void members_show(void **state)
{
	struct scene s;

	(void)state;
	shop(&s, DB "  ingress: []\n",
	     DB "  ingress:\n    - {from: [{cidr: 10.0.0.1/32}], ports: [icmp/echo-request]}\n");
	assert_int_equal(s.out.edges.n, 1);
	assert_range(&s, "shop/web", "shop/db", 0, "allowed", "icmp/echo-request", 1);
	scene_done(&s);
}

/* What passes is what it was, so only the document tells. */
static void audit_shows_as_document(void **state)
{
	struct scene s;

	(void)state;
	shop(&s, "", DB "  mode: audit\n  ingress: []\n");
	assert_int_equal(s.out.edges.n, 0);
	assert_int_equal(s.out.isolation.n, 0);
	assert_int_equal(s.out.policies.n, 1);
	scene_done(&s);
	shop(&s, DB "  mode: audit\n  ingress: []\n", DB "  ingress: []\n");
	assert_int_equal(s.out.policies.v->what, VW_POLICY_CHANGED);
	assert_int_equal(s.out.isolation.n, 1);
	assert_non_null(edge(&s, "world", "shop/db"));
	assert_non_null(edge(&s, "shop/web", "shop/db"));
	scene_done(&s);
}

static void documents_by_what_they_say(void **state)
{
	struct scene s;

	(void)state;
	shop(&s,
	     DB "  ingress:\n    - {from: [{service: web}, {service: tool}], ports: [tcp/1-2]}\n"
		"    - {from: [{cidr: 10.9.0.0/16}]}\n",
	     "# moved\n" DB "  ingress:\n    - {from: [{cidr: 10.9.0.0/16}]}\n"
	     "    - {from: [{service: tool}, {service: web}, {service: web}], ports: [tcp/2, "
	     "tcp/1]}\n");
	assert_int_equal(s.out.policies.n, 0);
	scene_done(&s);
	shop(&s, DB "  ingress: []\n",
	     HEAD "metadata: {name: other, namespace: shop}\nspec: {service: db, ingress: []}\n");
	assert_int_equal(s.out.policies.n, 2);
	assert_int_equal(s.out.policies.v[0].what, VW_POLICY_REMOVED);
	assert_int_equal(s.out.policies.v[1].what, VW_POLICY_ADDED);
	assert_int_equal(s.out.edges.n, 0);
	assert_int_equal(s.out.isolation.n, 0);
	scene_done(&s);
}

/* Nobody has resolved the name, so no packet changes yet; it is told all the same. */
static void unresolved_names_show(void **state)
{
	struct scene s;

	(void)state;
	shop(&s, WEB "  egress: []\n",
	     WEB "  egress:\n    - {to: [{fqdn: \"*.example.org\"}], ports: [tcp/443]}\n");
	assert_int_equal(s.out.edges.n, 1);
	assert_range(&s, "shop/web", "*.example.org", 0, "allowed", "tcp/443", 2);
	assert_string_equal(s.out.edges.v->ranges.v->after->egress.policy->name, "web");
	scene_done(&s);
	shop(&s, WEB "  egress:\n    - {to: [{fqdn: \"*.example.org\"}, {fqdn: a.example.org}]}\n",
	     WEB "  egress:\n    - {to: [{fqdn: \"*.example.org\"}]}\n");
	assert_int_equal(s.out.edges.n, 0);
	scene_done(&s);
}

static void published_ports_show(void **state)
{
	struct scene s;
	const struct vw_conn_edge *e;
	struct vw_published p = {.proto = 6, .host_port = 8080, .container_port = 80};

	(void)state;
	shop(&s, "", "");
	vw_vec_foreach (w, &s.world.workloads)
		if (!strcmp(w->service, "db"))
			assert_int_equal(vw_vec_push(&w->published, p, VW_PORTS_MAX), 0);
	parse(WEB "  egress: []\n", &s.set[0]);
	parse(WEB "  egress:\n    - {to: [{service: db}], ports: [tcp/80]}\n", &s.set[1]);
	compare_again(&s);
	assert_int_equal(s.out.edges.n, 2);
	assert_range(&s, "shop/web", "shop/db", 0, "allowed", "tcp/80", 2);
	assert_range(&s, "shop/web", "host", 0, "allowed", "tcp/8080", 2);
	e = edge(&s, "shop/web", "host");
	assert_string_equal(e->ranges.v->behind->service, "db");
	assert_non_null(e->ranges.v->after->egress.rule);
	scene_done(&s);
}

/* One set twice, with what stays: a picture of it. */
static void kept_is_the_picture(void **state)
{
	struct scene s;

	(void)state;
	shop(&s, "", "");
	vw_connectivity_done(&s.out);
	for (int i = 0; i < 2; i++) {
		vw_compiled_done(&s.c[i]);
		parse(DB "  ingress:\n    - {from: [{service: web}], ports: [sctp]}\n", &s.set[i]);
	}
	s.kept = true;
	compare(&s);
	assert_range(&s, "shop/web", "shop/db", 0, "kept", "sctp", 2);
	assert_range(&s, "shop/web", "shop/web", 0, "kept", "any", 2);
	assert_range(&s, "shop/db", "shop/web", 0, "kept", "any", 1);
	assert_null(edge(&s, "ops/tool", "shop/db"));
	assert_null(edge(&s, "shop/db", "shop/db"));
	assert_non_null(edge(&s, "shop/db", "world"));
	assert_null(edge(&s, "world", "shop/db"));
	assert_false(vw_connectivity_differs(&s.out));
	scene_done(&s);
}

static void ranges_in_words(void **state)
{
	static const struct {
		struct vw_conn_range r;
		const char *text;
	} cases[] = {
		{{.proto = 0, .proto_last = 255, .hi = 65535}, "any"},
		{{.proto = 2, .proto_last = 5, .hi = 65535}, "protocols 2-5"},
		{{.proto = 132, .proto_last = 132, .hi = 65535}, "sctp"},
		{{.proto = 99, .proto_last = 99, .hi = 65535}, "protocol 99"},
		{{.proto = 6, .proto_last = 6, .lo = 5432, .hi = 5432}, "tcp/5432"},
		{{.proto = 17, .proto_last = 17, .lo = 1, .hi = 9}, "udp/1-9"},
		{{.proto = 1, .proto_last = 1, .lo = 0x800, .hi = 0x8ff}, "icmp/echo-request"},
		{{.proto = 1, .proto_last = 1, .lo = 0x304, .hi = 0x304},
		 "icmp/destination-unreachable code 4"},
		{{.proto = 58, .proto_last = 58, .lo = 0x4200, .hi = 0x4203},
		 "icmpv6/66 codes 0-3"},
		{{.proto = 1, .proto_last = 1, .lo = 0, .hi = 0x7ff}, "icmp/types 0-7"},
		{{.proto = 1, .proto_last = 1, .lo = 0x301, .hi = 0x7fe},
		 "icmp/type 3 code 1 to type 7 code 254"},
	};
	char buf[VW_CONN_RANGE_STRLEN];

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(cases); i++)
		assert_string_equal(vw_conn_range_str(&cases[i].r, buf), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_otherwise_is_nothing),
		cmocka_unit_test(one_packet_shows),
		cmocka_unit_test(isolation_shows),
		cmocka_unit_test(members_show),
		cmocka_unit_test(places_are_told_short),
		cmocka_unit_test(audit_shows_as_document),
		cmocka_unit_test(documents_by_what_they_say),
		cmocka_unit_test(unresolved_names_show),
		cmocka_unit_test(published_ports_show),
		cmocka_unit_test(kept_is_the_picture),
		cmocka_unit_test(ranges_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
