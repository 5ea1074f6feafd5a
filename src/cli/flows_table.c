/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of cells as text, JSON lines or CSV. */
#include "cli/flows_table.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "vethwall/cleanup.h"

#define COLUMNS_MAX 16 /* of groups eight and six more; of scans 16 */
#define DIM "\033[2m"
#define PLAIN "\033[0m"
#define CELLS_MAX (1u << 24)

struct flows_table {
	const struct flows_query *q;
	struct flows_column columns[COLUMNS_MAX];
	size_t n, at; /* columns; the next cell's */
	VW_VEC(char *) cells; /* of text */
	bool headed;
};

const char *flows_time_text(const struct flows_query *q, int64_t us,
			    char buf[static VW_TIME_STRLEN])
{
	int64_t s = us / 1000000 - (us % 1000000 < 0);
	time_t t = (time_t)s;
	struct tm tm;

	if (q->utc)
		return vw_time_str(us, buf);
	if (!localtime_r(&t, &tm) || !strftime(buf, VW_TIME_STRLEN, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(buf, VW_TIME_STRLEN, "?");
	return buf;
}

void flows_csv_text(FILE *out, const char *p)
{
	bool quote = strpbrk(p, ",\"'=+-@ ") != NULL;

	if (quote)
		putc('"', out);
	if (*p && strchr("=+-@'", *p))
		putc('\'', out);
	for (; *p; p++) {
		if (*p == '"')
			putc('"', out);
		putc(*p, out);
	}
	if (quote)
		putc('"', out);
}

int flows_table_new(const struct flows_query *q, const struct flows_column *columns, size_t n,
		    struct flows_table **ret)
{
	struct flows_table *t = n <= COLUMNS_MAX ? calloc(1, sizeof(*t)) : NULL;

	if (!t)
		return -ENOMEM;
	t->q = q;
	t->n = n;
	memcpy(t->columns, columns, n * sizeof(*columns));
	for (size_t i = 0; q->format == FLOWS_CSV && i < n; i++)
		fprintf(q->out, "%s%s", i ? "," : "", columns[i].name);
	if (q->format == FLOWS_CSV)
		fputs("\r\n", q->out);
	*ret = t;
	return 0;
}

void flows_table_free(struct flows_table **tp)
{
	struct flows_table *t = *tp;

	if (!t)
		return;
	vw_vec_foreach (c, &t->cells)
		free(*c);
	vw_vec_done(&t->cells);
	free(t);
	*tp = NULL;
}

/* What a cell holds: text for people; raw, where there is one, for JSON, which has escapes of its
 * own; bare: a number. */
struct cell {
	const char *text;
	const struct vw_str *raw;
	bool bare;
};

static void json_text(FILE *out, const struct cell *c)
{
	json_t *s = c->raw ? json_stringn(c->raw->s, c->raw->n) : NULL;

	if (!s) /* no UTF-8, or no memory */
		s = json_string(c->text);
	if (!s || json_dumpf(s, out, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) < 0)
		fputs("null", out);
	json_decref(s);
}

static void json_cell(struct flows_table *t, const struct cell *c)
{
	FILE *out = t->q->out;

	if (!t->at)
		putc('{', out);
	if (c->text) {
		fprintf(out, "%s\"%s\":", t->headed ? "," : "", t->columns[t->at].name);
		t->headed = true;
	}
	if (c->text && c->bare)
		fputs(c->text, out);
	else if (c->text)
		json_text(out, c);
	if (t->at + 1 == t->n) {
		fputs("}\n", out);
		t->headed = false;
	}
}

static void csv_cell(struct flows_table *t, const char *text)
{
	if (t->at)
		putc(',', t->q->out);
	if (text)
		flows_csv_text(t->q->out, text);
	if (t->at + 1 == t->n)
		fputs("\r\n", t->q->out);
}

static int put(struct flows_table *t, const struct cell *c)
{
	int r = 0;

	if (t->q->format == FLOWS_TEXT) {
		char *copy = strdup(c->text ? c->text : "-");

		r = copy ? vw_vec_push(&t->cells, copy, CELLS_MAX) : -ENOMEM;
		if (r)
			free(copy);
	} else if (t->q->format == FLOWS_CSV) {
		csv_cell(t, c->text);
	} else {
		json_cell(t, c);
	}
	t->at = (t->at + 1) % t->n;
	return r;
}

int flows_table_number(struct flows_table *t, uint64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	return put(t, &(struct cell){.text = text, .bare = true});
}

int flows_table_time(struct flows_table *t, int64_t us)
{
	char buf[VW_TIME_STRLEN];

	return put(t, &(struct cell){.text = t->q->format == FLOWS_TEXT
						     ? flows_time_text(t->q, us, buf)
						     : vw_time_str(us, buf)});
}

int flows_table_bool(struct flows_table *t, bool b)
{
	return put(t, &(struct cell){.text = b ? "true" : "false", .bare = true});
}

int flows_table_text(struct flows_table *t, const char *s)
{
	return put(t, &(struct cell){.text = s});
}

int flows_table_value(struct flows_table *t, const struct vw_value *v)
{
	char text[VW_FLOW_TEXT_MAX], addr[VW_ADDR_STRLEN];

	switch (v->kind) {
	case VW_VALUE_TEXT:
		return put(t,
			   &(struct cell){.text = vw_flow_text(&v->text, text), .raw = &v->text});
	case VW_VALUE_NUMBER:
		return flows_table_number(t, v->number);
	case VW_VALUE_ADDR:
		return put(t, &(struct cell){.text = vw_addr_str(&v->addr, addr)});
	case VW_VALUE_TIME:
		return flows_table_time(t, v->time_us);
	default:
		return put(t, &(struct cell){0});
	}
}

/* ---- text ---- */

/* Characters, not bytes: continuation bytes of UTF-8 take no place. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void text_cell(FILE *out, const char *s, size_t w, bool right, bool last)
{
	size_t have = width(s), pad = w > have ? w - have : 0;

	fprintf(out, "%*s%s%*s%s", right ? (int)pad : 0, "", s, right || last ? 0 : (int)pad, "",
		last ? "\n" : "  ");
}

static void text_head(const struct flows_table *t, const size_t *w)
{
	FILE *out = t->q->out;

	fputs(t->q->colour ? DIM : "", out);
	for (size_t i = 0; i < t->n; i++) {
		char title[64];
		size_t k = 0;

		for (const char *p = t->columns[i].name; *p && k + 1 < sizeof(title); p++)
			title[k++] = (char)(*p == '_'		     ? ' '
					    : *p >= 'a' && *p <= 'z' ? *p - 32
								     : *p);
		title[k] = '\0';
		text_cell(out, title, w[i], t->columns[i].right, i + 1 == t->n);
	}
	fputs(t->q->colour ? PLAIN : "", out);
}

void flows_table_end(struct flows_table *t)
{
	size_t w[COLUMNS_MAX];

	if (t->q->format != FLOWS_TEXT || !t->cells.n)
		return;
	for (size_t i = 0; i < t->n; i++)
		w[i] = strlen(t->columns[i].name);
	for (size_t i = 0; i < t->cells.n; i++) {
		size_t have = width(t->cells.v[i]);

		if (have > w[i % t->n])
			w[i % t->n] = have;
	}
	text_head(t, w);
	for (size_t i = 0; i < t->cells.n; i++)
		text_cell(t->q->out, t->cells.v[i], w[i % t->n], t->columns[i % t->n].right,
			  i % t->n + 1 == t->n);
}
