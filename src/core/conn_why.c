/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which documents and rules decide a packet, by the reference verdict. It is asked with the
 * policies that make the wall's class only: the others select somebody else. */
#include "core/conn.h"
#include "core/peer.h"
#include "vethwall/cleanup.h"
#include "vethwall/ruleset.h"

/* The policies of one class, in the order of the whole set; shallow copies. */
struct view {
	bool made;
	struct vw_policyset set;
	struct id_list which;
};

struct views {
	struct match_index index;
	struct view *of; /* by class */
};

struct conn_why {
	const struct conn_ends *e;
	bool default_deny;
	struct views views[2][_VW_DIRECTION_MAX];
	struct vw_conn_chunk **store;
	VW_VEC(const struct vw_verdict *) verdicts;
	struct conn_tab tab;
};

void conn_why_free(struct conn_why **why)
{
	struct conn_why *w = *why;

	if (!w)
		return;
	for (int s = 0; s < 2; s++)
		for (int d = 0; d < _VW_DIRECTION_MAX; d++) {
			struct views *v = &w->views[s][d];

			for (size_t i = 0; v->of && i < w->e->side[s]->compiled->classes.n; i++) {
				vw_vec_done(&v->of[i].set.list); /* belong to the whole set */
				vw_vec_done(&v->of[i].which.list);
			}
			free(v->of);
			vw_vec_done(&v->index.list);
		}
	vw_vec_done(&w->verdicts);
	free(w->tab.slots);
	free(w);
	*why = NULL;
}

static bool has_say(const struct vw_policy *p, int dir)
{
	return p->tier == VW_TIER_SERVICE ? p->applies[dir] : p->rules[dir].n > 0;
}

static int index_side(const struct vw_conn_side *side, int dir, struct views *v)
{
	int r = 0;

	v->of = calloc(side->compiled->classes.n + 1, sizeof(*v->of));
	if (!v->of)
		return -ENOMEM;
	for (uint32_t i = 0; i < side->set->list.n && !r; i++)
		if (has_say(&side->set->list.v[i], dir))
			r = match_index_add(&v->index, &side->set->list.v[i].subject, i);
	match_index_sort(&v->index);
	return r;
}

int conn_why_new(const struct conn_ends *e, bool default_deny, struct vw_conn_chunk **store,
		 struct conn_why **ret)
{
	_cleanup_(conn_why_free) struct conn_why *w = calloc(1, sizeof(*w));
	int r = w ? 0 : -ENOMEM;

	if (r)
		return r;
	*w = (struct conn_why){.e = e, .default_deny = default_deny, .store = store};
	for (int s = 0; s < 2; s++)
		for (int d = 0; d < _VW_DIRECTION_MAX && !r; d++)
			r = index_side(e->side[s], d, &w->views[s][d]);
	if (!r)
		*ret = TAKE_PTR(w);
	return r;
}

/* ---- views ---- */

struct choice {
	const struct vw_policyset *set;
	const struct vw_world *world;
	const struct vw_end *self;
	struct id_list *out;
};

static int try_subject(uint32_t i, void *arg)
{
	struct choice *c = arg;

	if (!vw_match_matches(&c->set->list.v[i].subject, c->world, c->self->workload,
			      c->self->iface))
		return 0;
	return vw_vec_push(&c->out->list, i, VW_POLICIES_MAX);
}

static int by_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int view_make(struct conn_why *w, int side, struct views *views, const struct vw_end *self,
		     struct view *v)
{
	const struct vw_policyset *set = w->e->side[side]->set;
	struct choice c = {set, w->e->world, self, &v->which};
	int r = match_index_each(&views->index, self->workload, try_subject, &c);

	if (v->which.list.n)
		qsort(v->which.list.v, v->which.list.n, sizeof(uint32_t), by_u32);
	vw_vec_foreach (i, &v->which.list)
		if (!r)
			r = vw_vec_push(&v->set.list, set->list.v[*i], VW_POLICIES_MAX);
	v->set.audit = set->audit;
	v->made = !r;
	return r;
}

/* The document itself instead of its copy. */
static const struct vw_policy *original(const struct view *v, const struct vw_policyset *set,
					const struct vw_policy *p)
{
	return p ? &set->list.v[v->which.list.v[p - v->set.list.v]] : NULL;
}

