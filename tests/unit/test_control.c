/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control protocol without and with its socket: nonsense is answered, changes are root's, a
 * client can hold neither the loop nor all the places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/control.h"

static int changed;

static json_t *fn_show(void *arg, const json_t *request, const struct vw_control_peer *peer)
{
	(void)peer;
	return json_pack("{s:b, s:s, s:O?}", "ok", 1, "arg", (char *)arg, "x",
			 json_object_get(request, "x"));
}

static json_t *fn_change(void *arg, const json_t *request, const struct vw_control_peer *peer)
{
	(void)arg;
	(void)request;
	(void)peer;
	changed++;
	return json_pack("{s:b}", "ok", 1);
}

static json_t *fn_broken(void *arg, const json_t *request, const struct vw_control_peer *peer)
{
	(void)arg;
	(void)request;
	(void)peer;
	return NULL;
}

static const struct vw_control_cmd cmds[] = {
	{"show", false, fn_show},
	{"change", true, fn_change},
	{"broken", false, fn_broken},
	{NULL},
};

static bool ask(const char *line, bool root, char *error, size_t size)
{
	struct vw_control_peer peer = {.pid = 1, .uid = root ? 0 : 1000, .root = root};
	json_t *answer = vw_control_answer(cmds, (char *)"arg", line, strlen(line), &peer);
	bool ok;

	assert_true(json_is_object(answer));
	ok = json_is_true(json_object_get(answer, "ok"));
	snprintf(error, size, "%s", json_string_value(json_object_get(answer, "error")) ?: "");
	assert_int_equal(ok, !*error);
	json_decref(answer);
	return ok;
}

static void test_answer(void **state)
{
	char e[256];

	(void)state;
	assert_true(ask("{\"cmd\":\"show\",\"x\":1}", false, e, sizeof(e)));
	assert_false(ask("", true, e, sizeof(e)));
	assert_false(ask("{", true, e, sizeof(e)));
	assert_false(ask("[1,2]", true, e, sizeof(e)));
	assert_false(ask("{\"cmd\":7}", true, e, sizeof(e)));
	assert_false(ask("{\"cmd\":\"show\",\"cmd\":\"change\"}", true, e, sizeof(e)));
	assert_false(ask("{\"cmd\":\"nothing\"}", true, e, sizeof(e)));
	assert_non_null(strstr(e, "nothing"));
	assert_false(ask("{\"cmd\":\"broken\"}", true, e, sizeof(e)));
}

static void test_root_only(void **state)
{
	char e[256];

	(void)state;
	changed = 0;
	assert_false(ask("{\"cmd\":\"change\"}", false, e, sizeof(e)));
	assert_int_equal(changed, 0);
	assert_true(ask("{\"cmd\":\"change\"}", true, e, sizeof(e)));
	assert_int_equal(changed, 1);
}

static void test_deep(void **state)
{
	static char line[VW_CONTROL_LINE_MAX];
	char e[256];

	(void)state;
	memset(line, '[', sizeof(line) - 1);
	assert_false(ask(line, true, e, sizeof(e)));
}

static void test_diagnostics(void **state)
{
	struct vw_pos pos = {"a.yaml", 3, 7};
	struct vw_diag d = {};
	json_t *list, *e;

	(void)state;
	vw_error(&d, &pos, "wrong %d", 1);
	vw_error(&d, &pos, "not UTF-8: \xff");
	list = vw_control_diagnostics(&d);
	assert_int_equal(json_array_size(list), 2);
	e = json_array_get(list, 0);
	assert_string_equal(json_string_value(json_object_get(e, "file")), "a.yaml");
	assert_int_equal(json_integer_value(json_object_get(e, "line")), 3);
	assert_int_equal(json_integer_value(json_object_get(e, "col")), 7);
	assert_string_equal(json_string_value(json_object_get(e, "message")), "wrong 1");
	json_decref(list);
	vw_diag_done(&d);
}

struct server {
	char dir[64];
	struct vw_loop *loop;
	struct vw_control *control;
	struct vw_timer *timer;
};

static void on_timer(void *arg)
{
	vw_loop_stop(((struct server *)arg)->loop);
}

/* Turns the loop until nothing has come for a while. */
static void turn(struct server *s)
{
	vw_timer_arm(s->timer, 50);
	assert_int_equal(vw_loop_run(s->loop), 0);
}

