/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The short cuts of reading a log: they accept what the long way accepts, with the same result, and
 * a line that is left out unread is one that could not match. Over random and broken lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cli/flows_filter.h"
#include "vethwall/cleanup.h"
#include "vethwall/flow.h"

#define ROUNDS 40000
#define NOON 1795348800000000ll

static uint64_t rng = 1;

static unsigned below(unsigned n)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(rng >> 33) % n;
}

static const char *const names[] = {"shop/api-1", "shop/db-1", "api",  "x\"y", "a\\b\n", "\xc3\xa9",
				    "world",	  "10.0.0.1",  "5432", "",     "\xff",	 "svc\x7f"};

static struct vw_str some_name(void)
{
	return vw_str_of(names[below(VW_ARRAY_SIZE(names))]);
}

static void some_addr(struct vw_addr *a, bool v6)
{
	*a = v6 ? (struct vw_addr){6, {0xfd, [15] = (uint8_t)below(4)}}
		: (struct vw_addr){4, {10, 0, 0, (uint8_t)below(4)}};
}

static size_t some_line(char line[static VW_FLOW_LINE_MAX])
{
	static const uint8_t protos[] = {6, 17, 1, 58, 47};
	struct vw_flow f = {.packets = below(9) ? below(10000) : UINT64_MAX, .bytes = below(10000)};
	bool v6 = below(2);

	vw_flow_set_code(&f, VW_CODE_DENY | (below(2) ? VW_CODE_EGRESS : 0) | 256);
	f.time_us = NOON + (int64_t)below(200) * 1000003;
	f.last_us = f.time_us - below(100000);
	f.first_us = f.last_us - below(80000000);
	some_addr(&f.t.src, v6);
	some_addr(&f.t.dst, v6);
	f.t.proto = protos[below(5)];
	f.t.sport = f.t.dport = (uint16_t)(below(3) ? 5432 : below(65536));
	f.workload = some_name();
	f.service = some_name();
	f.peer = some_name();
	f.policy = some_name();
	f.rule = some_name();
	f.image = some_name();
	f.community_id = some_name();
	if (!below(20)) {
		f.event = VW_FLOW_OVERFLOW;
		f.t = (struct vw_tuple){0};
	}
	return vw_flow_json(&f, line) - 1;
}

/* One to three bytes that differ, of those that matter to a reader of JSON; or a cut. */
static size_t damage(char *line, size_t n)
{
	static const char bytes[] = "\"\\{}:,. 0159-TZ\0\n\x80u";

	for (unsigned k = below(3) + 1; k && n; k--)
		line[below((unsigned)n)] = bytes[below(sizeof(bytes) - 1)];
	return below(20) ? n : below((unsigned)n + 1);
}

/* The same JSON in a spelling for which there is no short cut: blanks round names. */
static size_t respell(const char *line, size_t n, char *out)
{
	size_t k = 0;
	bool in = false;

	for (size_t i = 0; i < n; i++) {
		out[k++] = line[i];
		if (in && line[i] == '\\' && i + 1 < n)
			out[k++] = line[++i];
		else if (line[i] == '"')
			in = !in;
		if (!in && (line[i] == '{' || line[i] == ','))
			out[k++] = ' ';
		if (!in && line[i] == '"' && i + 1 < n && line[i + 1] == ':')
			out[k++] = ' ';
	}
	return k;
}

static bool same_str(const struct vw_str *a, const struct vw_str *b)
{
	return !a->s == !b->s && a->n == b->n && (!a->n || !memcmp(a->s, b->s, a->n));
}

static bool same(const struct vw_flow *a, const struct vw_flow *b)
{
	return a->time_us == b->time_us && a->first_us == b->first_us && a->last_us == b->last_us &&
	       a->event == b->event && a->egress == b->egress && vw_addr_eq(&a->t.src, &b->t.src) &&
	       vw_addr_eq(&a->t.dst, &b->t.dst) && a->t.proto == b->t.proto &&
	       a->t.sport == b->t.sport && a->t.dport == b->t.dport && a->t.code == b->t.code &&
	       a->packets == b->packets && a->bytes == b->bytes && a->ifindex == b->ifindex &&
	       same_str(&a->workload, &b->workload) && same_str(&a->service, &b->service) &&
	       same_str(&a->peer, &b->peer) && same_str(&a->policy, &b->policy) &&
	       same_str(&a->rule, &b->rule) && same_str(&a->image, &b->image) &&
	       same_str(&a->community_id, &b->community_id);
}

static void short_cuts(void **state)
{
	static char line[VW_FLOW_LINE_MAX], other[2 * VW_FLOW_LINE_MAX], a[VW_FLOW_LINE_MAX],
		b[VW_FLOW_LINE_MAX];
	unsigned good = 0, bad = 0;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t n = some_line(line);
		struct vw_flow x, y;
		bool ok, long_ok;

		if (i % 2)
			n = damage(line, n);
		ok = !vw_flow_json_parse(line, n, a, &x);
		long_ok = !vw_flow_json_parse(other, respell(line, n, other), b, &y);
		if (ok != long_ok || (ok && !same(&x, &y)))
			fail_msg("%.*s", (int)n, line);
		good += ok;
		bad += !ok;
	}
	assert_true(good > ROUNDS / 2 && bad > ROUNDS / 8);
}

/* Both ends and the last packet's time as given. */
static int parse_with(const char *ip, const char *time, struct vw_flow *ret)
{
	static char line[1024], buf[VW_FLOW_LINE_MAX];
	int n = snprintf(line, sizeof(line),
			 "{\"timestamp\":\"2026-11-22T12:00:00.000000Z\",\"event_type\":\"denied\","
			 "\"direction\":\"egress\",\"src_ip\":\"%s\",\"dest_ip\":\"10.0.0.2\","
			 "\"proto\":\"tcp\",\"packets\":1,\"last_seen\":\"%s\"}",
			 ip, time);

	return vw_flow_json_parse(line, (size_t)n, buf, ret);
}

