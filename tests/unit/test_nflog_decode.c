/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NFLOG frames as the kernel made them (netdev ingress and egress, 6.18), packets of every shape,
 * and frames cut or changed anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vethwall/cleanup.h"
#include "vethwall/flow.h"

/* A container's UDP packet at the ingress hook of its veth: payload from the IP header on. */
static const uint8_t ingress[] = {
	0x05, 0x00, 0x00, 0x05, 0x08, 0x00, 0x01, 0x00, 0x08, 0x00, 0x00, 0x00, 0x05, 0x00,
	0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x02,
	0x08, 0x00, 0x02, 0x00, 0x90, 0x00, 0x00, 0x01, 0x14, 0x00, 0x03, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x6b, 0x03, 0x71, 0x39, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x03, 0x8e,
	0x24, 0x00, 0x09, 0x00, 0x45, 0x00, 0x00, 0x80, 0xfe, 0xd3, 0x40, 0x00, 0x40, 0x11,
	0x27, 0x85, 0x0a, 0x09, 0x00, 0x02, 0x0a, 0x09, 0x00, 0x01, 0x04, 0x57, 0x08, 0xae,
	0x00, 0x6c, 0x14, 0x92, 0x78, 0x78, 0x78, 0x78,
};
/* The host's to the container, at the egress hook: payload from the Ethernet header on. */
static const uint8_t egress[] = {
	0x05, 0x00, 0x00, 0x05, 0x08, 0x00, 0x01, 0x00, 0x08, 0x00, 0x01, 0x00, 0x08,
	0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x02, 0x08, 0x00, 0x02, 0x00, 0x80, 0x00,
	0x00, 0x01, 0x2e, 0x00, 0x09, 0x00, 0x0a, 0xed, 0xf7, 0x54, 0x57, 0x4b, 0x32,
	0x28, 0x47, 0x75, 0x92, 0x08, 0x08, 0x00, 0x45, 0x00, 0x00, 0x80, 0x42, 0x38,
	0x40, 0x00, 0x40, 0x11, 0xe4, 0x20, 0x0a, 0x09, 0x00, 0x01, 0x0a, 0x09, 0x00,
	0x02, 0x0d, 0x05, 0x11, 0x5c, 0x00, 0x6c, 0x14, 0x92, 0x00, 0x00,
};

static void assert_addr(const struct vw_addr *a, const char *want)
{
	char s[VW_ADDR_STRLEN];

	assert_string_equal(vw_addr_str(a, s), want);
}

static void at_ingress(void **state)
{
	struct vw_nflog f;

	(void)state;
	assert_int_equal(vw_nflog_decode(ingress, sizeof(ingress), &f), 0);
	assert_int_equal(f.mark, 0x90000001);
	assert_int_equal(f.tuple.code, 0x90000001);
	assert_int_equal(f.indev, 2);
	assert_int_equal(f.outdev, 0);
	assert_int_equal(f.hook, 0);
	assert_int_equal(f.hw_protocol, 0x0800);
	assert_int_equal(f.time_us, 0x6b037139LL * 1000000 + 0x5038e);
	assert_int_equal(f.payload_len, 32);
	assert_int_equal(f.packet_len, 128);
	assert_true(f.has_tuple);
	assert_addr(&f.tuple.src, "10.9.0.2");
	assert_addr(&f.tuple.dst, "10.9.0.1");
	assert_int_equal(f.tuple.proto, 17);
	assert_int_equal(f.tuple.sport, 1111);
	assert_int_equal(f.tuple.dport, 2222);
}

static void at_egress(void **state)
{
	struct vw_nflog f;

	(void)state;
	assert_int_equal(vw_nflog_decode(egress, sizeof(egress), &f), 0);
	assert_int_equal(f.outdev, 2);
	assert_int_equal(f.hook, 1);
	assert_int_equal(f.time_us, 0);
	assert_int_equal(f.payload_len, 28);
	assert_int_equal(f.payload[0], 0x45);
	assert_addr(&f.tuple.src, "10.9.0.1");
	assert_int_equal(f.tuple.dport, 4444);
}

/* Nothing is read behind the end (each copy has its exact size), and no tuple comes out of less
 * than its header. */
static void cut_anywhere(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(ingress); n++) {
		uint8_t *copy = malloc(n ? n : 1);
		struct vw_nflog f;
		int r;

		memcpy(copy, ingress, n);
		r = vw_nflog_decode(copy, n, &f);
		assert_true(r || !f.has_tuple);
		free(copy);
	}
}

