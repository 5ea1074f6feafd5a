/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, prefixes, MACs and protocol names. Parsers are as strict as the strictest reader of
 * the same text (Go's net/netip, the Kubernetes API), so that one text never means two things: no
 * IPv4 leading zeros, no zone ids, IPv4-mapped IPv6 stays IPv6. Knows nothing of workloads. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "vethwall/addr.h"
#include "vethwall/cleanup.h"

int vw_addr_parse(const char *s, struct vw_addr *ret)
{
	struct vw_addr a = {0};

	/* glibc's inet_pton takes the whole string only, and refuses leading zeros and zone ids. */
	if (strchr(s, ':'))
		a.family = inet_pton(AF_INET6, s, a.b) == 1 ? 6 : 0;
	else
		a.family = inet_pton(AF_INET, s, a.b) == 1 ? 4 : 0;
	if (!a.family)
		return -EINVAL;
	*ret = a;
	return 0;
}

/* A decimal number of at most max, without sign or leading zeros: the number or -EINVAL. */
static int parse_decimal(const char *s, int max)
{
	int n = 0;

	if (!*s || (*s == '0' && s[1]))
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		n = n * 10 + (*s - '0');
		if (n > max)
			return -EINVAL;
	}
	return n;
}

/* The bits of byte i that belong to a prefix of len bits. */
static uint8_t mask_byte(uint8_t len, size_t i)
{
	int left = (int)len - (int)(i * 8);

	if (left >= 8)
		return 0xff;
	return left <= 0 ? 0 : (uint8_t)(0xff << (8 - left));
}

int vw_prefix_parse(const char *s, bool mask, struct vw_prefix *ret)
{
	char text[VW_ADDR_STRLEN];
	const char *slash = strchr(s, '/');
	struct vw_prefix p = {0};
	int len;

	if (!slash || (size_t)(slash - s) >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, (size_t)(slash - s));
	text[slash - s] = '\0';
	if (vw_addr_parse(text, &p.addr) < 0)
		return -EINVAL;
	len = parse_decimal(slash + 1, (int)vw_addr_len(&p.addr) * 8);
	if (len < 0)
		return -EINVAL;
	p.len = (uint8_t)len;
	for (size_t i = 0; i < vw_addr_len(&p.addr); i++) {
		uint8_t kept = p.addr.b[i] & mask_byte(p.len, i);

		if (kept != p.addr.b[i] && !mask)
			return -EDOM;
		p.addr.b[i] = kept;
	}
	*ret = p;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int vw_mac_parse(const char *s, struct vw_mac *ret)
{
	struct vw_mac m;

	if (strlen(s) != VW_MAC_STRLEN - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(m.b); i++, s += 3) {
		int hi = hex_digit(s[0]), lo = hex_digit(s[1]);

		if (hi < 0 || lo < 0 || s[2] != (i + 1 < sizeof(m.b) ? ':' : '\0'))
			return -EINVAL;
		m.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*ret = m;
	return 0;
}

char *vw_addr_str(const struct vw_addr *a, char buf[static VW_ADDR_STRLEN])
{
	buf[0] = '\0';
	if (a->family)
		inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->b, buf, VW_ADDR_STRLEN);
	return buf;
}

char *vw_prefix_str(const struct vw_prefix *p, char buf[static VW_PREFIX_STRLEN])
{
	char a[VW_ADDR_STRLEN];

	snprintf(buf, VW_PREFIX_STRLEN, "%s/%u", vw_addr_str(&p->addr, a), p->len);
	return buf;
}

char *vw_mac_str(const struct vw_mac *m, char buf[static VW_MAC_STRLEN])
{
	snprintf(buf, VW_MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1], m->b[2],
		 m->b[3], m->b[4], m->b[5]);
	return buf;
}

int vw_addr_cmp(const struct vw_addr *a, const struct vw_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, vw_addr_len(a));
}

bool vw_addr_eq(const struct vw_addr *a, const struct vw_addr *b)
{
	return vw_addr_cmp(a, b) == 0;
}

bool vw_prefix_has(const struct vw_prefix *p, const struct vw_addr *a)
{
	if (!a->family || p->addr.family != a->family)
		return false;
	for (size_t i = 0; i < vw_addr_len(a) && i * 8 < p->len; i++)
		if ((a->b[i] ^ p->addr.b[i]) & mask_byte(p->len, i))
			return false;
	return true;
}

bool vw_prefix_covers(const struct vw_prefix *outer, const struct vw_prefix *inner)
{
	return inner->len >= outer->len && vw_prefix_has(outer, &inner->addr);
}

struct vw_addr vw_prefix_last(const struct vw_prefix *p)
{
	struct vw_addr a = p->addr;

	for (size_t i = 0; i < vw_addr_len(&a); i++)
		a.b[i] |= (uint8_t)~mask_byte(p->len, i);
	return a;
}

bool vw_addr_is_loopback(const struct vw_addr *a)
{
	static const uint8_t one[16] = {[15] = 1};

	if (a->family == 4)
		return a->b[0] == 127;
	return a->family == 6 && memcmp(a->b, one, sizeof(one)) == 0;
}

bool vw_addr_is_link_local(const struct vw_addr *a)
{
	if (a->family == 4)
		return a->b[0] == 169 && a->b[1] == 254;
	return a->family == 6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool vw_addr_is_multicast(const struct vw_addr *a)
{
	static const uint8_t broadcast[4] = {255, 255, 255, 255};

	if (a->family == 4)
		return (a->b[0] & 0xf0) == 0xe0 || memcmp(a->b, broadcast, 4) == 0;
	return a->family == 6 && a->b[0] == 0xff;
}

bool vw_addr_next(const struct vw_addr *a, struct vw_addr *ret)
{
	struct vw_addr n = *a;

	for (size_t i = vw_addr_len(a); i-- > 0;) {
		if (++n.b[i] != 0) {
			*ret = n;
			return true;
		}
	}
	return false;
}

/* IANA "Assigned Internet Protocol Numbers". */
static const struct proto {
	const char *name;
	uint8_t number;
	bool ports;
} protos[] = {
	{"tcp", IPPROTO_TCP, true},	   {"udp", IPPROTO_UDP, true},
	{"sctp", IPPROTO_SCTP, true},	   {"icmp", IPPROTO_ICMP, false},
	{"icmpv6", IPPROTO_ICMPV6, false}, {"udplite", IPPROTO_UDPLITE, true},
	{"dccp", IPPROTO_DCCP, true},	   {"gre", IPPROTO_GRE, false},
	{"esp", IPPROTO_ESP, false},	   {"ah", IPPROTO_AH, false},
	{"igmp", IPPROTO_IGMP, false},	   {"ipip", IPPROTO_IPIP, false},
};

int vw_proto_parse(const char *s)
{
	for (size_t i = 0; i < VW_ARRAY_SIZE(protos); i++)
		if (strcmp(protos[i].name, s) == 0)
			return protos[i].number;
	return parse_decimal(s, 255);
}

static const struct proto *proto_by_number(uint8_t number)
{
	for (size_t i = 0; i < VW_ARRAY_SIZE(protos); i++)
		if (protos[i].number == number)
			return &protos[i];
	return NULL;
}

const char *vw_proto_str(uint8_t proto, char buf[static 4])
{
	const struct proto *p = proto_by_number(proto);

	if (p)
		return p->name;
	snprintf(buf, 4, "%u", proto);
	return buf;
}

bool vw_proto_has_ports(uint8_t proto)
{
	const struct proto *p = proto_by_number(proto);

	return p && p->ports;
}
