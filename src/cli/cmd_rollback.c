/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall rollback`: back to a set that was in force before. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/change.h"
#include "cli/cmds.h"

static const char help[] =
	"Usage: vethwall rollback [SET] [--run-dir DIR]\n"
	"Puts a set of policies back in force that was there before: the one with this number "
	"('vethwall\n"
	"history' lists them), or what was in force before the set that is. What waits for "
	"confirmation is\n"
	"taken back at once. The agent's policy folder is left as it is: the set stays in force, "
	"also over a\n"
	"restart, until 'vethwall apply' or 'vethwall reload'.\n\n"
	"  --run-dir DIR   the agent's folder (/run/vethwall)\n"
	"  -h, --help      this text\n\n"
	"Exit: 0 in force, 1 there is no such set, 2 no agent, no permission or trouble.\n\n"
	"Example:\n"
	"  vethwall history && sudo vethwall rollback 12\n";

static json_t *request_for(const char *set)
{
	json_t *request = json_pack("{s:s}", "cmd", "rollback");

	if (set)
		json_object_set_new(request, "set", json_integer(strtoll(set, NULL, 10)));
	return request;
}

static int rollback(const char *run_dir, const char *set)
{
	json_auto_t *answer = NULL;
	int r = vw_change_ask(run_dir, request_for(set), &answer);

	if (r != VW_EXIT_OK)
		return r;
	printf("back to set %lld: ", json_integer_value(json_object_get(answer, "of")));
	vw_change_report(answer, run_dir);
	return VW_EXIT_OK;
}

static bool is_number(const char *s)
{
	size_t n = strlen(s);

	return n && n < 18 && strspn(s, "0123456789") == n;
}

int vw_cmd_rollback(int argc, char **argv)
{
	static const struct option options[] = {
		{"run-dir", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	const char *run_dir = VW_RUN_DIR, *set;
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
	set = optind < argc ? argv[optind++] : NULL;
	if (optind < argc || (set && !is_number(set))) {
		fputs("vethwall rollback: takes one number of a set\n", stderr);
		return VW_EXIT_TROUBLE;
	}
	return rollback(run_dir, set);
}
