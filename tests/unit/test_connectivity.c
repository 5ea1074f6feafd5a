/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The comparison of connectivity against the reference verdict. In random worlds, under random
 * pairs of policy sets, what it says of two parties at a port must be exactly what asking for each
 * pair of their members says, with the number of members. A failure prints its seed; VW_SEED=n runs
 * that one case alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model.h"
#include "conn.h"
#include "gen.h"

#define CASES 1500
#define ASKED 14 /* positions of each pair of parties */

/* ---- random pairs ---- */

/* A small change somewhere. */
static void mutate(struct gen *g, struct vw_policyset *set)
{
	struct vw_policy *p;
	struct vw_rule *r;
	enum vw_direction dir = g_chance(g, 50) ? VW_EGRESS : VW_INGRESS;

	if (!set->list.n)
		return;
	p = &set->list.v[g_below(g, (unsigned)set->list.n)];
	if (g_chance(g, 15))
		p->audit = !p->audit;
	if (g_chance(g, 15))
		p->applies[dir] = !p->applies[dir];
	if (!p->rules[dir].n)
		return;
	r = &p->rules[dir].v[g_below(g, (unsigned)p->rules[dir].n)];
	if (r->ports.n && !r->ports.v[0].name && g_chance(g, 60) && r->ports.v[0].hi < UINT16_MAX)
		r->ports.v[0].hi++;
	else if (r->peers.n)
		vw_peer_done(&r->peers.v[--r->peers.n]);
}

static void scene_make(struct scene *s, uint64_t seed, struct gen *g)
{
	*g = (struct gen){.s = seed * 6007};
	*s = (struct scene){.seed = seed, .cfg = vw_config_default, .kept = seed % 3 == 0};
	s->world = g_world(g);
	vw_vec_foreach (w, &s->world.workloads)
		if (g_chance(g, 8))
			w->unenforceable = m_text("host network");
	struct gen same = *g;
	s->set[0] = g_policies(g);
	if (g_chance(g, 70)) {
		s->set[1] = g_policies(&same);
		for (unsigned i = g_below(g, 4); i > 0; i--)
			mutate(g, &s->set[1]);
	} else {
		s->set[1] = g_policies(g);
	}
	s->cfg.default_deny = g_chance(g, 30);
	compare(s);
}

/* ---- the reference ---- */

static const struct vw_wall *wall_of(const struct scene *s, int side, const struct vw_end *e)
{
	if (!e->workload || e->workload->unenforceable)
		return NULL;
	return vw_compiled_wall(&s->c[side], e->iface->ifindex);
}

/* Whether the wall of self lets it pass. A published port is asked of the compiled tables, which
 * test_compile.c holds against the verdict. */
static bool passes(const struct scene *s, int side, enum vw_direction dir,
		   const struct vw_end *self, const struct vw_end *peer, bool pub, uint8_t proto,
		   uint16_t port)
{
	const struct vw_wall *w = wall_of(s, side, self);
	struct vw_end other = {.addr = peer->addr}; /* a packet tells no more */
	struct vw_decision d;

	if (!w)
		return true;
	if (pub)
		return !(vw_compiled_judge(&s->c[side], w, dir, &peer->addr, proto, port) &
			 VW_CODE_DENY);
	vw_decide(&s->set[side], &s->world, s->cfg.default_deny, dir, self, &other, proto, port,
		  &d);
	return d.allow;
}

static bool in_pub(const struct scene *s, int side, const struct vw_addr *a, uint8_t proto,
		   uint16_t port)
{
	const struct vw_compiled *c = &s->c[side];
	size_t n = vw_addr_len(a);
	uint8_t key[VW_KEY_MAX] = {0};
	uint32_t id;

	memcpy(key, a->b, n);
	key[n] = proto;
	key[n + 4] = (uint8_t)(port >> 8);
	key[n + 5] = (uint8_t)port;
	return vw_map_find(a->family == 4 ? &c->pub4 : &c->pub6, key, &id);
}

