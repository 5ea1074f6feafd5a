/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rendered rules do to packets, run by the interpreter of tests/lib/nft_eval.h: first
 * packets of random worlds are decided as the compiled tables say; then the life of flows, ICMP
 * errors, fragments, neighbour discovery, ARP and forgeries at one wall, each for IPv4 and IPv6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <linux/netfilter/nf_tables.h>

#include "../lib/nft_eval.h"
#include "vethwall/cleanup.h"
#include "vethwall/compile.h"
#include "model.h"
#include "gen.h"
#include "frame.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10

/* One wall with its rules and its state. */
struct lab {
	struct vw_world world;
	struct vw_policyset set;
	struct vw_config cfg;
	struct vw_compiled c;
	const struct vw_wall *w;
	struct vw_ruleset rules;
	struct nft_eval e;
	int v; /* family of the packets */
};

static void lab_render(struct lab *l, unsigned ifindex)
{
	struct vw_diag d = {0};

	assert_int_equal(vw_compile(&l->set, &l->world, NULL, 0, &l->cfg, &l->c, &d), 0);
	vw_diag_done(&d);
	l->w = vw_compiled_wall(&l->c, ifindex);
	assert_non_null(l->w);
	assert_int_equal(vw_render_shared(&l->c, &l->rules), 0);
	vw_vec_foreach (k, &l->c.classes)
		assert_int_equal(vw_render_class(&l->c, k, &l->rules), 0);
	assert_int_equal(vw_render_wall(&l->c, l->w, &l->rules), 0);
	vw_ruleset_sort(&l->rules);
	l->e = (struct nft_eval){.rules = &l->rules, .limit_budget = 1000};
	if (nft_eval_check(&l->e))
		fail_msg("the kernel would refuse it: %s", l->e.error);
}

static void lab_done(struct lab *l)
{
	nft_eval_done(&l->e);
	vw_ruleset_done(&l->rules);
	vw_compiled_done(&l->c);
	vw_policyset_done(&l->set);
	vw_world_done(&l->world);
}

/* What an accepted packet that the container sent carries on is none of our marks. */
static enum nft_result run(struct lab *l, bool sent, const struct frame *f)
{
	char chain[VW_NAME_LEN];
	enum nft_result r;

	snprintf(chain, sizeof(chain), "%s_%u", sent ? "in" : "eg", l->w->ifindex);
	r = nft_eval_run(&l->e, chain, f->b, f->n, 0);
	if (r == NFT_ACCEPTED)
		assert_int_equal(l->e.mark, 0);
	return r;
}

static bool is_own(const struct lab *l, const struct vw_addr *a)
{
	for (size_t i = 0; i < l->w->n_ips; i++)
		if (vw_addr_eq(&l->w->ips[i], a))
			return true;
	return false;
}

/* --- random first packets --- */

static const struct vw_addr *own_of(const struct lab *l, int family)
{
	for (size_t i = 0; i < l->w->n_ips; i++)
		if (l->w->ips[i].family == family)
			return &l->w->ips[i];
	return NULL;
}

static void assert_one_denied(const struct lab *l, const struct vw_addr *src,
			      const struct vw_addr *dst, uint32_t code)
{
	char name[VW_NAME_LEN];
	struct vw_tuple t;
	size_t n = 0;

	vw_wall_set_name(l->w->ifindex, 'd', src->family, name);
	vw_vec_foreach (d, &l->e.elems)
		if (!strcmp(d->set, name)) {
			n++;
			assert_int_equal(d->packets, 1);
			assert_int_equal(vw_tuple_decode(d->key, src->family == 4 ? 24 : 48, &t),
					 0);
			assert_int_equal(t.code, code);
			assert_true(vw_addr_eq(&t.src, src) && vw_addr_eq(&t.dst, dst));
		}
	assert_int_equal(n, 1);
}

struct first {
	bool sent;
	struct vw_addr own, peer;
	uint8_t proto;
	uint16_t port;
};

/* Where a name may be on its way, the start of a connection to nobody known is not answered. */
static bool awaits_name(const struct lab *l, const struct first *p)
{
	const struct vw_class *k = vw_compiled_class(&l->c, l->w->out_class);
	const struct vw_set *id = p->peer.family == 4 ? &l->c.id4 : &l->c.id6;
	struct vw_elem e;

	if (!p->sent || !k || !k->fqdn || p->proto != 6)
		return false;
	for (size_t i = 0; i < id->elems.n; i++) {
		vw_elem_get(id, i, &e);
		if (!memcmp(e.key, p->peer.b, vw_addr_len(&p->peer)))
			return false;
	}
	return true;
}

