/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which documents say something else, and which workloads become isolated. Documents are compared
 * by a canonical text of what they decide: order where it decides nothing, doubles, ports written
 * in pieces, descriptions and expectations do not count. */
#include <stdio.h>

#include "core/conn.h"
#include "text.h"
#include "vethwall/cleanup.h"

/* ---- texts ---- */

struct texts {
	VW_VEC(char *) list;
};

static void texts_done(struct texts *t)
{
	vw_vec_foreach (s, &t->list)
		free(*s);
	vw_vec_done(&t->list);
}

/* Takes s over. */
static int texts_add(struct texts *t, char *s)
{
	int r = s ? vw_vec_push(&t->list, s, CONN_MAX) : -ENOMEM;

	if (r)
		free(s);
	return r;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each with its length, so that none can look like two. */
static void texts_print(FILE *f, struct texts *t, bool sort)
{
	if (sort && t->list.n)
		qsort(t->list.v, t->list.n, sizeof(*t->list.v), by_text);
	for (size_t i = 0; i < t->list.n; i++)
		if (!sort || !i || strcmp(t->list.v[i], t->list.v[i - 1]))
			fprintf(f, "%zu:%s ", strlen(t->list.v[i]), t->list.v[i]);
}

/* Closes the stream; *s is its text, freed on failure. */
static int finish(FILE *f, char **s, int r)
{
	bool bad = ferror(f);

	if (fclose(f) || bad)
		r = r ? r : -ENOMEM;
	if (r) {
		free(*s);
		*s = NULL;
	}
	return r;
}

/* ---- a document as text ---- */

static int by_port(const void *pa, const void *pb)
{
	const struct vw_port *a = pa, *b = pb;
	int r = vw_text_cmp(a->name, b->name);

	if (r || a->any_proto != b->any_proto)
		return r ? r : a->any_proto - b->any_proto;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	return a->lo < b->lo ? -1 : a->lo > b->lo;
}

/* Numbers first, ranges that touch as one. */
static int ports_print(FILE *f, const struct vw_rule *r)
{
	_cleanup_free_ struct vw_port *v = calloc(r->ports.n + 1, sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < r->ports.n; i++)
		v[i] = r->ports.v[i];
	qsort(v, r->ports.n, sizeof(*v), by_port);
	for (size_t i = 0; i < r->ports.n; i++) {
		struct vw_port *last = n ? &v[n - 1] : NULL;

		if (last && !last->name && !v[i].name && !last->any_proto && !v[i].any_proto &&
		    last->proto == v[i].proto && v[i].lo <= last->hi + 1u) {
			if (v[i].hi > last->hi)
				last->hi = v[i].hi;
			continue;
		}
		v[n++] = v[i];
	}
	for (size_t i = 0; i < n; i++) {
		if (v[i].any_proto)
			fprintf(f, "any ");
		else if (v[i].name)
			fprintf(f, "%u=%zu:%s ", v[i].proto, strlen(v[i].name), v[i].name);
		else
			fprintf(f, "%u/%u-%u ", v[i].proto, v[i].lo, v[i].hi);
	}
	return 0;
}

static int peer_text(const struct vw_peer *p, char **ret)
{
	size_t len = 0, cap = 0;
	char *s = NULL;
	int r = vw_peer_key(p, &s, &len, &cap);

	if (r)
		free(s);
	else
		*ret = s;
	return r;
}

static int rule_text(const struct vw_rule *rule, char **ret)
{
	struct texts peers = {0};
	size_t n;
	char *s = NULL;
	FILE *f = open_memstream(&s, &n);
	int r = f ? 0 : -ENOMEM;

	if (r)
		return r;
	fprintf(f, "%d name %s peers %s ", rule->action, rule->name ? rule->name : "-",
		rule->any_peer ? "any" : "");
	vw_vec_foreach (p, &rule->peers) {
		char *key = NULL;

		if (!r)
			r = peer_text(p, &key);
		if (!r)
			r = texts_add(&peers, key);
	}
	texts_print(f, &peers, true);
	texts_done(&peers);
	fprintf(f, "ports %s ", rule->any_port ? "any" : "");
	if (!r)
		r = ports_print(f, rule);
	r = finish(f, &s, r);
	if (!r)
		*ret = s;
	return r;
}

/* Rules of service policies only allow, so their order decides nothing. */
static int rules_print(FILE *f, const struct vw_policy *p, int dir)
{
	struct texts rules = {0};
	int r = 0;

	fprintf(f, "%s %d ", dir == VW_EGRESS ? "egress" : "ingress", p->applies[dir]);
	vw_vec_foreach (rule, &p->rules[dir]) {
		char *text = NULL;

		if (!r)
			r = rule_text(rule, &text);
		if (!r)
			r = texts_add(&rules, text);
	}
	texts_print(f, &rules, p->tier == VW_TIER_SERVICE);
	texts_done(&rules);
	return r;
}

static int policy_text(const struct vw_policy *p, char **ret)
{
	const struct vw_peer subject = {.kind = VW_PEER_MATCH, .match = p->subject};
	_cleanup_free_ char *key = NULL;
	size_t n;
	char *s = NULL;
	FILE *f = open_memstream(&s, &n);
	int r = f ? peer_text(&subject, &key) : -ENOMEM;

	if (!f)
		return r;
	fprintf(f, "%d %d %d %d %s ", p->tier, p->tier == VW_TIER_SERVICE ? 0 : p->priority,
		p->audit, p->log, key ? key : "");
	for (int dir = 0; dir < _VW_DIRECTION_MAX && !r; dir++)
		r = rules_print(f, p, dir);
	r = finish(f, &s, r);
	if (!r)
		*ret = s;
	return r;
}

static int differ(const struct vw_policy *a, const struct vw_policy *b, bool *ret)
{
	_cleanup_free_ char *ta = NULL, *tb = NULL;
	int r = policy_text(a, &ta);

	if (!r)
		r = policy_text(b, &tb);
	if (!r)
		*ret = strcmp(ta, tb) != 0;
	return r;
}

/* ---- two sets ---- */

struct index {
	VW_VEC(const struct vw_policy *) list;
};

static int identity_cmp(const struct vw_policy *a, const struct vw_policy *b)
{
	int r = vw_text_cmp(a->namespace_, b->namespace_);

	if (!r)
		r = vw_text_cmp(a->name, b->name);
	return r ? r : vw_text_cmp(a->kind, b->kind);
}

static int by_identity(const void *a, const void *b)
{
	return identity_cmp(*(const struct vw_policy *const *)a,
			    *(const struct vw_policy *const *)b);
}

static int index_set(const struct vw_policyset *set, struct index *ret)
{
	int r = 0;

	vw_vec_foreach (p, &set->list)
		if (!r)
			r = vw_vec_push(&ret->list, (const struct vw_policy *)p, VW_POLICIES_MAX);
	if (!r && ret->list.n)
		qsort(ret->list.v, ret->list.n, sizeof(*ret->list.v), by_identity);
	return r;
}

static int put_change(struct vw_connectivity *c, enum vw_policy_what what,
		      const struct vw_policy *before, const struct vw_policy *after)
{
	struct vw_policy_change change = {.what = what, .before = before, .after = after};

	return vw_vec_push(&c->policies, change, VW_POLICIES_MAX * 2);
}

static int merge(const struct index *a, const struct index *b, struct vw_connectivity *ret)
{
	size_t i = 0, j = 0;
	int r = 0;

	while ((i < a->list.n || j < b->list.n) && !r) {
		const struct vw_policy *before = i < a->list.n ? a->list.v[i] : NULL;
		const struct vw_policy *after = j < b->list.n ? b->list.v[j] : NULL;
		int c = !before ? 1 : !after ? -1 : identity_cmp(before, after);
		bool changed = false;

		if (c < 0)
			r = put_change(ret, VW_POLICY_REMOVED, before, NULL);
		else if (c > 0)
			r = put_change(ret, VW_POLICY_ADDED, NULL, after);
		else
			r = differ(before, after, &changed);
		if (changed && !r)
			r = put_change(ret, VW_POLICY_CHANGED, before, after);
		i += c <= 0;
		j += c >= 0;
	}
	return r;
}

int conn_policies(const struct vw_policyset *before, const struct vw_policyset *after,
		  struct vw_connectivity *ret)
{
	struct index a = {0}, b = {0};
	int r = index_set(before, &a);

	if (!r)
		r = index_set(after, &b);
	if (!r)
		r = merge(&a, &b, ret);
	vw_vec_done(&a.list);
	vw_vec_done(&b.list);
	return r;
}

/* ---- isolation ---- */

struct isolation {
	const struct vw_policyset *set;
	const struct vw_world *world;
	const struct vw_workload *w;
	struct match_index index;
};

static int index_isolating(struct isolation *s, int dir)
{
	int r = 0;

	for (uint32_t i = 0; i < s->set->list.n && !r; i++) {
		const struct vw_policy *p = &s->set->list.v[i];

		if (p->tier == VW_TIER_SERVICE && p->applies[dir] && !p->audit)
			r = match_index_add(&s->index, &p->subject, i);
	}
	match_index_sort(&s->index);
	return r;
}

static int try_policy(uint32_t i, void *arg)
{
	const struct isolation *s = arg;

	return vw_match_matches(&s->set->list.v[i].subject, s->world, s->w, NULL);
}

static bool is_isolated(struct isolation *s, const struct vw_workload *w)
{
	s->w = w;
	return match_index_each(&s->index, w, try_policy, s);
}

int conn_isolation(const struct vw_policyset *before, const struct vw_policyset *after,
		   const struct vw_world *world, struct vw_connectivity *ret)
{
	int r = 0;

	for (int dir = 0; dir < _VW_DIRECTION_MAX && !r; dir++) {
		struct isolation a = {.set = before, .world = world};
		struct isolation b = {.set = after, .world = world};

		r = index_isolating(&a, dir);
		if (!r)
			r = index_isolating(&b, dir);
		vw_vec_foreach (w, &world->workloads) {
			bool now = !r && is_isolated(&b, w);

			if (!r && now != is_isolated(&a, w))
				r = vw_vec_push(&ret->isolation,
						((struct vw_isolation_change){
							w, (enum vw_direction)dir, now}),
						VW_WORKLOADS_MAX * 2);
		}
		vw_vec_done(&a.index.list);
		vw_vec_done(&b.index.list);
	}
	return r;
}
