/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A chained log, read from its oldest segment to its newest seal: whatever was altered, removed,
 * added or moved makes a hash differ, and the place is known up to the lines between two seals.
 * What the records say is not looked at. */
#include "vethwall/chain.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/flow.h"
#include "vethwall/store.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define PROGRESS_LINES 4096

struct verifying {
	const struct vw_chain_events *ev;
	struct vw_chain_result *ret;
	struct vw_chain_note kept; /* newest seal of the state folder; number 0: none */
	uint64_t done, total;

	struct vw_sealer chain;
	const char *file;
	uint64_t line, sealed_line; /* of the last good seal in this segment, 1 before it */
	bool known; /* the segment has a first line of ours */
	char file_before[VW_SEGMENT_NAME];
	uint64_t line_before;
	uint64_t seq_before; /* 0: none */
	char sum_before[VW_SHA256_HEX]; /* "": not known */
	uint64_t oldest; /* as the newest segment tells */
};

static void fault(struct verifying *v, const char *file, uint64_t line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void fault(struct verifying *v, const char *file, uint64_t line, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	v->ret->faults++;
	if (!v->ev->fault)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	v->ev->fault(v->ev->arg, file, line, text);
}

static void missing(struct verifying *v, uint64_t from, uint64_t to)
{
	if (from == to)
		fault(v, v->file, 1, "segment %llu, which came before it, is missing",
		      (unsigned long long)from);
	else
		fault(v, v->file, 1, "segments %llu to %llu, which came before it, are missing",
		      (unsigned long long)from, (unsigned long long)to);
}

/* The first line of a segment, against the segment before it. */
static void take_head(struct verifying *v, const char *line, size_t n)
{
	struct vw_chain_note h;

	v->known = !vw_chain_parse(line, n, &h) && h.kind == VW_NOTE_SEGMENT && h.seq;
	if (!v->known) {
		fault(v, v->file, 1,
		      "no segment begins here: its first lines were removed, or it "
		      "was written by another program");
		v->seq_before = 0;
		return;
	}
	if (v->seq_before && h.seq <= v->seq_before)
		fault(v, v->file, 1, "segment %llu stands behind segment %llu",
		      (unsigned long long)h.seq, (unsigned long long)v->seq_before);
	else if (v->seq_before && h.seq > v->seq_before + 1)
		missing(v, v->seq_before + 1, h.seq - 1);
	else if (v->seq_before && strcmp(h.sha256, v->sum_before) != 0)
		fault(v, v->file_before, v->line_before,
		      "%s does not follow: the lines up to here were cut, altered or added to",
		      v->file);
	if (!v->ret->first) {
		v->ret->first = h.seq;
		v->ret->from_us = h.time_us;
	}
	v->ret->last = h.seq;
	v->oldest = h.oldest;
	vw_sealer_begin(&v->chain, h.seq);
}

static void take_seal(struct verifying *v, const struct vw_chain_note *s)
{
	struct vw_chain_note want;

	vw_sealer_seal(&v->chain, 0, &want);
	if (s->seq != want.seq)
		fault(v, v->file, v->line, "a seal of segment %llu in segment %llu",
		      (unsigned long long)s->seq, (unsigned long long)want.seq);
	else if (strcmp(s->sha256, want.sha256) != 0)
		fault(v, v->file, v->line,
		      "something between line %llu and here was altered, removed, added or moved",
		      (unsigned long long)v->sealed_line);
	v->sealed_line = v->line;
	v->ret->seals++;
	v->ret->to_us = s->time_us;
	v->ret->unsealed = 0;
	if (v->kept.seq == s->seq && !strcmp(v->kept.sha256, s->sha256))
		v->ret->anchored = true;
}

static void take_line(struct verifying *v, const char *line, size_t n)
{
	struct vw_chain_note s;

	v->ret->lines++;
	if (v->line == 1)
		take_head(v, line, n);
	if (!v->known)
		return;
	if (v->line > 1 && !vw_chain_parse(line, n, &s) && s.kind == VW_NOTE_SEAL) {
		take_seal(v, &s);
		vw_sealer_sealed(&v->chain, line, n + 1);
		return;
	}
	v->ret->unsealed++;
	vw_sealer_add(&v->chain, line, n + 1); /* its newline stands behind it */
}

static int progress(struct verifying *v, uint64_t done)
{
	if (!v->ev->progress || v->ev->progress(v->ev->arg, v->done + done, v->total))
		return 0;
	return -ECANCELED;
}

static int read_lines(struct verifying *v, struct vw_lines *l)
{
	const char *line;
	size_t n;
	int r;

	while ((r = vw_lines_next(l, &line, &n)) == 1 || r == -EMSGSIZE) {
		v->line = l->number;
		if (r == 1) {
			take_line(v, line, n);
		} else {
			fault(v, v->file, v->line, "a line too long to be ours");
			v->known = false;
		}
		r = v->line % PROGRESS_LINES ? 0 : progress(v, l->offset);
		if (r)
			return r;
	}
	return r;
}

static int read_segment(struct verifying *v, const struct vw_segment *seg)
{
	_cleanup_(vw_lines_done) struct vw_lines l = {0};
	int r = vw_lines_init(&l, seg->fd, VW_FLOW_LINE_MAX);

	v->file = seg->name;
	v->line = 0;
	v->sealed_line = 1;
	v->known = false;
	if (!r)
		r = read_lines(v, &l);
	if (r || !v->line)
		return r;
	v->ret->segments++;
	v->done += seg->size;
	snprintf(v->file_before, sizeof(v->file_before), "%s", seg->name);
	v->line_before = v->line;
	v->seq_before = v->known ? v->chain.seq : 0;
	if (v->known)
		vw_sealer_sum(&v->chain, v->sum_before);
	return progress(v, 0);
}

/* What only the newest segment and the state folder can tell. */
static void whole(struct verifying *v)
{
	struct vw_chain_result *r = v->ret;

	if (r->first && v->oldest < r->first) {
		fault(v, v->file_before, v->line_before,
		      "the oldest segments, from %llu to %llu, are missing",
		      (unsigned long long)v->oldest, (unsigned long long)(r->first - 1));
	}
	if (v->kept.seq && !r->anchored && v->kept.seq >= r->first)
		fault(v, v->file_before[0] ? v->file_before : v->file, v->line_before,
		      "the end is missing or altered: the newest seal, of byte %llu of segment "
		      "%llu, is not there",
		      (unsigned long long)v->kept.offset, (unsigned long long)v->kept.seq);
}

static int take_kept(struct verifying *v, const char *state_dir)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t n;
	int r;

	if (!state_dir)
		return 0;
	if (asprintf(&path, "%s/" VW_SEAL_FILE, state_dir) < 0)
		return -ENOMEM;
	r = vw_file_read(path, VW_NOTE_LINE_MAX, &text, &n);
	if (r == -ENOENT)
		return 0;
	if (r)
		return r;
	if (vw_chain_parse(text, n, &v->kept) || v->kept.kind != VW_NOTE_SEAL) {
		fault(v, path, 1, "not a seal");
		v->kept = (struct vw_chain_note){0};
	}
	return 0;
}

int vw_chain_verify(const char *dir, const char *name, const char *state_dir,
		    const struct vw_chain_events *ev, struct vw_chain_result *ret)
{
	_cleanup_(vw_segments_done) struct vw_segments segs = {0};
	struct verifying v = {.ev = ev, .ret = ret, .file = name};
	int r;

	*ret = (struct vw_chain_result){0};
	/* Before the log: an agent that writes meanwhile makes newer ones. */
	r = take_kept(&v, state_dir);
	if (!r)
		r = vw_segments_open(dir, name, &segs);
	if (r == -ENOENT && v.kept.seq)
		r = 0;
	vw_vec_foreach (seg, &segs.list)
		v.total += seg->size;
	vw_vec_foreach (seg, &segs.list) {
		if (!r)
			r = read_segment(&v, seg);
	}
	if (!r)
		whole(&v);
	return r;
}
