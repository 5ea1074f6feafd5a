/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page of a preview: the change as a picture, each changed connection with who decides it on
 * both sides, documents and subjects, what the caller knows of flows, and the plan. */
#include "cli/diff_html.h"

#include <string.h>

#include "cli/page.h"
#include "codec/markup.h"
#include "vethwall/cleanup.h"
#include "vethwall/explain.h"

/* ---- who decides ---- */

static void put_place(FILE *f, const struct vw_pos *pos)
{
	if (!pos->file)
		return;
	fputs(" at ", f);
	vw_markup(f, pos->file);
	fprintf(f, ":%u", pos->line);
}

/* One end's part in it, a line. */
static void put_decision(FILE *f, const struct vw_decision *d, enum vw_direction dir)
{
	char text[VW_POLICY_STRLEN];

	fprintf(f, "%s %s: ", vw_direction_str(dir),
		d->audited ? "allowed, audited"
		: d->allow ? "allowed"
			   : "denied");
	if (d->rule) {
		vw_markup(f, vw_policy_str(d->policy, text));
		fputs(" ", f);
		vw_markup(f, vw_rule_str(d->rule, dir, text));
		put_place(f, &d->rule->pos);
	} else if (d->tier == VW_TIER_SERVICE) {
		vw_markup(f, vw_policy_str(d->near_policy, text));
		if (d->near_policy)
			put_place(f, &d->near_policy->pos);
		fputs(" allows nothing of it", f);
	} else {
		fputs(d->allow ? "no policy selects it" : "the node's default", f);
	}
}

static void put_verdict(FILE *f, const struct vw_conn_range *r, const struct vw_verdict *v)
{
	fputs("<td class=\"pre\">", f);
	if (v && r->from->workload)
		put_decision(f, &v->egress, VW_EGRESS);
	if (v && r->from->workload && (r->to->workload || r->behind))
		fputs("\n", f);
	if (v && (r->to->workload || r->behind))
		put_decision(f, &v->ingress, VW_INGRESS);
	fputs("</td>", f);
}

/* "2 of 3", of the workloads behind a service; nothing where that says nothing. */
static void put_party(FILE *f, const struct vw_party *p, uint32_t holds,
		      const struct vw_workload *behind)
{
	fputs("<td>", f);
	vw_markup(f, p->name);
	if (p->members > holds)
		fprintf(f, " <span class=\"muted\">%u of %zu</span>", holds, p->members);
	if (behind) {
		fputs(" <span class=\"muted\">published by ", f);
		vw_markup(f, behind->namespace_);
		fputs("/", f);
		vw_markup(f, behind->service);
		fputs("</span>", f);
	}
	fputs("</td>", f);
}

/* ---- connections ---- */

static void put_range(FILE *f, const struct vw_connectivity *c, const struct vw_conn_edge *e,
		      const struct vw_conn_range *r)
{
	bool gained = r->state == VW_CONN_GAINED;
	char ports[VW_CONN_RANGE_STRLEN];

	vw_page_row(f);
	vw_page_kind(f, gained ? "gained" : "lost", gained ? "+ allowed" : "− denied");
	put_party(f, &c->parties.v[e->from], r->from_members, NULL);
	put_party(f, &c->parties.v[e->to], r->to_members, r->behind);
	vw_page_cell(f, vw_conn_range_str(r, ports));
	put_verdict(f, r, r->before);
	put_verdict(f, r, r->after);
	vw_page_row_end(f);
}

static void put_changes(FILE *f, const struct vw_connectivity *c)
{
	static const char *const heads[] = {
		"Change", "From", "To", "Port", "Before: who decides", "After: who decides"};
	size_t rows = 0;

	fputs("<h2>What changes</h2>\n", f);
	vw_page_table_begin(f, "changes", heads, VW_ARRAY_SIZE(heads));
	vw_vec_foreach (e, &c->edges) {
		for (size_t i = 0; i < e->ranges.n; i++) {
			if (e->ranges.v[i].state == VW_CONN_KEPT)
				continue;
			if (rows++ < VW_PAGE_ROWS_MAX)
				put_range(f, c, e, &e->ranges.v[i]);
		}
	}
	vw_page_table_end(f);
	if (rows > VW_PAGE_ROWS_MAX)
		fprintf(f, "<p class=\"muted\">%zu more are not listed.</p>\n",
			rows - VW_PAGE_ROWS_MAX);
	if (c->cut_short)
		fputs("<p class=\"muted\">There is more than could be compared at once.</p>\n", f);
}

static int put_connections(FILE *f, const struct vw_connectivity *c)
{
	_cleanup_(vw_graph_done) struct vw_graph g = {0};
	int r = vw_graph_add_connectivity(&g, c);

	if (!r)
		r = vw_graph_layout(&g);
	if (r)
		return r;
	/* Where little changes in much, what stays would hide it: it can be switched on. */
	vw_page_graph(f, &g, "what changes", g.large ? 1u << VW_GRAPH_KEPT : 0);
	put_changes(f, c);
	return vw_page_graph_table(f, &g);
}

/* ---- documents and subjects ---- */

