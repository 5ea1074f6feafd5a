/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the identity table. Workload and node addresses are looked at one by one; the rest of the
 * address space is cut at the borders of every CIDR that a policy names, and each piece is looked
 * at once. */
#include "core/identity.h"
#include "core/peer.h"
#include "vethwall/cleanup.h"
#include "vethwall/ruleset.h"

struct key_buf {
	char *s;
	size_t len, cap;
};

static int peer_hash(const struct vw_peer *p, struct key_buf *k, uint64_t *ret)
{
	int r;

	k->len = 0;
	r = vw_peer_key(p, &k->s, &k->len, &k->cap);
	if (!r)
		*ret = vw_hash(k->s, k->len, 1);
	return r;
}

uint32_t id_pred(const struct id_table *t, const struct vw_peer *p)
{
	struct key_buf k = {0};
	uint64_t h;

	if (!t->n_slots || peer_hash(p, &k, &h)) {
		free(k.s);
		return UINT32_MAX;
	}
	free(k.s);
	for (size_t i = h & (t->n_slots - 1);; i = (i + 1) & (t->n_slots - 1)) {
		uint32_t at = t->slots[i];

		if (at == UINT32_MAX || t->pred_hash.v[at] == h)
			return at;
	}
}

/* Two texts of one 64-bit hash would be taken for one predicate; policies come from the operator,
 * not from an attacker who could search for such a pair. */
static int collect_peer(struct id_table *t, const struct vw_peer *p, struct key_buf *k)
{
	uint64_t h;
	size_t i;
	int r = peer_hash(p, k, &h);

	if (r)
		return r;
	for (i = h & (t->n_slots - 1); t->slots[i] != UINT32_MAX; i = (i + 1) & (t->n_slots - 1))
		if (t->pred_hash.v[t->slots[i]] == h)
			return 0;
	r = vw_vec_push(&t->preds, p, ID_MAX);
	if (!r)
		r = vw_vec_push(&t->pred_hash, h, ID_MAX);
	if (!r)
		r = vw_vec_push(&t->postings, (struct id_list){0}, ID_MAX);
	if (!r)
		t->slots[i] = t->preds.n - 1;
	return r;
}

static int collect(struct id_table *t, const struct vw_policyset *set)
{
	struct key_buf k = {0};
	size_t n = 0;
	int r = 0;

	vw_vec_foreach (p, &set->list)
		for (int d = 0; d < _VW_DIRECTION_MAX; d++)
			vw_vec_foreach (rule, &p->rules[d])
				n += rule->peers.n;
	for (t->n_slots = 16; t->n_slots < n * 2; t->n_slots *= 2)
		;
	t->slots = malloc(t->n_slots * sizeof(*t->slots));
	if (!t->slots)
		return -ENOMEM;
	memset(t->slots, 0xff, t->n_slots * sizeof(*t->slots));
	vw_vec_foreach (p, &set->list)
		for (int d = 0; d < _VW_DIRECTION_MAX; d++)
			vw_vec_foreach (rule, &p->rules[d])
				vw_vec_foreach (peer, &rule->peers)
					if (!r)
						r = collect_peer(t, peer, &k);
	free(k.s);
	return r;
}

/* The names that egress rules use for ports: a workload's numbers for them are part of its
 * identity. */
struct names {
	VW_VEC(const struct vw_port *) list;
};

static int by_name(const void *pa, const void *pb)
{
	const struct vw_port *a = *(const struct vw_port *const *)pa;
	const struct vw_port *b = *(const struct vw_port *const *)pb;
	int c = strcmp(a->name, b->name);

	return c ? c : (int)a->proto - b->proto;
}

static int collect_names(const struct vw_policyset *set, struct names *ret)
{
	size_t keep = 0;
	int r = 0;

	vw_vec_foreach (p, &set->list)
		vw_vec_foreach (rule, &p->rules[VW_EGRESS])
			vw_vec_foreach (port, &rule->ports)
				if (!r && port->name)
					r = vw_vec_push(&ret->list, (const struct vw_port *)port,
							ID_MAX);
	if (r || !ret->list.n)
		return r;
	qsort(ret->list.v, ret->list.n, sizeof(*ret->list.v), by_name);
	for (size_t i = 0; i < ret->list.n; i++)
		if (!i || by_name(&ret->list.v[i], &ret->list.v[keep - 1]))
			ret->list.v[keep++] = ret->list.v[i];
	ret->list.n = keep;
	return 0;
}

