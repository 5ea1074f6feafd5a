/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One thread, one loop: epoll for descriptors, timers by CLOCK_MONOTONIC, signals by signalfd. */
#ifndef VETHWALL_LOOP_H
#define VETHWALL_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct vw_loop;
struct vw_timer;

int vw_loop_new(struct vw_loop **ret);
void vw_loop_free(struct vw_loop **l);
/* events: EPOLLIN | EPOLLOUT. Replaces an earlier registration of fd. -ENOMEM, -errno of epoll_ctl.
 */
int vw_loop_watch(struct vw_loop *l, int fd, uint32_t events,
		  void (*cb)(int fd, uint32_t events, void *arg), void *arg);
/* Safe inside callbacks; unknown fds are ignored. */
void vw_loop_unwatch(struct vw_loop *l, int fd);
/* One-shot timer, unarmed; vw_timer_free(&NULL) is fine. */
int vw_timer_new(struct vw_loop *l, void (*cb)(void *arg), void *arg, struct vw_timer **ret);
void vw_timer_arm(struct vw_timer *t, int64_t after_ms); /* again: re-arms */
void vw_timer_disarm(struct vw_timer *t);
bool vw_timer_armed(const struct vw_timer *t);
void vw_timer_free(struct vw_timer **t);
/* Blocks the signal and calls back from the loop. */
int vw_loop_signal(struct vw_loop *l, int signo, void (*cb)(int signo, void *arg), void *arg);
/* Runs until vw_loop_stop(); 0 or -errno. */
int vw_loop_run(struct vw_loop *l);
void vw_loop_stop(struct vw_loop *l);
/* CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds. */
int64_t vw_now_ns(void);
int64_t vw_wall_ns(void);

#endif
