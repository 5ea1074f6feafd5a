/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, prefixes, MACs, protocols: parse from text, print into the caller's buffer. Parsers
 * take the whole string or fail with -EINVAL; outputs are untouched on failure. */
#ifndef VETHWALL_ADDR_H
#define VETHWALL_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VW_ADDR_STRLEN 46 /* INET6_ADDRSTRLEN */
#define VW_PREFIX_STRLEN 50 /* address, slash, three digits */
#define VW_MAC_STRLEN 18

struct vw_addr {
	uint8_t family; /* 4, 6, or 0 for none */
	uint8_t b[16]; /* network order; an IPv4 address fills the first four, the rest is zero */
};

struct vw_prefix {
	struct vw_addr addr; /* host bits are zero */
	uint8_t len;
};

struct vw_mac {
	uint8_t b[6];
};

/* Bytes of an address: 4 or 16, 0 for none. */
static inline size_t vw_addr_len(const struct vw_addr *a)
{
	return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

int vw_addr_parse(const char *s, struct vw_addr *ret);
/* Strict as the Kubernetes API: "a/len", len without leading zeros. Host bits are an error (-EDOM)
 * unless mask is set, which clears them. */
int vw_prefix_parse(const char *s, bool mask, struct vw_prefix *ret);
int vw_mac_parse(const char *s, struct vw_mac *ret);

/* Print into buf and return it; always NUL-terminated. */
char *vw_addr_str(const struct vw_addr *a, char buf[static VW_ADDR_STRLEN]);
char *vw_prefix_str(const struct vw_prefix *p, char buf[static VW_PREFIX_STRLEN]);
char *vw_mac_str(const struct vw_mac *m, char buf[static VW_MAC_STRLEN]);

/* Order: family, then bytes. */
int vw_addr_cmp(const struct vw_addr *a, const struct vw_addr *b);
bool vw_addr_eq(const struct vw_addr *a, const struct vw_addr *b);
bool vw_prefix_has(const struct vw_prefix *p, const struct vw_addr *a);
/* True when inner lies wholly in outer. */
bool vw_prefix_covers(const struct vw_prefix *outer, const struct vw_prefix *inner);
/* Last address of the prefix. */
struct vw_addr vw_prefix_last(const struct vw_prefix *p);
bool vw_addr_is_loopback(const struct vw_addr *a);
bool vw_addr_is_link_local(const struct vw_addr *a);
/* 224.0.0.0/4, 255.255.255.255, ff00::/8. */
bool vw_addr_is_multicast(const struct vw_addr *a);
/* The address after a; false on wrap-around. */
bool vw_addr_next(const struct vw_addr *a, struct vw_addr *ret);

/* IANA protocol numbers by the lower-case names used in policies and records: tcp udp sctp icmp
 * icmpv6 udplite dccp gre esp ah igmp ipip; a decimal number 0-255 is itself. -EINVAL otherwise. */
int vw_proto_parse(const char *s);
/* Its name, or the number printed into buf. */
const char *vw_proto_str(uint8_t proto, char buf[static 4]);
/* True for protocols whose header starts with source and destination port:
 * tcp, udp, sctp, dccp, udplite. */
bool vw_proto_has_ports(uint8_t proto);

#endif
