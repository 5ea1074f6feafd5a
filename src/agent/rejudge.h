/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A permission that ends cuts the live flows that it covered, and only those: after a commit, the
 * live flows of the walls whose judgement may have changed are judged again under the new policy.
 */
#ifndef VETHWALL_AGENT_REJUDGE_H
#define VETHWALL_AGENT_REJUDGE_H

#include "vethwall/compile.h"
#include "vethwall/loop.h"
#include "vethwall/nft.h"

typedef VW_VEC(unsigned) vw_ifindexes; /* sorted, none twice */

struct vw_rejudge {
	struct vw_nft *nft;
	const struct vw_compiled *now; /* what is in force when the timers fire */
	struct vw_timer *timer, *later_timer;
	vw_ifindexes queue, later;
	uint64_t cut; /* flows, since the start */
};

int vw_rejudge_init(struct vw_rejudge *j, struct vw_loop *loop, struct vw_nft *nft,
		    const struct vw_compiled *now);
void vw_rejudge_done(struct vw_rejudge *j);
/* Old is being replaced by now: notes the walls to look at. 0 or -ENOMEM. */
int vw_rejudge_note(struct vw_rejudge *j, const struct vw_compiled *old,
		    const struct vw_compiled *now);
/* All policy walls: what was in force before is not known. */
int vw_rejudge_all(struct vw_rejudge *j, const struct vw_compiled *now);
/* Judges the first of what was noted, the rest from the loop. */
void vw_rejudge_run(struct vw_rejudge *j);
/* Judges the rest now, as far as this time goes; returns how many walls are left. */
size_t vw_rejudge_drain(struct vw_rejudge *j, int64_t max_ms);

/* Pure. Walls whose judgement may be stricter under now than under old; soon: by a change of policy
 * or by an address that lost its owner; later: by an address that was nobody's and is somebody's.
 */
int vw_rejudge_walls(const struct vw_compiled *old, const struct vw_compiled *now,
		     vw_ifindexes *soon, vw_ifindexes *later);

#endif
