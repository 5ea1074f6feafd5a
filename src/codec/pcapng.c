/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks of pcapng, written and read (draft-ietf-opsawg-pcapng). We write one section in our byte
 * order with one interface of raw IP, times in microseconds; we read what others make of it as
 * well. Every byte that is read may be anybody's choice. */
#include "vethwall/pcapng.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SHB 0x0a0d0d0au
#define IDB 1
#define EPB 6
#define MAGIC 0x1a2b3c4du
#define LINKTYPE_RAW 101
#define OPT_END 0
#define OPT_COMMENT 1
#define SHB_USERAPPL 4
#define IF_NAME 2
#define IF_TSRESOL 9
#define EPB_FLAGS 2
#define EPB_HEAD 28 /* of the block, up to the packet */
#define BLOCK_MIN 12

/* ---- writing ---- */

static uint8_t *put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static uint8_t *put_padded(uint8_t *p, const void *bytes, size_t n)
{
	memcpy(p, bytes, n);
	p += n;
	for (; n % 4; n++)
		*p++ = 0;
	return p;
}

static uint8_t *put_option(uint8_t *p, uint16_t code, const void *bytes, size_t n)
{
	p = put16(p, code);
	p = put16(p, (uint16_t)n);
	return put_padded(p, bytes, n);
}

/* The end of the options and of the block that began at buf; its length stands at both ends. */
static uint8_t *end_block(uint8_t *buf, uint8_t *p)
{
	p = put_option(p, OPT_END, "", 0);
	put32(buf + 4, (uint32_t)(p + 4 - buf));
	return put32(p, (uint32_t)(p + 4 - buf));
}

static uint8_t *begin_block(uint8_t *p, uint32_t type)
{
	p = put32(p, type);
	return put32(p, 0);
}

size_t vw_pcapng_head(uint8_t buf[static VW_PCAPNG_HEAD_MAX])
{
	static const char app[] = "vethwall", iface[] = "vethwall denied";
	const uint8_t microseconds = 6;
	uint8_t *p = begin_block(buf, SHB), *idb;

	p = put32(p, MAGIC);
	p = put16(p, 1); /* version 1.0 */
	p = put16(p, 0);
	p = put32(p, UINT32_MAX); /* length of the section: not known */
	p = put32(p, UINT32_MAX);
	p = put_option(p, SHB_USERAPPL, app, sizeof(app) - 1);
	p = idb = end_block(buf, p);
	p = begin_block(p, IDB);
	p = put16(p, LINKTYPE_RAW);
	p = put16(p, 0);
	p = put32(p, VW_PCAPNG_SNAPLEN);
	p = put_option(p, IF_NAME, iface, sizeof(iface) - 1);
	p = put_option(p, IF_TSRESOL, &microseconds, 1);
	return (size_t)(end_block(idb, p) - buf);
}

size_t vw_pcapng_packet(const struct vw_pcapng_packet *k, uint8_t buf[static VW_PCAPNG_PACKET_MAX])
{
	size_t caplen = k->caplen < VW_PCAPNG_SNAPLEN ? k->caplen : VW_PCAPNG_SNAPLEN;
	size_t comment =
		k->comment.n < VW_PCAPNG_COMMENT_MAX ? k->comment.n : VW_PCAPNG_COMMENT_MAX - 1;
	uint64_t us = k->time_us > 0 ? (uint64_t)k->time_us : 0;
	uint32_t flags = k->received ? 1 : 2; /* inbound, outbound */
	uint8_t *p = begin_block(buf, EPB);

	p = put32(p, 0); /* the interface */
	p = put32(p, (uint32_t)(us >> 32));
	p = put32(p, (uint32_t)us);
	p = put32(p, (uint32_t)caplen);
	p = put32(p, (uint32_t)(k->len > UINT32_MAX ? UINT32_MAX : k->len));
	p = put_padded(p, k->data, caplen);
	if (k->comment.s)
		p = put_option(p, OPT_COMMENT, k->comment.s, comment);
	p = put_option(p, EPB_FLAGS, &flags, sizeof(flags));
	return (size_t)(end_block(buf, p) - buf);
}

/* ---- the comment ---- */

static size_t put_name(char *buf, size_t at, const char *name, const struct vw_str *s)
{
	char text[VW_FLOW_TEXT_MAX];
	int n;

	if (!s->s)
		return at;
	n = snprintf(buf + at, VW_PCAPNG_COMMENT_MAX - at, "%s%s=%s", at ? " " : "", name,
		     vw_flow_text(s, text));
	if (n < 0 || at + (size_t)n >= VW_PCAPNG_COMMENT_MAX) {
		buf[at] = '\0'; /* a part would be another name */
		return at;
	}
	return at + (size_t)n;
}

size_t vw_pcapng_comment(const struct vw_flow *f, char buf[static VW_PCAPNG_COMMENT_MAX])
{
	struct vw_str event = vw_str_of(vw_flow_event_str(f->event));
	struct vw_str dir = vw_str_of(f->egress ? "egress" : "ingress");
	size_t at = 0;

	*buf = '\0';
	at = put_name(buf, at, "event_type", &event);
	at = put_name(buf, at, "workload", &f->workload);
	at = put_name(buf, at, "service", &f->service);
	at = put_name(buf, at, "direction", &dir);
	at = put_name(buf, at, "in_iface", &f->in_iface);
	at = put_name(buf, at, "peer", &f->peer);
	at = put_name(buf, at, "peer_name", &f->peer_name);
	at = put_name(buf, at, "policy", &f->policy);
	return put_name(buf, at, "rule", &f->rule);
}

