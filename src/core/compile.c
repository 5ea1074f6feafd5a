/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies x world -> vw_compiled: identity maps, one class for each set of policies that some
 * workload has, one wall for each veth. Pure. */
#include <arpa/inet.h>
#include <stdio.h>

#include "core/class.h"
#include "vethwall/cleanup.h"

#define ELEMS_MAX (1u << 22)
#define CLASSES_MAX 65536

const struct vw_config vw_config_default = {
	.live_max = 65536,
	.denied_max = 65536,
	/* longer than the 2 h after which a keepalive refreshes an idle connection (RFC 9293 3.8.4)
	 */
	.tcp_idle_ms = 6 * 3600 * 1000,
	.other_idle_ms = 180 * 1000, /* as nf_conntrack_udp_timeout_stream rounds up */
	.closing_ms = 120 * 1000, /* nf_conntrack_tcp_timeout_fin_wait */
	.nflog_group = 5,
	.snaplen = 128,
	.live_counters = false,
};

const char *vw_reason_str(uint32_t code)
{
	static const char *const names[] = {
		[VW_REASON_ALLOW] = "allow",
		[VW_REASON_DEFAULT] = "default",
		[VW_REASON_NODE] = "node-default",
		[VW_REASON_SPOOF] = "spoofed-source",
		[VW_REASON_FRAGMENT] = "fragment",
		[VW_REASON_FULL] = "flow-table-full",
		[VW_REASON_PROTOCOL] = "protocol",
		[VW_REASON_HELD] = "held",
		[VW_REASON_RA] = "neighbour-discovery",
		[VW_REASON_ADDRESS] = "not-addressed",
	};
	uint32_t n = code & VW_CODE_RULE;

	return n < VW_ARRAY_SIZE(names) ? names[n] : NULL;
}

struct comp {
	const struct vw_policyset *set;
	const struct vw_world *world;
	struct id_table ids;
	struct flat_set flats;
	struct match_index subjects[_VW_DIRECTION_MAX];
	struct id_list chosen; /* scratch: policies of one interface */
	const struct vw_workload *w;
	const struct vw_iface *iface;
	uint32_t *slots; /* class by name hash */
	size_t n_slots;
	bool any_fqdn; /* some class has peers by domain name */
	struct vw_compiled *out;
	struct vw_diag *d;
};

/* --- identity maps --- */

static int put_addr(struct vw_set *s, const struct vw_addr *a, const struct vw_addr *last,
		    uint32_t number)
{
	struct vw_elem e = {.data = number};

	memcpy(e.key, a->b, vw_addr_len(a));
	if (last)
		memcpy(e.key_end, last->b, vw_addr_len(last));
	return vw_elem_push(s, &e, ELEMS_MAX);
}

static int put_pub(struct vw_set *s, const struct id_pub *p)
{
	struct vw_elem e = {.data = p->number};
	size_t n = vw_addr_len(&p->host);
	uint16_t be = htons(p->host_port);

	memcpy(e.key, p->host.b, n);
	e.key[n] = p->proto;
	memcpy(e.key + n + 4, &be, 2);
	return vw_elem_push(s, &e, ELEMS_MAX);
}

static void map_init(struct vw_set *s, const char *name, uint32_t flags, enum vw_ftype t, bool pub)
{
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->flags = VW_SET_MAP | flags;
	s->fields[0] = t;
	if (pub) {
		s->fields[1] = VW_F_PROTO;
		s->fields[2] = VW_F_PORT;
	}
}

static int make_maps(struct comp *c)
{
	struct vw_compiled *o = c->out;
	int r = 0;

	map_init(&o->id4, "id4", 0, VW_F_IP4, false);
	map_init(&o->id6, "id6", 0, VW_F_IP6, false);
	map_init(&o->net4, "net4", VW_SET_INTERVAL, VW_F_IP4, false);
	map_init(&o->net6, "net6", VW_SET_INTERVAL, VW_F_IP6, false);
	map_init(&o->pub4, "pub4", 0, VW_F_IP4, true);
	map_init(&o->pub6, "pub6", 0, VW_F_IP6, true);
	vw_vec_foreach (e, &c->ids.exact)
		if (!r)
			r = put_addr(e->addr.family == 4 ? &o->id4 : &o->id6, &e->addr, NULL,
				     c->ids.ids.v[e->id].number);
	vw_vec_foreach (e, &c->ids.ranges)
		if (!r)
			r = put_addr(e->first.family == 4 ? &o->net4 : &o->net6, &e->first,
				     &e->last, c->ids.ids.v[e->id].number);
	vw_vec_foreach (p, &c->ids.pubs)
		if (!r)
			r = put_pub(p->host.family == 4 ? &o->pub4 : &o->pub6, p);
	o->base4 = c->ids.ids.v[c->ids.base4].number;
	o->base6 = c->ids.ids.v[c->ids.base6].number;
	struct vw_set *sets[] = {&o->id4, &o->id6, &o->net4, &o->net6, &o->pub4, &o->pub6};
	for (size_t i = 0; i < VW_ARRAY_SIZE(sets) && !r; i++)
		r = vw_elems_sort(sets[i]);
	return r;
}