static void check_first(struct lab *l, uint64_t seed, const struct first *p)
{
	const struct vw_addr *src = p->sent ? &p->own : &p->peer,
			     *dst = p->sent ? &p->peer : &p->own;
	bool icmp = p->proto == 1 || p->proto == 58;
	struct frame f = f_packet(l->w->mac.b, src, dst, p->proto, icmp ? p->port : 40000,
				  icmp ? 0 : p->port, SYN);
	uint32_t code = vw_compiled_judge(&l->c, l->w, p->sent ? VW_EGRESS : VW_INGRESS, &p->peer,
					  p->proto, p->port);
	bool deny = code & VW_CODE_DENY;
	bool answered = p->sent && !awaits_name(l, p);
	enum nft_result want = !deny ? NFT_ACCEPTED : answered ? NFT_REJECTED : NFT_DROPPED;
	enum nft_result got = run(l, p->sent, &f);
	char a[VW_ADDR_STRLEN];

	if (got != want || l->e.logs != (code != 0) || (code && l->e.log_mark != code))
		fail_msg("VW_SEED=%llu: wall %u %s peer %s proto %u port %u: judged %08x, rules "
			 "say %d "
			 "(%s), log %08x",
			 (unsigned long long)seed, l->w->ifindex,
			 p->sent ? "sends to" : "hears from", vw_addr_str(&p->peer, a), p->proto,
			 p->port, code, got, l->e.last_rule ? l->e.last_rule : "policy",
			 l->e.log_mark);
	if (code)
		assert_one_denied(l, src, dst, code);
	l->e.elems.n = 0;
}

/* Not asked: what the container cannot send or get as a first packet of its own (echo replies and
 * ND have rules of their own), and addresses that are nobody's. */
static void random_first(struct lab *l, struct gen *g, uint64_t seed)
{
	struct first p = {.sent = g_chance(g, 50), .peer = m_addr(G_PICK(g, g_addrs))};
	const struct vw_addr *own = own_of(l, p.peer.family);

	g_packet(g, &p.proto, &p.port);
	if (!own || is_own(l, &p.peer))
		return;
	p.own = *own;
	check_first(l, seed, &p);
}

static void rules_say_what_tables_say(void **state)
{
	const char *only = getenv("VW_SEED");
	uint64_t first = only ? strtoull(only, NULL, 10) : 1, n = only ? 1 : 2500;

	(void)state;
	for (uint64_t seed = first; seed < first + n; seed++) {
		struct gen g = {.s = seed * 104729};
		struct lab l = {.cfg = vw_config_default};

		l.world = g_world(&g);
		l.set = g_policies(&g);
		l.cfg.default_deny = g_chance(&g, 30);
		lab_render(&l, 1);
		for (int i = 0; i < 60; i++)
			random_first(&l, &g, seed);
		lab_done(&l);
	}
}

/* --- one wall, by hand --- */

/* own: db. api may come on tcp/5432, udp/5000 and ping; db may go to out; web may neither. */
enum who { OWN = 4, API = 3, OUT = 5, WEB = 2, ROUTER = 200 };

static struct vw_addr at(const struct lab *l, enum who who)
{
	struct vw_addr a = {.family = (uint8_t)l->v, .b = {10, 0, 0, (uint8_t)who}};

	if (l->v == 6)
		a = (struct vw_addr){6, {0xfd, 0x77, [15] = (uint8_t)who}};
	return a;
}

static void put(struct lab *l, const char *service, enum who who)
{
	char v4[32], v6[32];

	snprintf(v4, sizeof(v4), "10.0.0.%u", who);
	snprintf(v6, sizeof(v6), "fd77::%x", who);
	struct vw_workload w = m_workload("shop", service, service, "net", v4, v6);

	w.ifaces.v[0].ifindex = who;
	w.ifaces.v[0].has_mac = true;
	w.ifaces.v[0].mac = (struct vw_mac){{2, 0, 0, 0, 0, (uint8_t)who}};
	snprintf(w.ifaces.v[0].veth, IFNAMSIZ, "v%u", who);
	m_put(&l->world, w);
}

static void lab_make(struct lab *l, int v, bool log)
{
	struct vw_policy p = m_policy(VW_TIER_SERVICE, "ServicePolicy", "shop", "db", "db");
	struct vw_rule *r = m_rule(&p, VW_INGRESS, VW_ALLOW);

	*l = (struct lab){.cfg = vw_config_default, .v = v};
	p.log = log;
	m_peer(r, m_service("shop", "api"));
	m_ports(r, "tcp", 5432, 5432);
	m_ports(r, "udp", 5000, 5000);
	m_ports(r, "icmp", 0x0800, 0x0800);
	m_ports(r, "icmpv6", 0x8000, 0x8000);
	r = m_rule(&p, VW_EGRESS, VW_ALLOW);
	r->any_port = true;
	m_peer(r, m_service("shop", "out"));
	m_add(&l->set, p);
	vw_policyset_sort(&l->set);
	put(l, "web", WEB);
	put(l, "api", API);
	put(l, "db", OWN);
	put(l, "out", OUT);
	lab_render(l, OWN);
}

