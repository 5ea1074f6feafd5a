/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an earlier agent reported, read back from the log's own tail: each record tells the kernel's
 * counter after it, so the last record of a flow is all that is needed to go on without counting
 * anything twice or not at all, also after kill -9. And the sums of what was told since the agent
 * kept them (denied_keep.c). */
#include <errno.h>
#include <string.h>

#include "agent/denied_state.h"
#include "vethwall/cleanup.h"
#include "vethwall/note.h"

/* Older records speak of elements that have expired: their timeout, and time for a start. */
#define TAIL_US (15 * 60 * (int64_t)1000000)

/* An interface that nobody reports as walled by then is gone. */
#define UNCLAIMED_MS (5 * 60 * (int64_t)1000)
#define LINK_HEADER 14 /* as in denied_write.c */

struct restore {
	struct vw_denied *v;
	int64_t now_ms, now_us, wall_us;
	bool kept; /* what stands behind `place` is added to what was kept */
	bool found; /* the place is in the log */
	struct denied_place place;
};

/* The same number under another name is another interface: what it had is over. */
static bool take_name(struct vw_denied *v, struct denied_wall *w, const struct vw_str *name)
{
	if (!name->s || name->n >= sizeof(w->iface))
		return false;
	if (!vw_str_is(name, w->iface)) {
		denied_forget_counters(v, w);
		memset(w->owed, 0, sizeof(w->owed));
		memset(w->iface, 0, sizeof(w->iface));
		memcpy(w->iface, name->s, name->n);
	}
	return true;
}

/* A record that was written after the sums were kept. */
static void add_told(struct denied_wall *w, const struct vw_flow *f)
{
	int family = vw_flow_is_sum(f->event) ? f->ip_v : f->t.src.family;
	int kind = f->event == VW_FLOW_HELD ? DENIED_HELD : family == 6 ? DENIED_V6 : DENIED_V4;
	struct denied_owed *o = &w->owed[kind][f->egress];

	o->known = true;
	o->told[0] += (int64_t)f->packets;
	o->told[1] += (int64_t)(f->bytes + (f->egress ? 0 : f->packets * LINK_HEADER));
}

static void restore_counter(struct restore *r, struct denied_wall *w, const struct vw_flow *f)
{
	struct vw_counted *c;
	uint8_t key[VW_FLOW_KEY_MAX];
	size_t klen = vw_flow_key(&f->t, key);

	c = denied_entry(r->v, &w->t[klen != w->t[0].klen], key);
	if (!c)
		return;
	c->packets = f->total_packets;
	c->bytes = f->total_bytes;
	c->gone_ms = r->now_ms - (r->wall_us - f->last_us) / 1000 + DENIED_TIMEOUT_MS;
	c->record_ms = r->now_ms - (r->wall_us - f->time_us) / 1000;
}

/* newer: than what was kept. */
static void restore_flow(struct restore *r, const struct vw_flow *f, bool newer)
{
	bool young = f->time_us >= r->wall_us - TAIL_US;
	struct denied_wall *w;

	if (!f->ifindex || !f->total_packets || !(young || newer))
		return;
	w = denied_wall_make(r->v, f->ifindex);
	if (!w || !take_name(r->v, w, &f->in_iface))
		return;
	w->restored = true;
	w->due_ms = r->now_ms + UNCLAIMED_MS;
	if (young && !vw_flow_is_sum(f->event))
		restore_counter(r, w, f);
	if (newer)
		add_told(w, f);
}

static int restore_segment(struct restore *r, const struct vw_segment *seg, char *buf)
{
	_cleanup_(vw_lines_done) struct vw_lines l = {0};
	struct vw_chain_note head = {0};
	const char *line;
	size_t n;
	int e = vw_lines_init(&l, seg->fd, VW_FLOW_LINE_MAX);

	if (e)
		return e;
	while ((e = vw_lines_next(&l, &line, &n)) == 1 || e == -EMSGSIZE) {
		const struct denied_place *p = &r->place;
		struct vw_flow f;

		if (e == 1 && l.number == 1 && !vw_chain_parse(line, n, &head))
			r->found |= head.seq == p->seq && seg->size >= p->offset;
		if (e == 1 && !vw_flow_json_parse(line, n, buf, &f))
			restore_flow(r, &f,
				     r->kept && (head.seq > p->seq ||
						 (head.seq == p->seq && l.offset > p->offset)));
	}
	return e;
}

/* What was kept and cannot be brought up to date is worth nothing. */
static void distrust(struct vw_denied *v)
{
	vw_vec_foreach (p, &v->walls)
		memset((*p)->owed, 0, sizeof((*p)->owed));
}

static int restore_segments(struct restore *r, const char *dir, char *buf)
{
	_cleanup_(vw_segments_done) struct vw_segments segs = {0};
	int e = vw_segments_open(dir, DENIED_LOG, &segs);

	if (e)
		return e == -ENOENT ? 0 : e;
	/* One that began before the sums were kept was written to since. */
	vw_vec_foreach (seg, &segs.list) {
		if (r->kept || seg->mtime_us >= r->wall_us - TAIL_US)
			e = restore_segment(r, seg, buf);
		if (e)
			return e;
	}
	return 0;
}

int denied_restore(struct vw_denied *v, const char *dir)
{
	_cleanup_free_ char *buf = malloc(VW_FLOW_LINE_MAX);
	struct restore r = {.v = v, .wall_us = vw_wall_ns() / 1000, .now_us = vw_now_ns() / 1000};
	int e;

	if (!buf)
		return -ENOMEM;
	r.now_ms = r.now_us / 1000;
	r.kept = !denied_kept(v, &r.place);
	vw_vec_foreach (p, &v->walls)
		(*p)->due_ms = r.now_ms + UNCLAIMED_MS;
	e = restore_segments(&r, dir, buf);
	/* Nothing had been written when the place was taken: its segment may not be there. */
	r.found |= !r.place.offset;
	v->trusted = r.kept && r.found;
	if (!v->trusted)
		distrust(v);
	return e;
}