static uint64_t names_sig(const struct names *names, const struct vw_workload *w, bool *ret_named)
{
	uint64_t sig = 0;

	vw_vec_foreach (port, &names->list)
		vw_vec_foreach (np, &w->ports)
			if (np->proto == (*port)->proto && !strcmp(np->name, (*port)->name)) {
				uint64_t h = vw_hash(np->name, strlen(np->name), np->proto);

				sig += vw_hash(&np->port, sizeof(np->port), h);
				*ret_named = true;
			}
	return sig;
}

struct builder {
	struct id_table *t;
	const struct vw_world *world;
	struct names names;
	struct match_index index; /* MATCH predicates */
	struct id_list plain; /* CIDR and entity predicates */
	struct id_list hits; /* of the end being looked at */
	const struct vw_known_end *end;
	/* identity by sig: open addressing */
	uint32_t *slots;
	size_t n_slots;
};

static int try_pred(uint32_t i, void *arg)
{
	struct builder *b = arg;

	if (!vw_known_end_fits(b->t->preds.v[i], b->world, b->end))
		return 0;
	return vw_vec_push(&b->hits.list, i, ID_MAX);
}

static int by_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int grow_slots(struct builder *b)
{
	size_t n = b->n_slots ? b->n_slots * 2 : 1024;
	uint32_t *s;

	if (b->t->ids.n * 2 < b->n_slots)
		return 0;
	s = malloc(n * sizeof(*s));
	if (!s)
		return -ENOMEM;
	memset(s, 0xff, n * sizeof(*s));
	for (uint32_t i = 0; i < b->t->ids.n; i++) {
		size_t at = b->t->ids.v[i].sig & (n - 1);

		while (s[at] != UINT32_MAX)
			at = (at + 1) & (n - 1);
		s[at] = i;
	}
	free(b->slots);
	b->slots = s;
	b->n_slots = n;
	return 0;
}

/* The identity with that signature, made from the hits if there is none. */
static int intern(struct builder *b, uint64_t sig, bool named, uint32_t *ret)
{
	struct identity id = {.sig = sig, .w = b->end->end.workload, .named = named};
	size_t at;
	int r = grow_slots(b);

	if (r)
		return r;
	for (at = sig & (b->n_slots - 1); b->slots[at] != UINT32_MAX;
	     at = (at + 1) & (b->n_slots - 1))
		if (b->t->ids.v[b->slots[at]].sig == sig) {
			*ret = b->slots[at];
			return 0;
		}
	id.preds = b->hits;
	r = vw_vec_push(&b->t->ids, id, ID_MAX);
	if (r)
		return r;
	b->hits = (struct id_list){0};
	*ret = b->slots[at] = b->t->ids.n - 1;
	return 0;
}

/* Which predicates fit this end, and the identity that makes. */
static int identify(struct builder *b, const struct vw_known_end *end, uint32_t *ret)
{
	const struct vw_workload *w = end->end.workload;
	uint64_t sig = 0x9e3779b97f4a7c15u;
	bool named = false;
	int r = 0;

	b->hits.list.n = 0;
	b->end = end;
	vw_vec_foreach (i, &b->plain.list)
		if (!r)
			r = try_pred(*i, b);
	if (!r && w)
		r = match_index_each(&b->index, w, try_pred, b);
	if (r)
		return r;
	if (b->hits.list.n)
		qsort(b->hits.list.v, b->hits.list.n, sizeof(uint32_t), by_u32);
	vw_vec_foreach (i, &b->hits.list)
		sig += b->t->pred_hash.v[*i] * 0xff51afd7ed558ccdu;
	if (w)
		sig += names_sig(&b->names, w, &named);
	return intern(b, sig, named, ret);
}

/* Whose it is, the address alone decides: two interfaces may have it, or the node as well. */
static int add_exact(struct builder *b, const struct vw_addr *a)
{
	struct vw_end end = {.addr = *a};
	struct vw_known_end known = vw_end_resolve(b->world, &end);
	struct id_exact e = {.addr = *a};
	int r = identify(b, &known, &e.id);

	return r ? r : vw_vec_push(&b->t->exact, e, ID_MAX);
}

static int by_addr(const void *a, const void *b)
{
	return vw_addr_cmp(&((const struct id_exact *)a)->addr,
			   &((const struct id_exact *)b)->addr);
}

