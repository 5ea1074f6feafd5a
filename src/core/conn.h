/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of the comparison of connectivity. What a class decides for an identity becomes a profile:
 * a step function over protocol << 16 | port. Equal profiles are one number, so are pairs of them
 * (before, after), and what changes for a pair at the sender with a pair at the receiver is worked
 * out once. Ends of connections that nothing tells apart are one kind. */
#ifndef VETHWALL_CORE_CONN_H
#define VETHWALL_CORE_CONN_H

#include "core/identity.h"
#include "vethwall/connectivity.h"

#define CONN_MAX (1u << 22) /* of everything that is counted here */
#define CONN_SPACE (1u << 24) /* positions: protocol << 16 | port */
#define CONN_OPEN 0u /* the profile, and the pair of profiles, that lets everything pass */
#define CONN_NONE UINT32_MAX

struct conn_span {
	uint32_t first, n;
};

/* Where equal things are found again: open addressing, the caller compares. */
struct conn_slot {
	uint64_t hash;
	uint32_t value; /* index + 1; 0: free */
};
struct conn_tab {
	struct conn_slot *slots;
	size_t n_slots, n;
};
/* conn_tab.c. Makes room for one more: 0 or -ENOMEM. Then conn_tab_seek() finds the first place of
 * a hash, and conn_tab_next() the ones behind it, up to a free one. */
int conn_tab_room(struct conn_tab *t);
struct conn_slot *conn_tab_seek(const struct conn_tab *t, uint64_t hash);
struct conn_slot *conn_tab_next(const struct conn_tab *t, const struct conn_slot *s);
static inline void conn_tab_put(struct conn_tab *t, struct conn_slot *s, uint64_t hash, uint32_t i)
{
	*s = (struct conn_slot){hash, i + 1};
	t->n++;
}
/* Number of a list of two: the same for the same, counted from 0 in *list. */
struct conn_duo {
	uint32_t b, a;
};
struct conn_duos {
	VW_VEC(struct conn_duo) list;
	struct conn_tab tab;
};
int conn_duo(struct conn_duos *d, uint32_t b, uint32_t a, uint32_t *ret);
void conn_duos_done(struct conn_duos *d);
/* Number of a list of words (or of structs of nothing but words). */
struct conn_lists {
	VW_VEC(uint32_t) words;
	VW_VEC(struct conn_span) list; /* in words */
	struct conn_tab tab;
};
int conn_list(struct conn_lists *l, const void *v, size_t n_words, uint32_t *ret);
void conn_lists_done(struct conn_lists *l);
#define CONN_LIST(T, l, i, ret_n)                                      \
	(*(ret_n) = (l)->list.v[i].n / (sizeof(T) / sizeof(uint32_t)), \
	 (const T *)((l)->words.v + (l)->list.v[i].first))

/* ---- profiles (conn_profile.c) ---- */

struct conn_step {
	uint32_t at, code; /* from at on */
};
struct conn_profiles {
	struct conn_lists lists; /* of steps */
	VW_VEC(struct conn_step) scratch;
};
int conn_profiles_init(struct conn_profiles *p);
void conn_profiles_done(struct conn_profiles *p);
/* A profile of one code throughout. */
int conn_profile_flat(struct conn_profiles *p, uint32_t code, uint32_t *ret);
/* What the class decides for one identity; base is that of identities without a row. */
int conn_profile_of(struct conn_profiles *p, const struct vw_class *k, uint32_t base, uint32_t mark,
		    uint32_t *ret);
int conn_profile_base(struct conn_profiles *p, const struct vw_class *k, uint32_t *ret);

/* One side's tables: each class with its rows, by identities counted from 0 (marks). */
struct conn_row {
	uint32_t id, profile;
};
struct conn_class {
	uint32_t base;
	struct conn_span rows;
};
struct conn_tables {
	const struct vw_compiled *c;
	VW_VEC(uint32_t) marks; /* identities that an address has, ascending */
	VW_VEC(struct conn_class) classes; /* as c->classes */
	VW_VEC(struct conn_row) rows;
	uint32_t *row; /* scratch: profile by identity */
};
int conn_tables_build(struct conn_profiles *p, const struct vw_compiled *c,
		      struct conn_tables *ret);
void conn_tables_done(struct conn_tables *t);
/* Index in marks; CONN_NONE when it is not there. */
uint32_t conn_mark(const struct conn_tables *t, uint32_t mark);

