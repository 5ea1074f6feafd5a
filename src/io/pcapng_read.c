/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of a pcapng file one after the other, also of one that is being written; and such a file
 * to a descriptor. Blocks are codec/pcapng.c's. */
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/pcapng.h"

#include <errno.h>
#include <string.h>

int vw_pcapng_init(struct vw_pcapng *r, int fd)
{
	*r = (struct vw_pcapng){.fd = fd, .cap = VW_PCAPNG_BLOCK_MAX};
	r->buf = malloc(r->cap);
	return r->buf ? 0 : -ENOMEM;
}

void vw_pcapng_done(struct vw_pcapng *r)
{
	free(r->buf);
	r->buf = NULL;
}

/* 1: more is there; 0: the end, -errno. A whole block always has room. */
static int refill(struct vw_pcapng *r)
{
	ssize_t n;

	memmove(r->buf, r->buf + r->start, r->fill - r->start);
	r->fill -= r->start;
	r->start = 0;
	do
		n = read(r->fd, r->buf + r->fill, r->cap - r->fill);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->fill += (size_t)n;
	return n > 0;
}

int vw_pcapng_next(struct vw_pcapng *r, struct vw_pcapng_packet *ret)
{
	for (;;) {
		size_t used;
		int e = vw_pcapng_decode(r->buf + r->start, r->fill - r->start, &r->st, ret, &used);

		if (e == 0 || e == 1) {
			r->start += used;
			r->offset += used;
			if (e)
				return 1;
			continue;
		}
		if (e != -EAGAIN)
			return e;
		e = refill(r);
		if (e <= 0)
			return e;
	}
}

int vw_pcapng_write_head(int fd)
{
	uint8_t buf[VW_PCAPNG_HEAD_MAX];

	return vw_write_all(fd, buf, vw_pcapng_head(buf));
}

int vw_pcapng_write(int fd, const struct vw_pcapng_packet *p)
{
	_cleanup_free_ uint8_t *buf = malloc(VW_PCAPNG_PACKET_MAX);

	return buf ? vw_write_all(fd, buf, vw_pcapng_packet(p, buf)) : -ENOMEM;
}
