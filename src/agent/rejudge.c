/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which walls to look at, and what becomes of their flows. An identity whose addresses changed
 * matters to the classes that could have allowed it something; so a container that stops costs a
 * look at the walls of those who could reach it, not at a thousand. */
#include <string.h>

#include "vethwall/change.h"
#include "agent/rejudge.h"
#include "vethwall/cleanup.h"
#include "vethwall/log.h"

#define QUEUE_MAX 65536
#define MARKS_MAX (1u << 20)
#define SLICE 16 /* walls a turn: some 2 ms, so that a new container does not wait for it */
#define PASSES_MAX 8
#define LATER_MS \
	1000 /* between looks for addresses that were nobody's: bounds their share of time */

typedef VW_VEC(uint32_t) marks;

static int u32_cmp(const void *x, const void *y)
{
	const uint32_t *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

static void ifindexes_unique(vw_ifindexes *l)
{
	size_t n = 0;

	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), u32_cmp);
	for (size_t i = 0; i < l->n; i++)
		if (!n || l->v[n - 1] != l->v[i])
			l->v[n++] = l->v[i];
	l->n = n;
}

/* Whether a set whose key begins with a mark has a row of it. */
static bool has_row(const struct vw_set *s, uint32_t mark)
{
	size_t stride = vw_set_stride(s), lo = 0, hi = s->elems.n;

	mark = vw_set_mark(s, mark);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(s->elems.v + mid * stride, &mark, sizeof(mark));

		if (!c)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* Whether the class may have allowed this identity anything. */
static bool may_allow(const struct vw_class *k, uint32_t mark)
{
	if (has_row(&k->x, mark) || has_row(&k->xi, mark) || has_row(&k->r, mark) ||
	    has_row(&k->ri, mark) || has_row(&k->q, mark) || has_row(&k->a, mark))
		return true;
	return k->base_row || !(k->default_code & VW_CODE_DENY);
}

static bool may_allow_any(const struct vw_class *k, const marks *m)
{
	vw_vec_foreach (mark, m) {
		if (may_allow(k, *mark))
			return true;
	}
	return false;
}

static void marks_unique(marks *m)
{
	size_t n = 0;

	if (m->n)
		qsort(m->v, m->n, sizeof(*m->v), u32_cmp);
	for (size_t i = 0; i < m->n; i++)
		if (!n || m->v[n - 1] != m->v[i])
			m->v[n++] = m->v[i];
	m->n = n;
}

/* The element whose range has the key (inclusive ends, sorted, disjoint), or whose key it is. */
static const uint8_t *elem_of(const struct vw_set *s, const uint8_t *key)
{
	size_t klen = vw_set_klen(s), stride = vw_set_stride(s), lo = 0, hi = s->elems.n;
	bool range = s->flags & VW_SET_INTERVAL;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const uint8_t *e = s->elems.v + mid * stride;

		if (memcmp(e, key, klen) > 0)
			hi = mid;
		else if (memcmp(range ? e + klen : e, key, klen) < 0)
			lo = mid + 1;
		else
			return e;
	}
	return NULL;
}

static uint32_t mark_of(const struct vw_set *s, const uint8_t *e)
{
	uint32_t mark;

	memcpy(&mark, e + vw_set_stride(s) - sizeof(mark), sizeof(mark));
	return mark;
}

/* What an address was: its own identity, its network's, or base. */
static uint32_t identity_of(const struct vw_compiled *c, const uint8_t *addr, bool v6)
{
	const struct vw_set *id = v6 ? &c->id6 : &c->id4, *net = v6 ? &c->net6 : &c->net4;
	const uint8_t *e = elem_of(id, addr);

	if (e)
		return mark_of(id, e);
	e = elem_of(net, addr);
	return e ? mark_of(net, e) : v6 ? c->base6 : c->base4;
}

/* One map, old and now. lost: marks of elements that are gone or have another mark. before: what
 * the addresses of elements under new keys were until now. */
