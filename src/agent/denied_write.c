/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of what is pending. Only when a line is in the file is what it counts no longer pending,
 * so a full disk delays records and loses none; how long it did is a record of its own. */
#include <errno.h>
#include <string.h>

#include "agent/denied_state.h"
#include "vethwall/cleanup.h"
#include "vethwall/note.h"

#define BATCH_MAX 256 /* records before others get their turn */
#define SCAN_MAX 65536 /* and entries looked at */
/* Bytes that the kernel counts at the egress hook and not at ingress (tried on 6.18). */
#define LINK_HEADER 14
#define SEAL_MS 1000
#define STATS_MS 10000

static uint64_t packet_bytes(bool sent, uint64_t packets, uint64_t bytes)
{
	uint64_t links = packets * LINK_HEADER;

	if (sent)
		return bytes;
	return bytes > links ? bytes - links : 0;
}

/* ---- about the log itself ---- */

static int put_note(struct vw_denied *v, const struct vw_note *n)
{
	char line[VW_NOTE_LINE_MAX];

	return vw_store_append(v->store, line, vw_note_line(n, line));
}

static int tell_cut(struct vw_denied *v)
{
	struct vw_note n = {.kind = VW_NOTE_GAP,
			    .time_us = vw_wall_ns() / 1000,
			    .cause = "crash",
			    .text = "the last record was incomplete; its packets are counted again",
			    .counts = {{"cut_bytes", v->cut}}};
	int r = v->cut ? put_note(v, &n) : 0;

	if (!r)
		v->cut = 0;
	return r;
}

static int tell_doubt(struct vw_denied *v)
{
	struct vw_note n = {.kind = VW_NOTE_GAP,
			    .time_us = vw_wall_ns() / 1000,
			    .cause = "log-changed",
			    .text = v->doubt};
	int r = v->doubt ? put_note(v, &n) : 0;

	if (!r)
		v->doubt = NULL;
	return r;
}

static int tell_gap(struct vw_denied *v)
{
	struct vw_note n = {.kind = VW_NOTE_GAP,
			    .time_us = vw_wall_ns() / 1000,
			    .first_us = v->gap.since_us,
			    .cause = "write",
			    .text = strerror(-v->gap.err),
			    .counts = {{"failures", v->gap.failures},
				       {"waiting_packets", v->stats.unwritten_packets},
				       {"samples_unkept", v->stats.samples_unkept}}};
	int r;

	if (!v->gap.since_us)
		return 0;
	n.last_us = n.time_us;
	r = put_note(v, &n);
	if (r)
		return r;
	v->gap = (struct denied_gap){0};
	v->stats.gaps++;
	v->stats.failing = false;
	return 0;
}

int denied_tell(struct vw_denied *v)
{
	int r = tell_cut(v);

	if (!r)
		r = tell_doubt(v);
	return r ? r : tell_gap(v);
}

/* Whether the log is less than it should be by more than the last record of stats says. */
static bool is_worse(const struct vw_denied_stats *a, const struct vw_denied_stats *b)
{
	return a->samples_lost != b->samples_lost || a->samples_unkept != b->samples_unkept ||
	       a->overflow_packets != b->overflow_packets || a->write_errors != b->write_errors ||
	       a->read_errors != b->read_errors;
}

void denied_tell_stats(struct vw_denied *v, bool last)
{
	const struct vw_denied_stats *s = &v->stats;
	struct vw_note n = {.kind = VW_NOTE_STATS,
			    .time_us = vw_wall_ns() / 1000,
			    .counts = {{"records", s->records},
				       {"packets", s->packets},
				       {"bytes", s->bytes},
				       {"overflow_packets", s->overflow_packets},
				       {"held_packets", s->held_packets},
				       {"samples", s->samples},
				       {"samples_lost", s->samples_lost},
				       {"samples_skipped", s->samples_skipped},
				       {"samples_unkept", s->samples_unkept},
				       {"write_errors", s->write_errors},
				       {"read_errors", s->read_errors},
				       {"unwritten_packets", s->unwritten_packets}}};
	int64_t now = denied_now_ms();

	if (v->gap.since_us ||
	    (last ? s->records == v->told.records : now < v->told_ms + STATS_MS) ||
	    (!last && !is_worse(s, &v->told)))
		return;
	if (put_note(v, &n))
		return;
	v->told = *s;
	v->told_ms = now;
}

/* ---- lines ---- */

