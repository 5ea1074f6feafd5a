/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links and addresses of this network namespace, kept current by rtnetlink. No decisions here. */
#ifndef VETHWALL_LINKS_H
#define VETHWALL_LINKS_H

#include "vethwall/addr.h"
#include "vethwall/diag.h"
#include "vethwall/link.h"
#include "vethwall/vec.h"

enum vw_link_event {
	VW_LINK_NEW,
	VW_LINK_CHANGED,
	VW_LINK_GONE,
	VW_LINK_ADDRS /* host addresses changed */,
	VW_LINK_RESYNC /* events were lost (ENOBUFS): everything was read anew */
};

struct vw_links;
typedef void (*vw_link_cb)(enum vw_link_event ev, const struct vw_link *l, void *arg);

/* Subscribes, then dumps (no gap). The callback comes only from vw_links_process(). */
int vw_links_open(vw_link_cb cb, void *arg, struct vw_links **ret, struct vw_diag *d);
void vw_links_free(struct vw_links **l);
int vw_links_fd(const struct vw_links *l);
/* Reads what is there without blocking and calls back; the callback may ask vw_links_* anything.
 * After lost messages each difference is reported as usual, then VW_LINK_RESYNC. l is NULL with
 * VW_LINK_ADDRS and VW_LINK_RESYNC, and lives until the callback returns with VW_LINK_GONE. -errno:
 * what is shown may be old; call again, it will read everything anew. */
int vw_links_process(struct vw_links *l);

const struct vw_link *vw_links_get(const struct vw_links *l, unsigned ifindex);
const struct vw_link *vw_links_by_name(const struct vw_links *l, const char *name);
/* Iteration: pass NULL first; in no order. */
const struct vw_link *vw_links_next(const struct vw_links *l, const struct vw_link *prev);
/* Non-loopback addresses of the namespace, sorted; owned by l. */
const struct vw_addr *vw_links_addrs(const struct vw_links *l, size_t *ret_n);

/* nsid that this namespace has for the one of a process; assigns none. -ENOENT: none yet. */
int vw_links_nsid_of_pid(struct vw_links *l, int pid, int *ret_nsid);
/* The other end of a veth, inside its namespace, by RTM_GETLINK with IFLA_TARGET_NETNSID (needs
 * CAP_NET_ADMIN). One question: what a container makes inside its namespace does not lengthen it,
 * so prefer this to vw_links_inside(). -ENODEV: it is not there (any more), -EINVAL: no such nsid.
 */
int vw_links_peer(struct vw_links *l, const struct vw_link *veth, struct vw_inner_link *ret);
/* The inside of a namespace, likewise: each link with its MAC and peer (the host-side ifindex); the
 * first max of them, -E2BIG (with *ret_n = max) when there are more. */
int vw_links_inside(struct vw_links *l, int nsid, struct vw_inner_link *ret, size_t max,
		    size_t *ret_n);

#endif
