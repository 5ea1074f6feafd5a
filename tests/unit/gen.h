/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random worlds and policy sets from a seed, small enough that everything meets everything: few
 * names, few addresses, ports next to every border. The same seed gives the same case on every
 * machine. Include after cmocka.h and model.h. */
#ifndef TESTS_GEN_H
#define TESTS_GEN_H

#include "vethwall/cleanup.h"
#include "vethwall/verdict.h"

#define G static inline __attribute__((unused))

struct gen {
	uint64_t s;
	unsigned policies; /* made so far */
};

/* splitmix64 */
G uint32_t g_next(struct gen *g)
{
	uint64_t z = g->s += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ z >> 31) >> 16);
}

G unsigned g_below(struct gen *g, unsigned n)
{
	return g_next(g) % n;
}

/* True p times of a hundred. */
G bool g_chance(struct gen *g, unsigned p)
{
	return g_below(g, 100) < p;
}

#define G_PICK(g, v) ((v)[g_below(g, VW_ARRAY_SIZE(v))])

static const char *const g_ns[] = {"shop", "back", "ops"};
static const char *const g_services[] = {"web", "api", "db"};
static const char *const g_networks[] = {"net0", "net1"};
static const char *const g_keys[] = {"app", "tier"};
static const char *const g_values[] = {"x", "y", "z"};
static const char *const g_images[] = {"registry.local/a:1", "docker.io/b:2"};
static const char *const g_globs[] = {"registry.local/*", "*:2", "none*"};
static const char *const g_port_names[] = {"http", "admin"};
static const uint16_t g_ports[] = {0,	 21,   22,   53,   79,	 80,   81,
				   8000, 8001, 8007, 8008, 8080, 8100, 65535};
static const uint8_t g_protos[] = {6, 6, 6, 17, 17, 132, 1, 58, 47};
static const uint16_t g_icmp[] = {0, 0x0800, 0x0801, 0x0303, 0x0305, 0x8000, 0xffff};
/* addresses of workloads, the node, resolvers and outside, and both sides of every prefix below */
static const char *const g_addrs[] = {
	"10.0.0.0",	   "10.0.0.1",	    "10.0.0.2",
	"10.0.0.3",	   "10.0.0.4",	    "10.0.0.7",
	"10.0.0.8",	   "10.0.1.0",	    "10.0.1.1",
	"10.0.1.255",	   "10.0.2.0",	    "9.255.255.255",
	"192.0.2.1",	   "192.0.2.53",    "8.8.8.8",
	"169.254.169.254", "0.0.0.0",	    "255.255.255.255",
	"fd77::",	   "fd77::1",	    "fd77::2",
	"fd77::3",	   "fd77::ff",	    "fd77::100",
	"fd78::1",	   "fd00:ec2::254", "::",
	"2001:db8::1",	   "2001:db8::35",  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};
#define G_OWN4 8 /* of g_addrs, those that workloads may have: 0..7 and */
#define G_OWN6 18 /* ..21 */
static const char *const g_cidrs[] = {
	"0.0.0.0/0",   "10.0.0.0/8",  "10.0.0.0/24",  "10.0.0.0/29",   "10.0.0.1/32",
	"10.0.0.2/31", "10.0.1.0/24", "192.0.2.0/24", "8.8.8.8/32",    "::/0",
	"fd77::/64",   "fd77::/120",  "fd77::1/128",  "2001:db8::/32", "128.0.0.0/1",
};

static const char *const g_names[] = {"x.test", "a.x.test", "b.x.test", "y.test"};
static const char *const g_patterns[] = {"x.test", "*.x.test", "a.x.test", "y.test"};

G struct vw_addr g_own(struct gen *g, int family)
{
	return m_addr(g_addrs[family == 4 ? g_below(g, G_OWN4) : G_OWN6 + g_below(g, 4)]);
}

G void g_labels(struct gen *g, struct vw_labels *l)
{
	for (size_t i = 0; i < VW_ARRAY_SIZE(g_keys); i++)
		if (g_chance(g, 60))
			assert_int_equal(vw_labels_set(l, g_keys[i], G_PICK(g, g_values)), 0);
}

G void g_iface(struct gen *g, struct vw_workload *w, unsigned ifindex)
{
	struct vw_iface i = {.ifindex = ifindex, .network = m_text(G_PICK(g, g_networks))};
	unsigned n = 1 + g_below(g, 3);

	snprintf(i.veth, sizeof(i.veth), "v%u", ifindex);
	i.has_mac = g_chance(g, 50);
	i.mac = (struct vw_mac){{2, 0, 0, 0, 0, (uint8_t)ifindex}};
	for (unsigned k = 0; k < n; k++)
		assert_int_equal(vw_vec_push(&i.ips, g_own(g, g_chance(g, 50) ? 4 : 6), VW_IPS_MAX),
				 0);
	assert_int_equal(vw_vec_push(&w->ifaces, i, VW_IFACES_MAX), 0);
}