/* A port that rivals publish counts as the node's own. */
static bool published(const struct scene *s, const struct vw_addr *a, uint8_t proto, uint16_t port,
		      const struct vw_workload **ret_behind)
{
	*ret_behind = NULL;
	if (!in_pub(s, 0, a, proto, port) && !in_pub(s, 1, a, proto, port))
		return false;
	vw_vec_foreach (w, &s->world.workloads)
		vw_vec_foreach (p, &w->published)
			if (p->proto == proto && p->host_port == port && !*ret_behind &&
			    (p->host_addr.family ? vw_addr_eq(&p->host_addr, a)
						 : vw_world_is_host(&s->world, a)))
				*ret_behind = w;
	return true;
}

/* enum vw_conn_state, or -1: denied before and after. */
static int state_of(const struct scene *s, const struct vw_end *from, const struct vw_end *to,
		    bool pub, uint8_t proto, uint16_t port)
{
	bool pass[2];

	for (int i = 0; i < 2; i++)
		pass[i] = passes(s, i, VW_EGRESS, from, to, pub, proto, port) &&
			  (pub || passes(s, i, VW_INGRESS, to, from, false, proto, port));
	if (pass[0] == pass[1])
		return pass[0] ? VW_CONN_KEPT : -1;
	return pass[1] ? VW_CONN_GAINED : VW_CONN_LOST;
}

/* Who is concerned: from workloads, to workloads, by state. */
struct tally {
	uint32_t from[_VW_CONN_STATE_MAX], to[_VW_CONN_STATE_MAX]; /* bits by workload */
	bool any[_VW_CONN_STATE_MAX];
};

static void note(const struct scene *s, struct tally *t, const struct vw_end *from,
		 const struct vw_end *to, bool pub, uint8_t proto, uint16_t port)
{
	int state = state_of(s, from, to, pub, proto, port);

	if (state < 0)
		return;
	t->any[state] = true;
	if (from->workload)
		t->from[state] |= 1u << (from->workload - s->world.workloads.v);
	if (to->workload)
		t->to[state] |= 1u << (to->workload - s->world.workloads.v);
}

static bool is_of(const struct vw_workload *w, const char *party)
{
	char name[600];

	snprintf(name, sizeof(name), "%s/%s", w->namespace_, w->service);
	return !strcmp(name, party);
}

/* Every address of every workload of the service. */
struct seats {
	struct vw_end v[64];
	size_t n;
};

static struct seats seats_of(const struct scene *s, const char *party)
{
	struct seats all = {.n = 0};

	vw_vec_foreach (w, &s->world.workloads)
		vw_vec_foreach (i, &w->ifaces)
			vw_vec_foreach (a, &i->ips) {
				if (!is_of(w, party))
					continue;
				assert_true(all.n < VW_ARRAY_SIZE(all.v));
				all.v[all.n++] = (struct vw_end){w, i, *a};
			}
	return all;
}

static void tally_services(const struct scene *s, const char *from, const char *to, uint8_t proto,
			   uint16_t port, struct tally *t)
{
	struct seats senders = seats_of(s, from), receivers = seats_of(s, to);
	const struct vw_workload *behind;

	vw_vec_foreach (a, &senders)
		vw_vec_foreach (b, &receivers)
			if (a->addr.family == b->addr.family && a->workload != b->workload &&
			    !published(s, &b->addr, proto, port, &behind))
				note(s, t, a, b, false, proto, port);
}

static void tally_place(const struct scene *s, const char *service, bool sends,
			const struct vw_addr *x, uint8_t proto, uint16_t port, struct tally *t)
{
	const struct vw_workload *owner = vw_world_by_addr(&s->world, x, NULL, NULL), *behind;
	bool pub = published(s, x, proto, port, &behind);
	struct vw_end place = {.addr = *x};
	struct seats all = seats_of(s, service);

	vw_vec_foreach (a, &all) {
		if (a->addr.family != x->family || owner == a->workload)
			continue;
		if (sends && pub && behind == a->workload)
			continue;
		if (sends)
			note(s, t, a, &place, pub, proto, port);
		else
			note(s, t, &place, a, false, proto, port);
	}
}

/* ---- what was reported ---- */

static bool covers(const struct vw_conn_range *r, uint8_t proto, uint16_t port)
{
	return r->proto <= proto && proto <= r->proto_last && r->lo <= port && port <= r->hi;
}

