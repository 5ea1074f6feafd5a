/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies that are valid and probably not meant. Each finding is one function; where it cannot be
 * sure it says nothing, because a warning that is often wrong is read by nobody. */
#include "vethwall/lint.h"

#include <netinet/in.h>
#include <stdio.h>

#include "covers.h"
#include "vethwall/cleanup.h"
#include "vethwall/explain.h"

#define COVERED_RULES_MAX 2000 /* of one document and direction: pairs of them are compared */

static const char unmatched_subject[] = "unmatched-subject";
static const char unmatched_peer[] = "unmatched-peer";
static const char covered_rule[] = "covered-rule";
static const char denied_by_guardrail[] = "denied-by-guardrail";
static const char isolated_from_dns[] = "isolated-from-dns";
static const char unknown_image_list[] = "unknown-image-list";

const char *const vw_lint_rules[] = {unmatched_subject,	  unmatched_peer,      covered_rule,
				     denied_by_guardrail, isolated_from_dns,   unknown_image_list,
				     "cidr-host-bits",	  "duplicate-address", NULL};

struct linting {
	const struct vw_policyset *set;
	const struct vw_world *world;
	const char *const *silenced;
	size_t n_silenced;
	struct vw_diag *d;
};

static bool is_silenced(const struct linting *l, const char *rule)
{
	for (size_t i = 0; i < l->n_silenced; i++)
		if (strcmp(l->silenced[i], rule) == 0)
			return true;
	return false;
}

static bool selects_any(const struct linting *l, const struct vw_match *m)
{
	vw_vec_foreach (w, &l->world->workloads)
		if (vw_match_matches(m, l->world, w, NULL))
			return true;
	return false;
}

/* ---- nothing in the world ---- */

static void check_peers(const struct linting *l, const struct vw_rule *r)
{
	char buf[256];

	vw_vec_foreach (p, &r->peers) {
		if (p->kind != VW_PEER_MATCH || selects_any(l, &p->match))
			continue;
		vw_peer_str(p, buf, sizeof(buf));
		vw_diag_add(l->d, VW_WARNING, &p->pos, unmatched_peer,
			    "the peer matches nothing in this world: %s", buf);
	}
}

static void check_matches(const struct linting *l, const struct vw_policy *p)
{
	struct vw_peer subject = {.kind = VW_PEER_MATCH, .match = p->subject};
	char buf[256];

	if (!is_silenced(l, unmatched_subject) && !selects_any(l, &p->subject)) {
		vw_peer_str(&subject, buf, sizeof(buf));
		vw_diag_add(l->d, VW_WARNING,
			    p->subject.labels.pos.line ? &p->subject.labels.pos : &p->pos,
			    unmatched_subject, "the policy selects nothing in this world: %s", buf);
	}
	for (int dir = 0; dir < _VW_DIRECTION_MAX && !is_silenced(l, unmatched_peer); dir++)
		vw_vec_foreach (r, &p->rules[dir])
			check_peers(l, r);
}

/* ---- covered rules ---- */

static bool is_covered(const struct vw_policy *p, const struct vw_rule *a, const struct vw_rule *b)
{
	if (a == b || !vw_rule_covers(a, b))
		return false;
	if (a->index < b->index)
		return true;
	/* In a union the order says nothing; of two equal rules only the later one is told. */
	return p->tier == VW_TIER_SERVICE && !vw_rule_covers(b, a);
}

static void check_covered(const struct linting *l, const struct vw_policy *p, enum vw_direction dir)
{
	char name[VW_POLICY_STRLEN];

	if (p->rules[dir].n > COVERED_RULES_MAX)
		return;
	vw_vec_foreach (b, &p->rules[dir]) {
		vw_vec_foreach (a, &p->rules[dir]) {
			if (a->implied || b->implied || !is_covered(p, a, b))
				continue;
			vw_diag_add(l->d, VW_WARNING, &b->pos, covered_rule,
				    "rule %s in line %u covers this one whole: it decides nothing",
				    vw_rule_str(a, dir, name), a->pos.line);
			break;
		}
	}
}

/* ---- guardrails against allows ---- */