static int add_exacts(struct builder *b)
{
	size_t keep = 0;
	int r = 0;

	vw_vec_foreach (o, &b->world->owners)
		if (!r)
			r = add_exact(b, &o->addr);
	vw_vec_foreach (a, &b->world->host)
		if (!r)
			r = add_exact(b, a);
	if (r || !b->t->exact.n)
		return r;
	qsort(b->t->exact.v, b->t->exact.n, sizeof(*b->t->exact.v), by_addr);
	for (size_t i = 0; i < b->t->exact.n; i++)
		if (!i || by_addr(&b->t->exact.v[i], &b->t->exact.v[keep - 1]))
			b->t->exact.v[keep++] = b->t->exact.v[i];
	b->t->exact.n = keep;
	return 0;
}

/* --- the rest of the address space --- */

struct cuts {
	VW_VEC(struct vw_addr) list;
};

static int cut_at(struct cuts *c, const struct vw_prefix *p)
{
	struct vw_addr last = vw_prefix_last(p), next;
	int r = vw_vec_push(&c->list, p->addr, ID_MAX);

	if (!r && vw_addr_next(&last, &next))
		r = vw_vec_push(&c->list, next, ID_MAX);
	return r;
}

static int cut_addr(struct cuts *c, const struct vw_addr *a)
{
	struct vw_prefix p = {.addr = *a, .len = a->family == 4 ? 32 : 128};

	return cut_at(c, &p);
}

static int cut_entity(struct cuts *c, const struct vw_world *world, enum vw_entity e)
{
	struct vw_addr a;
	int r = 0;

	if (e == VW_ENTITY_DNS)
		vw_vec_foreach (dns, &world->dns)
			if (!r)
				r = cut_addr(c, dns);
	if (e == VW_ENTITY_METADATA) {
		if (!vw_addr_parse("169.254.169.254", &a))
			r = cut_addr(c, &a);
		if (!r && !vw_addr_parse("fd00:ec2::254", &a))
			r = cut_addr(c, &a);
	}
	return r;
}

static int cut_addr_cmp(const void *a, const void *b)
{
	return vw_addr_cmp(a, b);
}

static int find_cuts(struct builder *b, struct cuts *c)
{
	size_t keep = 0;
	int r = vw_vec_push(&c->list, (struct vw_addr){.family = 4}, ID_MAX);

	if (!r)
		r = vw_vec_push(&c->list, (struct vw_addr){.family = 6}, ID_MAX);
	vw_vec_foreach (i, &b->plain.list) {
		const struct vw_peer *p = b->t->preds.v[*i];

		if (!r && p->kind == VW_PEER_ENTITY)
			r = cut_entity(c, b->world, p->entity);
		if (!r && p->kind == VW_PEER_CIDR)
			r = cut_at(c, &p->cidr);
		if (p->kind == VW_PEER_CIDR)
			vw_vec_foreach (e, &p->except)
				if (!r)
					r = cut_at(c, e);
	}
	if (r)
		return r;
	qsort(c->list.v, c->list.n, sizeof(*c->list.v), cut_addr_cmp);
	for (size_t i = 0; i < c->list.n; i++)
		if (!i || vw_addr_cmp(&c->list.v[i], &c->list.v[keep - 1]))
			c->list.v[keep++] = c->list.v[i];
	c->list.n = keep;
	return 0;
}

static struct vw_addr prev_addr(struct vw_addr a)
{
	for (int i = (int)vw_addr_len(&a) - 1; i >= 0; i--)
		if (a.b[i]-- != 0)
			break;
	return a;
}

static struct vw_addr last_addr(uint8_t family)
{
	struct vw_prefix all = {.addr.family = family};

	return vw_prefix_last(&all);
}

/* The identity that most pieces of a family have becomes its base and needs no range. */
static uint32_t most_common(const struct id_table *t, uint8_t family, uint32_t *count)
{
	uint32_t best = UINT32_MAX;

	memset(count, 0, t->ids.n * sizeof(*count));
	vw_vec_foreach (r, &t->ranges)
		if (r->first.family == family) {
			count[r->id]++;
			if (best == UINT32_MAX || count[r->id] > count[best])
				best = r->id;
		}
	return best;
}

