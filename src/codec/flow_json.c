/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A flow record to one JSON line. Member names and order are those of the design page, then ours.
 * Strings from outside (names, labels, images) are cut, and whatever could move a cursor or turn
 * text round is escaped, so that the log is safe to print as it is. The way back is in
 * flow_parse.c. */
#include "vethwall/flow.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "base/escape.h"

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

/* json: quotes and backslashes get a backslash before them. */
static char *put_text(char *p, const char *s, size_t n, bool json)
{
	for (size_t i = 0; i < n;) {
		if (s[i] >= 0x20 && s[i] < 0x7f) {
			if (json && (s[i] == '"' || s[i] == '\\'))
				*p++ = '\\';
			*p++ = s[i++];
		} else {
			size_t wrote;

			i += vw_escape_char(s + i, n - i, p, &wrote);
			p += wrote;
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
	p = put_lit_str(p, "direction", f->egress ? "egress" : "ingress");
	p = put_str(p, "in_iface", &f->in_iface);
	p = put_tuple(p, &f->t);
	if (f->ip_v)
		p = put_num(p, "ip_v", f->ip_v);
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
	p = put_str(p, "peer_name", &f->peer_name);
	p = put_str(p, "tier", &f->tier);
	p = put_num(p, "ifindex", f->ifindex);
	p = put_num(p, "code", f->t.code);
	p = put_num(p, "total_packets", f->total_packets);
	p = put_num(p, "total_bytes", f->total_bytes);
	p = PUT_LIT(p, "}\n");
	return (size_t)(p - buf);
}
