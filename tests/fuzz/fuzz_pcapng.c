/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcapng files, ours and others'. */
#include "fuzz.h"
#include "vethwall/pcapng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[VW_PCAPNG_PACKET_MAX];
	struct vw_pcapng_state st = {0};
	struct vw_pcapng_packet p;
	size_t at = 0, used;

	for (;;) {
		int r = vw_pcapng_decode(data + at, size - at, &st, &p, &used);

		if (r < 0)
			break;
		must(used && used <= size - at);
		if (r == 1) {
			must(p.data >= data + at && p.caplen <= used);
			if (p.comment.s)
				(void)vw_pcapng_comment_get(&p.comment, "workload");
			must(vw_pcapng_packet(&p, buf) <= sizeof(buf));
		}
		at += used;
	}
	return 0;
}
