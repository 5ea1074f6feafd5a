/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compiler against the reference verdict: random worlds, policies and packets must be decided
 * alike, with the same document and rule named. A failure prints its seed; VW_SEED=n runs that one
 * case alone. And what the compiler promises about its output: same input, same bytes; small
 * changes stay small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vethwall/cleanup.h"
#include "vethwall/compile.h"
#include "model.h"
#include "gen.h"

#define CASES 4000
#define PROBES 60

struct scene {
	uint64_t seed;
	struct vw_world world;
	struct vw_policyset set;
	struct vw_config cfg;
	struct vw_compiled c;
};

static void compile(struct scene *s)
{
	struct vw_diag d = {0};

	assert_int_equal(vw_compile(&s->set, &s->world, NULL, 0, &s->cfg, &s->c, &d), 0);
	vw_diag_done(&d);
}

static void scene_make(struct scene *s, uint64_t seed, struct gen *g)
{
	*g = (struct gen){.s = seed * 7919};
	*s = (struct scene){.seed = seed, .cfg = vw_config_default};
	s->world = g_world(g);
	s->set = g_policies(g);
	s->cfg.default_deny = g_chance(g, 30);
	compile(s);
}

static void scene_done(struct scene *s)
{
	vw_compiled_done(&s->c);
	vw_policyset_done(&s->set);
	vw_world_done(&s->world);
}

struct probe {
	const struct vw_wall *wall;
	struct vw_end self, peer;
	enum vw_direction dir;
	uint8_t proto;
	uint16_t port;
	/* how the compiled tables are asked, where that differs: a published port */
	struct vw_addr ask_addr;
	uint16_t ask_port;
};

/* "policy rule" of a code, or its reason. */
static void code_text(const struct vw_compiled *c, uint32_t code, char ret[static 256])
{
	const struct vw_ruleref *r = vw_compiled_rule(c, code);
	const char *reason = vw_reason_str(code);

	if (r)
		snprintf(ret, 256, "%s %s", r->policy, r->rule);
	else
		snprintf(ret, 256, "%s", reason ? reason : "?");
}

static void decision_text(const struct vw_decision *d, enum vw_direction dir, char ret[static 256])
{
	const struct vw_policy *p = d->policy;

	if (d->allow && !d->audited && !d->log) {
		snprintf(ret, 256, "allow");
	} else if (!d->rule) {
		snprintf(ret, 256, "%s", d->tier == VW_TIER_SERVICE ? "default" : "node-default");
	} else if (d->rule->name) {
		snprintf(ret, 256, "%s%s%s %s", p->namespace_ ? p->namespace_ : "",
			 p->namespace_ ? "/" : "", p->name, d->rule->name);
	} else {
		snprintf(ret, 256, "%s%s%s %s[%u]", p->namespace_ ? p->namespace_ : "",
			 p->namespace_ ? "/" : "", p->name, vw_direction_str(dir), d->rule->index);
	}
}

static void fail_probe(const struct scene *s, const struct probe *p, const char *want,
		       const char *got, uint32_t code)
{
	char a[VW_ADDR_STRLEN], b[VW_ADDR_STRLEN];

	fail_msg("VW_SEED=%llu: %s %s peer %s (asked %s port %u) proto %u port %u: "
		 "reference says \"%s\", compiled \"%s\" (%08x)",
		 (unsigned long long)s->seed, p->self.workload->id, vw_direction_str(p->dir),
		 vw_addr_str(&p->peer.addr, a), vw_addr_str(&p->ask_addr, b), p->ask_port, p->proto,
		 p->port, want, got, code);
}

/* How often each kind of answer came: a test in which all is refused proves nothing. */
enum kind { ALLOWED, DEFAULT, NODE, RULE, AUDITED, LOGGED, _KIND_MAX };
static unsigned seen[_KIND_MAX];

