/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table bridge vethwall: what passes a port of a managed bridge before its wall stands. A port is
 * `walled` by its number and its name: the wall's chains are hooked by name, so a veth that was
 * renamed has none, and neither has a new one that took the name. */
#include <string.h>

#include "core/wall.h"

#define PRIORITY (-400) /* before NF_BR_PRI_NAT_DST_BRIDGED, -300 */
#define PORTS_MAX (1u << 20)

/* The words for the port where a frame comes in, or goes out. */
struct side {
	const char *chain, *held;
	uint8_t hook, index, name, kind, bridge; /* NFT_META_* */
};
static const struct side sides[] = {
	{"guard_in", "held_in", NF_INET_PRE_ROUTING, NFT_META_IIF, NFT_META_IIFNAME,
	 NFT_META_IIFKIND, NFT_META_BRI_IIFNAME},
	{"guard_out", "held_out", NF_INET_POST_ROUTING, NFT_META_OIF, NFT_META_OIFNAME,
	 NFT_META_OIFKIND, NFT_META_BRI_OIFNAME},
};

bool vw_ifname_fits(const struct vw_ifname *pattern, const char *name)
{
	size_t n = strlen(pattern->s);

	if (n && pattern->s[n - 1] == '*')
		return !strncmp(pattern->s, name, n - 1);
	return !strcmp(pattern->s, name);
}

bool vw_ifnames_fit(const struct vw_ifnames *patterns, const char *name)
{
	vw_vec_foreach (p, patterns)
		if (vw_ifname_fits(p, name))
			return true;
	return false;
}

void vw_guard_done(struct vw_guard *g)
{
	vw_vec_done(&g->elsewhere);
	vw_vec_done(&g->bridges);
	vw_vec_done(&g->exempt);
}

static bool is_pattern(const struct vw_ifname *n)
{
	return strchr(n->s, '*');
}

static struct vw_set *guard_set(struct nftb *b, const char *name, const uint8_t *fields)
{
	struct vw_set *s = nftb_set(b, name, 0, fields);

	if (s)
		s->family = NFPROTO_BRIDGE;
	return s;
}

static void add(struct nftb *b, struct vw_set *s, const void *key, size_t len)
{
	struct vw_elem e = {0};

	memcpy(e.key, key, len);
	if (!b->err)
		b->err = vw_elem_push(s, &e, PORTS_MAX);
}

static void add_port(struct nftb *b, struct vw_set *s, unsigned ifindex, const char *dev)
{
	struct vw_veth p = {.ifindex = ifindex};

	strncpy(p.dev, dev, sizeof(p.dev) - 1);
	add(b, s, &p, sizeof(p));
}

_Static_assert(sizeof(struct vw_veth) == 4 + IFNAMSIZ, "a port is a key");

