/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filter expressions and options to a tree. What a value may be is checked here, once, with the
 * place where it stands; asking the tree cannot fail. Knows no record. */
#include "core/review_filter.h"

#include <stdio.h>

#include "vethwall/cleanup.h"

#define FILTER_FILE "filter"

struct parser {
	const char *text, *p;
	const char *at; /* where the token began that was read last */
	unsigned depth;
	const struct vw_filter_times *times;
	struct vw_filter *f;
	struct vw_diag *d;
};

/* ---- building ---- */

int vw_filter_new(struct vw_filter **ret)
{
	struct vw_filter *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->root = -1;
	*ret = f;
	return 0;
}

void vw_filter_free(struct vw_filter **fp)
{
	struct vw_filter *f = *fp;

	if (!f)
		return;
	vw_vec_foreach (v, &f->values)
		free(v->text);
	vw_vec_done(&f->values);
	vw_vec_done(&f->nodes);
	free(f);
	*fp = NULL;
}

/* The new node's number, or -ENOSPC, -ENOMEM. */
static int add_node(struct vw_filter *f, const struct filter_node *n)
{
	int r = vw_vec_push(&f->nodes, *n, VW_FILTER_NODES_MAX);

	return r ? r : (int)f->nodes.n - 1;
}

static int add_pair(struct vw_filter *f, int op, int a, int b)
{
	return add_node(f, &(struct filter_node){.op = op, .a = a, .b = b});
}

int vw_filter_and(struct vw_filter *f, struct vw_filter **otherp)
{
	struct vw_filter *o = *otherp;
	int nodes = (int)f->nodes.n, values = (int)f->values.n, both;

	if (o->root < 0) {
		vw_filter_free(otherp);
		return 0;
	}
	vw_vec_foreach (v, &o->values) {
		int r = vw_vec_push(&f->values, *v, VW_FILTER_VALUES_MAX);

		if (r)
			return r;
		v->text = NULL;
	}
	vw_vec_foreach (n, &o->nodes) {
		struct filter_node copy = *n;
		int r;

		copy.a += nodes;
		copy.b += nodes;
		copy.first += (uint32_t)values;
		r = add_node(f, &copy);
		if (r < 0)
			return r;
	}
	both = f->root < 0 ? o->root + nodes : add_pair(f, NODE_AND, o->root + nodes, f->root);
	if (both < 0)
		return both;
	f->root = both;
	vw_filter_free(otherp);
	return 0;
}

/* ---- values ---- */

static const char *one_of(const char *const *words, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(words[i], s))
			return NULL;
	}
	return n == 2 ? "ingress or egress" : "denied, audited, allowed, overflow or held";
}

/* What a text of that field can only be, when s is something else. */
static const char *wrong_text(enum vw_field field, const char *s)
{
	const char *words[_VW_FLOW_EVENT_MAX];
	static const char *const directions[] = {"ingress", "egress"};

	for (int e = 0; e < _VW_FLOW_EVENT_MAX; e++)
		words[e] = vw_flow_event_str((enum vw_flow_event)e);
	if (field == VW_FIELD_EVENT_TYPE)
		return one_of(words, _VW_FLOW_EVENT_MAX, s);
	return field == VW_FIELD_DIRECTION ? one_of(directions, 2, s) : NULL;
}

static uint64_t number_max(enum vw_field f)
{
	switch (f) {
	case VW_FIELD_SRC_PORT:
	case VW_FIELD_DEST_PORT:
	case VW_FIELD_ETHER_TYPE:
		return 65535;
	case VW_FIELD_ICMP_TYPE:
	case VW_FIELD_ICMP_CODE:
		return 255;
	default:
		return UINT64_MAX;
	}
}

static bool read_number(const char **s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	const char *p = *s;

	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned d = (unsigned)(*p - '0');

		if (d > max || v > (max - d) / 10)
			return false;
		v = v * 10 + d;
	}
	if (p == *s)
		return false;
	*s = p;
	*ret = v;
	return true;
}