static void count(uint32_t code)
{
	uint32_t n = code & VW_CODE_RULE;

	if (code & VW_CODE_AUDIT)
		seen[AUDITED]++;
	else if (code & VW_CODE_LOG)
		seen[LOGGED]++;
	else if (!(code & VW_CODE_DENY))
		seen[ALLOWED]++;
	else
		seen[n == VW_REASON_DEFAULT ? DEFAULT : n == VW_REASON_NODE ? NODE : RULE]++;
}

/* The two answers to one question, in every part. A packet that one policy wants logged and another
 * would refuse, were it enforced, is told of once: as audited. */
static void compare(const struct scene *s, const struct probe *p)
{
	uint32_t code =
		vw_compiled_judge(&s->c, p->wall, p->dir, &p->ask_addr, p->proto, p->ask_port);
	char want[256], got[256];
	struct vw_decision d;

	vw_decide(&s->set, &s->world, s->cfg.default_deny, p->dir, &p->self, &p->peer, p->proto,
		  p->port, &d);
	decision_text(&d, p->dir, want);
	code_text(&s->c, code, got);
	if (strcmp(want, got) || d.allow != !(code & VW_CODE_DENY) ||
	    d.audited != !!(code & VW_CODE_AUDIT) ||
	    (d.log && !d.audited) != !!(code & VW_CODE_LOG) ||
	    (code && (p->dir == VW_EGRESS) != !!(code & VW_CODE_EGRESS)))
		fail_probe(s, p, want, got, code);
	count(code);
}

/* Published ports have a question of their own; a host address without one is asked as it is. */
static bool is_published(const struct scene *s, const struct probe *p)
{
	vw_vec_foreach (w, &s->world.workloads)
		vw_vec_foreach (pub, &w->published)
			if (p->dir == VW_EGRESS && pub->proto == p->proto &&
			    pub->host_port == p->port &&
			    (pub->host_addr.family ? vw_addr_eq(&pub->host_addr, &p->peer.addr)
						   : vw_world_is_host(&s->world, &p->peer.addr)))
				return true;
	return false;
}

static bool own(const struct scene *s, const struct probe *p, const struct vw_addr *a)
{
	return vw_world_by_addr(&s->world, a, NULL, NULL) == p->self.workload;
}

static void probe_random(const struct scene *s, struct gen *g, struct probe *p)
{
	p->dir = g_chance(g, 50) ? VW_EGRESS : VW_INGRESS;
	p->peer = (struct vw_end){.addr = m_addr(G_PICK(g, g_addrs))};
	g_packet(g, &p->proto, &p->port);
	p->ask_addr = p->peer.addr;
	p->ask_port = p->port;
	/* a workload's traffic to itself never meets its wall */
	if (!own(s, p, &p->peer.addr) && !is_published(s, p))
		compare(s, p);
}

