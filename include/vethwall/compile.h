/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies x world -> desired state. The compiled form is small: which address has which identity,
 * which identity may use which port under which class of policies, and which wall stands on which
 * veth. Rules are rendered from it wall by wall, so a node with a thousand workloads never holds a
 * thousand rulesets in memory.
 *
 * identity: a number for all addresses that the same peer predicates fit. A class: the policies
 * that select a workload in one direction; replicas share it. docs/architecture.md tells the story.
 */
#ifndef VETHWALL_COMPILE_H
#define VETHWALL_COMPILE_H

#include "vethwall/guard.h"
#include "vethwall/policy.h"
#include "vethwall/ruleset.h"

/* A decision code travels in the packet's mark, in the keys of denied sets and in NFLOG messages.
 */
#define VW_CODE_DENY 0x80000000u
#define VW_CODE_AUDIT 0x40000000u
#define VW_CODE_LOG 0x20000000u
#define VW_CODE_EGRESS 0x10000000u /* the workload sent it; else it was to reach the workload */
#define VW_CODE_RULE 0x00ffffffu /* number in vw_compiled.rules, or one of: */
enum vw_reason {
	VW_REASON_ALLOW = 0, /* nothing to report */
	VW_REASON_DEFAULT = 1, /* a policy isolates the workload and none allowed it */
	VW_REASON_NODE = 2, /* no policy selects it, the node's default is deny */
	VW_REASON_SPOOF = 3, /* source MAC or IP is not the container's */
	VW_REASON_FRAGMENT =
		4, /* a fragment that follows no allowed first fragment, or is malformed */
	VW_REASON_FULL = 5, /* audited: allowed, but the live-flow set was full */
	VW_REASON_PROTOCOL = 6, /* neither IP nor ARP, or malformed */
	VW_REASON_HELD = 7, /* the veth is not yet known to belong to a container */
	VW_REASON_RA = 8, /* router advertisement, redirect or forged neighbour discovery */
	VW_REASON_ADDRESS = 9, /* it reached the container, but is for another's address */
	VW_REASON_FIRST_RULE = 256,
};
/* "default", "node-default", "spoofed", ... for the reasons; NULL for others. */
const char *vw_reason_str(uint32_t code);

struct vw_config {
	bool default_deny; /* workloads that no policy selects: closed */
	uint32_t live_max; /* elements of each live-flow set */
	uint32_t denied_max; /* of each denied set */
	uint32_t tcp_idle_ms, other_idle_ms, closing_ms;
	bool dns_names; /* DNS answers of all walls are copied, for names in records */
	uint16_t nflog_group;
	uint16_t snaplen;
	bool live_counters; /* live flows count their packets and bytes */
};
extern const struct vw_config vw_config_default;

/* A rule that a code can name. */
struct vw_ruleref {
	uint32_t number; /* VW_REASON_FIRST_RULE.. */
	char *policy; /* "namespace/name" or "name" */
	char *rule; /* its name, or "ingress[0]" */
	enum vw_tier tier;
	struct vw_pos pos;
};

/* One class: its tables and what is decided when none of them has the packet. */
struct vw_class {
	char name[VW_NAME_LEN]; /* "po_<hash>" egress, "pi_<hash>" ingress */
	enum vw_direction dir;
	uint32_t default_code;
	/* x: mark.proto.port, xi: the same for icmp, r/ri: port ranges, q: mark.proto, a: mark.
	 * mark 0 stands for every identity that has no row of its own. Absent ones have no
	 * elements. */
	struct vw_set x, xi, r, ri, q, a;
	bool base_row; /* some table has elements of mark 0 */
	bool notes; /* something passes, but is to be logged */
	bool fqdn; /* some rule has a peer by domain name */
};

enum vw_wall_kind {
	VW_WALL_POLICY, /* a known workload's */
	VW_WALL_HOLD, /* an unknown veth on a managed bridge: nothing but ARP and ND */
};

/* One wall: everything its chains are made from. */
struct vw_wall {
	unsigned ifindex;
	char dev[IFNAMSIZ];
	enum vw_wall_kind kind;
	bool has_mac;
	struct vw_mac mac;
	struct vw_addr *ips; /* n_ips, sorted; IPv4 first */
	size_t n_ips;
	char out_class[VW_NAME_LEN], in_class[VW_NAME_LEN]; /* "" = open */
	/* maps: address -> identity, for addresses behind names that it resolved; IPv4, IPv6.
	 * recalled: those whose time has passed as well, for flows that were opened before. Not in
	 * spec. */
	struct vw_set learnt[2], recalled[2];
	uint64_t spec; /* hash of all of the above and the configuration */
};

struct vw_compiled {
	struct vw_config config;
	struct vw_set id4, id6; /* map: address -> identity, exact */
	struct vw_set net4, net6; /* map: range -> identity, the rest of the address space */
	struct vw_set pub4,
		pub6; /* map: host address.proto.port -> identity of the published endpoint */
	uint32_t base4, base6; /* identity of every address in none of them */
	VW_VEC(struct vw_class) classes; /* sorted by name */
	VW_VEC(struct vw_wall) walls; /* sorted by ifindex */
	VW_VEC(struct vw_ruleref) rules; /* sorted by number */
	struct vw_guard guard; /* not of policies: whoever compiled fills it in */
};

