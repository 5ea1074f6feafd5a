/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcapng as far as we write and read it (draft-ietf-opsawg-pcapng): one section with one interface
 * of raw IP packets, each with a comment that says whose packet it is and what refused it. The
 * blocks are in codec/pcapng.c, files in io. */
#ifndef VETHWALL_PCAPNG_H
#define VETHWALL_PCAPNG_H

#include "vethwall/flow.h"

#define VW_PCAPNG_SNAPLEN 65535
#define VW_PCAPNG_COMMENT_MAX 4096 /* bytes; what is longer is cut */
#define VW_PCAPNG_HEAD_MAX 256 /* bytes that vw_pcapng_head() writes at most */
#define VW_PCAPNG_PACKET_MAX (VW_PCAPNG_SNAPLEN + VW_PCAPNG_COMMENT_MAX + 64)
#define VW_PCAPNG_BLOCK_MAX (1u << 20) /* a block that claims more is no block */

struct vw_pcapng_packet {
	int64_t time_us; /* since 1970 */
	const uint8_t *data; /* from the IP header on */
	size_t caplen; /* bytes of it that were kept */
	size_t len; /* bytes that the packet had */
	bool received; /* the interface received it: the container sent it */
	struct vw_str comment; /* s is NULL where there is none */
};

/* The comment of a packet whose flow has these names: "workload=shop/api-1 service=api
 * direction=egress in_iface=veth12 peer=world policy=default rule=default", controls escaped.
 * Returns its length; buf ends in NUL. */
size_t vw_pcapng_comment(const struct vw_flow *f, char buf[static VW_PCAPNG_COMMENT_MAX]);
/* The value behind "name=" in a comment; s is NULL if it has none. */
struct vw_str vw_pcapng_comment_get(const struct vw_str *comment, const char *name);

/* Section and interface; returns their length. */
size_t vw_pcapng_head(uint8_t buf[static VW_PCAPNG_HEAD_MAX]);
/* One packet; returns its length. caplen and comment are cut at their bounds. */
size_t vw_pcapng_packet(const struct vw_pcapng_packet *p, uint8_t buf[static VW_PCAPNG_PACKET_MAX]);

/* What has to be remembered from block to block. Zeroed before the first. */
struct vw_pcapng_state {
	bool section, swapped, raw; /* raw: the section's first interface has LINKTYPE_RAW */
};
/* The block at p, of which n bytes are there. 1: a packet, *ret points into p. 0: another block.
 * *ret_used: the block's bytes. -EAGAIN: more bytes are needed, *ret_used of them. -EINVAL: no
 * pcapng. -EMSGSIZE: a block of more than VW_PCAPNG_BLOCK_MAX. -EMEDIUMTYPE: packets that do not
 * begin with an IP header. Bounded reads only. */
int vw_pcapng_decode(const uint8_t *p, size_t n, struct vw_pcapng_state *st,
		     struct vw_pcapng_packet *ret, size_t *ret_used);

/* ---- files (io/pcapng_read.c) ---- */

struct vw_pcapng {
	int fd; /* borrowed */
	struct vw_pcapng_state st;
	uint8_t *buf;
	size_t cap, start, fill;
	uint64_t offset; /* behind the last whole block */
};
int vw_pcapng_init(struct vw_pcapng *r, int fd);
void vw_pcapng_done(struct vw_pcapng *r);
/* 1 and a packet, which stays until the next call; 0: the end, or an incomplete last block (the
 * writer is at it); otherwise as vw_pcapng_decode(), or -errno of reading. */
int vw_pcapng_next(struct vw_pcapng *r, struct vw_pcapng_packet *ret);
/* Section and interface, then packets, to a descriptor (`flows --format pcap`). 0 or -errno. */
int vw_pcapng_write_head(int fd);
int vw_pcapng_write(int fd, const struct vw_pcapng_packet *p);

#endif