/* --- classes --- */

static bool has_say(const struct vw_policy *p, enum vw_direction dir)
{
	return p->tier == VW_TIER_SERVICE ? p->applies[dir] : p->rules[dir].n > 0;
}

static int index_subjects(struct comp *c)
{
	int r = 0;

	for (int dir = 0; dir < _VW_DIRECTION_MAX; dir++) {
		for (uint32_t i = 0; i < c->set->list.n && !r; i++)
			if (has_say(&c->set->list.v[i], dir))
				r = match_index_add(&c->subjects[dir], &c->set->list.v[i].subject,
						    i);
		match_index_sort(&c->subjects[dir]);
	}
	return r;
}

static int try_subject(uint32_t i, void *arg)
{
	struct comp *c = arg;

	if (!vw_match_matches(&c->set->list.v[i].subject, c->world, c->w, c->iface))
		return 0;
	return vw_vec_push(&c->chosen.list, i, VW_POLICIES_MAX);
}

static int by_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int choose(struct comp *c, enum vw_direction dir)
{
	int r;

	c->chosen.list.n = 0;
	r = match_index_each(&c->subjects[dir], c->w, try_subject, c);
	if (!r && c->chosen.list.n)
		qsort(c->chosen.list.v, c->chosen.list.n, sizeof(uint32_t), by_u32);
	return r;
}

/* Names and port numbers of a workload, where its ingress rules speak of ports by name. */
static const struct vw_workload *named_subject(const struct comp *c, enum vw_direction dir)
{
	if (dir == VW_INGRESS)
		vw_vec_foreach (i, &c->chosen.list)
			if (c->flats.policies.v[*i].named[VW_INGRESS])
				return c->w;
	return NULL;
}

static uint64_t class_hash(const struct comp *c, enum vw_direction dir,
			   const struct vw_workload *named)
{
	uint64_t h = 5 + dir;

	vw_vec_foreach (i, &c->chosen.list)
		h = vw_hash(&c->flats.policies.v[*i].hash, sizeof(uint64_t), h);
	if (named)
		vw_vec_foreach (p, &named->ports) {
			h = vw_hash(p->name, strlen(p->name) + 1, h + p->proto);
			h = vw_hash(&p->port, sizeof(p->port), h);
		}
	return h;
}

static int slots_init(struct comp *c)
{
	size_t n = 0;

	vw_vec_foreach (w, &c->world->workloads)
		n += w->ifaces.n;
	for (c->n_slots = 64; c->n_slots < n * 4; c->n_slots *= 2)
		;
	c->slots = malloc(c->n_slots * sizeof(*c->slots));
	if (!c->slots)
		return -ENOMEM;
	memset(c->slots, 0xff, c->n_slots * sizeof(*c->slots));
	return 0;
}

/* Name of the class that the interface has in this direction, made if it is new; "" when nothing
 * decides there. */
static int class_of(struct comp *c, enum vw_direction dir, char ret[static VW_NAME_LEN])
{
	bool deny = c->out->config.default_deny;
	const struct vw_workload *named;
	struct vw_class k = {.dir = dir};
	uint64_t h;
	size_t at;
	int r = choose(c, dir);

	ret[0] = '\0';
	if (r || (!c->chosen.list.n && !deny))
		return r;
	named = named_subject(c, dir);
	h = class_hash(c, dir, named);
	snprintf(k.name, sizeof(k.name), "%s_%016llx", dir == VW_EGRESS ? "po" : "pi",
		 (unsigned long long)h);
	memcpy(ret, k.name, VW_NAME_LEN);
	for (at = h & (c->n_slots - 1); c->slots[at] != UINT32_MAX;
	     at = (at + 1) & (c->n_slots - 1))
		if (!strcmp(c->out->classes.v[c->slots[at]].name, k.name))
			return 0;
	r = class_build(c->set, &c->flats, &c->ids, &c->chosen, dir, named, deny, &k);
	if (!r)
		r = vw_vec_push(&c->out->classes, k, CLASSES_MAX);
	c->any_fqdn |= k.fqdn;
	if (r)
		class_done(&k);
	else
		c->slots[at] = c->out->classes.n - 1;
	return r;
}