static enum nft_result packet(struct lab *l, enum who from, enum who to, uint8_t proto,
			      unsigned sport, unsigned dport, uint8_t flags)
{
	struct vw_addr src = at(l, from), dst = at(l, to);
	struct frame f = f_packet(l->w->mac.b, &src, &dst, proto, sport, dport, flags);

	return run(l, is_own(l, &src) || to != OWN, &f);
}

#define PASSES(x) assert_int_equal(x, NFT_ACCEPTED)
#define FAILS(x) assert_int_not_equal(x, NFT_ACCEPTED)

static size_t live(const struct lab *l, uint8_t proto, struct nft_elem *ret)
{
	char name[VW_NAME_LEN];
	size_t n = 0;

	vw_wall_set_name(OWN, 'f', l->v, name);
	vw_vec_foreach (d, &l->e.elems)
		if (!strcmp(d->set, name) && d->key[l->v == 4 ? 8 : 32] == proto) {
			n++;
			if (ret)
				*ret = *d;
		}
	return n;
}

static void both(void (*fn)(struct lab *l))
{
	static const int families[] = {4, 6};

	for (size_t i = 0; i < 2; i++) {
		struct lab l;

		lab_make(&l, families[i], false);
		fn(&l);
		lab_done(&l);
	}
}

static void flow_life(struct lab *l)
{
	struct nft_elem e;

	FAILS(packet(l, OWN, API, 6, 5432, 40000, ACK));
	PASSES(packet(l, API, OWN, 6, 40000, 5432, SYN));
	assert_int_equal(live(l, 6, &e), 1);
	assert_int_equal(e.timeout_ms, VW_OPENED_IN_MS);
	PASSES(packet(l, OWN, API, 6, 5432, 40000, SYN | ACK));
	PASSES(packet(l, API, OWN, 6, 40000, 5432, ACK));
	assert_int_equal(live(l, 6, &e), 1);
	assert_int_equal(e.expires_ms, l->cfg.tcp_idle_ms);
	FAILS(packet(l, OWN, API, 6, 5432, 40001, ACK));
	FAILS(packet(l, OWN, WEB, 6, 5432, 40000, ACK));
	FAILS(packet(l, WEB, OWN, 6, 40000, 5432, SYN));
	PASSES(packet(l, OWN, OUT, 17, 1000, 53, 0));
	PASSES(packet(l, OUT, OWN, 17, 53, 1000, 0));
	FAILS(packet(l, OUT, OWN, 17, 54, 1000, 0));
}

static void flows_live(void **state)
{
	(void)state;
	both(flow_life);
}

static void closing_life(struct lab *l)
{
	struct nft_elem e;

	PASSES(packet(l, API, OWN, 6, 40000, 5432, SYN));
	PASSES(packet(l, OWN, API, 6, 5432, 40000, SYN | ACK));
	PASSES(packet(l, OWN, API, 6, 5432, 40000, FIN | ACK));
	assert_int_equal(live(l, 6, NULL), 0);
	assert_int_equal(live(l, VW_LIVE_CLOSING, &e), 1);
	assert_int_equal(e.expires_ms, l->cfg.closing_ms);
	PASSES(packet(l, API, OWN, 6, 40000, 5432, ACK | PSH));
	PASSES(packet(l, OWN, API, 6, 5432, 40000, ACK));
	PASSES(packet(l, API, OWN, 6, 40000, 5432, FIN | ACK));
	assert_int_equal(live(l, VW_LIVE_CLOSING, &e), 1);
	assert_true(e.expires_ms < l->cfg.closing_ms);
	PASSES(packet(l, OWN, API, 6, 5432, 40000, ACK));
	/* the ports again: only who may open does */
	FAILS(packet(l, OWN, API, 6, 5432, 40000, SYN));
	PASSES(packet(l, API, OWN, 6, 40000, 5432, SYN));
	PASSES(packet(l, OWN, API, 6, 5432, 40000, RST));
	assert_int_equal(live(l, 6, NULL), 0);
}

static void flows_close(void **state)
{
	(void)state;
	both(closing_life);
}

