/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's guard has to know, gathered from settings, runtime and links: which bridges are
 * managed, which veths are exempt, and where rules cannot name a bridge, which are elsewhere. */
#include <linux/netfilter.h>
#include <string.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"

#define NAMES_MAX (VW_NETWORKS_MAX + VW_HELD_MAX + VW_IFNAME_PATTERNS_MAX)

/* Docker's, as it names them (libnetwork, drivers/bridge: DefaultBridgeName; br- and the network's
 * id; docker_gwbridge of swarm). One that was given another name is known by its network. */
static struct vw_ifname docker_names[] = {{"docker0"}, {"docker_gwbridge"}, {"br-*"}};

static const struct vw_ifnames docker_bridges = {docker_names, VW_ARRAY_SIZE(docker_names),
						 VW_ARRAY_SIZE(docker_names)};
static const struct vw_ifnames no_bridges;

static const struct vw_ifnames *patterns(const struct vw_agent *a)
{
	if (a->s->guard_bridges.n)
		return &a->s->guard_bridges;
	return a->by_name ? &no_bridges : &docker_bridges;
}

bool vw_agent_guard_wanted(const struct vw_agent *a)
{
	return a->s->hold_unknown && !a->s->guard_pass;
}

bool vw_agent_guards_bridge(const struct vw_agent *a, const char *name)
{
	return name && vw_ifnames_fit(patterns(a), name);
}

static int add_name(struct vw_ifnames *to, const char *name)
{
	struct vw_ifname n = {0};

	if (!*name)
		return 0;
	strncpy(n.s, name, sizeof(n.s) - 1);
	return vw_vec_push(to, n, NAMES_MAX);
}

static int add_all(struct vw_ifnames *to, const struct vw_ifnames *from)
{
	int r = 0;

	for (size_t i = 0; i < from->n && !r; i++)
		r = vw_vec_push(to, from->v[i], NAMES_MAX);
	return r;
}

/* By the settings, the runtime's networks, and the bridges that known workloads are on. */
static int managed_bridges(const struct vw_agent *a, struct vw_ifnames *ret)
{
	int r = add_all(ret, patterns(a));

	for (size_t i = 0; i < a->networks.n && !r; i++)
		r = add_name(ret, a->networks.v[i].bridge);
	for (size_t i = 0; i < a->bridges.n && !r; i++) {
		const struct vw_link *l = vw_links_get(a->links, a->bridges.v[i]);

		r = l ? add_name(ret, l->name) : 0;
	}
	return r;
}

int vw_agent_guard_fill(const struct vw_agent *a, struct vw_guard *ret)
{
	int r;

	ret->on = vw_agent_guard_wanted(a) && a->guard != VW_NFT_GUARD_NONE;
	ret->sees_bridges = a->guard == VW_NFT_GUARD_BRIDGES;
	if (!ret->on)
		return 0;
	r = managed_bridges(a, &ret->bridges);
	if (!r)
		r = add_all(&ret->exempt, &a->s->guard_exempt);
	for (size_t i = 0; i < a->elsewhere.n && !r; i++)
		r = vw_vec_push(&ret->elsewhere, a->elsewhere.v[i], VW_HELD_MAX);
	return r;
}

static json_t *names_json(const struct vw_ifnames *names)
{
	json_t *list = json_array();

	vw_vec_foreach (n, names) {
		bool had = false;

		for (const struct vw_ifname *o = names->v; o < n && !had; o++)
			had = !strcmp(o->s, n->s);
		if (!had)
			json_array_append_new(list, json_string(n->s));
	}
	return list;
}

#define HELD_COUNTERS 3 /* of a chain, at most (core/guard.c) */

/* Frames that it refused, from and to veths without a wall. */
static uint64_t refused(const struct vw_agent *a, const char *chain)
{
	uint64_t counters[HELD_COUNTERS][2] = {}, packets = 0;
	int n = vw_nft_chain_counters(a->nft, NFPROTO_BRIDGE, chain, counters, HELD_COUNTERS);

	for (int i = 0; i < n && i < HELD_COUNTERS; i++)
		packets += counters[i][0];
	return packets;
}

json_t *vw_agent_guard_json(const struct vw_agent *a)
{
	_cleanup_(vw_guard_done) struct vw_guard g = {};
	bool stands = a->enforced.trusted && a->enforced.absent.guarded;
	const char *why = stands			  ? NULL
			  : !a->s->hold_unknown		  ? "hold_unknown: false"
			  : a->s->guard_pass		  ? "guard.when_away: pass"
			  : a->guard == VW_NFT_GUARD_NONE ? "the kernel has no bridge family"
							  : "it comes with the last wall";

	if (managed_bridges(a, &g.bridges) < 0)
		return NULL;
	return json_pack("{s:b, s:s?, s:b, s:o, s:o, s:I, s:I}", "stands", stands, "reason", why,
			 "sees_bridges", a->guard == VW_NFT_GUARD_BRIDGES, "bridges",
			 names_json(&g.bridges), "exempt", names_json(&a->s->guard_exempt),
			 "packets_out", (json_int_t)(stands ? refused(a, "held_in") : 0),
			 "packets_in", (json_int_t)(stands ? refused(a, "held_out") : 0));
}
