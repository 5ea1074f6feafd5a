/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live flows. A flow is opened by a packet that policy allows and lives VW_OPENED_*_MS until a
 * second packet shows that it is one; which of the two timeouts an element was made with tells who
 * opened it, since later packets move its expiry but not its timeout. */
#include <stdio.h>

#include "core/wall.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08

#define FRAGMENT_MS 30000 /* as the kernel's own reassembly timeout, net.ipv4.ipfrag_time */
#define CLOSED_MS 5000 /* both ends have closed: only the last ACK is to come */

static void look(struct wall *w)
{
	nftb_lookup(&w->b, w->live, 0, false);
}

/* Where a packet is found, but not refreshed: once more, for elements count twice a packet. */
static void look_and_count(struct wall *w)
{
	look(w);
	if (w->cfg->live_counters)
		look(w);
}

static void dynset(struct wall *w, uint8_t op, uint32_t timeout)
{
	nftb_dynset(&w->b, w->live, op, 0, timeout);
}

/* <key> @live update @live { <key> timeout } accept */
static void refresh_rule(struct wall *w, uint8_t proto, enum wall_tail tail, uint32_t timeout,
			 const char *what)
{
	wall_flow_key(w, proto, tail);
	look(w);
	dynset(w, NFT_DYNSET_OP_UPDATE, timeout);
	wall_pass(w, what);
}

/* tcp flags & mask != 0; of four bytes, as the kernel masks only those inline */
static void tcp_flags(struct wall *w, uint8_t mask)
{
	static const uint8_t zero[4];
	uint8_t m[4] = {0, mask, 0, 0};

	nftb_payload(&w->b, TH, 12, 4, 0);
	nftb_and(&w->b, 0, m, 4);
	nftb_cmp(&w->b, 0, NFT_CMP_NEQ, zero, 4);
}

/* A half-closed connection lives on while data comes; a bare ACK does not prolong it, for the last
 * one is a bare ACK. */
static void tcp_chain(struct wall *w)
{
	wall_begin(w, wall_dir(w, "to", "ti"));
	tcp_flags(w, TCP_SYN | TCP_FIN | TCP_RST);
	wall_go(w, NFT_GOTO, wall_dir(w, "xo", "xi"));
	nftb_end(&w->b, "opens or closes");
	refresh_rule(w, 0, PORTS, w->cfg->tcp_idle_ms, "live flow");
	tcp_flags(w, TCP_PSH);
	refresh_rule(w, VW_LIVE_CLOSING, PORTS, w->cfg->closing_ms, "data of a half-closed flow");
	wall_flow_key(w, VW_LIVE_CLOSING, PORTS);
	look(w);
	wall_pass(w, "closing flow");
}

/* The first FIN makes the live entry a closing one, the second leaves it a moment for the last ACK;
 * a reset ends it. A SYN on a closing flow's ports is a new connection and judged anew. */
static void tcp_state_chain(struct wall *w)
{
	uint8_t closing = VW_LIVE_CLOSING;

	wall_begin(w, wall_dir(w, "xo", "xi"));
	tcp_flags(w, TCP_RST);
	wall_flow_key(w, 0, PORTS);
	look(w);
	dynset(w, NFT_DYNSET_OP_DELETE, 0);
	wall_pass(w, "reset");
	tcp_flags(w, TCP_FIN);
	wall_flow_key(w, 0, PORTS);
	look(w);
	dynset(w, NFT_DYNSET_OP_DELETE, 0);
	nftb_imm(&w->b, w->f->len / 2, &closing, 1); /* the key's protocol */
	dynset(w, NFT_DYNSET_OP_ADD, w->cfg->closing_ms);
	wall_pass(w, "first fin");
	tcp_flags(w, TCP_FIN | TCP_RST);
	refresh_rule(w, VW_LIVE_CLOSING, PORTS, CLOSED_MS, "second fin");
	tcp_flags(w, TCP_SYN);
	wall_flow_key(w, 0, PORTS);
	look_and_count(w);
	wall_pass(w, "syn of a live flow");
	if (w->sent)
		return;
	tcp_flags(w, TCP_RST);
	wall_flow_key(w, VW_LIVE_REJECTED, PORTS);
	look(w);
	wall_pass(w, "our own reset");
}

static void icmp_chain(struct wall *w)
{
	wall_begin(w, wall_dir(w, "po", "pi"));
	nftb_payload(&w->b, TH, 0, 1, 0);
	nftb_lookup(&w->b, w->f->v == 4 ? "echo4" : "echo6", 0, false);
	refresh_rule(w, 0, ICMP_ID, w->cfg->other_idle_ms, "live echo");
	nftb_payload(&w->b, TH, 0, 1, 0);
	nftb_lookup(&w->b, w->f->v == 4 ? "error4" : "error6", 0, false);
	wall_go(w, NFT_GOTO, wall_dir(w, "qo", "qi"));
	nftb_end(&w->b, "icmp error");
}

static void quoted_proto(struct wall *w, uint8_t reg)
{
	nftb_payload(&w->b, TH, 8 + (w->f->v == 4 ? 9 : 6), 1, reg);
}

/* The flow of the packet that an ICMP error quotes. An error goes to the quoted packet's source
 * (RFC 792, RFC 4443 2.4), so the outer destination is taken for it: no error can go to a third
 * party. */
