/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Self-contained HTML pages: head and foot, tables, the picture of a graph. Every text is escaped
 * here; a page loads nothing and runs only its own script, which its policy names by hash. */
#ifndef VETHWALL_CLI_PAGE_H
#define VETHWALL_CLI_PAGE_H

#include <stdio.h>

#include "vethwall/graph.h"

#define VW_PAGE_ROWS_MAX 5000 /* of one table: a browser still sorts them at once */

/* Everything up to the heading, and from the script on. */
void vw_page_begin(FILE *f, const char *title);
void vw_page_end(FILE *f);

/* What the page is about: facts between begin and end, values that are NULL left out. */
void vw_page_facts_begin(FILE *f);
void vw_page_fact(FILE *f, const char *name, const char *value);
void vw_page_fact_time(FILE *f, const char *name, int64_t us);
void vw_page_facts_end(FILE *f);

/* A table that sorts by its columns' heads and has a box to filter it by. Heads that begin with '#'
 * are of numbers, those with '@' of times: the largest first. */
void vw_page_table_begin(FILE *f, const char *id, const char *const *heads, size_t n);
void vw_page_table_end(FILE *f);
void vw_page_row(FILE *f);
void vw_page_row_end(FILE *f);
void vw_page_cell(FILE *f, const char *text);
void vw_page_number(FILE *f, uint64_t n);
void vw_page_time(FILE *f, int64_t us);
/* A word with a colour of its own: "gained", "denied", ... Both are ours, not escaped. */
void vw_page_kind(FILE *f, const char *kind, const char *words);

/* The picture of a laid out graph with its legend and search, and what its folds mean. without:
 * kinds that are not shown at first, bits by enum vw_graph_kind. One to a page, and somewhere below
 * it the table of its edges, by which the picture is searched. */
void vw_page_graph(FILE *f, const struct vw_graph *g, const char *title, unsigned without);
/* -ENOMEM. */
int vw_page_graph_table(FILE *f, const struct vw_graph *g);

#endif
