/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GET requests over a Unix socket, many at once, driven by the loop. Nothing here blocks, and
 * nothing grows beyond what each request allows. */
#ifndef VETHWALL_IO_DOCKER_HTTP_H
#define VETHWALL_IO_DOCKER_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct vw_loop;
struct vw_http;

struct vw_http_answer {
	int err; /* 0: there is an answer of some status; -ETIMEDOUT, -EMSGSIZE, -ECANCELED, -EIO */
	long status; /* of HTTP */
	const char *why; /* words for err, or NULL */
	const char *body;
	size_t len;
};

struct vw_http_get {
	const char *path; /* with query; copied */
	size_t max; /* bytes of the answer, or of one line */
	long timeout_ms; /* 0: none */
	/* A stream: called for each line as it comes (then the answer has no body); opened() when
	 * the server has said 200. Both may be NULL. */
	void (*opened)(void *arg);
	void (*line)(const char *text, size_t len, void *arg);
	/* Called once for each request, with -ECANCELED by vw_http_cancel() and vw_http_free(). */
	void (*done)(const struct vw_http_answer *a, void *arg);
	void *arg;
};

int vw_http_new(struct vw_loop *loop, const char *socket, struct vw_http **ret);
void vw_http_free(struct vw_http **h);
/* 0 or -ENOMEM (then done is not called). Callbacks come from the loop only. */
int vw_http_get(struct vw_http *h, const struct vw_http_get *get);
/* Ends all requests. Not from within a callback of a request. */
void vw_http_cancel(struct vw_http *h);

#endif
