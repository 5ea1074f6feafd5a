/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer -> JSON, long and short. Knows no text for people: who prints reads these fields. */
#include "vethwall/explain_json.h"

#include <stdio.h>

/* Sets key, and notes in *bad that memory ran out; takes value over. */
static void set(json_t *o, const char *key, json_t *value, bool *bad)
{
	if (json_object_set_new(o, key, value) < 0)
		*bad = true;
}

/* File names are the operator's bytes, which need not be UTF-8. */
static json_t *text(const char *s)
{
	json_t *v = json_string(s);

	return v ? v : json_string_nocheck("?");
}

static void set_place(json_t *o, const struct vw_pos *pos, bool *bad)
{
	if (!pos->line)
		return;
	set(o, "file", text(pos->file), bad);
	set(o, "line", json_integer(pos->line), bad);
	set(o, "column", json_integer(pos->col), bad);
}

static json_t *names(const struct vw_policy *p, const struct vw_rule *r, enum vw_direction dir,
		     bool *bad)
{
	char policy[VW_POLICY_STRLEN], rule[VW_POLICY_STRLEN];
	json_t *o = json_object();

	set(o, "policy", text(vw_policy_str(p, policy)), bad);
	set(o, "rule", text(vw_rule_str(r, dir, rule)), bad);
	return o;
}

static void set_peer(json_t *o, const struct vw_decision *d, bool *bad)
{
	char buf[512] = "any";
	const struct vw_pos *pos = d->peer ? &d->peer->pos : &d->rule->pos;
	json_t *peer = json_object();

	if (d->peer)
		vw_peer_str(d->peer, buf, sizeof(buf));
	set(peer, "text", text(buf), bad);
	set_place(peer, pos, bad);
	set(o, "peer", peer, bad);
}

static void set_closest(json_t *o, const struct vw_decision *d, enum vw_direction dir, bool *bad)
{
	json_t *near = names(d->near_policy, d->near_rule, dir, bad);

	set(near, "kind", text(d->near_policy->kind), bad);
	set_place(near, d->near_rule ? &d->near_rule->pos : &d->near_policy->pos, bad);
	set(o, "closest", near, bad);
}

static json_t *decision(const struct vw_decision *d, enum vw_direction dir, bool workload,
			bool *bad)
{
	json_t *o = names(d->policy, d->rule, dir, bad);

	set(o, "verdict", text(d->allow ? "allow" : "deny"), bad);
	set(o, "tier", text(vw_tier_str(d->tier)), bad);
	set(o, "walled", json_boolean(workload), bad);
	if (d->audited)
		set(o, "audited", json_true(), bad);
	if (d->policy) {
		set(o, "kind", text(d->policy->kind), bad);
		set_place(o, d->rule ? &d->rule->pos : &d->policy->pos, bad);
	}
	if (d->rule)
		set_peer(o, d, bad);
	if (!d->rule && d->near_policy)
		set_closest(o, d, dir, bad);
	return o;
}

static json_t *head(const struct vw_question *q, const struct vw_answer *a, bool *bad)
{
	char proto[4];
	json_t *o = json_object();

	set(o, "from", text(q->from), bad);
	set(o, "to", text(q->to), bad);
	set(o, "proto", text(vw_proto_str(q->proto, proto)), bad);
	set(o, "port", json_integer(q->port), bad);
	if (q->family)
		set(o, "family", text(q->family == 4 ? "ipv4" : "ipv6"), bad);
	set(o, "verdict", text(a->verdict.allow ? "allow" : "deny"), bad);
	return o;
}

static void set_end(json_t *o, const char *key, const struct vw_end *e, bool *bad)
{
	char buf[VW_ADDR_STRLEN], name[2 * VW_NAME_MAX + 2];
	json_t *v = json_object();

	if (e->workload) {
		snprintf(name, sizeof(name), "%s/%s", e->workload->namespace_, e->workload->name);
		set(v, "workload", text(name), bad);
		set(v, "service", text(e->workload->service), bad);
	}
	if (e->iface && e->iface->network)
		set(v, "network", text(e->iface->network), bad);
	if (e->addr.family)
		set(v, "ip", text(vw_addr_str(&e->addr, buf)), bad);
	set(o, key, v, bad);
}

static json_t *finish(json_t *o, bool bad)
{
	if (!bad)
		return o;
	json_decref(o);
	return NULL;
}

json_t *vw_explain_json(const struct vw_question *q, const struct vw_answer *a)
{
	bool bad = false;
	json_t *o = head(q, a, &bad);

	set_end(o, "source", &a->probe.from, &bad);
	set_end(o, "destination", &a->probe.to, &bad);
	if (a->probe.port != q->port)
		set(o, "container_port", json_integer(a->probe.port), &bad);
	set(o, "egress", decision(&a->verdict.egress, VW_EGRESS, a->probe.from.workload, &bad),
	    &bad);
	set(o, "ingress", decision(&a->verdict.ingress, VW_INGRESS, a->probe.to.workload, &bad),
	    &bad);
	return finish(o, bad);
}

json_t *vw_decision_json(const struct vw_decision *d, enum vw_direction dir, bool walled)
{
	bool bad = false;
	json_t *o = decision(d, dir, walled, &bad);

	return finish(o, bad);
}

json_t *vw_explain_json_short(const struct vw_question *q, const struct vw_answer *a)
{
	const struct vw_verdict *v = &a->verdict;
	bool bad = false;
	json_t *o = head(q, a, &bad);

	set(o, "egress", names(v->egress.policy, v->egress.rule, VW_EGRESS, &bad), &bad);
	set(o, "ingress", names(v->ingress.policy, v->ingress.rule, VW_INGRESS, &bad), &bad);
	return finish(o, bad);
}
