/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ARP and IPv6 neighbour discovery: a container speaks for itself and for nobody else. */
#include <stdio.h>
#include <string.h>

#include "core/wall.h"

/* Bytes behind the IPv6 header: the longest solicitation has 24, a link-layer address and a nonce
 * (RFC 4861 4.3, RFC 7527 4.1), eight each. */
#define ND_MAX 40
#define ARP_MAX 46 /* 28, padded to the least that Ethernet carries */
#define SITE_LEN                                                                        \
	6 /* bytes: no link has a prefix that is shorter than its site's /48 (RFC 6177) \
	   */
#define SITES_MAX                                                                      \
	8 /* own addresses that neighbours are sought by, so that a rule can hold them \
	   */

static void is_icmp6(struct wall *w)
{
	nftb_meta(&w->b, NFT_META_L4PROTO, 0);
	nftb_u8(&w->b, 0, NFT_CMP_EQ, IPPROTO_ICMPV6);
}

static void hop_limit(struct wall *w, uint8_t hops)
{
	nftb_payload(&w->b, NH, 7, 1, 0);
	nftb_u8(&w->b, 0, NFT_CMP_EQ, hops);
}

/* RFC 4861 6.1, 7.1: nodes drop neighbour discovery whose hop limit is not 255. */
static void nd(struct wall *w, uint8_t type)
{
	wall_icmp_type(w, type);
	hop_limit(w, 255);
}

static void icmp6_type_in(struct wall *w, const char *set)
{
	nftb_payload(&w->b, TH, 0, 1, 0);
	nftb_lookup(&w->b, set, 0, false);
}

static void addr_op(struct wall *w, uint8_t base, uint16_t off, uint8_t op, const uint8_t addr[16])
{
	nftb_payload(&w->b, base, off, 16, 0);
	nftb_cmp(&w->b, 0, op, addr, 16);
}

static void addr_at(struct wall *w, uint8_t base, uint16_t off, const uint8_t addr[16])
{
	addr_op(w, base, off, NFT_CMP_EQ, addr);
}

/* @nh,<n*8>,8 >= 0: there is a byte behind the first n, whatever a length field says */
static void longer_than(struct wall *w, uint16_t n)
{
	nftb_payload(&w->b, NH, n, 1, 0);
	nftb_u8(&w->b, 0, NFT_CMP_GTE, 0);
}

/* fe80:: with the modified EUI-64 of the MAC (RFC 4291 appendix A), as containers make it. */
static void link_local_of(const struct vw_mac *m, uint8_t ret[16])
{
	const uint8_t ll[16] = {0xfe, 0x80,    0,	    0,	     0,	      0,
				0,    0,       m->b[0] ^ 2, m->b[1], m->b[2], 0xff,
				0xfe, m->b[3], m->b[4],	    m->b[5]};

	memcpy(ret, ll, 16);
}

static void to_link(struct wall *w)
{
	nftb_payload(&w->b, NH, 24, 2, 0);
	nftb_cmp(&w->b, 0, NFT_CMP_EQ, (uint8_t[]){0xff, 0x02}, 2);
}

static const uint8_t any[16];

/* Its own address, its link-local one, or none: any other goes on, and is refused as forged. */
static void nd_source(struct wall *w)
{
	uint8_t ll[16];

	wall_is_own(w, w->f->saddr, false);
	addr_op(w, NH, 8, NFT_CMP_NEQ, any);
	if (w->w->has_mac) {
		link_local_of(&w->w->mac, ll);
		addr_op(w, NH, 8, NFT_CMP_NEQ, ll);
	} else {
		nftb_payload(&w->b, NH, 8, 1, 0);
		nftb_u8(&w->b, 0, NFT_CMP_NEQ, 0xfe);
	}
	nftb_verdict(&w->b, NFT_RETURN, NULL);
	nftb_end(&w->b, "in another's name");
}

static void nd_refuse(struct wall *w, const char *what)
{
	nftb_mark_set(&w->b, wall_code(w, VW_REASON_RA));
	wall_go(w, NFT_GOTO, "do");
	nftb_end(&w->b, what);
}

/* What passes without a policy must not carry anything: no more than it needs, and to neighbours
 * only: multicast, link-local, or of its own site: the length of the link's prefix is not known
 * here. */
static void nd_carries_nothing(struct wall *w)
{
	size_t n = 0;

	icmp6_type_in(w, "nd6in");
	longer_than(w, 40 + ND_MAX);
	nd_refuse(w, "discovery with data");
	icmp6_type_in(w, "nd6in");
	nftb_payload(&w->b, NH, 24, 1, 0);
	nftb_u8(&w->b, 0, NFT_CMP_LT, 0xfe);
	for (size_t i = 0; i < w->w->n_ips && n < SITES_MAX; i++) {
		if (w->w->ips[i].family != 6)
			continue;
		nftb_payload(&w->b, NH, 24, SITE_LEN, 0);
		nftb_cmp(&w->b, 0, NFT_CMP_NEQ, w->w->ips[i].b, SITE_LEN);
		n++;
	}
	nd_refuse(w, "discovery beyond the link");
}