static int drop_base(struct id_table *t)
{
	_cleanup_free_ uint32_t *count = calloc(t->ids.n + 1, sizeof(*count));
	size_t keep = 0;

	if (!count)
		return -ENOMEM;
	t->base4 = most_common(t, 4, count);
	t->base6 = most_common(t, 6, count);
	for (size_t i = 0; i < t->ranges.n; i++) {
		struct id_range *r = &t->ranges.v[i];

		if (r->id != (r->first.family == 4 ? t->base4 : t->base6))
			t->ranges.v[keep++] = *r;
	}
	t->ranges.n = keep;
	return 0;
}

static int add_range(struct id_table *t, const struct id_range *n)
{
	struct id_range *last = t->ranges.n ? &t->ranges.v[t->ranges.n - 1] : NULL;

	if (last && last->id == n->id && last->first.family == n->first.family) {
		last->last = n->last;
		return 0;
	}
	return vw_vec_push(&t->ranges, *n, ID_MAX);
}

/* An address of the piece that is neither a workload's nor the node's: those have identities of
 * their own. Where there is none the piece is never looked up. */
static struct vw_addr outsider(const struct id_table *t, struct vw_addr a,
			       const struct vw_addr *last)
{
	struct id_exact key = {.addr = a};

	while (t->exact.n && vw_addr_cmp(&key.addr, last) < 0 &&
	       bsearch(&key, t->exact.v, t->exact.n, sizeof(key), by_addr))
		(void)vw_addr_next(&key.addr, &key.addr);
	return key.addr;
}

static int add_ranges(struct builder *b)
{
	struct cuts c = {0};
	int r = find_cuts(b, &c);

	for (size_t i = 0; !r && i < c.list.n; i++) {
		struct vw_known_end end = {.ambiguous = false};
		struct id_range n = {.first = c.list.v[i]};
		bool more = i + 1 < c.list.n && c.list.v[i + 1].family == n.first.family;

		n.last = more ? prev_addr(c.list.v[i + 1]) : last_addr(n.first.family);
		end.end.addr = outsider(b->t, n.first, &n.last);
		r = identify(b, &end, &n.id);
		if (!r)
			r = add_range(b->t, &n);
	}
	vw_vec_done(&c.list);
	return r ? r : drop_base(b->t);
}

/* --- addresses behind names --- */

static bool has_fqdn(const struct id_table *t)
{
	vw_vec_foreach (p, &t->preds)
		if ((*p)->kind == VW_PEER_FQDN)
			return true;
	return false;
}

/* All entries of one wall and address are one learnt address. */
static int add_learnt(struct builder *b, const struct vw_learnt *l, bool in_force)
{
	struct vw_end end = {.addr = l->addr};
	struct vw_known_end known = vw_end_resolve(b->world, &end);
	struct id_learnt e = {.ifindex = l->ifindex, .addr = l->addr, .id = UINT32_MAX};
	int r = 0;

	known.asker = l->ifindex;
	if (in_force)
		r = identify(b, &known, &e.id);
	known.lapsed_too = true;
	if (!r)
		r = identify(b, &known, &e.recalled);
	return r ? r : vw_vec_push(&b->t->learnt, e, VW_LEARNT_MAX);
}

static int add_learnts(struct builder *b)
{
	const struct vw_learnt *v = b->world->learnt.v;
	size_t n = b->world->learnt.n;
	int r = 0;

	if (!n || !has_fqdn(b->t))
		return 0;
	for (size_t i = 0, j; i < n && !r; i = j) {
		bool in_force = false;

		for (j = i;
		     j < n && v[j].ifindex == v[i].ifindex && vw_addr_eq(&v[j].addr, &v[i].addr);
		     j++)
			in_force |= !v[j].lapsed;
		if (vw_learnt_openable(b->world, &v[i].addr))
			r = add_learnt(b, &v[i], in_force);
	}
	return r;
}

/* --- published ports --- */

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

static int add_pub(struct builder *b, const struct vw_workload *w, const struct vw_published *p,
		   const struct vw_addr *host)
{
	struct id_pub pub = {.host = *host,
			     .proto = p->proto,
			     .host_port = p->host_port,
			     .port = p->container_port};
	const struct vw_addr *a = NULL;
	const struct vw_iface *i = first_with(w, host->family, &a);
	struct vw_known_end known;
	struct vw_end end;
	int r;

	/* an IPv6 host address may lead to a container that has only IPv4 (docker-proxy) */
	if (!i)
		i = first_with(w, host->family == 4 ? 6 : 4, &a);
	if (!i)
		return 0;
	end = (struct vw_end){.workload = w, .iface = i, .addr = *a};
	known = vw_end_resolve(b->world, &end);
	r = identify(b, &known, &pub.target);
	return r ? r : vw_vec_push(&b->t->pubs, pub, ID_MAX);
}

