/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Docker runtime against an engine that does what the test says: answers, hangs, lies, goes
 * away. It lives in the same loop, so whatever blocked the loop would hang the test. The real
 * engine is in tests/docker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vethwall/cleanup.h"
#include "vethwall/loop.h"
#include "vethwall/runtime.h"

#define ROUTES 16
#define CONNS 64
#define POLL_MS 2
#define DEADLINE_NS (60 * INT64_C(1000000000))

struct conn {
	int fd; /* 0: free */
	char in[4096];
	size_t n_in;
	char *out;
	size_t n_out;
	bool stream; /* of events */
	char waits[1024]; /* the path that it got no answer to */
};

struct route {
	const char *prefix, *body;
	int status; /* 0: no answer */
};

struct state {
	struct vw_loop *l;
	struct vw_timer *poll;
	struct vw_runtime *r;
	char dir[64], path[96];
	int lfd;
	struct conn conns[CONNS];
	struct route routes[ROUTES];
	size_t asked_inspect;
	bool (*until)(struct state *s);
	const char *want;
	int64_t end_ns;
	char trace[65536];
};

static void on_conn(int fd, uint32_t events, void *arg);

static struct conn *conn_of(struct state *s, int fd)
{
	for (size_t i = 0; i < CONNS; i++)
		if (s->conns[i].fd == fd)
			return &s->conns[i];
	fail_msg("too many connections");
	return NULL;
}

static void conn_close(struct state *s, struct conn *c)
{
	if (!c->fd)
		return;
	vw_loop_unwatch(s->l, c->fd);
	close(c->fd);
	free(c->out);
	memset(c, 0, sizeof(*c));
}

static void conn_flush(struct state *s, struct conn *c)
{
	while (c->n_out) {
		ssize_t n = send(c->fd, c->out, c->n_out, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			break;
		c->n_out -= (size_t)n;
		memmove(c->out, c->out + n, c->n_out);
	}
	assert_int_equal(
		vw_loop_watch(s->l, c->fd, EPOLLIN | (c->n_out ? EPOLLOUT : 0), on_conn, s), 0);
}

static void conn_send(struct state *s, struct conn *c, const void *p, size_t n)
{
	c->out = realloc(c->out, c->n_out + n + 1);
	assert_non_null(c->out);
	memcpy(c->out + c->n_out, p, n);
	c->n_out += n;
	conn_flush(s, c);
}

static void conn_answer(struct state *s, struct conn *c, int status, const char *body)
{
	char head[128];

	snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n", status,
		 strlen(body));
	conn_send(s, c, head, strlen(head));
	conn_send(s, c, body, strlen(body));
}

static const struct route *route_of(struct state *s, const char *path)
{
	const struct route *best = NULL;

	for (size_t i = 0; i < ROUTES && s->routes[i].prefix; i++)
		if (!strncmp(path, s->routes[i].prefix, strlen(s->routes[i].prefix)) &&
		    (!best || strlen(s->routes[i].prefix) > strlen(best->prefix)))
			best = &s->routes[i];
	return best;
}

static void serve(struct state *s, struct conn *c, const char *path)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	const struct route *r = route_of(s, path);

	s->asked_inspect +=
		!strncmp(path, "/containers/", 12) && strncmp(path, "/containers/json", 16);
	if (r && !r->status) {
		snprintf(c->waits, sizeof(c->waits), "%s", path);
	} else if (r) {
		conn_answer(s, c, r->status, r->body);
	} else if (!strncmp(path, "/events?", 8)) {
		c->stream = true;
		conn_send(s, c, head, strlen(head));
	} else {
		conn_answer(s, c, 404, "{}");
	}
}

static void on_conn(int fd, uint32_t events, void *arg)
{
	struct state *s = arg;
	struct conn *c = conn_of(s, fd);
	ssize_t n = recv(fd, c->in + c->n_in, sizeof(c->in) - 1 - c->n_in, MSG_DONTWAIT);
	char path[1024], *end;

	if (events & EPOLLOUT)
		conn_flush(s, c);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_close(s, c);
		return;
	}
	c->n_in += (size_t)n;
	c->in[c->n_in] = '\0';
	end = strstr(c->in, "\r\n\r\n");
	if (!end)
		return;
	/* Nothing but GET, ever. */
	assert_int_equal(sscanf(c->in, "GET %1023s HTTP/1.1", path), 1);
	c->n_in = 0;
	serve(s, c, path);
}

