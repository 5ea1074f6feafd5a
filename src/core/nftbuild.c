/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rule builder: see nftbuild.h. One function an expression, no decisions. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>

#include "core/nftbuild.h"

#define CHAINS_MAX (1u << 20)
#define SETS_MAX (1u << 20)
#define RULES_MAX 4096 /* per chain; ours have a dozen */

struct vw_chain *nftb_chain(struct nftb *b, const char *name)
{
	struct vw_chain c = {0};

	snprintf(c.name, sizeof(c.name), "%s", name);
	if (!b->err)
		b->err = vw_vec_push(&b->out->chains, c, CHAINS_MAX);
	if (b->err)
		return NULL;
	b->chain = b->out->chains.n - 1;
	return &b->out->chains.v[b->chain];
}

struct vw_set *nftb_set(struct nftb *b, const char *name, uint32_t flags, const uint8_t *fields)
{
	struct vw_set s = {.flags = flags};

	snprintf(s.name, sizeof(s.name), "%s", name);
	memcpy(s.fields, fields, strnlen((const char *)fields, VW_FIELDS_MAX));
	if (!b->err)
		b->err = vw_vec_push(&b->out->sets, s, SETS_MAX);
	return b->err ? NULL : &b->out->sets.v[b->out->sets.n - 1];
}

void nftb_end(struct nftb *b, const char *what)
{
	struct vw_nftrule r = b->rule;

	memset(&b->rule, 0, sizeof(b->rule));
	r.what = what;
	r.id = vw_nftrule_hash(&r);
	if (!b->err)
		b->err = vw_vec_push(&b->out->chains.v[b->chain].rules, r, RULES_MAX);
	if (b->err)
		vw_vec_done(&r.exprs);
}

static void push(struct nftb *b, const struct vw_expr *e)
{
	if (!b->err)
		b->err = vw_vec_push(&b->rule.exprs, *e, VW_EXPRS_MAX);
}

void nftb_payload(struct nftb *b, uint8_t base, uint16_t off, uint8_t len, uint8_t reg)
{
	push(b, &(struct vw_expr){
			.type = VW_E_PAYLOAD, .base = base, .offset = off, .len = len, .reg = reg});
}

void nftb_meta(struct nftb *b, uint8_t key, uint8_t reg)
{
	push(b, &(struct vw_expr){.type = VW_E_META, .base = key, .reg = reg});
}

void nftb_exthdr(struct nftb *b, uint8_t type, uint16_t off, uint8_t len, bool present, uint8_t reg)
{
	push(b, &(struct vw_expr){.type = VW_E_EXTHDR,
				  .base = type,
				  .offset = off,
				  .len = len,
				  .op = present,
				  .reg = reg});
}

static void push_data(struct nftb *b, struct vw_expr *e, const void *data, uint8_t len)
{
	memcpy(e->data, data, len);
	e->len = len;
	push(b, e);
}

void nftb_imm(struct nftb *b, uint8_t reg, const void *data, uint8_t len)
{
	push_data(b, &(struct vw_expr){.type = VW_E_IMM, .reg = reg}, data, len);
}

void nftb_cmp(struct nftb *b, uint8_t reg, uint8_t op, const void *data, uint8_t len)
{
	push_data(b, &(struct vw_expr){.type = VW_E_CMP, .reg = reg, .op = op}, data, len);
}

void nftb_and(struct nftb *b, uint8_t reg, const void *mask, uint8_t len)
{
	push_data(b, &(struct vw_expr){.type = VW_E_BITWISE, .reg = reg, .dreg = reg}, mask, len);
}

void nftb_constant(struct nftb *b, uint8_t reg, const void *data, uint8_t len)
{
	struct vw_expr e = {.type = VW_E_BITWISE, .reg = reg, .dreg = reg, .len = len};

	memcpy(e.data + len, data, len);
	push(b, &e);
}

void nftb_network_order(struct nftb *b, uint8_t reg)
{
	push(b, &(struct vw_expr){.type = VW_E_BYTEORDER, .reg = reg, .dreg = reg, .len = 4});
}

static void push_named(struct nftb *b, struct vw_expr *e, const char *name)
{
	if (name)
		snprintf(e->name, sizeof(e->name), "%s", name);
	push(b, e);
}

void nftb_lookup(struct nftb *b, const char *set, uint8_t reg, bool invert)
{
	push_named(b, &(struct vw_expr){.type = VW_E_LOOKUP, .reg = reg, .op = invert}, set);
}

void nftb_lookup_map(struct nftb *b, const char *map, uint8_t reg, uint8_t dreg)
{
	struct vw_expr e = {.type = VW_E_LOOKUP, .reg = reg, .dreg = dreg, .len = 4};

	push_named(b, &e, map);
}

void nftb_dynset(struct nftb *b, const char *set, uint8_t op, uint8_t reg, uint32_t timeout_ms)
{
	struct vw_expr e = {.type = VW_E_DYNSET, .reg = reg, .op = op, .num = timeout_ms};

	push_named(b, &e, set);
}

void nftb_dynset_counted(struct nftb *b, const char *set, uint8_t op, uint8_t reg,
			 uint32_t timeout_ms)
{
	struct vw_expr e = {
		.type = VW_E_DYNSET, .reg = reg, .op = op, .num = timeout_ms, .num2 = 1};

	push_named(b, &e, set);
}

void nftb_verdict(struct nftb *b, int32_t verdict, const char *chain)
{
	push_named(b, &(struct vw_expr){.type = VW_E_VERDICT, .verdict = verdict}, chain);
}

void nftb_counter(struct nftb *b)
{
	push(b, &(struct vw_expr){.type = VW_E_COUNTER});
}

void nftb_limit(struct nftb *b, uint32_t rate, uint32_t burst)
{
	push(b, &(struct vw_expr){.type = VW_E_LIMIT, .num = rate, .num2 = burst});
}

void nftb_log(struct nftb *b, uint16_t group, uint16_t snaplen)
{
	push(b, &(struct vw_expr){.type = VW_E_LOG, .offset = group, .num = snaplen});
}

void nftb_reject(struct nftb *b, uint8_t type, uint8_t code)
{
	push(b, &(struct vw_expr){.type = VW_E_REJECT, .base = type, .op = code});
}

void nftb_mark_set(struct nftb *b, uint32_t value)
{
	nftb_imm(b, 0, &value, 4);
	nftb_mark_from(b, 0);
}

void nftb_mark_from(struct nftb *b, uint8_t reg)
{
	push(b, &(struct vw_expr){.type = VW_E_META_SET, .base = NFT_META_MARK, .reg = reg});
}

void nftb_mark_has(struct nftb *b, uint32_t mask)
{
	uint32_t zero = 0;

	nftb_meta(b, NFT_META_MARK, 0);
	nftb_and(b, 0, &mask, 4);
	nftb_cmp(b, 0, NFT_CMP_NEQ, &zero, 4);
}

void nftb_u8(struct nftb *b, uint8_t reg, uint8_t op, uint8_t v)
{
	nftb_cmp(b, reg, op, &v, 1);
}

void nftb_u16(struct nftb *b, uint8_t reg, uint8_t op, uint16_t v)
{
	uint16_t be = htons(v);

	nftb_cmp(b, reg, op, &be, 2);
}
