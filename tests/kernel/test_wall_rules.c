/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rendered walls in the real kernel, in a network namespace of this process's own: every kind
 * of wall loads and reads back as it was sent; random packets leave the same entries in its sets as
 * the interpreter of tests/lib/nft_eval.h leaves; many walls at once, with what they cost printed
 * (VW_WALLS sets how many). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../lib/nft_eval.h"
#include "../unit/model.h"
#include "../unit/gen.h"
#include "../unit/frame.h"
#include "vethwall/cleanup.h"
#include "vethwall/compile.h"
#include "vethwall/nft.h"
#include "vethwall/plan.h"

#define DEV "vethA" /* carries the wall */
#define PEER "vethB" /* what the container would have */

static bool namespaced;

static int enter(void **state)
{
	(void)state;
	if (geteuid() || unshare(CLONE_NEWNET)) {
		print_message("needs root and network namespaces\n");
		return 0; /* each test skips */
	}
	namespaced = true;
	/* the kernel's own discovery would fill the sets as well */
	return system("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 && "
		      "ip link add " DEV " type veth peer name " PEER " && ip link set " DEV
		      " up && ip link set " PEER " up");
}

#define NEEDS_KERNEL()           \
	do {                     \
		if (!namespaced) \
			skip();  \
	} while (0)

struct lab {
	struct vw_world world;
	struct vw_policyset set;
	struct vw_config cfg;
	struct vw_compiled c;
	struct vw_ruleset rules;
	struct vw_nft *nft;
};

static void told(struct vw_diag *d, int r)
{
	if (r)
		vw_diag_print(d, stderr, false);
	vw_diag_done(d);
	assert_int_equal(r, 0);
}

static void render(struct lab *l, const struct vw_held *held, size_t n_held)
{
	struct vw_diag d = {0};

	told(&d, vw_compile(&l->set, &l->world, held, n_held, &l->cfg, &l->c, &d));
	assert_int_equal(vw_render_shared(&l->c, &l->rules), 0);
	vw_vec_foreach (k, &l->c.classes)
		assert_int_equal(vw_render_class(&l->c, k, &l->rules), 0);
	vw_vec_foreach (w, &l->c.walls)
		assert_int_equal(vw_render_wall(&l->c, w, &l->rules), 0);
	vw_ruleset_sort(&l->rules);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Into an empty kernel, in one transaction. Seconds. */
static double commit(struct lab *l)
{
	struct vw_ruleset none = {0};
	struct vw_oplist ops = {0};
	struct vw_diag d = {0};
	double since;
	bool owned;

	assert_int_equal(system("nft flush ruleset"), 0);
	told(&d, vw_nft_open(&l->nft, &d));
	told(&d, vw_nft_claim(l->nft, &owned, &d));
	assert_int_equal(vw_plan(&none, &l->rules, &ops), 0);
	since = now();
	told(&d, vw_nft_commit(l->nft, &ops, &d));
	since = now() - since;
	vw_vec_done(&ops.list);
	return since;
}

/* What the kernel has needs no change to be what was sent. */
static void assert_read_back(struct lab *l)
{
	struct vw_ruleset is = {0};
	struct vw_oplist ops = {0};
	struct vw_diag d = {0};
	char *text;

	told(&d, vw_nft_dump(l->nft, &is, &d));
	assert_int_equal(vw_plan(&is, &l->rules, &ops), 0);
	if (ops.list.n) {
		text = vw_oplist_print(&ops, NULL);
		fail_msg("the kernel has something else:\n%s", text);
	}
	vw_ruleset_done(&is);
}

static void lab_done(struct lab *l)
{
	vw_nft_free(&l->nft);
	vw_ruleset_done(&l->rules);
	vw_compiled_done(&l->c);
	vw_policyset_done(&l->set);
	vw_world_done(&l->world);
}

/* --- every kind of wall --- */

static void put(struct lab *l, const char *name, unsigned ifindex, const char *dev, bool mac,
		const char *const *ips)
{
	struct vw_workload w = m_workload("shop", name, name, "net", ips[0], NULL);
	struct vw_iface *i = &w.ifaces.v[0];

	for (size_t k = 1; ips[k]; k++)
		assert_int_equal(vw_vec_push(&i->ips, m_addr(ips[k]), VW_IPS_MAX), 0);
	i->ifindex = ifindex;
	i->has_mac = mac;
	i->mac = (struct vw_mac){{2, 0, 0, 0, 0, 1}};
	snprintf(i->veth, IFNAMSIZ, "%s", dev);
	m_put(&l->world, w);
}

/* A policy whose class has every table. */
static void add_policy(struct lab *l)
{
	struct vw_policy p = m_policy(VW_TIER_SERVICE, "ServicePolicy", NULL, "p", NULL);

	for (int d = 0; d < _VW_DIRECTION_MAX; d++) {
		struct vw_rule *r = m_rule(&p, (enum vw_direction)d, VW_ALLOW);

		m_peer(r, m_cidr("10.0.0.0/8", "10.1.0.0/16"));
		m_peer(r, m_cidr("fd77::/16", NULL));
		m_ports(r, "tcp", 80, 80);
		m_ports(r, "tcp", 8000, 8100);
		m_ports(r, "icmp", 0x0800, 0x0800);
		m_ports(r, "icmpv6", 0x8000, 0x80ff);
		m_ports(r, "gre", 0, 65535);
		r = m_rule(&p, (enum vw_direction)d, VW_ALLOW);
		m_peer(r, m_cidr("192.0.2.0/24", NULL));
		r->any_port = true;
	}
	p.log = true;
	m_add(&l->set, p);
	vw_policyset_sort(&l->set);
}

static void count(const struct lab *l, const char *what)
{
	size_t rules = 0;

	vw_vec_foreach (c, &l->rules.chains)
		rules += c->rules.n;
	print_message("# %s: %zu chains, %zu rules, %zu sets (shared and classes included)\n", what,
		      l->rules.chains.n, rules, l->rules.sets.n);
}

static void kinds_load(void **state)
{
	static const char *const v4[] = {"10.0.0.2", NULL}, *const v6[] = {"fd77::2", NULL};
	static const char *const dual[] = {"10.0.0.2", "fd77::2", NULL};
	static const char *const many[] = {"10.0.0.2", "10.0.0.3", "fd77::2", "fd77::3", NULL};
	static const struct {
		const char *what;
		bool mac, policy;
		const char *const *ips;
	} kinds[] = {
		{"IPv4 only", true, true, v4}, {"IPv6 only", true, true, v6},
		{"dual", true, true, dual},    {"several addresses", true, true, many},
		{"no MAC", false, true, dual}, {"no policy", true, false, dual},
		{"held", false, false, NULL},
	};

	(void)state;
	NEEDS_KERNEL();
	for (size_t i = 0; i < VW_ARRAY_SIZE(kinds); i++) {
		struct lab l = {.cfg = vw_config_default};
		struct vw_held held = {.ifindex = if_nametoindex(DEV), .dev = DEV};

		if (kinds[i].policy)
			add_policy(&l);
		if (kinds[i].ips)
			put(&l, "db", held.ifindex, DEV, kinds[i].mac, kinds[i].ips);
		render(&l, &held, kinds[i].ips ? 0 : 1);
		count(&l, kinds[i].what);
		commit(&l);
		assert_read_back(&l);
		lab_done(&l);
	}
}

/* --- the interpreter is right --- */

static int raw = -1; /* one packet socket: closing one waits for the whole kernel */

/* Sent on the device, it meets the egress hook; sent on the peer, the ingress hook. */
static void transmit(const char *dev, const struct frame *f)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_halen = 6};

	if (raw < 0)
		raw = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	to.sll_ifindex = (int)if_nametoindex(dev);
	assert_true(raw >= 0 && to.sll_ifindex > 0);
	/* a refusal at egress is told to who sends */
	(void)!sendto(raw, f->b, f->n, 0, (void *)&to, sizeof(to));
}

