/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filter expressions: what they let through, what is refused and where, and that what a line must
 * hold is never more than the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "vethwall/cleanup.h"
#include "vethwall/review.h"

#define NOON 1795348800000000ll /* 2026-11-22T12:00:00Z */

static struct vw_flow flow(void)
{
	struct vw_flow f = {
		.time_us = NOON + 2000000,
		.first_us = NOON,
		.last_us = NOON + 1000000,
		.packets = 7,
		.bytes = 700,
		.ifindex = 12,
		.in_iface = vw_str_of("veth1"),
		.workload = vw_str_of("shop/api-1"),
		.service = vw_str_of("api"),
		.image = vw_str_of("registry.example/shop/api:1.4"),
		.peer = vw_str_of("shop/db-1"),
		.peer_service = vw_str_of("db"),
		.peer_name = vw_str_of("db.example.com"),
		.policy = vw_str_of("shop/db"),
		.rule = vw_str_of("egress[0]"),
		.tier = vw_str_of("service"),
		.community_id = vw_str_of("1:abc="),
	};

	vw_flow_set_code(&f, VW_CODE_DENY | VW_CODE_EGRESS | 256);
	vw_addr_parse("10.77.0.10", &f.t.src);
	vw_addr_parse("10.77.0.11", &f.t.dst);
	f.t.proto = 6;
	f.t.sport = 40000;
	f.t.dport = 5432;
	return f;
}

static struct vw_filter *parse(const char *text)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	struct vw_filter *f = NULL;

	if (vw_filter_parse(text, NULL, &f, &d))
		fail_msg("%s: %s", text, d.list.n ? d.list.v[0].text : "?");
	return f;
}

static bool fits(const char *text, const struct vw_flow *r)
{
	_cleanup_(vw_filter_free) struct vw_filter *f = parse(text);

	return vw_filter_match(f, r);
}

static void every_field(void **state)
{
	static const struct {
		const char *text;
		bool fits;
	} t[] = {
		{"service=api", true},
		{"service = 'api'", true},
		{"service == \"api\"", true},
		{"service=ap", false},
		{"service!=api", false},
		{"not service=api", false},
		{"not not service=api", true},
		{"service in db,api", true},
		{"service not in db,api", false},
		{"workload=api-1", true},
		{"workload=shop/api-1", true},
		{"workload=test/api-1", false},
		{"workload~api-*", true},
		{"workload~*/api-*", true},
		{"workload~pi*", false},
		{"namespace=shop", true},
		{"image~*/api:*", true},
		{"image=registry.example/shop/api:1.4", true},
		{"peer=db", true},
		{"peer=db-1", true},
		{"peer=db.example.com", true},
		{"peer=10.77.0.11", true},
		{"peer=10.77.0.10", false},
		{"peer=10.77.0.0/24", true},
		{"peer=world", false},
		{"peer_namespace=shop", true},
		{"src=10.77.0.10 and dst=10.77.0.11", true},
		{"ip=10.77.0.11 and ip=10.77.0.10", true},
		{"ip=fd00::/8", false},
		{"peer_ip=10.77.0.11 and workload_ip=10.77.0.10", true},
		{"port=5432", true},
		{"port in 5432,6379", true},
		{"port in 5000-6000", true},
		{"port=5433-6000", false},
		{"port>=5432 and port<=5432 and not port<5432 and not port>5432", true},
		{"sport=40000", true},
		{"icmp_type=0", false},
		{"icmp_type!=0", true},
		{"ether_type!=2054", true},
		{"proto=tcp", true},
		{"proto=6", true},
		{"proto in udp,icmp", false},
		{"direction=egress", true},
		{"event=denied", true},
		{"event!=audited", true},
		{"policy=db and rule=egress[0] and tier=service", true},
		{"packets>6 and packets<8 and bytes=700", true},
		{"id=1:abc=", false}, /* = ends a word */
		{"id='1:abc='", true},
		{"iface=veth1 and ifindex=12", true},
		{"last>=2026-11-22T12:00:01Z and last<2026-11-22T12:00:02Z", true},
		{"first=2026-11-22T12:00:00Z and time>2026-11-22T14:00:00+02:00", true},
		{"service=x or service=y or service=api", true},
		{"service=x or service=api and port=1", false},
		{"(service=x or service=api) and port=5432", true},
		{"service=api and port=1 or port=5432", true},
		{"((((service=api))))", true},
	};
	struct vw_flow f = flow();

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(t); i++) {
		_cleanup_(vw_diag_done) struct vw_diag d = {0};
		struct vw_filter *x = NULL;
		int r = vw_filter_parse(t[i].text, NULL, &x, &d);

		if (r ? t[i].fits : vw_filter_match(x, &f) != t[i].fits)
			fail_msg("%s: %s", t[i].text, d.list.n ? d.list.v[0].text : "wrong");
		vw_filter_free(&x);
	}
}

/* What a record does not have equals nothing. */
static void absent(void **state)
{
	struct vw_flow f = flow();

	(void)state;
	f.t.proto = 1;
	f.t.sport = f.t.dport = 8 << 8;
	assert_false(fits("port=2048", &f));
	assert_true(fits("port!=2048", &f));
	assert_true(fits("icmp_type=8 and icmp_code=0", &f));
	f = (struct vw_flow){.event = VW_FLOW_OVERFLOW, .packets = 3};
	assert_true(fits("event=overflow and packets=3", &f));
	assert_false(fits("src=0.0.0.0/0 or ip=::/0 or proto=0 or port=0 or service~*", &f));
	assert_false(fits("peer=0.0.0.0/0 or peer~*", &f));
}

