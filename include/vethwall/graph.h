/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may reach whom, as a picture: services are nodes, grouped by namespace; what is permitted,
 * gained, lost, or was tried in vain are edges. First the graph is filled, then laid out: places
 * and curves in whole pixels, the same for the same graph. Pure; how it is written (SVG, DOT) is
 * codec's.
 *
 * A graph in which all may reach all has as many edges as pairs. So edges that say the same and run
 * from each of some nodes to each of others are folded into one, with a letter that stands at all
 * of them; and in a large graph those between two namespaces are bundled. */
#ifndef VETHWALL_GRAPH_H
#define VETHWALL_GRAPH_H

#include "vethwall/connectivity.h"
#include "vethwall/flow.h"

#define VW_GRAPH_NODES_MAX 20000
#define VW_GRAPH_DRAWN_MAX 4000 /* curves: a browser still moves them; others are counted */
#define VW_GRAPH_DENIED_MAX 8192 /* pairs of services */
#define VW_GRAPH_PORTS_MAX 12 /* named of one edge, the others are counted */

/* Font sizes and line heights that boxes are made for, pixels: titles, and everything else. */
#define VW_GRAPH_PX 13
#define VW_GRAPH_LINE 18
#define VW_GRAPH_SMALL_PX 11
#define VW_GRAPH_SMALL_LINE 15

enum vw_graph_kind {
	VW_GRAPH_KEPT, /* permitted, and where sets are compared: before and after */
	VW_GRAPH_GAINED,
	VW_GRAPH_LOST,
	VW_GRAPH_DENIED, /* tried and refused, from the log */
	_VW_GRAPH_KIND_MAX
};
const char *vw_graph_kind_str(enum vw_graph_kind k); /* "kept", "gained", "lost", "denied" */
const char *vw_graph_kind_words(enum vw_graph_kind k); /* for readers: "newly permitted (+)" */

struct vw_box {
	int x, y, w, h;
};
struct vw_point {
	int x, y;
};

/* Texts are fit to be shown: vw_escape_char() has seen them. Lines end with \n, but the last. */
struct vw_graph_node {
	enum vw_party_kind kind;
	char *name; /* as the party's: its key, raw */
	char *title; /* what its box says: the name without the namespace, in lines */
	char *folds; /* letters of folds: "▸A" it may reach, "A▸" it is reached; NULL: none */
	size_t members;
	uint32_t group;
	struct vw_box box;
};

struct vw_graph_group {
	char *name; /* namespace, raw; or NULL for what is outside */
	char *title, *folds;
	bool comes_in; /* outside, and some of it may reach somebody */
	size_t nodes;
	struct vw_box box;
};

struct vw_graph_edge {
	uint32_t from, to; /* nodes */
	enum vw_graph_kind kind;
	uint32_t text; /* of texts: "tcp/5432, udp/53" */
	bool folded; /* stands for itself no more */
	uint64_t packets; /* VW_GRAPH_DENIED */
};

/* Each of `from` has the same edge to each of `to` (but itself, and outside to outside). */
struct vw_graph_fold {
	enum vw_graph_kind kind;
	uint32_t text;
	VW_VEC(uint32_t) from, to; /* nodes, ascending */
};

/* A line of the picture: a cubic curve. */
struct vw_graph_curve {
	size_t edge; /* index; SIZE_MAX: a bundle of `edges` between two groups */
	enum vw_graph_kind kind;
	uint32_t from, to; /* nodes, or groups of a bundle */
	size_t edges; /* of a bundle */
	uint64_t packets; /* of them, where they are denied */
	bool back; /* a bundle with edges in both directions */
	bool bundled; /* an edge that a bundle stands for: shown on demand */
	struct vw_point p[4];
	char *label; /* short, in lines; NULL: none */
	struct vw_box label_box;
	bool crowded; /* the label found no free place: shown on demand */
};

