/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which walls' live flows are judged again after a change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/rejudge.h"
#include "compiled.h"

/* A live set of wall 2 that the kernel reorders while it is read for the first time: one element
 * comes twice, the one to cut is left out. */
static struct {
	unsigned readings, cut;
} kernel;

static void show(const char *peer, int (*cb)(const struct vw_nft_elem *e, void *arg), void *arg)
{
	uint8_t key[20] = {10, 0, 0, 2};
	struct vw_nft_elem e = {.key = key, .klen = sizeof(key), .timeout_ms = VW_OPENED_IN_MS};
	struct vw_addr a;

	assert_int_equal(vw_addr_parse(peer, &a), 0);
	memcpy(key + 4, a.b, 4);
	key[8] = 6;
	key[13] = 80; /* own port */
	key[16] = 156; /* peer port 40000 */
	key[17] = 64;
	assert_int_equal(cb(&e, arg), 0);
}

int vw_nft_dump_set(struct vw_nft *n, const char *set,
		    int (*cb)(const struct vw_nft_elem *e, void *arg), void *arg)
{
	(void)n;
	if (strcmp(set, "f4_2"))
		return -ENOENT;
	show("10.0.0.1", cb, arg);
	if (++kernel.readings == 1)
		show("10.0.0.1", cb, arg);
	else if (!kernel.cut)
		show("10.0.0.4", cb, arg);
	return 0;
}

int vw_nft_delete_keys(struct vw_nft *n, const char *set, const uint8_t *keys, size_t klen,
		       size_t count, struct vw_diag *d)
{
	(void)n;
	(void)d;
	assert_string_equal(set, "f4_2");
	assert_int_equal(klen, 20);
	assert_int_equal(count, 1);
	assert_int_equal(keys[7], 4);
	kernel.cut++;
	return 0;
}

struct state {
	struct vw_world world;
	struct vw_policyset set;
	struct vw_compiled old, now;
	vw_ifindexes soon, later;
};

static int setup(void **ps)
{
	struct state *s = calloc(1, sizeof(*s));

	*ps = s;
	for (unsigned n = 1; n <= 4; n++)
		c_put(&s->world, n);
	c_policy(&s->set, 2, "{service: s1}", "tcp/80");
	c_policy(&s->set, 3, "{entity: world}", "tcp/443");
	s->old = c_compile(&s->set, &s->world);
	return 0;
}

static int teardown(void **ps)
{
	struct state *s = *ps;

	vw_vec_done(&s->soon);
	vw_vec_done(&s->later);
	vw_compiled_done(&s->old);
	vw_compiled_done(&s->now);
	vw_policyset_done(&s->set);
	vw_world_done(&s->world);
	free(s);
	return 0;
}

static void change(struct state *s)
{
	s->now = c_compile(&s->set, &s->world);
	assert_int_equal(vw_rejudge_walls(&s->old, &s->now, &s->soon, &s->later), 0);
}

static bool has(const vw_ifindexes *l, unsigned ifindex)
{
	vw_vec_foreach (i, l) {
		if (*i == ifindex)
			return true;
	}
	return false;
}

static void test_nothing(void **ps)
{
	struct state *s = *ps;

	change(s);
	assert_int_equal(s->soon.n + s->later.n, 0);
}

/* An address that was nobody's was of the world: who may talk to the world is looked at, later; who
 * may not could have no flow with it. A new wall has no flows. */
static void test_new_workload(void **ps)
{
	struct state *s = *ps;

	c_put(&s->world, 9);
	change(s);
	assert_int_equal(s->soon.n, 0);
	assert_false(has(&s->later, 2));
	assert_true(has(&s->later, 3));
	assert_false(has(&s->later, 9));
}

/* Its address may be another's in a moment. */
static void test_gone_workload(void **ps)
{
	struct state *s = *ps;

	c_remove(&s->world, 1);
	change(s);
	assert_true(has(&s->soon, 2));
	assert_false(has(&s->soon, 1));
	assert_false(has(&s->soon, 4));
}

/* The policies' tables are as they were, because another replica is still there. */
static void test_gone_replica(void **ps)
{
	struct state *s = *ps;

	vw_compiled_done(&s->old);
	c_replica(&s->world, 5, 1);
	s->old = c_compile(&s->set, &s->world);
	c_remove(&s->world, 5);
	change(s);
	assert_true(has(&s->soon, 2));
	assert_false(has(&s->soon, 4));
}

static void test_policy_changed(void **ps)
{
	struct state *s = *ps;

	vw_policyset_done(&s->set);
	c_policy(&s->set, 2, "{service: s1}", "tcp/81");
	c_policy(&s->set, 3, "{entity: world}", "tcp/443");
	change(s);
	assert_true(has(&s->soon, 2));
	assert_false(has(&s->soon, 3));
	assert_false(has(&s->soon, 1));
}

static void test_first_policy(void **ps)
{
	struct state *s = *ps;

	c_policy(&s->set, 4, "{service: s1}", "tcp/80");
	change(s);
	assert_true(has(&s->soon, 4));
}

static void test_reordered(void **ps)
{
	struct state *s = *ps;
	struct vw_rejudge j = {.now = &s->old};

	memset(&kernel, 0, sizeof(kernel));
	assert_int_equal(vw_rejudge_all(&j, &s->old), 0);
	vw_rejudge_run(&j);
	assert_int_equal(kernel.cut, 1);
	assert_int_equal(kernel.readings, 3); /* not whole, one found, none left */
	assert_int_equal(j.cut, 1);
	vw_vec_done(&j.queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_workload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_workload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_replica, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policy_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reordered, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
