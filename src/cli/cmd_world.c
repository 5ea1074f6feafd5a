/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall world`: what runs on the node as the agent sees it, in the form that --world takes. */
#include <stdio.h>

#include "cli/cmds.h"
#include "cli/run_dir.h"
#include "cli/snapshot.h"
#include "vethwall/cleanup.h"

static const char help[] =
	"Usage: vethwall world [--run-dir DIR]\n"
	"Prints the world that the agent sees (workloads, interfaces, addresses, resolved names) "
	"in "
	"the\n"
	"form that 'diff', 'explain' and 'check' take with --world, to compare and to ask "
	"elsewhere. "
	"It\n"
	"holds labels and addresses of this node, no policies.\n\n"
	"  --run-dir DIR   the agent's folder (/run/vethwall)\n"
	"  -h, --help      this text\n\n"
	"Exit: 0 printed, 2 usage, no agent or no permission.\n\n"
	"Example:\n"
	"  vethwall world > node7.json && vethwall diff --world node7.json --against old/ "
	"--policies new/\n";

static int print(const char *run_dir)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	_cleanup_free_ char *text = NULL;
	int r = vw_snapshot_world(run_dir, &text, &d);

	if (r < 0) {
		if (r == -ENOMEM)
			vw_error(&d, NULL, "out of memory");
		vw_diag_print(&d, stderr, isatty(STDERR_FILENO));
		return VW_EXIT_TROUBLE;
	}
	puts(text);
	return fflush(stdout) || ferror(stdout) ? VW_EXIT_TROUBLE : VW_EXIT_OK;
}

int vw_cmd_world(int argc, char **argv)
{
	const char *run_dir;
	int r = vw_run_dir_parse(argc, argv, help, &run_dir);

	if (r != VW_RUN_DIR_GO)
		return r;
	return print(run_dir);
}
