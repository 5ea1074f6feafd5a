/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notifications of nf_tables from nowhere: clang -fsanitize=fuzzer,address,undefined, or replayed
 * by tests/unit/test_nft_event.c. One datagram each. */
#include <stdlib.h>
#include <string.h>

#include "vethwall/nft_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct vw_nft_event *e, void *arg)
{
	(void)arg;
	if (e->change >= _VW_NFT_CHANGE_MAX || strnlen(e->name, VW_NAME_LEN) == VW_NAME_LEN ||
	    strnlen(e->comm, VW_COMM_LEN) == VW_COMM_LEN)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	vw_nft_decode_events(data, size, check, NULL);
	return 0;
}
