/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two sides of a preview: what is enforced, from the agent or from files with a world, and the
 * files that might be. All of it is right, or nothing is compared. */
#include <stdio.h>
#include <string.h>

#include "cli/diff.h"
#include "cli/load.h"
#include "vethwall/cleanup.h"

static int name_of(const char *fmt, const char *what, char **ret)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the two literals below */
	int n = asprintf(ret, fmt, what);
#pragma GCC diagnostic pop

	if (n < 0)
		*ret = NULL;
	return n < 0 ? -ENOMEM : 0;
}

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

static int load_offline(const struct vw_diff_options *o, struct vw_diff_input *in,
			struct vw_diag *d)
{
	struct vw_snapshot *now = &in->now;
	int r = vw_load_world(o->world, &now->world, d);
	int s = vw_sources_load(&o->against, 1, &now->sources, d);

	if (!s)
		s = vw_sources_parse(&now->sources, &now->set, d);
	r = r ? r : s;
	if (!r)
		r = number_ifaces(&now->world);
	if (r)
		return r;
	now->config = vw_config_default;
	now->config.default_deny = o->default_deny;
	vw_sources_digest(&now->sources, now->digest);
	r = vw_compile(&now->set, &now->world, NULL, 0, &now->config, &now->compiled, d);
	return r ? r : name_of("%s", o->against, &in->before);
}

static int load_before(const struct vw_diff_options *o, struct vw_diff_input *in, struct vw_diag *d)
{
	int r;

	in->offline = o->world;
	if (in->offline)
		return load_offline(o, in, d);
	r = vw_snapshot_ask(o->run_dir, &in->now, d);
	return r ? r : name_of("the agent in %s", o->run_dir, &in->before);
}

static const char *const *paths_of(const struct vw_diff_options *o, const struct vw_diff_input *in,
				   size_t *ret_n)
{
	*ret_n = o->policies.n ? o->policies.n : 1;
	return o->policies.n ? o->policies.v : (const char *const *)&in->now.policies;
}

static int load_after(const struct vw_diff_options *o, struct vw_diff_input *in, struct vw_diag *d)
{
	size_t n;
	const char *const *paths = paths_of(o, in, &n);
	int r = vw_sources_load(paths, n, &in->sources, d);

	if (!r)
		r = vw_sources_parse(&in->sources, &in->set, d);
	return r ? r : name_of(n > 1 ? "%s and more" : "%s", paths[0], &in->after);
}

static int compile(const struct vw_diff_options *o, struct vw_diff_input *in, struct vw_diag *d)
{
	const struct vw_snapshot *now = &in->now;

	if (o->audit || now->audit_always)
		vw_policyset_audit(&in->set);
	return vw_compile(&in->set, &now->world, now->held.v, now->held.n, &now->config,
			  &in->compiled, d);
}

int vw_diff_load(const struct vw_diff_options *o, struct vw_diff_input *ret, struct vw_diag *d)
{
	int r = load_before(o, ret, d), s;

	if (r && !ret->offline)
		return r;
	s = load_after(o, ret, d); /* all errors of all files at once */
	r = r ? r : s;
	return r ? r : compile(o, ret, d);
}
