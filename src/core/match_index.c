/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thousand policies over a thousand workloads must not cost a million comparisons: each predicate
 * stands in the bucket of its most telling part, and a workload looks only into the buckets that
 * its service, labels and namespace open, and into the one of predicates that have no such part. */
#include "core/identity.h"
#include "vethwall/ruleset.h"

static uint64_t bucket(char kind, const char *a, const char *b)
{
	uint64_t h = vw_hash(&kind, 1, 0);

	h = vw_hash(a, strlen(a) + 1, h);
	return vw_hash(b, strlen(b) + 1, h);
}

static const struct vw_requirement *equality(const struct vw_match *m)
{
	if (!m->has_labels)
		return NULL;
	vw_vec_foreach (r, &m->labels.reqs)
		if (r->op == VW_OP_IN && r->values.n == 1)
			return r;
	return NULL;
}

static uint64_t bucket_of(const struct vw_match *m)
{
	const struct vw_requirement *eq = equality(m);

	if (m->service)
		return bucket('s', m->service, "");
	if (eq)
		return bucket('l', eq->key, eq->values.v[0]);
	if (m->namespace_)
		return bucket('n', m->namespace_, "");
	return 0;
}

int match_index_add(struct match_index *x, const struct vw_match *m, uint32_t i)
{
	__typeof__(*x->list.v) e = {.bucket = m ? bucket_of(m) : 0, .i = i};

	return vw_vec_push(&x->list, e, ID_MAX);
}

static int by_bucket(const void *pa, const void *pb)
{
	const struct {
		uint64_t bucket;
		uint32_t i;
	} *a = pa, *b = pb;

	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	return a->i < b->i ? -1 : a->i > b->i;
}

void match_index_sort(struct match_index *x)
{
	if (x->list.n)
		qsort(x->list.v, x->list.n, sizeof(*x->list.v), by_bucket);
}

static int each_in(const struct match_index *x, uint64_t key, int (*cb)(uint32_t i, void *arg),
		   void *arg)
{
	size_t lo = 0, hi = x->list.n;
	int r;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (x->list.v[mid].bucket < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < x->list.n && x->list.v[lo].bucket == key; lo++) {
		r = cb(x->list.v[lo].i, arg);
		if (r)
			return r;
	}
	return 0;
}

int match_index_each(const struct match_index *x, const struct vw_workload *w,
		     int (*cb)(uint32_t i, void *arg), void *arg)
{
	int r = each_in(x, 0, cb, arg);

	if (!r && w->service)
		r = each_in(x, bucket('s', w->service, ""), cb, arg);
	if (!r && w->namespace_)
		r = each_in(x, bucket('n', w->namespace_, ""), cb, arg);
	vw_vec_foreach (l, &w->labels.list)
		if (!r)
			r = each_in(x, bucket('l', l->key, l->value), cb, arg);
	return r;
}
