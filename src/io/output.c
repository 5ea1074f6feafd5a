/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One output: a socket that is connected, and connected anew, from the loop, and a bounded queue of
 * whole messages before it. It knows nothing of what a message says; TLS is io/output_tls.c. */
#include "vethwall/output.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/output_tls.h"
#include "vethwall/cleanup.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 30000
#define BURST 256 /* messages sent in one turn of the loop */

struct message {
	struct message *next;
	size_t n;
	char bytes[];
};

struct vw_output {
	struct vw_loop *loop;
	const struct vw_output_settings *s;
	struct vw_tls *tls; /* of a TLS output */
	struct vw_timer *retry;
	int fd; /* -1: not connected */
	bool up; /* connected, and TLS agreed */
	int64_t retry_ms;
	struct message *first, **last;
	size_t waiting; /* bytes of all messages */
	size_t done; /* bytes of the first one that are sent */
	char error[128];
	uint64_t sent, dropped;
};

static bool is_stream(const struct vw_output_settings *s)
{
	return s->kind != VW_OUTPUT_JOURNALD && s->transport != VW_OVER_UDP &&
	       s->transport != VW_OVER_UNIX_DGRAM;
}

static void pop(struct vw_output *o)
{
	struct message *m = o->first;

	o->first = m->next;
	if (!o->first)
		o->last = &o->first;
	o->waiting -= m->n;
	o->done = 0;
	free(m);
}

/* The receiver is gone or refuses: again later, from the beginning of the message. */
static void disconnect(struct vw_output *o, const char *why)
{
	snprintf(o->error, sizeof(o->error), "%s", why);
	if (o->tls)
		vw_tls_reset(o->tls);
	if (o->fd >= 0) {
		vw_loop_unwatch(o->loop, o->fd);
		close(o->fd);
	}
	o->fd = -1;
	o->up = false;
	o->done = 0;
	vw_timer_arm(o->retry, o->retry_ms);
	o->retry_ms = o->retry_ms * 2 < RETRY_MAX_MS ? o->retry_ms * 2 : RETRY_MAX_MS;
}

static socklen_t address_of(const struct vw_output_settings *s, struct sockaddr_storage *ss)
{
	struct sockaddr_un *un = (struct sockaddr_un *)(void *)ss;
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)ss;
	const char *path = s->kind == VW_OUTPUT_JOURNALD && !s->path ? JOURNAL_SOCKET : s->path;

	memset(ss, 0, sizeof(*ss));
	if (path) {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof(un->sun_path), "%s", path);
		return sizeof(*un);
	}
	if (s->addr.family == 4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(s->port);
		memcpy(&in->sin_addr, s->addr.b, 4);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(s->port);
	memcpy(&in6->sin6_addr, s->addr.b, 16);
	return sizeof(*in6);
}

