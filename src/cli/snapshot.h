/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent enforces, as values here: asked for once, compiled again, and held against the
 * agent's own digest, so that whatever is computed from it is what the agent would have computed.
 */
#ifndef VETHWALL_CLI_SNAPSHOT_H
#define VETHWALL_CLI_SNAPSHOT_H

#include "vethwall/compile.h"
#include "vethwall/plan_file.h"

struct vw_snapshot {
	struct vw_sources sources;
	struct vw_policyset set; /* audit as the agent has it */
	struct vw_world world;
	VW_VEC(struct vw_held) held;
	struct vw_config config;
	struct vw_compiled compiled;
	char node[VW_NODE_LEN];
	char digest[VW_DIGEST_LEN]; /* of sources */
	bool audit_always; /* the settings say so, whatever is applied */
	char *version; /* the agent's */
	char *policies, *log_dir; /* its folders */
};

void vw_snapshot_done(struct vw_snapshot *s);
/* Words in d. As vw_control_ask(); -EAGAIN: the agent cannot tell now; -EPROTO: what it tells does
 * not fit together (another version). */
int vw_snapshot_ask(const char *run_dir, struct vw_snapshot *ret, struct vw_diag *d);
/* The same from a world file and a file or folder of policies; the caller's vw_snapshot_done() also
 * when it fails. What only an agent knows stays empty. (snapshot_files.c) */
int vw_snapshot_files(const char *world, const char *policies, bool default_deny,
		      struct vw_snapshot *ret, struct vw_diag *d);
/* Only the world, as text for --world (caller frees). */
int vw_snapshot_world(const char *run_dir, char **ret, struct vw_diag *d);

#endif
