/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A peer's predicate as canonical text, by which the compiler tells equal predicates of different
 * documents: requirements, values and exceptions are sorted and doubles left out; names are quoted,
 * so that no name can look like syntax. Equal texts mean equal predicates; the reverse is not
 * promised. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "vethwall/cleanup.h"
#include "vethwall/policy.h"

struct text {
	char *v;
	size_t n, cap;
};

static int put_bytes(struct text *t, const char *s, size_t n)
{
	if (t->cap - t->n <= n) {
		size_t cap = (t->n + n + 1) * 2;
		char *v = realloc(t->v, cap);

		if (!v)
			return -ENOMEM;
		t->v = v;
		t->cap = cap;
	}
	memcpy(t->v + t->n, s, n);
	t->n += n;
	t->v[t->n] = '\0';
	return 0;
}

static int put(struct text *t, const char *s)
{
	return put_bytes(t, s, strlen(s));
}

static int put_quoted(struct text *t, const char *s)
{
	int r = put(t, "\"");

	for (; !r && *s; s++) {
		if (*s == '"' || *s == '\\')
			r = put(t, "\\");
		if (!r)
			r = put_bytes(t, s, 1);
	}
	return r ? r : put(t, "\"");
}

/* name="value" when there is a value. */
static int put_part(struct text *t, const char *name, const char *value)
{
	int r;

	if (!value)
		return 0;
	r = put(t, name);
	if (!r)
		r = put(t, "=");
	if (!r)
		r = put_quoted(t, value);
	return r ? r : put(t, ";");
}

static int text_ptr_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The strings sorted, without doubles, separated by commas. They are borrowed; v is reordered. */
static int put_sorted(struct text *t, const char **v, size_t n)
{
	int r = 0;

	if (n > 1)
		qsort(v, n, sizeof(*v), text_ptr_cmp);
	for (size_t i = 0; !r && i < n; i++) {
		if (i > 0 && strcmp(v[i - 1], v[i]) == 0)
			continue;
		if (i > 0)
			r = put(t, ",");
		if (!r)
			r = put(t, v[i]);
	}
	return r;
}

static void free_texts(char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

static int put_values(struct text *t, const struct vw_requirement *req)
{
	size_t n = req->values.n, done = 0;
	char **v = calloc(n ? n : 1, sizeof(*v));
	int r = v ? 0 : -ENOMEM;

	for (; !r && done < n; done++) {
		struct text q = {0};

		r = put_quoted(&q, req->values.v[done]);
		v[done] = q.v;
	}
	if (!r)
		r = put_sorted(t, (const char **)v, n);
	if (v)
		free_texts(v, done);
	return r;
}

static int put_requirement(struct text *t, const struct vw_requirement *req)
{
	static const char *const ops[] = {
		[VW_OP_IN] = " in (",
		[VW_OP_NOT_IN] = " notin (",
		[VW_OP_EXISTS] = " exists",
		[VW_OP_NOT_EXISTS] = " absent",
	};
	int r = put_quoted(t, req->key);

	if (!r)
		r = put(t, ops[req->op]);
	if (r < 0 || req->op == VW_OP_EXISTS || req->op == VW_OP_NOT_EXISTS)
		return r;
	r = put_values(t, req);
	return r ? r : put(t, ")");
}

/* A selector without requirements fits everything: as if it were not there. */
static int put_selector(struct text *t, const char *name, const struct vw_selector *s)
{
	size_t n = s->reqs.n, done = 0;
	char **v;
	int r;

	if (n == 0)
		return 0;
	v = calloc(n, sizeof(*v));
	r = v ? put(t, name) : -ENOMEM;
	if (!r)
		r = put(t, "=[");
	for (; !r && done < n; done++) {
		struct text q = {0};

		r = put_requirement(&q, &s->reqs.v[done]);
		v[done] = q.v;
	}
	if (!r)
		r = put_sorted(t, (const char **)v, n);
	if (v)
		free_texts(v, done);
	return r ? r : put(t, "];");
}

static int put_match(struct text *t, const struct vw_match *m)
{
	int r = put(t, "match{");

	if (!r)
		r = put_part(t, "service", m->service);
	if (!r)
		r = put_part(t, "namespace", m->namespace_);
	if (!r)
		r = put_part(t, "project", m->project);
	if (!r)
		r = put_part(t, "network", m->network);
	if (!r)
		r = put_part(t, "image", m->image);
	if (!r)
		r = put_part(t, "image_in", m->image_in);
	if (!r)
		r = put_part(t, "image_not_in", m->image_not_in);
	if (!r && m->has_labels)
		r = put_selector(t, "labels", &m->labels);
	if (!r && m->has_namespace_labels)
		r = put_selector(t, "namespace_labels", &m->namespace_labels);
	return r ? r : put(t, "}");
}

static int prefix_cmp(const void *pa, const void *pb)
{
	const struct vw_prefix *a = pa, *b = pb;
	int r = vw_addr_cmp(&a->addr, &b->addr);

	return r ? r : (a->len > b->len) - (a->len < b->len);
}

static int put_prefix(struct text *t, const struct vw_prefix *p)
{
	char buf[VW_PREFIX_STRLEN];

	return put(t, vw_prefix_str(p, buf));
}

/* Exceptions outside the prefix take nothing away, nor do those inside another. */
static int put_excepts(struct text *t, const struct vw_peer *p)
{
	_cleanup_free_ struct vw_prefix *v = calloc(p->except.n ? p->except.n : 1, sizeof(*v));
	const struct vw_prefix *last = NULL;
	int r = 0;

	if (!v)
		return -ENOMEM;
	if (p->except.n > 0) {
		memcpy(v, p->except.v, p->except.n * sizeof(*v));
		qsort(v, p->except.n, sizeof(*v), prefix_cmp);
	}
	for (size_t i = 0; !r && i < p->except.n; i++) {
		if (!vw_prefix_covers(&p->cidr, &v[i]) && !vw_prefix_covers(&v[i], &p->cidr))
			continue;
		/* Sorted: what covers this one stands before it, and no kept one in between. */
		if (last && vw_prefix_covers(last, &v[i]))
			continue;
		last = &v[i];
		r = put(t, "!");
		if (!r)
			r = put_prefix(t, last);
	}
	return r;
}

static int put_peer(struct text *t, const struct vw_peer *p)
{
	int r = 0;

	switch (p->kind) {
	case VW_PEER_MATCH:
		return put_match(t, &p->match);
	case VW_PEER_CIDR:
		r = put(t, "cidr{");
		if (!r)
			r = put_prefix(t, &p->cidr);
		if (!r)
			r = put_excepts(t, p);
		break;
	case VW_PEER_ENTITY:
		r = put(t, "entity{");
		if (!r)
			r = put(t, vw_entity_str(p->entity));
		break;
	case VW_PEER_FQDN:
		r = put(t, "fqdn{");
		if (!r)
			r = put_quoted(t, p->fqdn);
		break;
	}
	return r ? r : put(t, "}");
}

int vw_peer_key(const struct vw_peer *p, char **buf, size_t *len, size_t *cap)
{
	struct text t = {*buf, *len, *cap};
	int r = put_peer(&t, p);

	/* Storage may have moved even when it then failed; the length tells what counts. */
	*buf = t.v;
	*cap = t.cap;
	if (r < 0) {
		if (t.v && *len < t.cap)
			t.v[*len] = '\0';
		return r;
	}
	*len = t.n;
	return 0;
}
