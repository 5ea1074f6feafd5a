/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guard: what the kernel itself does with veths on managed bridges whose wall does not stand,
 * be the agent busy, stopped or dead. docs/architecture.md tells the story; core/guard.c renders
 * it. */
#ifndef VETHWALL_GUARD_H
#define VETHWALL_GUARD_H

#include <net/if.h>
#include <stdbool.h>

#include "vethwall/vec.h"

#define VW_IFNAME_PATTERNS_MAX 64 /* of one setting; each costs a rule */

/* An interface's name; where it is a pattern, a '*' at its end stands for anything. */
struct vw_ifname {
	char s[IFNAMSIZ];
};
struct vw_ifnames {
	struct vw_ifname *v;
	size_t n, cap;
};

bool vw_ifname_fits(const struct vw_ifname *pattern, const char *name);
bool vw_ifnames_fit(const struct vw_ifnames *patterns, const char *name);

struct vw_veth {
	unsigned ifindex;
	char dev[IFNAMSIZ];
};

struct vw_guard {
	bool on;
	bool sees_bridges; /* rules can name the bridge of a port, else: */
	VW_VEC(struct vw_veth) elsewhere; /* veths on bridges that are not managed */
	struct vw_ifnames bridges; /* managed: names and patterns */
	struct vw_ifnames exempt; /* veths that are nobody's and pass; patterns */
};
void vw_guard_done(struct vw_guard *g);

#endif
