/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identities: all addresses that the same peer predicates fit share one number. This is what lets a
 * container come or go by one element of one map instead of a change in every peer's rules. */
#ifndef VETHWALL_CORE_IDENTITY_H
#define VETHWALL_CORE_IDENTITY_H

#include "vethwall/policy.h"

#define ID_MAX (1u << 22) /* identities, predicates, ranges: bound of each */

struct id_list {
	VW_VEC(uint32_t) list; /* indices, ascending */
};

struct identity {
	uint64_t sig;
	uint32_t number; /* 1..2^30-1, from sig; stable while the predicates are */
	struct id_list preds; /* predicates that fit */
	const struct vw_workload
		*w; /* a workload of this identity, for named ports; NULL outside */
	bool named; /* w resolves a port name that some egress rule uses */
};

struct id_exact {
	struct vw_addr addr;
	uint32_t id;
};

struct id_range {
	struct vw_addr first, last;
	uint32_t id;
};

/* host:port on the node that is a port of a container */
struct id_pub {
	struct vw_addr host;
	uint8_t proto;
	uint16_t host_port, port;
	uint32_t target; /* identity of the container */
	uint32_t number; /* of the published endpoint itself */
};

/* An address behind names that a wall resolved: its identity with names in force (UINT32_MAX: none
 * is), and with those that have lapsed. */
struct id_learnt {
	unsigned ifindex;
	struct vw_addr addr;
	uint32_t id, recalled;
};

struct id_table {
	VW_VEC(const struct vw_peer *) preds;
	VW_VEC(uint64_t) pred_hash;
	VW_VEC(struct id_list) postings; /* per predicate: identities that it fits */
	VW_VEC(struct identity) ids;
	VW_VEC(struct id_exact) exact; /* sorted by address */
	VW_VEC(struct id_range) ranges; /* sorted, disjoint; what is not in one is base */
	VW_VEC(struct id_pub) pubs;
	VW_VEC(struct id_learnt) learnt; /* sorted by ifindex, address */
	uint32_t base4, base6; /* indices */
	uint32_t *slots; /* predicate by key hash */
	size_t n_slots;
};

int id_table_build(const struct vw_policyset *set, const struct vw_world *world,
		   struct id_table *ret, struct vw_diag *d);
void id_table_done(struct id_table *t);
/* The last steps of building, identity_number.c. */
int id_table_number(struct id_table *t);
int id_table_post(struct id_table *t);
/* Index of the predicate; it was collected by id_table_build. UINT32_MAX when it was not, and when
 * there is no memory. */
uint32_t id_pred(const struct id_table *t, const struct vw_peer *p);

/* Which of many predicates over workloads may fit one: candidates by the most telling part of each.
 */
struct match_index {
	VW_VEC(struct {
		uint64_t bucket;
		uint32_t i;
	})
	list; /* sorted once built */
};
int match_index_add(struct match_index *x, const struct vw_match *m, uint32_t i);
void match_index_sort(struct match_index *x);
/* Calls cb for each candidate: a superset of those that fit. Ends at the first non-zero return. */
int match_index_each(const struct match_index *x, const struct vw_workload *w,
		     int (*cb)(uint32_t i, void *arg), void *arg);

#endif
