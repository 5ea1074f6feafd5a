/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sets that were in force, in numbered folders below STATE_DIR/applied, and
 * STATE_DIR/state.json. What is read back is held against its digest; what does not fit is told and
 * left alone. */
#ifndef VETHWALL_HISTORY_H
#define VETHWALL_HISTORY_H

#include "vethwall/applied.h"

#define VW_HISTORY_MAX 1000 /* sets kept, at most */

struct vw_history;

/* Opens the folder for its owner alone, and reads what is there. keep: sets, the oldest go. Damaged
 * ones are warnings in d. -EBUSY: another agent has it; -EPERM: it belongs to somebody else. */
int vw_history_open(const char *state_dir, unsigned keep, struct vw_history **ret,
		    struct vw_diag *d);
void vw_history_free(struct vw_history **h);

/* Oldest first, the damaged left out; pointers are good until the next put. NULL: no such. */
size_t vw_history_count(const struct vw_history *h);
const struct vw_applied *vw_history_at(const struct vw_history *h, size_t i);
const struct vw_applied *vw_history_find(const struct vw_history *h, uint64_t id);
const struct vw_applied *vw_history_last(const struct vw_history *h);

/* Writes a new set, on the disk when this returns; a->id becomes its number. What the state names
 * is never among the oldest that go. */
int vw_history_put(struct vw_history *h, struct vw_applied *a, const struct vw_sources *s,
		   struct vw_diag *d);
/* Forgets a set that never came in force. */
void vw_history_drop(struct vw_history *h, uint64_t id);
/* The texts of a set: -ENOENT, -EBADMSG when they are not those that were written. */
int vw_history_get(const struct vw_history *h, uint64_t id, struct vw_sources *ret,
		   struct vw_diag *d);

/* What was written last: zeros when nothing was (0), or nothing that can be trusted (-EBADMSG). */
int vw_history_state(struct vw_history *h, struct vw_applied_state *ret, struct vw_diag *d);
int vw_history_set_state(struct vw_history *h, const struct vw_applied_state *s, struct vw_diag *d);

#endif