/* An ICMP error from `by` to `to` that quotes a packet. */
static enum nft_result error_of(struct lab *l, enum who by, enum who to, enum who src, enum who dst,
				uint8_t proto, unsigned sport, unsigned dport)
{
	struct vw_addr a = at(l, by), b = at(l, to), qs = at(l, src), qd = at(l, dst);
	struct frame f = f_eth(l->w->mac.b, l->v == 4 ? ETH_P_IP : ETH_P_IPV6);

	f_ip(&f, &a, &b, l->v == 4 ? 1 : 58, 8u + (l->v == 4 ? 20 : 40) + 20, -1, 0);
	f_16(&f, l->v == 4 ? 0x0301 : 0x0100);
	f_zero(&f, 6);
	f_ip(&f, &qs, &qd, proto, 20, -1, 0);
	f_l4(&f, sport, dport, 0);
	return run(l, by == OWN, &f);
}

static void refusal(struct lab *l)
{
	assert_int_equal(packet(l, OWN, WEB, 6, 1000, 80, SYN), NFT_REJECTED);
	assert_int_equal(l->e.reject_type, NFT_REJECT_TCP_RST);
	FAILS(packet(l, WEB, OWN, 6, 81, 1000, RST));
	FAILS(packet(l, WEB, OWN, 6, 80, 1000, ACK));
	PASSES(packet(l, WEB, OWN, 6, 80, 1000, RST | ACK));
	assert_int_equal(packet(l, OWN, WEB, 17, 1000, 53, 0), NFT_REJECTED);
	assert_int_equal(l->e.reject_type, NFT_REJECT_ICMPX_UNREACH);
	PASSES(error_of(l, WEB, OWN, OWN, WEB, 17, 1000, 53));
	FAILS(error_of(l, WEB, OWN, OWN, WEB, 17, 1001, 53));
	/* what lets our own answer in lets nothing else out or in */
	FAILS(error_of(l, OWN, WEB, WEB, OWN, 255, 53, 1000));
	FAILS(error_of(l, OWN, WEB, WEB, OWN, 17, 53, 1000));
	FAILS(packet(l, OWN, WEB, 255, 1000, 53, 0));
	FAILS(packet(l, OWN, WEB, 254, 1000, 53, 0));
	FAILS(packet(l, WEB, OWN, 255, 53, 1000, 0));
	l->e.limit_budget = 0;
	assert_int_equal(packet(l, OWN, WEB, 6, 1000, 80, SYN), NFT_DROPPED);
	assert_int_equal(packet(l, WEB, OWN, 6, 1000, 80, SYN), NFT_DROPPED);
}

static void refusals_are_answered(void **state)
{
	(void)state;
	both(refusal);
}

static void icmp_errors(struct lab *l)
{
	PASSES(packet(l, API, OWN, 17, 700, 5000, 0));
	PASSES(error_of(l, ROUTER, OWN, OWN, API, 17, 5000, 700));
	PASSES(error_of(l, OWN, API, API, OWN, 17, 700, 5000));
	FAILS(error_of(l, OWN, WEB, API, OWN, 17, 700, 5000));
	FAILS(error_of(l, ROUTER, OWN, OWN, API, 17, 5000, 701));
	FAILS(error_of(l, ROUTER, OWN, OWN, WEB, 17, 5000, 700));
	FAILS(error_of(l, ROUTER, OWN, OWN, API, 47, 5000, 700));
	PASSES(packet(l, OWN, OUT, 6, 1000, 80, SYN));
	PASSES(error_of(l, ROUTER, OWN, OWN, OUT, 6, 1000, 80));
}

static void icmp_errors_pass(void **state)
{
	(void)state;
	both(icmp_errors);
}

static enum nft_result echo(struct lab *l, enum who from, enum who to, unsigned type, unsigned id)
{
	struct vw_addr src = at(l, from), dst = at(l, to);
	struct frame f = f_eth(l->w->mac.b, l->v == 4 ? ETH_P_IP : ETH_P_IPV6);

	f_ip(&f, &src, &dst, l->v == 4 ? 1 : 58, 16, -1, 0);
	f_8(&f, type);
	f_zero(&f, 3);
	f_16(&f, id);
	f_zero(&f, 10);
	return run(l, from == OWN, &f);
}

static void pings(struct lab *l)
{
	unsigned request = l->v == 4 ? 8 : 128, reply = l->v == 4 ? 0 : 129;

	FAILS(echo(l, OWN, API, reply, 0x0501));
	PASSES(echo(l, API, OWN, request, 0x0501));
	PASSES(echo(l, OWN, API, reply, 0x0501));
	FAILS(echo(l, OWN, API, reply, 0x0502));
	FAILS(echo(l, WEB, OWN, request, 1));
	/* type, code and checksum that look like the flow's identifier */
	FAILS(packet(l, API, OWN, l->v == 4 ? 1 : 58, 0x0501, 0x0501, 0));
	FAILS(packet(l, OWN, API, l->v == 4 ? 1 : 58, 0x0501, 0x0501, 0));
}

static void pings_pass(void **state)
{
	(void)state;
	both(pings);
}