static void addresses(void **state)
{
	static const char digits[] = "0123456789..";
	struct vw_addr want;
	struct vw_flow f;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		char s[20];
		unsigned n = 0;

		if (i % 2) {
			n = (unsigned)snprintf(s, sizeof(s), "%u.%u.%u.%u", below(300), below(30),
					       below(260), below(12));
			s[below(n)] = digits[below(12)];
		} else {
			for (unsigned len = below(17); n < len;)
				s[n++] = digits[below(12)];
		}
		s[n] = '\0';
		if (vw_addr_parse(s, &want)) {
			assert_int_not_equal(parse_with(s, "2026-11-22T12:00:00Z", &f), 0);
		} else {
			assert_int_equal(parse_with(s, "2026-11-22T12:00:00Z", &f), 0);
			assert_true(vw_addr_eq(&f.t.src, &want));
		}
	}
}

static void times(void **state)
{
	static const char bytes[] = "0123456789:.-TZ+ 6";

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		char s[] = "2026-11-22T12:00:59.123456Z";
		struct vw_flow f;
		int64_t want;

		for (unsigned k = below(3); k; k--)
			s[10 + below(17)] = bytes[below(sizeof(bytes) - 1)];
		if (vw_time_parse(s, strlen(s), &want)) {
			assert_int_not_equal(parse_with("10.0.0.1", s, &f), 0);
		} else {
			assert_int_equal(parse_with("10.0.0.1", s, &f), 0);
			assert_int_equal(f.last_us, want);
		}
	}
}

static void twice(void **state)
{
	static const char line[] =
		"{\"timestamp\":\"2026-11-22T12:00:00.000000Z\",\"event_type\":\"overflow\","
		"\"packets\":1,\"timestamp\":\"2027-11-22T12:00:00.000000Z\"}";
	char buf[VW_FLOW_LINE_MAX];
	struct vw_flow f;

	(void)state;
	assert_int_equal(vw_flow_json_parse(line, sizeof(line) - 1, buf, &f), -EINVAL);
}

/* A name spelt with an escape, as another program may. */
static size_t escape(char *line, size_t n)
{
	char *at = memmem(line, n, "\"api\"", 5);

	if (!at)
		return n;
	memmove(at + 7, at + 2, n - (size_t)(at + 2 - line));
	memcpy(at, "\"\\u0061", 7);
	return n + 5;
}

/* A leap second is later than the text of its time says. */
static void leap_second(void **state)
{
	static const char line[] =
		"{\"timestamp\":\"2026-11-22T12:00:60.500000Z\",\"event_type\":\"overflow\","
		"\"packets\":1}";
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	_cleanup_(flows_filter_done) struct flows_filter f;
	char buf[VW_FLOW_LINE_MAX];
	struct vw_flow r;

	(void)state;
	assert_int_equal(flows_filter_init(&f), 0);
	f.from_us = NOON + 60000000;
	assert_int_equal(flows_filter_build(&f, &d), 0);
	assert_int_equal(vw_flow_json_parse(line, sizeof(line) - 1, buf, &r), 0);
	assert_true(flows_filter_match(&f, &r));
	assert_true(flows_filter_may_match(&f, line, sizeof(line) - 1));
}

/* Whatever fits would have been read. */
static void left_out(void **state)
{
	static const char *const where[] = {
		"service=api",
		"workload=api-1",
		"port=5432",
		"src=10.0.0.1",
		"peer=10.0.0.1",
		"policy='x\"y'",
		"image='a\\b'",
		"packets=5432",
		"service='' or service=api",
		"rule=5432 and peer=world",
		"id=\xc3\xa9",
		"peer=db-1",
		"src=fd00::1",
		"port!=5432",
		"bytes=5432 and port=5432",
		"icmp_type=8",
		"workload=shop/db-1 and not service=api",
	};
	static char line[VW_FLOW_LINE_MAX], buf[VW_FLOW_LINE_MAX];
	unsigned fit = 0, out = 0;

	(void)state;
	for (unsigned k = 0; k < 3 * VW_ARRAY_SIZE(where); k++) {
		_cleanup_(vw_diag_done) struct vw_diag d = {0};
		_cleanup_(flows_filter_done) struct flows_filter f;

		assert_int_equal(flows_filter_init(&f), 0);
		assert_int_equal(flows_filter_where(&f, where[k % VW_ARRAY_SIZE(where)], &d), 0);
		if (k >= VW_ARRAY_SIZE(where))
			f.from_us = NOON + 100 * 1000000;
		if (k >= 2 * VW_ARRAY_SIZE(where))
			f.to_us = NOON + 150 * 1000000;
		assert_int_equal(flows_filter_build(&f, &d), 0);
		for (unsigned i = 0; i < 2000; i++) {
			size_t n = some_line(line);
			struct vw_flow r;

			if (i % 4 == 0)
				n = damage(line, n);
			if (i % 4 == 1)
				n = escape(line, n);
			if (vw_flow_json_parse(line, n, buf, &r))
				continue;
			if (flows_filter_match(&f, &r)) {
				fit++;
				assert_true(flows_filter_may_match(&f, line, n));
			} else {
				out += !flows_filter_may_match(&f, line, n);
			}
		}
	}
	assert_true(fit > 1000 && out > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_cuts), cmocka_unit_test(addresses),
		cmocka_unit_test(times),      cmocka_unit_test(twice),
		cmocka_unit_test(left_out),   cmocka_unit_test(leap_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
