/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared objects and classes as rules. Every verdict map yields a mark: first the peer's identity,
 * then the decision code. */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>

#include "core/nftbuild.h"
#include "vethwall/compile.h"

static int copy_set(struct nftb *b, const struct vw_set *s)
{
	struct vw_set *n = nftb_set(b, s->name, s->flags, s->fields);
	size_t bytes = s->elems.n * vw_set_stride(s);

	if (!n)
		return b->err;
	n->size = s->size;
	n->timeout_ms = s->timeout_ms;
	n->elems.v = malloc(bytes + 1);
	if (!n->elems.v)
		return b->err = -ENOMEM;
	if (bytes)
		memcpy(n->elems.v, s->elems.v, bytes);
	n->elems.n = n->elems.cap = s->elems.n;
	return 0;
}

/* A set of single bytes: protocols or ICMP types. */
static void byte_set(struct nftb *b, const char *name, const uint8_t *v, size_t n)
{
	static const uint8_t fields[] = {VW_F_PROTO, VW_F_NONE};
	struct vw_set *s = nftb_set(b, name, 0, fields);
	int r = 0;

	for (size_t i = 0; i < n && s && !r; i++)
		r = vw_elem_push(s, &(struct vw_elem){.key = {v[i]}}, 256);
	if (s && !r)
		r = vw_elems_sort(s);
	if (r)
		b->err = r;
}

static void byte_sets(struct nftb *b)
{
	static const uint8_t echo4[] = {0, 8}, echo6[] = {128, 129};
	static const uint8_t error4[] = {3, 11, 12}; /* RFC 792 */
	static const uint8_t error6[] = {1, 2, 3, 4}; /* RFC 4443 */
	static const uint8_t nd6in[] = {133, 134, 135, 136};
	static const uint8_t mld6[] = {131, 132, 143}; /* reports: RFC 2710, RFC 3810 */
	static const uint8_t mld6in[] = {130, 131, 132, 143};
	static const uint8_t nd6[] = {134, 135, 136, 137}; /* RFC 4861 */
	/* IANA "IPv6 Extension Header Types" */
	static const uint8_t ext6[] = {0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254};
	uint8_t ports[256];
	size_t n = 0;

	for (unsigned p = 0; p < 256; p++)
		if (vw_proto_has_ports(p))
			ports[n++] = p;
	byte_set(b, "l4ports", ports, n);
	byte_set(b, "echo4", echo4, sizeof(echo4));
	byte_set(b, "echo6", echo6, sizeof(echo6));
	byte_set(b, "error4", error4, sizeof(error4));
	byte_set(b, "error6", error6, sizeof(error6));
	byte_set(b, "nd6", nd6, sizeof(nd6));
	byte_set(b, "nd6in", nd6in, sizeof(nd6in));
	byte_set(b, "mld6", mld6, sizeof(mld6));
	byte_set(b, "mld6in", mld6in, sizeof(mld6in));
	byte_set(b, "ext6", ext6, sizeof(ext6));
}

struct ends {
	int family;
	uint16_t off; /* of the address that is the peer's */
	uint8_t len;
	const char *pub, *id, *net;
	uint32_t base;
};

/* chain dst4 / src4 / ...: meta mark set <peer address> map @id4 */
static void identify_chain(struct nftb *b, const char *name, const struct ends *e)
{
	uint8_t words = e->len / 4;

	nftb_chain(b, name);
	if (e->pub) {
		nftb_payload(b, NFT_PAYLOAD_NETWORK_HEADER, e->off, e->len, 0);
		nftb_meta(b, NFT_META_L4PROTO, words);
		nftb_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, words + 1);
		nftb_lookup_map(b, e->pub, 0, 0);
		nftb_mark_from(b, 0);
		nftb_verdict(b, NFT_RETURN, NULL);
		nftb_end(b, "a published port is the container behind it");
	}
	for (int i = 0; i < 2; i++) {
		nftb_payload(b, NFT_PAYLOAD_NETWORK_HEADER, e->off, e->len, 0);
		nftb_lookup_map(b, i ? e->net : e->id, 0, 0);
		nftb_mark_from(b, 0);
		nftb_verdict(b, NFT_RETURN, NULL);
		nftb_end(b, i ? "identity by network" : "identity by address");
	}
	nftb_mark_set(b, e->base);
	nftb_end(b, "identity of everyone else");
}

int vw_render_shared(const struct vw_compiled *c, struct vw_ruleset *ret)
{
	struct nftb b = {.out = ret};
	const struct vw_set *maps[] = {&c->id4, &c->id6, &c->net4, &c->net6, &c->pub4, &c->pub6};

	byte_sets(&b);
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		copy_set(&b, maps[i]);
	identify_chain(&b, "dst4", &(struct ends){4, 16, 4, "pub4", "id4", "net4", c->base4});
	identify_chain(&b, "src4", &(struct ends){4, 12, 4, NULL, "id4", "net4", c->base4});
	identify_chain(&b, "dst6", &(struct ends){6, 24, 16, "pub6", "id6", "net6", c->base6});
	identify_chain(&b, "src6", &(struct ends){6, 8, 16, NULL, "id6", "net6", c->base6});
	return b.err;
}

enum key_kind { KEY_PORT, KEY_ICMP, KEY_PROTO, KEY_MARK };

/* meta mark set <key> map @m return */
static void table_rule(struct nftb *b, const struct vw_set *m, enum key_kind kind, const char *what)
{
	if (!m->elems.n)
		return;
	nftb_meta(b, NFT_META_MARK, 0);
	if (vw_set_network_order(m))
		nftb_network_order(b, 0);
	if (kind != KEY_MARK)
		nftb_meta(b, NFT_META_L4PROTO, 1);
	if (kind == KEY_PORT)
		nftb_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 2);
	if (kind == KEY_ICMP)
		nftb_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, 2);
	nftb_lookup_map(b, m->name, 0, 0);
	nftb_mark_from(b, 0);
	nftb_verdict(b, NFT_RETURN, NULL);
	nftb_end(b, what);
}

static void table_rules(struct nftb *b, const struct vw_class *k)
{
	table_rule(b, &k->x, KEY_PORT, "peer and port");
	table_rule(b, &k->xi, KEY_ICMP, "peer, icmp type and code");
	table_rule(b, &k->r, KEY_PORT, "peer and port range");
	table_rule(b, &k->ri, KEY_ICMP, "peer and icmp type");
	table_rule(b, &k->q, KEY_PROTO, "peer and protocol");
}

int vw_render_class(const struct vw_compiled *c, const struct vw_class *k, struct vw_ruleset *ret)
{
	struct nftb b = {.out = ret};
	const struct vw_set *sets[] = {&k->x, &k->xi, &k->r, &k->ri, &k->q, &k->a};

	(void)c;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (sets[i]->elems.n)
			copy_set(&b, sets[i]);
	nftb_chain(&b, k->name);
	table_rules(&b, k);
	table_rule(&b, &k->a, KEY_MARK, "peer, whatever else");
	if (k->base_row) {
		nftb_mark_set(&b, 0);
		nftb_end(&b, "rules for any peer");
		table_rules(&b, k);
	}
	nftb_mark_set(&b, k->default_code);
	nftb_end(&b, "nothing else applies");
	return b.err;
}
