/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One wall as rules. A packet meets its veth's base chain, is checked for a forged source, is
 * looked up among the live flows, and only if it belongs to none is judged by policy. Names: in/eg
 * the hooks, i/e what the container sends/receives, m live flows, t tcp, x closing tcp, p icmp, pe
 * icmp errors, ro/ri fragments, n neighbour discovery, a admitting a flow, dc counting a refusal,
 * do/di refusing. nft(8) text of each rule stands above it. */
#include <netinet/in.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>

#include "core/nftbuild.h"
#include "vethwall/cleanup.h"
#include "vethwall/compile.h"

#define LL NFT_PAYLOAD_LL_HEADER
#define NH NFT_PAYLOAD_NETWORK_HEADER
#define TH NFT_PAYLOAD_TRANSPORT_HEADER

/* What stands in the protocol field of entries that are no flows. Both are reserved or unused as
 * transport protocols (IANA protocol numbers), and flows of them are never kept. */
#define PROTO_FRAGMENT 44
#define PROTO_REJECTED 255

#define FRAGMENT_MS 30000 /* as the kernel's own reassembly timeout, net.ipv4.ipfrag_time */
#define REJECTED_MS 2000 /* the reset that we send passes our own egress hook at once */
/* RFC 791 3.2: every module forwards 68 octets unfragmented, so a first fragment below is a trick.
 */
#define FIRST_FRAGMENT_MIN 68
#define REJECTS_PER_SECOND 200

#define TCP_FIN_RST 0x05
#define TCP_SYN 0x02

/* Where a family has its addresses, and which registers a flow key takes. */
struct family {
	int v;
	uint16_t saddr, daddr;
	uint8_t len, icmp;
	uint8_t echo, reply;
	uint16_t ethertype;
};

static const struct family family4 = {4, 12, 16, 4, IPPROTO_ICMP, 8, 0, ETH_P_IP};
static const struct family family6 = {6, 8, 24, 16, IPPROTO_ICMPV6, 128, 129, ETH_P_IPV6};

struct wall {
	struct nftb b;
	const struct vw_wall *w;
	const struct vw_config *cfg;
	const struct family *f;
	unsigned n4, n6;
	char live[VW_NAME_LEN], closing[VW_NAME_LEN], denied[VW_NAME_LEN];
};

static void chain_name(const struct wall *w, const char *prefix, char ret[static VW_NAME_LEN])
{
	snprintf(ret, VW_NAME_LEN, "%s%d_%u", prefix, w->f->v, w->w->ifindex);
}

static void begin(struct wall *w, const char *prefix)
{
	char name[VW_NAME_LEN];

	chain_name(w, prefix, name);
	nftb_chain(&w->b, name);
}

static void go(struct wall *w, int32_t verdict, const char *prefix)
{
	char name[VW_NAME_LEN];

	chain_name(w, prefix, name);
	nftb_verdict(&w->b, verdict, name);
}

static void family_enter(struct wall *w, const struct family *f)
{
	w->f = f;
	vw_wall_set_name(w->w->ifindex, 'f', f->v, w->live);
	vw_wall_set_name(w->w->ifindex, 'c', f->v, w->closing);
	vw_wall_set_name(w->w->ifindex, 'd', f->v, w->denied);
}

/* --- parts of rules --- */

static void l4proto(struct wall *w, uint8_t reg)
{
	/* an IPv4 header has it at a fixed place, and a payload load is the cheapest expression */
	if (w->f->v == 4)
		nftb_payload(&w->b, NH, 9, 1, reg);
	else
		nftb_meta(&w->b, NFT_META_L4PROTO, reg);
}

static void l4proto_is(struct wall *w, uint8_t op, uint8_t proto)
{
	l4proto(w, 0);
	nftb_u8(&w->b, 0, op, proto);
}

static void has_ports(struct wall *w, bool yes)
{
	l4proto(w, 0);
	nftb_lookup(&w->b, "l4ports", 0, !yes);
}

enum last { PORTS, ICMP_ID, ICMP_TYPE, RAW4, NOTHING, FRAG_ID };

/* The two fields after the protocol, into reg and reg + 1. */
static void key_tail(struct wall *w, enum last last, bool reverse, uint8_t reg)
{
	static const uint16_t zero;
	struct nftb *b = &w->b;
	uint16_t at[2] = {0, 2};

	switch (last) {
	case NOTHING:
		nftb_imm(b, reg, &zero, 2);
		nftb_imm(b, reg + 1, &zero, 2);
		return;
	case FRAG_ID:
		if (w->f->v == 4) {
			nftb_payload(b, NH, 4, 2, reg);
			nftb_payload(b, NH, 4, 2, reg + 1);
		} else {
			nftb_exthdr(b, IPPROTO_FRAGMENT, 4, 2, false, reg);
			nftb_exthdr(b, IPPROTO_FRAGMENT, 6, 2, false, reg + 1);
		}
		return;
	case ICMP_ID:
		at[0] = at[1] = 4;
		break;
	case ICMP_TYPE:
		at[0] = at[1] = 0;
		break;
	case PORTS:
		at[0] = reverse ? 2 : 0;
		at[1] = reverse ? 0 : 2;
		break;
	case RAW4:
		break;
	}
	nftb_payload(b, TH, at[0], 2, reg);
	nftb_payload(b, TH, at[1], 2, reg + 1);
}

