/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words to write rules with: a builder collects expressions into one rule after another of a chain,
 * and remembers the first failure, so that a renderer reads like the rule it makes. Registers are
 * the kernel's 32-bit ones, 0..15. */
#ifndef VETHWALL_CORE_NFTBUILD_H
#define VETHWALL_CORE_NFTBUILD_H

#include "vethwall/ruleset.h"

struct nftb {
	struct vw_ruleset *out;
	size_t chain; /* index into out->chains of the chain being written */
	struct vw_nftrule rule; /* being written */
	int err; /* first failure, 0 so far */
};

/* Starts a chain; rules go there until the next one. Returns it for base-chain fields (NULL on
 * error; valid until the next nftb_chain). */
struct vw_chain *nftb_chain(struct nftb *b, const char *name);
/* Adds a set that the caller fills in later; NULL on error; valid until the next set. */
struct vw_set *nftb_set(struct nftb *b, const char *name, uint32_t flags, const uint8_t *fields);
/* Ends the rule: what says why it stands there (a literal). */
void nftb_end(struct nftb *b, const char *what);

void nftb_payload(struct nftb *b, uint8_t base, uint16_t off, uint8_t len, uint8_t reg);
void nftb_meta(struct nftb *b, uint8_t key, uint8_t reg);
void nftb_exthdr(struct nftb *b, uint8_t type, uint16_t off, uint8_t len, bool present,
		 uint8_t reg);
void nftb_imm(struct nftb *b, uint8_t reg, const void *data, uint8_t len);
void nftb_cmp(struct nftb *b, uint8_t reg, uint8_t op, const void *data, uint8_t len);
/* reg &= mask, in place. */
void nftb_and(struct nftb *b, uint8_t reg, const void *mask, uint8_t len);
/* reg = data, whatever it holds, by a mask of nothing. */
void nftb_constant(struct nftb *b, uint8_t reg, const void *data, uint8_t len);
/* Four bytes from host to network order, in place. */
void nftb_network_order(struct nftb *b, uint8_t reg);
void nftb_lookup(struct nftb *b, const char *set, uint8_t reg, bool invert);
void nftb_lookup_map(struct nftb *b, const char *map, uint8_t reg, uint8_t dreg);
void nftb_dynset(struct nftb *b, const char *set, uint8_t op, uint8_t reg, uint32_t timeout_ms);
/* An element that it adds has a counter; every packet that is found there counts, too. */
void nftb_dynset_counted(struct nftb *b, const char *set, uint8_t op, uint8_t reg,
			 uint32_t timeout_ms);
void nftb_verdict(struct nftb *b, int32_t verdict, const char *chain);
void nftb_counter(struct nftb *b);
void nftb_limit(struct nftb *b, uint32_t rate, uint32_t burst);
void nftb_log(struct nftb *b, uint16_t group, uint16_t snaplen);
void nftb_reject(struct nftb *b, uint8_t type, uint8_t code);

/* meta mark set value */
void nftb_mark_set(struct nftb *b, uint32_t value);
/* meta mark set reg */
void nftb_mark_from(struct nftb *b, uint8_t reg);
/* meta mark & mask != 0 */
void nftb_mark_has(struct nftb *b, uint32_t mask);
void nftb_u8(struct nftb *b, uint8_t reg, uint8_t op, uint8_t v);
void nftb_u16(struct nftb *b, uint8_t reg, uint8_t op, uint16_t v /* host order */);

#endif
