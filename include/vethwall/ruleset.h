/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vethwall owns in nftables, as plain values: chains of rules of expressions, sets of
 * elements, and the operations that lead from one state to another. Pure; knows the kernel's words
 * (linux/netfilter/nf_tables.h) but no socket and no library. */
#ifndef VETHWALL_RULESET_H
#define VETHWALL_RULESET_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "vethwall/vec.h"

#define VW_TABLE "vethwall"
#define VW_NAME_LEN 32 /* of a chain or set of ours, with NUL */
#define VW_KEY_MAX 64 /* bytes of a set key */
#define VW_EXPRS_MAX 24 /* per rule */
#define VW_FIELDS_MAX 6 /* per set key */
#define VW_RULE_ID_LEN 8 /* bytes of a rule's content hash in its userdata */

/* Field types, each with its nft datatype id and length; in a concatenation each takes a multiple
 * of four bytes. */
enum vw_ftype {
	VW_F_NONE,
	VW_F_MARK, /* nft mark, 4, host order */
	VW_F_IP4, /* ipv4_addr, 4 */
	VW_F_IP6, /* ipv6_addr, 16 */
	VW_F_PROTO, /* inet_proto, 1 */
	VW_F_PORT, /* inet_service, 2, network order */
	VW_F_IFINDEX, /* iface_index, 4, host order */
	VW_F_IFNAME, /* ifname, 16, padded with NUL */
	_VW_F_MAX
};

enum {
	VW_SET_MAP = 1 << 0, /* data is a mark */
	VW_SET_INTERVAL = 1 << 1, /* elements are ranges; with several fields the kernel's pipapo */
	VW_SET_DYNAMIC = 1 << 2, /* the packet path fills it; elements are readings, never state */
	VW_SET_TIMEOUT = 1 << 3,
	VW_SET_COUNTER = 1 << 4, /* each element has a counter */
	VW_SET_LIMIT = 1 << 5, /* each element lets 1/second, burst 1, through */
};

/* One element: key (klen bytes, fields padded to four), for interval sets the inclusive last key,
 * for maps the data. */
struct vw_elem {
	uint8_t key[VW_KEY_MAX], key_end[VW_KEY_MAX];
	uint32_t data;
};

/* Elements of static sets, packed: stride bytes each = klen, klen again if interval, 4 if map.
 * Sorted bytewise, no key twice. */
struct vw_elems {
	uint8_t *v;
	size_t n, cap; /* elements */
};

/* A reading of one element of a dynamic set. */
struct vw_nft_elem {
	const uint8_t *key;
	size_t klen;
	uint64_t packets, bytes; /* of its counter */
	uint64_t expires_ms, timeout_ms;
};

struct vw_set {
	char name[VW_NAME_LEN];
	uint32_t flags;
	uint8_t fields[VW_FIELDS_MAX]; /* enum vw_ftype, VW_F_NONE ends */
	uint32_t size; /* 0: no bound (static sets) */
	uint32_t timeout_ms; /* default of its elements, 0: none */
	uint8_t family; /* of its table, see below */
	struct vw_elems elems;
};

size_t vw_ftype_len(enum vw_ftype t); /* bytes of the value, without padding */
size_t vw_set_klen(const struct vw_set *s); /* padded */
size_t vw_set_stride(const struct vw_set *s);
/* Offset of field i in the key. */
size_t vw_set_field_offset(const struct vw_set *s, unsigned i);
/* Whether numbers stand in network order in the key, as nft has them where several fields make a
 * range: a mark, which is else in host order. */
bool vw_set_network_order(const struct vw_set *s);
/* A mark as it stands in a key of s, and back. */
uint32_t vw_set_mark(const struct vw_set *s, uint32_t mark);
void vw_elem_get(const struct vw_set *s, size_t i, struct vw_elem *ret);
int vw_elem_push(struct vw_set *s, const struct vw_elem *e, size_t max);
/* Sorts and drops exact duplicates. -EEXIST when a key has two data. */
int vw_elems_sort(struct vw_set *s);
/* Same name, flags, fields, size and timeout: the object in the kernel can stay. */
bool vw_set_same_spec(const struct vw_set *a, const struct vw_set *b);

enum vw_etype {
	VW_E_PAYLOAD, /* load base:offset:len to dreg */
	VW_E_META, /* load meta key to dreg */
	VW_E_META_SET, /* meta key set sreg */
	VW_E_EXTHDR, /* ipv6 extension header: load header `base`, offset, len to dreg; flags 1:
			presence */
	VW_E_IMM, /* dreg = data[len] */
	VW_E_VERDICT, /* verdict: accept, drop, return, jump/goto chain */
	VW_E_CMP, /* sreg op data[len], or the rule ends */
	VW_E_BITWISE, /* dreg = (sreg & data[0..len]) ^ xor (data[len..2len]) */
	VW_E_BYTEORDER, /* dreg = sreg in network order, len 4 */
	VW_E_LOOKUP, /* sreg in set, or the rule ends; op 1 inverts; map (len 4): data to dreg */
	VW_E_DYNSET, /* op add/update/delete key sreg in set, timeout_ms (0: set's own) */
	VW_E_COUNTER,
	VW_E_LIMIT, /* rate per second, burst: over it the rule ends */
	VW_E_LOG, /* NFLOG group, snaplen */
	VW_E_REJECT, /* reject type (NFT_REJECT_*), code */
	_VW_E_MAX
};

