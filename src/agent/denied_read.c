/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One wall's denied sets, read a bit at a time: a full set takes a tenth of a second and more, and
 * a container that starts meanwhile must not wait for it. A reading adds what each element gained
 * to what is pending for its flow; then records are made (denied_write.c). Does not know when it is
 * called. */
#include <errno.h>
#include <string.h>

#include "agent/denied_state.h"
#include "vethwall/cleanup.h"

#define SLOW_MS 60000 /* a quiet wall is read this often, should news of it have been lost */
#define STAGGER_MS 16384 /* and walls not all at once */
#define RETRY_MS 1000 /* after a failed write */
#define HELD_MS 1000 /* from the last packets of a held veth to the chain's last word */
#define FINAL_READINGS 20 /* until one has seen all */
#define QUIET_READINGS 2 /* and nothing new; who floods on is not waited for */
#define MISSES_MAX 3 /* a dump may skip an element while others come and go */
#define EXPIRY_MS 1000 /* the kernel's clock of elements may differ from ours by its ticks */
#define REST_FACTOR 9 /* reading one wall may take a tenth of the time */

static int64_t now_us(void)
{
	return vw_now_ns() / 1000;
}

/* An element of the log of an earlier agent goes on, however long nobody looked. */
static void confirm(struct denied_reading *r, struct vw_counted *c, const struct vw_nft_elem *e)
{
	if (r->w->restored && e->packets >= c->packets && c->packets)
		c->gone_ms = DENIED_NEVER;
}

static int direction_of(const uint8_t *key)
{
	uint32_t code;

	memcpy(&code, key, sizeof(code));
	return (code & VW_CODE_EGRESS) != 0;
}

/* What the element gained becomes pending. */
static void take_gain(struct denied_reading *r, struct vw_counted *c, const struct vw_nft_elem *e)
{
	int64_t timeout = e->timeout_ms ? (int64_t)e->timeout_ms : DENIED_TIMEOUT_MS;
	int64_t left = (int64_t)e->expires_ms < timeout ? (int64_t)e->expires_ms : timeout;
	int64_t last_ms = r->now_ms - (timeout - left);
	int64_t first_us = c->sample_us ? c->sample_us : last_ms * 1000;
	struct denied_owed *o = &r->w->owed[r->f][direction_of(e->key)];
	uint64_t bytes = c->pending_bytes, gain;

	confirm(r, c, e);
	gain = vw_counted_read(c, e->packets, e->bytes, first_us / 1000, r->now_ms + left);
	if (c->gone_ms == DENIED_NEVER)
		c->gone_ms = r->now_ms + left;
	if (!gain)
		return;
	if (!c->first_us)
		c->first_us = r->wall_us - (r->now_us - first_us);
	c->sample_us = 0;
	r->gained[direction_of(e->key)] += gain;
	o->gained[0] += (int64_t)gain;
	o->gained[1] += (int64_t)(c->pending_bytes - bytes);
	r->v->stats.unwritten_packets += gain;
}

static int on_elem(const struct vw_nft_elem *e, void *arg)
{
	struct denied_reading *r = arg;
	struct vw_counted_table *t = &r->w->t[r->f];
	struct vw_counted *c;

	r->elements++;
	if (e->klen != t->klen)
		return 0;
	c = denied_entry(r->v, t, e->key);
	if (!c)
		return 0; /* its packets count as overflow */
	if (c->generation == r->w->generation) {
		r->twice++;
	} else {
		r->whole[direction_of(e->key)][0] += e->packets;
		r->whole[direction_of(e->key)][1] += e->bytes;
	}
	c->generation = r->w->generation;
	c->missed = 0;
	take_gain(r, c, e);
	return 0;
}

struct forgetting {
	uint32_t generation;
	int64_t now_ms;
};

/* An entry whose element was not in the reading. The element has expired only if its time was over;
 * and a dump may have skipped it, so it is missed a few times before it is forgotten. */
static bool is_gone(struct vw_counted *c, void *arg)
{
	const struct forgetting *g = arg;

	if (c->generation == g->generation)
		return false;
	if (c->missed < MISSES_MAX)
		c->missed++;
	return c->missed >= MISSES_MAX && !c->pending_packets && g->now_ms > c->gone_ms;
}

/* An entry whose element's time was over before a chain that counted nothing since was read. */
static bool is_over(struct vw_counted *c, void *arg)
{
	const struct forgetting *g = arg;

	return !c->pending_packets && g->now_ms - EXPIRY_MS > c->gone_ms;
}

/* ---- one family ---- */

/* A chain counts a packet before its element does. So where both directions are where they were,
 * and accounted for to the last packet, no element can have gained. */
static bool nothing_new(const struct denied_reading *r)
{
	for (int dir = 0; dir < 2; dir++) {
		const struct denied_owed *o = &r->w->owed[r->f][dir];

		if (!r->counted || !o->known || o->chain[0] != r->chain[dir][0] ||
		    o->told[0] + o->gained[0] + (int64_t)o->over[0] != (int64_t)o->chain[0])
			return false;
	}
	return !r->w->restored;
}

static int family_begin(struct denied_reading *r, struct vw_denied *v, struct denied_wall *w, int f)
{
	char set[VW_NAME_LEN];

	*r = (struct denied_reading){.v = v, .w = w, .f = f};
	w->generation++;
	vw_wall_set_name(w->ifindex, 'd', f == DENIED_V6 ? 6 : 4, set);
	/* The chain first: what comes in between is in the elements, and not overflow. */
	r->counted = denied_chains(v, w, f, r->chain);
	r->quiet = nothing_new(r);
	return r->quiet ? 0 : vw_nft_walk_new(set, &r->walk);
}

