/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The running hash of a segment that is being written, and how it goes on after a restart: only
 * what stands behind the last seal has to be read again, and that is found from the end. Writes
 * nothing itself. */
#include "vethwall/chain.h"
#include "vethwall/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A segment is sealed before this much stands behind a seal (store.c), so one is found in it. */
#define TAIL_MAX (4u << 20)

void vw_sealer_begin(struct vw_sealer *c, uint64_t seq)
{
	*c = (struct vw_sealer){.seq = seq};
	SHA256Init(&c->ctx);
}

void vw_sealer_add(struct vw_sealer *c, const void *bytes, size_t n)
{
	SHA256Update(&c->ctx, bytes, n);
	c->offset += n;
	c->open += n;
}

void vw_sealer_sum(const struct vw_sealer *c, char ret[static VW_SHA256_HEX])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t sum[SHA256_DIGEST_LENGTH];
	SHA2_CTX ctx = c->ctx;

	SHA256Final(sum, &ctx);
	for (size_t i = 0; i < sizeof(sum); i++) {
		ret[2 * i] = hex[sum[i] >> 4];
		ret[2 * i + 1] = hex[sum[i] & 15];
	}
	ret[2 * sizeof(sum)] = '\0';
}

void vw_sealer_seal(const struct vw_sealer *c, int64_t time_us, struct vw_chain_note *ret)
{
	*ret = (struct vw_chain_note){
		.kind = VW_NOTE_SEAL, .time_us = time_us, .seq = c->seq, .offset = c->offset};
	vw_sealer_sum(c, ret->sha256);
}

void vw_sealer_sealed(struct vw_sealer *c, const char *line, size_t n)
{
	SHA256Init(&c->ctx);
	SHA256Update(&c->ctx, (const uint8_t *)line, n);
	c->offset += n;
	c->open = 0;
}

static int read_at(int fd, char *buf, size_t n, uint64_t at)
{
	while (n) {
		ssize_t got = pread(fd, buf, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		buf += got;
		at += (size_t)got;
		n -= (size_t)got;
	}
	return 0;
}

/* Start of the last line that is a seal of this segment, standing where it says; NULL: none. */
static const char *last_seal(const char *buf, size_t n, uint64_t at, uint64_t seq)
{
	const char *end = buf + n;

	while (end > buf) {
		const char *nl = end - 1 > buf ? memrchr(buf, '\n', (size_t)(end - 1 - buf)) : NULL;
		const char *line = nl ? nl + 1 : buf;
		struct vw_chain_note s;

		if (!vw_chain_parse(line, (size_t)(end - line), &s) && s.kind == VW_NOTE_SEAL &&
		    s.seq == seq && s.offset == at + (uint64_t)(line - buf))
			return line;
		end = line;
	}
	return NULL;
}

int vw_sealer_resume(int fd, uint64_t size, struct vw_sealer *ret, struct vw_chain_note *ret_head)
{
	size_t n = size < TAIL_MAX ? (size_t)size : TAIL_MAX;
	_cleanup_free_ char *buf = malloc(n + VW_NOTE_LINE_MAX);
	size_t head = size < VW_NOTE_LINE_MAX ? (size_t)size : VW_NOTE_LINE_MAX;
	struct vw_sealer c;
	const char *nl, *from;
	int r;

	if (!buf)
		return -ENOMEM;
	r = read_at(fd, buf, head, 0);
	if (r)
		return r;
	nl = memchr(buf, '\n', head);
	if (!nl || vw_chain_parse(buf, (size_t)(nl + 1 - buf), ret_head) ||
	    ret_head->kind != VW_NOTE_SEGMENT || !ret_head->seq)
		return -EBADMSG;
	r = read_at(fd, buf, n, size - n);
	if (r)
		return r;
	vw_sealer_begin(&c, ret_head->seq);
	from = last_seal(buf, n, size - n, c.seq);
	if (!from && n < size)
		return -EBADMSG;
	if (from) {
		const char *end = memchr(from, '\n', (size_t)(buf + n - from));

		end++; /* last_seal() found a whole line */
		c.offset = size - n + (uint64_t)(from - buf);
		vw_sealer_sealed(&c, from, (size_t)(end - from));
		from = end;
	} else {
		from = buf;
	}
	vw_sealer_add(&c, from, (size_t)(buf + n - from));
	*ret = c;
	return 0;
}
