/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which host-side veth belongs to which workload interface. A veth on the wrong workload would get
 * the wrong policy, so what does not fit exactly one interface stays unattached, and held. Knows
 * nothing of netlink or of the runtime's API. */
#include <string.h>

#include "core/attach.h"

#define NOWHERE ((size_t)-1)

/* What one walk over the candidates found. */
struct found {
	size_t n; /* how many fit */
	struct vw_attached at;
};

static struct vw_iface *iface_at(struct vw_world *world, size_t w, size_t i)
{
	return &world->workloads.v[w].ifaces.v[i];
}

static void found_add(struct found *f, size_t w, size_t i)
{
	if (f->n == 0) {
		f->at.a.workload = w;
		f->at.a.iface = i;
	} else if (f->n == 1) {
		f->at.b.workload = w;
		f->at.b.iface = i;
	}
	f->n++;
}

const struct vw_network *vw_attach_network(const struct vw_network *v, size_t n, const char *bridge)
{
	if (!bridge || !*bridge)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(v[i].bridge, bridge))
			return &v[i];
	return NULL;
}

/* The other end of the veth. Both directions must agree: an ifindex alone means something else in
 * every namespace. */
static const struct vw_inner_link *peer_of(const struct vw_attach_query *q)
{
	for (size_t i = 0; i < q->n_inner; i++)
		if (q->inner[i].ifindex == q->veth->peer && q->inner[i].peer == q->veth->ifindex)
			return &q->inner[i];
	return NULL;
}

/* The nsid of the workload's process; -1: it is in a namespace that we have no id for; -2: unknown.
 */
static int nsid_of(const struct vw_attach_query *q, const char *id)
{
	for (size_t i = 0; i < q->n_pids; i++)
		if (!strcmp(q->pids[i].id, id))
			return q->pids[i].nsid;
	return -2;
}

static bool is_owner(const struct vw_attach_query *q, const struct vw_workload *w)
{
	return nsid_of(q, w->id) == q->veth->nsid;
}

static bool mac_fits(const struct vw_iface *i, const struct vw_inner_link *peer)
{
	return i->has_mac && peer && !memcmp(&i->mac, &peer->mac, sizeof(i->mac));
}

static bool on_network(const struct vw_iface *i, const struct vw_network *net)
{
	return net && i->network && !strcmp(i->network, net->name);
}

static bool is_free(const struct vw_iface *i, const struct vw_attach_query *q)
{
	return !i->ifindex || i->ifindex == q->veth->ifindex;
}

enum method { OWNER_BY_MAC, OWNER_BY_NETWORK, STARTING };

static bool fits(const struct vw_attach_query *q, enum method how, const struct vw_iface *i,
		 const struct vw_inner_link *peer, const struct vw_network *net)
{
	if (!is_free(i, q))
		return false;
	switch (how) {
	case OWNER_BY_MAC:
		/* On a bridge of another network it would be another interface with a stolen MAC.
		 */
		return mac_fits(i, peer) && (!net || on_network(i, net));
	case OWNER_BY_NETWORK:
		return on_network(i, net);
	case STARTING:
		return mac_fits(i, peer) && on_network(i, net);
	}
	return false;
}

/* Asked last: it is a search of its own. */
static bool is_candidate(const struct vw_attach_query *q, enum method how,
			 const struct vw_workload *w)
{
	return how == STARTING ? nsid_of(q, w->id) == -2 : is_owner(q, w);
}

static struct found walk(const struct vw_world *world, const struct vw_attach_query *q,
			 enum method how)
{
	const struct vw_network *net = vw_attach_network(q->networks, q->n_networks, q->bridge);
	const struct vw_inner_link *peer = peer_of(q);
	struct found f = {};

	for (size_t w = 0; w < world->workloads.n; w++) {
		const struct vw_workload *wl = &world->workloads.v[w];

		for (size_t i = 0; i < wl->ifaces.n; i++)
			if (fits(q, how, &wl->ifaces.v[i], peer, net) && is_candidate(q, how, wl))
				found_add(&f, w, i);
	}
	return f;
}

/* One that shares another's namespace has no interfaces and owns nothing. */
static bool has_interfaces(const struct vw_world *world, const char *id)
{
	vw_vec_foreach (w, &world->workloads)
		if (!strcmp(w->id, id))
			return w->ifaces.n > 0;
	return false;
}

static bool has_owner(const struct vw_world *world, const struct vw_attach_query *q)
{
	for (size_t i = 0; i < q->n_pids; i++)
		if (q->pids[i].nsid == q->veth->nsid && has_interfaces(world, q->pids[i].id))
			return true;
	return false;
}

static struct found search(const struct vw_world *world, const struct vw_attach_query *q)
{
	struct found f;

	if (!has_owner(world, q))
		return walk(world, q, STARTING);
	f = walk(world, q, OWNER_BY_MAC);
	return f.n ? f : walk(world, q, OWNER_BY_NETWORK);
}

