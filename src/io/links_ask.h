/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to rtnetlink, for links.c. All return 0 or -errno. */
#ifndef VETHWALL_IO_LINKS_ASK_H
#define VETHWALL_IO_LINKS_ASK_H

#include <libmnl/libmnl.h>

#include "vethwall/link.h"

#define VW_RTASK_BUF (64u << 10) /* the kernel fills dump buffers up to 32 KiB */

struct vw_rtask;

int vw_rtask_open(struct vw_rtask **ret);
void vw_rtask_free(struct vw_rtask **t);
/* All links (RTM_GETLINK) or addresses (RTM_GETADDR); when they changed meanwhile, from the start
 * after reset(). */
int vw_rtask_dump(struct vw_rtask *t, uint16_t type, mnl_cb_t cb, void (*reset)(void *data),
		  void *data);
/* These three are vw_links_nsid_of_pid(), _inside() and _peer() of links.h. */
int vw_rtask_nsid_of_pid(struct vw_rtask *t, int pid, int *ret_nsid);
int vw_rtask_inside(struct vw_rtask *t, int nsid, struct vw_inner_link *ret, size_t max,
		    size_t *ret_n);
int vw_rtask_link(struct vw_rtask *t, int nsid, unsigned ifindex, struct vw_inner_link *ret);

#endif