/* --- walls --- */

static int by_ip(const void *a, const void *b)
{
	return vw_addr_cmp(a, b);
}

/* What of its classes shows in the wall's own rules. */
static uint32_t class_traits(const struct vw_compiled *c, const char *name)
{
	const struct vw_class *k = vw_compiled_class(c, name);

	return k ? k->notes | k->fqdn << 1 : 0;
}

/* Everything that the wall's rules are made from: what has the same spec is not rendered again. */
static uint64_t wall_spec(const struct vw_compiled *c, const struct vw_wall *w)
{
	const struct vw_config *cfg = &c->config;
	uint32_t head[] = {w->ifindex,
			   w->kind,
			   w->has_mac,
			   cfg->live_max,
			   cfg->denied_max,
			   cfg->tcp_idle_ms,
			   cfg->other_idle_ms,
			   cfg->closing_ms,
			   cfg->nflog_group,
			   cfg->snaplen,
			   cfg->live_counters,
			   cfg->dns_names,
			   class_traits(c, w->out_class),
			   class_traits(c, w->in_class)};
	uint64_t h = vw_hash(head, sizeof(head), 11);

	h = vw_hash(w->dev, strlen(w->dev), h);
	h = vw_hash(w->mac.b, sizeof(w->mac.b), h);
	h = vw_hash(w->ips, w->n_ips * sizeof(*w->ips), h);
	h = vw_hash(w->out_class, strlen(w->out_class) + 1, h);
	return vw_hash(w->in_class, strlen(w->in_class) + 1, h);
}

static int copy_ips(struct vw_wall *w, const struct vw_iface *i)
{
	w->n_ips = i->ips.n;
	w->ips = calloc(i->ips.n + 1, sizeof(*w->ips));
	if (!w->ips)
		return -ENOMEM;
	if (i->ips.n)
		memcpy(w->ips, i->ips.v, i->ips.n * sizeof(*w->ips));
	qsort(w->ips, w->n_ips, sizeof(*w->ips), by_ip);
	return 0;
}

static void wall_done(struct vw_wall *w)
{
	free(w->ips);
	for (int i = 0; i < 2; i++) {
		vw_set_done(&w->learnt[i]);
		vw_set_done(&w->recalled[i]);
	}
}

static int push_wall(struct comp *c, struct vw_wall *w)
{
	int r = vw_vec_push(&c->out->walls, *w, VW_WORKLOADS_MAX * 4);

	if (r)
		wall_done(w);
	return r;
}