static void quoted_key(struct wall *w, uint8_t proto, enum wall_tail tail)
{
	const struct family *f = w->f;
	uint8_t words = f->len / 4;
	uint16_t ip = 8, l4 = ip + (f->v == 4 ? 20 : 40);
	uint16_t sport = l4, dport = l4 + 2;

	if (tail == ICMP_ID)
		sport = dport = l4 + 4;
	/* received: the container sent the quoted packet; sent: it received it */
	nftb_payload(&w->b, NH, f->daddr, f->len, w->sent ? words : 0);
	nftb_payload(&w->b, TH, ip + f->daddr, f->len, w->sent ? 0 : words);
	if (proto)
		nftb_imm(&w->b, 2 * words, &proto, 1);
	else
		quoted_proto(w, 2 * words);
	nftb_payload(&w->b, TH, w->sent ? dport : sport, 2, 2 * words + 1);
	nftb_payload(&w->b, TH, w->sent ? sport : dport, 2, 2 * words + 2);
}

static void quoted_rule(struct wall *w, uint8_t proto, enum wall_tail tail, const char *what)
{
	quoted_key(w, proto, tail);
	look_and_count(w);
	wall_pass(w, what);
}

static void icmp_error_chain(struct wall *w)
{
	wall_begin(w, wall_dir(w, "qo", "qi"));
	if (w->f->v == 4) {
		/* @th,64,8 != 0x45 return: only quoted headers without options are read */
		nftb_payload(&w->b, TH, 8, 1, 0);
		nftb_u8(&w->b, 0, NFT_CMP_NEQ, 0x45);
		nftb_verdict(&w->b, NFT_RETURN, NULL);
		nftb_end(&w->b, "quoted header with options");
	}
	/* entries that are no flows have protocol numbers that nobody may quote */
	quoted_proto(w, 0);
	nftb_lookup(&w->b, "l4ports", 0, false);
	quoted_rule(w, 0, PORTS, "error about a live flow");
	quoted_proto(w, 0);
	nftb_u8(&w->b, 0, NFT_CMP_EQ, w->f->icmp);
	quoted_rule(w, 0, ICMP_ID, "error about a live echo");
	if (!w->sent)
		quoted_rule(w, VW_LIVE_REJECTED, PORTS, "our own rejection");
}

void wall_flow_chains(struct wall *w)
{
	icmp_error_chain(w);
	icmp_chain(w);
	tcp_state_chain(w);
	tcp_chain(w);
}

/* In the direction's chain: what belongs to a live flow leaves here. A later fragment whose payload
 * spells the ports of a live flow leaves as that; its peer may send there anyway. */
void wall_live_rules(struct wall *w)
{
	wall_first_fragment(w);
	wall_flow_key(w, VW_LIVE_FRAGMENT, FRAG_ID);
	dynset(w, NFT_DYNSET_OP_UPDATE, FRAGMENT_MS);
	nftb_end(&w->b, "first fragment: the others may follow");
	wall_l4proto_is(w, NFT_CMP_EQ, IPPROTO_TCP);
	wall_go(w, NFT_JUMP, wall_dir(w, "to", "ti"));
	nftb_end(&w->b, "tcp");
	/* other protocols have no ports there: what they carry must not pass for some */
	wall_has_ports(w, true);
	refresh_rule(w, 0, PORTS, w->cfg->other_idle_ms, "live flow");
	wall_l4proto_is(w, NFT_CMP_EQ, w->f->icmp);
	wall_go(w, NFT_JUMP, wall_dir(w, "po", "pi"));
	nftb_end(&w->b, "icmp");
	wall_later_fragment(w);
	wall_flow_key(w, VW_LIVE_FRAGMENT, FRAG_ID);
	look(w);
	wall_pass(w, "follows its first fragment");
	wall_later_fragment(w);
	wall_refuse(w, VW_REASON_FRAGMENT, "follows no allowed first fragment");
}

static void admit_rule(struct wall *w, enum wall_tail tail, const char *what)
{
	uint32_t timeout = w->sent ? VW_OPENED_OUT_MS : VW_OPENED_IN_MS;

	wall_flow_key(w, 0, tail);
	if (w->cfg->live_counters) {
		nftb_dynset_counted(&w->b, w->live, NFT_DYNSET_OP_ADD, 0, timeout);
		look(w); /* as later packets count: found, then refreshed */
	} else {
		dynset(w, NFT_DYNSET_OP_ADD, timeout);
	}
	nftb_mark_set(&w->b, 0); /* the mark was ours while judging; the host must not see it */
	wall_pass(w, what);
}

/* What policy allows. Protocols without ports are judged packet by packet. */
void wall_admit_rules(struct wall *w)
{
	wall_has_ports(w, true);
	admit_rule(w, PORTS, "new flow");
	wall_l4proto_is(w, NFT_CMP_EQ, w->f->icmp);
	wall_icmp_type(w, w->f->echo);
	admit_rule(w, ICMP_ID, "new echo");
	wall_has_ports(w, false);
	nftb_mark_set(&w->b, 0);
	wall_pass(w, "no flow");
	/* the set is full: the packet is allowed, its answer will have to be on its own merit; one
	 * whose transport header is not all there was not judged by it, and is refused */
	nftb_payload(&w->b, TH, 4, 4, 0);
	nftb_mark_set(&w->b, VW_CODE_AUDIT | (w->sent ? VW_CODE_EGRESS : 0) | VW_REASON_FULL);
	wall_go(w, NFT_JUMP, "dc");
	nftb_end(&w->b, "live-flow set full: count it");
	nftb_payload(&w->b, TH, 4, 4, 0);
	nftb_mark_set(&w->b, 0);
	wall_pass(w, "allowed, but not remembered");
	wall_refuse(w, VW_REASON_PROTOCOL, "no whole transport header");
}
