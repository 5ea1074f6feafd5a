/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiled tables -> profiles. The elements of one identity stand together in each table of a
 * class, so one walk over each gives all rows; equal rows are kept once. Looks up in the order of
 * judge.c: the identity's own elements, its code for everything, the base row, the default. */
#include "core/conn.h"
#include "vethwall/cleanup.h"

/* ---- profiles ---- */

static int emit(struct conn_profiles *p, uint32_t at, uint32_t code)
{
	if (p->scratch.n && p->scratch.v[p->scratch.n - 1].code == code)
		return 0;
	return vw_vec_push(&p->scratch, ((struct conn_step){at, code}), CONN_SPACE);
}

/* The number of what is in scratch. */
static int intern(struct conn_profiles *p, uint32_t *ret)
{
	return conn_list(&p->lists, p->scratch.v, 2 * p->scratch.n, ret);
}

int conn_profile_flat(struct conn_profiles *p, uint32_t code, uint32_t *ret)
{
	int r;

	p->scratch.n = 0;
	r = emit(p, 0, code);
	return r ? r : intern(p, ret);
}

int conn_profiles_init(struct conn_profiles *p)
{
	uint32_t open;
	int r;

	*p = (struct conn_profiles){0};
	r = conn_profile_flat(p, VW_REASON_ALLOW, &open);
	if (r)
		conn_profiles_done(p);
	return r;
}

void conn_profiles_done(struct conn_profiles *p)
{
	conn_lists_done(&p->lists);
	vw_vec_done(&p->scratch);
	*p = (struct conn_profiles){0};
}

/* ---- one row ---- */

enum { X, XI, R, RI, Q, A, N_SETS };

/* The elements of one identity in each table of a class. */
struct cursors {
	const struct vw_set *set[N_SETS];
	size_t at[N_SETS], end[N_SETS];
};

static void cursors_init(struct cursors *c, const struct vw_class *k)
{
	*c = (struct cursors){.set = {&k->x, &k->xi, &k->r, &k->ri, &k->q, &k->a}};
}

static const uint8_t *elem(const struct cursors *c, int s)
{
	return c->set[s]->elems.v + c->at[s] * vw_set_stride(c->set[s]);
}

static bool has(const struct cursors *c, int s)
{
	return c->at[s] < c->end[s];
}

static uint32_t data_of(const struct cursors *c, int s)
{
	uint32_t v;

	memcpy(&v, elem(c, s) + vw_set_stride(c->set[s]) - 4, 4);
	return v;
}

static uint16_t port_at(const uint8_t *key)
{
	return (uint16_t)(key[8] << 8 | key[9]);
}

/* What is decided where the identity has no element of its own: steps, read from left to right. */
struct under {
	const struct conn_step *v;
	size_t n, i;
};

static int copy_under(struct conn_profiles *p, struct under *u, uint32_t from, uint32_t to)
{
	int r = 0;

	if (from >= to)
		return 0;
	while (u->i + 1 < u->n && u->v[u->i + 1].at <= from)
		u->i++;
	for (size_t i = u->i; i < u->n && u->v[i].at < to && !r; i++)
		r = emit(p, u->v[i].at < from ? from : u->v[i].at, u->v[i].code);
	return r;
}

/* Which of the port tables has the next range of the protocol; -1: none. */
static int next_range(const struct cursors *c, uint8_t proto)
{
	int best = -1;

	for (int s = X; s <= RI; s++)
		if (has(c, s) && elem(c, s)[4] == proto &&
		    (best < 0 || port_at(elem(c, s)) < port_at(elem(c, best))))
			best = s;
	return best;
}

static int put_protocol(struct conn_profiles *p, struct cursors *c, uint8_t proto, struct under *u)
{
	uint32_t base = (uint32_t)proto << 16, at = base;
	struct conn_step whole = {0};
	struct under flat = {&whole, 1, 0};
	int r = 0, s;

	if (has(c, Q) && elem(c, Q)[4] == proto) {
		whole.code = data_of(c, Q);
		u = &flat;
		c->at[Q]++;
	}
	while (!r && (s = next_range(c, proto)) >= 0) {
		const uint8_t *key = elem(c, s);
		uint32_t lo = base + port_at(key);
		uint32_t hi = s < R ? lo : base + port_at(key + vw_set_klen(c->set[s]));

		r = copy_under(p, u, at, lo);
		if (!r)
			r = emit(p, lo, data_of(c, s));
		at = hi + 1;
		c->at[s]++;
	}
	return r ? r : copy_under(p, u, at, base + 65536);
}

