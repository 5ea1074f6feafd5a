/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's nf_tables, spoken to over netlink: one owner socket that changes our table, one that
 * reads. All functions return 0 or -errno and add words to d where they take one. */
#ifndef VETHWALL_NFT_H
#define VETHWALL_NFT_H

#include "vethwall/ruleset.h"
#include "vethwall/diag.h"

struct vw_nft;

/* Opens the sockets in the current network namespace. -EPERM: CAP_NET_ADMIN is missing. */
int vw_nft_open(struct vw_nft **ret, struct vw_diag *d);
void vw_nft_free(struct vw_nft **n);

/* The table is left open to others, as on kernels without owned tables; before the claim. One that
 * is owned already stays so. */
void vw_nft_never_own(struct vw_nft *n);
/* The netlink port that changes come from; notifications carry it. */
uint32_t vw_nft_portid(const struct vw_nft *n);

/* Makes or adopts `table netdev vethwall` and `table bridge vethwall` with flags owner,persist; on
 * kernels that lack them, without (then ret_owned is false). -EBUSY: another agent owns it.
 * -EOPNOTSUPP with words: what the kernel lacks and which version has it. */
int vw_nft_claim(struct vw_nft *n, bool *ret_owned, struct vw_diag *d);

/* After the claim: makes the tables again where somebody deleted them, and ends what was done to
 * their flags. 0 or -errno with words in d. */
int vw_nft_retake(struct vw_nft *n, struct vw_diag *d);

/* What a guard in the bridge family can be made of; asked once, after the claim. */
enum vw_nft_guard {
	VW_NFT_GUARD_NONE, /* no such family */
	VW_NFT_GUARD_PORTS, /* rules see ports, not the bridge that they belong to */
	VW_NFT_GUARD_BRIDGES, /* CONFIG_NFT_BRIDGE_META */
};
enum vw_nft_guard vw_nft_guard(struct vw_nft *n);

/* One transaction. All of it or nothing; on failure d tells the operation that the kernel refused
 * and its extended ack. -ENOBUFS never loses a commit silently: acks are checked by generation. */
int vw_nft_commit(struct vw_nft *n, const struct vw_oplist *ops, struct vw_diag *d);
/* The same, but the kernel validates and throws it away. */
int vw_nft_check(struct vw_nft *n, const struct vw_oplist *ops, struct vw_diag *d);

/* Which operation of the last transaction the kernel refused first; SIZE_MAX: none in particular.
 */
size_t vw_nft_refused(const struct vw_nft *n);

/* What is there now: chains with the ids of their rules (rules[].exprs empty; a rule without our id
 * has id 0), specs of sets, elements of static sets. Replayed until the generation is the same
 * before and after. No table: an empty ruleset. */
int vw_nft_dump(struct vw_nft *n, struct vw_ruleset *ret, struct vw_diag *d);
/* The same of those chains and sets whose names wanted() wants; NULL: all. */
int vw_nft_dump_some(struct vw_nft *n, bool (*wanted)(const char *name, void *arg), void *arg,
		     struct vw_ruleset *ret, struct vw_diag *d);

/* Calls cb for each element of a set of table netdev; cb's non-zero return ends it and is returned;
 * cb must not use n. -ENOENT: no such set. While packets fill the set, an element may come twice,
 * and one may be missed when the kernel resizes it meanwhile: who must see all of them reads until
 * a reading brings nothing new. */
int vw_nft_dump_set(struct vw_nft *n, const char *set,
		    int (*cb)(const struct vw_nft_elem *e, void *arg), void *arg);
/* The same bit by bit, on a socket of its own, for those who must not be away for long; what a
 * commit meanwhile means is as above. */
struct vw_nft_walk;
int vw_nft_walk_new(const char *set, struct vw_nft_walk **ret);
void vw_nft_walk_free(struct vw_nft_walk **w);
/* The next 32 KiB of elements. 1: there is more; 0: that was all; -ENOENT, other -errno, or what
 * cb returned. */
int vw_nft_walk_step(struct vw_nft_walk *w, int (*cb)(const struct vw_nft_elem *e, void *arg),
		     void *arg);
/* Deletes the given keys (packed, klen bytes each) from one set; keys that are gone already are
 * fine. */
int vw_nft_delete_keys(struct vw_nft *n, const char *set, const uint8_t *keys, size_t klen,
		       size_t count, struct vw_diag *d);
/* Counters of the counter expressions of one chain's rules, in order: packets, bytes. Returns how
 * many rules have one (filled up to max), or -errno. */
int vw_nft_chain_counters(struct vw_nft *n, uint8_t family, const char *chain, uint64_t (*ret)[2],
			  size_t max);

#endif
