/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What has to change in the kernel: the parts of the table that differ between what is in force and
 * what is wanted. Pure. Only what differs is rendered, so that one container more costs one wall,
 * and a thousand that are right after a restart cost none. */
#ifndef VETHWALL_CHANGE_H
#define VETHWALL_CHANGE_H

#include "vethwall/compile.h"
#include "vethwall/plan.h"

/* Walls that the table has not seen yet are put up this many in a transaction: bounds the memory of
 * a first load, 64 walls of some 40 KiB rendered. */
#define VW_CHANGE_NEW_MAX 64

/* vw_plan(&have, &want) is the change, one transaction. */
struct vw_change {
	struct vw_ruleset have, want;
	VW_VEC(unsigned) absent; /* ifindexes of new walls left for vw_change_more(), sorted */
	bool guarded; /* the guard stands after it; a first one waits for the last wall, so that
		       * it harms nobody whose wall is still to come */
};

void vw_change_done(struct vw_change *c);
/* From what was committed last. */
int vw_change_between(const struct vw_compiled *old, const struct vw_compiled *now,
		      struct vw_change *ret);
/* From a dump of the table, which is taken apart (and stays the caller's to release). */
int vw_change_adopt(struct vw_ruleset *dump, const struct vw_compiled *now, struct vw_change *ret);
/* Part of the table: the walls of these links, or what all walls share together with what is
 * nobody's, or all of it. */
struct vw_scope {
	bool all, shared;
	VW_VEC(unsigned) walls; /* ifindexes, sorted */
};
/* Whether the chain or set of that name is in it. */
bool vw_scope_has(const struct vw_scope *s, const struct vw_compiled *now, const char *name);
/* From a dump of that part alone. */
int vw_change_restore(struct vw_ruleset *dump, const struct vw_compiled *now,
		      const struct vw_scope *s, struct vw_change *ret);
/* The wall that a chain or set of that name belongs to, 0: none. */
unsigned vw_wall_of_name(const struct vw_compiled *now, const char *name);

/* The next new walls: moves up to VW_CHANGE_NEW_MAX out of *absent. */
int vw_change_more(const struct vw_compiled *now, struct vw_change *absent, struct vw_change *ret);

bool vw_class_equal(const struct vw_class *a, const struct vw_class *b);
/* Whether the set has the same elements. */
bool vw_elems_equal(const struct vw_set *a, const struct vw_set *b);

#endif
