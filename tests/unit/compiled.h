/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiled states for tests, from a world of numbered workloads and policies in their own language.
 * Workload n is service "s<n>" in namespace shop, veth "v<n>", ifindex n, 10.0.0.<n> and fd00::<n>.
 * Include after cmocka.h. */
#ifndef TESTS_COMPILED_H
#define TESTS_COMPILED_H

#include <stdio.h>
#include <string.h>

#include "vethwall/codec.h"
#include "vethwall/compile.h"

#define C static inline __attribute__((unused))

/* Workload n as one of service s<service>. */
C void c_replica(struct vw_world *world, unsigned n, unsigned service)
{
	struct vw_workload w = {.namespace_ = strdup("shop"), .image = strdup("img:1")};
	struct vw_iface i = {.ifindex = n,
			     .network = strdup("net"),
			     .has_mac = true,
			     .mac = {{2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}}};
	struct vw_addr a4 = {.family = 4, .b = {10, 0, (uint8_t)(n >> 8), (uint8_t)n}};
	struct vw_addr a6 = {.family = 6, .b = {0xfd, [14] = (uint8_t)(n >> 8), (uint8_t)n}};

	assert_true(asprintf(&w.id, "shop/w%u", n) > 0);
	assert_true(asprintf(&w.name, "w%u", n) > 0);
	assert_true(asprintf(&w.service, "s%u", service) > 0);
	snprintf(i.veth, sizeof(i.veth), "v%u", n);
	assert_int_equal(vw_vec_push(&i.ips, a4, VW_IPS_MAX), 0);
	assert_int_equal(vw_vec_push(&i.ips, a6, VW_IPS_MAX), 0);
	assert_int_equal(vw_vec_push(&w.ifaces, i, VW_IFACES_MAX), 0);
	assert_int_equal(vw_world_put(world, &w, NULL), 0);
}

C void c_put(struct vw_world *world, unsigned n)
{
	c_replica(world, n, n);
}

C void c_remove(struct vw_world *world, unsigned n)
{
	char id[32];

	snprintf(id, sizeof(id), "shop/w%u", n);
	assert_true(vw_world_remove(world, id));
}

/* One ServicePolicy: who may reach s<n> on which port. */
C void c_policy(struct vw_policyset *set, unsigned n, const char *from, const char *port)
{
	struct vw_diag d = {};
	char text[512];
	int len = snprintf(text, sizeof(text),
			   "apiVersion: vethwall/v1\nkind: ServicePolicy\n"
			   "metadata: {name: p%u, namespace: shop}\n"
			   "spec: {service: s%u, ingress: [{from: [%s], ports: [%s]}]}\n",
			   n, n, from, port);

	if (vw_policy_parse(text, (size_t)len, "p.yaml", set, &d))
		vw_diag_print(&d, stderr, false);
	assert_int_equal(d.errors, 0);
	vw_diag_done(&d);
	vw_policyset_sort(set);
}

C struct vw_compiled c_compile(const struct vw_policyset *set, const struct vw_world *world)
{
	struct vw_compiled c = {};
	struct vw_diag d = {};

	assert_int_equal(vw_compile(set, world, NULL, 0, &vw_config_default, &c, &d), 0);
	vw_diag_done(&d);
	return c;
}

#undef C
#endif
