/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builders of rulesets for tests: sets with elements, chains with rules, one line each. Include
 * after cmocka.h. */
#ifndef TESTS_RULES_H
#define TESTS_RULES_H

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include "vethwall/cleanup.h"
#include "vethwall/ruleset.h"

#define R static inline __attribute__((unused))

R struct vw_set *r_set(struct vw_ruleset *r, const char *name, uint32_t flags,
		       const uint8_t *fields)
{
	struct vw_set s = {.flags = flags};

	snprintf(s.name, sizeof(s.name), "%s", name);
	for (unsigned i = 0; i < VW_FIELDS_MAX && fields[i]; i++)
		s.fields[i] = fields[i];
	assert_int_equal(vw_vec_push(&r->sets, s, 100000), 0);
	return &r->sets.v[r->sets.n - 1];
}
#define R_FIELDS(...) ((const uint8_t[VW_FIELDS_MAX + 1]){__VA_ARGS__})

/* Puts a value of len bytes as field i of a key. */
R void r_field(const struct vw_set *s, uint8_t *key, unsigned i, const void *v)
{
	memcpy(key + vw_set_field_offset(s, i), v, vw_ftype_len(s->fields[i]));
}

/* An element of (address [. proto [. port[-port]]]) keys. */
R void r_elem(struct vw_set *s, const char *from, const char *to, uint8_t proto, uint16_t port,
	      uint16_t port_end, uint32_t data)
{
	int af = s->fields[0] == VW_F_IP6 ? AF_INET6 : AF_INET;
	struct vw_elem e = {.data = data};
	uint16_t p = htons(port), pe = htons(port_end);
	uint8_t a[16];

	assert_int_equal(inet_pton(af, from, a), 1);
	r_field(s, e.key, 0, a);
	assert_int_equal(inet_pton(af, to ? to : from, a), 1);
	r_field(s, e.key_end, 0, a);
	if (s->fields[1]) {
		r_field(s, e.key, 1, &proto);
		r_field(s, e.key_end, 1, &proto);
	}
	if (s->fields[2]) {
		r_field(s, e.key, 2, &p);
		r_field(s, e.key_end, 2, &pe);
	}
	assert_int_equal(vw_elem_push(s, &e, 1000000), 0);
}

/* An element of mark . proto . port-port keys. */
R void r_peer(struct vw_set *s, uint32_t mark, uint8_t proto, uint16_t port, uint16_t port_end)
{
	uint16_t p = htons(port), pe = htons(port_end);
	struct vw_elem e = {0};

	mark = vw_set_mark(s, mark);
	r_field(s, e.key, 0, &mark);
	r_field(s, e.key, 1, &proto);
	memcpy(e.key_end, e.key, sizeof(e.key));
	r_field(s, e.key, 2, &p);
	r_field(s, e.key_end, 2, &pe);
	assert_int_equal(vw_elem_push(s, &e, 1000000), 0);
}

R struct vw_chain *r_chain(struct vw_ruleset *r, const char *name)
{
	struct vw_chain c = {0};

	snprintf(c.name, sizeof(c.name), "%s", name);
	assert_int_equal(vw_vec_push(&r->chains, c, 100000), 0);
	return &r->chains.v[r->chains.n - 1];
}

R struct vw_chain *r_base(struct vw_ruleset *r, const char *name, int hook, const char *dev,
			  unsigned ifindex)
{
	struct vw_chain *c = r_chain(r, name);

	c->base = true;
	c->hook = hook;
	c->policy = NF_DROP;
	c->ifindex = ifindex;
	snprintf(c->dev, sizeof(c->dev), "%s", dev);
	return c;
}

