/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guard as rules, on kernels whose rules can name a bridge and on others, and when it is put
 * up: never before the walls that it would cut off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/netfilter.h>

#include "compiled.h"
#include "vethwall/change.h"

#define MANY (VW_CHANGE_NEW_MAX + 10)

/* So many walls of workloads, and a guard or none. */
static struct vw_compiled walls(unsigned n, bool guarded)
{
	struct vw_policyset set = {0};
	struct vw_world world = {0};
	struct vw_compiled c;

	for (unsigned i = 1; i <= n; i++)
		c_put(&world, i);
	c = c_compile(&set, &world);
	c.guard.on = guarded;
	vw_policyset_done(&set);
	vw_world_done(&world);
	return c;
}

static void push_name(struct vw_ifnames *to, const char *name)
{
	struct vw_ifname n = {0};

	strncpy(n.s, name, sizeof(n.s) - 1);
	assert_int_equal(vw_vec_push(to, n, 16), 0);
}

static void assert_has(const char *text, const char *words)
{
	if (strstr(text, words))
		return;
	print_error("%s\nlacks: %s\n", text, words);
	fail();
}

static size_t walled(const struct vw_ruleset *r)
{
	const struct vw_set *s = vw_ruleset_set(r, "walled");

	return s ? s->elems.n : 0;
}

static void names(void **state)
{
	const struct vw_ifname exact = {"br-x"}, prefix = {"br-*"}, all = {"*"};

	(void)state;
	assert_true(vw_ifname_fits(&exact, "br-x"));
	assert_false(vw_ifname_fits(&exact, "br-xy"));
	assert_false(vw_ifname_fits(&exact, "br-"));
	assert_true(vw_ifname_fits(&prefix, "br-"));
	assert_true(vw_ifname_fits(&prefix, "br-7f3a"));
	assert_false(vw_ifname_fits(&prefix, "br0"));
	assert_true(vw_ifname_fits(&all, "eth0"));
}

static char *rendered(struct vw_compiled *c)
{
	struct vw_ruleset r = {0};
	char *text;

	assert_int_equal(vw_render_guard(c, NULL, 0, &r), 0);
	vw_ruleset_sort(&r);
	vw_vec_foreach (s, &r.sets)
		assert_int_equal(s->family, NFPROTO_BRIDGE);
	vw_vec_foreach (k, &r.chains)
		assert_int_equal(k->family, NFPROTO_BRIDGE);
	text = vw_ruleset_print(&r);
	assert_non_null(text);
	vw_ruleset_done(&r);
	return text;
}

/* Only the bridges that are managed are looked at. */
static void by_bridge(void **state)
{
	struct vw_compiled c = walls(1, true);
	char *text;

	(void)state;
	c.guard.sees_bridges = true;
	push_name(&c.guard.bridges, "docker0");
	push_name(&c.guard.bridges, "br-*");
	push_name(&c.guard.exempt, "op-*");
	text = rendered(&c);
	assert_has(text, "table bridge vethwall {");
	assert_has(text, "elements = {\n\t\t\t\"docker0\"\n\t\t}");
	assert_has(text, "meta iifkind != \"veth\" accept");
	assert_has(text, "meta iifname \"op-*\" accept");
	assert_has(text, "meta ibrname @managed goto held_in");
	assert_has(text, "meta ibrname \"br-*\" goto held_in");
	assert_has(text, "meta obrname @managed goto held_out");
	assert_has(text, "meta obrname \"br-*\" goto held_out");
	assert_null(strstr(text, "elsewhere"));
	free(text);
	vw_compiled_done(&c);
}

