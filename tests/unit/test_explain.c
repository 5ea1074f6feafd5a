/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions by name, service, address and published port; the interfaces that are chosen; the same
 * verdict as the plain one; lint and expect lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "codec.h"
#include "vethwall/explain.h"
#include "vethwall/lint.h"

static const char world_text[] =
	"workloads:\n"
	"- {name: web-1, namespace: shop, service: web, interfaces: [\n"
	"    {network: front, ips: [10.1.0.2]}, {network: back, ips: [10.2.0.2, 'fd02::2']}],\n"
	"   published: [{host_port: 8080, port: 80}]}\n"
	"- {name: db-1, namespace: shop, service: db, interfaces: [\n"
	"    {network: back, ips: [10.2.0.3, 'fd02::3']}]}\n"
	"- {name: db-2, namespace: shop, service: db, interfaces: [\n"
	"    {network: back, ips: [10.2.0.4, 'fd02::4']}]}\n"
	"- {name: web, namespace: blog, interfaces: [{network: blog, ips: [10.3.0.2]}]}\n"
	"- {name: fresh, namespace: blog}\n"
	"host: [192.0.2.1]\n"
	"dns: [192.0.2.53]\n";

static const char policy_text[] = "apiVersion: vethwall/v1\n"
				  "kind: ServicePolicy\n"
				  "metadata: {name: db, namespace: shop}\n"
				  "spec:\n"
				  "  service: db\n"
				  "  ingress:\n"
				  "  - from: [{service: web}]\n"
				  "    ports: [tcp/5432]\n"
				  "  - name: look\n"
				  "    from: [world]\n"
				  "    ports: [icmp/echo-request]\n";

struct fixture {
	struct vw_world world;
	struct vw_policyset set;
	struct vw_explainer *e;
};

static void init(struct fixture *f, const char *policies)
{
	struct vw_diag d = {0};

	*f = (struct fixture){0};
	assert_int_equal(vw_world_parse(world_text, strlen(world_text), "w", &f->world, &d), 0);
	c_policy(&f->set, policies);
	vw_policyset_sort(&f->set);
	assert_int_equal(vw_explainer_new(&f->set, &f->world, false, &f->e), 0);
}

static void done(struct fixture *f)
{
	vw_explainer_free(&f->e);
	assert_null(f->e);
	vw_policyset_done(&f->set);
	vw_world_done(&f->world);
}

static struct vw_answer ask(struct fixture *f, const char *from, const char *to, const char *port,
			    uint8_t family)
{
	struct vw_question q = {.from = from, .to = to, .family = family};
	struct vw_answer a;
	char why[VW_WHY_MAX];
	const char *port_why;

	assert_int_equal(vw_probe_port_parse(port, &q.proto, &q.port, &port_why), 0);
	if (vw_explainer_ask(f->e, &q, &a, why))
		fail_msg("%s to %s: %s", from, to, why);
	return a;
}

static void refused(struct fixture *f, const char *from, const char *to, uint8_t family,
		    const char *words)
{
	struct vw_question q = {
		.from = from, .to = to, .family = family, .proto = IPPROTO_TCP, .port = 80};
	struct vw_answer a;
	char why[VW_WHY_MAX] = "";

	assert_int_equal(vw_explainer_ask(f->e, &q, &a, why), -EINVAL);
	if (!strstr(why, words))
		fail_msg("%s", why);
}

static void verdicts(void **state)
{
	struct fixture f;
	struct vw_answer a;

	(void)state;
	init(&f, policy_text);
	a = ask(&f, "shop/web-1", "shop/db-1", "tcp/5432", 0);
	assert_true(a.verdict.allow);
	assert_string_equal(a.verdict.ingress.policy->name, "db");
	assert_int_equal(a.verdict.ingress.rule->index, 0);
	assert_int_equal(a.verdict.ingress.peer->pos.col, 12);
	assert_int_equal(a.verdict.egress.tier, VW_TIER_DEFAULT);
	a = ask(&f, "shop/web-1", "shop/db-1", "tcp/80", 0);
	assert_false(a.verdict.allow);
	assert_int_equal(a.verdict.ingress.near_rule->index, 0);
	a = ask(&f, "198.51.100.1", "db", "icmp/echo-request", 0);
	assert_true(a.verdict.allow);
	assert_string_equal(a.verdict.ingress.rule->name, "look");
	a = ask(&f, "198.51.100.1", "db", "tcp/5432", 0);
	assert_false(a.verdict.allow);
	a = ask(&f, "db", "198.51.100.1", "tcp/443", 0);
	assert_true(a.verdict.allow);
	done(&f);
}

