/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sampled packets on disk: classic pcap files of raw IP packets, rotated by size, written by
 * libpcap. (pcap-ng could carry names, but libpcap cannot write it.) A file left incomplete by a
 * crash is cut after its last whole packet. */
#include "vethwall/store.h"
#include "vethwall/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <string.h>
#include <sys/stat.h>

#define SNAPLEN 65535
#define FILE_HEADER 24
#define RECORD_HEADER 16
#define PCAP_MAGIC 0xa1b2c3d4u /* microseconds, our byte order */
#define LINKTYPE_RAW 101 /* what DLT_RAW is called in files */

struct vw_pcap_file {
	char *name, *path;
	int dirfd;
	pcap_t *dead;
	pcap_dumper_t *out; /* NULL: could not be opened yet */
	uint64_t size; /* with what was not flushed */
	uint64_t flushed;
	uint64_t segment_bytes;
	unsigned segments;
	gid_t gid;
};

static void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Bytes up to the end of the last whole packet; 0: not a file that we can go on writing. */
static uint64_t whole_size(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_(fclosep) FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	struct pcap_file_header h;
	uint32_t rec[4];
	struct stat st;
	uint64_t at = FILE_HEADER;

	if (!f) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	if (fstat(fd, &st) || fread(&h, FILE_HEADER, 1, f) != 1 || h.magic != PCAP_MAGIC ||
	    h.linktype != LINKTYPE_RAW)
		return 0;
	while (fread(rec, RECORD_HEADER, 1, f) == 1) {
		uint64_t next = at + RECORD_HEADER + rec[2];

		if (rec[2] > SNAPLEN || next > (uint64_t)st.st_size ||
		    fseeko(f, (off_t)next, SEEK_SET))
			break;
		at = next;
	}
	return at;
}

static int cut_file(const struct vw_pcap_file *p, uint64_t size)
{
	return truncate(p->path, (off_t)size) ? -errno : 0;
}

/* Opens for appending at a place where a packet may begin. */
static int open_out(struct vw_pcap_file *p)
{
	int fd = openat(p->dirfd, p->name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	struct stat st;
	uint64_t whole;

	if (fd < 0)
		return -errno;
	(void)!fchmod(fd, 0640);
	if (p->gid != (gid_t)-1)
		(void)!fchown(fd, (uid_t)-1, p->gid);
	if (fstat(fd, &st)) {
		close(fd);
		return -EIO;
	}
	close(fd);
	whole = st.st_size ? whole_size(p->dirfd, p->name) : 0;
	if (st.st_size && !whole) {
		(void)vw_rotate(p->dirfd, p->name, p->segments);
		return -EAGAIN;
	}
	if (whole < (uint64_t)st.st_size && cut_file(p, whole))
		return -EIO;
	p->out = pcap_dump_open_append(p->dead, p->path);
	if (!p->out)
		return -EIO;
	p->size = p->flushed = whole ? whole : FILE_HEADER;
	return 0;
}

static int open_or_next(struct vw_pcap_file *p)
{
	int r = open_out(p);

	return r == -EAGAIN ? open_out(p) : r;
}

int vw_pcap_file_open(const struct vw_store_options *o, struct vw_pcap_file **ret,
		      struct vw_diag *d)
{
	_cleanup_(vw_pcap_file_free) struct vw_pcap_file *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->segment_bytes = o->segment_bytes;
	p->segments = o->segments > VW_SEGMENTS_MAX ? VW_SEGMENTS_MAX : o->segments;
	p->gid = o->gid;
	p->dirfd = vw_store_dir(o->dir, o->gid, d);
	if (p->dirfd < 0)
		return p->dirfd;
	p->name = strdup(o->name);
	if (!p->name || asprintf(&p->path, "%s/%s", o->dir, o->name) < 0)
		return -ENOMEM;
	p->dead = pcap_open_dead(DLT_RAW, SNAPLEN);
	if (!p->dead)
		return -ENOMEM;
	r = open_or_next(
		p); /* tried again at each packet: enforcement does not wait for evidence */
	if (r)
		vw_diag_add(d, VW_WARNING, NULL, NULL, "cannot write %s: %s", p->path,
			    strerror(-r));
	*ret = TAKE_PTR(p);
	return 0;
}

void vw_pcap_file_free(struct vw_pcap_file **pp)
{
	struct vw_pcap_file *p = *pp;

	if (!p)
		return;
	if (p->out) {
		(void)vw_pcap_file_flush(p);
		if (p->out)
			pcap_dump_close(p->out);
	}
	if (p->dead)
		pcap_close(p->dead);
	if (p->dirfd >= 0)
		close(p->dirfd);
	free(p->name);
	free(p->path);
	free(p);
	*pp = NULL;
}

static int rotate(struct vw_pcap_file *p)
{
	int r = vw_pcap_file_flush(p);

	if (r)
		return r;
	pcap_dump_close(p->out);
	p->out = NULL;
	(void)vw_rotate(p->dirfd, p->name, p->segments);
	return open_or_next(p);
}

int vw_pcap_file_write(struct vw_pcap_file *p, int64_t time_us, const uint8_t *data, size_t caplen,
		       size_t len)
{
	struct pcap_pkthdr h = {
		.ts = {.tv_sec = time_us / 1000000, .tv_usec = time_us % 1000000},
		.caplen = (uint32_t)(caplen > SNAPLEN ? SNAPLEN : caplen),
		.len = (uint32_t)(len > UINT32_MAX ? UINT32_MAX : len),
	};
	uint64_t need = RECORD_HEADER + h.caplen;
	int r = 0;

	if (!p->out)
		r = open_or_next(p);
	else if (p->size + need > p->segment_bytes && p->size > FILE_HEADER)
		r = rotate(p);
	if (r)
		return r;
	pcap_dump((u_char *)p->out, &h, data);
	p->size += need;
	return 0;
}

int vw_pcap_file_flush(struct vw_pcap_file *p)
{
	int r;

	if (!p->out || p->size == p->flushed)
		return 0;
	if (!pcap_dump_flush(p->out) && !ferror(pcap_dump_file(p->out))) {
		p->flushed = p->size;
		return 0;
	}
	r = errno ? -errno : -EIO;
	/* A full disk: what was begun goes, what was whole stays; opened again at the next packet.
	 */
	pcap_dump_close(p->out);
	p->out = NULL;
	(void)cut_file(p, p->flushed);
	return r;
}
