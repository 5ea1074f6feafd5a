/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ends that are no workload's: addresses of the node, ports that containers publish there, and the
 * rest of the address space, in the pieces that either side tells apart. A piece in which every
 * address is a workload's or the node's is kept, so that the pieces beside it can be told as one
 * prefix, but no packet comes from there. */
#include "core/conn_places.h"

#include <arpa/inet.h>

#include "vethwall/cleanup.h"

/* ---- published ports ---- */

static const struct vw_iface *first_with(const struct vw_workload *w, uint8_t family,
					 const struct vw_addr **ret)
{
	vw_vec_foreach (i, &w->ifaces)
		vw_vec_foreach (a, &i->ips)
			if (a->family == family) {
				*ret = a;
				return i;
			}
	return NULL;
}

/* Which sides see the container behind host:port (identity.c tells when they do not). */
static bool is_pub(const struct conn_tables *t, const struct conn_pub *p, uint32_t *ret_mark)
{
	bool v4 = p->host.family == 4;
	size_t n = vw_addr_len(&p->host);
	uint8_t key[VW_KEY_MAX] = {0};
	uint16_t be = htons((uint16_t)p->pos);

	memcpy(key, p->host.b, n);
	key[n] = (uint8_t)(p->pos >> 16);
	memcpy(key + n + 4, &be, 2);
	return vw_map_find(v4 ? &t->c->pub4 : &t->c->pub6, key, ret_mark);
}

static int add_pub(struct conn_ends *e, const struct vw_workload *w, const struct vw_published *p,
		   const struct vw_addr *host)
{
	struct conn_pub pub = {.host = *host,
			       .pos = (uint32_t)p->proto << 16 | p->host_port,
			       .port = p->container_port};
	const struct vw_addr *a = NULL;
	const struct vw_iface *i = first_with(w, host->family, &a);
	uint32_t mark;

	if (!i)
		i = first_with(w, host->family == 4 ? 6 : 4, &a);
	if (!i || (!is_pub(&e->tables[0], &pub, &mark) && !is_pub(&e->tables[1], &pub, &mark)))
		return 0;
	pub.behind = (struct vw_end){w, i, *a};
	return vw_vec_push(&e->pubs, pub, CONN_MAX);
}

static int by_pub(const void *pa, const void *pb)
{
	const struct conn_pub *a = pa, *b = pb;
	int r = vw_addr_cmp(&a->host, &b->host);

	if (r)
		return r;
	return a->pos < b->pos ? -1 : a->pos > b->pos;
}

/* Of several containers (which nothing tells apart) the first of the world. */
static int by_pub_behind(const void *pa, const void *pb)
{
	const struct conn_pub *a = pa, *b = pb;
	int r = by_pub(a, b);

	return r ? r
		 : (a->behind.workload > b->behind.workload) -
			       (a->behind.workload < b->behind.workload);
}

int conn_pubs_find(struct conn_ends *e)
{
	size_t keep = 0;
	int r = 0;

	vw_vec_foreach (w, &e->world->workloads)
		vw_vec_foreach (p, &w->published) {
			if (!r && p->host_addr.family)
				r = add_pub(e, w, p, &p->host_addr);
			if (p->host_addr.family)
				continue;
			vw_vec_foreach (h, &e->world->host)
				if (!r)
					r = add_pub(e, w, p, h);
		}
	if (r || !e->pubs.n)
		return r;
	qsort(e->pubs.v, e->pubs.n, sizeof(*e->pubs.v), by_pub_behind);
	for (size_t i = 0; i < e->pubs.n; i++)
		if (!i || by_pub(&e->pubs.v[i], &e->pubs.v[keep - 1]))
			e->pubs.v[keep++] = e->pubs.v[i];
	e->pubs.n = keep;
	return 0;
}