struct vw_graph {
	VW_VEC(struct vw_graph_node) nodes;
	VW_VEC(struct vw_graph_group) groups; /* sorted by name, outside last */
	VW_VEC(struct vw_graph_edge) edges; /* sorted by from, to, kind */
	VW_VEC(struct vw_graph_fold) folds;
	VW_VEC(struct vw_graph_curve) curves; /* bundles first */
	VW_VEC(char *) texts; /* each once */
	VW_VEC(uint32_t) by_name; /* nodes, sorted by kind and name */
	VW_VEC(uint32_t) by_text; /* texts, sorted */
	size_t undrawn; /* edges beyond VW_GRAPH_DRAWN_MAX */
	size_t minor; /* bundles left out: too many, and others have more in them */
	bool cut_short; /* there is more than the graph holds */
	bool large; /* laid out for many: labels on demand, bundles */
	int width, height;
};

void vw_graph_done(struct vw_graph *g);

/* ---- filling: -ENOMEM, -ENOSPC ---- */

/* Finds or adds the node; members of a service that was there grow to the larger number. */
int vw_graph_node(struct vw_graph *g, enum vw_party_kind kind, const char *name, size_t members,
		  uint32_t *ret);
/* How many edges are of the kind, folded ones included. */
size_t vw_graph_count(const struct vw_graph *g, enum vw_graph_kind k);
/* Adds an edge; an edge of the same ends and kind gets the later text and the sum of packets. */
int vw_graph_edge(struct vw_graph *g, uint32_t from, uint32_t to, enum vw_graph_kind kind,
		  const char *text, uint64_t packets);
/* All services of the world, also those that nobody reaches. */
int vw_graph_add_world(struct vw_graph *g, const struct vw_world *world);
int vw_graph_add_connectivity(struct vw_graph *g, const struct vw_connectivity *c);
/* Leaves only edges that begin or end at the service ("api" or "shop/api") and their ends.
 * -ENOENT: no such node. */
int vw_graph_focus(struct vw_graph *g, const char *service);

/* ---- refused flows, summed by pairs of services ---- */

struct vw_graph_port {
	uint8_t proto;
	uint16_t port;
};
struct vw_graph_tried {
	char *from, *to;
	enum vw_party_kind from_kind, to_kind;
	uint64_t packets;
	struct vw_graph_port ports[VW_GRAPH_PORTS_MAX];
	size_t n_ports;
	bool more_ports;
};
struct vw_graph_denied {
	VW_VEC(struct vw_graph_tried) list; /* sorted by from, to */
	uint64_t left_out; /* packets of pairs beyond VW_GRAPH_DENIED_MAX, or without ends */
};
void vw_graph_denied_done(struct vw_graph_denied *d);
/* Counts a denied flow's record; others are passed over. -ENOMEM. */
int vw_graph_denied_add(struct vw_graph_denied *d, const struct vw_flow *f);
/* Nodes that are not there yet are made. */
int vw_graph_add_denied(struct vw_graph *g, const struct vw_graph_denied *d);

/* ---- laying out: after the last addition, once ---- */

/* Folds, groups, places and curves. -ENOMEM. */
int vw_graph_layout(struct vw_graph *g);
/* "A".."Z", "AA".. */
#define VW_GRAPH_LETTER_MAX 8
char *vw_graph_letter(size_t fold, char buf[static VW_GRAPH_LETTER_MAX]);
/* Who is on one side of a fold, in words: "everyone", "everyone in shop", "the 12 marked ▸A". A new
 * string, or NULL without memory. */
char *vw_graph_fold_side(const struct vw_graph *g, size_t fold, bool to);
/* All of it: "everyone may reach everyone in shop: any". Likewise. */
char *vw_graph_fold_words(const struct vw_graph *g, size_t fold);

/* ---- codec ---- */

/* A stand-alone picture. css: a style sheet for it, or NULL where the page around it has one; then
 * there is no legend in it either. (codec/graph_svg.c) */
void vw_graph_svg(const struct vw_graph *g, const char *css, const char *title, FILE *out);
/* For graphviz. (codec/graph_dot.c) */
void vw_graph_dot(const struct vw_graph *g, const char *title, FILE *out);

#endif
