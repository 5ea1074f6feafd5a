/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy documents as values: release, the set of all documents in force, its order. What a
 * document means is decided elsewhere (selector.c for predicates, verdict.c for connections). */
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "vethwall/cleanup.h"
#include "vethwall/policy.h"

#define FILES_MAX VW_POLICIES_MAX

const char *vw_tier_str(enum vw_tier t)
{
	static const char *const names[] = {"guardrail", "service", "baseline", "default"};

	_Static_assert(VW_ARRAY_SIZE(names) == _VW_TIER_MAX, "a name for each tier");
	return names[t];
}

const char *vw_direction_str(enum vw_direction d)
{
	return d == VW_EGRESS ? "egress" : "ingress";
}

static const char *const entity_names[] = {
	[VW_ENTITY_ANY] = "any",     [VW_ENTITY_HOST] = "host",
	[VW_ENTITY_WORLD] = "world", [VW_ENTITY_CLUSTER] = "cluster",
	[VW_ENTITY_DNS] = "dns",     [VW_ENTITY_METADATA] = "metadata",
};
_Static_assert(VW_ARRAY_SIZE(entity_names) == _VW_ENTITY_MAX, "a name for each entity");

const char *vw_entity_str(enum vw_entity e)
{
	return entity_names[e];
}

int vw_entity_parse(const char *s)
{
	for (int e = 0; e < _VW_ENTITY_MAX; e++)
		if (strcmp(entity_names[e], s) == 0)
			return e;
	return -EINVAL;
}

void vw_selector_done(struct vw_selector *s)
{
	vw_vec_foreach (r, &s->reqs) {
		free(r->key);
		vw_vec_foreach (v, &r->values)
			free(*v);
		vw_vec_done(&r->values);
	}
	vw_vec_done(&s->reqs);
	*s = (struct vw_selector){0};
}

void vw_match_done(struct vw_match *m)
{
	free(m->service);
	free(m->namespace_);
	free(m->project);
	free(m->network);
	free(m->image);
	free(m->image_in);
	free(m->image_not_in);
	vw_selector_done(&m->labels);
	vw_selector_done(&m->namespace_labels);
	*m = (struct vw_match){0};
}

void vw_peer_done(struct vw_peer *p)
{
	vw_match_done(&p->match);
	vw_vec_done(&p->except);
	free(p->fqdn);
	*p = (struct vw_peer){0};
}

void vw_rule_done(struct vw_rule *r)
{
	free(r->name);
	vw_vec_foreach (p, &r->peers)
		vw_peer_done(p);
	vw_vec_done(&r->peers);
	vw_vec_foreach (p, &r->ports)
		free(p->name);
	vw_vec_done(&r->ports);
	*r = (struct vw_rule){0};
}

void vw_policy_done(struct vw_policy *p)
{
	free(p->kind);
	free(p->namespace_);
	free(p->name);
	free(p->description);
	vw_match_done(&p->subject);
	for (int d = 0; d < _VW_DIRECTION_MAX; d++) {
		vw_vec_foreach (r, &p->rules[d])
			vw_rule_done(r);
		vw_vec_done(&p->rules[d]);
	}
	vw_vec_foreach (e, &p->expects) {
		free(e->from);
		free(e->to);
	}
	vw_vec_done(&p->expects);
	*p = (struct vw_policy){0};
}

void vw_policyset_done(struct vw_policyset *s)
{
	vw_vec_foreach (p, &s->list)
		vw_policy_done(p);
	vw_vec_done(&s->list);
	vw_vec_foreach (f, &s->files)
		free(*f);
	vw_vec_done(&s->files);
	vw_vec_done(&s->names);
	s->audit = false;
}

