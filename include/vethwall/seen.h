/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections that were seen, folded: who opened them to whom on which port, how often, first and
 * last. What `suggest` makes policies from, and what the agent remembers for it. Pure. */
#ifndef VETHWALL_SEEN_H
#define VETHWALL_SEEN_H

#include "vethwall/flow.h"

#define VW_SEEN_MAX 50000 /* some 200 bytes each */
#define VW_SEEN_SHARE 1000 /* of one service and direction: a scan must not push out the others */

/* Where it was seen; a set of bits. */
enum {
	VW_SEEN_LIVE = 1,
	VW_SEEN_AUDITED = 2,
	VW_SEEN_ALLOWED = 4,
	VW_SEEN_DENIED = 8,
};

/* The other end. */
enum vw_seen_kind {
	VW_SEEN_SERVICE, /* peer in peer_namespace */
	VW_SEEN_NAME, /* an address behind the domain name in peer, as the workload resolved it */
	VW_SEEN_ADDR, /* no workload: addr */
	_VW_SEEN_KIND_MAX
};
const char *vw_seen_kind_str(enum vw_seen_kind k); /* "service", "name", "address" */

struct vw_seen {
	char *namespace_, *service; /* at whose wall */
	enum vw_direction dir; /* egress: this service opened it */
	enum vw_seen_kind kind;
	bool published; /* by a port of the node: the port is the one behind it */
	char *peer_namespace, *peer; /* NULL where the kind has none */
	struct vw_addr own, addr; /* of the two ends, the last that were seen */
	uint8_t proto;
	uint16_t port; /* that it was opened to; icmp: type << 8 | code */
	int64_t first_us, last_us;
	uint64_t count; /* 0 in a note: again, one that was counted */
	unsigned sources;
};

struct vw_seen_table {
	VW_VEC(struct vw_seen) list; /* sorted, see vw_seen_cmp() */
	uint64_t over; /* notes that had no room */
};

/* By service, direction, peer, protocol and port; not by times and counts. */
int vw_seen_cmp(const struct vw_seen *a, const struct vw_seen *b);
void vw_seen_done(struct vw_seen *s);
void vw_seen_table_done(struct vw_seen_table *t);
/* Adds a copy, or merges it into what is there. -ENOSPC: a bound is reached, counted; -ENOMEM. */
int vw_seen_note(struct vw_seen_table *t, const struct vw_seen *s);
/* Forgets what was last seen before. */
void vw_seen_expire(struct vw_seen_table *t, int64_t before_us);

/* What a flow is to it. */
enum vw_seen_as {
	VW_SEEN_CONNECTION,
	VW_SEEN_REPLY, /* of a connection the other way, or an ICMP error or answer */
	VW_SEEN_NO_POLICY, /* refused for what it is: forged, malformed, held, no IP */
	VW_SEEN_NOBODY, /* at the wall of nobody who is known by name */
	_VW_SEEN_AS_MAX
};
/* The connection that the flow belongs to; of live ones, who opened it is known (strings are copied
 * into *ret: vw_seen_done). Names are the flow's, where it has none the world's. 0, -ENOMEM; *ret
 * is set for a VW_SEEN_CONNECTION. */
int vw_seen_of_flow(const struct vw_flow *f, const struct vw_world *world, unsigned source,
		    enum vw_seen_as *ret_as, struct vw_seen *ret);

#endif
