/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands that change what is in force have in common. */
#ifndef VETHWALL_CLI_CHANGE_H
#define VETHWALL_CLI_CHANGE_H

#include "cli/run_dir.h"

#include <jansson.h>

/* Asks the agent (the request is released). What went wrong is printed; returns an exit code, and
 * with VW_EXIT_OK the answer (caller: json_decref). */
int vw_change_ask(const char *run_dir, json_t *request, json_t **ret);
/* "+1 -0 ~2": files of a set against the one before. */
void vw_change_counts(const json_t *o);
/* The set that came in force, and what is to be done about it. */
void vw_change_report(const json_t *answer, const char *run_dir);
/* Text of others, without its control characters. */
void vw_change_put(const char *s);

#endif
