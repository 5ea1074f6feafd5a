/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the log's segments to records that fit, with as little reading as gives the same answer. */
#include "cli/flows_read.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "vethwall/cleanup.h"
#include "vethwall/note.h"

#define COMPLAINTS_MAX 10 /* about lines that are no records, one by one */
#define FOLLOW_NS 200000000
#define PATIENCE_US 500000 /* before a bar is shown */
#define BAR 30

/* ---- progress ---- */

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void flows_progress(struct flows_reader *r, uint64_t bytes)
{
	uint64_t total = r->progress.total;
	unsigned part;

	r->progress.done += bytes;
	if (!r->progress.start_us)
		r->progress.start_us = now_us();
	if (!total || !isatty(STDERR_FILENO) || now_us() - r->progress.start_us < PATIENCE_US)
		return;
	part = (unsigned)(r->progress.done >= total ? BAR : r->progress.done * BAR / total);
	fprintf(stderr, "\r[%.*s%*s] %3u %% of %llu MiB ", (int)part,
		"##############################", (int)(BAR - part), "", part * 100 / BAR,
		(unsigned long long)(r->progress.total >> 20));
	r->progress.shown = true;
}

void flows_progress_done(struct flows_reader *r)
{
	if (r->progress.shown)
		fputs("\r\033[K", stderr);
	r->progress.shown = false;
}

/* ---- lines ---- */

static void complain(struct flows_reader *r, const char *file, uint64_t line)
{
	if (r->bad++ < COMPLAINTS_MAX)
		fprintf(stderr, "%s/%s:%llu: not a flow record, skipped\n", r->dir, file,
			(unsigned long long)line);
}

/* The time at which the record at p was made, as far as it can be told without reading it. */
static bool stamp(const char *p, size_t n, int64_t *ret)
{
	return n > FLOWS_HEAD_LEN + FLOWS_STAMP_LEN && !memcmp(p, FLOWS_HEAD, FLOWS_HEAD_LEN) &&
	       !vw_time_parse(p + FLOWS_HEAD_LEN, FLOWS_STAMP_LEN, ret);
}

/* A line about the log: one of a gap, made in the time asked for, is told at the end. */
static void note(struct flows_reader *r, const char *line, size_t n)
{
	int64_t at;

	if (vw_note_kind(line, n) == VW_NOTE_GAP && stamp(line, n, &at) &&
	    at >= r->filter->from_us && at <= r->filter->made_to_us)
		r->gaps++;
}

/* All lines that are there now. */
static int read_lines(struct flows_reader *r, const char *file, struct vw_lines *l)
{
	const char *line;
	uint64_t bytes = 0;
	struct vw_flow f;
	size_t n = 0;
	int e, got;

	while ((got = vw_lines_next(l, &line, &n)) == 1 || got == -EMSGSIZE) {
		bytes += n + 1;
		if (!(l->number & 0x3fff)) {
			flows_progress(r, bytes);
			bytes = 0;
		}
		if (got == 1 && !flows_filter_may_match(r->filter, line, n))
			continue;
		e = got == 1 ? vw_flow_json_parse(line, n, r->buf, &f) : got;
		if (e == -ENOMSG) { /* about the log itself */
			note(r, line, n);
			continue;
		}
		if (e) {
			complain(r, file, l->number);
			continue;
		}
		if (!flows_filter_match(r->filter, &f))
			continue;
		e = r->record(r->arg, &f, line, n);
		if (e)
			return e;
	}
	flows_progress(r, bytes);
	return got;
}

/* ---- segments ---- */

/* No record in it can fit: the first was made long after the time asked for, or the last before it.
 * The file's own time must agree, for clocks are set. */
