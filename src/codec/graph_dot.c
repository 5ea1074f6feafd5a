/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A graph in the language of graphviz, which places it anew (newrank: its older ranking gives up on
 * many clusters, "trouble in init_rank"). Folds keep their letters; everything
 * else is drawn edge by edge. */
#include <string.h>

#include "base/escape.h"
#include "vethwall/cleanup.h"
#include "vethwall/graph.h"

/* Inside a quoted string: graphviz takes \N, \l and so on for orders, so backslashes are doubled
 * (graphviz.org/docs/attr-types/escString), and HTML's references for what they stand for, so & is
 * one (graphviz.org/doc/char.html). Newlines of a text in lines stay line ends. */
static void put_text(FILE *f, const char *s)
{
	size_t n = strlen(s), len;
	char c[VW_ESCAPE_CHAR_MAX];

	for (size_t i = 0; i < n;) {
		if (s[i] == '\n') {
			fputs("\\n", f);
			i++;
			continue;
		}
		i += vw_escape_char(s + i, n - i, c, &len);
		for (size_t k = 0; k < len; k++) {
			if (c[k] == '"' || c[k] == '\\')
				fputc('\\', f);
			if (c[k] == '&')
				fputs("&amp;", f);
			else
				fputc(c[k], f);
		}
	}
}

static const char *const looks[_VW_GRAPH_KIND_MAX] = {
	"color=\"#5f7186\", style=solid",
	"color=\"#00795c\", style=bold",
	"color=\"#c4420f\", style=dashed",
	"color=\"#9c3b86\", style=dotted, arrowhead=tee",
};

static const char *const marks[_VW_GRAPH_KIND_MAX] = {"", "+ ", "− ", "✕ "};

static void put_node(FILE *f, const struct vw_graph_node *n, size_t i)
{
	fprintf(f, "\t\tn%zu [label=\"", i);
	put_text(f, n->title);
	if (n->members > 1)
		fprintf(f, " ×%zu", n->members);
	if (n->folds)
		fprintf(f, "\\n%s", n->folds);
	fprintf(f, "\", shape=box, style=\"%s\", tooltip=\"",
		n->kind == VW_PARTY_SERVICE ? "filled" : "filled,rounded,dashed");
	put_text(f, n->name);
	fputs("\"];\n", f);
}

static void put_group(FILE *f, const struct vw_graph *g, size_t group)
{
	const struct vw_graph_group *p = &g->groups.v[group];

	fprintf(f, "\tsubgraph cluster_%zu {\n\t\tlabel=\"", group);
	put_text(f, p->title);
	if (p->folds)
		fprintf(f, "\\n%s", p->folds);
	fputs("\";\n\t\tstyle=\"rounded,filled\"; color=\"#cfd6df\"; fillcolor=\"#eef1f5\";\n", f);
	for (size_t i = 0; i < g->nodes.n; i++)
		if (g->nodes.v[i].group == group)
			put_node(f, &g->nodes.v[i], i);
	fputs("\t}\n", f);
}

static void put_edge(FILE *f, const struct vw_graph *g, const struct vw_graph_edge *e)
{
	fprintf(f, "\tn%u -> n%u [%s, label=\"%s", e->from, e->to, looks[e->kind], marks[e->kind]);
	put_text(f, g->texts.v[e->text]);
	if (e->kind == VW_GRAPH_DENIED)
		fprintf(f, " ×%llu", (unsigned long long)e->packets);
	fputs("\"];\n", f);
}

static void put_folds(FILE *f, const struct vw_graph *g)
{
	fputs("\tfolds [shape=note, label=\"", f);
	for (size_t i = 0; i < g->folds.n; i++) {
		char letter[VW_GRAPH_LETTER_MAX];
		_cleanup_free_ char *words = vw_graph_fold_words(g, i);

		fprintf(f, "%s: ", vw_graph_letter(i, letter));
		put_text(f, words ? words : "");
		fputs("\\l", f);
	}
	fputs("\"];\n", f);
}

void vw_graph_dot(const struct vw_graph *g, const char *title, FILE *f)
{
	fputs("digraph vethwall {\n\tlabel=\"", f);
	put_text(f, title);
	fputs("\";\n\tlabelloc=t; rankdir=LR; newrank=true; fontname=\"sans-serif\";\n"
	      "\tnode [fontname=\"sans-serif\", fillcolor=\"#ffffff\", color=\"#8a97a8\"];\n"
	      "\tedge [fontname=\"sans-serif\", fontsize=10];\n",
	      f);
	for (size_t i = 0; i < g->groups.n; i++)
		put_group(f, g, i);
	vw_vec_foreach (e, &g->edges)
		if (!e->folded)
			put_edge(f, g, e);
	if (g->folds.n)
		put_folds(f, g);
	fputs("}\n", f);
}
