/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses: what is read, what is refused (a text that another program reads differently), order
 * and ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "vethwall/addr.h"
#include "vethwall/cleanup.h"

static struct vw_addr addr(const char *s)
{
	struct vw_addr a;

	assert_int_equal(vw_addr_parse(s, &a), 0);
	return a;
}

static struct vw_prefix prefix(const char *s)
{
	struct vw_prefix p;

	assert_int_equal(vw_prefix_parse(s, false, &p), 0);
	return p;
}

static void assert_addr(const struct vw_addr *a, const char *want)
{
	char buf[VW_ADDR_STRLEN];

	assert_string_equal(vw_addr_str(a, buf), want);
}

static void addr_round_trip(void **state)
{
	static const struct {
		const char *in, *out;
		uint8_t family;
	} rows[] = {
		{"0.0.0.0", "0.0.0.0", 4},
		{"10.77.0.11", "10.77.0.11", 4},
		{"255.255.255.255", "255.255.255.255", 4},
		{"::", "::", 6},
		{"FD77:0:0::11", "fd77::11", 6},
		{"::ffff:10.0.0.1", "::ffff:10.0.0.1", 6}, /* IPv4-mapped stays IPv6 */
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 6},
	};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(rows); i++) {
		struct vw_addr a = addr(rows[i].in);

		assert_int_equal(a.family, rows[i].family);
		assert_addr(&a, rows[i].out);
	}
	assert_addr(&(struct vw_addr){0}, "");
}

static void addr_refused(void **state)
{
	static const char *const bad[] = {
		"",	     "10.0.0",	     "10.0.0.1.2",
		"010.0.0.1", "10.0.0.01",    "10.0.0.256",
		"10.0.0.1 ", " 10.0.0.1",    "0x0a.0.0.1",
		"10.1",	     "fe80::1%eth0", ":::",
		"1::2::3",   "12345::",	     "::ffff:010.0.0.1",
		"[::1]",     "10.0.0.1/32",  "1:2:3:4:5:6:7:8:9",
	};
	const struct vw_addr before = addr("192.0.2.1");
	struct vw_addr a = before;

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(bad); i++) {
		assert_int_equal(vw_addr_parse(bad[i], &a), -EINVAL);
		assert_memory_equal(&a, &before, sizeof(a));
	}
}

static void prefix_parsed(void **state)
{
	char buf[VW_PREFIX_STRLEN];
	struct vw_prefix p = prefix("10.9.0.0/16");

	(void)state;
	assert_string_equal(vw_prefix_str(&p, buf), "10.9.0.0/16");
	p = prefix("0.0.0.0/0");
	assert_int_equal(p.len, 0);
	p = prefix("fd77::/127");
	assert_string_equal(vw_prefix_str(&p, buf), "fd77::/127");
	assert_int_equal(vw_prefix_parse("10.9.1.7/17", false, &p), -EDOM);
	assert_string_equal(vw_prefix_str(&p, buf), "fd77::/127");
	assert_int_equal(vw_prefix_parse("10.9.129.7/17", true, &p), 0);
	assert_string_equal(vw_prefix_str(&p, buf), "10.9.128.0/17");
	assert_int_equal(vw_prefix_parse("fd77::ff/121", true, &p), 0);
	assert_string_equal(vw_prefix_str(&p, buf), "fd77::80/121");
}

static void prefix_refused(void **state)
{
	static const char *const bad[] = {
		"10.0.0.0",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/08",
		"10.0.0.0/-1",
		"10.0.0.0/+8",
		"10.0.0.0/8 ",
		"/8",
		"::/129",
		"10.0.0.0/8/8",
		"10.0.0.0/4294967304",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8",
	};
	struct vw_prefix p;

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(bad); i++)
		assert_int_equal(vw_prefix_parse(bad[i], true, &p), -EINVAL);
}

static void prefix_membership(void **state)
{
	static const struct {
		const char *p, *a;
		bool has;
	} rows[] = {
		{"10.9.0.0/16", "10.9.255.255", true},
		{"10.9.0.0/16", "10.10.0.0", false},
		{"10.9.128.0/17", "10.9.127.1", false},
		{"0.0.0.0/0", "203.0.113.1", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "10.0.0.1", false},
		{"10.0.0.1/32", "10.0.0.1", true},
		{"10.0.0.1/32", "10.0.0.0", false},
		{"fd77::80/121", "fd77::ff", true},
		{"fd77::80/121", "fd77::7f", false},
		{"10.0.0.0/8", "::ffff:10.0.0.1", false},
	};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(rows); i++) {
		struct vw_prefix p = prefix(rows[i].p);
		struct vw_addr a = addr(rows[i].a);

		if (vw_prefix_has(&p, &a) != rows[i].has)
			fail_msg("%s in %s", rows[i].a, rows[i].p);
	}
	assert_false(vw_prefix_has(&(struct vw_prefix){0}, &(struct vw_addr){0}));
}

