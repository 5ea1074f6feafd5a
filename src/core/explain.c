/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions asked often of one world and one set of policies. What is judged is the reference
 * verdict, unchanged; only the policies that cannot matter to an end are left out beforehand: those
 * whose subject is not that workload. Workloads that the same policies select (replicas) share one
 * view. */
#include "vethwall/explain.h"

#include <stdarg.h>
#include <stdio.h>

#include "ends.h"
#include "vethwall/cleanup.h"
#include "vethwall/ruleset.h"

/* The policies that select a workload, in the order of the whole set. The list holds shallow
 * copies. */
struct view {
	uint64_t hash; /* of the policies' indices */
	struct vw_policyset set;
};

struct vw_explainer {
	const struct vw_policyset *set;
	const struct vw_world *world;
	bool default_deny;
	struct vw_ends ends;
	VW_VEC(struct view *) views;
	struct view **of; /* by workload's index; NULL: not asked yet */
};

static void view_free(struct view **v)
{
	if (*v)
		vw_vec_done(&(*v)->set.list); /* the policies belong to the whole set */
	free(*v);
	*v = NULL;
}

void vw_explainer_free(struct vw_explainer **e)
{
	struct vw_explainer *x = *e;

	if (!x)
		return;
	vw_vec_foreach (v, &x->views)
		view_free(v);
	vw_vec_done(&x->views);
	vw_ends_done(&x->ends);
	free(x->of);
	free(x);
	*e = NULL;
}

int vw_explainer_new(const struct vw_policyset *set, const struct vw_world *world,
		     bool default_deny, struct vw_explainer **ret)
{
	_cleanup_(vw_explainer_free) struct vw_explainer *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->set = set;
	e->world = world;
	e->default_deny = default_deny;
	e->of = calloc(world->workloads.n ? world->workloads.n : 1, sizeof(*e->of));
	r = e->of ? vw_ends_init(&e->ends, world) : -ENOMEM;
	if (r)
		return r;
	*ret = TAKE_PTR(e);
	return 0;
}

static int make_view(const struct vw_explainer *e, const struct vw_workload *w, struct view *v)
{
	v->set.audit = e->set->audit;
	for (size_t i = 0; i < e->set->list.n; i++) {
		const struct vw_policy *p = &e->set->list.v[i];
		int r;

		/* Without an interface: whatever selects any interface of it stays. */
		if (!vw_match_matches(&p->subject, e->world, w, NULL))
			continue;
		v->hash = vw_hash(&i, sizeof(i), v->hash);
		r = vw_vec_push(&v->set.list, *p, VW_POLICIES_MAX);
		if (r)
			return r;
	}
	return 0;
}

static bool same_view(const struct view *a, const struct view *b)
{
	if (a->hash != b->hash || a->set.list.n != b->set.list.n)
		return false;
	for (size_t i = 0; i < a->set.list.n; i++)
		if (a->set.list.v[i].name != b->set.list.v[i].name)
			return false;
	return true;
}

static const struct view *shared_view(struct vw_explainer *e, struct view **made)
{
	vw_vec_foreach (v, &e->views)
		if (same_view(*v, *made))
			return *v;
	if (vw_vec_push(&e->views, *made, VW_WORKLOADS_MAX))
		return NULL;
	return TAKE_PTR(*made);
}

/* NULL without memory. */
static const struct view *view_of(struct vw_explainer *e, const struct vw_workload *w)
{
	size_t i = (size_t)(w - e->world->workloads.v);
	_cleanup_(view_free) struct view *v = NULL;

	if (e->of[i])
		return e->of[i];
	v = calloc(1, sizeof(*v));
	if (!v || make_view(e, w, v))
		return NULL;
	e->of[i] = (struct view *)shared_view(e, &v);
	return e->of[i];
}

static int decide(struct vw_explainer *e, enum vw_direction dir, const struct vw_probe *p,
		  struct vw_decision *ret)
{
	const struct vw_end *self = dir == VW_EGRESS ? &p->from : &p->to;
	const struct vw_end *peer = dir == VW_EGRESS ? &p->to : &p->from;
	const struct view *v;

	if (!self->workload) {
		*ret = (struct vw_decision){.allow = true, .tier = VW_TIER_DEFAULT};
		return 0;
	}
	v = view_of(e, self->workload);
	if (!v)
		return -ENOMEM;
	vw_decide(&v->set, e->world, e->default_deny, dir, self, peer, p->proto, p->port, ret);
	return 0;
}

