/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers by domain name: the names, what is learnt of them, what that opens, and what becomes of it
 * in the kernel and for live flows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vethwall/change.h"
#include "agent/rejudge.h"
#include "vethwall/cleanup.h"
#include "vethwall/verdict.h"
#include "compiled.h"
#include "model.h"

/* ---- names ---- */

static void normal(const char *s, const char *want)
{
	char got[VW_FQDN_LEN];
	const char *why = "";
	int r = vw_fqdn_normal(s, true, got, &why);

	if (!want) {
		if (!r)
			fail_msg("\"%s\" became \"%s\"", s, got);
		assert_true(*why);
		return;
	}
	if (r)
		fail_msg("\"%s\": %s", s, why);
	assert_string_equal(got, want);
}

static void names(void **state)
{
	char label64[65] = "", long_name[300] = "";
	char got[VW_FQDN_LEN];
	const char *why;

	(void)state;
	normal("API.Example.ORG.", "api.example.org");
	normal("*.Example.org", "*.example.org");
	normal("_dmarc.a-b.example", "_dmarc.a-b.example");
	normal("xn--bcher-kva.example", "xn--bcher-kva.example");
	normal("", NULL);
	normal(".", NULL);
	normal("*.", NULL);
	normal("*", NULL);
	normal("a..b", NULL);
	normal(".a", NULL);
	normal("a.b..", NULL);
	normal("a.*.b", NULL);
	normal("*.*.b", NULL);
	normal("*a.b", NULL);
	normal("a b", NULL);
	normal("b\xc3\xbc"
	       "cher.example",
	       NULL);
	normal("192.0.2.1", NULL);
	memset(label64, 'a', 64);
	normal(label64, NULL);
	normal(label64 + 1, label64 + 1);
	memset(long_name, 'a', 254);
	for (int i = 50; i < 254; i += 50)
		long_name[i] = '.';
	normal(long_name, NULL);
	long_name[253] = '\0';
	normal(long_name, long_name);
	assert_int_equal(vw_fqdn_normal("*.example.org", false, got, &why), -EINVAL);
}

static void patterns(void **state)
{
	(void)state;
	assert_true(vw_fqdn_fits("a.example", "a.example"));
	assert_false(vw_fqdn_fits("a.example", "b.a.example"));
	assert_true(vw_fqdn_fits("*.example", "a.example"));
	assert_true(vw_fqdn_fits("*.example", "b.a.example"));
	assert_false(vw_fqdn_fits("*.example", "example"));
	assert_false(vw_fqdn_fits("*.example", "badexample"));
	assert_false(vw_fqdn_fits("*.example", "a.example.org"));
	assert_true(vw_fqdn_covers("*.example", "*.a.example"));
	assert_true(vw_fqdn_covers("*.example", "a.example"));
	assert_false(vw_fqdn_covers("*.a.example", "*.example"));
	assert_false(vw_fqdn_covers("a.example", "*.a.example"));
}

/* ---- what is learnt ---- */

static bool put(struct vw_world *w, unsigned ifindex, const char *addr, const char *name,
		int64_t until)
{
	struct vw_learnt l = {
		.ifindex = ifindex, .addr = m_addr(addr), .name = (char *)name, .until_ms = until};
	bool news;

	assert_int_equal(vw_learnt_put(w, &l, &news), 0);
	return news;
}

static bool knows(const struct vw_world *w, unsigned ifindex, const char *addr, const char *pattern,
		  bool lapsed_too)
{
	struct vw_addr a = m_addr(addr);

	return vw_learnt_fits(w, ifindex, &a, pattern, lapsed_too);
}

