/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Curves from box to box. Each begins and ends at the sides that face each other, spread along
 * them; it is bent until it passes behind no other box, if a moderate bend can do that. Labels go
 * where nothing else is. */
#include <stdio.h>

#include "core/graph_parts.h"
#include "vethwall/cleanup.h"

#define LABEL_MAX_W 130
#define PARALLEL 18 /* pixels between curves of the same ends */
#define SAMPLES 16
#define LABELS_MAX 1500 /* looked at for room: each against all others */
#define BEND_WORK_MAX 3000000 /* curves times nodes for which bends are tried */

enum side { LEFT, RIGHT, TOP, BOTTOM };

/* What is known of a curve's ends before it is drawn. */
struct ends {
	const struct vw_box *box[2];
	enum side side[2];
	struct vw_point at[2];
};

struct routing {
	struct vw_graph *g;
	struct ends *ends; /* of curves */
	size_t *order; /* curve * 2 + end, by box and side */
	uint32_t *nodes; /* by group */
	size_t *first; /* of each group's nodes; one more than there are groups */
	unsigned bundled; /* kinds, as bits */
	bool bend;
};

static void routing_done(struct routing *t)
{
	free(t->ends);
	free(t->order);
	free(t->nodes);
	free(t->first);
}

/* ---- sides ---- */

static void choose_sides(struct ends *e)
{
	const struct vw_box *a = e->box[0], *b = e->box[1];

	if (b->x >= a->x + a->w) {
		e->side[0] = RIGHT;
		e->side[1] = LEFT;
	} else if (a->x >= b->x + b->w) {
		e->side[0] = LEFT;
		e->side[1] = RIGHT;
	} else if (b->y >= a->y + a->h) {
		e->side[0] = BOTTOM;
		e->side[1] = TOP;
	} else if (a->y >= b->y + b->h) {
		e->side[0] = TOP;
		e->side[1] = BOTTOM;
	} else {
		e->side[0] = RIGHT; /* to itself */
		e->side[1] = TOP;
	}
}

/* Ends at the same side of the same box, in the order of where they lead. */
static int by_side(const void *x, const void *y, void *arg)
{
	const struct routing *t = arg;
	const size_t i = *(const size_t *)x, j = *(const size_t *)y;
	const struct ends *a = &t->ends[i / 2], *b = &t->ends[j / 2];
	const struct vw_box *p = a->box[!(i % 2)], *q = b->box[!(j % 2)];
	int c;

	if (a->box[i % 2] != b->box[j % 2])
		return a->box[i % 2] < b->box[j % 2] ? -1 : 1;
	if (a->side[i % 2] != b->side[j % 2])
		return a->side[i % 2] < b->side[j % 2] ? -1 : 1;
	c = a->side[i % 2] <= RIGHT ? graph_mid_y(p) - graph_mid_y(q)
				    : graph_mid_x(p) - graph_mid_x(q);
	return c ? c : (i / 2 > j / 2) - (i / 2 < j / 2);
}

static struct vw_point side_point(const struct vw_box *b, enum side side, size_t i, size_t n)
{
	int part = (int)(1000 * (i + 1) / (n + 1));

	switch (side) {
	case LEFT:
		return (struct vw_point){b->x, b->y + b->h * part / 1000};
	case RIGHT:
		return (struct vw_point){b->x + b->w, b->y + b->h * part / 1000};
	case TOP:
		return (struct vw_point){b->x + b->w * part / 1000, b->y};
	default:
		return (struct vw_point){b->x + b->w * part / 1000, b->y + b->h};
	}
}

static void spread_ends(struct routing *t)
{
	size_t n = 2 * t->g->curves.n, end;

	for (size_t i = 0; i < n; i++)
		t->order[i] = i;
	qsort_r(t->order, n, sizeof(*t->order), by_side, t);
	for (size_t i = 0; i < n; i = end) {
		const struct ends *a = &t->ends[t->order[i] / 2];
		const struct vw_box *box = a->box[t->order[i] % 2];
		enum side side = a->side[t->order[i] % 2];

		for (end = i + 1; end < n; end++) {
			const struct ends *b = &t->ends[t->order[end] / 2];

			if (b->box[t->order[end] % 2] != box || b->side[t->order[end] % 2] != side)
				break;
		}
		for (size_t k = i; k < end; k++)
			t->ends[t->order[k] / 2].at[t->order[k] % 2] =
				side_point(box, side, k - i, end - i);
	}
}