static bool out_of_range(const struct flows_reader *r, const struct vw_segment *seg)
{
	const struct flows_filter *f = r->filter;
	size_t want = seg->size < sizeof(r->buf) ? (size_t)seg->size : sizeof(r->buf);
	char head[64], tail[VW_FLOW_LINE_MAX];
	ssize_t n;
	char *nl;
	int64_t at;

	n = pread(seg->fd, head, sizeof(head), 0);
	if (n > 0 && f->made_to_us != INT64_MAX && seg->mtime_us > f->made_to_us &&
	    stamp(head, (size_t)n, &at) && at > f->made_to_us)
		return true;
	if (f->from_us == INT64_MIN || seg->mtime_us >= f->from_us)
		return false;
	n = pread(seg->fd, tail, want, (off_t)(seg->size - want));
	if (n < 2 || tail[n - 1] != '\n')
		return false;
	nl = memrchr(tail, '\n', (size_t)n - 1);
	nl = nl ? nl + 1 : tail;
	return stamp(nl, (size_t)(tail + n - nl), &at) && at < f->from_us;
}

static int read_segment(struct flows_reader *r, const struct vw_segment *seg)
{
	_cleanup_(vw_lines_done) struct vw_lines l = {0};
	int e;

	if (out_of_range(r, seg)) {
		flows_progress(r, seg->size);
		return 0;
	}
	e = vw_lines_init(&l, seg->fd, VW_FLOW_LINE_MAX);
	return e ? e : read_lines(r, seg->name, &l);
}

static void tail_done(struct flows_reader *r)
{
	if (!r->tail.open)
		return;
	vw_lines_done(&r->tail.lines);
	close(r->tail.seg.fd);
	r->tail.open = false;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Moves the tail to the youngest segment, which stays open. */
static int open_tail(struct flows_reader *r, struct vw_segment *seg)
{
	int e;

	tail_done(r);
	r->tail.seg = *seg;
	seg->fd = -1;
	e = vw_lines_init(&r->tail.lines, r->tail.seg.fd, VW_FLOW_LINE_MAX);
	r->tail.open = !e;
	if (e)
		close(r->tail.seg.fd);
	return e;
}

/* Everything behind the file that the tail stands on (all of it if that one is gone). */
static int advance(struct flows_reader *r, struct vw_segments *segs)
{
	size_t from = 0;
	int e = 0;

	for (size_t i = 0; r->tail.open && i < segs->list.n; i++) {
		if (same_file(segs->list.v[i].fd, r->tail.seg.fd))
			from = i + 1;
	}
	if (r->tail.open)
		e = read_lines(r, r->tail.seg.name, &r->tail.lines);
	for (size_t i = from; !e && i + 1 < segs->list.n; i++)
		e = read_segment(r, &segs->list.v[i]);
	if (e || from >= segs->list.n)
		return e;
	e = open_tail(r, &segs->list.v[segs->list.n - 1]);
	return e ? e : read_lines(r, r->tail.seg.name, &r->tail.lines);
}

int flows_read(struct flows_reader *r)
{
	_cleanup_(vw_segments_done) struct vw_segments segs = {0};
	int e = vw_segments_open(r->dir, FLOWS_LOG, &segs);

	if (e)
		return e;
	if (!r->tail.open) {
		r->progress.done = r->progress.total = 0;
		vw_vec_foreach (seg, &segs.list)
			r->progress.total += seg->size;
	}
	e = advance(r, &segs);
	flows_progress_done(r);
	r->progress.total = 0;
	r->torn = r->tail.open ? vw_lines_torn(&r->tail.lines) : 0;
	return e;
}

int flows_read_more(struct flows_reader *r)
{
	const struct timespec pause = {.tv_nsec = FOLLOW_NS};

	nanosleep(&pause, NULL);
	return flows_read(r);
}

void flows_reader_done(struct flows_reader *r)
{
	tail_done(r);
}

void flows_reader_tell(const struct flows_reader *r)
{
	if (r->bad)
		fprintf(stderr, "vethwall flows: %llu lines were no flow records\n",
			(unsigned long long)r->bad);
	if (r->gaps)
		fprintf(stderr,
			"vethwall flows: %llu gaps in this time, in which not all could be "
			"recorded: grep '\"event_type\":\"gap\"' %s/" FLOWS_LOG "*\n",
			(unsigned long long)r->gaps, r->dir);
	if (r->torn)
		fputs("vethwall flows: the last line of " FLOWS_LOG " is incomplete\n", stderr);
}
