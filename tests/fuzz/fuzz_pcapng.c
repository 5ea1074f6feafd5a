/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packet files from nowhere. A packet that is told lies inside its block, can be written again, and
 * reads back as itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vethwall/pcapng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct vw_pcapng_packet *k)
{
	static uint8_t buf[VW_PCAPNG_HEAD_MAX + VW_PCAPNG_PACKET_MAX];
	struct vw_pcapng_state st = {0};
	struct vw_pcapng_packet back;
	size_t n = vw_pcapng_head(buf), used, at = 0;
	int r = 0;

	n += vw_pcapng_packet(k, buf + n);
	while (at < n && !(r = vw_pcapng_decode(buf + at, n - at, &st, &back, &used)))
		at += used;
	if (r != 1 || at + used != n || back.time_us != k->time_us)
		abort();
	if (k->caplen <= VW_PCAPNG_SNAPLEN &&
	    (back.caplen != k->caplen || memcmp(back.data, k->data, k->caplen) != 0))
		abort();
}

static void packet(const struct vw_pcapng_packet *k, const uint8_t *p, size_t n)
{
	const uint8_t *comment = (const uint8_t *)k->comment.s;
	struct vw_str rule;

	if (k->data < p || k->caplen > n - (size_t)(k->data - p))
		abort();
	if (comment && (comment < p || k->comment.n > n - (size_t)(comment - p)))
		abort();
	rule = vw_pcapng_comment_get(&k->comment, "rule");
	if (rule.s && (rule.s < k->comment.s || rule.n > k->comment.n))
		abort();
	again(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_pcapng_state st = {0};
	size_t at = 0;

	while (at < size) {
		struct vw_pcapng_packet k;
		size_t used;
		int r = vw_pcapng_decode(data + at, size - at, &st, &k, &used);

		if (r < 0)
			break;
		if (!used || used > size - at)
			abort();
		if (r)
			packet(&k, data + at, used);
		at += used;
	}
	return 0;
}
