/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations on our table -> netlink messages of one nf_tables batch. Pure: bytes in memory, no
 * socket. The names that both directions share (userdata types, wire layout of a set's key) stand
 * here too. */
#ifndef VW_CODEC_NFT_ENCODE_H
#define VW_CODEC_NFT_ENCODE_H

#include <libnftnl/batch.h>
#include <linux/netlink.h>

#include "vethwall/ruleset.h"

/* Newer than Debian 12's headers (linux/netfilter/nf_tables.h of 6.9). */
#define VW_NFT_TABLE_F_PERSIST 0x4

/* Userdata is a list of {u8 type, u8 length, value}. nft numbers its own types from 0 and skips
 * those that it does not know, so ours start high. */
enum {
	VW_UDATA_RULE_COMMENT = 0, /* nft's NFTNL_UDATA_RULE_COMMENT */
	VW_UDATA_RULE_ID = 200, /* u64 content hash */
	VW_UDATA_IFINDEX = 202, /* u32 vw_chain.ifindex, in the chain */
	VW_UDATA_SET_SPEC = 203, /* struct vw_udata_set, in the set */
};

/* A set's spec as we made it: the kernel rounds timeouts to ticks, and a key type holds five
 * fields. */
struct vw_udata_set {
	uint32_t flags, size, timeout_ms;
	uint8_t fields[VW_FIELDS_MAX];
	uint8_t pad[2];
};

/* Bytes of a key on the wire: a single field is not padded to four bytes, concatenated ones are. */
size_t vw_nft_wire_klen(const struct vw_set *s);
/* Fields of a key -> nft's datatype id, six bits a field. For listings only: ours is in the
 * userdata. */
uint32_t vw_nft_key_type(const uint8_t fields[static VW_FIELDS_MAX]);

/* Encodes ops as one batch: begin has sequence number seq, the messages of operation i seq + 1 + i,
 * those of the last one ask for an acknowledgement. table_flags are NFT_TABLE_F_* of
 * VW_OP_ADD_TABLE. Without commit the end is left out, so that the kernel validates and throws it
 * away. The caller frees *ret with nftnl_batch_free(). -ENOMEM, -EINVAL (an operation that is no
 * message, *ret_bad is its index). */
int vw_nft_encode(const struct vw_oplist *ops, uint32_t seq, uint32_t table_flags, bool commit,
		  struct nftnl_batch **ret, size_t *ret_bad);
/* Deletion of count keys of klen bytes: one message per key, so that each answers for itself; key i
 * has sequence number seq + 1 + i, those whose skip[i] is set are left out. */
int vw_nft_encode_del_keys(const char *set, const uint8_t *keys, size_t klen, size_t count,
			   const bool *skip, uint32_t seq, struct nftnl_batch **ret);

/* A request to dump what one message type lists of our table in that family (NFPROTO_*):
 * NFT_MSG_GETCHAIN, GETRULE, GETSET, GETSETELEM, GETTABLE. name limits it to a chain's rules or
 * names the set; NULL: all. buf holds at least VW_NFT_REQUEST_MAX bytes. dump false: NFT_MSG_GETGEN
 * and GETTABLE answer with one message. */
#define VW_NFT_REQUEST_MAX 256
struct nlmsghdr *vw_nft_encode_get(void *buf, uint8_t family, uint16_t msg, const char *name,
				   bool dump, uint32_t seq);

#endif
