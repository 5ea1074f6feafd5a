/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ServicePolicy documents and the language that the vethwall/v1 kinds share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "codec.h"

#define HEAD                                             \
	"apiVersion: vethwall/v1\nkind: ServicePolicy\n" \
	"metadata: {name: p, namespace: shop}\n"

static struct vw_policy *spec(struct vw_policyset *set, const char *text)
{
	char doc[4096];

	snprintf(doc, sizeof(doc), HEAD "spec: %s\n", text);
	return c_policy(set, doc);
}

/* The flow-style spec is refused for one reason; it starts at 4:7. */
static void bad(const char *text, unsigned col, const char *words)
{
	char doc[4096];

	snprintf(doc, sizeof(doc), HEAD "spec: %s\n", text);
	c_refused_at(doc, 4, col, words);
}

static void bad_peer(const char *text, unsigned col, const char *words)
{
	char doc[4096];

	snprintf(doc, sizeof(doc), "{service: a, ingress: [{from: [%s]}]}", text);
	bad(doc, 38 + col - 1, words);
}

static void example_of_the_design(void **state)
{
	struct vw_policyset set = {0};
	struct vw_policy *p;
	struct vw_rule *r;

	(void)state;
	p = c_policy(&set, HEAD
		     "spec:\n"
		     "  service: db\n"
		     "  ingress:\n"
		     "    - from: [{service: api}, {cidr: 10.9.0.0/16, except: [10.9.1.0/24]}]\n"
		     "      ports: [tcp/5432]\n"
		     "  egress: []\n");
	assert_string_equal(p->subject.service, "db");
	assert_string_equal(p->subject.namespace_, "shop");
	assert_true(p->applies[VW_INGRESS] && p->applies[VW_EGRESS]);
	assert_int_equal(p->rules[VW_EGRESS].n, 0);
	r = p->rules[VW_INGRESS].v;
	assert_int_equal(r->action, VW_ALLOW);
	assert_string_equal(r->peers.v[0].match.service, "api");
	assert_string_equal(r->peers.v[0].match.namespace_, "shop");
	assert_int_equal(r->peers.v[0].pos.col, 14);
	assert_int_equal(r->peers.v[1].kind, VW_PEER_CIDR);
	assert_int_equal(r->peers.v[1].except.n, 1);
	assert_int_equal(r->ports.v[0].lo, 5432);
	assert_int_equal(r->pos.line, 7);
	vw_policyset_done(&set);
}

static void directions(void **state)
{
	struct vw_policyset set = {0};
	struct vw_policy *p = spec(&set, "{selector: {}, ingress: [{}]}");

	(void)state;
	assert_true(p->applies[VW_INGRESS]);
	assert_false(p->applies[VW_EGRESS]);
	assert_true(p->rules[VW_INGRESS].v[0].any_peer && p->rules[VW_INGRESS].v[0].any_port);
	assert_true(p->subject.has_labels);
	vw_policyset_done(&set);
}

static void peers(void **state)
{
	struct vw_policyset set = {0};
	struct vw_peer *v;

	(void)state;
	v = spec(&set,
		 "{service: a, image: 'registry.local/*', ingress: [{name: web, from: ["
		 "{service: blog/api}, {service: api, namespace: x}, {selector: {matchLabels: "
		 "{a: b}}}, {selector: {}, namespaceSelector: {}}, {namespace: y}, {network: n}, "
		 "{project: q}, {image: 'a/*:1'}, {service: s, project: q}, {entity: host}, "
		 "{entities: [dns, metadata]}, world, any, cluster]}]}")
		    ->rules[VW_INGRESS]
		    .v->peers.v;
	assert_string_equal(set.list.v[0].subject.image, "registry.local/*");
	assert_string_equal(set.list.v[0].rules[VW_INGRESS].v->name, "web");
	assert_int_equal(set.list.v[0].rules[VW_INGRESS].v->peers.n, 15);
	assert_string_equal(v[0].match.namespace_, "blog");
	assert_string_equal(v[0].match.service, "api");
	assert_string_equal(v[1].match.namespace_, "x");
	assert_string_equal(v[2].match.namespace_, "shop");
	assert_true(v[2].match.has_labels);
	assert_null(v[3].match.namespace_);
	assert_true(v[3].match.has_namespace_labels);
	assert_string_equal(v[4].match.namespace_, "y");
	/* A network, project or image is not bound to the policy's namespace. */
	assert_string_equal(v[5].match.network, "n");
	assert_null(v[5].match.namespace_);
	assert_string_equal(v[6].match.project, "q");
	assert_null(v[6].match.namespace_);
	assert_string_equal(v[7].match.image, "a/*:1");
	assert_null(v[7].match.namespace_);
	assert_null(v[8].match.namespace_);
	assert_int_equal(v[9].entity, VW_ENTITY_HOST);
	assert_int_equal(v[10].entity, VW_ENTITY_DNS);
	assert_int_equal(v[11].entity, VW_ENTITY_METADATA);
	assert_int_equal(v[12].entity, VW_ENTITY_WORLD);
	assert_int_equal(v[13].entity, VW_ENTITY_ANY);
	assert_int_equal(v[14].entity, VW_ENTITY_CLUSTER);
	vw_policyset_done(&set);
}

