/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A denied flow's record as a value, its times, and the table of counters that were reported
 * already. One record counts what came since the record before it, so sums over records are exact
 * totals. Pure; the JSON line and the Community ID are in codec, files in io. */
#ifndef VETHWALL_FLOW_H
#define VETHWALL_FLOW_H

#include "vethwall/compile.h"

#define VW_FLOW_LINE_MAX 32768 /* bytes of one record's line, newline included */
#define VW_FLOW_STR_MAX 512 /* bytes of one string in it ("namespace/name": 2 * 253 + 1) */
#define VW_FLOW_KEY_MAX 48 /* bytes of a denied set's key, IPv6 */
#define VW_TIME_STRLEN 32 /* 2026-11-22T22:41:49.123456Z */
#define VW_COMMUNITY_ID_LEN 31 /* "1:" and 28 characters of base64, NUL */

/* A piece of text that someone else holds; s is NULL where there is none. Not NUL-terminated. */
struct vw_str {
	const char *s;
	size_t n;
};
struct vw_str vw_str_of(const char *s /* may be NULL */);
bool vw_str_is(const struct vw_str *a, const char *s);

enum vw_flow_event {
	VW_FLOW_DENIED,
	VW_FLOW_AUDITED, /* passed, a policy in audit mode would have refused it */
	VW_FLOW_ALLOWED, /* passed by a policy with log: true; counts what was judged, not all of
			    the flow */
	VW_FLOW_OVERFLOW, /* counted, but in no flow's record: the wall's set was full, or malformed
			   */
	VW_FLOW_HELD, /* refused before it was known whose veth it is; in one sum */
	_VW_FLOW_EVENT_MAX
};
const char *vw_flow_event_str(enum vw_flow_event e);
/* Of many flows in one sum: it has no addresses. */
bool vw_flow_is_sum(enum vw_flow_event e);

struct vw_flow {
	int64_t time_us; /* when the record was made; microseconds since 1970, as all times here */
	int64_t first_us, last_us; /* first and last packet that it counts */
	enum vw_flow_event event;
	bool egress; /* the workload sent it */
	struct vw_tuple t; /* family 0 in records of overflow and held */
	uint16_t ip_v; /* overflow: 4 or 6; else 0 */
	uint32_t ifindex;
	struct vw_str in_iface, workload, service, image, peer, peer_service, policy, rule, tier;
	struct vw_str peer_name; /* the DNS name that the workload had resolved to the peer */
	struct vw_str community_id;
	uint64_t packets, bytes; /* since the record before; bytes of IP packets */
	uint64_t total_packets, total_bytes; /* the kernel's own counter after this record; of
						overflow and held the chain's, which has more */
};

/* Event and direction that a decision code stands for. */
void vw_flow_set_code(struct vw_flow *f, uint32_t code);
/* Adds a later or earlier record of the same flow to *into: sums, times, totals of the later one.
 */
void vw_flow_merge(struct vw_flow *into, const struct vw_flow *from);

/* RFC 3339, UTC, microseconds. */
char *vw_time_str(int64_t us, char buf[static VW_TIME_STRLEN]);
/* RFC 3339 with Z or an offset, fraction optional (cut to microseconds). -EINVAL. */
int vw_time_parse(const char *s, size_t n, int64_t *ret_us);

/* The key under which the kernel's denied sets count the tuple; returns its length. */
size_t vw_flow_key(const struct vw_tuple *t, uint8_t ret[static VW_FLOW_KEY_MAX]);

/* ---- counters reported already: one table per wall and address family ---- */

struct vw_counted {
	uint64_t packets, bytes; /* the element's counter at the last reading */
	uint64_t pending_packets, pending_bytes; /* gained, not reported yet */
	int64_t first_us; /* wall time of the first packet that is pending */
	int64_t sample_us; /* monotonic: first NFLOG sample since the last gain, 0: none */
	int64_t gone_ms; /* monotonic: when the element expires if no packet refreshes it */
	int64_t record_ms; /* monotonic: last record; INT64_MIN: never */
	uint32_t generation; /* of the last reading that saw it */
	uint8_t missed; /* readings in a row that did not */
	bool used;
	uint8_t key[];
};

