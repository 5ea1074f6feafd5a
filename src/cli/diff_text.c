/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A preview for people: on a terminal, and as a comment of a review. Names are those of containers
 * and files: nothing of them reaches a terminal or a page as a command. */
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "cli/connectivity_print.h"
#include "cli/diff_lists.h"
#include "vethwall/cleanup.h"

#define ROWS 20 /* of a table */
#define PLAN_LINES 60

#define BOLD "\033[1m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define PLAIN "\033[0m"

/* ---- a terminal ---- */

static size_t put(FILE *f, const char *s)
{
	size_t columns = 0, len = strlen(s);

	while (len) {
		char out[VW_ESCAPE_CHAR_MAX];
		size_t n, used = vw_escape_char(s, len, out, &n);

		fwrite(out, 1, n, f);
		/* one character is one column, an escape its length */
		columns += n > 1 && (unsigned char)out[0] < 0x80 ? n : 1;
		s += used;
		len -= used;
	}
	return columns;
}

static size_t width_of(const char *s)
{
	_cleanup_free_ char *text = NULL;
	size_t len, columns;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return 0;
	columns = put(f, s);
	fclose(f);
	return columns;
}

static void heading(FILE *f, const char *title, bool colour)
{
	fprintf(f, "\n%s%s%s\n", colour ? BOLD : "", title, colour ? PLAIN : "");
}

#define COLUMNS_MAX 8

static void put_row(FILE *f, char *const *cells, const size_t *width, size_t n)
{
	fputs("  ", f);
	for (size_t i = 0; i < n; i++) {
		size_t used = put(f, cells[i]);

		if (i + 1 < n)
			fprintf(f, "%*s", (int)(width[i] - used + 2), "");
	}
	fputc('\n', f);
}

static void put_table(FILE *f, const struct vw_diff_html_list *l)
{
	size_t width[COLUMNS_MAX] = {0};

	for (size_t c = 0; c < l->n_columns; c++) {
		width[c] = strlen(l->columns[c]);
		for (size_t r = 0; r < l->n_rows; r++) {
			size_t w = width_of(l->cells[r * l->n_columns + c]);

			width[c] = w > width[c] ? w : width[c];
		}
	}
	put_row(f, (char *const *)l->columns, width, l->n_columns);
	for (size_t r = 0; r < l->n_rows; r++)
		put_row(f, l->cells + r * l->n_columns, width, l->n_columns);
}

static void text_list(FILE *f, const struct vw_diff_html_list *l, const struct vw_diff_groups *g,
		      bool colour)
{
	heading(f, l->title, colour);
	fputs("  ", f);
	put(f, l->note);
	fputc('\n', f);
	if (l->n_rows)
		put_table(f, l);
	if (l->n_rows < g->list.n || g->unfolded)
		fprintf(f, "  and %zu more lines; --all shows them\n", g->list.n - l->n_rows);
}

/* The end of the plan's first lines, or of all of it. */
static const char *plan_end(const char *plan, bool all, size_t *ret_more)
{
	const char *p = plan, *end = NULL;
	size_t lines = 0;

	for (; *p && (p = strchr(p, '\n')) != NULL; p++)
		if (++lines == PLAN_LINES && !all)
			end = p + 1;
	*ret_more = end ? lines - PLAN_LINES : 0;
	return end ? end : plan + strlen(plan);
}

static void put_plan(FILE *f, const char *plan, const char *end, bool colour)
{
	while (plan < end) {
		const char *nl = memchr(plan, '\n', (size_t)(end - plan));
		const char *stop = nl ? nl : end;
		_cleanup_free_ char *line = strndup(plan, (size_t)(stop - plan));

		if (colour)
			fputs(*plan == '+' ? GREEN : *plan == '-' ? RED : "", f);
		if (line)
			put(f, line);
		fputs(colour ? PLAIN "\n" : "\n", f);
		plan = nl ? nl + 1 : end;
	}
}

static void text_plan(const struct vw_diff *d, bool colour, bool all, FILE *f)
{
	size_t more;
	const char *end = plan_end(d->plan, all, &more);

	heading(f, "Plan for the kernel", colour);
	if (!d->operations) {
		fputs("  Nothing to do.\n", f);
		return;
	}
	fprintf(f, "  %zu operation%s, one transaction.\n", d->operations,
		d->operations == 1 ? "" : "s");
	put_plan(f, d->plan, end, colour);
	if (more)
		fprintf(f, "  and %zu more lines; --all shows them\n", more);
}

