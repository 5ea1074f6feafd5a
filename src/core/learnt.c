/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What workloads were told by their resolvers: a bounded table, sorted by wall, address and name,
 * that is part of the world. Whose answers are believed and for how long is the agent's; the clock
 * is a parameter. */
#include "text.h"
#include "vethwall/cleanup.h"
#include "vethwall/policy.h"

#define V4(n, ...)                    \
	{                             \
		{4, {__VA_ARGS__}}, n \
	}
#define V6(n, ...)                    \
	{                             \
		{6, {__VA_ARGS__}}, n \
	}

/* What no name opens: private (RFC 1918, RFC 4193, RFC 6598), link-local with the metadata address,
 * loopback, this host, multicast, broadcast and reserved (RFC 6890). */
static const struct vw_prefix closed[] = {
	V4(8, 0),
	V4(8, 10),
	V4(10, 100, 64),
	V4(8, 127),
	V4(16, 169, 254),
	V4(12, 172, 16),
	V4(24, 192, 0, 0),
	V4(16, 192, 168),
	V4(15, 198, 18),
	V4(4, 224),
	V4(4, 240),
	V6(96, 0),
	V6(7, 0xfc),
	V6(10, 0xfe, 0x80),
	V6(10, 0xfe, 0xc0),
	V6(8, 0xff),
	V6(48, 0, 0x64, 0xff, 0x9b, 0, 1),
};

/* IPv6 forms that lead to the IPv4 address inside (RFC 4291 2.5.5.2, RFC 6052, RFC 3056). */
static const struct {
	struct vw_prefix p;
	uint8_t at;
} carriers[] = {
	{V6(96, [10] = 0xff, [11] = 0xff), 12},
	{V6(96, 0, 0x64, 0xff, 0x9b), 12},
	{V6(16, 0x20, 0x02), 2},
};

/* Where a packet to a may end up. */
static struct vw_addr innermost(const struct vw_addr *a)
{
	struct vw_addr inner = {.family = 4};

	for (size_t i = 0; i < VW_ARRAY_SIZE(carriers); i++) {
		if (!vw_prefix_has(&carriers[i].p, a))
			continue;
		memcpy(inner.b, a->b + carriers[i].at, 4);
		return inner;
	}
	return *a;
}

static bool is_closed(const struct vw_addr *a)
{
	for (size_t i = 0; i < VW_ARRAY_SIZE(closed); i++)
		if (vw_prefix_has(&closed[i], a))
			return true;
	return false;
}

static bool is_local(const struct vw_world *world, const struct vw_addr *a)
{
	bool ambiguous = false;

	return vw_world_by_addr(world, a, NULL, &ambiguous) || ambiguous ||
	       vw_world_is_host(world, a);
}

/* A container is published at the address, whether the node is known to have it or not. */
static bool is_published(const struct vw_world *world, const struct vw_addr *a)
{
	vw_vec_foreach (w, &world->workloads)
		vw_vec_foreach (p, &w->published)
			if (p->host_addr.family && vw_addr_eq(&p->host_addr, a))
				return true;
	return false;
}

bool vw_learnt_openable(const struct vw_world *world, const struct vw_addr *a)
{
	struct vw_addr inner = innermost(a);

	return a->family && !is_closed(a) && !is_closed(&inner) && !is_local(world, a) &&
	       !is_local(world, &inner) && !is_published(world, &inner);
}

static int learnt_cmp(const struct vw_learnt *l, unsigned ifindex, const struct vw_addr *a,
		      const char *name)
{
	int r;

	if (l->ifindex != ifindex)
		return l->ifindex < ifindex ? -1 : 1;
	r = vw_addr_cmp(&l->addr, a);
	return r ? r : strcmp(l->name, name);
}