static int write_failed(struct vw_denied *v, int r)
{
	unsigned held = 0;

	v->stats.write_errors++;
	v->stats.failing = true;
	if (!v->gap.since_us)
		v->gap = (struct denied_gap){.since_us = vw_wall_ns() / 1000};
	v->gap.err = r;
	v->gap.failures++;
	if (vw_ratelimit_ok(&v->said, 1, 60, &held))
		vw_err("cannot write " DENIED_LOG ": %s; %llu packets wait for it", strerror(-r),
		       (unsigned long long)v->stats.unwritten_packets);
	return r;
}

/* What was written is told, line by line. */
static void tee_lines(const struct vw_denied *v, const char *lines, size_t n)
{
	char buf[VW_FLOW_LINE_MAX];
	const char *line = lines, *end = lines + n, *next;

	for (; v->tee && line < end; line = next) {
		struct vw_flow f;

		next = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
		if (!vw_flow_json_parse(line, (size_t)(next - line), buf, &f))
			v->tee(v->tee_arg, &f, line, (size_t)(next - line));
	}
}

/* Lines into the file, behind what is to be said about it. */
static int put_lines(struct vw_denied *v, const char *lines, size_t n)
{
	int r = denied_tell(v);

	if (!r)
		r = vw_store_append(v->store, lines, n);
	if (r)
		return write_failed(v, r);
	tee_lines(v, lines, n);
	if (!vw_timer_armed(v->seal_timer))
		vw_timer_arm(v->seal_timer, SEAL_MS);
	return 0;
}

static void told(struct vw_denied *v, struct denied_owed *o, bool sent, uint64_t packets,
		 uint64_t bytes)
{
	o->told[0] += (int64_t)packets;
	o->told[1] += (int64_t)bytes;
	v->stats.records++;
	v->stats.packets += packets;
	v->stats.bytes += packet_bytes(sent, packets, bytes);
	v->stats.unwritten_packets -= packets;
}

/* The lines in buf go to the file; then, and only then, are they reported. All are of one wall and
 * family. */
static int flush_batch(struct vw_denied *v, struct denied_wall *w, int f, int64_t now_ms)
{
	int r = v->fill ? put_lines(v, v->buf, v->fill) : 0;

	v->fill = 0;
	vw_vec_foreach (p, &v->batch) {
		struct vw_counted *c = *p;
		struct denied_owed *o;
		uint32_t code;

		if (r)
			break;
		memcpy(&code, c->key, sizeof(code));
		o = &w->owed[f][(code & VW_CODE_EGRESS) != 0];
		o->gained[0] -= (int64_t)c->pending_packets;
		o->gained[1] -= (int64_t)c->pending_bytes;
		told(v, o, code & VW_CODE_EGRESS, c->pending_packets, c->pending_bytes);
		c->pending_packets = c->pending_bytes = 0;
		c->first_us = 0;
		c->record_ms = now_ms;
	}
	v->batch.n = 0;
	return r;
}

void denied_name(struct vw_denied *v, unsigned ifindex, struct vw_flow *f)
{
	struct vw_flow_names n = {0};
	bool sum = vw_flow_is_sum(f->event);

	v->namer(v->arg, ifindex, &f->t, &n);
	f->in_iface = vw_str_of(n.in_iface);
	f->workload = vw_str_of(n.workload);
	f->service = vw_str_of(n.service);
	f->image = vw_str_of(n.image);
	f->peer = vw_str_of(sum ? NULL : n.peer);
	f->peer_service = vw_str_of(sum ? NULL : n.peer_service);
	f->peer_name = vw_str_of(sum ? NULL : n.peer_name);
	f->policy = vw_str_of(n.policy);
	f->rule = vw_str_of(n.rule);
	f->tier = vw_str_of(n.tier);
}

