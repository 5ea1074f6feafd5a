/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows folded by who, whom and port: what a person can read of a hundred thousand. Bounded: what
 * does not find a place is summed up in one. */
#ifndef VETHWALL_CLI_DIFF_GROUPS_H
#define VETHWALL_CLI_DIFF_GROUPS_H

#include <stdint.h>

#include "vethwall/flow.h"

#define VW_DIFF_GROUPS_MAX 10000
#define VW_DIFF_PORT_STRLEN 32

/* One or more flows between two ends. */
struct vw_diff_group {
	char *from, *to; /* who opened, and whom: "shop/api-1", "world", or an address */
	uint8_t proto;
	uint16_t port; /* as in struct vw_probe */
	uint64_t flows, packets, bytes;
	int64_t first_us, last_us; /* oldest start and latest sign of life; 0: not known */
	bool at_least; /* it started before first_us */
};

struct vw_diff_groups {
	VW_VEC(struct vw_diff_group) list; /* sorted by ends and port until vw_diff_groups_rank() */
	uint64_t flows, packets; /* of all, folded or not */
	uint64_t unfolded; /* flows in none of the list */
};

void vw_diff_groups_done(struct vw_diff_groups *g);
/* Adds the flows of one; its texts are copied. -ENOMEM. */
int vw_diff_groups_add(struct vw_diff_groups *g, const struct vw_diff_group *one);
/* Most flows first, then by name; nothing can be added any more. */
void vw_diff_groups_rank(struct vw_diff_groups *g);
/* "tcp/5432", "icmp 8/0", "gre". */
const char *vw_diff_port_str(uint8_t proto, uint16_t port, char buf[static VW_DIFF_PORT_STRLEN]);

#endif
