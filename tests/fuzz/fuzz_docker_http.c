/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes back on Docker's socket, byte for byte: a server of our own says it to two requests, a
 * stream of lines and a document, through libcurl. Each ends exactly once, within its bounds. */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "io/docker_http.h"
#include "vethwall/loop.h"

#define BODY_MAX 4096

static struct vw_loop *loop;
static struct vw_http *http;
static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static const uint8_t *answer;
static size_t answer_len;
static int left, listener;

static void on_line(const char *text, size_t n, void *arg)
{
	(void)arg;
	must(n && n <= 4 * BODY_MAX && !memchr(text, '\n', n));
}

static void on_done(const struct vw_http_answer *a, void *arg)
{
	(void)arg;
	must(left > 0);
	must(a->err || !a->body || (a->len <= BODY_MAX && strlen(a->body) <= a->len));
	must(!a->err || a->why);
	if (!--left)
		vw_loop_stop(loop);
}

static void on_accept(int fd, uint32_t events, void *arg)
{
	char request[4096];
	int c = accept(fd, NULL, NULL);

	(void)events;
	(void)arg;
	if (c < 0)
		return;
	/* libcurl has sent it before it waits, and it is small; an end too early would be read as a
	 * reset instead of the answer. */
	must(recv(c, request, sizeof(request), MSG_DONTWAIT) <= 0 || !memcmp(request, "GET ", 4));
	(void)!send(c, answer, answer_len, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(c, SHUT_WR);
	while (recv(c, request, sizeof(request), MSG_DONTWAIT) > 0)
		;
	close(c);
}

static void gone(void)
{
	unlink(path);
}

static void start(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(path, sizeof(path), "/tmp/vw-fuzz-http.%d", (int)getpid());
	strcpy(sa.sun_path, path);
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(listener >= 0 && !bind(listener, (struct sockaddr *)&sa, sizeof(sa)) &&
	     !listen(listener, 16));
	atexit(gone);
	must(!vw_loop_new(&loop) && !vw_loop_watch(loop, listener, EPOLLIN, on_accept, NULL) &&
	     !vw_http_new(loop, path, &http));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_http_get get = {.path = "/containers/json?all=1",
				  .max = BODY_MAX,
				  .timeout_ms = 2000,
				  .done = on_done};

	if (!loop)
		start();
	answer = data;
	answer_len = size;
	left = 2;
	must(!vw_http_get(http, &get));
	get.path = "/events";
	get.line = on_line;
	must(!vw_http_get(http, &get));
	must(!vw_loop_run(loop));
	must(!left);
	return 0;
}
