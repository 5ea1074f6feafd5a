/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From argv to a subcommand: one table drives dispatch, usage and suggestions. It knows no
 * command's options; those are their own. */
#include <stdio.h>
#include <string.h>

#include "cli/cmds.h"
#include "vethwall/cleanup.h"
#include "vethwall/log.h"
#include "vethwall/version.h"

static const struct cmd {
	const char *name, *args, *help;
	int (*fn)(int argc, char **argv);
} cmds[] = {
	{"run", "[OPTIONS]", "enforce: the agent, in the foreground", vw_cmd_run},
	{"check", "PATH...", "validate policy files and folders", vw_cmd_check},
	{"explain", "--from A --to B --port P", "who decides a connection, and how",
	 vw_cmd_explain},
	{"diff", "[--policies DIR]", "what a change of policies would do", vw_cmd_diff},
	{"apply", "[--plan F] [--confirm 60s]", "put policies in force", vw_cmd_apply},
	{"confirm", "", "what was applied stays", vw_cmd_confirm},
	{"rollback", "[SET]", "back to policies that were in force before", vw_cmd_rollback},
	{"history", "[SET]", "sets of policies that were in force, and by whom", vw_cmd_history},
	{"reload", "", "put edited policy files in force", vw_cmd_reload},
	{"suggest", "[--out DIR]", "policies that allow what was seen", vw_cmd_suggest},
	{"status", "[--format json]", "what is enforced, and what is not", vw_cmd_status},
	{"flows", "[FILTERS]", "review denied flows", vw_cmd_flows},
	{"graph", "[--format F] [--out FILE]", "who may reach whom, as a picture", vw_cmd_graph},
	{"metrics", "", "figures for a scraper, in OpenMetrics", vw_cmd_metrics},
	{"uninstall", "", "remove all that is enforced, without an agent", vw_cmd_uninstall},
	{"world", "", "what runs here, as a file for --world", vw_cmd_world},
};

static void usage(FILE *f)
{
	fputs("Usage: vethwall COMMAND [ARGUMENTS]\n"
	      "Puts a wall on every container's veth.\n\nCommands:\n",
	      f);
	for (size_t i = 0; i < VW_ARRAY_SIZE(cmds); i++)
		fprintf(f, "  %-9s %-27s %s\n", cmds[i].name, cmds[i].args, cmds[i].help);
	fputs("\n'vethwall help COMMAND' tells more, with an example. 'vethwall --version' prints "
	      "the "
	      "version.\n"
	      "Exit: 0 success or nothing to report, 1 no (invalid, denied, degraded), 2 usage or "
	      "trouble.\n",
	      f);
}

static const struct cmd *find(const char *name)
{
	for (size_t i = 0; i < VW_ARRAY_SIZE(cmds); i++)
		if (!strcmp(cmds[i].name, name))
			return &cmds[i];
	return NULL;
}

#define WORD_MAX 32

/* Levenshtein distance by one row; words longer than any command are far from all of them. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], n = strlen(b);

	if (strlen(a) > WORD_MAX || n > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static int unknown(const char *name)
{
	const struct cmd *best = NULL;
	size_t best_distance = 3; /* more than two slips is another word */

	for (size_t i = 0; i < VW_ARRAY_SIZE(cmds); i++) {
		size_t d = distance(name, cmds[i].name);

		if (d < best_distance) {
			best_distance = d;
			best = &cmds[i];
		}
	}
	fprintf(stderr, "vethwall: no command '%.64s'", name);
	if (best)
		fprintf(stderr, ", did you mean '%s'?\n", best->name);
	else
		fputs("; 'vethwall --help' lists them\n", stderr);
	return VW_EXIT_TROUBLE;
}

static int help(int argc, char **argv)
{
	const struct cmd *c;
	char *args[3] = {NULL, (char[]){"--help"}, NULL};

	if (argc < 2) {
		usage(stdout);
		return VW_EXIT_OK;
	}
	c = find(argv[1]);
	if (!c)
		return unknown(argv[1]);
	args[0] = argv[1];
	return c->fn(2, args);
}

int vw_main(int argc, char **argv)
{
	const struct cmd *c;

	vw_log_init(VW_LOG_INFO);
	if (argc < 2) {
		usage(stderr);
		return VW_EXIT_TROUBLE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help(argc - 1, argv + 1);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version")) {
		printf("vethwall %s\n", vw_version);
		return VW_EXIT_OK;
	}
	c = find(argv[1]);
	return c ? c->fn(argc - 1, argv + 1) : unknown(argv[1]);
}
