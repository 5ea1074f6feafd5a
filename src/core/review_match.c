/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a record fits a filter, and what its line must hold for that. Runs for every line of a
 * log: no allocation, no failure. */
#include "core/review_filter.h"

#include <stdio.h>

static bool same(const struct vw_str *s, const struct filter_value *v)
{
	return s->n == v->n && !memcmp(s->s, v->text, s->n);
}

/* The part behind the slash, n 0 without one. */
static struct vw_str tail_of(const struct vw_str *s)
{
	const char *slash = s->n ? memchr(s->s, '/', s->n) : NULL;

	return slash ? (struct vw_str){slash + 1, s->n - (size_t)(slash + 1 - s->s)}
		     : (struct vw_str){"", 0};
}

/* With * for any run of bytes. */
static bool fits(const struct vw_str *s, const struct filter_value *v)
{
	return vw_glob_n(v->text, s->s, s->n);
}

static bool text_fits(const struct vw_str *s, enum vw_compare cmp, const struct filter_value *v)
{
	return s->s && (cmp == VW_GLOB ? fits(s, v) : same(s, v));
}

static bool name_fits(const struct vw_str *s, enum vw_compare cmp, const struct filter_value *v)
{
	struct vw_str tail;

	if (text_fits(s, cmp, v))
		return true;
	if (!s->s || strchr(v->text, '/'))
		return false;
	tail = tail_of(s);
	return tail.n && text_fits(&tail, cmp, v);
}

static bool addr_fits(const struct vw_addr *a, const struct filter_value *v)
{
	return a->family && vw_prefix_has(&v->prefix, a);
}

static bool peer_fits(const struct vw_flow *r, enum vw_compare cmp, const struct filter_value *v)
{
	if (v->prefix.addr.family)
		return addr_fits(r->egress ? &r->t.dst : &r->t.src, v);
	return name_fits(&r->peer, cmp, v) || text_fits(&r->peer_service, cmp, v) ||
	       text_fits(&r->peer_name, cmp, v);
}

static bool ordered(enum vw_compare cmp, bool less, bool equal)
{
	switch (cmp) {
	case VW_LT:
		return less;
	case VW_LE:
		return less || equal;
	case VW_GT:
		return !less && !equal;
	case VW_GE:
		return !less;
	default:
		return equal;
	}
}

static bool number_fits(uint64_t n, enum vw_compare cmp, const struct filter_value *v)
{
	return cmp >= VW_LT ? ordered(cmp, n < v->lo, n == v->lo) : n >= v->lo && n <= v->hi;
}

static bool proto_fits(const struct vw_value *have, const struct vw_flow *r,
		       const struct filter_value *v)
{
	return v->lo == (vw_str_is(&have->text, "ether") ? VW_ETHER : r->t.proto);
}

static bool value_fits(const struct filter_node *n, const struct vw_flow *r,
		       const struct vw_value *have, const struct filter_value *v)
{
	if (have->kind == VW_VALUE_NONE && vw_field_kind(n->field) != VW_KIND_PEER)
		return false;
	switch (vw_field_kind(n->field)) {
	case VW_KIND_TEXT:
		return text_fits(&have->text, n->cmp, v);
	case VW_KIND_NAME:
		return name_fits(&have->text, n->cmp, v);
	case VW_KIND_PEER:
		return peer_fits(r, n->cmp, v);
	case VW_KIND_NUMBER:
		return number_fits(have->number, n->cmp, v);
	case VW_KIND_ADDR:
		return addr_fits(&have->addr, v) ||
		       (n->field == VW_FIELD_IP && addr_fits(&r->t.dst, v));
	case VW_KIND_TIME:
		return ordered(n->cmp, have->time_us < v->time_us, have->time_us == v->time_us);
	default:
		return proto_fits(have, r, v);
	}
}

static bool test(const struct vw_filter *f, const struct filter_node *n, const struct vw_flow *r)
{
	struct vw_value have;

	vw_field_value(n->field, r, &have);
	for (uint32_t i = 0; i < n->n; i++) {
		if (value_fits(n, r, &have, &f->values.v[n->first + i]))
			return n->cmp != VW_NE;
	}
	return n->cmp == VW_NE;
}

static bool ask(const struct vw_filter *f, int node, const struct vw_flow *r)
{
	for (;;) {
		const struct filter_node *n = &f->nodes.v[node];

		if (n->op == NODE_TEST)
			return test(f, n, r);
		if (n->op == NODE_NOT)
			return !ask(f, n->a, r);
		if (ask(f, n->a, r) != (n->op == NODE_AND))
			return n->op == NODE_OR;
		node = n->b;
	}
}

bool vw_filter_match(const struct vw_filter *f, const struct vw_flow *r)
{
	return f->root < 0 || ask(f, f->root, r);
}

/* ---- what a line must hold ---- */

/* A text whose bytes stand in the line as they are, or else escaped with a backslash. */
static bool plain(const struct filter_value *v)
{
	for (size_t i = 0; i < v->n; i++) {
		if ((unsigned char)v->text[i] < 0x20 || v->text[i] == '"' || v->text[i] == '\\')
			return false;
	}
	return v->n > 0;
}

/* How the test's one value is spelt in the log, into buf; 0 when it may be spelt otherwise or is
 * in most lines. */
static size_t spelling(const struct vw_filter *f, const struct filter_node *n, char *buf,
		       size_t size)
{
	const struct filter_value *v = &f->values.v[n->first];
	char addr[VW_ADDR_STRLEN];
	int len = 0;

	if (n->op != NODE_TEST || n->cmp != VW_EQ || n->n != 1)
		return 0;
	switch (vw_field_kind(n->field)) {
	case VW_KIND_TEXT:
	case VW_KIND_NAME:
		if (plain(v) && n->field != VW_FIELD_NAMESPACE &&
		    n->field != VW_FIELD_PEER_NAMESPACE && n->field != VW_FIELD_EVENT_TYPE &&
		    n->field != VW_FIELD_DIRECTION)
			len = snprintf(buf, size, "%s\"", v->text);
		break;
	case VW_KIND_ADDR:
	case VW_KIND_PEER: /* IPv6 has many spellings */
		if (v->prefix.addr.family == 4 && v->prefix.len == 32)
			len = snprintf(buf, size, "%s\"", vw_addr_str(&v->prefix.addr, addr));
		break;
	case VW_KIND_NUMBER:
		if (v->lo == v->hi && v->lo >= 1000 && n->field != VW_FIELD_ETHER_TYPE &&
		    n->field != VW_FIELD_CODE)
			len = snprintf(buf, size, "%llu", (unsigned long long)v->lo);
		break;
	default:
		break;
	}
	return len > 0 && (size_t)len < size ? (size_t)len : 0;
}

const char *vw_filter_needle(struct vw_filter *f, size_t *ret_n)
{
	char buf[sizeof(f->needle)];
	size_t best = 0;

	for (int node = f->root; node >= 0;) {
		const struct filter_node *n = &f->nodes.v[node];
		int leaf = n->op == NODE_AND ? n->a : node;
		size_t len = spelling(f, &f->nodes.v[leaf], buf, sizeof(buf));

		if (len > best) {
			memcpy(f->needle, buf, len + 1);
			best = len;
		}
		node = n->op == NODE_AND ? n->b : -1;
	}
	*ret_n = best;
	return best ? f->needle : NULL;
}