static size_t learnt_pos(const struct vw_world *world, unsigned ifindex, const struct vw_addr *a,
			 const char *name)
{
	size_t lo = 0, hi = world->learnt.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (learnt_cmp(&world->learnt.v[mid], ifindex, a, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t vw_learnt_first(const struct vw_world *world, unsigned ifindex, const struct vw_addr *a)
{
	return learnt_pos(world, ifindex, a, "");
}

static void learnt_remove(struct vw_world *world, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		free(world->learnt.v[i].name);
	world->learnt.n -= n;
	memmove(world->learnt.v + first, world->learnt.v + first + n,
		(world->learnt.n - first) * sizeof(*world->learnt.v));
}

/* At its bound a wall forgets the lapsed name that would be forgotten first. */
static int make_room(struct vw_world *world, unsigned ifindex)
{
	size_t first = vw_learnt_first(world, ifindex, &(struct vw_addr){0}), n, victim = SIZE_MAX;

	for (n = first; n < world->learnt.n && world->learnt.v[n].ifindex == ifindex; n++) {
		const struct vw_learnt *l = &world->learnt.v[n];

		if (l->lapsed &&
		    (victim == SIZE_MAX || l->until_ms < world->learnt.v[victim].until_ms))
			victim = n;
	}
	if (n - first < VW_LEARNT_WALL_MAX)
		return 0;
	if (victim == SIZE_MAX)
		return -ENOSPC;
	learnt_remove(world, victim, 1);
	return 0;
}

static int learnt_insert(struct vw_world *world, const struct vw_learnt *l)
{
	struct vw_learnt n = *l;
	size_t pos;
	int r = make_room(world, l->ifindex);

	if (!r)
		r = vw_text_copy(l->name, &n.name);
	if (r < 0)
		return r;
	r = vw_vec_push(&world->learnt, n, VW_LEARNT_MAX);
	if (r < 0) {
		free(n.name);
		return r;
	}
	world->learnt.n--; /* not yet where it belongs */
	pos = learnt_pos(world, n.ifindex, &n.addr, n.name);
	memmove(world->learnt.v + pos + 1, world->learnt.v + pos,
		(world->learnt.n - pos) * sizeof(n));
	world->learnt.v[pos] = n;
	world->learnt.n++;
	return 0;
}

int vw_learnt_put(struct vw_world *world, const struct vw_learnt *l, bool *ret_news)
{
	size_t pos = learnt_pos(world, l->ifindex, &l->addr, l->name);
	struct vw_learnt *have = world->learnt.v + pos;
	bool news = true;
	int r;

	if (pos < world->learnt.n && !learnt_cmp(have, l->ifindex, &l->addr, l->name)) {
		news = have->lapsed && !l->lapsed;
		if (news || (have->lapsed == l->lapsed && have->until_ms < l->until_ms))
			have->until_ms = l->until_ms;
		have->lapsed &= l->lapsed;
	} else {
		r = learnt_insert(world, l);
		if (r < 0)
			return r;
	}
	*ret_news = news;
	return 0;
}

bool vw_learnt_expire(struct vw_world *world, int64_t now_ms, int64_t keep_ms, int64_t *ret_next)
{
	int64_t next = INT64_MAX;
	size_t keep = 0;
	bool changed = false;

	for (size_t i = 0; i < world->learnt.n; i++) {
		struct vw_learnt *l = &world->learnt.v[i];

		if (l->until_ms <= now_ms && !l->lapsed) {
			l->lapsed = changed = true;
			l->until_ms = now_ms + keep_ms;
		} else if (l->until_ms <= now_ms) {
			free(l->name);
			changed = true;
			continue;
		}
		if (l->until_ms < next)
			next = l->until_ms;
		world->learnt.v[keep++] = *l;
	}
	world->learnt.n = keep;
	*ret_next = next;
	return changed;
}

bool vw_learnt_forget(struct vw_world *world, unsigned ifindex)
{
	size_t first = vw_learnt_first(world, ifindex, &(struct vw_addr){0}), n = first;

	while (n < world->learnt.n && world->learnt.v[n].ifindex == ifindex)
		n++;
	if (n == first)
		return false;
	learnt_remove(world, first, n - first);
	return true;
}

bool vw_learnt_fits(const struct vw_world *world, unsigned ifindex, const struct vw_addr *a,
		    const char *pattern, bool lapsed_too)
{
	for (size_t i = vw_learnt_first(world, ifindex, a); i < world->learnt.n; i++) {
		const struct vw_learnt *l = &world->learnt.v[i];

		if (l->ifindex != ifindex || !vw_addr_eq(&l->addr, a))
			return false;
		if ((lapsed_too || !l->lapsed) && vw_fqdn_fits(pattern, l->name))
			return true;
	}
	return false;
}

void vw_learnt_done(struct vw_world *world)
{
	vw_vec_foreach (l, &world->learnt)
		free(l->name);
	vw_vec_done(&world->learnt);
}

int vw_learnt_copy(const struct vw_world *from, struct vw_world *ret)
{
	vw_vec_foreach (l, &from->learnt) {
		bool news;
		int r = vw_learnt_put(ret, l, &news);

		if (r < 0)
			return r;
	}
	return 0;
}
