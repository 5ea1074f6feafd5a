/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall reload`: asks the agent to put the edited policy files in force. */
#include <string.h>

#include "cli/cmds.h"
#include "cli/run_dir.h"
#include "cli/control_client.h"
#include "vethwall/cleanup.h"

static const char help[] = "Usage: vethwall reload [--run-dir DIR]\n"
			   "Asks the agent to read its policy files again and to enforce them, in "
			   "one transaction. Live\n"
			   "connections that are no longer allowed are cut, and only those. When a "
			   "file has errors they are\n"
			   "printed and what was in force stays in force.\n\n"
			   "  --run-dir DIR   the agent's folder (/run/vethwall)\n"
			   "  -h, --help      this text\n\n"
			   "Exit: 0 enforced, 1 refused, 2 no agent or no permission.\n\n"
			   "Example:\n"
			   "  vethwall check /etc/vethwall/policies && sudo vethwall reload\n";

static int report(const json_t *answer)
{
	if (!json_is_true(json_object_get(answer, "ok"))) {
		vw_control_print_error(answer);
		return json_object_get(answer, "diagnostics") ? VW_EXIT_NO : VW_EXIT_TROUBLE;
	}
	vw_control_print_error(answer); /* warnings */
	printf("enforced: %lld policies of %lld files\n",
	       json_integer_value(json_object_get(answer, "policies")),
	       json_integer_value(json_object_get(answer, "files")));
	return VW_EXIT_OK;
}

int vw_cmd_reload(int argc, char **argv)
{
	const char *run_dir;
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	json_auto_t *request = json_pack("{s:s}", "cmd", "reload"), *answer = NULL;
	int r = vw_run_dir_parse(argc, argv, help, &run_dir);

	if (r != VW_RUN_DIR_GO)
		return r;
	if (vw_control_ask(run_dir, request, &answer, &d) < 0) {
		vw_diag_print(&d, stderr, isatty(STDERR_FILENO));
		return VW_EXIT_TROUBLE;
	}
	return report(answer);
}
