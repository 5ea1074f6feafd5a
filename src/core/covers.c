/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inclusion between predicates, peers, ports and rules, by their form alone: no world is asked, so
 * that what is said here stays true when containers come and go. */
#include "covers.h"

#include "text.h"

static bool part_covers(const char *a, const char *b)
{
	return !a || (b && strcmp(a, b) == 0);
}

static bool has_value(const struct vw_requirement *r, const char *value)
{
	vw_vec_foreach (v, &r->values)
		if (strcmp(*v, value) == 0)
			return true;
	return false;
}

static bool values_within(const struct vw_requirement *a, const struct vw_requirement *b)
{
	vw_vec_foreach (v, &a->values)
		if (!has_value(b, *v))
			return false;
	return true;
}

/* Whatever fits b fits a. */
static bool requirement_covers(const struct vw_requirement *a, const struct vw_requirement *b)
{
	if (strcmp(a->key, b->key) != 0)
		return false;
	if (a->op == VW_OP_EXISTS)
		return b->op == VW_OP_EXISTS || b->op == VW_OP_IN;
	if (a->op != b->op)
		return false;
	return a->op == VW_OP_NOT_IN ? values_within(a, b) : values_within(b, a);
}

static bool selector_covers(const struct vw_selector *a, const struct vw_selector *b)
{
	vw_vec_foreach (ra, &a->reqs) {
		bool found = false;

		vw_vec_foreach (rb, &b->reqs)
			found |= requirement_covers(ra, rb);
		if (!found)
			return false;
	}
	return true;
}

bool vw_match_covers(const struct vw_match *a, const struct vw_match *b)
{
	static const struct vw_selector none;

	return part_covers(a->service, b->service) && part_covers(a->namespace_, b->namespace_) &&
	       part_covers(a->project, b->project) && part_covers(a->network, b->network) &&
	       part_covers(a->image, b->image) && part_covers(a->image_in, b->image_in) &&
	       part_covers(a->image_not_in, b->image_not_in) &&
	       (!a->has_labels ||
		selector_covers(&a->labels, b->has_labels ? &b->labels : &none)) &&
	       (!a->has_namespace_labels ||
		selector_covers(&a->namespace_labels,
				b->has_namespace_labels ? &b->namespace_labels : &none));
}

/* A hole of a that reaches into b must be a hole of b as well. */
static bool block_covers(const struct vw_peer *a, const struct vw_peer *b)
{
	if (!vw_prefix_covers(&a->cidr, &b->cidr))
		return false;
	vw_vec_foreach (ea, &a->except) {
		bool hole = !vw_prefix_covers(ea, &b->cidr) && !vw_prefix_covers(&b->cidr, ea);

		vw_vec_foreach (eb, &b->except)
			hole |= vw_prefix_covers(eb, ea);
		if (!hole)
			return false;
	}
	return true;
}

static bool peer_covers(const struct vw_peer *a, const struct vw_peer *b)
{
	if (a->kind == VW_PEER_ENTITY && a->entity == VW_ENTITY_ANY)
		return true;
	if (a->kind == VW_PEER_ENTITY && a->entity == VW_ENTITY_CLUSTER && b->kind == VW_PEER_MATCH)
		return true;
	if (a->kind == VW_PEER_ENTITY && a->entity == VW_ENTITY_WORLD && b->kind == VW_PEER_FQDN)
		return true;
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case VW_PEER_MATCH:
		return vw_match_covers(&a->match, &b->match);
	case VW_PEER_CIDR:
		return block_covers(a, b);
	case VW_PEER_ENTITY:
		return a->entity == b->entity;
	case VW_PEER_FQDN:
		return vw_fqdn_covers(a->fqdn, b->fqdn);
	}
	return false;
}

static bool port_covers(const struct vw_port *a, const struct vw_port *b)
{
	bool whole = !a->name && a->lo == 0 && a->hi == UINT16_MAX;

	if (a->any_proto)
		return true;
	if (b->any_proto || a->proto != b->proto)
		return false;
	if (whole || a->name || b->name)
		return whole || vw_text_eq(a->name, b->name);
	return a->lo <= b->lo && b->hi <= a->hi;
}

static bool ports_cover(const struct vw_rule *a, const struct vw_peer *pa, const struct vw_rule *b)
{
	/* To resolvers "any port" means DNS alone. */
	if (a->any_port)
		return b->any_port || !pa || pa->kind != VW_PEER_ENTITY ||
		       pa->entity != VW_ENTITY_DNS;
	if (b->any_port)
		return false;
	vw_vec_foreach (qb, &b->ports) {
		bool found = false;

		vw_vec_foreach (qa, &a->ports)
			found |= port_covers(qa, qb);
		if (!found)
			return false;
	}
	return true;
}

static bool rule_covers_peer(const struct vw_rule *a, const struct vw_rule *b,
			     const struct vw_peer *pb)
{
	static const struct vw_peer any = {.kind = VW_PEER_ENTITY, .entity = VW_ENTITY_ANY};

	if (a->any_peer)
		return ports_cover(a, NULL, b);
	vw_vec_foreach (pa, &a->peers)
		if (peer_covers(pa, pb ? pb : &any) && ports_cover(a, pa, b))
			return true;
	return false;
}

bool vw_rule_covers(const struct vw_rule *a, const struct vw_rule *b)
{
	if (b->any_peer)
		return rule_covers_peer(a, b, NULL);
	vw_vec_foreach (pb, &b->peers)
		if (!rule_covers_peer(a, b, pb))
			return false;
	return b->peers.n > 0;
}
