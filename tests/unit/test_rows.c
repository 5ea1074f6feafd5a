/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows: painted rules against asking each rule in turn, and what a row looks like: disjoint,
 * sorted, no longer than it must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/rows.h"
#include "vethwall/cleanup.h"
#include "model.h"
#include "gen.h"

#define RULES 12

struct scene {
	struct vw_policy policies[RULES];
	struct vw_rule rules[RULES];
	struct row_rule flat[RULES];
	const struct row_rule *list[RULES];
	size_t n;
	struct row_ctx ctx;
	struct row row;
};

/* Rules of one peer, tier after tier as a policy set is sorted. */
static void scene_make(struct scene *s, uint64_t seed)
{
	static const enum vw_action actions[] = {VW_ALLOW, VW_DENY, VW_PASS};
	struct gen g = {.s = seed};

	*s = (struct scene){.n = g_below(&g, RULES + 1)};
	s->ctx = (struct row_ctx){.dir = g_chance(&g, 50) ? VW_EGRESS : VW_INGRESS,
				  .default_deny = g_chance(&g, 50)};
	s->ctx.isolated[1] = g_chance(&g, 50);
	s->ctx.isolated[0] = s->ctx.isolated[1] && g_chance(&g, 80);
	for (size_t i = 0; i < s->n; i++) {
		struct vw_policy *p = &s->policies[i];
		struct vw_rule *r = &s->rules[i];

		p->tier = (enum vw_tier)(i * 3 / s->n);
		p->audit = g_chance(&g, 20);
		p->log = g_chance(&g, 20);
		r->action = p->tier == VW_TIER_SERVICE ? VW_ALLOW : G_PICK(&g, actions);
		r->any_port = g_chance(&g, 15);
		for (unsigned k = g_below(&g, 3); k > 0 && !r->any_port; k--)
			g_port(&g, r);
		s->flat[i] = (struct row_rule){.policy = p,
					       .rule = r,
					       .dns_only = r->any_port && g_chance(&g, 20),
					       .number = VW_REASON_FIRST_RULE + (uint32_t)i};
		s->list[i] = &s->flat[i];
		s->ctx.audit |= p->audit;
	}
	/* isolated by audit policies alone: there is one */
	s->ctx.audit |= s->ctx.isolated[0] != s->ctx.isolated[1];
	assert_int_equal(row_build(&s->ctx, s->list, s->n, &s->row), 0);
}

static void scene_done(struct scene *s)
{
	row_done(&s->row);
	for (size_t i = 0; i < s->n; i++)
		vw_rule_done(&s->rules[i]);
}

static bool fits(const struct row_rule *r, uint8_t proto, uint16_t port)
{
	if (r->dns_only)
		return (proto == 6 || proto == 17) && port == 53;
	if (r->rule->any_port)
		return true;
	vw_vec_foreach (p, &r->rule->ports) {
		bool numbers = vw_proto_has_ports(proto) || proto == 1 || proto == 58;

		if (p->any_proto)
			return true;
		if (p->proto != proto || p->name)
			continue;
		if (numbers ? p->lo <= port && port <= p->hi : !p->lo && p->hi == UINT16_MAX)
			return true;
	}
	return false;
}

static const struct row_rule *first(const struct scene *s, enum vw_tier tier, bool audit,
				    uint8_t proto, uint16_t port)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->policies[i].tier == tier && (audit || !s->policies[i].audit) &&
		    fits(&s->flat[i], proto, port))
			return &s->flat[i];
	return NULL;
}

static uint32_t code_of(const struct scene *s, const struct row_rule *r)
{
	uint32_t dir = s->ctx.dir == VW_EGRESS ? VW_CODE_EGRESS : 0;

	if (r->rule->action == VW_DENY)
		return VW_CODE_DENY | dir | r->number;
	return r->policy->log ? VW_CODE_LOG | dir | r->number : 0;
}

