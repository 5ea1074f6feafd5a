/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expressions -> netlink attributes, one function each, with nft's words above it. Values are
 * written straight into the message: no allocation. Attribute numbers: linux/netfilter/nf_tables.h.
 */
#include "codec/nft_expr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "vethwall/cleanup.h"

static void put_be32(struct nlmsghdr *nlh, uint16_t type, uint32_t v)
{
	mnl_attr_put_u32(nlh, type, htonl(v));
}

static void put_reg(struct nlmsghdr *nlh, uint16_t type, uint8_t reg)
{
	put_be32(nlh, type, NFT_REG32_00 + reg);
}

static void put_value(struct nlmsghdr *nlh, uint16_t type, const void *v, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, v);
	mnl_attr_nest_end(nlh, nest);
}

/* ip saddr; @nh,96,32 */
static void put_payload(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	put_reg(nlh, NFTA_PAYLOAD_DREG, e->reg);
	put_be32(nlh, NFTA_PAYLOAD_BASE, e->base);
	put_be32(nlh, NFTA_PAYLOAD_OFFSET, e->offset);
	put_be32(nlh, NFTA_PAYLOAD_LEN, e->len);
}

/* meta l4proto */
static void put_meta(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	put_be32(nlh, NFTA_META_KEY, e->base);
	put_reg(nlh, NFTA_META_DREG, e->reg);
}

/* meta mark set ... */
static void put_meta_set(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	put_be32(nlh, NFTA_META_KEY, e->base);
	put_reg(nlh, NFTA_META_SREG, e->reg);
}

/* exthdr frag exists; frag frag-off */
static void put_exthdr(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	put_reg(nlh, NFTA_EXTHDR_DREG, e->reg);
	mnl_attr_put_u8(nlh, NFTA_EXTHDR_TYPE, e->base);
	put_be32(nlh, NFTA_EXTHDR_OFFSET, e->offset);
	put_be32(nlh, NFTA_EXTHDR_LEN, e->len);
	put_be32(nlh, NFTA_EXTHDR_OP, NFT_EXTHDR_OP_IPV6);
	put_be32(nlh, NFTA_EXTHDR_FLAGS, e->op);
}

/* the 0x7 of: meta mark set 0x7 */
static void put_imm(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	put_reg(nlh, NFTA_IMMEDIATE_DREG, e->reg);
	put_value(nlh, NFTA_IMMEDIATE_DATA, e->data, e->len);
}

/* accept; drop; return; jump live_7; goto live_7 */
static void put_verdict(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	struct nlattr *data, *verdict;

	put_be32(nlh, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = mnl_attr_nest_start(nlh, NFTA_IMMEDIATE_DATA);
	verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);
	put_be32(nlh, NFTA_VERDICT_CODE, e->verdict);
	if (e->verdict == NFT_JUMP || e->verdict == NFT_GOTO)
		mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, e->name);
	mnl_attr_nest_end(nlh, verdict);
	mnl_attr_nest_end(nlh, data);
}

/* == 6; != 6; < 6 */
static void put_cmp(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	put_reg(nlh, NFTA_CMP_SREG, e->reg);
	put_be32(nlh, NFTA_CMP_OP, e->op);
	put_value(nlh, NFTA_CMP_DATA, e->data, e->len);
}

/* & 0x1fff ^ 0x0 */
static void put_bitwise(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	put_reg(nlh, NFTA_BITWISE_SREG, e->reg);
	put_reg(nlh, NFTA_BITWISE_DREG, e->dreg);
	put_be32(nlh, NFTA_BITWISE_LEN, e->len);
	put_value(nlh, NFTA_BITWISE_MASK, e->data, e->len);
	put_value(nlh, NFTA_BITWISE_XOR, e->data + e->len, e->len);
}

