/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GuardrailPolicy and BaselinePolicy documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "codec.h"

#define HEAD(kind) "apiVersion: vethwall/v1\nkind: " kind "\nmetadata: {name: g}\n"

static struct vw_policy *spec(struct vw_policyset *set, const char *head, const char *text)
{
	char doc[4096];

	snprintf(doc, sizeof(doc), "%sspec: %s\n", head, text);
	return c_policy(set, doc);
}

/* The flow-style spec is refused for one reason; it starts at 4:7. */
static void bad(const char *head, const char *text, unsigned col, const char *words)
{
	char doc[4096];

	snprintf(doc, sizeof(doc), "%sspec: %s\n", head, text);
	c_refused_at(doc, 4, col, words);
}

static void guardrail(void **state)
{
	struct vw_policyset set = {0};
	struct vw_policy *p;

	(void)state;
	p = spec(&set, HEAD("GuardrailPolicy"),
		 "{priority: 10, subjects: {namespaceSelector: {matchLabels: {a: b}}, service: "
		 "api}, "
		 "ingress: [{name: no-host, action: deny, from: [host]}, {action: pass, from: "
		 "[{service: api}, {service: x/api}]}], egress: [{action: allow, to: [dns]}]}");
	assert_int_equal(p->tier, VW_TIER_GUARDRAIL);
	assert_null(p->namespace_);
	assert_int_equal(p->priority, 10);
	assert_true(p->subject.has_namespace_labels);
	assert_null(p->subject.namespace_);
	assert_string_equal(p->subject.service, "api");
	assert_int_equal(p->rules[VW_INGRESS].v[0].action, VW_DENY);
	assert_string_equal(p->rules[VW_INGRESS].v[0].name, "no-host");
	assert_int_equal(p->rules[VW_INGRESS].v[1].action, VW_PASS);
	/* Without a namespace: of any. */
	assert_null(p->rules[VW_INGRESS].v[1].peers.v[0].match.namespace_);
	assert_string_equal(p->rules[VW_INGRESS].v[1].peers.v[1].match.namespace_, "x");
	assert_int_equal(p->rules[VW_EGRESS].v[0].action, VW_ALLOW);
	assert_true(p->applies[VW_INGRESS] && p->applies[VW_EGRESS]);
	vw_policyset_done(&set);
}

static void baseline(void **state)
{
	struct vw_policyset set = {0};
	struct vw_policy *p;

	(void)state;
	p = spec(&set, HEAD("BaselinePolicy"), "{ingress: [{action: deny}], mode: audit}");
	assert_int_equal(p->tier, VW_TIER_BASELINE);
	assert_true(p->rules[VW_INGRESS].v[0].any_peer);
	assert_true(p->applies[VW_INGRESS] && !p->applies[VW_EGRESS] && p->audit);
	assert_null(p->subject.service);
	assert_false(p->subject.has_labels);
	vw_policyset_done(&set);
}

static void refused(void **state)
{
	const char *g = HEAD("GuardrailPolicy"), *b = HEAD("BaselinePolicy");

	(void)state;
	bad(g, "{ingress: [{action: deny}]}", 7, "priority is missing");
	bad(g, "{priority: 1001, ingress: [{action: deny}]}", 18, "from 0 to 1000");
	bad(g, "{priority: '1', ingress: [{action: deny}]}", 18, "found the string \"1\"");
	bad(g, "{priority: 1}", 7, "neither ingress nor egress");
	bad(g, "{priority: 1, ingress: [{from: [any]}]}", 31, "action is missing");
	bad(g, "{priority: 1, ingress: [{action: Deny}]}", 40, "did you mean deny?");
	bad(b, "{ingress: [{action: pass}]}", 27, "expected allow or deny");
	bad(g, "{priority: 1, subjects: , ingress: [{action: deny}]}", 31, "found nothing");
	bad(g, "{priority: 1, subjects: {cidr: 10.0.0.0/8}, ingress: [{action: deny}]}", 32,
	    "unknown field \"cidr\"");
	bad(g, "{priority: 1, service: a, ingress: [{action: deny}]}", 21,
	    "unknown field \"service\"");
	c_refused_at("apiVersion: vethwall/v1\nkind: GuardrailPolicy\n"
		     "metadata: {name: g, namespace: x}\n"
		     "spec: {priority: 1, ingress: [{action: deny}]}\n",
		     3, 21, "unknown field \"namespace\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guardrail),
		cmocka_unit_test(baseline),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
