/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages -> values. libnftnl's parsers are not used here: they refuse a whole chain whose hook
 * has a device prefix (kernel 6.17), and allocate for each element of sets that are read all day.
 * Attribute numbers: linux/netfilter/nf_tables.h. */
#include "codec/nft_decode.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "codec/nft_encode.h"
#include "vethwall/cleanup.h"

#define ATTRS_MAX 32
struct attrs {
	const struct nlattr *a[ATTRS_MAX];
};

static int attr_cb(const struct nlattr *a, void *arg)
{
	struct attrs *t = arg;

	if (mnl_attr_get_type(a) < ATTRS_MAX)
		t->a[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

static void parse_nest(const struct nlattr *nest, struct attrs *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (nest)
		mnl_attr_parse_nested(nest, attr_cb, ret);
}

static uint8_t family_of(const struct nlmsghdr *nlh)
{
	uint8_t f = ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family;

	return f == NFPROTO_NETDEV ? 0 : f;
}

static bool is_ours(uint8_t family)
{
	return !family || family == NFPROTO_BRIDGE;
}

/* -ENOENT unless it is a message of that type whose attribute 1 names our table. */
static int parse_message(const struct nlmsghdr *nlh, uint16_t msg, struct attrs *ret)
{
	const struct nlattr *a;

	memset(ret, 0, sizeof(*ret));
	if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(struct nfgenmsg)))
		return -EBADMSG;
	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | msg))
		return -ENOENT;
	mnl_attr_parse(nlh, sizeof(struct nfgenmsg), attr_cb, ret);
	if (msg == NFT_MSG_NEWGEN)
		return 0;
	if (!is_ours(family_of(nlh)))
		return -ENOENT;
	a = ret->a[NFTA_RULE_TABLE];
	if (!a || mnl_attr_validate(a, MNL_TYPE_NUL_STRING) < 0)
		return -EBADMSG;
	return strcmp(mnl_attr_get_str(a), VW_TABLE) ? -ENOENT : 0;
}

static uint32_t get_be32(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) >= sizeof(uint32_t) ? ntohl(mnl_attr_get_u32(a))
								    : 0;
}

static uint64_t get_be64(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) >= sizeof(uint64_t) ? be64toh(mnl_attr_get_u64(a))
								    : 0;
}

static int get_name(const struct nlattr *a, char *ret, size_t size)
{
	size_t len;

	if (!a || mnl_attr_validate(a, MNL_TYPE_NUL_STRING) < 0)
		return -EBADMSG;
	len = strlen(mnl_attr_get_str(a));
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(ret, mnl_attr_get_str(a), len + 1);
	return 0;
}

/* Copies the value of one userdata type; false unless it is there with exactly that length. */
static bool get_udata(const struct nlattr *a, uint8_t type, void *ret, size_t len)
{
	const uint8_t *p, *end;

	if (!a)
		return false;
	p = mnl_attr_get_payload(a);
	end = p + mnl_attr_get_payload_len(a);
	while (end - p >= 2 && end - p - 2 >= p[1]) {
		if (p[0] == type && p[1] == len) {
			memcpy(ret, p + 2, len);
			return true;
		}
		p += 2 + p[1];
	}
	return false;
}

int vw_nft_decode_table(const struct nlmsghdr *nlh, struct vw_nft_table *ret)
{
	struct attrs t;
	int r = parse_message(nlh, NFT_MSG_NEWTABLE, &t);

	if (r)
		return r;
	ret->family = family_of(nlh);
	ret->flags = get_be32(t.a[NFTA_TABLE_FLAGS]);
	ret->owner = get_be32(t.a[NFTA_TABLE_OWNER]);
	return 0;
}

int vw_nft_decode_gen(const struct nlmsghdr *nlh, uint32_t *ret)
{
	struct attrs t;
	int r = parse_message(nlh, NFT_MSG_NEWGEN, &t);

	if (r)
		return r;
	if (!t.a[NFTA_GEN_ID])
		return -EBADMSG;
	*ret = get_be32(t.a[NFTA_GEN_ID]);
	return 0;
}

int vw_nft_decode_chain(const struct nlmsghdr *nlh, struct vw_chain *ret)
{
	struct vw_chain c = {0};
	struct attrs t, hook;
	int r = parse_message(nlh, NFT_MSG_NEWCHAIN, &t);

	if (!r)
		r = get_name(t.a[NFTA_CHAIN_NAME], c.name, sizeof(c.name));
	if (r)
		return r;
	c.family = family_of(nlh);
	c.base = t.a[NFTA_CHAIN_HOOK];
	if (c.base) {
		parse_nest(t.a[NFTA_CHAIN_HOOK], &hook);
		c.hook = get_be32(hook.a[NFTA_HOOK_HOOKNUM]);
		c.priority = get_be32(hook.a[NFTA_HOOK_PRIORITY]);
		c.policy = get_be32(t.a[NFTA_CHAIN_POLICY]);
		/* Several devices or a prefix are not our making: no device, so it differs from
		 * ours. */
		get_name(hook.a[NFTA_HOOK_DEV], c.dev, sizeof(c.dev));
		get_udata(t.a[NFTA_CHAIN_USERDATA], VW_UDATA_IFINDEX, &c.ifindex,
			  sizeof(c.ifindex));
	}
	*ret = c;
	return 0;
}

