/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a change of policies does to connections, in lines or tables: each edge with the documents
 * and rules that decide it before and after; many edges as sums by namespace. One walk makes the
 * lines, two writers lay them out. */
#include "cli/connectivity_print.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/put.h"
#include "vethwall/cleanup.h"
#include "vethwall/explain.h"

#define RANGES_TOLD 6 /* of one line; the rest is counted */
#define CAUSE_MAX (4 * VW_POLICY_STRLEN + 512)

/* A line in four columns; texts are as they are, the writer escapes them. */
struct line {
	enum vw_conn_state state;
	const char *from, *to, *what;
	const char *lead, *why; /* "because", and what */
};

struct writer {
	FILE *f;
	bool colour, markdown;
	size_t left; /* lines that may still be written */
	size_t more; /* that were not */
};

static const char *mark_of(enum vw_conn_state s)
{
	return s == VW_CONN_GAINED ? "+" : "-";
}

static void put_text(struct writer *w, const struct line *l)
{
	if (w->colour)
		fputs(l->state == VW_CONN_GAINED ? "\033[32m" : "\033[31m", w->f);
	fprintf(w->f, "%s ", mark_of(l->state));
	vw_put(w->f, l->from);
	fputs(" -> ", w->f);
	vw_put(w->f, l->to);
	fputc(' ', w->f);
	vw_put(w->f, l->what);
	fputs(w->colour ? "\033[0m" : "", w->f);
	if (*l->why) {
		fprintf(w->f, "   %s ", l->lead);
		vw_put(w->f, l->why);
	}
	fputc('\n', w->f);
}

static void put_cell(struct writer *w, const char *s)
{
	fputs(" | ", w->f);
	vw_put_markdown(w->f, s);
}

static void put_line(struct writer *w, const struct line *l)
{
	if (!w->left) {
		w->more++;
		return;
	}
	w->left--;
	if (!w->markdown) {
		put_text(w, l);
		return;
	}
	fprintf(w->f, "| %s", l->state == VW_CONN_GAINED ? "allowed" : "denied");
	put_cell(w, l->from);
	put_cell(w, l->to);
	put_cell(w, l->what);
	put_cell(w, l->why);
	fputs(" |\n", w->f);
}

static void put_more(struct writer *w)
{
	if (w->more)
		fprintf(w->f, "%sand %zu more; --all shows them\n", w->markdown ? "\n" : "  ",
			w->more);
	w->more = 0;
}

/* ---- why ---- */

__attribute__((format(printf, 3, 4))) static void say(char *buf, size_t size, const char *fmt, ...)
{
	size_t used = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + used, size - used, fmt, ap);
	va_end(ap);
}

static void say_place(char *buf, size_t size, const struct vw_pos *pos)
{
	if (pos->file && pos->line)
		say(buf, size, " (%s:%u)", pos->file, pos->line);
}

static void say_decision(char *buf, size_t size, const struct vw_decision *d, enum vw_direction dir)
{
	char policy[VW_POLICY_STRLEN], rule[VW_POLICY_STRLEN];

	if (d->rule) {
		say(buf, size, "%s %s", vw_policy_str(d->policy, policy),
		    vw_rule_str(d->rule, dir, rule));
		say_place(buf, size, &d->rule->pos);
	} else if (d->tier == VW_TIER_SERVICE) {
		say(buf, size, "%s allows nothing of it", vw_policy_str(d->near_policy, policy));
		if (d->near_policy)
			say_place(buf, size, &d->near_policy->pos);
	} else {
		say(buf, size, "%s", d->allow ? "no policy" : "the node's default");
	}
}

static void say_end(char *buf, size_t size, enum vw_direction dir, const struct vw_decision *before,
		    const struct vw_decision *after)
{
	if (before->allow == after->allow)
		return;
	say(buf, size, "%s%s: ", *buf ? "; " : "", vw_direction_str(dir));
	say_decision(buf, size, after, dir);
	say(buf, size, ", before: ");
	say_decision(buf, size, before, dir);
}