static void options(void **state)
{
	struct vw_policyset set = {0};
	struct vw_policy *p;

	(void)state;
	p = spec(&set,
		 "{service: a, egress: [], mode: audit, log: true, description: why, expect: ["
		 "{from: web, to: 10.0.0.1, port: tcp/80, verdict: deny},"
		 "{from: web, to: a, port: icmp/echo-request, verdict: allow}]}");
	assert_true(p->audit && p->log);
	assert_string_equal(p->description, "why");
	assert_int_equal(p->expects.n, 2);
	assert_int_equal(p->expects.v[0].verdict, VW_DENY);
	assert_int_equal(p->expects.v[0].port, 80);
	assert_int_equal(p->expects.v[1].verdict, VW_ALLOW);
	assert_int_equal(p->expects.v[1].port, 8 << 8);
	p = c_policy(&set,
		     "{apiVersion: vethwall/v1, kind: ServicePolicy, metadata: {name: q, labels: "
		     "{a: b}}, spec: {service: a, egress: [], log: false, mode: enforce}}");
	assert_string_equal(p->namespace_, "default");
	assert_false(p->audit || p->log);
	vw_policyset_done(&set);
}

static void refused(void **state)
{
	(void)state;
	bad("{ingress: []}", 7, "exactly one of service and selector");
	bad("{service: a, selector: {}, ingress: []}", 30, "both service and selector");
	bad("{service: x/a, ingress: []}", 17, "expected a name alone");
	bad("{service: a}", 7, "neither ingress nor egress");
	bad("{service: a, ingress: }", 29, "found nothing, expected a list");
	bad("{service: a, ingress: [{from: }]}", 37, "found nothing, expected a list");
	bad("{service: a, ingress: [{from: []}]}", 37, "leave from out for anyone");
	bad("{service: a, ingress: [{ports: []}]}", 38, "leave ports out");
	bad("{service: a, ingress: [{to: [any]}]}", 31, "unknown field \"to\"");
	bad("{service: a, ingress: [{action: allow}]}", 31, "unknown field \"action\"");
	bad("{service: a, ingress: [{ports: [80]}]}", 39, "tcp/80");
	bad("{service: a, ingress: [{ports: [tcp/90-80]}]}", 39, "turned round");
	bad("{service: a, ingress: [], mode: Audit}", 39, "did you mean audit?");
	bad("{service: a, ingress: [], log: 1}", 38, "expected true or false");
	bad("{service: a, ingress: [], expect: [{from: a, to: b, port: tcp, verdict: deny}]}", 65,
	    "one protocol and port");
	bad("{service: a, ingress: [], expect: [{from: a, to: b, port: tcp/1}]}", 42,
	    "verdict is missing");
	bad("{service: 'a b', ingress: []}", 17, "is no name");
	c_refused_at("{apiVersion: vethwall/v1, kind: ServicePolicy, metadata: {name: p}}", 1, 1,
		     "spec is missing");
	c_refused_at(
		"{apiVersion: vethwall/v1, kind: ServicePolicy, metadata: {}, spec: {service: a, "
		"ingress: []}}",
		1, 58, "name is missing");
	c_refused_at("{apiVersion: vethwall/v1, kind: ServicPolicy}", 1, 33,
		     "did you mean ServicePolicy?");
}

static void refused_peers(void **state)
{
	(void)state;
	bad_peer("{}", 1, "empty peer");
	bad_peer("{service: a, cidr: 10.0.0.0/8}", 1, "cannot stand in one peer");
	bad_peer("{service: }", 11, "found nothing, expected a string");
	bad_peer("{service: , namespace: x}", 11, "found nothing, expected a string");
	bad_peer("{service: x/a, namespace: x}", 11, "names a namespace");
	bad_peer("{service: /a}", 11, "expected 1 to");
	bad_peer("{namespace: x, namespaceSelector: {}}", 35, "one of the two");
	bad_peer("{except: [10.0.0.0/8]}", 10, "without a cidr");
	bad_peer("{cidr: 10.0.0.1}", 8, "10.0.0.1/32");
	bad_peer("{cidr: 10.0.0.1/8}", 8, "expected 10.0.0.0/8");
	bad_peer("{cidr: 10.0.0.0/8, except: [11.0.0.0/9]}", 29, "not a part");
	bad_peer("hosts", 1, "did you mean host?");
	bad_peer("api", 1, "entity");
	bad_peer("{entities: [host, web]}", 19, "expected any, host, world");
	bad_peer("{xservice: a}", 2, "did you mean service?");
	bad_peer("{image: ''}", 9, "expected 1 to 1024");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example_of_the_design),
		cmocka_unit_test(directions),
		cmocka_unit_test(peers),
		cmocka_unit_test(options),
		cmocka_unit_test(refused),
		cmocka_unit_test(refused_peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
