/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations -> messages. Tables, chains and sets are built by libnftnl; what there are tens of
 * thousands of (expressions, elements) is written with libmnl straight into the batch, since
 * libnftnl wants an object and several allocations for each. Attribute numbers:
 * linux/netfilter/nf_tables.h. */
#include "codec/nft_encode.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "codec/nft_expr.h"
#include "vethwall/cleanup.h"

/* A page takes messages until it is full, then the one that went over moves to the next. The
 * largest message is one of elements: a nest of at most 64 KiB. */
#define PAGE_SIZE (256u << 10)
#define PAGE_OVERRUN (96u << 10)
#define ELEMS_BYTES_MAX 60000u /* of the nest; its length is an u16 */

struct batch {
	struct nftnl_batch *pages;
	uint32_t seq, table_flags;
	uint8_t family; /* of the operation */
	uint16_t extra; /* NLM_F_ACK on the last operation */
};

_Static_assert(PAGE_OVERRUN > ELEMS_BYTES_MAX + VW_RULE_BYTES_MAX, "a message fits the overrun");

/* nft's datatype ids (nftables, include/datatype.h: enum datatypes). */
static const uint8_t datatype[_VW_F_MAX] = {
	[VW_F_MARK] = 19, [VW_F_IP4] = 7,      [VW_F_IP6] = 8,	   [VW_F_PROTO] = 12,
	[VW_F_PORT] = 13, [VW_F_IFINDEX] = 20, [VW_F_IFNAME] = 41,
};
#define TYPE_BITS 6
#define TYPE_FIELDS_MAX (32 / TYPE_BITS)
#define TYPE_NFPROTO 2

static unsigned n_fields(const uint8_t *fields)
{
	unsigned n = 0;

	while (n < VW_FIELDS_MAX && fields[n])
		n++;
	return n;
}

size_t vw_nft_wire_klen(const struct vw_set *s)
{
	return n_fields(s->fields) == 1 ? vw_ftype_len(s->fields[0]) : vw_set_klen(s);
}

uint32_t vw_nft_key_type(const uint8_t fields[static VW_FIELDS_MAX])
{
	unsigned n = n_fields(fields), first = 0;
	uint32_t type = 0;

	/* Of a sixth field the id has two bits: nft shows such a field's first byte, as an
	 * nf_proto, and the others as they are, where any other id would make the whole key one
	 * large number. */
	if (n > TYPE_FIELDS_MAX) {
		type = TYPE_NFPROTO;
		first = n - TYPE_FIELDS_MAX;
	}
	for (unsigned i = first; i < n; i++)
		type = type << TYPE_BITS | datatype[fields[i] < _VW_F_MAX ? fields[i] : 0];
	return type;
}

static struct nlmsghdr *put_header(struct batch *b, uint16_t msg, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(nftnl_batch_buffer(b->pages), msg, b->family,
				     NLM_F_REQUEST | flags | b->extra, b->seq);
}

static int message_done(struct batch *b)
{
	return nftnl_batch_update(b->pages) < 0 ? -ENOMEM : 0;
}

/* add table netdev vethwall { flags owner, persist; } */
static int put_table(struct batch *b, const struct vw_op_ir *op)
{
	bool add = op->type == VW_OP_ADD_TABLE;
	struct nlmsghdr *nlh =
		put_header(b, add ? NFT_MSG_NEWTABLE : NFT_MSG_DELTABLE, add ? NLM_F_CREATE : 0);
	struct nftnl_table *t = nftnl_table_alloc();
	int r = -ENOMEM;

	if (t && !nftnl_table_set_str(t, NFTNL_TABLE_NAME, VW_TABLE)) {
		if (add)
			nftnl_table_set_u32(t, NFTNL_TABLE_FLAGS, b->table_flags);
		nftnl_table_nlmsg_build_payload(nlh, t);
		r = message_done(b);
	}
	if (t) /* libnftnl takes no NULL */
		nftnl_table_free(t);
	return r;
}

