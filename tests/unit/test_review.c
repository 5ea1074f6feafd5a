/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What many records come to: groups against sums made the plain way, buckets of time, who scans;
 * and what happens at each maximum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "vethwall/cleanup.h"
#include "vethwall/review.h"

static const uint64_t seed[2] = {1, 2};

static struct vw_flow flow(const char *workload, uint32_t src, uint32_t dst, uint16_t port,
			   int64_t s)
{
	struct vw_flow f = {.packets = 1, .bytes = 60, .workload = vw_str_of(workload)};

	vw_flow_set_code(&f, VW_CODE_DENY | VW_CODE_EGRESS | 256);
	f.time_us = f.first_us = f.last_us = s * 1000000;
	f.t.src =
		(struct vw_addr){4, {10, (uint8_t)(src >> 16), (uint8_t)(src >> 8), (uint8_t)src}};
	f.t.dst =
		(struct vw_addr){4, {10, (uint8_t)(dst >> 16), (uint8_t)(dst >> 8), (uint8_t)dst}};
	f.t.proto = 6;
	f.t.sport = 40000;
	f.t.dport = port;
	f.peer = vw_str_of("world");
	return f;
}

static struct vw_groups *groups(enum vw_field a, enum vw_field b, size_t max, size_t flows)
{
	struct vw_groups_options o = {.by = {a, b}, .n_by = 2, .max = max, .flows_max = flows};
	struct vw_groups *g;

	memcpy(o.seed, seed, sizeof(seed));
	assert_int_equal(vw_groups_new(&o, &g), 0);
	return g;
}

static void sums(void **state)
{
	_cleanup_(vw_groups_free) struct vw_groups *g =
		groups(VW_FIELD_WORKLOAD, VW_FIELD_DEST_PORT, 1000, 0);
	uint64_t want[7][5] = {{0}};
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		unsigned w = i * i % 7, p = i % 5;
		struct vw_flow f;

		snprintf(name, sizeof(name), "ns/w%u", w);
		f = flow(name, w, 1, (uint16_t)p, i);
		f.packets = i;
		want[w][p] += i;
		assert_int_equal(vw_groups_add(g, &f), 0);
		assert_int_equal(vw_groups_find(g, &f)->sums.packets, want[w][p]);
	}
	vw_groups_sort(g, VW_BY_PACKETS, NULL);
	for (size_t i = 0; i < vw_groups_n(g); i++) {
		const struct vw_group *gr = vw_groups_at(g, i);
		struct vw_value w, p;

		vw_groups_value(g, gr, 0, &w);
		vw_groups_value(g, gr, 1, &p);
		assert_int_equal(w.kind, VW_VALUE_TEXT);
		assert_int_equal(w.text.n, 5);
		assert_int_equal(gr->sums.packets, want[w.text.s[4] - '0'][p.number]);
		want[w.text.s[4] - '0'][p.number] = 0;
		if (i)
			assert_true(vw_groups_at(g, i - 1)->sums.packets >= gr->sums.packets);
	}
	for (size_t i = 0; i < 35; i++)
		assert_int_equal(((uint64_t *)want)[i], 0);
}

/* Over the maximum totals stay exact, and groups that are there go on. */
static void too_many_groups(void **state)
{
	_cleanup_(vw_groups_free) struct vw_groups *g =
		groups(VW_FIELD_SRC_IP, VW_FIELD_DEST_IP, 10, 0);
	uint64_t all = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct vw_flow f = flow("a/b", i % 25, 1, 80, i);

		assert_int_equal(vw_groups_add(g, &f), 0);
	}
	assert_int_equal(vw_groups_n(g), 10);
	for (size_t i = 0; i < 10; i++)
		all += vw_groups_at(g, i)->sums.records;
	assert_int_equal(all, 40);
	assert_int_equal(vw_groups_others(g)->records, 60);
	assert_int_equal(vw_groups_others(g)->bytes, 3600);
}