/* Reads the expression if it is a counter: {NFTA_EXPR_NAME, NFTA_EXPR_DATA}. */
static bool get_counter(const struct nlattr *expr, uint64_t *packets, uint64_t *bytes)
{
	struct attrs e, data;

	parse_nest(expr, &e);
	if (!e.a[NFTA_EXPR_NAME] || !e.a[NFTA_EXPR_DATA] ||
	    mnl_attr_validate(e.a[NFTA_EXPR_NAME], MNL_TYPE_NUL_STRING) < 0 ||
	    strcmp(mnl_attr_get_str(e.a[NFTA_EXPR_NAME]), "counter"))
		return false;
	parse_nest(e.a[NFTA_EXPR_DATA], &data);
	*packets = get_be64(data.a[NFTA_COUNTER_PACKETS]);
	*bytes = get_be64(data.a[NFTA_COUNTER_BYTES]);
	return true;
}

/* The first counter of a list of expressions. */
static bool find_counter(const struct nlattr *list, uint64_t *packets, uint64_t *bytes)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested (a, list) {
		if (get_counter(a, packets, bytes))
			return true;
	}
	return false;
}

int vw_nft_decode_rule(const struct nlmsghdr *nlh, struct vw_nft_rule *ret)
{
	struct vw_nft_rule rule = {0};
	struct attrs t;
	int r = parse_message(nlh, NFT_MSG_NEWRULE, &t);

	if (!r)
		r = get_name(t.a[NFTA_RULE_CHAIN], rule.chain, sizeof(rule.chain));
	if (r)
		return r;
	get_udata(t.a[NFTA_RULE_USERDATA], VW_UDATA_RULE_ID, &rule.id, sizeof(rule.id));
	if (t.a[NFTA_RULE_EXPRESSIONS])
		rule.has_counter =
			find_counter(t.a[NFTA_RULE_EXPRESSIONS], &rule.packets, &rule.bytes);
	*ret = rule;
	return 0;
}

/* Our own note on the set, believed only as far as the kernel's view of it agrees. */
static void set_spec(const struct attrs *t, struct vw_set *s)
{
	uint32_t kflags = get_be32(t->a[NFTA_SET_FLAGS]);
	struct vw_udata_set u;
	struct vw_set like;

	if (!get_udata(t->a[NFTA_SET_USERDATA], VW_UDATA_SET_SPEC, &u, sizeof(u)))
		return;
	like = (struct vw_set){.flags = u.flags, .size = u.size, .timeout_ms = u.timeout_ms};
	memcpy(like.fields, u.fields, sizeof(like.fields));
	for (unsigned i = 0; i < VW_FIELDS_MAX; i++)
		if (like.fields[i] >= _VW_F_MAX || (i && like.fields[i] && !like.fields[i - 1]))
			return;
	if (!vw_nft_wire_klen(&like) ||
	    vw_nft_wire_klen(&like) != get_be32(t->a[NFTA_SET_KEY_LEN]) ||
	    !(u.flags & VW_SET_MAP) != !(kflags & NFT_SET_MAP) ||
	    !(u.flags & VW_SET_INTERVAL) != !(kflags & NFT_SET_INTERVAL) ||
	    !(u.flags & VW_SET_DYNAMIC) != !(kflags & NFT_SET_EVAL) ||
	    !(u.flags & VW_SET_TIMEOUT) != !(kflags & NFT_SET_TIMEOUT))
		return;
	s->flags = like.flags;
	s->size = like.size;
	s->timeout_ms = like.timeout_ms;
	memcpy(s->fields, like.fields, sizeof(s->fields));
}

int vw_nft_decode_set(const struct nlmsghdr *nlh, struct vw_set *ret)
{
	struct vw_set s = {0};
	struct attrs t;
	int r = parse_message(nlh, NFT_MSG_NEWSET, &t);

	if (!r)
		r = get_name(t.a[NFTA_SET_NAME], s.name, sizeof(s.name));
	if (r)
		return r;
	s.family = family_of(nlh);
	set_spec(&t, &s);
	*ret = s;
	return 0;
}

/* The bytes of an attribute with one NFTA_DATA_VALUE in it. */
static const uint8_t *get_value(const struct nlattr *nest, size_t *ret_len)
{
	struct attrs d;

	parse_nest(nest, &d);
	if (!d.a[NFTA_DATA_VALUE])
		return NULL;
	*ret_len = mnl_attr_get_payload_len(d.a[NFTA_DATA_VALUE]);
	return mnl_attr_get_payload(d.a[NFTA_DATA_VALUE]);
}

