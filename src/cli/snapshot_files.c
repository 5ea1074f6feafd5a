/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same as the agent would tell, from files: a world and the policies in it. */
#include <stdio.h>
#include <string.h>

#include "cli/load.h"
#include "cli/snapshot.h"
#include "vethwall/cleanup.h"

static int cmp_unsigned(const void *x, const void *y)
{
	const unsigned *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

/* Walls stand on numbered interfaces: those that the world file leaves without get the lowest
 * numbers that are free. */
static int number_ifaces(struct vw_world *world)
{
	VW_VEC(unsigned) taken = {0};
	unsigned next = 1;
	size_t i = 0;
	int r = 0;

	vw_vec_foreach (w, &world->workloads)
		vw_vec_foreach (k, &w->ifaces)
			if (!r && k->ifindex)
				r = vw_vec_push(&taken, k->ifindex,
						(size_t)VW_WORKLOADS_MAX * VW_IFACES_MAX);
	if (taken.n)
		qsort(taken.v, taken.n, sizeof(*taken.v), cmp_unsigned);
	vw_vec_foreach (w, &world->workloads) {
		vw_vec_foreach (k, &w->ifaces) {
			if (k->ifindex || w->unenforceable)
				continue;
			for (; i < taken.n && taken.v[i] <= next; i++)
				next += taken.v[i] == next;
			k->ifindex = next++;
			if (!k->veth[0])
				snprintf(k->veth, sizeof(k->veth), "veth%u",
					 k->ifindex % 100000000);
		}
	}
	vw_vec_done(&taken);
	return r;
}

int vw_snapshot_files(const char *world, const char *policies, bool default_deny,
		      struct vw_snapshot *ret, struct vw_diag *d)
{
	int r = vw_load_world(world, &ret->world, d); /* all errors of all files at once */
	int s = vw_sources_load(&policies, 1, &ret->sources, d);

	if (!s)
		s = vw_sources_parse(&ret->sources, &ret->set, d);
	r = r ? r : s;
	if (!r)
		r = number_ifaces(&ret->world);
	if (r)
		return r;
	ret->config = vw_config_default;
	ret->config.default_deny = default_deny;
	vw_sources_digest(&ret->sources, ret->digest);
	return vw_compile(&ret->set, &ret->world, NULL, 0, &ret->config, &ret->compiled, d);
}