static bool subject_covers(const struct linting *l, const struct vw_match *g,
			   const struct vw_match *p)
{
	bool some = false;

	if (vw_match_covers(g, p))
		return true;
	if (!l->world)
		return false;
	vw_vec_foreach (w, &l->world->workloads) {
		if (!vw_match_matches(p, l->world, w, NULL))
			continue;
		some = true;
		if (!vw_match_matches(g, l->world, w, NULL))
			return false;
	}
	return some;
}

/* The guardrail rule that refuses all of r, if that is sure: rules that allow or pass on end the
 * search, since they may come first for some of it. */
static const struct vw_rule *refusing_rule(const struct linting *l, const struct vw_policy *p,
					   const struct vw_rule *r, enum vw_direction dir,
					   const struct vw_policy **ret_guardrail)
{
	vw_vec_foreach (g, &l->set->list) {
		if (g->tier != VW_TIER_GUARDRAIL || g->audit || !g->rules[dir].n)
			continue;
		vw_vec_foreach (gr, &g->rules[dir]) {
			if (gr->action != VW_DENY)
				return NULL;
			if (!vw_rule_covers(gr, r) || !subject_covers(l, &g->subject, &p->subject))
				continue;
			*ret_guardrail = g;
			return gr;
		}
	}
	return NULL;
}

static void check_guardrails(const struct linting *l, const struct vw_policy *p,
			     enum vw_direction dir)
{
	char name[VW_POLICY_STRLEN];

	vw_vec_foreach (r, &p->rules[dir]) {
		const struct vw_policy *g = NULL;
		const struct vw_rule *gr;

		if (r->action != VW_ALLOW || r->implied)
			continue;
		gr = refusing_rule(l, p, r, dir, &g);
		if (gr)
			vw_diag_add(l->d, VW_WARNING, &r->pos, denied_by_guardrail,
				    "GuardrailPolicy %s denies all that this rule allows (%s, "
				    "%s:%u:%u)",
				    g->name, vw_rule_str(gr, dir, name), gr->pos.file, gr->pos.line,
				    gr->pos.col);
	}
}

/* ---- dns ---- */

static bool port_is_dns(const struct vw_rule *r)
{
	if (r->any_port)
		return true;
	vw_vec_foreach (p, &r->ports)
		if (p->any_proto ||
		    (p->proto == IPPROTO_UDP && (p->name || (p->lo <= 53 && 53 <= p->hi))))
			return true;
	return false;
}

static bool peer_may_be_dns(const struct linting *l, const struct vw_rule *r,
			    const struct vw_peer *p)
{
	if (p->kind == VW_PEER_ENTITY)
		return p->entity != VW_ENTITY_METADATA;
	if (p->kind == VW_PEER_MATCH)
		return !r->any_port; /* port 53 was written down: it is a resolver */
	if (p->kind == VW_PEER_FQDN)
		return false; /* a resolver that has to be resolved */
	if (!l->world || !l->world->dns.n)
		return true;
	vw_vec_foreach (a, &l->world->dns)
		if (vw_prefix_has(&p->cidr, a))
			return true;
	return false;
}

static bool lets_dns(const struct linting *l, const struct vw_policy *p)
{
	vw_vec_foreach (r, &p->rules[VW_EGRESS]) {
		if (r->action != VW_ALLOW || !port_is_dns(r))
			continue;
		if (r->any_peer)
			return true;
		vw_vec_foreach (peer, &r->peers)
			if (peer_may_be_dns(l, r, peer))
				return true;
	}
	return false;
}

/* Whether another document may let DNS out of what p selects. */
static bool other_lets_dns(const struct linting *l, const struct vw_policy *p)
{
	vw_vec_foreach (o, &l->set->list) {
		bool near = o->tier == VW_TIER_GUARDRAIL ||
			    vw_match_covers(&o->subject, &p->subject) ||
			    (l->world && subject_covers(l, &o->subject, &p->subject));

		if (o != p && o->tier != VW_TIER_BASELINE && near && lets_dns(l, o))
			return true;
	}
	return false;
}

