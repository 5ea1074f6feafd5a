/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who an end of a connection is, found once and asked often. For the core room only. */
#ifndef VW_CORE_PEER_H
#define VW_CORE_PEER_H

#include "vethwall/verdict.h"

/* An end with the workload that its address belongs to filled in, or taken away where two workloads
 * have that address: then nothing may be believed about who it is. */
struct vw_known_end {
	struct vw_end end;
	bool ambiguous;
	/* whose answers count for peers by name: the asking workload's wall, 0: nobody's */
	unsigned asker;
	bool lapsed_too;
};

struct vw_known_end vw_end_resolve(const struct vw_world *world, const struct vw_end *e);
/* vw_peer_matches for an end that is resolved. */
bool vw_known_end_fits(const struct vw_peer *p, const struct vw_world *world,
		       const struct vw_known_end *k);

#endif
