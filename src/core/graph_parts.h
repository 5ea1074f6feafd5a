/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the graph share: texts in boxes, layers of nodes that point at each other, and
 * the steps of laying out. For the core room only. */
#ifndef VW_CORE_GRAPH_PARTS_H
#define VW_CORE_GRAPH_PARTS_H

#include "vethwall/graph.h"

/* Makes the text fit to be shown and breaks it where a line would be wider than max_w. NULL without
 * memory. */
char *graph_lines(const char *s, int px, int max_w);
/* Width of the widest line of such a text; *ret_lines their number. 0 and 0 for NULL. */
int graph_lines_width(const char *lines, int px, int *ret_lines);

struct graph_arc {
	uint32_t from, to;
};
/* How far right each of n things stands so that most arcs lead to the right: longest paths, arcs
 * that close a circle left out. ret has n places. -ENOMEM. */
int graph_layers(size_t n, const struct graph_arc *arcs, size_t n_arcs, unsigned *ret);

int graph_fold(struct vw_graph *g); /* graph_fold.c */
int graph_fold_letters(struct vw_graph *g); /* after grouping: nodes' and groups' folds */
int graph_group(struct vw_graph *g); /* graph_layout.c */
int graph_place(struct vw_graph *g); /* graph_place.c */
/* Fills g->curves, without places; which kinds are bundled, as bits. (graph_curves.c) */
int graph_curves(struct vw_graph *g, unsigned *ret_bundled);
int graph_route(struct vw_graph *g); /* graph_route.c */

static inline int graph_mid_x(const struct vw_box *b)
{
	return b->x + b->w / 2;
}

static inline int graph_mid_y(const struct vw_box *b)
{
	return b->y + b->h / 2;
}

#endif
