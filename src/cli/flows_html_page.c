/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report as a page: what was asked and how far the answer goes first, then the whole in a few
 * figures, then ever more in detail. */
#include "cli/flows_html_page.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/flows_html.h"
#include "cli/page.h"
#include "codec/markup.h"
#include "vethwall/cleanup.h"

#define TOP_ROWS 10
#define SCAN_PORTS 15 /* as `flows scans` has them */
#define SCAN_PEERS 10
#define BARS 180
#define CHART_W 1100
#define CHART_H 150
#define CHART_LEFT 70 /* for the numbers of the axis */

/* ---- values ---- */

#define VALUE_MAX (VW_FLOW_STR_MAX + 1)

/* A field of a group as text: "" where there is none. */
static const char *value_text(const struct vw_groups *g, const struct vw_group *gr, size_t field,
			      char buf[static VALUE_MAX])
{
	struct vw_value v;

	vw_groups_value(g, gr, field, &v);
	switch (v.kind) {
	case VW_VALUE_TEXT:
		snprintf(buf, VALUE_MAX, "%.*s", (int)v.text.n, v.text.s);
		break;
	case VW_VALUE_NUMBER:
		snprintf(buf, VALUE_MAX, "%" PRIu64, v.number);
		break;
	case VW_VALUE_ADDR:
		vw_addr_str(&v.addr, buf);
		break;
	default:
		buf[0] = '\0';
	}
	return buf;
}

/* "1.2 GiB": three figures are enough beside the exact number. */
static void bytes_text(uint64_t n, char buf[static 32])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	size_t u = 0;
	uint64_t part = 0;

	for (; n >= 1024; u++) {
		part = n % 1024;
		n /= 1024;
	}
	if (u)
		snprintf(buf, 32, "%" PRIu64 ".%" PRIu64 " %s", n, part * 10 / 1024, units[u]);
	else
		snprintf(buf, 32, "%" PRIu64 " B", n);
}

/* ---- head ---- */

static void put_range(FILE *f, const struct vw_flows_html_about *a)
{
	char from[VW_TIME_STRLEN] = "the beginning of the log", to[VW_TIME_STRLEN] = "its end";
	char text[2 * VW_TIME_STRLEN + 8];

	if (a->from_us != INT64_MIN)
		vw_time_str(a->from_us, from);
	if (a->to_us != INT64_MAX)
		vw_time_str(a->to_us, to);
	snprintf(text, sizeof(text), "%s to %s", from, to);
	vw_page_fact(f, "Time asked for", text);
}

static void put_head(FILE *f, const struct vw_flows_html *h, const struct vw_flows_html_about *a)
{
	vw_page_begin(f, "Flow report");
	vw_page_facts_begin(f);
	vw_page_fact(f, "Query", a->query);
	vw_page_fact(f, "Node", a->node);
	vw_page_fact_time(f, "Made", a->made_us);
	put_range(f, a);
	if (h->sums.records) {
		vw_page_fact_time(f, "First packet", h->sums.first_us);
		vw_page_fact_time(f, "Last packet", h->sums.last_us);
	}
	vw_page_facts_end(f);
}

static void put_note(FILE *f, const char *text)
{
	fputs("<li>", f);
	vw_markup(f, text);
	fputs("</li>\n", f);
}

/* What the page leaves out, beside what the caller has to say of the log. */
static void put_notes(FILE *f, const struct vw_flows_html *h, const struct vw_flows_html_about *a)
{
	const struct vw_sums *others = vw_groups_others(h->rows);
	char text[256];

	if (!a->n_notes && !others->records && !h->denied.left_out)
		return;
	fputs("<ul class=\"notes\">\n", f);
	for (size_t i = 0; i < a->n_notes; i++)
		put_note(f, a->notes[i]);
	if (others->records) {
		snprintf(text, sizeof(text),
			 "There are more kinds of flows than the table tells apart: %" PRIu64
			 " records with %" PRIu64 " packets are in the sums, but in no row.",
			 others->records, others->packets);
		put_note(f, text);
	}
	if (h->denied.left_out) {
		snprintf(text, sizeof(text),
			 "%" PRIu64 " packets are not in the picture: their ends are not known by "
			 "name, or there are too many pairs.",
			 h->denied.left_out);
		put_note(f, text);
	}
	fputs("</ul>\n", f);
}