static bool pick_self(const struct scene *s, struct gen *g, struct probe *p)
{
	const struct vw_workload *w = &s->world.workloads.v[g_below(g, s->world.workloads.n)];
	const struct vw_iface *i = &w->ifaces.v[g_below(g, w->ifaces.n)];

	p->self = (struct vw_end){w, i, i->ips.v[0]};
	p->wall = vw_compiled_wall(&s->c, i->ifindex);
	return p->wall;
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

static void case_random(struct scene *s, struct gen *g)
{
	for (int i = 0; i < PROBES; i++) {
		struct probe p = {0};

		assert_true(pick_self(s, g, &p));
		probe_random(s, g, &p);
	}
}

static void compiled_is_reference(void **state)
{
	(void)state;
	each_case(case_random);
	for (int k = 0; k < _KIND_MAX && !getenv("VW_SEED"); k++)
		if (seen[k] < CASES)
			fail_msg("answers of kind %d came %u times only", k, seen[k]);
}

/* The same set, but it only watches: nothing is refused, and what was is now told of. */
static void case_audited(struct scene *s, struct gen *g)
{
	struct vw_compiled was = s->c;
	bool mixed = false;

	vw_vec_foreach (p, &s->set.list)
		mixed |= p->audit;
	s->c = (struct vw_compiled){0};
	vw_policyset_audit(&s->set);
	compile(s);
	for (int i = 0; i < PROBES / 4; i++) {
		struct probe p = {0};
		uint32_t before, now;

		assert_true(pick_self(s, g, &p));
		probe_random(s, g, &p);
		if (!p.ask_addr.family)
			continue;
		before = vw_compiled_judge(&was, p.wall, p.dir, &p.ask_addr, p.proto, p.ask_port);
		now = vw_compiled_judge(&s->c, p.wall, p.dir, &p.ask_addr, p.proto, p.ask_port);
		if (now & VW_CODE_DENY ||
		    (!mixed &&
		     (before & VW_CODE_DENY && now != (before ^ VW_CODE_DENY ^ VW_CODE_AUDIT))))
			fail_msg("VW_SEED=%llu: %08x became %08x", (unsigned long long)s->seed,
				 before, now);
	}
	vw_compiled_done(&was);
}

static void audited_set_only_watches(void **state)
{
	(void)state;
	each_case(case_audited);
}

static const struct vw_addr *addr_of(const struct vw_workload *w, int family,
				     const struct vw_iface **ret_iface)
{
	vw_vec_foreach (i, &w->ifaces)
		vw_vec_foreach (a, &i->ips)
			if (a->family == family) {
				*ret_iface = i;
				return a;
			}
	return NULL;
}

/* How many containers answer behind host:port. */
static unsigned rivals(const struct vw_world *world, const struct vw_addr *host, uint16_t port)
{
	unsigned n = 0;

	vw_vec_foreach (w, &world->workloads)
		vw_vec_foreach (p, &w->published)
			n += p->host_port == port &&
			     (!p->host_addr.family || vw_addr_eq(&p->host_addr, host));
	return n;
}

static void probe_published(const struct scene *s, struct gen *g, const struct vw_workload *w,
			    const struct vw_published *pub, const struct vw_addr *host)
{
	const struct vw_addr *a;
	struct probe p = {.dir = VW_EGRESS, .proto = pub->proto, .port = pub->container_port};
	const struct vw_iface *i;

	if (rivals(&s->world, host, pub->host_port) != 1)
		return;
	a = addr_of(w, host->family, &i);
	if (!a)
		a = addr_of(w, host->family == 4 ? 6 : 4, &i);
	assert_true(pick_self(s, g, &p));
	p.peer = (struct vw_end){w, i, *a};
	p.ask_addr = *host;
	p.ask_port = pub->host_port;
	if (p.self.workload != w && !own(s, &p, a))
		compare(s, &p);
}

static void case_published(struct scene *s, struct gen *g)
{
	vw_vec_foreach (w, &s->world.workloads)
		vw_vec_foreach (pub, &w->published) {
			if (pub->host_addr.family)
				probe_published(s, g, w, pub, &pub->host_addr);
			vw_vec_foreach (h, &s->world.host)
				if (!pub->host_addr.family)
					probe_published(s, g, w, pub, h);
		}
}

static void published_is_container_behind(void **state)
{
	(void)state;
	each_case(case_published);
}

static bool same_set(const struct vw_set *a, const struct vw_set *b)
{
	return vw_set_same_spec(a, b) && a->elems.n == b->elems.n &&
	       (!a->elems.n || !memcmp(a->elems.v, b->elems.v, a->elems.n * vw_set_stride(a)));
}

static bool same_class(const struct vw_class *a, const struct vw_class *b)
{
	return !strcmp(a->name, b->name) && a->dir == b->dir &&
	       a->default_code == b->default_code && a->base_row == b->base_row &&
	       same_set(&a->x, &b->x) && same_set(&a->xi, &b->xi) && same_set(&a->r, &b->r) &&
	       same_set(&a->ri, &b->ri) && same_set(&a->q, &b->q) && same_set(&a->a, &b->a);
}

static void assert_same(uint64_t seed, const struct vw_compiled *a, const struct vw_compiled *b)
{
	bool same = same_set(&a->id4, &b->id4) && same_set(&a->id6, &b->id6) &&
		    same_set(&a->net4, &b->net4) && same_set(&a->net6, &b->net6) &&
		    same_set(&a->pub4, &b->pub4) && same_set(&a->pub6, &b->pub6) &&
		    a->base4 == b->base4 && a->base6 == b->base6 && a->classes.n == b->classes.n &&
		    a->walls.n == b->walls.n;

	for (size_t i = 0; same && i < a->classes.n; i++)
		same = same_class(&a->classes.v[i], &b->classes.v[i]);
	for (size_t i = 0; same && i < a->walls.n; i++)
		same = a->walls.v[i].spec == b->walls.v[i].spec &&
		       same_set(&a->walls.v[i].learnt[0], &b->walls.v[i].learnt[0]) &&
		       same_set(&a->walls.v[i].learnt[1], &b->walls.v[i].learnt[1]);
	if (!same)
		fail_msg("VW_SEED=%llu: the order of the input shows in the output",
			 (unsigned long long)seed);
}

/* The same workloads, put in the opposite order. */
static struct vw_world world_reversed(const struct vw_world *w)
{
	struct vw_world r = {0};

	for (size_t i = w->workloads.n; i-- > 0;) {
		struct vw_workload c;

		assert_int_equal(vw_workload_copy(&w->workloads.v[i], &c), 0);
		m_put(&r, c);
	}
	vw_vec_foreach (n, &w->namespaces) {
		struct vw_namespace *to;

		assert_int_equal(vw_world_add_namespace(&r, n->name, &to), 0);
		vw_labels_done(&to->labels);
		assert_int_equal(vw_labels_copy(&n->labels, &to->labels), 0);
	}
	for (size_t i = w->host.n; i-- > 0;)
		assert_int_equal(vw_world_add_host(&r, &w->host.v[i]), 0);
	for (size_t i = w->learnt.n; i-- > 0;) {
		bool news;

		assert_int_equal(vw_learnt_put(&r, &w->learnt.v[i], &news), 0);
	}
	for (size_t i = w->dns.n; i-- > 0;)
		assert_int_equal(vw_vec_push(&r.dns, w->dns.v[i], 8), 0);
	assert_int_equal(vw_image_lists_copy(w, &r), 0);
	return r;
}

/* The same world and policies, arrived in another order. */
static void case_reversed(struct scene *s, struct gen *g)
{
	struct scene other = {.cfg = s->cfg, .world = world_reversed(&s->world)};

	*g = (struct gen){.s = s->seed * 7919};
	struct vw_world again = g_world(g);

	vw_world_done(&again);
	other.set = g_policies(g);
	for (size_t i = 0; i < other.set.list.n / 2; i++) {
		struct vw_policy t = other.set.list.v[i];

		other.set.list.v[i] = other.set.list.v[other.set.list.n - 1 - i];
		other.set.list.v[other.set.list.n - 1 - i] = t;
	}
	vw_policyset_sort(&other.set);
	compile(&other);
	assert_same(s->seed, &s->c, &other.c);
	scene_done(&other);
}

static void order_does_not_show(void **state)
{
	(void)state;
	each_case(case_reversed);
}

/* --- small changes --- */

/* shop: web-1, web-2, api-1, db-1; db takes web on 5432, everybody may go to the resolver */
static void shop_make(struct scene *s)
{
	struct vw_policy db = m_policy(VW_TIER_SERVICE, "ServicePolicy", "shop", "db", "db");
	struct vw_policy web = m_policy(VW_TIER_SERVICE, "ServicePolicy", "shop", "web", "web");
	struct vw_rule *r = m_rule(&db, VW_INGRESS, VW_ALLOW);

	*s = (struct scene){.cfg = vw_config_default};
	m_peer(r, m_service("shop", "web"));
	m_peer(r, m_cidr("192.0.2.0/24", NULL));
	m_ports(r, "tcp", 5432, 5432);
	r = m_rule(&web, VW_EGRESS, VW_ALLOW);
	m_peer(r, m_service("shop", "db"));
	r->any_port = true;
	m_add(&s->set, db);
	m_add(&s->set, web);
	vw_policyset_sort(&s->set);
}

static void shop_put(struct scene *s, const char *name, const char *service, unsigned n)
{
	char v4[32], v6[32];

	snprintf(v4, sizeof(v4), "10.0.0.%u", n);
	snprintf(v6, sizeof(v6), "fd77::%x", n);
	struct vw_workload w = m_workload("shop", name, service, "net", v4, v6);

	w.ifaces.v[0].ifindex = n;
	snprintf(w.ifaces.v[0].veth, IFNAMSIZ, "v%u", n);
	m_put(&s->world, w);
}

static void shop_fill(struct scene *s)
{
	shop_make(s);
	shop_put(s, "web-1", "web", 2);
	shop_put(s, "api-1", "api", 3);
	shop_put(s, "db-1", "db", 4);
	compile(s);
}

static uint32_t id_of(const struct vw_set *s, const char *addr)
{
	struct vw_addr a = m_addr(addr);
	struct vw_elem e;

	for (size_t i = 0; i < s->elems.n; i++) {
		vw_elem_get(s, i, &e);
		if (!memcmp(e.key, a.b, vw_addr_len(&a)))
			return e.data;
	}
	return 0;
}

/* A replica more is one element of each address map and one wall. */
static void replica_is_one_element(void **state)
{
	struct scene a, b;

	(void)state;
	shop_fill(&a);
	shop_fill(&b);
	vw_compiled_done(&b.c);
	shop_put(&b, "web-2", "web", 5);
	compile(&b);
	assert_int_equal(b.c.id4.elems.n, a.c.id4.elems.n + 1);
	assert_int_equal(b.c.id6.elems.n, a.c.id6.elems.n + 1);
	for (unsigned n = 2; n < 5; n++) {
		char v4[32];

		snprintf(v4, sizeof(v4), "10.0.0.%u", n);
		assert_int_equal(id_of(&a.c.id4, v4), id_of(&b.c.id4, v4));
		assert_int_equal(vw_compiled_wall(&a.c, n)->spec, vw_compiled_wall(&b.c, n)->spec);
	}
	assert_int_equal(id_of(&b.c.id4, "10.0.0.5"), id_of(&a.c.id4, "10.0.0.2"));
	assert_int_equal(id_of(&b.c.id6, "fd77::5"), id_of(&a.c.id6, "fd77::2"));
	assert_true(same_set(&a.c.net4, &b.c.net4) && same_set(&a.c.net6, &b.c.net6));
	assert_int_equal(a.c.classes.n, b.c.classes.n);
	for (size_t i = 0; i < a.c.classes.n; i++)
		assert_true(same_class(&a.c.classes.v[i], &b.c.classes.v[i]));
	assert_string_equal(vw_compiled_wall(&b.c, 5)->out_class,
			    vw_compiled_wall(&a.c, 2)->out_class);
	scene_done(&a);
	scene_done(&b);
}

/* A document about others changes neither numbers nor names of these. */
static void unrelated_policy_moves_nothing(void **state)
{
	struct vw_policy p = m_policy(VW_TIER_SERVICE, "ServicePolicy", "aaa", "other", "other");
	struct scene a, b;

	(void)state;
	shop_fill(&a);
	shop_fill(&b);
	vw_compiled_done(&b.c);
	m_peer(m_rule(&p, VW_INGRESS, VW_ALLOW), m_service("aaa", "someone"));
	m_add(&b.set, p);
	vw_policyset_sort(&b.set);
	compile(&b);
	assert_same(0, &a.c, &b.c);
	scene_done(&a);
	scene_done(&b);
}

/* What makes a wall's rules differ shows in its spec: here, that something is to be logged. */
static void notes_are_in_the_spec(void **state)
{
	struct scene a, b;
	uint64_t was;

	(void)state;
	shop_fill(&a);
	shop_fill(&b);
	vw_compiled_done(&b.c);
	vw_vec_foreach (p, &b.set.list)
		p->log = !strcmp(p->name, "db");
	compile(&b);
	was = vw_compiled_wall(&a.c, 4)->spec;
	assert_int_not_equal(was, vw_compiled_wall(&b.c, 4)->spec);
	assert_int_equal(vw_compiled_wall(&a.c, 2)->spec, vw_compiled_wall(&b.c, 2)->spec);
	scene_done(&a);
	scene_done(&b);
}

/* One host port of two containers that differ is the node's own; the others stay. */
static void rivals_are_the_node(void **state)
{
	static const struct vw_published pub[] = {
		{.proto = 6, .host_port = 8000, .container_port = 80},
		{.proto = 6, .host_port = 8001, .container_port = 80},
	};
	struct scene s;

	(void)state;
	shop_make(&s);
	g_host(&s.world, "192.0.2.1");
	for (unsigned n = 0; n < 2; n++) {
		struct vw_workload w = m_workload("shop", n ? "db-1" : "api-1", n ? "db" : "api",
						  "net", n ? "10.0.0.2" : "10.0.0.3", NULL);

		assert_int_equal(vw_vec_push(&w.published, pub[0], VW_PORTS_MAX), 0);
		if (n)
			assert_int_equal(vw_vec_push(&w.published, pub[1], VW_PORTS_MAX), 0);
		m_put(&s.world, w);
	}
	compile(&s);
	assert_int_equal(s.c.pub4.elems.n, 1);
	scene_done(&s);
}

static void twins_are_held(void **state)
{
	struct vw_held held = {.ifindex = 9, .dev = "v9"};
	struct vw_diag d = {0};
	struct scene s;

	(void)state;
	shop_fill(&s);
	vw_compiled_done(&s.c);
	shop_put(&s, "web-2", "web", 5);
	s.world.workloads.v[s.world.workloads.n - 1].ifaces.v[0].ifindex = 4;
	assert_int_equal(vw_compile(&s.set, &s.world, &held, 1, &s.cfg, &s.c, &d), 0);
	assert_int_equal(vw_compiled_wall(&s.c, 4)->kind, VW_WALL_HOLD);
	assert_int_equal(vw_compiled_wall(&s.c, 9)->kind, VW_WALL_HOLD);
	assert_int_equal(vw_compiled_wall(&s.c, 2)->kind, VW_WALL_POLICY);
	vw_diag_done(&d);
	scene_done(&s);
}

/* More ranges than a table may have is refused, not cut short. */
static void bounds_are_told(void **state)
{
	struct vw_policy p = m_policy(VW_TIER_SERVICE, "ServicePolicy", "shop", "web", "web");
	struct vw_rule *r = m_rule(&p, VW_EGRESS, VW_ALLOW);
	struct vw_diag d = {0};
	struct scene s;

	(void)state;
	shop_make(&s);
	vw_policyset_done(&s.set);
	shop_put(&s, "web-1", "web", 2);
	r->any_peer = true;
	for (unsigned i = 0; i < 400000; i++)
		assert_int_equal(vw_vec_push(&r->ports,
					     ((struct vw_port){.proto = i & 1 ? 6 : 17,
							       .lo = (uint16_t)i,
							       .hi = (uint16_t)i}),
					     500000),
				 0);
	m_add(&s.set, p);
	assert_int_equal(vw_compile(&s.set, &s.world, NULL, 0, &s.cfg, &s.c, &d), -E2BIG);
	assert_int_equal(d.errors, 1);
	vw_diag_done(&d);
	scene_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compiled_is_reference),
		cmocka_unit_test(audited_set_only_watches),
		cmocka_unit_test(published_is_container_behind),
		cmocka_unit_test(order_does_not_show),
		cmocka_unit_test(replica_is_one_element),
		cmocka_unit_test(unrelated_policy_moves_nothing),
		cmocka_unit_test(notes_are_in_the_spec),
		cmocka_unit_test(rivals_are_the_node),
		cmocka_unit_test(twins_are_held),
		cmocka_unit_test(bounds_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
