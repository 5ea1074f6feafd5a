/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records over time, in buckets that get wider as the time does: nobody knows how long a log is
 * before it was read, and memory stays the same. */
#include "vethwall/cleanup.h"
#include "vethwall/review.h"

#define S 1000000ll

/* Each divides the next, so that buckets can be joined. */
static const int64_t widths[] = {S,	    5 * S,     15 * S,	      60 * S,
				 300 * S,   900 * S,   3600 * S,      10800 * S,
				 43200 * S, 86400 * S, 7 * 86400 * S, 28 * 86400 * S};

static int64_t next_width(int64_t w)
{
	for (size_t i = 0; i + 1 < VW_ARRAY_SIZE(widths); i++) {
		if (widths[i] == w)
			return widths[i + 1];
	}
	return w * 2;
}

static int64_t floor_to(int64_t v, int64_t width)
{
	int64_t rest = v % width;

	return v - (rest < 0 ? rest + width : rest);
}

void vw_timeline_init(struct vw_timeline *t, int64_t width_us)
{
	memset(t, 0, sizeof(*t));
	t->width_us = width_us > 0 ? width_us : widths[0];
}

static void join(struct vw_sums *into, const struct vw_sums *s)
{
	if (!s->records)
		return;
	if (!into->records || s->first_us < into->first_us)
		into->first_us = s->first_us;
	if (!into->records || s->last_us > into->last_us)
		into->last_us = s->last_us;
	into->records += s->records;
	into->packets += s->packets;
	into->bytes += s->bytes;
}

static void widen(struct vw_timeline *t)
{
	int64_t width = next_width(t->width_us), start = floor_to(t->start_us, width);
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		int64_t at = t->start_us + (int64_t)i * t->width_us;
		size_t to = (size_t)((at - start) / width);
		struct vw_sums s = t->v[i];

		t->v[i] = (struct vw_sums){0}; /* to <= i */
		join(&t->v[to], &s);
		n = to + 1;
	}
	t->width_us = width;
	t->start_us = start;
	t->n = n;
}

/* Puts empty buckets before the first, down to `at`: false when there would be too many. */
static bool reaches_back(struct vw_timeline *t, int64_t at)
{
	size_t more = (size_t)((t->start_us - floor_to(at, t->width_us)) / t->width_us);

	if (more + t->n > VW_TIMELINE_MAX)
		return false;
	memmove(t->v + more, t->v, t->n * sizeof(*t->v));
	memset(t->v, 0, more * sizeof(*t->v));
	t->start_us = floor_to(at, t->width_us);
	t->n += more;
	return true;
}

void vw_timeline_add(struct vw_timeline *t, const struct vw_flow *f)
{
	int64_t at = f->last_us;
	size_t i;

	if (!t->n) {
		t->start_us = floor_to(at, t->width_us);
		t->n = 1;
	}
	while (at < t->start_us && !reaches_back(t, at))
		widen(t);
	while ((at - t->start_us) / t->width_us >= VW_TIMELINE_MAX)
		widen(t);
	i = (size_t)((at - t->start_us) / t->width_us);
	if (i >= t->n)
		t->n = i + 1;
	vw_sums_add(&t->v[i], f);
}

void vw_timeline_fit(struct vw_timeline *t, size_t max)
{
	/* two neighbours may lie on both sides of a border that every width has */
	while (t->n > (max > 2 ? max : 2))
		widen(t);
}
