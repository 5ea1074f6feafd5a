/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups of flows to cells. Nothing is escaped here: each way of showing them has its own rules. */
#include "cli/diff_lists.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vethwall/cleanup.h"

static const char *const live_columns[] = {"From", "To", "Port", "Flows", "Packets", "Oldest"};
static const char *const log_columns[] = {"From", "To", "Port", "Records", "Packets", "Last seen"};
#define COLUMNS VW_ARRAY_SIZE(live_columns)

static const char *const titles[] = {
	[VW_DIFF_LIST_CUT] = "Live flows that would be cut",
	[VW_DIFF_LIST_PASSED] = "Logged denials that would pass",
	[VW_DIFF_LIST_DENIED] = "Logged traffic that would be denied",
};

void vw_diff_lists_done(struct vw_diff_lists *l)
{
	for (size_t k = 0; k < _VW_DIFF_LIST_MAX; k++) {
		for (size_t i = 0; l->list[k].cells && i < l->list[k].n_rows * COLUMNS; i++)
			free(l->list[k].cells[i]);
		free(l->list[k].cells);
		free(l->notes[k]);
	}
	*l = (struct vw_diff_lists){0};
}

__attribute__((format(printf, 1, 2))) static char *text(const char *fmt, ...)
{
	char *s;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

/* "45s", "12m 3s", "2h 5m", "3d 4h". */
static char *age(int64_t us, bool at_least)
{
	static const struct {
		int64_t s;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	const char *over = at_least ? "over " : "";
	int64_t s = us > 0 ? us / 1000000 : 0;
	size_t i = 0;

	while (i + 1 < VW_ARRAY_SIZE(units) && s < units[i].s)
		i++;
	if (i + 1 == VW_ARRAY_SIZE(units))
		return text("%s%" PRId64 "s", over, s);
	return text("%s%" PRId64 "%c %" PRId64 "%c", over, s / units[i].s, units[i].unit,
		    s % units[i].s / units[i + 1].s, units[i + 1].unit);
}

static char *moment(int64_t us)
{
	time_t t = (time_t)(us / 1000000);
	char buf[VW_TIME_STRLEN];
	struct tm tm;

	if (!us || !localtime_r(&t, &tm) || !strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S", &tm))
		return strdup("-");
	return strdup(buf);
}

static char *counted(uint64_t n)
{
	return n ? text("%" PRIu64, n) : strdup("-");
}

static int fill_row(const struct vw_diff_group *g, bool live, int64_t now_us, char **cells)
{
	char port[VW_DIFF_PORT_STRLEN];

	cells[0] = strdup(g->from);
	cells[1] = strdup(g->to);
	cells[2] = strdup(vw_diff_port_str(g->proto, g->port, port));
	cells[3] = text("%" PRIu64, g->flows);
	cells[4] = counted(g->packets);
	if (!live)
		cells[5] = moment(g->last_us);
	else
		cells[5] = g->first_us ? age(now_us - g->first_us, g->at_least) : strdup("-");
	for (size_t i = 0; i < COLUMNS; i++)
		if (!cells[i])
			return -ENOMEM;
	return 0;
}

static int fill(const struct vw_diff_groups *g, bool live, int64_t now_us, size_t rows,
		struct vw_diff_html_list *ret)
{
	int r = 0;

	ret->columns = live ? live_columns : log_columns;
	ret->n_columns = COLUMNS;
	ret->n_rows = g->list.n < rows ? g->list.n : rows;
	ret->cells = calloc(ret->n_rows * COLUMNS + 1, sizeof(*ret->cells));
	if (!ret->cells)
		return -ENOMEM;
	for (size_t i = 0; i < ret->n_rows && !r; i++)
		r = fill_row(&g->list.v[i], live, now_us, ret->cells + i * COLUMNS);
	return r;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static char *live_note(const struct vw_diff *d)
{
	if (!d->live_looked)
		return strdup("Not looked at: offline.");
	if (d->live_unlisted)
		return text("%" PRIu64 " would be cut, %" PRIu64 " stay; %" PRIu64
			    " more are too many to be looked at.",
			    d->cut.flows, d->live_stay, d->live_unlisted);
	return text("%" PRIu64 " would be cut, %" PRIu64 " stay%s.", d->cut.flows, d->live_stay,
		    d->live_stay == 1 ? "s" : "");
}

static char *log_note(const struct vw_diff *d, const struct vw_diff_groups *g)
{
	_cleanup_free_ char *since = moment(d->since_us);

	if (d->log_why)
		return text("Not looked at: %s.", d->log_why);
	if (!since)
		return NULL;
	if (d->log_gone)
		return text("%" PRIu64 " of %" PRIu64 " record%s since %s (%" PRIu64
			    " are of workloads that are gone), %" PRIu64 " packet%s.",
			    g->flows, d->log_records, plural(d->log_records), since, d->log_gone,
			    g->packets, plural(g->packets));
	return text("%" PRIu64 " of %" PRIu64 " record%s since %s, %" PRIu64 " packet%s.", g->flows,
		    d->log_records, plural(d->log_records), since, g->packets, plural(g->packets));
}

int vw_diff_lists_make(const struct vw_diff *d, size_t rows, struct vw_diff_lists *ret)
{
	const struct vw_diff_groups *const groups[] = {&d->cut, &d->passed, &d->denied};
	_cleanup_(vw_diff_lists_done) struct vw_diff_lists l = {0};
	int r = 0;

	for (size_t k = 0; k < _VW_DIFF_LIST_MAX && !r; k++) {
		bool live = k == VW_DIFF_LIST_CUT;

		r = fill(groups[k], live, d->until_us, rows, &l.list[k]);
		l.notes[k] = live ? live_note(d) : log_note(d, groups[k]);
		l.list[k].title = titles[k];
		l.list[k].note = l.notes[k];
		if (!l.notes[k])
			r = -ENOMEM;
	}
	if (r)
		return r;
	l.n = d->log_why ? VW_DIFF_LIST_DENIED : _VW_DIFF_LIST_MAX;
	if (d->log_why)
		l.list[VW_DIFF_LIST_PASSED].title = "The log";
	*ret = l;
	l = (struct vw_diff_lists){0};
	return 0;
}
