/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which counter values were reported already: an open-addressed hash table of set keys, and the
 * rule that tells what a new reading gained. The keys are chosen by containers, so the hash is
 * keyed (SipHash-1-3). Knows no clock, no file and no kernel. */
#include "vethwall/flow.h"

#include <string.h>

#include "core/sip.h"

#define SLOTS_MIN 16

void vw_counted_init(struct vw_counted_table *t, size_t klen, const uint64_t seed[static 2])
{
	*t = (struct vw_counted_table){
		.klen = klen,
		.stride = (sizeof(struct vw_counted) + klen + 7) & ~(size_t)7,
		.seed = {seed[0], seed[1]},
	};
}

void vw_counted_done(struct vw_counted_table *t)
{
	free(t->v);
	t->v = NULL;
	t->n = t->slots = 0;
}

static struct vw_counted *slot(const struct vw_counted_table *t, size_t i)
{
	return (struct vw_counted *)(void *)(t->v + i * t->stride);
}

/* The key's own slot, or the free one where it belongs. */
static struct vw_counted *probe(const struct vw_counted_table *t, const uint8_t *key)
{
	size_t mask = t->slots - 1, i = vw_sip13(key, t->klen, t->seed) & mask;

	for (;; i = (i + 1) & mask) {
		struct vw_counted *c = slot(t, i);

		if (!c->used || !memcmp(c->key, key, t->klen))
			return c;
	}
}

struct vw_counted *vw_counted_get(const struct vw_counted_table *t, const uint8_t *key)
{
	struct vw_counted *c;

	if (!t->n)
		return NULL;
	c = probe(t, key);
	return c->used ? c : NULL;
}

bool vw_counted_would_grow(const struct vw_counted_table *t)
{
	return t->n >= t->slots / 4 * 3;
}

/* Moves the entries to a table of `slots`. */
static int rebuild(struct vw_counted_table *t, size_t slots)
{
	struct vw_counted_table n = *t;

	n.v = calloc(slots, t->stride);
	if (!n.v)
		return -ENOMEM;
	n.slots = slots;
	for (size_t i = 0; i < t->slots; i++) {
		struct vw_counted *c = slot(t, i);

		if (c->used)
			memcpy(probe(&n, c->key), c, t->stride);
	}
	free(t->v);
	*t = n;
	return 0;
}

struct vw_counted *vw_counted_put(struct vw_counted_table *t, const uint8_t *key, size_t max)
{
	struct vw_counted *c = vw_counted_get(t, key);

	if (c)
		return c;
	if (t->n >= max)
		return NULL;
	if (vw_counted_would_grow(t) && rebuild(t, t->slots ? t->slots * 2 : SLOTS_MIN))
		return NULL;
	c = probe(t, key);
	memset(c, 0, t->stride); /* it may hold what was dropped */
	c->used = true;
	c->record_ms = INT64_MIN;
	memcpy(c->key, key, t->klen);
	t->n++;
	return c;
}

/* Closes the holes that dropping left, in place: needs no memory, so that forgetting cannot fail.
 * hole was free before anything was dropped, so no entry's probe sequence runs across it, and
 * walking from there every entry meets the entries before it in its sequence at their final places.
 */
static void close_holes(struct vw_counted_table *t, size_t hole)
{
	uint8_t tmp[sizeof(struct vw_counted) + VW_FLOW_KEY_MAX + 8] __attribute__((aligned(8)));
	size_t mask = t->slots - 1;

	for (size_t k = 1; k < t->slots; k++) {
		struct vw_counted *c = slot(t, (hole + k) & mask);

		if (!c->used)
			continue;
		memcpy(tmp, c, t->stride);
		c->used = false;
		memcpy(probe(t, ((struct vw_counted *)(void *)tmp)->key), tmp, t->stride);
	}
}

size_t vw_counted_sweep(struct vw_counted_table *t, bool (*drop)(struct vw_counted *c, void *arg),
			void *arg)
{
	size_t dropped = 0, hole = 0, slots = t->slots;

	for (size_t i = 0; i < t->slots; i++) {
		struct vw_counted *c = slot(t, i);

		if (!c->used) {
			hole = i;
		} else if (drop(c, arg)) {
			c->used = false;
			dropped++;
		}
	}
	t->n -= dropped;
	if (!dropped)
		return 0;
	if (!t->n) {
		vw_counted_done(t);
		return dropped;
	}
	while (slots > SLOTS_MIN && t->n < slots / 8)
		slots /= 2;
	if (slots == t->slots || rebuild(t, slots))
		close_holes(t, hole);
	return dropped;
}

uint64_t vw_counted_read(struct vw_counted *c, uint64_t packets, uint64_t bytes, int64_t first_ms,
			 int64_t gone_ms)
{
	bool anew =
		packets < c->packets || bytes < c->bytes || (c->packets && first_ms > c->gone_ms);
	uint64_t gain = anew ? packets : packets - c->packets;

	/* An element that nothing refreshed keeps its time: no gain, no news. */
	if (gain || !c->packets)
		c->gone_ms = gone_ms;
	if (!gain)
		return 0;
	c->pending_packets += gain;
	c->pending_bytes += anew ? bytes : bytes - c->bytes;
	c->packets = packets;
	c->bytes = bytes;
	return gain;
}