static int marks_of_map(const struct vw_compiled *was, const struct vw_set *old,
			const struct vw_set *now, bool v6, marks *lost, marks *before)
{
	size_t stride = vw_set_stride(old), key = stride - sizeof(uint32_t);
	size_t i = 0, j = 0;

	while (i < old->elems.n || j < now->elems.n) {
		const uint8_t *a = old->elems.v + i * stride, *b = now->elems.v + j * stride;
		int order = i == old->elems.n ? 1 : j == now->elems.n ? -1 : memcmp(a, b, key);
		int r = 0;

		i += order <= 0;
		j += order >= 0;
		if (order > 0)
			r = vw_vec_push(before, identity_of(was, b, v6), MARKS_MAX);
		else if (order < 0 || mark_of(old, a) != mark_of(now, b))
			r = vw_vec_push(lost, mark_of(old, a), MARKS_MAX);
		if (r < 0)
			return r;
	}
	return 0;
}

static int marks_between(const struct vw_compiled *old, const struct vw_compiled *now, marks *lost,
			 marks *before)
{
	const struct vw_set *const maps[][2] = {
		{&old->id4, &now->id4},	  {&old->id6, &now->id6},   {&old->net4, &now->net4},
		{&old->net6, &now->net6}, {&old->pub4, &now->pub4}, {&old->pub6, &now->pub6},
	};
	int r = 0;

	for (size_t i = 0; i < VW_ARRAY_SIZE(maps) && !r; i++)
		r = marks_of_map(old, maps[i][0], maps[i][1], i % 2, lost, before);
	if (!r && old->base4 != now->base4)
		r = vw_vec_push(lost, old->base4, MARKS_MAX);
	if (!r && old->base6 != now->base6)
		r = vw_vec_push(lost, old->base6, MARKS_MAX);
	marks_unique(lost);
	marks_unique(before);
	return r;
}

enum { SOON = 1, LATER = 2 };

/* What the change means for those under the class, by its name in now. */
static unsigned class_effect(const struct vw_compiled *old, const struct vw_class *k,
			     const marks *lost, const marks *before)
{
	const struct vw_class *was = vw_compiled_class(old, k->name);

	if (!was || !vw_class_equal(was, k) || may_allow_any(was, lost))
		return SOON;
	return may_allow_any(was, before) ? LATER : 0;
}

static unsigned effect_of(const struct vw_compiled *now, const uint8_t *effects, const char *name)
{
	const struct vw_class *k = *name ? vw_compiled_class(now, name) : NULL;

	return k ? effects[k - now->classes.v] : 0;
}

static bool wall_changed(const struct vw_wall *a, const struct vw_wall *b)
{
	if (a->kind != b->kind || strcmp(a->out_class, b->out_class) ||
	    strcmp(a->in_class, b->in_class) || a->n_ips != b->n_ips)
		return true;
	for (size_t i = 0; i < a->n_ips; i++)
		if (!vw_addr_eq(&a->ips[i], &b->ips[i]))
			return true;
	return false;
}

/* An address behind a name is no more, or is another to policy. */
static bool recalled_lost(const struct vw_wall *old, const struct vw_wall *now)
{
	for (int v6 = 0; v6 < 2; v6++) {
		const struct vw_set *was = &old->recalled[v6], *is = &now->recalled[v6];
		size_t stride = vw_set_stride(was);

		if (vw_elems_equal(was, is))
			continue;
		for (size_t i = 0; i < was->elems.n; i++) {
			const uint8_t *e = was->elems.v + i * stride;
			const uint8_t *f = is->elems.n ? elem_of(is, e) : NULL;

			if (!f || mark_of(was, e) != mark_of(is, f))
				return true;
		}
	}
	return false;
}

