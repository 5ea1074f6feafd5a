/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A flow record to one JSON line. Member names and order are those of the design page, then ours.
 * Strings from outside (names, labels, images) are cut, and whatever could move a cursor or turn
 * text round is escaped, so that the log is safe to print as it is. The way back is in
 * flow_parse.c. */
#include "vethwall/flow.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

/* Nine strings of which every byte became \uXXXX, and everything else with room to spare. */
static_assert(VW_FLOW_LINE_MAX >= 9 * 6 * VW_FLOW_STR_MAX + 2048, "a record must fit its line");

static char *put(char *p, const char *s, size_t n)
{
	memcpy(p, s, n);
	return p + n;
}
#define PUT_LIT(p, lit) put((p), (lit), sizeof(lit) - 1)

static char *put_u64(char *p, uint64_t v)
{
	char tmp[20];
	size_t i = sizeof(tmp);

	do {
		tmp[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return put(p, tmp + i, sizeof(tmp) - i);
}

static char *put_escape(char *p, unsigned v)
{
	static const char hex[] = "0123456789abcdef";

	p = PUT_LIT(p, "\\u");
	*p++ = hex[v >> 12 & 15];
	*p++ = hex[v >> 8 & 15];
	*p++ = hex[v >> 4 & 15];
	*p++ = hex[v & 15];
	return p;
}

/* Length of the valid UTF-8 sequence at s and its code point; 0 if there is none (RFC 3629:
 * shortest form, no surrogates, up to U+10FFFF). */
static size_t utf8(const unsigned char *s, size_t n, uint32_t *ret)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	uint32_t v;

	if (s[0] < 0xc2 || s[0] > 0xf4 || len > n)
		return 0;
	v = s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s[i] & 0x3f);
	}
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*ret = v;
	return len;
}

/* C1 controls, line separators, and the marks that reorder text (Unicode Bidi_Control). */
static bool unsafe(uint32_t v)
{
	return (v >= 0x80 && v <= 0x9f) || v == 0x2028 || v == 0x2029 || v == 0x061c ||
	       v == 0x200e || v == 0x200f || (v >= 0x202a && v <= 0x202e) ||
	       (v >= 0x2066 && v <= 0x2069) || v == 0xfeff;
}

/* json: quotes and backslashes get a backslash before them. */
static char *put_text(char *p, const char *text, size_t n, bool json)
{
	const unsigned char *s = (const unsigned char *)text;

	for (size_t i = 0; i < n;) {
		uint32_t v;
		size_t len;

		if (s[i] < 0x20 || s[i] == 0x7f) {
			p = put_escape(p, s[i++]);
		} else if (s[i] < 0x80) {
			if (json && (s[i] == '"' || s[i] == '\\'))
				*p++ = '\\';
			*p++ = (char)s[i++];
		} else if (!(len = utf8(s + i, n - i, &v))) {
			p = put_escape(p, 0xfffd);
			i++;
		} else if (unsafe(v)) {
			p = put_escape(p, v);
			i += len;
		} else {
			p = put(p, text + i, len);
			i += len;
		}
	}
	return p;
}

/* Where to cut a text that is too long: not inside a UTF-8 sequence. */
static size_t cut(const struct vw_str *s)
{
	size_t n = s->n;

	if (n <= VW_FLOW_STR_MAX)
		return n;
	n = VW_FLOW_STR_MAX;
	while (n > VW_FLOW_STR_MAX - 4 && ((unsigned char)s->s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

const char *vw_flow_text(const struct vw_str *s, char buf[static VW_FLOW_TEXT_MAX])
{
	*(s->s ? put_text(buf, s->s, cut(s), false) : buf) = '\0';
	return buf;
}

/* ,"name": */
static char *put_name(char *p, const char *name)
{
	p = PUT_LIT(p, ",\"");
	p = put(p, name, strlen(name));
	return PUT_LIT(p, "\":");
}

static char *put_str(char *p, const char *name, const struct vw_str *s)
{
	if (!s->s)
		return p;
	p = put_name(p, name);
	*p++ = '"';
	p = put_text(p, s->s, cut(s), true);
	*p++ = '"';
	return p;
}

static char *put_lit_str(char *p, const char *name, const char *s)
{
	struct vw_str v = vw_str_of(s);

	return put_str(p, name, &v);
}

static char *put_num(char *p, const char *name, uint64_t v)
{
	return put_u64(put_name(p, name), v);
}

static char *put_time(char *p, const char *name, int64_t us)
{
	char t[VW_TIME_STRLEN];

	return put_lit_str(p, name, vw_time_str(us, t));
}

static char *put_addr(char *p, const char *name, const struct vw_addr *a)
{
	char s[VW_ADDR_STRLEN];

	return put_lit_str(p, name, vw_addr_str(a, s));
}

/* What is neither IP nor ARP is counted by its EtherType, under addresses that are all zero. */
static bool is_foreign(const struct vw_tuple *t)
{
	static const uint8_t zero[16];

	return !t->proto && t->dport && !memcmp(t->src.b, zero, 16) && !memcmp(t->dst.b, zero, 16);
}

static char *put_tuple(char *p, const struct vw_tuple *t)
{
	bool ports = vw_proto_has_ports(t->proto);
	char num[4];

	if (!t->src.family)
		return p;
	p = put_addr(p, "src_ip", &t->src);
	if (ports)
		p = put_num(p, "src_port", t->sport);
	p = put_addr(p, "dest_ip", &t->dst);
	if (ports)
		p = put_num(p, "dest_port", t->dport);
	if (is_foreign(t)) {
		p = put_lit_str(p, "proto", "ether");
		return put_num(p, "ether_type", t->dport);
	}
	p = put_lit_str(p, "proto", vw_proto_str(t->proto, num));
	if (t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6) {
		p = put_num(p, "icmp_type", t->dport >> 8);
		p = put_num(p, "icmp_code", t->dport & 0xff);
	}
	return p;
}

size_t vw_flow_json(const struct vw_flow *f, char buf[static VW_FLOW_LINE_MAX])
{
	char *p = buf;

	p = put_time(p, "timestamp", f->time_us);
	*buf = '{'; /* in place of the first comma */
	p = put_lit_str(p, "event_type", vw_flow_event_str(f->event));
	if (f->event != VW_FLOW_OVERFLOW)
		p = put_lit_str(p, "direction", f->egress ? "egress" : "ingress");
	p = put_str(p, "in_iface", &f->in_iface);
	p = put_tuple(p, &f->t);
	p = put_str(p, "workload", &f->workload);
	p = put_str(p, "service", &f->service);
	p = put_str(p, "peer", &f->peer);
	p = put_str(p, "policy", &f->policy);
	p = put_str(p, "rule", &f->rule);
	p = put_num(p, "packets", f->packets);
	p = put_num(p, "bytes", f->bytes);
	p = put_time(p, "first_seen", f->first_us);
	p = put_time(p, "last_seen", f->last_us);
	p = put_str(p, "community_id", &f->community_id);
	p = put_str(p, "image", &f->image);
	p = put_str(p, "peer_service", &f->peer_service);
	p = put_str(p, "tier", &f->tier);
	p = put_num(p, "ifindex", f->ifindex);
	p = put_num(p, "code", f->t.code);
	p = put_num(p, "total_packets", f->total_packets);
	p = put_num(p, "total_bytes", f->total_bytes);
	p = PUT_LIT(p, "}\n");
	return (size_t)(p - buf);
}