/* Gives the veth to one interface and takes it from any other. */
static enum vw_attach settle(struct vw_world *world, const struct vw_link *link, size_t w, size_t i)
{
	struct vw_iface *to = iface_at(world, w, i);

	if (to->ifindex == link->ifindex && !strcmp(to->veth, link->name))
		return VW_ATTACH_SAME;
	(void)vw_attach_gone(world, link->ifindex);
	to->ifindex = link->ifindex;
	memcpy(to->veth, link->name, sizeof(to->veth));
	return VW_ATTACH_NEW;
}

static enum vw_attach decide(struct vw_world *world, const struct vw_link *link,
			     const struct found *f, struct vw_attached *ret)
{
	if (!f->n)
		return VW_ATTACH_NONE;
	if (ret)
		*ret = f->at;
	if (f->n > 1)
		return VW_ATTACH_AMBIGUOUS;
	return settle(world, link, f->at.a.workload, f->at.a.iface);
}

/* Whoever has the veth now, or NOWHERE. */
static size_t holder_of(const struct vw_world *world, unsigned ifindex, size_t *ret_iface)
{
	for (size_t w = 0; w < world->workloads.n; w++)
		for (size_t i = 0; i < world->workloads.v[w].ifaces.n; i++)
			if (world->workloads.v[w].ifaces.v[i].ifindex == ifindex) {
				*ret_iface = i;
				return w;
			}
	return NOWHERE;
}

enum vw_attach vw_attach(struct vw_world *world, const struct vw_attach_query *q,
			 struct vw_attached *ret)
{
	size_t i = 0, w;
	struct found f;

	if (q->veth->nsid < 0)
		return VW_ATTACH_NONE;
	w = holder_of(world, q->veth->ifindex, &i);
	/* Settled once, a veth stays: its container may change the MAC that the search goes by.
	 * Only the kernel's word that another's process is in there moves it. */
	if (w != NOWHERE && (is_owner(q, &world->workloads.v[w]) || !has_owner(world, q))) {
		f = (struct found){.n = 1, .at.a = {w, i}};
		return decide(world, q->veth, &f, ret);
	}
	if (w != NOWHERE)
		iface_at(world, w, i)->ifindex = 0;
	f = search(world, q);
	return decide(world, q->veth, &f, ret);
}

enum vw_attach vw_attach_name(struct vw_world *world, const struct vw_link *link,
			      struct vw_attached *ret)
{
	struct found f = {};
	size_t held = 0, holder;

	for (size_t w = 0; w < world->workloads.n; w++)
		for (size_t i = 0; i < world->workloads.v[w].ifaces.n; i++)
			if (!strcmp(iface_at(world, w, i)->veth, link->name))
				found_add(&f, w, i);
	holder = holder_of(world, link->ifindex, &held);
	if (holder != NOWHERE && !f.n) /* renamed */
		found_add(&f, holder, held);
	else if (holder != NOWHERE && strcmp(iface_at(world, holder, held)->veth, link->name) != 0)
		iface_at(world, holder, held)->ifindex = 0;
	return decide(world, link, &f, ret);
}

bool vw_attach_gone(struct vw_world *world, unsigned ifindex)
{
	bool had = false;

	if (!ifindex)
		return false;
	vw_vec_foreach (w, &world->workloads)
		vw_vec_foreach (i, &w->ifaces)
			if (i->ifindex == ifindex) {
				i->ifindex = 0;
				had = true;
			}
	return had;
}

static bool same_network(const struct vw_iface *a, const struct vw_iface *b)
{
	return a->network && b->network ? !strcmp(a->network, b->network)
					: a->network == b->network;
}

/* How many interfaces of w are on the network of i. */
static size_t count_network(const struct vw_workload *w, const struct vw_iface *i)
{
	size_t n = 0;

	vw_vec_foreach (it, &w->ifaces)
		n += same_network(it, i);
	return n;
}

static bool same_iface(const struct vw_workload *ow, const struct vw_iface *o,
		       const struct vw_workload *nw, const struct vw_iface *n)
{
	if (!same_network(o, n) || (n->veth[0] && strcmp(n->veth, o->veth)))
		return false;
	if (o->has_mac && n->has_mac)
		return !memcmp(&o->mac, &n->mac, sizeof(o->mac));
	return count_network(ow, o) == 1 && count_network(nw, n) == 1;
}

void vw_attach_keep(const struct vw_workload *old, struct vw_workload *now)
{
	vw_vec_foreach (n, &now->ifaces)
		vw_vec_foreach (o, &old->ifaces)
			if (o->ifindex && !n->ifindex && same_iface(old, o, now, n)) {
				n->ifindex = o->ifindex;
				memcpy(n->veth, o->veth, sizeof(n->veth));
			}
}