/* saddr . daddr . proto . x . y from register `reg` on; proto 0: the packet's own. */
static void key(struct wall *w, bool reverse, uint8_t proto, enum last last, uint8_t reg)
{
	const struct family *f = w->f;
	uint8_t words = f->len / 4;

	nftb_payload(&w->b, NH, reverse ? f->daddr : f->saddr, f->len, reg);
	nftb_payload(&w->b, NH, reverse ? f->saddr : f->daddr, f->len, reg + words);
	if (proto)
		nftb_imm(&w->b, reg + 2 * words, &proto, 1);
	else
		l4proto(w, reg + 2 * words);
	key_tail(w, last, reverse, reg + 2 * words + 1);
}

static void pass(struct wall *w, const char *what)
{
	nftb_verdict(&w->b, NF_ACCEPT, NULL);
	nftb_end(&w->b, what);
}

/* <key> @live update @live { <key> timeout } accept */
static void live_rule(struct wall *w, bool reverse, enum last last, uint32_t timeout)
{
	key(w, reverse, 0, last, 0);
	nftb_lookup(&w->b, w->live, 0, false);
	nftb_dynset(&w->b, w->live, NFT_DYNSET_OP_UPDATE, 0, timeout);
	pass(w, reverse ? "answer of a live flow" : "live flow");
}

static void closing_rule(struct wall *w, bool reverse)
{
	key(w, reverse, 0, PORTS, 0);
	nftb_lookup(&w->b, w->closing, 0, false);
	nftb_dynset(&w->b, w->closing, NFT_DYNSET_OP_UPDATE, 0, w->cfg->closing_ms);
	pass(w, "closing flow");
}

static uint32_t denied(const struct wall *w, bool sent, enum vw_reason reason)
{
	(void)w;
	return VW_CODE_DENY | (sent ? VW_CODE_EGRESS : 0) | reason;
}

/* meta mark set <code> goto do/di */
static void refuse(struct wall *w, bool sent, enum vw_reason reason, const char *what)
{
	nftb_mark_set(&w->b, denied(w, sent, reason));
	go(w, NFT_GOTO, sent ? "do" : "di");
	nftb_end(&w->b, what);
}

/* --- live flows --- */

static void live_chain(struct wall *w)
{
	begin(w, "m");
	/* meta l4proto tcp goto t */
	l4proto_is(w, NFT_CMP_EQ, IPPROTO_TCP);
	go(w, NFT_GOTO, "t");
	nftb_end(&w->b, "tcp");
	l4proto_is(w, NFT_CMP_EQ, w->f->icmp);
	go(w, NFT_GOTO, "p");
	nftb_end(&w->b, "icmp");
	live_rule(w, false, PORTS, w->cfg->other_idle_ms);
	live_rule(w, true, PORTS, w->cfg->other_idle_ms);
	for (int reverse = 0; reverse < 2; reverse++) {
		/* meta l4proto != @l4ports <key without ports> @live ... */
		has_ports(w, false);
		live_rule(w, reverse, NOTHING, w->cfg->other_idle_ms);
	}
}

/* tcp flags & mask != 0 */
static void tcp_flags(struct wall *w, uint8_t mask)
{
	nftb_payload(&w->b, TH, 13, 1, 0);
	nftb_and(&w->b, 0, &mask, 1);
	nftb_u8(&w->b, 0, NFT_CMP_NEQ, 0);
}

static void tcp_chain(struct wall *w)
{
	begin(w, "t");
	tcp_flags(w, TCP_FIN_RST);
	go(w, NFT_GOTO, "x");
	nftb_end(&w->b, "fin or rst");
	live_rule(w, false, PORTS, w->cfg->tcp_idle_ms);
	live_rule(w, true, PORTS, w->cfg->tcp_idle_ms);
	/* a new connection on the ports of a closing one is judged anew */
	tcp_flags(w, TCP_SYN);
	nftb_verdict(&w->b, NFT_RETURN, NULL);
	nftb_end(&w->b, "syn");
	closing_rule(w, false);
	closing_rule(w, true);
}

/* FIN or RST: the flow moves to the closing set, whose timeout is short; a half-closed connection
 * lives on there while it is used. A full closing set leaves the flow where it is. */
