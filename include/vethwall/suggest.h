/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From connections that were seen to the smallest ServicePolicy documents that allow them: one for
 * each service, what opened towards it and what it opened. Loaded beside the other documents and
 * enforced, they deny nothing of it that no guardrail denies. Pure. */
#ifndef VETHWALL_SUGGEST_H
#define VETHWALL_SUGGEST_H

#include "vethwall/seen.h"
#include "vethwall/verdict.h"

struct vw_suggest_options {
	const char *service; /* "namespace/service" or the service alone; NULL: all */
	size_t fold; /* more outside addresses than this on one port become `world`; 0: never */
};

/* How well something is founded. */
struct vw_evidence {
	uint64_t count;
	int64_t first_us, last_us;
	unsigned sources; /* VW_SEEN_LIVE, ... */
};

struct vw_suggested {
	struct vw_policy policy;
	VW_VEC(struct vw_evidence) seen[_VW_DIRECTION_MAX]; /* one for each of its rules */
};

/* Seen, but not in the documents. */
struct vw_unsuggested {
	struct vw_seen seen;
	const struct vw_policy *policy; /* the guardrail that denies it; NULL: a name in it that no
					   policy can spell, or port 0 */
	const struct vw_rule *rule;
	enum vw_direction dir; /* of the rule */
	bool partly; /* some workloads of the services: for others the documents allow it */
};

struct vw_suggestions {
	VW_VEC(struct vw_suggested) docs; /* by namespace and service */
	VW_VEC(struct vw_unsuggested) left; /* seen is borrowed from the table */
};

void vw_suggestions_done(struct vw_suggestions *s);
/* others: what will stand beside the documents (guardrails, names that are taken); borrowed as long
 * as *ret lives, as seen is. 0 or -ENOMEM, -ENOSPC (more than a document may hold). */
int vw_suggest(const struct vw_seen_table *seen, const struct vw_policyset *others,
	       const struct vw_world *world, const struct vw_suggest_options *o,
	       struct vw_suggestions *ret);

/* ---- codec ---- */

/* One document, with a comment on each rule; caller frees; NULL without memory.
 * (codec/suggest_yaml.c) */
char *vw_suggested_yaml(const struct vw_suggested *d);
/* What was left out and why, as comment lines; "" when nothing was. */
char *vw_unsuggested_text(const struct vw_suggestions *s);

#endif
