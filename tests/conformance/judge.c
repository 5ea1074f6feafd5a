/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge WORLD POLICIES: answers probes, one a line as "FROM TO SOURCE DESTINATION PROTO/PORT", by
 * what the compiler makes of the policies, at both ends' walls: by its tables, and by the rules
 * that are rendered from them, run over the packet in memory. Prints allow, deny, or what the two
 * say when they differ. FROM and TO are namespace/name or an address outside; every interface of
 * the world gets a made-up ifindex. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "../lib/nft_eval.h"
#include "cli/load.h"
#include "vethwall/cleanup.h"
#include "vethwall/compile.h"
#include "../unit/frame.h"

#define SYN 0x02
#define SOURCE_PORT 40000

struct judge {
	struct vw_world world;
	struct vw_policyset set;
	struct vw_compiled c;
	struct vw_ruleset rules;
	struct nft_eval e;
};

struct probe {
	struct vw_addr src, dst;
	uint8_t proto;
	uint16_t port;
};

static void number_interfaces(struct vw_world *w)
{
	unsigned n = 0;

	vw_vec_foreach (k, &w->workloads)
		vw_vec_foreach (i, &k->ifaces) {
			i->ifindex = ++n;
			snprintf(i->veth, sizeof(i->veth), "v%u", n);
		}
}

static int render(struct judge *j)
{
	int r = vw_render_shared(&j->c, &j->rules);

	vw_vec_foreach (k, &j->c.classes)
		if (!r)
			r = vw_render_class(&j->c, k, &j->rules);
	vw_vec_foreach (w, &j->c.walls)
		if (!r)
			r = vw_render_wall(&j->c, w, &j->rules);
	if (r)
		return r;
	vw_ruleset_sort(&j->rules);
	j->e = (struct nft_eval){.rules = &j->rules, .limit_budget = 1};
	r = nft_eval_check(&j->e);
	if (r)
		fprintf(stderr, "the kernel would refuse it: %s\n", j->e.error);
	return r;
}

static int load(struct judge *j, const char *world, const char *policies)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	int r = vw_load_world(world, &j->world, &d);

	if (!r)
		r = vw_policies_load(&policies, 1, &j->set, &d);
	if (!r) {
		number_interfaces(&j->world);
		r = vw_compile(&j->set, &j->world, NULL, 0, &vw_config_default, &j->c, &d);
	}
	vw_diag_print(&d, stderr, false);
	return r ? r : render(j);
}

static bool by_rules(struct judge *j, const struct vw_wall *w, enum vw_direction dir,
		     const struct probe *p)
{
	struct frame f = f_packet(w->mac.b, &p->src, &p->dst, p->proto, SOURCE_PORT, p->port, SYN);
	char chain[VW_NAME_LEN];
	enum nft_result r;

	snprintf(chain, sizeof(chain), "%s_%u", dir == VW_EGRESS ? "in" : "eg", w->ifindex);
	r = nft_eval_run(&j->e, chain, f.b, f.n, 0);
	j->e.elems.n = 0; /* each probe is the first of its flow */
	return r == NFT_ACCEPTED;
}

enum answer { ALLOW, DENY, DIFFER, NOBODY };

/* At the wall of one end; who is an address outside has none. */
static enum answer at_end(struct judge *j, const char *who, enum vw_direction dir,
			  const struct probe *p)
{
	const struct vw_addr *own = dir == VW_EGRESS ? &p->src : &p->dst;
	const struct vw_addr *peer = dir == VW_EGRESS ? &p->dst : &p->src;
	const struct vw_workload *w = vw_world_by_addr(&j->world, own, NULL, NULL);
	const struct vw_wall *wall;
	bool tables;

	if (!strchr(who, '/'))
		return w ? NOBODY : ALLOW;
	if (!w || strcmp(w->id, who) != 0)
		return NOBODY;
	wall = vw_compiled_wall(&j->c, w->ifaces.v[0].ifindex);
	if (!wall)
		return NOBODY;
	tables = !(vw_compiled_judge(&j->c, wall, dir, peer, p->proto, p->port) & VW_CODE_DENY);
	if (by_rules(j, wall, dir, p) != tables)
		return DIFFER;
	return tables ? ALLOW : DENY;
}

static enum answer answer(struct judge *j, char *line)
{
	char from[512], to[512], src[64], dst[64], port[32];
	struct probe p = {0};
	const char *why;
	enum answer out;

	if (sscanf(line, "%511s %511s %63s %63s %31s", from, to, src, dst, port) != 5 ||
	    vw_addr_parse(src, &p.src) || vw_addr_parse(dst, &p.dst) ||
	    vw_probe_port_parse(port, &p.proto, &p.port, &why))
		return NOBODY;
	if (vw_addr_eq(&p.src, &p.dst))
		return ALLOW; /* stays on the loopback: no wall sees it */
	out = at_end(j, from, VW_EGRESS, &p);
	return out == ALLOW ? at_end(j, to, VW_INGRESS, &p) : out;
}

static void judge_done(struct judge *j)
{
	nft_eval_done(&j->e);
	vw_ruleset_done(&j->rules);
	vw_compiled_done(&j->c);
	vw_policyset_done(&j->set);
	vw_world_done(&j->world);
}

int main(int argc, char **argv)
{
	static const char *const words[] = {
		[ALLOW] = "allow",
		[DENY] = "deny",
		[DIFFER] = "tables and rules differ",
		[NOBODY] = "no such end",
	};
	_cleanup_(judge_done) struct judge j = {0};
	char line[2048];

	if (argc != 3 || load(&j, argv[1], argv[2]))
		return 2;
	while (fgets(line, sizeof(line), stdin))
		puts(words[answer(&j, line)]);
	return 0;
}
