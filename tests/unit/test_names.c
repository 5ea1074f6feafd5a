/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names behind addresses, for records: each wall's own, the last one counts, and a container that
 * resolves without end pushes out nobody's but its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "agent/names.h"

static struct vw_addr addr(unsigned i)
{
	return (struct vw_addr){.family = 4, .b = {203, 0, (uint8_t)(i >> 8), (uint8_t)i}};
}

static void put(struct vw_names *n, unsigned ifindex, unsigned i, const char *name)
{
	struct vw_dns_answer a = {.addrs[0].addr = addr(i), .n = 1};

	snprintf(a.name, sizeof(a.name), "%s", name);
	assert_int_equal(vw_names_put(n, ifindex, &a), 0);
}

static const char *find(const struct vw_names *n, unsigned ifindex, unsigned i)
{
	struct vw_addr a = addr(i);
	const char *s = vw_names_find(n, ifindex, &a);

	return s ? s : "-";
}

static void of_each_wall(void **state)
{
	struct vw_names n = {0};

	(void)state;
	assert_string_equal(find(&n, 7, 1), "-");
	put(&n, 7, 1, "a.example");
	put(&n, 3, 1, "b.example");
	put(&n, 9, 2, "c.example");
	assert_string_equal(find(&n, 7, 1), "a.example");
	assert_string_equal(find(&n, 3, 1), "b.example");
	assert_string_equal(find(&n, 9, 1), "-");
	put(&n, 7, 1, "last.example");
	assert_string_equal(find(&n, 7, 1), "last.example");
	vw_names_done(&n);
}

static void bounded(void **state)
{
	struct vw_names n = {0};
	char name[32];

	(void)state;
	put(&n, 1, 60000, "kept.example");
	for (unsigned i = 0; i < 3 * VW_NAMES_WALL_MAX; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		put(&n, 2, i, name);
	}
	assert_string_equal(find(&n, 1, 60000), "kept.example");
	assert_int_equal(n.walls.v[1].list.n, VW_NAMES_WALL_MAX);
	assert_string_equal(find(&n, 2, 3 * VW_NAMES_WALL_MAX - 1), name);
	assert_string_equal(find(&n, 2, 2 * VW_NAMES_WALL_MAX - 1), "-");
	vw_names_done(&n);
}

static void walls_that_go(void **state)
{
	struct vw_wall walls[] = {{.ifindex = 2}, {.ifindex = 5}};
	struct vw_compiled c = {.walls = {.v = walls, .n = 2, .cap = 2}};
	struct vw_names n = {0};

	(void)state;
	for (unsigned i = 1; i <= 5; i++)
		put(&n, i, 1, "x.example");
	vw_names_keep(&n, &c);
	assert_int_equal(n.walls.n, 2);
	assert_string_equal(find(&n, 1, 1), "-");
	assert_string_equal(find(&n, 2, 1), "x.example");
	assert_string_equal(find(&n, 5, 1), "x.example");
	vw_names_done(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_each_wall),
		cmocka_unit_test(bounded),
		cmocka_unit_test(walls_that_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