/* The row of the cursors' identity, over u. */
static int put_row(struct conn_profiles *p, struct cursors *c, struct under *u, uint32_t *ret)
{
	uint32_t at = 0;
	int r = 0;

	p->scratch.n = 0;
	while (!r) {
		int proto = 256;

		for (int s = X; s <= Q; s++)
			if (has(c, s) && elem(c, s)[4] < proto)
				proto = elem(c, s)[4];
		r = copy_under(p, u, at, (uint32_t)proto << 16);
		if (proto == 256)
			break;
		if (!r)
			r = put_protocol(p, c, (uint8_t)proto, u);
		at = ((uint32_t)proto + 1) << 16;
	}
	return r ? r : intern(p, ret);
}

static int own_row(struct conn_profiles *p, struct cursors *c, uint32_t base, uint32_t *ret)
{
	struct conn_step all = {0};
	struct under u = {0};

	u.v = CONN_LIST(struct conn_step, &p->lists, base, &u.n);
	if (has(c, A)) {
		all.code = data_of(c, A);
		u = (struct under){&all, 1, 0};
	}
	return put_row(p, c, &u, ret);
}

/* The elements of a mark: one of them is looked for by halves, then its neighbours. */
static void seek(struct cursors *c, uint32_t mark)
{
	for (int i = 0; i < N_SETS; i++) {
		const struct vw_set *s = c->set[i];
		uint32_t key = vw_set_mark(s, mark);
		size_t lo = 0, hi = s->elems.n, stride = vw_set_stride(s);

		while (lo < hi) {
			size_t mid = (lo + hi) / 2;

			if (memcmp(s->elems.v + mid * stride, &key, 4) < 0)
				lo = mid + 1;
			else
				hi = mid;
		}
		c->at[i] = c->end[i] = lo;
		while (c->end[i] < s->elems.n && !memcmp(s->elems.v + c->end[i] * stride, &key, 4))
			c->end[i]++;
	}
}

int conn_profile_base(struct conn_profiles *p, const struct vw_class *k, uint32_t *ret)
{
	struct conn_step all = {0, k->default_code};
	struct under u = {&all, 1, 0};
	struct cursors c;

	cursors_init(&c, k);
	if (k->base_row)
		seek(&c, 0);
	c.at[A] = c.end[A]; /* nobody looks that up for mark 0 */
	return put_row(p, &c, &u, ret);
}

int conn_profile_of(struct conn_profiles *p, const struct vw_class *k, uint32_t base, uint32_t mark,
		    uint32_t *ret)
{
	struct cursors c;

	cursors_init(&c, k);
	seek(&c, mark);
	return own_row(p, &c, base, ret);
}

/* ---- all rows of one side ---- */

static int by_mark(const void *pa, const void *pb)
{
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

	return a < b ? -1 : a > b;
}

static int add_marks(struct conn_tables *t, const struct vw_set *s)
{
	size_t stride = vw_set_stride(s);
	uint32_t mark;
	int r = 0;

	for (size_t i = 0; i < s->elems.n && !r; i++) {
		memcpy(&mark, s->elems.v + (i + 1) * stride - 4, 4);
		r = vw_vec_push(&t->marks, mark, CONN_MAX);
	}
	return r;
}

static int find_marks(struct conn_tables *t)
{
	const struct vw_compiled *c = t->c;
	const struct vw_set *sets[] = {&c->id4, &c->id6, &c->net4, &c->net6, &c->pub4, &c->pub6};
	size_t keep = 0;
	int r = vw_vec_push(&t->marks, c->base4, CONN_MAX);

	if (!r)
		r = vw_vec_push(&t->marks, c->base6, CONN_MAX);
	for (size_t i = 0; i < VW_ARRAY_SIZE(sets) && !r; i++)
		r = add_marks(t, sets[i]);
	vw_vec_foreach (w, &c->walls)
		for (int v6 = 0; v6 < 2 && !r; v6++)
			r = add_marks(t, &w->learnt[v6]);
	if (r)
		return r;
	qsort(t->marks.v, t->marks.n, sizeof(*t->marks.v), by_mark);
	for (size_t i = 0; i < t->marks.n; i++)
		if (!i || t->marks.v[i] != t->marks.v[keep - 1])
			t->marks.v[keep++] = t->marks.v[i];
	t->marks.n = keep;
	return 0;
}

