/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of commands that only want to know which agent is meant. */
#ifndef VW_CLI_RUN_DIR_H
#define VW_CLI_RUN_DIR_H

#define VW_RUN_DIR "/run/vethwall"
#define VW_RUN_DIR_GO (-1)

/* Reads --run-dir into *ret (VW_RUN_DIR without one) and answers --help: VW_RUN_DIR_GO, or the exit
 * code to return with. */
int vw_run_dir_parse(int argc, char **argv, const char *help, const char **ret);

#endif
