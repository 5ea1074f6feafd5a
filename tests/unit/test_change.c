/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The difference between what is in force and what is wanted touches what differs and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vethwall/change.h"
#include "compiled.h"

struct state {
	struct vw_world world;
	struct vw_policyset set;
	struct vw_compiled old, now;
	struct vw_change change;
};

static int setup(void **ps)
{
	struct state *s = calloc(1, sizeof(*s));

	*ps = s;
	for (unsigned n = 1; n <= 4; n++)
		c_put(&s->world, n);
	c_policy(&s->set, 2, "{service: s1}", "tcp/80");
	c_policy(&s->set, 3, "{service: s2}", "tcp/5432");
	s->old = c_compile(&s->set, &s->world);
	return 0;
}

static int teardown(void **ps)
{
	struct state *s = *ps;

	vw_change_done(&s->change);
	vw_compiled_done(&s->old);
	vw_compiled_done(&s->now);
	vw_policyset_done(&s->set);
	vw_world_done(&s->world);
	free(s);
	return 0;
}

static size_t plan_size(const struct vw_change *c)
{
	struct vw_oplist ops = {};
	size_t n;

	assert_int_equal(vw_plan(&c->have, &c->want, &ops), 0);
	n = ops.list.n;
	vw_vec_done(&ops.list);
	return n;
}

/* The table as a dump would give it: everything, rules by id only. */
static struct vw_ruleset whole(const struct vw_compiled *c)
{
	struct vw_ruleset r = {};

	assert_int_equal(vw_render_shared(c, &r), 0);
	vw_vec_foreach (k, &c->classes) {
		assert_int_equal(vw_render_class(c, k, &r), 0);
	}
	vw_vec_foreach (w, &c->walls) {
		assert_int_equal(vw_render_wall(c, w, &r), 0);
	}
	vw_ruleset_sort(&r);
	return r;
}

/* Whether the name ends in _IFINDEX. */
static bool of_wall(const char *name, unsigned ifindex)
{
	const char *tail = strrchr(name, '_');

	return tail && strtoul(tail + 1, NULL, 10) == ifindex && name[1] != 'i' && name[1] != 'o';
}

static void test_same(void **ps)
{
	struct state *s = *ps;

	s->now = c_compile(&s->set, &s->world);
	assert_int_equal(vw_change_between(&s->old, &s->now, &s->change), 0);
	assert_int_equal(s->change.have.chains.n + s->change.have.sets.n, 0);
	assert_int_equal(s->change.want.chains.n + s->change.want.sets.n, 0);
}

static void test_one_more(void **ps)
{
	struct state *s = *ps;
	size_t walls = 0;

	c_put(&s->world, 9);
	s->now = c_compile(&s->set, &s->world);
	assert_int_equal(vw_change_between(&s->old, &s->now, &s->change), 0);
	assert_true(plan_size(&s->change) > 0);
	vw_vec_foreach (c, &s->change.want.chains) {
		walls += c->base;
		if (c->base)
			assert_int_equal(c->ifindex, 9);
	}
	assert_int_equal(walls, 2);
	vw_vec_foreach (c, &s->change.have.chains) {
		assert_false(c->base);
	}
}

static void test_one_less(void **ps)
{
	struct state *s = *ps;
	size_t walls = 0;

	c_remove(&s->world, 4);
	s->now = c_compile(&s->set, &s->world);
	assert_int_equal(vw_change_between(&s->old, &s->now, &s->change), 0);
	vw_vec_foreach (c, &s->change.have.chains) {
		walls += c->base;
		if (c->base)
			assert_int_equal(c->ifindex, 4);
	}
	assert_int_equal(walls, 2);
	vw_vec_foreach (c, &s->change.want.chains) {
		assert_false(c->base);
	}
}