static enum nft_result fragment(struct lab *l, enum who from, enum who to, uint8_t proto,
				unsigned dport, int frag, unsigned id)
{
	struct vw_addr src = at(l, from), dst = at(l, to);
	struct frame f = f_eth(l->w->mac.b, l->v == 4 ? ETH_P_IP : ETH_P_IPV6);

	f_ip(&f, &src, &dst, proto, 64, frag, id);
	f_l4(&f, frag < 8 ? 700 : 0, frag < 8 ? dport : 0, 0); /* later ones have no ports */
	f_zero(&f, 44);
	return run(l, from == OWN, &f);
}

static uint64_t denied_packets(const struct lab *l)
{
	char name[VW_NAME_LEN];
	uint64_t n = 0;

	vw_wall_set_name(OWN, 'd', l->v, name);
	vw_vec_foreach (d, &l->e.elems)
		n += strcmp(d->set, name) ? 0 : d->packets;
	return n;
}

static void fragments(struct lab *l)
{
	static const uint8_t protos[] = {17, 47, 6, 132};

	FAILS(fragment(l, API, OWN, 17, 5000, 64, 9));
	assert_int_equal(l->e.log_mark & VW_CODE_RULE, VW_REASON_FRAGMENT);
	PASSES(fragment(l, API, OWN, 17, 5000, 1, 7));
	PASSES(fragment(l, API, OWN, 17, 5000, 64 | 1, 7));
	PASSES(fragment(l, API, OWN, 17, 5000, 128, 7));
	FAILS(fragment(l, API, OWN, 17, 5000, 128, 8));
	FAILS(fragment(l, WEB, OWN, 17, 5000, 128, 7));
	FAILS(fragment(l, WEB, OWN, 17, 5000, 1, 5));
	FAILS(fragment(l, WEB, OWN, 17, 5000, 64, 5));
	PASSES(fragment(l, OWN, OUT, 17, 53, 1, 3));
	PASSES(fragment(l, OWN, OUT, 17, 53, 64, 3));
	FAILS(fragment(l, OWN, WEB, 17, 53, 1, 3));
	FAILS(fragment(l, OWN, WEB, 17, 53, 64, 3));
	for (size_t i = 0; i < sizeof(protos); i++) {
		uint64_t before = denied_packets(l);

		FAILS(fragment(l, WEB, OWN, protos[i], 1, 64, 77));
		assert_int_equal(denied_packets(l), before + 1);
		FAILS(fragment(l, WEB, OWN, protos[i], 1, 1, 77));
		assert_int_equal(denied_packets(l), before + 2);
	}
}

static void fragments_follow(void **state)
{
	(void)state;
	both(fragments);
}

/* A packet that passes and is logged is not refused: the rest of it follows. */
static void logged_fragments_follow(void **state)
{
	struct lab l;

	(void)state;
	for (int v = 4; v <= 6; v += 2) {
		lab_make(&l, v, true);
		PASSES(fragment(&l, API, OWN, 17, 5000, 1, 7));
		assert_int_equal(l.e.logs, 1);
		assert_true(l.e.log_mark & VW_CODE_LOG);
		PASSES(fragment(&l, API, OWN, 17, 5000, 64, 7));
		lab_done(&l);
	}
}

static void exact_counts(struct lab *l)
{
	for (int i = 0; i < 1000; i++)
		FAILS(packet(l, WEB, OWN, 6, 1000, 5432, SYN));
	assert_int_equal(denied_packets(l), 1000);
	assert_int_equal(l->e.logs, 0); /* one token, spent on the first */
	for (int i = 0; i < 10; i++)
		FAILS(packet(l, OWN, WEB, 6, 1000, 80, SYN));
	assert_int_equal(denied_packets(l), 1010);
}

static void denied_is_exact(void **state)
{
	(void)state;
	both(exact_counts);
}

static void full(struct lab *l)
{
	l->e.size = 1;
	PASSES(packet(l, API, OWN, 6, 40000, 5432, SYN));
	PASSES(packet(l, API, OWN, 6, 40001, 5432, SYN));
	assert_int_equal(l->e.log_mark, VW_CODE_AUDIT | VW_REASON_FULL);
	FAILS(packet(l, OWN, API, 6, 5432, 40001, SYN | ACK));
	PASSES(packet(l, OWN, API, 6, 5432, 40000, SYN | ACK));
}

static void full_set_is_told(void **state)
{
	(void)state;
	both(full);
}

/* A transport header that is not all there cannot be judged by its ports, so nothing of it passes,
 * whatever the default. */