static void different_flows(void **state)
{
	_cleanup_(vw_groups_free) struct vw_groups *g =
		groups(VW_FIELD_WORKLOAD, VW_FIELD_PROTO, 10, 50);

	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		struct vw_flow f = flow(i % 2 ? "a/x" : "a/y", i % 2, i % 20, 80, i);

		assert_int_equal(vw_groups_add(g, &f), 0);
	}
	assert_true(vw_groups_flows_exact(g));
	vw_groups_sort(g, VW_BY_FLOWS, NULL);
	assert_int_equal(vw_groups_at(g, 0)->flows, 10);
	assert_int_equal(vw_groups_at(g, 1)->flows, 10);
	for (uint32_t i = 0; i < 100; i++) {
		struct vw_flow f = flow("a/z", 3, 1000 + i, 80, i);

		assert_int_equal(vw_groups_add(g, &f), 0);
	}
	assert_false(vw_groups_flows_exact(g));
	vw_groups_sort(g, VW_BY_FLOWS, NULL);
	assert_int_equal(vw_groups_at(g, 0)->flows, 30);
}

/* Groups that were seen before are dropped; the earliest comes first. */
static void first_seen(void **state)
{
	_cleanup_(vw_groups_free) struct vw_groups *g =
		groups(VW_FIELD_WORKLOAD, VW_FIELD_DEST_PORT, 100, 0);
	struct vw_hashes old = {.max = 100};

	(void)state;
	for (uint16_t p = 10; p > 0; p--) {
		struct vw_flow f = flow("a/b", 1, 1, p, 100 - p);

		if (p % 3 == 0)
			assert_int_equal(vw_hashes_add(&old, vw_groups_hash(g, &f)), 1);
		assert_int_equal(vw_groups_add(g, &f), 0);
	}
	vw_groups_sort(g, VW_BY_FIRST, &old);
	assert_int_equal(vw_groups_n(g), 7);
	for (size_t i = 0; i < 7; i++) {
		struct vw_value v;

		vw_groups_value(g, vw_groups_at(g, i), 1, &v);
		assert_int_equal(v.number, ((int[]){10, 8, 7, 5, 4, 2, 1})[i]);
	}
	vw_hashes_done(&old);
}

static void hashes(void **state)
{
	struct vw_hashes s = {.max = 1000};

	(void)state;
	assert_false(vw_hashes_has(&s, 5));
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(vw_hashes_add(&s, i * 0x9e3779b97f4a7c15u), 1);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(vw_hashes_add(&s, i * 0x9e3779b97f4a7c15u), 0);
	assert_int_equal(vw_hashes_add(&s, 12345), -ENOSPC);
	assert_int_equal(vw_hashes_add(&s, 0x9e3779b97f4a7c15u), 0);
	assert_false(vw_hashes_has(&s, 12345));
	vw_hashes_done(&s);
}

static uint64_t total(const struct vw_timeline *t)
{
	uint64_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->v[i].packets;
	return n;
}

static void timeline(void **state)
{
	static struct vw_timeline t;
	struct vw_flow f;

	(void)state;
	vw_timeline_init(&t, 0);
	for (int64_t s = 0; s < 3600; s++) {
		f = flow("a/b", 1, 1, 1, 1795348800 + s);
		vw_timeline_add(&t, &f);
	}
	assert_int_equal(t.n, 3600);
	assert_int_equal(t.width_us, 1000000);
	vw_timeline_fit(&t, 60);
	assert_int_equal(t.n, 60);
	assert_int_equal(t.width_us, 60000000);
	for (size_t i = 0; i < t.n; i++)
		assert_int_equal(t.v[i].packets, 60);
	/* earlier, much later, before 1970, and at the ends of what a time can be */
	for (size_t i = 0; i < 5; i++) {
		f = flow("a/b", 1, 1, 1,
			 ((int64_t[]){1795340000, 1895348800, -5, -62167219200, 253402300799})[i]);
		vw_timeline_add(&t, &f);
		assert_int_equal(total(&t), 3601 + i);
		assert_true(t.n <= VW_TIMELINE_MAX);
	}
	vw_timeline_fit(&t, 1);
	assert_int_equal(t.n, 2);
	assert_int_equal(total(&t), 3605);
	vw_timeline_init(&t, 10000000);
	f = flow("a/b", 1, 1, 1, -5);
	vw_timeline_add(&t, &f);
	assert_int_equal(t.start_us, -10000000);
}

static int keep_all(const struct vw_scanner *s, void *arg)
{
	struct vw_scanner *list = arg;

	while (list->sums.records)
		list++;
	*list = *s;
	return 0;
}

