/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flow record's times and merge, and the table of reported counters against a plain model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vethwall/cleanup.h"
#include "vethwall/flow.h"

static void times(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} t[] = {
		{0, "1970-01-01T00:00:00.000000Z"},
		{-1, "1969-12-31T23:59:59.999999Z"},
		{1795387309123456, "2026-11-22T22:41:49.123456Z"},
		{951782400000000, "2000-02-29T00:00:00.000000Z"},
		{4107542399999999, "2100-02-28T23:59:59.999999Z"},
	};
	char buf[VW_TIME_STRLEN];
	int64_t us;

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(t); i++) {
		assert_string_equal(vw_time_str(t[i].us, buf), t[i].text);
		assert_int_equal(vw_time_parse(t[i].text, strlen(t[i].text), &us), 0);
		assert_int_equal(us, t[i].us);
	}
}

static void time_forms(void **state)
{
	static const char *const same[] = {"2026-11-22T22:41:49Z", "2026-11-23T00:41:49+02:00",
					   "2026-11-22T17:41:49.0-0500",
					   "2026-11-22 22:41:49.000000999Z"};
	static const char *const bad[] = {"",
					  "2026-11-22",
					  "2026-11-22T22:41:49",
					  "2026-02-29T00:00:00Z",
					  "2026-13-01T00:00:00Z",
					  "2026-11-22T24:00:00Z",
					  "2026-11-22T22:41:49.Z",
					  "2026-11-22T22:41:49Zx",
					  "2026-11-22T22:41:49+25:00",
					  "x026-11-22T22:41:49Z"};
	int64_t us = 77;

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(same); i++) {
		assert_int_equal(vw_time_parse(same[i], strlen(same[i]), &us), 0);
		assert_int_equal(us, 1795387309000000);
	}
	us = 77;
	for (size_t i = 0; i < VW_ARRAY_SIZE(bad); i++)
		assert_int_not_equal(vw_time_parse(bad[i], strlen(bad[i]), &us), 0);
	assert_int_equal(us, 77);
}

static void merge(void **state)
{
	struct vw_flow a = {.time_us = 10,
			    .first_us = 5,
			    .last_us = 9,
			    .packets = 3,
			    .bytes = 30,
			    .total_packets = 3,
			    .total_bytes = 30};
	struct vw_flow b = {.time_us = 20,
			    .first_us = 11,
			    .last_us = 19,
			    .packets = 4,
			    .bytes = 44,
			    .total_packets = 7,
			    .total_bytes = 74};
	struct vw_flow x = a, y = b;

	(void)state;
	vw_flow_merge(&x, &b);
	vw_flow_merge(&y, &a);
	assert_memory_equal(&x, &y, sizeof(x));
	assert_int_equal(x.packets, 7);
	assert_int_equal(x.bytes, 74);
	assert_int_equal(x.total_packets, 7);
	assert_int_equal(x.first_us, 5);
	assert_int_equal(x.last_us, 19);
}

static void codes(void **state)
{
	struct vw_flow f = {0};

	(void)state;
	vw_flow_set_code(&f, VW_CODE_DENY | VW_CODE_AUDIT | VW_CODE_EGRESS | 300);
	assert_int_equal(f.event, VW_FLOW_DENIED);
	assert_true(f.egress);
	vw_flow_set_code(&f, VW_CODE_AUDIT | 1);
	assert_int_equal(f.event, VW_FLOW_AUDITED);
	assert_false(f.egress);
	vw_flow_set_code(&f, VW_CODE_LOG | 300);
	assert_int_equal(f.event, VW_FLOW_ALLOWED);
}

static void key_is_the_kernels(void **state)
{
	struct vw_tuple t = {.code = 0x80000001, .proto = 6, .sport = 0x1234, .dport = 443}, back;
	uint8_t key[VW_FLOW_KEY_MAX];

	(void)state;
	for (int v = 4; v <= 6; v += 2) {
		assert_int_equal(vw_addr_parse(v == 4 ? "10.0.0.1" : "fd00::1", &t.src), 0);
		assert_int_equal(vw_addr_parse(v == 4 ? "10.0.0.2" : "fd00::2", &t.dst), 0);
		assert_int_equal(vw_flow_key(&t, key), v == 4 ? 24 : 48);
		assert_int_equal(vw_tuple_decode(key, v == 4 ? 24 : 48, &back), 0);
		assert_int_equal(back.code, t.code);
		assert_true(vw_addr_eq(&back.src, &t.src) && vw_addr_eq(&back.dst, &t.dst));
		assert_int_equal(back.proto, 6);
		assert_int_equal(back.sport, 0x1234);
		assert_int_equal(back.dport, 443);
	}
}

