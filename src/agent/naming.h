/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for the ends of denied flows, and for what decided. It keeps copies from the world as it
 * was enforced: the last counters of a wall are read when its workload has already left the world.
 */
#ifndef VETHWALL_AGENT_NAMING_H
#define VETHWALL_AGENT_NAMING_H

#include "vethwall/compile.h"
#include "vethwall/denied.h"

struct naming_workload {
	char *name; /* "namespace/name" */
	char *service, *image;
};

struct naming_veth {
	unsigned ifindex;
	char dev[IFNAMSIZ];
	size_t workload; /* index, or SIZE_MAX: held */
};

struct naming_addr {
	struct vw_addr addr;
	size_t workload; /* SIZE_MAX: an address of the node */
};

struct naming_port {
	struct vw_addr host; /* family 0: every address of the node */
	uint8_t proto;
	uint16_t port;
	size_t workload;
};

struct vw_naming {
	VW_VEC(struct naming_workload) workloads;
	VW_VEC(struct naming_veth) veths; /* sorted by ifindex */
	VW_VEC(struct naming_addr) addrs; /* sorted; an address of two workloads names neither */
	VW_VEC(struct naming_port) ports;
	VW_VEC(struct vw_addr) dns;
};

/* Takes the names that belong to these walls: 0, or -ENOMEM and the old names stay. */
int vw_naming_build(struct vw_naming *n, const struct vw_world *world, const struct vw_compiled *c);
void vw_naming_done(struct vw_naming *n);
/* Fills *ret for one flow; strings are borrowed from n and c. */
void vw_naming_flow(const struct vw_naming *n, const struct vw_compiled *c, unsigned ifindex,
		    const struct vw_tuple *t, struct vw_flow_names *ret);

#endif
