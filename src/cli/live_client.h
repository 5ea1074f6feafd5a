/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live flows, asked of the agent and told one by one. */
#ifndef VETHWALL_CLI_LIVE_CLIENT_H
#define VETHWALL_CLI_LIVE_CLIENT_H

#include <jansson.h>

#include "vethwall/diag.h"
#include "vethwall/flow.h"

/* A flow as the agent tells it: in the form of a record, with event `allowed` and the packet that
 * opened it as its tuple. Strings are the answer's. */
struct vw_live_told {
	struct vw_flow f; /* first_us 0: not known since when; packets 0: not counted */
	bool opener_known; /* else f.egress and the tuple's order are guesses */
	bool closing, at_least;
	int64_t idle_ms; /* -1: unknown */
	const json_t *json;
};

struct vw_live_summary {
	uint64_t flows, unlisted; /* unlisted: more than the agent tells */
	uint64_t walls_from_memory; /* not read just now: they are too large for that */
};

/* Calls cb for each; its non-zero return ends it and is returned. As vw_control_ask(), words in d;
 * -EPROTO also when the agent refuses. */
int vw_live_ask(const char *run_dir, int (*cb)(const struct vw_live_told *t, void *arg), void *arg,
		struct vw_live_summary *ret, struct vw_diag *d);

#endif