static void put_policies(FILE *f, const struct vw_connectivity *c)
{
	static const char *const heads[] = {"Document", "Kind", "Name", "Where"};
	static const char *const what[][2] = {
		[VW_POLICY_ADDED] = {"gained", "+ new"},
		[VW_POLICY_REMOVED] = {"lost", "− gone"},
		[VW_POLICY_CHANGED] = {"kept", "~ changed"},
	};

	if (!c->policies.n)
		return;
	fputs("<h2>Documents</h2>\n", f);
	vw_page_table_begin(f, "policies", heads, VW_ARRAY_SIZE(heads));
	vw_vec_foreach (p, &c->policies) {
		const struct vw_policy *doc = p->after ? p->after : p->before;

		vw_page_row(f);
		vw_page_kind(f, what[p->what][0], what[p->what][1]);
		vw_page_cell(f, doc->kind);
		fputs("<td>", f);
		vw_markup(f, doc->namespace_);
		fputs(doc->namespace_ ? "/" : "", f);
		vw_markup(f, doc->name);
		fputs("</td><td>", f);
		vw_markup(f, doc->pos.file);
		fprintf(f, ":%u</td>", doc->pos.line);
		vw_page_row_end(f);
	}
	vw_page_table_end(f);
}

static void put_isolation(FILE *f, const struct vw_connectivity *c)
{
	static const char *const heads[] = {"Isolation", "Workload", "Direction"};
	size_t rows = 0;

	if (!c->isolation.n)
		return;
	fputs("<h2>Isolation</h2>\n", f);
	vw_page_table_begin(f, "isolation", heads, VW_ARRAY_SIZE(heads));
	vw_vec_foreach (i, &c->isolation) {
		if (rows++ >= VW_PAGE_ROWS_MAX)
			continue;
		vw_page_row(f);
		vw_page_kind(f, i->isolated ? "lost" : "gained",
			     i->isolated ? "isolated" : "not isolated any more");
		fputs("<td>", f);
		vw_markup(f, i->workload->namespace_);
		fputs("/", f);
		vw_markup(f, i->workload->name);
		fprintf(f, "</td><td>%s</td>", vw_direction_str(i->dir));
		vw_page_row_end(f);
	}
	vw_page_table_end(f);
	if (rows > VW_PAGE_ROWS_MAX)
		fprintf(f, "<p class=\"muted\">%zu more are not listed.</p>\n",
			rows - VW_PAGE_ROWS_MAX);
}

/* ---- what the caller knows ---- */

static void put_list(FILE *f, const struct vw_diff_html_list *l, size_t number)
{
	char id[32];

	fputs("<h2>", f);
	vw_markup(f, l->title);
	fputs("</h2>\n", f);
	if (l->note) {
		fputs("<p>", f);
		vw_markup(f, l->note);
		fputs("</p>\n", f);
	}
	if (!l->n_rows)
		return;
	snprintf(id, sizeof(id), "list%zu", number);
	vw_page_table_begin(f, id, l->columns, l->n_columns);
	for (size_t i = 0; i < l->n_rows && i < VW_PAGE_ROWS_MAX; i++) {
		vw_page_row(f);
		for (size_t k = 0; k < l->n_columns; k++)
			vw_page_cell(f, l->cells[i * l->n_columns + k]);
		vw_page_row_end(f);
	}
	vw_page_table_end(f);
	if (l->n_rows > VW_PAGE_ROWS_MAX)
		fprintf(f, "<p class=\"muted\">%zu more are not listed.</p>\n",
			l->n_rows - VW_PAGE_ROWS_MAX);
}

/* Lines keep their ends; those added and removed have colours beside their signs. */
static void put_plan(FILE *f, const char *plan)
{
	fputs("<h2>Plan for the kernel</h2>\n", f);
	if (!*plan) {
		fputs("<p>Nothing changes there.</p>\n", f);
		return;
	}
	fputs("<pre id=\"plan\">", f);
	for (const char *s = plan; *s;) {
		size_t n = strcspn(s, "\n");
		const char *class = *s == '+' ? "add" : *s == '-' ? "del" : NULL;

		if (class)
			fprintf(f, "<span class=\"%s\">", class);
		for (const char *tab; (tab = memchr(s, '\t', n)); s = tab + 1) {
			vw_markup_n(f, s, (size_t)(tab - s));
			fputs("\t", f);
			n -= (size_t)(tab + 1 - s);
		}
		vw_markup_n(f, s, n);
		fputs(class ? "</span>\n" : "\n", f);
		s += n + (s[n] == '\n');
	}
	fputs("</pre>\n", f);
}

int vw_diff_html(const struct vw_connectivity *c, const struct vw_diff_html_about *about, FILE *f)
{
	int r = 0;

	vw_page_begin(f, "Policy change");
	vw_page_facts_begin(f);
	vw_page_fact(f, "Before", about->before);
	vw_page_fact(f, "After", about->after);
	vw_page_fact_time(f, "Made", about->made_us);
	vw_page_facts_end(f);
	if (vw_connectivity_differs(c)) {
		r = put_connections(f, c);
	} else {
		fputs("<h2>What changes</h2>\n<p>No connection: both decide alike for every "
		      "packet.</p>\n",
		      f);
	}
	put_policies(f, c);
	put_isolation(f, c);
	for (size_t i = 0; i < about->n_lists; i++)
		put_list(f, &about->lists[i], i);
	if (about->plan)
		put_plan(f, about->plan);
	vw_page_end(f);
	return r;
}