static bool has_port(const uint64_t *bits, unsigned p)
{
	return bits[p >> 6] >> (p & 63) & 1;
}

static void scans(void **state)
{
	struct vw_scanner got[8] = {0};
	_cleanup_(vw_scans_free) struct vw_scans *s = NULL;
	struct vw_flow f;

	(void)state;
	assert_int_equal(vw_scans_new(seed, &s), 0);
	/* every port of one address, twice; one port of 100 addresses; and a client that is none */
	for (unsigned i = 0; i < 131070; i++) {
		f = flow("ns/ports", 1, 2, (uint16_t)(1 + i % 65535), 6000 + i / 1000);
		assert_int_equal(vw_scans_add(s, &f), 0);
	}
	for (unsigned i = 0; i < 300; i++) {
		f = flow("ns/sweep", 3, 100 + i % 100, 22, 6000 + i);
		assert_int_equal(vw_scans_add(s, &f), 0);
		f = flow("ns/client", 4, i % 3, 443, 6000 + i);
		assert_int_equal(vw_scans_add(s, &f), 0);
	}
	/* told at the other end: the peer is who scans, or its address */
	for (unsigned i = 0; i < 20; i++) {
		f = flow("ns/victim", 5, 6, (uint16_t)(1000 + i), 6000);
		f.egress = false;
		f.peer = vw_str_of("ns/inside");
		assert_int_equal(vw_scans_add(s, &f), 0);
		f.peer = vw_str_of("world");
		assert_int_equal(vw_scans_add(s, &f), 0);
	}
	assert_int_equal(vw_scans_each(s, 15, 10, keep_all, got), 0);
	assert_true(vw_str_is(&got[0].name, "ns/ports"));
	assert_int_equal(got[0].ports[0], 65535);
	assert_int_equal(got[0].peers, 1);
	assert_true(got[0].more_pairs); /* ports are exact, pairs are not any more */
	assert_int_equal(got[0].sums.records, 131070);
	assert_true(has_port(got[0].port_bits[0], 65535));
	assert_false(has_port(got[0].port_bits[0], 0));
	assert_true(vw_str_is(&got[1].name, "ns/sweep"));
	assert_int_equal(got[1].peers, 100);
	assert_int_equal(got[1].ports[0], 1);
	assert_int_equal(got[1].fastest, 60);
	assert_int_equal(got[1].fastest_us, 6000000000);
	assert_int_equal(got[2].name.n, 0);
	assert_int_equal(got[2].addr.b[3], 5);
	assert_int_equal(got[2].ports[0], 20);
	assert_true(vw_str_is(&got[3].name, "ns/inside"));
	assert_int_equal(got[4].sums.records, 0);
}

/* However many addresses somebody invents, a workload is still told. */
static void flood_of_sources(void **state)
{
	struct vw_scanner got[2] = {0};
	_cleanup_(vw_scans_free) struct vw_scans *s = NULL;
	struct vw_flow f;

	(void)state;
	assert_int_equal(vw_scans_new(seed, &s), 0);
	for (unsigned i = 0; i < VW_SCAN_OTHERS_MAX + 10; i++) {
		f = flow("ns/victim", i, 1, 80, 1);
		f.egress = false;
		assert_int_equal(vw_scans_add(s, &f), 0);
	}
	for (unsigned i = 0; i < VW_SCAN_PEERS_MAX + 10; i++) {
		f = flow("ns/bad", 1, i, 80, 1);
		assert_int_equal(vw_scans_add(s, &f), 0);
	}
	assert_int_equal(vw_scans_others(s)->records, 10);
	assert_int_equal(vw_scans_each(s, 15, 10, keep_all, got), 0);
	assert_true(vw_str_is(&got[0].name, "ns/bad"));
	assert_int_equal(got[0].peers, VW_SCAN_PEERS_MAX);
	assert_true(got[0].more_peers);
	assert_false(got[0].more_pairs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums),
		cmocka_unit_test(too_many_groups),
		cmocka_unit_test(different_flows),
		cmocka_unit_test(first_seen),
		cmocka_unit_test(hashes),
		cmocka_unit_test(timeline),
		cmocka_unit_test(scans),
		cmocka_unit_test(flood_of_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
