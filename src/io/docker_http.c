/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GET requests by libcurl's multi interface, its sockets and timer bound to the loop. libcurl's own
 * callbacks only store bytes; everybody else's are called after it has returned, so that they may
 * ask for more. Knows nothing of Docker. */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "io/docker_http.h"
#include "vethwall/cleanup.h"
#include "vethwall/loop.h"

#define STREAM_LINES 4 /* lines of full length that a stream may hold */

struct request {
	CURL *easy;
	struct vw_http *http;
	struct vw_http_get get;
	char *url;
	char *buf;
	size_t len, cap;
	bool too_long, answered, told_open;
	char error[CURL_ERROR_SIZE];
	struct request *prev, *next;
};

struct vw_http {
	struct vw_loop *loop;
	struct vw_timer *timer;
	CURLM *multi;
	char *socket;
	struct request *requests;
};

static void pump(struct vw_http *h);

static void on_fd(int fd, uint32_t events, void *arg)
{
	struct vw_http *h = arg;
	int running, bits = 0;

	if (events & (EPOLLIN | EPOLLHUP))
		bits |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		bits |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		bits |= CURL_CSELECT_ERR;
	curl_multi_socket_action(h->multi, fd, bits, &running);
	pump(h);
}

static void on_timer(void *arg)
{
	struct vw_http *h = arg;
	int running;

	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	pump(h);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *data)
{
	struct vw_http *h = arg;
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	(void)easy;
	(void)data;
	if (what == CURL_POLL_REMOVE) {
		vw_loop_unwatch(h->loop, fd);
		return 0;
	}
	return vw_loop_watch(h->loop, fd, events, on_fd, h) ? -1 : 0;
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct vw_http *h = arg;

	(void)multi;
	if (ms < 0)
		vw_timer_disarm(h->timer);
	else
		vw_timer_arm(h->timer, ms);
	return 0;
}

/* Room for n more bytes and a NUL; what is over the limit ends the request. */
static bool reserve(struct request *q, size_t n)
{
	size_t want = q->cap ? q->cap : 4096;
	char *p;

	/* libcurl may bring many lines before take_lines() gets its turn. */
	if (q->len + n > (q->get.line ? STREAM_LINES : 1) * q->get.max) {
		q->too_long = true;
		return false;
	}
	while (want < q->len + n + 1)
		want *= 2;
	if (want == q->cap)
		return true;
	p = realloc(q->buf, want);
	if (!p)
		return false;
	q->buf = p;
	q->cap = want;
	return true;
}

static size_t on_bytes(char *data, size_t size, size_t n, void *arg)
{
	struct request *q = arg;

	n *= size;
	if (!reserve(q, n))
		return 0; /* CURLE_WRITE_ERROR */
	memcpy(q->buf + q->len, data, n);
	q->len += n;
	q->buf[q->len] = '\0';
	return n;
}

/* The empty line that ends the head of the answer. */
static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct request *q = arg;

	if (size * n == 2 && !memcmp(data, "\r\n", 2))
		q->answered = true;
	return size * n;
}

static void request_free(struct request *q)
{
	if (q->easy) {
		curl_multi_remove_handle(q->http->multi, q->easy);
		curl_easy_cleanup(q->easy);
	}
	if (q->prev)
		q->prev->next = q->next;
	else if (q->http->requests == q)
		q->http->requests = q->next;
	if (q->next)
		q->next->prev = q->prev;
	free(q->url);
	free(q->buf);
	free(q);
}

static void finish(struct request *q, int err, const char *why)
{
	struct vw_http_answer a = {.err = err, .why = why};

	curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &a.status);
	if (!q->get.line) {
		a.body = q->len ? q->buf : "";
		a.len = q->len;
	}
	q->get.done(&a, q->get.arg);
	request_free(q);
}

