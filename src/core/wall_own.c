/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a wall refuses before it asks whether a peer may be reached: what is not from the
 * container's own address or not for it, and headers that name other destinations than the one that
 * is judged. */
#include <string.h>

#include "core/wall.h"

static unsigned own_count(const struct wall *w)
{
	return w->f->v == 4 ? w->n4 : w->n6;
}

static void own_name(const struct wall *w, char ret[static VW_NAME_LEN])
{
	vw_wall_set_name(w->w->ifindex, 'o', w->f->v, ret);
}

/* ip saddr <own>, or daddr, or != */
void wall_is_own(struct wall *w, uint16_t addr, bool own)
{
	char set[VW_NAME_LEN];

	nftb_payload(&w->b, NH, addr, w->f->len, 0);
	if (own_count(w) == 1) {
		for (size_t i = 0; i < w->w->n_ips; i++)
			if (w->w->ips[i].family == w->f->v)
				nftb_cmp(&w->b, 0, own ? NFT_CMP_EQ : NFT_CMP_NEQ, w->w->ips[i].b,
					 w->f->len);
	} else {
		own_name(w, set);
		nftb_lookup(&w->b, set, 0, !own);
	}
}

void wall_own_set(struct wall *w)
{
	uint8_t fields[] = {w->f->v == 4 ? VW_F_IP4 : VW_F_IP6, VW_F_NONE};
	char name[VW_NAME_LEN];
	struct vw_set *s;
	int r = 0;

	if (own_count(w) == 1)
		return;
	own_name(w, name);
	s = nftb_set(&w->b, name, 0, fields);
	for (size_t i = 0; i < w->w->n_ips && s && !r; i++) {
		struct vw_elem e = {0};

		memcpy(e.key, w->w->ips[i].b, w->f->len);
		if (w->w->ips[i].family == w->f->v)
			r = vw_elem_push(s, &e, VW_IPS_MAX);
	}
	if (s && !r)
		r = vw_elems_sort(s);
	if (r)
		w->b.err = r;
}

/* A bridge floods a frame for a MAC that it has not learnt to all its ports. It is not for this
 * container, so it opens no flow and is no refusal of it: ip daddr != <own> ether daddr & 01 == 0
 * ether daddr != <own> drop */
static void flooded_frame(struct wall *w)
{
	const uint8_t group = 0x01, none = 0;

	if (!w->w->has_mac)
		return;
	wall_is_own(w, w->f->daddr, false);
	nftb_payload(&w->b, LL, 0, 1, 0);
	nftb_and(&w->b, 0, &group, 1);
	nftb_cmp(&w->b, 0, NFT_CMP_EQ, &none, 1);
	nftb_payload(&w->b, LL, 0, 6, 0);
	nftb_cmp(&w->b, 0, NFT_CMP_NEQ, w->w->mac.b, 6);
	wall_counted_drop(w, "for another: the bridge does not know where it is");
}

/* A neighbour may send it a frame with a packet for somebody else in it: judged by its own address
 * that packet was allowed to leave for there. Multicast, broadcast and link-local addresses are not
 * known here; of a network's own broadcast addresses, those of /24 and larger networks are let.
 * ip daddr != <own> @nh,128,8 < 224 @nh,152,8 != 255, ip6 daddr != <own> @nh,192,8 < 0xfe */
static void not_addressed(struct wall *w)
{
	const uint8_t group = w->f->v == 4 ? 224 : 0xfe;

	wall_is_own(w, w->f->daddr, false);
	nftb_payload(&w->b, NH, w->f->daddr, 1, 0);
	nftb_u8(&w->b, 0, NFT_CMP_LT, group);
	if (w->f->v == 4) {
		nftb_payload(&w->b, NH, w->f->daddr + 3, 1, 0);
		nftb_u8(&w->b, 0, NFT_CMP_NEQ, 255);
	}
	wall_refuse(w, VW_REASON_ADDRESS, "for another's address");
}

void wall_for_another(struct wall *w)
{
	flooded_frame(w);
	not_addressed(w);
}

/* The header may name further destinations than the one that is judged (RFC 791 source routes, RFC
 * 8200 4.4 routing headers), and who is on the way may be told to follow it. Of IPv4 options only
 * Router Alert passes, alone, as IGMP has it (RFC 2113, RFC 3376 4). */
void wall_no_detours(struct wall *w)
{
	static const uint8_t alert[4] = {0x94, 4, 0, 0};

	if (w->f->v == 6) {
		nftb_payload(&w->b, NH, 6, 1, 0);
		nftb_lookup(&w->b, "ext6", 0, false);
		nftb_exthdr(&w->b, IPPROTO_ROUTING, 0, 1, true, 0);
		nftb_u8(&w->b, 0, NFT_CMP_EQ, 1);
		wall_refuse(w, VW_REASON_PROTOCOL, "routing header");
		return;
	}
	nftb_payload(&w->b, NH, 0, 1, 0);
	nftb_u8(&w->b, 0, NFT_CMP_GT, 0x46);
	wall_refuse(w, VW_REASON_PROTOCOL, "IP options");
	nftb_payload(&w->b, NH, 0, 1, 0);
	nftb_u8(&w->b, 0, NFT_CMP_NEQ, 0x45);
	nftb_payload(&w->b, NH, 20, 4, 0);
	nftb_cmp(&w->b, 0, NFT_CMP_NEQ, alert, 4);
	wall_refuse(w, VW_REASON_PROTOCOL, "another IP option than Router Alert");
}
