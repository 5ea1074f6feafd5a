/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sampled packets on disk: pcapng files of raw IP packets, each with a comment that names its flow,
 * rotated by size. What a crash left incomplete is cut after the last whole block. */
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/loop.h"
#include "vethwall/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define RETRY_NS 1000000000
#define BUF_BYTES (2 * VW_PCAPNG_PACKET_MAX)

struct vw_pcap_file {
	char *name;
	int dirfd, fd; /* fd -1: could not be opened yet */
	uint64_t flushed; /* bytes of the file */
	uint64_t segment_bytes;
	unsigned segments;
	gid_t gid;
	uint64_t lost, waiting; /* packets: that were not kept; in buf */
	int64_t not_before_ns; /* after a failure */
	size_t fill;
	uint8_t buf[BUF_BYTES];
};

/* Bytes up to the end of the last whole block; 0: not a file that we can go on writing. */
static int whole_size(int fd, uint64_t *ret)
{
	_cleanup_(vw_pcapng_done) struct vw_pcapng r = {0};
	struct vw_pcapng_packet k;
	int e = vw_pcapng_init(&r, fd);

	if (e)
		return e;
	do
		e = vw_pcapng_next(&r, &k);
	while (e == 1);
	*ret = r.st.raw && !r.st.swapped ? r.offset : 0;
	/* Behind what is broken nothing would be found: what is whole stays, the rest goes. */
	return e == -EINVAL || e == -EMSGSIZE || e == -EMEDIUMTYPE ? 0 : e;
}

/* Opens for appending at a place where a packet may begin. -EBADMSG: it is none of ours. */
static int open_file(struct vw_pcap_file *p)
{
	int r, fd = openat(p->dirfd, p->name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			   0640);
	struct stat st;
	uint64_t whole = 0;

	if (fd < 0)
		return -errno;
	(void)!fchmod(fd, 0640);
	if (p->gid != (gid_t)-1)
		(void)!fchown(fd, (uid_t)-1, p->gid);
	r = fstat(fd, &st) ? -errno : 0;
	if (!r && st.st_size)
		r = whole_size(fd, &whole);
	if (!r && st.st_size && !whole)
		r = -EBADMSG;
	if (!r && whole < (uint64_t)st.st_size && ftruncate(fd, (off_t)whole))
		r = -errno;
	if (r) {
		close(fd);
		return r;
	}
	p->fd = fd;
	p->flushed = whole;
	p->fill = whole ? 0 : vw_pcapng_head(p->buf);
	return 0;
}

static int open_or_next(struct vw_pcap_file *p)
{
	int r = open_file(p);

	if (r != -EBADMSG)
		return r;
	(void)vw_rotate(p->dirfd, p->name, p->segments);
	return open_file(p);
}

int vw_pcap_file_open(const struct vw_store_options *o, struct vw_pcap_file **ret,
		      struct vw_diag *d)
{
	_cleanup_(vw_pcap_file_free) struct vw_pcap_file *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->fd = -1;
	p->segment_bytes = o->segment_bytes;
	p->segments = o->segments > VW_SEGMENTS_MAX ? VW_SEGMENTS_MAX : o->segments;
	p->gid = o->gid;
	p->dirfd = vw_store_dir(o->dir, o->gid, d);
	if (p->dirfd < 0)
		return p->dirfd;
	p->name = strdup(o->name);
	if (!p->name)
		return -ENOMEM;
	/* Tried again at each packet: enforcement does not wait for evidence. */
	r = open_or_next(p);
	if (r)
		vw_diag_add(d, VW_WARNING, NULL, NULL, "cannot write %s/%s: %s", o->dir, o->name,
			    strerror(-r));
	*ret = TAKE_PTR(p);
	return 0;
}

static void close_file(struct vw_pcap_file *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->lost += p->waiting;
	p->fill = p->waiting = 0;
}

static int failed(struct vw_pcap_file *p, int r)
{
	p->not_before_ns = vw_now_ns() + RETRY_NS;
	return r;
}

void vw_pcap_file_free(struct vw_pcap_file **pp)
{
	struct vw_pcap_file *p = *pp;

	if (!p)
		return;
	(void)vw_pcap_file_flush(p);
	close_file(p);
	if (p->dirfd >= 0)
		close(p->dirfd);
	free(p->name);
	free(p);
	*pp = NULL;
}

static int rotate(struct vw_pcap_file *p)
{
	int r = vw_pcap_file_flush(p);

	if (r)
		return r;
	close_file(p);
	(void)vw_rotate(p->dirfd, p->name, p->segments);
	return open_or_next(p);
}

/* Makes sure that there is a file with room for the packet. */
static int prepare(struct vw_pcap_file *p, const struct vw_pcapng_packet *k)
{
	uint64_t size = p->flushed + p->fill;
	size_t need = k->caplen + k->comment.n + 64;
	struct stat st;
	int r = 0;

	if (p->not_before_ns && vw_now_ns() < p->not_before_ns)
		return -EAGAIN;
	p->not_before_ns = 0;
	if (p->fd >= 0 && !p->fill && (fstat(p->fd, &st) || !st.st_nlink))
		close_file(p); /* somebody removed it */
	if (p->fd < 0)
		r = open_or_next(p);
	else if (size + need > p->segment_bytes && size > VW_PCAPNG_HEAD_MAX)
		r = rotate(p);
	if (!r && p->fill + VW_PCAPNG_PACKET_MAX > sizeof(p->buf))
		r = vw_pcap_file_flush(p);
	return r ? failed(p, r) : 0;
}

int vw_pcap_file_write(struct vw_pcap_file *p, const struct vw_pcapng_packet *k)
{
	int r = prepare(p, k);

	if (r) {
		p->lost++;
		return r;
	}
	p->fill += vw_pcapng_packet(k, p->buf + p->fill);
	p->waiting++;
	return 0;
}

uint64_t vw_pcap_file_lost(const struct vw_pcap_file *p)
{
	return p->lost;
}

int vw_pcap_file_flush(struct vw_pcap_file *p)
{
	int r;

	if (p->fd < 0 || !p->fill)
		return 0;
	r = vw_write_all(p->fd, p->buf, p->fill);
	if (!r) {
		p->flushed += p->fill;
		p->fill = p->waiting = 0;
		return 0;
	}
	/* A full disk: what was begun goes, what was whole stays; opened again at the next packet.
	 */
	(void)!ftruncate(p->fd, (off_t)p->flushed);
	close_file(p);
	return failed(p, r);
}