static int setup(void **state)
{
	struct server *s = calloc(1, sizeof(*s));
	struct vw_diag d = {};

	snprintf(s->dir, sizeof(s->dir), "/tmp/vw-control.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	assert_int_equal(vw_loop_new(&s->loop), 0);
	assert_int_equal(vw_timer_new(s->loop, on_timer, s, &s->timer), 0);
	assert_int_equal(
		vw_control_open(s->loop, s->dir, getgid(), cmds, (char *)"arg", &s->control, &d),
		0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct server *s = *state;

	vw_control_free(&s->control);
	vw_timer_free(&s->timer);
	vw_loop_free(&s->loop);
	assert_int_equal(rmdir(s->dir), 0); /* the socket went with its owner */
	free(s);
	return 0;
}

static int client(const struct server *s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%.60s/control.sock", s->dir);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static ssize_t receive(int fd, char *buf, size_t size)
{
	ssize_t n = recv(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	return n;
}

static void test_socket(void **state)
{
	struct server *s = *state;
	char buf[1024];
	int fd = client(s);

	/* In pieces, two in one. */
	assert_int_equal(send(fd, "{\"cmd\":", 7, 0), 7);
	turn(s);
	assert_int_equal(receive(fd, buf, sizeof(buf)), -1);
	assert_int_equal(send(fd, "\"show\"}\nnonsense\n", 17, 0), 17);
	turn(s);
	turn(s);
	assert_true(receive(fd, buf, sizeof(buf)) > 0);
	assert_non_null(strstr(buf, "\"arg\":\"arg\""));
	if (!strstr(buf, "\"error\""))
		assert_true(receive(fd, buf, sizeof(buf)) > 0);
	assert_non_null(strstr(buf, "\"error\""));
	close(fd);
	turn(s);
}

/* Sends all of it, the agent reading meanwhile; what the agent no longer takes is left. */
static void send_long(struct server *s, int fd, const char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = send(fd, text + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return;
		if (n > 0)
			done += (size_t)n;
		vw_timer_arm(s->timer, 1);
		assert_int_equal(vw_loop_run(s->loop), 0);
	}
}

/* This test is root, or nobody is. */
static size_t line_max(void)
{
	return getuid() ? VW_CONTROL_LINE_MAX : VW_CONTROL_ROOT_LINE_MAX;
}

static void test_long_line(void **state)
{
	size_t len = line_max() + 100;
	char *line = malloc(len), buf[1024];
	struct server *s = *state;
	int fd = client(s);

	assert_non_null(line);
	memset(line, 'x', len);
	send_long(s, fd, line, len);
	turn(s);
	assert_true(receive(fd, buf, sizeof(buf)) > 0);
	assert_non_null(strstr(buf, "longer than"));
	close(fd);
	free(line);
}

/* A request as long as may be is answered, and the next one on the same connection too. */
static void test_longest(void **state)
{
	static const char head[] = "{\"cmd\":\"show\",\"y\":\"", tail[] = "\"}\n{\"cmd\":7}\n";
	size_t len = line_max();
	char *line = malloc(len), buf[1024];
	struct server *s = *state;
	int fd = client(s);

	assert_non_null(line);
	memset(line, 'x', len);
	memcpy(line, head, sizeof(head) - 1);
	memcpy(line + len - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	send_long(s, fd, line, len);
	turn(s);
	turn(s);
	assert_true(receive(fd, buf, sizeof(buf)) > 0);
	assert_non_null(strstr(buf, "\"arg\":\"arg\""));
	assert_non_null(strstr(buf, "no \\\"cmd\\\""));
	close(fd);
	turn(s);
	free(line);
}

static void test_half(void **state)
{
	struct server *s = *state;
	char buf[1024];
	int fd = client(s);

	assert_int_equal(send(fd, "{\"cmd\":\"show\"", 13, 0), 13);
	turn(s);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	turn(s);
	assert_true(receive(fd, buf, sizeof(buf)) > 0);
	assert_non_null(strstr(buf, "has no end"));
	assert_int_equal(receive(fd, buf, sizeof(buf)), 0);
	close(fd);
}

static void test_many_clients(void **state)
{
	struct server *s = *state;
	int fds[VW_CONTROL_CLIENTS_MAX], extra;
	char buf[1024];

	for (size_t i = 0; i < VW_CONTROL_CLIENTS_MAX; i++) {
		fds[i] = client(s);
		turn(s);
	}
	extra = client(s);
	turn(s);
	assert_true(receive(extra, buf, sizeof(buf)) > 0);
	assert_non_null(strstr(buf, "too many"));
	close(extra);
	/* A place that is given back is free again. */
	close(fds[0]);
	turn(s);
	fds[0] = client(s);
	assert_int_equal(send(fds[0], "{\"cmd\":\"show\"}\n", 15, 0), 15);
	turn(s);
	turn(s);
	assert_true(receive(fds[0], buf, sizeof(buf)) > 0);
	assert_non_null(strstr(buf, "\"ok\":true"));
	for (size_t i = 0; i < VW_CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_root_only),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_diagnostics),
		cmocka_unit_test_setup_teardown(test_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_longest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_clients, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