/* Each end that changed its mind, with what decides there now and what did. */
static void say_cause(char buf[static CAUSE_MAX], const struct vw_conn_range *r)
{
	buf[0] = '\0';
	say_end(buf, CAUSE_MAX, VW_EGRESS, &r->before->egress, &r->after->egress);
	say_end(buf, CAUSE_MAX, VW_INGRESS, &r->before->ingress, &r->after->ingress);
}

/* ---- edges ---- */

static void say_party(char *buf, size_t size, const struct vw_party *p, uint32_t members,
		      const struct vw_workload *behind)
{
	buf[0] = '\0';
	say(buf, size, "%s", p->name);
	if (p->kind == VW_PARTY_SERVICE && members < p->members)
		say(buf, size, " (%u of %zu)", members, p->members);
	if (behind)
		say(buf, size, " (published by %s/%s)", behind->namespace_, behind->service);
}

/* Told in one line: for the same members, for the same reason. */
static bool alike(const struct vw_conn_range *a, const struct vw_conn_range *b)
{
	char x[CAUSE_MAX], y[CAUSE_MAX];

	if (a->state != b->state || a->from_members != b->from_members ||
	    a->to_members != b->to_members || a->behind != b->behind)
		return false;
	if (a->before == b->before && a->after == b->after)
		return true;
	say_cause(x, a);
	say_cause(y, b);
	return !strcmp(x, y);
}

static void put_ranges(struct writer *w, const struct vw_connectivity *c,
		       const struct vw_conn_edge *e, const struct vw_conn_range *r, size_t n)
{
	char from[2 * VW_POLICY_STRLEN], to[4 * VW_POLICY_STRLEN], why[CAUSE_MAX];
	char what[(RANGES_TOLD + 1) * VW_CONN_RANGE_STRLEN] = "", text[VW_CONN_RANGE_STRLEN];
	const struct line l = {(enum vw_conn_state)r->state, from, to, what, "because", why};

	say_party(from, sizeof(from), &c->parties.v[e->from], r->from_members, NULL);
	say_party(to, sizeof(to), &c->parties.v[e->to], r->to_members, r->behind);
	for (size_t i = 0; i < n && i < RANGES_TOLD; i++)
		say(what, sizeof(what), "%s%s", i ? ", " : "", vw_conn_range_str(&r[i], text));
	if (n > RANGES_TOLD)
		say(what, sizeof(what), " and %zu more", n - RANGES_TOLD);
	say_cause(why, r);
	put_line(w, &l);
}

static void put_edge(struct writer *w, const struct vw_connectivity *c,
		     const struct vw_conn_edge *e)
{
	for (size_t i = 0, j; i < e->ranges.n; i = j) {
		for (j = i + 1; j < e->ranges.n; j++)
			if (!alike(&e->ranges.v[i], &e->ranges.v[j]))
				break;
		if (e->ranges.v[i].state != VW_CONN_KEPT)
			put_ranges(w, c, e, &e->ranges.v[i], j - i);
	}
}

static bool has_state(const struct vw_conn_edge *e, enum vw_conn_state s)
{
	vw_vec_foreach (r, &e->ranges)
		if (r->state == s)
			return true;
	return false;
}

static size_t changed_edges(const struct vw_connectivity *c)
{
	size_t n = 0;

	vw_vec_foreach (e, &c->edges)
		n += has_state(e, VW_CONN_GAINED) || has_state(e, VW_CONN_LOST);
	return n;
}

/* ---- sums ---- */

/* How many edges between two groups have a state, and one of them. */
struct sum {
	enum vw_conn_state state;
	const struct vw_party *from, *to;
	const struct vw_conn_edge *first;
	size_t n;
};
struct sums {
	VW_VEC(struct sum) list;
};

/* Bytes of the name that its group has: the namespace of a service, else all of "host" or "world".
 */
static size_t group_len(const struct vw_party *p)
{
	return strcspn(p->name, p->kind == VW_PARTY_SERVICE ? "/" : " ");
}

static int group_cmp(const struct vw_party *a, const struct vw_party *b)
{
	size_t n = group_len(a), m = group_len(b);
	int r;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == VW_PARTY_OUTSIDE || a->kind == VW_PARTY_NAME)
		return 0; /* addresses and names: one group each */
	r = memcmp(a->name, b->name, n < m ? n : m);
	return r ? r : n < m ? -1 : n > m;
}

