/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A graph in a page: what is shown can be chosen, each node's edges stand out when it is, and the
 * table below says all of it in words. */
#include <inttypes.h>

#include "cli/page.h"
#include "codec/markup.h"
#include "vethwall/cleanup.h"

static void put_bar(FILE *f, const struct vw_graph *g, unsigned without)
{
	fputs("<div class=\"bar\">", f);
	for (int k = 0; k < _VW_GRAPH_KIND_MAX; k++) {
		enum vw_graph_kind kind = (enum vw_graph_kind)k;
		const char *name = vw_graph_kind_str(kind);
		size_t n = vw_graph_count(g, kind);

		if (!n)
			continue;
		fprintf(f,
			"<label><input type=\"checkbox\" data-kind=\"%s\"%s><svg class=\"swatch "
			"graph\" viewBox=\"0 0 46 14\" aria-hidden=\"true\"><g class=\"edge %s\">"
			"<path class=\"line\" d=\"M2 7H42\" marker-end=\"url(#arrow-%s)\"/></g>"
			"</svg>%s <span class=\"muted\">%zu</span></label>\n",
			name, without >> k & 1 ? "" : " checked", name, name,
			vw_graph_kind_words(kind), n);
	}
	fputs("<label>Find <input type=\"search\" id=\"find\" placeholder=\"service\"></label>\n"
	      "<span><button type=\"button\" data-zoom=\"in\" aria-label=\"nearer\">+</button> "
	      "<button type=\"button\" data-zoom=\"out\" aria-label=\"farther\">−</button> "
	      "<button type=\"button\" data-zoom=\"all\">All</button></span>\n"
	      "<span class=\"muted\">Click a service for its connections, drag to move; + − 0 and "
	      "arrows too</span></div>\n",
	      f);
}

static void put_folds(FILE *f, const struct vw_graph *g)
{
	if (g->folds.n)
		fputs("<p>Where everyone of some may do the same, a letter stands for the lines: "
		      "▸A may reach A▸.</p>\n<ul class=\"folds-list\">\n",
		      f);
	for (size_t i = 0; i < g->folds.n; i++) {
		_cleanup_free_ char *words = vw_graph_fold_words(g, i);
		char letter[VW_GRAPH_LETTER_MAX];

		fprintf(f, "<li><b>%s</b> ", vw_graph_letter(i, letter));
		vw_markup(f, words);
		fputs("</li>\n", f);
	}
	if (g->folds.n)
		fputs("</ul>\n", f);
}

static void put_numbers(FILE *f, const char *name, const uint32_t *v, size_t n)
{
	fprintf(f, " %s=\"", name);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s%" PRIu32, i ? " " : "", v[i]);
	fputs("\"", f);
}

static int put_fold_row(FILE *f, const struct vw_graph *g, size_t fold)
{
	const struct vw_graph_fold *x = &g->folds.v[fold];
	const char *kind = vw_graph_kind_str(x->kind);
	_cleanup_free_ char *from = vw_graph_fold_side(g, fold, false);
	_cleanup_free_ char *to = vw_graph_fold_side(g, fold, true);

	if (!from || !to)
		return -ENOMEM;
	fprintf(f, "<tr data-fold=\"%zu\" data-kind=\"%s\"", fold, kind);
	put_numbers(f, "data-from", x->from.v, x->from.n);
	put_numbers(f, "data-to", x->to.v, x->to.n);
	fputs(">", f);
	vw_page_kind(f, kind, vw_graph_kind_words(x->kind));
	vw_page_cell(f, from);
	vw_page_cell(f, to);
	vw_page_cell(f, g->texts.v[x->text]);
	fputs("<td></td></tr>\n", f);
	return 0;
}

static void put_edge_row(FILE *f, const struct vw_graph *g, const struct vw_graph_edge *e)
{
	const char *kind = vw_graph_kind_str(e->kind);

	fprintf(f, "<tr data-kind=\"%s\" data-from=\"%u\" data-to=\"%u\">", kind, e->from, e->to);
	vw_page_kind(f, kind, vw_graph_kind_words(e->kind));
	vw_page_cell(f, g->nodes.v[e->from].name);
	vw_page_cell(f, g->nodes.v[e->to].name);
	vw_page_cell(f, g->texts.v[e->text]);
	if (e->kind == VW_GRAPH_DENIED)
		vw_page_number(f, e->packets);
	else
		fputs("<td></td>", f);
	vw_page_row_end(f);
}

/* What changes or was refused first, most packets first. */
static int by_weight(const void *a, const void *b, void *arg)
{
	const struct vw_graph *g = arg;
	const uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct vw_graph_edge *x = &g->edges.v[i], *y = &g->edges.v[j];

	if ((x->kind == VW_GRAPH_KEPT) != (y->kind == VW_GRAPH_KEPT))
		return x->kind == VW_GRAPH_KEPT ? 1 : -1;
	if (x->packets != y->packets)
		return x->packets > y->packets ? -1 : 1;
	return (i > j) - (i < j);
}

static size_t put_edge_rows(FILE *f, const struct vw_graph *g, uint32_t *order)
{
	size_t n = 0;

	for (uint32_t i = 0; i < g->edges.n; i++)
		if (!g->edges.v[i].folded)
			order[n++] = i;
	qsort_r(order, n, sizeof(*order), by_weight, (void *)g);
	for (size_t i = 0; i < n && i < VW_PAGE_ROWS_MAX; i++)
		put_edge_row(f, g, &g->edges.v[order[i]]);
	return n < VW_PAGE_ROWS_MAX ? 0 : n - VW_PAGE_ROWS_MAX;
}

int vw_page_graph_table(FILE *f, const struct vw_graph *g)
{
	static const char *const heads[] = {"What", "From", "To", "Protocols and ports",
					    "#Packets"};
	_cleanup_free_ uint32_t *order = calloc(g->edges.n + 1, sizeof(*order));
	size_t left_out;
	int r = order ? 0 : -ENOMEM;

	fputs("<h2>Connections</h2>\n", f);
	vw_page_table_begin(f, "connections", heads, VW_ARRAY_SIZE(heads));
	for (size_t i = 0; i < g->folds.n && !r; i++)
		r = put_fold_row(f, g, i);
	if (r)
		return r;
	left_out = put_edge_rows(f, g, order);
	vw_page_table_end(f);
	if (left_out)
		fprintf(f, "<p class=\"muted\">%zu more are not listed.</p>\n", left_out);
	return 0;
}

void vw_page_graph(FILE *f, const struct vw_graph *g, const char *title, unsigned without)
{
	put_bar(f, g, without);
	fputs("<div class=\"stage\">\n", f);
	vw_graph_svg(g, NULL, title, f);
	fputs("</div>\n", f);
	if (g->undrawn || g->cut_short)
		fprintf(f, "<p class=\"muted\">Not all is drawn: %zu lines are left out%s.</p>\n",
			g->undrawn, g->cut_short ? ", and there is more than this page holds" : "");
	if (g->large)
		fprintf(f,
			"<p class=\"muted\">Lines between groups stand for as many pairs of "
			"services as they say; click one to see them. %zu lighter ones are left "
			"out.</p>\n",
			g->minor);
	put_folds(f, g);
}
