/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Unix socket that operators ask the agent through: one JSON object a line each way. Who may
 * ask is decided here, by the peer's credentials; what is answered comes from a table of commands.
 */
#ifndef VETHWALL_AGENT_CONTROL_H
#define VETHWALL_AGENT_CONTROL_H

#include <jansson.h>
#include <sys/types.h>

#include "vethwall/diag.h"
#include "vethwall/loop.h"

#define VW_CONTROL_CLIENTS_MAX 16
#define VW_CONTROL_LINE_MAX (64u << 10) /* bytes of a request */
#define VW_CONTROL_ROOT_LINE_MAX (40u << 20) /* of root's, which may carry policy files */
#define VW_CONTROL_ANSWER_MAX (64u << 20) /* bytes of an answer */
#define VW_CONTROL_IDLE_MS 10000 /* a client that says or takes nothing this long is dropped */

/* Who asks, as the kernel says. */
struct vw_control_peer {
	pid_t pid;
	uid_t uid;
	bool root;
};

struct vw_control_cmd {
	const char *name;
	bool changes; /* root only */
	/* A new object with "ok", or NULL without memory. */
	json_t *(*fn)(void *arg, const json_t *request, const struct vw_control_peer *peer);
};

struct vw_control;
/* Listens on RUN_DIR/control.sock (the folder exists; a socket that is there already is replaced,
 * the caller holds the lock). group: gid that may read, or (gid_t)-1. cmds ends with a NULL name.
 */
int vw_control_open(struct vw_loop *loop, const char *run_dir, gid_t group,
		    const struct vw_control_cmd *cmds, void *arg, struct vw_control **ret,
		    struct vw_diag *d);
/* Removes the socket too. */
void vw_control_free(struct vw_control **c);

/* {"ok": false, "error": text}. */
json_t *vw_control_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The entries as an array of {"severity", "file", "line", "col", "message"}. */
json_t *vw_control_diagnostics(const struct vw_diag *d);
/* Decides and answers one request line: what the socket does with it, without the socket. */
json_t *vw_control_answer(const struct vw_control_cmd *cmds, void *arg, const char *line,
			  size_t len, const struct vw_control_peer *peer);

#endif
