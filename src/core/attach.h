/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which host-side veth belongs to which workload interface. Pure: the agent asks the kernel, this
 * decides. It never guesses: two that fit are none.
 *
 * How the agent uses it:
 *
 * - link NEW or CHANGED, a veth with nsid >= 0: vw_links_peer(veth, &inner), then vw_attach().
 * - link GONE: vw_attach_gone().
 * - put(w, pid): vw_attach_keep(old, &w), vw_world_put(), then vw_attach() for each veth of the
 * pid's nsid or, without a pid, for each unattached veth that has an nsid.
 * - static runtime: vw_attach_name() on NEW and CHANGED (renames), and for every link after a put.
 *
 * Whatever changes the ifindex of an interface needs a new compile. */
#ifndef VETHWALL_CORE_ATTACH_H
#define VETHWALL_CORE_ATTACH_H

#include "vethwall/link.h"
#include "vethwall/world.h"

/* A workload whose process is known, and the nsid of its namespace: -1 for none. Nsids are recycled
 * at once, so an entry must be as old as the last RTM_DELLINK at most: entries that name the
 * queried nsid have to be asked for again just before the query (vw_links_nsid_of_pid, 10 us). */
struct vw_attach_pid {
	const char *id;
	int nsid;
};

struct vw_attach_query {
	const struct vw_link *veth; /* host side, nsid >= 0 */
	const char *bridge; /* name of veth->master, or NULL when it has none */
	const struct vw_inner_link *inner; /* the links inside veth->nsid */
	size_t n_inner;
	const struct vw_attach_pid *pids;
	size_t n_pids;
	const struct vw_network *networks; /* the runtime's */
	size_t n_networks;
};

enum vw_attach {
	VW_ATTACH_NEW, /* the interface has the veth now, and did not before */
	VW_ATTACH_SAME, /* it had it already */
	VW_ATTACH_NONE, /* nobody expects this veth (yet) */
	VW_ATTACH_AMBIGUOUS, /* two fit: nothing was attached; a and b say which */
};

/* Who was meant. Indices into world->workloads and its ifaces. */
struct vw_attached {
	struct {
		size_t workload, iface;
	} a, b; /* b: the rival, with VW_ATTACH_AMBIGUOUS only */
};

/* Finds the interface of this veth, by one of:
 *  1. a workload whose process is in veth->nsid: its interface with the MAC of veth's peer, else
 * its only interface on the network of that bridge (the kernel vouches for the namespace; the MAC
 * is what the container may have changed);
 *  2. no known process is there (it is just starting): the one interface among workloads without a
 * known process that is not attached yet, has the peer's MAC and is on the network of that bridge.
 * A veth that was attached by 2 and turns out by 1 to be another's moves: VW_ATTACH_NEW. ret (may
 * be NULL) is set except with VW_ATTACH_NONE. */
enum vw_attach vw_attach(struct vw_world *world, const struct vw_attach_query *q,
			 struct vw_attached *ret);

/* By name, for runtimes that name the veth: VW_ATTACH_NEW, _SAME, _NONE or _AMBIGUOUS. An interface
 * that had this ifindex under another name (rename) keeps it, unless one is called by the new. */
enum vw_attach vw_attach_name(struct vw_world *world, const struct vw_link *link,
			      struct vw_attached *ret);

/* The link is gone: whoever had it has none; the name stays, for display and vw_attach_name().
 * True when someone had it. */
bool vw_attach_gone(struct vw_world *world, unsigned ifindex);

/* Hands what is attached on from the last report of a workload to the next one: interfaces are the
 * same by network and MAC (or, with a MAC unknown on one side, by network alone when it is the only
 * one). */
void vw_attach_keep(const struct vw_workload *old, struct vw_workload *now);

/* The network whose bridge this is, or NULL. */
const struct vw_network *vw_attach_network(const struct vw_network *v, size_t n,
					   const char *bridge);

#endif
