/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libyaml events -> located tree. The tree is built by recursion, which VW_YAML_DEPTH_MAX bounds; a
 * syntax error or a passed limit ends the text, everything else is noted and reading goes on, so
 * that all errors of a file come in one go. */
#include "codec/yaml_tree.h"

#include <ctype.h>
#include <yaml.h>

#include "vethwall/cleanup.h"

struct builder {
	yaml_parser_t parser;
	const char *text;
	size_t len;
	const char *file;
	struct vw_diag *d;
	size_t nodes;
	unsigned depth;
	bool bad;
};

static void node_done(struct vw_yaml_node *n)
{
	vw_vec_foreach (c, &n->items)
		node_done(c);
	vw_vec_done(&n->items);
	free(n->text);
	n->text = NULL;
}

void vw_yaml_done(struct vw_yaml *y)
{
	vw_vec_foreach (n, &y->docs)
		node_done(n);
	vw_vec_done(&y->docs);
}

const struct vw_yaml_node *vw_yaml_get(const struct vw_yaml_node *n, const char *key)
{
	if (n->kind != VW_YAML_MAP)
		return NULL;
	for (size_t i = 0; i + 1 < n->items.n; i += 2)
		if (strcmp(n->items.v[i].text, key) == 0)
			return &n->items.v[i + 1];
	return NULL;
}

static struct vw_pos mark_pos(const struct builder *b, const yaml_mark_t *m)
{
	return (struct vw_pos){b->file, (unsigned)m->line + 1, (unsigned)m->column + 1};
}

static struct vw_pos node_pos(const struct builder *b, const struct vw_yaml_node *n)
{
	return (struct vw_pos){b->file, n->line, n->col};
}

/* The place of a byte; libyaml's reader gives no line for bytes that are no text. */
static struct vw_pos offset_pos(const struct builder *b, size_t offset)
{
	struct vw_pos pos = {b->file, 1, 1};

	for (size_t i = 0; i < offset && i < b->len; i++) {
		pos.col++;
		if (b->text[i] == '\n') {
			pos.line++;
			pos.col = 1;
		}
	}
	return pos;
}

/* The byte at a line and column, 0 past the end. Columns count characters: good enough for ASCII,
 * and for anything else only the hint is lost. */
static char char_at(const struct builder *b, size_t line, size_t column)
{
	const char *p = b->text, *end = b->text + b->len;

	while (line-- && p) {
		p = memchr(p, '\n', (size_t)(end - p));
		p = p ? p + 1 : NULL;
	}
	return p && column < (size_t)(end - p) ? p[column] : 0;
}

static int syntax_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	struct vw_pos pos;

	b->bad = true;
	switch (p->error) {
	case YAML_MEMORY_ERROR:
		return -ENOMEM;
	case YAML_READER_ERROR:
		pos = offset_pos(b, p->problem_offset);
		vw_error(b->d, &pos, "not valid YAML: %s (expected UTF-8 text)", p->problem);
		return -EINVAL;
	default:
		break;
	}
	pos = mark_pos(b, &p->problem_mark);
	if (char_at(b, p->problem_mark.line, p->problem_mark.column) == '\t')
		vw_error(b->d, &pos,
			 "not valid YAML: found a tab, expected spaces for indentation");
	else if (p->context)
		vw_error(b->d, &pos, "not valid YAML: %s %s (from line %zu)", p->problem,
			 p->context, p->context_mark.line + 1);
	else
		vw_error(b->d, &pos, "not valid YAML: %s", p->problem);
	return -EINVAL;
}

static int next_event(struct builder *b, yaml_event_t *ret)
{
	return yaml_parser_parse(&b->parser, ret) ? 0 : syntax_error(b);
}

static bool is_one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(s, *words) == 0)
			return true;
	return false;
}

static const char *digits(const char *s)
{
	while (isdigit((unsigned char)*s) || *s == '_')
		s++;
	return s;
}

static enum vw_yaml_kind number_kind(const char *s)
{
	const char *p = s + (*s == '-' || *s == '+'), *start = p;

