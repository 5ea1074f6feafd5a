/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent knows of live flows: it reads the walls' live sets now and then, so that the age
 * of a flow is known to within the interval, and whenever somebody asks. */
#ifndef VETHWALL_AGENT_LIVE_H
#define VETHWALL_AGENT_LIVE_H

#include "vethwall/compile.h"
#include "vethwall/loop.h"
#include "vethwall/nft.h"

#define VW_LIVE_KNOWN_MAX 200000 /* flows whose age is kept, over all walls; 80 bytes each */
#define VW_LIVE_SHARE_MIN 64 /* of one wall, however many there are */

/* A live flow as a reading saw it. */
struct vw_live_flow {
	unsigned ifindex;
	struct vw_live l;
	bool opener_known; /* else l.opened says nothing: it was closing when it was first seen */
	bool at_least; /* it was there before the agent was */
	int64_t first_us; /* of the reading that saw it first, microseconds since 1970; 0: unknown
			   */
	int64_t last_ms; /* monotonic: its last packet; 0: unknown */
	uint64_t packets, bytes; /* 0: not counted */
};

struct vw_live_stats {
	size_t walls;
	size_t flows; /* at the last reading of each wall */
	size_t unknown; /* of these, whose age did not fit */
	uint64_t readings, failed;
};

/* fresh: no reading before saw it; else it is told again once an hour. */
typedef void (*vw_live_news)(void *arg, const struct vw_live_flow *f, bool fresh);

struct vw_live_watch;
int vw_live_watch_new(struct vw_loop *loop, struct vw_nft *nft, int64_t interval_ms,
		      vw_live_news news, void *arg, struct vw_live_watch **ret);
void vw_live_watch_free(struct vw_live_watch **w);
/* These walls stand, others are forgotten. old: those that are new here may have stood before the
 * agent. now is borrowed until the next call. 0 or -ENOMEM. */
int vw_live_watch_walls(struct vw_live_watch *w, const struct vw_compiled *now, bool old);
/* All flows of a wall, read now; or, where the wall was so large that it has to rest, or fresh is
 * false, those remembered: then *ret_remembered. -ENOENT: no such wall. */
int vw_live_watch_each(struct vw_live_watch *w, unsigned ifindex, bool fresh,
		       void (*cb)(const struct vw_live_flow *f, void *arg), void *arg,
		       bool *ret_remembered);
void vw_live_watch_stats(const struct vw_live_watch *w, struct vw_live_stats *ret);

/* Pure: milliseconds since the flow's last packet, from what its element has left; -1: cannot be
 * told. age_ms: how long it is known at least. */
int64_t vw_live_idle(const struct vw_live *l, const struct vw_config *cfg, uint64_t timeout_ms,
		     uint64_t expires_ms, int64_t age_ms);

#endif
