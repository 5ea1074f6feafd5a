/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who there is in a world, under two sets of policies: addresses of workloads and of the node, and
 * the rest of the address space, cut at the borders of both compiled maps. Ends that neither side
 * tells apart become one kind. */
#include "core/conn_places.h"

#include <stdio.h>

#include "vethwall/cleanup.h"

/* ---- services ---- */

static int by_service_name(const void *pa, const void *pb, void *arg)
{
	const struct vw_workload *v = arg;
	const struct vw_workload *a = &v[*(const uint32_t *)pa], *b = &v[*(const uint32_t *)pb];
	char ta[2 * VW_NAME_MAX + 2], tb[2 * VW_NAME_MAX + 2];
	int r = strcmp(a->namespace_, b->namespace_);

	/* "a/x" and "a-b/x" in the order of the texts */
	if (r) {
		snprintf(ta, sizeof(ta), "%s/%s", a->namespace_, a->service);
		snprintf(tb, sizeof(tb), "%s/%s", b->namespace_, b->service);
		return strcmp(ta, tb) ? strcmp(ta, tb) : r;
	}
	return strcmp(a->service, b->service);
}

static int add_party(struct vw_connectivity *c, const struct vw_workload *w)
{
	struct vw_party p = {.kind = VW_PARTY_SERVICE};
	char text[2 * VW_NAME_MAX + 2];

	snprintf(text, sizeof(text), "%s/%s", w->namespace_, w->service);
	p.name = conn_keep_text(&c->store, text);
	return p.name ? vw_vec_push(&c->parties, p, CONN_MAX) : -ENOMEM;
}

static int find_services(struct conn_ends *e, struct vw_connectivity *c)
{
	const struct vw_workload *v = e->world->workloads.v;
	size_t n = e->world->workloads.n;
	_cleanup_free_ uint32_t *order = malloc((n + 1) * sizeof(*order));
	int r = order ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n && !r; i++) {
		order[i] = i;
		r = vw_vec_push(&e->service, 0, VW_WORKLOADS_MAX);
	}
	if (!r)
		qsort_r(order, n, sizeof(*order), by_service_name, (void *)v);
	for (size_t i = 0; i < n && !r; i++) {
		if (!i || by_service_name(&order[i - 1], &order[i], (void *)v))
			r = add_party(c, &v[order[i]]);
		if (r)
			return r;
		e->service.v[order[i]] = (uint32_t)c->parties.n - 1;
		c->parties.v[c->parties.n - 1].members++;
	}
	return r;
}

/* ---- kinds ---- */

static uint64_t kind_hash(const struct conn_kind *k)
{
	uint32_t v[] = {k->party, k->what,  k->family, k->out, k->in,
			k->point, k->ports, k->names,  k->pos, k->place};

	return vw_hash(v, sizeof(v), 1);
}

static bool same_kind(const struct conn_kind *a, const struct conn_kind *b)
{
	return a->party == b->party && a->what == b->what && a->family == b->family &&
	       a->out == b->out && a->in == b->in && a->point == b->point && a->ports == b->ports &&
	       a->names == b->names && a->pos == b->pos && a->place == b->place;
}

int conn_kind(struct conn_ends *e, const struct conn_kind *k, uint32_t *ret)
{
	uint64_t h = kind_hash(k);
	struct conn_slot *s;
	int r = conn_tab_room(&e->kind_tab);

	if (r)
		return r;
	for (s = conn_tab_seek(&e->kind_tab, h); s->value; s = conn_tab_next(&e->kind_tab, s))
		if (s->hash == h && same_kind(&e->kinds.v[s->value - 1], k)) {
			*ret = s->value - 1;
			return 0;
		}
	r = vw_vec_push(&e->kinds, *k, CONN_MAX);
	if (r)
		return r;
	*ret = (uint32_t)e->kinds.n - 1;
	if (k->what != CONN_PUBLISHED)
		e->kinds.v[*ret].own[0] = e->kinds.v[*ret].own[1] = CONN_NONE;
	conn_tab_put(&e->kind_tab, s, h, *ret);
	return 0;
}