static void prefix_ranges(void **state)
{
	struct vw_prefix wide = prefix("10.0.0.0/8"), narrow = prefix("10.9.0.0/16");
	struct vw_prefix all4 = prefix("0.0.0.0/0"), all6 = prefix("::/0");
	struct vw_addr a = vw_prefix_last(&narrow);

	(void)state;
	assert_addr(&a, "10.9.255.255");
	assert_true(vw_prefix_covers(&wide, &narrow));
	assert_true(vw_prefix_covers(&wide, &wide));
	assert_false(vw_prefix_covers(&narrow, &wide));
	assert_false(vw_prefix_covers(&all6, &all4));
	a = vw_prefix_last(&all6);
	assert_addr(&a, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_false(vw_addr_next(&a, &a));
	a = addr("10.0.255.255");
	assert_true(vw_addr_next(&a, &a));
	assert_addr(&a, "10.1.0.0");
	a = addr("255.255.255.255");
	assert_false(vw_addr_next(&a, &a));
	assert_addr(&a, "255.255.255.255");
}

static void addr_order(void **state)
{
	static const char *const rising[] = {
		"9.255.0.0", "10.0.0.0", "10.0.0.1", "::", "::1", "fd77::1", "ff02::1"};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(rising); i++)
		for (size_t j = 0; j < VW_ARRAY_SIZE(rising); j++) {
			struct vw_addr a = addr(rising[i]), b = addr(rising[j]);
			int c = vw_addr_cmp(&a, &b);

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
			assert_int_equal(vw_addr_eq(&a, &b), i == j);
		}
}

static void addr_kinds(void **state)
{
	static const struct {
		const char *a;
		bool loopback, link_local, multicast;
	} rows[] = {
		{"127.0.0.1", true, false, false},    {"127.255.0.3", true, false, false},
		{"128.0.0.1", false, false, false},   {"169.254.169.254", false, true, false},
		{"169.253.0.1", false, false, false}, {"223.255.255.255", false, false, false},
		{"224.0.0.0", false, false, true},    {"239.255.255.255", false, false, true},
		{"240.0.0.1", false, false, false},   {"255.255.255.255", false, false, true},
		{"::1", true, false, false},	      {"::2", false, false, false},
		{"fe80::1", false, true, false},      {"febf::1", false, true, false},
		{"fec0::1", false, false, false},     {"ff02::1", false, false, true},
	};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(rows); i++) {
		struct vw_addr a = addr(rows[i].a);

		assert_int_equal(vw_addr_is_loopback(&a), rows[i].loopback);
		assert_int_equal(vw_addr_is_link_local(&a), rows[i].link_local);
		assert_int_equal(vw_addr_is_multicast(&a), rows[i].multicast);
	}
}

static void mac(void **state)
{
	static const char *const bad[] = {"",
					  "02:42:0a:4d:00",
					  "02:42:0a:4d:00:0b:",
					  "02-42-0a-4d-00-0b",
					  "02:42:0a:4d:00:0g",
					  "2:42:0a:4d:00:0b0",
					  "02:42:0a:4d:000b:"};
	char buf[VW_MAC_STRLEN];
	struct vw_mac m;

	(void)state;
	assert_int_equal(vw_mac_parse("02:42:0A:4d:00:fb", &m), 0);
	assert_string_equal(vw_mac_str(&m, buf), "02:42:0a:4d:00:fb");
	for (size_t i = 0; i < VW_ARRAY_SIZE(bad); i++)
		assert_int_equal(vw_mac_parse(bad[i], &m), -EINVAL);
	assert_string_equal(vw_mac_str(&m, buf), "02:42:0a:4d:00:fb");
}

static void protocols(void **state)
{
	static const struct {
		const char *name;
		int number;
		bool ports;
	} rows[] = {
		{"tcp", 6, true},   {"udp", 17, true},	   {"sctp", 132, true},
		{"icmp", 1, false}, {"icmpv6", 58, false}, {"udplite", 136, true},
		{"dccp", 33, true}, {"gre", 47, false},	   {"esp", 50, false},
		{"ah", 51, false},  {"igmp", 2, false},	   {"ipip", 4, false},
	};
	static const char *const bad[] = {"", "TCP", "256", "06", "-1", "+6", "6 ", "tcp6", "0x6"};
	char buf[4];

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(rows); i++) {
		assert_int_equal(vw_proto_parse(rows[i].name), rows[i].number);
		assert_string_equal(vw_proto_str((uint8_t)rows[i].number, buf), rows[i].name);
		assert_int_equal(vw_proto_has_ports((uint8_t)rows[i].number), rows[i].ports);
	}
	for (size_t i = 0; i < VW_ARRAY_SIZE(bad); i++)
		assert_int_equal(vw_proto_parse(bad[i]), -EINVAL);
	assert_int_equal(vw_proto_parse("0"), 0);
	assert_int_equal(vw_proto_parse("255"), 255);
	assert_string_equal(vw_proto_str(255, buf), "255");
	assert_false(vw_proto_has_ports(255));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addr_round_trip),
		cmocka_unit_test(addr_refused),
		cmocka_unit_test(prefix_parsed),
		cmocka_unit_test(prefix_refused),
		cmocka_unit_test(prefix_membership),
		cmocka_unit_test(prefix_ranges),
		cmocka_unit_test(addr_order),
		cmocka_unit_test(addr_kinds),
		cmocka_unit_test(mac),
		cmocka_unit_test(protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
