/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nf_tables tells everybody after each transaction (NFNLGRP_NFTABLES): one message for each
 * object that it changed, then one with the new generation and the process that did it. */
#ifndef VETHWALL_NFT_EVENT_H
#define VETHWALL_NFT_EVENT_H

#include <linux/netlink.h>

#include "vethwall/ruleset.h"

#define VW_COMM_LEN 16 /* of a process, with NUL: TASK_COMM_LEN */

enum vw_nft_change {
	VW_NFT_TABLE_SET, /* made, or its flags changed */
	VW_NFT_TABLE_GONE,
	VW_NFT_CHAIN_SET, /* made, changed or renamed */
	VW_NFT_CHAIN_GONE,
	VW_NFT_RULE_SET,
	VW_NFT_RULE_GONE,
	VW_NFT_SET_SET,
	VW_NFT_SET_GONE,
	VW_NFT_ELEM_SET,
	VW_NFT_ELEM_GONE,
	VW_NFT_OTHER, /* counters, flow tables and the like in our table */
	VW_NFT_GENERATION, /* the transaction is in force */
	_VW_NFT_CHANGE_MAX
};

struct vw_nft_event {
	enum vw_nft_change change;
	uint32_t portid; /* the netlink socket that sent the transaction; 0: the kernel itself */
	char name[VW_NAME_LEN]; /* of the chain or set; "": longer than any of ours, or none */
	uint32_t pid; /* GENERATION: of the process, 0 unknown */
	char comm[VW_COMM_LEN]; /* GENERATION: its name, as the process likes to be called */
};

/* -ENOENT: not of nf_tables, or about a table that is not ours; -EBADMSG. nlh is whole: its length,
 * padded to four bytes, is within the buffer. (codec/nft_event.c) */
int vw_nft_decode_event(const struct nlmsghdr *nlh, struct vw_nft_event *ret);
/* Each event of one datagram; what is cut or cannot be read is left out. */
void vw_nft_decode_events(const void *buf, size_t n,
			  void (*cb)(const struct vw_nft_event *e, void *arg), void *arg);

#endif