G void g_workload(struct gen *g, struct vw_world *world, unsigned n)
{
	struct vw_workload w = {.service = m_text(G_PICK(g, g_services)),
				.namespace_ = m_text(G_PICK(g, g_ns)),
				.image = m_text(G_PICK(g, g_images))};
	unsigned ifaces = 1 + g_chance(g, 30);

	assert_true(asprintf(&w.id, "w%u", n) > 0 && asprintf(&w.name, "n%u", n) > 0);
	if (g_chance(g, 50))
		w.project = m_text(w.namespace_);
	g_labels(g, &w.labels);
	for (unsigned i = 0; i < ifaces; i++)
		g_iface(g, &w, n * 2 + i + 1);
	for (unsigned i = 0; i < g_below(g, 3); i++) {
		struct vw_named_port p = {m_text(G_PICK(g, g_port_names)), g_chance(g, 70) ? 6 : 17,
					  G_PICK(g, g_ports)};

		assert_int_equal(vw_vec_push(&w.ports, p, VW_PORTS_MAX), 0);
	}
	for (unsigned i = 0; i < g_below(g, 2); i++) {
		struct vw_published p = {.proto = 6,
					 .host_port = (uint16_t)(8000 + g_below(g, 4)),
					 .container_port = G_PICK(g, g_ports)};

		if (g_chance(g, 30))
			p.host_addr = m_addr("192.0.2.1");
		assert_int_equal(vw_vec_push(&w.published, p, VW_PORTS_MAX), 0);
	}
	m_put(world, w);
}

G void g_host(struct vw_world *world, const char *s)
{
	struct vw_addr a = m_addr(s);

	assert_int_equal(vw_world_add_host(world, &a), 0);
}

/* Answers that a wall has seen, also such as must not count. */
G void g_learnt(struct gen *g, struct vw_world *world, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct vw_learnt l = {.ifindex = 1 + g_below(g, 8),
				      .addr = m_addr(G_PICK(g, g_addrs)),
				      .name = (char *)G_PICK(g, g_names),
				      .lapsed = g_chance(g, 25)};
		bool news;

		assert_int_equal(vw_learnt_put(world, &l, &news), 0);
	}
}

G struct vw_world g_world(struct gen *g)
{
	static const char *const hosts[] = {"10.0.0.1", "192.0.2.1", "fd77::1"};
	static const char *const dns[] = {"192.0.2.53", "10.0.0.2", "192.0.2.1", "2001:db8::35"};
	struct vw_world world = {0};
	unsigned n = 2 + g_below(g, 6);
	struct vw_image_list listed = {.name = m_text("listed")};
	bool changed;

	assert_int_equal(vw_image_list_add(&listed, g_images[1]), 0);
	assert_int_equal(vw_world_put_image_list(&world, &listed, &changed), 0);
	for (unsigned i = 0; i < n; i++)
		g_workload(g, &world, i);
	for (size_t i = 0; i < VW_ARRAY_SIZE(g_ns); i++) {
		struct vw_namespace *ns;

		assert_int_equal(vw_world_add_namespace(&world, g_ns[i], &ns), 0);
		g_labels(g, &ns->labels);
	}
	for (size_t i = 0; i < VW_ARRAY_SIZE(hosts); i++)
		if (g_chance(g, 60))
			g_host(&world, hosts[i]);
	for (size_t i = 0; i < VW_ARRAY_SIZE(dns); i++)
		if (g_chance(g, 40))
			assert_int_equal(vw_vec_push(&world.dns, m_addr(dns[i]), 8), 0);
	g_learnt(g, &world, g_below(g, 30));
	return world;
}

G void g_selector(struct gen *g, struct vw_selector *s)
{
	unsigned n = g_below(g, 3);

	for (unsigned i = 0; i < n; i++) {
		enum vw_op op = (enum vw_op)g_below(g, 4);
		bool values = op == VW_OP_IN || op == VW_OP_NOT_IN;

		m_require(s, G_PICK(g, g_keys), op, values ? G_PICK(g, g_values) : NULL,
			  values && g_chance(g, 30) ? G_PICK(g, g_values) : NULL, NULL);
	}
}

G struct vw_match g_match(struct gen *g)
{
	struct vw_match m = {0};

	if (g_chance(g, 40))
		m.service = m_text(G_PICK(g, g_services));
	if (g_chance(g, 40))
		m.namespace_ = m_text(G_PICK(g, g_ns));
	if (g_chance(g, 10))
		m.project = m_text(G_PICK(g, g_ns));
	if (g_chance(g, 15))
		m.network = m_text(G_PICK(g, g_networks));
	if (g_chance(g, 10))
		m.image = m_text(G_PICK(g, g_globs));
	if (g_chance(g, 5))
		m.image_in = m_text("listed");
	else if (g_chance(g, 5))
		m.image_not_in = m_text(g_chance(g, 80) ? "listed" : "absent");
	m.has_labels = g_chance(g, 30);
	if (m.has_labels)
		g_selector(g, &m.labels);
	m.has_namespace_labels = g_chance(g, 20);
	if (m.has_namespace_labels)
		g_selector(g, &m.namespace_labels);
	return m;
}

