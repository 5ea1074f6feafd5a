/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One wall: its hooks, its two directions, its sets. A packet meets its veth's base chain, is
 * checked for a forged source, is looked up among the live flows, and only if it belongs to none is
 * judged by policy. The chains' words are in wall.h. */
#include <stdio.h>
#include <string.h>

#include "core/wall.h"

#define DENIED_MS (10 * 60 * 1000) /* the agent reads each element long before (agent/denied.c) */

#define ASKED_MS 30000 /* resolvers give up earlier (BIND: resolver-query-timeout 10 s) */
#define ANSWERS_PER_SECOND 500 /* what is over it passes, but opens nothing */
#define ANSWER_BYTES 4096 /* the largest EDNS payload that resolvers use (RFC 6891 6.2.5) */

/* Static, though packets lead to it: the agent judges answers, and an agent that is away takes
 * nothing back. */
static void learnt_set(struct wall *w)
{
	const struct vw_set *from = &w->w->learnt[w->f->v == 6];
	const uint8_t fields[] = {w->f->v == 4 ? VW_F_IP4 : VW_F_IP6, VW_F_NONE};
	struct vw_elem e;
	struct vw_set *s;
	char name[VW_NAME_LEN];
	int r = 0;

	vw_wall_set_name(w->w->ifindex, 'q', w->f->v, name);
	s = nftb_set(&w->b, name, VW_SET_MAP, fields);
	for (size_t i = 0; i < from->elems.n && s && !r; i++) {
		vw_elem_get(from, i, &e);
		r = vw_elem_push(s, &e, VW_LEARNT_WALL_MAX);
	}
	if (r)
		w->b.err = r;
}

static void refused_rule(struct wall *w)
{
	nftb_mark_has(&w->b, VW_CODE_DENY);
	nftb_verdict(&w->b, NFT_RETURN, NULL);
	nftb_end(&w->b, "refused");
}

/* All that a change of policy rewrites of a wall: who the peer is and what it may, into the mark. A
 * chain of its own, so that it is little, and so that nft has words for every rule of it. */
static void judge_chain(struct wall *w, const struct vw_compiled *c)
{
	const char *class = w->sent ? w->w->out_class : w->w->in_class;
	const struct vw_class *k = vw_compiled_class(c, class);
	char name[VW_NAME_LEN];

	wall_begin(w, wall_dir(w, "jo", "ji"));
	if (!class[0]) {
		nftb_mark_set(&w->b, 0);
		nftb_end(&w->b, "no policy selects it");
		return;
	}
	snprintf(name, sizeof(name), "%s%d", w->sent ? "dst" : "src", w->f->v);
	nftb_verdict(&w->b, NFT_JUMP, name);
	nftb_end(&w->b, "who is the peer");
	if (w->sent && w->fqdn) {
		vw_wall_set_name(w->w->ifindex, 'q', w->f->v, name);
		nftb_payload(&w->b, NH, w->f->daddr, w->f->len, 0);
		nftb_lookup_map(&w->b, name, 0, 0);
		nftb_mark_from(&w->b, 0);
		nftb_end(&w->b, "an address behind a name that it resolved");
	}
	nftb_verdict(&w->b, NFT_JUMP, class);
	nftb_end(&w->b, "what may it");
	if (!k || !k->notes)
		return;
	refused_rule(w);
	nftb_mark_has(&w->b, VW_CODE_AUDIT | VW_CODE_LOG);
	wall_go(w, NFT_JUMP, "dc");
	nftb_end(&w->b, "passes, but is counted and logged");
}

static void judge_rules(struct wall *w)
{
	wall_go(w, NFT_JUMP, wall_dir(w, "jo", "ji"));
	nftb_end(&w->b, "what policy says");
	refused_rule(w);
}

uint16_t vw_dns_group(const struct vw_config *cfg)
{
	return cfg->nflog_group == UINT16_MAX ? UINT16_MAX - 1 : cfg->nflog_group + 1;
}

/* udp dport 53 ip saddr <own> update @live { <key of a question> timeout 30s } */
static void dns_question(struct wall *w)
{
	wall_l4proto_is(w, NFT_CMP_EQ, IPPROTO_UDP);
	nftb_payload(&w->b, TH, 2, 2, 0);
	nftb_u16(&w->b, 0, NFT_CMP_EQ, 53);
	wall_is_own(w, w->f->saddr, true);
	wall_flow_key(w, VW_LIVE_ASKED, PORTS);
	nftb_dynset(&w->b, w->live, NFT_DYNSET_OP_UPDATE, 0, ASKED_MS);
	nftb_end(&w->b, "a DNS question: an answer may come");
}

/* udp sport 53 <key of a question> @live limit rate N/second log group G+1: only what answers the
 * container; a live flow may as well have been opened by the peer. It passes as what it is, by the
 * rules that follow. */
