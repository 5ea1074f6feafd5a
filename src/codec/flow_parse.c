/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One JSON line back to a flow record. Written for speed over millions of lines: one pass, no
 * allocation, members expected in the order in which flow_json.c writes them, strings left where
 * they are unless they hold escapes, eight bytes at a time where the common case allows it. The
 * bytes are not trusted: every step is bounded by the line's end, and each short cut accepts only
 * what the long way would, with the same result. */
#include "vethwall/flow.h"
#include "vethwall/cleanup.h"
#include "vethwall/note.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#define DEPTH_MAX 16 /* of members that we skip */

enum kind { K_TIME, K_STR, K_U64, K_U32, K_U16, K_ADDR, K_PROTO, K_EVENT, K_DIRECTION, K_ICMP };

/* What a line must have had, as bits. */
enum {
	HAS_TIME = 1 << 0,
	HAS_EVENT = 1 << 1,
	HAS_DIRECTION = 1 << 2,
	HAS_SRC = 1 << 3,
	HAS_DST = 1 << 4,
	HAS_PROTO = 1 << 5,
	HAS_PACKETS = 1 << 6,
	HAS_CODE = 1 << 7,
	HAS_FIRST = 1 << 8,
	HAS_LAST = 1 << 9,
};
#define HAS_TUPLE (HAS_SRC | HAS_DST | HAS_PROTO)

struct member {
	const char *text; /* as the log has it: {"name": of the first, ,"name": of the others */
	uint8_t len; /* of text */
	uint8_t kind;
	uint16_t has;
	size_t off; /* in struct record */
};

struct record {
	struct vw_flow f;
	uint16_t icmp_type, icmp_code, ether_type;
};

#define FIELD(text, k, h, field)                                             \
	{                                                                    \
		text, sizeof(text) - 1, k, h, offsetof(struct record, field) \
	}
#define MEMBER(n, k, h, field) FIELD(",\"" n "\":", k, h, field)
static const struct member members[] = {
	FIELD("{\"timestamp\":", K_TIME, HAS_TIME, f.time_us),
	MEMBER("event_type", K_EVENT, HAS_EVENT, f.event),
	MEMBER("direction", K_DIRECTION, HAS_DIRECTION, f.egress),
	MEMBER("in_iface", K_STR, 0, f.in_iface),
	MEMBER("src_ip", K_ADDR, HAS_SRC, f.t.src),
	MEMBER("src_port", K_U16, 0, f.t.sport),
	MEMBER("dest_ip", K_ADDR, HAS_DST, f.t.dst),
	MEMBER("dest_port", K_U16, 0, f.t.dport),
	MEMBER("proto", K_PROTO, HAS_PROTO, f.t.proto),
	MEMBER("ether_type", K_U16, 0, ether_type),
	MEMBER("icmp_type", K_ICMP, 0, icmp_type),
	MEMBER("icmp_code", K_ICMP, 0, icmp_code),
	MEMBER("ip_v", K_U16, 0, f.ip_v),
	MEMBER("workload", K_STR, 0, f.workload),
	MEMBER("service", K_STR, 0, f.service),
	MEMBER("peer", K_STR, 0, f.peer),
	MEMBER("policy", K_STR, 0, f.policy),
	MEMBER("rule", K_STR, 0, f.rule),
	MEMBER("packets", K_U64, HAS_PACKETS, f.packets),
	MEMBER("bytes", K_U64, 0, f.bytes),
	MEMBER("first_seen", K_TIME, HAS_FIRST, f.first_us),
	MEMBER("last_seen", K_TIME, HAS_LAST, f.last_us),
	MEMBER("community_id", K_STR, 0, f.community_id),
	MEMBER("image", K_STR, 0, f.image),
	MEMBER("peer_service", K_STR, 0, f.peer_service),
	MEMBER("peer_name", K_STR, 0, f.peer_name),
	MEMBER("tier", K_STR, 0, f.tier),
	MEMBER("ifindex", K_U32, 0, f.ifindex),
	MEMBER("code", K_U32, HAS_CODE, f.t.code),
	MEMBER("total_packets", K_U64, 0, f.total_packets),
	MEMBER("total_bytes", K_U64, 0, f.total_bytes),
};

