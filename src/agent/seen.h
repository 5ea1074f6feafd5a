/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's memory of allowed connections, for `suggest`: folded by service, peer and port, kept
 * over restarts, and forgotten after a time. */
#ifndef VETHWALL_AGENT_SEEN_H
#define VETHWALL_AGENT_SEEN_H

#include "agent/live.h"
#include "vethwall/seen.h"

struct vw_agent;

struct vw_seen_memory {
	struct vw_seen_table table;
	struct vw_timer *save; /* armed: something is to be saved */
	uint64_t unclear; /* flows that were closing when they were first seen, either way round */
};

/* Reads what an agent before has kept. */
int vw_agent_seen_init(struct vw_agent *a);
void vw_agent_seen_done(struct vw_agent *a);
/* A live flow (vw_live_news). */
void vw_agent_seen_news(void *agent, const struct vw_live_flow *f, bool fresh);

#endif
