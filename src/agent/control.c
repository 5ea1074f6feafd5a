/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answering end of the control socket, inside the loop. A client can hold one of a few places,
 * a bounded line and a bounded time, and nothing that it sends is worth more than an error. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/control.h"
#include "vethwall/cleanup.h"

#define REST_MS 200

struct client {
	struct vw_control *c;
	int fd; /* -1: free place */
	struct vw_control_peer peer;
	struct vw_timer *idle;
	char *in, *out;
	size_t n_in, cap; /* of in */
	size_t seen; /* bytes of in that hold no newline */
	size_t n_out, sent;
};

struct vw_control {
	struct vw_loop *loop;
	int fd;
	struct vw_timer *rest; /* while there is no descriptor for a client */
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	gid_t group;
	const struct vw_control_cmd *cmds;
	void *arg;
	struct client clients[VW_CONTROL_CLIENTS_MAX];
};

json_t *vw_control_error(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_pack("{s:b, s:s}", "ok", 0, "error", text);
}

json_t *vw_control_diagnostics(const struct vw_diag *d)
{
	static const char *const severities[] = {
		[VW_ERROR] = "error",
		[VW_WARNING] = "warning",
		[VW_NOTE] = "note",
	};
	json_t *list = json_array();

	vw_vec_foreach (e, &d->list) {
		json_t *j = json_pack("{s:s, s:s?, s:i, s:i, s:s}", "severity",
				      severities[e->severity], "file", e->file, "line",
				      (int)e->line, "col", (int)e->col, "message", e->text);

		/* A text that is not UTF-8 must not cost the others. */
		if (!j)
			j = json_pack("{s:s, s:s}", "severity", severities[e->severity], "message",
				      "(unprintable)");
		if (json_array_append_new(list, j) < 0)
			break;
	}
	return list;
}

static json_t *dispatch(const struct vw_control_cmd *cmds, void *arg, const char *name,
			const json_t *request, const struct vw_control_peer *peer)
{
	for (const struct vw_control_cmd *c = cmds; c->name; c++) {
		if (strcmp(c->name, name) != 0)
			continue;
		if (c->changes && !peer->root)
			return vw_control_error("only root may %s", c->name);
		return c->fn(arg, request, peer);
	}
	return vw_control_error("no such command: %.64s", name);
}

json_t *vw_control_answer(const struct vw_control_cmd *cmds, void *arg, const char *line,
			  size_t len, const struct vw_control_peer *peer)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	const char *name = json_string_value(json_object_get(request, "cmd"));
	json_t *answer;

	if (!request)
		answer = vw_control_error("not a JSON object: %s", error.text);
	else if (!name)
		answer = vw_control_error("the request has no \"cmd\"");
	else
		answer = dispatch(cmds, arg, name, request, peer);
	json_decref(request);
	return answer ? answer : vw_control_error("out of memory");
}

static void client_drop(struct client *cl)
{
	if (cl->fd < 0)
		return;
	vw_loop_unwatch(cl->c->loop, cl->fd);
	close(cl->fd);
	cl->fd = -1;
	vw_timer_disarm(cl->idle);
	free(cl->in);
	free(cl->out);
	cl->in = cl->out = NULL;
	cl->n_in = cl->cap = cl->seen = cl->n_out = cl->sent = 0;
}

static void on_client(int fd, uint32_t events, void *arg);

/* Sends what the socket takes; the rest when it is writable again. */
static void client_send(struct client *cl)
{
	while (cl->sent < cl->n_out) {
		ssize_t n = send(cl->fd, cl->out + cl->sent, cl->n_out - cl->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (vw_loop_watch(cl->c->loop, cl->fd, EPOLLOUT, on_client, cl) < 0)
				client_drop(cl);
			return;
		}
		if (n < 0) {
			client_drop(cl);
			return;
		}
		cl->sent += (size_t)n;
		vw_timer_arm(cl->idle, VW_CONTROL_IDLE_MS);
	}
	free(cl->out);
	cl->out = NULL;
	cl->n_out = cl->sent = 0;
	if (vw_loop_watch(cl->c->loop, cl->fd, EPOLLIN, on_client, cl) < 0)
		client_drop(cl);
}

