/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runtime static:FILE: a world file, followed as it changes. The folder is watched, not the
 * file, so that an editor's rename is seen; a file that does not parse is reported with its places,
 * and what was read before stays. */
#include <libgen.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/loop.h"
#include "vethwall/runtime.h"

struct vw_static {
	struct vw_runtime base;
	struct vw_loop *loop;
	struct vw_runtime_sink sink;
	char *path, *name; /* name: the file's own, within its folder */
	int fd; /* inotify */
	struct vw_timer *timer;
};

#define SETTLE_MS 10 /* several writes of one save are read once */
#define RETRY_MS 1000 /* for want of memory or descriptors nobody writes the file again */
#define EVENTS_MAX 65536 /* bytes of one read of inotify events */

static void tell(struct vw_static *s, struct vw_world *w)
{
	s->sink.begin(s->sink.arg);
	s->sink.namespaces(s->sink.arg, w->namespaces.v, w->namespaces.n);
	vw_vec_foreach (k, &w->workloads) {
		struct vw_workload given = *k;

		*k = (struct vw_workload){0};
		/* A world that was saved elsewhere has the numbers of that place. */
		vw_vec_foreach (i, &given.ifaces)
			i->ifindex = 0;
		s->sink.put(s->sink.arg, &given, 0);
	}
	s->sink.synced(s->sink.arg);
	s->sink.state(s->sink.arg, true, s->path);
}

static void complain(struct vw_static *s, const struct vw_diag *d, int r)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	if (d->list.n)
		vw_diag_print(d, f, false);
	else
		fprintf(f, "%s: %s", s->path, strerror(-r));
	fclose(f);
	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	s->sink.state(s->sink.arg, false, text);
}

static void read_file(void *arg)
{
	struct vw_static *s = arg;
	_cleanup_free_ char *text = NULL;
	struct vw_world w = {0};
	struct vw_diag d = {0};
	size_t len = 0;
	int r = vw_file_read(s->path, VW_TEXT_MAX, &text, &len);

	if (!r)
		r = vw_world_parse(text, len, s->path, &w, &d);
	if (r) {
		complain(s, &d, r);
		vw_timer_arm(s->timer, RETRY_MS);
	} else {
		tell(s, &w);
	}
	vw_world_done(&w);
	vw_diag_done(&d);
}

static bool concerns(const struct vw_static *s, const char *buf, ssize_t n)
{
	const struct inotify_event *e;

	for (const char *p = buf; p < buf + n; p += sizeof(*e) + e->len) {
		e = (const struct inotify_event *)(const void *)p;
		if ((e->mask & IN_Q_OVERFLOW) || (e->len && !strcmp(e->name, s->name)))
			return true;
	}
	return false;
}

static void on_inotify(int fd, uint32_t events, void *arg)
{
	static char buf[EVENTS_MAX] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct vw_static *s = arg;
	ssize_t n;

	(void)events;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (concerns(s, buf, n))
			vw_timer_arm(s->timer, SETTLE_MS);
}

static void static_again(struct vw_runtime *r)
{
	vw_timer_arm(((struct vw_static *)r)->timer, RETRY_MS);
}

static void static_free(struct vw_runtime *r)
{
	struct vw_static *s = (struct vw_static *)r;

	if (s->fd >= 0) {
		vw_loop_unwatch(s->loop, s->fd);
		close(s->fd);
	}
	vw_timer_free(&s->timer);
	free(s->path);
	free(s->name);
	free(s);
}

static const struct vw_runtime_ops static_ops = {
	.name = "static", .again = static_again, .free = static_free};

static int watch(struct vw_static *s)
{
	const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE;
	_cleanup_free_ char *dir = strdup(s->path), *file = strdup(s->path);

	if (!dir || !file)
		return -ENOMEM;
	s->name = strdup(basename(file));
	s->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (!s->name)
		return -ENOMEM;
	if (s->fd < 0 || inotify_add_watch(s->fd, dirname(dir), mask) < 0)
		return -errno;
	return vw_loop_watch(s->loop, s->fd, EPOLLIN, on_inotify, s);
}

int vw_static_open(struct vw_loop *loop, const char *file, const struct vw_runtime_sink *sink,
		   struct vw_runtime **ret, struct vw_diag *d)
{
	struct vw_static *s = calloc(1, sizeof(*s));
	int r = s ? 0 : -ENOMEM;

	if (r)
		return r;
	*s = (struct vw_static){.base.ops = &static_ops, .loop = loop, .sink = *sink, .fd = -1};
	s->path = strdup(file);
	r = s->path ? watch(s) : -ENOMEM;
	if (!r)
		r = vw_timer_new(loop, read_file, s, &s->timer);
	if (r) {
		vw_error(d, NULL, "cannot follow %s: %s", file, strerror(-r));
		static_free(&s->base);
		return r;
	}
	vw_timer_arm(s->timer, 0);
	*ret = &s->base;
	return 0;
}
