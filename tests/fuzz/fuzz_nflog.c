/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NFLOG frames: headers of packets that containers made up. Pointers stay within the frame. */
#include "fuzz.h"
#include "vethwall/dns.h"
#include "vethwall/flow.h"
#include "vethwall/packet_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[VW_PACKET_TEXT_MAX];
	struct vw_nflog p = {0};
	const uint8_t *udp;
	size_t n;

	if (vw_nflog_decode(data, size, &p))
		return 0;
	if (!p.payload)
		return 0;
	must(p.payload >= data && p.payload_len <= size - (size_t)(p.payload - data));
	vw_packet_text(p.payload, p.payload_len, text);
	must(strlen(text) < sizeof(text));
	if (!vw_udp_payload(p.payload, p.payload_len, &udp, &n))
		must(udp >= p.payload && n <= p.payload_len - (size_t)(udp - p.payload));
	return 0;
}