int conn_end(struct conn_ends *e, struct vw_connectivity *c, const struct vw_end *end,
	     struct conn_end *n)
{
	struct vw_end *kept = conn_keep(&c->store, sizeof(*kept));

	if (!kept)
		return -ENOMEM;
	*kept = *end;
	n->end = kept;
	return vw_vec_push(&e->list, *n, CONN_MAX);
}

uint32_t conn_id_of(const struct conn_tables *t, const struct vw_addr *a)
{
	const struct vw_compiled *c = t->c;
	bool v4 = a->family == 4;
	uint32_t id;

	if (!vw_map_find(v4 ? &c->id4 : &c->id6, a->b, &id) &&
	    !vw_map_find(v4 ? &c->net4 : &c->net6, a->b, &id))
		id = v4 ? c->base4 : c->base6;
	return conn_mark(t, id);
}

int conn_point(struct conn_ends *e, const struct vw_addr *a, uint32_t *ret)
{
	return conn_duo(&e->points, conn_id_of(&e->tables[0], a), conn_id_of(&e->tables[1], a),
			ret);
}

/* ---- workloads ---- */

static uint32_t class_of(const struct vw_compiled *c, const struct vw_wall *w,
			 enum vw_direction dir)
{
	const struct vw_class *k;
	const char *name;

	if (!w)
		return CONN_CLASS_OPEN;
	name = dir == VW_EGRESS ? w->out_class : w->in_class;
	if (w->kind == VW_WALL_HOLD)
		return CONN_CLASS_HELD;
	if (!name[0])
		return CONN_CLASS_OPEN;
	k = vw_compiled_class(c, name);
	return k ? (uint32_t)(k - c->classes.v) : CONN_CLASS_HELD;
}

/* What all addresses of an interface have in common. */
static int seat_kind(struct conn_ends *e, const struct vw_iface *i, struct conn_kind *k)
{
	uint32_t class[2][_VW_DIRECTION_MAX];
	int r;

	for (int s = 0; s < 2; s++) {
		const struct vw_compiled *c = e->side[s]->compiled;
		const struct vw_wall *w = i->ifindex ? vw_compiled_wall(c, i->ifindex) : NULL;

		for (int d = 0; d < _VW_DIRECTION_MAX; d++)
			class[s][d] = class_of(c, w, (enum vw_direction)d);
		if (w && (w->learnt[0].elems.n || w->learnt[1].elems.n))
			k->names = i->ifindex;
	}
	r = conn_duo(&e->outs, class[0][VW_EGRESS], class[1][VW_EGRESS], &k -> out);
	return r ? r : conn_duo(&e->ins, class[0][VW_INGRESS], class[1][VW_INGRESS], &k -> in);
}

static int add_seats(struct conn_ends *e, struct vw_connectivity *c, uint32_t workload,
		     const struct vw_iface *i)
{
	const struct vw_workload *w = &e->world->workloads.v[workload];
	struct conn_kind k = {.party = e->service.v[workload], .what = CONN_SEAT};
	int r = seat_kind(e, i, &k);

	vw_vec_foreach (a, &i->ips) {
		struct vw_end end = {w, i, *a};
		struct conn_end n = {.owner = w};

		if (r || !a->family)
			continue;
		k.family = a->family;
		r = conn_point(e, a, &k.point);
		if (!r)
			r = conn_ports_at(e, a, &k.ports);
		if (!r)
			r = conn_kind(e, &k, &n.kind);
		if (!r)
			r = conn_end(e, c, &end, &n);
	}
	return r;
}

static int add_workloads(struct conn_ends *e, struct vw_connectivity *c)
{
	int r = 0;

	for (uint32_t w = 0; w < e->world->workloads.n; w++)
		vw_vec_foreach (i, &e->world->workloads.v[w].ifaces)
			if (!r)
				r = add_seats(e, c, w, i);
	return r;
}

