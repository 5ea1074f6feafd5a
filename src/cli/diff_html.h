/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page of `vethwall diff --format html`: what a change of policies does, drawn and told. */
#ifndef VETHWALL_CLI_DIFF_HTML_H
#define VETHWALL_CLI_DIFF_HTML_H

#include <stdio.h>

#include "vethwall/connectivity.h"

/* A list of things in words (flows that would be cut, denials that would pass): columns and rows
 * of plain texts, which the page escapes. */
struct vw_diff_html_list {
	const char *title, *note; /* note: a sentence below the title, or NULL */
	const char *const *columns;
	size_t n_columns;
	char **cells; /* n_rows * n_columns, row by row; NULL: empty */
	size_t n_rows;
};

/* All texts are borrowed and may hold anything. */
struct vw_diff_html_about {
	const char *before, *after; /* what is compared: "the agent in /run/vethwall", "new/" */
	int64_t made_us;
	const struct vw_diff_html_list *lists; /* shown between the connections and the plan */
	size_t n_lists;
	const char *plan; /* unified diff in nft syntax, or NULL */
};

/* The page: graph and table of what changes (c, with what is kept where it was asked for), policies
 * and subjects, the lists, the plan. -ENOMEM; what happens to out is the caller's to look at. */
int vw_diff_html(const struct vw_connectivity *c, const struct vw_diff_html_about *about,
		 FILE *out);

#endif
