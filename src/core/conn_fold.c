/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens between members of two parties, told once: segments of all of them laid over each
 * other, for how many members each holds, one packet of it, and who decides that. */
#include "core/conn.h"
#include "vethwall/cleanup.h"

/* A segment of one part. */
struct piece {
	uint32_t lo, hi, state;
	uint32_t part; /* index */
};
struct pieces {
	VW_VEC(struct piece) list;
};
struct borders {
	VW_VEC(uint32_t) list;
};

static const struct conn_kind *kind_of(const struct conn_work *w, uint32_t i)
{
	return i == CONN_NONE ? NULL : &w->ends.kinds.v[i];
}

/* ---- which packets ---- */

/* A segment without the positions that are told elsewhere: to workloads, a port that is published
 * at an address is an end of its own. */
static int put_masked(const struct conn_work *w, const struct conn_part *part, struct piece p,
		      struct pieces *ret)
{
	const struct conn_kind *i = kind_of(w, part->i), *j = kind_of(w, part->j);
	const uint32_t *ports;
	size_t n;
	int r = 0;

	if (j && j->what == CONN_PUBLISHED) {
		if (j->pos < p.lo || j->pos >= p.hi)
			return 0;
		p.lo = j->pos;
		p.hi = j->pos + 1;
		return vw_vec_push(&ret->list, p, CONN_MAX);
	}
	ports = CONN_LIST(uint32_t, &w->ends.ports, j && i->what == CONN_SEAT ? j->ports : 0, &n);
	for (size_t k = 0; k < n && !r; k++) {
		struct piece left = p;

		if (ports[k] < p.lo || ports[k] >= p.hi)
			continue;
		left.hi = ports[k];
		p.lo = ports[k] + 1;
		if (left.lo < left.hi)
			r = vw_vec_push(&ret->list, left, CONN_MAX);
	}
	return r || p.lo == p.hi ? r : vw_vec_push(&ret->list, p, CONN_MAX);
}

static int find_pieces(const struct conn_work *w, const struct conn_part *v, size_t n,
		       struct pieces *ret)
{
	int r = 0;

	for (uint32_t i = 0; i < n && !r; i++) {
		size_t n_segs;
		const struct conn_seg *segs =
			CONN_LIST(struct conn_seg, &w->results.lists, v[i].result, &n_segs);

		for (size_t k = 0; k < n_segs && !r; k++)
			r = put_masked(w, &v[i],
				       (struct piece){segs[k].lo, segs[k].hi, segs[k].state, i},
				       ret);
	}
	return r;
}

/* ---- for whom ---- */

/* Counts each workload of kind k once, but those that all of the other end belongs to. */
static uint32_t count(struct conn_work *w, int side, const struct conn_kind *k,
		      const struct conn_kind *other)
{
	const struct conn_ends *e = &w->ends;
	uint32_t n = 0;

	if (!k || k->what != CONN_SEAT)
		return 0;
	for (uint32_t i = 0; i < k->ends.n; i++) {
		uint32_t owner = conn_workload(e, e->list.v[e->members.v[k->ends.first + i]].owner);

		if (w->stamp[side][owner] == w->now ||
		    (other && (owner == other->own[0] || owner == other->own[1])))
			continue;
		w->stamp[side][owner] = w->now;
		n++;
	}
	return n;
}

/* ---- one packet of it ---- */

static bool share_network(const struct vw_end *a, const struct vw_end *b)
{
	return a->iface && b->iface && a->iface->network && b->iface->network &&
	       !strcmp(a->iface->network, b->iface->network);
}

static const struct conn_end *nth(const struct conn_ends *e, const struct conn_kind *k, uint32_t i)
{
	return &e->list.v[e->members.v[k->ends.first + i]];
}

#define TRIES 16 /* ends of each kind among which a shared network is looked for */

/* An end of each kind, not of the same workload, on one network if there are such. */
static void choose(const struct conn_ends *e, const struct conn_kind *i, const struct conn_kind *j,
		   const struct conn_end **ret_i, const struct conn_end **ret_j)
{
	*ret_i = NULL;
	for (uint32_t a = 0; a < i->ends.n && (a < TRIES || !*ret_i); a++)
		for (uint32_t b = 0; b < j->ends.n && (b < TRIES || !*ret_i); b++) {
			const struct conn_end *x = nth(e, i, a), *y = nth(e, j, b);
			bool good = share_network(x->end, y->end);

			if ((x->owner && x->owner == y->owner) || (*ret_i && !good))
				continue;
			*ret_i = x;
			*ret_j = y;
			if (good)
				return;
		}
}

