/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An explanation for people. */
#ifndef VETHWALL_CLI_EXPLAIN_TEXT_H
#define VETHWALL_CLI_EXPLAIN_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* Prints what vw_explain_json() made, here or in the agent. */
void vw_explain_text(const json_t *answer, FILE *f);

#endif