static size_t learnt_of(const struct id_table *t, unsigned ifindex)
{
	size_t lo = 0, hi = t->learnt.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (t->learnt.v[mid].ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The wall's own view of the world outside. The entries are sorted by address, and so the maps. */
static int put_learnt(struct comp *c, struct vw_wall *w)
{
	const struct id_table *t = &c->ids;
	char name[VW_NAME_LEN];
	int r = 0;

	for (int v6 = 0; v6 < 2; v6++) {
		enum vw_ftype type = v6 ? VW_F_IP6 : VW_F_IP4;

		vw_wall_set_name(w->ifindex, 'q', v6 ? 6 : 4, name);
		map_init(&w->learnt[v6], name, 0, type, false);
		map_init(&w->recalled[v6], "", 0, type, false);
	}
	for (size_t i = learnt_of(t, w->ifindex);
	     i < t->learnt.n && t->learnt.v[i].ifindex == w->ifindex && !r; i++) {
		const struct id_learnt *l = &t->learnt.v[i];
		int v6 = l->addr.family == 6;

		r = put_addr(&w->recalled[v6], &l->addr, NULL, t->ids.v[l->recalled].number);
		if (!r && l->id != UINT32_MAX)
			r = put_addr(&w->learnt[v6], &l->addr, NULL, t->ids.v[l->id].number);
	}
	return r;
}

/* Of the class just named: they are sorted by name only when all are there. */
static bool is_fqdn(const struct comp *c, const char *class)
{
	vw_vec_foreach (k, &c->out->classes)
		if (!strcmp(k->name, class))
			return k->fqdn;
	return false;
}

static int add_wall(struct comp *c, const struct vw_workload *w, const struct vw_iface *i)
{
	struct vw_wall wall = {.ifindex = i->ifindex, .has_mac = i->has_mac, .mac = i->mac};
	int r;

	memcpy(wall.dev, i->veth, sizeof(wall.dev));
	c->w = w;
	c->iface = i;
	r = class_of(c, VW_EGRESS, wall.out_class);
	if (!r)
		r = class_of(c, VW_INGRESS, wall.in_class);
	if (!r)
		r = copy_ips(&wall, i);
	if (!r && c->any_fqdn && is_fqdn(c, wall.out_class))
		r = put_learnt(c, &wall);
	if (r) {
		wall_done(&wall);
		return r;
	}
	return push_wall(c, &wall);
}

static int by_ifindex(const void *pa, const void *pb)
{
	const struct vw_wall *a = pa, *b = pb;

	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return (int)a->kind - (int)b->kind; /* a known workload before a hold */
}

/* Two workloads on one veth would be two policies on one wire: the veth is held and said so. */
static void drop_twins(struct comp *c)
{
	struct vw_compiled *o = c->out;
	size_t keep = 0;

	if (o->walls.n)
		qsort(o->walls.v, o->walls.n, sizeof(*o->walls.v), by_ifindex);
	for (size_t i = 0; i < o->walls.n; i++) {
		struct vw_wall *last = keep ? &o->walls.v[keep - 1] : NULL;
		struct vw_wall *w = &o->walls.v[i];

		if (!last || last->ifindex != w->ifindex) {
			o->walls.v[keep++] = *w;
			continue;
		}
		if (w->kind == VW_WALL_POLICY) {
			vw_diag_add(c->d, VW_WARNING, NULL, "veth-twice",
				    "%s (ifindex %u) is claimed by two workloads; it is held",
				    w->dev, w->ifindex);
			last->kind = VW_WALL_HOLD;
		}
		wall_done(w);
	}
	o->walls.n = keep;
}

static int make_walls(struct comp *c, const struct vw_held *held, size_t n_held)
{
	int r = slots_init(c);

	vw_vec_foreach (w, &c->world->workloads)
		vw_vec_foreach (i, &w->ifaces)
			if (!r && i->ifindex && !w->unenforceable)
				r = add_wall(c, w, i);
	for (size_t i = 0; i < n_held && !r; i++) {
		struct vw_wall w = {.ifindex = held[i].ifindex, .kind = VW_WALL_HOLD};

		memcpy(w.dev, held[i].dev, sizeof(w.dev));
		r = push_wall(c, &w);
	}
	drop_twins(c);
	return r;
}

static int by_class_name(const void *a, const void *b)
{
	return strcmp(((const struct vw_class *)a)->name, ((const struct vw_class *)b)->name);
}

int vw_compile(const struct vw_policyset *set, const struct vw_world *world,
	       const struct vw_held *held, size_t n_held, const struct vw_config *cfg,
	       struct vw_compiled *ret, struct vw_diag *d)
{
	struct vw_compiled out = {.config = *cfg};
	struct comp c = {.set = set, .world = world, .out = &out, .d = d};
	int r = id_table_build(set, world, &c.ids, d);

	if (r)
		return r;
	r = flat_set_build(set, &c.ids, &c.flats);
	if (!r)
		r = index_subjects(&c);
	if (!r)
		r = make_maps(&c);
	if (!r)
		r = make_walls(&c, held, n_held);
	if (out.classes.n)
		qsort(out.classes.v, out.classes.n, sizeof(*out.classes.v), by_class_name);
	vw_vec_foreach (w, &out.walls)
		w->spec = wall_spec(&out, w);
	out.rules.v = c.flats.refs.v;
	out.rules.n = c.flats.refs.n;
	out.rules.cap = c.flats.refs.cap;
	memset(&c.flats.refs, 0, sizeof(c.flats.refs));
	flat_set_done(&c.flats);
	id_table_done(&c.ids);
	vw_vec_done(&c.subjects[0].list);
	vw_vec_done(&c.subjects[1].list);
	vw_vec_done(&c.chosen.list);
	free(c.slots);
	if (r == -ENOSPC)
		r = -E2BIG; /* a vector at its bound */
	if (r) {
		vw_error(d, NULL, "cannot compile the policies: %s", strerror(-r));
		vw_compiled_done(&out);
	} else {
		*ret = out;
	}
	return r;
}

void vw_compiled_done(struct vw_compiled *c)
{
	struct vw_set *sets[] = {&c->id4, &c->id6, &c->net4, &c->net6, &c->pub4, &c->pub6};

	for (size_t i = 0; i < VW_ARRAY_SIZE(sets); i++)
		vw_set_done(sets[i]);
	vw_vec_foreach (k, &c->classes)
		class_done(k);
	vw_vec_foreach (w, &c->walls)
		wall_done(w);
	vw_vec_foreach (r, &c->rules) {
		free(r->policy);
		free(r->rule);
	}
	vw_vec_done(&c->classes);
	vw_vec_done(&c->walls);
	vw_vec_done(&c->rules);
	vw_guard_done(&c->guard);
}