static void truncated(struct lab *l)
{
	static const uint8_t protos[] = {6, 17, 132};

	for (size_t i = 0; i < sizeof(protos); i++) {
		struct vw_addr src = at(l, OWN), dst = at(l, OUT);
		struct frame f = f_eth(l->w->mac.b, l->v == 4 ? ETH_P_IP : ETH_P_IPV6);

		f_ip(&f, &src, &dst, protos[i], 3, -1, 0);
		f_zero(&f, 3);
		FAILS(run(l, true, &f));
		assert_int_equal(l->e.mark & VW_CODE_RULE, VW_REASON_PROTOCOL);
	}
}

static void truncated_is_refused(void **state)
{
	(void)state;
	both(truncated);
}

static void forged(struct lab *l)
{
	static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 9};
	struct vw_addr own = at(l, OWN), web = at(l, WEB), out = at(l, OUT);
	struct frame f = f_packet(l->w->mac.b, &web, &out, 6, 1, 2, SYN);

	assert_int_equal(run(l, true, &f), NFT_DROPPED);
	assert_int_equal(l->e.log_mark, VW_CODE_DENY | VW_CODE_EGRESS | VW_REASON_SPOOF);
	f = f_packet(other_mac, &own, &out, 6, 1, 2, SYN);
	assert_int_equal(run(l, true, &f), NFT_DROPPED);
	assert_int_equal(l->e.log_mark, VW_CODE_DENY | VW_CODE_EGRESS | VW_REASON_SPOOF);
	f = f_packet(l->w->mac.b, &own, &out, 6, 1, 2, SYN);
	PASSES(run(l, true, &f));
	/* the same behind a VLAN tag is another protocol */
	f = f_eth(l->w->mac.b, ETH_P_8021Q);
	f_16(&f, 5);
	f_16(&f, l->v == 4 ? ETH_P_IP : ETH_P_IPV6);
	f_ip(&f, &own, &out, 6, 20, -1, 0);
	f_l4(&f, 1, 2, SYN);
	FAILS(run(l, true, &f));
	assert_int_equal(l->e.log_mark, VW_CODE_DENY | VW_CODE_EGRESS | VW_REASON_PROTOCOL);
	memcpy(f.b, l->w->mac.b, 6);
	/* what the node sends it is judged by what is behind the tag */
	FAILS(run(l, false, &f));
	assert_int_equal(l->e.log_mark, VW_CODE_DENY | VW_REASON_ADDRESS);
}

/* A bridge floods what is for a MAC that it does not know: that fills nobody's sets. */
static void flooded(struct lab *l)
{
	struct vw_addr web = at(l, WEB), out = at(l, OUT);
	struct frame f = f_packet(l->w->mac.b, &web, &out, 6, 1, 2, SYN);

	l->e.log_mark = 0;
	FAILS(run(l, false, &f)); /* to f_eth()'s MAC, which is another's */
	assert_int_equal(l->e.log_mark, 0);
	memcpy(f.b, l->w->mac.b, 6); /* sent to it on purpose, and not for it */
	FAILS(run(l, false, &f));
	assert_int_equal(l->e.log_mark, VW_CODE_DENY | VW_REASON_ADDRESS);
}

static void flooded_frames_are_nobodys(void **state)
{
	(void)state;
	both(flooded);
}

static void forgeries_are_dropped(void **state)
{
	(void)state;
	both(forged);
}

/* Other destinations in the header than the one that is judged. RFC 791 3.1, RFC 2113, RFC 8200. */
static void no_way_about(void **state)
{
	static const struct {
		uint8_t words[8];
		size_t n;
		bool passes;
	} options[] = {{{0}, 0, true},
		       {{0x94, 4, 0, 0}, 4, true}, /* router alert */
		       {{0x94, 4, 0, 0, 0x83, 4, 4, 0}, 8, false}, /* and a loose source route */
		       {{0x83, 4, 4, 0}, 4, false},
		       {{1, 1, 1, 0}, 4, false}};
	struct vw_addr own, out;
	struct frame f;
	struct lab l;

	(void)state;
	lab_make(&l, 4, false);
	own = at(&l, OWN);
	out = at(&l, OUT);
	for (size_t i = 0; i < VW_ARRAY_SIZE(options); i++) {
		f = f_eth(l.w->mac.b, ETH_P_IP);
		f_ip(&f, &own, &out, 17, options[i].n + 20, -1, 0);
		f.b[f.ip] += options[i].n / 4;
		f_put(&f, options[i].words, options[i].n);
		f_l4(&f, 1, 53, 0);
		assert_int_equal(run(&l, true, &f) == NFT_ACCEPTED, options[i].passes);
	}
	assert_int_equal(l.e.log_mark & VW_CODE_RULE, VW_REASON_PROTOCOL);
	lab_done(&l);
	lab_make(&l, 6, false);
	own = at(&l, OWN);
	out = at(&l, OUT);
	for (unsigned routing = 0; routing < 2; routing++) {
		f = f_eth(l.w->mac.b, ETH_P_IPV6);
		f_ip(&f, &own, &out, 60, 16 + 20, -1, 0);
		f_16(&f, (routing ? 43 : 60) << 8);
		f_zero(&f, 6);
		f_16(&f, 17 << 8);
		f_zero(&f, 6);
		f_l4(&f, 1, 53, 0);
		assert_int_equal(run(&l, true, &f) == NFT_ACCEPTED, !routing);
	}
	assert_int_equal(l.e.log_mark & VW_CODE_RULE, VW_REASON_PROTOCOL);
	lab_done(&l);
}

