/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Diagnostics at the edge: with the line that they speak of and a caret below the place. */
#ifndef VETHWALL_CLI_SOURCE_H
#define VETHWALL_CLI_SOURCE_H

#include <jansson.h>

#include "vethwall/diag.h"

/* Prints all entries to f, each with its source line where the file can (still) be read. */
void vw_source_print(const struct vw_diag *d, FILE *f);
/* [{severity, file, line, column, rule, message}...], NULL without memory. */
json_t *vw_source_json(const struct vw_diag *d);
/* Leaves out the warnings of a rule. */
void vw_source_silence(struct vw_diag *d, const char *rule);

#endif
