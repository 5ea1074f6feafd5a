/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attaching: the wrong workload must never get a veth, whatever the container does to its own MAC
 * and whatever the kernel recycles. Worlds are made by hand, so that this needs no other part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/attach.h"
#include "vethwall/cleanup.h"

static const struct vw_network nets[] = {
	{.name = "shop", .id = "n1", .driver = "bridge", .bridge = "br-shop"},
	{.name = "back", .id = "n2", .driver = "bridge", .bridge = "br-back"},
	{.name = "far", .id = "n3", .driver = "overlay", .bridge = ""},
};

struct state {
	struct vw_world world;
	struct vw_attach_pid pids[8];
	size_t n_pids;
};

static struct vw_mac mac(uint8_t last)
{
	return (struct vw_mac){{2, 0x42, 10, 0, 0, last}};
}

static size_t add_workload(struct state *s, const char *id)
{
	struct vw_workload w = {.id = strdup(id)};

	assert_non_null(w.id);
	assert_int_equal(vw_vec_push(&s->world.workloads, w, 8), 0);
	return s->world.workloads.n - 1;
}

/* last 0: MAC unknown */
static void add_iface(struct state *s, size_t w, const char *net, uint8_t last)
{
	struct vw_iface i = {.network = strdup(net), .has_mac = last, .mac = mac(last)};

	assert_int_equal(vw_vec_push(&s->world.workloads.v[w].ifaces, i, 8), 0);
}

static void add_pid(struct state *s, const char *id, int nsid)
{
	s->pids[s->n_pids++] = (struct vw_attach_pid){id, nsid};
}

static struct vw_iface *iface(struct state *s, size_t w, size_t i)
{
	return &s->world.workloads.v[w].ifaces.v[i];
}

/* A veth `ifindex` on `bridge` whose peer, 100 + ifindex, is in nsid with this MAC. */
static enum vw_attach attach(struct state *s, unsigned ifindex, const char *bridge, int nsid,
			     uint8_t last, struct vw_attached *ret)
{
	struct vw_link l = {.ifindex = ifindex, .peer = 100 + ifindex, .nsid = nsid, .veth = true};
	struct vw_inner_link in[] = {
		{.ifindex = 1, .name = "lo"},
		/* The container's own veth pair: same peer number, other end elsewhere. */
		{.ifindex = 100 + ifindex, .peer = 9999, .mac = mac(77), .name = "decoy"},
		{.ifindex = 100 + ifindex, .peer = ifindex, .mac = mac(last), .name = "eth0"},
	};
	struct vw_attach_query q = {.veth = &l,
				    .bridge = bridge,
				    .inner = in,
				    .n_inner = VW_ARRAY_SIZE(in),
				    .pids = s->pids,
				    .n_pids = s->n_pids,
				    .networks = nets,
				    .n_networks = VW_ARRAY_SIZE(nets)};

	snprintf(l.name, sizeof(l.name), "veth%u", ifindex);
	return vw_attach(&s->world, &q, ret);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct state));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	struct state *s = *state;

	vw_vec_foreach (w, &s->world.workloads) {
		vw_vec_foreach (i, &w->ifaces)
			free(i->network);
		vw_vec_done(&w->ifaces);
		free(w->id);
	}
	vw_vec_done(&s->world.workloads);
	free(s);
	return 0;
}

static void a_starting_container_is_known_by_mac_and_bridge(void **state)
{
	struct state *s = *state;
	struct vw_attached at;
	size_t a = add_workload(s, "a"), b = add_workload(s, "b");

	add_iface(s, a, "shop", 1);
	add_iface(s, a, "back", 3);
	add_iface(s, b, "shop", 2);
	assert_int_equal(attach(s, 7, "br-shop", 0, 2, &at), VW_ATTACH_NEW);
	assert_int_equal(at.a.workload, b);
	assert_int_equal(iface(s, b, 0)->ifindex, 7);
	assert_string_equal(iface(s, b, 0)->veth, "veth7");
	assert_int_equal(attach(s, 7, "br-shop", 0, 2, &at), VW_ATTACH_SAME);
	assert_int_equal(attach(s, 8, "br-back", 1, 3, &at), VW_ATTACH_NEW);
	assert_int_equal(at.a.workload, a);
	assert_int_equal(at.a.iface, 1);
	assert_int_equal(iface(s, a, 0)->ifindex, 0);
}

