/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One DLT_NFLOG frame (what libpcap's nflog device delivers: the netlink message behind its
 * nlmsghdr) to the facts of the packet in it. Every byte here may be a container's choice, so each
 * read is checked against the end of what it reads from. Knows no descriptor. */
#include "vethwall/flow.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#define NFGEN_LEN 4 /* family, version, resource id */
#define NLA_LEN 4 /* length and type, host order */
#define HOOK_EGRESS 1 /* NF_NETDEV_EGRESS */
#define EXT_HDRS_MAX 16

/* The rest of a buffer; take() is the only way forward. */
struct span {
	const uint8_t *p;
	size_t n;
};

static const uint8_t *take(struct span *s, size_t n)
{
	const uint8_t *p = s->p;

	if (n > s->n)
		return NULL;
	s->p += n;
	s->n -= n;
	return p;
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static uint64_t be64(const uint8_t *p)
{
	return (uint64_t)be32(p) << 32 | be32(p + 4);
}

static uint16_t host16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* What the kernel's sets hold as ports: those of the protocol, or an ICMP message's type and code
 * in both places, else zero; also zero behind a first fragment, where the kernel cannot load them.
 */
static void fill_ports(struct span rest, bool later_fragment, struct vw_tuple *t)
{
	const uint8_t *p;

	t->sport = t->dport = 0;
	if (later_fragment)
		return;
	if (t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6) {
		p = take(&rest, 2);
		if (p)
			t->sport = t->dport = be16(p);
	} else if (vw_proto_has_ports(t->proto)) {
		p = take(&rest, 4);
		if (p) {
			t->sport = be16(p);
			t->dport = be16(p + 2);
		}
	}
}

static int tuple4(struct span s, struct vw_tuple *t, size_t *ret_len)
{
	const uint8_t *h = take(&s, 20);
	size_t ihl;

	if (!h)
		return -EINVAL;
	ihl = (size_t)(h[0] & 0xf) * 4;
	if (ihl < 20)
		return -EINVAL;
	t->src = (struct vw_addr){.family = 4};
	t->dst = (struct vw_addr){.family = 4};
	memcpy(t->src.b, h + 12, 4);
	memcpy(t->dst.b, h + 16, 4);
	t->proto = h[9];
	*ret_len = be16(h + 2);
	if (!take(&s, ihl - 20))
		s.n = 0; /* options were cut off: no ports to see */
	fill_ports(s, be16(h + 6) & 0x1fff, t);
	return 0;
}

static bool is_ext(uint8_t nh)
{
	return nh == IPPROTO_HOPOPTS || nh == IPPROTO_ROUTING || nh == IPPROTO_FRAGMENT ||
	       nh == IPPROTO_AH || nh == IPPROTO_DSTOPTS;
}

/* Walks the extension headers as ipv6_find_hdr() does (net/ipv6/exthdrs_core.c): the upper protocol
 * is the first that is none of them. Returns whether this is a fragment behind the first. */
static bool skip_ext(struct span *s, uint8_t *nh)
{
	for (int i = 0; i < EXT_HDRS_MAX && is_ext(*nh); i++) {
		struct span peek = *s;
		const uint8_t *h = take(&peek, 8);
		uint8_t kind = *nh;
		size_t len;

		if (!h) {
			s->n = 0;
			return false;
		}
		*nh = h[0];
		len = kind == IPPROTO_FRAGMENT ? 8
		      : kind == IPPROTO_AH     ? ((size_t)h[1] + 2) * 4
					       : ((size_t)h[1] + 1) * 8;
		if (kind == IPPROTO_FRAGMENT && (be16(h + 2) & 0xfff8))
			return true;
		if (!take(s, len))
			s->n = 0;
	}
	return false;
}

static int tuple6(struct span s, struct vw_tuple *t, size_t *ret_len)
{
	const uint8_t *h = take(&s, 40);
	bool later;

	if (!h)
		return -EINVAL;
	t->src = (struct vw_addr){.family = 6};
	t->dst = (struct vw_addr){.family = 6};
	memcpy(t->src.b, h + 8, 16);
	memcpy(t->dst.b, h + 24, 16);
	t->proto = h[6];
	*ret_len = be16(h + 4) ? be16(h + 4) + 40u : 0;
	later = skip_ext(&s, &t->proto);
	fill_ports(s, later, t);
	return 0;
}

int vw_packet_tuple(const uint8_t *p, size_t n, struct vw_tuple *ret, size_t *ret_packet_len)
{
	struct vw_tuple t = *ret;
	size_t len;
	int r;

	if (!n)
		return -EINVAL;
	r = p[0] >> 4 == 4   ? tuple4((struct span){p, n}, &t, &len)
	    : p[0] >> 4 == 6 ? tuple6((struct span){p, n}, &t, &len)
			     : -EINVAL;
	if (r)
		return r;
	*ret = t;
	*ret_packet_len = len > n ? len : n; /* length 0: segmentation offload or a jumbogram */
	return 0;
}

/* At the egress hook the kernel hands over the frame from its Ethernet header on, at ingress from
 * the network header (tried on 6.18; skb->data is where the hook finds it). */
static void strip_link(struct vw_nflog *f)
{
	const uint8_t *p = f->payload;

	if (f->hook != HOOK_EGRESS || f->payload_len < ETHER_HDR_LEN ||
	    be16(p + 12) != f->hw_protocol)
		return;
	f->payload += ETHER_HDR_LEN;
	f->payload_len -= ETHER_HDR_LEN;
}

static void attribute(struct vw_nflog *f, uint16_t type, const uint8_t *v, size_t n)
{
	switch (type) {
	case NFULA_PACKET_HDR:
		if (n >= 4) {
			f->hw_protocol = be16(v);
			f->hook = v[2];
		}
		break;
	case NFULA_MARK:
		f->mark = n >= 4 ? be32(v) : 0;
		break;
	case NFULA_IFINDEX_INDEV:
		f->indev = n >= 4 ? be32(v) : 0;
		break;
	case NFULA_IFINDEX_OUTDEV:
		f->outdev = n >= 4 ? be32(v) : 0;
		break;
	case NFULA_TIMESTAMP:
		if (n >= 16 && be64(v) < INT64_MAX / 2000000 && be64(v + 8) < 1000000)
			f->time_us = (int64_t)(be64(v) * 1000000 + be64(v + 8));
		break;
	case NFULA_PAYLOAD:
		f->payload = v;
		f->payload_len = n;
		break;
	default:
		break;
	}
}

int vw_nflog_decode(const uint8_t *frame, size_t n, struct vw_nflog *ret)
{
	struct span s = {frame, n};
	struct vw_nflog f = {0};

	if (!take(&s, NFGEN_LEN))
		return -EINVAL;
	while (s.n >= NLA_LEN) {
		size_t len = host16(s.p), padded = (len + 3) & ~(size_t)3;

		if (len < NLA_LEN || len > s.n)
			return -EINVAL;
		attribute(&f, host16(s.p + 2) & 0x7fff, s.p + NLA_LEN, len - NLA_LEN);
		take(&s, padded > s.n ? s.n : padded);
	}
	f.packet_len = f.payload_len;
	if (f.payload) {
		strip_link(&f);
		f.packet_len = f.payload_len;
		f.has_tuple = !vw_packet_tuple(f.payload, f.payload_len, &f.tuple, &f.packet_len);
	}
	f.tuple.code = f.mark;
	*ret = f;
	return 0;
}
