/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every kind of ends with every other. For each pair of classes the profiles of all identities are
 * laid out in a row; a pair of ends is then two look-ups, and only where one of them tells of a
 * change is anything worked out. Rows of receivers are kept as their exceptions. */
#include "core/conn.h"
#include "vethwall/cleanup.h"

/* A receiver, in few bytes: the innermost loop reads all of them for each sender. */
struct target {
	uint32_t point, in, kind;
	uint8_t family;
};

/* A point that the pair of classes decides otherwise than its base. */
struct exception {
	uint32_t point, in, pair;
};

struct pairing {
	struct conn_work *w;
	VW_VEC(struct target) targets; /* workloads by service, then places */
	uint32_t held; /* profile */
	uint32_t *row; /* by point: pair of profiles under one pair of classes */
	uint32_t *in_base, *in_now; /* by pair of ingress classes: its base; for one sender */
	VW_VEC(struct exception) exceptions; /* sorted by point */
	uint32_t *first; /* by point: the first of its exceptions */
};

static int tables_row(struct pairing *p, int s, uint32_t class, uint32_t *ret_base)
{
	const struct conn_tables *t = &p->w->ends.tables[s];
	const struct conn_class *k = NULL;

	*ret_base = class == CONN_CLASS_OPEN ? CONN_OPEN : p->held;
	if (class != CONN_CLASS_OPEN && class != CONN_CLASS_HELD) {
		k = &t->classes.v[class];
		*ret_base = k->base;
	}
	for (size_t i = 0; i < t->marks.n; i++)
		t->row[i] = *ret_base;
	for (uint32_t i = 0; k && i < k->rows.n; i++)
		t->row[t->rows.v[k->rows.first + i].id] = t->rows.v[k->rows.first + i].profile;
	return 0;
}

/* Fills p->row; *ret_base: the pair of what most points have. */
static int lay_out(struct pairing *p, const struct conn_duo *classes, uint32_t *ret_base)
{
	struct conn_work *w = p->w;
	const uint32_t *before = w->ends.tables[0].row, *after = w->ends.tables[1].row;
	uint32_t base[2];
	int r = tables_row(p, 0, classes->b, &base[0]);

	if (!r)
		r = tables_row(p, 1, classes->a, &base[1]);
	if (!r)
		r = conn_pair(&w->results, base[0], base[1], ret_base);
	for (size_t i = 0; i < w->ends.points.list.n && !r; i++) {
		const struct conn_duo *d = &w->ends.points.list.v[i];

		if (before[d->b] == base[0] && after[d->a] == base[1])
			p->row[i] = *ret_base;
		else
			r = conn_pair(&w->results, before[d->b], after[d->a], &p->row[i]);
	}
	return r;
}

static int by_point(const void *pa, const void *pb)
{
	const struct exception *a = pa, *b = pb;

	if (a->point != b->point)
		return a->point < b->point ? -1 : 1;
	return a->in < b->in ? -1 : a->in > b->in;
}

static int find_exceptions(struct pairing *p)
{
	const struct conn_ends *e = &p->w->ends;
	size_t n = e->points.list.n, at = 0;
	int r = 0;

	for (uint32_t in = 0; in < e->ins.list.n && !r; in++) {
		r = lay_out(p, &e->ins.list.v[in], &p->in_base[in]);
		p->in_now[in] = p->in_base[in];
		for (uint32_t i = 0; i < n && !r; i++)
			if (p->row[i] != p->in_base[in])
				r = vw_vec_push(&p->exceptions,
						((struct exception){i, in, p->row[i]}),
						CONN_MAX * 4);
	}
	if (r)
		return r;
	if (p->exceptions.n)
		qsort(p->exceptions.v, p->exceptions.n, sizeof(*p->exceptions.v), by_point);
	for (uint32_t i = 0; i <= n; i++) {
		while (at < p->exceptions.n && p->exceptions.v[at].point < i)
			at++;
		p->first[i] = (uint32_t)at;
	}
	return 0;
}

static int add_target(struct pairing *p, uint32_t kind)
{
	const struct conn_kind *k = &p->w->ends.kinds.v[kind];

	return vw_vec_push(&p->targets, ((struct target){k->point, k->in, kind, k->family}),
			   CONN_MAX);
}

