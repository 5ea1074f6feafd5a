/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judgement of compiled tables: the same look-ups in the same order as the rules that render.c
 * makes of them. */
#include <arpa/inet.h>
#include <stdio.h>

#include "vethwall/compile.h"

/* Index of the last element whose key is not above key, or SIZE_MAX. */
static size_t last_not_above(const struct vw_set *s, const uint8_t *key, size_t klen)
{
	size_t lo = 0, hi = s->elems.n, stride = vw_set_stride(s);

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (memcmp(s->elems.v + mid * stride, key, klen) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

bool vw_map_find(const struct vw_set *s, const uint8_t *key, uint32_t *ret)
{
	size_t klen = vw_set_klen(s), stride = vw_set_stride(s);
	size_t i = last_not_above(s, key, klen);
	const uint8_t *e;

	if (i == SIZE_MAX)
		return false;
	e = s->elems.v + i * stride;
	if (s->flags & VW_SET_INTERVAL) {
		if (memcmp(key, e + klen, klen) > 0)
			return false;
	} else if (memcmp(e, key, klen)) {
		return false;
	}
	memcpy(ret, e + stride - 4, 4);
	return true;
}

/* own: what the wall alone knows of addresses, or NULL. */
static uint32_t identity_of(const struct vw_compiled *c, const struct vw_set *own,
			    enum vw_direction dir, const struct vw_addr *peer, uint8_t proto,
			    uint16_t port)
{
	bool v4 = peer->family == 4;
	size_t n = vw_addr_len(peer);
	uint8_t key[VW_KEY_MAX] = {0};
	uint16_t be = htons(port);
	uint32_t id;

	memcpy(key, peer->b, n);
	if (dir == VW_EGRESS && own && vw_map_find(&own[!v4], key, &id))
		return id;
	key[n] = proto;
	memcpy(key + n + 4, &be, 2);
	if (dir == VW_EGRESS && vw_map_find(v4 ? &c->pub4 : &c->pub6, key, &id))
		return id;
	if (vw_map_find(v4 ? &c->id4 : &c->id6, key, &id) ||
	    vw_map_find(v4 ? &c->net4 : &c->net6, key, &id))
		return id;
	return v4 ? c->base4 : c->base6;
}

/* The same for a key that begins with a mark. */
static bool find_mark(const struct vw_set *s, uint32_t mark, uint8_t *key, uint32_t *ret)
{
	mark = vw_set_mark(s, mark);
	memcpy(key, &mark, sizeof(mark));
	return vw_map_find(s, key, ret);
}

static bool tables(const struct vw_class *k, uint32_t mark, uint8_t proto, uint16_t port,
		   uint32_t *ret)
{
	bool icmp = proto == 1 || proto == 58, ports = vw_proto_has_ports(proto);
	uint16_t be = htons(port);
	uint8_t key[VW_KEY_MAX] = {0};

	key[4] = proto;
	memcpy(key + 8, &be, 2);
	if (icmp && (find_mark(&k->xi, mark, key, ret) || find_mark(&k->ri, mark, key, ret)))
		return true;
	if (ports && (find_mark(&k->x, mark, key, ret) || find_mark(&k->r, mark, key, ret)))
		return true;
	return find_mark(&k->q, mark, key, ret);
}

static uint32_t class_judge(const struct vw_class *k, uint32_t mark, uint8_t proto, uint16_t port)
{
	uint8_t key[VW_KEY_MAX] = {0};
	uint32_t code;

	if (tables(k, mark, proto, port, &code) || find_mark(&k->a, mark, key, &code))
		return code;
	if (k->base_row && tables(k, 0, proto, port, &code))
		return code;
	return k->default_code;
}

static uint32_t judge(const struct vw_compiled *c, const struct vw_wall *w,
		      const struct vw_set *own, enum vw_direction dir, const struct vw_addr *peer,
		      uint8_t proto, uint16_t port)
{
	const char *name = dir == VW_EGRESS ? w->out_class : w->in_class;
	const struct vw_class *k;

	if (w->kind == VW_WALL_HOLD)
		return VW_CODE_DENY | VW_REASON_HELD | (dir == VW_EGRESS ? VW_CODE_EGRESS : 0);
	if (!name[0])
		return VW_REASON_ALLOW;
	k = vw_compiled_class(c, name);
	if (!k)
		return VW_CODE_DENY | VW_REASON_DEFAULT | (dir == VW_EGRESS ? VW_CODE_EGRESS : 0);
	return class_judge(k, identity_of(c, own, dir, peer, proto, port), proto, port);
}

uint32_t vw_compiled_judge(const struct vw_compiled *c, const struct vw_wall *w,
			   enum vw_direction dir, const struct vw_addr *peer, uint8_t proto,
			   uint16_t port)
{
	return judge(c, w, w->learnt, dir, peer, proto, port);
}

const struct vw_wall *vw_compiled_wall(const struct vw_compiled *c, unsigned ifindex)
{
	size_t lo = 0, hi = c->walls.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c->walls.v[mid].ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->walls.n && c->walls.v[lo].ifindex == ifindex ? &c->walls.v[lo] : NULL;
}

const struct vw_class *vw_compiled_class(const struct vw_compiled *c, const char *name)
{
	size_t lo = 0, hi = c->classes.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(c->classes.v[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->classes.n && !strcmp(c->classes.v[lo].name, name) ? &c->classes.v[lo] : NULL;
}

const struct vw_ruleref *vw_compiled_rule(const struct vw_compiled *c, uint32_t code)
{
	uint32_t n = code & VW_CODE_RULE;
	size_t i = n - VW_REASON_FIRST_RULE; /* numbers are given in sequence */

	return n >= VW_REASON_FIRST_RULE && i < c->rules.n ? &c->rules.v[i] : NULL;
}

void vw_wall_set_name(unsigned ifindex, char kind, int family, char ret[static VW_NAME_LEN])
{
	snprintf(ret, VW_NAME_LEN, "%c%d_%u", kind, family, ifindex);
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* The five fields of a flow key: 0 when the length fits neither family. */
static uint8_t decode(const uint8_t *key, size_t klen, struct vw_tuple *t)
{
	uint8_t family = klen == 20 ? 4 : klen == 44 ? 6 : 0;
	size_t n = family == 4 ? 4 : 16;

	if (!family)
		return 0;
	t->src.family = t->dst.family = family;
	memcpy(t->src.b, key, n);
	memcpy(t->dst.b, key + n, n);
	t->proto = key[2 * n];
	t->sport = be16(key + 2 * n + 4);
	t->dport = be16(key + 2 * n + 8);
	return family;
}

int vw_tuple_decode(const uint8_t *key, size_t klen, struct vw_tuple *ret)
{
	struct vw_tuple t = {0};

	if (klen < 4 || !decode(key + 4, klen - 4, &t))
		return -EINVAL;
	memcpy(&t.code, key, 4);
	*ret = t;
	return 0;
}

int vw_live_decode(const uint8_t *key, size_t klen, uint64_t timeout_ms, struct vw_live *ret)
{
	struct vw_tuple t = {0};

	if (!decode(key, klen, &t))
		return -EINVAL;
	*ret = (struct vw_live){
		.own = t.src,
		.peer = t.dst,
		.proto = t.proto == VW_LIVE_CLOSING ? 6 : t.proto,
		.own_port = t.sport,
		.peer_port = t.dport,
		/* between the two, as the kernel keeps jiffies */
		.opened = timeout_ms < (VW_OPENED_OUT_MS + VW_OPENED_IN_MS) / 2 ? VW_EGRESS
										: VW_INGRESS,
		.closing = t.proto == VW_LIVE_CLOSING,
		.flow = t.proto != VW_LIVE_CLOSING && t.proto != VW_LIVE_FRAGMENT &&
			t.proto != VW_LIVE_ASKED && t.proto != VW_LIVE_REJECTED,
	};
	return 0;
}

static uint32_t judge_opened(const struct vw_compiled *c, const struct vw_wall *w,
			     const struct vw_live *l, enum vw_direction opened)
{
	uint16_t port = opened == VW_EGRESS ? l->peer_port : l->own_port;

	if (l->proto == 1)
		port = 8 << 8; /* echo request */
	if (l->proto == 58)
		port = 128 << 8;
	/* what was opened behind a name goes on when the name's time has passed */
	return judge(c, w, w->recalled, opened, &l->peer, l->proto, port);
}

uint32_t vw_compiled_judge_live(const struct vw_compiled *c, const struct vw_wall *w,
				const struct vw_live *l)
{
	uint32_t code;

	if (!l->flow && !l->closing)
		return VW_REASON_ALLOW;
	if (l->flow)
		return judge_opened(c, w, l, l->opened);
	code = judge_opened(c, w, l, VW_EGRESS);
	return code & VW_CODE_DENY ? judge_opened(c, w, l, VW_INGRESS) : code;
}
