/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a segmented log, also while it is being written and rotated: the list of its files, and
 * the lines of one. Knows nothing of what the lines say. */
#include "vethwall/store.h"
#include "vethwall/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define READ_CHUNK (256u << 10)

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static bool is_open(const struct vw_segments *s, const struct stat *st)
{
	struct stat other;

	vw_vec_foreach (seg, &s->list) {
		if (!fstat(seg->fd, &other) && other.st_dev == st->st_dev &&
		    other.st_ino == st->st_ino)
			return true;
	}
	return false;
}

/* Opens one segment: 0, -ENOENT. */
static int add_segment(struct vw_segments *s, int dirfd, const char *name)
{
	_cleanup_(closep) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	struct vw_segment seg;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || is_open(s, &st))
		return 0;
	seg = (struct vw_segment){
		.fd = fd,
		.size = (uint64_t)st.st_size,
		.mtime_us = st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000,
	};
	snprintf(seg.name, sizeof(seg.name), "%s", name);
	r = vw_vec_push(&s->list, seg, VW_SEGMENTS_MAX + 1);
	if (!r)
		(void)TAKE_FD(fd);
	return r;
}

static void reverse(struct vw_segments *s)
{
	for (size_t i = 0, j = s->list.n; i + 1 < j; i++) {
		struct vw_segment tmp = s->list.v[i];

		s->list.v[i] = s->list.v[--j];
		s->list.v[j] = tmp;
	}
}

/* The youngest is opened first: a rotation in between shifts files towards higher numbers, so one
 * may be met twice (and is left out then) but none is missed. */
int vw_segments_open(const char *dir, const char *name, struct vw_segments *ret)
{
	_cleanup_(vw_segments_done) struct vw_segments s = {0};
	_cleanup_(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char seg[VW_SEGMENT_NAME];
	unsigned missing = 0;

	if (dirfd < 0)
		return -errno;
	for (unsigned i = 0; i <= VW_SEGMENTS_MAX && missing < 3; i++) {
		int r;

		if (i)
			snprintf(seg, sizeof(seg), "%.50s.%u", name, i);
		else
			snprintf(seg, sizeof(seg), "%.50s", name);
		r = add_segment(&s, dirfd, seg);
		if (r && r != -ENOENT)
			return r;
		missing = r ? missing + 1 : 0;
	}
	reverse(&s);
	*ret = s;
	s = (struct vw_segments){0};
	return 0;
}

void vw_segments_done(struct vw_segments *s)
{
	vw_vec_foreach (seg, &s->list) {
		if (seg->fd >= 0)
			close(seg->fd);
	}
	vw_vec_done(&s->list);
}

int vw_lines_init(struct vw_lines *l, int fd, size_t line_max)
{
	*l = (struct vw_lines){.fd = fd, .cap = line_max > READ_CHUNK ? line_max : READ_CHUNK};
	l->buf = malloc(l->cap);
	return l->buf ? 0 : -ENOMEM;
}

void vw_lines_done(struct vw_lines *l)
{
	free(l->buf);
	l->buf = NULL;
}

/* Reads more behind what is there: 1 more, 0 end of file, -EMSGSIZE no room, -errno. */
static int refill(struct vw_lines *l)
{
	ssize_t n;

	if (l->start) {
		memmove(l->buf, l->buf + l->start, l->fill - l->start);
		l->fill -= l->start;
		l->start = 0;
	}
	if (l->fill == l->cap)
		return -EMSGSIZE;
	do
		n = read(l->fd, l->buf + l->fill, l->cap - l->fill);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	l->fill += (size_t)n;
	return n > 0;
}

int vw_lines_next(struct vw_lines *l, const char **ret_line, size_t *ret_n)
{
	size_t seen = 0;

	for (;;) {
		char *from = l->buf + l->start;
		char *nl = memchr(from + seen, '\n', l->fill - l->start - seen);
		int r;

		if (nl && l->skipping) {
			l->skipping = false;
			l->offset += (size_t)(nl + 1 - from);
			l->start = (size_t)(nl + 1 - l->buf);
			l->number++;
			return -EMSGSIZE;
		}
		if (nl) {
			*ret_line = from;
			*ret_n = (size_t)(nl - from);
			l->offset += *ret_n + 1;
			l->start = (size_t)(nl + 1 - l->buf);
			l->number++;
			return 1;
		}
		seen = l->fill - l->start;
		r = refill(l);
		if (r == -EMSGSIZE) {
			l->skipping = true;
			l->offset += l->fill;
			l->start = l->fill = seen = 0;
		} else if (r <= 0) {
			return r;
		}
	}
}

size_t vw_lines_torn(const struct vw_lines *l)
{
	return l->fill - l->start;
}