static void dns_answer(struct wall *w)
{
	wall_l4proto_is(w, NFT_CMP_EQ, IPPROTO_UDP);
	nftb_payload(&w->b, TH, 0, 2, 0);
	nftb_u16(&w->b, 0, NFT_CMP_EQ, 53);
	wall_flow_key_to_look(w, VW_LIVE_ASKED, PORTS);
	nftb_lookup(&w->b, w->live, 0, false);
	nftb_limit(&w->b, ANSWERS_PER_SECOND, ANSWERS_PER_SECOND);
	nftb_log(&w->b, vw_dns_group(w->cfg), ANSWER_BYTES);
	nftb_end(&w->b, "a DNS answer: to the agent as well");
}

/* Its DNS answers are looked at. */
static bool wall_asks(const struct wall *w)
{
	return w->fqdn || w->cfg->dns_names;
}

/* What such a wall has before its chain of the direction: the hook leads here, so that the rest of
 * the wall is the same with and without. */
static void names_chain(struct wall *w)
{
	wall_begin(w, wall_dir(w, "ao", "ai"));
	w->sent ? dns_question(w) : dns_answer(w);
	wall_go(w, NFT_GOTO, wall_dir(w, "i", "e"));
	nftb_end(&w->b, "and on");
}

static void direction(struct wall *w, const struct vw_compiled *c, bool sent)
{
	w->sent = sent;
	judge_chain(w, c);
	if (wall_asks(w))
		names_chain(w);
	wall_flow_chains(w);
	wall_begin(w, wall_dir(w, "i", "e"));
	if (sent)
		wall_no_detours(w);
	if (w->f->v == 6 && sent) {
		wall_l4proto_is(w, NFT_CMP_EQ, IPPROTO_ICMPV6);
		wall_go(w, NFT_JUMP, "n");
		nftb_end(&w->b, "neighbour discovery");
	}
	if (sent) {
		wall_is_own(w, w->f->saddr, false);
		wall_refuse(w, VW_REASON_SPOOF, "source address is not the container's");
	}
	wall_live_rules(w);
	if (!sent)
		wall_for_another(w);
	if (w->f->v == 6 && !sent)
		wall_nd_received(w);
	judge_rules(w);
	wall_admit_rules(w);
}

static void dynamic_set(struct wall *w, const char *name, const uint8_t *fields, uint32_t flags,
			uint32_t size, uint32_t timeout)
{
	struct vw_set *s = nftb_set(&w->b, name, VW_SET_DYNAMIC | VW_SET_TIMEOUT | flags, fields);

	if (!s)
		return;
	s->size = size;
	s->timeout_ms = timeout;
}

static void family(struct wall *w, const struct vw_compiled *c, const struct family *f)
{
	uint8_t a = f->v == 4 ? VW_F_IP4 : VW_F_IP6;
	uint8_t flow[] = {a, a, VW_F_PROTO, VW_F_PORT, VW_F_PORT, VW_F_NONE};
	uint8_t refused[] = {VW_F_MARK, a, a, VW_F_PROTO, VW_F_PORT, VW_F_PORT, VW_F_NONE};

	wall_enter(w, f);
	/* counters, if any, are of the elements of flows only (wall_flows.c) */
	dynamic_set(w, w->live, flow, 0, w->cfg->live_max, w->cfg->tcp_idle_ms);
	dynamic_set(w, w->denied, refused, VW_SET_COUNTER | VW_SET_LIMIT, w->cfg->denied_max,
		    DENIED_MS);
	wall_own_set(w);
	if (w->fqdn)
		learnt_set(w);
	w->sent = true;
	wall_deny_chains(w);
	if (f->v == 6)
		wall_nd_chain(w);
	direction(w, c, true);
	direction(w, c, false);
}

/* --- hooks --- */

static void hook_chain(struct wall *w, bool sent)
{
	struct vw_chain *c;
	char name[VW_NAME_LEN];

	w->sent = sent;
	snprintf(name, sizeof(name), "%s_%u", sent ? "in" : "eg", w->w->ifindex);
	c = nftb_chain(&w->b, name);
	if (!c)
		return;
	c->base = true;
	c->hook = sent ? NF_NETDEV_INGRESS : NF_NETDEV_EGRESS;
	memcpy(c->dev, w->w->dev, sizeof(c->dev));
	c->policy = NF_DROP;
	c->ifindex = w->w->ifindex;
}

/* A veth without IPv6 addresses still sends discovery noise of its link-local address. */
static void quiet_noise(struct wall *w)
{
	wall_ethertype(w, ETH_P_IPV6);
	nftb_meta(&w->b, NFT_META_L4PROTO, 0);
	nftb_u8(&w->b, 0, NFT_CMP_EQ, IPPROTO_ICMPV6);
	nftb_payload(&w->b, TH, 0, 1, 0);
	nftb_u8(&w->b, 0, NFT_CMP_GTE, 130);
	wall_counted_drop(w, "discovery without an address");
}