/* Of a set that only watches nothing is refused, by the node's default neither. */
static void watched(void **state)
{
	struct fixture f;
	struct vw_answer a;

	(void)state;
	init(&f, policy_text);
	vw_explainer_free(&f.e);
	vw_policyset_audit(&f.set);
	assert_int_equal(vw_explainer_new(&f.set, &f.world, true, &f.e), 0);
	a = ask(&f, "shop/web", "shop/db-1", "tcp/80", 0);
	assert_true(a.verdict.allow && a.verdict.ingress.audited && a.verdict.egress.audited);
	a = ask(&f, "shop/web", "blog/web", "tcp/80", 0);
	assert_true(a.verdict.allow && a.verdict.ingress.audited);
	done(&f);
}

static void interfaces(void **state)
{
	struct fixture f;
	struct vw_answer a;
	char buf[VW_ADDR_STRLEN];

	(void)state;
	init(&f, policy_text);
	/* The network that both are on, IPv4 first. */
	a = ask(&f, "shop/web-1", "shop/db-2", "tcp/5432", 0);
	assert_string_equal(vw_addr_str(&a.probe.from.addr, buf), "10.2.0.2");
	assert_string_equal(vw_addr_str(&a.probe.to.addr, buf), "10.2.0.4");
	a = ask(&f, "shop/web-1", "shop/db-2", "tcp/5432", 6);
	assert_string_equal(vw_addr_str(&a.probe.from.addr, buf), "fd02::2");
	a = ask(&f, "shop/web-1", "shop/db-2", "icmpv6/echo-request", 0);
	assert_int_equal(a.probe.to.addr.family, 6);
	/* None in common: the first ones. */
	a = ask(&f, "shop/web-1", "blog/web", "tcp/80", 0);
	assert_string_equal(vw_addr_str(&a.probe.from.addr, buf), "10.1.0.2");
	/* An address fixes the interface. */
	a = ask(&f, "10.1.0.2", "shop/db-1", "tcp/5432", 0);
	assert_string_equal(a.probe.from.workload->name, "web-1");
	assert_string_equal(a.probe.from.iface->network, "front");
	assert_true(a.verdict.allow);
	/* Not started yet: judged by what is known of it. */
	a = ask(&f, "blog/fresh", "shop/db-1", "tcp/5432", 0);
	assert_false(a.verdict.allow);
	done(&f);
}

static void names(void **state)
{
	struct fixture f;
	struct vw_answer a;

	(void)state;
	init(&f, policy_text);
	a = ask(&f, "fresh", "shop/db", "tcp/1", 0);
	assert_string_equal(a.probe.from.workload->name, "fresh");
	assert_string_equal(a.probe.to.workload->service, "db");
	refused(&f, "web", "db", 0, "\"web\" is in several namespaces, write");
	refused(&f, "shop/nobody", "db", 0, "neither a workload nor a service");
	refused(&f, "10.9.9.9", "198.51.100.1", 0, "is a workload of this world");
	refused(&f, "blog/web", "db", 6, "do not both have an IPv6 address");
	refused(&f, "fd99::1", "blog/web", 0, "no address family in common");
	done(&f);
}

static void published(void **state)
{
	struct fixture f;
	struct vw_answer a;

	(void)state;
	init(&f, policy_text);
	a = ask(&f, "blog/web", "192.0.2.1", "tcp/8080", 0);
	assert_string_equal(a.probe.to.workload->name, "web-1");
	assert_int_equal(a.probe.port, 80);
	a = ask(&f, "blog/web", "192.0.2.1", "tcp/8081", 0);
	assert_null(a.probe.to.workload);
	a = ask(&f, "blog/web", "192.0.2.1", "udp/8080", 0);
	assert_null(a.probe.to.workload);
	done(&f);
}