static int fill_base_chain(struct nftnl_chain *t, const struct vw_chain *c)
{
	uint8_t udata[2 + sizeof(c->ifindex)] = {VW_UDATA_IFINDEX, sizeof(c->ifindex)};

	memcpy(udata + 2, &c->ifindex, sizeof(c->ifindex));
	nftnl_chain_set_u32(t, NFTNL_CHAIN_HOOKNUM, c->hook);
	nftnl_chain_set_u32(t, NFTNL_CHAIN_PRIO, c->priority);
	nftnl_chain_set_u32(t, NFTNL_CHAIN_POLICY, c->policy);
	if (nftnl_chain_set_str(t, NFTNL_CHAIN_TYPE, "filter") ||
	    (*c->dev && nftnl_chain_set_str(t, NFTNL_CHAIN_DEV, c->dev)) ||
	    nftnl_chain_set_data(t, NFTNL_CHAIN_USERDATA, udata, sizeof(udata)))
		return -ENOMEM;
	return 0;
}

/* add chain netdev vethwall in_7 { type filter hook ingress device "veth1" priority 0; policy drop;
 * } */
static int put_chain(struct batch *b, const struct vw_op_ir *op)
{
	bool add = op->type == VW_OP_ADD_CHAIN;
	struct nlmsghdr *nlh = put_header(b, add ? NFT_MSG_NEWCHAIN : NFT_MSG_DELCHAIN,
					  add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct nftnl_chain *t = nftnl_chain_alloc();
	int r = -ENOMEM;

	if (t && !nftnl_chain_set_str(t, NFTNL_CHAIN_TABLE, VW_TABLE) &&
	    !nftnl_chain_set_str(t, NFTNL_CHAIN_NAME, op->chain->name) &&
	    !(add && op->chain->base && fill_base_chain(t, op->chain))) {
		nftnl_chain_nlmsg_build_payload(nlh, t);
		r = message_done(b);
	}
	if (t)
		nftnl_chain_free(t);
	return r;
}

/* Set flags of ours -> the kernel's. */
static uint32_t set_flags(const struct vw_set *s)
{
	unsigned exprs = !!(s->flags & VW_SET_COUNTER) + !!(s->flags & VW_SET_LIMIT);
	uint32_t f = 0;

	if (s->flags & VW_SET_MAP)
		f |= NFT_SET_MAP;
	if (s->flags & VW_SET_INTERVAL)
		f |= NFT_SET_INTERVAL | (n_fields(s->fields) > 1 ? NFT_SET_CONCAT : 0);
	if (s->flags & VW_SET_DYNAMIC)
		f |= NFT_SET_EVAL;
	if (s->flags & VW_SET_TIMEOUT)
		f |= NFT_SET_TIMEOUT;
	if (exprs > 1)
		f |= NFT_SET_EXPR;
	return f;
}

/* typeof hints as nft leaves them (byte orders: 1 host, 2 network), then our own spec. */
static int fill_set_udata(struct nftnl_set *t, const struct vw_set *s)
{
	enum { KEYBYTEORDER, DATABYTEORDER };
	bool host = n_fields(s->fields) == 1 &&
		    (s->fields[0] == VW_F_MARK || s->fields[0] == VW_F_IFINDEX);
	struct vw_udata_set spec = {s->flags, s->size, s->timeout_ms};
	uint32_t order[] = {host ? 1 : 2, 1};
	uint8_t u[64], *p = u;

	memcpy(spec.fields, s->fields, sizeof(spec.fields));
	for (size_t i = KEYBYTEORDER; i <= (s->flags & VW_SET_MAP ? DATABYTEORDER : 0u); i++) {
		*p++ = i;
		*p++ = sizeof(order[i]);
		p = mempcpy(p, &order[i], sizeof(order[i]));
	}
	*p++ = VW_UDATA_SET_SPEC;
	*p++ = sizeof(spec);
	p = mempcpy(p, &spec, sizeof(spec));
	return nftnl_set_set_data(t, NFTNL_SET_USERDATA, u, p - u) ? -ENOMEM : 0;
}

static int fill_set(struct nftnl_set *t, const struct vw_set *s)
{
	uint8_t lens[VW_FIELDS_MAX];
	unsigned n = n_fields(s->fields);

	for (unsigned i = 0; i < n; i++)
		lens[i] = vw_ftype_len(s->fields[i]);
	nftnl_set_set_u32(t, NFTNL_SET_FLAGS, set_flags(s));
	nftnl_set_set_u32(t, NFTNL_SET_KEY_TYPE, vw_nft_key_type(s->fields));
	nftnl_set_set_u32(t, NFTNL_SET_KEY_LEN, vw_nft_wire_klen(s));
	/* The kernel links a set to rules of its batch by id; we do by name, but it wants one. */
	nftnl_set_set_u32(t, NFTNL_SET_ID, 1);
	if (s->flags & VW_SET_MAP) {
		nftnl_set_set_u32(t, NFTNL_SET_DATA_TYPE, datatype[VW_F_MARK]);
		nftnl_set_set_u32(t, NFTNL_SET_DATA_LEN, sizeof(uint32_t));
	}
	if (s->size)
		nftnl_set_set_u32(t, NFTNL_SET_DESC_SIZE, s->size);
	if (s->timeout_ms)
		nftnl_set_set_u64(t, NFTNL_SET_TIMEOUT, s->timeout_ms);
	if (s->flags & VW_SET_INTERVAL && n > 1 &&
	    nftnl_set_set_data(t, NFTNL_SET_DESC_CONCAT, lens, n))
		return -ENOMEM;
	return fill_set_udata(t, s);
}

/* add set netdev vethwall d4_7 { typeof ...; flags dynamic,timeout; size 4096; timeout 1h;
 *                                counter limit rate 1/second burst 1 packets; } */
static int put_set(struct batch *b, const struct vw_op_ir *op)
{
	bool add = op->type == VW_OP_ADD_SET;
	struct nlmsghdr *nlh = put_header(b, add ? NFT_MSG_NEWSET : NFT_MSG_DELSET,
					  add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct nftnl_set *t = nftnl_set_alloc();
	int r = -ENOMEM;

	if (t && !nftnl_set_set_str(t, NFTNL_SET_TABLE, VW_TABLE) &&
	    !nftnl_set_set_str(t, NFTNL_SET_NAME, op->set->name) &&
	    !(add && fill_set(t, op->set))) {
		nftnl_set_nlmsg_build_payload(nlh, t);
		if (add)
			vw_nft_put_set_exprs(nlh, op->set->flags & VW_SET_COUNTER,
					     op->set->flags & VW_SET_LIMIT);
		r = message_done(b);
	}
	if (t)
		nftnl_set_free(t);
	return r;
}

static void put_data(struct nlmsghdr *nlh, uint16_t type, const void *v, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, v);
	mnl_attr_nest_end(nlh, nest);
}

/* 192.0.2.1 . tcp . 80-90 : 0x7 */
static void put_elem(struct nlmsghdr *nlh, const uint8_t *key, const uint8_t *end, size_t klen,
		     uint32_t flags, const uint32_t *data)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	if (flags)
		mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(flags));
	put_data(nlh, NFTA_SET_ELEM_KEY, key, klen);
	if (end)
		put_data(nlh, NFTA_SET_ELEM_KEY_END, end, klen);
	if (data)
		put_data(nlh, NFTA_SET_ELEM_DATA, data, sizeof(*data));
	mnl_attr_nest_end(nlh, nest);
}

