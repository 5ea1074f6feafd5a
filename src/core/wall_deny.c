/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refusals: counted exactly in the wall's denied set, sampled to NFLOG, and told to the container
 * where the kernel can (reject exists at netdev ingress only). */
#include <stdio.h>

#include "core/wall.h"

#define REJECTED_MS 2000 /* our own reset passes our own egress hook at once */
#define REJECTS_PER_SECOND 200
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* update @denied { mark . saddr . daddr . proto . x . y } log group N */
static void count_rule(struct wall *w, enum wall_tail tail, const char *what)
{
	wall_denied_key(w, tail);
	nftb_dynset(&w->b, w->denied, NFT_DYNSET_OP_UPDATE, 0, 0);
	nftb_log(&w->b, w->cfg->nflog_group, w->cfg->snaplen);
	nftb_end(&w->b, what);
}

/* One counter for each direction: what they have and no element has is overflow. */
static void count_directions(struct wall *w)
{
	const uint32_t mask = VW_CODE_EGRESS, zero = 0;

	nftb_mark_has(&w->b, mask);
	nftb_counter(&w->b);
	nftb_end(&w->b, "all that it sent");
	nftb_meta(&w->b, NFT_META_MARK, 0);
	nftb_and(&w->b, 0, &mask, 4);
	nftb_cmp(&w->b, 0, NFT_CMP_EQ, &zero, 4);
	nftb_counter(&w->b);
	nftb_end(&w->b, "all that was sent to it");
}

/* Each packet fits one rule. Later fragments leave first: short loads of the transport header (the
 * kernel's nft_payload_fast_eval) read what stands there, whatever it is. */
static void count_chain(struct wall *w)
{
	wall_begin(w, "df");
	count_rule(w, NOTHING, "later fragment");
	wall_begin(w, "dc");
	count_directions(w);
	wall_later_fragment(w);
	wall_go(w, NFT_GOTO, "df");
	nftb_end(&w->b, "later fragment");
	wall_has_ports(w, true);
	count_rule(w, PORTS, "flow with ports");
	wall_l4proto_is(w, NFT_CMP_EQ, w->f->icmp);
	count_rule(w, ICMP_TYPE, "icmp");
	wall_has_ports(w, false);
	nftb_u8(&w->b, 0, NFT_CMP_NEQ, w->f->icmp);
	count_rule(w, NOTHING, "flow without ports");
}

static void mark_is(struct wall *w, uint32_t code)
{
	nftb_meta(&w->b, NFT_META_MARK, 0);
	nftb_cmp(&w->b, 0, NFT_CMP_EQ, &code, 4);
}

/* ip6 nexthdr != @ext6: an answer quotes the packet, and only a quoted transport header at its
 * fixed place is known again when the answer passes our own egress hook. */
static void without_extension(struct wall *w)
{
	if (w->f->v == 4)
		return;
	nftb_payload(&w->b, NH, 6, 1, 0);
	nftb_lookup(&w->b, "ext6", 0, true);
}

