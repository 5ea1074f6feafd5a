/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall flows --verify`: whether the log is as the agent wrote it. */
#include <errno.h>
#include <string.h>

#include "cli/cmds.h"
#include "cli/flows_table.h"
#include "vethwall/chain.h"
#include "vethwall/cleanup.h"

#define FAULTS_MAX 100 /* told one by one */

struct check {
	struct flows_query *q;
	struct flows_table *table; /* NULL: text */
	uint64_t faults;
};

static void fault(void *arg, const char *file, uint64_t line, const char *text)
{
	struct check *c = arg;

	if (c->faults++ >= FAULTS_MAX)
		return;
	if (!c->table) {
		fprintf(c->q->out, "%s/%s:%llu: %s\n", c->q->reader.dir, file,
			(unsigned long long)line, text);
		return;
	}
	(void)flows_table_text(c->table, file);
	(void)flows_table_number(c->table, line);
	(void)flows_table_text(c->table, text);
}

static bool progress(void *arg, uint64_t done, uint64_t total)
{
	struct flows_reader *r = &((struct check *)arg)->q->reader;

	r->progress.total = total;
	r->progress.done = done;
	flows_progress(r, 0);
	return true;
}

static void print_result(struct flows_query *q, const struct vw_chain_result *r)
{
	char from[VW_TIME_STRLEN], to[VW_TIME_STRLEN];

	fprintf(q->out, "%llu segments (%llu to %llu), %llu lines, %llu seals",
		(unsigned long long)r->segments, (unsigned long long)r->first,
		(unsigned long long)r->last, (unsigned long long)r->lines,
		(unsigned long long)r->seals);
	if (r->from_us && r->to_us)
		fprintf(q->out, ", %s to %s", flows_time_text(q, r->from_us, from),
			flows_time_text(q, r->to_us, to));
	fprintf(q->out, ": %llu fault%s\n", (unsigned long long)r->faults,
		r->faults == 1 ? "" : "s");
	if (r->unsealed)
		fprintf(q->out, "%llu lines behind the newest seal are not covered yet\n",
			(unsigned long long)r->unsealed);
	if (!r->anchored)
		fprintf(q->out,
			"the newest seal was not found in %s, so nothing tells whether the log's "
			"end was cut off\n",
			q->state_dir);
}

int flows_verify(struct flows_query *q)
{
	static const struct flows_column columns[] = {
		{"file", false}, {"line", true}, {"fault", false}};
	_cleanup_(flows_table_free) struct flows_table *t = NULL;
	struct check c = {.q = q};
	const struct vw_chain_events ev = {fault, progress, &c};
	struct vw_chain_result result = {0};
	int r = 0;

	if (q->format != FLOWS_TEXT)
		r = flows_table_new(q, columns, VW_ARRAY_SIZE(columns), &t);
	c.table = t;
	if (!r)
		r = vw_chain_verify(q->reader.dir, FLOWS_LOG, q->state_dir, &ev, &result);
	flows_progress_done(&q->reader);
	if (r)
		return flows_cannot(q, r);
	if (q->format == FLOWS_TEXT)
		print_result(q, &result);
	r = flows_end(q);
	return r ? r : result.faults ? VW_EXIT_NO : VW_EXIT_OK;
}