/* "n", or "lo-hi" where that makes sense. */
static const char *take_number(enum vw_field field, enum vw_compare cmp, struct filter_value *v)
{
	uint64_t max = number_max(field);
	const char *s = v->text;
	bool good = read_number(&s, max, &v->lo);

	v->hi = v->lo;
	if (good && *s == '-' && (cmp == VW_EQ || cmp == VW_NE)) {
		s++;
		good = read_number(&s, max, &v->hi) && v->lo <= v->hi;
	}
	if (good && !*s)
		return NULL;
	return max == 65535 ? "a number up to 65535, or a range lo-hi"
	       : max == 255 ? "a number up to 255, or a range lo-hi"
			    : "a number, or a range lo-hi";
}

static bool take_prefix(struct filter_value *v)
{
	struct vw_prefix p = {0};

	if (!vw_addr_parse(v->text, &p.addr))
		p.len = p.addr.family == 4 ? 32 : 128;
	else if (vw_prefix_parse(v->text, true, &p))
		return false;
	v->prefix = p;
	return true;
}

static const char *take_proto(struct filter_value *v)
{
	int p = strcmp(v->text, "ether") ? vw_proto_parse(v->text) : VW_ETHER;

	v->lo = (uint64_t)p;
	return p < 0 ? "a protocol: tcp, udp, icmp, icmpv6, ether, ... or a number up to 255"
		     : NULL;
}

static const char *take_time(const struct vw_filter_times *t, struct filter_value *v)
{
	int r = t && t->read ? t->read(v->text, t->now_us, &v->time_us)
			     : vw_time_parse(v->text, v->n, &v->time_us);

	return r ? "a time" : NULL;
}

/* NULL, or what the value should have been. */
static const char *take_value(enum vw_field field, enum vw_compare cmp,
			      const struct vw_filter_times *times, struct filter_value *v)
{
	if (cmp == VW_GLOB)
		return NULL;
	switch (vw_field_kind(field)) {
	case VW_KIND_NUMBER:
		return take_number(field, cmp, v);
	case VW_KIND_ADDR:
		return take_prefix(v) ? NULL : "an address or a CIDR";
	case VW_KIND_TIME:
		return take_time(times, v);
	case VW_KIND_PROTO:
		return take_proto(v);
	case VW_KIND_PEER:
		take_prefix(v);
		return NULL;
	default:
		return wrong_text(field, v->text);
	}
}

/* Which comparisons make sense for the kind: NULL, or what to say. */
static const char *wrong_compare(enum vw_field field, enum vw_compare cmp)
{
	enum vw_field_kind k = vw_field_kind(field);
	bool order = k == VW_KIND_NUMBER || k == VW_KIND_TIME;

	if (cmp >= VW_LT && !order)
		return "is no number and no time: compare with =, !=, ~ or in";
	if (cmp == VW_GLOB && (order || k == VW_KIND_ADDR || k == VW_KIND_PROTO))
		return "is no text: ~ does not fit";
	return NULL;
}

/* Takes text over. */
static int push_value(struct vw_filter *f, const struct filter_value *v)
{
	int r = vw_vec_push(&f->values, *v, VW_FILTER_VALUES_MAX);

	if (r)
		free(v->text);
	return r;
}

static int add_value(struct vw_filter *f, enum vw_field field, enum vw_compare cmp,
		     const struct vw_filter_times *times, const char *s, size_t n,
		     const char **ret_why)
{
	struct filter_value v = {.text = strndup(s, n), .n = n};

	*ret_why = NULL;
	if (!v.text)
		return -ENOMEM;
	if (strlen(v.text) == n)
		*ret_why = take_value(field, cmp, times, &v);
	else
		*ret_why = "a text without NUL";
	if (*ret_why) {
		free(v.text);
		return -EINVAL;
	}
	return push_value(f, &v);
}

/* ---- options ---- */

