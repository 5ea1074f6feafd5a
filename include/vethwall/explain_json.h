/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer as JSON, the same from the agent and offline. docs/man/vethwall.8 documents the fields.
 */
#ifndef VETHWALL_EXPLAIN_JSON_H
#define VETHWALL_EXPLAIN_JSON_H

#include <jansson.h>

#include "vethwall/explain.h"

/* {from, to, proto, port, family, verdict, egress: {...}, ingress: {...}}; an end has verdict,
 * tier, kind, policy, rule, and where there are such file, line, column, peer, audited, closest.
 * NULL without memory. */
json_t *vw_explain_json(const struct vw_question *q, const struct vw_answer *a);
/* The same with policy and rule only for each end: what --batch prints. */
json_t *vw_explain_json_short(const struct vw_question *q, const struct vw_answer *a);
/* One end of either. walled: it is a workload. */
json_t *vw_decision_json(const struct vw_decision *d, enum vw_direction dir, bool walled);

#endif
