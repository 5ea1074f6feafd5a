/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an earlier agent reported, read back from the log's own tail: each record tells the kernel's
 * counter after it, so the last record of a flow is all that is needed to go on without counting
 * anything twice or not at all, also after kill -9. */
#include <string.h>

#include "agent/denied_state.h"
#include "vethwall/cleanup.h"

/* Older records speak of elements that have expired: their timeout, and time for a start. */
#define TAIL_US (15 * 60 * (int64_t)1000000)

/* An interface that nobody reports as walled by then is gone. */
#define UNCLAIMED_MS (5 * 60 * (int64_t)1000)

struct restore {
	struct vw_denied *v;
	int64_t now_ms, now_us, wall_us;
};

/* The same number under another name is another interface: what it had is over. */
static bool take_name(struct vw_denied *v, struct denied_wall *w, const struct vw_str *name)
{
	if (!name->s || name->n >= sizeof(w->iface))
		return false;
	if (!vw_str_is(name, w->iface)) {
		denied_forget_counters(v, w);
		memset(w->iface, 0, sizeof(w->iface));
		memcpy(w->iface, name->s, name->n);
	}
	return true;
}

static void restore_flow(struct restore *r, const struct vw_flow *f)
{
	struct denied_wall *w;
	struct vw_counted *c;
	uint8_t key[VW_FLOW_KEY_MAX];
	size_t klen = vw_flow_key(&f->t, key);

	if (f->event == VW_FLOW_OVERFLOW || !f->ifindex || !f->total_packets ||
	    f->time_us < r->wall_us - TAIL_US)
		return;
	w = denied_wall_make(r->v, f->ifindex);
	if (!w || !take_name(r->v, w, &f->in_iface))
		return;
	c = denied_entry(r->v, &w->t[klen != w->t[0].klen], key);
	if (!c)
		return;
	w->restored = true;
	w->due_ms = r->now_ms + UNCLAIMED_MS;
	c->packets = f->total_packets;
	c->bytes = f->total_bytes;
	c->gone_ms = r->now_ms - (r->wall_us - f->last_us) / 1000 + DENIED_TIMEOUT_MS;
	c->record_ms = r->now_ms - (r->wall_us - f->time_us) / 1000;
}

static int restore_segment(struct restore *r, const struct vw_segment *seg, char *buf)
{
	_cleanup_(vw_lines_done) struct vw_lines l = {0};
	const char *line;
	size_t n;
	int e = vw_lines_init(&l, seg->fd, VW_FLOW_LINE_MAX);

	if (e)
		return e;
	while ((e = vw_lines_next(&l, &line, &n)) == 1 || e == -EMSGSIZE) {
		struct vw_flow f;

		if (e == 1 && !vw_flow_json_parse(line, n, buf, &f))
			restore_flow(r, &f);
	}
	return e;
}

int denied_restore(struct vw_denied *v, const char *dir)
{
	_cleanup_(vw_segments_done) struct vw_segments segs = {0};
	_cleanup_free_ char *buf = malloc(VW_FLOW_LINE_MAX);
	struct restore r = {.v = v, .wall_us = vw_wall_ns() / 1000, .now_us = vw_now_ns() / 1000};
	int e = vw_segments_open(dir, DENIED_LOG, &segs);

	if (!buf)
		return -ENOMEM;
	if (e)
		return e == -ENOENT ? 0 : e;
	r.now_ms = r.now_us / 1000;
	vw_vec_foreach (seg, &segs.list) {
		if (seg->mtime_us >= r.wall_us - TAIL_US)
			e = restore_segment(&r, seg, buf);
		if (e)
			return e;
	}
	return 0;
}
