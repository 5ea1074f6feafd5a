/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may reach whom, folded to services, and how that differs between two sets of policies in one
 * world. Exact: it compares the compiled decisions for every address, protocol and port, so two
 * sets that are written differently but decide alike differ in nothing. Pure. */
#ifndef VETHWALL_CONNECTIVITY_H
#define VETHWALL_CONNECTIVITY_H

#include "vethwall/compile.h"
#include "vethwall/verdict.h"

#define VW_CONN_EDGES_MAX (1u << 20)
#define VW_CONN_RANGES_MAX (1u << 21) /* of all edges */

/* One side of the comparison: policies and what they compile to. Borrowed. */
struct vw_conn_side {
	const struct vw_policyset *set;
	const struct vw_compiled *compiled;
};

enum vw_party_kind {
	VW_PARTY_SERVICE, /* a service of a namespace */
	VW_PARTY_HOST, /* addresses of the node, and ports that containers publish there */
	VW_PARTY_OUTSIDE, /* a part of the addresses that are neither */
	VW_PARTY_NAME, /* an address behind a domain name that the workload has resolved, or may */
};

/* One end of connections, folded. */
struct vw_party {
	enum vw_party_kind kind;
	/* "shop/api", "host", "host 192.0.2.1", "world", "world except 10.9.0.0/16", "10.9.0.0/16
	 * and 3 more", "*.example.org" */
	const char *name;
	size_t members; /* workloads of the service; 0 for others */
	/* HOST and OUTSIDE when they are not all of it: which addresses, or (except) all but which;
	 * the first VW_CONN_CIDRS_MAX of n_cidrs. What workloads (and the node) have in there does
	 * not count. */
	const struct vw_prefix *cidrs;
	size_t n_cidrs;
	bool except;
};
#define VW_CONN_CIDRS_MAX 256u

enum vw_conn_state { VW_CONN_KEPT, VW_CONN_GAINED, VW_CONN_LOST, _VW_CONN_STATE_MAX };
const char *vw_conn_state_str(enum vw_conn_state s); /* "kept", "allowed", "denied" */

/* Protocols proto..proto_last, each with destination ports lo..hi (icmp: type << 8 | code;
 * protocols without ports: 0..65535), and what decides them. */
struct vw_conn_range {
	uint8_t state; /* enum vw_conn_state */
	uint8_t proto, proto_last;
	uint16_t lo, hi;
	uint32_t from_members, to_members; /* workloads of each end that it holds for */
	/* One such packet, of proto to lo: vw_conn_sample(). */
	const struct vw_end *from, *to;
	/* The container behind a port that the node publishes: it is judged as that container at
	 * its own port, at the sender's wall alone; or NULL. */
	const struct vw_workload *behind;
	/* Of the sample, at each end by the reference verdict. An end where no wall stands allows
	 * and names nothing. */
	const struct vw_verdict *before, *after;
};
static inline struct vw_probe vw_conn_sample(const struct vw_conn_range *r)
{
	return (struct vw_probe){*r->from, *r->to, r->proto, r->lo};
}

/* All that differs (and, if asked for, all that does not) between two parties. */
struct vw_conn_edge {
	uint32_t from, to; /* indices of parties */
	struct {
		const struct vw_conn_range *v;
		size_t n;
	} ranges; /* sorted by state, proto, lo */
};

struct vw_policy_change {
	enum vw_policy_what { VW_POLICY_ADDED, VW_POLICY_REMOVED, VW_POLICY_CHANGED } what;
	const struct vw_policy *before, *after; /* NULL where it is not there */
};

/* A workload whose direction becomes isolated (or is not any more). */
struct vw_isolation_change {
	const struct vw_workload *workload;
	enum vw_direction dir;
	bool isolated; /* after */
};

struct vw_connectivity {
	/* sorted by kind and name; every service is there, others when an edge has them */
	VW_VEC(struct vw_party) parties;
	VW_VEC(struct vw_conn_edge) edges; /* sorted by from, to */
	VW_VEC(struct vw_policy_change) policies; /* documents that differ in what they say */
	VW_VEC(struct vw_isolation_change) isolation;
	bool cut_short; /* a bound was reached: there is more than is listed */
	struct vw_conn_chunk *store; /* what the above point to */
};

void vw_connectivity_done(struct vw_connectivity *c);
/* Compares before and after in this world, of which both were compiled. kept: edges list what stays
 * allowed as well (a graph of one set: give it twice). Interfaces without a wall decide nothing, as
 * in the kernel: where they are to count, give them an ifindex before compiling. What *ret points
 * to lives as long as both sets and the world. -ENOMEM; -EPROTO when compiled tables and the
 * reference verdict contradict each other (never, or it is a bug: told in d). */
int vw_connectivity_compare(const struct vw_conn_side *before, const struct vw_conn_side *after,
			    const struct vw_world *world, const struct vw_config *cfg, bool kept,
			    struct vw_connectivity *ret, struct vw_diag *d);
/* "tcp/5432", "udp/8000-8100", "icmp/echo-request", "any", "sctp", "protocols 2-5". */
#define VW_CONN_RANGE_STRLEN 64
const char *vw_conn_range_str(const struct vw_conn_range *r, char buf[static VW_CONN_RANGE_STRLEN]);
/* Whether any edge gains (loses) something. */
bool vw_connectivity_differs(const struct vw_connectivity *c);

#endif