/* ether saddr <own> ether type ip, by one load: the link layer is the slow one to load from. Where
 * a VLAN tag stands the type is another. */
static void own_frame(struct wall *w)
{
	uint8_t want[8] = {0};

	if (!w->sent || !w->w->has_mac) {
		wall_ethertype(w, w->f->ethertype);
		return;
	}
	memcpy(want, w->w->mac.b, 6);
	want[6] = w->f->ethertype >> 8;
	want[7] = w->f->ethertype & 0xff;
	nftb_payload(&w->b, LL, 6, 8, 0);
	nftb_cmp(&w->b, 0, NFT_CMP_EQ, want, 8);
}

static void to_family(struct wall *w, const struct family *f)
{
	wall_enter(w, f);
	own_frame(w);
	wall_go(w, NFT_JUMP, wall_asks(w) ? wall_dir(w, "ao", "ai") : wall_dir(w, "i", "e"));
	nftb_end(&w->b, f->v == 4 ? "IPv4" : "IPv6");
}

static void refuse_family(struct wall *w, const struct family *f)
{
	wall_enter(w, f);
	wall_ethertype(w, f->ethertype);
	wall_go(w, NFT_GOTO, wall_dir(w, "do", "di"));
	nftb_end(&w->b, "what comes back is refused");
}

/* ether saddr != <own> meta mark set spoofed */
static void forged_mac(struct wall *w)
{
	nftb_payload(&w->b, LL, 6, 6, 0);
	nftb_cmp(&w->b, 0, NFT_CMP_NEQ, w->w->mac.b, 6);
	nftb_mark_set(&w->b, wall_code(w, VW_REASON_SPOOF));
	nftb_end(&w->b, "source MAC is not the container's");
}

static void refuse_families(struct wall *w)
{
	if (w->sent && w->w->has_mac)
		forged_mac(w);
	if (w->n4)
		refuse_family(w, &wall_family4);
	if (w->n6)
		refuse_family(w, &wall_family6);
}

static void hook(struct wall *w, bool sent)
{
	char arp[VW_NAME_LEN];

	snprintf(arp, sizeof(arp), "arp_%u", w->w->ifindex);
	hook_chain(w, sent);
	if (w->n4)
		to_family(w, &wall_family4);
	if (w->n6)
		to_family(w, &wall_family6);
	refuse_families(w);
	wall_ethertype(w, ETH_P_ARP);
	nftb_verdict(&w->b, sent ? NFT_GOTO : NF_ACCEPT, sent ? arp : NULL);
	nftb_end(&w->b, "arp");
	if (!w->n6)
		quiet_noise(w);
	wall_refuse_foreign(w);
}

static void hold(struct wall *w, bool sent)
{
	hook_chain(w, sent);
	if (!sent || w->w->kind == VW_WALL_HOLD) {
		if (sent) {
			wall_long_arp(w);
			wall_refuse_held(w);
			wall_long_nd(w);
			wall_refuse_held(w);
		}
		wall_ethertype(w, ETH_P_ARP);
		wall_pass(w, "arp");
		wall_nd_held(w);
	}
	wall_refuse_held(w);
}

static void count_ips(struct wall *w)
{
	for (size_t i = 0; i < w->w->n_ips; i++)
		w->w->ips[i].family == 4 ? w->n4++ : w->n6++;
}

int vw_render_learnt(const struct vw_wall *wall, struct vw_ruleset *ret)
{
	struct wall w = {.b.out = ret, .w = wall};

	count_ips(&w);
	w.f = &wall_family4;
	if (w.n4)
		learnt_set(&w);
	w.f = &wall_family6;
	if (w.n6)
		learnt_set(&w);
	return w.b.err;
}

int vw_render_wall(const struct vw_compiled *c, const struct vw_wall *wall, struct vw_ruleset *ret)
{
	struct wall w = {.b.out = ret, .w = wall, .cfg = &c->config, .f = &wall_family4};

	const struct vw_class *k = vw_compiled_class(c, wall->out_class);

	w.fqdn = k && k->fqdn;
	count_ips(&w);
	wall_held_chain(&w);
	if (wall->kind == VW_WALL_HOLD || !wall->n_ips) {
		hold(&w, true);
		hold(&w, false);
		return w.b.err;
	}
	if (w.n4)
		family(&w, c, &wall_family4);
	if (w.n6)
		family(&w, c, &wall_family6);
	wall_foreign_chain(&w);
	wall_arp_chain(&w);
	hook(&w, true);
	hook(&w, false);
	return w.b.err;
}
