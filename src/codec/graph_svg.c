/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A laid out graph as SVG. Looks are the style sheet's (classes); places and curves are the
 * graph's. data- attributes say which edges belong to which node, for the page's script. */
#include <string.h>

#include "codec/markup.h"
#include "vethwall/cleanup.h"
#include "vethwall/graph.h"

#define HEAD 44 /* above the picture, when it stands alone: its title */
#define LEGEND_LINE 22
#define LEGEND_MIN_W 640

/* ---- texts ---- */

/* Lines of a text below each other: x of each, baseline of the first. */
static void put_lines(FILE *f, const char *lines, int x, int y, int step)
{
	for (const char *s = lines; *s;) {
		size_t n = strcspn(s, "\n");

		fprintf(f, "<tspan x=\"%d\" y=\"%d\">", x, y);
		vw_markup_n(f, s, n);
		fputs("</tspan>", f);
		y += step;
		s += n + (s[n] == '\n');
	}
}

/* The same as one line. */
static void put_joined(FILE *f, const char *lines)
{
	for (const char *s = lines; *s;) {
		size_t n = strcspn(s, "\n");

		vw_markup_n(f, s, n);
		s += n + (s[n] == '\n');
	}
}

static int count_lines(const char *lines)
{
	int n = 1;

	for (; *lines; lines++)
		n += *lines == '\n';
	return n;
}

/* ---- parts ---- */

static void put_markers(FILE *f)
{
	fputs("<defs>", f);
	for (int k = 0; k < _VW_GRAPH_KIND_MAX; k++)
		fprintf(f,
			"<marker id=\"arrow-%s\" class=\"arrow %s\" viewBox=\"0 0 10 10\" "
			"refX=\"9\" refY=\"5\" markerWidth=\"9\" markerHeight=\"9\" "
			"markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\">"
			"<path d=\"M0 1 10 5 0 9z\"/></marker>",
			vw_graph_kind_str((enum vw_graph_kind)k),
			vw_graph_kind_str((enum vw_graph_kind)k));
	fputs("</defs>\n", f);
}

static void put_groups(FILE *f, const struct vw_graph *g)
{
	fputs("<g class=\"groups\">\n", f);
	for (size_t i = 0; i < g->groups.n; i++) {
		const struct vw_graph_group *p = &g->groups.v[i];

		fprintf(f,
			"<rect class=\"group%s\" data-g=\"%zu\" x=\"%d\" y=\"%d\" width=\"%d\" "
			"height=\"%d\" rx=\"12\"/>\n",
			p->name ? "" : " outside", i, p->box.x, p->box.y, p->box.w, p->box.h);
	}
	fputs("</g>\n", f);
}

/* Above the edges, which may pass there. */
static void put_group_titles(FILE *f, const struct vw_graph *g)
{
	fputs("<g class=\"titles\">\n", f);
	for (size_t i = 0; i < g->groups.n; i++) {
		const struct vw_graph_group *p = &g->groups.v[i];
		int x = p->box.x + 16, y = p->box.y + 23;

		fprintf(f, "<text data-g=\"%zu\">", i);
		put_lines(f, p->title, x, y, VW_GRAPH_LINE);
		fputs("</text>", f);
		if (p->folds)
			fprintf(f, "<text class=\"folds\" x=\"%d\" y=\"%d\">%s</text>", x,
				y + count_lines(p->title) * VW_GRAPH_LINE - 2, p->folds);
		fputs("\n", f);
	}
	fputs("</g>\n", f);
}

static void put_path(FILE *f, const struct vw_point p[static 4])
{
	fprintf(f, "d=\"M%d %dC%d %d %d %d %d %d\"", p[0].x, p[0].y, p[1].x, p[1].y, p[2].x, p[2].y,
		p[3].x, p[3].y);
}

static void put_edge(FILE *f, const struct vw_graph *g, const struct vw_graph_curve *c)
{
	const struct vw_graph_edge *e = &g->edges.v[c->edge];
	const char *kind = vw_graph_kind_str(e->kind);

	fprintf(f, "<g class=\"edge %s%s\" data-from=\"%u\" data-to=\"%u\"><title>", kind,
		c->bundled ? " bundled" : "", e->from, e->to);
	vw_markup(f, g->nodes.v[e->from].name);
	fputs(" → ", f);
	vw_markup(f, g->nodes.v[e->to].name);
	fputs(": ", f);
	vw_markup(f, g->texts.v[e->text]);
	fprintf(f, ", %s", vw_graph_kind_words(e->kind));
	if (e->kind == VW_GRAPH_DENIED)
		fprintf(f, ", %llu packets", (unsigned long long)e->packets);
	fputs("</title><path class=\"near\" ", f);
	put_path(f, c->p);
	fputs("/><path class=\"line\" ", f);
	put_path(f, c->p);
	fprintf(f, " marker-end=\"url(#arrow-%s)\"/></g>\n", kind);
}