/* ar_sha sha says that spa is at sha; src is the frame's own source. */
static struct frame arp_frame(unsigned src, unsigned sha, unsigned spa)
{
	uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)src}, said[6] = {2, 0, 0, 0, 0, (uint8_t)sha};
	uint8_t ip[4] = {10, 0, 0, (uint8_t)spa};
	struct frame f = f_eth(mac, ETH_P_ARP);

	if (!spa)
		memset(ip, 0, 4);
	f_16(&f, 1);
	f_16(&f, ETH_P_IP);
	f_16(&f, 0x0604);
	f_16(&f, 2);
	f_put(&f, said, 6);
	f_put(&f, ip, 4);
	f_zero(&f, 10);
	return f;
}

static enum nft_result arp(struct lab *l, bool sent, unsigned src, unsigned sha, unsigned spa)
{
	struct frame f = arp_frame(src, sha, spa);

	return run(l, sent, &f);
}

static void arp_is_about_itself(void **state)
{
	struct frame f;
	struct lab l;

	(void)state;
	lab_make(&l, 4, false);
	PASSES(arp(&l, true, OWN, OWN, OWN));
	PASSES(arp(&l, true, OWN, OWN, 0));
	FAILS(arp(&l, true, OWN, OWN, WEB));
	FAILS(arp(&l, true, OWN, WEB, OWN));
	FAILS(arp(&l, true, WEB, OWN, OWN));
	PASSES(arp(&l, false, WEB, WEB, WEB));
	f = arp_frame(OWN, OWN, OWN);
	f_zero(&f, 18); /* up to the least that Ethernet carries */
	PASSES(run(&l, true, &f));
	f_zero(&f, 1);
	FAILS(run(&l, true, &f));
	lab_done(&l);
}

static struct frame nd_frame(const struct lab *l, const char *src, const char *dst, unsigned type,
			     const char *target, uint8_t hops)
{
	struct vw_addr s = m_addr(src), d = m_addr(dst), t = m_addr(target);
	struct frame f = f_eth(l->w->mac.b, ETH_P_IPV6);

	memcpy(f.b, "\x33\x33\0\0\0\1", 6);
	f_ip(&f, &s, &d, 58, 24, -1, 0);
	f.b[f.ip + 7] = hops;
	f_8(&f, type);
	f_zero(&f, 7);
	f_put(&f, t.b, 16);
	return f;
}

static enum nft_result nd(struct lab *l, bool sent, const char *src, unsigned type,
			  const char *target, uint8_t hops)
{
	struct frame f = nd_frame(l, src, "ff02::1", type, target, hops);

	return run(l, sent, &f);
}

/* It passes without a policy, so it carries nothing, and reaches neighbours only. */
static void discovery_carries_nothing(void **state)
{
	struct frame f;
	struct lab l;

	(void)state;
	lab_make(&l, 6, false);
	for (unsigned type = 135; type <= 136; type++) {
		f = nd_frame(&l, "fd77::4", "fd77::3", type, "fd77::4", 255);
		PASSES(run(&l, true, &f));
		f_zero(&f, 16); /* a link-layer address and a nonce */
		PASSES(run(&l, true, &f));
		f_zero(&f, 1);
		FAILS(run(&l, true, &f));
		f = nd_frame(&l, "fd77::4", "2001:db8::1", type, "fd77::4", 255);
		FAILS(run(&l, true, &f));
		assert_int_equal(l.e.log_mark, VW_CODE_DENY | VW_CODE_EGRESS | VW_REASON_RA);
	}
	FAILS(nd(&l, true, "fd77::3", 136, "fd77::4", 255));
	FAILS(nd(&l, true, "fe80::3", 133, "::", 255));
	FAILS(nd(&l, true, "fe80::3", 143, "::", 1));
	FAILS(nd(&l, true, "fe80::ff:fe00:4", 130, "::", 1));
	PASSES(nd(&l, false, "fe80::1", 130, "::", 1));
	PASSES(nd(&l, false, "::", 143, "::", 1));
	FAILS(nd(&l, false, "2001:db8::1", 130, "::", 1));
	lab_done(&l);
}