/* ---- what changes (conn_result.c) ---- */

struct conn_seg {
	uint32_t lo, hi; /* positions, hi is the one behind */
	uint32_t state;
};
struct conn_results {
	const struct conn_profiles *profiles;
	bool kept;
	struct conn_duos pairs; /* of profiles: before, after */
	VW_VEC(bool) changed; /* by pair: some packet is decided otherwise */
	struct conn_lists lists; /* of segs; 0: nothing */
	struct conn_duos asked; /* pairs of pairs, and ... */
	VW_VEC(uint32_t) answers; /* ... their result */
	VW_VEC(struct conn_seg) scratch;
};
int conn_results_init(struct conn_results *r, const struct conn_profiles *p, bool kept);
void conn_results_done(struct conn_results *r);
/* The pair of profiles. */
int conn_pair(struct conn_results *r, uint32_t before, uint32_t after, uint32_t *ret);
/* What becomes of packets that pair e judges at the sender and pair i at the receiver. */
int conn_result(struct conn_results *r, uint32_t e, uint32_t i, uint32_t *ret);

/* ---- memory that the answer keeps (conn_store.c) ---- */

/* Zeroed; lives until vw_connectivity_done(). NULL without memory. */
void *conn_keep(struct vw_conn_chunk **store, size_t size);
const char *conn_keep_text(struct vw_conn_chunk **store, const char *s);
void conn_store_done(struct vw_conn_chunk **store);

/* ---- who there is (conn_ends.c) ---- */

#define CONN_CLASS_OPEN CONN_NONE
#define CONN_CLASS_HELD (CONN_NONE - 1)

enum conn_what {
	CONN_SEAT, /* an address of a workload */
	CONN_HOST, /* one of the node */
	CONN_OUTSIDE, /* a stretch of others */
	CONN_PUBLISHED, /* a port of an address of the node, behind which a container is */
};

/* An address that packets come from or go to, or a stretch of such that nothing tells apart. */
struct conn_end {
	const struct vw_end *end; /* for OUTSIDE one that no workload and no node has */
	const struct vw_workload *owner; /* whose the address is, when it is one workload's */
	struct vw_addr first, last; /* HOST, OUTSIDE */
	uint32_t kind; /* CONN_NONE: nothing in it is outside */
};

/* Ends that nothing tells apart: the same party, family, classes, identities, published ports. */
struct conn_kind {
	uint32_t party; /* service, for SEAT */
	uint8_t what, family;
	uint32_t out, in; /* pairs of classes */
	uint32_t point; /* pair of identities */
	uint32_t ports; /* list of positions that are published there; 0: none */
	unsigned names; /* ifindex of the only wall in it, which has addresses by name; or 0 */
	struct conn_span ends; /* in members */
	uint32_t own[2]; /* workloads to which all of it is no connection but themselves */
	/* PUBLISHED */
	uint32_t pos, place; /* place: the end that the address is */
	bool pub[2]; /* whether before, after see the container there */
	struct vw_end behind; /* the container, and its port */
	uint16_t behind_port;
};

/* A port of an address that leads to a container. */
struct conn_pub {
	struct vw_addr host;
	uint32_t pos;
	struct vw_end behind;
	uint16_t port;
};

struct conn_ends {
	const struct vw_world *world;
	const struct vw_conn_side *side[2];
	struct conn_tables tables[2];
	VW_VEC(struct conn_end) list;
	VW_VEC(struct conn_kind) kinds;
	VW_VEC(uint32_t) members; /* indices of list, by kind */
	uint32_t first_place, first_outside; /* in list: HOST, then OUTSIDE, by address */
	VW_VEC(struct conn_pub) pubs; /* sorted */
	VW_VEC(uint32_t) service; /* by workload: its party */
	VW_VEC(uint32_t) by_service; /* kinds of SEATs, sorted by party */
	VW_VEC(uint32_t) places; /* the other kinds */
	struct conn_duos points, outs, ins;
	struct conn_lists ports; /* published at one address: positions, ascending */
	struct conn_tab kind_tab;
};
/* Fills the parties of c that are services. */
int conn_ends_build(struct conn_profiles *p, const struct vw_conn_side *before,
		    const struct vw_conn_side *after, const struct vw_world *world,
		    struct vw_connectivity *c, struct conn_ends *ret);