struct tally {
	const struct nft_eval *e;
	const char *set;
	size_t n;
	bool counted;
	unsigned long long seed;
};

/* The marks of refusals live two seconds: they may be gone. */
static bool is_brief(const uint8_t *key, size_t klen)
{
	return (klen == 20 && key[8] == VW_LIVE_REJECTED) ||
	       (klen == 44 && key[32] == VW_LIVE_REJECTED);
}

static int in_interpreter(const struct vw_nft_elem *k, void *arg)
{
	struct tally *t = arg;
	char hex[2 * VW_KEY_MAX + 1] = "";

	if (is_brief(k->key, k->klen))
		return 0;
	t->n++;
	vw_vec_foreach (d, &t->e->elems)
		if (!strcmp(d->set, t->set) && !memcmp(d->key, k->key, k->klen)) {
			if (t->counted && d->packets != k->packets)
				break;
			return 0;
		}
	for (size_t i = 0; i < k->klen; i++)
		snprintf(hex + 2 * i, 3, "%02x", k->key[i]);
	fail_msg("VW_SEED=%llu: only the kernel has %s in %s (%llu packets), or counts otherwise",
		 t->seed, hex, t->set, (unsigned long long)k->packets);
	return 0;
}

static void same_state(struct lab *l, const struct nft_eval *e, unsigned long long seed)
{
	vw_vec_foreach (s, &l->rules.sets) {
		struct tally t = {
			.e = e, .set = s->name, .counted = s->name[0] == 'd', .seed = seed};
		size_t n = 0;

		if (!(s->flags & VW_SET_DYNAMIC))
			continue;
		assert_int_equal(vw_nft_dump_set(l->nft, s->name, in_interpreter, &t), 0);
		vw_vec_foreach (d, &e->elems)
			n += !strcmp(d->set, s->name) && !is_brief(d->key, vw_set_klen(s));
		if (n != t.n)
			fail_msg("VW_SEED=%llu: %s has %zu elements in the kernel, %zu in the "
				 "interpreter",
				 seed, s->name, t.n, n);
	}
}

