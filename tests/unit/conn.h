/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two sets of policies in one world, compared; and a small shop to compare them in. Include after
 * cmocka.h and model.h. */
#ifndef TESTS_CONN_H
#define TESTS_CONN_H

#include "vethwall/codec.h"
#include "vethwall/connectivity.h"

#define K static inline __attribute__((unused))

struct scene {
	uint64_t seed;
	struct vw_world world;
	struct vw_config cfg;
	struct vw_policyset set[2];
	struct vw_compiled c[2];
	struct vw_connectivity out;
	bool kept;
};

K void compile(struct scene *s, int side)
{
	struct vw_diag d = {0};

	assert_int_equal(vw_compile(&s->set[side], &s->world, NULL, 0, &s->cfg, &s->c[side], &d),
			 0);
	vw_diag_done(&d);
}

K void compare(struct scene *s)
{
	struct vw_conn_side side[2] = {{&s->set[0], &s->c[0]}, {&s->set[1], &s->c[1]}};
	struct vw_diag d = {0};
	int r;

	compile(s, 0);
	compile(s, 1);
	r = vw_connectivity_compare(&side[0], &side[1], &s->world, &s->cfg, s->kept, &s->out, &d);
	if (r) {
		vw_diag_print(&d, stderr, false);
		fail_msg("VW_SEED=%llu: %s", (unsigned long long)s->seed, strerror(-r));
	}
	vw_diag_done(&d);
}

/* After a change of its world or sets. */
K void compare_again(struct scene *s)
{
	vw_connectivity_done(&s->out);
	vw_compiled_done(&s->c[0]);
	vw_compiled_done(&s->c[1]);
	compare(s);
}

K void scene_done(struct scene *s)
{
	vw_connectivity_done(&s->out);
	for (int i = 0; i < 2; i++) {
		vw_compiled_done(&s->c[i]);
		vw_policyset_done(&s->set[i]);
	}
	vw_world_done(&s->world);
}

K const struct vw_conn_edge *edge(const struct scene *s, const char *from, const char *to)
{
	vw_vec_foreach (e, &s->out.edges)
		if (!strcmp(s->out.parties.v[e->from].name, from) &&
		    !strcmp(s->out.parties.v[e->to].name, to))
			return e;
	return NULL;
}

static const char shop_world[] =
	"workloads:\n"
	"  - {name: web-1, namespace: shop, service: web, labels: {app: web},\n"
	"     interfaces: [{veth: v1, network: n, ips: [10.0.0.1, \"fd77::1\"]}]}\n"
	"  - {name: web-2, namespace: shop, service: web, labels: {app: web},\n"
	"     interfaces: [{veth: v2, network: n, ips: [10.0.0.2, \"fd77::2\"]}]}\n"
	"  - {name: db-1, namespace: shop, service: db, labels: {app: db},\n"
	"     interfaces: [{veth: v3, network: n, ips: [10.0.0.3, \"fd77::3\"]}]}\n"
	"  - {name: tool, namespace: ops, service: tool,\n"
	"     interfaces: [{veth: v4, network: n, ips: [10.0.0.4, \"fd77::4\"]}]}\n";

#define HEAD "apiVersion: vethwall/v1\nkind: ServicePolicy\n"
#define DB HEAD "metadata: {name: db, namespace: shop}\nspec:\n  service: db\n"

K void parse(const char *text, struct vw_policyset *set)
{
	struct vw_diag d = {0};

	if (vw_policy_parse(text, strlen(text), "p.yaml", set, &d))
		vw_diag_print(&d, stderr, false);
	assert_int_equal(d.errors, 0);
	vw_diag_done(&d);
	vw_policyset_sort(set);
}

K void shop(struct scene *s, const char *before, const char *after)
{
	struct vw_diag d = {0};
	struct vw_addr host = m_addr("192.0.2.1");

	*s = (struct scene){.cfg = vw_config_default};
	assert_int_equal(vw_world_parse(shop_world, strlen(shop_world), "w", &s->world, &d), 0);
	vw_diag_done(&d);
	assert_int_equal(vw_world_add_host(&s->world, &host), 0);
	for (unsigned i = 0; i < s->world.workloads.n; i++)
		s->world.workloads.v[i].ifaces.v[0].ifindex = 1 + i;
	if (*before)
		parse(before, &s->set[0]);
	if (*after)
		parse(after, &s->set[1]);
	compare(s);
}

#define WEB HEAD "metadata: {name: web, namespace: shop}\nspec:\n  service: web\n"

#undef K

#endif
