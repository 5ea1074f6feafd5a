/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses behind domain names. Those that a wall has resolved are in its own map. A name that
 * nobody has resolved opens nothing yet; so that a rule which speaks of it is seen to come or go,
 * both sides are judged in a world where each kind of senders has resolved each pattern that its
 * policies name, to an address that is nothing else. */
#include "core/conn.h"
#include "vethwall/cleanup.h"

struct names {
	const struct conn_ends *e;
	struct conn_profiles *p;
	struct conn_results *r;
	struct vw_conn_chunk **store;
	struct conn_names *out;
	VW_VEC(const struct vw_policy *) policies; /* with egress rules by name, of both sides */
	VW_VEC(const char *) patterns; /* of one kind, sorted */
	VW_VEC(const struct vw_end *) spare[2]; /* addresses to suppose; IPv4, IPv6 */
};

static int push(struct names *n, uint32_t kind, const char *name, const struct vw_end *to,
		bool supposed, uint32_t pair)
{
	struct conn_named e = {
		.kind = kind, .name = name, .to = to, .supposed = supposed, .pair = pair};

	return vw_vec_push(&n->out->list, e, VW_LEARNT_MAX);
}

static const struct vw_end *keep_addr(struct names *n, const struct vw_addr *a)
{
	struct vw_end *end = conn_keep(n->store, sizeof(*end));

	if (end)
		end->addr = *a;
	return end;
}

/* ---- resolved ---- */

/* The profile of an identity under a class. */
static int profile_at(struct names *n, int s, uint32_t class, uint32_t id, uint32_t *ret)
{
	const struct conn_tables *t = &n->e->tables[s];

	if (class == CONN_CLASS_OPEN) {
		*ret = CONN_OPEN;
		return 0;
	}
	if (class == CONN_CLASS_HELD)
		return conn_profile_flat(n->p, VW_CODE_DENY | VW_REASON_HELD, ret);
	return conn_profile_of(n->p, &t->c->classes.v[class], t->classes.v[class].base,
			       t->marks.v[id], ret);
}

static uint32_t class_on(const struct names *n, const struct conn_kind *k, int s)
{
	const struct conn_duo *d = &n->e->outs.list.v[k->out];

	return s ? d->a : d->b;
}

static int add_resolved(struct names *n, uint32_t kind, const struct vw_addr *a, const char *name)
{
	const struct conn_kind *k = &n->e->kinds.v[kind];
	const struct vw_end *to = keep_addr(n, a);
	uint32_t profile[2], pair;
	int r = to ? 0 : -ENOMEM;

	for (int s = 0; s < 2 && !r; s++) {
		const struct conn_tables *t = &n->e->tables[s];
		const struct vw_wall *w = vw_compiled_wall(t->c, k->names);
		uint32_t id;

		if (w && vw_map_find(&w->learnt[a->family == 6], a->b, &id))
			id = conn_mark(t, id);
		else
			id = conn_id_of(t, a);
		r = profile_at(n, s, class_on(n, k, s), id, &profile[s]);
	}
	if (!r)
		r = conn_pair(n->r, profile[0], profile[1], &pair);
	return r ? r : push(n, kind, name, to, false, pair);
}

static bool in_map(const struct names *n, unsigned ifindex, const struct vw_addr *a)
{
	uint32_t id;

	for (int s = 0; s < 2; s++) {
		const struct vw_wall *w = vw_compiled_wall(n->e->side[s]->compiled, ifindex);

		if (w && vw_map_find(&w->learnt[a->family == 6], a->b, &id))
			return true;
	}
	return false;
}

/* Each address goes by the first of its names that is in force. */
static int resolved(struct names *n, uint32_t kind)
{
	const struct conn_kind *k = &n->e->kinds.v[kind];
	const struct vw_world *world = n->e->world;
	const struct vw_addr *last = NULL;
	int r = 0;

	for (size_t i = vw_learnt_first(world, k->names, &(struct vw_addr){0});
	     i < world->learnt.n && world->learnt.v[i].ifindex == k->names && !r; i++) {
		const struct vw_learnt *l = &world->learnt.v[i];

		if (l->lapsed || l->addr.family != k->family ||
		    (last && vw_addr_eq(last, &l->addr)) || !in_map(n, k->names, &l->addr))
			continue;
		last = &l->addr;
		r = add_resolved(n, kind, &l->addr, l->name);
	}
	return r;
}

/* ---- supposed ---- */

