/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Community IDs against the values that the specification's reference implementation publishes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vethwall/cleanup.h"
#include "vethwall/flow.h"

struct known {
	uint8_t proto;
	const char *src, *dst;
	uint16_t sport, dport; /* icmp: type, code */
	const char *id, *id_seed1;
};

static const struct known known[] = {
	{6, "128.232.110.120", "66.35.250.204", 34855, 80,
	 "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:3V71V58M3Ksw/yuFALMcW0LAHvc="},
	{6, "66.35.250.204", "128.232.110.120", 80, 34855,
	 "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:3V71V58M3Ksw/yuFALMcW0LAHvc="},
	{6, "10.0.0.1", "10.0.0.2", 10, 11569, "1:SXBGMX1lBOwhhoDrZynfROxnhnM=", NULL},
	{6, "2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a", 63943, 25,
	 "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=", NULL},
	{17, "192.168.1.52", "8.8.8.8", 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=", NULL},
	{132, "192.168.170.56", "192.168.170.8", 80, 7, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=", NULL},
	{1, "192.168.0.89", "192.168.0.1", 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", NULL},
	{1, "192.168.0.1", "192.168.0.89", 0, 20, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=", NULL},
	{1, "192.168.0.89", "192.168.0.1", 20, 1, "1:tz/fHIDUHs19NkixVVoOZywde+I=", NULL},
	{58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 136, 0,
	 "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=", NULL},
	{58, "3ffe:507:0:1:200:86ff:fe05:80da", "3ffe:507:0:1:260:97ff:fe07:69ea", 3, 0,
	 "1:/OGBt9BN1ofenrmSPWYicpij2Vc=", NULL},
	{46, "10.1.24.4", "10.1.12.1", 0, 0, "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4=", NULL},
};

static void published_values(void **state)
{
	char id[VW_COMMUNITY_ID_LEN];

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(known); i++) {
		const struct known *k = &known[i];
		struct vw_tuple t = {.proto = k->proto, .sport = k->sport, .dport = k->dport};

		if (k->proto == 1 || k->proto == 58)
			t.sport = t.dport = (uint16_t)(k->sport << 8 | k->dport);
		assert_int_equal(vw_addr_parse(k->src, &t.src), 0);
		assert_int_equal(vw_addr_parse(k->dst, &t.dst), 0);
		vw_community_id(&t, 0, id);
		assert_string_equal(id, k->id);
		if (!k->id_seed1)
			continue;
		vw_community_id(&t, 1, id);
		assert_string_equal(id, k->id_seed1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
