/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is probably a mistake in policies that are valid, and whether they do what they themselves
 * say they do. Findings are warnings in the diag, each with the rule's name, by which it can be
 * silenced:
 *
 * unmatched-subject    a policy selects nothing in the world (only with a world)
 * unmatched-peer       a peer fits nothing in the world (only with a world)
 * covered-rule         another rule of the document covers this one whole
 * denied-by-guardrail  a guardrail refuses all that this rule allows
 * isolated-from-dns    egress is isolated and nothing lets the workload ask a resolver
 *
 * The readers add: cidr-host-bits, duplicate-address. */
#ifndef VETHWALL_LINT_H
#define VETHWALL_LINT_H

#include "vethwall/policy.h"

/* The names above, NULL at the end. */
extern const char *const vw_lint_rules[];

/* world may be NULL. silenced: names of rules that are not looked for. */
void vw_lint(const struct vw_policyset *set, const struct vw_world *world,
	     const char *const *silenced, size_t n_silenced, struct vw_diag *d);
/* Judges every expect: line; one that does not hold is an error at its place. 0 or -ENOMEM. */
int vw_expect_run(const struct vw_policyset *set, const struct vw_world *world, bool default_deny,
		  struct vw_diag *d, size_t *ret_checked, size_t *ret_failed);

#endif