int vw_explainer_ask(struct vw_explainer *e, const struct vw_question *q, struct vw_answer *ret,
		     char why[static VW_WHY_MAX])
{
	struct vw_answer a = {0};
	int r = vw_ends_choose(&e->ends, q, &a.probe, why);

	if (!r)
		r = decide(e, VW_EGRESS, &a.probe, &a.verdict.egress);
	if (!r)
		r = decide(e, VW_INGRESS, &a.probe, &a.verdict.ingress);
	if (r == -ENOMEM)
		snprintf(why, VW_WHY_MAX, "out of memory");
	if (r)
		return r;
	a.verdict.allow = a.verdict.egress.allow && a.verdict.ingress.allow;
	*ret = a;
	return 0;
}

/* ---- words ---- */

const char *vw_policy_str(const struct vw_policy *p, char buf[static VW_POLICY_STRLEN])
{
	if (!p)
		return "default";
	if (!p->namespace_)
		return p->name;
	snprintf(buf, VW_POLICY_STRLEN, "%s/%s", p->namespace_, p->name);
	return buf;
}

const char *vw_rule_str(const struct vw_rule *r, enum vw_direction dir,
			char buf[static VW_POLICY_STRLEN])
{
	if (!r)
		return "default";
	if (r->name)
		return r->name;
	snprintf(buf, VW_POLICY_STRLEN, "%s[%u]", vw_direction_str(dir), r->index);
	return buf;
}

struct words {
	char *buf;
	size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void say(struct words *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(w->buf + w->used, w->size - w->used, fmt, ap);
	va_end(ap);
	if (n > 0)
		w->used += (size_t)n < w->size - w->used ? (size_t)n : w->size - w->used - 1;
}

static void say_selector(struct words *w, const char *what, const struct vw_selector *s)
{
	static const char *const ops[] = {
		[VW_OP_IN] = " in",
		[VW_OP_NOT_IN] = " not in",
		[VW_OP_EXISTS] = "",
		[VW_OP_NOT_EXISTS] = "",
	};

	say(w, "%s%s", w->used ? ", " : "", what);
	if (!s->reqs.n)
		say(w, " any");
	vw_vec_foreach (r, &s->reqs) {
		say(w, "%s%s%s", r == s->reqs.v ? " " : ", ",
		    r->op == VW_OP_NOT_EXISTS ? "no " : "", r->key);
		if (r->op == VW_OP_IN && r->values.n == 1) {
			say(w, "=%s", r->values.v[0]);
			continue;
		}
		say(w, "%s", ops[r->op]);
		vw_vec_foreach (v, &r->values)
			say(w, "%s%s", v == r->values.v ? " " : "|", *v);
	}
}

static void say_match(struct words *w, const struct vw_match *m)
{
	const struct {
		const char *what, *value;
	} parts[] = {
		{"service", m->service},
		{"namespace", m->namespace_},
		{"project", m->project},
		{"network", m->network},
		{"image", m->image},
		{"image in", m->image_in},
		{"image not in", m->image_not_in},
	};

	for (size_t i = 0; i < VW_ARRAY_SIZE(parts); i++)
		if (parts[i].value)
			say(w, "%s%s %s", w->used ? ", " : "", parts[i].what, parts[i].value);
	if (m->has_labels)
		say_selector(w, "labels", &m->labels);
	if (m->has_namespace_labels)
		say_selector(w, "namespace labels", &m->namespace_labels);
	if (!w->used)
		say(w, "any workload");
}

void vw_peer_str(const struct vw_peer *p, char *buf, size_t size)
{
	struct words w = {buf, size, 0};
	char text[VW_PREFIX_STRLEN];

	buf[0] = '\0';
	switch (p->kind) {
	case VW_PEER_MATCH:
		say_match(&w, &p->match);
		break;
	case VW_PEER_CIDR:
		say(&w, "%s", vw_prefix_str(&p->cidr, text));
		vw_vec_foreach (e, &p->except)
			say(&w, "%s%s", e == p->except.v ? " except " : ", ",
			    vw_prefix_str(e, text));
		break;
	case VW_PEER_ENTITY:
		say(&w, "%s", vw_entity_str(p->entity));
		break;
	case VW_PEER_FQDN:
		say(&w, "fqdn %s", p->fqdn);
		break;
	}
}