R void r_rule(struct vw_chain *c, const char *what, const struct vw_expr *e, size_t n)
{
	struct vw_nftrule rule = {.what = what};

	for (size_t i = 0; i < n; i++)
		assert_int_equal(vw_vec_push(&rule.exprs, e[i], VW_EXPRS_MAX), 0);
	rule.id = vw_nftrule_hash(&rule);
	assert_int_equal(vw_vec_push(&c->rules, rule, 100000), 0);
}
#define R_RULE(c, what, ...)                                   \
	r_rule(c, what, (const struct vw_expr[]){__VA_ARGS__}, \
	       VW_ARRAY_SIZE(((const struct vw_expr[]){__VA_ARGS__})))

#define E_PAYLOAD(b, off, n, r)                                                            \
	{                                                                                  \
		.type = VW_E_PAYLOAD, .base = (b), .offset = (off), .len = (n), .reg = (r) \
	}
#define E_META(k, r)                                       \
	{                                                  \
		.type = VW_E_META, .base = (k), .reg = (r) \
	}
#define E_META_SET(k, r)                                       \
	{                                                      \
		.type = VW_E_META_SET, .base = (k), .reg = (r) \
	}
#define E_CMP(r, o, n, ...)                                                                  \
	{                                                                                    \
		.type = VW_E_CMP, .reg = (r), .op = (o), .len = (n), .data = { __VA_ARGS__ } \
	}
#define E_AND(r, n, ...)                                                                           \
	{                                                                                          \
		.type = VW_E_BITWISE, .reg = (r), .dreg = (r), .len = (n), .data = { __VA_ARGS__ } \
	}
#define E_IMM(r, n, ...)                                                          \
	{                                                                         \
		.type = VW_E_IMM, .reg = (r), .len = (n), .data = { __VA_ARGS__ } \
	}
#define E_LOOKUP(r, s)                                     \
	{                                                  \
		.type = VW_E_LOOKUP, .reg = (r), .name = s \
	}
#define E_NOT_IN(r, s)                                              \
	{                                                           \
		.type = VW_E_LOOKUP, .reg = (r), .op = 1, .name = s \
	}
#define E_MAP(r, s, d)                                                            \
	{                                                                         \
		.type = VW_E_LOOKUP, .reg = (r), .dreg = (d), .len = 4, .name = s \
	}
#define E_DYNSET(o, r, s, ms)                                                      \
	{                                                                          \
		.type = VW_E_DYNSET, .op = (o), .reg = (r), .num = (ms), .name = s \
	}
#define E_DYNSET_COUNTED(o, r, s, ms)                                                         \
	{                                                                                     \
		.type = VW_E_DYNSET, .op = (o), .reg = (r), .num = (ms), .num2 = 1, .name = s \
	}
#define E_NETWORK_ORDER(r)                                                \
	{                                                                 \
		.type = VW_E_BYTEORDER, .reg = (r), .dreg = (r), .len = 4 \
	}
#define E_EXTHDR(t, off, n, r, f)                                                          \
	{                                                                                  \
		.type = VW_E_EXTHDR, .base = (t), .offset = (off), .len = (n), .reg = (r), \
		.op = (f)                                                                  \
	}
#define E_VERDICT(v)                                 \
	{                                            \
		.type = VW_E_VERDICT, .verdict = (v) \
	}
#define E_JUMP(c)                                                    \
	{                                                            \
		.type = VW_E_VERDICT, .verdict = NFT_JUMP, .name = c \
	}
#define E_GOTO(c)                                                    \
	{                                                            \
		.type = VW_E_VERDICT, .verdict = NFT_GOTO, .name = c \
	}
#define E_COUNTER                    \
	{                            \
		.type = VW_E_COUNTER \
	}
#define E_LIMIT(r, b)                                       \
	{                                                   \
		.type = VW_E_LIMIT, .num = (r), .num2 = (b) \
	}
#define E_LOG(g, s)                                         \
	{                                                   \
		.type = VW_E_LOG, .offset = (g), .num = (s) \
	}
#define E_REJECT(t, c)                                      \
	{                                                   \
		.type = VW_E_REJECT, .base = (t), .op = (c) \
	}