static void closing_chain(struct wall *w)
{
	begin(w, "x");
	for (int reverse = 0; reverse < 2; reverse++) {
		key(w, reverse, 0, PORTS, 0);
		nftb_lookup(&w->b, w->live, 0, false);
		nftb_dynset(&w->b, w->closing, NFT_DYNSET_OP_ADD, 0, w->cfg->closing_ms);
		nftb_dynset(&w->b, w->live, NFT_DYNSET_OP_DELETE, 0, 0);
		pass(w, "flow begins to close");
	}
	closing_rule(w, false);
	closing_rule(w, true);
	for (int reverse = 0; reverse < 2; reverse++) {
		key(w, reverse, 0, PORTS, 0);
		nftb_lookup(&w->b, w->live, 0, false);
		pass(w, "flow closes, closing set full");
	}
	key(w, true, PROTO_REJECTED, PORTS, 0);
	nftb_lookup(&w->b, w->closing, 0, false);
	pass(w, "our own reset");
}

static void icmp_type(struct wall *w, uint8_t type)
{
	nftb_payload(&w->b, TH, 0, 1, 0);
	nftb_u8(&w->b, 0, NFT_CMP_EQ, type);
}

static void icmp_chain(struct wall *w)
{
	static const uint8_t err4[] = {3, 11, 12}, err6[] = {1, 2, 3, 4};
	const uint8_t *err = w->f->v == 4 ? err4 : err6;
	size_t n = w->f->v == 4 ? sizeof(err4) : sizeof(err6);

	begin(w, "p");
	icmp_type(w, w->f->echo);
	live_rule(w, false, ICMP_ID, w->cfg->other_idle_ms);
	icmp_type(w, w->f->reply);
	live_rule(w, true, ICMP_ID, w->cfg->other_idle_ms);
	for (size_t i = 0; i < n; i++) {
		icmp_type(w, err[i]);
		go(w, NFT_GOTO, "pe");
		nftb_end(&w->b, "icmp error");
	}
}

/* The tuple of the packet that an ICMP error quotes. Its source is where the error goes (RFC 792,
 * RFC 4443 2.4), so the outer destination is used: an error cannot be sent to a third party. */
static void quoted(struct wall *w, bool reverse, uint8_t proto, enum last last)
{
	const struct family *f = w->f;
	uint8_t words = f->len / 4;
	uint16_t ip = 8, inner_dst = ip + f->daddr, l4 = ip + (f->v == 4 ? 20 : 40);
	uint16_t sp = l4, dp = l4 + 2;

	if (last == ICMP_ID)
		sp = dp = l4 + 4;
	nftb_payload(&w->b, NH, f->daddr, f->len, reverse ? words : 0);
	nftb_payload(&w->b, TH, inner_dst, f->len, reverse ? 0 : words);
	if (proto)
		nftb_imm(&w->b, 2 * words, &proto, 1);
	else
		nftb_payload(&w->b, TH, ip + (f->v == 4 ? 9 : 6), 1, 2 * words);
	nftb_payload(&w->b, TH, reverse ? dp : sp, 2, 2 * words + 1);
	nftb_payload(&w->b, TH, reverse ? sp : dp, 2, 2 * words + 2);
}

static void quoted_proto_is(struct wall *w, uint8_t op)
{
	nftb_payload(&w->b, TH, 8 + (w->f->v == 4 ? 9 : 6), 1, 0);
	nftb_u8(&w->b, 0, op, w->f->icmp);
}

static void icmp_error_chain(struct wall *w)
{
	begin(w, "pe");
	if (w->f->v == 4) {
		/* @th,64,8 != 0x45 return: only quoted headers without options are read */
		nftb_payload(&w->b, TH, 8, 1, 0);
		nftb_u8(&w->b, 0, NFT_CMP_NEQ, 0x45);
		nftb_verdict(&w->b, NFT_RETURN, NULL);
		nftb_end(&w->b, "quoted header with options");
	}
	for (int i = 0; i < 4; i++) {
		quoted_proto_is(w, i < 2 ? NFT_CMP_NEQ : NFT_CMP_EQ);
		quoted(w, i & 1, 0, i < 2 ? PORTS : ICMP_ID);
		nftb_lookup(&w->b, w->live, 0, false);
		pass(w, "error about a live flow");
	}
	for (int reverse = 0; reverse < 2; reverse++) {
		quoted(w, reverse, 0, PORTS);
		nftb_lookup(&w->b, w->closing, 0, false);
		pass(w, "error about a closing flow");
	}
	quoted(w, false, PROTO_REJECTED, PORTS);
	nftb_lookup(&w->b, w->closing, 0, false);
	pass(w, "our own rejection");
}

/* --- admitting and refusing --- */