static int walls_by_effect(const struct vw_compiled *old, const struct vw_compiled *now,
			   const uint8_t *effects, vw_ifindexes *soon, vw_ifindexes *later)
{
	vw_vec_foreach (w, &now->walls) {
		const struct vw_wall *was = vw_compiled_wall(old, w->ifindex);
		unsigned effect = effect_of(now, effects, w->out_class) |
				  effect_of(now, effects, w->in_class);
		int r = 0;

		if (!was || w->kind != VW_WALL_POLICY)
			continue;
		if (wall_changed(was, w) || recalled_lost(was, w))
			effect = SOON;
		if (effect & SOON)
			r = vw_vec_push(soon, w->ifindex, QUEUE_MAX);
		else if (effect)
			r = vw_vec_push(later, w->ifindex, QUEUE_MAX);
		if (r < 0)
			return r;
	}
	return 0;
}

int vw_rejudge_walls(const struct vw_compiled *old, const struct vw_compiled *now,
		     vw_ifindexes *soon, vw_ifindexes *later)
{
	_cleanup_free_ uint8_t *effects = calloc(now->classes.n + 1, 1);
	marks lost = {}, before = {};
	int r = effects ? marks_between(old, now, &lost, &before) : -ENOMEM;

	for (size_t i = 0; i < now->classes.n && !r; i++)
		effects[i] = (uint8_t)class_effect(old, &now->classes.v[i], &lost, &before);
	if (!r)
		r = walls_by_effect(old, now, effects, soon, later);
	vw_vec_done(&lost);
	vw_vec_done(&before);
	ifindexes_unique(soon);
	ifindexes_unique(later);
	return r;
}

struct lost_keys {
	const struct vw_compiled *c;
	const struct vw_wall *w;
	uint8_t *v;
	size_t n, cap, klen;
	VW_VEC(uint64_t) seen; /* hashes of all keys of one reading */
};

static int judge_elem(const struct vw_nft_elem *e, void *arg)
{
	struct lost_keys *l = arg;
	struct vw_live flow;
	void *p = l->v;
	int r = vw_vec_push(&l->seen, vw_hash(e->key, e->klen, 0), 2 * l->c->config.live_max);

	if (r)
		return r;
	if (vw_live_decode(e->key, e->klen, e->timeout_ms, &flow) < 0 ||
	    !(vw_compiled_judge_live(l->c, l->w, &flow) & VW_CODE_DENY))
		return 0;
	if (l->klen && l->klen != e->klen)
		return 0;
	l->klen = e->klen;
	r = vw_vec_grow(&p, &l->cap, l->n, e->klen, l->c->config.live_max);
	l->v = p;
	if (r < 0)
		return r;
	memcpy(l->v + l->n++ * e->klen, e->key, e->klen);
	return 0;
}

