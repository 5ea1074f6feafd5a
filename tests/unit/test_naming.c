/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of denied flows' ends: who is who, and what stays known of a workload that has left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "agent/naming.h"
#include "compiled.h"

struct state {
	struct vw_world world;
	struct vw_policyset set;
	struct vw_compiled c;
	struct vw_naming names;
};

static struct vw_addr addr(const char *text)
{
	struct vw_addr a;

	assert_int_equal(vw_addr_parse(text, &a), 0);
	return a;
}

/* Rules that are never reported have no number. */
static void logged_policy(struct vw_policyset *set)
{
	static const char text[] =
		"apiVersion: vethwall/v1\nkind: ServicePolicy\n"
		"metadata: {name: p2, namespace: shop}\n"
		"spec: {service: s2, log: true, ingress: [{from: [{service: s1}]}]}\n";
	struct vw_diag d = {};

	assert_int_equal(vw_policy_parse(text, sizeof(text) - 1, "p.yaml", set, &d), 0);
	vw_policyset_sort(set);
}

static int setup(void **ps)
{
	struct state *s = calloc(1, sizeof(*s));
	struct vw_published pub = {.proto = IPPROTO_TCP, .host_port = 8080, .container_port = 80};
	struct vw_addr host = addr("10.0.0.254"), dns = addr("9.9.9.9");

	*ps = s;
	for (unsigned n = 1; n <= 4; n++)
		c_put(&s->world, n);
	assert_int_equal(vw_world_add_host(&s->world, &host), 0);
	assert_int_equal(vw_vec_push(&s->world.dns, dns, 8), 0);
	assert_int_equal(vw_vec_push(&vw_world_find(&s->world, "shop/w3")->published, pub, 8), 0);
	logged_policy(&s->set);
	s->c = c_compile(&s->set, &s->world);
	assert_int_equal(vw_naming_build(&s->names, &s->world, &s->c), 0);
	return 0;
}

static int teardown(void **ps)
{
	struct state *s = *ps;

	vw_naming_done(&s->names);
	vw_compiled_done(&s->c);
	vw_policyset_done(&s->set);
	vw_world_done(&s->world);
	free(s);
	return 0;
}

static struct vw_flow_names name(const struct state *s, unsigned ifindex, uint32_t code,
				 const char *src, const char *dst, uint16_t dport)
{
	struct vw_tuple t = {.code = code,
			     .src = addr(src),
			     .dst = addr(dst),
			     .proto = IPPROTO_TCP,
			     .sport = 1,
			     .dport = dport};
	struct vw_flow_names n;

	vw_naming_flow(&s->names, &s->c, ifindex, &t, &n);
	return n;
}

#define IN (VW_CODE_DENY | VW_REASON_DEFAULT)
#define OUT (IN | VW_CODE_EGRESS)

static void test_workloads(void **ps)
{
	struct vw_flow_names n = name(*ps, 2, IN, "10.0.0.4", "10.0.0.2", 80);

	assert_string_equal(n.in_iface, "v2");
	assert_string_equal(n.workload, "shop/w2");
	assert_string_equal(n.service, "s2");
	assert_string_equal(n.image, "img:1");
	assert_string_equal(n.peer, "shop/w4");
	assert_string_equal(n.peer_service, "s4");
	assert_string_equal(n.policy, "default");
	n = name(*ps, 2, OUT, "fd00::2", "fd00::4", 80);
	assert_string_equal(n.peer, "shop/w4");
}

static void test_entities(void **ps)
{
	assert_string_equal(name(*ps, 2, IN, "10.0.0.254", "10.0.0.2", 80).peer, "host");
	assert_string_equal(name(*ps, 2, OUT, "10.0.0.2", "1.2.3.4", 80).peer, "world");
	assert_string_equal(name(*ps, 2, OUT, "10.0.0.2", "9.9.9.9", 53).peer, "dns");
	assert_string_equal(name(*ps, 2, OUT, "10.0.0.2", "169.254.169.254", 80).peer, "metadata");
	assert_string_equal(name(*ps, 2, OUT, "10.0.0.2", "fd00:ec2::254", 80).peer, "metadata");
	assert_string_equal(name(*ps, 2, OUT, "10.0.0.2", "224.0.0.251", 80).peer, "multicast");
	assert_null(name(*ps, 2, OUT, "10.0.0.2", "1.2.3.4", 80).peer_service);
}

/* The container behind it, seen from the sender only: what arrives from the node is the node's. */
static void test_published(void **ps)
{
	assert_string_equal(name(*ps, 2, OUT, "10.0.0.2", "10.0.0.254", 8080).peer, "shop/w3");
	assert_string_equal(name(*ps, 2, OUT, "10.0.0.2", "10.0.0.254", 8081).peer, "host");
	assert_string_equal(name(*ps, 3, IN, "10.0.0.254", "10.0.0.3", 8080).peer, "host");
}

static void test_rule(void **ps)
{
	struct state *s = *ps;
	struct vw_flow_names n;

	assert_true(s->c.rules.n > 0);
	n = name(s, 2, VW_CODE_DENY | s->c.rules.v[0].number, "10.0.0.4", "10.0.0.2", 80);
	assert_string_equal(n.policy, "shop/p2");
	assert_string_equal(n.rule, "ingress[0]");
	assert_string_equal(n.tier, "service");
}

/* The last counters of a wall are read after its workload has left the world. */
static void test_gone(void **ps)
{
	struct state *s = *ps;

	c_remove(&s->world, 2);
	assert_string_equal(name(s, 2, IN, "10.0.0.4", "10.0.0.2", 80).workload, "shop/w2");
	assert_string_equal(name(s, 4, OUT, "10.0.0.4", "10.0.0.2", 80).peer, "shop/w2");
}

static void test_unknown(void **ps)
{
	struct vw_flow_names n = name(*ps, 99, IN, "10.0.0.4", "10.0.0.99", 80);

	assert_null(n.in_iface);
	assert_null(n.workload);
	assert_string_equal(n.peer, "shop/w4");
}

/* An address that two claim names neither. */
static void test_ambiguous(void **ps)
{
	struct state *s = *ps;
	struct naming_addr twice = s->names.addrs.v[0];

	assert_int_equal(vw_vec_push(&s->names.addrs, twice, 100), 0);
	memmove(s->names.addrs.v + 1, s->names.addrs.v,
		(s->names.addrs.n - 1) * sizeof(*s->names.addrs.v));
	assert_string_equal(name(s, 2, IN, "10.0.0.1", "10.0.0.2", 80).peer, "world");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_workloads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_entities, setup, teardown),
		cmocka_unit_test_setup_teardown(test_published, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rule, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ambiguous, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