static int decide(struct conn_why *w, int side, enum vw_direction dir, uint32_t class,
		  const struct vw_world *world, const struct vw_end *self,
		  const struct vw_end *peer, uint32_t pos, struct vw_decision *ret)
{
	struct views *views = &w->views[side][dir];
	const struct vw_policyset *set = w->e->side[side]->set;
	struct view *v;
	int r = 0;

	*ret = (struct vw_decision){.allow = class != CONN_CLASS_HELD, .tier = VW_TIER_DEFAULT};
	if (class == CONN_CLASS_OPEN || class == CONN_CLASS_HELD)
		return 0;
	v = &views->of[class];
	if (!v->made)
		r = view_make(w, side, views, self, v);
	if (r)
		return r;
	vw_decide(&v->set, world, w->default_deny, dir, self, peer, (uint8_t)(pos >> 16),
		  (uint16_t)pos, ret);
	ret->policy = original(v, set, ret->policy);
	ret->near_policy = original(v, set, ret->near_policy);
	return 0;
}

/* ---- the same verdict is kept once ---- */

static uint64_t decision_hash(const struct vw_decision *d, uint64_t h)
{
	uintptr_t v[] = {(uintptr_t)d->policy,
			 (uintptr_t)d->rule,
			 (uintptr_t)d->peer,
			 (uintptr_t)d->near_policy,
			 (uintptr_t)d->near_rule,
			 (uintptr_t)d->tier << 3 | d->allow << 2 | d->audited << 1 | d->log};

	for (size_t i = 0; i < VW_ARRAY_SIZE(v); i++)
		h = (h ^ v[i]) * 0x9e3779b97f4a7c15u + (h >> 29);
	return h;
}

static bool same_decision(const struct vw_decision *a, const struct vw_decision *b)
{
	return a->policy == b->policy && a->rule == b->rule && a->peer == b->peer &&
	       a->near_policy == b->near_policy && a->near_rule == b->near_rule &&
	       a->tier == b->tier && a->allow == b->allow && a->audited == b->audited &&
	       a->log == b->log;
}

static int keep(struct conn_why *w, const struct vw_verdict *v, const struct vw_verdict **ret)
{
	uint64_t h = decision_hash(&v->ingress, decision_hash(&v->egress, 1));
	struct vw_verdict *kept;
	struct conn_slot *s;
	int r = conn_tab_room(&w->tab);

	if (r)
		return r;
	for (s = conn_tab_seek(&w->tab, h); s->value; s = conn_tab_next(&w->tab, s)) {
		*ret = w->verdicts.v[s->value - 1];
		if (s->hash == h && same_decision(&(*ret)->egress, &v->egress) &&
		    same_decision(&(*ret)->ingress, &v->ingress))
			return 0;
	}
	kept = conn_keep(w->store, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	*kept = *v;
	*ret = kept;
	r = vw_vec_push(&w->verdicts, *ret, VW_CONN_RANGES_MAX * 2);
	if (!r)
		conn_tab_put(&w->tab, s, h, (uint32_t)w->verdicts.n - 1);
	return r;
}

static uint32_t class_on(const struct conn_duos *d, uint32_t pair, int side)
{
	return side ? d->list.v[pair].a : d->list.v[pair].b;
}

int conn_why(struct conn_why *w, const struct conn_probe *p, const struct vw_verdict *ret[2])
{
	int r = 0;

	for (int s = 0; s < 2 && !r; s++) {
		bool pub = p->pub && p->pub->pub[s];
		/* a packet has an address only: whose it is decides, also where two have it */
		struct vw_end to = pub ? p->pub->behind : (struct vw_end){.addr = p->to->addr};
		struct vw_end from = {.addr = p->from->addr};
		uint32_t pos = pub ? (p->pos & 0xff0000) | p->pub->behind_port : p->pos;
		struct vw_verdict v = {0};

		r = decide(w, s, VW_EGRESS, class_on(&w->e->outs, p->out, s), p->world, p->from,
			   &to, pos, &v.egress);
		if (!r)
			r = decide(w, s, VW_INGRESS, class_on(&w->e->ins, p->in, s), p->world,
				   p->to, &from, p->pos, &v.ingress);
		v.allow = v.egress.allow && v.ingress.allow;
		if (!r)
			r = keep(w, &v, &ret[s]);
	}
	return r;
}
