/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ethernet frames for tests, built layer by layer. Checksums are left zero: no rule reads them.
 * Include after cmocka.h and model.h. */
#ifndef TESTS_FRAME_H
#define TESTS_FRAME_H

#include <linux/if_ether.h>

#define F static inline __attribute__((unused))

struct frame {
	uint8_t b[512];
	size_t n;
	size_t ip; /* where the network header begins */
};

F void f_put(struct frame *f, const void *v, size_t n)
{
	assert_true(f->n + n <= sizeof(f->b));
	memcpy(f->b + f->n, v, n);
	f->n += n;
}

F void f_8(struct frame *f, unsigned v)
{
	f_put(f, &(uint8_t){(uint8_t)v}, 1);
}

F void f_16(struct frame *f, unsigned v)
{
	f_8(f, v >> 8);
	f_8(f, v);
}

F void f_zero(struct frame *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		f_8(f, 0);
}

F struct frame f_eth(const uint8_t src[6], unsigned type)
{
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 0xfe};
	struct frame f = {.n = 0};

	f_put(&f, dst, 6);
	f_put(&f, src, 6);
	f_16(&f, type);
	f.ip = f.n;
	return f;
}

/* An IPv4 or IPv6 header over n bytes; frag: offset in bytes | 1 when more follow. */
F void f_ip(struct frame *f, const struct vw_addr *src, const struct vw_addr *dst, uint8_t proto,
	    size_t n, int frag, unsigned id)
{
	f->ip = f->n;
	if (src->family == 4) {
		f_16(f, 0x4500);
		f_16(f, (unsigned)(20 + n));
		f_16(f, id);
		f_16(f, frag < 0 ? 0x4000 : (unsigned)((frag & 1) << 13 | frag >> 3));
		f_8(f, 64);
		f_8(f, proto);
		f_16(f, 0);
	} else {
		f_16(f, 0x6000);
		f_16(f, 0);
		f_16(f, (unsigned)(n + (frag < 0 ? 0 : 8)));
		f_8(f, frag < 0 ? proto : 44);
		f_8(f, 64);
	}
	f_put(f, src->b, vw_addr_len(src));
	f_put(f, dst->b, vw_addr_len(dst));
	if (src->family == 6 && frag >= 0) {
		f_16(f, proto << 8);
		f_16(f, (unsigned)((frag & ~7) | (frag & 1)));
		f_16(f, 0);
		f_16(f, id);
	}
}

/* Ports, flags where TCP has them, zeroes: 20 bytes that do for every transport protocol. */
F void f_l4(struct frame *f, unsigned sport, unsigned dport, uint8_t flags)
{
	f_16(f, sport);
	f_16(f, dport);
	f_zero(f, 9);
	f_8(f, flags);
	f_zero(f, 6);
}

/* A whole packet; for icmp, sport is type and code and dport the checksum. */
F struct frame f_packet(const uint8_t mac[6], const struct vw_addr *src, const struct vw_addr *dst,
			uint8_t proto, unsigned sport, unsigned dport, uint8_t flags)
{
	struct frame f = f_eth(mac, src->family == 4 ? ETH_P_IP : ETH_P_IPV6);

	f_ip(&f, src, dst, proto, 20, -1, 0);
	f_l4(&f, sport, dport, flags);
	return f;
}

#undef F
#endif
