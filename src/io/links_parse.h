/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnetlink messages -> plain values. */
#ifndef VETHWALL_IO_LINKS_PARSE_H
#define VETHWALL_IO_LINKS_PARSE_H

#include <linux/netlink.h>

#include "vethwall/link.h"

/* An address and the link that has it: the same link-local address may be on several. */
struct vw_hostaddr {
	struct vw_addr addr;
	unsigned ifindex;
};

/* True when the message is about a link, with *ret filled whole; false: about something else
 * (bridge ports have messages of the same type) or malformed. */
bool vw_links_parse(const struct nlmsghdr *nlh, struct vw_link *ret);
/* Likewise for addresses and network namespace ids (RTM_NEWNSID, RTM_DELNSID). */
bool vw_hostaddr_parse(const struct nlmsghdr *nlh, struct vw_hostaddr *ret);
bool vw_nsid_parse(const struct nlmsghdr *nlh, int *ret);

int vw_hostaddr_cmp(const struct vw_hostaddr *a, const struct vw_hostaddr *b);

#endif