G struct vw_peer g_peer(struct gen *g)
{
	struct vw_peer p = {.kind = (enum vw_peer_kind)g_below(g, 4)};

	if (p.kind == VW_PEER_FQDN)
		p.fqdn = m_text(G_PICK(g, g_patterns));
	if (p.kind == VW_PEER_MATCH)
		p.match = g_match(g);
	if (p.kind == VW_PEER_ENTITY)
		p.entity = (enum vw_entity)g_below(g, _VW_ENTITY_MAX);
	if (p.kind == VW_PEER_CIDR) {
		p.cidr = m_prefix(G_PICK(g, g_cidrs));
		for (unsigned i = 0; i < g_below(g, 3); i++)
			assert_int_equal(
				vw_vec_push(&p.except, m_prefix(G_PICK(g, g_cidrs)), VW_EXCEPT_MAX),
				0);
	}
	return p;
}

/* Ports next to each other, most of the time. */
G void g_port(struct gen *g, struct vw_rule *r)
{
	struct vw_port p = {.proto = G_PICK(g, g_protos), .hi = UINT16_MAX};
	bool icmp = p.proto == 1 || p.proto == 58;

	if (g_chance(g, 5)) {
		p.any_proto = true;
	} else if ((p.proto == 6 || p.proto == 17) && g_chance(g, 25)) {
		p.name = m_text(G_PICK(g, g_port_names));
		p.lo = p.hi = 0;
	} else if (icmp && g_chance(g, 80)) {
		p.lo = G_PICK(g, g_icmp);
		p.hi = g_chance(g, 50) ? p.lo : p.lo | 0xff;
	} else if (g_chance(g, vw_proto_has_ports(p.proto) ? 90 : 20)) {
		uint16_t a = G_PICK(g, g_ports), b = g_chance(g, 50) ? a : G_PICK(g, g_ports);

		p.lo = a < b ? a : b;
		p.hi = a < b ? b : a;
	}
	assert_int_equal(vw_vec_push(&r->ports, p, 1024), 0);
}

G void g_rule(struct gen *g, struct vw_policy *p, enum vw_direction dir)
{
	static const enum vw_action actions[] = {VW_ALLOW, VW_DENY, VW_PASS};
	bool applies = p->applies[dir];
	struct vw_rule *r =
		m_rule(p, dir, p->tier == VW_TIER_SERVICE ? VW_ALLOW : G_PICK(g, actions));
	unsigned peers = g_below(g, 4), ports = 1 + g_below(g, 3);

	p->applies[dir] = applies;
	if (g_chance(g, 20))
		assert_true(asprintf(&r->name, "r%u", r->index) > 0);
	r->any_peer = g_chance(g, 25);
	for (unsigned i = 0; i < peers && !r->any_peer; i++)
		m_peer(r, g_peer(g));
	r->any_port = g_chance(g, 35);
	for (unsigned i = 0; i < ports && !r->any_port; i++)
		g_port(g, r);
}

G void g_policy(struct gen *g, struct vw_policyset *set)
{
	static const enum vw_tier tiers[] = {VW_TIER_GUARDRAIL, VW_TIER_SERVICE, VW_TIER_SERVICE,
					     VW_TIER_SERVICE, VW_TIER_BASELINE};
	static const char *const kinds[] = {"GuardrailPolicy", "ServicePolicy", "BaselinePolicy"};
	enum vw_tier tier = G_PICK(g, tiers);
	struct vw_policy p = {.tier = tier, .kind = m_text(kinds[tier])};

	assert_true(asprintf(&p.name, "p%u", g->policies++) > 0);
	if (tier == VW_TIER_SERVICE)
		p.namespace_ = m_text(G_PICK(g, g_ns));
	p.subject = g_match(g);
	p.priority = (int)g_below(g, 3);
	p.audit = g_chance(g, 20);
	p.log = g_chance(g, 30);
	for (int d = 0; d < _VW_DIRECTION_MAX; d++) {
		unsigned n = g_below(g, 4);

		p.applies[d] = g_chance(g, 70);
		for (unsigned i = 0; i < n; i++)
			g_rule(g, &p, (enum vw_direction)d);
	}
	m_add(set, p);
}

G struct vw_policyset g_policies(struct gen *g)
{
	struct vw_policyset set = {0};
	unsigned n = g_below(g, 7);

	for (unsigned i = 0; i < n; i++)
		g_policy(g, &set);
	vw_policyset_sort(&set);
	return set;
}

/* A packet for rules to decide: protocol, and port or type and code. */
G void g_packet(struct gen *g, uint8_t *proto, uint16_t *port)
{
	*proto = G_PICK(g, g_protos);
	*port = *proto == 1 || *proto == 58  ? G_PICK(g, g_icmp)
		: vw_proto_has_ports(*proto) ? G_PICK(g, g_ports)
					     : 0;
}

#undef G
#endif
