/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is remembered of every set of policies that was taken into force, and of the one that is: as
 * values, and as JSON for the files below the state folder and for `history`. */
#ifndef VETHWALL_APPLIED_H
#define VETHWALL_APPLIED_H

#include "vethwall/sources.h"

#define VW_COMM_LEN 16 /* of a process, with NUL (TASK_COMM_LEN) */
#define VW_BOOT_ID_LEN 37 /* with NUL */
#define VW_UID_NONE UINT32_MAX /* login_uid of what no login started (audit's loginuid) */

enum vw_applied_action {
	VW_APPLIED_START, /* the agent started with it */
	VW_APPLIED_RELOAD,
	VW_APPLIED_APPLY,
	VW_APPLIED_ROLLBACK,
	VW_APPLIED_EXPIRED, /* restored, because the set after it was not confirmed */
	_VW_APPLIED_MAX
};
const char *vw_applied_action_str(enum vw_applied_action a);

/* Who asked, as the kernel says. */
struct vw_asker {
	bool known; /* else the agent itself, or a signal */
	uint32_t uid, login_uid;
	int32_t pid;
	char comm[VW_COMM_LEN];
};

/* One set, without its texts. */
struct vw_applied {
	uint64_t id; /* from 1, never used twice */
	int64_t time_ns; /* CLOCK_REALTIME */
	enum vw_applied_action action;
	struct vw_asker by;
	uint64_t of; /* the set whose texts it has again, or 0 */
	unsigned files, documents; /* of the set */
	unsigned added, removed, changed; /* files, against the set before */
	bool audit; /* the whole set only watches */
	char digest[VW_DIGEST_LEN]; /* vw_sources_digest() */
};

/* What a restarted agent has to know. */
struct vw_applied_state {
	uint64_t enforced; /* 0: none is stored */
	bool pinned; /* enforced stays over a restart, whatever the policy folder says */
	uint64_t previous; /* comes back unless enforced is confirmed; 0: nothing to confirm */
	/* Until then; the first within the same boot, the second after another. */
	int64_t deadline_boot_ms, deadline_real_ms; /* CLOCK_BOOTTIME, CLOCK_REALTIME */
	int64_t confirm_ms; /* the time that was given: no clock that jumps makes more of it */
	char boot_id[VW_BOOT_ID_LEN];
};

/* What is left of the time to confirm, 0 when it is over. */
int64_t vw_applied_left_ms(const struct vw_applied_state *s, const char *boot_id, int64_t boot_ms,
			   int64_t real_ms);
/* Files of the set that the other has not, lacks, and has with another text; by last parts of
 * names. Into added, removed and changed. */
void vw_applied_count(struct vw_applied *a, const struct vw_sources *before,
		      const struct vw_sources *now);

/* NULL without memory. */
json_t *vw_applied_json(const struct vw_applied *a);
/* 0, or -EINVAL: not that form. */
int vw_applied_from_json(const json_t *j, struct vw_applied *ret);
json_t *vw_applied_state_json(const struct vw_applied_state *s);
int vw_applied_state_from_json(const json_t *j, struct vw_applied_state *ret);

/* The object as a text with a digest of itself in "seal" (caller frees); NULL without memory. */
char *vw_sealed_print(json_t *object);
/* An object whose seal fits: 0, or -EBADMSG. */
int vw_sealed_parse(const char *text, size_t len, json_t **ret);

#endif