/* ---- all together ---- */

static int by_kind_party(const void *pa, const void *pb, void *arg)
{
	const struct conn_kind *v = arg;
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

	if (v[a].party != v[b].party)
		return v[a].party < v[b].party ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* The workload that all ends of the kind belong to: to it they are no connection. */
static void find_own(struct conn_ends *e, struct conn_kind *k)
{
	for (uint32_t i = 0; i < k->ends.n; i++) {
		const struct conn_end *n = &e->list.v[e->members.v[k->ends.first + i]];
		uint32_t owner = conn_workload(e, n->owner);

		if (i && owner != k->own[0])
			owner = CONN_NONE;
		k->own[0] = owner;
		if (owner == CONN_NONE)
			return;
	}
}

/* The ends of each kind, and the kinds of each party. */
static int arrange(struct conn_ends *e)
{
	uint32_t first = 0;
	int r = 0;

	vw_vec_foreach (n, &e->list) {
		if (n->kind == CONN_NONE)
			continue;
		e->kinds.v[n->kind].ends.n++;
		if (!r)
			r = vw_vec_push(&e->members, 0, CONN_MAX);
	}
	for (uint32_t i = 0; i < e->kinds.n && !r; i++) {
		struct conn_kind *k = &e->kinds.v[i];

		k->ends.first = first;
		first += k->ends.n;
		k->ends.n = 0;
		if (k->what == CONN_SEAT)
			r = vw_vec_push(&e->by_service, i, CONN_MAX);
		else
			r = vw_vec_push(&e->places, i, CONN_MAX);
	}
	for (uint32_t i = 0; i < e->list.n && !r; i++) {
		struct conn_kind *k;

		if (e->list.v[i].kind == CONN_NONE)
			continue;
		k = &e->kinds.v[e->list.v[i].kind];
		e->members.v[k->ends.first + k->ends.n++] = i;
	}
	vw_vec_foreach (k, &e->kinds)
		if (!r && k->what != CONN_PUBLISHED)
			find_own(e, k);
	if (!r && e->by_service.n)
		qsort_r(e->by_service.v, e->by_service.n, sizeof(*e->by_service.v), by_kind_party,
			e->kinds.v);
	return r;
}

int conn_ends_build(struct conn_profiles *p, const struct vw_conn_side *before,
		    const struct vw_conn_side *after, const struct vw_world *world,
		    struct vw_connectivity *c, struct conn_ends *ret)
{
	struct conn_ends *e = ret;
	uint32_t open;
	int r;

	*e = (struct conn_ends){.world = world, .side = {before, after}};
	r = find_services(e, c);
	for (int s = 0; s < 2 && !r; s++)
		r = conn_tables_build(p, e->side[s]->compiled, &e->tables[s]);
	if (!r) /* 0 is where no wall stands */
		r = conn_duo(&e->outs, CONN_CLASS_OPEN, CONN_CLASS_OPEN, &open);
	if (!r)
		r = conn_duo(&e->ins, CONN_CLASS_OPEN, CONN_CLASS_OPEN, &open);
	if (!r)
		r = conn_pubs_find(e);
	if (!r)
		r = add_workloads(e, c);
	if (!r)
		r = conn_places_add(e, c);
	if (!r)
		r = arrange(e);
	if (r)
		conn_ends_done(e);
	return r;
}

void conn_ends_done(struct conn_ends *e)
{
	conn_tables_done(&e->tables[0]);
	conn_tables_done(&e->tables[1]);
	vw_vec_done(&e->list);
	vw_vec_done(&e->kinds);
	vw_vec_done(&e->members);
	vw_vec_done(&e->service);
	vw_vec_done(&e->by_service);
	vw_vec_done(&e->places);
	vw_vec_done(&e->pubs);
	conn_duos_done(&e->points);
	conn_duos_done(&e->outs);
	conn_duos_done(&e->ins);
	conn_lists_done(&e->ports);
	free(e->kind_tab.slots);
	*e = (struct conn_ends){0};
}