static int decode_elem(const struct nlattr *a, struct vw_nft_elem_raw *ret)
{
	struct vw_nft_elem_raw e = {0};
	struct attrs t;
	size_t len;

	parse_nest(a, &t);
	if (t.a[NFTA_SET_ELEM_KEY])
		e.e.key = get_value(t.a[NFTA_SET_ELEM_KEY], &e.e.klen);
	if (!e.e.key || e.e.klen > VW_KEY_MAX)
		return -EBADMSG;
	if (t.a[NFTA_SET_ELEM_KEY_END]) {
		e.key_end = get_value(t.a[NFTA_SET_ELEM_KEY_END], &len);
		if (!e.key_end || len != e.e.klen)
			return -EBADMSG;
	}
	if (t.a[NFTA_SET_ELEM_DATA]) {
		e.data = get_value(t.a[NFTA_SET_ELEM_DATA], &len);
		if (e.data && len != sizeof(uint32_t))
			e.data = NULL;
	}
	e.interval_end = get_be32(t.a[NFTA_SET_ELEM_FLAGS]) & NFT_SET_ELEM_INTERVAL_END;
	e.e.timeout_ms = get_be64(t.a[NFTA_SET_ELEM_TIMEOUT]);
	e.e.expires_ms = get_be64(t.a[NFTA_SET_ELEM_EXPIRATION]);
	/* An element has one expression alone, or a list. */
	if (t.a[NFTA_SET_ELEM_EXPRESSIONS])
		find_counter(t.a[NFTA_SET_ELEM_EXPRESSIONS], &e.e.packets, &e.e.bytes);
	else if (t.a[NFTA_SET_ELEM_EXPR])
		get_counter(t.a[NFTA_SET_ELEM_EXPR], &e.e.packets, &e.e.bytes);
	*ret = e;
	return 0;
}

int vw_nft_decode_elems(const struct nlmsghdr *nlh,
			int (*cb)(const struct vw_nft_elem_raw *e, void *arg), void *arg)
{
	const struct nlattr *a;
	struct attrs t;
	int r = parse_message(nlh, NFT_MSG_NEWSETELEM, &t);

	if (r || !t.a[NFTA_SET_ELEM_LIST_ELEMENTS])
		return r;
	mnl_attr_for_each_nested (a, t.a[NFTA_SET_ELEM_LIST_ELEMENTS]) {
		struct vw_nft_elem_raw e;

		r = decode_elem(a, &e);
		if (!r)
			r = cb(&e, arg);
		if (r)
			return r;
	}
	return 0;
}

/* By key; where a range ends and the next begins, the end comes first. */
static int edge_cmp(const void *a, const void *b)
{
	const struct vw_nft_edge *x = a, *y = b;
	int r = memcmp(x->key, y->key, sizeof(x->key));

	return r ? r : y->end - x->end;
}

static void key_before(const uint8_t *key, size_t klen, uint8_t *ret)
{
	memcpy(ret, key, klen);
	for (size_t i = klen; i-- > 0;)
		if (ret[i]--)
			return;
}

int vw_nft_fold_edges(struct vw_nft_edges *edges, struct vw_set *ret)
{
	size_t klen = vw_nft_wire_klen(ret), n = edges->list.n;
	struct vw_nft_edge *v = edges->list.v;

	if (n)
		qsort(v, n, sizeof(*v), edge_cmp);
	for (size_t i = 0; i < n; i++) {
		struct vw_elem e = {.data = v[i].data};
		int r;

		if (v[i].end)
			continue;
		memcpy(e.key, v[i].key, klen);
		if (i + 1 < n)
			key_before(v[i + 1].key, klen, e.key_end);
		else
			memset(e.key_end, 0xff, klen);
		r = vw_elem_push(ret, &e, SIZE_MAX);
		if (r)
			return r;
	}
	return 0;
}

int vw_nft_decode_reply(const struct nlmsghdr *nlh, struct vw_nft_reply *ret)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	struct vw_nft_reply reply = {0};
	struct attrs t = {0};
	size_t skip;

	if (nlh->nlmsg_type != NLMSG_ERROR)
		return -ENOENT;
	if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*err)) || err->error == INT32_MIN)
		return -EBADMSG;
	reply.err = err->error < 0 ? -err->error : err->error;
	reply.seq = err->msg.nlmsg_seq;
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS) {
		/* The refused message follows its header unless the answer is capped. */
		skip = sizeof(*err);
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && err->msg.nlmsg_len > sizeof(err->msg))
			skip += err->msg.nlmsg_len - sizeof(err->msg);
		if (nlh->nlmsg_len >= mnl_nlmsg_size(MNL_ALIGN(skip)))
			mnl_attr_parse(nlh, skip, attr_cb, &t);
		if (t.a[NLMSGERR_ATTR_MSG] &&
		    mnl_attr_validate(t.a[NLMSGERR_ATTR_MSG], MNL_TYPE_NUL_STRING) >= 0)
			snprintf(reply.text, sizeof(reply.text), "%s",
				 mnl_attr_get_str(t.a[NLMSGERR_ATTR_MSG]));
	}
	*ret = reply;
	return 0;
}