static void put_cards(FILE *f, const struct vw_flows_html *h)
{
	char bytes[32];

	bytes_text(h->sums.bytes, bytes);
	fprintf(f,
		"<div class=\"cards\"><div><b>%" PRIu64 "</b>packets</div><div><b>%s</b>%" PRIu64
		" bytes</div><div><b>%" PRIu64 "</b>records</div><div><b>%zu</b>workloads</div>"
		"</div>\n",
		h->sums.packets, bytes, h->sums.bytes, h->sums.records, vw_groups_n(h->tops[0]));
}

/* ---- time line ---- */

/* 256 times the binary logarithm, for bars that show one packet beside a million. */
static unsigned log256(uint64_t v)
{
	unsigned whole;

	if (v < 2)
		return 0;
	whole = 63 - (unsigned)__builtin_clzll(v);
	return 256 * whole +
	       (unsigned)(whole >= 8 ? v >> (whole - 8) & 255 : v << (8 - whole) & 255);
}

static void put_bar(FILE *f, const struct vw_timeline *t, size_t i, unsigned top)
{
	const struct vw_sums *s = &t->v[i];
	int w = CHART_W - CHART_LEFT, x = (int)((int64_t)w * (int64_t)i / (int64_t)t->n);
	int next = (int)((int64_t)w * (int64_t)(i + 1) / (int64_t)t->n);
	int height = (int)((log256(s->packets) + 128) * CHART_H / (top + 128));
	char when[VW_TIME_STRLEN];

	if (!s->packets)
		return;
	fprintf(f,
		"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"><title>%s and the %" PRId64
		" s after it: %" PRIu64 " packets, %" PRIu64 " records</title></rect>\n",
		CHART_LEFT + x, 10 + CHART_H - height, next - x > 1 ? next - x - 1 : 1, height,
		vw_time_str(t->start_us + (int64_t)i * t->width_us, when), t->width_us / 1000000,
		s->packets, s->records);
}

static void put_time_mark(FILE *f, int64_t us, int x, const char *anchor)
{
	char when[VW_TIME_STRLEN];

	fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%.19sZ</text>\n", x, CHART_H + 28,
		anchor, vw_time_str(us, when));
}

static void put_timeline(FILE *f, struct vw_timeline *t)
{
	uint64_t most = 0;

	if (!t->n)
		return;
	vw_timeline_fit(t, BARS);
	for (size_t i = 0; i < t->n; i++)
		most = t->v[i].packets > most ? t->v[i].packets : most;
	fprintf(f,
		"<h2>When</h2>\n<p class=\"muted\">Packets in %" PRId64
		" s each; heights are logarithmic, so that few show beside many.</p>\n"
		"<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"packets over "
		"time\">\n<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n"
		"<text x=\"%d\" y=\"18\" text-anchor=\"end\">%" PRIu64 "</text>\n"
		"<text x=\"%d\" y=\"%d\" text-anchor=\"end\">1</text>\n<g class=\"bars\">\n",
		t->width_us / 1000000, CHART_W, CHART_H + 34, CHART_LEFT, CHART_H + 11, CHART_W,
		CHART_H + 11, CHART_LEFT - 6, most, CHART_LEFT - 6, CHART_H + 8);
	for (size_t i = 0; i < t->n; i++)
		put_bar(f, t, i, log256(most));
	fputs("</g>\n", f);
	put_time_mark(f, t->start_us, CHART_LEFT, "start");
	put_time_mark(f, t->start_us + (int64_t)t->n * t->width_us, CHART_W, "end");
	fputs("</svg>\n", f);
}

/* ---- tops ---- */

/* The fields of a group beside each other: "world, api.example.org, 192.0.2.7"; "tcp/22". */
static void put_key(FILE *f, const struct vw_groups *g, const struct vw_group *gr, size_t n,
		    const char *between)
{
	char value[VALUE_MAX];
	bool any = false;

	fputs("<td>", f);
	for (size_t i = 0; i < n; i++) {
		if (!*value_text(g, gr, i, value))
			continue;
		fputs(any ? between : "", f);
		vw_markup(f, value);
		any = true;
	}
	fputs(any ? "</td>" : "<span class=\"muted\">(none)</span></td>", f);
}