/* The first at the address or behind it. */
static size_t pubs_at(const struct conn_ends *e, const struct vw_addr *a)
{
	struct conn_pub key = {.host = *a};
	size_t lo = 0, hi = e->pubs.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (by_pub(&e->pubs.v[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int conn_ports_at(struct conn_ends *e, const struct vw_addr *a, uint32_t *ret)
{
	VW_VEC(uint32_t) v = {0};
	int r = 0;

	if (!e->ports.list.n)
		r = conn_list(&e->ports, NULL, 0, ret);
	for (size_t i = pubs_at(e, a); i < e->pubs.n && vw_addr_eq(&e->pubs.v[i].host, a) && !r;
	     i++)
		r = vw_vec_push(&v, e->pubs.v[i].pos, CONN_MAX);
	if (!r)
		r = conn_list(&e->ports, v.v, v.n, ret);
	vw_vec_done(&v);
	return r;
}

/* ---- the node ---- */

static int add_host(struct conn_ends *e, struct vw_connectivity *c, const struct vw_addr *a)
{
	struct conn_kind k = {.what = CONN_HOST, .family = a->family};
	struct vw_end end = {.addr = *a};
	struct conn_end n = {
		.first = *a, .last = *a, .owner = vw_world_by_addr(e->world, a, NULL, NULL)};
	int r = conn_point(e, a, &k.point);

	if (!r)
		r = conn_ports_at(e, a, &k.ports);
	if (!r)
		r = conn_kind(e, &k, &n.kind);
	return r ? r : conn_end(e, c, &end, &n);
}

/* ---- the outside ---- */

struct cuts {
	VW_VEC(struct vw_addr) list;
};

static int cut(struct cuts *c, const struct vw_addr *first, const struct vw_addr *last)
{
	struct vw_addr next;
	int r = vw_vec_push(&c->list, *first, CONN_MAX);

	if (!r && vw_addr_next(last, &next))
		r = vw_vec_push(&c->list, next, CONN_MAX);
	return r;
}

static int cut_net(struct cuts *c, const struct vw_set *net, uint8_t family)
{
	struct vw_addr first = {.family = family}, last = first;
	struct vw_elem el;
	int r = 0;

	for (size_t i = 0; i < net->elems.n && !r; i++) {
		vw_elem_get(net, i, &el);
		memcpy(first.b, el.key, vw_addr_len(&first));
		memcpy(last.b, el.key_end, vw_addr_len(&last));
		r = cut(c, &first, &last);
	}
	return r;
}

static int by_addr(const void *a, const void *b)
{
	return vw_addr_cmp(a, b);
}

static int find_cuts(const struct conn_ends *e, struct cuts *c)
{
	size_t keep = 0;
	int r = vw_vec_push(&c->list, (struct vw_addr){.family = 4}, CONN_MAX);

	if (!r)
		r = vw_vec_push(&c->list, (struct vw_addr){.family = 6}, CONN_MAX);
	for (int s = 0; s < 2 && !r; s++) {
		r = cut_net(c, &e->side[s]->compiled->net4, 4);
		if (!r)
			r = cut_net(c, &e->side[s]->compiled->net6, 6);
	}
	vw_vec_foreach (p, &e->pubs)
		if (!r)
			r = cut(c, &p->host, &p->host);
	if (r)
		return r;
	qsort(c->list.v, c->list.n, sizeof(*c->list.v), by_addr);
	for (size_t i = 0; i < c->list.n; i++)
		if (!i || vw_addr_cmp(&c->list.v[i], &c->list.v[keep - 1]))
			c->list.v[keep++] = c->list.v[i];
	c->list.n = keep;
	return 0;
}

static bool has(const struct vw_set *map, const struct vw_addr *a)
{
	uint32_t id;

	return vw_map_find(map, a->b, &id);
}

bool conn_outsider(const struct conn_ends *e, const struct conn_end *p, unsigned ifindex,
		   struct vw_addr *ret)
{
	const struct vw_compiled *c = e->side[0]->compiled;
	const struct vw_wall *w[2] = {0};
	struct vw_addr a = p->first;
	int v6 = a.family == 6;

	for (int s = 0; s < 2 && ifindex; s++)
		w[s] = vw_compiled_wall(e->side[s]->compiled, ifindex);
	while (has(v6 ? &c->id6 : &c->id4, &a) || (w[0] && has(&w[0]->learnt[v6], &a)) ||
	       (w[1] && has(&w[1]->learnt[v6], &a)))
		if (vw_addr_eq(&a, &p->last) || !vw_addr_next(&a, &a))
			return false;
	*ret = a;
	return true;
}

static struct vw_addr before_addr(struct vw_addr a)
{
	for (int i = (int)vw_addr_len(&a) - 1; i >= 0; i--)
		if (a.b[i]-- != 0)
			break;
	return a;
}

static int add_piece(struct conn_ends *e, struct vw_connectivity *c, struct conn_end *n)
{
	struct conn_kind k = {.what = CONN_OUTSIDE, .family = n->first.family};
	struct vw_end end = {.addr = n->first};
	int r = 0;

	n->kind = CONN_NONE;
	if (conn_outsider(e, n, 0, &end.addr)) {
		r = conn_point(e, &end.addr, &k.point);
		if (!r)
			r = conn_ports_at(e, &end.addr, &k.ports);
		if (!r)
			r = conn_kind(e, &k, &n->kind);
	}
	return r ? r : conn_end(e, c, &end, n);
}

static int add_outside(struct conn_ends *e, struct vw_connectivity *c)
{
	struct cuts cuts = {0};
	int r = find_cuts(e, &cuts);

	for (size_t i = 0; i < cuts.list.n && !r; i++) {
		struct conn_end n = {.first = cuts.list.v[i]};
		struct vw_prefix all = {.addr.family = n.first.family};
		bool more = i + 1 < cuts.list.n && cuts.list.v[i + 1].family == n.first.family;

		n.last = more ? before_addr(cuts.list.v[i + 1]) : vw_prefix_last(&all);
		r = add_piece(e, c, &n);
	}
	vw_vec_done(&cuts.list);
	return r;
}

/* ---- what is published, as ends ---- */

/* The place in first..end that begins with the address; they are sorted. */
static uint32_t find_place(const struct conn_ends *e, uint32_t first, size_t end,
			   const struct vw_addr *a)
{
	size_t lo = first, hi = end;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (vw_addr_cmp(&e->list.v[mid].first, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < end && vw_addr_eq(&e->list.v[lo].first, a) ? (uint32_t)lo : CONN_NONE;
}

/* Where the address is among the places: the node's, or a piece of its own (published addresses are
 * cut out). */
static uint32_t place_of(const struct conn_ends *e, const struct vw_addr *a)
{
	uint32_t at = find_place(e, e->first_place, e->first_outside, a);

	return at != CONN_NONE ? at : find_place(e, e->first_outside, e->list.n, a);
}

static int pub_kind(struct conn_ends *e, const struct conn_pub *p, uint32_t place)
{
	struct conn_kind k = {.what = CONN_PUBLISHED,
			      .family = p->host.family,
			      .pos = p->pos,
			      .place = place,
			      .behind = p->behind,
			      .behind_port = p->port};
	uint32_t id[2], unused;
	int r;

	k.own[0] = conn_workload(e, p->behind.workload);
	k.own[1] = conn_workload(e, e->list.v[place].owner);
	for (int s = 0; s < 2; s++) {
		k.pub[s] = is_pub(&e->tables[s], p, &id[s]);
		id[s] = k.pub[s] ? conn_mark(&e->tables[s], id[s])
				 : conn_id_of(&e->tables[s], &p->host);
	}
	r = conn_duo(&e->points, id[0], id[1], &k.point);
	return r ? r : conn_kind(e, &k, &unused);
}

static int add_pubs(struct conn_ends *e)
{
	uint32_t place = CONN_NONE;
	int r = 0;

	for (size_t i = 0; i < e->pubs.n && !r; i++) {
		if (!i || !vw_addr_eq(&e->pubs.v[i].host, &e->pubs.v[i - 1].host))
			place = place_of(e, &e->pubs.v[i].host);
		if (place != CONN_NONE)
			r = pub_kind(e, &e->pubs.v[i], place);
	}
	return r;
}

int conn_places_add(struct conn_ends *e, struct vw_connectivity *c)
{
	int r = 0;

	e->first_place = (uint32_t)e->list.n;
	vw_vec_foreach (a, &e->world->host)
		if (!r)
			r = add_host(e, c, a);
	e->first_outside = (uint32_t)e->list.n;
	if (!r)
		r = add_outside(e, c);
	return r ? r : add_pubs(e);
}