static void discovery_is_about_itself(void **state)
{
	struct lab l;

	(void)state;
	lab_make(&l, 6, false);
	PASSES(nd(&l, true, "fd77::4", 135, "fd77::3", 255));
	PASSES(nd(&l, true, "fe80::ff:fe00:4", 135, "fd77::3", 255));
	FAILS(nd(&l, true, "fd77::3", 135, "fd77::2", 255));
	FAILS(nd(&l, true, "fd77::4", 135, "fd77::3", 64));
	PASSES(nd(&l, true, "::", 135, "fd77::4", 255));
	/* nobody else may be kept from taking its address */
	FAILS(nd(&l, true, "::", 135, "fd77::3", 255));
	PASSES(nd(&l, true, "fd77::4", 136, "fd77::4", 255));
	PASSES(nd(&l, true, "fe80::ff:fe00:4", 136, "fe80::ff:fe00:4", 255));
	FAILS(nd(&l, true, "fd77::4", 136, "fd77::3", 255));
	assert_int_equal(l.e.log_mark, VW_CODE_DENY | VW_CODE_EGRESS | VW_REASON_RA);
	FAILS(nd(&l, true, "fe80::ff:fe00:4", 134, "::", 255));
	FAILS(nd(&l, true, "fd77::4", 137, "::", 255));
	PASSES(nd(&l, true, "fe80::ff:fe00:4", 133, "::", 255));
	PASSES(nd(&l, true, "fe80::ff:fe00:4", 143, "::", 1));
	for (unsigned type = 133; type <= 136; type++) {
		PASSES(nd(&l, false, "fe80::1", type, "fd77::1", 255));
		FAILS(nd(&l, false, "fe80::1", type, "fd77::1", 64));
	}
	lab_done(&l);
}

/* Several addresses are a set; without a MAC the address still counts; a hold lets ARP and ND. */
static void kinds_of_walls(void **state)
{
	struct lab l = {.cfg = vw_config_default, .v = 4};
	struct vw_workload *w;

	(void)state;
	put(&l, "db", OWN);
	w = &l.world.workloads.v[0];
	w->ifaces.v[0].has_mac = false;
	assert_int_equal(vw_vec_push(&w->ifaces.v[0].ips, m_addr("10.0.0.44"), 8), 0);
	lab_render(&l, OWN);
	PASSES(packet(&l, OWN, WEB, 6, 1, 2, SYN));
	PASSES(packet(&l, 44, WEB, 6, 1, 2, SYN));
	FAILS(packet(&l, 45, WEB, 6, 1, 2, SYN));
	FAILS(arp(&l, true, OWN, OWN, 45));
	PASSES(arp(&l, true, OWN, OWN, 44));
	lab_done(&l);
}

static void unknown_veth_is_held(void **state)
{
	struct vw_held held = {.ifindex = 7, .dev = "v7"};
	struct lab l = {.cfg = vw_config_default, .v = 4};
	struct vw_diag d = {0};

	(void)state;
	assert_int_equal(vw_compile(&l.set, &l.world, &held, 1, &l.cfg, &l.c, &d), 0);
	vw_diag_done(&d);
	l.w = vw_compiled_wall(&l.c, 7);
	assert_int_equal(vw_render_wall(&l.c, l.w, &l.rules), 0);
	vw_ruleset_sort(&l.rules);
	l.e = (struct nft_eval){.rules = &l.rules};
	assert_int_equal(nft_eval_check(&l.e), 0);
	PASSES(arp(&l, true, OWN, OWN, OWN));
	PASSES(nd(&l, true, "fe80::1", 135, "fe80::2", 255));
	FAILS(nd(&l, true, "fe80::1", 134, "fe80::2", 255));
	FAILS(packet(&l, OWN, WEB, 6, 1, 2, SYN));
	FAILS(packet(&l, WEB, OWN, 17, 1, 2, 0));
	lab_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_say_what_tables_say),
		cmocka_unit_test(flows_live),
		cmocka_unit_test(flows_close),
		cmocka_unit_test(refusals_are_answered),
		cmocka_unit_test(icmp_errors_pass),
		cmocka_unit_test(pings_pass),
		cmocka_unit_test(fragments_follow),
		cmocka_unit_test(logged_fragments_follow),
		cmocka_unit_test(denied_is_exact),
		cmocka_unit_test(full_set_is_told),
		cmocka_unit_test(truncated_is_refused),
		cmocka_unit_test(forgeries_are_dropped),
		cmocka_unit_test(flooded_frames_are_nobodys),
		cmocka_unit_test(arp_is_about_itself),
		cmocka_unit_test(discovery_is_about_itself),
		cmocka_unit_test(discovery_carries_nothing),
		cmocka_unit_test(no_way_about),
		cmocka_unit_test(kinds_of_walls),
		cmocka_unit_test(unknown_veth_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
