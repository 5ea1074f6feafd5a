/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "vethwall/codec.h"

static void accepted(void **state)
{
	static const struct {
		const char *text;
		uint8_t proto;
		uint16_t lo, hi;
	} cases[] = {
		{"tcp/5432", IPPROTO_TCP, 5432, 5432},
		{"udp/53", IPPROTO_UDP, 53, 53},
		{"sctp/1-65535", IPPROTO_SCTP, 1, 65535},
		{"tcp/8000-8100", IPPROTO_TCP, 8000, 8100},
		{"tcp/80-80", IPPROTO_TCP, 80, 80},
		{"tcp", IPPROTO_TCP, 0, 65535},
		{"icmp", IPPROTO_ICMP, 0, 65535},
		{"icmp/echo-request", IPPROTO_ICMP, 8 << 8, 8 << 8 | 255},
		{"icmpv6/echo-request", IPPROTO_ICMPV6, 128 << 8, 128 << 8 | 255},
		{"icmp/8", IPPROTO_ICMP, 8 << 8, 8 << 8 | 255},
		{"icmp/3/4", IPPROTO_ICMP, 3 << 8 | 4, 3 << 8 | 4},
		{"icmpv6/packet-too-big", IPPROTO_ICMPV6, 2 << 8, 2 << 8 | 255},
		{"47", 47, 0, 65535},
		{"proto/47", 47, 0, 65535},
		{"gre", 47, 0, 65535},
		{"6/80", IPPROTO_TCP, 80, 80},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vw_port p;
		const char *why;

		if (vw_port_parse(cases[i].text, &p, &why))
			fail_msg("%s: %s", cases[i].text, why);
		assert_int_equal(p.proto, cases[i].proto);
		assert_int_equal(p.lo, cases[i].lo);
		assert_int_equal(p.hi, cases[i].hi);
		assert_false(p.any_proto);
		assert_null(p.name);
	}
}

static void any_and_names(void **state)
{
	struct vw_port p;
	const char *why;

	(void)state;
	assert_int_equal(vw_port_parse("any", &p, &why), 0);
	assert_true(p.any_proto);
	assert_int_equal(vw_port_parse("tcp/http", &p, &why), 0);
	assert_string_equal(p.name, "http");
	free(p.name);
	assert_int_equal(vw_port_parse("udp/8o", &p, &why), 0);
	assert_string_equal(p.name, "8o");
	free(p.name);
}

static void refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"http", "protocol"},
		{"tcp/", "port"},
		{"tcp/0", "1 to 65535"},
		{"tcp/65536", "1 to 65535"},
		{"tcp/-1", "1 to 65535"},
		{"tcp/080", "1 to 65535"},
		{"tcp/90-80", "turned round"},
		{"tcp/80-", "1 to 65535"},
		{"tcp/80 ", "1 to 65535"},
		{"tcp/HTTP", "port name"},
		{"gre/80", "no ports"},
		{"any/80", "protocol"},
		{"icmp/echo", "ICMP type"},
		{"icmp/256", "ICMP type"},
		{"icmp/8/256", "ICMP code"},
		{"icmp/8/", "ICMP code"},
		{"icmp/nd-redirect", "ICMP type"},
		{"256", "protocol"},
		{"proto/tcp", "protocol"},
		{"TCP/80", "protocol"},
		{"tcp/80/udp", "port name"},
		{"a-protocol-of-a-very-long-name/80", "protocol"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vw_port p = {.proto = 99};
		const char *why = NULL;
		int r = vw_port_parse(cases[i].text, &p, &why);

		if (r != -EINVAL || !strstr(why, cases[i].why))
			fail_msg("%s: %d %s, expected %s", cases[i].text, r, why ? why : "",
				 cases[i].why);
		assert_int_equal(p.proto, 99);
	}
}

static void probes(void **state)
{
	static const char *const bad[] = {"tcp", "any", "tcp/http", "tcp/1-2", "icmp", "icmpv6"};
	uint8_t proto = 0;
	uint16_t port = 1;
	const char *why;

	(void)state;
	assert_int_equal(vw_probe_port_parse("udp/53", &proto, &port, &why), 0);
	assert_int_equal(proto, IPPROTO_UDP);
	assert_int_equal(port, 53);
	assert_int_equal(vw_probe_port_parse("icmp/echo-request", &proto, &port, &why), 0);
	assert_int_equal(port, 8 << 8);
	assert_int_equal(vw_probe_port_parse("gre", &proto, &port, &why), 0);
	assert_int_equal(port, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(vw_probe_port_parse(bad[i], &proto, &port, &why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted),
		cmocka_unit_test(any_and_names),
		cmocka_unit_test(refused),
		cmocka_unit_test(probes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