static void on_listen(int fd, uint32_t events, void *arg)
{
	struct state *s = arg;
	int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	assert_true(c > 0);
	conn_of(s, 0)->fd = c;
	assert_int_equal(vw_loop_watch(s->l, c, EPOLLIN, on_conn, s), 0);
}

static void engine_start(struct state *s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	strcpy(sa.sun_path, s->path);
	s->lfd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->lfd > 0);
	assert_int_equal(bind(s->lfd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(s->lfd, 64), 0);
	assert_int_equal(vw_loop_watch(s->l, s->lfd, EPOLLIN, on_listen, s), 0);
}

static void engine_stop(struct state *s)
{
	for (size_t i = 0; i < CONNS; i++)
		conn_close(s, &s->conns[i]);
	if (s->lfd) {
		vw_loop_unwatch(s->l, s->lfd);
		close(s->lfd);
		unlink(s->path);
	}
	s->lfd = 0;
}

static void route(struct state *s, const char *prefix, int status, const char *body)
{
	size_t i = 0;

	while (s->routes[i].prefix && strcmp(s->routes[i].prefix, prefix))
		i++;
	assert_true(i < ROUTES - 1);
	s->routes[i] = (struct route){prefix, body, status};
}

static struct conn *stream_of(struct state *s)
{
	for (size_t i = 0; i < CONNS; i++)
		if (s->conns[i].stream)
			return &s->conns[i];
	fail_msg("nobody follows events");
	return NULL;
}

static void event(struct state *s, const char *json)
{
	char chunk[1024];

	snprintf(chunk, sizeof(chunk), "%zx\r\n%s\n\r\n", strlen(json) + 1, json);
	conn_send(s, stream_of(s), chunk, strlen(chunk));
}

static void container_event(struct state *s, const char *action, const char *id)
{
	char json[256];

	snprintf(json, sizeof(json),
		 "{\"Type\":\"container\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"%s\"}}", action,
		 id);
	event(s, json);
}

/* Answers, late, what hung on this path. */
static void answer_late(struct state *s, const char *prefix, int status, const char *body)
{
	for (size_t i = 0; i < CONNS; i++)
		if (s->conns[i].fd && !strncmp(s->conns[i].waits, prefix, strlen(prefix)) &&
		    s->conns[i].waits[0]) {
			s->conns[i].waits[0] = '\0';
			conn_answer(s, &s->conns[i], status, body);
			return;
		}
	fail_msg("nobody waits for %s", prefix);
}

static void note(struct state *s, const char *fmt, ...)
{
	size_t n = strlen(s->trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->trace + n, sizeof(s->trace) - n, fmt, ap);
	va_end(ap);
}

static void on_put(void *arg, struct vw_workload *w, int pid)
{
	note(arg, " put(%s,%d", w->name, pid);
	vw_vec_foreach (i, &w->ifaces)
		note(arg, ",%s%s", i->network, i->has_mac ? "" : "?");
	note(arg, w->unenforceable ? ",!)" : ")");
	vw_workload_done(w);
}

static void on_gone(void *arg, const char *id)
{
	note(arg, " gone(%s)", id);
}

static void on_namespaces(void *arg, const struct vw_namespace *v, size_t n)
{
	(void)v;
	(void)n;
	note(arg, " namespaces");
}

static void on_networks(void *arg, const struct vw_network *v, size_t n)
{
	(void)v;
	note(arg, " networks(%zu)", n);
}

static void on_begin(void *arg)
{
	note(arg, " begin");
}

static void on_synced(void *arg)
{
	note(arg, " synced");
}

static void on_state(void *arg, bool ok, const char *text)
{
	note(arg, ok ? " ok" : " down(%s)", text);
}

static void on_poll(void *arg)
{
	struct state *s = arg;

	if (s->until ? s->until(s) : strstr(s->trace, s->want) != NULL) {
		vw_loop_stop(s->l);
	} else {
		if (vw_now_ns() > s->end_ns)
			fail_msg("waited for \"%s\", saw \"%s\"", s->want, s->trace);
		vw_timer_arm(s->poll, POLL_MS);
	}
}

/* Runs until the trace has the text, or until() holds. */
static void run(struct state *s, const char *want, bool (*until)(struct state *s))
{
	s->want = want;
	s->until = until;
	s->end_ns = vw_now_ns() + DEADLINE_NS;
	vw_timer_arm(s->poll, 0);
	assert_int_equal(vw_loop_run(s->l), 0);
}

