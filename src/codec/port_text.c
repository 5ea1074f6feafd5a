/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "tcp/5432" and its kin -> protocol and port range. Knows nothing of files and YAML: the caller
 * says where the text stood. */
#include "codec/k8s_names.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"

#include <ctype.h>
#include <netinet/in.h>

struct icmp_name {
	const char *name;
	uint8_t type;
};

/* Names as iptables, nft and ping know them; numbers: IANA ICMP and ICMPv6 type registries. */
static const struct icmp_name icmp4_names[] = {
	{"echo-reply", 0},	     {"destination-unreachable", 3},
	{"source-quench", 4},	     {"redirect", 5},
	{"echo-request", 8},	     {"router-advertisement", 9},
	{"router-solicitation", 10}, {"time-exceeded", 11},
	{"parameter-problem", 12},   {"timestamp-request", 13},
	{"timestamp-reply", 14},     {"info-request", 15},
	{"info-reply", 16},	     {"address-mask-request", 17},
	{"address-mask-reply", 18},
};

static const struct icmp_name icmp6_names[] = {
	{"destination-unreachable", 1}, {"packet-too-big", 2},	      {"time-exceeded", 3},
	{"parameter-problem", 4},	{"echo-request", 128},	      {"echo-reply", 129},
	{"mld-listener-query", 130},	{"mld-listener-report", 131}, {"mld-listener-done", 132},
	{"nd-router-solicit", 133},	{"nd-router-advert", 134},    {"nd-neighbor-solicit", 135},
	{"nd-neighbor-advert", 136},	{"nd-redirect", 137},
};

/* Decimal digits only, no leading zeros, up to max; *s moves behind them. -1: none of that. */
static long number(const char **s, long max)
{
	const char *p = *s;
	long n = 0;

	if (!isdigit((unsigned char)*p) || (*p == '0' && isdigit((unsigned char)p[1])))
		return -1;
	for (; isdigit((unsigned char)*p); p++) {
		n = n * 10 + (*p - '0');
		if (n > max)
			return -1;
	}
	*s = p;
	return n;
}

static const char *icmp_type(const char *s, uint8_t proto, struct vw_port *p)
{
	const struct icmp_name *names = proto == IPPROTO_ICMP ? icmp4_names : icmp6_names;
	size_t n = proto == IPPROTO_ICMP ? VW_ARRAY_SIZE(icmp4_names) : VW_ARRAY_SIZE(icmp6_names);
	long type, code = -1;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i].name, s) != 0)
			continue;
		p->lo = (uint16_t)(names[i].type << 8);
		p->hi = p->lo | 0xff;
		return NULL;
	}
	type = number(&s, 255);
	if (type >= 0 && *s == '/') {
		s++;
		code = number(&s, 255);
		if (code < 0)
			return "expected an ICMP code from 0 to 255 after the second '/'";
	}
	if (type < 0 || *s)
		return "expected an ICMP type: a name such as echo-request, or a number from 0 to "
		       "255";
	p->lo = (uint16_t)(type << 8 | (code < 0 ? 0 : code));
	p->hi = (uint16_t)(type << 8 | (code < 0 ? 0xff : code));
	return NULL;
}

static const char *port_range(const char *s, struct vw_port *p)
{
	long lo, hi;

	if (!isdigit((unsigned char)*s) || strpbrk(s, "abcdefghijklmnopqrstuvwxyz")) {
		if (vw_k8s_port_name_error(s))
			return "expected a port from 1 to 65535, a range such as 8000-8100, or a "
			       "port name";
		p->name = strdup(s);
		return p->name ? NULL : "out of memory";
	}
	lo = hi = number(&s, 65535);
	if (lo > 0 && *s == '-') {
		s++;
		hi = number(&s, 65535);
	}
	if (lo <= 0 || hi <= 0 || *s)
		return "expected a port from 1 to 65535, or a range such as 8000-8100";
	if (hi < lo)
		return "the port range is turned round: the lower port comes first";
	p->lo = (uint16_t)lo;
	p->hi = (uint16_t)hi;
	return NULL;
}

/* The number of "tcp", "47" or "proto/47"; *s moves to the '/' behind it or the end. */
static int protocol(const char **s)
{
	char name[16];
	const char *start = *s, *end;

	if (strncmp(start, "proto/", 6) == 0) {
		start += 6;
		if (!isdigit((unsigned char)*start))
			return -EINVAL;
	}
	end = strchrnul(start, '/');
	if ((size_t)(end - start) >= sizeof(name))
		return -EINVAL;
	memcpy(name, start, (size_t)(end - start));
	name[end - start] = 0;
	*s = end;
	return vw_proto_parse(name);
}

static const char *parse(const char *s, struct vw_port *p)
{
	int proto;

	if (strcmp(s, "any") == 0) {
		p->any_proto = true;
		return NULL;
	}
	proto = protocol(&s);
	if (proto < 0)
		return "expected a protocol such as tcp, udp, sctp, icmp, icmpv6 or a number from "
		       "0 to "
		       "255, then '/' and a port, as in tcp/5432";
	p->proto = (uint8_t)proto;
	if (!*s)
		return NULL;
	s++;
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		return icmp_type(s, p->proto, p);
	if (!vw_proto_has_ports(p->proto))
		return "this protocol has no ports: write it alone";
	return port_range(s, p);
}

int vw_port_parse(const char *s, struct vw_port *ret, const char **ret_why)
{
	struct vw_port p = {.hi = 65535};
	const char *why = parse(s, &p);

	if (why) {
		*ret_why = why;
		return -EINVAL;
	}
	*ret = p;
	return 0;
}

int vw_probe_port_parse(const char *s, uint8_t *ret_proto, uint16_t *ret_port, const char **ret_why)
{
	struct vw_port p = {0};
	bool icmp, one;

	if (vw_port_parse(s, &p, ret_why))
		return -EINVAL;
	icmp = p.proto == IPPROTO_ICMP || p.proto == IPPROTO_ICMPV6;
	one = p.lo == p.hi ||
	      (icmp ? p.lo >> 8 == p.hi >> 8 : p.hi == UINT16_MAX && !vw_proto_has_ports(p.proto));
	if (p.any_proto || p.name || !one) {
		free(p.name);
		*ret_why = "expected one protocol and port, as in tcp/5432";
		return -EINVAL;
	}
	*ret_proto = p.proto;
	*ret_port = p.lo;
	return 0;
}