/* what nft does to meta mark in: meta mark . tcp dport @ranges */
static void put_byteorder(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	put_reg(nlh, NFTA_BYTEORDER_SREG, e->reg);
	put_reg(nlh, NFTA_BYTEORDER_DREG, e->dreg);
	put_be32(nlh, NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	put_be32(nlh, NFTA_BYTEORDER_LEN, e->len);
	put_be32(nlh, NFTA_BYTEORDER_SIZE, sizeof(uint32_t));
}

/* @set; != @set; map @map */
static void put_lookup(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	mnl_attr_put_strz(nlh, NFTA_LOOKUP_SET, e->name);
	put_reg(nlh, NFTA_LOOKUP_SREG, e->reg);
	if (e->len)
		put_reg(nlh, NFTA_LOOKUP_DREG, e->dreg);
	if (e->op)
		put_be32(nlh, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

static void put_named(struct nlmsghdr *nlh, uint16_t attr, const struct vw_expr *e);

/* update @set { ip saddr timeout 30s counter }. Expressions of the set are copied to the element by
 * the kernel (nft_dynset.c: nft_dynset_init) when the rule names none. */
static void put_dynset(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	mnl_attr_put_strz(nlh, NFTA_DYNSET_SET_NAME, e->name);
	put_be32(nlh, NFTA_DYNSET_OP, e->op);
	put_reg(nlh, NFTA_DYNSET_SREG_KEY, e->reg);
	if (e->num)
		mnl_attr_put_u64(nlh, NFTA_DYNSET_TIMEOUT, htobe64(e->num));
	if (e->num2)
		put_named(nlh, NFTA_DYNSET_EXPR, &(struct vw_expr){.type = VW_E_COUNTER});
}

/* counter */
static void put_counter(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	(void)e;
	mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, 0);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, 0);
}

/* limit rate 1/second burst 1 packets */
static void put_limit(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	mnl_attr_put_u64(nlh, NFTA_LIMIT_RATE, htobe64(e->num));
	mnl_attr_put_u64(nlh, NFTA_LIMIT_UNIT, htobe64(1)); /* seconds */
	put_be32(nlh, NFTA_LIMIT_BURST, e->num2);
	put_be32(nlh, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
	put_be32(nlh, NFTA_LIMIT_FLAGS, 0);
}

/* log group 5 snaplen 128 */
static void put_log(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	mnl_attr_put_u16(nlh, NFTA_LOG_GROUP, htons(e->offset));
	if (e->num)
		put_be32(nlh, NFTA_LOG_SNAPLEN, e->num);
}

/* reject with icmpx type admin-prohibited; reject with tcp reset */
static void put_reject(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	put_be32(nlh, NFTA_REJECT_TYPE, e->base);
	mnl_attr_put_u8(nlh, NFTA_REJECT_ICMP_CODE, e->op);
}

static const struct {
	const char *name;
	void (*put)(struct nlmsghdr *nlh, const struct vw_expr *e);
	uint8_t len_max; /* of len, where data[] holds that many bytes */
} encoders[] = {
	[VW_E_PAYLOAD] = {"payload", put_payload, 64},
	[VW_E_META] = {"meta", put_meta},
	[VW_E_META_SET] = {"meta", put_meta_set},
	[VW_E_EXTHDR] = {"exthdr", put_exthdr, 64},
	[VW_E_IMM] = {"immediate", put_imm, 16},
	[VW_E_VERDICT] = {"immediate", put_verdict},
	[VW_E_CMP] = {"cmp", put_cmp, 16},
	[VW_E_BITWISE] = {"bitwise", put_bitwise, 16},
	[VW_E_BYTEORDER] = {"byteorder", put_byteorder, 4},
	[VW_E_LOOKUP] = {"lookup", put_lookup, 4},
	[VW_E_DYNSET] = {"dynset", put_dynset},
	[VW_E_COUNTER] = {"counter", put_counter},
	[VW_E_LIMIT] = {"limit", put_limit},
	[VW_E_LOG] = {"log", put_log},
	[VW_E_REJECT] = {"reject", put_reject},
};
_Static_assert(VW_ARRAY_SIZE(encoders) == _VW_E_MAX, "every expression has an encoder");

static void put_named(struct nlmsghdr *nlh, uint16_t attr, const struct vw_expr *e)
{
	struct nlattr *elem = mnl_attr_nest_start(nlh, attr), *data;

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, encoders[e->type].name);
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	encoders[e->type].put(nlh, e);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, elem);
}

int vw_nft_put_expr(struct nlmsghdr *nlh, const struct vw_expr *e)
{
	if (e->type >= _VW_E_MAX ||
	    (encoders[e->type].len_max && e->len > encoders[e->type].len_max))
		return -EINVAL;
	put_named(nlh, NFTA_LIST_ELEM, e);
	return 0;
}

/* counter limit rate 1/second burst 1 packets; one alone goes by NFTA_SET_EXPR (since 4.10), a list
 * needs NFTA_SET_EXPRESSIONS (5.11). */
void vw_nft_put_set_exprs(struct nlmsghdr *nlh, bool counter, bool limit)
{
	const struct vw_expr c = {.type = VW_E_COUNTER};
	const struct vw_expr l = {.type = VW_E_LIMIT, .num = 1, .num2 = 1};
	struct nlattr *nest;

	if (counter && limit) {
		nest = mnl_attr_nest_start(nlh, NFTA_SET_EXPRESSIONS);
		put_named(nlh, NFTA_LIST_ELEM, &c);
		put_named(nlh, NFTA_LIST_ELEM, &l);
		mnl_attr_nest_end(nlh, nest);
	} else if (counter || limit) {
		put_named(nlh, NFTA_SET_EXPR, counter ? &c : &l);
	}
}
