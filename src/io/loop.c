/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event loop: epoll for descriptors, a sorted list of one-shot timers, one signalfd. It knows
 * nothing of what its callbacks do; they may watch, unwatch, arm and free anything, themselves too.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "vethwall/cleanup.h"
#include "vethwall/loop.h"
#include "vethwall/vec.h"

#define FDS_MAX 65536 /* highest fd + 1 that can be watched */
#define EVENTS 64 /* taken from epoll at a time */
#define SIGNALS 65 /* 1..64, see signal(7) */

struct watch {
	void (*cb)(int fd, uint32_t events, void *arg); /* NULL: not watched */
	void *arg;
	uint32_t gen; /* tells an event of an earlier registration from one of this */
};

struct vw_timer {
	struct vw_loop *loop;
	void (*cb)(void *arg);
	void *arg;
	int64_t deadline_ns;
	bool armed;
	struct vw_timer *prev, *next; /* in the loop's list while armed */
};

struct handler {
	void (*cb)(int signo, void *arg);
	void *arg;
};

struct vw_loop {
	int epfd, sigfd;
	bool stop;
	uint32_t gen;
	sigset_t signals;
	struct handler handlers[SIGNALS];
	VW_VEC(struct watch) watches; /* by fd */
	struct vw_timer *timers; /* armed, earliest first */
};

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t vw_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t vw_wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int vw_loop_new(struct vw_loop **ret)
{
	struct vw_loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->sigfd = -1;
	sigemptyset(&l->signals);
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		int r = -errno;

		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void vw_loop_free(struct vw_loop **lp)
{
	struct vw_loop *l = *lp;

	if (!l)
		return;
	/* Their owners may free them after us. */
	while (l->timers)
		vw_timer_disarm(l->timers);
	if (l->sigfd >= 0)
		close(l->sigfd);
	close(l->epfd);
	vw_vec_done(&l->watches);
	free(l);
	*lp = NULL;
}

static int watches_reach(struct vw_loop *l, int fd)
{
	while (l->watches.n <= (size_t)fd) {
		int r = vw_vec_push(&l->watches, (struct watch){}, FDS_MAX);

		if (r)
			return r;
	}
	return 0;
}

int vw_loop_watch(struct vw_loop *l, int fd, uint32_t events,
		  void (*cb)(int fd, uint32_t events, void *arg), void *arg)
{
	struct epoll_event ev = {.events = events};
	int r;

	if (fd < 0)
		return -EBADF;
	r = watches_reach(l, fd);
	if (r)
		return r;
	ev.data.u64 = (uint64_t)++l->gen << 32 | (uint32_t)fd;
	/* A descriptor that was closed while watched has left epoll by itself: then MOD says
	 * ENOENT. */
	r = epoll_ctl(l->epfd, EPOLL_CTL_MOD, fd, &ev);
	if (r < 0 && errno == ENOENT)
		r = epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev);
	if (r < 0)
		return -errno;
	l->watches.v[fd] = (struct watch){.cb = cb, .arg = arg, .gen = l->gen};
	return 0;
}

void vw_loop_unwatch(struct vw_loop *l, int fd)
{
	if (fd < 0 || (size_t)fd >= l->watches.n || !l->watches.v[fd].cb)
		return;
	l->watches.v[fd] = (struct watch){};
	(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL); /* EBADF: closed already */
}

int vw_timer_new(struct vw_loop *l, void (*cb)(void *arg), void *arg, struct vw_timer **ret)
{
	struct vw_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*t = (struct vw_timer){.loop = l, .cb = cb, .arg = arg};
	*ret = t;
	return 0;
}

void vw_timer_disarm(struct vw_timer *t)
{
	if (!t->armed)
		return;
	if (t->prev)
		t->prev->next = t->next;
	else
		t->loop->timers = t->next;
	if (t->next)
		t->next->prev = t->prev;
	t->prev = t->next = NULL;
	t->armed = false;
}

void vw_timer_arm(struct vw_timer *t, int64_t after_ms)
{
	struct vw_timer **at = &t->loop->timers, *prev = NULL;

	vw_timer_disarm(t);
	if (after_ms < 0)
		after_ms = 0;
	if (after_ms > INT_MAX)
		after_ms = INT_MAX;
	t->deadline_ns = vw_now_ns() + after_ms * 1000000;
	for (; *at && (*at)->deadline_ns <= t->deadline_ns; at = &(*at)->next)
		prev = *at;
	t->prev = prev;
	t->next = *at;
	if (t->next)
		t->next->prev = t;
	*at = t;
	t->armed = true;
}

bool vw_timer_armed(const struct vw_timer *t)
{
	return t->armed;
}

void vw_timer_free(struct vw_timer **tp)
{
	if (!*tp)
		return;
	vw_timer_disarm(*tp);
	free(*tp);
	*tp = NULL;
}

static void signal_ready(int fd, uint32_t events, void *arg)
{
	struct vw_loop *l = arg;
	struct signalfd_siginfo si;

	(void)events;
	while (!l->stop && read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		const struct handler *h = &l->handlers[si.ssi_signo < SIGNALS ? si.ssi_signo : 0];

		if (h->cb)
			h->cb((int)si.ssi_signo, h->arg);
	}
}

int vw_loop_signal(struct vw_loop *l, int signo, void (*cb)(int signo, void *arg), void *arg)
{
	sigset_t set = l->signals;
	int fd, r;

	if (signo < 1 || signo >= SIGNALS || sigaddset(&set, signo) < 0)
		return -EINVAL;
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(l->sigfd, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (l->sigfd < 0) {
		r = vw_loop_watch(l, fd, EPOLLIN, signal_ready, l);
		if (r) {
			close(fd);
			return r;
		}
	}
	l->sigfd = fd;
	l->signals = set;
	l->handlers[signo] = (struct handler){cb, arg};
	return 0;
}

/* Milliseconds until the next timer, rounded up so that it is due on waking; -1: none. */
static int wait_ms(const struct vw_loop *l)
{
	int64_t ns;

	if (!l->timers)
		return -1;
	ns = l->timers->deadline_ns - vw_now_ns();
	return ns <= 0 ? 0 : (int)((ns + 999999) / 1000000);
}

/* Runs what is due now; a timer that arms itself anew with 0 waits for the next turn. */
static void run_timers(struct vw_loop *l)
{
	int64_t now = vw_now_ns();

	while (!l->stop && l->timers && l->timers->deadline_ns <= now) {
		struct vw_timer *t = l->timers;

		vw_timer_disarm(t);
		t->cb(t->arg); /* may free t */
	}
}

static void run_events(struct vw_loop *l, const struct epoll_event *ev, int n)
{
	for (int i = 0; i < n && !l->stop; i++) {
		uint32_t fd = (uint32_t)ev[i].data.u64, gen = (uint32_t)(ev[i].data.u64 >> 32);
		struct watch w = l->watches.v[fd];

		/* An earlier callback of this batch may have unwatched it, or reused its number. */
		if (w.cb && w.gen == gen)
			w.cb((int)fd, ev[i].events, w.arg);
	}
}

int vw_loop_run(struct vw_loop *l)
{
	while (!l->stop) {
		struct epoll_event ev[EVENTS];
		int n = epoll_wait(l->epfd, ev, EVENTS, wait_ms(l));

		if (n < 0 && errno != EINTR)
			return -errno;
		run_timers(l);
		run_events(l, ev, n);
	}
	l->stop = false; /* may be run again */
	return 0;
}

void vw_loop_stop(struct vw_loop *l)
{
	l->stop = true;
}
