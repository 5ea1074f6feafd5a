/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two states of the table side by side: shared objects, classes by name, walls by ifindex, each
 * list sorted, walked once. What both have alike is left out on both sides; vw_plan() compares the
 * rest. */
#include <string.h>

#include "vethwall/change.h"
#include "vethwall/cleanup.h"

#define OBJECTS_MAX (1u << 24) /* more than any bounded world renders */

void vw_change_done(struct vw_change *c)
{
	vw_ruleset_done(&c->have);
	vw_ruleset_done(&c->want);
	vw_vec_done(&c->absent);
}

bool vw_elems_equal(const struct vw_set *a, const struct vw_set *b)
{
	return a->elems.n == b->elems.n && vw_set_stride(a) == vw_set_stride(b) &&
	       (!a->elems.n || !memcmp(a->elems.v, b->elems.v, a->elems.n * vw_set_stride(a)));
}

bool vw_class_equal(const struct vw_class *a, const struct vw_class *b)
{
	return !strcmp(a->name, b->name) && a->dir == b->dir &&
	       a->default_code == b->default_code && a->base_row == b->base_row &&
	       vw_elems_equal(&a->x, &b->x) && vw_elems_equal(&a->xi, &b->xi) &&
	       vw_elems_equal(&a->r, &b->r) && vw_elems_equal(&a->ri, &b->ri) &&
	       vw_elems_equal(&a->q, &b->q) && vw_elems_equal(&a->a, &b->a);
}

static bool shared_equal(const struct vw_compiled *a, const struct vw_compiled *b)
{
	return a->base4 == b->base4 && a->base6 == b->base6 && vw_elems_equal(&a->id4, &b->id4) &&
	       vw_elems_equal(&a->id6, &b->id6) && vw_elems_equal(&a->net4, &b->net4) &&
	       vw_elems_equal(&a->net6, &b->net6) && vw_elems_equal(&a->pub4, &b->pub4) &&
	       vw_elems_equal(&a->pub6, &b->pub6);
}

static void change_sort(struct vw_change *c)
{
	vw_ruleset_sort(&c->have);
	vw_ruleset_sort(&c->want);
}

static int classes_between(const struct vw_compiled *old, const struct vw_compiled *now,
			   struct vw_change *ret)
{
	size_t i = 0, j = 0;

	while (i < old->classes.n || j < now->classes.n) {
		const struct vw_class *a = i < old->classes.n ? &old->classes.v[i] : NULL;
		const struct vw_class *b = j < now->classes.n ? &now->classes.v[j] : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a->name, b->name);
		int r = 0;

		i += order <= 0;
		j += order >= 0;
		if (order == 0 && vw_class_equal(a, b))
			continue;
		if (order <= 0)
			r = vw_render_class(old, a, &ret->have);
		if (!r && order >= 0)
			r = vw_render_class(now, b, &ret->want);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A new wall is rendered now, or noted for a later transaction. */
static int wall_new(const struct vw_compiled *now, const struct vw_wall *w, size_t *n_new,
		    struct vw_change *ret)
{
	if (*n_new >= VW_CHANGE_NEW_MAX)
		return vw_vec_push(&ret->absent, w->ifindex, OBJECTS_MAX);
	(*n_new)++;
	return vw_render_wall(now, w, &ret->want);
}

/* Walls that differ in what they resolved alone: elements of their own maps. */
static int learnt_between(const struct vw_wall *old, const struct vw_wall *now,
			  struct vw_change *ret)
{
	int r;

	if (vw_elems_equal(&old->learnt[0], &now->learnt[0]) &&
	    vw_elems_equal(&old->learnt[1], &now->learnt[1]))
		return 0;
	r = vw_render_learnt(old, &ret->have);
	return r < 0 ? r : vw_render_learnt(now, &ret->want);
}

static int walls_between(const struct vw_compiled *old, const struct vw_compiled *now,
			 struct vw_change *ret)
{
	size_t i = 0, j = 0, n_new = 0;