static int find_policies(struct names *n)
{
	int r = 0;

	for (int s = 0; s < 2; s++)
		vw_vec_foreach (p, &n->e->side[s]->set->list) {
			bool any = false;

			vw_vec_foreach (rule, &p->rules[VW_EGRESS])
				vw_vec_foreach (peer, &rule->peers)
					any |= peer->kind == VW_PEER_FQDN;
			if (any && !r)
				r = vw_vec_push(&n->policies, (const struct vw_policy *)p,
						VW_POLICIES_MAX * 2);
		}
	return r;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The patterns that policies of this end name. */
static int find_patterns(struct names *n, const struct vw_end *self)
{
	size_t keep = 0;
	int r = 0;

	n->patterns.n = 0;
	vw_vec_foreach (p, &n->policies) {
		if (!vw_match_matches(&(*p)->subject, n->e->world, self->workload, self->iface))
			continue;
		vw_vec_foreach (rule, &(*p)->rules[VW_EGRESS])
			vw_vec_foreach (peer, &rule->peers)
				if (!r && peer->kind == VW_PEER_FQDN)
					r = vw_vec_push(&n->patterns, (const char *)peer->fqdn,
							CONN_MAX);
	}
	if (r || !n->patterns.n)
		return r;
	qsort(n->patterns.v, n->patterns.n, sizeof(*n->patterns.v), by_text);
	for (size_t i = 0; i < n->patterns.n; i++)
		if (!i || by_text(&n->patterns.v[i], &n->patterns.v[keep - 1]))
			n->patterns.v[keep++] = n->patterns.v[i];
	n->patterns.n = keep;
	return 0;
}

/* The first address that a name may open, from a on: what is closed is closed in blocks. */
static bool first_openable(const struct names *n, struct vw_addr *a)
{
	while (!vw_learnt_openable(n->e->world, a)) {
		if (++a->b[0] == 0)
			return false;
		memset(a->b + 1, 0, sizeof(a->b) - 1);
	}
	return true;
}

static int take_spare(struct names *n, const struct conn_end *piece)
{
	struct vw_addr a = piece->end->addr;
	bool more = first_openable(n, &a);
	int v6 = a.family == 6, r = 0;

	while (more && !r && vw_addr_cmp(&a, &piece->last) <= 0 &&
	       vw_learnt_openable(n->e->world, &a) && n->spare[v6].n < VW_LEARNT_WALL_MAX) {
		const struct vw_end *end = keep_addr(n, &a);

		r = end ? vw_vec_push(&n->spare[v6], end, VW_LEARNT_WALL_MAX) : -ENOMEM;
		more = vw_addr_next(&a, &a);
	}
	return r;
}

/* From the largest part of the address space that policies say nothing special of. */
static int find_spare(struct names *n)
{
	uint32_t base[2];
	int r = 0;

	for (uint32_t i = n->e->first_outside; i < n->e->list.n && !r; i++) {
		const struct conn_end *piece = &n->e->list.v[i];
		const struct conn_duo *d;

		if (piece->kind == CONN_NONE || n->spare[piece->first.family == 6].n)
			continue;
		for (int s = 0; s < 2; s++) {
			const struct conn_tables *t = &n->e->tables[s];

			base[s] =
				conn_mark(t, piece->first.family == 6 ? t->c->base6 : t->c->base4);
		}
		d = &n->e->points.list.v[n->e->kinds.v[piece->kind].point];
		if (d->b == base[0] && d->a == base[1])
			r = take_spare(n, piece);
	}
	return r;
}

static int suppose(struct names *n, uint32_t kind)
{
	const struct conn_kind *k = &n->e->kinds.v[kind];
	const struct vw_end *self = n->e->list.v[n->e->members.v[k->ends.first]].end;
	int v6 = k->family == 6, r = find_patterns(n, self);

	for (size_t i = 0; i < n->patterns.n && !r; i++) {
		struct vw_learnt l = {.ifindex = self->iface->ifindex,
				      .name = (char *)n->patterns.v[i],
				      .until_ms = INT64_MAX};

		if (i == n->spare[v6].n) {
			n->out->cut_short = true;
			break;
		}
		l.addr = n->spare[v6].v[i]->addr;
		r = vw_vec_push(&n->out->world.learnt, l, VW_LEARNT_MAX);
		if (!r)
			r = push(n, kind, l.name, n->spare[v6].v[i], true, CONN_OPEN);
	}
	return r;
}

static int by_learnt(const void *pa, const void *pb)
{
	const struct vw_learnt *a = pa, *b = pb;
	int r;

	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	r = vw_addr_cmp(&a->addr, &b->addr);
	return r ? r : strcmp(a->name, b->name);
}

/* One wall may stand for two kinds. */
static void sort_learnt(struct vw_world *w)
{
	size_t keep = 0;

	qsort(w->learnt.v, w->learnt.n, sizeof(*w->learnt.v), by_learnt);
	for (size_t i = 0; i < w->learnt.n; i++)
		if (!i || by_learnt(&w->learnt.v[i], &w->learnt.v[keep - 1]))
			w->learnt.v[keep++] = w->learnt.v[i];
	w->learnt.n = keep;
}

static uint32_t supposed_id(const struct vw_compiled *c, unsigned ifindex, const struct vw_addr *a)
{
	const struct vw_wall *w = vw_compiled_wall(c, ifindex);
	bool v6 = a->family == 6;
	uint32_t id;

	if ((w && vw_map_find(&w->learnt[v6], a->b, &id)) ||
	    vw_map_find(v6 ? &c->net6 : &c->net4, a->b, &id))
		return id;
	return v6 ? c->base6 : c->base4;
}

static int supposed_profile(struct names *n, const struct vw_compiled *c,
			    const struct conn_named *named, int s, uint32_t *ret)
{
	const struct conn_kind *k = &n->e->kinds.v[named->kind];
	const struct vw_end *self = n->e->list.v[n->e->members.v[k->ends.first]].end;
	uint32_t class = class_on(n, k, s), base;
	const struct vw_class *vk;
	int r;

	if (class == CONN_CLASS_OPEN || class == CONN_CLASS_HELD)
		return profile_at(n, s, class, 0, ret);
	vk = vw_compiled_class(c, n->e->side[s]->compiled->classes.v[class].name);
	if (!vk)
		return -EPROTO;
	r = conn_profile_base(n->p, vk, &base);
	return r ? r
		 : conn_profile_of(n->p, vk, base,
				   supposed_id(c, self->iface->ifindex, &named->to->addr), ret);
}

/* Compiles both sides once more, in the supposed world. */
static int judge_supposed(struct names *n, const struct vw_config *cfg)
{
	_cleanup_(vw_diag_done) struct vw_diag said = {0}; /* it was said before */
	struct vw_compiled c[2] = {0};
	uint32_t profile[2];
	int r = 0;

	for (int s = 0; s < 2 && !r; s++)
		r = vw_compile(n->e->side[s]->set, &n->out->world, NULL, 0, cfg, &c[s], &said);
	vw_vec_foreach (named, &n->out->list) {
		if (!named->supposed)
			continue;
		for (int s = 0; s < 2 && !r; s++)
			r = supposed_profile(n, &c[s], named, s, &profile[s]);
		if (!r)
			r = conn_pair(n->r, profile[0], profile[1], &named->pair);
	}
	vw_compiled_done(&c[0]);
	vw_compiled_done(&c[1]);
	return r;
}

static bool by_name(const struct names *n, const struct conn_kind *k)
{
	for (int s = 0; s < 2; s++) {
		uint32_t class = class_on(n, k, s);

		if (class != CONN_CLASS_OPEN && class != CONN_CLASS_HELD &&
		    n->e->side[s]->compiled->classes.v[class].fqdn)
			return true;
	}
	return false;
}

static int build(struct names *n, const struct vw_config *cfg)
{
	int r = find_policies(n);

	if (r || !n->policies.n)
		return r;
	r = find_spare(n);
	for (uint32_t i = 0; i < n->e->kinds.n && !r; i++) {
		const struct conn_kind *k = &n->e->kinds.v[i];

		if (k->what != CONN_SEAT || !by_name(n, k))
			continue;
		if (k->names)
			r = resolved(n, i);
		if (!r)
			r = suppose(n, i);
	}
	if (r == -ENOSPC) {
		n->out->cut_short = true;
		r = 0;
	}
	if (r || !n->out->world.learnt.n)
		return r;
	sort_learnt(&n->out->world);
	return judge_supposed(n, cfg);
}

int conn_names_build(const struct conn_ends *e, struct conn_profiles *p, struct conn_results *r,
		     const struct vw_config *cfg, struct vw_conn_chunk **store,
		     struct conn_names *ret)
{
	struct names n = {.e = e, .p = p, .r = r, .store = store, .out = ret};
	int err;

	*ret = (struct conn_names){.world = *e->world};
	memset(&ret->world.learnt, 0, sizeof(ret->world.learnt));
	err = build(&n, cfg);
	vw_vec_done(&n.policies);
	vw_vec_done(&n.patterns);
	vw_vec_done(&n.spare[0]);
	vw_vec_done(&n.spare[1]);
	if (err)
		conn_names_done(ret);
	return err;
}

void conn_names_done(struct conn_names *n)
{
	vw_vec_done(&n->list);
	vw_vec_done(&n->world.learnt); /* the rest is borrowed */
}