/* Leaving out policies that do not select changes no answer. */
static void as_the_plain_verdict(void **state)
{
	static const char *const ends[] = {"shop/web-1", "shop/db-1",	 "shop/db-2",
					   "blog/web",	 "198.51.100.1", "192.0.2.1"};
	struct fixture f;

	(void)state;
	init(&f, policy_text);
	for (size_t i = 0; i < 36; i++) {
		struct vw_answer a;
		struct vw_verdict v;

		if (i / 6 >= 4 && i % 6 >= 4)
			continue;
		a = ask(&f, ends[i / 6], ends[i % 6], "tcp/5432", 4);
		vw_verdict(&f.set, &f.world, false, &a.probe, &v);
		assert_int_equal(a.verdict.allow, v.allow);
		assert_int_equal(a.verdict.ingress.tier, v.ingress.tier);
		assert_ptr_equal(a.verdict.ingress.rule, v.ingress.rule);
	}
	done(&f);
}

static void peer_texts(void **state)
{
	static const char *const want[] = {
		"service api, namespace shop",
		"labels a=b, c in d|e, no f, namespace labels any",
		"10.0.0.0/8 except 10.1.0.0/16",
		"metadata",
		"image x/*",
	};
	struct vw_policyset set = {0};
	struct vw_policy *p;

	(void)state;
	p = c_policy(
		&set,
		"apiVersion: vethwall/v1\nkind: ServicePolicy\nmetadata: {name: a, namespace: "
		"shop}\n"
		"spec: {service: a, ingress: [{from: [{service: api}, {selector: {matchLabels: {a: "
		"b}, matchExpressions: [{key: c, operator: In, values: [d, e]}, {key: f, operator: "
		"DoesNotExist}]}, namespaceSelector: {}}, {cidr: 10.0.0.0/8, except: "
		"[10.1.0.0/16]}, metadata, {image: x/*}]}]}\n");
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		char buf[128], small[8];

		vw_peer_str(&p->rules[VW_INGRESS].v->peers.v[i], buf, sizeof(buf));
		assert_string_equal(buf, want[i]);
		vw_peer_str(&p->rules[VW_INGRESS].v->peers.v[i], small, sizeof(small));
		assert_int_equal(strlen(small), 7);
		assert_memory_equal(small, want[i], 7);
	}
	vw_policyset_done(&set);
}

/* ---- lint ---- */

/* The findings as "rule line" words. */
static void lint(const char *policies, bool with_world, const char *want)
{
	struct vw_policyset set = {0};
	struct vw_world world = {0};
	struct vw_diag d = {0};
	char got[512] = "";

	assert_int_equal(vw_world_parse(world_text, strlen(world_text), "w", &world, &d), 0);
	c_policy(&set, policies);
	vw_policyset_sort(&set);
	vw_lint(&set, with_world ? &world : NULL, NULL, 0, &d);
	vw_vec_foreach (e, &d.list) {
		assert_int_equal(e->severity, VW_WARNING);
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s %u ", e->rule, e->line);
	}
	assert_string_equal(got, want);
	vw_diag_done(&d);
	vw_world_done(&world);
	vw_policyset_done(&set);
}

#define SERVICE(spec)                                                                          \
	"apiVersion: vethwall/v1\nkind: ServicePolicy\nmetadata: {name: x, namespace: shop}\n" \
	"spec:\n" spec

static void lint_matches(void **state)
{
	const char *text = SERVICE("  service: dbx\n  ingress:\n  - from:\n    - {service: web}\n"
				   "    - {service: wob}\n    - {cidr: 10.99.0.0/16}\n");

	(void)state;
	lint(text, true, "unmatched-subject 1 unmatched-peer 9 ");
	lint(text, false, "");
	lint(policy_text, true, "");
}

static void lint_covered(void **state)
{
	(void)state;
	lint(SERVICE("  service: db\n  ingress:\n"
		     "  - {from: [{service: web}], ports: [tcp/80]}\n"
		     "  - {from: [{namespace: shop}], ports: [tcp/1-100, udp/53]}\n"
		     "  - {from: [{service: web}], ports: [tcp/1000]}\n"),
	     true, "covered-rule 7 ");
	lint(SERVICE("  service: db\n  ingress:\n"
		     "  - {from: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]}\n"
		     "  - {from: [{cidr: 10.1.2.0/24}]}\n"
		     "  - {from: [{cidr: 10.2.0.0/16}]}\n"
		     "  - {from: [{cidr: 10.2.0.0/16}]}\n"),
	     true, "covered-rule 9 covered-rule 10 ");
	/* Ordered rules: only an earlier one covers. */
	lint("apiVersion: vethwall/v1\nkind: BaselinePolicy\nmetadata: {name: x}\n"
	     "spec:\n  ingress:\n"
	     "  - {action: allow, from: [{service: web}]}\n"
	     "  - {action: deny}\n"
	     "  - {action: allow, from: [host]}\n",
	     true, "covered-rule 8 ");
}

