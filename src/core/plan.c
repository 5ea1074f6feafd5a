/* SPDX-License-Identifier: GPL-2.0-or-later */
/* have -> want, as operations one transaction can carry. The order follows from the kernel's rules:
 * a chain that is jumped to and a set that a rule names cannot go, so rules leave first; a rule
 * needs its chains and sets, so it comes last. Within a transaction the kernel takes a name again
 * that it deleted before. */
#include "vethwall/plan.h"

#include <linux/netfilter/nf_tables.h>

#include "vethwall/cleanup.h"

#define OPS_MAX ((size_t)1 << 24)

/* What becomes of an object of either side. */
enum fate {
	KEEP,
	GONE, /* only in have */
	NEW, /* only in want */
	REWRITE, /* chain: other rules; set: other elements */
	REMAKE, /* other device, hook, key...: deleted and made again */
};

/* One name: what each side has under it, NULL for nothing. */
struct chain_pair {
	const struct vw_chain *have, *want;
	enum fate fate;
};
struct set_pair {
	const struct vw_set *have, *want;
	enum fate fate;
};

struct plan {
	VW_VEC(struct chain_pair) chains;
	VW_VEC(struct set_pair) sets;
	struct vw_oplist ops;
	int err;
};

static void push(struct plan *p, struct vw_op_ir op)
{
	if (!p->err)
		p->err = vw_vec_push(&p->ops.list, op, OPS_MAX);
}

static bool same_base(const struct vw_chain *a, const struct vw_chain *b)
{
	if (a->base != b->base || a->family != b->family)
		return false;
	return !a->base ||
	       (a->hook == b->hook && a->priority == b->priority && a->policy == b->policy &&
		a->ifindex == b->ifindex && !strcmp(a->dev, b->dev));
}

static enum fate chain_fate(const struct vw_chain *have, const struct vw_chain *want)
{
	if (!have || !want)
		return have ? GONE : NEW;
	if (!same_base(have, want))
		return REMAKE;
	return have->rules.n != want->rules.n || vw_chain_hash(have) != vw_chain_hash(want)
		       ? REWRITE
		       : KEEP;
}

static enum fate set_fate(const struct vw_set *have, const struct vw_set *want)
{
	if (!have || !want)
		return have ? GONE : NEW;
	if (!vw_set_same_spec(have, want))
		return REMAKE;
	if (want->flags & VW_SET_DYNAMIC)
		return KEEP;
	if (have->elems.n == want->elems.n &&
	    (!want->elems.n ||
	     !memcmp(have->elems.v, want->elems.v, want->elems.n * vw_set_stride(want))))
		return KEEP;
	return REWRITE;
}

/* Pointers to the objects of one side in name order, whatever order the side has them in. */
static int chain_ptr_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct vw_chain *const *)a)->name,
		      (*(const struct vw_chain *const *)b)->name);
}

static int set_ptr_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct vw_set *const *)a)->name,
		      (*(const struct vw_set *const *)b)->name);
}

static const struct vw_chain **sorted_chains(const struct vw_ruleset *r)
{
	const struct vw_chain **v = calloc(r->chains.n + 1, sizeof(const struct vw_chain *));

	if (!v)
		return NULL;
	for (size_t i = 0; i < r->chains.n; i++)
		v[i] = &r->chains.v[i];
	qsort(v, r->chains.n, sizeof(*v), chain_ptr_cmp);
	return v; /* ends with NULL */
}

static const struct vw_set **sorted_sets(const struct vw_ruleset *r)
{
	const struct vw_set **v = calloc(r->sets.n + 1, sizeof(const struct vw_set *));

	if (!v)
		return NULL;
	for (size_t i = 0; i < r->sets.n; i++)
		v[i] = &r->sets.v[i];
	qsort(v, r->sets.n, sizeof(*v), set_ptr_cmp);
	return v;
}

static int pair_chains(struct plan *p, const struct vw_ruleset *have, const struct vw_ruleset *want)
{
	_cleanup_free_ const struct vw_chain **hv = sorted_chains(have), **wv = sorted_chains(want);
	const struct vw_chain **h = hv, **w = wv;

	if (!hv || !wv)
		return -ENOMEM;
	while (*h || *w) {
		int order = !*h ? 1 : !*w ? -1 : strcmp((*h)->name, (*w)->name);
		struct chain_pair pair = {order <= 0 ? *h : NULL, order >= 0 ? *w : NULL, KEEP};
		int r;

		pair.fate = chain_fate(pair.have, pair.want);
		r = vw_vec_push(&p->chains, pair, OPS_MAX);
		if (r)
			return r;
		h += order <= 0;
		w += order >= 0;
	}
	return 0;
}

static int pair_sets(struct plan *p, const struct vw_ruleset *have, const struct vw_ruleset *want)
{
	_cleanup_free_ const struct vw_set **hv = sorted_sets(have), **wv = sorted_sets(want);
	const struct vw_set **h = hv, **w = wv;

	if (!hv || !wv)
		return -ENOMEM;
	while (*h || *w) {
		int order = !*h ? 1 : !*w ? -1 : strcmp((*h)->name, (*w)->name);
		struct set_pair pair = {order <= 0 ? *h : NULL, order >= 0 ? *w : NULL, KEEP};
		int r;

		pair.fate = set_fate(pair.have, pair.want);
		r = vw_vec_push(&p->sets, pair, OPS_MAX);
		if (r)
			return r;
		h += order <= 0;
		w += order >= 0;
	}
	return 0;
}