static double bundle_width(size_t edges)
{
	double w = 1.5;

	for (; edges > 1 && w < 7; edges /= 2)
		w += 0.9;
	return w;
}

static void put_bundle(FILE *f, const struct vw_graph *g, const struct vw_graph_curve *c)
{
	const char *kind = vw_graph_kind_str(c->kind);

	fprintf(f,
		"<g class=\"bundle %s\" data-a=\"%u\" data-b=\"%u\" data-kind=\"%s\" "
		"stroke-width=\"%.1f\"><title>",
		kind, c->from, c->to, kind, bundle_width(c->edges));
	put_joined(f, g->groups.v[c->from].title);
	fputs(c->back ? " ↔ " : " → ", f);
	put_joined(f, g->groups.v[c->to].title);
	fprintf(f, ": %zu pair%s of services, %s", c->edges, c->edges == 1 ? "" : "s",
		vw_graph_kind_words(c->kind));
	if (c->kind == VW_GRAPH_DENIED)
		fprintf(f, ", %llu packets", (unsigned long long)c->packets);
	fputs("</title><path class=\"line\" ", f);
	put_path(f, c->p);
	fprintf(f, " marker-end=\"url(#arrow-%s)\"", kind);
	if (c->back)
		fprintf(f, " marker-start=\"url(#arrow-%s)\"", kind);
	fputs("/></g>\n", f);
}

static void put_curves(FILE *f, const struct vw_graph *g)
{
	fputs("<g class=\"edges\">\n", f);
	vw_vec_foreach (c, &g->curves) {
		if (c->edge == SIZE_MAX)
			put_bundle(f, g, c);
		else
			put_edge(f, g, c);
	}
	fputs("</g>\n", f);
}

static void put_node_title(FILE *f, const struct vw_graph_node *n)
{
	int lines = count_lines(n->title);
	int text = lines * VW_GRAPH_LINE + (n->folds ? VW_GRAPH_SMALL_LINE : 0);
	int x = n->box.x + n->box.w / 2, y = n->box.y + (n->box.h - text) / 2 + 13;

	fputs("<text>", f);
	put_lines(f, n->title, x, y, VW_GRAPH_LINE);
	if (n->members > 1)
		fprintf(f, "<tspan class=\"members\" dx=\"6\">×%zu</tspan>", n->members);
	fputs("</text>", f);
	if (n->folds)
		fprintf(f, "<text class=\"folds\" x=\"%d\" y=\"%d\">%s</text>", x,
			y + lines * VW_GRAPH_LINE - 2, n->folds);
}

static void put_nodes(FILE *f, const struct vw_graph *g)
{
	static const char *const kinds[] = {
		[VW_PARTY_SERVICE] = "service",
		[VW_PARTY_HOST] = "host",
		[VW_PARTY_OUTSIDE] = "outside",
		[VW_PARTY_NAME] = "outside",
	};

	fputs("<g class=\"nodes\">\n", f);
	for (size_t i = 0; i < g->nodes.n; i++) {
		const struct vw_graph_node *n = &g->nodes.v[i];

		fprintf(f, "<g class=\"node %s\" data-n=\"%zu\" data-g=\"%u\"><title>",
			kinds[n->kind], i, n->group);
		vw_markup(f, n->name);
		if (n->members)
			fprintf(f, ", %zu workload%s", n->members, n->members == 1 ? "" : "s");
		fprintf(f, "</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"%d\"/>",
			n->box.x, n->box.y, n->box.w, n->box.h,
			n->kind == VW_PARTY_SERVICE ? 7 : 16);
		put_node_title(f, n);
		fputs("</g>\n", f);
	}
	fputs("</g>\n", f);
}

