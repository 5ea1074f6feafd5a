/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall metrics`: the agent's figures, as a scraper gets them. */
#include <string.h>

#include "cli/cmds.h"
#include "cli/run_dir.h"
#include "cli/control_client.h"
#include "vethwall/cleanup.h"

static const char help[] =
	"Usage: vethwall metrics [--run-dir DIR]\n"
	"Prints the agent's figures in the OpenMetrics text format: packets refused by workload "
	"and rule, live\n"
	"flows, how full tables are, delays, errors. The setting `metrics: 127.0.0.1:9273` offers "
	"the same at\n"
	"http://127.0.0.1:9273/metrics.\n\n"
	"  --run-dir DIR   the agent's folder (/run/vethwall)\n"
	"  -h, --help      this text\n\n"
	"Exit: 0 printed, 2 no agent answers.\n\n"
	"Example:\n"
	"  vethwall metrics > /var/lib/node-exporter/vethwall.prom\n";

int vw_cmd_metrics(int argc, char **argv)
{
	const char *run_dir, *text;
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	json_auto_t *request = json_pack("{s:s}", "cmd", "metrics"), *answer = NULL;
	int r = vw_run_dir_parse(argc, argv, help, &run_dir);

	if (r != VW_RUN_DIR_GO)
		return r;
	if (vw_control_ask(run_dir, request, &answer, &d) < 0) {
		vw_diag_print(&d, stderr, isatty(STDERR_FILENO));
		return VW_EXIT_TROUBLE;
	}
	text = json_string_value(json_object_get(answer, "text"));
	if (!text) {
		vw_control_print_error(answer);
		return VW_EXIT_TROUBLE;
	}
	return fputs(text, stdout) < 0 || fflush(stdout) ? VW_EXIT_TROUBLE : VW_EXIT_OK;
}
