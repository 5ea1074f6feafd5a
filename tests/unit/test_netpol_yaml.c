/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NetworkPolicy documents: what they become, and what the API refuses. What they then decide is
 * shown by tests/conformance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "codec.h"

#define HEAD                                                      \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n" \
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

static void types_default(void **state)
{
	static const struct {
		const char *text;
		bool in, out;
	} cases[] = {
		{"{}", true, false},
		{"{podSelector: {}, egress: []}", true, false},
		{"{podSelector: {}, egress: [{}]}", true, true},
		{"{podSelector: {}, egress: [{}], policyTypes: []}", true, true},
		{"{podSelector: {}, policyTypes: [Egress]}", false, true},
		{"{podSelector: {}, policyTypes: [Ingress, Egress]}", true, true},
		{"{podSelector: {}, ingress: [{}], policyTypes: [Egress]}", false, true},
		{"{podSelector: {}, policyTypes: null, egress: null}", true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vw_policyset set = {0};
		struct vw_policy *p = spec(&set, cases[i].text);

		assert_int_equal(p->applies[VW_INGRESS], cases[i].in);
		assert_int_equal(p->applies[VW_EGRESS], cases[i].out);
		vw_policyset_done(&set);
	}
}

static void subject_and_names(void **state)
{
	struct vw_policyset set = {0};
	struct vw_policy *p;

	(void)state;
	p = spec(&set,
		 "{podSelector: {matchLabels: {app: api, empty: }, matchExpressions: "
		 "[{key: a/b, operator: NotIn, values: [x, '']}, {key: c, operator: Exists}]}}");
	assert_string_equal(p->kind, "NetworkPolicy");
	assert_int_equal(p->tier, VW_TIER_SERVICE);
	assert_string_equal(p->namespace_, "shop");
	assert_string_equal(p->subject.namespace_, "shop");
	assert_true(p->subject.has_labels);
	assert_int_equal(p->subject.labels.reqs.n, 4);
	assert_string_equal(p->subject.labels.reqs.v[1].values.v[0], "");
	assert_int_equal(p->subject.labels.reqs.v[2].op, VW_OP_NOT_IN);
	assert_int_equal(p->subject.labels.reqs.v[2].values.n, 2);
	assert_int_equal(p->pos.line, 1);
	p = c_policy(
		&set,
		"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: q}}");
	assert_string_equal(p->namespace_, "default");
	vw_policyset_done(&set);
}

static void rules(void **state)
{
	struct vw_policyset set = {0};
	struct vw_policy *p;
	struct vw_rule *r;

	(void)state;
	p = spec(&set,
		 "{ingress: [{}, {from: [], ports: []}, {from: [{podSelector: {}}, "
		 "{namespaceSelector: {}}, {podSelector: {matchLabels: {a: b}}, namespaceSelector: "
		 "{matchLabels: {c: d}}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], "
		 "ports: [{port: 80}, {protocol: UDP, port: dns}, {protocol: SCTP}, "
		 "{port: 8000, endPort: 8010}, ]}]}");
	r = p->rules[VW_INGRESS].v;
	assert_int_equal(p->rules[VW_INGRESS].n, 4);
	/* the API allows the pod's local node what no rule says */
	assert_true(r[3].implied && r[3].any_port && !r[3].any_peer && r[3].peers.n == 1);
	assert_int_equal(r[3].peers.v[0].entity, VW_ENTITY_HOST);
	assert_true(r[0].any_peer && r[0].any_port && r[1].any_peer && r[1].any_port);
	assert_false(r[2].any_peer || r[2].any_port);
	assert_int_equal(r[2].index, 2);
	/* Without a namespaceSelector: the policy's own namespace. */
	assert_string_equal(r[2].peers.v[0].match.namespace_, "shop");
	assert_true(r[2].peers.v[0].match.has_labels);
	assert_null(r[2].peers.v[1].match.namespace_);
	assert_true(r[2].peers.v[1].match.has_namespace_labels &&
		    !r[2].peers.v[1].match.has_labels);
	assert_true(r[2].peers.v[2].match.has_namespace_labels && r[2].peers.v[2].match.has_labels);
	assert_int_equal(r[2].peers.v[3].kind, VW_PEER_CIDR);
	assert_int_equal(r[2].peers.v[3].except.n, 1);
	assert_int_equal(r[2].ports.v[0].proto, IPPROTO_TCP);
	assert_int_equal(r[2].ports.v[0].lo, 80);
	assert_string_equal(r[2].ports.v[1].name, "dns");
	assert_int_equal(r[2].ports.v[2].proto, IPPROTO_SCTP);
	assert_int_equal(r[2].ports.v[2].hi, 65535);
	assert_int_equal(r[2].ports.v[3].hi, 8010);
	vw_policyset_done(&set);
}

static void host_bits_are_masked(void **state)
{
	const char *text = HEAD "spec: {ingress: [{from: [{ipBlock: {cidr: 10.1.2.3/8}}]}]}\n";
	struct vw_policyset set = {0};
	struct vw_diag d = {0};

	(void)state;
	assert_int_equal(vw_policy_parse(text, strlen(text), "t.yaml", &set, &d), 0);
	assert_int_equal(set.list.v[0].rules[VW_INGRESS].v[0].peers.v[0].cidr.addr.b[1], 0);
	assert_int_equal(d.warnings, 1);
	assert_string_equal(d.list.v[0].rule, "cidr-host-bits");
	vw_diag_done(&d);
	vw_policyset_done(&set);
}

static void refused(void **state)
{
	(void)state;
	bad("{ingres: []}", 8, "did you mean ingress?");
	bad("[]", 7, "spec: found a list, expected a mapping");
	bad("{ingress: [{to: []}]}", 19, "unknown field \"to\" in ingress rule");
	bad("{ingress: [{ports: [{port: '80'}]}]}", 34, "no port name");
	bad("{ingress: [{ports: [{port: 0}]}]}", 34, "from 1 to 65535");
	bad("{ingress: [{ports: [{port: 80.5}]}]}", 34, "found the number 80.5");
	bad("{ingress: [{ports: [{protocol: ICMP}]}]}", 38, "TCP, UDP or SCTP");
	bad("{ingress: [{ports: [{endPort: 80}]}]}", 37, "expected a port that is a number");
	bad("{ingress: [{ports: [{port: x, endPort: 80}]}]}", 46,
	    "expected a port that is a number");
	bad("{ingress: [{ports: [{port: 90, endPort: 80}]}]}", 47, "turned round");
	bad("{ingress: [{from: [{}]}]}", 26, "empty peer");
	bad("{ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]}", 53,
	    "one peer");
	bad("{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}]}]}", 43, "no CIDR");
	bad("{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]}", 64,
	    "not a part of its cidr");
	bad("{podSelector: {matchLabels: {app: 1}}}", 41, "put it in quotes");
	bad("{podSelector: {matchLabels: {app: yes}}}", 41, "found the boolean yes");
	bad("{podSelector: {matchLabels: {-a: b}}}", 36, "label key");
	bad("{podSelector: {matchExpressions: [{key: a, operator: In}]}}", 41, "at least one");
	bad("{podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}", 76,
	    "takes none");
	bad("{podSelector: {matchExpressions: [{key: a, operator: in, values: [b]}]}}", 60,
	    "did you mean In?");
	bad("{policyTypes: [Ingress, Egress, Ingress]}", 21, "at most 2");
}

static void refused_metadata(void **state)
{
	(void)state;
	c_refused_at("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: A}}",
		     1, 74, "lower case");
	c_refused_at("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, "
		     "namespace: a_b}}",
		     1, 88, "metadata.namespace");
	c_refused_at("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, "
		     "status: {}}",
		     1, 78, "unknown field \"status\"");
	c_refused_at("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy}", 1, 1,
		     "metadata is missing");
	c_refused_at("{apiVersion: v1, kind: NetworkPolicy}", 1, 14,
		     "expected networking.k8s.io/v1");
	c_refused_at("{apiVersion: apps/v1, kind: Deployment}", 1, 29, "expected ServicePolicy");
	c_refused_at("{kind: NetworkPolicy}", 1, 1, "no apiVersion");
	c_refused_at("- a\n", 1, 1, "expected a mapping");
}

static void all_errors_at_once(void **state)
{
	struct vw_diag d = {0};

	(void)state;
	c_refused(HEAD "spec:\n"
		       "  podSelector: {matchLabels: {a: 1}}\n"
		       "  ingress:\n"
		       "  - ports: [{port: 0}, {port: 80, protocol: tcp}]\n"
		       "  - form: []\n"
		       "---\n"
		       "kind: Thing\n",
		  5, &d);
	c_has(&d, 5, 34, "put it in quotes");
	c_has(&d, 7, 20, "1 to 65535");
	c_has(&d, 7, 45, "did you mean TCP?");
	c_has(&d, 8, 5, "did you mean from?");
	c_has(&d, 10, 1, "no apiVersion");
	vw_diag_done(&d);
}

static void lists(void **state)
{
	struct vw_policyset set = {0};

	(void)state;
	c_policy(&set,
		 "apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\nitems:\n"
		 "- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}}\n"
		 "- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: b}}\n"
		 "---\n"
		 "{\"apiVersion\": \"networking.k8s.io/v1\", \"kind\": \"NetworkPolicyList\","
		 " \"items\": [{\"metadata\": {\"name\": \"c\"}}]}\n");
	assert_int_equal(set.list.n, 3);
	vw_policyset_done(&set);
	c_refused_at("{apiVersion: v1, kind: List, items: [{metadata: {name: a}}]}", 1, 38,
		     "no apiVersion");
	c_refused_at("{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List}]}", 1, 38,
		     "in another");
}

static void same_name_twice(void **state)
{
	struct vw_policyset set = {0};
	struct vw_diag d = {0};
	const char *two =
		"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: n}}\n"
		"---\n" HEAD;

	(void)state;
	c_policy(&set, HEAD);
	assert_int_equal(vw_policy_parse(two, strlen(two), "u.yaml", &set, &d), -EINVAL);
	c_has(&d, 3, 1, "NetworkPolicy shop/p is there already, at t.yaml:1:1");
	/* Of the refused text not even the good document stays, and the set still works. */
	assert_int_equal(set.list.n, 1);
	assert_string_equal(set.list.v[0].name, "p");
	c_policy(&set,
		 "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: n}}");
	assert_int_equal(set.list.n, 2);
	vw_diag_done(&d);
	vw_policyset_done(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_default),
		cmocka_unit_test(subject_and_names),
		cmocka_unit_test(rules),
		cmocka_unit_test(host_bits_are_masked),
		cmocka_unit_test(refused),
		cmocka_unit_test(refused_metadata),
		cmocka_unit_test(all_errors_at_once),
		cmocka_unit_test(lists),
		cmocka_unit_test(same_name_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
