/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listens to what others change in nf_tables of this network namespace. No decisions here. */
#ifndef VETHWALL_NFT_MONITOR_H
#define VETHWALL_NFT_MONITOR_H

#include "vethwall/diag.h"
#include "vethwall/nft_event.h"

struct vw_nft_monitor;

/* Changes of the socket own (vw_nft_portid()) are not told: the kernel drops them before they take
 * room. 0 or -errno with words in d. */
int vw_nft_monitor_open(uint32_t own, struct vw_nft_monitor **ret, struct vw_diag *d);
void vw_nft_monitor_free(struct vw_nft_monitor **m);
int vw_nft_monitor_fd(const struct vw_nft_monitor *m);
/* Calls cb for each change of our tables by others, and for each generation that others began.
 * 0: nothing is left; 1: there may be more; -ENOBUFS: something was lost; other -errno. */
int vw_nft_monitor_process(struct vw_nft_monitor *m,
			   void (*cb)(const struct vw_nft_event *e, void *arg), void *arg);

#endif
