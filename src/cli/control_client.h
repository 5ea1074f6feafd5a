/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the running agent: one JSON object a line each way over RUN_DIR/control.sock.
 *
 * Request: {"cmd": "status" | "reload" | "explain", ...}. explain takes "from" and "to" (as on the
 * command line) and "port" ("tcp/5432"); its answer's "verdict" object is what the offline form
 * prints. Answer: {"ok": true, ...} or {"ok": false, "error": "why", "diagnostics": [{"severity",
 * "file", "line", "col", "message"}...]}. */
#ifndef VETHWALL_CLI_CONTROL_CLIENT_H
#define VETHWALL_CLI_CONTROL_CLIENT_H

#include <jansson.h>

#include "vethwall/diag.h"

/* Bytes of one request line, for root; the agent takes 64 KiB from others. */
#define VW_CONTROL_REQUEST_MAX (40u << 20)
#define VW_CONTROL_ANSWER_MAX (64u << 20) /* bytes of an answer */

/* Sends the request and waits for the answer, whatever its "ok" says (caller: json_decref). On
 * failure -errno, with words in d: -ENOENT and -ECONNREFUSED: no agent there; -EACCES: the caller
 * is not of its group; -EPROTO: not an answer; -ETIMEDOUT. */
int vw_control_ask(const char *run_dir, const json_t *request, json_t **ret, struct vw_diag *d);
/* Prints the answer's "diagnostics", or else its "error", to stderr. */
void vw_control_print_error(const json_t *answer);

#endif