struct vw_counted_table {
	uint8_t *v;
	size_t klen, stride, n, slots; /* slots: power of two, or 0 */
	uint64_t seed[2]; /* of the hash: a container chooses keys, so it must not know it */
};

/* klen 24 or 48. */
void vw_counted_init(struct vw_counted_table *t, size_t klen, const uint64_t seed[static 2]);
void vw_counted_done(struct vw_counted_table *t);
struct vw_counted *vw_counted_get(const struct vw_counted_table *t, const uint8_t *key);
/* True when the next put of a new key moves entries: pointers die. */
bool vw_counted_would_grow(const struct vw_counted_table *t);
/* Finds or adds (zeroed, never recorded): NULL without memory or when the table holds max. */
struct vw_counted *vw_counted_put(struct vw_counted_table *t, const uint8_t *key, size_t max);
/* Drops all entries for which drop() is true; returns how many. Entries move. */
size_t vw_counted_sweep(struct vw_counted_table *t, bool (*drop)(struct vw_counted *c, void *arg),
			void *arg);

/* A reading: the element's counter says so much, its first packet since the last reading came at
 * first_ms (monotonic, as well as it is known; INT64_MIN: not), and it expires at gone_ms. What it
 * gained becomes pending and is returned. A counter that is smaller, or whose element had to expire
 * before that packet, is a new element's and counts from zero. */
uint64_t vw_counted_read(struct vw_counted *c, uint64_t packets, uint64_t bytes, int64_t first_ms,
			 int64_t gone_ms);

/* ---- codec ---- */

/* One line, newline included, into buf; returns its length. Never longer than VW_FLOW_LINE_MAX:
 * strings are cut at VW_FLOW_STR_MAX, controls and invalid UTF-8 are escaped or replaced.
 * (codec/flow_json.c) */
size_t vw_flow_json(const struct vw_flow *f, char buf[static VW_FLOW_LINE_MAX]);
/* The text as a terminal may have it: cut and escaped as in the line, but for quotes. */
#define VW_FLOW_TEXT_MAX (6 * VW_FLOW_STR_MAX + 1)
const char *vw_flow_text(const struct vw_str *s, char buf[static VW_FLOW_TEXT_MAX]);
/* Parses a line (with or without newline). Strings point into line or, where they had escapes, into
 * buf. Unknown members are skipped. -ENOMSG: a line about the log itself (chain.h). -EINVAL: not a
 * record. *ret is untouched then. */
int vw_flow_json_parse(const char *line, size_t n, char buf[static VW_FLOW_LINE_MAX],
		       struct vw_flow *ret);
/* Community ID v1 (seed 0 is what everybody uses). (codec/community_id.c) */
void vw_community_id(const struct vw_tuple *t, uint16_t seed, char ret[static VW_COMMUNITY_ID_LEN]);

/* A packet as NFLOG delivered it: one DLT_NFLOG frame. (codec/nflog_decode.c) */
struct vw_nflog {
	uint32_t mark;
	uint32_t indev, outdev; /* 0: none */
	uint16_t hw_protocol; /* EtherType, host order */
	uint8_t hook; /* NF_NETDEV_INGRESS or NF_NETDEV_EGRESS */
	int64_t time_us; /* the kernel's stamp, 0: none */
	const uint8_t *payload; /* from the IP header on (without link header), into the frame */
	size_t payload_len; /* as captured */
	size_t packet_len; /* as its IP header says */
	bool has_tuple; /* addresses and protocol were readable */
	struct vw_tuple tuple; /* code = mark */
};
/* -EINVAL: malformed. Bounded reads only. */
int vw_nflog_decode(const uint8_t *frame, size_t n, struct vw_nflog *ret);
/* Addresses, protocol and ports of an IPv4 or IPv6 packet as the kernel's sets key them; -EINVAL.
 * code is left alone. */
int vw_packet_tuple(const uint8_t *p, size_t n, struct vw_tuple *ret, size_t *ret_packet_len);

#endif