/* An address of the stretch that the sender does not know by a name. */
static const struct vw_end *unnamed(struct conn_work *w, const struct conn_kind *i,
				    const struct conn_kind *j)
{
	struct vw_end *end = conn_keep(&w->out->store, sizeof(*end));

	for (uint32_t k = 0; k < j->ends.n && end; k++)
		if (conn_outsider(&w->ends, nth(&w->ends, j, k), i->names, &end->addr))
			return end;
	return NULL;
}

/* Ends of the packet that stands for the part; false when no memory is left. */
static bool sample(struct conn_work *w, const struct conn_part *part, struct conn_probe *p)
{
	const struct conn_ends *e = &w->ends;
	const struct conn_kind *i = kind_of(w, part->i), *j = kind_of(w, part->j);
	const struct conn_end *from = NULL, *to = NULL;

	*p = (struct conn_probe){.world = e->world, .out = i->out, .in = j ? j->in : 0};
	if (part->named) {
		p->world = part->named->supposed ? &w->names.world : e->world;
		p->from = nth(e, i, 0)->end;
		p->to = part->named->to;
	} else if (j->what == CONN_PUBLISHED) {
		for (uint32_t k = 0; k < i->ends.n && !from; k++)
			if (conn_workload(e, nth(e, i, k)->owner) != j->own[0] &&
			    conn_workload(e, nth(e, i, k)->owner) != j->own[1])
				from = nth(e, i, k);
		p->from = from ? from->end : NULL;
		p->to = e->list.v[j->place].end;
		p->pub = j;
	} else {
		choose(e, i, j, &from, &to);
		p->from = from ? from->end : NULL;
		p->to = from ? to->end : NULL;
		if (i->names && j->what == CONN_OUTSIDE)
			p->to = unnamed(w, i, j);
	}
	return p->from && p->to;
}

/* ---- ranges ---- */

static int contradiction(struct conn_work *w, const struct vw_conn_range *r)
{
	char a[VW_ADDR_STRLEN], b[VW_ADDR_STRLEN], text[VW_CONN_RANGE_STRLEN];

	vw_error(w->d, NULL,
		 "the compiled tables and the policies contradict each other: %s to %s, %s: "
		 "%s by the tables, the policies %s before and %s after",
		 vw_addr_str(&r->from->addr, a), vw_addr_str(&r->to->addr, b),
		 vw_conn_range_str(r, text), vw_conn_state_str(r->state),
		 r->before->allow ? "allow" : "deny", r->after->allow ? "allow" : "deny");
	return -EPROTO;
}

static int put_range(struct conn_work *w, struct conn_probe *p, struct vw_conn_range *r,
		     struct conn_ranges *ret)
{
	const struct vw_verdict *v[2];
	int err;

	p->pos = (uint32_t)r->proto << 16 | r->lo;
	err = conn_why(w->why, p, v);
	if (err)
		return err;
	r->before = v[0];
	r->after = v[1];
	if (v[0]->allow != (r->state != VW_CONN_GAINED) ||
	    v[1]->allow != (r->state != VW_CONN_LOST))
		return contradiction(w, r);
	if (w->n_ranges + ret->list.n >= VW_CONN_RANGES_MAX) {
		w->out->cut_short = true;
		return 0;
	}
	return vw_vec_push(&ret->list, *r, VW_CONN_RANGES_MAX);
}

/* Positions lo..hi (behind) as ranges: the rest of a protocol, whole protocols, part of one. */
static int put_ranges(struct conn_work *w, const struct conn_part *part, struct vw_conn_range r,
		      uint32_t lo, uint32_t hi, struct conn_ranges *ret)
{
	struct conn_probe p;
	int err = 0;

	if (!sample(w, part, &p))
		return -ENOMEM;
	r.from = p.from;
	r.to = p.to;
	r.behind = p.pub ? p.pub->behind.workload : NULL;
	while (lo < hi && !err) {
		uint32_t next = (lo | 0xffff) + 1;

		r.proto = r.proto_last = (uint8_t)(lo >> 16);
		r.lo = (uint16_t)lo;
		if (!r.lo && next <= hi) {
			next = hi & 0xffff0000;
			r.proto_last = (uint8_t)((next >> 16) - 1);
			r.hi = UINT16_MAX;
		} else {
			next = next < hi ? next : hi;
			r.hi = (uint16_t)(next - 1);
		}
		err = put_range(w, &p, &r, ret);
		lo = next;
	}
	return err;
}

