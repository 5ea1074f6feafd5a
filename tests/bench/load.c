/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A full load without the agent around it: policies and world from files, compiled, rendered,
 * compared with an empty table and committed as the agent does it, in the current network
 * namespace. Prints milliseconds: parse, compile, render and commit, all; and how many walls and
 * operations. load POLICIES WORLD          the load load POLICIES WORLD --print  the same ruleset
 * as text for `nft -f`, in place of loading it */
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vethwall/change.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/nft.h"

struct load {
	struct vw_policyset policies;
	struct vw_world world;
	struct vw_compiled compiled;
	struct vw_diag d;
	size_t ops;
};

static double now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int parse(struct load *l, const char *policies, const char *world)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = vw_policies_load(&policies, 1, &l->policies, &l->d);

	if (!r)
		r = vw_file_read(world, VW_TEXT_MAX, &text, &len);
	if (!r)
		r = vw_world_parse(text, len, world, &l->world, &l->d);
	vw_vec_foreach (w, &l->world.workloads) {
		vw_vec_foreach (i, &w->ifaces) {
			i->ifindex = if_nametoindex(i->veth);
		}
	}
	return r;
}

static int commit(struct load *l, struct vw_nft *nft, struct vw_change *c)
{
	struct vw_oplist ops = {0};
	int r = vw_plan(&c->have, &c->want, &ops);

	l->ops += ops.list.n;
	if (!r)
		r = vw_nft_commit(nft, &ops, &l->d);
	vw_vec_done(&ops.list);
	return r;
}

static int put_up(struct load *l)
{
	_cleanup_(vw_nft_free) struct vw_nft *nft = NULL;
	_cleanup_(vw_change_done) struct vw_change c = {0};
	struct vw_ruleset nothing = {0};
	bool owned;
	int r = vw_nft_open(&nft, &l->d);

	if (!r)
		r = vw_nft_claim(nft, &owned, &l->d);
	if (!r)
		r = vw_change_adopt(&nothing, &l->compiled, &c);
	if (!r)
		r = commit(l, nft, &c);
	while (!r && c.absent.n) {
		_cleanup_(vw_change_done) struct vw_change more = {0};

		r = vw_change_more(&l->compiled, &c, &more);
		if (!r)
			r = commit(l, nft, &more);
	}
	return r;
}

static int print(struct load *l)
{
	_cleanup_(vw_ruleset_done) struct vw_ruleset all = {0};
	_cleanup_free_ char *text = NULL;
	int r = vw_render_shared(&l->compiled, &all);

	vw_vec_foreach (k, &l->compiled.classes) {
		r = r ? r : vw_render_class(&l->compiled, k, &all);
	}
	vw_vec_foreach (w, &l->compiled.walls) {
		r = r ? r : vw_render_wall(&l->compiled, w, &all);
	}
	if (r < 0)
		return r;
	vw_ruleset_sort(&all);
	text = vw_ruleset_print(&all);
	return text && fputs(text, stdout) >= 0 ? 0 : -ENOMEM;
}

static int run(struct load *l, const char *policies, const char *world, bool text)
{
	double start = now_ms(), parsed, compiled, done;
	int r = parse(l, policies, world);

	parsed = now_ms();
	if (!r)
		r = vw_compile(&l->policies, &l->world, NULL, 0, &vw_config_default, &l->compiled,
			       &l->d);
	compiled = now_ms();
	if (r < 0 || text)
		return r < 0 ? r : print(l);
	r = put_up(l);
	done = now_ms();
	printf("%.1f %.1f %.1f %.1f %zu %zu\n", parsed - start, compiled - parsed, done - compiled,
	       done - start, l->compiled.walls.n, l->ops);
	return r;
}

int main(int argc, char **argv)
{
	struct load l = {0};
	int r;

	if (argc < 3) {
		fprintf(stderr, "usage: load POLICIES WORLD [--print]\n");
		return 2;
	}
	r = run(&l, argv[1], argv[2], argc > 3);
	if (r < 0)
		fprintf(stderr, "load: %s\n", l.d.list.n ? l.d.list.v[0].text : strerror(-r));
	vw_compiled_done(&l.compiled);
	vw_world_done(&l.world);
	vw_policyset_done(&l.policies);
	vw_diag_done(&l.d);
	return r < 0 ? 1 : 0;
}