/* One packet, tier by tier. */
static uint32_t ask(const struct scene *s, bool audit, uint8_t proto, uint16_t port)
{
	uint32_t dir = s->ctx.dir == VW_EGRESS ? VW_CODE_EGRESS : 0;
	const struct row_rule *r = first(s, VW_TIER_GUARDRAIL, audit, proto, port);

	if (r && r->rule->action != VW_PASS)
		return code_of(s, r);
	if (s->ctx.isolated[audit]) {
		r = first(s, VW_TIER_SERVICE, audit, proto, port);
		return r ? code_of(s, r) : VW_CODE_DENY | dir | VW_REASON_DEFAULT;
	}
	r = first(s, VW_TIER_BASELINE, audit, proto, port);
	if (r && r->rule->action != VW_PASS)
		return code_of(s, r);
	return s->ctx.default_deny ? VW_CODE_DENY | dir | VW_REASON_NODE : 0;
}

static uint32_t expected(const struct scene *s, uint8_t proto, uint16_t port)
{
	uint32_t enforced = ask(s, false, proto, port), all = ask(s, true, proto, port);

	if (!(enforced & VW_CODE_DENY) && (all & VW_CODE_DENY))
		return VW_CODE_AUDIT | (all & ~VW_CODE_DENY);
	return enforced;
}

static void painted_is_asked(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4000; seed++) {
		struct gen g = {.s = seed + 1000000};
		struct scene s;

		scene_make(&s, seed);
		for (int i = 0; i < 60; i++) {
			uint16_t port;
			uint8_t proto;

			g_packet(&g, &proto, &port);
			if (row_code(&s.row, proto, port) != expected(&s, proto, port))
				fail_msg("seed %llu proto %u port %u: painted %08x, asked %08x",
					 (unsigned long long)seed, proto, port,
					 row_code(&s.row, proto, port), expected(&s, proto, port));
		}
		scene_done(&s);
	}
}

static void segments_are_disjoint(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 1000; seed++) {
		struct scene s;

		scene_make(&s, seed);
		for (size_t i = 0; i < s.row.segs.n; i++) {
			const struct row_seg *a = &s.row.segs.v[i], *b = a + 1;

			assert_true(a->lo <= a->hi);
			if (i + 1 == s.row.segs.n)
				break;
			assert_true(a->proto < b->proto || (a->proto == b->proto && a->hi < b->lo));
			assert_true(a->proto != b->proto || a->code != b->code);
		}
		scene_done(&s);
	}
}

static void names_count_where_they_are_known(void **state)
{
	struct vw_named_port http = {(char *)"http", 6, 8080};
	struct vw_workload w = {.ports = {&http, 1, 1}};
	struct vw_policy p = {.tier = VW_TIER_SERVICE};
	struct vw_rule r = {.action = VW_ALLOW};
	struct row_rule flat = {.policy = &p, .rule = &r};
	const struct row_rule *list[] = {&flat};
	struct row_ctx ctx = {.isolated = {true, true}, .named = &w};
	struct row row;

	(void)state;
	m_named(&r, "tcp", "http");
	assert_int_equal(row_build(&ctx, list, 1, &row), 0);
	assert_int_equal(row_code(&row, 6, 8080), 0);
	assert_int_equal(row_code(&row, 6, 8081), VW_CODE_DENY | VW_REASON_DEFAULT);
	assert_int_equal(row_code(&row, 17, 8080), VW_CODE_DENY | VW_REASON_DEFAULT);
	row_done(&row);
	ctx.named = NULL;
	assert_int_equal(row_build(&ctx, list, 1, &row), 0);
	assert_int_equal(row_code(&row, 6, 8080), VW_CODE_DENY | VW_REASON_DEFAULT);
	row_done(&row);
	vw_rule_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(painted_is_asked),
		cmocka_unit_test(segments_are_disjoint),
		cmocka_unit_test(names_count_where_they_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
