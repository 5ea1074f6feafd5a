/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall confirm`: what `apply --confirm` put in force stays. */
#include <getopt.h>
#include <stdio.h>

#include "cli/change.h"
#include "cli/cmds.h"

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
	static const struct option options[] = {
		{"run-dir", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	const char *run_dir = VW_RUN_DIR;
	int o;

	optind = 0;
	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (o == 'h') {
			fputs(help, stdout);
			return VW_EXIT_OK;
		}
		if (o != 'r')
			return VW_EXIT_TROUBLE;
		run_dir = optarg;
	}
	if (optind < argc) {
		fprintf(stderr, "vethwall confirm: unexpected argument '%s'\n", argv[optind]);
		return VW_EXIT_TROUBLE;
	}
	return confirm(run_dir);
}