/* 1: there is more; 0: that was all. */
static int family_step(struct denied_reading *r)
{
	r->now_us = now_us();
	r->now_ms = r->now_us / 1000;
	r->wall_us = vw_wall_ns() / 1000;
	return r->quiet ? 0 : vw_nft_walk_step(r->walk, on_elem, r);
}

/* A dump goes on where it was by counting elements, and the kernel's hash table may have been
 * reordered meanwhile: then as many elements come twice as are skipped. 0: all were seen, 1: some
 * were skipped; -errno. err: how the steps ended. */
static int family_end(struct denied_reading *r, int err)
{
	struct vw_denied *v = r->v;
	struct denied_wall *w = r->w;
	unsigned held = 0;

	vw_nft_walk_free(&r->walk);
	if (err == -ENOENT) {
		denied_forget_counters(v, w);
		return 0;
	}
	if (err == -EINTR)
		return 1;
	if (err) {
		v->stats.read_errors++;
		if (vw_ratelimit_ok(&v->said_read, 1, 60, &held))
			vw_warn("cannot read the denied flows of interface %u: %s", w->ifindex,
				strerror(-err));
		return err;
	}
	denied_note_overflow(r);
	if (r->twice)
		return 1;
	if (w->t[r->f].n > r->elements)
		v->entries -= vw_counted_sweep(&w->t[r->f], r->quiet ? is_over : is_gone,
					       &(struct forgetting){w->generation, r->now_ms});
	return 0;
}

/* ---- all at once ---- */

static int read_family(struct vw_denied *v, struct denied_wall *w, int f, bool *gained)
{
	struct denied_reading r;
	int e = family_begin(&r, v, w, f);

	while (!e && (e = family_step(&r)) == 1)
		e = 0;
	e = family_end(&r, e);
	*gained = r.gained[0] || r.gained[1];
	return e;
}

/* Nobody will look again, so what was skipped is looked for at once, and two readings in a row tell
 * what is overflow. */
static void read_sets(struct vw_denied *v, struct denied_wall *w)
{
	for (int f = 0; f < 2; f++) {
		bool more = w->has[f], news;

		for (int i = 0; i < FINAL_READINGS && more; i++) {
			int r = read_family(v, w, f, &news);

			more = r > 0 || (!r && news && i < QUIET_READINGS);
		}
	}
}

void denied_read_all(struct vw_denied *v, struct denied_wall *w)
{
	bool gained = false;

	if (v->job.w == w)
		denied_cancel(v);
	read_sets(v, w);
	denied_read_held(v, w, &gained);
	w->restored = false;
	(void)denied_write_all(v, w);
	w->due_ms = denied_now_ms() + v->interval_ms;
}

/* ---- a bit at a time ---- */

void denied_begin(struct vw_denied *v, struct denied_wall *w)
{
	v->job = (struct denied_job){.w = w, .writing.next_ms = DENIED_NEVER};
	w->due_ms = DENIED_NEVER;
}

void denied_cancel(struct vw_denied *v)
{
	if (v->job.w && v->job.reading.walk)
		vw_nft_walk_free(&v->job.reading.walk);
	v->job.w = NULL;
}

static void plan_next(struct vw_denied *v)
{
	struct denied_wall *w = v->job.w;
	int64_t now = denied_now_ms(), next = v->job.writing.next_ms;

	if (now + SLOW_MS < next)
		next = now + SLOW_MS + w->ifindex * 977 % STAGGER_MS;
	if (v->job.gained && now + v->interval_ms < next)
		next = now + v->interval_ms;
	if (v->job.failed && now + RETRY_MS < next)
		next = now + RETRY_MS;
	if (w->held_readings && now + HELD_MS < next)
		next = now + HELD_MS;
	if (next < w->due_ms)
		w->due_ms = next;
	w->read_ms = now;
	w->cost_us = v->job.cost_us;
	w->rest_ms = now + w->cost_us * REST_FACTOR / 1000;
	v->job.w = NULL;
}

/* False: the family is not done. */
static bool step_family(struct vw_denied *v)
{
	struct denied_job *j = &v->job;
	int r = 0;

	if (!j->w->has[j->f])
		return true;
	if (!j->reading.walk)
		r = family_begin(&j->reading, v, j->w, j->f);
	if (!r)
		r = family_step(&j->reading);
	if (r == 1)
		return false;
	r = family_end(&j->reading, r);
	j->gained |= r > 0 || j->reading.moved || j->reading.gained[0] || j->reading.gained[1];
	j->failed |= r < 0;
	return true;
}

static void step_held(struct vw_denied *v)
{
	struct denied_wall *w = v->job.w;
	bool held = !w->has[0] && !w->has[1];

	if (held || w->held_readings)
		denied_read_held(v, w, &v->job.gained);
	if (w->held_readings)
		w->held_readings--;
}

bool denied_step(struct vw_denied *v)
{
	struct denied_job *j = &v->job;
	int64_t begin = now_us();
	bool done = false;
	int r;

	if (j->f < DENIED_HELD) {
		j->f += step_family(v);
	} else if (j->f == DENIED_HELD) {
		step_held(v);
		j->w->restored &= j->failed;
		j->f++;
	} else {
		r = denied_write(v, j->w, &j->writing);
		j->failed |= r < 0;
		done = r <= 0;
	}
	j->cost_us += now_us() - begin;
	if (done)
		plan_next(v);
	return done;
}
