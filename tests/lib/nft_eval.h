/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a ruleset's values over a packet as the kernel's nf_tables would (net/netfilter/nft_*.c,
 * nf_tables_core.c), so that what the renderer writes can be tested without root and in any state.
 * Time stands still; limits have a budget. */
#ifndef TESTS_NFT_EVAL_H
#define TESTS_NFT_EVAL_H

#include <stddef.h>
#include <stdint.h>

#include "vethwall/ruleset.h"

struct nft_elem {
	char set[VW_NAME_LEN];
	uint8_t key[VW_KEY_MAX];
	uint32_t timeout_ms; /* it was made with */
	uint32_t expires_ms; /* it was refreshed with */
	uint64_t packets;
	unsigned tokens; /* of its limit */
};

enum nft_result { NFT_ACCEPTED, NFT_DROPPED, NFT_REJECTED };

struct nft_eval {
	const struct vw_ruleset *rules; /* sorted */
	VW_VEC(struct nft_elem) elems; /* of dynamic sets */
	unsigned limit_budget; /* packets that limits still let through */
	uint32_t size; /* of dynamic sets; 0: as declared */
	/* of the last packet */
	uint32_t mark;
	unsigned logs;
	uint32_t log_mark; /* at the last log */
	uint8_t reject_type, reject_code;
	const char *last_rule; /* whose verdict ended it */
	char error[128]; /* what the kernel would not have loaded; "" */
};

/* Whether the kernel would take it: jumps and sets exist, registers fit, no reject at egress. */
int nft_eval_check(struct nft_eval *e);
enum nft_result nft_eval_run(struct nft_eval *e, const char *chain, const uint8_t *frame,
			     size_t len, uint32_t mark);
void nft_eval_done(struct nft_eval *e);

#endif
