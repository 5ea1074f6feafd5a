/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall flows timeline`: when it happened, as bars that anybody can read in a log book. */
#include <errno.h>
#include <string.h>

#include "cli/cmds.h"
#include "cli/flows_table.h"
#include "vethwall/cleanup.h"

#define ROWS 48 /* at most, when the bucket is chosen for the reader */
#define BAR_MIN 10

static int add(void *arg, const struct vw_flow *f, const char *line, size_t n)
{
	(void)line;
	(void)n;
	vw_timeline_add(arg, f);
	return 0;
}

/* A bar of n eighths of a character. */
static void bar(FILE *out, uint64_t eighths, bool utf8)
{
	static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};

	for (uint64_t i = 0; i < eighths / 8; i++)
		fputs(utf8 ? "█" : "#", out);
	if (utf8)
		fputs(parts[eighths % 8], out);
	else if (!(eighths / 8) && eighths)
		putc('.', out);
}

static uint64_t most(const struct vw_timeline *t)
{
	uint64_t max = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].packets > max)
			max = t->v[i].packets;
	}
	return max;
}

static void width_text(int64_t us, char buf[static 32])
{
	long long s = us / 1000000;

	if (s % 86400 == 0)
		snprintf(buf, 32, "%lld d", s / 86400);
	else if (s % 3600 == 0)
		snprintf(buf, 32, "%lld h", s / 3600);
	else if (s % 60 == 0)
		snprintf(buf, 32, "%lld min", s / 60);
	else
		snprintf(buf, 32, "%lld s", s);
}

static void print_chart(struct flows_query *q, const struct vw_timeline *t)
{
	size_t stamp = q->utc ? 27 : 19, fixed = stamp + 2 + 2 + 12 + 2 + 9;
	size_t room = flows_width(q) > fixed + BAR_MIN ? flows_width(q) - fixed : BAR_MIN;
	uint64_t max = most(t);
	char when[VW_TIME_STRLEN], width[32];

	width_text(t->width_us, width);
	fprintf(q->out, "%-*s  %12s  %9s  each line %s\n", (int)stamp, "FROM", "PACKETS", "RECORDS",
		width);
	for (size_t i = 0; i < t->n; i++) {
		const struct vw_sums *s = &t->v[i];
		uint64_t part =
			max ? (uint64_t)((double)s->packets * 8 * (double)room / (double)max) : 0;

		fprintf(q->out, "%-*s  %12llu  %9llu  ", (int)stamp,
			flows_time_text(q, t->start_us + (int64_t)i * t->width_us, when),
			(unsigned long long)s->packets, (unsigned long long)s->records);
		bar(q->out, part || !s->packets ? part : 1, q->utf8);
		putc('\n', q->out);
	}
}

static int print_rows(struct flows_query *q, const struct vw_timeline *t)
{
	static const struct flows_column columns[] = {
		{"time", false},   {"seconds", true}, {"records", true},
		{"packets", true}, {"bytes", true},
	};
	_cleanup_(flows_table_free) struct flows_table *table = NULL;
	int r = flows_table_new(q, columns, VW_ARRAY_SIZE(columns), &table);

	for (size_t i = 0; !r && i < t->n; i++) {
		r = flows_table_time(table, t->start_us + (int64_t)i * t->width_us);
		if (!r)
			r = flows_table_number(table, (uint64_t)(t->width_us / 1000000));
		if (!r)
			r = flows_table_number(table, t->v[i].records);
		if (!r)
			r = flows_table_number(table, t->v[i].packets);
		if (!r)
			r = flows_table_number(table, t->v[i].bytes);
	}
	return r;
}

int flows_timeline(struct flows_query *q)
{
	_cleanup_free_ struct vw_timeline *t = malloc(sizeof(*t));
	int r;

	if (!t)
		return flows_cannot(q, -ENOMEM);
	vw_timeline_init(t, q->bucket_us);
	r = flows_run(q, add, t);
	if (r)
		return r;
	if (q->bucket_us && t->width_us != q->bucket_us)
		fprintf(stderr, "vethwall flows: more than %d buckets, so they were made wider\n",
			VW_TIMELINE_MAX);
	if (!q->bucket_us)
		vw_timeline_fit(t, q->limit ? q->limit : ROWS);
	if (q->format == FLOWS_TEXT)
		print_chart(q, t);
	else
		r = print_rows(q, t);
	return r ? flows_cannot(q, r) : flows_end(q);
}