/* Solicitations from, advertisements about and duplicate detection of its own address. */
static void nd_for(struct wall *w, const uint8_t addr[16])
{
	nd(w, 135);
	addr_at(w, NH, 8, addr);
	wall_pass(w, "neighbour solicitation from its own address");
	nd(w, 136);
	addr_at(w, TH, 8, addr);
	wall_pass(w, "neighbour advertisement of its own address");
	nd(w, 135);
	addr_at(w, NH, 8, any);
	addr_at(w, TH, 8, addr);
	wall_pass(w, "duplicate address detection");
}

/* Jumped to with ICMPv6 only. */
void wall_nd_chain(struct wall *w)
{
	uint8_t ll[16];

	wall_begin(w, "n");
	nd_source(w);
	nd_carries_nothing(w);
	for (size_t i = 0; i < w->w->n_ips; i++)
		if (w->w->ips[i].family == 6)
			nd_for(w, w->w->ips[i].b);
	if (w->w->has_mac) {
		link_local_of(&w->w->mac, ll);
		nd_for(w, ll);
	}
	nd(w, 133);
	to_link(w);
	wall_pass(w, "router solicitation");
	icmp6_type_in(w, "mld6");
	hop_limit(w, 1);
	to_link(w);
	wall_pass(w, "multicast report");
	/* icmpv6 type @nd6: advertisements of routers, redirects, and what is not its own */
	icmp6_type_in(w, "nd6");
	nd_refuse(w, "no router, no neighbour that it is not");
}

static void mld_received(struct wall *w)
{
	is_icmp6(w);
	icmp6_type_in(w, "mld6in");
	hop_limit(w, 1);
}

/* What arrives: forged discovery has been stopped where it was sent; the host's own passes. */
void wall_nd_received(struct wall *w)
{
	is_icmp6(w);
	icmp6_type_in(w, "nd6in");
	hop_limit(w, 255);
	wall_pass(w, "neighbour discovery");
	/* from a link-local address or none, which no router passes on (RFC 3810 5.1.14, 5.2.13) */
	mld_received(w);
	nftb_payload(&w->b, NH, 8, 2, 0);
	nftb_and(&w->b, 0, (const uint8_t[]){0xff, 0xc0}, 2);
	nftb_cmp(&w->b, 0, NFT_CMP_EQ, (const uint8_t[]){0xfe, 0x80}, 2);
	wall_pass(w, "multicast listener discovery");
	mld_received(w);
	addr_at(w, NH, 8, any);
	wall_pass(w, "multicast report without an address");
}

/* A veth that nobody is known to own may resolve addresses, so that it does not pay a second of
 * retries when its wall comes; it may not pose as a router. */
void wall_nd_held(struct wall *w)
{
	for (uint8_t type = 133; type <= 136; type++) {
		if (w->sent && type == 134)
			continue;
		wall_ethertype(w, ETH_P_IPV6);
		is_icmp6(w);
		nd(w, type);
		if (w->sent) {
			nftb_payload(&w->b, NH, 24, 1, 0);
			nftb_u8(&w->b, 0, NFT_CMP_GTE, 0xfe);
		}
		wall_pass(w, "neighbour discovery");
	}
}

void wall_long_nd(struct wall *w)
{
	wall_ethertype(w, ETH_P_IPV6);
	longer_than(w, 40 + ND_MAX);
}

void wall_long_arp(struct wall *w)
{
	wall_ethertype(w, ETH_P_ARP);
	longer_than(w, ARP_MAX);
}

/* arp: only about itself; 0.0.0.0 is the probe of RFC 5227 */
void wall_arp_chain(struct wall *w)
{
	static const uint8_t zero[4];
	char name[VW_NAME_LEN];

	snprintf(name, sizeof(name), "arp_%u", w->w->ifindex);
	nftb_chain(&w->b, name);
	wall_long_arp(w);
	wall_counted_drop(w, "arp with data");
	if (w->w->has_mac) {
		/* the frame's own source as well: a bridge learns from it who is where */
		nftb_payload(&w->b, LL, 6, 6, 0);
		nftb_cmp(&w->b, 0, NFT_CMP_NEQ, w->w->mac.b, 6);
		wall_counted_drop(w, "arp from another's mac");
		nftb_payload(&w->b, NH, 8, 6, 0);
		nftb_cmp(&w->b, 0, NFT_CMP_NEQ, w->w->mac.b, 6);
		wall_counted_drop(w, "arp of another's mac");
	}
	for (size_t i = 0; i <= w->n4; i++) {
		const uint8_t *ip = i < w->n4 ? w->w->ips[i].b : zero;

		nftb_payload(&w->b, NH, 14, 4, 0);
		nftb_cmp(&w->b, 0, NFT_CMP_EQ, ip, 4);
		wall_pass(w, "arp of its own");
	}
	wall_counted_drop(w, "arp of another's address");
}