/* The parts that have a piece all over lo..hi: how many members, and the first of them. */
static int put_piece(struct conn_work *w, const struct conn_part *v, const struct pieces *p,
		     const struct piece *at, struct conn_ranges *ret)
{
	struct vw_conn_range r = {.state = (uint8_t)at->state};
	const struct conn_part *first = NULL;

	w->now++;
	vw_vec_foreach (o, &p->list) {
		const struct conn_part *part = &v[o->part];

		if (o->state != at->state || o->lo > at->lo || o->hi < at->hi)
			continue;
		if (!first)
			first = part;
		r.from_members += count(w, 0, kind_of(w, part->i), kind_of(w, part->j));
		r.to_members += count(w, 1, kind_of(w, part->j), kind_of(w, part->i));
	}
	return first ? put_ranges(w, first, r, at->lo, at->hi, ret) : 0;
}

static int by_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* All borders of pieces of one state. */
static int find_borders(const struct pieces *p, uint32_t state, struct borders *ret)
{
	size_t keep = 0;
	int r = 0;

	ret->list.n = 0;
	vw_vec_foreach (o, &p->list) {
		if (o->state != state || r)
			continue;
		r = vw_vec_push(&ret->list, o->lo, CONN_MAX);
		if (!r)
			r = vw_vec_push(&ret->list, o->hi, CONN_MAX);
	}
	if (r || !ret->list.n)
		return r;
	qsort(ret->list.v, ret->list.n, sizeof(*ret->list.v), by_u32);
	for (size_t i = 0; i < ret->list.n; i++)
		if (!i || ret->list.v[i] != ret->list.v[keep - 1])
			ret->list.v[keep++] = ret->list.v[i];
	ret->list.n = keep;
	return 0;
}

static int fold_pieces(struct conn_work *w, const struct conn_part *v, const struct pieces *p,
		       struct conn_ranges *ret)
{
	struct borders b = {0};
	int r = 0;

	for (uint32_t state = 0; state < _VW_CONN_STATE_MAX && !r; state++) {
		r = find_borders(p, state, &b);
		for (size_t i = 0; i + 1 < b.list.n && !r; i++) {
			struct piece at = {b.list.v[i], b.list.v[i + 1], state, 0};

			r = put_piece(w, v, p, &at, ret);
		}
	}
	vw_vec_done(&b.list);
	return r;
}

int conn_fold(struct conn_work *w, const struct conn_part *v, size_t n, struct conn_ranges *ret)
{
	struct pieces p = {0};
	int r = find_pieces(w, v, n, &p);

	if (!r)
		r = fold_pieces(w, v, &p, ret);
	vw_vec_done(&p.list);
	return r;
}

#define CMP(a, b)                                  \
	do {                                       \
		if ((a) != (b))                    \
			return (a) < (b) ? -1 : 1; \
	} while (0)

static int decision_cmp(const struct vw_decision *a, const struct vw_decision *b)
{
	CMP(a->allow, b->allow);
	CMP(a->audited, b->audited);
	CMP(a->tier, b->tier);
	CMP((uintptr_t)a->policy, (uintptr_t)b->policy);
	CMP((uintptr_t)a->rule, (uintptr_t)b->rule);
	return 0;
}

static int verdict_cmp(const struct vw_verdict *a, const struct vw_verdict *b)
{
	int r = a == b ? 0 : decision_cmp(&a->egress, &b->egress);

	return r || a == b ? r : decision_cmp(&a->ingress, &b->ingress);
}

int conn_range_cmp(const struct vw_conn_range *a, const struct vw_conn_range *b)
{
	int r;

	CMP(a->state, b->state);
	CMP(a->proto, b->proto);
	CMP(a->lo, b->lo);
	CMP(a->proto_last, b->proto_last);
	CMP(a->hi, b->hi);
	CMP(a->from_members, b->from_members);
	CMP(a->to_members, b->to_members);
	CMP((uintptr_t)a->behind, (uintptr_t)b->behind);
	r = verdict_cmp(a->before, b->before);
	return r ? r : verdict_cmp(a->after, b->after);
}
