/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records that agree in some fields, summed: a hash table of groups over one buffer of keys. Both
 * have a maximum; what comes in further groups is one sum, so that totals stay exact. */
#include "core/sip.h"
#include "vethwall/cleanup.h"
#include "vethwall/review.h"

#define KEY_TEXT_MAX VW_FLOW_STR_MAX /* bytes of a text in a key */
#define KEY_MAX (VW_GROUP_FIELDS_MAX * (KEY_TEXT_MAX + 3))
#define KEYS_BYTES_MAX (1u << 30)
#define SLOTS_MIN 256

struct vw_groups {
	struct vw_groups_options o;
	VW_VEC(struct vw_group) list;
	VW_VEC(uint8_t) keys;
	uint32_t *slots; /* number of a group and one; 0: free */
	size_t n_slots;
	struct vw_sums others;
	struct vw_hashes flows; /* of a group and a 5-tuple */
	bool flows_full;
	uint8_t key[KEY_MAX];
	size_t key_len;
};

void vw_sums_add(struct vw_sums *s, const struct vw_flow *f)
{
	if (!s->records || f->first_us < s->first_us)
		s->first_us = f->first_us;
	if (!s->records || f->last_us > s->last_us)
		s->last_us = f->last_us;
	s->records++;
	s->packets += f->packets;
	s->bytes += f->bytes;
}

int vw_groups_new(const struct vw_groups_options *o, struct vw_groups **ret)
{
	struct vw_groups *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->o = *o;
	g->flows.max = o->flows_max;
	*ret = g;
	return 0;
}

void vw_groups_free(struct vw_groups **gp)
{
	struct vw_groups *g = *gp;

	if (!g)
		return;
	vw_vec_done(&g->list);
	vw_vec_done(&g->keys);
	vw_hashes_done(&g->flows);
	free(g->slots);
	free(g);
	*gp = NULL;
}

/* ---- keys: for each field its kind, then the value; a text has its length before it ---- */

static size_t put_value(uint8_t *p, const struct vw_value *v)
{
	size_t n = 1;

	p[0] = (uint8_t)v->kind;
	switch (v->kind) {
	case VW_VALUE_TEXT: {
		uint16_t len = (uint16_t)(v->text.n < KEY_TEXT_MAX ? v->text.n : KEY_TEXT_MAX);

		memcpy(p + 1, &len, 2);
		memcpy(p + 3, v->text.s, len);
		return 3 + (size_t)len;
	}
	case VW_VALUE_NUMBER:
		memcpy(p + 1, &v->number, 8);
		return n + 8;
	case VW_VALUE_TIME:
		memcpy(p + 1, &v->time_us, 8);
		return n + 8;
	case VW_VALUE_ADDR:
		p[1] = v->addr.family;
		memcpy(p + 2, v->addr.b, vw_addr_len(&v->addr));
		return n + 1 + vw_addr_len(&v->addr);
	default:
		return n;
	}
}

/* Reads what put_value() wrote; returns its length. */
static size_t get_value(const uint8_t *p, struct vw_value *v)
{
	uint16_t len;

	*v = (struct vw_value){.kind = p[0]};
	switch (v->kind) {
	case VW_VALUE_TEXT:
		memcpy(&len, p + 1, 2);
		v->text = (struct vw_str){(const char *)p + 3, len};
		return 3 + (size_t)len;
	case VW_VALUE_NUMBER:
		memcpy(&v->number, p + 1, 8);
		return 9;
	case VW_VALUE_TIME:
		memcpy(&v->time_us, p + 1, 8);
		return 9;
	case VW_VALUE_ADDR:
		v->addr.family = p[1];
		memcpy(v->addr.b, p + 2, vw_addr_len(&v->addr));
		return 2 + vw_addr_len(&v->addr);
	default:
		return 1;
	}
}

uint64_t vw_groups_hash(struct vw_groups *g, const struct vw_flow *f)
{
	g->key_len = 0;
	for (size_t i = 0; i < g->o.n_by; i++) {
		struct vw_value v;

		vw_field_value(g->o.by[i], f, &v);
		g->key_len += put_value(g->key + g->key_len, &v);
	}
	return vw_sip13(g->key, g->key_len, g->o.seed);
}

/* ---- the table ---- */

static const uint8_t *key_of(const struct vw_groups *g, const struct vw_group *gr)
{
	return g->keys.v + gr->key;
}

/* Where the key that was made last is, or belongs. */
static uint32_t *probe(const struct vw_groups *g, uint64_t hash)
{
	size_t i = hash & (g->n_slots - 1);

	for (;; i = (i + 1) & (g->n_slots - 1)) {
		const struct vw_group *gr;

		if (!g->slots[i])
			return &g->slots[i];
		gr = &g->list.v[g->slots[i] - 1];
		if (gr->hash == hash && gr->key_len == g->key_len &&
		    !memcmp(key_of(g, gr), g->key, g->key_len))
			return &g->slots[i];
	}
}

static int grow(struct vw_groups *g)
{
	size_t n = g->n_slots ? g->n_slots * 2 : SLOTS_MIN;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (uint32_t k = 0; k < g->list.n; k++) {
		size_t i = g->list.v[k].hash & (n - 1);

		while (slots[i])
			i = (i + 1) & (n - 1);
		slots[i] = k + 1;
	}
	free(g->slots);
	g->slots = slots;
	g->n_slots = n;
	return 0;
}

