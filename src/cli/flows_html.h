/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report of `vethwall flows --format html`: one self-contained page for the incident record.
 * Fed record by record, in any order, with memory that does not grow with the log: sums, a bounded
 * number of rows (one per who, whom, port and deciding rule), and what was folded is told on the
 * page. */
#ifndef VETHWALL_CLI_FLOWS_HTML_H
#define VETHWALL_CLI_FLOWS_HTML_H

#include <stdio.h>

#include "vethwall/flow.h"

/* What the page says of itself. Texts are borrowed, and may hold anything: they are escaped. */
struct vw_flows_html_about {
	const char *query; /* the command line that made it */
	const char *node; /* host name, or NULL */
	int64_t made_us;
	int64_t from_us, to_us; /* asked for; INT64_MIN, INT64_MAX: open */
	const char *const *notes; /* how far it can be trusted, a sentence each */
	size_t n_notes;
};

struct vw_flows_html;
int vw_flows_html_new(struct vw_flows_html **ret);
void vw_flows_html_free(struct vw_flows_html **h);
/* Counts one record; nothing of f is kept. -ENOMEM. */
int vw_flows_html_add(struct vw_flows_html *h, const struct vw_flow *f);
/* The whole page. -ENOMEM; what happens to out is the caller's to look at (ferror). */
int vw_flows_html_write(struct vw_flows_html *h, const struct vw_flows_html_about *about,
			FILE *out);

#endif
