/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flow records to lines and back, with hostile strings, and lines that are none. jansson is the
 * judge of whether a line is JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "vethwall/cleanup.h"
#include "vethwall/flow.h"

static char line[VW_FLOW_LINE_MAX], buf[VW_FLOW_LINE_MAX];

static struct vw_flow sample(const char *src, const char *dst, uint8_t proto)
{
	struct vw_flow f = {
		.time_us = 1795387309123456,
		.first_us = 1795387308000001,
		.last_us = 1795387309000002,
		.t = {.proto = proto, .sport = 40000, .dport = 5432},
		.ifindex = 42,
		.in_iface = vw_str_of("veth12ab"),
		.workload = vw_str_of("shop/api-1"),
		.service = vw_str_of("api"),
		.image = vw_str_of("registry.local/shop/api:1.4"),
		.peer = vw_str_of("shop/db-1"),
		.peer_service = vw_str_of("db"),
		.policy = vw_str_of("shop/db"),
		.rule = vw_str_of("default"),
		.tier = vw_str_of("policy"),
		.community_id = vw_str_of("1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
		.packets = 12,
		.bytes = 720,
		.total_packets = 100,
		.total_bytes = 6000,
	};

	assert_int_equal(vw_addr_parse(src, &f.t.src), 0);
	assert_int_equal(vw_addr_parse(dst, &f.t.dst), 0);
	vw_flow_set_code(&f, VW_CODE_DENY | VW_CODE_EGRESS | 257);
	return f;
}

static void assert_str(const struct vw_str *a, const struct vw_str *b)
{
	assert_int_equal(a->s != NULL, b->s != NULL);
	assert_int_equal(a->n, b->n);
	if (a->n)
		assert_memory_equal(a->s, b->s, a->n);
}

static void assert_same(const struct vw_flow *a, const struct vw_flow *b)
{
	assert_int_equal(a->time_us, b->time_us);
	assert_int_equal(a->first_us, b->first_us);
	assert_int_equal(a->last_us, b->last_us);
	assert_int_equal(a->event, b->event);
	assert_int_equal(a->egress, b->egress);
	assert_int_equal(a->ifindex, b->ifindex);
	assert_memory_equal(&a->t.src, &b->t.src, sizeof(a->t.src));
	assert_memory_equal(&a->t.dst, &b->t.dst, sizeof(a->t.dst));
	assert_int_equal(a->t.code, b->t.code);
	assert_int_equal(a->t.proto, b->t.proto);
	assert_int_equal(a->t.sport, b->t.sport);
	assert_int_equal(a->t.dport, b->t.dport);
	assert_int_equal(a->packets, b->packets);
	assert_int_equal(a->bytes, b->bytes);
	assert_int_equal(a->total_packets, b->total_packets);
	assert_int_equal(a->total_bytes, b->total_bytes);
	assert_str(&a->in_iface, &b->in_iface);
	assert_str(&a->workload, &b->workload);
	assert_str(&a->service, &b->service);
	assert_str(&a->image, &b->image);
	assert_str(&a->peer, &b->peer);
	assert_str(&a->peer_service, &b->peer_service);
	assert_str(&a->policy, &b->policy);
	assert_str(&a->rule, &b->rule);
	assert_str(&a->tier, &b->tier);
	assert_str(&a->community_id, &b->community_id);
}

static void round_trip(const struct vw_flow *f)
{
	size_t n = vw_flow_json(f, line);
	json_t *j = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	struct vw_flow back;

	assert_non_null(j);
	json_decref(j);
	assert_int_equal(line[n - 1], '\n');
	assert_int_equal(vw_flow_json_parse(line, n, buf, &back), 0);
	assert_same(f, &back);
}

static void members(void **state)
{
	struct vw_flow f = sample("10.77.0.11", "10.77.0.12", 6);
	size_t n;

	(void)state;
	round_trip(&f);
	n = vw_flow_json(&f, line);
	line[n] = '\0';
	assert_string_equal(
		line,
		"{\"timestamp\":\"2026-11-22T22:41:49.123456Z\",\"event_type\":\"denied\","
		"\"direction\":\"egress\","
		"\"in_iface\":\"veth12ab\",\"src_ip\":\"10.77.0.11\",\"src_port\":40000,\"dest_"
		"ip\":\"10.77.0.12\","
		"\"dest_port\":5432,\"proto\":\"tcp\",\"workload\":\"shop/"
		"api-1\",\"service\":\"api\","
		"\"peer\":\"shop/db-1\",\"policy\":\"shop/"
		"db\",\"rule\":\"default\",\"packets\":12,\"bytes\":720,"
		"\"first_seen\":\"2026-11-22T22:41:48.000001Z\",\"last_seen\":\"2026-11-22T22:41:"
		"49.000002Z\","
		"\"community_id\":\"1:LQU9qZlK+B5F3KDmev6m5PMibrg=\",\"image\":\"registry.local/"
		"shop/api:1.4\","
		"\"peer_service\":\"db\",\"tier\":\"policy\",\"ifindex\":42,\"code\":2415919361,"
		"\"total_packets\":100,\"total_bytes\":6000}\n");
}

static void kinds(void **state)
{
	struct vw_flow f = sample("fd00::1", "fd00::2", 17);

	(void)state;
	round_trip(&f);
	f = sample("fd00::1", "fd00::2", 58);
	f.t.sport = f.t.dport = 128 << 8 | 3;
	round_trip(&f);
	assert_non_null(strstr(line, "\"icmp_type\":128,\"icmp_code\":3"));
	f = sample("10.0.0.1", "10.0.0.2", 47);
	f.t.sport = f.t.dport = 0;
	round_trip(&f);
	f = sample("0.0.0.0", "0.0.0.0", 0); /* an EtherType that is no IP */
	f.t.sport = f.t.dport = 0x88cc;
	round_trip(&f);
	assert_non_null(strstr(line, "\"ether_type\":35020"));
	f = sample("10.0.0.1", "10.0.0.2", 6);
	vw_flow_set_code(&f, VW_CODE_AUDIT | 256);
	f.peer_service = f.image = (struct vw_str){0};
	f.packets = f.total_packets = INT64_MAX; /* jansson reads no more */
	round_trip(&f);
	f = (struct vw_flow){.event = VW_FLOW_OVERFLOW, .packets = 4, .ifindex = 3};
	round_trip(&f);
	assert_null(strstr(line, "src_ip"));
	assert_non_null(strstr(line, "\"direction\":\"ingress\""));
	f = (struct vw_flow){.event = VW_FLOW_HELD,
			     .egress = true,
			     .packets = 4,
			     .ip_v = 6,
			     .peer_name = vw_str_of("x.example")};
	round_trip(&f);
}

/* Names are an attacker's: nothing in the line may move a cursor, and no size may break it. */
static void hostile(void **state)
{
	struct vw_flow f = sample("10.0.0.1", "10.0.0.2", 6), back;
	char big[4 * VW_FLOW_STR_MAX];
	size_t n;

	(void)state;
	f.workload = vw_str_of("a\"b\\c\n\x1b[2J\x7f\xc2\x9b/\xe2\x80\xae\xff\xc0\xaf\xed\xa0\x80 "
			       "\xc3\xa9\xf0\x9f\x90\xb3");
	n = vw_flow_json(&f, line);
	for (size_t i = 0; i + 1 < n; i++)
		assert_true((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
	assert_null(memmem(line, n, "\xc2\x9b", 2));
	assert_null(memmem(line, n, "\xe2\x80\xae", 3));
	assert_int_equal(vw_flow_json_parse(line, n, buf, &back), 0);
	assert_memory_equal(back.workload.s,
			    "a\"b\\c\n\x1b[2J\x7f\xc2\x9b/\xe2\x80\xae\xef\xbf\xbd", 20);
	assert_memory_equal(back.workload.s + back.workload.n - 7, " \xc3\xa9\xf0\x9f\x90\xb3", 7);
	memset(big, 1, sizeof(big));
	f.in_iface = f.workload = f.service = f.image = f.peer = f.peer_service = f.policy =
		f.rule = f.tier = (struct vw_str){big, sizeof(big)};
	n = vw_flow_json(&f, line);
	assert_true(n < VW_FLOW_LINE_MAX);
	assert_int_equal(vw_flow_json_parse(line, n, buf, &back), 0);
	assert_int_equal(back.tier.n, VW_FLOW_STR_MAX);
	/* a cut does not split a character */
	memset(big, 'x', sizeof(big));
	memcpy(big + VW_FLOW_STR_MAX - 1, "\xc3\xa9", 2);
	n = vw_flow_json(&f, line);
	assert_int_equal(vw_flow_json_parse(line, n, buf, &back), 0);
	assert_int_equal(back.tier.n, VW_FLOW_STR_MAX - 1);
}

#define REST                                                                                    \
	"\"direction\":\"ingress\",\"src_ip\":\"10.0.0.1\",\"dest_ip\":\"10.0.0.2\",\"proto\":" \
	"\"tcp\",\"packets\":1}"
#define HEAD "{\"timestamp\":\"2026-11-22T22:41:49Z\",\"event_type\":\"denied\","

static int parse(const char *s, struct vw_flow *f)
{
	return vw_flow_json_parse(s, strlen(s), buf, f);
}

static void accepted(void **state)
{
	static const char *const good[] = {
		HEAD REST,
		HEAD "\"new\":{\"a\":[1,\"]}\",{}],\"b\":null},\"x\":true,\"y\":-1.5e3," REST,
		" { \"bytes\" : 7 , \"dest_port\" : 80, \"workload\" : "
		"\"\\u00e9\\ud83d\\udc33\\/\", \"timestamp\":"
		"\"2026-11-22T22:41:49Z\",\"event_type\":\"audited\", " REST " ",
	};
	struct vw_flow f;

	(void)state;
	assert_int_equal(parse(good[0], &f), 0);
	assert_int_equal(f.packets, 1);
	assert_int_equal(f.first_us, f.time_us);
	assert_int_equal(f.t.code, VW_CODE_DENY);
	assert_int_equal(parse(good[1], &f), 0);
	assert_int_equal(parse(good[2], &f), 0);
	assert_int_equal(f.t.dport, 80);
	assert_true(vw_str_is(&f.workload, "\xc3\xa9\xf0\x9f\x90\xb3/"));
}

static void refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"null",
		"[]",
		"{",
		HEAD,
		HEAD REST "x",
		HEAD REST HEAD,
		"{\"timestamp\":\"yesterday\",\"event_type\":\"denied\"," REST,
		"{\"timestamp\":\"2026-11-22T22:41:49Z\",\"event_type\":\"alert\"," REST,
		HEAD "\"src_port\":65536," REST,
		HEAD "\"src_port\":-1," REST,
		HEAD "\"src_port\":01," REST,
		HEAD "\"src_port\":\"1\"," REST,
		HEAD "\"bytes\":18446744073709551616," REST,
		HEAD "\"bytes\":1.5," REST,
		HEAD "\"icmp_type\":256," REST,
		HEAD "\"workload\":\"a\nb\"," REST,
		HEAD "\"workload\":\"\\x\"," REST,
		HEAD "\"workload\":\"\\u12g4\"," REST,
		HEAD "\"workload\":\"open," REST,
		HEAD "\"x\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]," REST,
		HEAD "\"x\":[1," REST,
		HEAD "\"src_ip\":\"10.0.0.1/8\"," REST,
		HEAD "\"proto\":\"tcp?\",\"packets\":1}",
		HEAD "\"direction\":\"ingress\",\"src_ip\":\"10.0.0.1\",\"dest_ip\":\"::1\","
		     "\"proto\":\"tcp\",\"packets\":1}",
	};
	struct vw_flow f, before;

	(void)state;
	memset(&f, 0x5a, sizeof(f));
	before = f;
	for (size_t i = 0; i < VW_ARRAY_SIZE(bad); i++) {
		if (!parse(bad[i], &f))
			fail_msg("accepted: %s", bad[i]);
	}
	assert_memory_equal(&f, &before, sizeof(f));
}

/* Every prefix, and lines with random bytes changed, end in a verdict; each buffer has its exact
 * size, so that the sanitizer sees a read behind it. */
static void mangled(void **state)
{
	struct vw_flow f = sample("fd00::1", "10.0.0.2", 6);
	size_t n;

	(void)state;
	f.t.dst = f.t.src;
	f.workload = vw_str_of("a\"\x01\xc3\xa9");
	n = vw_flow_json(&f, line);
	for (size_t i = 0; i + 1 < n; i++) {
		char *copy = malloc(i ? i : 1);

		memcpy(copy, line, i);
		if (i + 1 < n - 1)
			assert_int_not_equal(vw_flow_json_parse(copy, i, buf, &f), 0);
		free(copy);
	}
	srand(3);
	for (int k = 0; k < 20000; k++) {
		char *copy = malloc(n);

		memcpy(copy, line, n);
		for (int m = rand() % 4; m >= 0; m--)
			copy[(size_t)rand() % n] = (char)rand();
		(void)vw_flow_json_parse(copy, n, buf, &f);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members),  cmocka_unit_test(kinds),   cmocka_unit_test(hostile),
		cmocka_unit_test(accepted), cmocka_unit_test(refused), cmocka_unit_test(mangled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