static int prepare(struct pairing *p)
{
	const struct conn_ends *e = &p->w->ends;
	int r = conn_profile_flat(&p->w->profiles, VW_CODE_DENY | VW_REASON_HELD, &p->held);

	p->row = calloc(e->points.list.n + 1, sizeof(*p->row));
	p->first = calloc(e->points.list.n + 1, sizeof(*p->first));
	p->in_base = calloc(e->ins.list.n + 1, sizeof(*p->in_base));
	p->in_now = calloc(e->ins.list.n + 1, sizeof(*p->in_now));
	if (!p->row || !p->first || !p->in_base || !p->in_now)
		r = -ENOMEM;
	vw_vec_foreach (i, &e->by_service)
		if (!r)
			r = add_target(p, *i);
	vw_vec_foreach (i, &e->places)
		if (!r)
			r = add_target(p, *i);
	return r ? r : find_exceptions(p);
}

static void pairing_done(struct pairing *p)
{
	vw_vec_done(&p->targets);
	vw_vec_done(&p->exceptions);
	free(p->row);
	free(p->first);
	free(p->in_base);
	free(p->in_now);
}

/* ---- one pair ---- */

/* None of i has another end in j than itself. */
static bool alone(const struct conn_ends *e, const struct conn_kind *i, const struct conn_kind *j)
{
	if (i->own[0] != CONN_NONE)
		return i->own[0] == j->own[0] || i->own[0] == j->own[1];
	if (j->own[0] == CONN_NONE || j->own[1] == CONN_NONE)
		return false;
	for (uint32_t k = 0; k < i->ends.n; k++) {
		const struct conn_end *n = &e->list.v[e->members.v[i->ends.first + k]];
		uint32_t owner = conn_workload(e, n->owner);

		if (owner != j->own[0] && owner != j->own[1])
			return false;
	}
	return true;
}

/* Some address of the places is not one that the sender knows by a name. */
static bool any_unnamed(const struct conn_ends *e, const struct conn_kind *i,
			const struct conn_kind *j)
{
	struct vw_addr a;

	if (!i->names || j->what != CONN_OUTSIDE)
		return true;
	for (uint32_t k = 0; k < j->ends.n; k++)
		if (conn_outsider(e, &e->list.v[e->members.v[j->ends.first + k]], i->names, &a))
			return true;
	return false;
}

/* Order of targets: services by number, places by kind, names. */
#define TARGET_PLACE ((uint64_t)1 << 32)
#define TARGET_NAME ((uint64_t)2 << 32)

static int put_part(struct conn_work *w, uint32_t i, uint32_t j, uint32_t at_sender,
		    uint32_t at_receiver, uint64_t target)
{
	const struct conn_kind *ki = &w->ends.kinds.v[i], *kj = &w->ends.kinds.v[j];
	struct conn_part part = {.target = target, .i = i, .j = j};
	int r = conn_result(&w->results, at_sender, at_receiver, &part.result);

	if (r || !part.result || alone(&w->ends, ki, kj) || !any_unnamed(&w->ends, ki, kj))
		return r;
	return vw_vec_push(&w->parts, part, CONN_MAX);
}

static bool tells(const struct conn_results *r, uint32_t at_sender, uint32_t at_receiver)
{
	return r->kept || r->changed.v[at_sender] || r->changed.v[at_receiver];
}

/* ---- what a service sends ---- */

static int send_all(struct pairing *p, uint32_t i)
{
	struct conn_work *w = p->w;
	const struct conn_kind *k = &w->ends.kinds.v[i];
	size_t from = p->first[k->point], to = p->first[k->point + 1];
	int r = 0;

	for (size_t x = from; x < to; x++)
		p->in_now[p->exceptions.v[x].in] = p->exceptions.v[x].pair;
	vw_vec_foreach (t, &p->targets) {
		uint32_t e = p->row[t->point], q = p->in_now[t->in];
		const struct conn_kind *j;

		if (t->family != k->family || !tells(&w->results, e, q) || r)
			continue;
		j = &w->ends.kinds.v[t->kind];
		r = put_part(w, i, t->kind, e, q,
			     j->what == CONN_SEAT ? j->party : TARGET_PLACE | t->kind);
	}
	for (size_t x = from; x < to; x++)
		p->in_now[p->exceptions.v[x].in] = p->in_base[p->exceptions.v[x].in];
	return r;
}

static int send_named(struct conn_work *w, uint32_t i)
{
	const struct conn_named *v = w->names.list.v;
	size_t lo = 0, hi = w->names.list.n;
	int r = 0;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (v[mid].kind < i)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < w->names.list.n && v[lo].kind == i && !r; lo++) {
		struct conn_part part = {.i = i, .j = CONN_NONE, .named = &v[lo]};
		uint32_t party = 0;

		r = conn_result(&w->results, v[lo].pair, CONN_OPEN, &part.result);
		if (r || !part.result)
			continue;
		r = conn_party_named(w, v[lo].name, &party);
		part.target = TARGET_NAME | party;
		if (!r)
			r = vw_vec_push(&w->parts, part, CONN_MAX);
	}
	return r;
}

