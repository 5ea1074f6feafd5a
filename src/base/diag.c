/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Located diagnostics. Whoever reads a text adds what is wrong with it, the edge prints the list
 * once. Adding never fails: a caller that found an error must not have to handle a second one, so
 * what cannot be kept is counted. Knows nothing of which text it was. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "vethwall/cleanup.h"
#include "vethwall/diag.h"

static int entry_make(struct vw_diag_entry *e, const struct vw_pos *pos, const char *fmt,
		      va_list ap)
{
	if (pos && pos->file) {
		e->file = strdup(pos->file);
		if (!e->file)
			return -ENOMEM;
	}
	if (vasprintf(&e->text, fmt, ap) < 0) {
		e->text = NULL; /* its value is undefined after a failure */
		free(e->file);
		return -ENOMEM;
	}
	return 0;
}

void vw_diag_add(struct vw_diag *d, enum vw_severity sev, const struct vw_pos *pos,
		 const char *rule, const char *fmt, ...)
{
	struct vw_diag_entry e = {.severity = sev, .rule = rule};
	va_list ap;
	int r;

	if (!d)
		return;
	d->errors += sev == VW_ERROR;
	d->warnings += sev == VW_WARNING;
	if (d->list.n >= VW_DIAG_MAX) {
		d->dropped++;
		return;
	}
	if (pos) {
		e.line = pos->line;
		e.col = pos->col;
	}
	va_start(ap, fmt);
	r = entry_make(&e, pos, fmt, ap);
	va_end(ap);
	if (r < 0) {
		d->dropped++;
		return;
	}
	if (vw_vec_push(&d->list, e, VW_DIAG_MAX) < 0) {
		d->dropped++;
		free(e.file);
		free(e.text);
	}
}

static void put_escaped(FILE *f, const char *s)
{
	char out[VW_ESCAPE_MAX + 1];

	while (*s) {
		vw_escape_step(&s, out);
		fputs(out, f);
	}
}

static const struct {
	const char *word, *colour;
} severities[] = {
	/* An error is the normal case and has no word: FILE:LINE:COL: message. */
	[VW_ERROR] = {"", "\033[1;31m"},
	[VW_WARNING] = {"warning: ", "\033[1;33m"},
	[VW_NOTE] = {"note: ", "\033[1;36m"},
};

static void print_entry(const struct vw_diag_entry *e, FILE *f, bool colour)
{
	if (e->file) {
		put_escaped(f, e->file);
		if (e->line && e->col)
			fprintf(f, ":%u:%u", e->line, e->col);
		else if (e->line)
			fprintf(f, ":%u", e->line);
		fputs(": ", f);
	}
	if (colour)
		fputs(severities[e->severity].colour, f);
	fputs(severities[e->severity].word, f);
	put_escaped(f, e->text);
	if (colour)
		fputs("\033[0m", f);
	if (e->rule)
		fprintf(f, " [%s]", e->rule);
	fputc('\n', f);
}

void vw_diag_print(const struct vw_diag *d, FILE *f, bool colour)
{
	vw_vec_foreach (e, &d->list)
		print_entry(e, f, colour);
	if (d->dropped)
		fprintf(f, "%zu more not shown\n", d->dropped);
}

void vw_diag_done(struct vw_diag *d)
{
	vw_vec_foreach (e, &d->list) {
		free(e->file);
		free(e->text);
	}
	vw_vec_done(&d->list);
	d->errors = d->warnings = d->dropped = 0;
}