int vw_filter_require(struct vw_filter *f, enum vw_field field, enum vw_compare cmp,
		      const char *values, const struct vw_filter_times *times, struct vw_diag *d)
{
	struct filter_node n = {
		.op = NODE_TEST, .field = field, .cmp = cmp, .first = (uint32_t)f->values.n};
	const char *why, *p = values;
	int r, node;

	for (;; p++) {
		size_t len = strcspn(p, ",");

		r = add_value(f, field, cmp, times, p, len, &why);
		if (why)
			vw_error(d, NULL, "%s: \"%.*s\" is not %s", vw_field_str(field),
				 (int)(len < 100 ? len : 100), p, why);
		if (r)
			return r;
		n.n++;
		p += len;
		if (!*p)
			break;
	}
	node = add_node(f, &n);
	if (node >= 0 && f->root >= 0)
		node = add_pair(f, NODE_AND, node, f->root);
	if (node < 0)
		return node;
	f->root = node;
	return 0;
}

/* ---- expressions ---- */

/* Characters before p, from 1: what a reader counts, not bytes. */
static unsigned column(const struct parser *s, const char *p)
{
	unsigned col = 1;

	for (const char *c = s->text; c < p; c++)
		col += ((unsigned char)*c & 0xc0) != 0x80;
	return col;
}

static int fail(struct parser *s, const char *at, const char *what, const char *of, size_t n)
{
	struct vw_pos pos = {FILTER_FILE, 1, column(s, at)};

	if (of)
		vw_error(s->d, &pos, "\"%.*s\" %s", (int)(n < 100 ? n : 100), of, what);
	else
		vw_error(s->d, &pos, "%s", what);
	return -EINVAL;
}

static int too_long(struct parser *s, int r)
{
	if (r == -ENOSPC)
		return fail(s, s->p, "the expression has too many parts", NULL, 0);
	return r;
}

