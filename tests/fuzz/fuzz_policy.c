/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy documents of all kinds, in YAML and JSON. What is taken is compiled, and the compiled
 * tables must decide for every workload as the reference verdict does, whatever was written. */
#include "fuzz.h"
#include "vethwall/codec.h"
#include "vethwall/compile.h"
#include "vethwall/verdict.h"

static const char world_text[] =
	"namespaces:\n"
	"  - {name: shop, labels: {team: web}}\n"
	"workloads:\n"
	"  - {name: web, namespace: shop, labels: {app: web}, image: 'img/web:1',\n"
	"     ports: [{name: http, port: 80, protocol: TCP}],\n"
	"     interfaces: [{network: front, ips: [10.0.0.1, 'fd00::1']}]}\n"
	"  - {name: api, namespace: shop, labels: {app: api, tier: a}, image: 'img/api:2',\n"
	"     ports: [{name: http, port: 8080, protocol: TCP}],\n"
	"     interfaces: [{network: front, ips: [10.0.0.2]}, {network: back, ips: [10.1.0.2]}]}\n"
	"  - {name: db, namespace: shop, labels: {app: db},\n"
	"     ports: [{name: sql, port: 5432, protocol: TCP}],\n"
	"     interfaces: [{network: back, ips: [10.1.0.3, 'fd01::3']}]}\n"
	"  - {name: job, interfaces: [{network: back, ips: [10.1.0.4]}]}\n";

static const struct vw_addr others[] = {
	{4, {10, 0, 0, 254}},
	{4, {192, 0, 2, 1}},
	{4, {169, 254, 169, 254}},
	{4, {0}},
	{6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
	{4, {8, 8, 8, 8}},
};
static const struct {
	uint8_t proto;
	uint16_t port;
} packets[] = {{6, 80},	   {6, 5432},  {6, 8080},    {6, 0},	{6, 65535}, {17, 53},
	       {17, 5432}, {1, 0x800}, {58, 0x8000}, {132, 80}, {47, 0}};

static struct vw_world world;

static void world_make(void)
{
	struct vw_diag d = {0};
	unsigned n = 0;

	if (world.workloads.n)
		return;
	must(!vw_world_parse(world_text, sizeof(world_text) - 1, "world", &world, &d));
	vw_world_add_host(&world, &others[0]);
	must(!vw_vec_push(&world.dns, others[5], 8));
	vw_vec_foreach (w, &world.workloads)
		vw_vec_foreach (i, &w->ifaces) {
			i->ifindex = ++n;
			snprintf(i->veth, sizeof(i->veth), "v%u", n);
		}
}

static void same(const struct vw_policyset *set, const struct vw_compiled *c,
		 const struct vw_end *self, const struct vw_end *peer)
{
	const struct vw_wall *wall = vw_compiled_wall(c, self->iface->ifindex);

	must(wall);
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++)
		for (int dir = 0; dir < _VW_DIRECTION_MAX; dir++) {
			uint8_t proto = packets[i].proto;
			uint16_t port = packets[i].port;
			struct vw_decision d;
			uint32_t code = vw_compiled_judge(c, wall, dir, &peer->addr, proto, port);

			vw_decide(set, &world, c->config.default_deny, dir, self, peer, proto, port,
				  &d);
			must(d.allow == !(code & VW_CODE_DENY));
			must(d.audited == !!(code & VW_CODE_AUDIT));
		}
}

static void judge(const struct vw_policyset *set, const struct vw_compiled *c)
{
	vw_vec_foreach (w, &world.workloads)
		vw_vec_foreach (i, &w->ifaces) {
			struct vw_end self = {w, i, i->ips.v[0]};

			for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++)
				same(set, c, &self, &(struct vw_end){.addr = others[k]});
			vw_vec_foreach (p, &world.workloads) {
				if (p == w)
					continue;
				vw_vec_foreach (pi, &p->ifaces)
					same(set, c, &self, &(struct vw_end){p, pi, pi->ips.v[0]});
			}
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_config cfg = vw_config_default;
	struct vw_policyset set = {0};
	struct vw_compiled c = {0};
	struct vw_diag d = {0};
	int r;

	world_make();
	r = vw_policy_parse((const char *)data, size, "p.yaml", &set, &d);
	must(!r || (!set.list.n && r == -EINVAL));
	must_tell(r, &d);
	vw_policyset_sort(&set);
	cfg.default_deny = size & 1;
	if (!r && !vw_compile(&set, &world, NULL, 0, &cfg, &c, &d))
		judge(&set, &c);
	vw_diag_done(&d);
	vw_compiled_done(&c);
	vw_policyset_done(&set);
	return 0;
}