static int u64_cmp(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

/* When the kernel reorders a set while it is read, as many elements come twice as are left out
 * (io/nft_dump.c): a reading without doubles is whole. */
static bool is_whole(struct lost_keys *l)
{
	if (l->seen.n)
		qsort(l->seen.v, l->seen.n, sizeof(*l->seen.v), u64_cmp);
	for (size_t i = 1; i < l->seen.n; i++)
		if (l->seen.v[i] == l->seen.v[i - 1])
			return false;
	return true;
}

/* One reading: cuts what it finds. */
static int cut_once(struct vw_rejudge *j, const struct vw_wall *w, const char *set, size_t *ret,
		    bool *ret_whole)
{
	struct lost_keys l = {.c = j->now, .w = w};
	struct vw_diag d = {};
	int r = vw_nft_dump_set(j->nft, set, judge_elem, &l);

	*ret = 0;
	*ret_whole = is_whole(&l);
	/* What was found before memory ran out is cut all the same. */
	if (l.n) {
		int del = vw_nft_delete_keys(j->nft, set, l.v, l.klen, l.n, &d);

		if (!del)
			*ret = l.n;
		r = r ? r : del;
	}
	vw_diag_done(&d);
	vw_vec_done(&l.seen);
	free(l.v);
	return r;
}

/* Read until a whole reading finds nothing. */
static int rejudge_set(struct vw_rejudge *j, const struct vw_wall *w, int family, size_t *cut)
{
	char name[VW_NAME_LEN];
	size_t found;
	bool whole;
	int r, pass = 0;

	vw_wall_set_name(w->ifindex, 'f', family, name);
	do {
		r = cut_once(j, w, name, &found, &whole);
		*cut += found;
	} while (!r && (found || !whole) && ++pass < PASSES_MAX);
	return r == -ENOENT ? 0 : r;
}

static int rejudge_wall(struct vw_rejudge *j, const struct vw_wall *w)
{
	size_t cut = 0;
	int r = 0;

	for (int family = 4; family <= 6; family += 2) {
		int e = rejudge_set(j, w, family, &cut);

		r = r ? r : e;
	}
	j->cut += cut;
	if (cut)
		vw_info("%s: %zu live flows lost their permission and were cut", w->dev, cut);
	return r;
}

/* True when some are left. */
static bool slice(struct vw_rejudge *j)
{
	for (size_t n = 0; n < SLICE && j->queue.n; n++) {
		unsigned ifindex = j->queue.v[j->queue.n - 1];
		const struct vw_wall *w = vw_compiled_wall(j->now, ifindex);
		int r = w && w->kind == VW_WALL_POLICY ? rejudge_wall(j, w) : 0;

		if (r == -EINTR || r == -EAGAIN)
			return true;
		if (r < 0)
			vw_err("%s: live flows cannot be judged again: %s", w->dev, strerror(-r));
		j->queue.n--;
	}
	return j->queue.n > 0;
}

static void on_timer(void *arg)
{
	vw_rejudge_run(arg);
}

static int join(vw_ifindexes *to, const vw_ifindexes *from)
{
	int r = 0;

	vw_vec_foreach (i, from) {
		if (!r)
			r = vw_vec_push(to, *i, QUEUE_MAX);
	}
	ifindexes_unique(to);
	return r;
}

static void on_later(void *arg)
{
	struct vw_rejudge *j = arg;

	if (join(&j->queue, &j->later) < 0) {
		vw_timer_arm(j->later_timer, LATER_MS);
		return;
	}
	j->later.n = 0;
	vw_rejudge_run(j);
}

int vw_rejudge_init(struct vw_rejudge *j, struct vw_loop *loop, struct vw_nft *nft,
		    const struct vw_compiled *now)
{
	int r;

	j->nft = nft;
	j->now = now;
	r = vw_timer_new(loop, on_timer, j, &j->timer);
	return r < 0 ? r : vw_timer_new(loop, on_later, j, &j->later_timer);
}

void vw_rejudge_done(struct vw_rejudge *j)
{
	vw_timer_free(&j->timer);
	vw_timer_free(&j->later_timer);
	vw_vec_done(&j->queue);
	vw_vec_done(&j->later);
}

int vw_rejudge_note(struct vw_rejudge *j, const struct vw_compiled *old,
		    const struct vw_compiled *now)
{
	vw_ifindexes soon = {}, later = {};
	int r = vw_rejudge_walls(old, now, &soon, &later);

	if (!r)
		r = join(&j->queue, &soon);
	if (!r)
		r = join(&j->later, &later);
	vw_vec_done(&soon);
	vw_vec_done(&later);
	return r;
}

int vw_rejudge_all(struct vw_rejudge *j, const struct vw_compiled *now)
{
	int r = 0;

	vw_vec_foreach (w, &now->walls) {
		if (!r && w->kind == VW_WALL_POLICY)
			r = vw_vec_push(&j->queue, w->ifindex, QUEUE_MAX);
	}
	ifindexes_unique(&j->queue);
	return r;
}

void vw_rejudge_run(struct vw_rejudge *j)
{
	if (slice(j))
		vw_timer_arm(j->timer, 0);
	if (j->later.n && !vw_timer_armed(j->later_timer))
		vw_timer_arm(j->later_timer, LATER_MS);
}

size_t vw_rejudge_drain(struct vw_rejudge *j, int64_t max_ms)
{
	int64_t end = vw_now_ns() + max_ms * 1000000;

	while (j->queue.n && vw_now_ns() < end)
		slice(j);
	return j->queue.n;
}