static void what_does_not_fit_stays_unattached(void **state)
{
	struct state *s = *state;
	size_t a = add_workload(s, "a");

	add_iface(s, a, "shop", 1);
	add_iface(s, a, "far", 5);
	assert_int_equal(attach(s, 7, "br-shop", -1, 1, NULL), VW_ATTACH_NONE); /* not moved yet */
	assert_int_equal(attach(s, 7, "br-shop", 0, 9, NULL), VW_ATTACH_NONE); /* other MAC */
	assert_int_equal(attach(s, 7, "br-back", 0, 1, NULL), VW_ATTACH_NONE); /* other bridge */
	assert_int_equal(attach(s, 7, "br-else", 0, 1, NULL), VW_ATTACH_NONE); /* not a runtime's */
	assert_int_equal(attach(s, 7, NULL, 0, 1, NULL), VW_ATTACH_NONE);
	assert_int_equal(attach(s, 7, "", 0, 5, NULL), VW_ATTACH_NONE);
	assert_int_equal(attach(s, 7, "br-shop", 0, 77, NULL),
			 VW_ATTACH_NONE); /* the decoy's MAC */
	assert_int_equal(iface(s, a, 0)->ifindex, 0);
}

static void two_that_fit_are_none(void **state)
{
	struct state *s = *state;
	struct vw_attached at;
	size_t a = add_workload(s, "a"), b = add_workload(s, "b");

	add_iface(s, a, "shop", 1);
	add_iface(s, b, "shop", 1);
	assert_int_equal(attach(s, 7, "br-shop", 0, 1, &at), VW_ATTACH_AMBIGUOUS);
	assert_int_equal(at.a.workload, a);
	assert_int_equal(at.b.workload, b);
	assert_int_equal(iface(s, a, 0)->ifindex, 0);
	assert_int_equal(iface(s, b, 0)->ifindex, 0);
	/* The process tells them apart. */
	add_pid(s, "b", 0);
	assert_int_equal(attach(s, 7, "br-shop", 0, 1, &at), VW_ATTACH_NEW);
	assert_int_equal(at.a.workload, b);
	assert_int_equal(attach(s, 8, "br-shop", 1, 1, &at), VW_ATTACH_NEW);
	assert_int_equal(at.a.workload, a);
}

static void one_that_runs_elsewhere_is_not_starting_here(void **state)
{
	struct state *s = *state;
	struct vw_attached at;
	size_t a = add_workload(s, "a"), b = add_workload(s, "b");

	add_iface(s, a, "shop", 1);
	add_iface(s, b, "shop", 1);
	add_pid(s, "a", 5);
	assert_int_equal(attach(s, 7, "br-shop", 1, 1, &at), VW_ATTACH_NEW);
	assert_int_equal(at.a.workload, b);
}

static void the_process_counts_more_than_the_mac(void **state)
{
	struct state *s = *state;
	struct vw_attached at;
	size_t a = add_workload(s, "a"), b = add_workload(s, "b");

	/* The agent restarts; a has taken b's MAC meanwhile, b is about to start. */
	add_iface(s, a, "shop", 1);
	add_iface(s, b, "shop", 2);
	add_pid(s, "a", 4);
	assert_int_equal(attach(s, 7, "br-shop", 4, 2, &at), VW_ATTACH_NEW);
	assert_int_equal(at.a.workload, a);
	assert_int_equal(iface(s, b, 0)->ifindex, 0);
}

