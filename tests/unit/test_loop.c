/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop: order of timers, what a callback may do to itself and others, signals. No times are
 * asserted, only order. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vethwall/loop.h"

struct state {
	struct vw_loop *l;
	struct vw_timer *a, *b, *c;
	char trace[32];
	int p[2], q[2];
	int calls;
};

static void note(struct state *s, char c)
{
	size_t n = strlen(s->trace);

	assert_true(n + 1 < sizeof(s->trace));
	s->trace[n] = c;
}

static int setup(void **state)
{
	static struct state s;

	memset(&s, 0, sizeof(s));
	assert_int_equal(pipe(s.p), 0);
	assert_int_equal(pipe(s.q), 0);
	assert_int_equal(vw_loop_new(&s.l), 0);
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	vw_loop_free(&s->l);
	assert_null(s->l);
	/* Timers outlive their loop safely. */
	vw_timer_free(&s->a);
	vw_timer_free(&s->b);
	vw_timer_free(&s->c);
	for (int i = 0; i < 2; i++) {
		close(s->p[i]);
		close(s->q[i]);
	}
	return 0;
}

static void on_a(void *arg)
{
	note(arg, 'a');
}

static void on_b(void *arg)
{
	note(arg, 'b');
}

static void on_stop(void *arg)
{
	struct state *s = arg;

	note(s, '.');
	vw_loop_stop(s->l);
}

static void timers_fire_by_deadline(void **state)
{
	struct state *s = *state;

	assert_int_equal(vw_timer_new(s->l, on_stop, s, &s->c), 0);
	assert_int_equal(vw_timer_new(s->l, on_b, s, &s->b), 0);
	assert_int_equal(vw_timer_new(s->l, on_a, s, &s->a), 0);
	vw_timer_arm(s->c, 20);
	vw_timer_arm(s->b, 40); /* re-armed earlier below */
	vw_timer_arm(s->a, 1);
	vw_timer_arm(s->b, 10);
	assert_true(vw_timer_armed(s->b));
	assert_int_equal(vw_loop_run(s->l), 0);
	assert_string_equal(s->trace, "ab.");
	assert_false(vw_timer_armed(s->b));
}

static void on_cancel(void *arg)
{
	struct state *s = arg;

	note(s, 'x');
	vw_timer_disarm(s->b); /* due in this same turn */
	vw_timer_free(&s->a); /* itself */
}

static void a_timer_may_free_itself_and_disarm_others(void **state)
{
	struct state *s = *state;

	assert_int_equal(vw_timer_new(s->l, on_cancel, s, &s->a), 0);
	assert_int_equal(vw_timer_new(s->l, on_b, s, &s->b), 0);
	assert_int_equal(vw_timer_new(s->l, on_stop, s, &s->c), 0);
	vw_timer_arm(s->a, 0);
	vw_timer_arm(s->b, 0);
	vw_timer_arm(s->c, 5);
	assert_int_equal(vw_loop_run(s->l), 0);
	assert_string_equal(s->trace, "x.");
	assert_null(s->a);
}

static void on_again(void *arg)
{
	struct state *s = arg;

	if (++s->calls < 1000)
		vw_timer_arm(s->a, 0);
}

static void on_read(int fd, uint32_t events, void *arg)
{
	struct state *s = arg;
	char c;

	assert_true(events & EPOLLIN);
	assert_int_equal(read(fd, &c, 1), 1);
	note(s, c);
	vw_loop_stop(s->l);
}

static void a_busy_timer_does_not_starve_descriptors(void **state)
{
	struct state *s = *state;

	assert_int_equal(vw_timer_new(s->l, on_again, s, &s->a), 0);
	assert_int_equal(vw_loop_watch(s->l, s->p[0], EPOLLIN, on_read, s), 0);
	assert_int_equal(write(s->p[1], "r", 1), 1);
	vw_timer_arm(s->a, 0);
	assert_int_equal(vw_loop_run(s->l), 0);
	assert_string_equal(s->trace, "r");
	assert_in_range(s->calls, 1, 999);
}

/* Both are readable: whichever comes first drops the other. */
static void on_rival(int fd, uint32_t events, void *arg)
{
	struct state *s = arg;

	(void)events;
	note(s, 'r');
	vw_loop_unwatch(s->l, fd == s->p[0] ? s->q[0] : s->p[0]);
	vw_loop_unwatch(s->l, fd);
	vw_timer_arm(s->c, 0); /* ends the next turn, after what is left of this one */
}