/* All are held but those that are known to be elsewhere. */
static void by_port(void **state)
{
	struct vw_compiled c = walls(1, true);
	struct vw_veth p = {.ifindex = 77, .dev = "lxc1"};
	char *text;

	(void)state;
	push_name(&c.guard.bridges, "docker0");
	assert_int_equal(vw_vec_push(&c.guard.elsewhere, p, 16), 0);
	text = rendered(&c);
	assert_has(text, "77 . \"lxc1\"");
	assert_has(text, "meta iif . meta iifname @elsewhere accept");
	assert_has(text, "\t\tgoto held_in");
	assert_has(text, "\t\tgoto held_out");
	assert_null(strstr(text, "brname"));
	free(text);
	vw_compiled_done(&c);
}

/* The first one waits for the last wall. */
static void first(void **state)
{
	struct vw_compiled none = walls(0, false), now = walls(MANY, true);
	struct vw_change change = {0}, more = {0};

	(void)state;
	assert_int_equal(vw_change_between(&none, &now, &change), 0);
	assert_int_equal(change.absent.n, 10);
	assert_false(change.guarded);
	assert_null(vw_ruleset_chain(&change.want, "guard_in"));
	assert_int_equal(vw_change_more(&now, &change, &more), 0);
	assert_true(change.guarded);
	assert_null(vw_ruleset_chain(&more.have, "guard_in"));
	assert_non_null(vw_ruleset_chain(&more.want, "guard_in"));
	assert_int_equal(walled(&more.want), MANY);
	vw_change_done(&change);
	vw_change_done(&more);
	vw_compiled_done(&none);
	vw_compiled_done(&now);
}

/* One that stands lets in who has got a wall, in the transaction of that wall. */
static void standing(void **state)
{
	struct vw_compiled none = walls(0, true), now = walls(MANY, true);
	struct vw_change change = {0}, more = {0};

	(void)state;
	assert_int_equal(vw_change_between(&none, &now, &change), 0);
	assert_true(change.guarded);
	assert_int_equal(walled(&change.have), 0);
	assert_int_equal(walled(&change.want), VW_CHANGE_NEW_MAX);
	assert_int_equal(vw_change_more(&now, &change, &more), 0);
	assert_int_equal(walled(&more.have), VW_CHANGE_NEW_MAX);
	assert_int_equal(walled(&more.want), MANY);
	vw_change_done(&change);
	vw_change_done(&more);
	/* and lets nobody else in */
	assert_int_equal(vw_change_between(&now, &none, &change), 0);
	assert_int_equal(walled(&change.want), 0);
	vw_change_done(&change);
	vw_compiled_done(&none);
	vw_compiled_done(&now);
}

/* What a dump has of it goes on; what is stale goes; switched off, all of it does. */
static void adopted(void **state)
{
	struct vw_compiled was = walls(3, true), now = walls(2, true), off = walls(2, false);
	struct vw_ruleset dump = {0};
	struct vw_change change = {0};

	(void)state;
	assert_int_equal(vw_render_guard(&was, NULL, 0, &dump), 0);
	vw_ruleset_sort(&dump);
	assert_int_equal(vw_change_adopt(&dump, &now, &change), 0);
	assert_true(change.guarded);
	assert_int_equal(walled(&change.have), 3);
	assert_int_equal(walled(&change.want), 2);
	vw_change_done(&change);
	vw_ruleset_done(&dump);

	assert_int_equal(vw_render_guard(&was, NULL, 0, &dump), 0);
	vw_ruleset_sort(&dump);
	assert_int_equal(vw_change_adopt(&dump, &off, &change), 0);
	assert_false(change.guarded);
	assert_non_null(vw_ruleset_chain(&change.have, "guard_in"));
	assert_null(vw_ruleset_chain(&change.want, "guard_in"));
	vw_change_done(&change);
	vw_ruleset_done(&dump);
	vw_compiled_done(&was);
	vw_compiled_done(&now);
	vw_compiled_done(&off);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names), cmocka_unit_test(by_bridge), cmocka_unit_test(by_port),
		cmocka_unit_test(first), cmocka_unit_test(standing),  cmocka_unit_test(adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