/* Registers are numbered as the kernel's 32-bit ones: 0 is NFT_REG32_00; a value of n bytes takes
 * (n+3)/4 of them. */
struct vw_expr {
	uint8_t type;
	uint8_t reg; /* dreg, or sreg where the type only reads */
	uint8_t dreg; /* LOOKUP of a map, BITWISE, BYTEORDER */
	uint8_t base; /* PAYLOAD: NFT_PAYLOAD_*; EXTHDR: header type; META: NFT_META_*; REJECT: type
		       */
	uint8_t op; /* CMP: NFT_CMP_*; DYNSET: NFT_DYNSET_OP_*; LOOKUP: 1 inverts; EXTHDR: flags;
		       REJECT: code */
	uint8_t len; /* bytes; LOOKUP: 4 when the set is a map, else 0 */
	uint16_t offset; /* PAYLOAD, EXTHDR; LOG: group */
	int32_t verdict; /* NF_ACCEPT, NF_DROP, NFT_RETURN, NFT_JUMP, NFT_GOTO */
	uint32_t num; /* DYNSET: timeout_ms; LIMIT: rate; LOG: snaplen */
	uint32_t num2; /* LIMIT: burst; DYNSET: 1: an element that it adds has a counter */
	char name[VW_NAME_LEN]; /* set, or chain of jump/goto */
	uint8_t data[32];
};

struct vw_nftrule {
	const char *what; /* why it stands there: a literal; comment in listings */
	VW_VEC(struct vw_expr) exprs;
	uint64_t id; /* content hash; in userdata */
};

struct vw_chain {
	char name[VW_NAME_LEN];
	bool base; /* then: */
	uint8_t hook; /* NF_NETDEV_INGRESS, NF_NETDEV_EGRESS; in bridge as in inet: NF_INET_... */
	char dev[IFNAMSIZ]; /* netdev only */
	int32_t priority;
	uint8_t policy; /* NF_DROP or NF_ACCEPT */
	uint32_t ifindex; /* in the chain's userdata, so that a reused name is seen */
	uint8_t family;
	VW_VEC(struct vw_nftrule) rules;
};

/* Ours are two tables of one name: netdev holds the walls, bridge the guard. family says which:
 * NFPROTO_NETDEV, written 0, or NFPROTO_BRIDGE. No name is in both. Both lists sorted by name. */
struct vw_ruleset {
	VW_VEC(struct vw_set) sets;
	VW_VEC(struct vw_chain) chains;
};

/* Sorts both lists by name: after objects were appended, before anything is looked up. */
void vw_ruleset_sort(struct vw_ruleset *r);
void vw_chain_done(struct vw_chain *c);
void vw_set_done(struct vw_set *s);
void vw_ruleset_done(struct vw_ruleset *r);
uint64_t vw_hash(const void *p, size_t n, uint64_t seed); /* FNV-1a, 64 bit */
/* Content hash of a rule: expressions only. */
uint64_t vw_nftrule_hash(const struct vw_nftrule *r);
/* Hash over the rules' ids in order. */
uint64_t vw_chain_hash(const struct vw_chain *c);
const struct vw_set *vw_ruleset_set(const struct vw_ruleset *r, const char *name);
const struct vw_chain *vw_ruleset_chain(const struct vw_ruleset *r, const char *name);

/* A change, in the order in which one transaction must carry it. Pointers are borrowed from the
 * rulesets that the plan was made of. */
enum vw_optype {
	VW_OP_ADD_TABLE,
	VW_OP_DEL_TABLE,
	VW_OP_ADD_SET, /* without elements */
	VW_OP_DEL_SET,
	VW_OP_FLUSH_SET,
	VW_OP_ADD_ELEMS, /* elems first..first+count of set */
	VW_OP_DEL_ELEMS, /* likewise */
	VW_OP_ADD_CHAIN, /* without rules */
	VW_OP_DEL_CHAIN,
	VW_OP_FLUSH_CHAIN,
	VW_OP_ADD_RULE, /* append rule to chain */
};

struct vw_op_ir {
	enum vw_optype type;
	const struct vw_set *set;
	const struct vw_chain *chain;
	const struct vw_nftrule *rule;
	size_t first, count;
	uint8_t family; /* of ADD_TABLE, DEL_TABLE */
};

/* NFPROTO_* of the table that it speaks of. */
uint8_t vw_op_family(const struct vw_op_ir *op);
/* "netdev", "bridge" */
const char *vw_family_str(uint8_t family);

struct vw_oplist {
	VW_VEC(struct vw_op_ir) list;
};

/* Prints the ruleset in nft(8) syntax into a malloc'd string (caller frees); NULL without memory.
 */
char *vw_ruleset_print(const struct vw_ruleset *r);
/* The operations likewise, as a unified diff: a line begins with "+ ", "- ", or "  " for a rule
 * that was there and stays. Without these two characters the lines are a script for `nft -f`; what
 * goes without a statement of its own (the rules of a chain that is emptied, the elements of a set
 * that is deleted) is named in comments of it: "- # rule ...". ret_wordless (may be NULL): rules
 * added that nft 1.0.6 cannot parse, each says so in a comment; a change of policies has none. */
char *vw_oplist_print(const struct vw_oplist *ops, size_t *ret_wordless);

#endif