static int by_group(const void *pa, const void *pb)
{
	const struct sum *a = pa, *b = pb;
	int r = group_cmp(a->from, b->from);

	if (!r)
		r = group_cmp(a->to, b->to);
	if (!r)
		r = (int)a->state - (int)b->state;
	/* the first edge of a group stands for it */
	return r ? r : (a->first > b->first) - (a->first < b->first);
}

static bool same_group(const struct sum *a, const struct sum *b)
{
	return !group_cmp(a->from, b->from) && !group_cmp(a->to, b->to) && a->state == b->state;
}

static int find_sums(const struct vw_connectivity *c, struct sums *ret)
{
	size_t keep = 0;
	int r = 0;

	vw_vec_foreach (e, &c->edges)
		for (int s = VW_CONN_GAINED; s <= VW_CONN_LOST; s++) {
			struct sum sum = {(enum vw_conn_state)s, &c->parties.v[e->from],
					  &c->parties.v[e->to], e, 1};

			if (!r && has_state(e, sum.state))
				r = vw_vec_push(&ret->list, sum, VW_CONN_EDGES_MAX * 2);
		}
	if (r || !ret->list.n)
		return r;
	qsort(ret->list.v, ret->list.n, sizeof(*ret->list.v), by_group);
	for (size_t i = 1; i < ret->list.n; i++) {
		if (same_group(&ret->list.v[i], &ret->list.v[keep]))
			ret->list.v[keep].n++;
		else
			ret->list.v[++keep] = ret->list.v[i];
	}
	ret->list.n = keep + 1;
	return 0;
}

static void say_group(char *buf, size_t size, const struct vw_party *p)
{
	static const char *const words[] = {"", "", "outside", "names"};

	buf[0] = '\0';
	if (p->kind == VW_PARTY_OUTSIDE || p->kind == VW_PARTY_NAME)
		say(buf, size, "%s", words[p->kind]);
	else
		say(buf, size, "%.*s%s", (int)group_len(p), p->name,
		    p->kind == VW_PARTY_SERVICE ? "/*" : "");
}

static void put_sum(struct writer *w, const struct vw_connectivity *c, const struct sum *s)
{
	char from[VW_POLICY_STRLEN], to[VW_POLICY_STRLEN], what[64], text[VW_CONN_RANGE_STRLEN];
	char why[3 * VW_POLICY_STRLEN] = "";
	const struct line l = {s->state, from, to, what, "such as", why};

	say_group(from, sizeof(from), s->from);
	say_group(to, sizeof(to), s->to);
	snprintf(what, sizeof(what), "%zu pair%s", s->n, s->n == 1 ? "" : "s");
	vw_vec_foreach (r, &s->first->ranges)
		if (r->state == s->state && !*why)
			say(why, sizeof(why), "%s -> %s %s", c->parties.v[s->first->from].name,
			    c->parties.v[s->first->to].name, vw_conn_range_str(r, text));
	put_line(w, &l);
}

static void put_sums(struct writer *w, const struct vw_connectivity *c)
{
	struct sums sums = {0};

	if (find_sums(c, &sums) < 0)
		fputs("out of memory\n", w->f);
	vw_vec_foreach (s, &sums.list)
		put_sum(w, c, s);
	vw_vec_done(&sums.list);
	put_more(w);
	fprintf(w->f, "%s%zu pairs in all, by namespace; --all shows each\n",
		w->markdown ? "\n" : "  ", changed_edges(c));
}

static void put_edges(struct writer *w, const struct vw_connectivity *c, bool all)
{
	if (!vw_connectivity_differs(c))
		return;
	if (w->markdown)
		fputs("| | from | to | what | because |\n| --- | --- | --- | --- | --- |\n", w->f);
	w->left = all ? SIZE_MAX : VW_CONN_LINES_MAX;
	if (!all && changed_edges(c) > VW_CONN_LINES_MAX) {
		put_sums(w, c);
	} else {
		vw_vec_foreach (e, &c->edges)
			put_edge(w, c, e);
		put_more(w);
	}
	if (c->cut_short)
		fprintf(w->f, "%sA bound was reached: there is more than this.\n",
			w->markdown ? "\n" : "  ");
}

