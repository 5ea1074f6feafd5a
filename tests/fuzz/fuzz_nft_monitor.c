/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notifications of nf_tables from nowhere: clang -fsanitize=fuzzer,address,undefined, or replayed
 * by tests/unit/test_nft_event.c. One datagram, walked as io/nft_monitor.c walks it. */
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>

#include "vethwall/nft_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct nlmsghdr *nlh = (const void *)data;
	int left = (int)size;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		struct vw_nft_event e;

		if (vw_nft_decode_event(nlh, &e))
			continue;
		if (e.change >= _VW_NFT_CHANGE_MAX || strnlen(e.name, VW_NAME_LEN) == VW_NAME_LEN ||
		    strnlen(e.comm, VW_COMM_LEN) == VW_COMM_LEN)
			abort();
	}
	return 0;
}
