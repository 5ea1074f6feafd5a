/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Community ID v1 (github.com/corelight/community-id-spec): one short text per connection, the same
 * seen from either end and by every tool that writes it. SHA-1 is the specification's choice; it
 * identifies, it does not protect. */
#include "codec/base64.h"
#include "vethwall/flow.h"
#include "vethwall/cleanup.h"

#include <netinet/in.h>
#include <sha1.h>
#include <string.h>

/* ICMP messages that answer each other share an ID: the answering type takes the place of the
 * second port. Other types are one-way, with the code in that place, and are never turned round. */
struct icmp_pair {
	uint8_t proto, type, answer;
};
static const struct icmp_pair icmp_pairs[] = {
	{IPPROTO_ICMP, 8, 0},	    {IPPROTO_ICMP, 13, 14},	{IPPROTO_ICMP, 15, 16},
	{IPPROTO_ICMP, 10, 9},	    {IPPROTO_ICMP, 17, 18},	{IPPROTO_ICMPV6, 128, 129},
	{IPPROTO_ICMPV6, 130, 131}, {IPPROTO_ICMPV6, 133, 134}, {IPPROTO_ICMPV6, 135, 136},
	{IPPROTO_ICMPV6, 139, 140}, {IPPROTO_ICMPV6, 144, 145},
};

static int icmp_answer(uint8_t proto, uint8_t type)
{
	for (size_t i = 0; i < VW_ARRAY_SIZE(icmp_pairs); i++) {
		const struct icmp_pair *p = &icmp_pairs[i];

		if (p->proto == proto && p->type == type)
			return p->answer;
		if (p->proto == proto && p->answer == type)
			return p->type;
	}
	return -1;
}

/* Ports as the specification sees them; false: the protocol has none. */
static bool ports_of(const struct vw_tuple *t, uint16_t ret[2], bool *ret_one_way)
{
	bool icmp = t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6;
	int answer;

	*ret_one_way = false;
	ret[0] = t->sport;
	ret[1] = t->dport;
	if (icmp) {
		answer = icmp_answer(t->proto, (uint8_t)(t->dport >> 8));
		*ret_one_way = answer < 0;
		ret[0] = t->dport >> 8;
		ret[1] = answer < 0 ? t->dport & 0xff : (uint16_t)answer;
		return true;
	}
	return t->proto == IPPROTO_TCP || t->proto == IPPROTO_UDP || t->proto == IPPROTO_SCTP;
}

static size_t put(uint8_t *p, size_t n, const void *v, size_t len)
{
	memcpy(p + n, v, len);
	return n + len;
}

void vw_community_id(const struct vw_tuple *t, uint16_t seed, char ret[static VW_COMMUNITY_ID_LEN])
{
	uint8_t buf[2 + 16 + 16 + 2 + 4], digest[SHA1_DIGEST_LENGTH];
	size_t alen = vw_addr_len(&t->src), n = 0;
	bool one_way, has_ports, turned;
	uint16_t port[2];
	SHA1_CTX ctx;
	int cmp = memcmp(t->src.b, t->dst.b, alen);

	has_ports = ports_of(t, port, &one_way);
	turned = !one_way && (cmp > 0 || (cmp == 0 && has_ports && port[0] > port[1]));
	n = put(buf, n, (uint8_t[]){(uint8_t)(seed >> 8), (uint8_t)seed}, 2);
	n = put(buf, n, turned ? t->dst.b : t->src.b, alen);
	n = put(buf, n, turned ? t->src.b : t->dst.b, alen);
	n = put(buf, n, (uint8_t[]){t->proto, 0}, 2);
	for (int i = 0; has_ports && i < 2; i++) {
		uint16_t v = port[turned ? 1 - i : i];

		n = put(buf, n, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
	}
	SHA1Init(&ctx);
	SHA1Update(&ctx, buf, n);
	SHA1Final(digest, &ctx);
	memcpy(ret, "1:", 2);
	vw_base64(digest, sizeof(digest), ret + 2);
}