static void admitted(struct wall *w, enum last last, uint32_t timeout, const char *what)
{
	key(w, false, 0, last, 0);
	nftb_dynset(&w->b, w->live, NFT_DYNSET_OP_ADD, 0, timeout);
	nftb_mark_set(&w->b, 0); /* the mark was ours while judging; the host must not see it */
	pass(w, what);
}

static void admit_chain(struct wall *w)
{
	begin(w, "a");
	l4proto_is(w, NFT_CMP_EQ, IPPROTO_TCP);
	admitted(w, PORTS, w->cfg->tcp_idle_ms, "new tcp flow");
	/* meta l4proto @l4ports meta l4proto != tcp */
	has_ports(w, true);
	nftb_u8(&w->b, 0, NFT_CMP_NEQ, IPPROTO_TCP);
	admitted(w, PORTS, w->cfg->other_idle_ms, "new flow");
	l4proto_is(w, NFT_CMP_EQ, w->f->icmp);
	nftb_payload(&w->b, TH, 0, 1, 0);
	nftb_u8(&w->b, 0, NFT_CMP_EQ, w->f->echo);
	admitted(w, ICMP_ID, w->cfg->other_idle_ms, "new echo flow");
	l4proto_is(w, NFT_CMP_EQ, w->f->icmp);
	nftb_payload(&w->b, TH, 0, 1, 0);
	nftb_u8(&w->b, 0, NFT_CMP_NEQ, w->f->echo);
	nftb_mark_set(&w->b, 0);
	pass(w, "icmp that is no flow");
	has_ports(w, false);
	nftb_u8(&w->b, 0, NFT_CMP_NEQ, w->f->icmp);
	admitted(w, NOTHING, w->cfg->other_idle_ms, "new flow without ports");
}

/* update @denied { mark . saddr . daddr . proto . x . y } log group N */
static void count_rule(struct wall *w, enum last last, const char *what)
{
	nftb_meta(&w->b, NFT_META_MARK, 0);
	key(w, false, 0, last, 1);
	nftb_dynset(&w->b, w->denied, NFT_DYNSET_OP_UPDATE, 0, 0);
	nftb_log(&w->b, w->cfg->nflog_group, w->cfg->snaplen);
	nftb_end(&w->b, what);
}

/* ip frag-off & mask op 0; for IPv6 in the fragment header, where the offset is the upper 13 bits
 */
static void fragment(struct wall *w, uint16_t mask4, uint16_t mask6, uint8_t op)
{
	uint8_t m4[2] = {mask4 >> 8, mask4 & 0xff}, m6[2] = {mask6 >> 8, mask6 & 0xff};

	if (w->f->v == 4)
		nftb_payload(&w->b, NH, 6, 2, 0);
	else
		nftb_exthdr(&w->b, IPPROTO_FRAGMENT, 2, 2, false, 0);
	nftb_and(&w->b, 0, w->f->v == 4 ? m4 : m6, 2);
	nftb_u16(&w->b, 0, op, 0);
}

static void is_fragment(struct wall *w)
{
	if (w->f->v == 4) {
		fragment(w, 0x3fff, 0, NFT_CMP_NEQ);
		return;
	}
	nftb_exthdr(&w->b, IPPROTO_FRAGMENT, 0, 1, true, 0);
	nftb_u8(&w->b, 0, NFT_CMP_EQ, 1);
}

static void later_fragment(struct wall *w)
{
	fragment(w, 0x1fff, 0xfff8, NFT_CMP_NEQ);
}

static void count_chain(struct wall *w)
{
	begin(w, "dc");
	nftb_counter(&w->b);
	nftb_end(&w->b, "all refusals");
	/* the rest of a refused datagram must not follow */
	is_fragment(w);
	key(w, false, PROTO_FRAGMENT, FRAG_ID, 0);
	nftb_dynset(&w->b, w->closing, NFT_DYNSET_OP_DELETE, 0, 0);
	nftb_end(&w->b, "forget its fragments");
	later_fragment(w);
	count_rule(w, NOTHING, "fragment");
	has_ports(w, true);
	count_rule(w, PORTS, "flow with ports");
	l4proto_is(w, NFT_CMP_EQ, w->f->icmp);
	count_rule(w, ICMP_TYPE, "icmp");
	has_ports(w, false);
	nftb_u8(&w->b, 0, NFT_CMP_NEQ, w->f->icmp);
	count_rule(w, NOTHING, "flow without ports");
}

static void mark_is(struct wall *w, uint32_t code)
{
	nftb_meta(&w->b, NFT_META_MARK, 0);
	nftb_cmp(&w->b, 0, NFT_CMP_EQ, &code, 4);
}

