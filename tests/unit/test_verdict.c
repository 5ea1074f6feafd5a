/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reference verdict, sentence by sentence of the policy language: isolation, union, tiers,
 * pass, audit, entities, ports, and what came closest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "vethwall/cleanup.h"
#include "vethwall/verdict.h"
#include "model.h"

struct fixture {
	struct vw_world world;
	struct vw_policyset set;
	bool default_deny;
	struct vw_verdict v; /* of the last question */
};

/* shop: web api db, back: batch, on one network; host 192.0.2.1, resolver 192.0.2.53. */
static int setup(void **state)
{
	static struct fixture f;
	struct vw_workload api = m_workload("shop", "api-1", "api", "net", "10.0.0.2", "fd77::2");
	struct vw_named_port http = {m_text("http"), 6, 8080};
	struct vw_addr host = m_addr("192.0.2.1"), dns = m_addr("192.0.2.53");

	f = (struct fixture){0};
	assert_int_equal(vw_vec_push(&api.ports, http, VW_PORTS_MAX), 0);
	m_put(&f.world, api);
	m_put(&f.world, m_workload("shop", "web-1", "web", "net", "10.0.0.1", "fd77::1"));
	m_put(&f.world, m_workload("shop", "db-1", "db", "net", "10.0.0.3", NULL));
	m_put(&f.world, m_workload("back", "batch-1", "batch", "net", "10.0.0.4", NULL));
	assert_int_equal(vw_world_add_host(&f.world, &host), 0);
	assert_int_equal(vw_vec_push(&f.world.dns, dns, 8), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vw_world_done(&f->world);
	vw_policyset_done(&f->set);
	return 0;
}

/* An end by workload id or by address. */
static struct vw_end end(const struct fixture *f, const char *s)
{
	const struct vw_workload *w = vw_world_find(&f->world, s);

	if (!w)
		return (struct vw_end){.addr = m_addr(s)};
	return (struct vw_end){w, &w->ifaces.v[0], w->ifaces.v[0].ips.v[0]};
}

static bool ask(struct fixture *f, const char *from, const char *to, const char *proto,
		uint16_t port)
{
	struct vw_probe p = {end(f, from), end(f, to), (uint8_t)vw_proto_parse(proto), port};

	vw_policyset_sort(&f->set);
	vw_verdict(&f->set, &f->world, f->default_deny, &p, &f->v);
	assert_int_equal(f->v.allow, f->v.egress.allow && f->v.ingress.allow);
	return f->v.allow;
}

static struct vw_policy service_policy(const char *name, const char *service)
{
	return m_policy(VW_TIER_SERVICE, "ServicePolicy", "shop", name, service);
}

/* db: ingress from api on tcp/5432. */
static struct vw_policy db_policy(void)
{
	struct vw_policy p = service_policy("db", "db");
	struct vw_rule *r = m_rule(&p, VW_INGRESS, VW_ALLOW);

	m_peer(r, m_service("shop", "api"));
	m_ports(r, "tcp", 5432, 5432);
	return p;
}

static struct vw_policy ordered(enum vw_tier tier, const char *name, int priority,
				const char *service)
{
	struct vw_policy p =
		m_policy(tier, tier == VW_TIER_GUARDRAIL ? "GuardrailPolicy" : "BaselinePolicy",
			 NULL, name, service);

	p.priority = priority;
	return p;
}

/* Adds a rule for every peer and port. */
static void any_rule(struct vw_policy *p, enum vw_direction dir, enum vw_action action)
{
	struct vw_rule *r = m_rule(p, dir, action);

	r->any_peer = r->any_port = true;
}

static void no_policy(void **state)
{
	struct fixture *f = *state;

	assert_true(ask(f, "shop/web-1", "shop/api-1", "tcp", 80));
	assert_int_equal(f->v.egress.tier, VW_TIER_DEFAULT);
	assert_null(f->v.egress.policy);
	f->default_deny = true;
	assert_false(ask(f, "shop/web-1", "shop/api-1", "tcp", 80));
	assert_false(f->v.egress.allow);
	assert_false(f->v.ingress.allow);
	assert_int_equal(f->v.ingress.tier, VW_TIER_DEFAULT);
	/* Nobody judges at an end that is no workload. */
	assert_false(ask(f, "203.0.113.9", "shop/api-1", "tcp", 80));
	assert_true(f->v.egress.allow);
	assert_true(ask(f, "203.0.113.9", "203.0.113.10", "tcp", 80));
}

static void isolation(void **state)
{
	struct fixture *f = *state;

	m_add(&f->set, db_policy());
	assert_true(ask(f, "shop/api-1", "shop/db-1", "tcp", 5432));
	assert_int_equal(f->v.ingress.tier, VW_TIER_SERVICE);
	assert_string_equal(f->v.ingress.policy->name, "db");
	assert_int_equal(f->v.ingress.rule->index, 0);
	assert_ptr_equal(f->v.ingress.peer, &f->v.ingress.rule->peers.v[0]);
	assert_int_equal(f->v.egress.tier, VW_TIER_DEFAULT);
	assert_false(ask(f, "shop/api-1", "shop/db-1", "udp", 5432));
	assert_false(ask(f, "shop/api-1", "shop/db-1", "tcp", 5433));
	assert_false(ask(f, "shop/web-1", "shop/db-1", "tcp", 5432));
	assert_false(ask(f, "203.0.113.9", "shop/db-1", "tcp", 5432));
	assert_int_equal(f->v.ingress.tier, VW_TIER_SERVICE);
	assert_null(f->v.ingress.policy);
	assert_null(f->v.ingress.rule);
	/* Only that direction, and only whom it selects. */
	assert_true(ask(f, "shop/db-1", "shop/web-1", "tcp", 80));
	assert_true(ask(f, "shop/web-1", "shop/api-1", "tcp", 80));
}

static void addresses_stand_for_workloads(void **state)
{
	struct fixture *f = *state;
	struct vw_probe p = {.from = {.addr = m_addr("10.0.0.1")},
			     .to = {.addr = m_addr("10.0.0.3")},
			     .proto = 6,
			     .port = 5432};

	m_add(&f->set, db_policy());
	vw_verdict(&f->set, &f->world, false, &p, &f->v);
	assert_false(f->v.allow);
	p.from.addr = m_addr("10.0.0.2");
	vw_verdict(&f->set, &f->world, false, &p, &f->v);
	assert_true(f->v.allow);
	/* A workload without address and interface. */
	p.from = (struct vw_end){.workload = vw_world_find(&f->world, "shop/api-1")};
	vw_verdict(&f->set, &f->world, false, &p, &f->v);
	assert_true(f->v.allow);
}

static void union_of_policies(void **state)
{
	struct fixture *f = *state;
	struct vw_policy p = service_policy("extra", NULL), q = service_policy("closed", "db");
	struct vw_rule *r = m_rule(&p, VW_INGRESS, VW_ALLOW);

	m_peer(r, m_service("back", "batch"));
	r->any_port = true;
	r = m_rule(&q, VW_INGRESS, VW_ALLOW); /* no peers and not any: nobody */
	r->any_port = true;
	m_add(&f->set, p);
	m_add(&f->set, q);
	m_add(&f->set, db_policy());
	assert_true(ask(f, "shop/api-1", "shop/db-1", "tcp", 5432));
	assert_true(ask(f, "back/batch-1", "shop/db-1", "udp", 9));
	assert_string_equal(f->v.ingress.policy->name, "extra");
	assert_false(ask(f, "shop/web-1", "shop/db-1", "tcp", 5432));
	assert_false(ask(f, "shop/api-1", "shop/web-1", "tcp", 80)); /* extra selects it too */
	assert_true(ask(f, "shop/web-1", "back/batch-1", "tcp", 80)); /* another namespace */
}

static void both_ends_must_allow(void **state)
{
	struct fixture *f = *state;
	struct vw_policy p = service_policy("api-out", "api");
	struct vw_rule *r = m_rule(&p, VW_EGRESS, VW_ALLOW);

	m_peer(r, m_service("shop", "web"));
	r->any_port = true;
	m_add(&f->set, p);
	m_add(&f->set, db_policy());
	assert_false(ask(f, "shop/api-1", "shop/db-1", "tcp", 5432));
	assert_false(f->v.egress.allow);
	assert_true(f->v.ingress.allow);
	assert_true(ask(f, "shop/api-1", "shop/web-1", "tcp", 1));
	assert_true(ask(f, "shop/web-1", "shop/api-1", "tcp", 1));
}

static void to_itself(void **state)
{
	struct fixture *f = *state;

	f->default_deny = true;
	m_add(&f->set, db_policy());
	assert_true(ask(f, "shop/db-1", "shop/db-1", "tcp", 1));
	assert_true(ask(f, "shop/db-1", "10.0.0.3", "tcp", 1));
	assert_int_equal(f->v.ingress.tier, VW_TIER_DEFAULT);
}

static void closest(void **state)
{
	struct fixture *f = *state;
	struct vw_policy p = service_policy("aaa", "db"), empty = service_policy("aa", "db");
	struct vw_rule *r = m_rule(&p, VW_INGRESS, VW_ALLOW);

	m_peer(r, m_service("back", "batch"));
	m_ports(r, "tcp", 9, 9);
	r = m_rule(&p, VW_INGRESS, VW_ALLOW);
	m_peer(r, m_service("back", "batch"));
	m_ports(r, "tcp", 5432, 5432);
	empty.applies[VW_INGRESS] = true;
	m_add(&f->set, p);
	m_add(&f->set, empty);
	m_add(&f->set, db_policy());
	/* The peer fits, the port does not: preferred although it comes last. */
	assert_false(ask(f, "shop/api-1", "shop/db-1", "tcp", 9));
	assert_string_equal(f->v.ingress.near_policy->name, "db");
	assert_int_equal(f->v.ingress.near_rule->index, 0);
	/* The port fits, the peer does not: the first one. */
	assert_false(ask(f, "shop/web-1", "shop/db-1", "tcp", 5432));
	assert_string_equal(f->v.ingress.near_policy->name, "aaa");
	assert_int_equal(f->v.ingress.near_rule->index, 1);
	/* Neither: the first selecting document. */
	assert_false(ask(f, "shop/web-1", "shop/db-1", "udp", 1));
	assert_string_equal(f->v.ingress.near_policy->name, "aa");
	assert_null(f->v.ingress.near_rule);
	assert_true(ask(f, "shop/api-1", "shop/db-1", "tcp", 5432));
	assert_null(f->v.ingress.near_policy);
	assert_null(f->v.ingress.near_rule);
}

static void guardrails_first(void **state)
{
	struct fixture *f = *state;
	struct vw_policy deny = ordered(VW_TIER_GUARDRAIL, "deny", 10, "db");
	struct vw_policy late = ordered(VW_TIER_GUARDRAIL, "late", 20, "db");
	struct vw_rule *r = m_rule(&deny, VW_INGRESS, VW_DENY);

	m_peer(r, m_service("shop", "api"));
	r->any_port = true;
	any_rule(&late, VW_INGRESS, VW_ALLOW);
	m_add(&f->set, late);
	m_add(&f->set, db_policy());
	assert_true(ask(f, "shop/api-1", "shop/db-1", "tcp", 5432));
	m_add(&f->set, deny);
	assert_false(ask(f, "shop/api-1", "shop/db-1", "tcp", 5432)); /* nobody's allow lifts it */
	assert_int_equal(f->v.ingress.tier, VW_TIER_GUARDRAIL);
	assert_string_equal(f->v.ingress.policy->name, "deny");
	assert_non_null(f->v.ingress.rule);
	/* A guardrail's allow passes isolation; it isolates nobody itself. */
	assert_true(ask(f, "shop/web-1", "shop/db-1", "tcp", 1));
	assert_string_equal(f->v.ingress.policy->name, "late");
	assert_true(ask(f, "shop/api-1", "shop/web-1", "tcp", 1));
}

static void guardrail_order_within_and_between(void **state)
{
	struct fixture *f = *state;
	struct vw_policy b = ordered(VW_TIER_GUARDRAIL, "b", 5, "db");
	struct vw_policy a = ordered(VW_TIER_GUARDRAIL, "a", 5, "db");
	struct vw_rule *r = m_rule(&a, VW_INGRESS, VW_ALLOW);

	r->any_peer = true;
	m_ports(r, "tcp", 1, 1);
	any_rule(&a, VW_INGRESS, VW_DENY);
	any_rule(&b, VW_INGRESS, VW_ALLOW);
	m_add(&f->set, b);
	m_add(&f->set, a);
	assert_true(ask(f, "shop/api-1", "shop/db-1", "tcp", 1));
	assert_int_equal(f->v.ingress.rule->index, 0);
	assert_false(ask(f, "shop/api-1", "shop/db-1", "tcp", 2));
	assert_string_equal(f->v.ingress.policy->name, "a");
	assert_int_equal(f->v.ingress.rule->index, 1);
}

static void pass_leaves_the_tier(void **state)
{
	struct fixture *f = *state;
	struct vw_policy pass = ordered(VW_TIER_GUARDRAIL, "pass", 1, "db");
	struct vw_policy deny = ordered(VW_TIER_GUARDRAIL, "deny", 2, "db");
	struct vw_rule *r = m_rule(&pass, VW_INGRESS, VW_PASS);

	m_peer(r, m_service("shop", NULL));
	r->any_port = true;
	any_rule(&pass, VW_INGRESS, VW_DENY);
	any_rule(&deny, VW_INGRESS, VW_DENY);
	m_add(&f->set, pass);
	m_add(&f->set, deny);
	assert_true(ask(f, "shop/api-1", "shop/db-1", "tcp", 5432)); /* past deny, to the default */
	assert_int_equal(f->v.ingress.tier, VW_TIER_DEFAULT);
	assert_false(ask(f, "back/batch-1", "shop/db-1", "tcp", 5432));
	m_add(&f->set, db_policy());
	assert_false(ask(f, "shop/web-1", "shop/db-1", "tcp", 5432));
	assert_int_equal(f->v.ingress.tier, VW_TIER_SERVICE);
}

static void baseline_for_the_rest(void **state)
{
	struct fixture *f = *state;
	struct vw_policy base = ordered(VW_TIER_BASELINE, "base", 0, NULL);
	struct vw_rule *r = m_rule(&base, VW_INGRESS, VW_ALLOW);

	m_peer(r, m_service("shop", "web"));
	r->any_port = true;
	any_rule(&base, VW_INGRESS, VW_DENY);
	m_add(&f->set, base);
	m_add(&f->set, db_policy());
	assert_true(ask(f, "shop/web-1", "shop/api-1", "tcp", 1));
	assert_int_equal(f->v.ingress.tier, VW_TIER_BASELINE);
	assert_false(ask(f, "back/batch-1", "shop/api-1", "tcp", 1));
	assert_string_equal(f->v.ingress.policy->name, "base");
	/* Isolated by a service policy: neither its allow nor its deny counts. */
	assert_false(ask(f, "shop/web-1", "shop/db-1", "tcp", 5432));
	assert_int_equal(f->v.ingress.tier, VW_TIER_SERVICE);
	assert_true(ask(f, "shop/api-1", "shop/db-1", "tcp", 5432));
}

static void audit_only_watches(void **state)
{
	struct fixture *f = *state;
	struct vw_policy p = db_policy(), g = ordered(VW_TIER_GUARDRAIL, "g", 1, "api");

	p.audit = g.audit = true;
	any_rule(&g, VW_INGRESS, VW_DENY);
	m_add(&f->set, p);
	m_add(&f->set, g);
	assert_true(ask(f, "shop/web-1", "shop/db-1", "tcp", 5432));
	assert_true(f->v.ingress.audited);
	assert_int_equal(f->v.ingress.tier, VW_TIER_SERVICE);
	assert_string_equal(f->v.ingress.near_policy->name, "db");
	assert_false(f->v.egress.audited);
	assert_true(ask(f, "shop/web-1", "shop/api-1", "tcp", 1));
	assert_true(f->v.ingress.audited);
	assert_string_equal(f->v.ingress.policy->name, "g");
	assert_non_null(f->v.ingress.rule);
	/* What it would allow is not audited, and its allow opens nothing. */
	assert_true(ask(f, "shop/api-1", "shop/db-1", "tcp", 5432));
	assert_false(f->v.ingress.audited);
	assert_int_equal(f->v.ingress.tier, VW_TIER_DEFAULT);
	f->default_deny = true;
	assert_false(ask(f, "203.0.113.9", "shop/db-1", "tcp", 5432));
	assert_false(f->v.ingress.audited);
	assert_int_equal(f->v.ingress.tier, VW_TIER_DEFAULT);
}

static void audit_allow_opens_nothing(void **state)
{
	struct fixture *f = *state;
	struct vw_policy extra = service_policy("extra", "db");
	struct vw_policy g = ordered(VW_TIER_GUARDRAIL, "g", 1, "db");

	any_rule(&extra, VW_INGRESS, VW_ALLOW);
	any_rule(&g, VW_INGRESS, VW_ALLOW);
	extra.audit = g.audit = true;
	m_add(&f->set, extra);
	m_add(&f->set, g);
	m_add(&f->set, db_policy());
	assert_false(ask(f, "shop/web-1", "shop/db-1", "tcp", 5432));
	assert_int_equal(f->v.ingress.tier, VW_TIER_SERVICE);
	assert_string_equal(f->v.ingress.near_policy->name, "db");
}

static void log_flag(void **state)
{
	struct fixture *f = *state;
	struct vw_policy p = db_policy();

	p.log = true;
	m_add(&f->set, p);
	assert_true(ask(f, "shop/api-1", "shop/db-1", "tcp", 5432));
	assert_true(f->v.ingress.log);
	assert_false(f->v.egress.log);
	assert_false(ask(f, "shop/web-1", "shop/db-1", "tcp", 5432));
	assert_false(f->v.ingress.log);
}

static void cidr_peers(void **state)
{
	struct fixture *f = *state;
	struct vw_policy p = service_policy("p", "api");
	struct vw_rule *r = m_rule(&p, VW_INGRESS, VW_ALLOW);

	m_peer(r, m_cidr("203.0.113.0/24", "203.0.113.128/25"));
	m_peer(r, m_cidr("10.0.0.4/31", NULL));
	m_peer(r, m_cidr("fd77::1/128", NULL));
	r->any_port = true;
	m_add(&f->set, p);
	assert_true(ask(f, "203.0.113.9", "shop/api-1", "tcp", 1));
	assert_int_equal(f->v.ingress.peer - f->v.ingress.rule->peers.v, 0);
	assert_false(ask(f, "203.0.113.129", "shop/api-1", "tcp", 1));
	assert_false(ask(f, "203.0.112.9", "shop/api-1", "tcp", 1));
	assert_true(ask(f, "back/batch-1", "shop/api-1", "tcp", 1)); /* workloads have addresses */
	assert_false(ask(f, "shop/web-1", "shop/api-1", "tcp", 1));
	assert_true(ask(f, "fd77::1", "shop/api-1", "tcp", 1));
}

static void entities(void **state)
{
	static const struct {
		enum vw_entity entity;
		const char *peer;
		bool fits;
	} rows[] = {
		{VW_ENTITY_ANY, "203.0.113.1", true},
		{VW_ENTITY_ANY, "shop/web-1", true},
		{VW_ENTITY_ANY, "192.0.2.1", true},
		{VW_ENTITY_HOST, "192.0.2.1", true},
		{VW_ENTITY_HOST, "shop/web-1", false},
		{VW_ENTITY_HOST, "203.0.113.1", false},
		{VW_ENTITY_WORLD, "203.0.113.1", true},
		{VW_ENTITY_WORLD, "192.0.2.1", false},
		{VW_ENTITY_WORLD, "shop/web-1", false},
		{VW_ENTITY_WORLD, "10.0.0.1", false},
		{VW_ENTITY_WORLD, "10.9.9.9", false},
		{VW_ENTITY_CLUSTER, "shop/web-1", true},
		{VW_ENTITY_CLUSTER, "10.0.0.1", true},
		{VW_ENTITY_CLUSTER, "10.9.9.9", false},
		{VW_ENTITY_CLUSTER, "192.0.2.1", false},
		{VW_ENTITY_CLUSTER, "203.0.113.1", false},
		{VW_ENTITY_METADATA, "169.254.169.254", true},
		{VW_ENTITY_METADATA, "169.254.169.253", false},
		{VW_ENTITY_METADATA, "fd00:ec2::254", true},
		{VW_ENTITY_METADATA, "fd00:ec2::255", false},
		{VW_ENTITY_DNS, "192.0.2.53", true},
		{VW_ENTITY_DNS, "192.0.2.54", false},
		{VW_ENTITY_ANY, "10.9.9.9", true},
		{VW_ENTITY_HOST, "10.9.9.9", false},
	};
	struct fixture *f = *state;

	/* 10.9.9.9 has two owners: nobody knows who it is. */
	m_put(&f->world, m_workload("x", "one", "x", "net", "10.9.9.9", NULL));
	m_put(&f->world, m_workload("x", "two", "x", "net", "10.9.9.9", NULL));
	for (size_t i = 0; i < VW_ARRAY_SIZE(rows); i++) {
		struct vw_peer p = m_entity(rows[i].entity);
		struct vw_end e = end(f, rows[i].peer);

		if (vw_peer_matches(&p, &f->world, &e) != rows[i].fits)
			fail_msg("%s in %s", rows[i].peer, vw_entity_str(rows[i].entity));
	}
	/* An end of which nothing is known is only any. */
	for (int e = 0; e < _VW_ENTITY_MAX; e++) {
		struct vw_peer p = m_entity((enum vw_entity)e);

		assert_int_equal(vw_peer_matches(&p, &f->world, &(struct vw_end){0}),
				 e == VW_ENTITY_ANY);
	}
}

static void two_owners_fail_closed(void **state)
{
	struct fixture *f = *state;
	struct vw_policy p = db_policy();
	struct vw_rule *r = m_rule(&p, VW_INGRESS, VW_ALLOW);

	m_peer(r, m_cidr("10.0.0.2/32", NULL));
	m_ports(r, "tcp", 7, 7);
	m_add(&f->set, p);
	assert_true(ask(f, "shop/api-1", "shop/db-1", "tcp", 5432));
	m_put(&f->world, m_workload("evil", "twin", "api", "net", "10.0.0.2", NULL));
	assert_false(ask(f, "10.0.0.2", "shop/db-1", "tcp", 5432));
	assert_false(
		ask(f, "shop/api-1", "shop/db-1", "tcp", 5432)); /* its address proves nothing */
	assert_true(ask(f, "shop/api-1", "shop/db-1", "tcp", 7));
	/* Its own wall stands on its veth all the same. */
	p = service_policy("api", "api");
	p.applies[VW_INGRESS] = true;
	m_add(&f->set, p);
	assert_false(ask(f, "shop/web-1", "shop/api-1", "tcp", 1));
	assert_true(ask(f, "shop/web-1", "evil/twin", "tcp", 1));
}

static void network_of_the_interface(void **state)
{
	struct fixture *f = *state;
	struct vw_workload w = m_workload("shop", "two-nets", "two", "front", "10.1.0.1", NULL);
	struct vw_iface back = {.network = m_text("backnet")};
	struct vw_policy p = service_policy("db-net", "db");
	struct vw_rule *r = m_rule(&p, VW_INGRESS, VW_ALLOW);
	struct vw_peer peer = {.kind = VW_PEER_MATCH, .match = {.network = m_text("backnet")}};

	assert_int_equal(vw_vec_push(&back.ips, m_addr("10.2.0.1"), 8), 0);
	assert_int_equal(vw_vec_push(&w.ifaces, back, 8), 0);
	m_put(&f->world, w);
	m_peer(r, peer);
	r->any_port = true;
	m_add(&f->set, p);
	assert_true(ask(f, "10.2.0.1", "shop/db-1", "tcp", 1));
	assert_false(ask(f, "10.1.0.1", "shop/db-1", "tcp", 1));
	/* Subjects by network: only that interface is isolated. */
	p = service_policy("front-closed", NULL);
	p.subject.network = m_text("front");
	p.applies[VW_INGRESS] = true;
	m_add(&f->set, p);
	assert_false(ask(f, "shop/web-1", "10.1.0.1", "tcp", 1));
	assert_true(ask(f, "shop/web-1", "10.2.0.1", "tcp", 1));
}

static void dns_peers(void **state)
{
	struct fixture *f = *state;
	struct vw_policy p = service_policy("out", "web");
	struct vw_rule *r = m_rule(&p, VW_EGRESS, VW_ALLOW);

	m_peer(r, m_entity(VW_ENTITY_DNS));
	m_peer(r, m_cidr("203.0.113.0/24", NULL));
	r->any_port = true;
	r = m_rule(&p, VW_EGRESS, VW_ALLOW);
	m_peer(r, m_entity(VW_ENTITY_DNS));
	m_ports(r, "tcp", 853, 853);
	m_add(&f->set, p);
	assert_true(ask(f, "shop/web-1", "192.0.2.53", "udp", 53));
	assert_true(ask(f, "shop/web-1", "192.0.2.53", "tcp", 53));
	assert_false(ask(f, "shop/web-1", "192.0.2.53", "tcp", 22));
	assert_false(ask(f, "shop/web-1", "192.0.2.53", "sctp", 53));
	assert_int_equal(f->v.egress.near_rule->index, 0);
	assert_true(ask(f, "shop/web-1", "192.0.2.53", "tcp", 853));
	assert_false(ask(f, "shop/web-1", "192.0.2.1", "udp", 53));
	assert_true(
		ask(f, "shop/web-1", "203.0.113.5", "tcp", 22)); /* the restriction is dns's own */
}

static void ports(void **state)
{
	static const struct {
		const char *proto;
		uint16_t port;
		bool fits;
	} rows[] = {
		{"tcp", 7999, false},	     {"tcp", 8000, true},	{"tcp", 8100, true},
		{"tcp", 8101, false},	     {"udp", 8000, false},	{"sctp", 0, true},
		{"sctp", 65535, true},	     {"icmp", 8 << 8, true},	{"icmp", 0, false},
		{"icmp", 8 << 8 | 1, false}, {"icmpv6", 8 << 8, false}, {"gre", 0, true},
		{"esp", 0, false},	     {"200", 0, false},
	};
	struct fixture *f = *state;
	struct vw_policy p = service_policy("p", "api");
	struct vw_rule *r = m_rule(&p, VW_INGRESS, VW_ALLOW);

	r->any_peer = true;
	m_ports(r, "tcp", 8000, 8100);
	m_ports(r, "sctp", 0, 65535);
	m_ports(r, "icmp", 8 << 8, 8 << 8);
	m_ports(r, "gre", 0, 65535);
	m_ports(r, "esp", 0, 0); /* esp has no ports: neither does part of it fit */
	m_add(&f->set, p);
	for (size_t i = 0; i < VW_ARRAY_SIZE(rows); i++)
		if (ask(f, "203.0.113.1", "shop/api-1", rows[i].proto, rows[i].port) !=
		    rows[i].fits)
			fail_msg("%s/%u", rows[i].proto, rows[i].port);
	assert_null(f->v.ingress.peer);
}

static void any_protocol(void **state)
{
	struct fixture *f = *state;
	struct vw_policy p = service_policy("p", "api");
	struct vw_rule *r = m_rule(&p, VW_INGRESS, VW_ALLOW);
	struct vw_port any = {.any_proto = true};

	r->any_peer = true;
	assert_int_equal(vw_vec_push(&r->ports, any, 8), 0);
	m_add(&f->set, p);
	assert_true(ask(f, "203.0.113.1", "shop/api-1", "200", 0));
	assert_true(ask(f, "203.0.113.1", "shop/api-1", "tcp", 1));
}

static void no_ports_fit_nothing(void **state)
{
	struct fixture *f = *state;
	struct vw_policy p = service_policy("p", "api");
	struct vw_rule *r = m_rule(&p, VW_INGRESS, VW_ALLOW);

	r->any_peer = true;
	m_add(&f->set, p);
	assert_false(ask(f, "203.0.113.1", "shop/api-1", "tcp", 1));
}

static void named_ports(void **state)
{
	struct fixture *f = *state;
	struct vw_policy in = service_policy("in", "api"), out = service_policy("out", "web");
	struct vw_rule *r = m_rule(&in, VW_INGRESS, VW_ALLOW);

	r->any_peer = true;
	m_named(r, "tcp", "http");
	m_named(r, "udp", "http"); /* the name is one of TCP: it opens nothing for UDP */
	r = m_rule(&out, VW_EGRESS, VW_ALLOW);
	r->any_peer = true;
	m_named(r, "tcp", "http");
	m_add(&f->set, in);
	m_add(&f->set, out);
	assert_true(ask(f, "203.0.113.1", "shop/api-1", "tcp", 8080));
	assert_false(ask(f, "203.0.113.1", "shop/api-1", "tcp", 80));
	assert_false(ask(f, "203.0.113.1", "shop/api-1", "udp", 8080));
	assert_true(ask(f, "shop/web-1", "shop/api-1", "tcp", 8080)); /* the receiver's name */
	assert_false(ask(f, "shop/web-1", "shop/db-1", "tcp", 8080)); /* it has none */
	assert_false(ask(f, "shop/web-1", "203.0.113.1", "tcp", 8080));
}

#define with_fixture(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_fixture(no_policy),
		with_fixture(isolation),
		with_fixture(addresses_stand_for_workloads),
		with_fixture(union_of_policies),
		with_fixture(both_ends_must_allow),
		with_fixture(to_itself),
		with_fixture(closest),
		with_fixture(guardrails_first),
		with_fixture(guardrail_order_within_and_between),
		with_fixture(pass_leaves_the_tier),
		with_fixture(baseline_for_the_rest),
		with_fixture(audit_only_watches),
		with_fixture(audit_allow_opens_nothing),
		with_fixture(log_flag),
		with_fixture(cidr_peers),
		with_fixture(entities),
		with_fixture(two_owners_fail_closed),
		with_fixture(network_of_the_interface),
		with_fixture(dns_peers),
		with_fixture(ports),
		with_fixture(any_protocol),
		with_fixture(no_ports_fit_nothing),
		with_fixture(named_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
