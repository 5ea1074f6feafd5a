/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nft_kernel.c (changes) and nft_dump.c (readings) share: the two sockets. */
#ifndef VW_IO_NFT_KERNEL_H
#define VW_IO_NFT_KERNEL_H

#include <libmnl/libmnl.h>

#include "codec/nft_decode.h"
#include "vethwall/nft.h"

/* Room for one answer to a dump: the kernel fills as much as it is given, up to 32 KiB
 * (netlink_dump, NLMSG_GOODSIZE of a large skb). */
#define VW_NFT_RECV_BYTES (64u << 10)

struct vw_nft {
	struct mnl_socket *own; /* changes; its port is the table's owner */
	struct mnl_socket *read; /* readings, so that a dump never meets an acknowledgement */
	uint32_t seq, table_flags;
	size_t refused; /* operation of the last transaction, or SIZE_MAX */
	bool never_own;
	bool bridge; /* there is a table of ours in the bridge family, too */
	int lock_fd; /* of an agent that cannot own its table, -1 */
	uint8_t *buf;
};

/* Opens the reading socket, which an interrupted reading has given up: 0 or -errno. */
int vw_nft_open_read(struct vw_nft *n);

/* How a dump went. */
struct vw_nft_trip {
	bool interrupted; /* a commit fell into it */
	unsigned datagrams; /* that the answers came in */
};

/* One datagram of answers to request seq. 1: the last one; 0: more to come; -errno. */
int vw_nft_take_answers(const struct nlmsghdr *nlh, int left, uint32_t seq,
			struct vw_nft_trip *trip, int *cb_ret,
			int (*cb)(const struct nlmsghdr *nlh, void *arg), void *arg);
/* Sends one request on the reading socket and hands its answers to cb until it returns non-zero,
 * which is returned once the rest has been read away. trip is added to; it may be NULL. */
int vw_nft_request(struct vw_nft *n, uint8_t family, uint16_t msg, const char *name, bool dump,
		   struct vw_nft_trip *trip, int (*cb)(const struct nlmsghdr *nlh, void *arg),
		   void *arg);
/* The ruleset's generation, which every commit in the namespace advances. */
int vw_nft_generation(struct vw_nft *n, uint32_t *ret);

#endif
