/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builders of worlds and policies for tests, one line each. They take over nothing and check every
 * call, so a test reads as what it is about. Include after cmocka.h. */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include <stdio.h>
#include <string.h>

#include "vethwall/policy.h"

#define M static inline __attribute__((unused))

M struct vw_addr m_addr(const char *s)
{
	struct vw_addr a;

	assert_int_equal(vw_addr_parse(s, &a), 0);
	return a;
}

M struct vw_prefix m_prefix(const char *s)
{
	struct vw_prefix p;

	assert_int_equal(vw_prefix_parse(s, false, &p), 0);
	return p;
}

M char *m_text(const char *s)
{
	char *c = s ? strdup(s) : NULL;

	assert_true(!s || c);
	return c;
}

/* A workload "ns/name" of a service on one network; ip6 may be NULL. */
M struct vw_workload m_workload(const char *ns, const char *name, const char *service,
				const char *network, const char *ip, const char *ip6)
{
	struct vw_workload w = {
		.name = m_text(name), .service = m_text(service), .namespace_ = m_text(ns)};
	struct vw_iface i = {.network = m_text(network)};

	assert_true(asprintf(&w.id, "%s/%s", ns, name) > 0);
	assert_int_equal(vw_vec_push(&i.ips, m_addr(ip), VW_IPS_MAX), 0);
	if (ip6)
		assert_int_equal(vw_vec_push(&i.ips, m_addr(ip6), VW_IPS_MAX), 0);
	assert_int_equal(vw_vec_push(&w.ifaces, i, VW_IFACES_MAX), 0);
	return w;
}

M void m_put(struct vw_world *world, struct vw_workload w)
{
	assert_int_equal(vw_world_put(world, &w, NULL), 0);
}

/* values: up to three, NULL where there are fewer. */
M void m_require(struct vw_selector *s, const char *key, enum vw_op op, const char *v1,
		 const char *v2, const char *v3)
{
	const char *const values[] = {v1, v2, v3};
	struct vw_requirement r = {.key = m_text(key), .op = op};

	for (size_t i = 0; i < 3 && values[i]; i++)
		assert_int_equal(vw_vec_push(&r.values, m_text(values[i]), 1024), 0);
	assert_int_equal(vw_vec_push(&s->reqs, r, 1024), 0);
}

M struct vw_peer m_service(const char *ns, const char *service)
{
	return (struct vw_peer){.kind = VW_PEER_MATCH,
				.match = {.namespace_ = m_text(ns), .service = m_text(service)}};
}

M struct vw_peer m_cidr(const char *cidr, const char *except)
{
	struct vw_peer p = {.kind = VW_PEER_CIDR, .cidr = m_prefix(cidr)};

	if (except)
		assert_int_equal(vw_vec_push(&p.except, m_prefix(except), VW_EXCEPT_MAX), 0);
	return p;
}

M struct vw_peer m_entity(enum vw_entity e)
{
	return (struct vw_peer){.kind = VW_PEER_ENTITY, .entity = e};
}

/* A policy without rules that selects a service (NULL: all) of a namespace (NULL: all). */
M struct vw_policy m_policy(enum vw_tier tier, const char *kind, const char *ns, const char *name,
			    const char *service)
{
	return (struct vw_policy){
		.tier = tier,
		.kind = m_text(kind),
		.namespace_ = m_text(ns),
		.name = m_text(name),
		.subject = {.namespace_ = m_text(ns), .service = m_text(service)}};
}

/* Adds a rule that fits nobody yet and returns it; valid until the next one. */
M struct vw_rule *m_rule(struct vw_policy *p, enum vw_direction dir, enum vw_action action)
{
	struct vw_rule r = {.action = action, .index = (unsigned)p->rules[dir].n};

	p->applies[dir] = true;
	assert_int_equal(vw_vec_push(&p->rules[dir], r, VW_RULES_MAX), 0);
	return &p->rules[dir].v[p->rules[dir].n - 1];
}

M void m_peer(struct vw_rule *r, struct vw_peer p)
{
	assert_int_equal(vw_vec_push(&r->peers, p, VW_PEERS_MAX), 0);
}

M void m_ports(struct vw_rule *r, const char *proto, uint16_t lo, uint16_t hi)
{
	struct vw_port p = {.proto = (uint8_t)vw_proto_parse(proto), .lo = lo, .hi = hi};

	assert_int_equal(vw_vec_push(&r->ports, p, 1024), 0);
}

M void m_named(struct vw_rule *r, const char *proto, const char *name)
{
	struct vw_port p = {.proto = (uint8_t)vw_proto_parse(proto), .name = m_text(name)};

	assert_int_equal(vw_vec_push(&r->ports, p, 1024), 0);
}

M void m_add(struct vw_policyset *set, struct vw_policy p)
{
	assert_int_equal(vw_policyset_add(set, &p, NULL), 0);
}

#undef M

#endif