static int unsigned_cmp(const void *x, const void *y)
{
	const unsigned *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

static bool stands(const struct vw_wall *w, const unsigned *absent, size_t n)
{
	if (w->kind != VW_WALL_POLICY)
		return false;
	return !n || !bsearch(&w->ifindex, absent, n, sizeof(*absent), unsigned_cmp);
}

static void port_sets(struct nftb *b, const struct vw_compiled *c, const unsigned *absent,
		      size_t n_absent)
{
	static const uint8_t fields[] = {VW_F_IFINDEX, VW_F_IFNAME, VW_F_NONE};
	struct vw_set *s = guard_set(b, "walled", fields);

	vw_vec_foreach (w, &c->walls)
		if (s && stands(w, absent, n_absent))
			add_port(b, s, w->ifindex, w->dev);
	if (s && !b->err)
		b->err = vw_elems_sort(s);
	if (c->guard.sees_bridges)
		return;
	s = guard_set(b, "elsewhere", fields);
	vw_vec_foreach (p, &c->guard.elsewhere)
		if (s)
			add_port(b, s, p->ifindex, p->dev);
	if (s && !b->err)
		b->err = vw_elems_sort(s);
}

static void bridge_set(struct nftb *b, const struct vw_guard *g)
{
	static const uint8_t fields[] = {VW_F_IFNAME, VW_F_NONE};
	struct vw_set *s = g->sees_bridges ? guard_set(b, "managed", fields) : NULL;

	if (!s)
		return;
	vw_vec_foreach (n, &g->bridges)
		if (!is_pattern(n))
			add(b, s, n->s, sizeof(n->s));
	if (!b->err)
		b->err = vw_elems_sort(s);
}

/* iif . iifname @walled accept */
static void port_in(struct nftb *b, const struct side *d, const char *set, const char *what)
{
	nftb_meta(b, d->index, 0);
	nftb_meta(b, d->name, 1);
	nftb_lookup(b, set, 0, false);
	nftb_verdict(b, NF_ACCEPT, NULL);
	nftb_end(b, what);
}

/* meta iifname "lab*" */
static void name_fits(struct nftb *b, uint8_t key, const struct vw_ifname *n)
{
	nftb_meta(b, key, 0);
	nftb_cmp(b, 0, NFT_CMP_EQ, n->s, is_pattern(n) ? strlen(n->s) - 1 : sizeof(n->s));
}

static void hold(struct nftb *b, const struct side *d, const char *what)
{
	nftb_verdict(b, NFT_GOTO, d->held);
	nftb_end(b, what);
}

/* meta ibrname @managed goto held_in; meta ibrname "br-*" goto held_in */
static void hold_managed(struct nftb *b, const struct vw_guard *g, const struct side *d)
{
	nftb_meta(b, d->bridge, 0);
	nftb_lookup(b, "managed", 0, false);
	hold(b, d, "a managed bridge");
	vw_vec_foreach (n, &g->bridges) {
		if (!is_pattern(n))
			continue;
		name_fits(b, d->bridge, n);
		hold(b, d, "managed bridges");
	}
}

static void side_chain(struct nftb *b, const struct vw_guard *g, const struct side *d)
{
	static const char veth[IFNAMSIZ] = "veth";
	struct vw_chain *c = nftb_chain(b, d->chain);

	if (!c)
		return;
	c->base = true;
	c->family = NFPROTO_BRIDGE;
	c->hook = d->hook;
	c->priority = PRIORITY;
	c->policy = NF_ACCEPT;
	port_in(b, d, "walled", "its wall judges");
	nftb_meta(b, d->kind, 0);
	nftb_cmp(b, 0, NFT_CMP_NEQ, veth, sizeof(veth));
	nftb_verdict(b, NF_ACCEPT, NULL);
	nftb_end(b, "no container's");
	vw_vec_foreach (n, &g->exempt) {
		name_fits(b, d->name, n);
		nftb_verdict(b, NF_ACCEPT, NULL);
		nftb_end(b, "exempt by guard.exempt");
	}
	if (g->sees_bridges) {
		hold_managed(b, g, d);
		return;
	}
	port_in(b, d, "elsewhere", "on a bridge that is not managed");
	hold(b, d, "a veth that has no wall");
}

static void held_chain(struct wall *w, const struct side *d, bool sent)
{
	struct vw_chain *c = nftb_chain(&w->b, d->held);

	if (!c)
		return;
	c->family = NFPROTO_BRIDGE;
	w->sent = sent;
	if (sent) {
		wall_long_arp(w);
		wall_counted_drop(w, "arp with data");
		wall_long_nd(w);
		wall_counted_drop(w, "longer than discovery is");
	}
	wall_ethertype(w, ETH_P_ARP);
	wall_pass(w, "arp");
	wall_nd_held(w);
	wall_counted_drop(w, "held: its wall does not stand");
}

int vw_render_guard(const struct vw_compiled *c, const unsigned *absent, size_t n_absent,
		    struct vw_ruleset *ret)
{
	struct wall w = {.b.out = ret, .f = &wall_family6};

	port_sets(&w.b, c, absent, n_absent);
	bridge_set(&w.b, &c->guard);
	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		side_chain(&w.b, &c->guard, &sides[i]);
		held_chain(&w, &sides[i], i == 0);
	}
	return w.b.err;
}
