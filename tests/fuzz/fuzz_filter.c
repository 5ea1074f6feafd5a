/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filter expressions from nowhere, asked of a few records: clang
 * -fsanitize=fuzzer,address,undefined, or replayed by tests/fuzz/test_corpus.sh. "not (X)" is
 * the other answer, and a record that fits has in its line what the filter says it must have. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vethwall/review.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vw_flow record(unsigned i)
{
	struct vw_flow f = {.packets = i, .bytes = 60ull * i, .time_us = 1795348800000000};

	vw_flow_set_code(&f, VW_CODE_DENY | (i & 1 ? VW_CODE_EGRESS : 0));
	f.first_us = f.last_us = f.time_us;
	f.t.src = f.t.dst = (struct vw_addr){i & 2 ? 6 : 4, {10, 0, 0, 1}};
	f.t.proto = i & 4 ? 6 : 1;
	f.t.sport = f.t.dport = 5432;
	f.workload = vw_str_of("shop/api-1");
	f.service = vw_str_of("api");
	f.peer = vw_str_of(i & 1 ? "world" : "shop/db-1");
	f.policy = vw_str_of(i & 2 ? "default" : "shop/db");
	return f;
}

static void check(struct vw_filter *f, const struct vw_filter * not )
{
	static char line[VW_FLOW_LINE_MAX];

	for (unsigned i = 0; i < 8; i++) {
		struct vw_flow r = record(i);
		bool fits = vw_filter_match(f, &r);
		size_t n = vw_flow_json(&r, line), len;
		const char *needle = vw_filter_needle(f, &len);

		if (not &&vw_filter_match(not, &r) == fits)
			abort();
		if (fits && needle && !memmem(line, n, needle, len) && !memchr(line, '\\', n))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[VW_FILTER_TEXT_MAX + 64], negated[VW_FILTER_TEXT_MAX + 128];
	struct vw_filter *f = NULL, *not = NULL;
	struct vw_diag d = {0};
	int r;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	r = vw_filter_parse(text, NULL, &f, &d);
	if (!r != !d.list.n || (r && (r != -EINVAL || d.list.n != 1 || !d.list.v[0].col)))
		abort();
	vw_diag_done(&d);
	if (r)
		return 0;
	snprintf(negated, sizeof(negated), "not (%s)", text);
	if (vw_filter_parse(negated, NULL, &not, &d)) /* at the limits of size and depth */
		not = NULL;
	vw_diag_done(&d);
	check(f, not );
	vw_filter_free(&f);
	vw_filter_free(&not );
	return 0;
}
