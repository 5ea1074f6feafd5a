/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands, one function each. argv[0] is the command's name; each prints its own help on
 * --help or -h (to stdout, exit 0) and returns an exit code as diff(1): VW_EXIT_OK, VW_EXIT_NO,
 * VW_EXIT_TROUBLE. A new command is a line here and a line of the table in cli/main.c. */
#ifndef VETHWALL_CLI_CMDS_H
#define VETHWALL_CLI_CMDS_H

enum {
	VW_EXIT_OK = 0, /* success, nothing to report */
	VW_EXIT_NO = 1, /* invalid, differs, denied, degraded */
	VW_EXIT_TROUBLE = 2, /* usage, or it could not be done */
};

int vw_main(int argc, char **argv);

int vw_cmd_run(int argc, char **argv);
int vw_cmd_uninstall(int argc, char **argv);
int vw_cmd_check(int argc, char **argv);
int vw_cmd_explain(int argc, char **argv);
int vw_cmd_status(int argc, char **argv);
int vw_cmd_metrics(int argc, char **argv);
int vw_cmd_apply(int argc, char **argv);
int vw_cmd_confirm(int argc, char **argv);
int vw_cmd_rollback(int argc, char **argv);
int vw_cmd_history(int argc, char **argv);
int vw_cmd_reload(int argc, char **argv);
int vw_cmd_flows(int argc, char **argv);
int vw_cmd_graph(int argc, char **argv);
int vw_cmd_suggest(int argc, char **argv);
int vw_cmd_diff(int argc, char **argv);
int vw_cmd_world(int argc, char **argv);

#endif
