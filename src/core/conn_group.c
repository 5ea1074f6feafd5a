/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places that a service has the same to do with are told as one: "world", "10.9.0.0/16 and 3 more".
 * And the parties that are made of them. */
#include "core/conn.h"

#include <stdio.h>

#include "vethwall/cleanup.h"

/* ---- stretches as prefixes ---- */

struct prefixes {
	VW_VEC(struct vw_prefix) list;
};

/* The fewest prefixes that make first..last. */
static int put_stretch(struct prefixes *p, struct vw_addr first, const struct vw_addr *last)
{
	bool more = true;
	int r = 0;

	while (more && !r && vw_addr_cmp(&first, last) <= 0) {
		struct vw_prefix x = {first, first.family == 4 ? 32 : 128};
		struct vw_addr end = first;

		while (x.len > 0) {
			struct vw_prefix wider = {first, x.len - 1};
			unsigned bit = wider.len;

			if (first.b[bit / 8] & (0x80 >> bit % 8))
				break;
			end = vw_prefix_last(&wider);
			if (vw_addr_cmp(&end, last) > 0)
				break;
			x = wider;
		}
		end = vw_prefix_last(&x);
		r = vw_vec_push(&p->list, x, CONN_MAX);
		more = vw_addr_next(&end, &first);
	}
	return r;
}

/* ---- sets of places ---- */

/* A set of places of one kind of party, as sorted indices into the list of ends. */
struct set {
	const uint32_t *v;
	size_t n;
	enum vw_party_kind kind;
	unsigned families; /* 1: IPv4, 2: IPv6; those that it could have */
};

static bool in_set(const struct set *s, uint32_t i)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->v[mid] < i)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n && s->v[lo] == i;
}

static unsigned family_bit(const struct conn_end *n)
{
	return n->first.family == 4 ? 1 : 2;
}

static void places_of(const struct conn_ends *e, enum vw_party_kind kind, uint32_t *ret_first,
		      uint32_t *ret_end)
{
	*ret_first = kind == VW_PARTY_HOST ? e->first_place : e->first_outside;
	*ret_end = kind == VW_PARTY_HOST ? e->first_outside : (uint32_t)e->list.n;
}

static bool is_all(const struct conn_ends *e, const struct set *s)
{
	uint32_t first, end;

	places_of(e, s->kind, &first, &end);
	for (uint32_t i = first; i < end; i++)
		if (e->list.v[i].kind != CONN_NONE && family_bit(&e->list.v[i]) & s->families &&
		    !in_set(s, i))
			return false;
	return true;
}

/* The places in (or not in) the set. What lies between two of them and is nobody's does not part
 * them. */
static int prefixes_of(const struct conn_ends *e, const struct set *s, bool in,
		       struct prefixes *ret)
{
	const struct conn_end *first = NULL, *last = NULL;
	uint32_t i, end;
	int r = 0;

	places_of(e, s->kind, &i, &end);
	for (; i < end && !r; i++) {
		const struct conn_end *n = &e->list.v[i];
		bool mine = in_set(s, i);

		if (n->kind == CONN_NONE && !mine)
			continue;
		mine = mine == in && family_bit(n) & s->families;
		if (first &&
		    (!mine || s->kind == VW_PARTY_HOST || n->first.family != first->first.family)) {
			r = put_stretch(ret, first->first, &last->last);
			first = NULL;
		}
		if (mine) {
			first = first ? first : n;
			last = n;
		}
	}
	return r || !first ? r : put_stretch(ret, first->first, &last->last);
}