static void learnt_and_lapsed(void **state)
{
	struct vw_world w = {0}, copy = {0};
	int64_t next;

	(void)state;
	assert_true(put(&w, 2, "192.0.2.1", "b.x", 200));
	assert_true(put(&w, 2, "192.0.2.1", "a.x", 100));
	assert_true(put(&w, 1, "192.0.2.1", "a.y", 300));
	assert_true(put(&w, 2, "2001:db8::1", "a.x", 100));
	assert_false(put(&w, 2, "192.0.2.1", "a.x", 150));
	assert_false(put(&w, 2, "192.0.2.1", "a.x", 90)); /* never back */
	assert_true(knows(&w, 2, "192.0.2.1", "*.x", false));
	assert_true(knows(&w, 2, "192.0.2.1", "a.x", false));
	assert_false(knows(&w, 1, "192.0.2.1", "a.x", false));
	assert_false(knows(&w, 2, "192.0.2.2", "a.x", false));
	assert_int_equal(vw_world_copy(&w, &copy), 0);

	assert_true(vw_learnt_expire(&w, 120, 1000, &next));
	assert_int_equal(next, 150);
	assert_true(knows(&w, 2, "192.0.2.1", "a.x", false));
	assert_false(knows(&w, 2, "2001:db8::1", "a.x", false));
	assert_true(knows(&w, 2, "2001:db8::1", "a.x", true));
	assert_false(vw_learnt_expire(&w, 149, 1000, &next));
	assert_true(vw_learnt_expire(&w, 150, 1000, &next));
	assert_false(knows(&w, 2, "192.0.2.1", "a.x", false));
	assert_true(knows(&w, 2, "192.0.2.1", "*.x", false)); /* by b.x */
	assert_true(put(&w, 2, "192.0.2.1", "a.x", 500)); /* asked again */
	assert_true(knows(&w, 2, "192.0.2.1", "a.x", false));
	assert_true(vw_learnt_expire(&w, 1121, 1000, &next));
	assert_false(knows(&w, 2, "2001:db8::1", "a.x", true));
	assert_true(vw_learnt_forget(&w, 2));
	assert_false(vw_learnt_forget(&w, 2));
	assert_true(knows(&w, 1, "192.0.2.1", "a.y", true));

	assert_int_equal(copy.learnt.n, 4);
	assert_true(knows(&copy, 2, "192.0.2.1", "a.x", false));
	vw_world_done(&w);
	vw_world_done(&copy);
}

static void bounds(void **state)
{
	struct vw_learnt l = {.ifindex = 7, .addr = {.family = 4, .b = {192, 0, 2, 1}}};
	struct vw_world w = {0};
	int64_t next;
	bool news;

	(void)state;
	put(&w, 6, "192.0.2.1", "x.test", 1);
	put(&w, 8, "192.0.2.1", "x.test", 1);
	for (unsigned i = 0; i < VW_LEARNT_WALL_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%u.test", i);
		put(&w, 7, "192.0.2.1", name, i < 10 ? 5 : 100);
	}
	l.name = (char *)"late.test";
	l.until_ms = 100;
	assert_int_equal(vw_learnt_put(&w, &l, &news), -ENOSPC);
	assert_false(put(&w, 7, "192.0.2.1", "n3.test", 5)); /* it is there */
	assert_true(vw_learnt_expire(&w, 5, 1000, &next));
	assert_int_equal(vw_learnt_put(&w, &l, &news), 0); /* in the place of one that lapsed */
	assert_int_equal(w.learnt.n, VW_LEARNT_WALL_MAX + 2);
	assert_true(knows(&w, 7, "192.0.2.1", "late.test", false));
	vw_world_done(&w);
}

static void not_everything_opens(void **state)
{
	static const char *const open[] = {"192.0.2.1",	       "9.255.255.255",	   "11.0.0.0",
					   "172.32.0.1",       "100.128.0.1",	   "2001:db8::1",
					   "2002:c000:201::1", "64:ff9b::c000:201"};
	static const char *const shut[] = {
		"10.0.0.1",
		"10.255.255.255",
		"172.16.0.1",
		"172.31.255.255",
		"192.168.0.1",
		"100.64.0.1",
		"127.0.0.1",
		"0.0.0.0",
		"0.1.2.3",
		"169.254.169.254",
		"224.0.0.1",
		"255.255.255.255",
		"240.0.0.1",
		"::",
		"::1",
		"fe80::1",
		"fd00:ec2::254",
		"fc00::1",
		"ff02::1",
		"fec0::1",
		"::ffff:10.0.0.1",
		"64:ff9b::a00:1",
		"2002:a00:1::1",
		"::ffff:198.51.100.7",
		"198.51.100.7",
		"198.51.100.8",
		"2001:db8:7::7",
		"203.0.113.9",
		"64:ff9b:1::1",
		"::10.0.0.1",
	};
	struct vw_published pub = {.host_addr = m_addr("203.0.113.9"), .proto = 6, .host_port = 80};
	struct vw_workload wl =
		m_workload("shop", "w", "w", "net", "198.51.100.7", "2001:db8:7::7");
	struct vw_addr host = m_addr("198.51.100.8");
	struct vw_world w = {0};

	(void)state;
	assert_int_equal(vw_vec_push(&wl.published, pub, VW_PORTS_MAX), 0);
	m_put(&w, wl);
	assert_int_equal(vw_world_add_host(&w, &host), 0);
	for (size_t i = 0; i < VW_ARRAY_SIZE(open); i++) {
		struct vw_addr a = m_addr(open[i]);

		if (!vw_learnt_openable(&w, &a))
			fail_msg("%s is not openable", open[i]);
	}
	for (size_t i = 0; i < VW_ARRAY_SIZE(shut); i++) {
		struct vw_addr a = m_addr(shut[i]);

		if (vw_learnt_openable(&w, &a))
			fail_msg("%s is openable", shut[i]);
	}
	vw_world_done(&w);
}

