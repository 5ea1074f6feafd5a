/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS answers (RFC 1035) as far as they tell which addresses a name has. Pure, bounded reads only:
 * every byte may be an attacker's choice. (codec/dns_decode.c) */
#ifndef VETHWALL_DNS_H
#define VETHWALL_DNS_H

#include "vethwall/flow.h"
#include "vethwall/policy.h"

#define VW_DNS_ADDRS_MAX 64 /* taken of one answer */

struct vw_dns_addr {
	struct vw_addr addr;
	uint32_t ttl; /* seconds: the least on the way there */
};

struct vw_dns_answer {
	char name[VW_FQDN_LEN]; /* that was asked for, as vw_fqdn_normal() has it */
	struct vw_dns_addr addrs[VW_DNS_ADDRS_MAX];
	size_t n;
};

/* One message. The addresses are those of the name that was asked for, directly or by CNAMEs within
 * the message. -ENOMSG: well formed, but no whole positive answer to one question for addresses.
 * -EINVAL: malformed. */
int vw_dns_decode(const uint8_t *p, size_t n, struct vw_dns_answer *ret);
/* The payload of an unfragmented UDP packet, IP header first; -EINVAL: it is none, or not all
 * there. */
int vw_udp_payload(const uint8_t *p, size_t n, const uint8_t **ret, size_t *ret_n);

#endif
