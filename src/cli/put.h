/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text from outside in what people read: nothing of it is a command to whoever shows it. */
#ifndef VETHWALL_CLI_PUT_H
#define VETHWALL_CLI_PUT_H

#include <stdio.h>

/* For a terminal: controls and what reorders text are escaped. */
void vw_put(FILE *f, const char *s);
/* The same within Markdown, whose marks lose their meaning. */
void vw_put_markdown(FILE *f, const char *s);

#endif
