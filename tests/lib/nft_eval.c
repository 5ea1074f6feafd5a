/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interpreter of nft_eval.h. A load that the packet does not bear ends the rule, as NFT_BREAK
 * does. */
#include "nft_eval.h"

#include <netinet/in.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#define REGS 16
#define STACK 16 /* NFT_JUMP_STACK_SIZE */
#define CONTINUE 1000
#define BREAK 1001

struct packet {
	const uint8_t *data;
	size_t len, nh, th;
	uint16_t protocol;
	bool l4; /* the transport protocol is known */
	uint8_t proto;
	uint16_t fragoff;
};

struct run {
	struct nft_eval *e;
	struct packet p;
	uint32_t reg[REGS];
	unsigned depth;
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* nft_set_pktinfo_ipv4_validate */
static void parse4(struct packet *p)
{
	const uint8_t *h = p->data + p->nh;
	size_t room = p->len - p->nh, ihl;

	if (room < 20 || h[0] >> 4 != 4 || (h[0] & 15) < 5)
		return;
	ihl = (h[0] & 15) * 4u;
	if (room < be16(h + 2) || be16(h + 2) < ihl)
		return;
	p->l4 = true;
	p->proto = h[9];
	p->th = p->nh + ihl;
	p->fragoff = be16(h + 6) & 0x1fff;
}

static bool is_ext(uint8_t n)
{
	return n == 0 || n == 43 || n == 44 || n == 51 || n == 59 || n == 60;
}

/* ipv6_find_hdr: target < 0 finds the transport header. Offset in the packet, or -1. */
static long find_hdr(const struct packet *p, int target, uint8_t *proto, uint16_t *fragoff)
{
	size_t at = p->nh + 40;
	uint8_t next = p->data[p->nh + 6];

	while (target < 0 || next != target) {
		size_t n;

		if (!is_ext(next) || next == 59) {
			*proto = next;
			return target < 0 ? (long)at : -1;
		}
		if (at + 8 > p->len)
			return -1;
		n = (p->data[at + 1] + 1u) * 8;
		if (next == 44) {
			*fragoff = be16(p->data + at + 2) & 0xfff8;
			if (*fragoff) {
				*proto = p->data[at];
				return target < 0 && (!is_ext(*proto) || *proto == 59) ? (long)at
										       : -1;
			}
			n = 8;
		} else if (next == 51) {
			n = (p->data[at + 1] + 2u) * 4;
		}
		next = p->data[at];
		at += n;
	}
	return (long)at;
}

static void parse6(struct packet *p)
{
	size_t room = p->len - p->nh;
	long at;

	if (room < 40 || p->data[p->nh] >> 4 != 6 || be16(p->data + p->nh + 4) + 40u > room)
		return;
	at = find_hdr(p, -1, &p->proto, &p->fragoff);
	p->l4 = at >= 0;
	p->th = p->l4 ? (size_t)at : 0;
}

static void parse(struct packet *p)
{
	p->protocol = be16(p->data + 12);
	p->nh = 14;
	if (p->protocol == ETH_P_8021Q && p->len >= 18) {
		p->protocol = be16(p->data + 16);
		p->nh = 18;
	}
	if (p->protocol == ETH_P_IP)
		parse4(p);
	if (p->protocol == ETH_P_IPV6)
		parse6(p);
}

/* --- sets --- */

static bool in_range(const struct vw_set *s, const struct vw_elem *e, const uint8_t *key)
{
	for (unsigned i = 0; i < VW_FIELDS_MAX && s->fields[i]; i++) {
		size_t at = vw_set_field_offset(s, i), n = vw_ftype_len(s->fields[i]);

		if (memcmp(key + at, e->key + at, n) < 0 ||
		    memcmp(key + at, e->key_end + at, n) > 0)
			return false;
	}
	return true;
}

static struct nft_elem *dynamic(struct nft_eval *e, const struct vw_set *s, const uint8_t *key)
{
	vw_vec_foreach (d, &e->elems)
		if (!strcmp(d->set, s->name) && !memcmp(d->key, key, vw_set_klen(s)))
			return d;
	return NULL;
}

static bool find(struct run *r, const struct vw_set *s, const uint8_t *key, uint32_t *data)
{
	struct vw_elem e;

	if (s->flags & VW_SET_DYNAMIC)
		return dynamic(r->e, s, key);
	for (size_t i = 0; i < s->elems.n; i++) {
		vw_elem_get(s, i, &e);
		if (s->flags & VW_SET_INTERVAL ? !in_range(s, &e, key)
					       : memcmp(e.key, key, vw_set_klen(s)))
			continue;
		*data = e.data;
		return true;
	}
	return false;
}

static int lookup(struct run *r, const struct vw_expr *x)
{
	const struct vw_set *s = vw_ruleset_set(r->e->rules, x->name);
	uint32_t data = 0;
	bool hit = find(r, s, (const uint8_t *)&r->reg[x->reg], &data);

	if (hit == (x->op == 1))
		return BREAK;
	if (x->len)
		r->reg[x->dreg] = data;
	return CONTINUE;
}

static void forget(struct nft_eval *e, struct nft_elem *d)
{
	if (d)
		*d = e->elems.v[--e->elems.n];
}

static struct nft_elem *make(struct nft_eval *e, const struct vw_set *s, const uint8_t *key,
			     uint32_t timeout)
{
	struct nft_elem n = {.timeout_ms = timeout, .tokens = 1};
	uint32_t size = e->size ? e->size : s->size, used = 0;

	vw_vec_foreach (d, &e->elems)
		used += !strcmp(d->set, s->name);
	if (size && used >= size)
		return NULL;
	snprintf(n.set, sizeof(n.set), "%s", s->name);
	memcpy(n.key, key, vw_set_klen(s));
	if (vw_vec_push(&e->elems, n, 1u << 20))
		return NULL;
	return &e->elems.v[e->elems.n - 1];
}

static int dynset(struct run *r, const struct vw_expr *x)
{
	const struct vw_set *s = vw_ruleset_set(r->e->rules, x->name);
	const uint8_t *key = (const uint8_t *)&r->reg[x->reg];
	struct nft_elem *d = dynamic(r->e, s, key);
	uint32_t timeout = x->num ? x->num : s->timeout_ms;
	bool fresh = !d;

	if (x->op == NFT_DYNSET_OP_DELETE) {
		forget(r->e, d);
		return CONTINUE;
	}
	if (!d)
		d = make(r->e, s, key, timeout);
	if (!d)
		return BREAK;
	if (fresh || x->op == NFT_DYNSET_OP_UPDATE)
		d->expires_ms = timeout;
	d->packets++;
	if (!(s->flags & VW_SET_LIMIT))
		return CONTINUE;
	if (!d->tokens)
		return BREAK;
	d->tokens--;
	return CONTINUE;
}

/* --- expressions --- */

static int load(struct run *r, uint8_t reg, size_t at, uint8_t n)
{
	if (at + n > r->p.len)
		return BREAK;
	if (n % 4)
		r->reg[reg + n / 4] = 0;
	memcpy(&r->reg[reg], r->p.data + at, n);
	return CONTINUE;
}

/* nft_payload_select_ops() */
static bool is_fast(const struct vw_expr *x)
{
	return (x->len == 1 || x->len == 2 || x->len == 4) && x->offset % x->len == 0;
}

static int payload(struct run *r, const struct vw_expr *x)
{
	if (x->base == NFT_PAYLOAD_LL_HEADER)
		return load(r, x->reg, x->offset, x->len);
	if (x->base == NFT_PAYLOAD_NETWORK_HEADER)
		return load(r, x->reg, r->p.nh + x->offset, x->len);
	/* nft_payload_fast_eval() does not ask whether this is a later fragment, nft_payload_eval()
	 * does */
	if (!r->p.l4 || (r->p.fragoff && !is_fast(x)))
		return BREAK;
	return load(r, x->reg, r->p.th + x->offset, x->len);
}

static int meta(struct run *r, const struct vw_expr *x)
{
	uint16_t be = htons(r->p.protocol);

	r->reg[x->reg] = 0;
	switch (x->base) {
	case NFT_META_MARK:
		r->reg[x->reg] = r->e->mark;
		return CONTINUE;
	case NFT_META_PROTOCOL:
		memcpy(&r->reg[x->reg], &be, 2);
		return CONTINUE;
	default: /* l4proto */
		memcpy(&r->reg[x->reg], &r->p.proto, 1);
		return r->p.l4 ? CONTINUE : BREAK;
	}
}

static int exthdr(struct run *r, const struct vw_expr *x)
{
	uint16_t fragoff;
	uint8_t proto;
	long at = r->p.protocol == ETH_P_IPV6 && r->p.len >= r->p.nh + 40
			  ? find_hdr(&r->p, x->base, &proto, &fragoff)
			  : -1;

	if (x->op) {
		r->reg[x->reg] = at >= 0;
		return CONTINUE;
	}
	return at < 0 ? BREAK : load(r, x->reg, (size_t)at + x->offset, x->len);
}

static int cmp(const struct run *r, const struct vw_expr *x)
{
	int c = memcmp(&r->reg[x->reg], x->data, x->len);
	const bool hold[] = {
		[NFT_CMP_EQ] = c == 0,
		[NFT_CMP_NEQ] = c != 0,
		[NFT_CMP_LT] = c<0, [NFT_CMP_LTE] = c <= 0, [NFT_CMP_GT] = c> 0,
		[NFT_CMP_GTE] = c >= 0,
	};

	return hold[x->op] ? CONTINUE : BREAK;
}

static int bitwise(struct run *r, const struct vw_expr *x)
{
	uint8_t v[16];

	memcpy(v, &r->reg[x->reg], x->len);
	for (unsigned i = 0; i < x->len; i++)
		v[i] = (uint8_t)((v[i] & x->data[i]) ^ x->data[x->len + i]);
	r->reg[x->dreg + (x->len - 1) / 4] = 0;
	memcpy(&r->reg[x->dreg], v, x->len);
	return CONTINUE;
}

static int immediate(struct run *r, const struct vw_expr *x)
{
	if (x->len % 4)
		r->reg[x->reg + x->len / 4] = 0;
	memcpy(&r->reg[x->reg], x->data, x->len);
	return CONTINUE;
}

static int chain_run(struct run *r, const struct vw_chain *c);

static int verdict(struct run *r, const struct vw_expr *x)
{
	int v;

	if (x->verdict != NFT_JUMP && x->verdict != NFT_GOTO)
		return x->verdict;
	if (++r->depth > STACK)
		return NF_DROP;
	v = chain_run(r, vw_ruleset_chain(r->e->rules, x->name));
	r->depth--;
	if (v != NFT_RETURN)
		return v;
	return x->verdict == NFT_GOTO ? NFT_RETURN : CONTINUE;
}

static int expr_run(struct run *r, const struct vw_expr *x)
{
	struct nft_eval *e = r->e;

	switch (x->type) {
	case VW_E_PAYLOAD:
		return payload(r, x);
	case VW_E_META:
		return meta(r, x);
	case VW_E_META_SET:
		e->mark = r->reg[x->reg];
		return CONTINUE;
	case VW_E_EXTHDR:
		return exthdr(r, x);
	case VW_E_IMM:
		return immediate(r, x);
	case VW_E_VERDICT:
		return verdict(r, x);
	case VW_E_CMP:
		return cmp(r, x);
	case VW_E_BITWISE:
		return bitwise(r, x);
	case VW_E_BYTEORDER:
		r->reg[x->dreg] = htonl(r->reg[x->reg]);
		return CONTINUE;
	case VW_E_LOOKUP:
		return lookup(r, x);
	case VW_E_DYNSET:
		return dynset(r, x);
	case VW_E_LIMIT:
		return e->limit_budget ? e->limit_budget--, CONTINUE : BREAK;
	case VW_E_LOG:
		e->logs++;
		e->log_mark = e->mark;
		return CONTINUE;
	case VW_E_REJECT:
		e->reject_type = x->base;
		e->reject_code = x->op;
		return NFT_REJECTED + 2000;
	default:
		return CONTINUE;
	}
}

/* NFT_RETURN when the chain ends without a verdict. */
static int chain_run(struct run *r, const struct vw_chain *c)
{
	vw_vec_foreach (rule, &c->rules) {
		int v = CONTINUE;

		/* no rule may count on what another loaded */
		memset(r->reg, 0xa5, sizeof(r->reg));
		vw_vec_foreach (x, &rule->exprs) {
			v = expr_run(r, x);
			if (v != CONTINUE)
				break;
		}
		if (v == CONTINUE || v == BREAK)
			continue;
		if (v != NFT_RETURN && !r->e->last_rule)
			r->e->last_rule = rule->what;
		return v;
	}
	return NFT_RETURN;
}

enum nft_result nft_eval_run(struct nft_eval *e, const char *chain, const uint8_t *frame,
			     size_t len, uint32_t mark)
{
	const struct vw_chain *c = vw_ruleset_chain(e->rules, chain);
	struct run r = {.e = e, .p = {.data = frame, .len = len}};
	int v;

	e->mark = mark;
	e->logs = 0;
	e->last_rule = NULL;
	parse(&r.p);
	v = chain_run(&r, c);
	if (v == NFT_RETURN)
		v = c->policy;
	if (v == NFT_REJECTED + 2000)
		return NFT_REJECTED;
	return v == NF_ACCEPT ? NFT_ACCEPTED : NFT_DROPPED;
}

void nft_eval_done(struct nft_eval *e)
{
	vw_vec_done(&e->elems);
}

/* --- what the kernel would refuse to load --- */

static int complain(struct nft_eval *e, const struct vw_chain *c, const char *what,
		    const char *name)
{
	snprintf(e->error, sizeof(e->error), "chain %s: %s %s", c->name, what, name);
	return -EINVAL;
}

static int check_set(struct nft_eval *e, const struct vw_chain *c, const struct vw_expr *x)
{
	const struct vw_set *s = vw_ruleset_set(e->rules, x->name);

	if (!s)
		return complain(e, c, "no set", x->name);
	if (x->reg + (vw_set_klen(s) + 3) / 4 > REGS)
		return complain(e, c, "key over the last register:", x->name);
	if (x->type == VW_E_LOOKUP && !!x->len != !!(s->flags & VW_SET_MAP))
		return complain(e, c, "map or not:", x->name);
	if (x->type == VW_E_DYNSET && !(s->flags & VW_SET_DYNAMIC))
		return complain(e, c, "not dynamic:", x->name);
	return 0;
}

static int check_expr(struct nft_eval *e, const struct vw_chain *c, const struct vw_expr *x)
{
	if (x->type == VW_E_LOOKUP || x->type == VW_E_DYNSET)
		return check_set(e, c, x);
	if (x->type == VW_E_VERDICT && (x->verdict == NFT_JUMP || x->verdict == NFT_GOTO) &&
	    !vw_ruleset_chain(e->rules, x->name))
		return complain(e, c, "no chain", x->name);
	if (x->reg + (x->len + 3) / 4 > REGS)
		return complain(e, c, "load over the last register", "");
	return 0;
}

/* nft_reject_netdev_validate: at ingress only; and no loops (nf_tables_check_loops) */
static int walk(struct nft_eval *e, const struct vw_chain *c, bool egress, unsigned depth)
{
	int r = depth > STACK ? complain(e, c, "too deep", "") : 0;

	vw_vec_foreach (rule, &c->rules)
		vw_vec_foreach (x, &rule->exprs) {
			if (!r && egress && x->type == VW_E_REJECT)
				r = complain(e, c, "reject at egress", "");
			if (!r && x->type == VW_E_VERDICT &&
			    (x->verdict == NFT_JUMP || x->verdict == NFT_GOTO))
				r = walk(e, vw_ruleset_chain(e->rules, x->name), egress, depth + 1);
		}
	return r;
}

int nft_eval_check(struct nft_eval *e)
{
	int r = 0;

	vw_vec_foreach (c, &e->rules->chains)
		vw_vec_foreach (rule, &c->rules)
			vw_vec_foreach (x, &rule->exprs)
				if (!r)
					r = check_expr(e, c, x);
	vw_vec_foreach (c, &e->rules->chains)
		if (!r && c->base)
			r = walk(e, c, c->hook == NF_NETDEV_EGRESS, 0);
	return r;
}
