/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent makes of readings of live sets: idle times from what elements have left (what the
 * walls' rules do to them is in core/wall_flows.c), first sights over readings, each wall's share
 * of the memory, and readings that the kernel made a mess of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/live.h"
#include "compiled.h"

#define H 3600000

/* The live sets as the next reading finds them: per wall, so many flows with peer ports from
 * `first` on; all of the first `twice` come twice. */
static struct {
	unsigned n, first, twice;
	uint8_t proto;
} kernel[8];
static int broken;

static int show(unsigned ifindex, unsigned port, int (*cb)(const struct vw_nft_elem *e, void *arg),
		void *arg)
{
	uint8_t key[20] = {10, 0, 0, (uint8_t)ifindex, 10, 9, (uint8_t)(port >> 16), 1};
	struct vw_nft_elem e = {.key = key,
				.klen = sizeof(key),
				.timeout_ms = VW_OPENED_OUT_MS,
				.expires_ms = VW_OPENED_OUT_MS};

	key[8] = kernel[ifindex].proto;
	key[12] = 156; /* own port 40000 */
	key[13] = 64;
	key[16] = (uint8_t)(port >> 8);
	key[17] = (uint8_t)port;
	return cb(&e, arg);
}

int vw_nft_dump_set(struct vw_nft *n, const char *set,
		    int (*cb)(const struct vw_nft_elem *e, void *arg), void *arg)
{
	unsigned ifindex = (unsigned)atoi(set + 3);
	int r = broken;

	(void)n;
	if (set[1] == '6')
		return -ENOENT;
	assert_in_range(ifindex, 1, 7);
	for (unsigned i = 0; i < kernel[ifindex].n && !r; i++) {
		r = show(ifindex, kernel[ifindex].first + i, cb, arg);
		if (!r && i < kernel[ifindex].twice)
			r = show(ifindex, kernel[ifindex].first + i, cb, arg);
	}
	return r;
}

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

struct state {
	struct vw_loop *loop;
	struct vw_live_watch *w;
	struct vw_world world;
	struct vw_policyset set;
	struct vw_compiled c;
	unsigned fresh, again;
	/* of one look */
	size_t n, aged, at_least, out;
	int64_t first_us;
	bool remembered;
};

static void on_news(void *arg, const struct vw_live_flow *f, bool fresh)
{
	struct state *s = arg;

	(void)f;
	s->fresh += fresh;
	s->again += !fresh;
}

static int setup(void **ps)
{
	struct state *s = calloc(1, sizeof(*s));

	*ps = s;
	memset(kernel, 0, sizeof(kernel));
	broken = 0;
	for (unsigned n = 1; n <= 2; n++) {
		c_put(&s->world, n);
		kernel[n].proto = 6;
	}
	s->c = c_compile(&s->set, &s->world);
	assert_int_equal(vw_loop_new(&s->loop), 0);
	assert_int_equal(vw_live_watch_new(s->loop, NULL, 15000, on_news, s, &s->w), 0);
	return vw_live_watch_walls(s->w, &s->c, false);
}

static int teardown(void **ps)
{
	struct state *s = *ps;

	vw_live_watch_free(&s->w);
	vw_loop_free(&s->loop);
	vw_compiled_done(&s->c);
	vw_world_done(&s->world);
	free(s);
	return 0;
}

static void on_flow(const struct vw_live_flow *f, void *arg)
{
	struct state *s = arg;

	s->n++;
	s->aged += f->first_us != 0;
	s->at_least += f->at_least;
	s->out += f->opener_known && f->l.opened == VW_EGRESS;
	if (s->n == 1)
		s->first_us = f->first_us;
}

/* Waits until the wall need not rest. */
static void look(struct state *s, unsigned ifindex)
{
	do {
		s->n = s->aged = s->at_least = s->out = 0;
		assert_int_equal(
			vw_live_watch_each(s->w, ifindex, true, on_flow, s, &s->remembered), 0);
	} while (s->remembered && !broken);
}

static void first_sight_stays(void **state)
{
	struct state *s = *state;
	int64_t first;

	kernel[1].n = 3;
	look(s, 1);
	assert_int_equal(s->n, 3);
	assert_int_equal(s->aged, 3);
	assert_int_equal(s->at_least, 0);
	assert_int_equal(s->fresh, 3);
	first = s->first_us;
	kernel[1].n = 5;
	look(s, 1);
	assert_int_equal(s->n, 5);
	assert_int_equal(s->fresh, 5); /* two more */
	assert_int_equal(s->again, 0); /* told once, and then each hour */
	assert_int_equal(s->first_us, first);
	/* one that ended and came again is another */
	kernel[1].n = 0;
	look(s, 1);
	kernel[1].n = 1;
	look(s, 1);
	assert_true(s->first_us > first);
	assert_int_equal(s->fresh, 6);
}

static void before_the_agent(void **state)
{
	struct state *s = *state;

	assert_int_equal(vw_live_watch_walls(s->w, &s->c, true), 0);
	kernel[1].n = 1;
	look(s, 1);
	assert_int_equal(s->at_least, 0); /* the walls were known as new */
	c_put(&s->world, 3);
	kernel[3].n = 1;
	kernel[3].proto = 17;
	vw_compiled_done(&s->c);
	s->c = c_compile(&s->set, &s->world);
	assert_int_equal(vw_live_watch_walls(s->w, &s->c, true), 0);
	look(s, 3);
	assert_int_equal(s->at_least, 1);
	kernel[3].n = 2;
	look(s, 3);
	assert_int_equal(s->n, 2);
	assert_int_equal(s->at_least, 1); /* the other came since */
}

/* What comes twice stands for one that was left out: it is not forgotten. */
static void a_reading_that_left_some_out(void **state)
{
	struct state *s = *state;
	int64_t first;

	kernel[1].n = 4;
	look(s, 1);
	first = s->first_us;
	kernel[1].first = 2;
	kernel[1].n = 2;
	kernel[1].twice = 2;
	look(s, 1);
	assert_int_equal(s->n, 4);
	assert_int_equal(s->first_us, first);
	kernel[1].twice = 0;
	look(s, 1);
	assert_int_equal(s->n, 2);
	assert_int_equal(s->fresh, 4);
}

/* One container's flows push out nobody else's, and its own oldest keep their age. */
static void each_wall_has_its_share(void **state)
{
	struct state *s = *state;
	struct vw_live_stats stats;

	kernel[2].n = 10;
	look(s, 2);
	kernel[1].n = 60000;
	look(s, 1);
	assert_int_equal(s->aged, 60000);
	kernel[1].n = VW_LIVE_KNOWN_MAX / 2 + 1000;
	look(s, 1);
	assert_int_equal(s->n, kernel[1].n);
	assert_int_equal(s->aged, VW_LIVE_KNOWN_MAX / 2);
	assert_int_equal(s->again, 1000);
	kernel[2].n = 20;
	look(s, 2);
	assert_int_equal(s->aged, 20);
	vw_live_watch_stats(s->w, &stats);
	assert_int_equal(stats.unknown, 1000);
	assert_int_equal(stats.flows, kernel[1].n + 20);
}

static void closing_keeps_its_opener(void **state)
{
	struct state *s = *state;

	kernel[1].n = 1;
	look(s, 1);
	assert_int_equal(s->out, 1);
	kernel[1].proto = VW_LIVE_CLOSING;
	kernel[1].n = 2;
	look(s, 1);
	assert_int_equal(s->n, 2);
	assert_int_equal(s->out, 1); /* of the other nobody knows */
	look(s, 1);
	assert_int_equal(s->out, 1);
	assert_int_equal(s->fresh, 2);
}

static void a_wall_that_is_gone_is_forgotten(void **state)
{
	struct state *s = *state;
	int64_t first;

	kernel[1].n = 1;
	look(s, 1);
	first = s->first_us;
	c_remove(&s->world, 1);
	vw_compiled_done(&s->c);
	s->c = c_compile(&s->set, &s->world);
	assert_int_equal(vw_live_watch_walls(s->w, &s->c, false), 0);
	assert_int_equal(vw_live_watch_each(s->w, 1, true, on_flow, s, &s->remembered), -ENOENT);
	c_put(&s->world, 1);
	vw_compiled_done(&s->c);
	s->c = c_compile(&s->set, &s->world);
	assert_int_equal(vw_live_watch_walls(s->w, &s->c, false), 0);
	look(s, 1);
	assert_true(s->first_us > first);
}

static void a_failed_reading_changes_nothing(void **state)
{
	struct state *s = *state;
	struct vw_live_stats stats;

	kernel[1].n = 2;
	look(s, 1);
	broken = -EAGAIN;
	while (vw_live_watch_stats(s->w, &stats), !stats.failed)
		look(s, 1);
	assert_true(s->remembered);
	assert_int_equal(s->n, 2);
	assert_int_equal(s->aged, 2);
}

#define with_state(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_of_elements),
		with_state(first_sight_stays),
		with_state(before_the_agent),
		with_state(a_reading_that_left_some_out),
		with_state(each_wall_has_its_share),
		with_state(closing_keeps_its_opener),
		with_state(a_wall_that_is_gone_is_forgotten),
		with_state(a_failed_reading_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