static int client_reply(struct client *cl, json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;

	json_decref(answer);
	if (!text)
		return -ENOMEM;
	if (len >= VW_CONTROL_ANSWER_MAX) { /* no client would take it */
		free(text);
		return client_reply(cl, vw_control_error("the answer would be longer than %u bytes",
							 VW_CONTROL_ANSWER_MAX));
	}
	text[len] = '\n'; /* the NUL is not sent */
	cl->out = text;
	cl->n_out = len + 1;
	cl->sent = 0;
	client_send(cl);
	return 0;
}

/* The last word to a client that did not ask properly. */
static void client_refuse(struct client *cl, json_t *answer)
{
	client_reply(cl, answer);
	client_drop(cl);
}

static void on_idle(void *arg)
{
	struct client *cl = arg;

	if (cl->n_in && !cl->out)
		client_refuse(cl, vw_control_error("the rest of the request did not come"));
	else
		client_drop(cl);
}

static size_t line_max(const struct client *cl)
{
	return cl->peer.root ? VW_CONTROL_ROOT_LINE_MAX : VW_CONTROL_LINE_MAX;
}

/* The end of the first whole line that is there; what was looked at is not looked at again. */
static char *line_end(struct client *cl)
{
	char *nl =
		cl->n_in > cl->seen ? memchr(cl->in + cl->seen, '\n', cl->n_in - cl->seen) : NULL;

	if (!nl)
		cl->seen = cl->n_in;
	return nl;
}

/* Takes the line out of the buffer, which does not stay as large as a large request was. */
static void line_done(struct client *cl, const char *nl)
{
	char *less;

	cl->n_in -= (size_t)(nl + 1 - cl->in);
	cl->seen = 0;
	memmove(cl->in, nl + 1, cl->n_in);
	if (cl->cap <= VW_CONTROL_LINE_MAX || cl->n_in > VW_CONTROL_LINE_MAX)
		return;
	less = realloc(cl->in, VW_CONTROL_LINE_MAX);
	if (!less)
		return;
	cl->in = less;
	cl->cap = VW_CONTROL_LINE_MAX;
}

/* Answers the first whole line that is there; the next is read when that answer is out. */
static void client_line(struct client *cl)
{
	char *nl = line_end(cl);
	json_t *answer;

	if (!nl) {
		if (cl->n_in == line_max(cl))
			client_refuse(cl, vw_control_error("the request is longer than %zu bytes",
							   line_max(cl)));
		return;
	}
	answer = vw_control_answer(cl->c->cmds, cl->c->arg, cl->in, (size_t)(nl - cl->in),
				   &cl->peer);
	line_done(cl, nl);
	if (client_reply(cl, answer) < 0)
		client_drop(cl);
}

/* Room for more of the line, as it comes. */
static bool client_room(struct client *cl)
{
	size_t want = cl->cap ? cl->cap * 2 : VW_CONTROL_LINE_MAX;
	char *more;

	if (cl->n_in < cl->cap)
		return true;
	more = realloc(cl->in, want < line_max(cl) ? want : line_max(cl));
	if (!more)
		return false;
	cl->in = more;
	cl->cap = want < line_max(cl) ? want : line_max(cl);
	return true;
}

static void client_read(struct client *cl)
{
	ssize_t n;

	if (!client_room(cl)) {
		client_drop(cl);
		return;
	}
	n = recv(cl->fd, cl->in + cl->n_in, cl->cap - cl->n_in, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 0 && cl->n_in) {
		client_refuse(cl, vw_control_error("the request has no end"));
		return;
	}
	if (n <= 0) {
		client_drop(cl);
		return;
	}
	cl->n_in += (size_t)n;
	vw_timer_arm(cl->idle, VW_CONTROL_IDLE_MS);
	client_line(cl);
}

static void on_client(int fd, uint32_t events, void *arg)
{
	struct client *cl = arg;

	(void)fd;
	if (cl->out)
		client_send(cl);
	else if (events & EPOLLIN)
		client_read(cl);
	else
		client_drop(cl);
	/* Lines that came together with the one just answered. */
	while (cl->fd >= 0 && !cl->out && line_end(cl))
		client_line(cl);
}

