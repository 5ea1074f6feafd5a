/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that people write -> ends of a connection. For the core room only. */
#ifndef VW_CORE_ENDS_H
#define VW_CORE_ENDS_H

#include "vethwall/explain.h"

/* One way to call a workload. namespace_ is "" for the short ways. */
struct vw_end_name {
	enum {
		VW_END_NAME, /* namespace and name */
		VW_END_SERVICE, /* namespace and service */
		VW_END_BARE_SERVICE,
		VW_END_BARE_NAME,
	} kind;
	const char *namespace_, *name;
	uint32_t workload;
};

struct vw_ends {
	const struct vw_world *world;
	VW_VEC(struct vw_end_name) names; /* sorted */
	VW_VEC(uint32_t) published; /* workloads that publish ports */
};

int vw_ends_init(struct vw_ends *e, const struct vw_world *world);
void vw_ends_done(struct vw_ends *e);
/* Both ends of the question, on interfaces that can reach each other where there are such.
 * *ret_port differs from the question's where a published port leads elsewhere. 0, -EINVAL with
 * why. */
int vw_ends_choose(const struct vw_ends *e, const struct vw_question *q, struct vw_probe *ret,
		   char why[static VW_WHY_MAX]);

#endif