void vw_compiled_done(struct vw_compiled *c);
/* A veth of a managed bridge that belongs to no known workload: gets a hold wall. */
struct vw_held {
	unsigned ifindex;
	char dev[IFNAMSIZ];
};
/* Fills *ret; -ENOMEM, -EEXIST (hash collision, told in d), -E2BIG (a bound, told in d). */
int vw_compile(const struct vw_policyset *set, const struct vw_world *world,
	       const struct vw_held *held, size_t n_held, const struct vw_config *cfg,
	       struct vw_compiled *ret, struct vw_diag *d);

/* Over all of it but the places of rules in files. (core/digest.c) */
uint64_t vw_compiled_digest(const struct vw_compiled *c);

/* The judgement of the compiled tables for a new flow: a decision code. Pure look-ups, as the
 * kernel makes them. dir is as the workload sees it; peer is the other end's address. port:
 * destination port in network semantics, host order. For protocols without ports pass 0. */
uint32_t vw_compiled_judge(const struct vw_compiled *c, const struct vw_wall *w,
			   enum vw_direction dir, const struct vw_addr *peer, uint8_t proto,
			   uint16_t port);
/* Map look-up: exact, or within the range whose start is next below. */
bool vw_map_find(const struct vw_set *s, const uint8_t *key, uint32_t *ret);
const struct vw_wall *vw_compiled_wall(const struct vw_compiled *c, unsigned ifindex);
const struct vw_class *vw_compiled_class(const struct vw_compiled *c, const char *name);
const struct vw_ruleref *vw_compiled_rule(const struct vw_compiled *c, uint32_t code);

/* Render the rules: shared objects (identity maps, chains that look identities up), one class, one
 * wall. They append to *ret. 0 or -ENOMEM. */
int vw_render_shared(const struct vw_compiled *c, struct vw_ruleset *ret);
int vw_render_class(const struct vw_compiled *c, const struct vw_class *k, struct vw_ruleset *ret);
int vw_render_wall(const struct vw_compiled *c, const struct vw_wall *w, struct vw_ruleset *ret);

/* The guard (all of table bridge vethwall): every wall of a workload stands, but for the absent
 * ones (ifindexes, sorted). */
int vw_render_guard(const struct vw_compiled *c, const unsigned *absent, size_t n_absent,
		    struct vw_ruleset *ret);

/* Only the wall's maps of learnt addresses. */
int vw_render_learnt(const struct vw_wall *w, struct vw_ruleset *ret);
/* The NFLOG group of DNS answers: beside that of refusals. */
uint16_t vw_dns_group(const struct vw_config *cfg);

/* Names of a wall's sets: kind 'f' live flows, 'd' denied, 'o' its own addresses (where several),
 * 'q' learnt addresses. */
void vw_wall_set_name(unsigned ifindex, char kind, int family, char ret[static VW_NAME_LEN]);

/* A denied set's key: code, saddr, daddr, proto, sport, dport of the refused packet; without ports:
 * icmp has type << 8 | code in both, other protocols and later fragments zero. What is no IP has
 * zero addresses and protocol, and its EtherType in both. */
struct vw_tuple {
	uint32_t code;
	struct vw_addr src, dst;
	uint8_t proto;
	uint16_t sport, dport; /* host order */
};
/* -EINVAL when the length fits neither family. */
int vw_tuple_decode(const uint8_t *key, size_t klen, struct vw_tuple *ret);

/* An element of a live set's key: own address, peer, proto, own port, peer port, whoever opened it;
 * icmp echo has its identifier in both. Who opened it shows in the element's timeout, which is one
 * of the two below (its expiry moves, its timeout stays). Entries that are no flows stand in the
 * same set under protocol numbers that no transport has. */
#define VW_OPENED_OUT_MS \
	60000 /* the container opened it; also: a flow of one packet lives so long */
#define VW_OPENED_IN_MS 64000 /* the peer opened it */
enum { VW_LIVE_FRAGMENT = 44, VW_LIVE_ASKED = 253, VW_LIVE_CLOSING = 254, VW_LIVE_REJECTED = 255 };
struct vw_live {
	struct vw_addr own, peer;
	uint8_t proto;
	uint16_t own_port, peer_port;
	enum vw_direction
		opened; /* VW_EGRESS: the container opened it; for a closing flow not known */
	bool flow, closing; /* neither: not a flow */
};
/* With vw_config.live_counters elements of flows have a counter. Each packet meets its element
 * twice (found, then added or refreshed), and a counter counts both: what it says is twice the
 * truth, of packets and of bytes, exactly. A closing flow is an element of its own, without one. */
static inline uint64_t vw_live_count(uint64_t counter)
{
	return counter / 2;
}
int vw_live_decode(const uint8_t *key, size_t klen, uint64_t timeout_ms, struct vw_live *ret);
/* The judgement of a live flow under c: a decision code. A closing flow stays while either
 * direction would be allowed. */
uint32_t vw_compiled_judge_live(const struct vw_compiled *c, const struct vw_wall *w,
				const struct vw_live *l);

#endif
