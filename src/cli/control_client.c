/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The asking end of the control socket. Everything is bounded: the request, the answer, and the
 * time that an agent which hangs can keep the caller waiting. */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "cli/control_client.h"
#include "vethwall/cleanup.h"

#define WAIT_MS 30000 /* a reload of the largest policy set takes a few seconds */

static void close_fdp(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int open_socket(const char *run_dir, struct vw_diag *d)
{
	_cleanup_(close_fdp) int fd = -1;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control.sock", run_dir);

	if (n < 0 || (size_t)n >= sizeof(sa.sun_path)) {
		vw_error(d, NULL, "the folder's name is too long for a socket: %s", run_dir);
		return -ENAMETOOLONG;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int r = -errno;

		if (r == -ENOENT || r == -ECONNREFUSED)
			vw_error(d, NULL,
				 "no agent answers at %s; start one with 'vethwall run', or name "
				 "its "
				 "folder with --run-dir",
				 sa.sun_path);
		else if (r == -EACCES)
			vw_error(d, NULL,
				 "%s: only root and members of the log group may ask the agent",
				 sa.sun_path);
		else
			vw_error(d, NULL, "%s: %s", sa.sun_path, strerror(-r));
		return r;
	}
	return TAKE_FD(fd);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = deadline - now_ms();
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int send_all(int fd, const char *s, size_t len, int64_t deadline)
{
	while (len) {
		ssize_t n = send(fd, s, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			int r = wait_for(fd, POLLOUT, deadline);

			if (r < 0)
				return r;
			continue;
		}
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			s += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Reads one line: up to the newline, which is not kept. */
static int read_line(int fd, int64_t deadline, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *buf = NULL;
	size_t n = 0, cap = 0;

	for (;;) {
		ssize_t got;
		char *nl;
		int r;

		if (cap - n < 4096) {
			size_t want = cap ? cap * 2 : 65536;
			char *p = want <= VW_CONTROL_ANSWER_MAX ? realloc(buf, want) : NULL;

			if (!p)
				return want > VW_CONTROL_ANSWER_MAX ? -EMSGSIZE : -ENOMEM;
			buf = p;
			cap = want;
		}
		r = wait_for(fd, POLLIN, deadline);
		if (r < 0)
			return r;
		got = recv(fd, buf + n, cap - n, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EPROTO;
		nl = memchr(buf + n, '\n', (size_t)got);
		n += (size_t)got;
		if (nl) {
			*ret_len = (size_t)(nl - buf);
			*ret = TAKE_PTR(buf);
			return 0;
		}
	}
}

static int exchange(int fd, const char *line, json_t **ret)
{
	_cleanup_free_ char *answer = NULL;
	json_auto_t *j = NULL;
	int64_t deadline = now_ms() + WAIT_MS;
	size_t len = 0;
	int r;

	r = send_all(fd, line, strlen(line), deadline);
	if (!r)
		r = send_all(fd, "\n", 1, deadline);
	/* An agent that refuses a request before its end still says why. */
	if (!r || r == -EPIPE || r == -ECONNRESET)
		r = read_line(fd, deadline, &answer, &len);
	if (r < 0)
		return r;
	j = json_loadb(answer, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(j) || !json_is_boolean(json_object_get(j, "ok")))
		return -EPROTO;
	*ret = TAKE_PTR(j);
	return 0;
}

int vw_control_ask(const char *run_dir, const json_t *request, json_t **ret, struct vw_diag *d)
{
	_cleanup_(close_fdp) int fd = -1;
	_cleanup_free_ char *line = json_dumps(request, JSON_COMPACT);
	int r;

	if (!line)
		return -ENOMEM;
	if (strlen(line) >= VW_CONTROL_REQUEST_MAX) {
		vw_error(d, NULL, "the request is too long");
		return -EMSGSIZE;
	}
	fd = open_socket(run_dir, d);
	if (fd < 0)
		return fd;
	r = exchange(fd, line, ret);
	if (r < 0)
		vw_error(d, NULL, "the agent in %s did not answer: %s", run_dir, strerror(-r));
	return r;
}

static struct vw_pos place(const json_t *entry)
{
	json_int_t line = json_integer_value(json_object_get(entry, "line"));
	json_int_t col = json_integer_value(json_object_get(entry, "col"));

	return (struct vw_pos){.file = json_string_value(json_object_get(entry, "file")),
			       .line = line > 0 && line < INT32_MAX ? (unsigned)line : 0,
			       .col = col > 0 && col < INT32_MAX ? (unsigned)col : 0};
}

void vw_control_print_error(const json_t *answer)
{
	const json_t *list = json_object_get(answer, "diagnostics");
	const char *error = json_string_value(json_object_get(answer, "error"));
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	const json_t *e;
	size_t i;

	json_array_foreach (list, i, e) {
		const char *severity = json_string_value(json_object_get(e, "severity"));
		const char *text = json_string_value(json_object_get(e, "message"));
		struct vw_pos pos = place(e);

		vw_diag_add(&d, severity && !strcmp(severity, "warning") ? VW_WARNING : VW_ERROR,
			    &pos, NULL, "%s", text ? text : "");
	}
	if (error)
		vw_error(&d, NULL, "%s", error);
	vw_diag_print(&d, stderr, isatty(STDERR_FILENO));
}
