/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's own log, to stderr (with sd-daemon "<N>" priorities when stderr is the journal). Only
 * agent, cli and main log; base, core, codec and io return errors. errno is kept. */
#ifndef VETHWALL_LOG_H
#define VETHWALL_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum vw_log_level { VW_LOG_ERR, VW_LOG_WARN, VW_LOG_INFO, VW_LOG_DEBUG };

void vw_log_init(enum vw_log_level max);
/* One line "vethwall: message"; control characters in it are escaped. */
void vw_log(enum vw_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define vw_err(...) vw_log(VW_LOG_ERR, __VA_ARGS__)
#define vw_warn(...) vw_log(VW_LOG_WARN, __VA_ARGS__)
#define vw_info(...) vw_log(VW_LOG_INFO, __VA_ARGS__)
#define vw_debug(...) vw_log(VW_LOG_DEBUG, __VA_ARGS__)

/* True at most `burst` times per `sec` seconds for one static state; what was held back is told in
 * *ret_suppressed when it opens again. */
struct vw_ratelimit {
	int64_t window_start; /* CLOCK_MONOTONIC seconds */
	unsigned passed, suppressed;
};
bool vw_ratelimit_ok(struct vw_ratelimit *rl, unsigned burst, unsigned sec,
		     unsigned *ret_suppressed);

#endif
