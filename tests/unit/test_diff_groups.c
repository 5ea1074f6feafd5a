/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows folded by who, whom and port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/diff_groups.h"
#include "vethwall/cleanup.h"

static void add(struct vw_diff_groups *g, const char *from, const char *to, uint16_t port,
		uint64_t packets, int64_t first_us)
{
	const struct vw_diff_group one = {.from = (char *)from,
					  .to = (char *)to,
					  .proto = 6,
					  .port = port,
					  .flows = 1,
					  .packets = packets,
					  .first_us = first_us,
					  .last_us = first_us + 1,
					  .at_least = first_us == 5};

	assert_int_equal(vw_diff_groups_add(g, &one), 0);
}

static void folded_and_ranked(void **state)
{
	struct vw_diff_groups g = {0};

	(void)state;
	add(&g, "b", "x", 80, 1, 7);
	add(&g, "a", "x", 80, 1, 9);
	add(&g, "b", "x", 80, 2, 5);
	add(&g, "b", "x", 81, 1, 0);
	add(&g, "b", "x", 80, 0, 0);
	assert_int_equal(g.list.n, 3);
	assert_int_equal(g.flows, 5);
	assert_int_equal(g.packets, 5);
	vw_diff_groups_rank(&g);
	assert_string_equal(g.list.v[0].from, "b");
	assert_int_equal(g.list.v[0].flows, 3);
	assert_int_equal(g.list.v[0].packets, 3);
	assert_int_equal(g.list.v[0].first_us, 5);
	assert_true(g.list.v[0].at_least);
	assert_int_equal(g.list.v[0].last_us, 8);
	assert_string_equal(g.list.v[1].from, "a");
	assert_int_equal(g.list.v[2].port, 81);
	vw_diff_groups_done(&g);
	vw_diff_groups_done(&g);
}

/* More than there is room for: the sums stay right. */
static void bounded(void **state)
{
	struct vw_diff_groups g = {0};
	char name[16];

	(void)state;
	for (unsigned i = 0; i < VW_DIFF_GROUPS_MAX + 50; i++) {
		snprintf(name, sizeof(name), "w%u", i);
		add(&g, name, "x", 80, 2, 1);
	}
	add(&g, "w7", "x", 80, 2, 1);
	assert_int_equal(g.list.n, VW_DIFF_GROUPS_MAX);
	assert_int_equal(g.unfolded, 50);
	assert_int_equal(g.flows, VW_DIFF_GROUPS_MAX + 51);
	assert_int_equal(g.packets, 2 * g.flows);
	vw_diff_groups_rank(&g);
	assert_string_equal(g.list.v[0].from, "w7");
	vw_diff_groups_done(&g);
}

static void ports(void **state)
{
	static const struct {
		uint8_t proto;
		uint16_t port;
		const char *text;
	} cases[] = {
		{6, 5432, "tcp/5432"},	      {17, 0, "udp/0"}, {1, 8 << 8, "icmp 8/0"},
		{58, 0x8701, "icmpv6 135/1"}, {47, 0, "gre"},	{200, 0, "200"},
	};
	char buf[VW_DIFF_PORT_STRLEN];

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(cases); i++)
		assert_string_equal(vw_diff_port_str(cases[i].proto, cases[i].port, buf),
				    cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folded_and_ranked),
		cmocka_unit_test(bounded),
		cmocka_unit_test(ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
