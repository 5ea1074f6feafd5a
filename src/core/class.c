/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One class: which identities each rule fits (posting lists), the row of every distinct list of
 * rules, and the rows as elements of the class's tables. Identities that no rule singles out share
 * the base row under mark 0. */
#include <arpa/inet.h>
#include <stdio.h>

#include "core/class.h"
#include "vethwall/cleanup.h"

#define ELEMS_MAX (1u << 24)
#define HITS_MAX (1u << 26)
#define RANGE_EXPAND \
	8 /* ranges up to this long become single elements: a hash beats the range table */

struct hit {
	uint32_t id;
	uint32_t order; /* into b->rules; UINT32_MAX: only makes the identity appear */
};

struct memo {
	uint64_t hash;
	struct row row;
};

struct cbuild {
	const struct id_table *ids;
	struct row_ctx ctx;
	bool named;
	VW_VEC(const struct flat_rule *) rules; /* in order of decision */
	VW_VEC(uint32_t) any; /* those of any peer: indices into rules */
	VW_VEC(struct hit) hits;
	VW_VEC(const struct row_rule *) list; /* scratch: the rules of one identity */
	VW_VEC(struct memo) memo;
	uint32_t *slots; /* memo by hash */
	size_t n_slots;
	uint32_t *row_of; /* per identity: memo index; 0 is the base row */
	struct vw_class *out;
};

static int gather(struct cbuild *b, const struct flat_set *flats, const struct id_list *policies)
{
	int r = 0;

	vw_vec_foreach (i, &policies->list) {
		const struct flat_policy *p = &flats->policies.v[*i];

		b->named |= p->named[b->ctx.dir];
		b->out->fqdn |= p->fqdn[b->ctx.dir];
		for (size_t k = 0; k < p->n[b->ctx.dir] && !r; k++)
			r = vw_vec_push(&b->rules, &flats->rules.v[p->first[b->ctx.dir] + k],
					ID_MAX);
	}
	for (uint32_t i = 0; i < b->rules.n && !r; i++) {
		const struct flat_rule *f = b->rules.v[i];

		if (f->any_peer) {
			r = vw_vec_push(&b->any, i, ID_MAX);
			continue;
		}
		vw_vec_foreach (p, &f->preds.list)
			vw_vec_foreach (id, &b->ids->postings.v[*p].list)
				if (!r)
					r = vw_vec_push(&b->hits, ((struct hit){*id, i}), HITS_MAX);
	}
	return r;
}

/* A port name in an egress rule means a different port at each peer. */
static int gather_named(struct cbuild *b)
{
	int r = 0;

	if (!b->named || b->ctx.dir != VW_EGRESS)
		return 0;
	for (uint32_t i = 0; i < b->ids->ids.n && !r; i++)
		if (b->ids->ids.v[i].named)
			r = vw_vec_push(&b->hits, ((struct hit){i, UINT32_MAX}), HITS_MAX);
	return r;
}

