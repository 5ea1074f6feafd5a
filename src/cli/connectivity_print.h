/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A comparison of connectivity for people. What stays as it was is not told. */
#ifndef VETHWALL_CLI_CONNECTIVITY_PRINT_H
#define VETHWALL_CLI_CONNECTIVITY_PRINT_H

#include <stdio.h>

#include "vethwall/connectivity.h"

#define VW_CONN_LINES_MAX 40 /* edges that are listed one by one unless all are wanted */

/* Lines "+ shop/web -> shop/db tcp/5432   because ..." and "- ...", then documents and isolation.
 * More than VW_CONN_LINES_MAX edges are summed up by pairs of namespaces, unless all. Prints
 * nothing when nothing differs. */
void vw_connectivity_text(const struct vw_connectivity *c, bool colour, bool all, FILE *f);
/* The same as tables for a review comment. */
void vw_connectivity_markdown(const struct vw_connectivity *c, bool all, FILE *f);

#endif