static int keep_key(struct vw_groups *g)
{
	size_t need = g->keys.n + g->key_len, cap = g->keys.cap ? g->keys.cap : 4096;
	uint8_t *v;

	if (need > KEYS_BYTES_MAX)
		return -ENOSPC;
	while (cap < need)
		cap *= 2;
	if (cap != g->keys.cap) {
		v = realloc(g->keys.v, cap);
		if (!v)
			return -ENOMEM;
		g->keys.v = v;
		g->keys.cap = cap;
	}
	memcpy(g->keys.v + g->keys.n, g->key, g->key_len);
	g->keys.n = need;
	return 0;
}

static int new_group(struct vw_groups *g, uint64_t hash, uint32_t *slot)
{
	struct vw_group gr = {
		.hash = hash, .key = (uint32_t)g->keys.n, .key_len = (uint32_t)g->key_len};
	int r = g->list.n < g->o.max ? keep_key(g) : -ENOSPC;

	if (!r)
		r = vw_vec_push(&g->list, gr, g->o.max);
	if (!r)
		*slot = (uint32_t)g->list.n;
	return r;
}

static int count_flow(struct vw_groups *g, struct vw_group *gr, const struct vw_flow *f)
{
	int r;

	if (!g->o.flows_max || !f->t.src.family)
		return 0;
	r = vw_hashes_add(&g->flows, vw_flow_hash(&f->t, g->o.seed) ^ gr->hash);
	gr->flows += r == 1;
	g->flows_full |= r == -ENOSPC;
	return r == -ENOMEM ? r : 0;
}

int vw_groups_add(struct vw_groups *g, const struct vw_flow *f)
{
	uint64_t hash = vw_groups_hash(g, f);
	uint32_t *slot;
	int r;

	if (g->list.n * 2 >= g->n_slots) {
		r = grow(g);
		if (r)
			return r;
	}
	slot = probe(g, hash);
	if (!*slot) {
		r = new_group(g, hash, slot);
		if (r == -ENOSPC)
			vw_sums_add(&g->others, f);
		if (r)
			return r == -ENOSPC ? 0 : r;
	}
	vw_sums_add(&g->list.v[*slot - 1].sums, f);
	return count_flow(g, &g->list.v[*slot - 1], f);
}

const struct vw_group *vw_groups_find(struct vw_groups *g, const struct vw_flow *f)
{
	uint64_t hash = vw_groups_hash(g, f);
	const uint32_t *slot = g->n_slots ? probe(g, hash) : NULL;

	return slot && *slot ? &g->list.v[*slot - 1] : NULL;
}

/* ---- answers ---- */

size_t vw_groups_n(const struct vw_groups *g)
{
	return g->list.n;
}

const struct vw_sums *vw_groups_others(const struct vw_groups *g)
{
	return &g->others;
}

bool vw_groups_flows_exact(const struct vw_groups *g)
{
	return !g->flows_full;
}

struct order {
	const struct vw_groups *g;
	enum vw_measure m;
};

static uint64_t measure(const struct vw_group *gr, enum vw_measure m)
{
	switch (m) {
	case VW_BY_PACKETS:
		return gr->sums.packets;
	case VW_BY_BYTES:
		return gr->sums.bytes;
	case VW_BY_RECORDS:
		return gr->sums.records;
	case VW_BY_FLOWS:
		return gr->flows;
	default:
		/* the earliest first: times as numbers that fall */
		return UINT64_MAX - ((uint64_t)gr->sums.first_us ^ 1ull << 63);
	}
}

static int values_cmp(const struct vw_value *a, const struct vw_value *b)
{
	size_t n = a->text.n < b->text.n ? a->text.n : b->text.n;
	int r;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	switch (a->kind) {
	case VW_VALUE_TEXT:
		r = memcmp(a->text.s, b->text.s, n);
		return r ? r : (a->text.n > b->text.n) - (a->text.n < b->text.n);
	case VW_VALUE_NUMBER:
		return (a->number > b->number) - (a->number < b->number);
	case VW_VALUE_TIME:
		return (a->time_us > b->time_us) - (a->time_us < b->time_us);
	case VW_VALUE_ADDR:
		return vw_addr_cmp(&a->addr, &b->addr);
	default:
		return 0;
	}
}

static int groups_cmp(const void *va, const void *vb, void *arg)
{
	const struct order *o = arg;
	const struct vw_group *a = va, *b = vb;
	uint64_t ma = measure(a, o->m), mb = measure(b, o->m);
	const uint8_t *ka = key_of(o->g, a), *kb = key_of(o->g, b);

	if (ma != mb)
		return ma > mb ? -1 : 1;
	for (size_t i = 0; i < o->g->o.n_by; i++) {
		struct vw_value x, y;
		int r;

		ka += get_value(ka, &x);
		kb += get_value(kb, &y);
		r = values_cmp(&x, &y);
		if (r)
			return r;
	}
	return 0;
}

void vw_groups_sort(struct vw_groups *g, enum vw_measure m, const struct vw_hashes *drop)
{
	struct order o = {g, m};
	size_t kept = 0;

	for (size_t i = 0; i < g->list.n; i++) {
		if (!drop || !vw_hashes_has(drop, g->list.v[i].hash))
			g->list.v[kept++] = g->list.v[i];
	}
	g->list.n = kept;
	if (kept)
		qsort_r(g->list.v, kept, sizeof(*g->list.v), groups_cmp, &o);
	(void)grow(g); /* numbers have changed */
}

const struct vw_group *vw_groups_at(const struct vw_groups *g, size_t i)
{
	return &g->list.v[i];
}

void vw_groups_value(const struct vw_groups *g, const struct vw_group *gr, size_t i,
		     struct vw_value *ret)
{
	const uint8_t *p = key_of(g, gr);

	do
		p += get_value(p, ret);
	while (i--);
}
