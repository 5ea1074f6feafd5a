/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of packets: two profiles at the sender, two at the receiver, laid over each other.
 * A packet passes when both ends let it. Answers are worked out once and kept by content, so that
 * the same change at a thousand services is one list of segments. */
#include "core/conn.h"

int conn_results_init(struct conn_results *r, const struct conn_profiles *p, bool kept)
{
	uint32_t none, open;
	int err;

	*r = (struct conn_results){.profiles = p, .kept = kept};
	err = conn_list(&r->lists, NULL, 0, &none);
	if (!err)
		err = conn_pair(r, CONN_OPEN, CONN_OPEN, &open);
	if (err)
		conn_results_done(r);
	return err;
}

void conn_results_done(struct conn_results *r)
{
	conn_duos_done(&r->pairs);
	vw_vec_done(&r->changed);
	conn_lists_done(&r->lists);
	conn_duos_done(&r->asked);
	vw_vec_done(&r->answers);
	vw_vec_done(&r->scratch);
	*r = (struct conn_results){0};
}

/* Profiles that are read side by side from left to right. */
#define LANES 4
struct lanes {
	const struct conn_step *v[LANES];
	size_t n[LANES], i[LANES];
};

static void lane_set(struct lanes *l, int k, const struct conn_profiles *p, uint32_t profile)
{
	l->v[k] = CONN_LIST(struct conn_step, &p->lists, profile, &l->n[k]);
	l->i[k] = 0;
}

static bool lane_allows(const struct lanes *l, int k)
{
	return !(l->v[k][l->i[k]].code & VW_CODE_DENY);
}

/* Where the next of the first n lanes has its next step; they move on to what lies there. */
static uint32_t lanes_next(struct lanes *l, int n)
{
	uint32_t at = CONN_SPACE;

	for (int k = 0; k < n; k++)
		if (l->i[k] + 1 < l->n[k] && l->v[k][l->i[k] + 1].at < at)
			at = l->v[k][l->i[k] + 1].at;
	for (int k = 0; k < n && at < CONN_SPACE; k++)
		if (l->i[k] + 1 < l->n[k] && l->v[k][l->i[k] + 1].at == at)
			l->i[k]++;
	return at;
}

static bool differs(const struct conn_profiles *p, uint32_t before, uint32_t after)
{
	struct lanes l;

	if (before == after)
		return false;
	lane_set(&l, 0, p, before);
	lane_set(&l, 1, p, after);
	do {
		if (lane_allows(&l, 0) != lane_allows(&l, 1))
			return true;
	} while (lanes_next(&l, 2) < CONN_SPACE);
	return false;
}

int conn_pair(struct conn_results *r, uint32_t before, uint32_t after, uint32_t *ret)
{
	int err = conn_duo(&r->pairs, before, after, ret);

	if (!err && r->changed.n < r->pairs.list.n)
		err = vw_vec_push(&r->changed, differs(r->profiles, before, after), CONN_MAX);
	return err;
}

static int work_out(struct conn_results *r, uint32_t e, uint32_t i, uint32_t *ret)
{
	const struct conn_duo *pe = &r->pairs.list.v[e], *pi = &r->pairs.list.v[i];
	uint32_t at = 0, next;
	struct lanes l;
	int err = 0;

	lane_set(&l, 0, r->profiles, pe->b);
	lane_set(&l, 1, r->profiles, pi->b);
	lane_set(&l, 2, r->profiles, pe->a);
	lane_set(&l, 3, r->profiles, pi->a);
	r->scratch.n = 0;
	for (; at < CONN_SPACE && !err; at = next) {
		bool before = lane_allows(&l, 0) && lane_allows(&l, 1);
		bool after = lane_allows(&l, 2) && lane_allows(&l, 3);

		next = lanes_next(&l, LANES);
		if (before != after || (r->kept && before))
			err = vw_vec_push(&r->scratch,
					  ((struct conn_seg){at, next,
							     before == after ? VW_CONN_KEPT
							     : after	     ? VW_CONN_GAINED
									     : VW_CONN_LOST}),
					  CONN_MAX);
	}
	if (err)
		return err;
	return conn_list(&r->lists, r->scratch.v, 3 * r->scratch.n, ret);
}

int conn_result(struct conn_results *r, uint32_t e, uint32_t i, uint32_t *ret)
{
	uint32_t q;
	int err = conn_duo(&r->asked, e, i, &q);

	if (!err && q == r->answers.n) {
		err = work_out(r, e, i, ret);
		return err ? err : vw_vec_push(&r->answers, *ret, CONN_MAX);
	}
	if (!err)
		*ret = r->answers.v[q];
	return err;
}
