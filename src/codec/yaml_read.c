/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Typed reading of a located tree, shared by all document kinds. Knows types, fields and how to say
 * what is wrong; knows nothing of what the fields mean. */
#include "codec/yaml_read.h"

#include <ctype.h>
#include <stdarg.h>

#include "vethwall/cleanup.h"

#define WORD_MAX 40 /* longer words are compared by no typo search */

struct vw_pos vw_rd_pos(const struct vw_rd *rd, vw_node n)
{
	return (struct vw_pos){rd->file, n ? n->line : 0, n ? n->col : 0};
}

static void add(struct vw_rd *rd, vw_node n, enum vw_severity sev, const char *rule,
		const char *fmt, va_list ap)
{
	struct vw_pos pos = vw_rd_pos(rd, n);
	_cleanup_free_ char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
		rd->oom = true;
		return;
	}
	vw_diag_add(rd->d, sev, &pos, rule, "%s", text);
}

void vw_rd_error(struct vw_rd *rd, vw_node n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(rd, n, VW_ERROR, NULL, fmt, ap);
	va_end(ap);
	rd->bad = true;
}

void vw_rd_warn(struct vw_rd *rd, vw_node n, const char *rule, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(rd, n, VW_WARNING, rule, fmt, ap);
	va_end(ap);
}

/* Names of the kinds as they stand in "found ...". Those with %s show the text. */
static const char *const found[] = {
	[VW_YAML_NULL] = "nothing",
	[VW_YAML_BOOL] = "the boolean %.60s",
	[VW_YAML_INT] = "the number %.60s",
	[VW_YAML_FLOAT] = "the number %.60s",
	[VW_YAML_STRING] = "the string \"%.60s\"",
	[VW_YAML_LIST] = "a list",
	[VW_YAML_MAP] = "a mapping",
};
_Static_assert(VW_ARRAY_SIZE(found) == _VW_YAML_KIND_MAX, "a name for each kind");

void vw_rd_expected(struct vw_rd *rd, vw_node n, const char *what, const char *expected)
{
	char buf[128];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the table above */
	snprintf(buf, sizeof(buf), found[n->kind], n->text ? n->text : "");
#pragma GCC diagnostic pop
	vw_rd_error(rd, n, "%s: found %s, expected %s", what, buf, expected);
}

bool vw_rd_ok(struct vw_rd *rd, vw_node n, int r)
{
	if (r == -ENOSPC)
		vw_rd_error(rd, n, "one entry too many: the limit for this list is reached");
	else if (r)
		rd->oom = true;
	return r == 0;
}

int vw_rd_result(const struct vw_rd *rd)
{
	return rd->oom ? -ENOMEM : rd->bad ? -EINVAL : 0;
}

