/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of a denied flow as a value: what its code says, how two records of one flow become
 * one, and its times as text. Knows no file, no clock and no JSON. */
#include "vethwall/flow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define US_PER_S 1000000

struct vw_str vw_str_of(const char *s)
{
	return (struct vw_str){s, s ? strlen(s) : 0};
}

bool vw_str_is(const struct vw_str *a, const char *s)
{
	size_t n = strlen(s);

	return a->s && a->n == n && !memcmp(a->s, s, n);
}

const char *vw_flow_event_str(enum vw_flow_event e)
{
	static const char *const names[_VW_FLOW_EVENT_MAX] = {
		[VW_FLOW_DENIED] = "denied",   [VW_FLOW_AUDITED] = "audited",
		[VW_FLOW_ALLOWED] = "allowed", [VW_FLOW_OVERFLOW] = "overflow",
		[VW_FLOW_HELD] = "held",
	};

	return (unsigned)e < _VW_FLOW_EVENT_MAX ? names[e] : "denied";
}

bool vw_flow_is_sum(enum vw_flow_event e)
{
	return e == VW_FLOW_OVERFLOW || e == VW_FLOW_HELD;
}

void vw_flow_set_code(struct vw_flow *f, uint32_t code)
{
	f->t.code = code;
	f->egress = code & VW_CODE_EGRESS;
	f->event = code & VW_CODE_DENY	  ? VW_FLOW_DENIED
		   : code & VW_CODE_AUDIT ? VW_FLOW_AUDITED
					  : VW_FLOW_ALLOWED;
}

void vw_flow_merge(struct vw_flow *into, const struct vw_flow *from)
{
	into->packets += from->packets;
	into->bytes += from->bytes;
	if (from->first_us < into->first_us)
		into->first_us = from->first_us;
	if (from->last_us > into->last_us)
		into->last_us = from->last_us;
	if (from->time_us < into->time_us)
		return;
	into->time_us = from->time_us;
	into->total_packets = from->total_packets;
	into->total_bytes = from->total_bytes;
}

/* Days since 1970-01-01 of a Gregorian date, counted in years that begin in March, so that the leap
 * day is a year's last. */
static int64_t days_of(int y, int m, int d)
{
	int64_t year = m <= 2 ? y - 1 : y;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t yoe = year - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int *ret_y, int *ret_m, int *ret_d)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*ret_d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*ret_m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*ret_y = (int)(yoe + era * 400 + (*ret_m <= 2));
}

static void put_digits(char *p, unsigned v, int n)
{
	while (n--) {
		p[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

char *vw_time_str(int64_t us, char buf[static VW_TIME_STRLEN])
{
	int64_t s = us >= 0 ? us / US_PER_S : -((-us + US_PER_S - 1) / US_PER_S);
	int64_t days = s >= 0 ? s / 86400 : -((-s + 86399) / 86400);
	unsigned frac = (unsigned)(us - s * US_PER_S), rest = (unsigned)(s - days * 86400);
	int y, m, d;

	date_of(days, &y, &m, &d);
	if (y < 0 || y > 9999) {
		y = y < 0 ? 0 : 9999;
		m = d = 1;
	}
	memcpy(buf, "0000-00-00T00:00:00.000000Z", 28);
	put_digits(buf, (unsigned)y, 4);
	put_digits(buf + 5, (unsigned)m, 2);
	put_digits(buf + 8, (unsigned)d, 2);
	put_digits(buf + 11, rest / 3600, 2);
	put_digits(buf + 14, rest / 60 % 60, 2);
	put_digits(buf + 17, rest % 60, 2);
	put_digits(buf + 20, frac, 6);
	return buf;
}

/* n decimal digits at s, or -1. */
static int digits(const char *s, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

/* "Z", "+hh:mm", "+hhmm" (as Suricata writes it) to minutes east. */
static int parse_offset(const char *s, size_t n, int *ret_minutes)
{
	int h, m;

	if (n == 1 && (*s == 'Z' || *s == 'z')) {
		*ret_minutes = 0;
		return 0;
	}
	if ((n != 5 && n != 6) || (*s != '+' && *s != '-') || (n == 6 && s[3] != ':'))
		return -EINVAL;
	h = digits(s + 1, 2);
	m = digits(s + n - 2, 2);
	if (h < 0 || h > 23 || m < 0 || m > 59)
		return -EINVAL;
	*ret_minutes = (*s == '-' ? -1 : 1) * (h * 60 + m);
	return 0;
}

static int month_days(int y, int m)
{
	static const uint8_t len[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100) || y % 400 == 0;

	return len[m - 1] + (m == 2 && leap);
}

/* Digits after the point, in microseconds; advances *s. */
static unsigned parse_fraction(const char **s, const char *end)
{
	unsigned us = 0;
	int n = 0;

	for (; *s < end && **s >= '0' && **s <= '9'; (*s)++) {
		if (n++ < 6)
			us = us * 10 + (unsigned)(**s - '0');
	}
	for (; n < 6; n++)
		us *= 10;
	return us;
}

int vw_time_parse(const char *s, size_t n, int64_t *ret_us)
{
	const char *end = s + n;
	int y, mo, d, h, mi, sec, off;
	unsigned us = 0;

	if (n < 20 || n > 40 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != ' ') ||
	    s[13] != ':' || s[16] != ':')
		return -EINVAL;
	y = digits(s, 4);
	mo = digits(s + 5, 2);
	d = digits(s + 8, 2);
	h = digits(s + 11, 2);
	mi = digits(s + 14, 2);
	sec = digits(s + 17, 2);
	if (y < 0 || mo < 1 || mo > 12 || d < 1 || d > month_days(y, mo) || h < 0 || h > 23 ||
	    mi < 0 || mi > 59 || sec < 0 || sec > 60)
		return -EINVAL;
	s += 19;
	if (*s == '.') {
		s++;
		if (s == end || *s < '0' || *s > '9')
			return -EINVAL;
		us = parse_fraction(&s, end);
	}
	if (parse_offset(s, (size_t)(end - s), &off))
		return -EINVAL;
	*ret_us = (days_of(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - off * 60) * US_PER_S + us;
	return 0;
}

static uint8_t *put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	p[2] = p[3] = 0;
	return p + 4;
}

size_t vw_flow_key(const struct vw_tuple *t, uint8_t ret[static VW_FLOW_KEY_MAX])
{
	size_t alen = vw_addr_len(&t->src);
	uint8_t *p = ret;

	memcpy(p, &t->code, 4); /* a mark is in host order */
	p += 4;
	memcpy(p, t->src.b, alen);
	p += alen;
	memcpy(p, t->dst.b, alen);
	p += alen;
	memcpy(p, (uint8_t[4]){t->proto}, 4);
	p = put_be16(p + 4, t->sport);
	p = put_be16(p, t->dport);
	return (size_t)(p - ret);
}