/* ---- curves ---- */

static int limit(int v, int lo, int hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

static struct vw_point outwards(struct vw_point p, enum side side, int d)
{
	switch (side) {
	case LEFT:
		p.x -= d;
		break;
	case RIGHT:
		p.x += d;
		break;
	case TOP:
		p.y -= d;
		break;
	default:
		p.y += d;
	}
	return p;
}

/* The point at part/1000 of the curve. */
static struct vw_point along(const struct vw_point p[static 4], int part)
{
	long long u = 1000 - part, v = part;
	long long w[4] = {u * u * u, 3 * u * u * v, 3 * u * v * v, v * v * v};
	long long x = 0, y = 0;

	for (int i = 0; i < 4; i++) {
		x += w[i] * p[i].x;
		y += w[i] * p[i].y;
	}
	return (struct vw_point){(int)(x / 1000000000), (int)(y / 1000000000)};
}

/* The curve between the ends, bent aside; around: out and back at the same side, for boxes of one
 * column. */
static void draw(const struct ends *e, int bend, enum side around, struct vw_point p[static 4])
{
	int dx = abs(e->at[1].x - e->at[0].x), dy = abs(e->at[1].y - e->at[0].y);
	int d;

	p[0] = e->at[0];
	p[3] = e->at[1];
	if (around <= RIGHT) {
		p[0] = side_point(e->box[0], around, 0, 1);
		p[3] = side_point(e->box[1], around, 0, 1);
		p[1] = outwards(p[0], around, bend);
		p[2] = outwards(p[3], around, bend);
		return;
	}
	d = e->box[0] == e->box[1] ? 34
	    : e->side[0] <= RIGHT  ? limit(dx / 2, 24, 240)
				   : limit(dy / 2, 12, 160);
	p[1] = outwards(p[0], e->side[0], d);
	p[2] = outwards(p[3], e->side[1], d);
	for (int i = 1; i <= 2; i++) {
		if (e->side[0] <= RIGHT)
			p[i].y += bend;
		else
			p[i].x += bend;
	}
}

static bool inside(const struct vw_box *b, struct vw_point p, int slack)
{
	return p.x > b->x - slack && p.x < b->x + b->w + slack && p.y > b->y - slack &&
	       p.y < b->y + b->h + slack;
}

static int points_in(const struct vw_box *b, const struct vw_point *at)
{
	int hits = 0;

	for (int i = 0; i < SAMPLES; i++)
		hits += inside(b, at[i], 4);
	return hits;
}

/* How much of the curve is behind boxes that are not its own. A bundle minds groups, an edge nodes.
 */
static int hidden(const struct routing *t, const struct vw_graph_curve *c, const struct ends *e,
		  const struct vw_point p[static 4])
{
	struct vw_point at[SAMPLES];
	int hits = 0;

	for (int i = 0; i < SAMPLES; i++)
		at[i] = along(p, 1000 * (i + 1) / (SAMPLES + 1));
	for (size_t k = 0; k < t->g->groups.n; k++) {
		const struct vw_box *group = &t->g->groups.v[k].box;
		int within = points_in(group, at);

		if (!within || group == e->box[0] || group == e->box[1])
			continue;
		if (c->edge == SIZE_MAX) {
			hits += within;
			continue;
		}
		for (size_t i = t->first[k]; i < t->first[k + 1]; i++) {
			const struct vw_box *node = &t->g->nodes.v[t->nodes[i]].box;

			if (node != e->box[0] && node != e->box[1])
				hits += points_in(node, at);
		}
	}
	return hits;
}

/* Parts of the curve that leave the picture count as well. */
static int cost(const struct routing *t, const struct vw_graph_curve *c, const struct ends *e,
		const struct vw_point p[static 4])
{
	int out = 0;

	for (int part = 100; part < 1000; part += 200) {
		struct vw_point at = along(p, part);

		out += at.x < 4 || at.y < 4 || at.x > t->g->width - 4 || at.y > t->g->height - 4;
	}
	return 4 * out + hidden(t, c, e, p);
}

/* Curves between the same two boxes before this one. */
static int parallels(const struct routing *t, const struct ends *e)
{
	int n = 0;

	for (const struct ends *o = t->ends; t->bend && o < e; o++)
		n += (o->box[0] == e->box[0] && o->box[1] == e->box[1]) ||
		     (o->box[0] == e->box[1] && o->box[1] == e->box[0]);
	return n;
}

static void route(const struct routing *t, struct vw_graph_curve *c, const struct ends *e)
{
	static const int bends[] = {0, -40, 40, -80, 80, -110, 110, -150, 150, -220, 220};
	int apart = PARALLEL * parallels(t, e), best, now;
	struct vw_point p[4];

	draw(e, apart, BOTTOM, c->p);
	if (!t->bend || e->box[0] == e->box[1])
		return;
	best = cost(t, c, e, c->p);
	for (size_t i = 1; i < VW_ARRAY_SIZE(bends) && best; i++) {
		draw(e, bends[i] + apart, BOTTOM, p);
		now = cost(t, c, e, p);
		if (now < best)
			memcpy(c->p, p, sizeof(p));
		best = now < best ? now : best;
	}
	for (int d = 40; d <= 160 && best && e->side[0] >= TOP; d += 20) {
		for (enum side s = LEFT; s <= RIGHT && best; s++) {
			draw(e, d, s, p);
			now = cost(t, c, e, p);
			if (now < best)
				memcpy(c->p, p, sizeof(p));
			best = now < best ? now : best;
		}
	}
}

/* ---- labels ---- */

/* The first two of a list "a, b, c and 3 more". */
static void short_list(const char *text, FILE *f)
{
	const char *end = text;
	int n = 0;

	while (n < 2 && *end) {
		end += strcspn(end, ",");
		if (++n < 2 && *end)
			end++;
	}
	fprintf(f, "%.*s%s", (int)(end - text), text, *end ? ", .." : "");
}

static char *label_text(const struct vw_graph *g, const struct vw_graph_curve *c)
{
	static const char *const marks[_VW_GRAPH_KIND_MAX] = {"", "+ ", "− ", "✕ "};
	_cleanup_free_ char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	if (c->edge == SIZE_MAX) {
		fprintf(f, "%s%zu", marks[c->kind], c->edges);
	} else {
		const struct vw_graph_edge *e = &g->edges.v[c->edge];

		fputs(marks[e->kind], f);
		short_list(g->texts.v[e->text], f);
		if (e->kind == VW_GRAPH_DENIED)
			fprintf(f, " ×%llu", (unsigned long long)e->packets);
	}
	if (fclose(f))
		return NULL;
	return graph_lines(text, VW_GRAPH_SMALL_PX, LABEL_MAX_W);
}

static bool overlap(const struct vw_box *a, const struct vw_box *b, int slack)
{
	return a->x < b->x + b->w + slack && b->x < a->x + a->w + slack &&
	       a->y < b->y + b->h + slack && b->y < a->y + a->h + slack;
}

static bool is_free(const struct routing *t, const struct vw_graph_curve *c,
		    const struct vw_box *box)
{
	if (box->x < 2 || box->y < 2 || box->x + box->w > t->g->width - 2 ||
	    box->y + box->h > t->g->height - 2)
		return false;
	for (const struct vw_graph_curve *o = t->g->curves.v; o < c; o++)
		if (o->label && !o->crowded && overlap(box, &o->label_box, 2))
			return false;
	for (size_t k = 0; k < t->g->groups.n; k++) {
		const struct vw_box *group = &t->g->groups.v[k].box;
		struct vw_box head = {group->x, group->y, 0, 0};
		int lines;

		if (!overlap(box, group, 3))
			continue;
		head.w = graph_lines_width(t->g->groups.v[k].title, VW_GRAPH_PX, &lines) * 6 / 5 +
			 18;
		head.h = lines * VW_GRAPH_LINE + VW_GRAPH_SMALL_LINE;
		if (overlap(box, &head, 0))
			return false;
		for (size_t i = t->first[k]; i < t->first[k + 1]; i++)
			if (overlap(box, &t->g->nodes.v[t->nodes[i]].box, 3))
				return false;
	}
	return true;
}

static int put_label(struct routing *t, struct vw_graph_curve *c)
{
	static const int parts[] = {500, 440, 560, 380, 620, 320, 680,
				    260, 740, 200, 800, 140, 860};
	static const int aside[] = {0, -16, 16};
	int lines;

	/* of a kind that is many, the numbers of bundles are enough */
	if (t->bundled >> c->kind & 1 && c->edge != SIZE_MAX)
		return 0;
	c->label = label_text(t->g, c);
	if (!c->label)
		return -ENOMEM;
	c->label_box.w = graph_lines_width(c->label, VW_GRAPH_SMALL_PX, &lines) + 8;
	c->label_box.h = lines * VW_GRAPH_SMALL_LINE + 2;
	c->crowded = true;
	for (size_t i = 0; i < 3 * VW_ARRAY_SIZE(parts) && c->crowded; i++) {
		struct vw_point at = along(c->p, parts[i % VW_ARRAY_SIZE(parts)]);

		c->label_box.x = at.x - c->label_box.w / 2;
		c->label_box.y = at.y - c->label_box.h / 2 + aside[i / VW_ARRAY_SIZE(parts)];
		c->crowded = c - t->g->curves.v > LABELS_MAX || !is_free(t, c, &c->label_box);
	}
	if (c->crowded) {
		struct vw_point at = along(c->p, 500);

		c->label_box.x = limit(at.x - c->label_box.w / 2, 0, t->g->width - c->label_box.w);
		c->label_box.y = limit(at.y - c->label_box.h / 2, 0, t->g->height - c->label_box.h);
	}
	return 0;
}

/* ---- all of it ---- */

static int routing_init(struct routing *t)
{
	struct vw_graph *g = t->g;
	size_t n = g->curves.n;

	t->ends = calloc(n + 1, sizeof(*t->ends));
	t->order = calloc(2 * n + 1, sizeof(*t->order));
	t->nodes = calloc(g->nodes.n + 1, sizeof(*t->nodes));
	t->first = calloc(g->groups.n + 2, sizeof(*t->first));
	if (!t->ends || !t->order || !t->nodes || !t->first)
		return -ENOMEM;
	vw_vec_foreach (node, &g->nodes)
		t->first[node->group + 2]++;
	for (size_t i = 2; i < g->groups.n + 2; i++)
		t->first[i] += t->first[i - 1];
	for (uint32_t i = 0; i < g->nodes.n; i++)
		t->nodes[t->first[g->nodes.v[i].group + 1]++] = i;
	t->bend = n * (g->nodes.n + g->groups.n) <= BEND_WORK_MAX;
	for (size_t i = 0; i < n; i++) {
		const struct vw_graph_curve *c = &g->curves.v[i];
		struct ends *e = &t->ends[i];

		e->box[0] =
			c->edge == SIZE_MAX ? &g->groups.v[c->from].box : &g->nodes.v[c->from].box;
		e->box[1] = c->edge == SIZE_MAX ? &g->groups.v[c->to].box : &g->nodes.v[c->to].box;
		choose_sides(e);
	}
	return 0;
}

int graph_route(struct vw_graph *g)
{
	_cleanup_(routing_done) struct routing t = {.g = g};
	int r = graph_curves(g, &t.bundled);

	if (!r)
		r = routing_init(&t);
	if (r)
		return r;
	spread_ends(&t);
	for (size_t i = 0; i < g->curves.n; i++)
		route(&t, &g->curves.v[i], &t.ends[i]);
	for (size_t i = 0; i < g->curves.n && !r; i++)
		r = put_label(&t, &g->curves.v[i]);
	return r;
}
