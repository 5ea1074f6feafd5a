/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall confirm`: what `apply --confirm` put in force stays. */
#include <stdio.h>

#include "cli/change.h"
#include "cli/cmds.h"
#include "cli/run_dir.h"

static const char help[] =
	"Usage: vethwall confirm [--run-dir DIR]\n"
	"What 'vethwall apply --confirm' put in force stays: the agent no longer goes back by "
	"itself.\n\n"
	"  --run-dir DIR   the agent's folder (/run/vethwall)\n"
	"  -h, --help      this text\n\n"
	"Exit: 0 confirmed, 1 there was nothing to confirm (the time may be over), 2 no agent or "
	"no\n"
	"permission.\n\n"
	"Example:\n"
	"  sudo vethwall apply --confirm 60s && curl -fsS https://shop.example/health &&\n"
	"      sudo vethwall confirm\n";

static int confirm(const char *run_dir)
{
	json_auto_t *answer = NULL;
	int r = vw_change_ask(run_dir, json_pack("{s:s}", "cmd", "confirm"), &answer);

	if (r != VW_EXIT_OK)
		return r;
	printf("set %lld is confirmed and stays\n",
	       json_integer_value(json_object_get(answer, "set")));
	return VW_EXIT_OK;
}

int vw_cmd_confirm(int argc, char **argv)
{
	const char *run_dir;
	int r = vw_run_dir_parse(argc, argv, help, &run_dir);

	if (r != VW_RUN_DIR_GO)
		return r;
	return confirm(run_dir);
}