static void text_side(const char *mark, const char *name, const struct vw_policyset *set,
		      const char *colour, FILE *f)
{
	fprintf(f, "%s%s ", colour, mark);
	put(f, name);
	fprintf(f, " (%zu polic%s%s)%s\n", set->list.n, set->list.n == 1 ? "y" : "ies",
		set->audit ? ", audit mode" : "", *colour ? PLAIN : "");
}

static bool tells(const struct vw_connectivity *c)
{
	return vw_connectivity_differs(c) || c->policies.n || c->isolation.n;
}

void vw_diff_text(const struct vw_diff *d, bool colour, bool all, FILE *f)
{
	const struct vw_diff_groups *const groups[] = {&d->cut, &d->passed, &d->denied};
	_cleanup_(vw_diff_lists_done) struct vw_diff_lists l = {0};

	text_side("---", d->in.before, &d->in.now.set, colour ? RED : "", f);
	text_side("+++", d->in.after, &d->in.set, colour ? GREEN : "", f);
	if (!vw_diff_changes(d)) {
		fputs("no change\n", f);
		return;
	}
	heading(f, "Connectivity", colour);
	if (!vw_connectivity_differs(&d->connectivity))
		fputs("  Every connection is decided as before.\n", f);
	if (tells(&d->connectivity))
		vw_connectivity_text(&d->connectivity, colour, all, f);
	if (vw_diff_lists_make(d, all ? SIZE_MAX : ROWS, &l) < 0) {
		fputs("out of memory\n", f);
		return;
	}
	for (size_t k = 0; k < l.n; k++)
		text_list(f, &l.list[k], groups[k], colour);
	text_plan(d, colour, all, f);
}

/* ---- a review comment ---- */

/* What Markdown or HTML would take for a command loses its meaning; control characters go. */
static void md_put(FILE *f, const char *s)
{
	size_t len = strlen(s);

	while (len) {
		char out[VW_ESCAPE_CHAR_MAX];
		size_t n, used = vw_escape_char(s, len, out, &n);

		if (n == 1 && strchr("\\`*_{}[]<>|#!~@&", out[0]))
			fprintf(f, "&#%d;", out[0]);
		else
			fwrite(out, 1, n, f);
		s += used;
		len -= used;
	}
}

static void md_row(FILE *f, char *const *cells, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		fputs("| ", f);
		md_put(f, cells[i]);
		fputc(' ', f);
	}
	fputs("|\n", f);
}

static void md_list(FILE *f, const struct vw_diff_html_list *l, const struct vw_diff_groups *g)
{
	fprintf(f, "\n### %s\n\n", l->title);
	md_put(f, l->note);
	fputs("\n\n", f);
	if (!l->n_rows)
		return;
	md_row(f, (char *const *)l->columns, l->n_columns);
	for (size_t i = 0; i < l->n_columns; i++)
		fputs(i < 3 ? "| --- " : "| ---: ", f);
	fputs("|\n", f);
	for (size_t r = 0; r < l->n_rows; r++)
		md_row(f, l->cells + r * l->n_columns, l->n_columns);
	if (l->n_rows < g->list.n)
		fprintf(f, "\nand %zu more lines\n", g->list.n - l->n_rows);
}

static void md_plan(const struct vw_diff *d, bool all, FILE *f)
{
	size_t more;
	const char *end = plan_end(d->plan, all, &more);

	fprintf(f, "\n### Plan for the kernel\n\n%zu operation%s.\n", d->operations,
		d->operations == 1 ? "" : "s");
	if (!d->operations)
		return;
	fputs("\n```diff\n", f);
	put_plan(f, d->plan, end, false);
	fputs("```\n", f);
	if (more)
		fprintf(f, "\nand %zu more lines\n", more);
}

void vw_diff_markdown(const struct vw_diff *d, bool all, FILE *f)
{
	const struct vw_diff_groups *const groups[] = {&d->cut, &d->passed, &d->denied};
	_cleanup_(vw_diff_lists_done) struct vw_diff_lists l = {0};

	fputs("## Policy change: ", f);
	md_put(f, d->in.before);
	fputs(" → ", f);
	md_put(f, d->in.after);
	fputs("\n", f);
	if (!vw_diff_changes(d)) {
		fputs("\nNo change.\n", f);
		return;
	}
	fputs("\n### Connectivity\n\n", f);
	if (!vw_connectivity_differs(&d->connectivity))
		fputs("Every connection is decided as before.\n\n", f);
	if (tells(&d->connectivity))
		vw_connectivity_markdown(&d->connectivity, all, f);
	if (vw_diff_lists_make(d, all ? SIZE_MAX : ROWS, &l) < 0) {
		fputs("out of memory\n", f);
		return;
	}
	for (size_t k = 0; k < l.n; k++)
		md_list(f, &l.list[k], groups[k]);
	md_plan(d, all, f);
}