static void check_dns(const struct linting *l, const struct vw_policy *p)
{
	/* No rules at all: nothing is to leave, and that is meant. */
	if (p->tier != VW_TIER_SERVICE || !p->applies[VW_EGRESS] || !p->rules[VW_EGRESS].n)
		return;
	if (lets_dns(l, p) || other_lets_dns(l, p))
		return;
	vw_diag_add(l->d, VW_WARNING, &p->rules[VW_EGRESS].v[0].pos, isolated_from_dns,
		    "egress is isolated and no rule lets DNS out: names will not resolve; "
		    "a rule to the resolvers on udp/53 and tcp/53 does it");
}

static void check_policy(const struct linting *l, const struct vw_policy *p)
{
	if (l->world)
		check_matches(l, p);
	for (int dir = 0; dir < _VW_DIRECTION_MAX; dir++) {
		if (!is_silenced(l, covered_rule))
			check_covered(l, p, (enum vw_direction)dir);
		if (p->tier != VW_TIER_GUARDRAIL && !is_silenced(l, denied_by_guardrail))
			check_guardrails(l, p, (enum vw_direction)dir);
	}
	if (!is_silenced(l, isolated_from_dns))
		check_dns(l, p);
}

void vw_lint(const struct vw_policyset *set, const struct vw_world *world,
	     const char *const *silenced, size_t n_silenced, struct vw_diag *d)
{
	const struct linting l = {set, world, silenced, n_silenced, d};

	vw_vec_foreach (p, &set->list)
		check_policy(&l, p);
	if (world && !is_silenced(&l, unknown_image_list))
		vw_image_lists_check(set, world, unknown_image_list, d);
}

/* ---- expectations ---- */

static void add_failure(const struct vw_expect *e, const struct vw_answer *a, struct vw_diag *d)
{
	char policy[VW_POLICY_STRLEN], rule[VW_POLICY_STRLEN], proto[4];
	bool egress = !a->verdict.egress.allow;
	const struct vw_decision *who = egress ? &a->verdict.egress : &a->verdict.ingress;
	const struct vw_policy *p = who->policy ? who->policy : who->near_policy;

	vw_error(d, &e->pos, "expect: %s to %s on %s/%u: expected %s, found %s (%s: %s %s, %s)",
		 e->from, e->to, vw_proto_str(e->proto, proto), e->port,
		 e->verdict == VW_ALLOW ? "allow" : "deny", a->verdict.allow ? "allow" : "deny",
		 egress ? "egress" : "ingress", vw_tier_str(who->tier), vw_policy_str(p, policy),
		 vw_rule_str(who->rule, egress ? VW_EGRESS : VW_INGRESS, rule));
}

static int run_one(struct vw_explainer *x, const struct vw_policy *p, const struct vw_expect *e,
		   struct vw_diag *d, size_t *failed)
{
	struct vw_question q = {.from = e->from,
				.to = e->to,
				.proto = e->proto,
				.port = e->port,
				.namespace_ = p->namespace_};
	struct vw_answer a;
	char why[VW_WHY_MAX];
	int r = vw_explainer_ask(x, &q, &a, why);

	if (r == -ENOMEM)
		return r;
	if (r) {
		vw_error(d, &e->pos, "expect: %s", why);
		(*failed)++;
	} else if (a.verdict.allow != (e->verdict == VW_ALLOW)) {
		add_failure(e, &a, d);
		(*failed)++;
	}
	return 0;
}

int vw_expect_run(const struct vw_policyset *set, const struct vw_world *world, bool default_deny,
		  struct vw_diag *d, size_t *ret_checked, size_t *ret_failed)
{
	_cleanup_(vw_explainer_free) struct vw_explainer *x = NULL;
	size_t checked = 0, failed = 0;
	int r = vw_explainer_new(set, world, default_deny, &x);

	if (r)
		return r;
	vw_vec_foreach (p, &set->list) {
		vw_vec_foreach (e, &p->expects) {
			r = run_one(x, p, e, d, &failed);
			if (r)
				return r;
			checked++;
		}
	}
	*ret_checked = checked;
	*ret_failed = failed;
	return 0;
}