static void reset(struct state *s)
{
	s->trace[0] = '\0';
}

static void open_runtime(struct state *s)
{
	const struct vw_runtime_sink sink = {.put = on_put,
					     .gone = on_gone,
					     .namespaces = on_namespaces,
					     .networks = on_networks,
					     .begin = on_begin,
					     .synced = on_synced,
					     .state = on_state,
					     .arg = s};
	struct vw_diag d = {};

	assert_int_equal(vw_docker_open(s->l, s->path, &sink, &s->r, &d), 0);
	vw_diag_done(&d);
}

#define NETWORK "{\"Name\":\"one\",\"Id\":\"n1\",\"Driver\":\"bridge\""
#define ENDPOINT(id)                                                                 \
	NETWORK ",\"Containers\":{\"" id "\":{\"MacAddress\":\"02:42:ac:12:00:02\"," \
		"\"IPv4Address\":\"172.18.0.2/16\"}}}"
#define LISTED(id, state)                                                                         \
	"{\"Id\":\"" id "\",\"Names\":[\"/" id "\"],\"State\":\"" state "\",\"NetworkSettings\":" \
	"{\"Networks\":{\"one\":{\"MacAddress\":\"\",\"IPAddress\":\"\"}}}}"
#define INSPECTED(id, running, pid)                                                               \
	"{\"Id\":\"" id "\",\"Name\":\"/" id "\",\"State\":{\"Running\":" running ",\"Pid\":" pid \
	"},\"Config\":{\"Image\":\"i\"},\"NetworkSettings\":{\"Networks\":{\"one\":{"             \
	"\"MacAddress\":\"02:42:ac:12:00:02\",\"IPAddress\":\"172.18.0.2\"}}}}"
#define CONNECT(id)                                                                             \
	"{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"n1\",\"Attributes\":" \
	"{\"container\":\"" id "\",\"name\":\"one\"}}}"

static int setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	strcpy(s->dir, "/tmp/vw-docker.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/docker.sock", s->dir);
	assert_int_equal(vw_loop_new(&s->l), 0);
	assert_int_equal(vw_timer_new(s->l, on_poll, s, &s->poll), 0);
	route(s, "/networks", 200, "[" NETWORK "}]");
	route(s, "/networks/n1", 200, NETWORK "}");
	route(s, "/containers/json", 200, "[]");
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	vw_runtime_free(&s->r);
	assert_null(s->r);
	engine_stop(s);
	vw_timer_free(&s->poll);
	vw_loop_free(&s->l);
	rmdir(s->dir);
	free(s);
	return 0;
}

static void all_that_runs_is_put_then_synced(void **state)
{
	struct state *s = *state;

	route(s, "/containers/json", 200,
	      "[" LISTED("a", "running") "," LISTED("b", "exited") "," LISTED("c", "running") "]");
	route(s, "/containers/a/json", 200, INSPECTED("a", "true", "7"));
	/* c has ended between the list and its inspection */
	route(s, "/containers/c/json", 404, "{}");
	engine_start(s);
	open_runtime(s);
	run(s, " ok", NULL);
	assert_string_equal(s->trace, " begin networks(1) put(a,7,one) synced ok");
	assert_int_equal(s->asked_inspect, 2);
}

static bool inspect_hangs(struct state *s)
{
	for (size_t i = 0; i < CONNS; i++)
		if (!strncmp(s->conns[i].waits, "/containers/a/json", 18))
			return true;
	return false;
}

static void a_container_is_put_while_it_starts(void **state)
{
	struct state *s = *state;

	engine_start(s);
	open_runtime(s);
	run(s, " ok", NULL);
	reset(s);
	route(s, "/containers/json?all=1&filters", 200, "[" LISTED("a", "created") "]");
	route(s, "/networks/n1", 200, ENDPOINT("a"));
	route(s, "/containers/a/json", 0, NULL);
	event(s, CONNECT("a"));
	run(s, " put(a,0,one)", NULL);
	run(s, "inspect", inspect_hangs);
	/* Its start ends, the answer comes. */
	route(s, "/containers/a/json", 200, INSPECTED("a", "true", "7"));
	answer_late(s, "/containers/a/json", 200, INSPECTED("a", "true", "7"));
	run(s, " put(a,7,one)", NULL);
	container_event(s, "die", "a");
	run(s, " gone(a)", NULL);
	assert_string_equal(s->trace, " put(a,0,one) put(a,7,one) gone(a)");
}