uint32_t conn_mark(const struct conn_tables *t, uint32_t mark)
{
	const uint32_t *v = bsearch(&mark, t->marks.v, t->marks.n, sizeof(mark), by_mark);

	return v ? (uint32_t)(v - t->marks.v) : CONN_NONE;
}

/* A run of elements of one mark in one table. */
struct run {
	uint32_t id, set;
	size_t at, end;
};
struct runs {
	VW_VEC(struct run) list;
};

static int by_run(const void *pa, const void *pb)
{
	const struct run *a = pa, *b = pb;

	return a->id < b->id ? -1 : a->id > b->id;
}

static int add_runs(struct runs *runs, const struct conn_tables *t, const struct vw_set *s,
		    uint32_t set)
{
	size_t stride = vw_set_stride(s);
	int r = 0;

	for (size_t i = 0, j; i < s->elems.n && !r; i = j) {
		struct run run = {.set = set, .at = i};
		uint32_t mark;

		for (j = i + 1; j < s->elems.n; j++)
			if (memcmp(s->elems.v + i * stride, s->elems.v + j * stride, 4))
				break;
		memcpy(&mark, s->elems.v + i * stride, 4);
		run.id = conn_mark(t, vw_set_mark(s, mark));
		run.end = j;
		if (run.id != CONN_NONE)
			r = vw_vec_push(&runs->list, run, CONN_MAX);
	}
	return r;
}

static int add_rows(struct conn_profiles *p, struct conn_tables *t, const struct runs *runs,
		    struct cursors *c, uint32_t base)
{
	int r = 0;

	for (size_t i = 0, j; i < runs->list.n && !r; i = j) {
		struct conn_row row = {.id = runs->list.v[i].id};

		for (int s = 0; s < N_SETS; s++)
			c->at[s] = c->end[s] = 0;
		for (j = i; j < runs->list.n && runs->list.v[j].id == row.id; j++) {
			const struct run *run = &runs->list.v[j];

			c->at[run->set] = run->at;
			c->end[run->set] = run->end;
		}
		r = own_row(p, c, base, &row.profile);
		if (!r && row.profile != base)
			r = vw_vec_push(&t->rows, row, CONN_MAX * 4);
	}
	return r;
}

static int add_class(struct conn_profiles *p, struct conn_tables *t, const struct vw_class *k,
		     struct runs *runs)
{
	struct conn_class out = {.rows.first = (uint32_t)t->rows.n};
	struct cursors c;
	int r = conn_profile_base(p, k, &out.base);

	cursors_init(&c, k);
	runs->list.n = 0;
	for (uint32_t s = 0; s < N_SETS && !r; s++)
		r = add_runs(runs, t, c.set[s], s);
	if (!r && runs->list.n)
		qsort(runs->list.v, runs->list.n, sizeof(*runs->list.v), by_run);
	if (!r)
		r = add_rows(p, t, runs, &c, out.base);
	out.rows.n = (uint32_t)t->rows.n - out.rows.first;
	return r ? r : vw_vec_push(&t->classes, out, CONN_MAX);
}

int conn_tables_build(struct conn_profiles *p, const struct vw_compiled *c, struct conn_tables *ret)
{
	struct conn_tables t = {.c = c};
	struct runs runs = {0};
	int r = find_marks(&t);

	vw_vec_foreach (k, &c->classes)
		if (!r)
			r = add_class(p, &t, k, &runs);
	vw_vec_done(&runs.list);
	if (!r)
		t.row = malloc((t.marks.n + 1) * sizeof(*t.row));
	if (r || !t.row) {
		conn_tables_done(&t);
		return r ? r : -ENOMEM;
	}
	*ret = t;
	return 0;
}

void conn_tables_done(struct conn_tables *t)
{
	vw_vec_done(&t->marks);
	vw_vec_done(&t->classes);
	vw_vec_done(&t->rows);
	free(t->row);
	t->row = NULL;
}
