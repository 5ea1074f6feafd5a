/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One number for all that was compiled, so that who compiled the same elsewhere can tell. Field by
 * field: what lies between fields in memory is anything. */
#include <string.h>

#include "vethwall/compile.h"

static uint64_t number(uint64_t h, uint64_t v)
{
	return vw_hash(&v, sizeof(v), h);
}

static uint64_t text(uint64_t h, const char *s)
{
	return vw_hash(s, strlen(s) + 1, h);
}

static uint64_t set(uint64_t h, const struct vw_set *s)
{
	h = text(h, s->name);
	h = number(h, s->flags);
	h = vw_hash(s->fields, sizeof(s->fields), h);
	h = number(h, s->elems.n);
	return s->elems.n ? vw_hash(s->elems.v, s->elems.n * vw_set_stride(s), h) : h;
}

static uint64_t config(uint64_t h, const struct vw_config *c)
{
	const uint64_t fields[] = {
		c->default_deny,  c->live_max,	 c->denied_max,	 c->tcp_idle_ms,
		c->other_idle_ms, c->closing_ms, c->nflog_group, c->snaplen,
	};

	return vw_hash(fields, sizeof(fields), h);
}

static uint64_t class(uint64_t h, const struct vw_class *k)
{
	const struct vw_set *const sets[] = {&k->x, &k->xi, &k->r, &k->ri, &k->q, &k->a};

	h = text(h, k->name);
	h = number(h, (uint64_t)k->dir << 32 | k->default_code);
	h = number(h, (uint64_t)(k->base_row << 2 | k->notes << 1 | k->fqdn));
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		h = set(h, sets[i]);
	return h;
}

static uint64_t wall(uint64_t h, const struct vw_wall *w)
{
	h = number(h, (uint64_t)w->ifindex << 32 | w->kind);
	h = text(h, w->dev);
	h = number(h, w->spec); /* MAC, addresses and classes as well */
	for (int i = 0; i < 2; i++)
		h = set(set(h, &w->learnt[i]), &w->recalled[i]);
	return h;
}

uint64_t vw_compiled_digest(const struct vw_compiled *c)
{
	const struct vw_set *const sets[] = {&c->id4,  &c->id6,	 &c->net4,
					     &c->net6, &c->pub4, &c->pub6};
	uint64_t h = config(0, &c->config);

	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		h = set(h, sets[i]);
	h = number(h, (uint64_t)c->base4 << 32 | c->base6);
	vw_vec_foreach (k, &c->classes)
		h = class(h, k);
	vw_vec_foreach (w, &c->walls)
		h = wall(h, w);
	vw_vec_foreach (r, &c->rules) {
		h = number(h, (uint64_t)r->number << 32 | r->tier);
		h = text(text(h, r->policy), r->rule);
	}
	return h;
}
