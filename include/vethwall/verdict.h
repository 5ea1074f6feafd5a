/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reference answer: may FROM open a connection to TO on PROTO/PORT, judged straight from
 * policies and world, one packet at a time, with the document and rule that decide at each end.
 * Slow and plain on purpose: it is the oracle that the compiled ruleset is held against. */
#ifndef VETHWALL_VERDICT_H
#define VETHWALL_VERDICT_H

#include "vethwall/policy.h"

/* One end of a connection: a workload's interface, or an address outside. */
struct vw_end {
	const struct vw_workload *workload; /* NULL: not a workload */
	const struct vw_iface *iface; /* NULL: any of the workload's (then addr decides nothing) */
	struct vw_addr addr; /* family 0 when unknown */
};

struct vw_probe {
	struct vw_end from, to;
	uint8_t proto;
	uint16_t port; /* destination port; icmp: type << 8 | code */
};

/* What decided at one end. */
struct vw_decision {
	bool allow;
	bool audited; /* allowed only because the refusing policy is in audit mode */
	bool log; /* the allowing policy has log: true */
	enum vw_tier tier; /* VW_TIER_DEFAULT: no document */
	const struct vw_policy *policy; /* the deciding document, or NULL */
	const struct vw_rule
		*rule; /* the deciding rule, or NULL: isolated and nothing allowed it */
	const struct vw_peer *peer; /* the peer that matched, or NULL (any) */
	const struct vw_policy *near_policy; /* when nothing matched: what came closest, or NULL */
	const struct vw_rule *near_rule;
};

struct vw_verdict {
	bool allow; /* both ends allow */
	struct vw_decision egress, ingress; /* at FROM, at TO; an end that is no workload allows */
};

/* default_deny: the node's `default: deny`. */
void vw_verdict(const struct vw_policyset *set, const struct vw_world *world, bool default_deny,
		const struct vw_probe *probe, struct vw_verdict *ret);
/* One end only: the workload in `self` and the peer in `peer`, in the direction as self sees it. */
void vw_decide(const struct vw_policyset *set, const struct vw_world *world, bool default_deny,
	       enum vw_direction dir, const struct vw_end *self, const struct vw_end *peer,
	       uint8_t proto, uint16_t port, struct vw_decision *ret);
/* Whether the address, and the workload interface it belongs to if any, fits the peer. */
bool vw_peer_matches(const struct vw_peer *p, const struct vw_world *world, const struct vw_end *e);

#endif