static int write_flow(struct vw_denied *v, struct denied_wall *w, int f, struct vw_counted *c,
		      int64_t now_ms)
{
	int64_t wall_us = vw_wall_ns() / 1000, last_ms = c->gone_ms - DENIED_TIMEOUT_MS;
	struct vw_flow flow = {.time_us = wall_us, .ifindex = w->ifindex};
	char id[VW_COMMUNITY_ID_LEN];
	int r;

	if (vw_tuple_decode(c->key, w->t[f].klen, &flow.t))
		return 0;
	vw_flow_set_code(&flow, flow.t.code);
	denied_name(v, w->ifindex, &flow);
	flow.packets = c->pending_packets;
	flow.bytes = packet_bytes(flow.egress, c->pending_packets, c->pending_bytes);
	flow.total_packets = c->packets;
	flow.total_bytes = c->bytes;
	flow.first_us = c->first_us;
	flow.last_us = wall_us - (now_ms > last_ms ? now_ms - last_ms : 0) * 1000;
	if (flow.last_us < flow.first_us)
		flow.last_us = flow.first_us; /* the kernel's clock of elements ticks in 4 ms */
	vw_community_id(&flow.t, 0, id);
	flow.community_id = vw_str_of(id);
	if (v->fill + VW_FLOW_LINE_MAX > DENIED_BUF_BYTES) {
		r = flush_batch(v, w, f, now_ms);
		if (r)
			return r;
	}
	r = vw_vec_push(&v->batch, c, BATCH_MAX);
	if (!r)
		v->fill += vw_flow_json(&flow, v->buf + v->fill);
	return r;
}

/* What was refused in one direction and is in no flow's record. */
static int write_sum(struct vw_denied *v, struct denied_wall *w, int kind, int dir)
{
	struct denied_owed *o = &w->owed[kind][dir];
	bool held = kind == DENIED_HELD;
	struct vw_flow f = {.event = held ? VW_FLOW_HELD : VW_FLOW_OVERFLOW,
			    .egress = dir,
			    .ip_v = held		? 0
				    : kind == DENIED_V6 ? 6
							: 4,
			    .ifindex = w->ifindex,
			    .packets = o->over[0],
			    .bytes = packet_bytes(dir, o->over[0], o->over[1]),
			    .total_packets = o->chain[0],
			    .total_bytes = o->chain[1],
			    .first_us = o->first_us};
	char line[VW_FLOW_LINE_MAX];
	int r;

	if (!o->over[0])
		return 0;
	f.t.code = VW_CODE_DENY | (dir ? VW_CODE_EGRESS : 0) | (held ? VW_REASON_HELD : 0);
	f.time_us = f.last_us = vw_wall_ns() / 1000;
	denied_name(v, w->ifindex, &f);
	if (!held)
		f.policy = f.rule = f.tier = (struct vw_str){0};
	r = put_lines(v, line, vw_flow_json(&f, line));
	if (r)
		return r;
	told(v, o, dir, o->over[0], o->over[1]);
	o->over[0] = o->over[1] = 0;
	o->first_us = 0;
	return 0;
}

/* A flow's first record goes out at once, later ones an interval apart. 1: enough for one turn. */
static int write_table(struct vw_denied *v, struct denied_wall *w, struct denied_writing *wr)
{
	struct vw_counted_table *t = &w->t[wr->f];
	size_t last;
	int r = 0;

	if (wr->slots != t->slots)
		wr->slot = 0; /* entries have moved */
	wr->slots = t->slots;
	last = wr->slot + SCAN_MAX < t->slots ? wr->slot + SCAN_MAX : t->slots;
	for (; wr->slot < last && !r && v->batch.n < BATCH_MAX; wr->slot++) {
		struct vw_counted *c = (struct vw_counted *)(void *)(t->v + wr->slot * t->stride);
		int64_t at;

		if (!c->used || !c->pending_packets)
			continue;
		at = c->record_ms == INT64_MIN ? wr->now_ms : c->record_ms + v->interval_ms;
		if (wr->all || at <= wr->now_ms)
			r = write_flow(v, w, wr->f, c, wr->now_ms);
		else if (at < wr->next_ms)
			wr->next_ms = at;
	}
	if (!r)
		r = flush_batch(v, w, wr->f, wr->now_ms);
	return r ? r : wr->slot < t->slots;
}

int denied_write(struct vw_denied *v, struct denied_wall *w, struct denied_writing *wr)
{
	int r = 0;

	wr->now_ms = denied_now_ms();
	if (wr->f < DENIED_HELD) {
		r = write_table(v, w, wr);
		if (r) {
			v->fill = v->batch.n = 0;
			return r;
		}
		for (int dir = 0; dir < 2 && !r; dir++)
			r = write_sum(v, w, wr->f, dir);
		wr->slot = wr->slots = 0;
		wr->f++;
		return r ? r : 1;
	}
	for (int dir = 0; dir < 2 && !r; dir++)
		r = write_sum(v, w, DENIED_HELD, dir);
	return r;
}

bool denied_write_all(struct vw_denied *v, struct denied_wall *w)
{
	struct denied_writing wr = {.all = true, .next_ms = DENIED_NEVER};
	int r;

	while ((r = denied_write(v, w, &wr)) == 1)
		;
	return !r;
}
