/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --run-dir and --help, the same for every command that has no other options. */
#include "cli/run_dir.h"

#include <getopt.h>
#include <stdio.h>

#include "cli/cmds.h"

int vw_run_dir_parse(int argc, char **argv, const char *help, const char **ret)
{
	static const struct option options[] = {
		{"run-dir", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{NULL},
	};
	int o;

	*ret = VW_RUN_DIR;
	optind = 0;
	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (o == 'h') {
			fputs(help, stdout);
			return VW_EXIT_OK;
		}
		if (o != 'r')
			return VW_EXIT_TROUBLE;
		*ret = optarg;
	}
	if (optind < argc) {
		fprintf(stderr, "vethwall %s: unexpected argument '%s'\n", argv[0], argv[optind]);
		return VW_EXIT_TROUBLE;
	}
	return VW_RUN_DIR_GO;
}
