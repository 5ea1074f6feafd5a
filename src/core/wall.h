/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words that the parts of a wall are written in: whose wall, which family, which direction; the
 * files wall_*.c each write some of its chains. nft(8) text of a rule stands above it where the
 * words do not say it. Chain names: in/eg the hooks, i/e what the container sends/receives, to/ti
 * tcp, xo/xi tcp that opens or closes, po/pi icmp, qo/qi icmp errors, n neighbour discovery, dc
 * counting a refusal, dx counting what is no IP, do/di refusing, h refusing for whom is not known,
 * ro answering, jo/ji what policy says, ao/ai questions for names and their answers.
 *
 * The kernel walks every rule that a base chain can reach at every commit, and every set of the
 * table at every reference to one: so each direction has chains of its own, a chain is reached on
 * few ways, and one set holds all state of a wall and family, told apart by the protocol field. */
#ifndef VETHWALL_CORE_WALL_H
#define VETHWALL_CORE_WALL_H

#include <netinet/in.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "core/nftbuild.h"
#include "vethwall/compile.h"

#define LL NFT_PAYLOAD_LL_HEADER
#define NH NFT_PAYLOAD_NETWORK_HEADER
#define TH NFT_PAYLOAD_TRANSPORT_HEADER

/* Where a family has its addresses; a flow key takes 2 * len / 4 + 3 registers. */
struct family {
	int v;
	uint16_t saddr, daddr;
	uint8_t len, icmp;
	uint8_t echo;
	uint16_t ethertype;
};
extern const struct family wall_family4, wall_family6;

struct wall {
	struct nftb b;
	const struct vw_wall *w;
	const struct vw_config *cfg;
	const struct family *f;
	bool sent; /* the direction being written: what the container sends */
	bool fqdn; /* what it resolves opens addresses to it */
	unsigned n4, n6;
	char live[VW_NAME_LEN], denied[VW_NAME_LEN];
};

void wall_enter(struct wall *w, const struct family *f);
/* Starts chain PREFIX<family>_<ifindex>; the verdict to such a chain. */
void wall_begin(struct wall *w, const char *prefix);
void wall_go(struct wall *w, int32_t verdict, const char *prefix);
/* The prefix of this direction. */
static inline const char *wall_dir(const struct wall *w, const char *sent, const char *received)
{
	return w->sent ? sent : received;
}

void wall_l4proto(struct wall *w, uint8_t reg);
void wall_l4proto_is(struct wall *w, uint8_t op, uint8_t proto);
void wall_has_ports(struct wall *w, bool yes);
void wall_icmp_type(struct wall *w, uint8_t type);
/* What is sent to the container comes from the node's own bridge or routing, whose word for the
 * protocol is enough, and nft has no words for its link layer (it wants an input device). */
void wall_ethertype(struct wall *w, uint16_t type);
/* ip frag-off & 0x1fff != 0 */
void wall_later_fragment(struct wall *w);
/* more fragments follow, and this is the first */
void wall_first_fragment(struct wall *w);

enum wall_tail { PORTS, ICMP_ID, ICMP_TYPE, RAW4, NOTHING, FRAG_ID };
/* Key of a live-flow set from register 0: own address . peer . proto . own port . peer port,
 * whichever way the packet goes. proto 0: the packet's own. */
void wall_flow_key(struct wall *w, uint8_t proto, enum wall_tail tail);
/* The same for a look-up that nft shall have words for: it takes no constants there. */
void wall_flow_key_to_look(struct wall *w, uint8_t proto, enum wall_tail tail);
/* Key of a denied set: mark . saddr . daddr . proto . sport . dport */
void wall_denied_key(struct wall *w, enum wall_tail tail);

void wall_pass(struct wall *w, const char *what);
void wall_drop(struct wall *w, const char *what);
void wall_counted_drop(struct wall *w, const char *what);
uint32_t wall_code(const struct wall *w, enum vw_reason reason);
/* meta mark set <code> return: what comes back to the hook is refused there. Only in the
 * direction's own chain. */
void wall_refuse(struct wall *w, enum vw_reason reason, const char *what);

/* wall_own.c: the set of its own addresses, if they are many; ip saddr (or daddr) == or != own;
 * what reached it but is for others; sent with other destinations than the one that is judged */
void wall_own_set(struct wall *w);
void wall_is_own(struct wall *w, uint16_t addr, bool own);
void wall_for_another(struct wall *w);
void wall_no_detours(struct wall *w);
/* wall_flows.c: chains of live flows (to, xo, po, qo, and ti, ...), and the rules that admit a new
 * one */
void wall_flow_chains(struct wall *w);
void wall_live_rules(struct wall *w);
void wall_admit_rules(struct wall *w);
/* wall_deny.c: dc, do, di; dx and the rule that leads there, for what is no IP; h, and the rule
 * that leads there, for what a veth sends and gets before it is known whose it is */
void wall_deny_chains(struct wall *w);
void wall_foreign_chain(struct wall *w);
void wall_refuse_foreign(struct wall *w);
void wall_held_chain(struct wall *w);
void wall_refuse_held(struct wall *w);
/* wall_nd.c: neighbour discovery and ARP */
void wall_nd_chain(struct wall *w);
void wall_nd_received(struct wall *w);
void wall_nd_held(struct wall *w);
void wall_arp_chain(struct wall *w);
/* The start of a rule for what is longer than ARP, than discovery: it would pass without a policy.
 */
void wall_long_arp(struct wall *w);
void wall_long_nd(struct wall *w);

#endif
