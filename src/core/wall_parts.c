/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of rules that several chains of a wall use, see wall.h. */
#include <stdio.h>

#include "core/wall.h"

const struct family wall_family4 = {4, 12, 16, 4, IPPROTO_ICMP, 8, ETH_P_IP};
const struct family wall_family6 = {6, 8, 24, 16, IPPROTO_ICMPV6, 128, ETH_P_IPV6};

static void chain_name(const struct wall *w, const char *prefix, char ret[static VW_NAME_LEN])
{
	snprintf(ret, VW_NAME_LEN, "%s%d_%u", prefix, w->f->v, w->w->ifindex);
}

void wall_enter(struct wall *w, const struct family *f)
{
	w->f = f;
	vw_wall_set_name(w->w->ifindex, 'f', f->v, w->live);
	vw_wall_set_name(w->w->ifindex, 'd', f->v, w->denied);
}

void wall_begin(struct wall *w, const char *prefix)
{
	char name[VW_NAME_LEN];

	chain_name(w, prefix, name);
	nftb_chain(&w->b, name);
}

void wall_go(struct wall *w, int32_t verdict, const char *prefix)
{
	char name[VW_NAME_LEN];

	chain_name(w, prefix, name);
	nftb_verdict(&w->b, verdict, name);
}

void wall_l4proto(struct wall *w, uint8_t reg)
{
	/* an IPv4 header has it at a fixed place, and a payload load is the cheapest expression */
	if (w->f->v == 4)
		nftb_payload(&w->b, NH, 9, 1, reg);
	else
		nftb_meta(&w->b, NFT_META_L4PROTO, reg);
}

void wall_l4proto_is(struct wall *w, uint8_t op, uint8_t proto)
{
	wall_l4proto(w, 0);
	nftb_u8(&w->b, 0, op, proto);
}

void wall_has_ports(struct wall *w, bool yes)
{
	wall_l4proto(w, 0);
	nftb_lookup(&w->b, "l4ports", 0, !yes);
}

void wall_icmp_type(struct wall *w, uint8_t type)
{
	nftb_payload(&w->b, TH, 0, 1, 0);
	nftb_u8(&w->b, 0, NFT_CMP_EQ, type);
}

void wall_ethertype(struct wall *w, uint16_t type)
{
	if (w->sent)
		nftb_payload(&w->b, LL, 12, 2, 0);
	else
		nftb_meta(&w->b, NFT_META_PROTOCOL, 0);
	nftb_u16(&w->b, 0, NFT_CMP_EQ, type);
}

/* The fragment field: RFC 791 flags and offset, or RFC 8200 4.5 offset, reserved and M flag. Of
 * four bytes, as the kernel masks only those inline (nft_bitwise_fast_eval). */
static void fragment_bits(struct wall *w, uint16_t mask, uint8_t op, uint16_t value)
{
	uint8_t m[4] = {0, 0, mask >> 8, mask & 0xff};
	uint8_t v[4] = {0, 0, value >> 8, value & 0xff};

	if (w->f->v == 4) {
		nftb_payload(&w->b, NH, 4, 4, 0);
		nftb_and(&w->b, 0, m, 4);
		nftb_cmp(&w->b, 0, op, v, 4);
	} else {
		nftb_exthdr(&w->b, IPPROTO_FRAGMENT, 2, 2, false, 0);
		nftb_and(&w->b, 0, m + 2, 2);
		nftb_u16(&w->b, 0, op, value);
	}
}

void wall_later_fragment(struct wall *w)
{
	fragment_bits(w, w->f->v == 4 ? 0x1fff : 0xfff8, NFT_CMP_NEQ, 0);
}

void wall_first_fragment(struct wall *w)
{
	if (w->f->v == 4)
		fragment_bits(w, 0x3fff, NFT_CMP_EQ, 0x2000);
	else
		fragment_bits(w, 0xfff9, NFT_CMP_EQ, 0x0001);
}

/* The two fields after the protocol, into reg and reg + 1. */
static void key_tail(struct wall *w, enum wall_tail tail, bool reverse, uint8_t reg)
{
	static const uint16_t zero;
	struct nftb *b = &w->b;
	uint16_t at[2] = {0, 2};

	switch (tail) {
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

static void key_addresses(struct wall *w, bool reverse, uint8_t reg)
{
	const struct family *f = w->f;

	nftb_payload(&w->b, NH, reverse ? f->daddr : f->saddr, f->len, reg);
	nftb_payload(&w->b, NH, reverse ? f->saddr : f->daddr, f->len, reg + f->len / 4);
}

static void key(struct wall *w, bool reverse, uint8_t proto, enum wall_tail tail, uint8_t reg)
{
	uint8_t at = reg + 2 * (w->f->len / 4);

	key_addresses(w, reverse, reg);
	if (proto)
		nftb_imm(&w->b, at, &proto, 1);
	else
		wall_l4proto(w, at);
	key_tail(w, tail, reverse, at + 1);
}

void wall_flow_key(struct wall *w, uint8_t proto, enum wall_tail tail)
{
	key(w, !w->sent, proto, tail, 0);
}

/* ip saddr . ip daddr . (ip protocol & 0x0 | <proto>) . th sport . th dport */
void wall_flow_key_to_look(struct wall *w, uint8_t proto, enum wall_tail tail)
{
	uint8_t at = 2 * (w->f->len / 4);

	key_addresses(w, !w->sent, 0);
	wall_l4proto(w, at);
	nftb_constant(&w->b, at, &proto, 1);
	key_tail(w, tail, !w->sent, at + 1);
}

void wall_denied_key(struct wall *w, enum wall_tail tail)
{
	nftb_meta(&w->b, NFT_META_MARK, 0);
	key(w, false, 0, tail, 1);
}

void wall_pass(struct wall *w, const char *what)
{
	nftb_verdict(&w->b, NF_ACCEPT, NULL);
	nftb_end(&w->b, what);
}

void wall_drop(struct wall *w, const char *what)
{
	nftb_verdict(&w->b, NF_DROP, NULL);
	nftb_end(&w->b, what);
}

void wall_counted_drop(struct wall *w, const char *what)
{
	nftb_counter(&w->b);
	wall_drop(w, what);
}

uint32_t wall_code(const struct wall *w, enum vw_reason reason)
{
	return VW_CODE_DENY | (w->sent ? VW_CODE_EGRESS : 0) | reason;
}

void wall_refuse(struct wall *w, enum vw_reason reason, const char *what)
{
	nftb_mark_set(&w->b, wall_code(w, reason));
	nftb_verdict(&w->b, NFT_RETURN, NULL);
	nftb_end(&w->b, what);
}