struct reported {
	uint32_t from[_VW_CONN_STATE_MAX], to[_VW_CONN_STATE_MAX];
	unsigned n[_VW_CONN_STATE_MAX];
};

static void gather(const struct vw_conn_edge *e, uint8_t proto, uint16_t port, struct reported *ret)
{
	vw_vec_foreach (r, &e->ranges) {
		if (!covers(r, proto, port))
			continue;
		ret->n[r->state]++;
		ret->from[r->state] = r->from_members;
		ret->to[r->state] = r->to_members;
	}
}

static void check(const struct scene *s, const struct tally *t, const struct reported *r,
		  const char *from, const char *to, uint8_t proto, uint16_t port)
{
	for (int k = 0; k < _VW_CONN_STATE_MAX; k++) {
		unsigned n = t->any[k] && (s->kept || k != VW_CONN_KEPT);

		if (r->n[k] != n)
			fail_msg("VW_SEED=%llu: %s -> %s proto %u port %u %s: %u ranges, not %u",
				 (unsigned long long)s->seed, from, to, proto, port,
				 vw_conn_state_str(k), r->n[k], n);
		if (n && (r->from[k] != (uint32_t)__builtin_popcount(t->from[k]) ||
			  r->to[k] != (uint32_t)__builtin_popcount(t->to[k])))
			fail_msg("VW_SEED=%llu: %s -> %s proto %u port %u %s: %u and %u members, "
				 "not %d and %d",
				 (unsigned long long)s->seed, from, to, proto, port,
				 vw_conn_state_str(k), r->from[k], r->to[k],
				 __builtin_popcount(t->from[k]), __builtin_popcount(t->to[k]));
	}
}

static unsigned seen[_VW_CONN_STATE_MAX], seen_place[_VW_CONN_STATE_MAX];

static void count(unsigned *counts, const struct tally *t)
{
	for (int k = 0; k < _VW_CONN_STATE_MAX; k++)
		counts[k] += t->any[k];
}

static const char *service(const struct scene *s, struct gen *g)
{
	unsigned n = 0;

	vw_vec_foreach (p, &s->out.parties)
		n += p->kind == VW_PARTY_SERVICE;
	return s->out.parties.v[g_below(g, n)].name;
}

/* A border of what was reported, or anything. */
static void position(const struct scene *s, struct gen *g, uint8_t *proto, uint16_t *port)
{
	const struct vw_conn_edge *e;
	const struct vw_conn_range *r;

	g_packet(g, proto, port);
	if (g_chance(g, 10)) {
		*proto = (uint8_t)g_below(g, 256);
		*port = vw_proto_has_ports(*proto) ? (uint16_t)g_next(g) : 0;
	}
	if (!s->out.edges.n || g_chance(g, 50))
		return;
	e = &s->out.edges.v[g_below(g, (unsigned)s->out.edges.n)];
	r = &e->ranges.v[g_below(g, (unsigned)e->ranges.n)];
	*proto = g_chance(g, 50) ? r->proto : r->proto_last;
	*port = (uint16_t)(g_chance(g, 50) ? r->lo - g_below(g, 2) : r->hi + g_below(g, 2));
	if (!vw_proto_has_ports(*proto) && *proto != 1 && *proto != 58)
		*port = 0;
}

static void ask_services(const struct scene *s, const char *from, const char *to, uint8_t proto,
			 uint16_t port)
{
	struct reported r = {0};
	struct tally t = {0};

	vw_vec_foreach (e, &s->out.edges)
		if (!strcmp(s->out.parties.v[e->from].name, from) &&
		    !strcmp(s->out.parties.v[e->to].name, to))
			gather(e, proto, port, &r);
	tally_services(s, from, to, proto, port, &t);
	check(s, &t, &r, from, to, proto, port);
	count(seen, &t);
}

static bool place_has(const struct scene *s, const struct vw_party *p, const struct vw_addr *x)
{
	bool host = vw_world_is_host(&s->world, x);

	if (p->kind != (host ? VW_PARTY_HOST : VW_PARTY_OUTSIDE))
		return false;
	assert_true(p->n_cidrs <= VW_CONN_CIDRS_MAX);
	for (size_t i = 0; i < p->n_cidrs; i++)
		if (vw_prefix_has(&p->cidrs[i], x))
			return !p->except;
	return !p->n_cidrs || p->except;
}