	while (i < old->walls.n || j < now->walls.n) {
		const struct vw_wall *a = i < old->walls.n ? &old->walls.v[i] : NULL;
		const struct vw_wall *b = j < now->walls.n ? &now->walls.v[j] : NULL;
		int r = 0;

		if (a && b && a->ifindex == b->ifindex) {
			i++;
			j++;
			if (a->spec == b->spec) {
				r = learnt_between(a, b, ret);
				if (r < 0)
					return r;
				continue;
			}
			r = vw_render_wall(old, a, &ret->have);
			if (!r)
				r = vw_render_wall(now, b, &ret->want);
		} else if (!b || (a && a->ifindex < b->ifindex)) {
			i++;
			r = vw_render_wall(old, a, &ret->have);
		} else {
			j++;
			r = wall_new(now, b, &n_new, ret);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int guard_render(const struct vw_compiled *c, const struct vw_change *absent,
			struct vw_ruleset *ret)
{
	return vw_render_guard(c, absent->absent.v, absent->absent.n, ret);
}

static int guard_between(const struct vw_compiled *old, const struct vw_compiled *now,
			 struct vw_change *ret)
{
	int r = 0;

	ret->guarded = now->guard.on && (old->guard.on || !ret->absent.n);
	if (old->guard.on)
		r = vw_render_guard(old, NULL, 0, &ret->have);
	return r || !ret->guarded ? r : guard_render(now, ret, &ret->want);
}

int vw_change_between(const struct vw_compiled *old, const struct vw_compiled *now,
		      struct vw_change *ret)
{
	_cleanup_(vw_change_done) struct vw_change c = {};
	int r = 0;

	if (!shared_equal(old, now)) {
		r = vw_render_shared(old, &c.have);
		if (!r)
			r = vw_render_shared(now, &c.want);
	}
	if (!r)
		r = classes_between(old, now, &c);
	if (!r)
		r = walls_between(old, now, &c);
	if (!r)
		r = guard_between(old, now, &c);
	if (r < 0)
		return r;
	change_sort(&c);
	*ret = c;
	c = (struct vw_change){};
	return 0;
}

/* Moves src's objects to the end of dst. */
static int ruleset_append(struct vw_ruleset *dst, struct vw_ruleset *src)
{
	int r;

	while (src->chains.n) {
		r = vw_vec_push(&dst->chains, src->chains.v[src->chains.n - 1], OBJECTS_MAX);
		if (r < 0)
			return r;
		src->chains.n--;
	}
	while (src->sets.n) {
		r = vw_vec_push(&dst->sets, src->sets.v[src->sets.n - 1], OBJECTS_MAX);
		if (r < 0)
			return r;
		src->sets.n--;
	}
	return 0;
}

/* Objects of a dump that were handed over leave their name behind, so that the search still finds
 * its way, and a mark that no verdict and no set flags have. */
#define TAKEN 0xff

static bool chain_taken(const struct vw_chain *c)
{
	return c->policy == TAKEN;
}

static bool set_taken(const struct vw_set *s)
{
	return s->flags == TAKEN;
}

static int take_chain(struct vw_ruleset *dump, const char *name, struct vw_ruleset *ret)
{
	struct vw_chain *c = (struct vw_chain *)vw_ruleset_chain(dump, name);
	int r;

	if (!c || chain_taken(c))
		return 0;
	r = vw_vec_push(&ret->chains, *c, OBJECTS_MAX);
	if (r < 0)
		return r;
	memset((char *)c + sizeof(c->name), 0, sizeof(*c) - sizeof(c->name));
	c->policy = TAKEN;
	return 0;
}

static int take_set(struct vw_ruleset *dump, const char *name, struct vw_ruleset *ret)
{
	struct vw_set *s = (struct vw_set *)vw_ruleset_set(dump, name);
	int r;

	if (!s || set_taken(s))
		return 0;
	r = vw_vec_push(&ret->sets, *s, OBJECTS_MAX);
	if (r < 0)
		return r;
	memset((char *)s + sizeof(s->name), 0, sizeof(*s) - sizeof(s->name));
	s->flags = TAKEN;
	return 0;
}

/* Moves what the dump has under the names of like. */
static int take_like(struct vw_ruleset *dump, const struct vw_ruleset *like, struct vw_ruleset *ret)
{
	int r = 0;

	vw_vec_foreach (c, &like->chains) {
		r = take_chain(dump, c->name, ret);
		if (r < 0)
			return r;
	}
	vw_vec_foreach (s, &like->sets) {
		r = take_set(dump, s->name, ret);
		if (r < 0)
			return r;
	}
	return 0;
}

static int adopt_wall(struct vw_ruleset *dump, const struct vw_compiled *now,
		      const struct vw_wall *w, size_t *n_new, struct vw_change *ret)
{
	_cleanup_(vw_ruleset_done) struct vw_ruleset want = {}, have = {};
	struct vw_oplist ops = {};
	size_t n_ops;
	int r;

	r = vw_render_wall(now, w, &want);
	if (r < 0)
		return r;
	vw_ruleset_sort(&want);
	r = take_like(dump, &want, &have);
	if (r < 0)
		return r;
	if (!have.chains.n && !have.sets.n)
		return wall_new(now, w, n_new, ret);
	vw_ruleset_sort(&have);
	r = vw_plan(&have, &want, &ops);
	n_ops = ops.list.n;
	vw_vec_done(&ops.list);
	if (r < 0 || !n_ops)
		return r;
	r = ruleset_append(&ret->have, &have);
	return r < 0 ? r : ruleset_append(&ret->want, &want);
}

unsigned vw_wall_of_name(const struct vw_compiled *now, const char *name)
{
	const char *number = strrchr(name, '_');
	unsigned ifindex;
	char *end;

	/* po_, pi_: a class's hash may look like a number. */
	if (!number || !strncmp(name, "po_", 3) || !strncmp(name, "pi_", 3))
		return 0;
	ifindex = (unsigned)strtoul(number + 1, &end, 10);
	return end > number + 1 && !*end && vw_compiled_wall(now, ifindex) ? ifindex : 0;
}

static int unsigned_cmp(const void *x, const void *y)
{
	const unsigned *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

static bool has_wall(const struct vw_scope *s, unsigned ifindex)
{
	return s->all || (s->walls.n && bsearch(&ifindex, s->walls.v, s->walls.n,
						sizeof(*s->walls.v), unsigned_cmp));
}

bool vw_scope_has(const struct vw_scope *s, const struct vw_compiled *now, const char *name)
{
	unsigned ifindex = vw_wall_of_name(now, name);

	return ifindex ? has_wall(s, ifindex) : s->all || s->shared;
}

/* One that stands goes on; its chains tell. */
static int adopt_guard(struct vw_ruleset *dump, const struct vw_compiled *now,
		       struct vw_change *ret)
{
	_cleanup_(vw_ruleset_done) struct vw_ruleset want = {}, have = {};
	int r;

	if (!now->guard.on)
		return 0;
	r = guard_render(now, ret, &want);
	if (!r)
		r = take_like(dump, &want, &have);
	ret->guarded = have.chains.n || !ret->absent.n;
	if (!r)
		r = ruleset_append(&ret->have, &have);
	return r || !ret->guarded ? r : ruleset_append(&ret->want, &want);
}

int vw_change_adopt(struct vw_ruleset *dump, const struct vw_compiled *now, struct vw_change *ret)
{
	const struct vw_scope all = {.all = true};

	return vw_change_restore(dump, now, &all, ret);
}

static int render_common(const struct vw_compiled *now, struct vw_ruleset *ret)
{
	int r = vw_render_shared(now, ret);

	vw_vec_foreach (k, &now->classes) {
		if (!r)
			r = vw_render_class(now, k, ret);
	}
	return r;
}

int vw_change_restore(struct vw_ruleset *dump, const struct vw_compiled *now,
		      const struct vw_scope *s, struct vw_change *ret)
{
	_cleanup_(vw_change_done) struct vw_change c = {};
	size_t n_new = 0;
	int r = s->all || s->shared ? render_common(now, &c.want) : 0;

	if (!r)
		r = take_like(dump, &c.want, &c.have);
	vw_vec_foreach (w, &now->walls) {
		if (!r && has_wall(s, w->ifindex))
			r = adopt_wall(dump, now, w, &n_new, &c);
	}
	if (!r && (s->all || s->shared))
		r = adopt_guard(dump, now, &c);
	if (!r)
		r = take_like(dump, dump, &c.have); /* what nobody wanted goes */
	if (r < 0)
		return r;
	change_sort(&c);
	*ret = c;
	c = (struct vw_change){};
	return 0;
}

int vw_change_more(const struct vw_compiled *now, struct vw_change *absent, struct vw_change *ret)
{
	_cleanup_(vw_change_done) struct vw_change c = {};
	int r = absent->guarded ? guard_render(now, absent, &c.have) : 0;

	if (r < 0)
		return r;
	for (size_t n = 0; n < VW_CHANGE_NEW_MAX && absent->absent.n; n++) {
		unsigned ifindex = absent->absent.v[absent->absent.n - 1];
		const struct vw_wall *w = vw_compiled_wall(now, ifindex);

		r = w ? vw_render_wall(now, w, &c.want) : 0;
		if (r < 0)
			return r;
		absent->absent.n--;
	}
	absent->guarded |= now->guard.on && !absent->absent.n;
	r = absent->guarded ? guard_render(now, absent, &c.want) : 0;
	if (r < 0)
		return r;
	change_sort(&c);
	*ret = c;
	c = (struct vw_change){};
	return 0;
}
