/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A row: what one class of policies decides for one peer, over all protocols and ports, as disjoint
 * pieces. Made by painting: rules in order of decision, each over the pieces not yet painted. */
#ifndef VETHWALL_CORE_ROWS_H
#define VETHWALL_CORE_ROWS_H

#include "vethwall/compile.h"

/* A rule as a row sees it: its document, and for the peer at hand the fact that it applies. */
struct row_rule {
	const struct vw_policy *policy;
	const struct vw_rule *rule;
	bool dns_only; /* peer `dns` in a rule without ports: udp/53 and tcp/53 */
	uint32_t number; /* of the rule, in decision codes */
};

struct row_seg {
	uint8_t proto;
	uint16_t lo, hi;
	uint32_t code;
};

struct row {
	VW_VEC(struct row_seg) segs; /* by protocol and port; 0..65535 is the whole protocol */
	uint32_t other; /* every protocol that has no segment */
};

struct row_ctx {
	enum vw_direction dir;
	bool default_deny;
	bool default_audit; /* the default only watches */
	bool isolated[2]; /* by enforcing policies; by all (audit included) */
	bool audit; /* some policy is in audit mode */
	const struct vw_workload *named; /* whose port names count, or NULL */
};

/* rules: those whose peer fits, in order of decision. 0 or -ENOMEM, -ENOSPC. */
int row_build(const struct row_ctx *ctx, const struct row_rule *const *rules, size_t n,
	      struct row *ret);
void row_done(struct row *r);
/* Code for one packet; port 0 for protocols without ports. */
uint32_t row_code(const struct row *r, uint8_t proto, uint16_t port);

#endif