static void put_top(FILE *f, const struct flows_html_top *top, struct vw_groups *g,
		    uint64_t packets)
{
	size_t n = vw_groups_n(g);

	vw_groups_sort(g, VW_BY_PACKETS, NULL);
	fprintf(f,
		"<div><h3>%s</h3>\n<table><thead><tr><th scope=\"col\">%zu in all</th>"
		"<th scope=\"col\">Packets</th><th scope=\"col\">Share</th></tr></thead><tbody>\n",
		top->title, n);
	for (size_t i = 0; i < n && i < TOP_ROWS; i++) {
		const struct vw_group *gr = vw_groups_at(g, i);
		/* in thousandths, without overflow of large counts */
		uint64_t share = packets >= 1000 ? gr->sums.packets / (packets / 1000)
				 : packets	 ? gr->sums.packets * 1000 / packets
						 : 0;

		vw_page_row(f);
		put_key(f, g, gr, top->n_by, top->by[0] == VW_FIELD_PROTO ? "/" : ", ");
		vw_page_number(f, gr->sums.packets);
		fprintf(f,
			"<td><svg class=\"share\" viewBox=\"0 0 1000 80\" "
			"preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%" PRIu64
			" per mille\"><rect width=\"%" PRIu64 "\" height=\"80\"/></svg></td>",
			share, share > 1000 ? 1000 : share);
		vw_page_row_end(f);
	}
	fputs("</tbody></table></div>\n", f);
}

/* ---- scans ---- */

struct scan_list {
	FILE *f;
	size_t n;
};

static int put_scan(const struct vw_scanner *s, void *arg)
{
	static const char *const heads[] = {"Who",	 "#Ports",	 "#Addresses",
					    "#Together", "#In a minute", "@That minute",
					    "#Packets"};
	struct scan_list *l = arg;
	char addr[VW_ADDR_STRLEN];

	if (!l->n++) {
		fputs("<h2>Scans</h2>\n<p class=\"muted\">Who tried many ports or many "
		      "addresses.</p>\n",
		      l->f);
		vw_page_table_begin(l->f, "scans", heads, VW_ARRAY_SIZE(heads));
	}
	if (l->n > VW_PAGE_ROWS_MAX)
		return 0;
	vw_page_row(l->f);
	fputs("<td>", l->f);
	if (s->name.n)
		vw_markup_n(l->f, s->name.s, s->name.n);
	else
		fputs(vw_addr_str(&s->addr, addr), l->f);
	fputs("</td>", l->f);
	vw_page_number(l->f, s->ports[0] + s->ports[1]);
	vw_page_number(l->f, s->peers);
	vw_page_number(l->f, s->pairs);
	vw_page_number(l->f, s->fastest);
	vw_page_time(l->f, s->fastest_us);
	vw_page_number(l->f, s->sums.packets);
	vw_page_row_end(l->f);
	return 0;
}

static int put_scans(FILE *f, struct vw_scans *scans)
{
	struct scan_list l = {.f = f};
	int r = vw_scans_each(scans, SCAN_PORTS, SCAN_PEERS, put_scan, &l);

	if (l.n)
		vw_page_table_end(f);
	return r;
}

/* ---- the picture ---- */

static int put_graph(FILE *f, const struct vw_flows_html *h)
{
	_cleanup_(vw_graph_done) struct vw_graph g = {0};
	int r;

	if (!h->denied.list.n)
		return 0;
	r = vw_graph_add_denied(&g, &h->denied);
	if (!r)
		r = vw_graph_layout(&g);
	if (r)
		return r;
	fputs("<h2>Who tried to reach whom</h2>\n", f);
	vw_page_graph(f, &g, "refused connections by service", 0);
	return vw_page_graph_table(f, &g);
}

/* ---- the table ---- */

/* "shop/api-1 10.77.0.11", whatever is known of it. */
static void put_end(FILE *f, const char *name, const char *dns, const char *addr)
{
	const char *parts[] = {name, dns, addr};
	bool any = false;

	fputs("<td>", f);
	for (size_t i = 0; i < VW_ARRAY_SIZE(parts); i++) {
		if (!*parts[i])
			continue;
		fputs(any ? " <span class=\"muted\">" : "<span>", f);
		vw_markup(f, parts[i]);
		fputs("</span>", f);
		any = true;
	}
	fputs("</td>", f);
}

