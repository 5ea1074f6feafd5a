/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernelcheck RUN_DIR, in the agent's network namespace: compiles what the agent says it enforces
 * (its policies and world) once more, reads the walls from the kernel, and plans from the one to
 * the other. Exit 0 when there is nothing to do; else 1 and the operations that would be needed. */
#include <linux/netfilter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/snapshot.h"
#include "vethwall/change.h"
#include "vethwall/cleanup.h"
#include "vethwall/nft.h"

#define SHOWN 20

static void oplist_done(struct vw_oplist *ops)
{
	vw_vec_done(&ops->list);
}

static const char *name_of(const struct vw_op_ir *op)
{
	return op->set ? op->set->name : op->chain ? op->chain->name : "the table";
}

/* How many operations lead from the kernel's table to what the snapshot compiles to; or -errno. */
static int differences(struct vw_nft *nft, const struct vw_snapshot *s, struct vw_diag *d)
{
	_cleanup_(vw_ruleset_done) struct vw_ruleset dump = {};
	_cleanup_(vw_change_done) struct vw_change change = {};
	_cleanup_(oplist_done) struct vw_oplist ops = {};
	int n = 0, r = vw_nft_dump(nft, &dump, d);

	if (!r)
		r = vw_change_adopt(&dump, &s->compiled, &change);
	if (!r)
		r = vw_plan(&change.have, &change.want, &ops);
	if (r < 0)
		return r;
	vw_vec_foreach (op, &ops.list) {
		/* Which bridges are managed is not part of a snapshot. */
		if (vw_op_family(op) == NFPROTO_BRIDGE)
			continue;
		if (n++ < SHOWN)
			printf("differs: operation %d on %s\n", (int)op->type, name_of(op));
	}
	vw_vec_foreach (ifindex, &change.absent)
		printf("differs: no wall on ifindex %u\n", *ifindex);
	return n + (int)change.absent.n;
}

int main(int argc, char **argv)
{
	_cleanup_(vw_snapshot_done) struct vw_snapshot s = {0};
	_cleanup_(vw_nft_free) struct vw_nft *nft = NULL;
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: kernelcheck RUN_DIR\n");
		return 2;
	}
	r = vw_snapshot_ask(argv[1], &s, &d);
	if (!r)
		r = vw_nft_open(&nft, &d);
	if (!r)
		r = differences(nft, &s, &d);
	vw_diag_print(&d, stderr, false);
	if (r < 0)
		fprintf(stderr, "kernelcheck: %s\n", strerror(-r));
	else
		printf("%zu walls, %d differences\n", s.compiled.walls.n, r);
	return r ? 1 : 0;
}
