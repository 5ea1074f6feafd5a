/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NFLOG frames from nowhere: their packets are a container's choice to the last byte. Whatever
 * comes, what is told of a frame lies inside it, and a packet's tuple makes a key and a record. */
#include <stdlib.h>

#include "vethwall/flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tuple(const struct vw_tuple *t)
{
	static char line[VW_FLOW_LINE_MAX], buf[VW_FLOW_LINE_MAX];
	uint8_t key[VW_FLOW_KEY_MAX];
	struct vw_flow f = {.t = *t, .packets = 1}, back;
	struct vw_tuple again;
	char id[VW_COMMUNITY_ID_LEN];
	size_t n = vw_flow_key(t, key);

	if (vw_tuple_decode(key, n, &again) || again.proto != t->proto || again.dport != t->dport)
		abort();
	vw_community_id(t, 0, id);
	vw_flow_set_code(&f, t->code);
	f.community_id = vw_str_of(id);
	n = vw_flow_json(&f, line);
	if (vw_flow_json_parse(line, n, buf, &back) || back.t.proto != t->proto)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_nflog f;

	if (vw_nflog_decode(data, size, &f))
		return 0;
	if (f.payload && (f.payload < data || f.payload_len > size - (size_t)(f.payload - data)))
		abort();
	if (f.packet_len < f.payload_len)
		abort();
	if (f.has_tuple)
		tuple(&f.tuple);
	return 0;
}
