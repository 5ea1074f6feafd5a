/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers for equal things: pairs, and lists of words. The same gives the same number, counted
 * from 0, so that what is equal need be worked out only once. */
#include "core/conn.h"
#include "vethwall/ruleset.h"

int conn_tab_room(struct conn_tab *t)
{
	size_t n = t->n_slots ? t->n_slots * 2 : 64;
	struct conn_tab bigger = {.n_slots = n, .n = t->n};

	if (t->n * 2 < t->n_slots)
		return 0;
	bigger.slots = calloc(n, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_slots; i++) {
		struct conn_slot *s;

		if (!t->slots[i].value)
			continue;
		for (s = conn_tab_seek(&bigger, t->slots[i].hash); s->value;)
			s = conn_tab_next(&bigger, s);
		*s = t->slots[i];
	}
	free(t->slots);
	*t = bigger;
	return 0;
}

struct conn_slot *conn_tab_seek(const struct conn_tab *t, uint64_t hash)
{
	/* the low bits of FNV-1a over short keys are its weakest */
	return &t->slots[(hash ^ hash >> 32) & (t->n_slots - 1)];
}

struct conn_slot *conn_tab_next(const struct conn_tab *t, const struct conn_slot *s)
{
	return &t->slots[(size_t)(s - t->slots + 1) & (t->n_slots - 1)];
}

int conn_duo(struct conn_duos *d, uint32_t b, uint32_t a, uint32_t *ret)
{
	uint64_t h = ((uint64_t)b << 32 | a) * 0x9e3779b97f4a7c15u;
	struct conn_slot *s;
	int r = conn_tab_room(&d->tab);

	if (r)
		return r;
	for (s = conn_tab_seek(&d->tab, h); s->value; s = conn_tab_next(&d->tab, s))
		if (s->hash == h) { /* the product is a bijection: equal hash, equal pair */
			*ret = s->value - 1;
			return 0;
		}
	r = vw_vec_push(&d->list, ((struct conn_duo){b, a}), CONN_MAX);
	if (r)
		return r;
	*ret = (uint32_t)d->list.n - 1;
	conn_tab_put(&d->tab, s, h, *ret);
	return 0;
}

void conn_duos_done(struct conn_duos *d)
{
	vw_vec_done(&d->list);
	free(d->tab.slots);
	*d = (struct conn_duos){0};
}

int conn_list(struct conn_lists *l, const void *v, size_t n_words, uint32_t *ret)
{
	size_t size = n_words * sizeof(uint32_t);
	struct conn_span span = {(uint32_t)l->words.n, (uint32_t)n_words};
	uint64_t h = vw_hash(v, size, 1);
	struct conn_slot *s;
	int r = conn_tab_room(&l->tab);

	if (r)
		return r;
	for (s = conn_tab_seek(&l->tab, h); s->value; s = conn_tab_next(&l->tab, s)) {
		const struct conn_span *o = &l->list.v[s->value - 1];

		if (s->hash == h && o->n == n_words &&
		    (!n_words || !memcmp(l->words.v + o->first, v, size))) {
			*ret = s->value - 1;
			return 0;
		}
	}
	for (size_t i = 0; i < n_words && !r; i++)
		r = vw_vec_push(&l->words, ((const uint32_t *)v)[i], CONN_MAX * 4);
	if (!r)
		r = vw_vec_push(&l->list, span, CONN_MAX);
	if (r)
		return r;
	*ret = (uint32_t)l->list.n - 1;
	conn_tab_put(&l->tab, s, h, *ret);
	return 0;
}

void conn_lists_done(struct conn_lists *l)
{
	vw_vec_done(&l->words);
	vw_vec_done(&l->list);
	free(l->tab.slots);
	*l = (struct conn_lists){0};
}
