/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Diagnostics with their source lines. The file is read again for it: what the reader held is gone
 * by then, and a line that has changed meanwhile only makes the picture worse, not the message. */
#include "cli/source.h"

#include "base/escape.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"

#define WIDTH 120 /* characters of a line that are shown */

/* The text of the file that was looked at last. */
struct source {
	char *file, *text;
	size_t len;
};

static void source_done(struct source *s)
{
	free(s->file);
	free(s->text);
	*s = (struct source){0};
}

static bool open_source(struct source *s, const char *file)
{
	if (s->file && strcmp(s->file, file) == 0)
		return s->text;
	source_done(s);
	s->file = strdup(file);
	return s->file && vw_file_read(file, VW_TEXT_MAX, &s->text, &s->len) == 0;
}

static const char *find_line(const struct source *s, unsigned line)
{
	const char *p = s->text, *end = s->text + s->len;

	while (--line && p) {
		p = memchr(p, '\n', (size_t)(end - p));
		p = p ? p + 1 : NULL;
	}
	return p && p < end ? p : NULL;
}

/* Length of the character at p, of UTF-8 or a broken byte. */
static size_t char_len(const char *p)
{
	unsigned char c = (unsigned char)*p;
	size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4, i = 1;

	while (i < n && ((unsigned char)p[i] & 0xc0) == 0x80)
		i++;
	return i;
}

/* One character; what a terminal would act on is shown as a dot, so that the caret stays in place.
 */
static void put_char(FILE *f, const char *p, size_t n)
{
	if (*p == '\t')
		fputc(' ', f);
	else if (vw_escape_need(p))
		fputc('.', f);
	else
		fwrite(p, 1, n, f);
}

static void print_line(const struct source *s, unsigned line, unsigned col, FILE *f)
{
	const char *p = find_line(s, line);
	unsigned start = col > WIDTH - 20 ? col - (WIDTH - 20) : 1;

	if (!p)
		return;
	fputs("  ", f);
	for (unsigned i = 1; *p && *p != '\n' && *p != '\r' && i < start + WIDTH; i++) {
		size_t n = char_len(p);

		if (i >= start)
			put_char(f, p, n);
		p += n;
	}
	fprintf(f, "\n  %*s\n", (int)(col - start + 1), "^");
}

void vw_source_print(const struct vw_diag *d, FILE *f)
{
	_cleanup_(source_done) struct source s = {0};
	struct vw_diag one = {.list = {.n = 1}};

	vw_vec_foreach (e, &d->list) {
		one.list.v = e;
		vw_diag_print(&one, f, isatty(fileno(f)));
		if (e->file && e->line && e->col && open_source(&s, e->file))
			print_line(&s, e->line, e->col, f);
	}
	if (d->dropped)
		fprintf(f, "%zu more not shown\n", d->dropped);
}

static json_t *entry_json(const struct vw_diag_entry *e)
{
	static const char *const severities[] = {
		[VW_ERROR] = "error", [VW_WARNING] = "warning", [VW_NOTE] = "note"};
	json_t *o = json_pack("{s:s, s:s*, s:s*, s:s*}", "severity", severities[e->severity],
			      "file", e->file, "rule", e->rule, "message", e->text);

	if (o && e->line) {
		json_object_set_new(o, "line", json_integer(e->line));
		json_object_set_new(o, "column", json_integer(e->col));
	}
	return o;
}

json_t *vw_source_json(const struct vw_diag *d)
{
	json_t *list = json_array();

	vw_vec_foreach (e, &d->list) {
		json_t *o = entry_json(e);

		/* A message that quotes bytes which are no UTF-8 still has its place. */
		if (!o)
			o = json_pack("{s:s, s:i, s:i}", "severity", "error", "line", (int)e->line,
				      "column", (int)e->col);
		json_array_append_new(list, o);
	}
	return list;
}

void vw_source_silence(struct vw_diag *d, const char *rule)
{
	size_t kept = 0;

	vw_vec_foreach (e, &d->list) {
		if (e->severity == VW_WARNING && e->rule && strcmp(e->rule, rule) == 0) {
			free(e->file);
			free(e->text);
			d->warnings--;
		} else {
			d->list.v[kept++] = *e;
		}
	}
	d->list.n = kept;
}