static void a_new_network_of_a_known_process_is_nobody_elses(void **state)
{
	struct state *s = *state;
	size_t a = add_workload(s, "a"), b = add_workload(s, "b");

	/* a is connected to "back" while running and gives the new link the MAC that b will have.
	 */
	add_iface(s, a, "shop", 1);
	add_iface(s, b, "back", 2);
	add_pid(s, "a", 4);
	assert_int_equal(attach(s, 9, "br-back", 4, 2, NULL), VW_ATTACH_NONE);
	assert_int_equal(iface(s, b, 0)->ifindex, 0);
	add_iface(s, a, "back", 3);
	assert_int_equal(attach(s, 9, "br-back", 4, 2, NULL), VW_ATTACH_NEW);
	assert_int_equal(iface(s, a, 1)->ifindex, 9);
}

static void an_unknown_mac_is_known_by_its_bridge_in_an_own_namespace_only(void **state)
{
	struct state *s = *state;
	size_t a = add_workload(s, "a");

	add_iface(s, a, "shop", 0);
	add_iface(s, a, "back", 0);
	assert_int_equal(attach(s, 7, "br-back", 3, 1, NULL), VW_ATTACH_NONE);
	add_pid(s, "a", 3);
	assert_int_equal(attach(s, 7, "br-back", 3, 1, NULL), VW_ATTACH_NEW);
	assert_int_equal(iface(s, a, 1)->ifindex, 7);
	assert_int_equal(iface(s, a, 0)->ifindex, 0);
}

static void a_veth_without_a_bridge_goes_by_process_and_mac(void **state)
{
	struct state *s = *state;
	size_t a = add_workload(s, "a");

	add_iface(s, a, "ptp", 1);
	assert_int_equal(attach(s, 7, NULL, 3, 1, NULL), VW_ATTACH_NONE);
	add_pid(s, "a", 3);
	assert_int_equal(attach(s, 7, NULL, 3, 1, NULL), VW_ATTACH_NEW);
}

static void one_that_shares_a_namespace_owns_nothing(void **state)
{
	struct state *s = *state;
	size_t a = add_workload(s, "a");

	(void)add_workload(s, "sidecar");
	add_iface(s, a, "shop", 1);
	add_pid(s, "sidecar", 3);
	assert_int_equal(attach(s, 7, "br-shop", 3, 1, NULL), VW_ATTACH_NEW);
	assert_int_equal(iface(s, a, 0)->ifindex, 7);
}

static void the_kernels_word_moves_a_veth(void **state)
{
	struct state *s = *state;
	struct vw_attached at;
	size_t a = add_workload(s, "a"), b = add_workload(s, "b");

	add_iface(s, a, "shop", 1);
	add_iface(s, b, "shop", 2);
	assert_int_equal(attach(s, 7, "br-shop", 3, 1, &at), VW_ATTACH_NEW);
	assert_int_equal(at.a.workload, a);
	/* Its MAC changes: it stays. */
	assert_int_equal(attach(s, 7, "br-shop", 3, 2, &at), VW_ATTACH_SAME);
	assert_int_equal(at.a.workload, a);
	add_pid(s, "b", 3);
	assert_int_equal(attach(s, 7, "br-shop", 3, 2, &at), VW_ATTACH_NEW);
	assert_int_equal(at.a.workload, b);
	assert_int_equal(iface(s, a, 0)->ifindex, 0);
}

static void gone_and_kept(void **state)
{
	struct state *s = *state;
	size_t a = add_workload(s, "a"), b = add_workload(s, "b");

	add_iface(s, a, "shop", 1);
	add_iface(s, a, "back", 2);
	add_iface(s, b, "back", 0); /* the next report: order and MACs differ */
	add_iface(s, b, "shop", 1);
	iface(s, a, 0)->ifindex = 7;
	strcpy(iface(s, a, 0)->veth, "veth7");
	iface(s, a, 1)->ifindex = 8;
	strcpy(iface(s, a, 1)->veth, "veth8");
	vw_attach_keep(&s->world.workloads.v[a], &s->world.workloads.v[b]);
	assert_int_equal(iface(s, b, 0)->ifindex, 8);
	assert_int_equal(iface(s, b, 1)->ifindex, 7);
	assert_string_equal(iface(s, b, 1)->veth, "veth7");

	assert_true(vw_attach_gone(&s->world, 7));
	assert_false(vw_attach_gone(&s->world, 7));
	assert_false(vw_attach_gone(&s->world, 0));
	assert_int_equal(iface(s, b, 1)->ifindex, 0);
	assert_int_equal(iface(s, b, 0)->ifindex, 8);
}