/* The first key after a range, as rbtree sets want it; false after the very last. */
static bool key_after(const uint8_t *key, size_t klen, uint8_t *ret)
{
	memcpy(ret, key, klen);
	for (size_t i = klen; i-- > 0;)
		if (++ret[i])
			return true;
	return false;
}

static void put_set_elem(struct nlmsghdr *nlh, const struct vw_set *s, size_t i)
{
	size_t klen = vw_nft_wire_klen(s);
	bool range = s->flags & VW_SET_INTERVAL, concat = n_fields(s->fields) > 1;
	struct vw_elem e;
	uint8_t after[VW_KEY_MAX];

	vw_elem_get(s, i, &e);
	put_elem(nlh, e.key, range && concat ? e.key_end : NULL, klen, 0,
		 s->flags & VW_SET_MAP ? &e.data : NULL);
	if (range && !concat && key_after(e.key_end, klen, after))
		put_elem(nlh, after, NULL, klen, NFT_SET_ELEM_INTERVAL_END, NULL);
}

/* add element netdev vethwall id4 { 192.0.2.1 : 0x7, ... } */
static int put_elems(struct batch *b, const struct vw_op_ir *op)
{
	bool add = op->type == VW_OP_ADD_ELEMS;
	size_t i = op->first, end = op->first + op->count;

	if (end > op->set->elems.n || end < i)
		return -EINVAL;
	while (i < end) {
		struct nlmsghdr *nlh = put_header(b, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
						  add ? NLM_F_CREATE : 0);
		struct nlattr *nest;
		int r;

		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, VW_TABLE);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, op->set->name);
		nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
		while (i < end && nlh->nlmsg_len < ELEMS_BYTES_MAX)
			put_set_elem(nlh, op->set, i++);
		mnl_attr_nest_end(nlh, nest);
		r = message_done(b);
		if (r)
			return r;
	}
	return 0;
}