static void a_late_answer_does_not_revive_the_dead(void **state)
{
	struct state *s = *state;

	engine_start(s);
	open_runtime(s);
	run(s, " ok", NULL);
	reset(s);
	route(s, "/containers/json?all=1&filters", 200, "[" LISTED("a", "created") "]");
	route(s, "/networks/n1", 200, ENDPOINT("a"));
	route(s, "/containers/a/json", 0, NULL);
	event(s, CONNECT("a"));
	run(s, "inspect", inspect_hangs);
	container_event(s, "die", "a");
	run(s, " gone(a)", NULL);
	answer_late(s, "/containers/a/json", 200, INSPECTED("a", "true", "7"));
	route(s, "/containers/b/json", 200, INSPECTED("b", "true", "8"));
	container_event(s, "start", "b");
	run(s, " put(b,8", NULL);
	assert_null(strstr(s->trace, "put(a,7"));
}

static void what_ends_while_it_is_listed_is_not_put(void **state)
{
	struct state *s = *state;

	route(s, "/containers/json", 0, NULL);
	route(s, "/containers/a/json", 200, INSPECTED("a", "true", "7"));
	route(s, "/containers/b/json", 200, INSPECTED("b", "true", "8"));
	engine_start(s);
	open_runtime(s);
	run(s, " networks(1)", NULL);
	container_event(s, "die", "a");
	container_event(s, "start", "b");
	run(s, " put(b,8", NULL);
	answer_late(s, "/containers/json", 200, "[" LISTED("a", "running") "]");
	run(s, " ok", NULL);
	assert_string_equal(s->trace, " begin networks(1) put(b,8,one) synced ok");
}

/* Created and on a network when we come: it is starting right now, and its event was before us. */
static void one_that_is_starting_when_we_come_is_put(void **state)
{
	struct state *s = *state;

	route(s, "/containers/json", 200, "[" LISTED("a", "created") "]");
	route(s, "/networks/n1", 200, ENDPOINT("a"));
	route(s, "/containers/a/json", 0, NULL);
	engine_start(s);
	open_runtime(s);
	run(s, " ok", NULL);
	assert_string_equal(s->trace, " begin networks(1) put(a,0,one) synced ok");
}

static bool inspected(struct state *s)
{
	return s->asked_inspect > 0;
}

/* Engines that make the network after the container answer an inspect before the start has ended.
 */
static void an_inspect_that_does_not_wait_ends_nothing(void **state)
{
	struct state *s = *state;

	engine_start(s);
	open_runtime(s);
	run(s, " ok", NULL);
	reset(s);
	route(s, "/containers/json?all=1&filters", 200, "[" LISTED("a", "created") "]");
	route(s, "/networks/n1", 200, ENDPOINT("a"));
	route(s, "/containers/a/json", 200, INSPECTED("a", "false", "0"));
	event(s, CONNECT("a"));
	run(s, "inspect", inspected);
	route(s, "/containers/a/json", 200, INSPECTED("a", "true", "7"));
	container_event(s, "start", "a");
	run(s, " put(a,7,one)", NULL);
	assert_null(strstr(s->trace, "gone"));
}

static void a_failed_start_is_gone(void **state)
{
	struct state *s = *state;

	engine_start(s);
	open_runtime(s);
	run(s, " ok", NULL);
	reset(s);
	route(s, "/containers/json?all=1&filters", 200, "[" LISTED("a", "created") "]");
	route(s, "/networks/n1", 200, ENDPOINT("a"));
	route(s, "/containers/a/json", 200, INSPECTED("a", "false", "0"));
	event(s, CONNECT("a"));
	run(s, " put(a,0,one)", NULL);
	event(s, "{\"Type\":\"network\",\"Action\":\"disconnect\",\"Actor\":{\"ID\":\"n1\","
		 "\"Attributes\":{\"container\":\"a\",\"name\":\"one\"}}}");
	run(s, " gone(a)", NULL);
}