const char *vw_policyset_file(struct vw_policyset *s, const char *file)
{
	_cleanup_free_ char *copy = NULL;
	size_t lo = 0, hi = s->files.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int r = strcmp(s->files.v[mid], file);

		if (r == 0)
			return s->files.v[mid];
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	copy = strdup(file);
	if (!copy || vw_vec_push(&s->files, copy, FILES_MAX) < 0)
		return NULL;
	memmove(s->files.v + lo + 1, s->files.v + lo, (s->files.n - 1 - lo) * sizeof(copy));
	s->files.v[lo] = copy;
	return TAKE_PTR(copy);
}

/* ---- a document's identity: kind, namespace, name ---- */

static int identity_cmp(const struct vw_policy *a, const struct vw_policy *b)
{
	int r = vw_text_cmp(a->name, b->name);

	if (!r)
		r = vw_text_cmp(a->namespace_, b->namespace_);
	return r ? r : vw_text_cmp(a->kind, b->kind);
}

static int names_cmp(const void *a, const void *b, void *list)
{
	const struct vw_policy *v = list;

	return identity_cmp(&v[*(const uint32_t *)a], &v[*(const uint32_t *)b]);
}

/* Brings the index back when the list was changed by others or sorted; room for all is there. */
static void names_rebuild(struct vw_policyset *s)
{
	for (size_t i = 0; i < s->list.n; i++)
		s->names.v[i] = (uint32_t)i;
	s->names.n = s->list.n;
	qsort_r(s->names.v, s->names.n, sizeof(*s->names.v), names_cmp, s->list.v);
}

static int names_reserve(struct vw_policyset *s, size_t n)
{
	uint32_t *v;

	if (n <= s->names.cap)
		return 0;
	v = reallocarray(s->names.v, n * 2, sizeof(*v));
	if (!v)
		return -ENOMEM;
	s->names.v = v;
	s->names.cap = n * 2;
	return 0;
}

/* Index in names of the first document that is not below p. */
static size_t names_pos(const struct vw_policyset *s, const struct vw_policy *p, bool *ret_found)
{
	size_t lo = 0, hi = s->names.n;

	*ret_found = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int r = identity_cmp(&s->list.v[s->names.v[mid]], p);

		if (r == 0)
			*ret_found = true;
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int vw_policyset_add(struct vw_policyset *s, struct vw_policy *p, struct vw_pos *ret_other)
{
	size_t pos;
	bool found;
	int r = names_reserve(s, s->list.n + 1);

	if (r < 0)
		return r;
	if (s->names.n != s->list.n)
		names_rebuild(s);
	pos = names_pos(s, p, &found);
	if (found) {
		if (ret_other)
			*ret_other = s->list.v[s->names.v[pos]].pos;
		return -EEXIST;
	}
	r = vw_vec_push(&s->list, *p, VW_POLICIES_MAX);
	if (r < 0)
		return r;
	memmove(s->names.v + pos + 1, s->names.v + pos, (s->names.n - pos) * sizeof(*s->names.v));
	s->names.v[pos] = (uint32_t)(s->list.n - 1);
	s->names.n++;
	*p = (struct vw_policy){0};
	return 0;
}

static int order_cmp(const void *pa, const void *pb)
{
	const struct vw_policy *a = pa, *b = pb;
	int r;

	if (a->tier != b->tier)
		return a->tier < b->tier ? -1 : 1;
	/* Service policies are a union: a priority would mean nothing there. */
	if (a->tier != VW_TIER_SERVICE && a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	r = vw_text_cmp(a->namespace_, b->namespace_);
	if (!r)
		r = vw_text_cmp(a->kind, b->kind);
	return r ? r : vw_text_cmp(a->name, b->name);
}

void vw_policyset_sort(struct vw_policyset *s)
{
	if (s->list.n > 1)
		qsort(s->list.v, s->list.n, sizeof(*s->list.v), order_cmp);
	/* The next add finds it too short and makes it anew. */
	s->names.n = 0;
}

void vw_policyset_audit(struct vw_policyset *s)
{
	vw_vec_foreach (p, &s->list)
		p->audit = true;
	s->audit = true;
}