static void put_label(FILE *f, const struct vw_graph *g, const struct vw_graph_curve *c)
{
	const struct vw_box *b = &c->label_box;
	const struct vw_graph_edge *e = c->edge == SIZE_MAX ? NULL : &g->edges.v[c->edge];

	fprintf(f, "<g class=\"label %s%s%s\" ", vw_graph_kind_str(c->kind), e ? "" : " of-bundle",
		c->crowded ? " crowded" : "");
	if (e)
		fprintf(f, "data-from=\"%u\" data-to=\"%u\">", e->from, e->to);
	else
		fprintf(f, "data-a=\"%u\" data-b=\"%u\">", c->from, c->to);
	fprintf(f, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\"/><text>", b->x,
		b->y, b->w, b->h);
	put_lines(f, c->label, b->x + b->w / 2, b->y + 12, VW_GRAPH_SMALL_LINE);
	fputs("</text></g>\n", f);
}

static void put_labels(FILE *f, const struct vw_graph *g)
{
	fputs("<g class=\"labels\">\n", f);
	vw_vec_foreach (c, &g->curves)
		if (c->label)
			put_label(f, g, c);
	fputs("</g>\n", f);
}

/* ---- what stands around a picture that stands alone ---- */

static int legend_lines(const struct vw_graph *g)
{
	int n = (int)g->folds.n + (g->undrawn || g->cut_short) + (g->large != 0);

	for (int k = 0; k < _VW_GRAPH_KIND_MAX; k++)
		n += vw_graph_count(g, (enum vw_graph_kind)k) > 0;
	return n;
}

static void put_legend(FILE *f, const struct vw_graph *g)
{
	int y = g->height + 18;

	fputs("<g class=\"legend\">\n", f);
	for (int k = 0; k < _VW_GRAPH_KIND_MAX; k++) {
		const char *kind = vw_graph_kind_str((enum vw_graph_kind)k);

		if (!vw_graph_count(g, (enum vw_graph_kind)k))
			continue;
		fprintf(f,
			"<g class=\"edge %s\"><path class=\"line\" d=\"M28 %dH88\" "
			"marker-end=\"url(#arrow-%s)\"/></g><text x=\"100\" y=\"%d\">%s</text>\n",
			kind, y - 4, kind, y, vw_graph_kind_words((enum vw_graph_kind)k));
		y += LEGEND_LINE;
	}
	for (size_t i = 0; i < g->folds.n; i++, y += LEGEND_LINE) {
		char letter[VW_GRAPH_LETTER_MAX];
		_cleanup_free_ char *words = vw_graph_fold_words(g, i);

		fprintf(f, "<text x=\"28\" y=\"%d\">%s: ", y, vw_graph_letter(i, letter));
		vw_markup(f, words);
		fputs("</text>\n", f);
	}
	if (g->large) {
		fprintf(f,
			"<text x=\"28\" y=\"%d\">Lines between groups stand for as many pairs of "
			"services as they say; %zu lighter ones are left out.</text>\n",
			y, g->minor);
		y += LEGEND_LINE;
	}
	if (g->undrawn || g->cut_short)
		fprintf(f,
			"<text x=\"28\" y=\"%d\">Not all is drawn: %zu edges are left "
			"out%s.</text>\n",
			y, g->undrawn, g->cut_short ? ", and there is more" : "");
	fputs("</g>\n", f);
}

void vw_graph_svg(const struct vw_graph *g, const char *css, const char *title, FILE *f)
{
	int top = css ? HEAD : 0, h = g->height + top;
	int w = css && g->width < LEGEND_MIN_W ? LEGEND_MIN_W : g->width;

	if (css)
		h += legend_lines(g) * LEGEND_LINE + 16;
	fprintf(f,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"graph%s\" viewBox=\"0 %d %d "
		"%d\" width=\"%d\" height=\"%d\" role=\"img\">\n<title>",
		g->large ? " large" : "", -top, w, h, w, h);
	vw_markup(f, title);
	fputs("</title>\n", f);
	if (css)
		fprintf(f,
			"<style>\n%s</style>\n<rect class=\"ground\" y=\"%d\" width=\"%d\" "
			"height=\"%d\"/>\n",
			css, -top, w, h);
	put_markers(f);
	if (css) {
		fputs("<text class=\"heading\" x=\"28\" y=\"-14\">", f);
		vw_markup(f, title);
		fputs("</text>\n", f);
	}
	put_groups(f, g);
	put_curves(f, g);
	put_group_titles(f, g);
	put_nodes(f, g);
	put_labels(f, g);
	if (css)
		put_legend(f, g);
	fputs("</svg>\n", f);
}