/* flush set netdev vethwall a: a deletion that names no element. */
static int put_flush_set(struct batch *b, const struct vw_op_ir *op)
{
	struct nlmsghdr *nlh = put_header(b, NFT_MSG_DELSETELEM, 0);

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, VW_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, op->set->name);
	return message_done(b);
}

/* flush chain netdev vethwall in_7: a deletion that names no rule. */
static int put_flush_chain(struct batch *b, const struct vw_op_ir *op)
{
	struct nlmsghdr *nlh = put_header(b, NFT_MSG_DELRULE, 0);

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, VW_TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, op->chain->name);
	return message_done(b);
}

/* comment "why", then the id by which the rule is known again. */
static void put_rule_udata(struct nlmsghdr *nlh, const struct vw_nftrule *r)
{
	size_t len = r->what ? strnlen(r->what, 127) : 0; /* NFTNL_UDATA_COMMENT_MAXLEN with NUL */
	uint8_t u[256], *p = u;

	if (len) {
		*p++ = VW_UDATA_RULE_COMMENT;
		*p++ = len + 1;
		p = mempcpy(p, r->what, len);
		*p++ = 0;
	}
	*p++ = VW_UDATA_RULE_ID;
	*p++ = sizeof(r->id);
	p = mempcpy(p, &r->id, sizeof(r->id));
	mnl_attr_put(nlh, NFTA_RULE_USERDATA, p - u, u);
}

/* add rule netdev vethwall in_7 ... comment "why" */
static int put_rule(struct batch *b, const struct vw_op_ir *op)
{
	struct nlmsghdr *nlh = put_header(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	struct nlattr *nest;

	if (op->rule->exprs.n > VW_EXPRS_MAX)
		return -EINVAL;
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, VW_TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, op->chain->name);
	nest = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	vw_vec_foreach (e, &op->rule->exprs) {
		int r = vw_nft_put_expr(nlh, e);

		if (r)
			return r;
	}
	mnl_attr_nest_end(nlh, nest);
	put_rule_udata(nlh, op->rule);
	return message_done(b);
}