static void ask_place(const struct scene *s, const char *name, bool sends, const struct vw_addr *x,
		      uint8_t proto, uint16_t port)
{
	char text[VW_ADDR_STRLEN];
	struct reported r = {0};
	struct tally t = {0};

	vw_addr_str(x, text);
	vw_vec_foreach (e, &s->out.edges) {
		const struct vw_party *from = &s->out.parties.v[e->from];
		const struct vw_party *to = &s->out.parties.v[e->to];

		if (!strcmp((sends ? from : to)->name, name) && place_has(s, sends ? to : from, x))
			gather(e, proto, port, &r);
	}
	tally_place(s, name, sends, x, proto, port, &t);
	check(s, &t, &r, sends ? name : text, sends ? text : name, proto, port);
	count(seen_place, &t);
}

/* Somewhere that is no workload's, and that no wall knows by a name. (An address of the node may be
 * a workload's as well, but not of the service that is asked about: to itself there is none.) */
static bool pick_place(const struct scene *s, struct gen *g, const char *name, struct vw_addr *ret)
{
	bool ambiguous = false;
	const struct vw_workload *owner;

	*ret = m_addr(G_PICK(g, g_addrs));
	if (g_chance(g, 30))
		ret->b[vw_addr_len(ret) - 1] = (uint8_t)g_next(g);
	owner = vw_world_by_addr(&s->world, ret, NULL, &ambiguous);
	if (vw_world_is_host(&s->world, ret))
		return !owner || !is_of(owner, name);
	vw_vec_foreach (l, &s->world.learnt)
		if (vw_addr_eq(&l->addr, ret))
			return false;
	return !owner && !ambiguous;
}

static void each_case(void (*fn)(struct scene *s, struct gen *g))
{
	const char *only = getenv("VW_SEED");
	uint64_t first = only ? strtoull(only, NULL, 10) : 1, n = only ? 1 : CASES;

	for (uint64_t seed = first; seed < first + n; seed++) {
		struct scene s;
		struct gen g;

		scene_make(&s, seed, &g);
		fn(&s, &g);
		scene_done(&s);
	}
}

static void case_services(struct scene *s, struct gen *g)
{
	for (int k = 0; k < ASKED; k++) {
		const char *from = service(s, g), *to = service(s, g);
		uint8_t proto;
		uint16_t port;

		position(s, g, &proto, &port);
		ask_services(s, from, to, proto, port);
	}
}

/* "world" is all of it that can be asked for: a service without IPv6 addresses has IPv4 only. */
static bool has_family(const struct scene *s, const char *name, uint8_t family)
{
	struct seats all = seats_of(s, name);

	vw_vec_foreach (a, &all)
		if (a->addr.family == family)
			return true;
	return false;
}

static void case_places(struct scene *s, struct gen *g)
{
	for (int k = 0; k < ASKED; k++) {
		const char *name = service(s, g);
		struct vw_addr x;
		uint8_t proto;
		uint16_t port;

		position(s, g, &proto, &port);
		if (pick_place(s, g, name, &x) && has_family(s, name, x.family))
			ask_place(s, name, g_chance(g, 60), &x, proto, port);
	}
}

static void services_as_the_reference(void **state)
{
	(void)state;
	each_case(case_services);
	for (int k = 0; k < _VW_CONN_STATE_MAX && !getenv("VW_SEED"); k++)
		if (seen[k] < CASES / 4)
			fail_msg("state %d came %u times only", k, seen[k]);
}

static void places_as_the_reference(void **state)
{
	(void)state;
	each_case(case_places);
	for (int k = 0; k < _VW_CONN_STATE_MAX && !getenv("VW_SEED"); k++)
		if (seen_place[k] < CASES / 4)
			fail_msg("state %d came %u times only", k, seen_place[k]);
}