	if (strcmp(p, ".inf") == 0 || strcmp(p, ".Inf") == 0 || strcmp(p, ".nan") == 0 ||
	    strcmp(p, ".NaN") == 0)
		return VW_YAML_FLOAT;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'o' || p[1] == 'b') &&
	    isxdigit((unsigned char)p[2])) {
		p += 2;
		p += strspn(p, "0123456789abcdefABCDEF_");
		return *p ? VW_YAML_STRING : VW_YAML_INT;
	}
	if (!isdigit((unsigned char)*p) && !(*p == '.' && isdigit((unsigned char)p[1])))
		return VW_YAML_STRING;
	p = digits(p);
	if (!*p)
		return VW_YAML_INT;
	if (*p == '.')
		p = digits(p + 1);
	if (p > start && (*p == 'e' || *p == 'E')) {
		p++;
		p += *p == '-' || *p == '+';
		if (!isdigit((unsigned char)*p))
			return VW_YAML_STRING;
		p = digits(p);
	}
	return *p ? VW_YAML_STRING : VW_YAML_FLOAT;
}

/* As the YAML that Kubernetes reads (1.1, without sexagesimals and the one-letter booleans). */
static enum vw_yaml_kind plain_kind(const char *s)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const bools[] = {
		"true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes", "YES", "no",
		"No",	"NO",	"on",	"On",	 "ON",	  "off",   "Off", "OFF", NULL};

	if (is_one_of(s, nulls))
		return VW_YAML_NULL;
	if (is_one_of(s, bools))
		return VW_YAML_BOOL;
	return number_kind(s);
}

static int refuse(struct builder *b, const yaml_mark_t *mark, const char *what)
{
	struct vw_pos pos = mark_pos(b, mark);

	vw_error(b->d, &pos, "%s", what);
	b->bad = true;
	return 0;
}

static int build_scalar(struct builder *b, const yaml_event_t *ev, struct vw_yaml_node *n)
{
	const char *tag = (const char *)ev->data.scalar.tag;
	bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	n->text = strndup((const char *)ev->data.scalar.value, ev->data.scalar.length);
	if (!n->text)
		return -ENOMEM;
	n->kind = plain && !tag ? plain_kind(n->text) : VW_YAML_STRING;
	if (tag && strcmp(tag, YAML_STR_TAG) != 0)
		refuse(b, &ev->start_mark,
		       "found a YAML tag, expected none: write the value itself");
	if (ev->data.scalar.anchor)
		refuse(b, &ev->start_mark, "found a YAML anchor: anchors and aliases are refused");
	if (strlen(n->text) != ev->data.scalar.length)
		refuse(b, &ev->start_mark, "found a NUL character in a text");
	return 0;
}

static int build_node(struct builder *b, yaml_event_t *ev, struct vw_yaml_node *ret);

static int build_child(struct builder *b, yaml_event_t *ev, struct vw_yaml_node *parent)
{
	struct vw_yaml_node child = {0};
	int r;

	r = build_node(b, ev, &child);
	if (!r)
		r = vw_vec_push(&parent->items, child, VW_YAML_NODES_MAX);
	if (r)
		node_done(&child);
	return r;
}

static int cmp_keys(const void *a, const void *c)
{
	const struct vw_yaml_node *const *x = a, *const *y = c;
	int r = strcmp((*x)->text, (*y)->text);

	return r ? r : (*x > *y) - (*x < *y);
}

