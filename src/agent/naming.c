/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorted tables of who has which veth, address and published port, and look-ups in them. */
#include <string.h>

#include "agent/naming.h"
#include "vethwall/cleanup.h"

#define NOBODY SIZE_MAX
#define ADDRS_MAX (VW_OWNERS_MAX + VW_HOST_ADDRS_MAX)

void vw_naming_done(struct vw_naming *n)
{
	vw_vec_foreach (w, &n->workloads) {
		free(w->name);
		free(w->service);
		free(w->image);
	}
	vw_vec_done(&n->workloads);
	vw_vec_done(&n->veths);
	vw_vec_done(&n->addrs);
	vw_vec_done(&n->ports);
	vw_vec_done(&n->dns);
}

static int add_workload(struct vw_naming *n, const struct vw_workload *w)
{
	struct naming_workload k = {.service = strdup(w->service),
				    .image = w->image ? strdup(w->image) : NULL};
	size_t at = n->workloads.n;
	int r;

	if (asprintf(&k.name, "%s/%s", w->namespace_, w->name) < 0)
		k.name = NULL;
	r = k.name && k.service ? vw_vec_push(&n->workloads, k, VW_WORKLOADS_MAX) : -ENOMEM;
	if (r < 0) {
		free(k.name);
		free(k.service);
		free(k.image);
		return r;
	}
	vw_vec_foreach (i, &w->ifaces) {
		vw_vec_foreach (ip, &i->ips) {
			struct naming_addr e = {.addr = *ip, .workload = at};

			if (!r)
				r = vw_vec_push(&n->addrs, e, ADDRS_MAX);
		}
	}
	vw_vec_foreach (p, &w->published) {
		struct naming_port e = {.host = p->host_addr,
					.proto = p->proto,
					.port = p->host_port,
					.workload = at};

		if (!r)
			r = vw_vec_push(&n->ports, e, VW_OWNERS_MAX);
	}
	return r;
}

struct claim {
	unsigned ifindex;
	size_t workload;
};

static int claim_cmp(const void *x, const void *y)
{
	const struct claim *a = x, *b = y;

	return (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);
}

static int add_veths(struct vw_naming *n, const struct vw_world *world, const struct vw_compiled *c)
{
	VW_VEC(struct claim) claims = {};
	int r = 0;

	for (size_t w = 0; w < world->workloads.n; w++) {
		vw_vec_foreach (i, &world->workloads.v[w].ifaces) {
			struct claim e = {.ifindex = i->ifindex, .workload = w};

			if (!r && i->ifindex)
				r = vw_vec_push(&claims, e, VW_OWNERS_MAX);
		}
	}
	if (claims.n)
		qsort(claims.v, claims.n, sizeof(*claims.v), claim_cmp);
	vw_vec_foreach (w, &c->walls) {
		struct claim key = {.ifindex = w->ifindex};
		struct claim *at =
			claims.n ? bsearch(&key, claims.v, claims.n, sizeof(key), claim_cmp) : NULL;
		struct naming_veth v = {.ifindex = w->ifindex,
					.workload = at ? at->workload : NOBODY};

		memcpy(v.dev, w->dev, sizeof(v.dev));
		if (!r)
			r = vw_vec_push(&n->veths, v, VW_OWNERS_MAX);
	}
	vw_vec_done(&claims);
	return r;
}

static int addr_cmp(const void *x, const void *y)
{
	return vw_addr_cmp(&((const struct naming_addr *)x)->addr,
			   &((const struct naming_addr *)y)->addr);
}

static int add_node(struct vw_naming *n, const struct vw_world *world)
{
	int r = 0;

	vw_vec_foreach (h, &world->host) {
		struct naming_addr e = {.addr = *h, .workload = NOBODY};

		if (!r)
			r = vw_vec_push(&n->addrs, e, ADDRS_MAX);
	}
	vw_vec_foreach (d, &world->dns) {
		if (!r)
			r = vw_vec_push(&n->dns, *d, VW_OWNERS_MAX);
	}
	return r;
}

