/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a finished identity table is looked up by: numbers for packets' marks, and for each
 * predicate the identities that it fits. */
#include "core/identity.h"
#include "vethwall/cleanup.h"
#include "vethwall/ruleset.h"

static uint32_t fold(uint64_t sig)
{
	uint32_t n = (uint32_t)(sig ^ sig >> 30 ^ sig >> 60) & 0x3fffffff;

	return n ? n : 1;
}

struct numbering {
	uint64_t sig;
	uint32_t *number;
};

static int by_sig(const void *pa, const void *pb)
{
	const struct numbering *a = pa, *b = pb;
	uint32_t fa = fold(a->sig), fb = fold(b->sig);

	if (fa != fb)
		return fa < fb ? -1 : 1;
	return a->sig < b->sig ? -1 : a->sig > b->sig;
}

/* Numbers come from signatures, so that they survive a restart; two that fold alike are told apart
 * by their order. */
int id_table_number(struct id_table *t)
{
	size_t n = t->ids.n + t->pubs.n;
	_cleanup_free_ struct numbering *v = calloc(n + 1, sizeof(*v));
	uint32_t last = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < t->ids.n; i++)
		v[i] = (struct numbering){t->ids.v[i].sig, &t->ids.v[i].number};
	for (size_t i = 0; i < t->pubs.n; i++) {
		struct id_pub *p = &t->pubs.v[i];
		uint64_t h = t->ids.v[p->target].sig + 0xc2b2ae3d27d4eb4fu;

		h = vw_hash(&p->proto, 1, h);
		h = vw_hash(&p->host_port, 2, h);
		h = vw_hash(&p->port, 2, h);
		v[t->ids.n + i] = (struct numbering){vw_hash(p->host.b, 16, h), &p->number};
	}
	qsort(v, n, sizeof(*v), by_sig);
	for (size_t i = 0; i < n; i++) {
		uint32_t want = fold(v[i].sig);

		last = *v[i].number = want > last ? want : last + 1;
	}
	return last < 0x40000000 ? 0 : -E2BIG;
}

int id_table_post(struct id_table *t)
{
	int r = 0;

	for (uint32_t i = 0; i < t->ids.n; i++)
		vw_vec_foreach (p, &t->ids.v[i].preds.list)
			if (!r)
				r = vw_vec_push(&t->postings.v[*p].list, i, ID_MAX);
	return r;
}