#define KEYS 3000
#define KLEN 24

static void make_key(unsigned i, uint8_t key[KLEN])
{
	memset(key, 0, KLEN);
	memcpy(key + 8, &i, sizeof(i));
}

static bool drop_by_model(struct vw_counted *c, void *arg)
{
	bool *model = arg;
	unsigned i;

	memcpy(&i, c->key + 8, sizeof(i));
	if (rand() % 3)
		return false;
	model[i] = false;
	return true;
}

static size_t count(const bool *model)
{
	size_t n = 0;

	for (unsigned i = 0; i < KEYS; i++)
		n += model[i];
	return n;
}

/* Whatever is put and dropped in whatever order, what the model holds is found and nothing else. */
static void table_model(void **state)
{
	static bool model[KEYS];
	struct vw_counted_table t;
	uint8_t key[KLEN];

	(void)state;
	srand(7);
	vw_counted_init(&t, KLEN, (const uint64_t[2]){1, 2});
	for (int round = 0; round < 60; round++) {
		for (int k = 0; k < (round % 5 ? 200 : 5); k++) {
			unsigned i = (unsigned)rand() % KEYS;
			struct vw_counted *c;

			make_key(i, key);
			c = vw_counted_put(&t, key, KEYS);
			assert_non_null(c);
			assert_int_equal(c->packets, model[i] ? i : 0);
			c->packets = i;
			model[i] = true;
		}
		vw_counted_sweep(&t, drop_by_model, model);
		assert_int_equal(t.n, count(model));
		for (unsigned i = 0; i < KEYS; i++) {
			struct vw_counted *c;

			make_key(i, key);
			c = vw_counted_get(&t, key);
			assert_int_equal(c != NULL, model[i]);
			assert_true(!c || c->packets == i);
		}
	}
	vw_counted_done(&t);
}

static void table_bound(void **state)
{
	struct vw_counted_table t;
	uint8_t key[KLEN];

	(void)state;
	vw_counted_init(&t, KLEN, (const uint64_t[2]){1, 2});
	for (unsigned i = 0; i < 10; i++) {
		make_key(i, key);
		assert_int_equal(vw_counted_put(&t, key, 5) != NULL, i < 5);
	}
	assert_int_equal(t.n, 5);
	vw_counted_done(&t);
}

static void readings(void **state)
{
	struct {
		struct vw_counted c;
		uint8_t key[KLEN];
	} e = {0};
	struct vw_counted *c = &e.c;

	(void)state;
	assert_int_equal(vw_counted_read(c, 5, 500, 100, 700), 5);
	assert_int_equal(c->gone_ms, 700);
	assert_int_equal(vw_counted_read(c, 5, 500, 100, 690), 0); /* nothing new */
	assert_int_equal(c->gone_ms, 700);
	assert_int_equal(vw_counted_read(c, 8, 800, 650, 1250), 3);
	assert_int_equal(c->pending_packets, 8);
	assert_int_equal(c->pending_bytes, 800);
	/* smaller: another element */
	assert_int_equal(vw_counted_read(c, 2, 200, 1200, 1800), 2);
	assert_int_equal(c->pending_packets, 10);
	/* the same value, but its packet came when the old element was gone */
	assert_int_equal(vw_counted_read(c, 2, 200, 1801, 2400), 2);
	assert_int_equal(c->pending_packets, 12);
	assert_int_equal(c->pending_bytes, 1200);
	/* larger, and in time: the same element */
	assert_int_equal(vw_counted_read(c, 3, 300, 2400, 3000), 1);
	/* larger, too late: new, all of it counts */
	assert_int_equal(vw_counted_read(c, 9, 900, 3001, 3600), 9);
	assert_int_equal(c->pending_packets, 22);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times),
		cmocka_unit_test(time_forms),
		cmocka_unit_test(merge),
		cmocka_unit_test(codes),
		cmocka_unit_test(key_is_the_kernels),
		cmocka_unit_test(table_model),
		cmocka_unit_test(table_bound),
		cmocka_unit_test(readings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
