/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to flow records: fields by name, filters, and what many records come to (groups, a
 * timeline, scans). Pure, and bounded whatever the records say: what did not fit is counted apart.
 */
#ifndef VETHWALL_REVIEW_H
#define VETHWALL_REVIEW_H

#include "vethwall/diag.h"
#include "vethwall/flow.h"

/* ---- fields: the members of a record under the names that they have in the log, and what follows
 * from them ---- */

enum vw_field {
	VW_FIELD_TIMESTAMP,
	VW_FIELD_FIRST_SEEN,
	VW_FIELD_LAST_SEEN,
	VW_FIELD_EVENT_TYPE,
	VW_FIELD_DIRECTION,
	VW_FIELD_IN_IFACE,
	VW_FIELD_SRC_IP,
	VW_FIELD_SRC_PORT,
	VW_FIELD_DEST_IP,
	VW_FIELD_DEST_PORT,
	VW_FIELD_PROTO,
	VW_FIELD_ETHER_TYPE,
	VW_FIELD_ICMP_TYPE,
	VW_FIELD_ICMP_CODE,
	VW_FIELD_WORKLOAD,
	VW_FIELD_NAMESPACE, /* of the workload */
	VW_FIELD_SERVICE,
	VW_FIELD_IMAGE,
	VW_FIELD_WORKLOAD_IP, /* its end of the flow */
	VW_FIELD_PEER,
	VW_FIELD_PEER_NAMESPACE,
	VW_FIELD_PEER_SERVICE,
	VW_FIELD_PEER_NAME, /* its DNS name */
	VW_FIELD_PEER_IP, /* the other end */
	VW_FIELD_IP, /* either end: in filters only */
	VW_FIELD_POLICY,
	VW_FIELD_RULE,
	VW_FIELD_TIER,
	VW_FIELD_PACKETS,
	VW_FIELD_BYTES,
	VW_FIELD_TOTAL_PACKETS,
	VW_FIELD_TOTAL_BYTES,
	VW_FIELD_COMMUNITY_ID,
	VW_FIELD_IFINDEX,
	VW_FIELD_CODE,
	_VW_FIELD_MAX
};

/* What a field's values are, and so how they are written and compared. */
enum vw_field_kind {
	VW_KIND_TEXT,
	VW_KIND_NAME, /* "namespace/name": the part behind the slash alone names it too */
	VW_KIND_PEER, /* a name, a service, an entity, an address or a CIDR */
	VW_KIND_NUMBER,
	VW_KIND_ADDR,
	VW_KIND_TIME,
	VW_KIND_PROTO,
};

const char *vw_field_str(enum vw_field f);
/* A short form ("port"), or NULL. */
const char *vw_field_alias(enum vw_field f);
enum vw_field_kind vw_field_kind(enum vw_field f);
/* By name or short form: the field, or -EINVAL. */
int vw_field_parse(const char *s, size_t n);

/* A field of one record. PEER and PROTO come as text. */
struct vw_value {
	enum { VW_VALUE_NONE, VW_VALUE_TEXT, VW_VALUE_NUMBER, VW_VALUE_ADDR, VW_VALUE_TIME } kind;
	struct vw_str text; /* into the record, or into num */
	uint64_t number;
	struct vw_addr addr;
	int64_t time_us;
	char num[4]; /* a protocol without a name */
};
/* NONE where the record has no such thing: an ICMP flow no port, an overflow record no address. */
void vw_field_value(enum vw_field f, const struct vw_flow *r, struct vw_value *ret);

/* ---- filters ---- */

#define VW_FILTER_TEXT_MAX 16384 /* bytes of an expression */
#define VW_FILTER_NODES_MAX 2048
#define VW_FILTER_VALUES_MAX 8192
#define VW_FILTER_DEPTH_MAX 64

enum vw_compare { VW_EQ, VW_NE, VW_GLOB, VW_LT, VW_LE, VW_GT, VW_GE };

struct vw_filter;
/* How times in an expression are read: RFC 3339 when the function is NULL. */
struct vw_filter_times {
	int (*read)(const char *s, int64_t now_us, int64_t *ret_us); /* 0 or -EINVAL */
	int64_t now_us;
};

/* An expression:
 *
 *   either  = both {"or" both}            both = single {"and" single}
 *   single  = "not" single | "(" either ")" | test
 *   test    = field ("=" | "!=" | "~" | "<" | "<=" | ">" | ">=") value
 *           | field ["not"] "in" value {"," value}
 *   value   = a word without blanks ( ) , = ! ~ < > " or a text in " " or ' '
 *
 * What a value may be depends on the field's kind: a number or a range lo-hi, an address or a CIDR,
 * a time, a protocol, a name. "~" is for texts, with * for any run of characters. What a record
 * does not have equals nothing; "!=" is "not =". -EINVAL: d has one entry, line 1, at the column.
 */
int vw_filter_parse(const char *text, const struct vw_filter_times *times, struct vw_filter **ret,
		    struct vw_diag *d);
/* An empty filter, which matches everything. */
int vw_filter_new(struct vw_filter **ret);
void vw_filter_free(struct vw_filter **f);
/* And: the field must compare so with one of the values, which are split at commas. -EINVAL with d;
 * -ENOSPC. */
int vw_filter_require(struct vw_filter *f, enum vw_field field, enum vw_compare cmp,
		      const char *values, const struct vw_filter_times *times, struct vw_diag *d);
/* And: all of *other, which is taken and freed. -ENOSPC, -ENOMEM. */
int vw_filter_and(struct vw_filter *f, struct vw_filter **other);
bool vw_filter_match(const struct vw_filter *f, const struct vw_flow *r);
/* A text that the line of every matching record holds, unless the line has a backslash; NULL when
 * there is none. It lives until the next call. */
