/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall flows --format html`: the query's records into the page of flows_html.c. */
#include <errno.h>

#include "cli/cmds.h"
#include "cli/flows.h"
#include "cli/flows_html.h"
#include "vethwall/cleanup.h"

static int add(void *arg, const struct vw_flow *f, const char *line, size_t n)
{
	(void)line;
	(void)n;
	return vw_flows_html_add(arg, f);
}

int flows_html(struct flows_query *q)
{
	_cleanup_(vw_flows_html_free) struct vw_flows_html *h = NULL;
	char node[256] = "", bad[128], gaps[128];
	const char *notes[2];
	struct vw_flows_html_about about = {.query = q->command,
					    .node = node,
					    .made_us = flows_now_us(),
					    .from_us = q->filter.from_us,
					    .to_us = q->filter.to_us,
					    .notes = notes};
	int r = vw_flows_html_new(&h);

	if (r)
		return flows_cannot(q, r);
	r = flows_run(q, add, h);
	if (r)
		return r;
	(void)gethostname(node, sizeof(node) - 1);
	if (q->reader.bad) {
		snprintf(bad, sizeof(bad),
			 "%llu lines of the log were no records and are left out.",
			 (unsigned long long)q->reader.bad);
		notes[about.n_notes++] = bad;
	}
	if (q->reader.gaps) {
		snprintf(gaps, sizeof(gaps),
			 "In this time the log has %llu gaps, in which not all could be recorded.",
			 (unsigned long long)q->reader.gaps);
		notes[about.n_notes++] = gaps;
	}
	r = vw_flows_html_write(h, &about, q->out);
	return r ? flows_cannot(q, r) : flows_end(q);
}