/* The first name in force that the wall has for the address. */
static const char *name_of(const struct scene *s, unsigned ifindex, const struct vw_addr *a)
{
	for (size_t i = vw_learnt_first(&s->world, ifindex, a); i < s->world.learnt.n; i++) {
		const struct vw_learnt *l = &s->world.learnt.v[i];

		if (l->ifindex != ifindex || !vw_addr_eq(&l->addr, a))
			return NULL;
		if (!l->lapsed)
			return l->name;
	}
	return NULL;
}

static bool in_map(const struct scene *s, unsigned ifindex, const struct vw_addr *a)
{
	uint32_t id;

	for (int i = 0; i < 2; i++) {
		const struct vw_wall *w = vw_compiled_wall(&s->c[i], ifindex);

		if (w && vw_map_find(&w->learnt[a->family == 6], a->b, &id))
			return true;
	}
	return false;
}

static unsigned seen_name;

static void ask_name(const struct scene *s, const struct vw_end *from, const struct vw_addr *x,
		     uint8_t proto, uint16_t port)
{
	struct vw_end to = {.addr = *x};
	const char *name = name_of(s, from->iface->ifindex, x);
	char party[600];
	struct reported r = {0};
	const struct vw_conn_edge *e;
	int state = state_of(s, from, &to, false, proto, port);

	if (!name || !in_map(s, from->iface->ifindex, x) || state < 0 || state == VW_CONN_KEPT)
		return;
	snprintf(party, sizeof(party), "%s/%s", from->workload->namespace_,
		 from->workload->service);
	e = edge(s, party, name);
	if (e)
		gather(e, proto, port, &r);
	if (!r.n[state])
		fail_msg("VW_SEED=%llu: %s -> %s proto %u port %u %s is not told",
			 (unsigned long long)s->seed, party, name, proto, port,
			 vw_conn_state_str(state));
	seen_name++;
}

static void case_names(struct scene *s, struct gen *g)
{
	vw_vec_foreach (l, &s->world.learnt)
		vw_vec_foreach (w, &s->world.workloads)
			vw_vec_foreach (i, &w->ifaces) {
				struct vw_end from = {w, i, i->ips.v[0]};
				uint8_t proto;
				uint16_t port;

				if (i->ifindex != l->ifindex)
					continue;
				vw_vec_foreach (a, &i->ips)
					if (a->family == l->addr.family)
						from.addr = *a;
				position(s, g, &proto, &port);
				if (from.addr.family == l->addr.family)
					ask_name(s, &from, &l->addr, proto, port);
			}
}

static void names_as_the_reference(void **state)
{
	(void)state;
	each_case(case_names);
	if (!getenv("VW_SEED") && seen_name < 30)
		fail_msg("names came %u times only", seen_name);
}

/* A set and itself, reordered: nothing, and every range of what stays has its sample. */
static void case_same(struct scene *s, struct gen *g)
{
	struct gen again = {.s = s->seed * 6007};

	(void)g;
	vw_connectivity_done(&s->out);
	for (int i = 0; i < 2; i++)
		vw_compiled_done(&s->c[i]);
	vw_policyset_done(&s->set[1]);
	vw_policyset_done(&s->set[0]);
	struct vw_world unused = g_world(&again);
	vw_world_done(&unused);
	struct gen twice = again;
	s->set[0] = g_policies(&again);
	s->set[1] = g_policies(&twice);
	vw_vec_foreach (p, &s->set[1].list) {
		for (int d = 0; d < _VW_DIRECTION_MAX; d++)
			vw_vec_foreach (r, &p->rules[d])
				for (size_t i = 0; i < r->peers.n / 2; i++) {
					struct vw_peer t = r->peers.v[i];

					r->peers.v[i] = r->peers.v[r->peers.n - 1 - i];
					r->peers.v[r->peers.n - 1 - i] = t;
				}
		p->pos.line += 100;
	}
	s->kept = false;
	compare(s);
	if (s->out.edges.n || s->out.policies.n || s->out.isolation.n)
		fail_msg("VW_SEED=%llu: a set differs from itself", (unsigned long long)s->seed);
}

static void same_is_nothing(void **state)
{
	(void)state;
	each_case(case_same);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_as_the_reference),
		cmocka_unit_test(places_as_the_reference),
		cmocka_unit_test(names_as_the_reference),
		cmocka_unit_test(same_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
