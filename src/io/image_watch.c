/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inotify on the folders of image lists. Folders are watched, not files, so that a rename into
 * place is seen; and of a folder of reports the folder itself. Knows no contents. */
#include <libgen.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "vethwall/cleanup.h"
#include "vethwall/image_watch.h"

#define SETTLE_MS 20 /* several writes of one save are read once */
#define AGAIN_MS 2000 /* until a folder that is not there is looked for again */
#define EVENTS_MAX 65536 /* bytes of one read of inotify events */
#define MASK                                                                                     \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | \
	 IN_MOVE_SELF)

struct vw_image_watch {
	struct vw_loop *loop;
	const struct vw_settings *s;
	void (*cb)(void *arg);
	void *arg;
	struct vw_timer *timer;
	int fd;
	int around[VW_IMAGE_LISTS_MAX]; /* watch on the folder that the file is in; -1: none */
	int inside[VW_IMAGE_LISTS_MAX]; /* on the file itself, when it is a folder; -1 */
};

/* The same folder gives the same watch: this may be done again at any time. */
static bool watch_all(struct vw_image_watch *w)
{
	bool all = true;

	for (size_t i = 0; i < w->s->image_lists.n; i++) {
		const char *file = w->s->image_lists.v[i].file;
		_cleanup_free_ char *copy = strdup(file);

		w->around[i] = copy ? inotify_add_watch(w->fd, dirname(copy), MASK) : -1;
		w->inside[i] = inotify_add_watch(w->fd, file, MASK | IN_ONLYDIR);
		all &= w->around[i] >= 0;
	}
	return all;
}

static void on_timer(void *arg)
{
	struct vw_image_watch *w = arg;
	bool all = watch_all(w); /* before it is read: nothing happens unseen in between */

	w->cb(w->arg);
	if (!all)
		vw_timer_arm(w->timer, AGAIN_MS);
}

static bool is_name(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');

	return strcmp(slash ? slash + 1 : file, name) == 0;
}

static bool concerns(const struct vw_image_watch *w, const struct inotify_event *e)
{
	if (!e->len || (e->mask & IN_Q_OVERFLOW))
		return true;
	for (size_t i = 0; i < w->s->image_lists.n; i++) {
		if (e->wd == w->inside[i])
			return true;
		/* "..data": a Kubernetes volume, whose files are links through it. */
		if (e->wd == w->around[i] && (is_name(w->s->image_lists.v[i].file, e->name) ||
					      strncmp(e->name, "..", 2) == 0))
			return true;
	}
	return false;
}

static void on_inotify(int fd, uint32_t events, void *arg)
{
	static char buf[EVENTS_MAX] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct vw_image_watch *w = arg;
	const struct inotify_event *e;
	bool news = false;
	ssize_t n;

	(void)events;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (const char *p = buf; p < buf + n; p += sizeof(*e) + e->len) {
			e = (const struct inotify_event *)(const void *)p;
			news |= concerns(w, e);
		}
	if (news)
		vw_timer_arm(w->timer, SETTLE_MS);
}

void vw_image_watch_free(struct vw_image_watch **pw)
{
	struct vw_image_watch *w = *pw;

	if (!w)
		return;
	if (w->fd >= 0) {
		vw_loop_unwatch(w->loop, w->fd);
		close(w->fd);
	}
	vw_timer_free(&w->timer);
	free(w);
	*pw = NULL;
}

int vw_image_watch_open(struct vw_loop *loop, const struct vw_settings *s, void (*cb)(void *arg),
			void *arg, struct vw_image_watch **ret)
{
	struct vw_image_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	*w = (struct vw_image_watch){.loop = loop, .s = s, .cb = cb, .arg = arg};
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r = w->fd < 0 ? -errno : vw_loop_watch(loop, w->fd, EPOLLIN, on_inotify, w);
	if (!r)
		r = vw_timer_new(loop, on_timer, w, &w->timer);
	if (r) {
		vw_image_watch_free(&w);
		return r;
	}
	on_timer(w);
	*ret = w;
	return 0;
}