static void lint_guardrail(void **state)
{
	const char *rail = "apiVersion: vethwall/v1\nkind: GuardrailPolicy\nmetadata: {name: g}\n"
			   "spec: {priority: 1, subjects: {namespace: shop}, ingress: [%s]}\n---\n"
			   "apiVersion: vethwall/v1\nkind: ServicePolicy\n"
			   "metadata: {name: x, namespace: shop}\n"
			   "spec: {service: db, ingress: [\n"
			   "  {from: [{service: web}], ports: [tcp/22]},\n"
			   "  {from: [{service: web}], ports: [tcp/80]}]}\n";
	char text[2048];

	(void)state;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* rail is the literal above */
	snprintf(text, sizeof(text), rail, "{action: deny, ports: [tcp/22]}");
	lint(text, true, "denied-by-guardrail 10 ");
	snprintf(text, sizeof(text), rail, "{action: deny, from: [world], ports: [tcp/22]}");
	lint(text, true, "");
	snprintf(text, sizeof(text), rail,
		 "{action: pass, from: [{service: web}]}, {action: deny, ports: [tcp/22]}");
	lint(text, true, "");
#pragma GCC diagnostic pop
}

static void lint_dns(void **state)
{
	(void)state;
	lint(SERVICE("  service: web\n  egress:\n  - to: [{service: db}]\n"), true,
	     "isolated-from-dns 7 ");
	lint(SERVICE("  service: web\n  egress:\n  - to: [{service: db}]\n  - to: [dns]\n"), true,
	     "");
	lint(SERVICE("  service: web\n  egress:\n  - ports: [udp/53, tcp/80]\n"), true, "");
	lint(SERVICE("  service: web\n  egress:\n  - to: [{cidr: 192.0.2.0/24}]\n"), true, "");
	lint(SERVICE("  service: web\n  egress:\n  - to: [{cidr: 198.51.100.0/24}]\n"), true,
	     "isolated-from-dns 7 ");
	/* Nothing at all is to leave: that is meant. */
	lint(SERVICE("  service: web\n  egress: []\n"), true, "");
	lint(SERVICE("  service: web\n  imageNotIn: none\n  egress: []\n"), true,
	     "unknown-image-list 1 ");
}

static void expectations(void **state)
{
	const char *text = SERVICE("  service: db\n  ingress:\n  - {from: [{service: web}]}\n"
				   "  expect:\n"
				   "  - {from: web, to: db, port: tcp/80, verdict: allow}\n"
				   "  - {from: blog/web, to: db, port: tcp/80, verdict: deny}\n"
				   "  - {from: blog/web, to: db, port: tcp/80, verdict: allow}\n"
				   "  - {from: nobody, to: db, port: tcp/80, verdict: deny}\n");
	struct vw_policyset set = {0};
	struct vw_world world = {0};
	struct vw_diag d = {0};
	size_t checked, failed;

	(void)state;
	assert_int_equal(vw_world_parse(world_text, strlen(world_text), "w", &world, &d), 0);
	c_policy(&set, text);
	assert_int_equal(vw_expect_run(&set, &world, false, &d, &checked, &failed), 0);
	assert_int_equal(checked, 4);
	assert_int_equal(failed, 2);
	c_has(&d, 11, 5, "expected allow, found deny (ingress");
	c_has(&d, 12, 5, "neither a workload nor a service");
	assert_int_equal(d.errors, 2);
	vw_diag_done(&d);
	vw_world_done(&world);
	vw_policyset_done(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),	cmocka_unit_test(watched),
		cmocka_unit_test(interfaces),	cmocka_unit_test(names),
		cmocka_unit_test(published),	cmocka_unit_test(as_the_plain_verdict),
		cmocka_unit_test(peer_texts),	cmocka_unit_test(lint_matches),
		cmocka_unit_test(lint_covered), cmocka_unit_test(lint_guardrail),
		cmocka_unit_test(lint_dns),	cmocka_unit_test(expectations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