static int refuse_duplicates(struct builder *b, const struct vw_yaml_node *map)
{
	_cleanup_free_ const struct vw_yaml_node **keys = NULL;
	size_t n = map->items.n / 2;

	if (n < 2)
		return 0;
	keys = calloc(n, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		keys[i] = &map->items.v[2 * i];
	qsort(keys, n, sizeof(*keys), cmp_keys);
	for (size_t i = 1; i < n; i++) {
		struct vw_pos pos = node_pos(b, keys[i]);

		if (strcmp(keys[i]->text, keys[i - 1]->text) != 0)
			continue;
		vw_error(b->d, &pos, "duplicate key \"%s\" (it is there already in line %u)",
			 keys[i]->text, keys[i - 1]->line);
		b->bad = true;
	}
	return 0;
}

/* A key that is no scalar is noted and replaced, so that every mapping has texts for keys. */
static int check_key(struct builder *b, struct vw_yaml_node *key)
{
	struct vw_pos pos = node_pos(b, key);

	if (key->text)
		return 0;
	vw_error(b->d, &pos, "found a list or mapping, expected a name as key");
	b->bad = true;
	key->text = strdup("?");
	return key->text ? 0 : -ENOMEM;
}

static int build_items(struct builder *b, struct vw_yaml_node *n, yaml_event_type_t end)
{
	bool map = n->kind == VW_YAML_MAP;

	for (;;) {
		yaml_event_t ev;
		bool done;
		int r = next_event(b, &ev);

		if (r)
			return r;
		done = ev.type == end;
		if (!done)
			r = build_child(b, &ev, n);
		yaml_event_delete(&ev);
		if (!r && !done && map && n->items.n % 2)
			r = check_key(b, &n->items.v[n->items.n - 1]);
		if (r)
			return r;
		if (done)
			return map ? refuse_duplicates(b, n) : 0;
	}
}

static int build_collection(struct builder *b, const yaml_event_t *ev, struct vw_yaml_node *n)
{
	bool map = ev->type == YAML_MAPPING_START_EVENT;
	const void *anchor = map ? ev->data.mapping_start.anchor : ev->data.sequence_start.anchor;
	const void *tag = map ? ev->data.mapping_start.tag : ev->data.sequence_start.tag;
	int r;

	n->kind = map ? VW_YAML_MAP : VW_YAML_LIST;
	if (anchor)
		refuse(b, &ev->start_mark, "found a YAML anchor: anchors and aliases are refused");
	if (tag)
		refuse(b, &ev->start_mark,
		       "found a YAML tag, expected none: write the value itself");
	if (b->depth >= VW_YAML_DEPTH_MAX) {
		struct vw_pos pos = mark_pos(b, &ev->start_mark);

		vw_error(b->d, &pos, "nested deeper than %d levels", VW_YAML_DEPTH_MAX);
		return -EINVAL;
	}
	b->depth++;
	r = build_items(b, n, map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT);
	b->depth--;
	return r;
}

static int build_node(struct builder *b, yaml_event_t *ev, struct vw_yaml_node *ret)
{
	ret->line = (unsigned)ev->start_mark.line + 1;
	ret->col = (unsigned)ev->start_mark.column + 1;
	if (++b->nodes > VW_YAML_NODES_MAX) {
		struct vw_pos pos = mark_pos(b, &ev->start_mark);

		vw_error(b->d, &pos, "more than %u values in one file", VW_YAML_NODES_MAX);
		return -EINVAL;
	}
	if (ev->type == YAML_SCALAR_EVENT)
		return build_scalar(b, ev, ret);
	if (ev->type == YAML_ALIAS_EVENT) {
		ret->text = strdup("");
		return ret->text ? refuse(b, &ev->start_mark,
					  "found a YAML alias: anchors and aliases are refused")
				 : -ENOMEM;
	}
	return build_collection(b, ev, ret);
}

static int build_document(struct builder *b, yaml_event_t *ev, struct vw_yaml *ret)
{
	struct vw_yaml_node n = {0};
	struct vw_pos pos;
	int r;

	r = build_node(b, ev, &n);
	if (!r && n.kind != VW_YAML_NULL) {
		pos = node_pos(b, &n);
		r = vw_vec_push(&ret->docs, n, VW_YAML_DOCS_MAX);
		if (!r)
			return 0;
		if (r == -ENOSPC) {
			vw_error(b->d, &pos, "more than %d documents in one file",
				 VW_YAML_DOCS_MAX);
			r = -EINVAL;
		}
	}
	node_done(&n);
	return r;
}

static int build_stream(struct builder *b, struct vw_yaml *ret)
{
	for (;;) {
		yaml_event_t ev;
		bool end;
		int r = next_event(b, &ev);

		if (r)
			return r;
		end = ev.type == YAML_STREAM_END_EVENT;
		if (ev.type == YAML_SCALAR_EVENT || ev.type == YAML_ALIAS_EVENT ||
		    ev.type == YAML_SEQUENCE_START_EVENT || ev.type == YAML_MAPPING_START_EVENT)
			r = build_document(b, &ev, ret);
		yaml_event_delete(&ev);
		if (r || end)
			return r;
	}
}

int vw_yaml_parse(const char *text, size_t len, const char *file, struct vw_yaml *ret,
		  struct vw_diag *d)
{
	struct builder b = {.text = text, .len = len, .file = file, .d = d};
	_cleanup_(vw_yaml_done) struct vw_yaml y = {0};
	int r;

	if (len > VW_TEXT_MAX) {
		vw_error(d, (&(struct vw_pos){file, 0, 0}),
			 "the file has %zu bytes, at most %u are read", len, VW_TEXT_MAX);
		ret->bad = true;
		return 0;
	}
	if (!yaml_parser_initialize(&b.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, len);
	r = build_stream(&b, &y);
	yaml_parser_delete(&b.parser);
	if (r && r != -EINVAL)
		return r;
	y.bad = r || b.bad;
	*ret = y;
	y = (struct vw_yaml){0};
	return 0;
}
