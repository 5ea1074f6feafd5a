/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether one end of a connection fits a peer of a rule. Where an address has two owners nothing
 * may be believed about who it is: it is nobody's workload, and not the outside world either. Knows
 * nothing of rules, ports and tiers. */
#include "peer.h"

struct vw_known_end vw_end_resolve(const struct vw_world *world, const struct vw_end *e)
{
	struct vw_known_end k = {.end = *e};
	const struct vw_iface *iface = NULL;
	const struct vw_workload *owner = NULL;

	if (e->addr.family)
		owner = vw_world_by_addr(world, &e->addr, &iface, &k.ambiguous);
	if (k.ambiguous) {
		k.end.workload = NULL;
		k.end.iface = NULL;
	} else if (!e->workload && owner) {
		k.end.workload = owner;
		k.end.iface = iface;
	}
	return k;
}

static bool is_metadata(const struct vw_addr *a)
{
	/* The cloud metadata service: 169.254.169.254 and, on AWS, fd00:ec2::254. */
	static const struct vw_addr addrs[] = {
		{4, {169, 254, 169, 254}},
		{6, {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54}},
	};

	return vw_addr_eq(a, &addrs[0]) || vw_addr_eq(a, &addrs[1]);
}

static bool is_dns(const struct vw_world *world, const struct vw_addr *a)
{
	vw_vec_foreach (d, &world->dns)
		if (vw_addr_eq(d, a))
			return true;
	return false;
}

static bool entity_has(enum vw_entity entity, const struct vw_world *world,
		       const struct vw_known_end *k)
{
	const struct vw_addr *a = &k->end.addr;

	switch (entity) {
	case VW_ENTITY_ANY:
		return true;
	case VW_ENTITY_HOST:
		return a->family && vw_world_is_host(world, a);
	case VW_ENTITY_WORLD:
		return a->family && !k->end.workload && !k->ambiguous &&
		       !vw_world_is_host(world, a);
	case VW_ENTITY_CLUSTER:
		return k->end.workload;
	case VW_ENTITY_DNS:
		return a->family && is_dns(world, a);
	case VW_ENTITY_METADATA:
		return a->family && is_metadata(a);
	case _VW_ENTITY_MAX:
		break;
	}
	return false;
}

static bool cidr_has(const struct vw_peer *p, const struct vw_addr *a)
{
	if (!vw_prefix_has(&p->cidr, a))
		return false;
	vw_vec_foreach (x, &p->except)
		if (vw_prefix_has(x, a))
			return false;
	return true;
}

bool vw_known_end_fits(const struct vw_peer *p, const struct vw_world *world,
		       const struct vw_known_end *k)
{
	switch (p->kind) {
	case VW_PEER_MATCH:
		return k->end.workload &&
		       vw_match_matches(&p->match, world, k->end.workload, k->end.iface);
	case VW_PEER_CIDR:
		return cidr_has(p, &k->end.addr);
	case VW_PEER_ENTITY:
		return entity_has(p->entity, world, k);
	case VW_PEER_FQDN:
		return k->asker && k->end.addr.family && !k->end.workload &&
		       vw_learnt_fits(world, k->asker, &k->end.addr, p->fqdn, k->lapsed_too) &&
		       vw_learnt_openable(world, &k->end.addr);
	}
	return false;
}

bool vw_peer_matches(const struct vw_peer *p, const struct vw_world *world, const struct vw_end *e)
{
	struct vw_known_end k = vw_end_resolve(world, e);

	return vw_known_end_fits(p, world, &k);
}