static int chain_pair_cmp(const void *name, const void *pair)
{
	const struct chain_pair *c = pair;

	return strcmp(name, (c->have ? c->have : c->want)->name);
}

static int set_pair_cmp(const void *name, const void *pair)
{
	const struct set_pair *s = pair;

	return strcmp(name, (s->have ? s->have : s->want)->name);
}

/* Whether an expression names an object that is made again. */
static bool touches_remade(const struct plan *p, const struct vw_expr *e)
{
	const struct chain_pair *c;
	const struct set_pair *s;

	if (e->type == VW_E_VERDICT && (e->verdict == NFT_JUMP || e->verdict == NFT_GOTO)) {
		c = bsearch(e->name, p->chains.v, p->chains.n, sizeof(*c), chain_pair_cmp);
		return c && c->fate == REMAKE;
	}
	if (e->type != VW_E_LOOKUP && e->type != VW_E_DYNSET)
		return false;
	s = bsearch(e->name, p->sets.v, p->sets.n, sizeof(*s), set_pair_cmp);
	return s && s->fate == REMAKE;
}

/* Rules that stay as they are must still let go of what is made again. The ids are the same on both
 * sides, so want's expressions (a dump has none) speak for both. */
static void mark_touching(struct plan *p)
{
	bool any = false;

	vw_vec_foreach (c, &p->chains)
		any |= c->fate == REMAKE;
	vw_vec_foreach (s, &p->sets)
		any |= s->fate == REMAKE;
	if (!any)
		return;
	vw_vec_foreach (c, &p->chains) {
		if (c->fate != KEEP)
			continue;
		vw_vec_foreach (r, &c->want->rules)
			vw_vec_foreach (e, &r->exprs)
				if (touches_remade(p, e))
					c->fate = REWRITE;
	}
}

static void ops_remove(struct plan *p)
{
	vw_vec_foreach (c, &p->chains)
		if (c->have && c->fate != KEEP && c->have->rules.n)
			push(p, (struct vw_op_ir){VW_OP_FLUSH_CHAIN, .chain = c->have});
	vw_vec_foreach (c, &p->chains)
		if (c->fate == GONE || c->fate == REMAKE)
			push(p, (struct vw_op_ir){VW_OP_DEL_CHAIN, .chain = c->have});
	vw_vec_foreach (s, &p->sets)
		if (s->fate == GONE || s->fate == REMAKE)
			push(p, (struct vw_op_ir){VW_OP_DEL_SET, .set = s->have});
}

/* Adds the run [first, i) of elements that one side has alone. */
static void push_run(struct plan *p, enum vw_optype type, const struct vw_set *s, size_t first,
		     size_t i)
{
	if (i > first)
		push(p, (struct vw_op_ir){type, .set = s, .first = first, .count = i - first});
}

/* Elements of a that b lacks, both sorted: one operation per run. */
static void ops_only_in(struct plan *p, enum vw_optype type, const struct vw_set *a,
			const struct vw_set *b)
{
	size_t stride = vw_set_stride(a), j = 0, first = 0, i;

	for (i = 0; i < a->elems.n; i++) {
		int order = -1;

		while (j < b->elems.n && (order = memcmp(a->elems.v + i * stride,
							 b->elems.v + j * stride, stride)) > 0)
			j++;
		if (j < b->elems.n && !order) {
			push_run(p, type, a, first, i);
			first = i + 1;
		}
	}
	push_run(p, type, a, first, i);
}

static void ops_elems(struct plan *p)
{
	vw_vec_foreach (s, &p->sets)
		if (s->fate == REWRITE)
			ops_only_in(p, VW_OP_DEL_ELEMS, s->have, s->want);
	vw_vec_foreach (s, &p->sets) {
		if (s->fate == REWRITE)
			ops_only_in(p, VW_OP_ADD_ELEMS, s->want, s->have);
		else if (s->fate == NEW || s->fate == REMAKE)
			push_run(p, VW_OP_ADD_ELEMS, s->want, 0, s->want->elems.n);
	}
}

static void ops_add(struct plan *p)
{
	vw_vec_foreach (s, &p->sets)
		if (s->fate == NEW || s->fate == REMAKE)
			push(p, (struct vw_op_ir){VW_OP_ADD_SET, .set = s->want});
	vw_vec_foreach (c, &p->chains)
		if (c->fate == NEW || c->fate == REMAKE)
			push(p, (struct vw_op_ir){VW_OP_ADD_CHAIN, .chain = c->want});
	ops_elems(p);
	vw_vec_foreach (c, &p->chains) {
		if (!c->want || c->fate == KEEP)
			continue;
		vw_vec_foreach (r, &c->want->rules)
			push(p, (struct vw_op_ir){VW_OP_ADD_RULE, .chain = c->want, .rule = r});
	}
}

static void plan_done(struct plan *p)
{
	vw_vec_done(&p->chains);
	vw_vec_done(&p->sets);
	vw_vec_done(&p->ops.list);
}

int vw_plan(const struct vw_ruleset *have, const struct vw_ruleset *want, struct vw_oplist *ret)
{
	_cleanup_(plan_done) struct plan p = {0};
	int r = pair_chains(&p, have, want);

	if (!r)
		r = pair_sets(&p, have, want);
	if (r)
		return -ENOMEM;
	mark_touching(&p);
	ops_remove(&p);
	ops_add(&p);
	if (p.err)
		return -ENOMEM;
	*ret = p.ops;
	p.ops = (struct vw_oplist){0};
	return 0;
}