/* ip saddr . ip daddr . meta l4proto . th sport . th dport in registers 0 to 4. */
#define E_TUPLE4                                                                              \
	E_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, 12, 4, 0),                                      \
		E_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 1), E_META(NFT_META_L4PROTO, 2), \
		E_PAYLOAD(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, 3),                             \
		E_PAYLOAD(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 4)

/* One of everything on device dev: sets of each kind, rules with each expression. */
R void r_everything(struct vw_ruleset *r, const char *dev, unsigned ifindex)
{
	const uint8_t *five = R_FIELDS(VW_F_IP4, VW_F_IP4, VW_F_PROTO, VW_F_PORT, VW_F_PORT);
	const uint8_t *six =
		R_FIELDS(VW_F_MARK, VW_F_IP4, VW_F_IP4, VW_F_PROTO, VW_F_PORT, VW_F_PORT);
	uint32_t denied = VW_SET_DYNAMIC | VW_SET_TIMEOUT | VW_SET_COUNTER | VW_SET_LIMIT;
	struct vw_set *s;
	struct vw_chain *c;

	s = r_set(r, "id4", VW_SET_MAP, R_FIELDS(VW_F_IP4));
	r_elem(s, "192.0.2.1", NULL, 0, 0, 0, 7);
	r_elem(s, "192.0.2.2", NULL, 0, 0, 0, 8);
	s = r_set(r, "net4", VW_SET_MAP | VW_SET_INTERVAL, R_FIELDS(VW_F_IP4));
	r_elem(s, "0.0.0.0", "9.255.255.255", 0, 0, 0, 1);
	r_elem(s, "10.0.0.0", "10.255.255.255", 0, 0, 0, 2);
	r_elem(s, "192.168.0.0", "192.168.255.255", 0, 0, 0, 3);
	r_elem(s, "255.255.255.0", "255.255.255.255", 0, 0, 0, 4);
	s = r_set(r, "net6", VW_SET_INTERVAL, R_FIELDS(VW_F_IP6));
	r_elem(s, "fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, 0, 0, 0);
	s = r_set(r, "ports", VW_SET_INTERVAL, R_FIELDS(VW_F_IP4, VW_F_PROTO, VW_F_PORT));
	r_elem(s, "192.0.2.1", NULL, 6, 8000, 8100, 0);
	r_elem(s, "192.0.2.0", "192.0.2.255", 17, 53, 53, 0);
	s = r_set(r, "peers", VW_SET_INTERVAL, R_FIELDS(VW_F_MARK, VW_F_PROTO, VW_F_PORT));
	r_peer(s, 0x12345678, 6, 1000, 2000);
	s = r_set(r, "live4", VW_SET_DYNAMIC | VW_SET_TIMEOUT, five);
	s->size = 65536;
	s->timeout_ms = 3600000;
	s = r_set(r, "denied4", denied, six);
	s->size = 4096;
	s->timeout_ms = 1001; /* no whole number of ticks */
	for (size_t i = 0; i < r->sets.n; i++)
		assert_int_equal(vw_elems_sort(&r->sets.v[i]), 0);

	c = r_chain(r, "judge4");
	R_RULE(c, "live flow", E_TUPLE4, E_LOOKUP(0, "live4"),
	       E_DYNSET(NFT_DYNSET_OP_UPDATE, 0, "live4", 30000), E_VERDICT(NF_ACCEPT));
	R_RULE(c, "fragment", E_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, 6, 2, 0),
	       E_AND(0, 2, 0x1f, 0xff), E_CMP(0, NFT_CMP_NEQ, 2, 0, 0), E_COUNTER,
	       E_VERDICT(NF_DROP));
	R_RULE(c, "identity", E_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 0), E_MAP(0, "id4", 0),
	       E_META_SET(NFT_META_MARK, 0));
	R_RULE(c, "identity of a network", E_META(NFT_META_MARK, 0),
	       E_CMP(0, NFT_CMP_EQ, 4, 0, 0, 0, 0), E_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 0),
	       E_MAP(0, "net4", 0), E_META_SET(NFT_META_MARK, 0));
	R_RULE(c, "allowed ports", E_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 0),
	       E_META(NFT_META_L4PROTO, 1), E_PAYLOAD(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 2),
	       E_LOOKUP(0, "ports"), E_GOTO("allow"));
	R_RULE(c, "decision", E_IMM(0, 4, 1, 0, 0, 0x80), E_META_SET(NFT_META_MARK, 0));
	R_RULE(c, "denied", E_META(NFT_META_MARK, 0),
	       E_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, 12, 4, 1),
	       E_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 2), E_META(NFT_META_L4PROTO, 3),
	       E_PAYLOAD(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, 4),
	       E_PAYLOAD(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 5),
	       E_DYNSET(NFT_DYNSET_OP_UPDATE, 0, "denied4", 0), E_LOG(5, 128));
	R_RULE(c, NULL, E_META(NFT_META_L4PROTO, 0), E_CMP(0, NFT_CMP_EQ, 1, 6), E_LIMIT(100, 10),
	       E_REJECT(NFT_REJECT_TCP_RST, 0));
	R_RULE(c, "refuse", E_COUNTER,
	       E_REJECT(NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED));
	c = r_chain(r, "allow");
	R_RULE(c, "remember", E_TUPLE4, E_DYNSET(NFT_DYNSET_OP_ADD, 0, "live4", 0),
	       E_VERDICT(NF_ACCEPT));
	R_RULE(c, "remember and count", E_TUPLE4,
	       E_DYNSET_COUNTED(NFT_DYNSET_OP_ADD, 0, "live4", 60000), E_VERDICT(NF_ACCEPT));
	R_RULE(c, "ports of a peer", E_META(NFT_META_MARK, 0), E_NETWORK_ORDER(0),
	       E_META(NFT_META_L4PROTO, 1), E_PAYLOAD(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 2),
	       E_LOOKUP(0, "peers"), E_VERDICT(NF_ACCEPT));
	R_RULE(c, "forget", E_TUPLE4, E_DYNSET(NFT_DYNSET_OP_DELETE, 0, "live4", 0),
	       E_VERDICT(NFT_RETURN));
	c = r_chain(r, "judge6");
	R_RULE(c, "fragment header", E_EXTHDR(44, 0, 1, 0, 1), E_CMP(0, NFT_CMP_EQ, 1, 1),
	       E_EXTHDR(44, 2, 2, 0, 0), E_AND(0, 2, 0xff, 0xf8), E_CMP(0, NFT_CMP_NEQ, 2, 0, 0),
	       E_VERDICT(NF_DROP));
	R_RULE(c, "not ours", E_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, 8, 16, 0), E_NOT_IN(0, "net6"),
	       E_VERDICT(NF_DROP));
	c = r_base(r, "wall_in", NF_NETDEV_INGRESS, dev, ifindex);
	R_RULE(c, "source MAC", E_PAYLOAD(NFT_PAYLOAD_LL_HEADER, 6, 6, 0),
	       E_CMP(0, NFT_CMP_NEQ, 6, 2, 0x42, 0xac, 0x11, 0, 2), E_COUNTER, E_VERDICT(NF_DROP));
	R_RULE(c, "IPv4", E_META(NFT_META_PROTOCOL, 0), E_CMP(0, NFT_CMP_EQ, 2, 8, 0),
	       E_GOTO("judge4"));
	R_RULE(c, "IPv6", E_META(NFT_META_PROTOCOL, 0), E_CMP(0, NFT_CMP_EQ, 2, 0x86, 0xdd),
	       E_JUMP("judge6"));
	c = r_base(r, "wall_eg", NF_NETDEV_EGRESS, dev, ifindex);
	R_RULE(c, "ARP", E_META(NFT_META_PROTOCOL, 0), E_CMP(0, NFT_CMP_EQ, 2, 8, 6),
	       E_VERDICT(NF_ACCEPT));
	vw_ruleset_sort(r);
}

#endif
