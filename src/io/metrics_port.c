/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics port. libmicrohttpd has its own epoll descriptor, which the loop watches: no thread.
 * Few connections, short ones: it is for one scraper on the same node. */
#include "vethwall/metrics_port.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>

#include "vethwall/cleanup.h"

#define CONNECTIONS_MAX 16
#define IDLE_S 10
#define LOOK_MS 1000 /* idle connections are ended from a timer */

struct vw_metrics_port {
	struct vw_loop *loop;
	struct MHD_Daemon *daemon;
	struct vw_timer *timer;
	int fd;
	char *(*text)(void *arg);
	const char *type;
	void *arg;
};

static enum MHD_Result respond(struct MHD_Connection *c, unsigned status, const char *type,
			       char *text)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result ok;

	if (!r) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	ok = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	const struct vw_metrics_port *h = arg;
	char *text;

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)state;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return MHD_NO;
	if (strcmp(url, "/metrics") != 0) {
		text = strdup("vethwall answers /metrics\n");
		return text ? respond(c, MHD_HTTP_NOT_FOUND, "text/plain", text) : MHD_NO;
	}
	text = h->text(h->arg);
	return text ? respond(c, MHD_HTTP_OK, h->type, text) : MHD_NO;
}

static void on_ready(int fd, uint32_t events, void *arg)
{
	struct vw_metrics_port *h = arg;

	(void)fd;
	(void)events;
	MHD_run(h->daemon);
}

static void on_timer(void *arg)
{
	struct vw_metrics_port *h = arg;

	MHD_run(h->daemon);
	vw_timer_arm(h->timer, LOOK_MS);
}

static struct MHD_Daemon *listen_on(struct vw_metrics_port *h, const struct vw_addr *addr,
				    uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	const struct sockaddr *sa =
		addr->family == 4 ? (const struct sockaddr *)&in : (const struct sockaddr *)&in6;

	memcpy(&in.sin_addr, addr->b, 4);
	memcpy(&in6.sin6_addr, addr->b, 16);
	return MHD_start_daemon(MHD_USE_EPOLL | (addr->family == 6 ? MHD_USE_IPv6 : 0), port, NULL,
				NULL, on_request, h, MHD_OPTION_SOCK_ADDR, sa,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
}

int vw_metrics_port_open(struct vw_loop *loop, const struct vw_addr *addr, uint16_t port,
			 char *(*text)(void *arg), const char *type, void *arg,
			 struct vw_metrics_port **ret, struct vw_diag *d)
{
	_cleanup_(vw_metrics_port_free) struct vw_metrics_port *h = calloc(1, sizeof(*h));
	const union MHD_DaemonInfo *info;
	int r = h ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	*h = (struct vw_metrics_port){
		.loop = loop, .fd = -1, .text = text, .type = type, .arg = arg};
	h->daemon = listen_on(h, addr, port);
	info = h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		vw_error(d, NULL, "metrics: port %u cannot be opened: %s", port, strerror(errno));
		return -EIO;
	}
	h->fd = info->epoll_fd;
	r = vw_loop_watch(loop, h->fd, EPOLLIN, on_ready, h);
	if (!r)
		r = vw_timer_new(loop, on_timer, h, &h->timer);
	if (r < 0)
		return r;
	vw_timer_arm(h->timer, LOOK_MS);
	*ret = TAKE_PTR(h);
	return 0;
}

void vw_metrics_port_free(struct vw_metrics_port **h)
{
	if (!*h)
		return;
	if ((*h)->fd >= 0)
		vw_loop_unwatch((*h)->loop, (*h)->fd);
	vw_timer_free(&(*h)->timer);
	if ((*h)->daemon)
		MHD_stop_daemon((*h)->daemon);
	free(*h);
	*h = NULL;
}