static void put_port(FILE *f, char value[static _ROW_MAX][VALUE_MAX])
{
	fputs("<td>", f);
	vw_markup(f, value[ROW_PROTO]);
	if (*value[ROW_PORT])
		fprintf(f, "/%s", value[ROW_PORT]);
	else if (*value[ROW_ICMP])
		fprintf(f, " type %s", value[ROW_ICMP]);
	fputs("</td>", f);
}

static void put_row(FILE *f, const struct vw_groups *g, const struct vw_group *gr)
{
	char v[_ROW_MAX][VALUE_MAX];
	bool out;

	for (size_t i = 0; i < _ROW_MAX; i++)
		value_text(g, gr, i, v[i]);
	out = !strcmp(v[ROW_DIRECTION], vw_direction_str(VW_EGRESS));
	vw_page_row(f);
	vw_page_kind(f, v[ROW_EVENT], v[ROW_EVENT]); /* one of vw_flow_event_str() */
	if (out)
		put_end(f, v[ROW_WORKLOAD], "", v[ROW_WORKLOAD_IP]);
	else
		put_end(f, v[ROW_PEER], v[ROW_PEER_NAME], v[ROW_PEER_IP]);
	if (out)
		put_end(f, v[ROW_PEER], v[ROW_PEER_NAME], v[ROW_PEER_IP]);
	else
		put_end(f, v[ROW_WORKLOAD], "", v[ROW_WORKLOAD_IP]);
	put_port(f, v);
	vw_page_number(f, gr->sums.packets);
	vw_page_number(f, gr->sums.bytes);
	vw_page_number(f, gr->sums.records);
	vw_page_time(f, gr->sums.first_us);
	vw_page_time(f, gr->sums.last_us);
	put_end(f, v[ROW_POLICY], "", v[ROW_RULE]);
	vw_page_cell(f, v[ROW_DIRECTION]);
	vw_page_cell(f, v[ROW_IMAGE]);
	vw_page_row_end(f);
}

static void put_rows(FILE *f, struct vw_groups *g)
{
	static const char *const heads[] = {
		"What",	    "From",	   "To",	 "Port",       "#Packets",    "#Bytes",
		"#Records", "@First seen", "@Last seen", "Decided by", "Recorded at", "Image"};
	size_t n = vw_groups_n(g), shown = n < VW_PAGE_ROWS_MAX ? n : VW_PAGE_ROWS_MAX;
	struct vw_sums rest = {0};

	vw_groups_sort(g, VW_BY_PACKETS, NULL);
	fputs("<h2>All of it</h2>\n<p class=\"muted\">A row for each who, whom, port and deciding "
	      "rule; ports of origin are folded.</p>\n",
	      f);
	vw_page_table_begin(f, "flows", heads, VW_ARRAY_SIZE(heads));
	for (size_t i = 0; i < shown; i++)
		put_row(f, g, vw_groups_at(g, i));
	vw_page_table_end(f);
	for (size_t i = shown; i < n; i++) {
		rest.packets += vw_groups_at(g, i)->sums.packets;
		rest.bytes += vw_groups_at(g, i)->sums.bytes;
	}
	if (n > shown)
		fprintf(f,
			"<p class=\"muted\">These are the %zu rows with most packets. %zu more, "
			"with %" PRIu64 " packets and %" PRIu64
			" bytes, are not listed; a narrower query shows them.</p>\n",
			shown, n - shown, rest.packets, rest.bytes);
}

int vw_flows_html_write(struct vw_flows_html *h, const struct vw_flows_html_about *about, FILE *f)
{
	int r;

	put_head(f, h, about);
	put_notes(f, h, about);
	put_cards(f, h);
	put_timeline(f, &h->timeline);
	if (h->sums.records) {
		fputs("<h2>Most</h2>\n<div class=\"tops\">\n", f);
		for (size_t i = 0; i < FLOWS_HTML_TOPS; i++)
			put_top(f, &flows_html_tops[i], h->tops[i], h->sums.packets);
		fputs("</div>\n", f);
	}
	r = put_scans(f, h->scans);
	if (!r)
		r = put_graph(f, h);
	if (r)
		return r;
	put_rows(f, h->rows);
	vw_page_end(f);
	return 0;
}
