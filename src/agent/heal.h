/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tampering: what others did to our tables, and that it was undone. */
#ifndef VETHWALL_AGENT_HEAL_H
#define VETHWALL_AGENT_HEAL_H

#include "vethwall/change.h"
#include "vethwall/log.h"
#include "vethwall/loop.h"
#include "vethwall/nft_monitor.h"

#define VW_TAMPER_LEN 160

/* What is known of a transaction of somebody else's that is not repaired yet. */
struct vw_tamper {
	struct vw_scope scope;
	char what[VW_TAMPER_LEN]; /* its first, or gravest, change; "" */
	uint64_t changes;
	bool grave; /* what names the table itself */
	bool lost; /* notifications were: anything may have happened */
	bool fills; /* elements of sets that the packet path fills */
	uint32_t portid, pid; /* pid 0: not known (yet) */
	char comm[VW_COMM_LEN];
	int64_t seen_ns; /* CLOCK_MONOTONIC: first read of */
	/* Repaired before all of its notifications were read: */
	bool done;
	int result; /* 0 or -errno */
	size_t ops;
	double ms;
};

struct vw_heal {
	struct vw_nft_monitor *monitor;
	struct vw_timer *repair, *verify, *record;
	struct vw_tamper now;
	struct vw_ratelimit log;
	size_t verified; /* walls, in this round */
	/* against another program that does it again and again */
	int64_t window_ns;
	unsigned in_window;
	bool fight;

	uint64_t tamperings, lost; /* lost: times that notifications were */
	char last[2 * VW_TAMPER_LEN]; /* "" */
	int64_t last_ns; /* CLOCK_REALTIME */
	double last_ms; /* until it was repaired; < 0: there was nothing to repair */
};

#endif
