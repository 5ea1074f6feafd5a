/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names behind addresses outside, as each workload resolved them: for records, and for nothing
 * else. What opens an address is world.learnt. Bounded for each wall, so that one container cannot
 * push out what another one resolved. */
#ifndef VETHWALL_AGENT_NAMES_H
#define VETHWALL_AGENT_NAMES_H

#include "vethwall/addr.h"
#include "vethwall/compile.h"
#include "vethwall/dns.h"

#define VW_NAMES_WALL_MAX 512 /* addresses with a name, of one wall */

struct names_entry {
	struct vw_addr addr;
	char *name;
};

struct names_wall {
	unsigned ifindex;
	size_t next; /* of a full list: the oldest */
	VW_VEC(struct names_entry) list;
};

struct vw_names {
	VW_VEC(struct names_wall) walls; /* sorted by ifindex */
};

void vw_names_done(struct vw_names *n);
/* The wall resolved this: 0 or -ENOMEM. The last name of an address counts. */
int vw_names_put(struct vw_names *n, unsigned ifindex, const struct vw_dns_answer *a);
/* NULL: it has not resolved it, as far as is known. The string lives until the next put. */
const char *vw_names_find(const struct vw_names *n, unsigned ifindex, const struct vw_addr *a);
/* Forgets walls that stand no more. */
void vw_names_keep(struct vw_names *n, const struct vw_compiled *c);

#endif