/* The shorter of what it is and what it is not. */
static int name_prefixes(struct conn_work *w, const struct prefixes *told, struct vw_party *p)
{
	size_t n = told->list.n < VW_CONN_CIDRS_MAX ? told->list.n : VW_CONN_CIDRS_MAX;
	struct vw_prefix *kept = conn_keep(&w->out->store, n * sizeof(*kept));
	char text[VW_PREFIX_STRLEN], more[32] = "", name[VW_PREFIX_STRLEN + 64];
	bool host = p->kind == VW_PARTY_HOST;

	if (!kept || !n)
		return -ENOMEM;
	memcpy(kept, told->list.v, n * sizeof(*kept));
	p->cidrs = kept;
	p->n_cidrs = told->list.n;
	if (host)
		vw_addr_str(&kept->addr, text);
	else
		vw_prefix_str(kept, text);
	if (told->list.n > 1)
		snprintf(more, sizeof(more), " and %zu more", told->list.n - 1);
	snprintf(name, sizeof(name), "%s%s%s",
		 host	     ? "host "
		 : p->except ? "world except "
			     : "",
		 text, more);
	p->name = conn_keep_text(&w->out->store, name);
	return p->name ? 0 : -ENOMEM;
}

static int name_set(struct conn_work *w, const struct set *s, struct vw_party *p)
{
	struct prefixes in = {0}, out = {0};
	int r = prefixes_of(&w->ends, s, true, &in);

	if (!r && s->kind == VW_PARTY_OUTSIDE)
		r = prefixes_of(&w->ends, s, false, &out);
	p->except = out.list.n && out.list.n < in.list.n;
	if (!r)
		r = name_prefixes(w, p->except ? &out : &in, p);
	vw_vec_done(&in.list);
	vw_vec_done(&out.list);
	return r;
}

static int party_of(struct conn_work *w, const struct set *s, uint32_t *ret)
{
	struct vw_party p = {.kind = s->kind};
	bool all = is_all(&w->ends, s);
	uint32_t set = CONN_NONE, group;
	int r = 0;

	if (!all)
		r = conn_list(&w->sets, s->v, s->n, &set);
	if (!r)
		r = conn_duo(&w->groups, (uint32_t)s->kind << 2 | s->families, set, &group);
	if (all && !r)
		r = conn_duo(&w->groups, (uint32_t)s->kind << 2, CONN_NONE, &group);
	if (r)
		return r;
	while (w->group_party.n <= group && !r)
		r = vw_vec_push(&w->group_party, CONN_NONE, CONN_MAX);
	if (r || w->group_party.v[group] != CONN_NONE) {
		*ret = r ? 0 : w->group_party.v[group];
		return r;
	}
	if (all)
		p.name = s->kind == VW_PARTY_HOST ? "host" : "world";
	else
		r = name_set(w, s, &p);
	if (!r)
		r = vw_vec_push(&w->out->parties, p, CONN_MAX);
	if (!r)
		*ret = w->group_party.v[group] = (uint32_t)w->out->parties.n - 1;
	return r;
}

