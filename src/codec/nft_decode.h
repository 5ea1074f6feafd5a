/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink messages of nf_tables -> our values. Reads only within the message; what is not of our
 * table or not of our making is told apart, never an abort. */
#ifndef VW_CODEC_NFT_DECODE_H
#define VW_CODEC_NFT_DECODE_H

#include <linux/netlink.h>

#include "vethwall/ruleset.h"

struct vw_nft_table {
	uint8_t family; /* as in ruleset.h */
	uint32_t flags; /* NFT_TABLE_F_* */
	uint32_t owner; /* netlink port of the socket that owns it, 0: none */
};

/* All: 0; -ENOENT: of another table or type; -ENAMETOOLONG: in our table with a name that is not
 * ours; -EBADMSG: malformed. Outputs are untouched on failure. */
int vw_nft_decode_table(const struct nlmsghdr *nlh, struct vw_nft_table *ret);
int vw_nft_decode_gen(const struct nlmsghdr *nlh, uint32_t *ret);
int vw_nft_decode_chain(const struct nlmsghdr *nlh, struct vw_chain *ret);
/* A set not of our making has no fields. */
int vw_nft_decode_set(const struct nlmsghdr *nlh, struct vw_set *ret);

struct vw_nft_rule {
	char chain[VW_NAME_LEN];
	uint64_t id; /* 0: not ours */
	bool has_counter;
	uint64_t packets, bytes;
};
int vw_nft_decode_rule(const struct nlmsghdr *nlh, struct vw_nft_rule *ret);

/* Calls cb for each element of a GETSETELEM answer; cb's non-zero return ends it and is returned.
 * key_end and data are NULL where the element has none. */
struct vw_nft_elem_raw {
	struct vw_nft_elem e;
	const uint8_t *key_end; /* klen bytes */
	const uint8_t *data; /* 4 bytes */
	bool interval_end;
};
int vw_nft_decode_elems(const struct nlmsghdr *nlh,
			int (*cb)(const struct vw_nft_elem_raw *e, void *arg), void *arg);

/* The kernel gives a single-field interval set as starts and ends: collected here, sorted and
 * folded into inclusive ranges. */
struct vw_nft_edge {
	uint8_t key[VW_KEY_MAX];
	uint32_t data;
	bool end;
};
struct vw_nft_edges {
	VW_VEC(struct vw_nft_edge) list;
};
int vw_nft_fold_edges(struct vw_nft_edges *edges, struct vw_set *ret);

/* What an NLMSG_ERROR says: the error (0: acknowledged), positive errno, and the kernel's words or
 * "". */
struct vw_nft_reply {
	int err;
	uint32_t seq;
	char text[128];
};
int vw_nft_decode_reply(const struct nlmsghdr *nlh, struct vw_nft_reply *ret);

#endif