/* Any packet between the container and anyone, sometimes a fragment, cut short or forged. */
static struct frame random_frame(struct gen *g, const struct vw_wall *w, bool sent)
{
	static const uint8_t types[] = {0, 3, 8, 11, 128, 129, 1, 2, 133, 134, 135, 136, 143};
	static const uint8_t flags[] = {2, 16, 17, 4, 18, 24};
	struct vw_addr peer = m_addr(G_PICK(g, g_addrs));
	struct vw_addr own = w->ips[g_below(g, w->n_ips)];
	struct vw_mac mac = w->mac;
	struct frame f;
	uint16_t port;
	uint8_t proto;
	int frag = g_chance(g, 15) ? (int)(g_below(g, 3) * 64 + g_below(g, 2)) : -1;

	while (peer.family != own.family)
		peer = m_addr(G_PICK(g, g_addrs));
	if (g_chance(g, 5))
		own = m_addr(own.family == 4 ? "10.0.0.99" : "fd77::99");
	if (g_chance(g, 5))
		mac.b[5] ^= 1;
	g_packet(g, &proto, &port);
	f = f_eth(mac.b, own.family == 4 ? ETH_P_IP : ETH_P_IPV6);
	f_ip(&f, sent ? &own : &peer, sent ? &peer : &own, proto, 24, frag, g_below(g, 3));
	if (proto == 1 || proto == 58) {
		f_8(&f, G_PICK(g, types));
		f_zero(&f, 4);
		f_8(&f, g_below(g, 2));
		f_zero(&f, 18);
	} else {
		f_l4(&f, g_chance(g, 50) ? 40000 : port, g_chance(g, 50) ? 40000 : port,
		     G_PICK(g, flags));
		f_zero(&f, 4);
	}
	if (g_chance(g, 5))
		f.n -= g_below(g, 24);
	return f;
}

static void one_case(unsigned long long seed)
{
	struct gen g = {.s = seed * 15485863};
	struct lab l = {.cfg = vw_config_default};
	struct nft_eval e = {.rules = &l.rules, .limit_budget = 400};
	struct vw_iface *i;
	double since;
	char in[VW_NAME_LEN], eg[VW_NAME_LEN];

	l.world = g_world(&g);
	l.set = g_policies(&g);
	vw_vec_foreach (w, &l.world.workloads)
		vw_vec_foreach (k, &w->ifaces)
			k->ifindex = 0;
	i = &l.world.workloads.v[0].ifaces.v[0];
	i->ifindex = if_nametoindex(DEV);
	snprintf(i->veth, IFNAMSIZ, DEV);
	render(&l, NULL, 0);
	assert_int_equal(nft_eval_check(&e), 0);
	commit(&l);
	assert_read_back(&l);
	snprintf(in, sizeof(in), "in_%u", i->ifindex);
	snprintf(eg, sizeof(eg), "eg_%u", i->ifindex);
	since = now();
	for (int n = 0; n < 300; n++) {
		bool sent = g_chance(&g, 50);
		struct frame f = random_frame(&g, &l.c.walls.v[0], sent);

		nft_eval_run(&e, sent ? in : eg, f.b, f.n, 0);
		transmit(sent ? PEER : DEV, &f);
	}
	/* in the interpreter time stands still, in the kernel the marks of refusals go after 2 s */
	if (now() - since < 1)
		same_state(&l, &e, seed);
	else
		print_message("# case %llu: the machine was too slow to compare\n", seed);
	nft_eval_done(&e);
	lab_done(&l);
}

static void interpreter_is_the_kernel(void **state)
{
	const char *only = getenv("VW_SEED");

	(void)state;
	NEEDS_KERNEL();
	for (unsigned long long s = 1; s <= 25; s++)
		one_case(only ? strtoull(only, NULL, 10) : s);
}

/* --- many --- */

static long resident_kib(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%*s %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void make_devices(unsigned n)
{
	FILE *f = popen("ip -batch -", "w");

	assert_non_null(f);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "link add d%u index %u type veth peer name p%u\n", i, 10000 + i, i);
	assert_int_equal(pclose(f), 0);
}

static void many_walls(void **state)
{
	const char *s = getenv("VW_WALLS");
	unsigned n = s ? (unsigned)atoi(s) : 100;
	struct lab l = {.cfg = vw_config_default};
	double took;

	(void)state;
	NEEDS_KERNEL();
	make_devices(n);
	add_policy(&l);
	for (unsigned i = 0; i < n; i++) {
		char name[16], v4[32], v6[32];
		const char *const ips[] = {v4, v6, NULL};

		snprintf(name, sizeof(name), "d%u", i);
		snprintf(v4, sizeof(v4), "10.2.%u.%u", i >> 8, i & 255);
		snprintf(v6, sizeof(v6), "fd77::%x", i + 16);
		put(&l, name, 10000 + i, name, true, ips);
	}
	render(&l, NULL, 0);
	count(&l, "many");
	took = commit(&l);
	assert_read_back(&l);
	print_message(
		"# %u dual walls in one commit: %.3f s; this process, all of it rendered at once: "
		"%ld KiB resident\n",
		n, took, resident_kib());
	lab_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_load),
		cmocka_unit_test(interpreter_is_the_kernel),
		cmocka_unit_test(many_walls),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}