/* ---- documents ---- */

static void parse(const char *kind, const char *spec, const char *error)
{
	struct vw_policyset set = {0};
	struct vw_diag d = {0};
	char text[1024];
	int n = snprintf(text, sizeof(text),
			 "apiVersion: vethwall/v1\nkind: %s\nmetadata: {name: x}\nspec: %s\n", kind,
			 spec);
	int r = vw_policy_parse(text, (size_t)n, "x.yaml", &set, &d);

	if (error) {
		assert_int_equal(r, -EINVAL);
		assert_int_equal(d.errors, 1);
		assert_int_equal(d.list.v[0].line, 4);
		if (!strstr(d.list.v[0].text, error))
			fail_msg("%s", d.list.v[0].text);
	} else {
		assert_int_equal(r, 0);
		assert_int_equal(d.errors, 0);
	}
	vw_policyset_done(&set);
	vw_diag_done(&d);
}

static void documents(void **state)
{
	(void)state;
	parse("ServicePolicy", "{service: a, egress: [{to: [{fqdn: a.test}, {fqdn: '*.b.test'}]}]}",
	      NULL);
	parse("GuardrailPolicy", "{priority: 1, egress: [{action: allow, to: [{fqdn: a.test}]}]}",
	      NULL);
	parse("ServicePolicy", "{service: a, ingress: [{from: [{fqdn: a.test}]}]}",
	      "ingress rules");
	parse("GuardrailPolicy", "{priority: 1, egress: [{action: deny, to: [{fqdn: a.test}]}]}",
	      "deny or pass");
	parse("GuardrailPolicy", "{priority: 1, egress: [{action: pass, to: [{fqdn: a.test}]}]}",
	      "deny or pass");
	parse("BaselinePolicy", "{egress: [{action: allow, to: [{fqdn: a.test}]}]}",
	      "a BaselinePolicy");
	parse("ServicePolicy", "{service: a, egress: [{to: [{fqdn: 192.0.2.1}]}]}", "cidr");
	parse("ServicePolicy", "{service: a, egress: [{to: [{fqdn: 'a.*.test'}]}]}", "*");
	parse("ServicePolicy", "{service: a, egress: [{to: [{fqdn: a.test, service: b}]}]}",
	      "one peer");
}

/* ---- what it opens ---- */

static const char policies[] =
	"apiVersion: vethwall/v1\nkind: ServicePolicy\nmetadata: {name: p, namespace: shop}\n"
	"spec:\n"
	"  service: s1\n"
	"  egress:\n"
	"  - {to: [{fqdn: a.test}], ports: [tcp/443]}\n"
	"  - {to: [{fqdn: '*.b.test'}], ports: [tcp/80]}\n"
	"  - {to: [{cidr: 198.51.100.0/24}], ports: [tcp/22]}\n"
	"  - {to: [{cidr: 10.9.0.0/16}], ports: [tcp/22]}\n"
	"---\n"
	"apiVersion: vethwall/v1\nkind: GuardrailPolicy\nmetadata: {name: g}\n"
	"spec: {priority: 1, egress: [{action: deny, to: [{cidr: 203.0.113.0/24}]}]}\n";

struct scene {
	struct vw_world world;
	struct vw_policyset set;
	struct vw_compiled c;
};

static int setup(void **ps)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct vw_diag d = {0};

	*ps = s;
	c_replica(&s->world, 1, 1);
	c_replica(&s->world, 2, 1);
	c_put(&s->world, 3);
	assert_int_equal(vw_policy_parse(policies, sizeof(policies) - 1, "p.yaml", &s->set, &d), 0);
	vw_policyset_sort(&s->set);
	vw_diag_done(&d);
	s->c = c_compile(&s->set, &s->world);
	return 0;
}

static int teardown(void **ps)
{
	struct scene *s = *ps;

	vw_compiled_done(&s->c);
	vw_policyset_done(&s->set);
	vw_world_done(&s->world);
	free(s);
	return 0;
}