static void changed_anywhere(void **state)
{
	(void)state;
	srand(5);
	for (int k = 0; k < 50000; k++) {
		const uint8_t *from = k & 1 ? ingress : egress;
		size_t size = k & 1 ? sizeof(ingress) : sizeof(egress),
		       n = (size_t)rand() % size + 1;
		uint8_t *copy = malloc(n);
		struct vw_nflog f;

		memcpy(copy, from, n);
		for (int m = rand() % 6; m >= 0; m--)
			copy[(size_t)rand() % n] = (uint8_t)rand();
		if (!vw_nflog_decode(copy, n, &f) && f.payload) {
			assert_true(f.payload >= copy && f.payload + f.payload_len <= copy + n);
			assert_true(f.packet_len >= f.payload_len);
		}
		free(copy);
	}
}

static void tuple_of(const uint8_t *p, size_t n, struct vw_tuple *t, size_t *len)
{
	uint8_t *copy = malloc(n);

	memcpy(copy, p, n);
	memset(t, 0, sizeof(*t));
	assert_int_equal(vw_packet_tuple(copy, n, t, len), 0);
	free(copy);
}

static void ipv4_shapes(void **state)
{
	uint8_t p[64] = {0x46, 0, 0,  64, 0, 0, 0, 0, 64, 6, 0,	   0,	 10,   0,
			 0,    1, 10, 0,  0, 2, 1, 1, 1,  1, 0x9c, 0x40, 0x01, 0xbb};
	struct vw_tuple t;
	size_t len;

	(void)state;
	tuple_of(p, 64, &t, &len); /* options before the ports */
	assert_int_equal(t.sport, 40000);
	assert_int_equal(t.dport, 443);
	tuple_of(p, 26, &t, &len); /* cut inside the ports */
	assert_int_equal(t.dport, 0);
	assert_int_equal(len, 64);
	p[7] = 5; /* a later fragment has no ports */
	tuple_of(p, 64, &t, &len);
	assert_int_equal(t.sport, 0);
	assert_int_equal(t.proto, 6);
	p[7] = 0;
	p[9] = 1; /* icmp: type and code */
	tuple_of(p, 64, &t, &len);
	assert_int_equal(t.sport, 0x9c40);
	assert_int_equal(t.dport, 0x9c40);
	p[9] = 47;
	tuple_of(p, 64, &t, &len);
	assert_int_equal(t.dport, 0);
	p[0] = 0x44; /* header shorter than a header */
	assert_int_not_equal(vw_packet_tuple(p, 64, &t, &len), 0);
	p[0] = 0x56;
	assert_int_not_equal(vw_packet_tuple(p, 64, &t, &len), 0);
}

static void ipv6_shapes(void **state)
{
	/* hop-by-hop (8), destination options (16), fragment (8), AH (12), udp */
	uint8_t p[40 + 8 + 16 + 8 + 12 + 8] = {0x60, 0, 0, 0, 0, 52, 0, 64};
	uint8_t *h = p + 40;
	struct vw_tuple t;
	size_t len;

	(void)state;
	p[8] = p[24] = 0xfd;
	p[23] = 1;
	p[39] = 2;
	h[0] = 60;
	h[8] = 44;
	h[9] = 1;
	h[24] = 51;
	h[32] = 17;
	h[33] = 1;
	h[44] = 0x15;
	h[45] = 0xb3;
	h[47] = 53;
	tuple_of(p, sizeof(p), &t, &len);
	assert_addr(&t.src, "fd00::1");
	assert_addr(&t.dst, "fd00::2");
	assert_int_equal(t.proto, 17);
	assert_int_equal(t.sport, 0x15b3);
	assert_int_equal(t.dport, 53);
	assert_int_equal(len, 92);
	h[27] = 8; /* offset: a later fragment, whose next header is not looked into */
	tuple_of(p, sizeof(p), &t, &len);
	assert_int_equal(t.proto, 51);
	assert_int_equal(t.dport, 0);
	h[27] = 0;
	h[9] = 255; /* options longer than the packet */
	tuple_of(p, sizeof(p), &t, &len);
	assert_int_equal(t.dport, 0);
	for (size_t i = 0; i < sizeof(p) - 40; i += 8) /* a chain without end */
		h[i] = 0, h[i + 1] = 0;
	tuple_of(p, sizeof(p), &t, &len);
	assert_int_equal(t.dport, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_ingress),	cmocka_unit_test(at_egress),
		cmocka_unit_test(cut_anywhere), cmocka_unit_test(changed_anywhere),
		cmocka_unit_test(ipv4_shapes),	cmocka_unit_test(ipv6_shapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