static void a_lost_engine_is_read_anew(void **state)
{
	struct state *s = *state;

	route(s, "/containers/json", 200, "[" LISTED("a", "running") "]");
	route(s, "/containers/a/json", 200, INSPECTED("a", "true", "7"));
	open_runtime(s);
	run(s, " down(", NULL); /* no socket yet */
	reset(s);
	engine_start(s);
	run(s, " ok", NULL);
	assert_non_null(strstr(s->trace, " begin networks(1) put(a,7,one) synced ok"));
	reset(s);
	engine_stop(s);
	run(s, " down(", NULL);
	run(s, " down(", NULL);
	/* Nothing is said to be gone: only synced() tells that. */
	assert_null(strstr(s->trace, "gone"));
	reset(s);
	route(s, "/containers/json", 200, "[]");
	engine_start(s);
	run(s, " ok", NULL);
	assert_non_null(strstr(s->trace, " begin networks(1) synced ok"));
}

/* What each answer may be instead, and the words that tell. */
static void wrong_answers_are_told_and_survived(void **state)
{
	static const struct {
		const char *path, *body, *why;
		int status;
	} cases[] = {
		{"/containers/json", "[{\"Id\":", "not a Docker API's list of containers", 200},
		{"/containers/json", "{}", "HTTP status 500", 500},
		{"/networks", "surprise", "not a Docker API's list of networks", 200},
		{"/networks/n1", "[]", "not a Docker API's network", 200},
		{"/containers/a/json", "[]", "not the answer of a Docker API", 200},
		{"/containers/a/json", INSPECTED("b", "true", "1"), "not the answer", 200},
		{"/events", "no", "HTTP status 403", 403},
	};
	struct state *s = *state;

	engine_start(s);
	open_runtime(s);
	for (size_t i = 0; i <= VW_ARRAY_SIZE(cases); i++) {
		memset(s->routes, 0, sizeof(s->routes));
		route(s, "/containers/json", 200, "[" LISTED("a", "running") "]");
		route(s, "/containers/a/json", 200, INSPECTED("a", "true", "7"));
		route(s, "/networks", 200, "[" NETWORK "}]");
		route(s, "/networks/n1", 200, NETWORK "}");
		run(s, " ok", NULL);
		if (i == VW_ARRAY_SIZE(cases))
			break;
		route(s, cases[i].path, cases[i].status, cases[i].body);
		reset(s);
		for (size_t k = 0; k < CONNS; k++)
			conn_close(s, &s->conns[k]);
		run(s, cases[i].why, NULL);
		assert_null(strstr(s->trace, "synced"));
		reset(s);
	}
}

static void garbage_among_the_events_ends_the_connection(void **state)
{
	struct state *s = *state;

	engine_start(s);
	open_runtime(s);
	run(s, " ok", NULL);
	reset(s);
	event(s, "{\"Type\":\"container\"");
	run(s, "not a Docker API's event", NULL);
	run(s, " ok", NULL);
}

/* A line that never ends must not grow in our memory. */
static void an_endless_event_ends_the_connection(void **state)
{
	const size_t size = 5 << 20;
	struct state *s = *state;
	char *p = malloc(size), head[32];

	assert_non_null(p);
	memset(p, 'x', size);
	engine_start(s);
	open_runtime(s);
	run(s, " ok", NULL);
	reset(s);
	snprintf(head, sizeof(head), "%zx\r\n", size);
	conn_send(s, stream_of(s), head, strlen(head));
	conn_send(s, stream_of(s), p, size);
	free(p);
	run(s, "too long", NULL);
	run(s, " ok", NULL);
}

static void too_long_a_path_is_refused(void **state)
{
	const struct vw_runtime_sink sink = {.put = on_put};
	struct state *s = *state;
	struct vw_diag d = {};
	char path[200];

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(vw_docker_open(s->l, path, &sink, &s->r, &d), -ENAMETOOLONG);
	assert_int_equal(d.errors, 1);
	vw_diag_done(&d);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(all_that_runs_is_put_then_synced),
		T(a_container_is_put_while_it_starts),
		T(a_late_answer_does_not_revive_the_dead),
		T(what_ends_while_it_is_listed_is_not_put),
		T(one_that_is_starting_when_we_come_is_put),
		T(an_inspect_that_does_not_wait_ends_nothing),
		T(a_failed_start_is_gone),
		T(a_lost_engine_is_read_anew),
		T(wrong_answers_are_told_and_survived),
		T(garbage_among_the_events_ends_the_connection),
		T(an_endless_event_ends_the_connection),
		T(too_long_a_path_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
