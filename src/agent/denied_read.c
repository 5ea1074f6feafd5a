/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One wall's denied sets, read and written down. A reading adds what each element gained to what is
 * pending for its flow; writing turns what is pending into records. Only when the line is in the
 * file is it no longer pending, so a full disk delays records and loses none. Does not know when it
 * is called. */
#include <string.h>

#include "agent/denied_state.h"
#include "vethwall/cleanup.h"

#define BATCH_MAX 4096
#define SLOW_MS 60000 /* a quiet wall is read this often, should news of it have been lost */
#define STAGGER_MS 16384 /* and walls not all at once */
#define RETRY_MS 1000 /* after a failed write */
#define FINAL_READINGS 20 /* until one has seen all */
#define QUIET_READINGS 2 /* and nothing new; who floods on is not waited for */
#define MISSES_MAX 3 /* a dump may skip an element while others come and go */
/* Bytes that the kernel counts at the egress hook and not at ingress (tried on 6.18). */
#define LINK_HEADER 14
#define REST_FACTOR 9 /* reading one wall may take a tenth of the time */

struct reading {
	struct vw_denied *v;
	struct denied_wall *w;
	int f; /* 0: IPv4, 1: IPv6 */
	int64_t now_ms, now_us, wall_us;
	uint64_t packets, bytes; /* gained */
	uint64_t apart[2]; /* of that, what the counting chain does not see */
	uint64_t whole[2]; /* what the elements count in all, without that */
	size_t elements;
	size_t twice; /* elements that the dump delivered again */
};

/* What is no IP is counted by a rule of the hook itself (core/wall_deny.c). */
static bool is_foreign(const uint8_t *key)
{
	uint32_t code;

	memcpy(&code, key, sizeof(code));
	return (code & VW_CODE_RULE) == VW_REASON_PROTOCOL;
}

static uint64_t packet_bytes(uint32_t code, uint64_t packets, uint64_t bytes)
{
	uint64_t links = packets * LINK_HEADER;

	if (code & VW_CODE_EGRESS)
		return bytes;
	return bytes > links ? bytes - links : 0;
}

/* An element of the log of an earlier agent goes on, however long nobody looked. */
static void confirm(struct reading *r, struct vw_counted *c, const struct vw_nft_elem *e)
{
	if (r->w->restored && e->packets >= c->packets && c->packets)
		c->gone_ms = DENIED_NEVER;
}

static int on_elem(const struct vw_nft_elem *e, void *arg)
{
	struct reading *r = arg;
	struct vw_counted_table *t = &r->w->t[r->f];
	int64_t timeout = e->timeout_ms ? (int64_t)e->timeout_ms : DENIED_TIMEOUT_MS;
	int64_t left = (int64_t)e->expires_ms < timeout ? (int64_t)e->expires_ms : timeout;
	int64_t last_ms = r->now_ms - (timeout - left), first_ms = last_ms;
	struct vw_counted *c;
	uint64_t bytes, gain;

	r->elements++;
	if (e->klen != t->klen)
		return 0;
	c = denied_entry(r->v, t, e->key);
	if (!c)
		return 0; /* its packets count as overflow */
	if (c->generation == r->w->generation) {
		r->twice++;
	} else if (!is_foreign(e->key)) {
		r->whole[0] += e->packets;
		r->whole[1] += e->bytes;
	}
	c->generation = r->w->generation;
	c->missed = 0;
	if (c->sample_us)
		first_ms = c->sample_us / 1000;
	confirm(r, c, e);
	bytes = c->pending_bytes;
	gain = vw_counted_read(c, e->packets, e->bytes, first_ms, r->now_ms + left);
	if (c->gone_ms == DENIED_NEVER)
		c->gone_ms = r->now_ms + left;
	if (!gain)
		return 0;
	if (!c->first_us) {
		int64_t first = c->sample_us ? c->sample_us : last_ms * 1000;

		c->first_us = r->wall_us - (r->now_us - first);
	}
	c->sample_us = 0;
	r->packets += gain;
	r->bytes += c->pending_bytes - bytes;
	if (is_foreign(c->key)) {
		r->apart[0] += gain;
		r->apart[1] += c->pending_bytes - bytes;
	}
	r->v->stats.unwritten_packets += gain;
	return 0;
}

static void chain_name(const struct denied_wall *w, int f, char ret[static VW_NAME_LEN])
{
	snprintf(ret, VW_NAME_LEN, "dc%d_%u", f ? 6 : 4, w->ifindex);
}

