/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items to documents: peers with the same ports share a rule, ports next to each other a range.
 * Decides nothing about what is needed. */
#include "suggest_item.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "text.h"
#include "vethwall/cleanup.h"

void evidence_add(struct vw_evidence *to, const struct vw_evidence *e)
{
	if (!to->count || e->first_us < to->first_us)
		to->first_us = e->first_us;
	if (!to->count || e->last_us > to->last_us)
		to->last_us = e->last_us;
	to->count += e->count;
	to->sources |= e->sources;
}

/* ---- rules ---- */

/* Ports next to each other become a range only where each of them was seen. */
static int put_port(struct vw_rule *rule, const struct item *i)
{
	struct vw_port *last = rule->ports.n ? &rule->ports.v[rule->ports.n - 1] : NULL;
	struct vw_port p = {.proto = i->proto, .lo = i->port, .hi = i->port};
	bool ports = vw_proto_has_ports(i->proto);

	if (last && last->proto == i->proto && ports && last->hi + 1 == i->port) {
		last->hi = i->port;
		return 0;
	}
	if (!ports && i->proto != IPPROTO_ICMP && i->proto != IPPROTO_ICMPV6) {
		p.lo = 0;
		p.hi = UINT16_MAX;
	}
	return vw_vec_push(&rule->ports, p, VW_PEERS_MAX);
}

static int put_peer(struct vw_rule *rule, const struct item *i)
{
	static const enum vw_peer_kind kinds[] = {[PEER_SERVICE] = VW_PEER_MATCH,
						  [PEER_NAME] = VW_PEER_FQDN,
						  [PEER_ENTITY] = VW_PEER_ENTITY,
						  [PEER_ADDR] = VW_PEER_CIDR};
	_cleanup_(vw_peer_done) struct vw_peer p = {.kind = kinds[i->kind], .entity = i->entity};
	int r = 0;

	if (i->kind == PEER_SERVICE) {
		r = vw_text_copy(i->peer_namespace, &p.match.namespace_);
		if (!r)
			r = vw_text_copy(i->peer, &p.match.service);
	} else if (i->kind == PEER_NAME) {
		r = vw_text_copy(i->peer, &p.fqdn);
	} else if (i->kind == PEER_ADDR) {
		p.cidr = (struct vw_prefix){i->addr, i->addr.family == 4 ? 32 : 128};
	}
	if (!r)
		r = vw_vec_push(&rule->peers, p, VW_PEERS_MAX);
	if (!r)
		p = (struct vw_peer){0};
	return r;
}

static bool same_ports(const struct vw_rule *a, const struct vw_rule *b)
{
	if (a->ports.n != b->ports.n)
		return false;
	for (size_t i = 0; i < a->ports.n; i++) {
		const struct vw_port *x = &a->ports.v[i], *y = &b->ports.v[i];

		if (x->proto != y->proto || x->lo != y->lo || x->hi != y->hi)
			return false;
	}
	return true;
}

/* A peer with its ports: joins the rule that has the same, or becomes one. */
static int add_rule(struct vw_suggested *d, enum vw_direction dir, const struct item *v, size_t n)
{
	_cleanup_(vw_rule_done) struct vw_rule rule = {.action = VW_ALLOW};
	struct vw_evidence e = {0};
	size_t at;
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		r = put_port(&rule, &v[i]);
		evidence_add(&e, &v[i].seen);
	}
	for (at = 0; at < d->policy.rules[dir].n; at++)
		if (same_ports(&d->policy.rules[dir].v[at], &rule) &&
		    d->policy.rules[dir].v[at].peers.n < VW_PEERS_MAX)
			break;
	if (!r && at == d->policy.rules[dir].n) {
		rule.index = (unsigned)at;
		r = vw_vec_push(&d->policy.rules[dir], rule, VW_RULES_MAX);
		if (!r) {
			rule = (struct vw_rule){0};
			r = vw_vec_push(&d->seen[dir], ((struct vw_evidence){0}), VW_RULES_MAX);
		}
	}
	if (!r)
		r = put_peer(&d->policy.rules[dir].v[at], v);
	if (!r)
		evidence_add(&d->seen[dir].v[at], &e);
	return r;
}

/* ---- documents ---- */

static bool taken(const struct vw_policyset *others, const struct vw_policy *p, const char *name)
{
	vw_vec_foreach (o, &others->list)
		if (!strcmp(o->kind, p->kind) && vw_text_eq(o->namespace_, p->namespace_) &&
		    !strcmp(o->name, name))
			return true;
	return false;
}

/* The service's name, or with "-seen", "-seen2", ... when others have it. */
static int set_name(const struct vw_policyset *others, const char *service, struct vw_policy *p)
{
	const int room = VW_NAME_MAX - 12;
	char name[VW_NAME_MAX + 1];

	snprintf(name, sizeof(name), "%s", service);
	for (unsigned n = 1; taken(others, p, name); n++) {
		int len = snprintf(name, sizeof(name), "%.*s-seen", room, service);

		if (n > 1)
			snprintf(name + len, sizeof(name) - (size_t)len, "%u", n);
	}
	return vw_text_copy(name, &p->name);
}

static void suggested_done(struct vw_suggested *d)
{
	vw_policy_done(&d->policy);
	for (int dir = 0; dir < _VW_DIRECTION_MAX; dir++)
		vw_vec_done(&d->seen[dir]);
}

static int begin_doc(struct vw_suggestions *ret, const struct vw_policyset *others,
		     const struct item *i)
{
	struct vw_suggested d = {.policy = {.tier = VW_TIER_SERVICE}};
	struct vw_policy *p = &d.policy;
	int r = vw_text_copy("ServicePolicy", &p->kind);

	if (!r)
		r = vw_text_copy(i->namespace_, &p->namespace_);
	if (!r)
		r = vw_text_copy(i->namespace_, &p->subject.namespace_);
	if (!r)
		r = vw_text_copy(i->service, &p->subject.service);
	if (!r)
		r = set_name(others, i->service, p);
	if (!r)
		r = vw_vec_push(&ret->docs, d, VW_POLICIES_MAX);
	if (r)
		suggested_done(&d);
	return r;
}

static bool same_service(const struct vw_policy *p, const struct item *i)
{
	return !strcmp(p->namespace_, i->namespace_) && !strcmp(p->subject.service, i->service);
}

int suggest_docs(const struct item *v, size_t n, const struct vw_policyset *others,
		 struct vw_suggestions *ret)
{
	int r = 0;

	for (size_t i = 0, j; i < n && !r; i = j) {
		struct vw_suggested *d = ret->docs.n ? &ret->docs.v[ret->docs.n - 1] : NULL;

		for (j = i + 1;
		     j < n && !item_owner_cmp(&v[i], &v[j]) && !item_peer_cmp(&v[i], &v[j]); j++)
			;
		if (!d || !same_service(&d->policy, &v[i]))
			r = begin_doc(ret, others, &v[i]);
		if (r)
			break;
		d = &ret->docs.v[ret->docs.n - 1];
		d->policy.applies[v[i].dir] = true;
		r = add_rule(d, v[i].dir, &v[i], j - i);
	}
	return r;
}

void vw_suggestions_done(struct vw_suggestions *s)
{
	vw_vec_foreach (d, &s->docs)
		suggested_done(d);
	vw_vec_done(&s->docs);
	vw_vec_done(&s->left);
}
