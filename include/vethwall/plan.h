/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The difference between two states of the table, as operations in the order that one transaction
 * must carry them. */
#ifndef VETHWALL_PLAN_H
#define VETHWALL_PLAN_H

#include "vethwall/compile.h"

/* Operations that lead from `have` to `want`, for rulesets that hold whole objects: the chains and
 * sets of both are compared by name; a chain whose hash, device, hook, policy or ifindex differs
 * gets new rules (its sets stay), a static set gets the elements that differ, what `want` lacks is
 * deleted. Pointers in *ret are borrowed from both. 0 or -ENOMEM. */
int vw_plan(const struct vw_ruleset *have, const struct vw_ruleset *want, struct vw_oplist *ret);

#endif
