/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The append-only log: lines go to NAME until it is full or old, then it becomes NAME.1. A write is
 * all or nothing also on a full disk, because the file is cut back; a crash can leave one
 * incomplete last line, which the next start cuts. Segments may be chained by hashes (chain.c).
 * Knows nothing of what the lines say. */
#include "vethwall/store.h"
#include "vethwall/chain.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define OPEN_MAX (1u << 20) /* bytes before a seal; chain.c finds it from a segment's end */

struct vw_store {
	char *name;
	int dirfd, fd;
	uint64_t size, segment_bytes;
	uint64_t cut; /* bytes of incomplete lines that were cut off */
	unsigned segments;
	gid_t gid;
	bool cut_back; /* the file must be cut to size before the next write */
	bool reopen; /* the file was rotated away and a new one could not be made yet */
	int64_t age_us, begun_us; /* 0: whatever its age; not known */

	char *node; /* NULL: not chained */
	char *seal_path; /* NULL: seals are kept in the log alone */
	struct vw_sealer chain; /* of the file that is being written, once it has its first line */
	uint64_t next_seq, oldest;
	char previous[VW_SHA256_HEX]; /* for the next segment's first line */
	const char *doubt;
	bool surplus; /* there may be more segments than are to be kept */
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
static void drop_surplus(struct vw_store *s)
{
	char old[VW_SEGMENT_NAME];

	for (unsigned i = s->segments ? s->segments : 1; s->surplus && i <= VW_SEGMENTS_MAX; i++) {
		segment_name(s->name, i, old);
		(void)unlinkat(s->dirfd, old, 0);
	}
	s->surplus = false;
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

/* ---- the chain over segments ---- */

/* What the next segment says of those before it. That which the next rotation will overwrite is not
 * promised: the new segment's first line may have to wait for room on the disk. */
static void chain_ends(struct vw_store *s)
{
	uint64_t promised = s->segments > 2 ? s->segments - 1 : 1;

	if (!s->chain.seq)
		return;
	vw_sealer_sum(&s->chain, s->previous);
	s->next_seq = s->chain.seq + 1;
	if (s->next_seq + 1 > promised && s->oldest < s->next_seq + 1 - promised)
		s->oldest = s->next_seq + 1 - promised;
	s->chain = (struct vw_sealer){0};
}

/* The file that is gone on with: its numbers and its hash. */
static int chain_resume(struct vw_store *s, int fd, uint64_t size)
{
	struct vw_chain_note head;
	struct vw_sealer c;
	int r = vw_sealer_resume(fd, size, &c, &head);

	if (r)
		return r;
	s->chain = c;
	s->next_seq = c.seq;
	s->oldest = head.oldest;
	s->begun_us = head.time_us;
	memcpy(s->previous, head.sha256, sizeof(s->previous));
	return 0;
}

/* Opens NAME.i as far as its lines are whole. */
static int open_segment(const struct vw_store *s, unsigned i, uint64_t *ret_size)
{
	char name[VW_SEGMENT_NAME];
	struct stat st;
	int fd, r;

	segment_name(s->name, i, name);
	fd = openat(s->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) ? -errno : complete_size(fd, (uint64_t)st.st_size, ret_size);
	if (!r)
		return fd;
	close(fd);
	return r;
}

/* Nothing to go on with: the next segment follows the youngest that is there. */
static void chain_follow(struct vw_store *s)
{
	uint64_t size = 0;
	int fd = open_segment(s, 1, &size);

	s->chain = (struct vw_sealer){0};
	if (fd < 0)
		return;
	if (!chain_resume(s, fd, size))
		chain_ends(s);
	close(fd);
}

/* The seal that the state folder keeps; its number is 0 when there is none. */
static void kept_seal(const struct vw_store *s, struct vw_chain_note *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t n;

	*ret = (struct vw_chain_note){0};
	if (s->seal_path && !vw_file_read(s->seal_path, VW_NOTE_LINE_MAX, &text, &n) &&
	    vw_chain_parse(text, n, ret))
		*ret = (struct vw_chain_note){0};
}

/* Whether segment i has this seal where it says; -ENOENT: it is another segment, or none. */
static int has_seal(const struct vw_store *s, unsigned i, const struct vw_chain_note *seal)
{
	char line[VW_NOTE_LINE_MAX];
	struct vw_chain_note n;
	uint64_t size = 0;
	int fd = open_segment(s, i, &size), r = -ENOENT;
	ssize_t got;

	if (fd < 0)
		return fd;
	got = pread(fd, line, sizeof(line), 0);
	if (got > 0 && !vw_chain_parse(line, (size_t)got, &n) && n.seq == seal->seq)
		r = 0;
	got = r ? 0 : pread(fd, line, sizeof(line), (off_t)seal->offset);
	close(fd);
	if (r)
		return r;
	return got > 0 && !vw_chain_parse(line, (size_t)got, &n) && n.kind == VW_NOTE_SEAL &&
	       !strcmp(n.sha256, seal->sha256);
}

/* Whether the log still has what it had when the last seal was made. */
static void check_kept(struct vw_store *s)
{
	struct vw_chain_note seal;
	int r = -ENOENT;

	kept_seal(s, &seal);
	if (!seal.seq)
		return;
	for (unsigned i = 0; i <= s->segments && r < 0; i++)
		r = has_seal(s, i, &seal);
	if (r <= 0)
		s->doubt = "its newest seal is not there: it was cut, altered or removed";
	if (s->next_seq <= seal.seq && r < 0)
		s->next_seq = seal.seq + 1;
}

/* ---- the file that is written ---- */

static int cut_to_lines(struct vw_store *s, int fd, uint64_t *ret_keep)
{
	struct stat st;
	uint64_t keep = 0;
	int r;

	if (fstat(fd, &st))
		return -errno;
	(void)!fchmod(fd, 0640); /* whatever the umask */
	if (s->gid != (gid_t)-1)
		(void)!fchown(fd, (uid_t)-1, s->gid);
	r = complete_size(fd, (uint64_t)st.st_size, &keep);
	if (!r && keep < (uint64_t)st.st_size && ftruncate(fd, (off_t)keep))
		r = -errno;
	if (r)
		return r;
	s->cut += (uint64_t)st.st_size - keep;
	*ret_keep = keep;
	return 0;
}

/* Opens NAME, cuts off an incomplete last line, and only then lets go of the file before. -EBADMSG:
 * it is none that the chain can go on in. */
static int open_file(struct vw_store *s)
{
	uint64_t keep = 0;
	int r, fd = openat(s->dirfd, s->name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			   0640);

	if (fd < 0)
		return -errno;
	r = cut_to_lines(s, fd, &keep);
	if (!r && s->node && keep)
		r = chain_resume(s, fd, keep);
	if (r) {
		close(fd);
		return r;
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->size = keep;
	s->cut_back = s->reopen = false;
	return 0;
}

static int open_active(struct vw_store *s)
{
	int r = open_file(s);

	if (r != -EBADMSG)
		return r;
	(void)vw_rotate(s->dirfd, s->name, s->segments);
	return open_file(s);
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
	if (s->node && !s->chain.seq)
		chain_follow(s);
	if (s->node)
		check_kept(s);
	if (!may_recover(r))
		return r;
	s->reopen = true;
	return 0;
}

static int take_options(struct vw_store *s, const struct vw_store_options *o)
{
	s->segment_bytes = o->segment_bytes;
	s->segments = o->segments > VW_SEGMENTS_MAX ? VW_SEGMENTS_MAX : o->segments;
	s->gid = o->gid;
	s->age_us = (int64_t)o->segment_age_us;
	s->next_seq = s->oldest = 1;
	s->name = strdup(o->name);
	if (!s->name)
		return -ENOMEM;
	if (!o->node)
		return 0;
	s->node = strdup(o->node);
	if (!s->node)
		return -ENOMEM;
	if (o->state_dir && asprintf(&s->seal_path, "%s/" VW_SEAL_FILE, o->state_dir) < 0) {
		s->seal_path = NULL;
		return -ENOMEM;
	}
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
	r = take_options(s, o);
	if (!r)
		r = store_start(s, o, d);
	if (r)
		return r;
	s->surplus = true;
	if (!s->node)
		drop_surplus(s);
	*ret_cut = s->cut;
	*ret = TAKE_PTR(s);
	return 0;
}

void vw_store_free(struct vw_store **sp)
{
	struct vw_store *s = *sp;

	if (!s)
		return;
	(void)vw_store_seal(s);
	if (s->fd >= 0)
		close(s->fd);
	if (s->dirfd >= 0)
		close(s->dirfd);
	free(s->name);
	free(s->node);
	free(s->seal_path);
	free(s);
	*sp = NULL;
}

static bool is_old(const struct vw_store *s)
{
	return s->age_us && s->begun_us && vw_wall_ns() / 1000 - s->begun_us > s->age_us;
}

/* Makes sure that the file behind fd is the one that readers see, and has room for n more bytes. */
static int prepare(struct vw_store *s, size_t n)
{
	struct stat st;
	int r;

	/* no link: somebody removed it */
	if (s->reopen || fstat(s->fd, &st) || !st.st_nlink) {
		chain_ends(s);
		r = open_active(s);
		if (r)
			return r;
	}
	if (s->cut_back && ftruncate(s->fd, (off_t)s->size))
		return -errno;
	s->cut_back = false;
	if (!s->size || (s->size + n <= s->segment_bytes && !is_old(s)))
		return 0;
	/* Where rotation fails, the same segment is opened again: better too long than lost. */
	(void)vw_store_seal(s);
	(void)vw_rotate(s->dirfd, s->name, s->segments);
	chain_ends(s);
	s->reopen = true;
	return open_active(s);
}

static int put(struct vw_store *s, const char *lines, size_t n)
{
	int r = vw_write_all(s->fd, lines, n);

	if (r) {
		s->cut_back = ftruncate(s->fd, (off_t)s->size) != 0;
		return r;
	}
	s->size += n;
	return 0;
}

static int put_head(struct vw_store *s)
{
	struct vw_chain_note head = {.kind = VW_NOTE_SEGMENT,
				     .time_us = vw_wall_ns() / 1000,
				     .seq = s->next_seq,
				     .oldest = s->oldest};
	char line[VW_NOTE_LINE_MAX];
	size_t n;
	int r;

	memcpy(head.sha256, s->previous, sizeof(head.sha256));
	n = vw_chain_line(&head, s->node, line);
	r = put(s, line, n);
	if (r)
		return r;
	vw_sealer_begin(&s->chain, head.seq);
	vw_sealer_add(&s->chain, line, n);
	s->begun_us = head.time_us;
	drop_surplus(s); /* not before a line says so */
	return 0;
}

int vw_store_append(struct vw_store *s, const char *lines, size_t n)
{
	int r;

	if (!n)
		return 0;
	r = prepare(s, n);
	if (!r && !s->size)
		r = s->node ? put_head(s) : 0;
	if (!r && !s->begun_us)
		s->begun_us = vw_wall_ns() / 1000;
	if (!r)
		r = put(s, lines, n);
	if (r || !s->node)
		return r;
	vw_sealer_add(&s->chain, lines, n);
	if (s->chain.open >= OPEN_MAX)
		(void)vw_store_seal(s);
	return 0;
}

int vw_store_seal(struct vw_store *s)
{
	char line[VW_NOTE_LINE_MAX];
	struct vw_chain_note seal;
	size_t n;
	int r;

	if (!s->chain.seq || !s->chain.open || s->cut_back || s->reopen)
		return 0;
	vw_sealer_seal(&s->chain, vw_wall_ns() / 1000, &seal);
	n = vw_chain_line(&seal, s->node, line);
	r = put(s, line, n);
	if (r)
		return r;
	vw_sealer_sealed(&s->chain, line, n);
	return s->seal_path ? vw_file_write(s->seal_path, line, n) : 0;
}

void vw_store_at(const struct vw_store *s, uint64_t *ret_seq, uint64_t *ret_offset)
{
	*ret_seq = s->node ? s->chain.seq ? s->chain.seq : s->next_seq : 0;
	*ret_offset = s->chain.seq || !s->node ? s->size : 0;
}

const char *vw_store_doubt(const struct vw_store *s)
{
	return s->doubt;
}