static void an_unwatched_descriptor_is_silent_in_the_same_turn(void **state)
{
	struct state *s = *state;

	assert_int_equal(vw_loop_watch(s->l, s->p[0], EPOLLIN, on_rival, s), 0);
	assert_int_equal(vw_loop_watch(s->l, s->q[0], EPOLLIN, on_rival, s), 0);
	assert_int_equal(write(s->p[1], "1", 1), 1);
	assert_int_equal(write(s->q[1], "2", 1), 1);
	assert_int_equal(vw_timer_new(s->l, on_stop, s, &s->c), 0);
	assert_int_equal(vw_loop_run(s->l), 0);
	assert_string_equal(s->trace, "r.");
}

static void on_never(int fd, uint32_t events, void *arg)
{
	(void)fd;
	(void)events;
	note(arg, '!');
}

/* The first to run replaces the other's registration: the event that is already in hand was the old
 * one's, the new one gets its own (level-triggered, next turn). */
static void on_replace(int fd, uint32_t events, void *arg)
{
	struct state *s = arg;
	int other = fd == s->p[0] ? s->q[0] : s->p[0];

	(void)events;
	note(s, 'r');
	vw_loop_unwatch(s->l, fd);
	assert_int_equal(vw_loop_watch(s->l, other, EPOLLOUT, on_never, s), 0);
	vw_timer_arm(s->c, 0);
}

static void a_replaced_registration_gets_no_old_event(void **state)
{
	struct state *s = *state;

	assert_int_equal(vw_loop_watch(s->l, s->p[0], EPOLLIN, on_replace, s), 0);
	assert_int_equal(vw_loop_watch(s->l, s->q[0], EPOLLIN, on_replace, s), 0);
	assert_int_equal(write(s->p[1], "1", 1), 1);
	assert_int_equal(write(s->q[1], "2", 1), 1);
	assert_int_equal(vw_timer_new(s->l, on_stop, s, &s->c), 0);
	assert_int_equal(vw_loop_run(s->l), 0);
	assert_string_equal(s->trace, "r.");
}

static void a_number_reused_after_close_is_watched_anew(void **state)
{
	struct state *s = *state;
	int old = s->p[0];

	assert_int_equal(vw_loop_watch(s->l, old, EPOLLIN, on_never, s), 0);
	close(s->p[0]);
	close(s->p[1]);
	assert_int_equal(pipe(s->p), 0);
	assert_int_equal(s->p[0], old);
	assert_int_equal(vw_loop_watch(s->l, s->p[0], EPOLLIN, on_read, s), 0);
	assert_int_equal(write(s->p[1], "n", 1), 1);
	assert_int_equal(vw_loop_run(s->l), 0);
	assert_string_equal(s->trace, "n");
	vw_loop_unwatch(s->l, 4000); /* unknown: ignored */
	vw_loop_unwatch(s->l, -1);
	assert_int_equal(vw_loop_watch(s->l, -1, EPOLLIN, on_read, s), -EBADF);
}

static void on_signal(int signo, void *arg)
{
	struct state *s = arg;

	note(s, signo == SIGUSR1 ? '1' : '2');
	if (strlen(s->trace) == 2)
		vw_loop_stop(s->l);
}

static void signals_come_through_the_loop(void **state)
{
	struct state *s = *state;

	assert_int_equal(vw_loop_signal(s->l, SIGUSR1, on_signal, s), 0);
	assert_int_equal(vw_loop_signal(s->l, SIGUSR2, on_signal, s), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(raise(SIGUSR2), 0);
	assert_int_equal(vw_loop_run(s->l), 0);
	assert_string_equal(s->trace, "12");
	assert_int_equal(vw_loop_signal(s->l, 0, on_signal, s), -EINVAL);
	assert_int_equal(vw_loop_signal(s->l, 200, on_signal, s), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(timers_fire_by_deadline),
		T(a_timer_may_free_itself_and_disarm_others),
		T(a_busy_timer_does_not_starve_descriptors),
		T(an_unwatched_descriptor_is_silent_in_the_same_turn),
		T(a_replaced_registration_gets_no_old_event),
		T(a_number_reused_after_close_is_watched_anew),
		T(signals_come_through_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