static void a_changed_mac_or_veth_is_another_interface(void **state)
{
	struct state *s = *state;
	size_t a = add_workload(s, "a"), b = add_workload(s, "b");

	add_iface(s, a, "shop", 1);
	add_iface(s, b, "shop", 2); /* restarted: another endpoint */
	iface(s, a, 0)->ifindex = 7;
	strcpy(iface(s, a, 0)->veth, "veth7");
	vw_attach_keep(&s->world.workloads.v[a], &s->world.workloads.v[b]);
	assert_int_equal(iface(s, b, 0)->ifindex, 0);
	iface(s, b, 0)->mac = mac(1);
	strcpy(iface(s, b, 0)->veth, "other"); /* the static file names another */
	vw_attach_keep(&s->world.workloads.v[a], &s->world.workloads.v[b]);
	assert_int_equal(iface(s, b, 0)->ifindex, 0);
}

static void names_attach_in_the_static_runtime(void **state)
{
	struct state *s = *state;
	struct vw_link l = {.ifindex = 5, .name = "vetha", .nsid = -1};
	size_t a = add_workload(s, "a"), b = add_workload(s, "b");

	add_iface(s, a, "shop", 1);
	add_iface(s, b, "shop", 2);
	assert_int_equal(vw_attach_name(&s->world, &l, NULL), VW_ATTACH_NONE);
	strcpy(iface(s, a, 0)->veth, "vetha");
	assert_int_equal(vw_attach_name(&s->world, &l, NULL), VW_ATTACH_NEW);
	assert_int_equal(vw_attach_name(&s->world, &l, NULL), VW_ATTACH_SAME);
	l.ifindex = 6; /* made anew under the same name */
	assert_int_equal(vw_attach_name(&s->world, &l, NULL), VW_ATTACH_NEW);
	assert_int_equal(iface(s, a, 0)->ifindex, 6);
	strcpy(l.name, "renamed");
	assert_int_equal(vw_attach_name(&s->world, &l, NULL), VW_ATTACH_NEW);
	assert_int_equal(iface(s, a, 0)->ifindex, 6);
	assert_string_equal(iface(s, a, 0)->veth, "renamed");
	strcpy(iface(s, b, 0)->veth, "vetha");
	strcpy(l.name, "vetha");
	assert_int_equal(vw_attach_name(&s->world, &l, NULL), VW_ATTACH_NEW);
	assert_int_equal(iface(s, a, 0)->ifindex, 0);
	assert_int_equal(iface(s, b, 0)->ifindex, 6);
	strcpy(iface(s, a, 0)->veth, "vetha");
	iface(s, b, 0)->ifindex = 0;
	assert_int_equal(vw_attach_name(&s->world, &l, NULL), VW_ATTACH_AMBIGUOUS);
	assert_int_equal(iface(s, a, 0)->ifindex, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_starting_container_is_known_by_mac_and_bridge),
		T(what_does_not_fit_stays_unattached),
		T(two_that_fit_are_none),
		T(one_that_runs_elsewhere_is_not_starting_here),
		T(the_process_counts_more_than_the_mac),
		T(a_new_network_of_a_known_process_is_nobody_elses),
		T(an_unknown_mac_is_known_by_its_bridge_in_an_own_namespace_only),
		T(a_veth_without_a_bridge_goes_by_process_and_mac),
		T(one_that_shares_a_namespace_owns_nothing),
		T(the_kernels_word_moves_a_veth),
		T(gone_and_kept),
		T(a_changed_mac_or_veth_is_another_interface),
		T(names_attach_in_the_static_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