static int (*const put_op[])(struct batch *b, const struct vw_op_ir *op) = {
	[VW_OP_ADD_TABLE] = put_table,	   [VW_OP_DEL_TABLE] = put_table,
	[VW_OP_ADD_SET] = put_set,	   [VW_OP_DEL_SET] = put_set,
	[VW_OP_FLUSH_SET] = put_flush_set, [VW_OP_ADD_ELEMS] = put_elems,
	[VW_OP_DEL_ELEMS] = put_elems,	   [VW_OP_ADD_CHAIN] = put_chain,
	[VW_OP_DEL_CHAIN] = put_chain,	   [VW_OP_FLUSH_CHAIN] = put_flush_chain,
	[VW_OP_ADD_RULE] = put_rule,
};

static void batch_done(struct batch *b)
{
	if (b->pages)
		nftnl_batch_free(b->pages);
}

static int batch_begin(struct batch *b)
{
	b->pages = nftnl_batch_alloc(PAGE_SIZE, PAGE_OVERRUN);
	if (!b->pages)
		return -ENOMEM;
	nftnl_batch_begin(nftnl_batch_buffer(b->pages), b->seq++);
	return message_done(b);
}

int vw_nft_encode(const struct vw_oplist *ops, uint32_t seq, uint32_t table_flags, bool commit,
		  struct nftnl_batch **ret, size_t *ret_bad)
{
	_cleanup_(batch_done) struct batch b = {.seq = seq, .table_flags = table_flags};
	int r = batch_begin(&b);

	if (r)
		return r;
	vw_vec_foreach (op, &ops->list) {
		size_t i = op - ops->list.v;

		b.extra = i + 1 == ops->list.n ? NLM_F_ACK : 0;
		b.family = vw_op_family(op);
		r = op->type < VW_ARRAY_SIZE(put_op) ? put_op[op->type](&b, op) : -EINVAL;
		if (r) {
			*ret_bad = i;
			return r;
		}
		b.seq++;
	}
	if (commit) {
		nftnl_batch_end(nftnl_batch_buffer(b.pages), b.seq);
		r = message_done(&b);
		if (r)
			return r;
	}
	*ret = TAKE_PTR(b.pages);
	return 0;
}

int vw_nft_encode_del_keys(const char *set, const uint8_t *keys, size_t klen, size_t count,
			   const bool *skip, uint32_t seq, struct nftnl_batch **ret)
{
	_cleanup_(batch_done) struct batch b = {.seq = seq, .family = NFPROTO_NETDEV};
	int r = batch_begin(&b);

	for (size_t i = 0; !r && i < count; i++, b.seq++) {
		struct nlmsghdr *nlh;
		struct nlattr *nest;

		if (skip[i])
			continue;
		nlh = put_header(&b, NFT_MSG_DELSETELEM, 0);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, VW_TABLE);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
		nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
		put_elem(nlh, keys + i * klen, NULL, klen, 0, NULL);
		mnl_attr_nest_end(nlh, nest);
		r = message_done(&b);
	}
	if (r)
		return r;
	nftnl_batch_end(nftnl_batch_buffer(b.pages), b.seq);
	r = message_done(&b);
	if (r)
		return r;
	*ret = TAKE_PTR(b.pages);
	return 0;
}

struct nlmsghdr *vw_nft_encode_get(void *buf, uint8_t family, uint16_t msg, const char *name,
				   bool dump, uint32_t seq)
{
	struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(buf, msg, family,
						     NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0), seq);

	/* NFTA_*_TABLE is 1 and the object's name 2 in requests for rules, sets and elements alike.
	 */
	if (msg != NFT_MSG_GETGEN)
		mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, VW_TABLE);
	if (name)
		mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, name);
	return nlh;
}

_Static_assert((int)NFTA_TABLE_NAME == (int)NFTA_RULE_TABLE &&
		       (int)NFTA_CHAIN_TABLE == (int)NFTA_RULE_TABLE &&
		       (int)NFTA_SET_TABLE == (int)NFTA_RULE_TABLE &&
		       (int)NFTA_SET_ELEM_LIST_TABLE == (int)NFTA_RULE_TABLE &&
		       (int)NFTA_SET_ELEM_LIST_SET == (int)NFTA_RULE_CHAIN,
	       "requests share their attribute numbers");