static uint64_t text_hash(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

int conn_party_named(struct conn_work *w, const char *name, uint32_t *ret)
{
	struct vw_party p = {.kind = VW_PARTY_NAME};
	uint64_t h = text_hash(name);
	struct conn_slot *s;
	int r = conn_tab_room(&w->name_tab);

	if (r)
		return r;
	for (s = conn_tab_seek(&w->name_tab, h); s->value; s = conn_tab_next(&w->name_tab, s))
		if (s->hash == h && !strcmp(w->out->parties.v[s->value - 1].name, name)) {
			*ret = s->value - 1;
			return 0;
		}
	p.name = conn_keep_text(&w->out->store, name);
	r = p.name ? vw_vec_push(&w->out->parties, p, CONN_MAX) : -ENOMEM;
	if (r)
		return r;
	*ret = (uint32_t)w->out->parties.n - 1;
	conn_tab_put(&w->name_tab, s, h, *ret);
	return 0;
}

/* ---- places with the same ranges ---- */

/* The ranges of one kind of places. */
struct run {
	uint32_t kind;
	enum vw_party_kind party;
	size_t first, n;
};
struct grouping {
	struct conn_ranges ranges;
	VW_VEC(struct run) runs;
	VW_VEC(uint32_t) places;
};

static enum vw_party_kind party_kind(const struct conn_ends *e, const struct conn_kind *k)
{
	if (k->what == CONN_PUBLISHED)
		return k->place < e->first_outside ? VW_PARTY_HOST : VW_PARTY_OUTSIDE;
	return k->what == CONN_HOST ? VW_PARTY_HOST : VW_PARTY_OUTSIDE;
}

static int run_cmp(const struct run *a, const struct run *b, const struct vw_conn_range *v)
{
	int r = 0;

	if (a->party != b->party)
		return a->party < b->party ? -1 : 1;
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (size_t i = 0; i < a->n && !r; i++)
		r = conn_range_cmp(&v[a->first + i], &v[b->first + i]);
	return r;
}

static int by_run(const void *pa, const void *pb, void *arg)
{
	const struct run *a = pa, *b = pb;
	int r = run_cmp(a, b, arg);

	return r ? r : a->kind < b->kind ? -1 : a->kind > b->kind;
}

static int by_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The places of n runs, sorted, none twice. */
static int find_places(const struct conn_ends *e, struct grouping *g, const struct run *v, size_t n)
{
	size_t keep = 0;
	int r = 0;

	g->places.n = 0;
	for (size_t i = 0; i < n && !r; i++) {
		const struct conn_kind *k = &e->kinds.v[v[i].kind];

		if (k->what == CONN_PUBLISHED)
			r = vw_vec_push(&g->places, k->place, CONN_MAX);
		for (uint32_t m = 0; m < k->ends.n && !r; m++)
			r = vw_vec_push(&g->places, e->members.v[k->ends.first + m], CONN_MAX);
	}
	if (r)
		return r;
	qsort(g->places.v, g->places.n, sizeof(*g->places.v), by_u32);
	for (size_t i = 0; i < g->places.n; i++)
		if (!i || g->places.v[i] != g->places.v[keep - 1])
			g->places.v[keep++] = g->places.v[i];
	g->places.n = keep;
	return 0;
}

/* Which families the service has addresses of: "world" is all of it that it can have to do with. */
static unsigned families(const struct conn_ends *e, uint32_t service)
{
	unsigned f = 0;

	vw_vec_foreach (i, &e->by_service)
		if (e->kinds.v[*i].party == service)
			f |= e->kinds.v[*i].family == 4 ? 1 : 2;
	return f;
}

static int put_group(struct conn_work *w, uint32_t service, bool sends, struct grouping *g,
		     const struct run *v, size_t n)
{
	struct set s = {.kind = v->party};
	uint32_t party;
	int r = find_places(&w->ends, g, v, n);

	if (r)
		return r;
	s.v = g->places.v;
	s.n = g->places.n;
	s.families = families(&w->ends, service);
	r = party_of(w, &s, &party);
	return r ? r
		 : conn_edge(w, sends ? service : party, sends ? party : service,
			     g->ranges.list.v + v->first, v->n);
}

static int fold_each(struct conn_work *w, struct grouping *g, const struct conn_part *v, size_t n)
{
	int r = 0;

	for (size_t i = 0, j; i < n && !r; i = j) {
		struct run run = {.kind = (uint32_t)v[i].target, .first = g->ranges.list.n};

		for (j = i; j < n && v[j].target == v[i].target; j++)
			;
		run.party = party_kind(&w->ends, &w->ends.kinds.v[run.kind]);
		r = conn_fold(w, v + i, j - i, &g->ranges);
		run.n = g->ranges.list.n - run.first;
		if (!r && run.n)
			r = vw_vec_push(&g->runs, run, CONN_MAX);
	}
	return r;
}

int conn_fold_places(struct conn_work *w, uint32_t service, bool sends, const struct conn_part *v,
		     size_t n)
{
	struct grouping g = {0};
	int r = fold_each(w, &g, v, n);

	if (!r && g.runs.n)
		qsort_r(g.runs.v, g.runs.n, sizeof(*g.runs.v), by_run, g.ranges.list.v);
	for (size_t i = 0, j; i < g.runs.n && !r; i = j) {
		for (j = i + 1; j < g.runs.n; j++)
			if (run_cmp(&g.runs.v[i], &g.runs.v[j], g.ranges.list.v))
				break;
		r = put_group(w, service, sends, &g, &g.runs.v[i], j - i);
	}
	vw_vec_done(&g.ranges.list);
	vw_vec_done(&g.runs);
	vw_vec_done(&g.places);
	return r;
}
