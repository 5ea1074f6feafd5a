/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reference answer, straight from documents and world. Each function is one sentence of the
 * policy language; nothing is prepared, shared or skipped, because the compiled rules are held
 * against it. Tiers and pass are those of the AdminNetworkPolicy API, the service tier is
 * networking.k8s.io/v1 NetworkPolicy. */
#include <netinet/in.h>
#include <string.h>

#include "peer.h"
#include "text.h"

/* Everything that a rule is asked about. */
struct question {
	const struct vw_policyset *set;
	const struct vw_world *world;
	bool default_deny;
	bool with_audit; /* audit policies count as well */
	enum vw_direction dir;
	const struct vw_end *self;
	struct vw_known_end peer;
	const struct vw_workload
		*receiver; /* the connection's destination, or NULL: none or unknown */
	uint8_t proto;
	uint16_t port;
};

static bool named_port_matches(const struct vw_port *p, const struct question *q)
{
	if (!q->receiver)
		return false;
	vw_vec_foreach (n, &q->receiver->ports)
		if (n->proto == p->proto && n->port == q->port && vw_text_eq(n->name, p->name))
			return true;
	return false;
}

static bool has_numbers(uint8_t proto)
{
	return vw_proto_has_ports(proto) || proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static bool port_matches(const struct vw_port *p, const struct question *q)
{
	if (p->any_proto)
		return true;
	if (p->proto != q->proto)
		return false;
	if (p->name)
		return named_port_matches(p, q);
	if (!has_numbers(q->proto))
		return p->lo == 0 && p->hi == UINT16_MAX;
	return p->lo <= q->port && q->port <= p->hi;
}

static bool is_dns_traffic(const struct question *q)
{
	return (q->proto == IPPROTO_UDP || q->proto == IPPROTO_TCP) && q->port == 53;
}

/* Ports of the rule for one of its peers (NULL: any): to resolvers, no restriction is DNS only. */
static bool ports_match(const struct vw_rule *r, const struct vw_peer *peer,
			const struct question *q)
{
	if (r->any_port) {
		bool dns = peer && peer->kind == VW_PEER_ENTITY && peer->entity == VW_ENTITY_DNS;

		return !dns || is_dns_traffic(q);
	}
	vw_vec_foreach (p, &r->ports)
		if (port_matches(p, q))
			return true;
	return false;
}

enum fit { FIT_NONE, FIT_PORT, FIT_PEER, FIT_BOTH }; /* in the order of how close it came */

static enum fit fit_of(bool peer, bool port)
{
	if (peer)
		return port ? FIT_BOTH : FIT_PEER;
	return port ? FIT_PORT : FIT_NONE;
}

/* How close the rule comes; *ret_peer is the peer that made it fit, or NULL. */
static enum fit rule_fit(const struct vw_rule *r, const struct question *q,
			 const struct vw_peer **ret_peer)
{
	enum fit best = FIT_NONE;

	*ret_peer = NULL;
	if (r->any_peer)
		return fit_of(true, ports_match(r, NULL, q));
	vw_vec_foreach (p, &r->peers) {
		enum fit f = fit_of(vw_known_end_fits(p, q->world, &q->peer), ports_match(r, p, q));

		if (f == FIT_BOTH) {
			*ret_peer = p;
			return FIT_BOTH;
		}
		if (f > best)
			best = f;
	}
	return best;
}

static bool selects(const struct vw_policy *p, enum vw_tier tier, const struct question *q)
{
	return p->tier == tier && (q->with_audit || !p->audit) &&
	       vw_match_matches(&p->subject, q->world, q->self->workload, q->self->iface);
}

/* Guardrails and baselines: the first rule that fits decides. False when none did or it passes. */
static bool decide_ordered(const struct question *q, enum vw_tier tier, struct vw_decision *ret)
{
	const struct vw_peer *peer;

	vw_vec_foreach (p, &q->set->list) {
		if (!selects(p, tier, q))
			continue;
		vw_vec_foreach (r, &p->rules[q->dir]) {
			if (rule_fit(r, q, &peer) != FIT_BOTH)
				continue;
			if (r->action == VW_PASS)
				return false;
			*ret = (struct vw_decision){.allow = r->action == VW_ALLOW,
						    .log = r->action == VW_ALLOW && p->log,
						    .tier = tier,
						    .policy = p,
						    .rule = r,
						    .peer = peer};
			return true;
		}
	}
	return false;
}

/* One isolating document: true when it allows. What comes closest is kept in *ret and *ret_best. */
static bool service_policy_allows(const struct question *q, const struct vw_policy *p,
				  struct vw_decision *ret, enum fit *ret_best)
{
	const struct vw_peer *peer;

	if (!ret->near_policy)
		ret->near_policy = p;
	vw_vec_foreach (r, &p->rules[q->dir]) {
		enum fit f = rule_fit(r, q, &peer);

		if (f == FIT_BOTH) {
			*ret = (struct vw_decision){.allow = true,
						    .log = p->log,
						    .tier = VW_TIER_SERVICE,
						    .policy = p,
						    .rule = r,
						    .peer = peer};
			return true;
		}
		if (f > *ret_best) {
			*ret_best = f;
			ret->near_policy = p;
			ret->near_rule = r;
		}
	}
	return false;
}

/* The union of the documents that isolate the workload. False when none does. */
static bool decide_service(const struct question *q, struct vw_decision *ret)
{
	struct vw_decision d = {.tier = VW_TIER_SERVICE};
	enum fit best = FIT_NONE;
	bool isolated = false;

	vw_vec_foreach (p, &q->set->list) {
		if (!p->applies[q->dir] || !selects(p, VW_TIER_SERVICE, q))
			continue;
		isolated = true;
		if (service_policy_allows(q, p, &d, &best))
			break;
	}
	if (isolated)
		*ret = d;
	return isolated;
}

static struct vw_decision decide_tiers(const struct question *q)
{
	struct vw_decision d;

	if (decide_ordered(q, VW_TIER_GUARDRAIL, &d) || decide_service(q, &d) ||
	    decide_ordered(q, VW_TIER_BASELINE, &d))
		return d;
	return (struct vw_decision){.allow = !q->default_deny || (q->set->audit && !q->with_audit),
				    .tier = VW_TIER_DEFAULT};
}

static bool any_audit(const struct vw_policyset *set)
{
	vw_vec_foreach (p, &set->list)
		if (p->audit)
			return true;
	return set->audit;
}

/* Audit never changes what passes: it only tells what would not have. */
static struct vw_decision decide_audited(struct question *q)
{
	struct vw_decision enforced, all;

	q->with_audit = false;
	enforced = decide_tiers(q);
	if (!enforced.allow || !any_audit(q->set))
		return enforced;
	q->with_audit = true;
	all = decide_tiers(q);
	if (all.allow)
		return enforced;
	all.allow = all.audited = true;
	all.log = enforced.log;
	return all;
}

void vw_decide(const struct vw_policyset *set, const struct vw_world *world, bool default_deny,
	       enum vw_direction dir, const struct vw_end *self, const struct vw_end *peer,
	       uint8_t proto, uint16_t port, struct vw_decision *ret)
{
	struct question q = {.set = set,
			     .world = world,
			     .default_deny = default_deny,
			     .dir = dir,
			     .self = self,
			     .peer = vw_end_resolve(world, peer),
			     .proto = proto,
			     .port = port};
	const struct vw_workload *other = q.peer.end.workload;

	if (dir == VW_EGRESS && self->iface)
		q.peer.asker = self->iface->ifindex;
	q.receiver = dir == VW_INGRESS ? self->workload : other;
	/* Nothing stands in front of what is no workload, nor between a workload and itself
	 * (Kubernetes: a pod cannot be cut off from itself). */
	if (!self->workload || self->workload == other)
		*ret = (struct vw_decision){.allow = true, .tier = VW_TIER_DEFAULT};
	else
		*ret = decide_audited(&q);
}

/* An end that was given by its address only is judged as the workload behind it. One that was given
 * as a workload stays it: the wall is on its veth, whoever else has the address. */
static struct vw_end own_end(const struct vw_world *world, const struct vw_end *e)
{
	return e->workload ? *e : vw_end_resolve(world, e).end;
}

void vw_verdict(const struct vw_policyset *set, const struct vw_world *world, bool default_deny,
		const struct vw_probe *probe, struct vw_verdict *ret)
{
	struct vw_end from = own_end(world, &probe->from), to = own_end(world, &probe->to);
	struct vw_verdict v;

	vw_decide(set, world, default_deny, VW_EGRESS, &from, &to, probe->proto, probe->port,
		  &v.egress);
	vw_decide(set, world, default_deny, VW_INGRESS, &to, &from, probe->proto, probe->port,
		  &v.ingress);
	v.allow = v.egress.allow && v.ingress.allow;
	*ret = v;
}
