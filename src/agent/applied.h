/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which set of policies is enforced, who put it there, and what becomes of it when nobody confirms
 * it. The dead man's switch is here: a timer, and a file that the agent after this one reads. */
#ifndef VETHWALL_AGENT_APPLIED_H
#define VETHWALL_AGENT_APPLIED_H

#include "agent/control.h"
#include "vethwall/history.h"
#include "vethwall/loop.h"
#include "vethwall/policy.h"

struct vw_agent;

struct vw_applied_sets {
	struct vw_history *history; /* NULL: the state folder cannot be used */
	char *error; /* why, or what is damaged in it */
	struct vw_applied_state state;
	bool overdue; /* the set before was loaded, since nobody confirmed in time */
	bool stuck; /* nobody confirmed in time, but the set before is damaged */
	char boot_id[VW_BOOT_ID_LEN];
	struct vw_timer *timer; /* runs while something waits for confirmation */
};

/* At the start: takes the set to begin with: the policy folder's, or a stored one. Writes nothing.
 * As vw_agent_load_policies(). */
int vw_agent_applied_load(struct vw_agent *a, struct vw_diag *d);
/* Once it is sure that this agent enforces: records what was loaded, runs the countdown. */
int vw_agent_applied_start(struct vw_agent *a);
void vw_agent_applied_done(struct vw_agent *a);
/* For status; NULL without memory. */
json_t *vw_agent_applied_json(const struct vw_agent *a);
bool vw_agent_applied_ok(const struct vw_agent *a);
/* For history: all that is kept. */
json_t *vw_agent_history(void *agent, const json_t *request, const struct vw_control_peer *peer);

/* What is to be written down of a set before it is sent. */
struct vw_taking {
	enum vw_applied_action action;
	const struct vw_control_peer *peer; /* NULL: nobody asked */
	uint64_t of; /* the stored set whose texts these are, or 0 */
	int64_t confirm_ms; /* 0: for good */
	bool audit;
	size_t documents;
	const struct vw_sources *sources;
	const struct vw_sources *before; /* texts in force until now */
};
/* Writes the set and the state as they will be. On failure nothing has changed, with words in d. */
int vw_agent_applied_record(struct vw_agent *a, const struct vw_taking *t, struct vw_diag *d);
/* Back to the state before the record: what it announced did not come. */
void vw_agent_applied_undo(struct vw_agent *a, const struct vw_applied_state *before);
/* These texts of the folder come in force, whether they can be written down or not. */
void vw_agent_applied_reloading(struct vw_agent *a, const struct vw_control_peer *peer,
				const struct vw_sources *sources, size_t documents);
/* For good: 0; -ENOENT: nothing waits; -errno with words in d, and it still waits. */
int vw_agent_applied_confirm(struct vw_agent *a, struct vw_diag *d);
/* Texts and policies of a stored set. */
int vw_agent_applied_read(const struct vw_agent *a, uint64_t id, struct vw_sources *sources,
			  struct vw_policyset *set, bool *ret_audit, struct vw_diag *d);
int64_t vw_agent_applied_left_ms(const struct vw_agent *a);
bool vw_agent_applied_pending(const struct vw_agent *a);

/* apply.c */
json_t *vw_agent_apply(void *agent, const json_t *request, const struct vw_control_peer *peer);
json_t *vw_agent_confirm(void *agent, const json_t *request, const struct vw_control_peer *peer);
json_t *vw_agent_rollback(void *agent, const json_t *request, const struct vw_control_peer *peer);

#endif
