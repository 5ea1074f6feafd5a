/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of `vethwall flows` that are tables, in three forms: aligned text, one JSON object a row,
 * CSV. Texts from outside are escaped in each. */
#ifndef VETHWALL_CLI_FLOWS_TABLE_H
#define VETHWALL_CLI_FLOWS_TABLE_H

#include "cli/flows.h"

struct flows_column {
	const char *name; /* of the JSON member and the CSV column, in capitals of the text's */
	bool right; /* numbers */
};

struct flows_table;
int flows_table_new(const struct flows_query *q, const struct flows_column *columns, size_t n,
		    struct flows_table **ret);
void flows_table_free(struct flows_table **t);
/* One cell after the other, row by row. -ENOMEM. */
int flows_table_value(struct flows_table *t, const struct vw_value *v);
int flows_table_number(struct flows_table *t, uint64_t n);
int flows_table_time(struct flows_table *t, int64_t us);
int flows_table_bool(struct flows_table *t, bool b);
/* s is ours, or escaped. */
int flows_table_text(struct flows_table *t, const char *s);
/* Text waits until all rows are there; the other forms are written as they come. */
void flows_table_end(struct flows_table *t);

/* The time as this query shows it to people. */
const char *flows_time_text(const struct flows_query *q, int64_t us,
			    char buf[static VW_TIME_STRLEN]);
/* A field of RFC 4180, quoted where need be; a text that a spreadsheet would take for a formula
 * gets an apostrophe before it. */
void flows_csv_text(FILE *out, const char *text);

#endif
