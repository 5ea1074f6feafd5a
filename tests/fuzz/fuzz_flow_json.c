/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of a log from nowhere: clang -fsanitize=fuzzer,address,undefined, or replayed by
 * tests/fuzz/test_corpus.sh. What is taken for a record comes back as the same record, and can
 * be shown. */
#include <stdlib.h>
#include <string.h>

#include "vethwall/flow.h"
#include "vethwall/packet_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_str(const struct vw_str *a, const struct vw_str *b)
{
	if (!a->s != !b->s)
		abort();
}

/* A packet is as foreign as a line. */
static void packet(const uint8_t *data, size_t size)
{
	char text[VW_PACKET_TEXT_MAX], line[VW_HEX_LINE_MAX];

	vw_packet_text(data, size, text);
	if (strlen(text) >= sizeof(text))
		abort();
	for (size_t at = 0; at < size;) {
		size_t n = vw_hex_line(data, size, at, line);

		if (!n || n > size - at || strlen(line) >= sizeof(line))
			abort();
		at += n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buf[VW_FLOW_LINE_MAX], line[VW_FLOW_LINE_MAX], again[VW_FLOW_LINE_MAX];
	char text[VW_FLOW_TEXT_MAX];
	struct vw_flow f, g;
	size_t n;

	packet(data, size);
	if (vw_flow_json_parse((const char *)data, size, buf, &f))
		return 0;
	n = vw_flow_json(&f, line);
	if (n > sizeof(line) || line[n - 1] != '\n' || memchr(line, '\n', n - 1) ||
	    memchr(line, '\x1b', n))
		abort();
	if (vw_flow_json_parse(line, n - 1, again, &g))
		abort();
	if (f.packets != g.packets || f.bytes != g.bytes || f.time_us != g.time_us ||
	    f.event != g.event || !vw_addr_eq(&f.t.src, &g.t.src))
		abort();
	same_str(&f.workload, &g.workload);
	same_str(&f.peer, &g.peer);
	if (strchr(vw_flow_text(&f.workload, text), '\x1b'))
		abort();
	return 0;
}
