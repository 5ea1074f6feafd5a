/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a live flow has been idle, from what its element has left: what the walls' rules do to
 * elements (core/wall_flows.c) against what the agent makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/live.h"

#define H 3600000

static int64_t idle(uint8_t proto, bool closing, uint64_t made, uint64_t left, int64_t age)
{
	struct vw_live l = {.proto = proto, .flow = !closing, .closing = closing};

	return vw_live_idle(&l, &vw_config_default, made, left, age);
}

/* An element is made with the opener's timeout; the second packet gives it its protocol's. */
static void idle_of_elements(void **state)
{
	static const struct {
		uint8_t proto;
		bool closing;
		uint64_t made, left;
		int64_t age, want;
	} cases[] = {
		{6, false, VW_OPENED_OUT_MS, VW_OPENED_OUT_MS, 0, 0},
		{6, false, VW_OPENED_OUT_MS, 45000, 0, 15000}, /* one packet so far */
		{6, false, VW_OPENED_IN_MS, 44000, 15000, 20000},
		{6, false, VW_OPENED_OUT_MS, 6 * H, 1000, 0}, /* a flow */
		{6, false, VW_OPENED_OUT_MS, 5 * H, 2 * H, H},
		{6, false, VW_OPENED_OUT_MS, 30000, 6 * H, 6 * H - 30000}, /* nearly over */
		{6, false, VW_OPENED_OUT_MS, 30000, INT64_MAX, 6 * H - 30000},
		{17, false, VW_OPENED_OUT_MS, 170000, 5000, 10000},
		{17, false, VW_OPENED_OUT_MS, 50000, 70000, 130000},
		{17, false, VW_OPENED_OUT_MS, 200000, 5000, -1}, /* more than it can have */
		{6, true, 120000, 100000, 20000, 20000},
		{6, true, 120000, 4000, 0, -1}, /* the second FIN, or time */
		{6, true, 120000, 130000, 0, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (idle(cases[i].proto, cases[i].closing, cases[i].made, cases[i].left,
			 cases[i].age) != cases[i].want)
			fail_msg("case %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_of_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