/* Hands out the whole lines of a stream, keeps what is left. */
static void take_lines(struct request *q)
{
	char *at = q->buf, *nl;

	while (q->len && (nl = memchr(at, '\n', q->len - (size_t)(at - q->buf)))) {
		if (nl > at)
			q->get.line(at, (size_t)(nl - at), q->get.arg);
		at = nl + 1;
		if ((size_t)(at - q->buf) >= q->len)
			break;
	}
	if (at == q->buf)
		return;
	q->len -= (size_t)(at - q->buf);
	memmove(q->buf, at, q->len);
}

static void take_streams(struct vw_http *h)
{
	for (struct request *q = h->requests; q; q = q->next) {
		long status = 0;

		if (!q->get.line || !q->answered)
			continue;
		curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &status);
		if (status != 200)
			continue;
		if (!q->told_open && q->get.opened)
			q->get.opened(q->get.arg);
		q->told_open = true;
		take_lines(q);
	}
}

static int error_of(const struct request *q, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_WRITE_ERROR:
		return q->too_long ? -EMSGSIZE : -ENOMEM;
	default:
		return -EIO;
	}
}

static const char *words_of(const struct request *q, int err, CURLcode code)
{
	if (!err)
		return NULL;
	if (err == -EMSGSIZE)
		return "the answer is too long";
	return q->error[0] ? q->error : curl_easy_strerror(code);
}

/* Everything that libcurl has come to: lines first, they are older than the end of their stream. */
static void pump(struct vw_http *h)
{
	struct CURLMsg *m;
	int left;

	take_streams(h);
	while ((m = curl_multi_info_read(h->multi, &left))) {
		CURLcode code = m->data.result;
		struct request *q = NULL;
		int err;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&q);
		err = error_of(q, code);
		finish(q, err, words_of(q, err, code));
	}
}

int vw_http_new(struct vw_loop *loop, const char *socket, struct vw_http **ret)
{
	_cleanup_(vw_http_free) struct vw_http *h = calloc(1, sizeof(*h));
	int r;

	/* No TLS, no Winsock: nothing that needs a global. */
	if (!h || curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
		return -ENOMEM;
	h->loop = loop;
	h->socket = strdup(socket);
	h->multi = curl_multi_init();
	if (!h->socket || !h->multi)
		return -ENOMEM;
	r = vw_timer_new(loop, on_timer, h, &h->timer);
	if (r)
		return r;
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	*ret = TAKE_PTR(h);
	return 0;
}

void vw_http_cancel(struct vw_http *h)
{
	while (h->requests)
		finish(h->requests, -ECANCELED, "cancelled");
}

void vw_http_free(struct vw_http **hp)
{
	struct vw_http *h = *hp;

	if (!h)
		return;
	if (h->multi) {
		vw_http_cancel(h);
		curl_multi_cleanup(h->multi); /* unwatches what it kept open */
	}
	vw_timer_free(&h->timer);
	free(h->socket);
	free(h);
	*hp = NULL;
}

static bool set_options(struct request *q)
{
	CURL *e = q->easy;

	return curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, q->http->socket) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_URL, q->url) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_HTTPGET, 1L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_PROXY, "") ==
		       CURLE_OK && /* whatever the environment says */
	       curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, q->get.timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_ERRORBUFFER, q->error) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_WRITEDATA, q) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_HEADERDATA, q) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_PRIVATE, q) == CURLE_OK;
}

int vw_http_get(struct vw_http *h, const struct vw_http_get *get)
{
	struct request *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->http = h;
	q->get = *get;
	q->get.path = NULL;
	q->next = h->requests;
	if (q->next)
		q->next->prev = q;
	h->requests = q;
	q->easy = curl_easy_init();
	if (asprintf(&q->url, "http://docker%s", get->path) < 0)
		q->url = NULL;
	if (!q->easy || !q->url || !set_options(q) ||
	    curl_multi_add_handle(h->multi, q->easy) != CURLM_OK) {
		request_free(q);
		return -ENOMEM;
	}
	return 0;
}
