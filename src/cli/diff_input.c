/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two sides of a preview: what is enforced, from the agent or from files with a world, and the
 * files that might be. All of it is right, or nothing is compared. */
#include <stdio.h>
#include <string.h>

#include "cli/diff.h"
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

static int load_before(const struct vw_diff_options *o, struct vw_diff_input *in, struct vw_diag *d)
{
	int r;

	in->offline = o->world;
	if (in->offline) {
		r = vw_snapshot_files(o->world, o->against, o->default_deny, &in->now, d);
		return r ? r : name_of("%s", o->against, &in->before);
	}
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