static int by_hit(const void *pa, const void *pb)
{
	const struct hit *a = pa, *b = pb;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static int push_rule(struct cbuild *b, uint32_t order)
{
	const struct row_rule *rule = &b->rules.v[order]->r;

	if (b->list.n && b->list.v[b->list.n - 1] == rule)
		return 0;
	return vw_vec_push(&b->list, rule, ID_MAX);
}

/* Rules of one identity, its own and those of any peer, in order of decision. */
static int merge(struct cbuild *b, const struct hit *h, size_t n)
{
	size_t a = 0;
	int r = 0;

	b->list.n = 0;
	for (size_t i = 0; i <= n && !r; i++) {
		uint32_t until = i < n ? h[i].order : UINT32_MAX;

		for (; a < b->any.n && b->any.v[a] < until && !r; a++)
			r = push_rule(b, b->any.v[a]);
		if (!r && until != UINT32_MAX)
			r = push_rule(b, until);
	}
	return r;
}

static uint64_t list_hash(const struct cbuild *b, const struct vw_workload *named)
{
	uint64_t h = vw_hash(b->list.v, b->list.n * sizeof(*b->list.v), 3);

	if (b->named && named && b->ctx.dir == VW_EGRESS)
		vw_vec_foreach (p, &named->ports) {
			h = vw_hash(p->name, strlen(p->name) + 1, h + p->proto);
			h = vw_hash(&p->port, sizeof(p->port), h);
		}
	return h;
}

static int memo_grow(struct cbuild *b)
{
	size_t n = b->n_slots ? b->n_slots * 2 : 64;
	uint32_t *s;

	if (b->memo.n * 2 < b->n_slots)
		return 0;
	s = malloc(n * sizeof(*s));
	if (!s)
		return -ENOMEM;
	memset(s, 0xff, n * sizeof(*s));
	for (uint32_t i = 0; i < b->memo.n; i++) {
		size_t at = b->memo.v[i].hash & (n - 1);

		while (s[at] != UINT32_MAX)
			at = (at + 1) & (n - 1);
		s[at] = i;
	}
	free(b->slots);
	b->slots = s;
	b->n_slots = n;
	return 0;
}

/* The row of the rules in b->list, made once for each distinct list. */
static int row_for(struct cbuild *b, const struct vw_workload *named, uint32_t *ret)
{
	struct memo m = {.hash = list_hash(b, named)};
	struct row_ctx ctx = b->ctx;
	size_t at;
	int r = memo_grow(b);

	if (r)
		return r;
	for (at = m.hash & (b->n_slots - 1); b->slots[at] != UINT32_MAX;
	     at = (at + 1) & (b->n_slots - 1))
		if (b->memo.v[b->slots[at]].hash == m.hash) {
			*ret = b->slots[at];
			return 0;
		}
	if (ctx.dir == VW_EGRESS)
		ctx.named = named;
	r = row_build(&ctx, b->list.v, b->list.n, &m.row);
	if (r)
		return r;
	r = vw_vec_push(&b->memo, m, ID_MAX);
	if (r)
		row_done(&m.row);
	else
		*ret = b->slots[at] = b->memo.n - 1;
	return r;
}

/* --- rows to elements --- */

static void put_mark(const struct vw_set *s, uint8_t *key, uint32_t mark)
{
	mark = vw_set_mark(s, mark);
	memcpy(key, &mark, 4);
}

static int put_port(struct vw_set *s, uint32_t mark, uint8_t proto, uint16_t lo, uint16_t hi,
		    uint32_t code)
{
	struct vw_elem e = {.data = code};
	uint16_t be_lo = htons(lo), be_hi = htons(hi);

	put_mark(s, e.key, mark);
	e.key[4] = proto;
	memcpy(e.key + 8, &be_lo, 2);
	memcpy(e.key_end, e.key, 8);
	memcpy(e.key_end + 8, &be_hi, 2);
	return vw_elem_push(s, &e, ELEMS_MAX);
}

static int put_proto(struct vw_set *s, uint32_t mark, uint8_t proto, uint32_t code)
{
	struct vw_elem e = {.data = code};

	put_mark(s, e.key, mark);
	e.key[4] = proto;
	return vw_elem_push(s, &e, ELEMS_MAX);
}

static int put_all(struct vw_set *s, uint32_t mark, uint32_t code)
{
	struct vw_elem e = {.data = code};

	put_mark(s, e.key, mark);
	return vw_elem_push(s, &e, ELEMS_MAX);
}

static int put_seg(struct vw_class *c, uint32_t mark, const struct row_seg *s)
{
	bool icmp = s->proto == 1 || s->proto == 58;
	int r = 0;

	if (s->hi - s->lo >= RANGE_EXPAND)
		return put_port(icmp ? &c->ri : &c->r, mark, s->proto, s->lo, s->hi, s->code);
	for (uint32_t p = s->lo; p <= s->hi && !r; p++)
		r = put_port(icmp ? &c->xi : &c->x, mark, s->proto, p, p, s->code);
	return r;
}

/* The segments of one protocol: the widest one's code stands for the protocol, the rest are listed.
 */
static int put_protocol(struct vw_class *c, uint32_t mark, const struct row_seg *v, size_t n,
			uint32_t other)
{
	const struct row_seg *wide = v;
	int r = 0;

	for (size_t i = 1; i < n; i++)
		if (v[i].hi - v[i].lo > wide->hi - wide->lo)
			wide = &v[i];
	if (wide->code != other)
		r = put_proto(&c->q, mark, v->proto, wide->code);
	for (size_t i = 0; i < n && !r; i++)
		if (v[i].code != wide->code)
			r = put_seg(c, mark, &v[i]);
	return r;
}

static int put_row(struct vw_class *c, uint32_t mark, const struct row *row)
{
	size_t i = 0;
	int r = 0;

	while (i < row->segs.n && !r) {
		size_t j = i;

		while (j < row->segs.n && row->segs.v[j].proto == row->segs.v[i].proto)
			j++;
		r = put_protocol(c, mark, &row->segs.v[i], j - i, row->other);
		i = j;
	}
	return r;
}

static int put_identity(struct cbuild *b, uint32_t id, const struct row *row)
{
	struct vw_class *c = b->out;
	uint32_t mark = b->ids->ids.v[id].number;
	int r = put_row(c, mark, row);

	/* what is left must not fall through to the base row */
	if (!r && (c->base_row || row->other != c->default_code))
		r = put_all(&c->a, mark, row->other);
	return r;
}

static bool rows_equal(const struct row *a, const struct row *b)
{
	if (a->other != b->other || a->segs.n != b->segs.n)
		return false;
	for (size_t i = 0; i < a->segs.n; i++) {
		const struct row_seg *x = &a->segs.v[i], *y = &b->segs.v[i];

		if (x->proto != y->proto || x->lo != y->lo || x->hi != y->hi || x->code != y->code)
			return false;
	}
	return true;
}

static int base(struct cbuild *b)
{
	uint32_t row;
	int r = merge(b, NULL, 0);

	if (!r)
		r = row_for(b, NULL, &row);
	if (r)
		return r;
	b->out->default_code = b->memo.v[row].row.other;
	r = put_row(b->out, 0, &b->memo.v[row].row);
	b->out->base_row = b->out->x.elems.n || b->out->xi.elems.n || b->out->r.elems.n ||
			   b->out->ri.elems.n || b->out->q.elems.n;
	return r;
}

static int identities(struct cbuild *b)
{
	size_t i = 0;
	int r = 0;

	if (b->hits.n)
		qsort(b->hits.v, b->hits.n, sizeof(*b->hits.v), by_hit);
	while (i < b->hits.n && !r) {
		uint32_t id = b->hits.v[i].id, row;
		size_t j = i;

		while (j < b->hits.n && b->hits.v[j].id == id)
			j++;
		r = merge(b, &b->hits.v[i], j - i);
		if (!r)
			r = row_for(b, b->ids->ids.v[id].w, &row);
		if (!r && !rows_equal(&b->memo.v[row].row, &b->memo.v[0].row)) {
			b->row_of[id] = row;
			r = put_identity(b, id, &b->memo.v[row].row);
		}
		i = j;
	}
	return r;
}

/* A published port counts as the container behind it, at the container's port. */
static int published(struct cbuild *b)
{
	int r = 0;

	vw_vec_foreach (p, &b->ids->pubs) {
		const struct row *row = &b->memo.v[b->row_of[p->target]].row;
		uint32_t code = row_code(row, p->proto, p->port);

		if (!r && code != row_code(&b->memo.v[0].row, p->proto, p->host_port))
			r = put_all(&b->out->a, p->number, code);
	}
	return r;
}

static void cbuild_done(struct cbuild *b)
{
	vw_vec_foreach (m, &b->memo)
		row_done(&m->row);
	vw_vec_done(&b->rules);
	vw_vec_done(&b->any);
	vw_vec_done(&b->hits);
	vw_vec_done(&b->list);
	vw_vec_done(&b->memo);
	free(b->slots);
	free(b->row_of);
}

static void set_init(struct vw_set *s, const char *class, const char *suffix, uint32_t flags,
		     const uint8_t *fields)
{
	s->flags = VW_SET_MAP | flags;
	memcpy(s->fields, fields, 3);
	snprintf(s->name, sizeof(s->name), "%.*s_%s", VW_NAME_LEN - 4, class, suffix);
}

static void sets_init(struct vw_class *c)
{
	static const uint8_t mpp[] = {VW_F_MARK, VW_F_PROTO, VW_F_PORT};
	static const uint8_t mp[] = {VW_F_MARK, VW_F_PROTO, VW_F_NONE};
	static const uint8_t m[] = {VW_F_MARK, VW_F_NONE, VW_F_NONE};

	set_init(&c->x, c->name, "x", 0, mpp);
	set_init(&c->xi, c->name, "xi", 0, mpp);
	set_init(&c->r, c->name, "r", VW_SET_INTERVAL, mpp);
	set_init(&c->ri, c->name, "ri", VW_SET_INTERVAL, mpp);
	set_init(&c->q, c->name, "q", 0, mp);
	set_init(&c->a, c->name, "a", 0, m);
}

static bool is_note(uint32_t code)
{
	return code & (VW_CODE_AUDIT | VW_CODE_LOG);
}

static bool has_notes(const struct vw_class *c)
{
	const struct vw_set *s[] = {&c->x, &c->xi, &c->r, &c->ri, &c->q, &c->a};
	struct vw_elem e;

	for (size_t i = 0; i < VW_ARRAY_SIZE(s); i++)
		for (size_t k = 0; k < s[i]->elems.n; k++) {
			vw_elem_get(s[i], k, &e);
			if (is_note(e.data))
				return true;
		}
	return is_note(c->default_code);
}

static int sort_sets(struct vw_class *c)
{
	struct vw_set *s[] = {&c->x, &c->xi, &c->r, &c->ri, &c->q, &c->a};
	int r = 0;

	for (size_t i = 0; i < VW_ARRAY_SIZE(s) && !r; i++)
		r = vw_elems_sort(s[i]);
	return r;
}

static void judge_isolation(struct cbuild *b, const struct vw_policyset *set,
			    const struct id_list *policies)
{
	vw_vec_foreach (i, &policies->list) {
		const struct vw_policy *p = &set->list.v[*i];
		bool isolates = p->tier == VW_TIER_SERVICE && p->applies[b->ctx.dir];

		b->ctx.audit |= p->audit;
		b->ctx.isolated[1] |= isolates;
		b->ctx.isolated[0] |= isolates && !p->audit;
	}
}

int class_build(const struct vw_policyset *set, const struct flat_set *flats,
		const struct id_table *ids, const struct id_list *policies, enum vw_direction dir,
		const struct vw_workload *named, bool default_deny, struct vw_class *ret)
{
	struct cbuild b = {.ids = ids, .out = ret};
	int r;

	b.ctx = (struct row_ctx){.dir = dir,
				 .default_deny = default_deny,
				 .default_audit = set->audit,
				 .audit = set->audit,
				 .named = named};
	sets_init(ret);
	judge_isolation(&b, set, policies);
	b.row_of = calloc(ids->ids.n + 1, sizeof(*b.row_of));
	r = b.row_of ? gather(&b, flats, policies) : -ENOMEM;
	if (!r)
		r = gather_named(&b);
	if (!r)
		r = base(&b);
	if (!r)
		r = identities(&b);
	if (!r && dir == VW_EGRESS)
		r = published(&b);
	if (!r)
		r = sort_sets(ret);
	ret->notes = !r && has_notes(ret);
	cbuild_done(&b);
	return r;
}

void class_done(struct vw_class *c)
{
	vw_set_done(&c->x);
	vw_set_done(&c->xi);
	vw_set_done(&c->r);
	vw_set_done(&c->ri);
	vw_set_done(&c->q);
	vw_set_done(&c->a);
}