int vw_naming_build(struct vw_naming *n, const struct vw_world *world, const struct vw_compiled *c)
{
	_cleanup_(vw_naming_done) struct vw_naming now = {};
	int r = 0;

	vw_vec_foreach (w, &world->workloads) {
		if (!r)
			r = add_workload(&now, w);
	}
	if (!r)
		r = add_veths(&now, world, c);
	if (!r)
		r = add_node(&now, world);
	if (r < 0)
		return r;
	if (now.addrs.n)
		qsort(now.addrs.v, now.addrs.n, sizeof(*now.addrs.v), addr_cmp);
	vw_naming_done(n);
	*n = now;
	now = (struct vw_naming){};
	return 0;
}

static int veth_cmp(const void *key, const void *v)
{
	unsigned a = *(const unsigned *)key, b = ((const struct naming_veth *)v)->ifindex;

	return (a > b) - (a < b);
}

/* The address's only owner, or NULL. */
static const struct naming_addr *owner(const struct vw_naming *n, const struct vw_addr *a)
{
	struct naming_addr key = {.addr = *a};
	const struct naming_addr *e, *end = n->addrs.v + n->addrs.n;

	e = n->addrs.n ? bsearch(&key, n->addrs.v, n->addrs.n, sizeof(key), addr_cmp) : NULL;
	if (!e)
		return NULL;
	if ((e > n->addrs.v && vw_addr_eq(&e[-1].addr, a)) ||
	    (e + 1 < end && vw_addr_eq(&e[1].addr, a)))
		return NULL;
	return e;
}

static bool is_metadata(const struct vw_addr *a)
{
	static const struct vw_addr v4 = {.family = 4, .b = {169, 254, 169, 254}};
	static const struct vw_addr v6 = {.family = 6,
					  .b = {0xfd, 0x00, 0x0e, 0xc2, [14] = 2, 0x54}};

	return vw_addr_eq(a, &v4) || vw_addr_eq(a, &v6);
}

static const char *entity(const struct vw_naming *n, const struct vw_addr *a)
{
	if (is_metadata(a))
		return vw_entity_str(VW_ENTITY_METADATA);
	if (vw_addr_is_multicast(a))
		return "multicast";
	vw_vec_foreach (d, &n->dns) {
		if (vw_addr_eq(d, a))
			return vw_entity_str(VW_ENTITY_DNS);
	}
	return vw_entity_str(VW_ENTITY_WORLD);
}

/* Who is behind an address of the node on this port. */
static size_t published(const struct vw_naming *n, const struct vw_tuple *t)
{
	vw_vec_foreach (p, &n->ports) {
		if (p->proto == t->proto && p->port == t->dport &&
		    (!p->host.family || vw_addr_eq(&p->host, &t->dst)))
			return p->workload;
	}
	return NOBODY;
}

static void name_peer(const struct vw_naming *n, const struct vw_tuple *t,
		      struct vw_flow_names *ret)
{
	bool sent = t->code & VW_CODE_EGRESS;
	const struct vw_addr *a = sent ? &t->dst : &t->src;
	const struct naming_addr *e = owner(n, a);
	size_t w = e ? e->workload : NOBODY;

	if (!e) {
		ret->peer = entity(n, a);
		return;
	}
	if (w == NOBODY && sent)
		w = published(n, t);
	if (w == NOBODY) {
		ret->peer = vw_entity_str(VW_ENTITY_HOST);
		return;
	}
	ret->peer = n->workloads.v[w].name;
	ret->peer_service = n->workloads.v[w].service;
}

void vw_naming_flow(const struct vw_naming *n, const struct vw_compiled *c, unsigned ifindex,
		    const struct vw_tuple *t, struct vw_flow_names *ret)
{
	const struct naming_veth *v = NULL;
	const struct vw_ruleref *rule = vw_compiled_rule(c, t->code);

	*ret = (struct vw_flow_names){};
	if (n->veths.n)
		v = bsearch(&ifindex, n->veths.v, n->veths.n, sizeof(*v), veth_cmp);
	if (v)
		ret->in_iface = v->dev;
	if (v && v->workload != NOBODY) {
		ret->workload = n->workloads.v[v->workload].name;
		ret->service = n->workloads.v[v->workload].service;
		ret->image = n->workloads.v[v->workload].image;
	}
	name_peer(n, t, ret);
	if (rule) {
		ret->policy = rule->policy;
		ret->rule = rule->rule;
		ret->tier = vw_tier_str(rule->tier);
	} else {
		ret->policy = ret->rule = vw_reason_str(t->code);
		ret->tier = vw_tier_str(VW_TIER_DEFAULT);
	}
}