static void located(void **state)
{
	static const struct {
		const char *text;
		unsigned col;
		const char *words;
	} t[] = {
		{"", 1, "ends"},
		{"   ", 4, "ends"},
		{"service", 8, "followed by"},
		{"prot=tcp", 1, "no field"},
		{"service=api and prot=tcp", 17, "no field"},
		{"service=", 9, "value"},
		{"port=70000", 6, "65535"},
		{"port=5-4", 6, "range"},
		{"port in 22,x", 12, "number"},
		{"port<1-2", 6, "number"},
		{"icmp_type=256", 11, "255"},
		{"src=10.0.0", 5, "address"},
		{"time>now", 6, "time"},
		{"proto=xyz", 7, "protocol"},
		{"direction=both", 11, "ingress or egress"},
		{"event=what", 7, "denied"},
		{"port~5*", 5, "no text"},
		{"service<api", 8, "no number"},
		{"service=api port=5", 13, "\"and\" or \"or\""},
		{"(service=api", 13, "\")\""},
		{"service=api)", 12, "\"and\" or \"or\""},
		{"service='api", 9, "quote"},
		{"service not api", 13, "\"in\""},
		{"service=\xc3\xa9 and x=1", 15, "no field"},
		{"not", 4, "ends"},
		{"service=api and", 16, "ends"},
		{"=", 1, "field"},
	};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(t); i++) {
		_cleanup_(vw_diag_done) struct vw_diag d = {0};
		struct vw_filter *f = NULL;

		if (vw_filter_parse(t[i].text, NULL, &f, &d) != -EINVAL || f || d.list.n != 1 ||
		    d.list.v[0].col != t[i].col || !strstr(d.list.v[0].text, t[i].words))
			fail_msg("%s: column %u: %s", t[i].text, d.list.n ? d.list.v[0].col : 0,
				 d.list.n ? d.list.v[0].text : "accepted");
	}
}

/* Depth and size have ends; a long chain needs no depth. */
static void bounded(void **state)
{
	static char text[VW_FILTER_TEXT_MAX + 100];
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	struct vw_flow f = flow();
	struct vw_filter *x = NULL;
	size_t n = 0;

	(void)state;
	memset(text, '(', 500);
	assert_int_equal(vw_filter_parse(text, NULL, &x, &d), -EINVAL);
	assert_non_null(strstr(d.list.v[0].text, "nested"));
	for (int i = 0; i < 900; i++)
		n += (size_t)sprintf(text + n, "port=%d or ", i % 10);
	strcpy(text + n, "port=5432");
	assert_true(fits(text, &f));
	for (int i = 0; n < VW_FILTER_TEXT_MAX - 20; i++)
		n += (size_t)sprintf(text + n, "ip=::%x or ", i % 10);
	strcpy(text + n, "ip=::1");
	assert_int_equal(vw_filter_parse(text, NULL, &x, &d), -EINVAL);
	assert_non_null(strstr(d.list.v[1].text, "too many parts"));
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(vw_filter_parse(text, NULL, &x, &d), -EINVAL);
	assert_non_null(strstr(d.list.v[2].text, "too long"));
}

static void options(void **state)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	_cleanup_(vw_filter_free) struct vw_filter *f = NULL;
	struct vw_filter *more = parse("packets>100 or service=api");
	struct vw_flow r = flow();

	(void)state;
	assert_int_equal(vw_filter_new(&f), 0);
	assert_true(vw_filter_match(f, &r));
	assert_int_equal(vw_filter_require(f, VW_FIELD_DEST_PORT, VW_EQ, "22,5000-6000", NULL, &d),
			 0);
	assert_true(vw_filter_match(f, &r));
	assert_int_equal(vw_filter_and(f, &more), 0);
	assert_null(more);
	assert_true(vw_filter_match(f, &r));
	r.service = vw_str_of("db");
	assert_false(vw_filter_match(f, &r));
	r = flow();
	assert_int_equal(vw_filter_require(f, VW_FIELD_IMAGE, VW_GLOB, "*/web:*", NULL, &d), 0);
	assert_false(vw_filter_match(f, &r));
	assert_int_equal(vw_filter_require(f, VW_FIELD_DEST_PORT, VW_EQ, "22,", NULL, &d), -EINVAL);
}

static void needles(void **state)
{
	static const struct {
		const char *text, *needle;
	} t[] = {
		{"service=api", "api\""},
		{"service=api and workload=shop/api-1", "shop/api-1\""},
		{"port=5432 and proto=tcp", "5432"},
		{"src=10.77.0.10", "10.77.0.10\""},
		{"peer=10.77.0.11", "10.77.0.11\""},
		{"service=api or port=5432", NULL},
		{"not service=api", NULL},
		{"service!=api", NULL},
		{"service in api,db", NULL},
		{"service~api", NULL},
		{"peer=db", NULL},
		{"src=10.77.0.0/16", NULL},
		{"src=fd77::1", NULL},
		{"port=80", NULL}, /* in most lines */
		{"event=denied", NULL},
		{"namespace=shop", NULL},
		{"code=1234567", NULL}, /* a line may leave it out */
		{"service='a\\b'", NULL},
	};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(t); i++) {
		_cleanup_(vw_filter_free) struct vw_filter *f = parse(t[i].text);
		size_t n;
		const char *s = vw_filter_needle(f, &n);

		if (!s != !t[i].needle || (s && strcmp(s, t[i].needle) != 0))
			fail_msg("%s: %s", t[i].text, s ? s : "none");
		assert_int_equal(n, s ? strlen(s) : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field), cmocka_unit_test(absent),  cmocka_unit_test(located),
		cmocka_unit_test(bounded),     cmocka_unit_test(options), cmocka_unit_test(needles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