/* Whether the group is the peer's own or one of its supplementary ones. */
static bool peer_in_group(int fd, const struct ucred *cred, gid_t group)
{
	gid_t groups[256];
	socklen_t len = sizeof(groups);

	if (group == (gid_t)-1)
		return false;
	if (cred->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static int client_start(struct client *cl, int fd, const struct ucred *cred)
{
	int r;

	if (!cl->idle) {
		r = vw_timer_new(cl->c->loop, on_idle, cl, &cl->idle);
		if (r < 0)
			return r;
	}
	r = vw_loop_watch(cl->c->loop, fd, EPOLLIN, on_client, cl);
	if (r < 0)
		return r;
	cl->fd = fd;
	cl->peer = (struct vw_control_peer){
		.pid = cred->pid, .uid = cred->uid, .root = cred->uid == 0};
	vw_timer_arm(cl->idle, VW_CONTROL_IDLE_MS);
	return 0;
}

static void refuse(int fd, const char *why)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "{\"ok\":false,\"error\":\"%s\"}\n", why);

	(void)!send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void on_listen(int listener, uint32_t events, void *arg)
{
	struct vw_control *c = arg;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0) {
		/* The client waits and would wake us again at once. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			vw_loop_unwatch(c->loop, listener);
			vw_timer_arm(c->rest, REST_MS);
		}
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		close(fd);
		return;
	}
	if (cred.uid != 0 && !peer_in_group(fd, &cred, c->group)) {
		refuse(fd, "only root and members of the log group may ask");
		return;
	}
	for (size_t i = 0; i < VW_CONTROL_CLIENTS_MAX; i++) {
		if (c->clients[i].fd >= 0)
			continue;
		if (client_start(&c->clients[i], fd, &cred) < 0)
			close(fd);
		return;
	}
	refuse(fd, "too many clients");
}

static void on_rested(void *arg)
{
	struct vw_control *c = arg;

	if (vw_loop_watch(c->loop, c->fd, EPOLLIN, on_listen, c) < 0)
		vw_timer_arm(c->rest, REST_MS);
}

/* Bound under a mode that lets nobody in, then opened to the group. */
static int listen_at(const char *path, gid_t group)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd, r = 0;

	memcpy(sa.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (unlink(path) < 0 && errno != ENOENT)
		r = -errno;
	mask = umask(0177);
	if (!r && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		r = -errno;
	umask(mask);
	if (!r && group != (gid_t)-1 &&
	    (chown(path, (uid_t)-1, group) < 0 || chmod(path, 0660) < 0))
		r = -errno;
	if (!r && listen(fd, VW_CONTROL_CLIENTS_MAX) < 0)
		r = -errno;
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

static void vw_control_freep(struct vw_control **c)
{
	vw_control_free(c);
}

int vw_control_open(struct vw_loop *loop, const char *run_dir, gid_t group,
		    const struct vw_control_cmd *cmds, void *arg, struct vw_control **ret,
		    struct vw_diag *d)
{
	_cleanup_(vw_control_freep) struct vw_control *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	*c = (struct vw_control){.loop = loop, .fd = -1, .group = group, .cmds = cmds, .arg = arg};
	for (size_t i = 0; i < VW_CONTROL_CLIENTS_MAX; i++)
		c->clients[i] = (struct client){.c = c, .fd = -1};
	r = snprintf(c->path, sizeof(c->path), "%s/control.sock", run_dir);
	if (r < 0 || (size_t)r >= sizeof(c->path)) {
		vw_error(d, NULL, "the folder's name is too long for a socket: %s", run_dir);
		return -ENAMETOOLONG;
	}
	c->fd = listen_at(c->path, group);
	if (c->fd < 0) {
		vw_error(d, NULL, "%s: %s", c->path, strerror(-c->fd));
		return c->fd;
	}
	r = vw_timer_new(loop, on_rested, c, &c->rest);
	if (!r)
		r = vw_loop_watch(loop, c->fd, EPOLLIN, on_listen, c);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

void vw_control_free(struct vw_control **pc)
{
	struct vw_control *c = *pc;

	if (!c)
		return;
	for (size_t i = 0; i < VW_CONTROL_CLIENTS_MAX; i++) {
		client_drop(&c->clients[i]);
		vw_timer_free(&c->clients[i].idle);
	}
	if (c->fd >= 0) {
		vw_loop_unwatch(c->loop, c->fd);
		close(c->fd);
		unlink(c->path);
	}
	vw_timer_free(&c->rest);
	free(c);
	*pc = NULL;
}
