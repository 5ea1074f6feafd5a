/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS messages from nowhere: clang -fsanitize=fuzzer,address,undefined, or replayed by
 * tests/fuzz/test_corpus.sh. Whatever comes, a result keeps its promises. */
#include <stdlib.h>
#include <string.h>

#include "vethwall/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_dns_answer a;
	char normal[VW_FQDN_LEN];
	const uint8_t *p;
	const char *why;
	size_t n;

	if (!vw_udp_payload(data, size, &p, &n) && (p < data || n > size - (size_t)(p - data)))
		abort();
	if (vw_dns_decode(data, size, &a))
		return 0;
	if (!a.n || a.n > VW_DNS_ADDRS_MAX || strlen(a.name) >= sizeof(a.name))
		abort();
	/* a name is normal, or such as no policy can name */
	if (!vw_fqdn_normal(a.name, false, normal, &why) && strcmp(normal, a.name) != 0)
		abort();
	for (size_t i = 0; i < a.n; i++)
		if (a.addrs[i].addr.family != 4 && a.addrs[i].addr.family != 6)
			abort();
	return 0;
}