/* ---- documents and isolation ---- */

/* A sentence of a list. */
static bool begin_item(struct writer *w)
{
	if (!w->left) {
		w->more++;
		return false;
	}
	w->left--;
	fputs(w->markdown ? "- " : "  ", w->f);
	return true;
}

static void put_item(struct writer *w, const char *text)
{
	if (w->markdown)
		vw_put_markdown(w->f, text);
	else
		vw_put(w->f, text);
	fputc('\n', w->f);
}

static void put_policies(struct writer *w, const struct vw_connectivity *c, bool all)
{
	static const char *const words[] = {
		[VW_POLICY_ADDED] = "new policy",
		[VW_POLICY_REMOVED] = "policy removed",
		[VW_POLICY_CHANGED] = "policy changed",
	};

	w->left = all ? SIZE_MAX : VW_CONN_LINES_MAX;
	vw_vec_foreach (p, &c->policies) {
		const struct vw_policy *doc = p->after ? p->after : p->before;
		char policy[VW_POLICY_STRLEN], text[CAUSE_MAX] = "";

		if (!begin_item(w))
			continue;
		say(text, sizeof(text), "%s: %s %s", words[p->what], doc->kind,
		    vw_policy_str(doc, policy));
		say_place(text, sizeof(text), &doc->pos);
		if (p->before && p->after && p->before->audit != p->after->audit)
			say(text, sizeof(text), ", %s",
			    doc->audit ? "only watches now" : "enforced now");
		else if (p->after && doc->audit)
			say(text, sizeof(text), ", only watches");
		put_item(w, text);
	}
	put_more(w);
}

static int by_subject(const void *pa, const void *pb)
{
	const struct vw_isolation_change *a = pa, *b = pb;
	int r = strcmp(a->workload->namespace_, b->workload->namespace_);

	if (!r)
		r = strcmp(a->workload->service, b->workload->service);
	if (!r)
		r = (int)a->dir - (int)b->dir;
	return r ? r : (int)a->isolated - (int)b->isolated;
}

/* By service: replicas in one line. */
static void put_isolation(struct writer *w, const struct vw_connectivity *c, bool all)
{
	size_t n = c->isolation.n;
	_cleanup_free_ struct vw_isolation_change *v = calloc(n + 1, sizeof(*v));

	if (!v) {
		fputs("out of memory\n", w->f);
		return;
	}
	for (size_t i = 0; i < n; i++)
		v[i] = c->isolation.v[i];
	qsort(v, n, sizeof(*v), by_subject);
	w->left = all ? SIZE_MAX : VW_CONN_LINES_MAX;
	for (size_t i = 0, j; i < n; i = j) {
		char text[CAUSE_MAX] = "";

		for (j = i + 1; j < n && !by_subject(&v[i], &v[j]);)
			j++;
		if (!begin_item(w))
			continue;
		say(text, sizeof(text), "%s: %s of %s/%s",
		    v[i].isolated ? "isolated now" : "not isolated any more",
		    vw_direction_str(v[i].dir), v[i].workload->namespace_, v[i].workload->service);
		if (j - i > 1)
			say(text, sizeof(text), " (%zu workloads)", j - i);
		put_item(w, text);
	}
	put_more(w);
}

static void print(struct writer *w, const struct vw_connectivity *c, bool all)
{
	put_edges(w, c, all);
	if (w->markdown && vw_connectivity_differs(c) && (c->policies.n || c->isolation.n))
		fputc('\n', w->f);
	put_policies(w, c, all);
	put_isolation(w, c, all);
}

void vw_connectivity_text(const struct vw_connectivity *c, bool colour, bool all, FILE *f)
{
	struct writer w = {.f = f, .colour = colour};

	print(&w, c, all);
}

void vw_connectivity_markdown(const struct vw_connectivity *c, bool all, FILE *f)
{
	struct writer w = {.f = f, .markdown = true};

	print(&w, c, all);
}
