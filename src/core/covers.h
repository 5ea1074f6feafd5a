/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether one part of a policy surely says at least as much as another. "No" may be a "perhaps":
 * the answer serves warnings, not decisions. For the core room only. */
#ifndef VW_CORE_COVERS_H
#define VW_CORE_COVERS_H

#include "vethwall/policy.h"

bool vw_match_covers(const struct vw_match *a, const struct vw_match *b);
bool vw_rule_covers(const struct vw_rule *a, const struct vw_rule *b);

#endif