const char *vw_filter_needle(struct vw_filter *f, size_t *ret_n);

/* ---- sets of hashes, bounded ---- */

struct vw_hashes {
	uint64_t *v; /* 0: free */
	size_t n, slots, max;
};
/* 1: new, 0: was there, -ENOSPC: new and no room, -ENOMEM. */
int vw_hashes_add(struct vw_hashes *s, uint64_t hash);
bool vw_hashes_has(const struct vw_hashes *s, uint64_t hash);
void vw_hashes_done(struct vw_hashes *s);
/* Of a flow's addresses, protocol and ports, whichever workload recorded it. */
uint64_t vw_flow_hash(const struct vw_tuple *t, const uint64_t seed[static 2]);

/* ---- groups ---- */

#define VW_GROUP_FIELDS_MAX 14

struct vw_sums {
	uint64_t records, packets, bytes;
	int64_t first_us, last_us; /* of the packets */
};
void vw_sums_add(struct vw_sums *s, const struct vw_flow *f);

struct vw_group {
	struct vw_sums sums;
	uint64_t flows; /* different 5-tuples, when they are counted */
	uint64_t hash;
	uint32_t key, key_len; /* into the groups' keys */
};

struct vw_groups_options {
	enum vw_field by[VW_GROUP_FIELDS_MAX];
	size_t n_by;
	size_t max; /* groups told apart */
	size_t flows_max; /* 5-tuples told apart; 0: not counted */
	uint64_t seed[2]; /* of hashes: names and addresses are chosen by outsiders */
};
enum vw_measure { VW_BY_PACKETS, VW_BY_BYTES, VW_BY_RECORDS, VW_BY_FLOWS, VW_BY_FIRST };

struct vw_groups;
int vw_groups_new(const struct vw_groups_options *o, struct vw_groups **ret);
void vw_groups_free(struct vw_groups **g);
/* The record's key under these groups. */
uint64_t vw_groups_hash(struct vw_groups *g, const struct vw_flow *f);
/* -ENOMEM. Records of groups over the maximum are in vw_groups_others() only. */
int vw_groups_add(struct vw_groups *g, const struct vw_flow *f);
/* The record's group, NULL when there is none; until the next one is added. */
const struct vw_group *vw_groups_find(struct vw_groups *g, const struct vw_flow *f);
size_t vw_groups_n(const struct vw_groups *g);
const struct vw_sums *vw_groups_others(const struct vw_groups *g);
/* False: there were more 5-tuples than could be told apart; flows are at least what is said. */
bool vw_groups_flows_exact(const struct vw_groups *g);
/* Drops groups whose hash is in the set, then sorts: the most first (VW_BY_FIRST: the earliest),
 * equals by their keys. */
void vw_groups_sort(struct vw_groups *g, enum vw_measure m, const struct vw_hashes *drop);
const struct vw_group *vw_groups_at(const struct vw_groups *g, size_t i);
/* The i-th field that the group was made by; texts live as long as the groups. */
void vw_groups_value(const struct vw_groups *g, const struct vw_group *gr, size_t i,
		     struct vw_value *ret);

/* ---- timeline ---- */

#define VW_TIMELINE_MAX 4096 /* buckets kept; they get wider when they do not suffice */

struct vw_timeline {
	int64_t start_us; /* of bucket 0 */
	int64_t width_us;
	size_t n; /* up to the last one that is not empty */
	struct vw_sums v[VW_TIMELINE_MAX];
};
/* width_us: the least bucket; 0: a second. */
void vw_timeline_init(struct vw_timeline *t, int64_t width_us);
/* A record counts where its last packet is. */
void vw_timeline_add(struct vw_timeline *t, const struct vw_flow *f);
/* Widens the buckets until there are at most so many, but two. */
void vw_timeline_fit(struct vw_timeline *t, size_t max);

/* ---- scans ---- */

#define VW_SCAN_NAMED_MAX 8192 /* workloads told apart as sources */
#define VW_SCAN_OTHERS_MAX 32768 /* other addresses as sources */
#define VW_SCAN_PEERS_MAX 1024 /* addresses kept of what one source tried */
#define VW_SCAN_PAIRS_MAX 4096 /* address and port pairs of one source told apart */
#define VW_SCAN_BYTES_MAX                                                      \
	(256u << 20) /* of all sources together; over it no more is told apart \
		      */

/* Who tried what. A source is the workload that sent, or an address. */
struct vw_scanner {
	struct vw_str name; /* "namespace/name", or n 0 and the address */
	struct vw_addr addr;
	struct vw_sums sums;
	size_t ports[2]; /* different destination ports: TCP, all others together */
	size_t peers; /* different destination addresses */
	size_t pairs; /* different address and port */
	bool more_peers, more_pairs; /* there were more than were told apart */
	int64_t fastest_us; /* the minute in which most new pairs were tried */
	size_t fastest; /* so many */
	const struct vw_addr *peer; /* in the order in which they were tried */
	const uint64_t *port_bits[2]; /* 65536 bits each, NULL: none */
};

struct vw_scans;
int vw_scans_new(const uint64_t seed[static 2], struct vw_scans **ret);
void vw_scans_free(struct vw_scans **s);
/* -ENOMEM. */
int vw_scans_add(struct vw_scans *s, const struct vw_flow *f);
/* Records of sources over the maximum. */
const struct vw_sums *vw_scans_others(const struct vw_scans *s);
/* Calls fn for each source that tried at least so many ports or so many addresses, those with most
 * pairs first. */
int vw_scans_each(struct vw_scans *s, size_t min_ports, size_t min_peers,
		  int (*fn)(const struct vw_scanner *s, void *arg), void *arg);

#endif