/* Levenshtein distance of short words, one row at a time; upper and lower case are the same. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[WORD_MAX + 1], prev, up;
	size_t n = strlen(b);

	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; *a; a++, i++) {
		prev = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned best = prev + (tolower((unsigned char)*a) !=
						tolower((unsigned char)b[j - 1]));

			up = row[j];
			best = best < up + 1 ? best : up + 1;
			best = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
			row[j] = best;
			prev = up;
		}
	}
	return row[n];
}

const char *vw_nearest(const char *s, const char *const *words)
{
	unsigned limit = strlen(s) > 3 ? 2 : 1, best = limit + 1;
	const char *ret = NULL;

	if (strlen(s) > WORD_MAX)
		return NULL;
	for (; *words; words++) {
		unsigned n = strlen(*words) > WORD_MAX ? best : distance(s, *words);

		if (n < best) {
			best = n;
			ret = *words;
		}
	}
	return ret;
}

static void unknown_field(struct vw_rd *rd, vw_node key, const char *what,
			  const struct vw_field *fields, size_t n)
{
	const char *names[64], *near;
	char list[1024];
	size_t used = 0;

	list[0] = 0;
	for (size_t i = 0; i < n && i < VW_ARRAY_SIZE(names) - 1; i++) {
		int len = snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
				   fields[i].name);

		used += used + (size_t)len < sizeof(list) ? (size_t)len : 0;
		names[i] = fields[i].name;
		names[i + 1] = NULL;
	}
	near = vw_nearest(key->text, names);
	vw_rd_error(rd, key, "unknown field \"%.80s\" in %s, expected one of %s%s%s%s", key->text,
		    what, list, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

bool vw_rd_fields(struct vw_rd *rd, vw_node n, const char *what, const struct vw_field *fields,
		  size_t n_fields, void *ret)
{
	if (!vw_rd_is_map(rd, n, what))
		return false;
	for (size_t i = 0; i + 1 < n->items.n; i += 2) {
		size_t f = 0;

		while (f < n_fields && strcmp(fields[f].name, n->items.v[i].text) != 0)
			f++;
		if (f == n_fields)
			unknown_field(rd, &n->items.v[i], what, fields, n_fields);
	}
	for (size_t f = 0; f < n_fields; f++) {
		vw_node v = vw_yaml_get(n, fields[f].name);

		if (v && v->kind == VW_YAML_NULL && fields[f].need != VW_GIVES_NULL)
			v = NULL;
		if (!v && fields[f].need == VW_REQUIRED)
			vw_rd_error(rd, n, "%s: %s is missing", what, fields[f].name);
		*(vw_node *)((char *)ret + fields[f].offset) = v;
	}
	return true;
}

bool vw_rd_is_map(struct vw_rd *rd, vw_node n, const char *what)
{
	if (n && n->kind != VW_YAML_MAP)
		vw_rd_expected(rd, n, what, "a mapping");
	return n && n->kind == VW_YAML_MAP;
}

bool vw_rd_is_list(struct vw_rd *rd, vw_node n, const char *what)
{
	if (n && n->kind != VW_YAML_LIST)
		vw_rd_expected(rd, n, what, "a list");
	return n && n->kind == VW_YAML_LIST;
}

const char *vw_rd_text(struct vw_rd *rd, vw_node n, const char *what)
{
	if (n->kind == VW_YAML_STRING)
		return n->text;
	vw_rd_expected(rd, n, what,
		       n->text && *n->text ? "a string (put it in quotes)" : "a string");
	return NULL;
}

bool vw_rd_string(struct vw_rd *rd, vw_node n, const char *what, char **ret)
{
	const char *s = n ? vw_rd_text(rd, n, what) : NULL;

	if (!s)
		return false;
	*ret = strdup(s);
	return vw_rd_ok(rd, n, *ret ? 0 : -ENOMEM);
}

bool vw_rd_int(struct vw_rd *rd, vw_node n, const char *what, long min, long max, long *ret)
{
	char expected[64], *end;
	long v;

	if (!n)
		return false;
	snprintf(expected, sizeof(expected), "a number from %ld to %ld", min, max);
	if (n->kind != VW_YAML_INT) {
		vw_rd_expected(rd, n, what, expected);
		return false;
	}
	errno = 0;
	v = strtol(n->text, &end, 10);
	if (errno || *end || v < min || v > max) {
		vw_rd_expected(rd, n, what, expected);
		return false;
	}
	*ret = v;
	return true;
}

bool vw_rd_bool(struct vw_rd *rd, vw_node n, const char *what, bool *ret)
{
	if (!n)
		return false;
	if (n->kind != VW_YAML_BOOL) {
		vw_rd_expected(rd, n, what, "true or false");
		return false;
	}
	*ret = strchr("tTyY", n->text[0]) || strcasecmp(n->text, "on") == 0;
	return true;
}

int vw_rd_word(struct vw_rd *rd, vw_node n, const char *what, const char *const *words)
{
	char list[256];
	size_t used = 0;
	const char *near;

	for (int i = 0; n->kind == VW_YAML_STRING && words[i]; i++)
		if (strcmp(n->text, words[i]) == 0)
			return i;
	list[0] = 0;
	near = n->text ? vw_nearest(n->text, words) : NULL;
	for (size_t i = 0; words[i] && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
					 !i		? ""
					 : words[i + 1] ? ", "
							: " or ",
					 words[i]);
	if (near)
		vw_rd_error(rd, n, "%s: found \"%.60s\", expected %s; did you mean %s?", what,
			    n->text, list, near);
	else
		vw_rd_expected(rd, n, what, list);
	return -1;
}

bool vw_rd_name(struct vw_rd *rd, vw_node n, const char *what, char **ret)
{
	const char *s = n ? vw_rd_text(rd, n, what) : NULL;
	size_t len = s ? strlen(s) : 0;

	if (!s)
		return false;
	if (len == 0 || len > VW_NAME_MAX) {
		vw_rd_error(rd, n, "%s: found %zu characters, expected 1 to %d", what, len,
			    VW_NAME_MAX);
		return false;
	}
	for (const char *p = s; *p; p++) {
		if (*p > ' ' && *p < 0x7f && *p != '/')
			continue;
		vw_rd_error(rd, n,
			    "%s: \"%.60s\" is no name, expected letters, digits and signs "
			    "without blanks or slashes",
			    what, s);
		return false;
	}
	return vw_rd_string(rd, n, what, ret);
}
