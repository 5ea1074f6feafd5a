/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links and world together: asks the kernel what core/attach.h needs to decide which veth is whose,
 * and keeps the list of veths that are held because nobody claims them. */
#include <string.h>

#include "agent/state.h"
#include "core/attach.h"
#include "vethwall/cleanup.h"

static const char *bridge_of(const struct vw_agent *a, const struct vw_link *l)
{
	const struct vw_link *master = l->master ? vw_links_get(a->links, l->master) : NULL;

	return master ? master->name : NULL;
}

static bool attached(const struct vw_agent *a, unsigned ifindex)
{
	vw_vec_foreach (w, &a->world.workloads) {
		vw_vec_foreach (i, &w->ifaces) {
			if (i->ifindex == ifindex)
				return true;
		}
	}
	return false;
}

/* The pids' nsids, fresh where it matters: an nsid is recycled at once, so whoever is said to be in
 * the queried one, or in none, is asked for again. */
static int pids_for(struct vw_agent *a, int nsid, struct vw_attach_pid **ret, size_t *ret_n)
{
	struct vw_attach_pid *v = calloc(a->known.n ? a->known.n : 1, sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	vw_vec_foreach (k, &a->known) {
		if (k->pid <= 0)
			continue;
		if (k->nsid < 0 || k->nsid == nsid) {
			int fresh;

			k->nsid = vw_agent_asked(a,
						 vw_links_nsid_of_pid(a->links, k->pid, &fresh)) < 0
					  ? -1
					  : fresh;
		}
		v[n++] = (struct vw_attach_pid){.id = k->id, .nsid = k->nsid};
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

static void tell_ambiguous(const struct vw_agent *a, const struct vw_link *l,
			   const struct vw_attached *at)
{
	const struct vw_workload *w = &a->world.workloads.v[at->a.workload];
	const struct vw_workload *rival = &a->world.workloads.v[at->b.workload];

	vw_warn("%s fits both %s/%s and %s/%s: not attached", l->name, w->namespace_, w->name,
		rival->namespace_, rival->name);
}

static enum vw_attach query(struct vw_agent *a, const struct vw_link *l, struct vw_attached *at)
{
	_cleanup_free_ struct vw_attach_pid *pids = NULL;
	struct vw_inner_link inner;
	struct vw_attach_query q = {.veth = l,
				    .bridge = bridge_of(a, l),
				    .inner = &inner,
				    .networks = a->networks.v,
				    .n_networks = a->networks.n};

	if (l->nsid < 0)
		return VW_ATTACH_NONE;
	q.n_inner = vw_agent_asked(a, vw_links_peer(a->links, l, &inner)) == 0;
	if (vw_agent_asked(a, pids_for(a, l->nsid, &pids, &q.n_pids)) < 0)
		return VW_ATTACH_NONE;
	q.pids = pids;
	return vw_attach(&a->world, &q, at);
}

/* What stands there goes by the veth's name and bridge as they were. */
static void tell_changes(struct vw_agent *a, const struct vw_link *l)
{
	const struct vw_wall *w = vw_agent_wall(a, l->ifindex);

	if (w && w->kind == VW_WALL_POLICY && strcmp(w->dev, l->name) != 0)
		vw_heal_link(a, "veth %s renamed to %s", w->dev, l->name);
}

static bool attach_link(struct vw_agent *a, const struct vw_link *l)
{
	struct vw_attached at = {};
	enum vw_attach how;

	if (a->by_name)
		how = vw_attach_name(&a->world, l, &at);
	else
		how = l->veth ? query(a, l, &at) : VW_ATTACH_NONE;
	if (how == VW_ATTACH_AMBIGUOUS)
		tell_ambiguous(a, l, &at);
	return how == VW_ATTACH_NEW;
}

static bool attach_named(struct vw_agent *a, const char *id)
{
	const struct vw_workload *w = vw_world_find(&a->world, id);
	bool news = false;

	for (size_t i = 0; w && i < w->ifaces.n; i++) {
		const struct vw_link *l = w->ifaces.v[i].veth[0]
						  ? vw_links_by_name(a->links, w->ifaces.v[i].veth)
						  : NULL;

		news |= l && attach_link(a, l);
	}
	return news;
}

static bool complete(const struct vw_workload *w)
{
	vw_vec_foreach (i, &w->ifaces) {
		if (!i->ifindex)
			return false;
	}
	return true;
}

bool vw_agent_attach(struct vw_agent *a, const char *id)
{
	const struct vw_workload *w = vw_world_find(&a->world, id);
	struct known *k = vw_agent_known(a, id);
	bool news = false;

	if (a->by_name)
		return attach_named(a, id);
	if (!w || !k)
		return false;
	if (k->pid > 0 && vw_agent_asked(a, vw_links_nsid_of_pid(a->links, k->pid, &k->nsid)) < 0)
		k->nsid = -1;
	if (complete(w) && k->pid <= 0)
		return false;
	for (const struct vw_link *l = vw_links_next(a->links, NULL); l;
	     l = vw_links_next(a->links, l)) {
		if (!l->veth || l->nsid < 0)
			continue;
		if (k->pid > 0 ? l->nsid == k->nsid : !attached(a, l->ifindex))
			news |= attach_link(a, l);
	}
	return news;
}

/* Interfaces whose link is no longer there under that ifindex lose it. */
static bool detach_lost(struct vw_agent *a)
{
	bool news = false;

	vw_vec_foreach (w, &a->world.workloads) {
		vw_vec_foreach (i, &w->ifaces) {
			if (i->ifindex && !vw_links_get(a->links, i->ifindex)) {
				i->ifindex = 0;
				news = true;
			}
		}
	}
	return news;
}

bool vw_agent_attach_all(struct vw_agent *a)
{
	bool news = detach_lost(a);

	for (const struct vw_link *l = vw_links_next(a->links, NULL); l;
	     l = vw_links_next(a->links, l))
		news |= attach_link(a, l);
	return news;
}

static int unsigned_cmp(const void *x, const void *y)
{
	const unsigned *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

static bool in_list(const unsigned *v, size_t n, unsigned ifindex)
{
	return n && bsearch(&ifindex, v, n, sizeof(*v), unsigned_cmp);
}

/* A veth on a bridge of the runtime, or on one that known workloads are on: whoever appears there
 * is their neighbour. One without a master is none: the peer of a container that stops comes back
 * to the host for some 2 ms, under no bridge. */
static bool managed(const struct vw_agent *a, const struct vw_link *l)
{
	const char *bridge = bridge_of(a, l);

	if (!l->veth || !l->master || vw_ifnames_fit(&a->s->guard_exempt, l->name))
		return false;
	return in_list(a->bridges.v, a->bridges.n, l->master) ||
	       vw_attach_network(a->networks.v, a->networks.n, bridge) ||
	       vw_agent_guards_bridge(a, bridge);
}

static int held_cmp(const void *x, const void *y)
{
	const struct held *a = x, *b = y;

	return (a->wall.ifindex > b->wall.ifindex) - (a->wall.ifindex < b->wall.ifindex);
}

static int veth_cmp(const void *x, const void *y)
{
	const struct vw_veth *a = x, *b = y;

	return (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);
}

/* A veth that the guard cannot tell from a container's, though it is on nobody's bridge. */
static bool is_elsewhere(const struct vw_agent *a, const struct vw_link *l)
{
	return a->guard == VW_NFT_GUARD_PORTS && l->veth && l->master && !managed(a, l);
}

static const struct vw_veth *elsewhere_find(const struct vw_agent *a, unsigned ifindex)
{
	const struct vw_veth key = {.ifindex = ifindex};

	if (!a->elsewhere.n)
		return NULL;
	return bsearch(&key, a->elsewhere.v, a->elsewhere.n, sizeof(key), veth_cmp);
}

static const struct held *held_find(const struct vw_agent *a, unsigned ifindex)
{
	struct held key = {.wall.ifindex = ifindex};

	if (!a->held.n)
		return NULL;
	return bsearch(&key, a->held.v, a->held.n, sizeof(*a->held.v), held_cmp);
}

/* ifindexes of all attached interfaces, sorted. */
static int attached_list(const struct vw_agent *a, unsigned **ret, size_t *ret_n)
{
	unsigned *v;
	size_t n = 0;

	vw_vec_foreach (w, &a->world.workloads) {
		n += w->ifaces.n;
	}
	v = calloc(n ? n : 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	n = 0;
	vw_vec_foreach (w, &a->world.workloads) {
		vw_vec_foreach (i, &w->ifaces) {
			if (i->ifindex)
				v[n++] = i->ifindex;
		}
	}
	qsort(v, n, sizeof(*v), unsigned_cmp);
	*ret = v;
	*ret_n = n;
	return 0;
}

/* The bridges of the attached veths. */
static int bridges_list(struct vw_agent *a, const unsigned *taken, size_t n_taken)
{
	size_t n = 0;

	a->bridges.n = 0;
	for (size_t i = 0; i < n_taken; i++) {
		const struct vw_link *l = vw_links_get(a->links, taken[i]);
		int r = l && l->master ? vw_vec_push(&a->bridges, l->master, VW_HELD_MAX) : 0;

		if (r < 0)
			return r;
	}
	if (a->bridges.n)
		qsort(a->bridges.v, a->bridges.n, sizeof(*a->bridges.v), unsigned_cmp);
	for (size_t i = 0; i < a->bridges.n; i++)
		if (!n || a->bridges.v[n - 1] != a->bridges.v[i])
			a->bridges.v[n++] = a->bridges.v[i];
	a->bridges.n = n;
	return 0;
}

/* What becomes of a veth that no workload has. */
struct unclaimed {
	__typeof__(((struct vw_agent *)0)->held) held;
	__typeof__(((struct vw_agent *)0)->elsewhere) elsewhere;
};

static void unclaimed_done(struct unclaimed *u)
{
	vw_vec_done(&u->held);
	vw_vec_done(&u->elsewhere);
}

/* One whose wall the kernel refuses is held as well, or left to the guard. */
static int unclaimed_add(const struct vw_agent *a, const struct vw_link *l, bool taken,
			 struct unclaimed *u)
{
	const struct held *old = held_find(a, l->ifindex);
	struct held h = {.wall.ifindex = l->ifindex, .since_ns = old ? old->since_ns : vw_now_ns()};
	struct vw_veth e = {.ifindex = l->ifindex};
	bool unknown = !taken && a->s->hold_unknown;

	memcpy(h.wall.dev, l->name, sizeof(h.wall.dev));
	memcpy(e.dev, l->name, sizeof(e.dev));
	if (vw_refused_is(a, l->ifindex, VW_REFUSED_LEFT_OUT))
		return 0;
	if (vw_refused_is(a, l->ifindex, VW_REFUSED_HELD) || (unknown && managed(a, l)))
		return vw_vec_push(&u->held, h, VW_HELD_MAX);
	return unknown && is_elsewhere(a, l) ? vw_vec_push(&u->elsewhere, e, VW_HELD_MAX) : 0;
}

int vw_agent_holds(struct vw_agent *a)
{
	_cleanup_(unclaimed_done) struct unclaimed now = {};
	_cleanup_free_ unsigned *taken = NULL;
	size_t n_taken;
	int r;

	vw_refused_review(a, false);
	if (!a->s->hold_unknown && !a->refused.n && !a->held.n)
		return 0;
	r = attached_list(a, &taken, &n_taken);
	if (!r)
		r = bridges_list(a, taken, n_taken);
	for (const struct vw_link *l = r < 0 ? NULL : vw_links_next(a->links, NULL); l && !r;
	     l = vw_links_next(a->links, l))
		r = unclaimed_add(a, l, in_list(taken, n_taken, l->ifindex), &now);
	if (r < 0)
		return r;
	if (now.held.n)
		qsort(now.held.v, now.held.n, sizeof(*now.held.v), held_cmp);
	if (now.elsewhere.n)
		qsort(now.elsewhere.v, now.elsewhere.n, sizeof(*now.elsewhere.v), veth_cmp);
	vw_vec_done(&a->held);
	vw_vec_done(&a->elsewhere);
	memcpy(&a->held, &now.held, sizeof(now.held));
	memcpy(&a->elsewhere, &now.elsewhere, sizeof(now.elsewhere));
	now = (struct unclaimed){};
	return 0;
}

/* Whether the list of held veths would change by what is known of this one now. */
static bool hold_changes(const struct vw_agent *a, const struct vw_link *l)
{
	const struct held *h = held_find(a, l->ifindex);
	const struct vw_veth *e = elsewhere_find(a, l->ifindex);

	if (!a->s->hold_unknown)
		return false;
	if (attached(a, l->ifindex)) /* its bridge is one of theirs from now on */
		return h || (l->master && !in_list(a->bridges.v, a->bridges.n, l->master));
	return managed(a, l) != (h != NULL) || (h && strcmp(h->wall.dev, l->name)) ||
	       is_elsewhere(a, l) != (e != NULL) || (e && strcmp(e->dev, l->name));
}

static bool link_gone(struct vw_agent *a, unsigned ifindex)
{
	bool news = vw_attach_gone(&a->world, ifindex);

	news |= vw_learnt_forget(&a->world, ifindex);
	return news || held_find(a, ifindex) || elsewhere_find(a, ifindex) ||
	       vw_agent_wall(a, ifindex);
}

void vw_agent_on_link(enum vw_link_event ev, const struct vw_link *l, void *agent)
{
	struct vw_agent *a = agent;
	bool news = false;

	switch (ev) {
	case VW_LINK_NEW:
	case VW_LINK_CHANGED:
		tell_changes(a, l);
		news = attach_link(a, l);
		news |= hold_changes(a, l);
		break;
	case VW_LINK_GONE:
		news = link_gone(a, l->ifindex);
		break;
	case VW_LINK_ADDRS:
		if (vw_agent_asked(a, vw_agent_host_addrs(a, &news)) < 0)
			vw_err("addresses of the node: out of memory");
		break;
	case VW_LINK_RESYNC:
		vw_warn("link events were lost: everything was read anew");
		vw_agent_attach_all(a);
		vw_agent_learn_prune(a);
		news = true;
		break;
	}
	if (news)
		vw_agent_dirty(a);
}