static void reject(struct wall *w, bool tcp, const char *what)
{
	without_extension(w);
	nftb_limit(&w->b, REJECTS_PER_SECOND, REJECTS_PER_SECOND);
	wall_flow_key(w, VW_LIVE_REJECTED, RAW4);
	nftb_dynset(&w->b, w->live, NFT_DYNSET_OP_UPDATE, 0, REJECTED_MS);
	if (tcp)
		nftb_reject(&w->b, NFT_REJECT_TCP_RST, 0);
	else
		nftb_reject(&w->b, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
	nftb_end(&w->b, what);
}

/* The start of a connection to nobody known here may be ahead of the agent, which is just learning
 * from the answer that made it: it is dropped, and the container tries again after a second (RFC
 * 6298 2.1), where a reset would have been the end. */
static void await_name(struct wall *w)
{
	const uint8_t begins = TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN;
	char id[VW_NAME_LEN];

	snprintf(id, sizeof(id), "id%d", w->f->v);
	wall_l4proto_is(w, NFT_CMP_EQ, IPPROTO_TCP);
	nftb_payload(&w->b, NH, w->f->daddr, w->f->len, 0);
	/* into the mark, which nobody reads any more: nft has no words for asking alone */
	nftb_lookup_map(&w->b, id, 0, 0);
	nftb_mark_from(&w->b, 0);
	reject(w, true, "refuse by reset: a workload or the node");
	wall_l4proto_is(w, NFT_CMP_EQ, IPPROTO_TCP);
	nftb_payload(&w->b, TH, 13, 1, 0);
	nftb_and(&w->b, 0, &begins, 1);
	nftb_u8(&w->b, 0, NFT_CMP_EQ, TCP_SYN);
	wall_drop(w, "a name for it may be on its way");
}

static void reject_rule(struct wall *w, bool tcp)
{
	wall_l4proto_is(w, tcp ? NFT_CMP_EQ : NFT_CMP_NEQ, IPPROTO_TCP);
	reject(w, tcp, tcp ? "refuse by reset" : "refuse by icmp");
}

static void count_and_forget(struct wall *w)
{
	wall_go(w, NFT_JUMP, "dc");
	nftb_end(&w->b, "count and log");
	/* the rest of a refused datagram must not follow */
	wall_first_fragment(w);
	wall_flow_key(w, VW_LIVE_FRAGMENT, FRAG_ID);
	nftb_dynset(&w->b, w->live, NFT_DYNSET_OP_DELETE, 0, 0);
	nftb_end(&w->b, "forget its fragments");
}

static void answer_chain(struct wall *w)
{
	wall_begin(w, "ro");
	if (w->fqdn)
		await_name(w);
	reject_rule(w, true);
	reject_rule(w, false);
	wall_drop(w, "over the limit of answers");
}

void wall_deny_chains(struct wall *w)
{
	bool sent = w->sent;

	count_chain(w);
	w->sent = true;
	answer_chain(w);
	wall_begin(w, "do");
	count_and_forget(w);
	mark_is(w, wall_code(w, VW_REASON_SPOOF));
	wall_drop(w, "a forged sender gets no answer");
	wall_go(w, NFT_GOTO, "ro");
	nftb_end(&w->b, "an answer");
	w->sent = false;
	wall_begin(w, "di");
	count_and_forget(w);
	wall_drop(w, "refused on arrival");
	w->sent = sent;
}

/* Where what is neither IP of a family that it has nor ARP is counted. */
static const struct family *foreign_family(const struct wall *w)
{
	return w->n4 ? &wall_family4 : &wall_family6;
}

/* By its EtherType, as a flow without addresses:
 * update @denied { mark . 0 . 0 . 0 . ether type . ether type } log */
void wall_foreign_chain(struct wall *w)
{
	static const uint8_t zero[16];
	uint8_t words;

	wall_enter(w, foreign_family(w));
	words = w->f->len / 4;
	wall_begin(w, "dx");
	count_directions(w);
	nftb_meta(&w->b, NFT_META_MARK, 0);
	nftb_imm(&w->b, 1, zero, w->f->len);
	nftb_imm(&w->b, 1 + words, zero, w->f->len);
	nftb_imm(&w->b, 1 + 2 * words, zero, 1);
	nftb_payload(&w->b, LL, 12, 2, 2 + 2 * words);
	nftb_payload(&w->b, LL, 12, 2, 3 + 2 * words);
	nftb_dynset(&w->b, w->denied, NFT_DYNSET_OP_UPDATE, 0, 0);
	nftb_log(&w->b, w->cfg->nflog_group, w->cfg->snaplen);
	nftb_end(&w->b, "neither IP nor ARP of its own");
	wall_drop(w, "and refused");
}

/* meta mark set <code> goto dx */
void wall_refuse_foreign(struct wall *w)
{
	wall_enter(w, foreign_family(w));
	nftb_mark_set(&w->b, wall_code(w, VW_REASON_PROTOCOL));
	wall_go(w, NFT_GOTO, "dx");
	nftb_end(&w->b, "neither IP nor ARP of its own");
}

static void held_name(const struct wall *w, char ret[static VW_NAME_LEN])
{
	snprintf(ret, VW_NAME_LEN, "h_%u", w->w->ifindex);
}

/* Every wall has it: it goes on counting, and is read, when the veth turns out to be somebody's. */
void wall_held_chain(struct wall *w)
{
	char name[VW_NAME_LEN];

	held_name(w, name);
	nftb_chain(&w->b, name);
	count_directions(w);
	wall_drop(w, "held");
}

/* meta mark set <code> goto h_N */
void wall_refuse_held(struct wall *w)
{
	char name[VW_NAME_LEN];

	held_name(w, name);
	nftb_mark_set(&w->b, wall_code(w, VW_REASON_HELD));
	nftb_verdict(&w->b, NFT_GOTO, name);
	nftb_end(&w->b, "nobody's yet");
}
