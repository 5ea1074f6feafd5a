/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An IP packet in one line for people, and its bytes in hex. Bounded reads: a packet is an
 * attacker's. */
#include "vethwall/packet_text.h"

#include <netinet/in.h>
#include <stdio.h>

#define TCP_HEADER 20
#define UDP_HEADER 8

struct reader {
	const uint8_t *p;
	size_t n;
};

/* Big-endian number of len bytes; 0 where they are missing. */
static uint32_t be(const struct reader *r, size_t at, size_t len)
{
	uint32_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | (at + i < r->n ? r->p[at + i] : 0);
	return v;
}

/* Offset of the transport header; 0: not there, or a later fragment. */
static size_t transport(const struct reader *r, uint8_t proto)
{
	size_t at = 40;
	uint8_t next;

	if (r->p[0] >> 4 == 4) {
		at = (size_t)(r->p[0] & 15) * 4;
		return at < 20 || be(r, 6, 2) & 0x1fff ? 0 : at;
	}
	next = (uint8_t)be(r, 6, 1);
	/* as many extension headers as fit (RFC 8200 4) */
	while (next != proto && at + 8 <= r->n) {
		bool fragment = next == IPPROTO_FRAGMENT;

		if (!fragment && next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING &&
		    next != IPPROTO_DSTOPTS && next != IPPROTO_AH)
			return 0;
		if (fragment && be(r, at + 2, 2) & 0xfff8)
			return 0;
		next = (uint8_t)be(r, at, 1);
		at += fragment ? 8 : (be(r, at + 1, 1) + (next == IPPROTO_AH ? 2 : 1)) * 8;
	}
	return next == proto ? at : 0;
}

static void tcp_text(FILE *f, const struct reader *r, size_t at)
{
	static const char flags[] = "FSRPAUEC";
	unsigned set = be(r, at + 13, 1);

	if (at + TCP_HEADER > r->n) {
		fputs(" cut", f);
		return;
	}
	fputc(' ', f);
	for (unsigned i = 0; i < 8; i++) {
		if (set >> i & 1)
			fputc(flags[i], f);
	}
	fprintf(f, "%s seq %u", set ? "" : "no flags", be(r, at + 4, 4));
	if (set & 0x10)
		fprintf(f, " ack %u", be(r, at + 8, 4));
	fprintf(f, " win %u", be(r, at + 14, 2));
}

static void ports_text(FILE *f, const struct vw_tuple *t)
{
	char a[VW_ADDR_STRLEN], b[VW_ADDR_STRLEN], num[4];
	bool ports = vw_proto_has_ports(t->proto);
	const char *open = t->src.family == 6 && ports ? "[" : "", *close = *open ? "]" : "";

	fprintf(f, "%s%s%s", open, vw_addr_str(&t->src, a), close);
	if (ports)
		fprintf(f, ":%u", t->sport);
	fprintf(f, " > %s%s%s", open, vw_addr_str(&t->dst, b), close);
	if (ports)
		fprintf(f, ":%u", t->dport);
	fprintf(f, " %s", vw_proto_str(t->proto, num));
	if (t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6)
		fprintf(f, " type %u code %u", t->dport >> 8, t->dport & 0xff);
}

void vw_packet_text(const uint8_t *p, size_t n, char buf[static VW_PACKET_TEXT_MAX])
{
	struct reader r = {p, n};
	struct vw_tuple t = {0};
	size_t len, at;
	FILE *f;

	snprintf(buf, VW_PACKET_TEXT_MAX, "no IP packet");
	if (vw_packet_tuple(p, n, &t, &len))
		return;
	f = fmemopen(buf, VW_PACKET_TEXT_MAX, "w");
	if (!f)
		return;
	ports_text(f, &t);
	at = transport(&r, t.proto);
	if (!at)
		fputs(" (later fragment)", f);
	else if (t.proto == IPPROTO_TCP)
		tcp_text(f, &r, at);
	else if (t.proto == IPPROTO_UDP && at + UDP_HEADER <= n)
		fprintf(f, " length %u", be(&r, at + 4, 2));
	fprintf(f, ", ttl %u, %zu bytes", be(&r, t.src.family == 4 ? 8 : 7, 1), len);
	if (n < len)
		fprintf(f, ", %zu kept", n);
	fclose(f);
}

size_t vw_hex_line(const uint8_t *p, size_t n, size_t at, char buf[static VW_HEX_LINE_MAX])
{
	size_t some = n - at < 16 ? n - at : 16, k;

	k = (size_t)snprintf(buf, VW_HEX_LINE_MAX, "%04zx ", at);
	for (size_t i = 0; i < some; i++)
		k += (size_t)snprintf(buf + k, VW_HEX_LINE_MAX - k, i % 2 ? "%02x" : " %02x",
				      p[at + i]);
	for (size_t i = some; i < 16; i++)
		k += (size_t)snprintf(buf + k, VW_HEX_LINE_MAX - k, i % 2 ? "  " : "   ");
	k += (size_t)snprintf(buf + k, VW_HEX_LINE_MAX - k, "  ");
	for (size_t i = 0; i < some; i++)
		buf[k++] = (char)(p[at + i] >= 0x20 && p[at + i] < 0x7f ? p[at + i] : '.');
	buf[k] = '\0';
	return some;
}
