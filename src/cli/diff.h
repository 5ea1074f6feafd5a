/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A preview as values: what is compared, and what the comparison found. Filled by diff_input.c,
 * diff_live.c and diff_log.c, shown by diff_text.c and diff_json.c. */
#ifndef VETHWALL_CLI_DIFF_H
#define VETHWALL_CLI_DIFF_H

#include "cli/diff_groups.h"
#include "cli/snapshot.h"
#include "vethwall/connectivity.h"

#define VW_DIFF_PATHS_MAX 1000

struct vw_diff_options {
	VW_VEC(const char *) policies; /* files and folders; none: the agent's folder */
	const char *run_dir, *log_dir; /* log_dir NULL: the agent's */
	const char *against, *world; /* both: offline */
	const char *since, *format, *out;
	bool default_deny; /* offline */
	bool all, audit;
	uint32_t fail_on; /* enum vw_diff_event, as bits; 0: on any change */
};

/* What a pipeline may stop at; diff_events[] has the words. */
enum vw_diff_event {
	VW_DIFF_CUT,
	VW_DIFF_OPENED,
	VW_DIFF_CLOSED,
	VW_DIFF_OPENED_WORLD,
	VW_DIFF_OPENED_HOST,
	VW_DIFF_ISOLATED,
	VW_DIFF_PLAN,
	VW_DIFF_DENIED_LIVE,
	_VW_DIFF_EVENT_MAX
};
extern const char *const vw_diff_events[_VW_DIFF_EVENT_MAX];

/* Both sides in one world. Offline, now is what the files say, without node and version. */
struct vw_diff_input {
	bool offline;
	struct vw_snapshot now;
	struct vw_sources sources; /* of the new set */
	struct vw_policyset set;
	struct vw_compiled compiled;
	char *before, *after; /* what they are called */
};

struct vw_diff {
	struct vw_diff_input in;
	struct vw_connectivity connectivity;

	bool live_looked; /* else nobody could be asked */
	uint64_t live_stay, live_unlisted; /* flows; the agent did not list that many more */
	struct vw_diff_groups cut;

	char *log_why; /* why the log was not looked at, or NULL */
	int64_t since_us, until_us;
	uint64_t log_records, log_gone; /* looked at; of workloads that are no longer here */
	struct vw_diff_groups passed, denied;

	size_t operations;
	char *plan; /* unified diff in nft syntax */
};

void vw_diff_done(struct vw_diff *d);

/* diff_input.c: 0, or -errno with words in d; a broken file is -EINVAL. */
int vw_diff_load(const struct vw_diff_options *o, struct vw_diff_input *ret, struct vw_diag *d);
/* diff_live.c: asks the agent for its live flows. */
int vw_diff_live(const struct vw_diff_options *o, struct vw_diff *diff, struct vw_diag *d);
/* diff_log.c: 0, also when there is no log to look at (then log_why says so); -EINVAL: --since. */
int vw_diff_log(const struct vw_diff_options *o, struct vw_diff *diff, struct vw_diag *d);

/* Whether anything changes, and which of the events. */
bool vw_diff_changes(const struct vw_diff *d);
uint32_t vw_diff_happened(const struct vw_diff *d);

/* diff_text.c, diff_json.c */
void vw_diff_text(const struct vw_diff *d, bool colour, bool all, FILE *f);
void vw_diff_markdown(const struct vw_diff *d, bool all, FILE *f);
/* NULL without memory. */
json_t *vw_diff_json(const struct vw_diff *d);

#endif