static int by_place(const void *pa, const void *pb)
{
	const struct id_pub *a = pa, *b = pb;
	int c = vw_addr_cmp(&a->host, &b->host);

	if (c || a->proto != b->proto)
		return c ? c : (int)a->proto - b->proto;
	return (int)a->host_port - b->host_port;
}

static bool same_behind(const struct id_pub *a, const struct id_pub *b)
{
	return a->target == b->target && a->port == b->port;
}

/* One host port of two containers that differ: neither is trusted to be meant, so it counts as the
 * node's own. Tells how many went. */
static size_t drop_rivals(struct id_table *t)
{
	size_t keep = 0, dropped = 0;

	if (t->pubs.n)
		qsort(t->pubs.v, t->pubs.n, sizeof(*t->pubs.v), by_place);
	for (size_t i = 0, j; i < t->pubs.n; i = j) {
		bool rivals = false;

		for (j = i + 1; j < t->pubs.n && !by_place(&t->pubs.v[i], &t->pubs.v[j]); j++)
			rivals |= !same_behind(&t->pubs.v[i], &t->pubs.v[j]);
		if (!rivals)
			t->pubs.v[keep++] = t->pubs.v[i];
		dropped += rivals;
	}
	t->pubs.n = keep;
	return dropped;
}

static int add_pubs(struct builder *b, struct vw_diag *d)
{
	int r = 0;

	vw_vec_foreach (w, &b->world->workloads)
		vw_vec_foreach (p, &w->published) {
			if (!r && p->host_addr.family)
				r = add_pub(b, w, p, &p->host_addr);
			if (p->host_addr.family)
				continue;
			vw_vec_foreach (h, &b->world->host)
				if (!r)
					r = add_pub(b, w, p, h);
		}
	if (!r && drop_rivals(b->t))
		vw_diag_add(d, VW_WARNING, NULL, "published-twice",
			    "a host port is published by two containers; traffic to it is judged "
			    "as to the "
			    "host");
	return r;
}

static int index_preds(struct builder *b)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < b->t->preds.n; i++) {
		const struct vw_peer *p = b->t->preds.v[i];

		r = p->kind == VW_PEER_MATCH ? match_index_add(&b->index, &p->match, i)
					     : vw_vec_push(&b->plain.list, i, ID_MAX);
	}
	match_index_sort(&b->index);
	return r;
}

int id_table_build(const struct vw_policyset *set, const struct vw_world *world,
		   struct id_table *ret, struct vw_diag *d)
{
	struct id_table t = {0};
	struct builder b = {.t = &t, .world = world};
	int r = collect(&t, set);

	if (!r)
		r = collect_names(set, &b.names);
	if (!r)
		r = index_preds(&b);
	if (!r)
		r = add_exacts(&b);
	if (!r)
		r = add_ranges(&b);
	if (!r)
		r = add_learnts(&b);
	if (!r)
		r = add_pubs(&b, d);
	if (!r)
		r = id_table_number(&t);
	if (!r)
		r = id_table_post(&t);
	vw_vec_done(&b.names.list);
	vw_vec_done(&b.index.list);
	vw_vec_done(&b.plain.list);
	vw_vec_done(&b.hits.list);
	free(b.slots);
	if (r == -ENOSPC)
		r = -E2BIG; /* a vector at its bound */
	if (r) {
		vw_error(d, NULL, "cannot tell peers apart: %s", strerror(-r));
		id_table_done(&t);
		return r;
	}
	*ret = t;
	return 0;
}

void id_table_done(struct id_table *t)
{
	vw_vec_foreach (i, &t->ids)
		vw_vec_done(&i->preds.list);
	vw_vec_foreach (p, &t->postings)
		vw_vec_done(&p->list);
	vw_vec_done(&t->preds);
	vw_vec_done(&t->pred_hash);
	vw_vec_done(&t->postings);
	vw_vec_done(&t->ids);
	vw_vec_done(&t->exact);
	vw_vec_done(&t->ranges);
	vw_vec_done(&t->pubs);
	vw_vec_done(&t->learnt);
	free(t->slots);
	*t = (struct id_table){0};
}