static void reject_rule(struct wall *w, bool tcp)
{
	l4proto_is(w, tcp ? NFT_CMP_EQ : NFT_CMP_NEQ, IPPROTO_TCP);
	nftb_limit(&w->b, REJECTS_PER_SECOND, REJECTS_PER_SECOND);
	key(w, false, PROTO_REJECTED, RAW4, 0);
	nftb_dynset(&w->b, w->closing, NFT_DYNSET_OP_UPDATE, 0, REJECTED_MS);
	if (tcp)
		nftb_reject(&w->b, NFT_REJECT_TCP_RST, 0);
	else
		nftb_reject(&w->b, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
	nftb_end(&w->b, tcp ? "refuse by reset" : "refuse by icmp");
}

static void drop(struct wall *w, const char *what)
{
	nftb_verdict(&w->b, NF_DROP, NULL);
	nftb_end(&w->b, what);
}

static void refuse_chains(struct wall *w)
{
	begin(w, "do");
	go(w, NFT_JUMP, "dc");
	nftb_end(&w->b, "count and log");
	mark_is(w, denied(w, true, VW_REASON_SPOOF));
	drop(w, "a forged sender gets no answer");
	reject_rule(w, true);
	reject_rule(w, false);
	drop(w, "over the limit of answers");
	begin(w, "di");
	go(w, NFT_JUMP, "dc");
	nftb_end(&w->b, "count and log");
	drop(w, "refused on arrival");
}

/* --- fragments --- */

/* First fragments leave their id with the flow's addresses, later ones follow it. Jumped to;
 * returns for first fragments, which have ports and are judged like any packet. */
static void fragment_chain(struct wall *w, bool sent)
{
	uint8_t first_min[2] = {0, FIRST_FRAGMENT_MIN};

	begin(w, sent ? "ro" : "ri");
	if (w->f->v == 4) {
		/* RFC 1858 3: a fragment at offset 1 rewrites TCP flags */
		nftb_payload(&w->b, NH, 6, 2, 0);
		nftb_and(&w->b, 0, (uint8_t[]){0x1f, 0xff}, 2);
		nftb_u16(&w->b, 0, NFT_CMP_EQ, 1);
		refuse(w, sent, VW_REASON_FRAGMENT, "fragment over the transport header");
	}
	later_fragment(w);
	key(w, false, PROTO_FRAGMENT, FRAG_ID, 0);
	nftb_lookup(&w->b, w->closing, 0, false);
	pass(w, "follows its first fragment");
	later_fragment(w);
	refuse(w, sent, VW_REASON_FRAGMENT, "follows no allowed first fragment");
	if (w->f->v == 4) {
		nftb_payload(&w->b, NH, 2, 2, 0);
		nftb_cmp(&w->b, 0, NFT_CMP_LT, first_min, 2);
		refuse(w, sent, VW_REASON_FRAGMENT, "first fragment too short");
	}
	/* loads the first eight bytes of the transport header: without them the rule does not match
	 */
	nftb_payload(&w->b, TH, 4, 4, 0);
	key(w, false, PROTO_FRAGMENT, FRAG_ID, 0);
	nftb_dynset(&w->b, w->closing, NFT_DYNSET_OP_UPDATE, 0, FRAGMENT_MS);
	nftb_verdict(&w->b, NFT_RETURN, NULL);
	nftb_end(&w->b, "first fragment");
	refuse(w, sent, VW_REASON_FRAGMENT, "first fragment without transport header");
}

/* --- neighbour discovery --- */

static void icmp6(struct wall *w, uint8_t type, bool hop255)
{
	nftb_meta(&w->b, NFT_META_L4PROTO, 0);
	nftb_u8(&w->b, 0, NFT_CMP_EQ, IPPROTO_ICMPV6);
	icmp_type(w, type);
	if (hop255) {
		/* RFC 4861 6.1, 7.1: nodes drop ND whose hop limit is not 255 */
		nftb_payload(&w->b, NH, 7, 1, 0);
		nftb_u8(&w->b, 0, NFT_CMP_EQ, 255);
	}
}

static void addr_at(struct wall *w, uint8_t base, uint16_t off, const uint8_t addr[16])
{
	nftb_payload(&w->b, base, off, 16, 0);
	nftb_cmp(&w->b, 0, NFT_CMP_EQ, addr, 16);
}

/* fe80:: with the modified EUI-64 of the MAC (RFC 4291 appendix A), as containers make it. */
static void link_local_of(const struct vw_mac *m, uint8_t ret[16])
{
	const uint8_t ll[16] = {0xfe, 0x80,    0,	    0,	     0,	      0,
				0,    0,       m->b[0] ^ 2, m->b[1], m->b[2], 0xff,
				0xfe, m->b[3], m->b[4],	    m->b[5]};

	memcpy(ret, ll, 16);
}

/* Solicitations from, and advertisements about, the container's own addresses and no others. */
static void nd_for(struct wall *w, const uint8_t addr[16])
{
	icmp6(w, 135, true);
	addr_at(w, NH, 8, addr);
	pass(w, "neighbour solicitation from its own address");
	icmp6(w, 136, true);
	addr_at(w, TH, 8, addr);
	pass(w, "neighbour advertisement of its own address");
}

static void nd_sent(struct wall *w)
{
	static const uint8_t any[16], router[] = {134, 137};
	static const uint8_t quiet[] = {133, 131, 132, 143};
	uint8_t ll[16];

	begin(w, "n");
	for (size_t i = 0; i < w->w->n_ips; i++)
		if (w->w->ips[i].family == 6)
			nd_for(w, w->w->ips[i].b);
	if (w->w->has_mac) {
		link_local_of(&w->w->mac, ll);
		nd_for(w, ll);
	}
	icmp6(w, 135, true);
	addr_at(w, NH, 8, any);
	pass(w, "duplicate address detection");
	for (size_t i = 0; i < sizeof(quiet); i++) {
		icmp6(w, quiet[i], quiet[i] == 133);
		nftb_payload(&w->b, NH, 24, 2, 0);
		nftb_cmp(&w->b, 0, NFT_CMP_EQ, (uint8_t[]){0xff, 0x02}, 2);
		pass(w, "router solicitation or multicast report");
	}
	for (size_t i = 0; i < 4; i++) {
		icmp6(w, i < 2 ? router[i] : i == 2 ? 135 : 136, false);
		refuse(w, true, VW_REASON_RA, "no router, no neighbour that it is not");
	}
}

/* What arrives: forged discovery has been stopped where it was sent; the host's own passes. */
static void nd_received(struct wall *w)
{
	static const uint8_t in[] = {133, 134, 135, 136};
	static const uint8_t mld[] = {130, 131, 132, 143};

	for (size_t i = 0; i < sizeof(in); i++) {
		icmp6(w, in[i], true);
		pass(w, "neighbour discovery");
	}
	for (size_t i = 0; i < sizeof(mld); i++) {
		icmp6(w, mld[i], false);
		nftb_payload(&w->b, NH, 7, 1, 0);
		nftb_u8(&w->b, 0, NFT_CMP_EQ, 1);
		pass(w, "multicast listener discovery");
	}
}

/* --- the two directions --- */

static unsigned own_count(const struct wall *w)
{
	return w->f->v == 4 ? w->n4 : w->n6;
}

static void own_name(const struct wall *w, char ret[static VW_NAME_LEN])
{
	vw_wall_set_name(w->w->ifindex, 'o', w->f->v, ret);
}

/* ip saddr != <own> meta mark set spoofed goto do */
static void own_source(struct wall *w)
{
	char set[VW_NAME_LEN];

	nftb_payload(&w->b, NH, w->f->saddr, w->f->len, 0);
	if (own_count(w) == 1) {
		for (size_t i = 0; i < w->w->n_ips; i++)
			if (w->w->ips[i].family == w->f->v)
				nftb_cmp(&w->b, 0, NFT_CMP_NEQ, w->w->ips[i].b, w->f->len);
	} else {
		own_name(w, set);
		nftb_lookup(&w->b, set, 0, true);
	}
	refuse(w, true, VW_REASON_SPOOF, "source address is not the container's");
}

static void own_set(struct wall *w)
{
	uint8_t fields[] = {w->f->v == 4 ? VW_F_IP4 : VW_F_IP6, VW_F_NONE};
	char name[VW_NAME_LEN];
	struct vw_set *s;
	int r = 0;

	if (own_count(w) == 1)
		return;
	own_name(w, name);
	s = nftb_set(&w->b, name, 0, fields);
	for (size_t i = 0; i < w->w->n_ips && s && !r; i++) {
		struct vw_elem e = {0};

		memcpy(e.key, w->w->ips[i].b, w->f->len);
		if (w->w->ips[i].family == w->f->v)
			r = vw_elem_push(s, &e, VW_IPS_MAX);
	}
	if (s && !r)
		r = vw_elems_sort(s);
	if (r)
		w->b.err = r;
}

static void judge(struct wall *w, bool sent)
{
	const char *class = sent ? w->w->out_class : w->w->in_class;
	char peer[VW_NAME_LEN];

	if (class[0]) {
		snprintf(peer, sizeof(peer), "%s%d", sent ? "dst" : "src", w->f->v);
		nftb_verdict(&w->b, NFT_JUMP, peer);
		nftb_end(&w->b, "who is the peer");
		nftb_verdict(&w->b, NFT_JUMP, class);
		nftb_end(&w->b, "what may it");
		nftb_mark_has(&w->b, VW_CODE_DENY);
		go(w, NFT_GOTO, sent ? "do" : "di");
		nftb_end(&w->b, "refused");
		nftb_mark_has(&w->b, VW_CODE_AUDIT | VW_CODE_LOG);
		go(w, NFT_JUMP, "dc");
		nftb_end(&w->b, "passes, but is counted and logged");
	}
	go(w, NFT_JUMP, "a");
	nftb_end(&w->b, "admit");
	refuse(w, sent, VW_REASON_FULL, "live-flow set full");
}

static void direction(struct wall *w, bool sent)
{
	begin(w, sent ? "i" : "e");
	if (w->f->v == 6 && sent) {
		nftb_meta(&w->b, NFT_META_L4PROTO, 0);
		nftb_u8(&w->b, 0, NFT_CMP_EQ, IPPROTO_ICMPV6);
		go(w, NFT_JUMP, "n");
		nftb_end(&w->b, "neighbour discovery");
	}
	if (sent)
		own_source(w);
	is_fragment(w);
	go(w, NFT_JUMP, sent ? "ro" : "ri");
	nftb_end(&w->b, "fragment");
	go(w, NFT_JUMP, "m");
	nftb_end(&w->b, "live flows");
	if (w->f->v == 6 && !sent)
		nd_received(w);
	judge(w, sent);
}

static void dynamic_set(struct wall *w, const char *name, bool den, uint32_t flags, uint32_t size,
			uint32_t timeout)
{
	enum vw_ftype a = w->f->v == 4 ? VW_F_IP4 : VW_F_IP6;
	uint8_t flow[] = {a, a, VW_F_PROTO, VW_F_PORT, VW_F_PORT, VW_F_NONE};
	uint8_t refused[] = {VW_F_MARK, a, a, VW_F_PROTO, VW_F_PORT, VW_F_PORT};
	struct vw_set *s = nftb_set(&w->b, name, VW_SET_DYNAMIC | VW_SET_TIMEOUT | flags,
				    den ? refused : flow);

	if (!s)
		return;
	if (den)
		memcpy(s->fields, refused, sizeof(refused));
	s->size = size;
	s->timeout_ms = timeout;
}

#define DENIED_MS (10 * 60 * 1000) /* read long before (agent/denied.c) */

static void family(struct wall *w, const struct family *f)
{
	family_enter(w, f);
	dynamic_set(w, w->live, false, VW_SET_COUNTER, w->cfg->live_max, w->cfg->tcp_idle_ms);
	dynamic_set(w, w->closing, false, 0, w->cfg->live_max, w->cfg->closing_ms);
	dynamic_set(w, w->denied, true, VW_SET_COUNTER | VW_SET_LIMIT, w->cfg->denied_max,
		    DENIED_MS);
	own_set(w);
	count_chain(w);
	refuse_chains(w);
	fragment_chain(w, true);
	fragment_chain(w, false);
	icmp_error_chain(w);
	icmp_chain(w);
	closing_chain(w);
	tcp_chain(w);
	live_chain(w);
	admit_chain(w);
	if (f->v == 6)
		nd_sent(w);
	direction(w, true);
	direction(w, false);
}

/* --- hooks --- */

static void ethertype(struct wall *w, uint16_t type)
{
	nftb_payload(&w->b, LL, 12, 2, 0);
	nftb_u16(&w->b, 0, NFT_CMP_EQ, type);
}

static void hook_chain(struct wall *w, bool sent)
{
	struct vw_chain *c;
	char name[VW_NAME_LEN];

	snprintf(name, sizeof(name), "%s_%u", sent ? "in" : "eg", w->w->ifindex);
	c = nftb_chain(&w->b, name);
	if (!c)
		return;
	c->base = true;
	c->hook = sent ? NF_NETDEV_INGRESS : NF_NETDEV_EGRESS;
	memcpy(c->dev, w->w->dev, sizeof(c->dev));
	c->policy = NF_DROP;
	c->ifindex = w->w->ifindex;
	c->spec = w->w->spec;
}

static void counted_drop(struct wall *w, const char *what)
{
	nftb_counter(&w->b);
	drop(w, what);
}

/* arp: only about itself; 0.0.0.0 is the probe of RFC 5227 */
static void arp_chain(struct wall *w)
{
	static const uint8_t zero[4];
	char name[VW_NAME_LEN];

	snprintf(name, sizeof(name), "arp_%u", w->w->ifindex);
	nftb_chain(&w->b, name);
	if (w->w->has_mac) {
		nftb_payload(&w->b, NH, 8, 6, 0);
		nftb_cmp(&w->b, 0, NFT_CMP_NEQ, w->w->mac.b, 6);
		counted_drop(w, "arp of another's mac");
	}
	for (size_t i = 0; i <= w->n4; i++) {
		const uint8_t *ip = i < w->n4 ? w->w->ips[i].b : zero;

		nftb_payload(&w->b, NH, 14, 4, 0);
		nftb_cmp(&w->b, 0, NFT_CMP_EQ, ip, 4);
		pass(w, "arp of its own");
	}
	counted_drop(w, "arp of another's address");
}

static void forged_mac(struct wall *w, const struct family *f)
{
	family_enter(w, f);
	nftb_payload(&w->b, LL, 6, 6, 0);
	nftb_cmp(&w->b, 0, NFT_CMP_NEQ, w->w->mac.b, 6);
	ethertype(w, f->ethertype);
	refuse(w, true, VW_REASON_SPOOF, "source MAC is not the container's");
}

/* What is neither IP of a family that it has nor ARP is counted by its EtherType, as a flow without
 * addresses: update @denied { mark . 0 . 0 . 0 . ether type . ether type } log */
static void foreign_rule(struct wall *w, bool sent)
{
	static const uint8_t zero[16];
	const struct family *f = w->n4 ? &family4 : &family6;
	uint32_t code = denied(w, sent, VW_REASON_PROTOCOL);
	uint8_t words = f->len / 4;

	family_enter(w, f);
	nftb_mark_set(&w->b, code);
	nftb_imm(&w->b, 0, &code, 4);
	nftb_imm(&w->b, 1, zero, f->len);
	nftb_imm(&w->b, 1 + words, zero, f->len);
	nftb_imm(&w->b, 1 + 2 * words, zero, 1);
	nftb_payload(&w->b, LL, 12, 2, 2 + 2 * words);
	nftb_payload(&w->b, LL, 12, 2, 3 + 2 * words);
	nftb_dynset(&w->b, w->denied, NFT_DYNSET_OP_UPDATE, 0, 0);
	nftb_log(&w->b, w->cfg->nflog_group, w->cfg->snaplen);
	nftb_end(&w->b, "neither IP nor ARP of its own");
}

/* A veth without IPv6 addresses still sends discovery noise of its link-local address. */
static void quiet_noise(struct wall *w)
{
	ethertype(w, ETH_P_IPV6);
	nftb_meta(&w->b, NFT_META_L4PROTO, 0);
	nftb_u8(&w->b, 0, NFT_CMP_EQ, IPPROTO_ICMPV6);
	nftb_payload(&w->b, TH, 0, 1, 0);
	nftb_u8(&w->b, 0, NFT_CMP_GTE, 130);
	counted_drop(w, "discovery without an address");
}

static void to_family(struct wall *w, const struct family *f, bool sent)
{
	family_enter(w, f);
	ethertype(w, f->ethertype);
	go(w, NFT_GOTO, sent ? "i" : "e");
	nftb_end(&w->b, f->v == 4 ? "IPv4" : "IPv6");
}

static void hook(struct wall *w, bool sent)
{
	char arp[VW_NAME_LEN];

	snprintf(arp, sizeof(arp), "arp_%u", w->w->ifindex);
	hook_chain(w, sent);
	if (sent && w->w->has_mac && w->n4)
		forged_mac(w, &family4);
	if (sent && w->w->has_mac && w->n6)
		forged_mac(w, &family6);
	if (w->n4)
		to_family(w, &family4, sent);
	if (w->n6)
		to_family(w, &family6, sent);
	ethertype(w, ETH_P_ARP);
	nftb_verdict(&w->b, sent ? NFT_GOTO : NF_ACCEPT, sent ? arp : NULL);
	nftb_end(&w->b, "arp");
	if (!w->n6)
		quiet_noise(w);
	foreign_rule(w, sent);
	counted_drop(w, "anything else");
}

/* A veth that nobody is known to own: addresses may be resolved, nothing passes. */
static void hold(struct wall *w, bool sent)
{
	hook_chain(w, sent);
	ethertype(w, ETH_P_ARP);
	pass(w, "arp");
	for (uint8_t type = 133; type <= 136; type++) {
		if (sent && type == 134)
			continue;
		ethertype(w, ETH_P_IPV6);
		icmp6(w, type, true);
		pass(w, "neighbour discovery");
	}
	counted_drop(w, "held");
}

int vw_render_wall(const struct vw_compiled *c, const struct vw_wall *wall, struct vw_ruleset *ret)
{
	struct wall w = {.b.out = ret, .w = wall, .cfg = &c->config, .f = &family4};

	for (size_t i = 0; i < wall->n_ips; i++)
		wall->ips[i].family == 4 ? w.n4++ : w.n6++;
	if (wall->kind == VW_WALL_HOLD || !wall->n_ips) {
		hold(&w, true);
		hold(&w, false);
		return w.b.err;
	}
	if (w.n4)
		family(&w, &family4);
	if (w.n6)
		family(&w, &family6);
	arp_chain(&w);
	hook(&w, true);
	hook(&w, false);
	return w.b.err;
}
