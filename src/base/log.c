/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's own log: one line, one write(2), to stderr, so that lines of several agents on one
 * terminal do not mix. Under systemd the line carries sd-daemon(3)'s "<N>" priority. Knows nothing
 * of denied flows; those have a log of their own. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"
#include "vethwall/log.h"

#define LINE_BYTES 4096 /* longer lines are cut; the journal's own default is 48 KiB */

static enum vw_log_level level_max = VW_LOG_INFO;
static bool to_journal;

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the stderr that is connected to the journal.
 * A child whose stderr was redirected inherits the variable, so the numbers must be compared. */
static bool stderr_is_journal(void)
{
	const char *s = getenv("JOURNAL_STREAM");
	char want[48];
	struct stat st;

	if (!s || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(want, sizeof(want), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(s, want) == 0;
}

void vw_log_init(enum vw_log_level max)
{
	int saved = errno;

	level_max = max;
	to_journal = stderr_is_journal();
	errno = saved;
}

static void write_line(const char *line, size_t n)
{
	while (n > 0) {
		ssize_t r = write(STDERR_FILENO, line, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return; /* nowhere left to complain */
		line += r;
		n -= (size_t)r;
	}
}

void vw_log(enum vw_log_level level, const char *fmt, ...)
{
	static const char syslog_digit[] = {
		[VW_LOG_ERR] = '3', [VW_LOG_WARN] = '4', [VW_LOG_INFO] = '6', [VW_LOG_DEBUG] = '7'};
	char text[LINE_BYTES], line[LINE_BYTES];
	const char *s = text;
	int saved = errno, n;
	va_list ap;

	if (level > level_max)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		goto out;
	n = to_journal ? snprintf(line, sizeof(line), "<%c>vethwall: ", syslog_digit[level])
		       : snprintf(line, sizeof(line), "vethwall: ");
	while (*s && (size_t)n + VW_ESCAPE_MAX + 2 < sizeof(line))
		n += (int)vw_escape_step(&s, line + n);
	line[n++] = '\n';
	write_line(line, (size_t)n);
out:
	errno = saved;
}

bool vw_ratelimit_ok(struct vw_ratelimit *rl, unsigned burst, unsigned sec,
		     unsigned *ret_suppressed)
{
	struct timespec now;
	bool fresh = rl->passed == 0 && rl->suppressed == 0;

	*ret_suppressed = 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (fresh || now.tv_sec - rl->window_start >= (int64_t)sec) {
		*ret_suppressed = rl->suppressed;
		*rl = (struct vw_ratelimit){.window_start = now.tv_sec};
	}
	if (rl->passed < burst) {
		rl->passed++;
		return true;
	}
	/* With burst 0 nothing passes and nothing was told: keep the count. */
	rl->suppressed += *ret_suppressed + 1;
	*ret_suppressed = 0;
	return false;
}