void conn_ends_done(struct conn_ends *e);
/* Index, or CONN_NONE for NULL. */
static inline uint32_t conn_workload(const struct conn_ends *e, const struct vw_workload *w)
{
	return w ? (uint32_t)(w - e->world->workloads.v) : CONN_NONE;
}
/* The identity of an address under one side, published ports and names aside: index in marks. */
uint32_t conn_id_of(const struct conn_tables *t, const struct vw_addr *a);
/* An address of the stretch that neither a workload nor the node has, nor the wall by a name. */
bool conn_outsider(const struct conn_ends *e, const struct conn_end *p, unsigned ifindex,
		   struct vw_addr *ret);

/* ---- who decides (conn_why.c) ---- */

/* A packet of a kind to a kind. */
struct conn_probe {
	const struct vw_world *world; /* with the names that the sender is taken to have resolved */
	const struct vw_end *from, *to;
	uint32_t out, in; /* pairs of classes */
	const struct conn_kind *pub; /* it goes to a published port, or NULL */
	uint32_t pos;
};
struct conn_why;
int conn_why_new(const struct conn_ends *e, bool default_deny, struct vw_conn_chunk **store,
		 struct conn_why **ret);
void conn_why_free(struct conn_why **w);
/* The reference verdict before and after. */
int conn_why(struct conn_why *w, const struct conn_probe *p, const struct vw_verdict *ret[2]);

/* ---- addresses behind names (conn_names.c) ---- */

/* What an address behind a name is to a kind of senders. */
struct conn_named {
	uint32_t kind;
	uint32_t pair; /* of profiles, at the sender */
	const char *name;
	const struct vw_end *to;
	bool supposed; /* nobody has resolved it yet: judged in the world below */
};
struct conn_names {
	VW_VEC(struct conn_named) list; /* sorted by kind */
	struct vw_world world; /* shallow: only learnt is its own */
	bool cut_short;
};
int conn_names_build(const struct conn_ends *e, struct conn_profiles *p, struct conn_results *r,
		     const struct vw_config *cfg, struct vw_conn_chunk **store,
		     struct conn_names *ret);
void conn_names_done(struct conn_names *n);

/* ---- everything (connectivity.c) ---- */

/* Packets of kind i to kind j (or to one address behind a name). */
struct conn_part {
	uint64_t target; /* what is told as one: the other party, or kind of places, or name */
	uint32_t i, j, result;
	const struct conn_named *named;
};
struct conn_ranges {
	VW_VEC(struct vw_conn_range) list;
};

struct conn_work {
	struct vw_connectivity *out;
	struct conn_profiles profiles;
	struct conn_ends ends;
	struct conn_results results;
	struct conn_names names;
	struct conn_why *why;
	struct vw_diag *d;
	size_t n_ranges;
	uint32_t *stamp[2]; /* by workload: when it was counted last, as sender, as receiver */
	uint32_t now;
	struct conn_lists sets; /* of places */
	struct conn_duos groups; /* kind of party, set of places: ... */
	VW_VEC(uint32_t) group_party; /* ... their party */
	struct conn_tab name_tab; /* parties by name */
	VW_VEC(struct conn_part) parts; /* scratch, as what follows */
	struct conn_ranges ranges;
};

/* conn_fold.c: parts of one target as ranges, appended. 0, -ENOMEM, -EPROTO. */
int conn_fold(struct conn_work *w, const struct conn_part *v, size_t n, struct conn_ranges *ret);
/* An order in which what people would be told the same of is equal. */
int conn_range_cmp(const struct vw_conn_range *a, const struct vw_conn_range *b);
/* conn_group.c: parts of one service and many places, sorted by place, as edges to groups of
 * places. sends: the service does. */
int conn_fold_places(struct conn_work *w, uint32_t service, bool sends, const struct conn_part *v,
		     size_t n);
int conn_edge(struct conn_work *w, uint32_t from, uint32_t to, const struct vw_conn_range *v,
	      size_t n);
/* The party of that name and kind. */
int conn_party_named(struct conn_work *w, const char *name, uint32_t *ret);
/* conn_pairs.c: all edges, unsorted. */
int conn_pairs(struct conn_work *w);
/* conn_docs.c: documents that differ, and who becomes isolated. */
int conn_policies(const struct vw_policyset *before, const struct vw_policyset *after,
		  struct vw_connectivity *ret);
int conn_isolation(const struct vw_policyset *before, const struct vw_policyset *after,
		   const struct vw_world *world, struct vw_connectivity *ret);

#endif