static void compile(struct scene *s)
{
	vw_compiled_done(&s->c);
	s->c = c_compile(&s->set, &s->world);
}

/* By the tables and by the reference, which must agree. */
static bool passes(const struct scene *s, unsigned n, const char *addr, uint16_t port)
{
	const struct vw_wall *w = vw_compiled_wall(&s->c, n);
	struct vw_addr a = m_addr(addr);
	uint32_t code = vw_compiled_judge(&s->c, w, VW_EGRESS, &a, 6, port);
	char id[32];
	struct vw_decision d;
	struct vw_end self = {0}, peer = {.addr = a};

	snprintf(id, sizeof(id), "shop/w%u", n);
	self.workload = vw_world_find(&s->world, id);
	self.iface = &self.workload->ifaces.v[0];
	vw_decide(&s->set, &s->world, false, VW_EGRESS, &self, &peer, 6, port, &d);
	assert_int_equal(d.allow, !(code & VW_CODE_DENY));
	return d.allow;
}

static bool live_passes(const struct scene *s, unsigned n, const char *addr, uint16_t port)
{
	struct vw_live l = {.own = {.family = 4, .b = {10, 0, 0, (uint8_t)n}},
			    .peer = m_addr(addr),
			    .proto = 6,
			    .own_port = 40000,
			    .peer_port = port,
			    .opened = VW_EGRESS,
			    .flow = true};

	return !(vw_compiled_judge_live(&s->c, vw_compiled_wall(&s->c, n), &l) & VW_CODE_DENY);
}

static void opens_what_it_says(void **ps)
{
	struct scene *s = *ps;

	assert_false(passes(s, 1, "192.0.2.1", 443));
	put(&s->world, 1, "192.0.2.1", "a.test", 100);
	put(&s->world, 1, "192.0.2.2", "x.b.test", 100);
	put(&s->world, 1, "192.0.2.3", "b.test", 100);
	put(&s->world, 1, "192.0.2.4", "a.test", 100);
	put(&s->world, 1, "192.0.2.4", "x.b.test", 100);
	put(&s->world, 1, "198.51.100.1", "a.test", 100);
	put(&s->world, 1, "203.0.113.1", "a.test", 100);
	put(&s->world, 1, "10.0.0.3", "a.test", 100);
	put(&s->world, 1, "10.9.0.1", "a.test", 100);
	put(&s->world, 1, "2001:db8::1", "a.test", 100);
	compile(s);
	assert_true(passes(s, 1, "192.0.2.1", 443));
	assert_false(passes(s, 1, "192.0.2.1", 80));
	assert_false(passes(s, 2, "192.0.2.1", 443)); /* its replica did not resolve it */
	assert_true(passes(s, 1, "192.0.2.2", 80));
	assert_false(passes(s, 1, "192.0.2.3", 80));
	assert_true(passes(s, 1, "192.0.2.4", 443)); /* both names are there */
	assert_true(passes(s, 1, "192.0.2.4", 80));
	assert_true(passes(s, 1, "198.51.100.1", 443));
	assert_true(passes(s, 1, "198.51.100.1", 22)); /* what it had otherwise it keeps */
	assert_false(passes(s, 1, "203.0.113.1", 443)); /* nobody lifts a guardrail */
	assert_false(passes(s, 1, "10.0.0.3", 443));
	assert_false(passes(s, 1, "10.9.0.1", 443));
	assert_true(passes(s, 1, "10.9.0.1", 22));
	assert_true(passes(s, 1, "2001:db8::1", 443));
}

static void what_is_open_goes_on(void **ps)
{
	struct scene *s = *ps;
	int64_t next;

	put(&s->world, 1, "192.0.2.1", "a.test", 100);
	compile(s);
	assert_true(live_passes(s, 1, "192.0.2.1", 443));
	assert_true(vw_learnt_expire(&s->world, 100, 1000, &next));
	compile(s);
	assert_false(passes(s, 1, "192.0.2.1", 443));
	assert_true(live_passes(s, 1, "192.0.2.1", 443));
	assert_false(live_passes(s, 1, "192.0.2.1", 80));
	assert_false(live_passes(s, 2, "192.0.2.1", 443));
	vw_learnt_forget(&s->world, 1);
	compile(s);
	assert_false(live_passes(s, 1, "192.0.2.1", 443));
}

/* ---- in the kernel ---- */