static void test_new_walls_are_bounded(void **ps)
{
	struct state *s = *ps;
	struct vw_change more = {};
	size_t walls = 0;

	for (unsigned n = 10; n < 10 + VW_CHANGE_NEW_MAX + 5; n++)
		c_put(&s->world, n);
	s->now = c_compile(&s->set, &s->world);
	assert_int_equal(vw_change_between(&s->old, &s->now, &s->change), 0);
	vw_vec_foreach (c, &s->change.want.chains) {
		walls += c->base;
	}
	assert_int_equal(walls, 2 * VW_CHANGE_NEW_MAX);
	assert_int_equal(s->change.absent.n, 5);
	assert_int_equal(vw_change_more(&s->now, &s->change, &more), 0);
	assert_int_equal(s->change.absent.n, 0);
	walls = 0;
	vw_vec_foreach (c, &more.want.chains) {
		walls += c->base;
	}
	assert_int_equal(walls, 2 * 5);
	vw_change_done(&more);
}

static void test_adopt_what_is_right(void **ps)
{
	struct state *s = *ps;
	struct vw_ruleset dump = whole(&s->old);

	s->now = c_compile(&s->set, &s->world);
	assert_int_equal(vw_change_adopt(&dump, &s->now, &s->change), 0);
	assert_int_equal(plan_size(&s->change), 0);
	vw_ruleset_done(&dump);
}

static void test_adopt_empty(void **ps)
{
	struct state *s = *ps;
	struct vw_ruleset dump = {};

	assert_int_equal(vw_change_adopt(&dump, &s->old, &s->change), 0);
	assert_int_equal(s->change.have.chains.n + s->change.have.sets.n, 0);
	assert_int_equal(s->change.absent.n, 0);
	assert_true(plan_size(&s->change) > 0);
}

/* A wall that lost a rule, one whose veth is gone, and a wall that is not there yet. */
static void test_adopt_repairs(void **ps)
{
	struct state *s = *ps;
	struct vw_ruleset dump = whole(&s->old);
	struct vw_chain *c = (struct vw_chain *)vw_ruleset_chain(&dump, "in_2");
	struct vw_oplist ops = {};
	bool repaired = false, gone = false, added = false;

	assert_non_null(c);
	vw_vec_done(&c->rules.v[0].exprs);
	memmove(c->rules.v, c->rules.v + 1, --c->rules.n * sizeof(*c->rules.v));
	c_remove(&s->world, 1);
	c_put(&s->world, 7);
	s->now = c_compile(&s->set, &s->world);
	assert_int_equal(vw_change_adopt(&dump, &s->now, &s->change), 0);
	assert_int_equal(vw_plan(&s->change.have, &s->change.want, &ops), 0);
	vw_vec_foreach (op, &ops.list) {
		if (!op->chain)
			continue;
		assert_string_not_equal(op->chain->name, "in_3");
		assert_string_not_equal(op->chain->name, "eg_2");
		repaired |= op->type == VW_OP_ADD_RULE && !strcmp(op->chain->name, "in_2");
		gone |= op->type == VW_OP_DEL_CHAIN && of_wall(op->chain->name, 1);
		added |= op->type == VW_OP_ADD_CHAIN && !strcmp(op->chain->name, "in_7");
		assert_false(op->type == VW_OP_DEL_CHAIN && of_wall(op->chain->name, 2));
	}
	assert_true(repaired);
	assert_true(gone);
	assert_true(added);
	vw_vec_done(&ops.list);
	vw_ruleset_done(&dump);
}

/* The same ifindex under another name is another veth: its base chain must move. */
static void test_rename(void **ps)
{
	struct state *s = *ps;
	struct vw_workload *w = vw_world_find(&s->world, "shop/w2");
	bool moved = false;

	snprintf(w->ifaces.v[0].veth, sizeof(w->ifaces.v[0].veth), "other");
	s->now = c_compile(&s->set, &s->world);
	assert_int_equal(vw_change_between(&s->old, &s->now, &s->change), 0);
	vw_vec_foreach (c, &s->change.want.chains) {
		moved |= c->base && !strcmp(c->dev, "other");
	}
	assert_true(moved);
	assert_true(plan_size(&s->change) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_more, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_less, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_walls_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopt_what_is_right, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopt_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopt_repairs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rename, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
