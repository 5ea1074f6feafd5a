/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The append-only log: lines go to NAME until it is full, then it becomes NAME.1. A write is all or
 * nothing also on a full disk, because the file is cut back; a crash can leave one incomplete last
 * line, which the next start cuts. Knows nothing of what the lines say. */
#include "vethwall/store.h"
#include "vethwall/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

struct vw_store {
	char *name;
	int dirfd, fd;
	uint64_t size, segment_bytes;
	uint64_t cut; /* bytes of incomplete lines that were cut off */
	unsigned segments;
	gid_t gid;
	bool cut_back; /* the file must be cut to size before the next write */
	bool reopen; /* the file was rotated away and a new one could not be made yet */
};

int vw_store_dir(const char *dir, gid_t gid, struct vw_diag *d)
{
	int fd;

	if (mkdir(dir, 0750) && errno != EEXIST) {
		int r = -errno;

		vw_error(d, NULL, "cannot make the folder %s: %s", dir, strerror(-r));
		return r;
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int r = -errno;

		vw_error(d, NULL, "cannot open the folder %s: %s", dir, strerror(-r));
		return r;
	}
	if (gid != (gid_t)-1)
		(void)!fchown(fd, (uid_t)-1, gid);
	return fd;
}

/* The name of segment i; 0 is the one being written. */
static void segment_name(const char *name, unsigned i, char ret[static VW_SEGMENT_NAME])
{
	if (i)
		snprintf(ret, VW_SEGMENT_NAME, "%.50s.%u", name, i);
	else
		snprintf(ret, VW_SEGMENT_NAME, "%.50s", name);
}

int vw_rotate(int dirfd, const char *name, unsigned segments)
{
	char from[VW_SEGMENT_NAME], to[VW_SEGMENT_NAME];
	int r = 0;

	for (unsigned i = segments > 1 ? segments - 1 : 0; i > 0; i--) {
		segment_name(name, i - 1, from);
		segment_name(name, i, to);
		if (renameat(dirfd, from, dirfd, to) && errno != ENOENT)
			r = -errno;
	}
	if (segments <= 1 && unlinkat(dirfd, name, 0) && errno != ENOENT)
		r = -errno;
	return r;
}

/* Segments beyond the number kept: an earlier configuration kept more. */
static void drop_surplus(int dirfd, const char *name, unsigned segments)
{
	char old[VW_SEGMENT_NAME];

	for (unsigned i = segments ? segments : 1; i <= VW_SEGMENTS_MAX; i++) {
		segment_name(name, i, old);
		(void)unlinkat(dirfd, old, 0);
	}
}

/* Offset behind the last newline. */
static int complete_size(int fd, uint64_t size, uint64_t *ret)
{
	char buf[65536];

	while (size) {
		size_t n = size < sizeof(buf) ? (size_t)size : sizeof(buf);
		ssize_t got = pread(fd, buf, n, (off_t)(size - n));
		const char *nl;

		if (got < 0)
			return -errno;
		if ((size_t)got != n)
			return -EIO;
		nl = memrchr(buf, '\n', n);
		if (nl) {
			*ret = size - n + (size_t)(nl - buf) + 1;
			return 0;
		}
		size -= n;
	}
	*ret = 0;
	return 0;
}

/* Opens NAME, cuts off an incomplete last line, and only then lets go of the file before. */
static int open_active(struct vw_store *s)
{
	struct stat st;
	uint64_t keep = 0;
	int r, fd = openat(s->dirfd, s->name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			   0640);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		r = -errno;
		close(fd);
		return r;
	}
	(void)!fchmod(fd, 0640); /* whatever the umask */
	if (s->gid != (gid_t)-1)
		(void)!fchown(fd, (uid_t)-1, s->gid);
	r = complete_size(fd, (uint64_t)st.st_size, &keep);
	if (!r && keep < (uint64_t)st.st_size && ftruncate(fd, (off_t)keep))
		r = -errno;
	if (r) {
		close(fd);
		return r;
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->size = keep;
	s->cut += (uint64_t)st.st_size - keep;
	s->cut_back = s->reopen = false;
	return 0;
}

/* The disk may have room again later, and enforcement does not wait for the log. */
static bool may_recover(int err)
{
	return err == -ENOSPC || err == -EDQUOT || err == -EROFS || err == -EIO;
}

static int store_start(struct vw_store *s, const struct vw_store_options *o, struct vw_diag *d)
{
	int r;

	s->dirfd = vw_store_dir(o->dir, o->gid, d);
	if (s->dirfd < 0)
		return s->dirfd;
	if (flock(s->dirfd, LOCK_EX | LOCK_NB)) {
		vw_error(d, NULL, "another agent writes its log to %s", o->dir);
		return -EBUSY;
	}
	r = open_active(s);
	if (r)
		vw_diag_add(d, may_recover(r) ? VW_WARNING : VW_ERROR, NULL, NULL,
			    "cannot write %s/%s: %s", o->dir, o->name, strerror(-r));
	if (!may_recover(r))
		return r;
	s->reopen = true;
	return 0;
}

int vw_store_open(const struct vw_store_options *o, struct vw_store **ret, uint64_t *ret_cut,
		  struct vw_diag *d)
{
	_cleanup_(vw_store_free) struct vw_store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->fd = s->dirfd = -1;
	s->segment_bytes = o->segment_bytes;
	s->segments = o->segments > VW_SEGMENTS_MAX ? VW_SEGMENTS_MAX : o->segments;
	s->gid = o->gid;
	s->name = strdup(o->name);
	if (!s->name)
		return -ENOMEM;
	r = store_start(s, o, d);
	if (r)
		return r;
	drop_surplus(s->dirfd, s->name, s->segments);
	*ret_cut = s->cut;
	*ret = TAKE_PTR(s);
	return 0;
}

void vw_store_free(struct vw_store **sp)
{
	struct vw_store *s = *sp;

	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	if (s->dirfd >= 0)
		close(s->dirfd);
	free(s->name);
	free(s);
	*sp = NULL;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* Makes sure that the file behind fd is the one that readers see, and has room for n more bytes. */
static int prepare(struct vw_store *s, size_t n)
{
	struct stat st;
	int r;

	/* no link: somebody removed it */
	if (s->reopen || fstat(s->fd, &st) || !st.st_nlink) {
		r = open_active(s);
		if (r)
			return r;
	}
	if (s->cut_back && ftruncate(s->fd, (off_t)s->size))
		return -errno;
	s->cut_back = false;
	if (!s->size || s->size + n <= s->segment_bytes)
		return 0;
	/* Where rotation fails, the same segment is opened again: better too long than lost. */
	(void)vw_rotate(s->dirfd, s->name, s->segments);
	s->reopen = true;
	return open_active(s);
}

int vw_store_append(struct vw_store *s, const char *lines, size_t n)
{
	int r;

	if (!n)
		return 0;
	r = prepare(s, n);
	if (r)
		return r;
	r = write_all(s->fd, lines, n);
	if (r) {
		s->cut_back = ftruncate(s->fd, (off_t)s->size) != 0;
		return r;
	}
	s->size += n;
	return 0;
}