static void one_name_is_one_element(void **ps)
{
	struct scene *s = *ps;
	struct vw_change change = {};
	struct vw_oplist ops = {};
	struct vw_compiled old;
	size_t own = 0;

	put(&s->world, 1, "192.0.2.1", "a.test", 100);
	compile(s);
	old = s->c;
	put(&s->world, 1, "192.0.2.9", "a.test", 100);
	s->c = c_compile(&s->set, &s->world);
	assert_int_equal(vw_compiled_wall(&old, 1)->spec, vw_compiled_wall(&s->c, 1)->spec);
	assert_int_equal(vw_change_between(&old, &s->c, &change), 0);
	assert_int_equal(vw_plan(&change.have, &change.want, &ops), 0);
	vw_vec_foreach (o, &ops.list) {
		assert_int_equal(o->type, VW_OP_ADD_ELEMS);
		assert_string_equal(o->set->name, "q4_1");
		own += o->count;
	}
	assert_int_equal(own, 1);
	vw_vec_done(&ops.list);
	vw_change_done(&change);
	vw_compiled_done(&old);
}

static const struct vw_nftrule *rule_of(const struct vw_ruleset *r, const char *chain,
					const char *what)
{
	const struct vw_chain *c = vw_ruleset_chain(r, chain);

	if (!c)
		return NULL;
	vw_vec_foreach (rule, &c->rules)
		if (!strcmp(rule->what, what))
			return rule;
	return NULL;
}

/* Who has no peers by name does not pay for them. */
static void only_where_it_is_needed(void **ps)
{
	struct scene *s = *ps;

	for (unsigned n = 1; n <= 3; n += 2) {
		struct vw_ruleset r = {0};
		bool wanted = n == 1;
		char ai4[VW_NAME_LEN], ao4[VW_NAME_LEN], jo4[VW_NAME_LEN], ro4[VW_NAME_LEN],
			q6[VW_NAME_LEN];

		snprintf(ai4, sizeof(ai4), "ai4_%u", n);
		snprintf(ao4, sizeof(ao4), "ao4_%u", n);
		snprintf(jo4, sizeof(jo4), "jo4_%u", n);
		snprintf(ro4, sizeof(ro4), "ro4_%u", n);
		snprintf(q6, sizeof(q6), "q6_%u", n);
		assert_int_equal(vw_render_wall(&s->c, vw_compiled_wall(&s->c, n), &r), 0);
		vw_ruleset_sort(&r);
		assert_int_equal(!!rule_of(&r, ai4, "a DNS answer: to the agent as well"), wanted);
		assert_int_equal(!!rule_of(&r, ao4, "a DNS question: an answer may come"), wanted);
		assert_int_equal(!!rule_of(&r, jo4, "an address behind a name that it resolved"),
				 wanted);
		assert_int_equal(!!rule_of(&r, ro4, "a name for it may be on its way"), wanted);
		assert_int_equal(!!vw_ruleset_set(&r, q6), wanted);
		vw_ruleset_done(&r);
	}
}

static bool judged_again(struct scene *s)
{
	vw_ifindexes soon = {}, later = {};
	struct vw_compiled old = s->c;
	bool found = false;

	s->c = c_compile(&s->set, &s->world);
	assert_int_equal(vw_rejudge_walls(&old, &s->c, &soon, &later), 0);
	vw_vec_foreach (i, &soon)
		found |= *i == 1;
	vw_vec_done(&soon);
	vw_vec_done(&later);
	vw_compiled_done(&old);
	return found;
}

static void flows_are_judged_again_when_lost(void **ps)
{
	struct scene *s = *ps;
	int64_t next;

	put(&s->world, 1, "192.0.2.1", "a.test", 100);
	put(&s->world, 1, "192.0.2.2", "a.test", 200);
	compile(s);
	assert_true(vw_learnt_expire(&s->world, 100, 50, &next));
	assert_false(judged_again(s)); /* its time passed: what is open goes on */
	assert_true(vw_learnt_expire(&s->world, 150, 50, &next));
	assert_true(judged_again(s)); /* nothing is known of it any more */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(patterns),
		cmocka_unit_test(learnt_and_lapsed),
		cmocka_unit_test(bounds),
		cmocka_unit_test(not_everything_opens),
		cmocka_unit_test(documents),
		cmocka_unit_test_setup_teardown(opens_what_it_says, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_open_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(one_name_is_one_element, setup, teardown),
		cmocka_unit_test_setup_teardown(only_where_it_is_needed, setup, teardown),
		cmocka_unit_test_setup_teardown(flows_are_judged_again_when_lost, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