/* From here on, what the chain counts beyond `now` is in elements or overflow. */
static void set_base(struct denied_overflow *o, const uint64_t now[2])
{
	for (int i = 0; i < 2; i++)
		o->base[i] = (int64_t)now[i] - (int64_t)o->elems[i] - (int64_t)o->total[i];
	o->based = true;
}

void denied_note_fresh(struct vw_denied *v, struct denied_wall *w)
{
	for (int f = 0; f < 2; f++) {
		char chain[VW_NAME_LEN];
		uint64_t counter[1][2];

		chain_name(w, f, chain);
		if (w->has[f] && !w->over[f].based &&
		    vw_nft_chain_counters(v->nft, chain, counter, 1) >= 1 && !counter[0][0])
			set_base(&w->over[f], (const uint64_t[2]){0, 0});
	}
}

/* The chain's counter has everything that was refused, the elements what had room: the rest is
 * overflow. (Also a set with room cannot always take an element: the kernel allocates its per-CPU
 * counter atomically, and in a scan the reserve for that runs dry for milliseconds.) Told when it
 * is certain: no element was skipped, and the set is full or all is quiet. */
static void note_overflow(struct reading *r, const uint64_t chain[2])
{
	struct denied_overflow *o = &r->w->over[r->f];
	const uint64_t gained[2] = {r->packets - r->apart[0], r->bytes - r->apart[1]};
	bool quiet = !r->packets && o->chain[0] == chain[0];
	bool full = r->elements - r->twice >= r->v->denied_max;

	if (o->based && chain[0] < o->chain[0])
		o->based = false; /* its rules were made anew */
	for (int i = 0; i < 2; i++)
		o->elems[i] += gained[i];
	if (!o->based && !r->twice && (quiet || r->whole[0] >= chain[0]))
		set_base(o, quiet ? chain : r->whole);
	memcpy(o->chain, chain, sizeof(o->chain));
	if (!o->based)
		return;
	if (r->twice || (!quiet && !full))
		return;
	for (int i = 0; i < 2; i++) {
		int64_t over = (int64_t)chain[i] - o->base[i] - (int64_t)o->elems[i] -
			       (int64_t)o->total[i];

		if (over <= 0)
			continue;
		o->total[i] += (uint64_t)over;
		o->pending[i] += (uint64_t)over;
		if (!i) {
			r->v->stats.overflow_packets += (uint64_t)over;
			r->v->stats.unwritten_packets += (uint64_t)over;
		}
		if (!o->first_us)
			o->first_us = r->wall_us;
	}
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

/* A dump goes on where it was by counting elements, and the kernel's hash table may have been
 * reordered meanwhile: then as many elements come twice as are skipped. 0: all were seen, 1: some
 * were skipped. */
static int read_family(struct vw_denied *v, struct denied_wall *w, int f, bool *gained)
{
	struct reading r = {.v = v, .w = w, .f = f};
	char set[VW_NAME_LEN], chain[VW_NAME_LEN];
	uint64_t counter[1][2];
	unsigned held = 0;
	bool counted;
	int err;

	vw_wall_set_name(w->ifindex, 'd', f ? 6 : 4, set);
	chain_name(w, f, chain);
	/* The chain first: what comes in between is in the elements, and not overflow. */
	counted = vw_nft_chain_counters(v->nft, chain, counter, 1) >= 1;
	r.now_us = vw_now_ns() / 1000;
	r.now_ms = r.now_us / 1000;
	r.wall_us = vw_wall_ns() / 1000;
	err = vw_nft_dump_set(v->nft, set, on_elem, &r);
	*gained |= r.packets > 0;
	if (err == -ENOENT) {
		denied_forget_counters(v, w);
		return 0;
	}
	if (err) {
		if (vw_ratelimit_ok(&v->said_read, 1, 60, &held))
			vw_warn("cannot read the denied flows of set %s: %s", set, strerror(-err));
		return err;
	}
	if (counted)
		note_overflow(&r, counter[0]);
	if (r.twice)
		return 1;
	if (w->t[f].n > r.elements)
		v->entries -= vw_counted_sweep(&w->t[f], is_gone,
					       &(struct forgetting){w->generation, r.now_ms});
	return 0;
}

/* Both families. final: nobody will look again, so what was skipped is looked for at once, and two
 * readings in a row tell what is overflow. */
static bool read_sets(struct vw_denied *v, struct denied_wall *w, bool final, bool *gained)
{
	bool failed = false;

	for (int f = 0; f < 2; f++) {
		bool more = w->has[f], news;

		for (int i = 0; i < (final ? FINAL_READINGS : 1) && more; i++) {
			int r;

			news = false;
			w->generation++;
			r = read_family(v, w, f, &news);
			*gained |= news;
			failed |= r < 0;
			more = r > 0 || (!r && news && i < QUIET_READINGS);
		}
		*gained |= more; /* soon again */
	}
	return !failed;
}

/* ---- writing ---- */

static void record_names(struct vw_flow *f, const struct vw_flow_names *n)
{
	f->in_iface = vw_str_of(n->in_iface);
	f->workload = vw_str_of(n->workload);
	f->service = vw_str_of(n->service);
	f->image = vw_str_of(n->image);
	f->peer = vw_str_of(n->peer);
	f->peer_service = vw_str_of(n->peer_service);
	f->policy = vw_str_of(n->policy);
	f->rule = vw_str_of(n->rule);
	f->tier = vw_str_of(n->tier);
}

/* What was written is told, line by line. */
static void tell(struct vw_denied *v, size_t n)
{
	char buf[VW_FLOW_LINE_MAX];
	const char *line = v->buf, *end = v->buf + n, *next;

	for (; v->tee && line < end; line = next) {
		struct vw_flow f;

		next = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
		if (!vw_flow_json_parse(line, (size_t)(next - line), buf, &f))
			v->tee(v->tee_arg, &f, line, (size_t)(next - line));
	}
}

/* The lines in buf go to the file; then, and only then, are they reported. */
static int flush_batch(struct vw_denied *v, int64_t now_ms)
{
	unsigned held = 0;
	int r;

	if (!v->fill)
		return 0;
	r = vw_store_append(v->store, v->buf, v->fill);
	if (!r)
		tell(v, v->fill);
	v->fill = 0;
	if (r) {
		v->batch.n = 0;
		v->stats.write_errors++;
		if (vw_ratelimit_ok(&v->said, 1, 60, &held))
			vw_err("cannot write " DENIED_LOG ": %s; %llu packets wait for it",
			       strerror(-r), (unsigned long long)v->stats.unwritten_packets);
		return r;
	}
	vw_vec_foreach (p, &v->batch) {
		struct vw_counted *c = *p;
		uint32_t code;

		memcpy(&code, c->key, sizeof(code));
		v->stats.records++;
		v->stats.packets += c->pending_packets;
		v->stats.bytes += packet_bytes(code, c->pending_packets, c->pending_bytes);
		v->stats.unwritten_packets -= c->pending_packets;
		c->pending_packets = c->pending_bytes = 0;
		c->first_us = 0;
		c->record_ms = now_ms;
	}
	v->batch.n = 0;
	return 0;
}

static int add_line(struct vw_denied *v, const struct vw_flow *f, struct vw_counted *c,
		    int64_t now_ms)
{
	int r = 0;

	if (v->fill + VW_FLOW_LINE_MAX > DENIED_BUF_BYTES || v->batch.n >= BATCH_MAX)
		r = flush_batch(v, now_ms);
	if (!r && c)
		r = vw_vec_push(&v->batch, c, BATCH_MAX);
	if (!r)
		v->fill += vw_flow_json(f, v->buf + v->fill);
	return r;
}

static int write_flow(struct vw_denied *v, const struct denied_wall *w, size_t klen,
		      struct vw_counted *c, int64_t now_ms)
{
	int64_t wall_us = vw_wall_ns() / 1000, last_ms = c->gone_ms - DENIED_TIMEOUT_MS;
	char id[VW_COMMUNITY_ID_LEN];
	struct vw_flow_names names = {0};
	struct vw_flow f = {.time_us = wall_us, .ifindex = w->ifindex};

	if (vw_tuple_decode(c->key, klen, &f.t))
		return 0;
	vw_flow_set_code(&f, f.t.code);
	v->namer(v->arg, w->ifindex, &f.t, &names);
	record_names(&f, &names);
	f.packets = c->pending_packets;
	f.bytes = packet_bytes(f.t.code, c->pending_packets, c->pending_bytes);
	f.total_packets = c->packets;
	f.total_bytes = c->bytes;
	f.first_us = c->first_us;
	f.last_us = wall_us - (now_ms > last_ms ? now_ms - last_ms : 0) * 1000;
	if (f.last_us < f.first_us)
		f.last_us = f.first_us; /* the kernel's clock of elements ticks in 4 ms */
	vw_community_id(&f.t, 0, id);
	f.community_id = vw_str_of(id);
	return add_line(v, &f, c, now_ms);
}

static int write_overflow(struct vw_denied *v, const struct denied_wall *w,
			  struct denied_overflow *o, int64_t now_ms)
{
	struct vw_flow f = {.event = VW_FLOW_OVERFLOW, .ifindex = w->ifindex};
	struct vw_flow_names names = {0};
	int r;

	v->namer(v->arg, w->ifindex, &f.t, &names);
	names.peer = names.peer_service = names.policy = names.rule = names.tier = NULL;
	record_names(&f, &names);
	f.time_us = f.last_us = vw_wall_ns() / 1000;
	f.first_us = o->first_us;
	f.packets = o->pending[0];
	f.bytes = o->pending[1];
	f.total_packets = o->total[0];
	f.total_bytes = o->total[1];
	r = add_line(v, &f, NULL, now_ms);
	if (!r)
		r = flush_batch(v, now_ms);
	if (r)
		return r;
	v->stats.records++;
	v->stats.packets += o->pending[0];
	v->stats.bytes += o->pending[1];
	v->stats.unwritten_packets -= o->pending[0];
	o->pending[0] = o->pending[1] = 0;
	o->first_us = 0;
	return 0;
}

struct writing {
	int64_t now_ms;
	int64_t next_ms; /* when the next pending record is due */
	bool all;
};

/* A flow's first record goes out at once, later ones an interval apart. */
static int write_table(struct vw_denied *v, struct denied_wall *w, struct vw_counted_table *t,
		       struct writing *wr)
{
	int r = 0;

	for (size_t i = 0; i < t->slots && !r; i++) {
		struct vw_counted *c = (struct vw_counted *)(void *)(t->v + i * t->stride);
		int64_t at;

		if (!c->used || !c->pending_packets)
			continue;
		at = c->record_ms == INT64_MIN ? wr->now_ms : c->record_ms + v->interval_ms;
		if (wr->all || at <= wr->now_ms)
			r = write_flow(v, w, t->klen, c, wr->now_ms);
		else if (at < wr->next_ms)
			wr->next_ms = at;
	}
	return r;
}

static int write_wall(struct vw_denied *v, struct denied_wall *w, struct writing *wr)
{
	int r = 0;

	for (int f = 0; f < 2 && !r; f++) {
		r = write_table(v, w, &w->t[f], wr);
		if (!r && w->over[f].pending[0])
			r = write_overflow(v, w, &w->over[f], wr->now_ms);
	}
	return r ? r : flush_batch(v, wr->now_ms);
}

static void drop_batch(struct vw_denied *v)
{
	v->fill = v->batch.n = 0;
}

bool denied_write_pending(struct vw_denied *v, struct denied_wall *w, bool all)
{
	struct writing wr = {denied_now_ms(), DENIED_NEVER, all};
	bool ok = !write_wall(v, w, &wr);

	drop_batch(v);
	return ok && wr.next_ms == DENIED_NEVER;
}

/* ---- one round ---- */

static void plan_next(struct vw_denied *v, struct denied_wall *w, const struct writing *wr,
		      bool gained, bool failed)
{
	int64_t now = denied_now_ms();

	w->due_ms = gained ? now + v->interval_ms : now + SLOW_MS + w->ifindex * 977 % STAGGER_MS;
	if (wr->next_ms < w->due_ms)
		w->due_ms = wr->next_ms;
	if (failed && now + RETRY_MS < w->due_ms)
		w->due_ms = now + RETRY_MS;
	w->rest_ms = now + w->cost_us * REST_FACTOR / 1000;
}

void denied_read_wall(struct vw_denied *v, struct denied_wall *w, bool all)
{
	struct writing wr = {0, DENIED_NEVER, all};
	int64_t begin = vw_now_ns() / 1000;
	bool gained = false, failed;

	failed = !read_sets(v, w, all, &gained);
	w->restored &= failed;
	wr.now_ms = denied_now_ms();
	failed |= write_wall(v, w, &wr) != 0;
	drop_batch(v);
	w->cost_us = vw_now_ns() / 1000 - begin;
	plan_next(v, w, &wr, gained, failed);
}
