/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of `vethwall suggest` share: the question, and what was gathered for it. */
#ifndef VETHWALL_CLI_SUGGEST_H
#define VETHWALL_CLI_SUGGEST_H

#include "vethwall/suggest.h"

#define VW_SUGGEST_PATHS_MAX 64

/* Where connections are looked for. */
enum {
	VW_FROM_LIVE = 1 << 0,
	VW_FROM_MEMORY = 1 << 1,
	VW_FROM_AUDITED = 1 << 2,
	VW_FROM_ALLOWED = 1 << 3,
	VW_FROM_DENIED = 1 << 4,
	VW_FROM_AGENT = VW_FROM_LIVE | VW_FROM_MEMORY,
	VW_FROM_LOG = VW_FROM_AUDITED | VW_FROM_ALLOWED | VW_FROM_DENIED,
};

struct vw_suggest_query {
	const char *run_dir, *log_dir, *world, *out;
	VW_VEC(const char *) policies; /* what stands beside; empty: the agent's */
	unsigned from;
	int64_t since_us, now_us;
	struct vw_suggest_options o;
};

struct vw_gathered {
	struct vw_world world;
	struct vw_policyset others;
	struct vw_seen_table seen;
	uint64_t as[_VW_SEEN_AS_MAX]; /* records and flows by what they are */
	uint64_t unclear; /* live flows of which nobody knows who opened them */
	uint64_t forgotten; /* that the agent or this had no room for */
	uint64_t bad, gaps; /* lines of the log that are no records; that tell of a gap */
};

void vw_gathered_done(struct vw_gathered *g);
/* 0, or -errno with words in d; -EINVAL: a file is invalid. */
int vw_suggest_gather(const struct vw_suggest_query *q, struct vw_gathered *ret, struct vw_diag *d);

#endif