#define NAME_EXTRA 4 /* separator, quotes and colon round the name in a member's text */
#define TEXT_MAX 24 /* what is_at() compares, in words; and at least one */

struct cursor {
	const char *p, *end;
	char *buf; /* room for unescaped strings: never more than the line's own length */
	size_t used;
	const char *minute; /* a time of this line that was read, and its whole minute */
	int64_t minute_us;
};

static uint64_t word(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The eight bytes hold a quote, a backslash or a control: what ends a plain run in a string. (x -
 * 0x01..) & ~x has a byte's top bit when that byte is zero or, above such a one, by a borrow.) */
static bool has_special(uint64_t v)
{
	const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
	uint64_t quote = v ^ ones * '"', back = v ^ ones * '\\';

	return ((((quote - ones) & ~quote) | ((back - ones) & ~back) | ((v - ones * 0x20) & ~v)) &
		tops) != 0;
}

static void skip_space(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

/* Consumes ch, with space around it. */
static bool expect(struct cursor *c, char ch)
{
	skip_space(c);
	if (c->p == c->end || *c->p != ch)
		return false;
	c->p++;
	return true;
}

static int hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char ch = p[i];
		int d = ch >= '0' && ch <= '9'	 ? ch - '0'
			: ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
			: ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
						 : -1;

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static void emit_utf8(struct cursor *c, uint32_t v)
{
	char *o = c->buf + c->used;

	if (v < 0x80) {
		*o++ = (char)v;
	} else if (v < 0x800) {
		*o++ = (char)(0xc0 | v >> 6);
		*o++ = (char)(0x80 | (v & 0x3f));
	} else if (v < 0x10000) {
		*o++ = (char)(0xe0 | v >> 12);
		*o++ = (char)(0x80 | (v >> 6 & 0x3f));
		*o++ = (char)(0x80 | (v & 0x3f));
	} else {
		*o++ = (char)(0xf0 | v >> 18);
		*o++ = (char)(0x80 | (v >> 12 & 0x3f));
		*o++ = (char)(0x80 | (v >> 6 & 0x3f));
		*o++ = (char)(0x80 | (v & 0x3f));
	}
	c->used = (size_t)(o - c->buf);
}

/* Behind "\u". A lone surrogate and U+0000 become U+FFFD. */
static int unicode_escape(struct cursor *c)
{
	int v = hex4(c->p, c->end), low;

	if (v < 0)
		return -EINVAL;
	c->p += 4;
	if (v >= 0xd800 && v <= 0xdbff && c->end - c->p >= 6 && c->p[0] == '\\' && c->p[1] == 'u' &&
	    (low = hex4(c->p + 2, c->end)) >= 0xdc00 && low <= 0xdfff) {
		c->p += 6;
		emit_utf8(c, 0x10000 + ((uint32_t)(v - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
		return 0;
	}
	emit_utf8(c, !v || (v >= 0xd800 && v <= 0xdfff) ? 0xfffd : (uint32_t)v);
	return 0;
}

/* The rest of a string in which an escape was met; it began at start. */
static int unescape(struct cursor *c, const char *start, struct vw_str *ret)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	size_t begin = c->used, n = (size_t)(c->p - start);

	memcpy(c->buf + c->used, start, n);
	c->used += n;
	while (c->p < c->end && *c->p != '"') {
		const char *e;

		if ((unsigned char)*c->p < 0x20)
			return -EINVAL;
		if (*c->p != '\\') {
			c->buf[c->used++] = *c->p++;
			continue;
		}
		if (++c->p == c->end)
			return -EINVAL;
		if (*c->p == 'u') {
			c->p++;
			if (unicode_escape(c))
				return -EINVAL;
			continue;
		}
		e = *c->p ? strchr(from, *c->p) : NULL;
		if (!e)
			return -EINVAL;
		c->buf[c->used++] = to[e - from];
		c->p++;
	}
	if (c->p == c->end)
		return -EINVAL;
	c->p++;
	*ret = (struct vw_str){c->buf + begin, c->used - begin};
	return 0;
}

static int string(struct cursor *c, struct vw_str *ret)
{
	const char *start;

	if (!expect(c, '"'))
		return -EINVAL;
	start = c->p;
	while (c->end - c->p >= 8 && !has_special(word(c->p)))
		c->p += 8;
	for (; c->p < c->end; c->p++) {
		if (*c->p == '"') {
			*ret = (struct vw_str){start, (size_t)(c->p++ - start)};
			return 0;
		}
		if (*c->p == '\\')
			return unescape(c, start, ret);
		if ((unsigned char)*c->p < 0x20)
			return -EINVAL;
	}
	return -EINVAL;
}

static int number(struct cursor *c, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	const char *start;

	skip_space(c);
	start = c->p;
	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
		unsigned d = (unsigned)(*c->p - '0');

		if (v > (max - d) / 10)
			return -ERANGE;
		v = v * 10 + d;
	}
	if (c->p == start || (*start == '0' && c->p - start > 1))
		return -EINVAL;
	*ret = v;
	return 0;
}

/* Copies a short text so that it ends in NUL. */
static const char *cstr(const struct vw_str *s, char *buf, size_t cap)
{
	if (s->n >= cap || memchr(s->s, '\0', s->n))
		return "";
	memcpy(buf, s->s, s->n);
	buf[s->n] = '\0';
	return buf;
}

static int event(const struct vw_str *s, enum vw_flow_event *ret)
{
	for (int e = 0; e < _VW_FLOW_EVENT_MAX; e++) {
		if (vw_str_is(s, vw_flow_event_str((enum vw_flow_event)e))) {
			*ret = (enum vw_flow_event)e;
			return 0;
		}
	}
	return -EINVAL;
}

static int direction(const struct vw_str *s, bool *ret)
{
	*ret = vw_str_is(s, "egress");
	return *ret || vw_str_is(s, "ingress") ? 0 : -EINVAL;
}

/* "2026-11-22T22:41:49.123456Z" in the minute of the time before it; anything else the long way. */
static int point_in_time(struct cursor *c, const struct vw_str *s, int64_t *ret)
{
	int r, v[2] = {0, 0};

	if (s->n != 27 || s->s[16] != ':' || s->s[19] != '.' || s->s[26] != 'Z')
		return vw_time_parse(s->s, s->n, ret);
	for (int i = 17; i < 26; i++) {
		unsigned d = (unsigned)(s->s[i] - '0');

		if (i != 19 && d > 9)
			return -EINVAL;
		if (i != 19)
			v[i > 19] = v[i > 19] * 10 + (int)d;
	}
	if (c->minute && word(c->minute) == word(s->s) && word(c->minute + 8) == word(s->s + 8)) {
		if (v[0] > 60)
			return -EINVAL;
		*ret = c->minute_us + v[0] * 1000000 + v[1];
		return 0;
	}
	r = vw_time_parse(s->s, s->n, ret);
	if (r)
		return r;
	c->minute = s->s;
	c->minute_us = *ret - v[0] * 1000000 - v[1];
	return 0;
}

/* As strict as inet_pton: four decimal numbers without leading zeros. */
static bool ipv4(const struct vw_str *s, struct vw_addr *ret)
{
	struct vw_addr a = {.family = 4};
	unsigned v = 0, digits = 0, parts = 0;

	if (s->n > 15)
		return false;
	for (size_t i = 0; i <= s->n; i++) {
		unsigned d = i < s->n ? (unsigned)(s->s[i] - '0') : 10;

		if (d <= 9) {
			if (digits++ && !v)
				return false;
			v = v * 10 + d;
			if (v > 255)
				return false;
			continue;
		}
		if (!digits || parts == 4 || (i < s->n && s->s[i] != '.'))
			return false;
		a.b[parts++] = (uint8_t)v;
		v = digits = 0;
	}
	if (parts != 4)
		return false;
	*ret = a;
	return true;
}

static int address(const struct vw_str *s, struct vw_addr *ret)
{
	char buf[VW_ADDR_STRLEN];

	return ipv4(s, ret) ? 0 : vw_addr_parse(cstr(s, buf, sizeof(buf)), ret);
}

static int protocol(const struct vw_str *s, uint8_t *ret)
{
	char buf[16];
	int v = vw_str_is(s, "tcp")	? IPPROTO_TCP
		: vw_str_is(s, "udp")	? IPPROTO_UDP
		: vw_str_is(s, "ether") ? 0
					: vw_proto_parse(cstr(s, buf, sizeof(buf)));

	if (v < 0)
		return -EINVAL;
	*ret = (uint8_t)v;
	return 0;
}

static int string_member(struct cursor *c, const struct member *m, void *field)
{
	struct vw_str s;

	if (string(c, &s))
		return -EINVAL;
	switch (m->kind) {
	case K_STR:
		*(struct vw_str *)field = s;
		return 0;
	case K_TIME:
		return point_in_time(c, &s, field);
	case K_ADDR:
		return address(&s, field);
	case K_PROTO:
		return protocol(&s, field);
	case K_EVENT:
		return event(&s, field);
	default:
		return direction(&s, field);
	}
}

static int member_value(struct cursor *c, const struct member *m, void *field)
{
	static const uint64_t max[] = {
		[K_U64] = UINT64_MAX,
		[K_U32] = UINT32_MAX,
		[K_U16] = UINT16_MAX,
		[K_ICMP] = UINT8_MAX,
	};
	uint64_t v;
	int r;

	if (m->kind >= VW_ARRAY_SIZE(max) || !max[m->kind])
		return string_member(c, m, field);
	r = number(c, max[m->kind], &v);
	if (r)
		return r;
	if (m->kind == K_U64)
		*(uint64_t *)field = v;
	else if (m->kind == K_U32)
		*(uint32_t *)field = (uint32_t)v;
	else
		*(uint16_t *)field = (uint16_t)v;
	return 0;
}

/* A number, or true, false, null. */
static int skip_word(struct cursor *c)
{
	const char *start = c->p;

	while (c->p < c->end && ((*c->p >= '0' && *c->p <= '9') || (*c->p >= 'a' && *c->p <= 'z') ||
				 *c->p == 'E' || *c->p == '.' || *c->p == '-' || *c->p == '+'))
		c->p++;
	return c->p == start ? -EINVAL : 0;
}

/* Any value of a member that is not ours. Brackets need only balance in number. */
static int skip_value(struct cursor *c)
{
	unsigned depth = 0;
	struct vw_str s;

	do {
		skip_space(c);
		if (c->p == c->end)
			return -EINVAL;
		if (*c->p == '"') {
			size_t used = c->used;

			if (string(c, &s))
				return -EINVAL;
			c->used = used;
			continue;
		}
		if (*c->p == '{' || *c->p == '[') {
			if (++depth > DEPTH_MAX)
				return -EINVAL;
		} else if (*c->p == '}' || *c->p == ']') {
			if (!depth--)
				return -EINVAL;
		} else if (!depth) {
			return skip_word(c);
		}
		c->p++;
	} while (depth);
	return 0;
}

/* The member of that name; the one expected next is tried first. */
static const struct member *lookup(const struct vw_str *name, size_t *next)
{
	for (size_t k = 0; k < VW_ARRAY_SIZE(members); k++) {
		size_t i = (*next + k) % VW_ARRAY_SIZE(members);
		const struct member *m = &members[i];

		if (m->len == name->n + NAME_EXTRA && !memcmp(m->text + 2, name->s, name->n)) {
			*next = i + 1;
			return m;
		}
	}
	return NULL;
}

/* Whether p has the member's text; all of it is within the line. */
static bool is_at(const char *p, const struct member *m)
{
	return word(p) == word(m->text) && word(p + m->len - 8) == word(m->text + m->len - 8) &&
	       (m->len <= 16 || word(p + 8) == word(m->text + 8));
}

/* The member whose name, spelt as we do, stands at the cursor, from *next on: consumed. */
static const struct member *expected(struct cursor *c, size_t *next)
{
	for (size_t i = *next; i < VW_ARRAY_SIZE(members); i++) {
		const struct member *m = &members[i];

		if (c->end - c->p < m->len || !is_at(c->p, m))
			continue;
		c->p += m->len;
		*next = i + 1;
		return m;
	}
	return NULL;
}

static int members_of(struct cursor *c, struct record *r, unsigned *ret_has)
{
	const struct member *m;
	struct vw_str name;
	unsigned has = 0;
	size_t next = 0;
	char before = '{';

	do {
		m = c->p < c->end && *c->p == before ? expected(c, &next) : NULL;
		if (!m) {
			if (!expect(c, before) || string(c, &name) || !expect(c, ':'))
				return -EINVAL;
			m = lookup(&name, &next);
		}
		if (m && has & m->has) /* twice: nobody knows which one holds */
			return -EINVAL;
		if (m ? member_value(c, m, (char *)r + m->off) : skip_value(c))
			return -EINVAL;
		has |= m ? m->has : 0;
		before = ',';
		skip_space(c);
	} while (c->p < c->end && *c->p == ',');
	if (!expect(c, '}'))
		return -EINVAL;
	skip_space(c);
	*ret_has = has;
	return c->p == c->end ? 0 : -EINVAL;
}

/* What the members must say together. */
static int complete(struct record *r, unsigned has)
{
	const unsigned always = HAS_TIME | HAS_EVENT | HAS_PACKETS,
		       flow = HAS_DIRECTION | HAS_TUPLE;
	static const uint32_t event_code[_VW_FLOW_EVENT_MAX] = {
		[VW_FLOW_DENIED] = VW_CODE_DENY,
		[VW_FLOW_AUDITED] = VW_CODE_AUDIT,
		[VW_FLOW_ALLOWED] = VW_CODE_LOG,
	};
	struct vw_flow *f = &r->f;

	if ((has & always) != always)
		return -EINVAL;
	if (f->t.src.family != f->t.dst.family ||
	    (!vw_flow_is_sum(f->event) && (has & flow) != flow))
		return -EINVAL;
	if (f->t.proto == IPPROTO_ICMP || f->t.proto == IPPROTO_ICMPV6)
		f->t.sport = f->t.dport = (uint16_t)(r->icmp_type << 8 | r->icmp_code);
	if (!f->t.proto && r->ether_type)
		f->t.sport = f->t.dport = r->ether_type;
	if (!(has & HAS_CODE))
		f->t.code = event_code[f->event] | (f->egress ? VW_CODE_EGRESS : 0);
	if (!(has & HAS_FIRST))
		f->first_us = f->time_us;
	if (!(has & HAS_LAST))
		f->last_us = f->time_us;
	return 0;
}

int vw_flow_json_parse(const char *line, size_t n, char buf[static VW_FLOW_LINE_MAX],
		       struct vw_flow *ret)
{
	struct cursor c = {.p = line, .end = line + n, .buf = buf};
	struct record r = {0};
	unsigned has;

	if (n > VW_FLOW_LINE_MAX || members_of(&c, &r, &has) || complete(&r, has))
		return vw_note_kind(line, n) ? -ENOMSG : -EINVAL;
	*ret = r.f;
	return 0;
}