struct vw_str vw_pcapng_comment_get(const struct vw_str *comment, const char *name)
{
	const char *p = comment->s, *end = p ? p + comment->n : NULL, *next;
	size_t len = strlen(name);

	for (; p < end; p = next + 1) {
		next = memchr(p, ' ', (size_t)(end - p));
		next = next ? next : end;
		if ((size_t)(next - p) > len && !memcmp(p, name, len) && p[len] == '=')
			return (struct vw_str){p + len + 1, (size_t)(next - p) - len - 1};
	}
	return (struct vw_str){0};
}

/* ---- reading ---- */

static uint32_t get32(const uint8_t *p, bool swapped)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return swapped ? __builtin_bswap32(v) : v;
}

static uint16_t get16(const uint8_t *p, bool swapped)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return swapped ? __builtin_bswap16(v) : v;
}

/* Options of a packet: its comment and where it went. */
static void take_options(const uint8_t *p, size_t n, bool swapped, struct vw_pcapng_packet *ret)
{
	while (n >= 4) {
		uint16_t code = get16(p, swapped);
		size_t len = get16(p + 2, swapped), padded = (len + 3) & ~(size_t)3;

		if (code == OPT_END || padded > n - 4)
			return;
		if (code == OPT_COMMENT && !ret->comment.s)
			ret->comment = (struct vw_str){(const char *)p + 4, len};
		if (code == EPB_FLAGS && len == 4)
			ret->received = (get32(p + 4, swapped) & 3) == 1;
		p += 4 + padded;
		n -= 4 + padded;
	}
}

/* b: the block's bytes between its two lengths. */
static int take_packet(const uint8_t *b, size_t n, const struct vw_pcapng_state *st,
		       struct vw_pcapng_packet *ret)
{
	struct vw_pcapng_packet k = {0};
	size_t padded;

	if (n < EPB_HEAD - 8)
		return -EINVAL;
	k.caplen = get32(b + 12, st->swapped);
	k.len = get32(b + 16, st->swapped);
	padded = (k.caplen + 3) & ~(size_t)3;
	if (k.caplen > n || padded > n - (EPB_HEAD - 8))
		return -EINVAL;
	if (get32(b, st->swapped) || !st->raw)
		return -EMEDIUMTYPE;
	k.time_us =
		(int64_t)((uint64_t)get32(b + 4, st->swapped) << 32 | get32(b + 8, st->swapped));
	k.data = b + EPB_HEAD - 8;
	take_options(k.data + padded, n - (EPB_HEAD - 8) - padded, st->swapped, &k);
	if (k.time_us < 0)
		return -EINVAL;
	*ret = k;
	return 1;
}

/* An interface whose times are not in microseconds is not ours. */
static bool is_raw(const uint8_t *b, size_t n, bool swapped)
{
	size_t at = 8;

	if (n < at || get16(b, swapped) != LINKTYPE_RAW)
		return false;
	while (n - at >= 4) {
		uint16_t code = get16(b + at, swapped), len = get16(b + at + 2, swapped);
		size_t padded = ((size_t)len + 3) & ~(size_t)3;

		if (code == OPT_END || padded > n - at - 4)
			break;
		if (code == IF_TSRESOL && len && b[at + 4] != 6)
			return false;
		at += 4 + padded;
	}
	return true;
}

static int take_block(uint32_t type, const uint8_t *b, size_t n, struct vw_pcapng_state *st,
		      struct vw_pcapng_packet *ret)
{
	if (type == SHB) {
		st->section = true;
		st->raw = false;
		return n >= 16 && get16(b + 4, st->swapped) == 1 ? 0 : -EINVAL;
	}
	if (type == EPB)
		return take_packet(b, n, st, ret);
	if (type == IDB && !st->raw)
		st->raw = is_raw(b, n, st->swapped);
	return 0;
}

int vw_pcapng_decode(const uint8_t *p, size_t n, struct vw_pcapng_state *st,
		     struct vw_pcapng_packet *ret, size_t *ret_used)
{
	struct vw_pcapng_state next = *st;
	size_t len;
	int r;

	*ret_used = BLOCK_MIN;
	if (n < BLOCK_MIN)
		return -EAGAIN;
	if (get32(p, false) == SHB) {
		next.swapped = get32(p + 8, false) != MAGIC;
		if (get32(p + 8, next.swapped) != MAGIC)
			return -EINVAL;
	} else if (!st->section) {
		return -EINVAL;
	}
	len = get32(p + 4, next.swapped);
	if (len < BLOCK_MIN || len % 4)
		return -EINVAL;
	if (len > VW_PCAPNG_BLOCK_MAX)
		return -EMSGSIZE;
	*ret_used = len;
	if (n < len)
		return -EAGAIN;
	if (get32(p + len - 4, next.swapped) != len)
		return -EINVAL;
	r = take_block(get32(p, next.swapped), p + 8, len - BLOCK_MIN, &next, ret);
	if (r >= 0)
		*st = next;
	return r;
}