static int by_target(const void *pa, const void *pb)
{
	const struct conn_part *a = pa, *b = pb;

	if (a->target != b->target)
		return a->target < b->target ? -1 : 1;
	if (a->i != b->i)
		return a->i < b->i ? -1 : 1;
	return a->j < b->j ? -1 : a->j > b->j;
}

static void sort_parts(struct conn_work *w)
{
	if (w->parts.n)
		qsort(w->parts.v, w->parts.n, sizeof(*w->parts.v), by_target);
}

/* Parts of one service or name as an edge. */
static int fold_one(struct conn_work *w, uint32_t from, const struct conn_part *v, size_t n)
{
	int r;

	w->ranges.list.n = 0;
	r = conn_fold(w, v, n, &w->ranges);
	return r ? r : conn_edge(w, from, (uint32_t)v->target, w->ranges.list.v, w->ranges.list.n);
}

static int fold_sent(struct conn_work *w, uint32_t service)
{
	const struct conn_part *v = w->parts.v;
	size_t n = w->parts.n;
	int r = 0;

	for (size_t i = 0, j; i < n && !r; i = j) {
		bool place = v[i].target >> 32 == 1;

		for (j = i + 1;
		     j < n && (place ? v[j].target >> 32 == 1 : v[j].target == v[i].target);)
			j++;
		r = place ? conn_fold_places(w, service, true, v + i, j - i)
			  : fold_one(w, service, v + i, j - i);
	}
	return r;
}

/* ---- what reaches a service from places ---- */

/* p->row is laid out. */
static int receive_all(struct pairing *p, uint32_t j)
{
	struct conn_work *w = p->w;
	const struct conn_ends *e = &w->ends;
	const struct conn_kind *k = &e->kinds.v[j];
	int r = 0;

	vw_vec_foreach (i, &e->places) {
		const struct conn_kind *place = &e->kinds.v[*i];
		uint32_t q = p->row[place->point];

		if (place->family != k->family || place->what == CONN_PUBLISHED ||
		    !tells(&w->results, CONN_OPEN, q) || r)
			continue;
		r = put_part(w, *i, j, CONN_OPEN, q, TARGET_PLACE | *i);
	}
	return r;
}

/* ---- all ---- */

static int sent(struct pairing *p, uint32_t service, const uint32_t *kinds, size_t n)
{
	struct conn_work *w = p->w;
	uint32_t out = CONN_NONE, base;
	int r = 0;

	w->parts.n = 0;
	for (size_t i = 0; i < n && !r; i++) {
		const struct conn_kind *k = &w->ends.kinds.v[kinds[i]];

		if (k->out != out)
			r = lay_out(p, &w->ends.outs.list.v[k->out], &base);
		out = k->out;
		if (!r)
			r = send_all(p, kinds[i]);
		if (!r)
			r = send_named(w, kinds[i]);
	}
	sort_parts(w);
	return r ? r : fold_sent(w, service);
}

static int received(struct pairing *p, uint32_t service, const uint32_t *kinds, size_t n)
{
	struct conn_work *w = p->w;
	uint32_t in = CONN_NONE, base;
	int r = 0;

	w->parts.n = 0;
	for (size_t i = 0; i < n && !r; i++) {
		const struct conn_kind *k = &w->ends.kinds.v[kinds[i]];

		if (k->in != in)
			r = lay_out(p, &w->ends.ins.list.v[k->in], &base);
		in = k->in;
		if (!r)
			r = receive_all(p, kinds[i]);
	}
	sort_parts(w);
	return r ? r : conn_fold_places(w, service, false, w->parts.v, w->parts.n);
}

int conn_pairs(struct conn_work *w)
{
	struct pairing p = {.w = w};
	const struct conn_ends *e = &w->ends;
	const uint32_t *v = e->by_service.v;
	int r = prepare(&p);

	for (size_t i = 0, j; i < e->by_service.n && !r; i = j) {
		uint32_t service = e->kinds.v[v[i]].party;

		for (j = i; j < e->by_service.n && e->kinds.v[v[j]].party == service; j++)
			;
		r = sent(&p, service, v + i, j - i);
		if (!r)
			r = received(&p, service, v + i, j - i);
	}
	pairing_done(&p);
	return r;
}