/* Bytes taken of the message's rest, 0: would block, or -errno. */
static ssize_t send_some(struct vw_output *o, const struct message *m)
{
	ssize_t n;

	if (o->tls)
		return vw_tls_write(o->tls, m->bytes + o->done, m->n - o->done);
	n = send(o->fd, m->bytes + o->done, m->n - o->done, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
}

/* False: nothing more can be sent now. */
static bool send_one(struct vw_output *o)
{
	ssize_t n = send_some(o, o->first);

	if (n == -EMSGSIZE) { /* a datagram that the way does not carry */
		o->dropped++;
		pop(o);
		return true;
	}
	if (n < 0) {
		disconnect(o, strerror((int)-n));
		return false;
	}
	o->done += (size_t)n;
	if (o->done == o->first->n) {
		o->sent++;
		pop(o);
	}
	return n > 0;
}

static void send_all(struct vw_output *o)
{
	for (int i = 0; i < BURST && o->up && o->first && send_one(o); i++)
		;
}

static void on_ready(int fd, uint32_t events, void *arg);

static void watch(struct vw_output *o)
{
	uint32_t events = EPOLLIN;

	if (o->fd < 0)
		return;
	if (!o->up ? !o->tls || vw_tls_wants_write(o->tls) : o->first != NULL)
		events |= EPOLLOUT;
	(void)vw_loop_watch(o->loop, o->fd, events, on_ready, o);
}

static void come_up(struct vw_output *o)
{
	o->up = true;
	o->retry_ms = RETRY_MIN_MS;
	o->error[0] = '\0';
}

static void handshake(struct vw_output *o)
{
	char why[sizeof(o->error)];
	int r = vw_tls_handshake(o->tls, why, sizeof(why));

	if (r > 0)
		come_up(o);
	else if (r < 0)
		disconnect(o, why);
}

/* What a receiver says is thrown away; that it went is what is read for. */
static bool is_gone(struct vw_output *o)
{
	char buf[4096];
	ssize_t n;

	if (o->tls)
		return vw_tls_drain(o->tls) < 0;
	n = recv(o->fd, buf, sizeof(buf), MSG_DONTWAIT);
	return (n == 0 && is_stream(o->s)) ||
	       (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static int connected(struct vw_output *o)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (getsockopt(o->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		return -errno;
	if (error)
		return -error;
	if (o->tls)
		return vw_tls_begin(o->tls, o->fd);
	come_up(o);
	return 0;
}

static void on_ready(int fd, uint32_t events, void *arg)
{
	struct vw_output *o = arg;
	int r = 0;

	(void)fd;
	if (!o->up && !(o->tls && vw_tls_begun(o->tls)))
		r = connected(o);
	if (r < 0) {
		disconnect(o, strerror(-r));
		return;
	}
	if (!o->up && o->tls)
		handshake(o);
	if (o->up && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && is_gone(o)) {
		disconnect(o, "the receiver closed the connection");
		return;
	}
	send_all(o);
	watch(o);
}

static int socket_of(const struct vw_output_settings *s, int family)
{
	int type = is_stream(s) ? SOCK_STREAM : SOCK_DGRAM;
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static void start(void *arg)
{
	struct vw_output *o = arg;
	struct sockaddr_storage ss;
	socklen_t n = address_of(o->s, &ss);

	o->fd = socket_of(o->s, ss.ss_family);
	if (o->fd < 0) {
		int r = o->fd;

		o->fd = -1;
		disconnect(o, strerror(-r));
		return;
	}
	if (connect(o->fd, (struct sockaddr *)&ss, n) < 0 && errno != EINPROGRESS) {
		disconnect(o, strerror(errno));
		return;
	}
	watch(o);
}

int vw_output_open(struct vw_loop *loop, const struct vw_output_settings *s, struct vw_output **ret,
		   struct vw_diag *d)
{
	struct vw_output *o = calloc(1, sizeof(*o));
	int r = o ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	*o = (struct vw_output){.loop = loop, .s = s, .fd = -1, .retry_ms = RETRY_MIN_MS};
	o->last = &o->first;
	snprintf(o->error, sizeof(o->error), "not connected yet");
	r = vw_timer_new(loop, start, o, &o->retry);
	if (!r && s->transport == VW_OVER_TLS)
		r = vw_tls_new(s, &o->tls, d);
	if (r < 0) {
		vw_output_free(&o);
		return r;
	}
	vw_timer_arm(o->retry, 0);
	*ret = o;
	return 0;
}

void vw_output_free(struct vw_output **po)
{
	struct vw_output *o = *po;

	if (!o)
		return;
	if (o->retry)
		disconnect(o, "");
	vw_timer_free(&o->retry);
	vw_tls_free(&o->tls);
	while (o->first)
		pop(o);
	free(o);
	*po = NULL;
}

void vw_output_put(struct vw_output *o, const char *message, size_t n)
{
	struct message *m = NULL;

	if (o->waiting + n <= o->s->buffer_bytes)
		m = malloc(sizeof(*m) + n);
	if (!m) {
		o->dropped++;
		return;
	}
	m->next = NULL;
	m->n = n;
	memcpy(m->bytes, message, n);
	*o->last = m;
	o->last = &m->next;
	o->waiting += n;
	watch(o);
}

void vw_output_flush(struct vw_output *o)
{
	while (o->up && o->first && send_one(o))
		;
}

void vw_output_stats(const struct vw_output *o, struct vw_output_stats *ret)
{
	*ret = (struct vw_output_stats){.sent = o->sent,
					.dropped = o->dropped,
					.waiting = o->waiting,
					.connected = o->up,
					.error = o->error[0] ? o->error : NULL};
}
