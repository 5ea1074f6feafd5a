/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Documents to flat rules: peers become predicate numbers, and rules that can be named in a
 * decision code get their number. */
#include <stdio.h>

#include "core/class.h"
#include "vethwall/cleanup.h"
#include "vethwall/ruleset.h"

static uint64_t hash_str(const char *s, uint64_t h)
{
	return vw_hash(s ? s : "", s ? strlen(s) + 1 : 1, h);
}

static uint64_t policy_hash(const struct vw_policy *p)
{
	return hash_str(p->name, hash_str(p->namespace_, hash_str(p->kind, 7)));
}

static int push_flat(struct flat_set *f, struct flat_rule *fr)
{
	int r = vw_vec_push(&f->rules, *fr, ID_MAX);

	if (r)
		vw_vec_done(&fr->preds.list);
	return r;
}

static bool is_dns(const struct vw_peer *p)
{
	return p->kind == VW_PEER_ENTITY && p->entity == VW_ENTITY_DNS;
}

static bool is_any(const struct vw_peer *p)
{
	return p->kind == VW_PEER_ENTITY && p->entity == VW_ENTITY_ANY;
}

/* The flat rule of all peers that are (dns) or are not (!dns) resolvers limited to port 53. */
static int flatten_part(struct flat_set *f, const struct id_table *ids, const struct vw_policy *p,
			const struct vw_rule *rule, uint32_t number, bool dns)
{
	struct flat_rule fr = {.r = {.policy = p, .rule = rule, .dns_only = dns, .number = number},
			       .any_peer = rule->any_peer && !dns};
	int r = 0;

	vw_vec_foreach (peer, &rule->peers) {
		if ((is_dns(peer) && rule->any_port) != dns || r)
			continue;
		fr.any_peer |= is_any(peer);
		r = vw_vec_push(&fr.preds.list, id_pred(ids, peer), ID_MAX);
		if (!r && fr.preds.list.v[fr.preds.list.n - 1] == UINT32_MAX)
			r = -ENOMEM;
	}
	if (r || (!fr.any_peer && !fr.preds.list.n)) {
		vw_vec_done(&fr.preds.list);
		return r;
	}
	return push_flat(f, &fr);
}

static int flatten(struct flat_set *f, const struct id_table *ids, const struct vw_policy *p,
		   enum vw_direction dir, uint32_t *number, struct flat_policy *ret)
{
	int r = 0;

	ret->first[dir] = f->rules.n;
	vw_vec_foreach (rule, &p->rules[dir]) {
		uint32_t no = rule->action == VW_DENY || p->log ? (*number)++ : 0;

		vw_vec_foreach (port, &rule->ports)
			ret->named[dir] |= port->name != NULL;
		vw_vec_foreach (peer, &rule->peers)
			ret->fqdn[dir] |= peer->kind == VW_PEER_FQDN;
		if (!r)
			r = flatten_part(f, ids, p, rule, no, false);
		if (!r)
			r = flatten_part(f, ids, p, rule, no, true);
	}
	ret->n[dir] = f->rules.n - ret->first[dir];
	return r;
}

static int add_ref(struct flat_set *f, const struct vw_policy *p, enum vw_direction dir,
		   const struct vw_rule *rule, uint32_t number)
{
	struct vw_ruleref ref = {.number = number, .tier = p->tier, .pos = rule->pos};
	int r;

	if (asprintf(&ref.policy, "%s%s%s", p->namespace_ ? p->namespace_ : "",
		     p->namespace_ ? "/" : "", p->name) < 0)
		return -ENOMEM;
	if (rule->name)
		ref.rule = strdup(rule->name);
	else if (asprintf(&ref.rule, "%s[%u]", vw_direction_str(dir), rule->index) < 0)
		ref.rule = NULL;
	r = ref.rule ? vw_vec_push(&f->refs, ref, VW_CODE_RULE) : -ENOMEM;
	if (r) {
		free(ref.policy);
		free(ref.rule);
	}
	return r;
}

static int add_refs(struct flat_set *f, const struct vw_policy *p, enum vw_direction dir,
		    uint32_t number)
{
	int r = 0;

	vw_vec_foreach (rule, &p->rules[dir])
		if (!r && (rule->action == VW_DENY || p->log))
			r = add_ref(f, p, dir, rule, number++);
	return r;
}

int flat_set_build(const struct vw_policyset *set, const struct id_table *ids, struct flat_set *ret)
{
	struct flat_set f = {0};
	uint32_t number = VW_REASON_FIRST_RULE;
	int r = 0;

	vw_vec_foreach (p, &set->list) {
		struct flat_policy fp = {.hash = policy_hash(p)};

		for (int dir = 0; dir < _VW_DIRECTION_MAX && !r; dir++) {
			r = add_refs(&f, p, dir, number);
			if (!r)
				r = flatten(&f, ids, p, dir, &number, &fp);
		}
		if (!r)
			r = number <= VW_CODE_RULE ? vw_vec_push(&f.policies, fp, VW_POLICIES_MAX)
						   : -E2BIG;
		if (r)
			break;
	}
	if (r)
		flat_set_done(&f);
	else
		*ret = f;
	return r;
}

void flat_set_done(struct flat_set *f)
{
	vw_vec_foreach (r, &f->rules)
		vw_vec_done(&r->preds.list);
	vw_vec_foreach (r, &f->refs) {
		free(r->policy);
		free(r->rule);
	}
	vw_vec_done(&f->rules);
	vw_vec_done(&f->policies);
	vw_vec_done(&f->refs);
}