static void skip_blanks(struct parser *s)
{
	while (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')
		s->p++;
	s->at = s->p;
}

/* Length of the word here. */
static size_t word(const struct parser *s)
{
	return strcspn(s->p, " \t\r\n()=!~<>,\"'");
}

/* Consumes the keyword if it is what stands here. */
static bool keyword(struct parser *s, const char *what)
{
	size_t n = strlen(what);

	skip_blanks(s);
	if (word(s) != n || strncmp(s->p, what, n))
		return false;
	s->p += n;
	return true;
}

static const struct {
	const char *text;
	enum vw_compare cmp;
} compares[] = {
	{"!=", VW_NE},	{"<=", VW_LE}, {">=", VW_GE}, {"=", VW_EQ},
	{"~", VW_GLOB}, {"<", VW_LT},  {">", VW_GT},
};

static int compare(struct parser *s)
{
	skip_blanks(s);
	for (size_t i = 0; i < VW_ARRAY_SIZE(compares); i++) {
		size_t n = strlen(compares[i].text);

		if (strncmp(s->p, compares[i].text, n))
			continue;
		s->p += n;
		if (compares[i].cmp == VW_EQ && *s->p == '=') /* as in C */
			s->p++;
		return (int)compares[i].cmp;
	}
	return -EINVAL;
}

static int value(struct parser *s, struct filter_node *n)
{
	const char *start, *why;
	size_t len;
	int r;

	skip_blanks(s);
	start = s->p;
	if (*start == '"' || *start == '\'') {
		const char *end = strchr(start + 1, *start);

		if (!end)
			return fail(s, start, "this quote has no end", NULL, 0);
		s->p = end + 1;
		start++;
		len = (size_t)(end - start);
	} else {
		len = word(s);
		s->p += len;
		if (!len)
			return fail(s, start, "a value should stand here", NULL, 0);
	}
	r = add_value(s->f, n->field, n->cmp, s->times, start, len, &why);
	if (why) {
		char text[128];

		snprintf(text, sizeof(text), "is not %s", why);
		return fail(s, s->at, text, start, len);
	}
	n->n++;
	return too_long(s, r);
}

static int either(struct parser *s);

/* The field's name is read; what stands behind it. */
static int test_rest(struct parser *s, struct filter_node *n, const char *name, size_t len)
{
	bool not = keyword(s, "not"), in = keyword(s, "in");
	const char *at = s->p, *why;
	int cmp, r;

	n->first = (uint32_t)s->f->values.n;
	cmp = in ? VW_EQ : compare(s);
	if (not &&!in)
		return fail(s, s->at, "\"in\" should stand here", NULL, 0);
	if (cmp < 0)
		return fail(s, s->at, "should be followed by =, !=, ~, <, <=, >, >= or in", name,
			    len);
	n->cmp = (enum vw_compare)cmp;
	why = wrong_compare(n->field, n->cmp);
	if (why)
		return fail(s, at, why, name, len);
	do
		r = value(s, n);
	while (!r && in && (skip_blanks(s), *s->p == ',') && s->p++);
	if (r)
		return r;
	r = add_node(s->f, n);
	if (r >= 0 && not )
		r = add_pair(s->f, NODE_NOT, r, 0);
	return too_long(s, r);
}

static int no_field(struct parser *s, size_t len)
{
	char text[1024] = "is no field; fields are";
	size_t n = strlen(text);

	for (int f = 0; f < _VW_FIELD_MAX && n < sizeof(text); f++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %s", f ? "," : "",
				      vw_field_str((enum vw_field)f));
	return fail(s, s->p, text, s->p, len);
}

static int test(struct parser *s)
{
	struct filter_node n = {.op = NODE_TEST};
	const char *name = s->p;
	size_t len = word(s);
	int field = vw_field_parse(name, len);

	if (!len)
		return fail(s, s->p,
			    *s->p ? "a field should stand here"
				  : "the expression ends where a field should stand",
			    NULL, 0);
	if (field < 0)
		return no_field(s, len);
	n.field = (enum vw_field)field;
	s->p += len;
	return test_rest(s, &n, name, len);
}

static int single(struct parser *s)
{
	int r;

	if (s->depth >= VW_FILTER_DEPTH_MAX)
		return fail(s, s->p, "nested too deeply", NULL, 0);
	s->depth++;
	if (keyword(s, "not")) {
		r = single(s);
		if (r >= 0)
			r = too_long(s, add_pair(s->f, NODE_NOT, r, 0));
	} else if (*s->p == '(') {
		s->p++;
		r = either(s);
		skip_blanks(s);
		if (r >= 0 && *s->p != ')')
			return fail(s, s->p, "\")\" should stand here", NULL, 0);
		s->p += r >= 0;
	} else {
		r = test(s);
	}
	s->depth--;
	return r;
}

/* A chain leans to the right, so that asking it needs no depth. */
static int chain(struct parser *s, const char *link, int op, int (*part)(struct parser *s))
{
	int first = part(s), tail = -1, next, pair;

	if (first < 0)
		return first;
	while (keyword(s, link)) {
		next = part(s);
		if (next < 0)
			return next;
		pair = add_pair(s->f, op, tail < 0 ? first : s->f->nodes.v[tail].b, next);
		if (pair < 0)
			return too_long(s, pair);
		if (tail < 0)
			first = pair;
		else
			s->f->nodes.v[tail].b = pair;
		tail = pair;
	}
	return first;
}

static int both(struct parser *s)
{
	return chain(s, "and", NODE_AND, single);
}

static int either(struct parser *s)
{
	return chain(s, "or", NODE_OR, both);
}

int vw_filter_parse(const char *text, const struct vw_filter_times *times, struct vw_filter **ret,
		    struct vw_diag *d)
{
	_cleanup_(vw_filter_free) struct vw_filter *f = NULL;
	struct parser s = {.text = text, .p = text, .at = text, .times = times, .d = d};
	int r;

	if (strlen(text) > VW_FILTER_TEXT_MAX)
		return fail(&s, text, "the expression is too long", NULL, 0);
	r = vw_filter_new(&f);
	if (r)
		return r;
	s.f = f;
	r = either(&s);
	if (r < 0)
		return r;
	skip_blanks(&s);
	if (*s.p)
		return fail(&s, s.p, "\"and\" or \"or\" should stand here", NULL, 0);
	f->root = r;
	*ret = TAKE_PTR(f);
	return 0;
}
