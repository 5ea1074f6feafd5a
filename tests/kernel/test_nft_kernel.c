/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What we send, the kernel has: against the real nf_tables, in a network namespace that this
 * process makes for itself, and read back both by our own dump and by nft(8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/lib/rules.h"
#include "vethwall/nft.h"
#include "vethwall/plan.h"

static bool namespaced;

/* Output of a command, at most 256 KiB; its exit code in *rc. Caller frees. */
static char *output_of(const char *cmd, int *rc)
{
	char *out = calloc(1, 256 << 10);
	FILE *f = popen(cmd, "r");
	size_t n;

	assert_non_null(out);
	assert_non_null(f);
	n = fread(out, 1, (256 << 10) - 1, f);
	out[n] = '\0';
	*rc = pclose(f);
	return out;
}

static void run(const char *cmd)
{
	if (system(cmd))
		fail_msg("failed: %s", cmd);
}

static void assert_lists(const char *list, const char *what)
{
	if (!strstr(list, what))
		fail_msg("not in the listing: %s\n%s", what, list);
}

static int enter(void **state)
{
	(void)state;
	if (geteuid() || unshare(CLONE_NEWNET)) {
		print_message("needs root and network namespaces\n");
		return 0; /* each test skips */
	}
	namespaced = true;
	return system("ip link set lo up && ip link add vethA type veth peer name vethB && "
		      "ip link set vethA up && ip link set vethB up");
}

static int fresh(void **state)
{
	struct vw_nft *n = NULL;
	struct vw_diag d = {0};
	bool owned;

	if (!namespaced)
		return 0;
	system("nft flush ruleset");
	if (vw_nft_open(&n, &d) || vw_nft_claim(n, &owned, &d)) {
		vw_diag_print(&d, stderr, false);
		return -1;
	}
	*state = n;
	return 0;
}

static int stale(void **state)
{
	struct vw_nft *n = *state;

	vw_nft_free(&n);
	*state = NULL;
	return 0;
}

#define NEEDS_KERNEL()           \
	do {                     \
		if (!namespaced) \
			skip();  \
	} while (0)

static void commit_ok(struct vw_nft *n, const struct vw_oplist *ops)
{
	struct vw_diag d = {0};
	int r = vw_nft_commit(n, ops, &d);

	if (r)
		vw_diag_print(&d, stderr, false);
	vw_diag_done(&d);
	assert_int_equal(r, 0);
}

static void dump_ok(struct vw_nft *n, struct vw_ruleset *ret)
{
	struct vw_diag d = {0};
	int r = vw_nft_dump(n, ret, &d);

	if (r)
		vw_diag_print(&d, stderr, false);
	vw_diag_done(&d);
	assert_int_equal(r, 0);
}

/* Takes the kernel from have to want; returns how many operations it took. */
static size_t bring(struct vw_nft *n, const struct vw_ruleset *have, const struct vw_ruleset *want)
{
	struct vw_oplist ops = {0};
	size_t count;

	assert_int_equal(vw_plan(have, want, &ops), 0);
	commit_ok(n, &ops);
	count = ops.list.n;
	vw_vec_done(&ops.list);
	return count;
}

static void assert_in_kernel(struct vw_nft *n, const struct vw_ruleset *want)
{
	struct vw_ruleset is = {0};

	dump_ok(n, &is);
	assert_int_equal(is.chains.n, want->chains.n);
	assert_int_equal(is.sets.n, want->sets.n);
	for (size_t i = 0; i < want->chains.n; i++) {
		const struct vw_chain *w = &want->chains.v[i], *k = &is.chains.v[i];

		assert_string_equal(k->name, w->name);
		assert_int_equal(k->base, w->base);
		assert_int_equal(k->hook, w->hook);
		assert_int_equal(k->priority, w->priority);
		assert_int_equal(k->policy, w->policy);
		assert_int_equal(k->ifindex, w->ifindex);
		assert_string_equal(k->dev, w->dev);
		assert_int_equal(k->rules.n, w->rules.n);
		for (size_t j = 0; j < w->rules.n; j++)
			assert_int_equal(k->rules.v[j].id, w->rules.v[j].id);
	}
	for (size_t i = 0; i < want->sets.n; i++) {
		const struct vw_set *w = &want->sets.v[i], *k = &is.sets.v[i];

		if (!vw_set_same_spec(w, k))
			fail_msg("set %s has another spec (flags %x fields %d)", w->name, k->flags,
				 k->fields[0]);
		if (w->flags & VW_SET_DYNAMIC)
			continue;
		assert_int_equal(k->elems.n, w->elems.n);
		if (w->elems.n)
			assert_memory_equal(k->elems.v, w->elems.v, w->elems.n * vw_set_stride(w));
	}
	vw_ruleset_done(&is);
}

static void test_everything(void **state)
{
	struct vw_ruleset want = {0}, none = {0};
	struct vw_oplist ops = {0};
	char *list;
	int rc;

	NEEDS_KERNEL();
	r_everything(&want, "vethA", 4711);
	bring(*state, &none, &want);
	assert_in_kernel(*state, &want);
	assert_int_equal(vw_plan(&want, &want, &ops), 0);
	assert_int_equal(ops.list.n, 0);

	list = output_of("nft list ruleset 2>&1", &rc);
	assert_int_equal(rc, 0);
	assert_lists(list, "flags owner");
	assert_lists(list, "type ipv4_addr : mark\n\t\telements = { 192.0.2.1 : 0x00000007, "
			   "192.0.2.2 : 0x00000008 }");
	assert_lists(list, "elements = { 0.0.0.0-9.255.255.255 : 0x00000001, "
			   "10.0.0.0/8 : 0x00000002,");
	assert_lists(list, "255.255.255.0/24 : 0x00000004 }");
	assert_lists(list, "192.0.2.1 . tcp . 8000-8100 }");
	assert_lists(list, "counter limit rate 1/second burst 1 packets");
	assert_lists(list,
		     "@live4 update @live4 { @nh,96,32 . @nh,128,32 . meta l4proto . th sport . "
		     "th dport timeout 30s } accept comment \"live flow\"");
	assert_lists(list, "@nh,48,16 & 0x1fff != 0x0 counter packets 0 bytes 0 drop");
	assert_lists(list, "meta mark 0x00000000 meta mark set @nh,128,32 map @net4");
	assert_lists(list, "meta mark set 0x80000001");
	assert_lists(list, "update @denied4 { meta mark . @nh,96,32 . @nh,128,32 . meta l4proto . "
			   "th sport . th dport } log group 5 snaplen 128");
	assert_lists(
		list,
		"meta l4proto tcp limit rate 100/second burst 10 packets reject with tcp reset");
	assert_lists(list, "reject with icmpx admin-prohibited");
	assert_lists(list, "exthdr frag exists frag frag-off != 0 drop");
	assert_lists(list, "@nh,64,128 != @net6 drop");
	assert_lists(list,
		     "type filter hook ingress device \"vethA\" priority filter; policy drop;");
	assert_lists(list, "meta protocol ip6 jump judge6 comment \"IPv6\"");
	free(list);
	vw_ruleset_done(&want);
}

/* What we print, nft loads, and then shows what we meant. */
static void test_print_loads(void **state)
{
	struct vw_ruleset r = {0};
	struct vw_nft *n = *state;
	char *text, *list;
	FILE *f;
	int rc;

	NEEDS_KERNEL();
	vw_nft_free(&n);
	*state = NULL;
	run("nft flush ruleset");
	r_everything(&r, "vethA", 1);
	text = vw_ruleset_print(&r);
	assert_non_null(text);
	f = popen("nft -f -", "w");
	assert_non_null(f);
	fputs(text, f);
	if (pclose(f))
		fail_msg("nft refuses\n%s", text);
	list = output_of("nft list ruleset 2>&1", &rc);
	assert_lists(list, "10.0.0.0/8 : 0x00000002,");
	assert_lists(list, "192.0.2.1 . tcp . 8000-8100 }");
	assert_lists(list,
		     "ip saddr . ip daddr . meta l4proto . th sport . th dport @live4 update "
		     "@live4 { ip "
		     "saddr . ip daddr . meta l4proto . th sport . th dport timeout 30s } accept "
		     "comment \"live flow\"");
	assert_lists(list, "meta mark set ip daddr map @id4 comment \"identity\"");
	assert_lists(list, "ip daddr . meta l4proto . th dport @ports goto allow");
	assert_lists(list, "exthdr frag exists frag frag-off != 0 drop");
	assert_lists(list, "ip6 saddr != @net6 drop");
	assert_lists(list, "ether saddr != 02:42:ac:11:00:02 counter packets 0 bytes 0 drop");
	assert_lists(list, "reject with icmpx admin-prohibited");
	free(list);
	free(text);
	vw_ruleset_done(&r);
}

/* A frame from vethB to vethA: Ethernet, IPv4, UDP, 4 bytes. */
static void send_udp(const char *from, const char *to, uint16_t sport, uint16_t dport)
{
	uint8_t f[14 + 20 + 8 + 4] = {2, 0, 0, 0, 0, 1, 2, 0x42, 0xac, 0x11, 0, 2, 8, 0, 0x45};
	struct sockaddr_ll to_dev = {.sll_family = AF_PACKET, .sll_halen = 6};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	f[17] = sizeof(f) - 14;
	f[22] = 64;
	f[23] = 17;
	assert_int_equal(inet_pton(AF_INET, from, f + 26), 1);
	assert_int_equal(inet_pton(AF_INET, to, f + 30), 1);
	memcpy(f + 34, &(uint16_t){htons(sport)}, 2);
	memcpy(f + 36, &(uint16_t){htons(dport)}, 2);
	f[39] = 12;
	to_dev.sll_ifindex = if_nametoindex("vethB");
	assert_true(fd >= 0 && to_dev.sll_ifindex > 0);
	assert_int_equal(sendto(fd, f, sizeof(f), 0, (void *)&to_dev, sizeof(to_dev)), sizeof(f));
	close(fd);
}

struct seen {
	size_t n, klen;
	uint64_t packets, bytes;
	struct vw_nft_elem last;
	uint8_t keys[4096][VW_KEY_MAX];
	int stop_with;
};

static int see(const struct vw_nft_elem *e, void *arg)
{
	struct seen *s = arg;

	if (s->n < VW_ARRAY_SIZE(s->keys))
		memcpy(s->keys[s->n], e->key, e->klen);
	s->n++;
	s->klen = e->klen;
	s->packets += e->packets;
	s->bytes += e->bytes;
	s->last = *e;
	return s->stop_with;
}

/* What packets leave in a dynamic set can be read: keys, counters of elements and of rules. */
static void test_readings(void **state)
{
	struct vw_ruleset want = {0}, none = {0};
	static struct seen seen;
	const uint8_t key[24] = {1, 0,	0, 0x80, 192, 0,    2, 1, 203, 0, 113,
				 9, 17, 0, 0,	 0,   0x10, 1, 0, 0,   0, 53};
	uint64_t counters[4][2];
	char *list;
	int rc;

	NEEDS_KERNEL();
	r_everything(&want, "vethA", 4711);
	want.sets.v[0].timeout_ms = 3600001; /* denied4: long enough for a machine that pauses */
	assert_string_equal(want.sets.v[0].name, "denied4");
	bring(*state, &none, &want);
	assert_in_kernel(*state, &want);
	for (int i = 0; i < 3; i++)
		send_udp("192.0.2.1", "203.0.113.9", 4097, 53);
	assert_int_equal(vw_nft_dump_set(*state, "denied4", see, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.klen, sizeof(key));
	assert_memory_equal(seen.keys[0], key, sizeof(key));
	assert_int_equal(seen.packets, 3);
	assert_int_equal(seen.bytes, 3 * 32);
	assert_true(seen.last.expires_ms > 0 && seen.last.expires_ms <= 3600004);

	assert_int_equal(vw_nft_chain_counters(*state, 0, "judge4", counters, 4), 2);
	assert_int_equal(counters[0][0], 0);
	assert_int_equal(counters[1][0], 3);
	assert_int_equal(counters[1][1], 3 * 32);
	assert_int_equal(vw_nft_chain_counters(*state, 0, "judge4", counters, 1), 2);
	assert_int_equal(vw_nft_dump_set(*state, "no_such", see, &seen), -ENOENT);
	seen.stop_with = -ECANCELED;
	assert_int_equal(vw_nft_dump_set(*state, "denied4", see, &seen), -ECANCELED);
	list = output_of("nft list set netdev vethwall denied4 2>&1", &rc);
	assert_int_equal(rc, 0);
	assert_lists(list,
		     "1 . 192.0.2.1 . 203.0.113.9 . udp . 4097 . 53 counter packets 3 bytes 96");
	free(list);
	vw_ruleset_done(&want);
}

/* Half of the keys are gone already; the others go. */
static void test_delete_keys(void **state)
{
	enum { KEYS = 3000 };
	struct vw_ruleset want = {0}, none = {0};
	static struct seen seen;
	static uint8_t keys[KEYS][4];
	struct vw_diag d = {0};
	struct vw_set *s;

	NEEDS_KERNEL();
	memset(&seen, 0, sizeof(seen));
	s = r_set(&want, "live", VW_SET_DYNAMIC | VW_SET_TIMEOUT, R_FIELDS(VW_F_IP4));
	s->timeout_ms = 3600000;
	for (uint32_t i = 0; i < KEYS; i++) {
		struct vw_elem e = {0};
		uint32_t be = htonl(0x0a000000 + i);

		memcpy(keys[i], &be, 4);
		memcpy(e.key, &be, 4);
		if (i % 3)
			assert_int_equal(vw_elem_push(s, &e, KEYS), 0);
	}
	bring(*state, &none, &want);
	assert_int_equal(vw_nft_dump_set(*state, "live", see, &seen), 0);
	assert_int_equal(seen.n, KEYS / 3 * 2);
	assert_int_equal(vw_nft_delete_keys(*state, "live", keys[0], 4, KEYS - 2, &d), 0);
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(vw_nft_dump_set(*state, "live", see, &seen), 0);
	assert_int_equal(seen.n, 2);
	assert_memory_equal(seen.keys[0] + 2, keys[KEYS - 2] + 2, 1);
	/* All gone, one there; a wrong length is an error with words. */
	assert_int_equal(vw_nft_delete_keys(*state, "live", keys[0], 4, 5, &d), 0);
	assert_int_equal(vw_nft_delete_keys(*state, "live", keys[KEYS - 1], 4, 1, &d), 0);
	assert_int_equal(d.errors, 0);
	assert_true(vw_nft_delete_keys(*state, "live", keys[0], 8, 1, &d) < 0);
	assert_int_equal(d.errors, 1);
	vw_diag_done(&d);
	vw_ruleset_done(&want);
}

static void test_refusal(void **state)
{
	struct vw_ruleset want = {0}, bad = {0}, none = {0}, now = {0};
	struct vw_oplist ops = {0};
	struct vw_diag d = {0};
	struct vw_chain *c;
	int rc;

	NEEDS_KERNEL();
	c = r_chain(&want, "good");
	R_RULE(c, "stays", E_VERDICT(NF_ACCEPT));
	bring(*state, &none, &want);

	c = r_chain(&bad, "good");
	R_RULE(c, "new", E_COUNTER, E_VERDICT(NF_DROP));
	R_RULE(c, "uses a set that is not there", E_META(NFT_META_L4PROTO, 0),
	       E_LOOKUP(0, "nothing"));
	assert_int_equal(vw_plan(&want, &bad, &ops), 0);
	assert_int_equal(vw_nft_commit(*state, &ops, &d), -ENOENT);
	assert_int_equal(d.errors, 1);
	assert_non_null(strstr(d.list.v[0].text, "add rule to chain good"));
	assert_non_null(strstr(d.list.v[0].text, "uses a set that is not there"));
	assert_in_kernel(*state, &want);
	/* A check says the same; a good check changes nothing. */
	assert_int_equal(vw_nft_check(*state, &ops, &d), -ENOENT);
	ops.list.n--;
	assert_int_equal(vw_nft_check(*state, &ops, NULL), 0);
	assert_in_kernel(*state, &want);
	vw_vec_done(&ops.list);
	vw_diag_done(&d);

	/* What shows only when all is put together: a loop. */
	R_RULE(r_chain(&now, "other"), NULL, E_JUMP("good"));
	R_RULE(r_chain(&now, "good"), NULL, E_JUMP("other"));
	R_RULE(r_base(&now, "base", NF_NETDEV_INGRESS, "vethA", 1), NULL, E_JUMP("good"));
	assert_int_equal(vw_plan(&want, &now, &ops), 0);
	rc = vw_nft_commit(*state, &ops, &d);
	assert_true(rc == -ELOOP || rc == -EMLINK);
	assert_int_equal(d.errors, 1);
	assert_in_kernel(*state, &want);
	vw_vec_done(&ops.list);
	vw_diag_done(&d);
	vw_ruleset_done(&want);
	vw_ruleset_done(&bad);
	vw_ruleset_done(&now);
}

static void test_owner(void **state)
{
	struct vw_nft *first = *state, *second = NULL;
	struct vw_ruleset want = {0}, none = {0};
	struct vw_diag d = {0};
	bool owned = false;
	int rc;

	NEEDS_KERNEL();
	r_everything(&want, "vethA", 1);
	bring(first, &none, &want);
	/* Claiming what is ours already is fine. */
	assert_int_equal(vw_nft_claim(first, &owned, &d), 0);
	if (!owned)
		skip(); /* Linux < 6.9: test_unowned speaks for it */

	assert_int_equal(vw_nft_open(&second, &d), 0);
	assert_int_equal(vw_nft_claim(second, &owned, &d), -EBUSY);
	assert_string_equal(d.list.v[0].text,
			    "another vethwall agent enforces in this network namespace");
	vw_diag_done(&d);
	free(output_of("nft flush ruleset 2>&1", &rc));
	assert_in_kernel(second, &want);
	free(output_of("nft delete table netdev vethwall 2>&1", &rc));
	assert_int_not_equal(rc, 0);
	free(output_of("nft flush chain netdev vethwall wall_in 2>&1", &rc));
	assert_int_not_equal(rc, 0);
	assert_in_kernel(second, &want);

	/* The first dies; its walls stand, and the second takes them over as they are. */
	vw_nft_free(&first);
	*state = NULL;
	assert_in_kernel(second, &want);
	assert_int_equal(vw_nft_claim(second, &owned, &d), 0);
	assert_true(owned);
	assert_in_kernel(second, &want);
	free(output_of("nft flush ruleset 2>&1", &rc));
	assert_in_kernel(second, &want);
	assert_true(bring(second, &want, &none) > 0);
	assert_in_kernel(second, &none);
	vw_nft_free(&second);
	vw_ruleset_done(&want);
}

/* A table made without the flags, as on kernels that lack them: usable, and still only one agent.
 */
static void test_unowned(void **state)
{
	struct vw_nft *first = *state, *second = NULL;
	struct vw_ruleset want = {0}, none = {0};
	struct vw_diag d = {0};
	bool owned = true;

	NEEDS_KERNEL();
	vw_nft_free(&first);
	*state = NULL;
	run("nft flush ruleset; nft add table netdev vethwall");
	assert_int_equal(vw_nft_open(&first, &d), 0);
	assert_int_equal(vw_nft_claim(first, &owned, &d), 0);
	assert_false(owned);
	assert_int_equal(vw_nft_claim(first, &owned, &d), 0);
	assert_int_equal(vw_nft_open(&second, &d), 0);
	assert_int_equal(vw_nft_claim(second, &owned, &d), -EBUSY);
	vw_diag_done(&d);
	r_everything(&want, "vethA", 1);
	bring(first, &none, &want);
	assert_in_kernel(first, &want);
	vw_nft_free(&first);
	assert_int_equal(vw_nft_claim(second, &owned, &d), 0);
	assert_in_kernel(second, &want);
	vw_nft_free(&second);
	vw_ruleset_done(&want);
}

/* Foreign rules in our chains and foreign chains show in the dump and go with the next plan. */
static void test_drift(void **state)
{
	struct vw_nft *n = *state;
	struct vw_ruleset want = {0}, none = {0}, is = {0};
	bool owned;

	NEEDS_KERNEL();
	vw_nft_free(&n);
	*state = NULL;
	run("nft flush ruleset; nft add table netdev vethwall");
	assert_int_equal(vw_nft_open(&n, NULL), 0);
	assert_int_equal(vw_nft_claim(n, &owned, NULL), 0);
	r_everything(&want, "vethA", 1);
	bring(n, &none, &want);
	run("nft insert rule netdev vethwall judge4 accept");
	run("nft add chain netdev vethwall theirs; nft add rule netdev vethwall theirs counter");
	run("nft add set netdev vethwall foreign { type ether_addr . mark\\; flags interval\\; }");
	run("nft add element netdev vethwall ports { 192.0.2.77 . tcp . 1-65535 }");
	run("nft delete element netdev vethwall net4 { 10.0.0.0/8 }");
	dump_ok(n, &is);
	assert_int_equal(vw_ruleset_chain(&is, "judge4")->rules.v[0].id, 0);
	assert_int_equal(vw_ruleset_set(&is, "foreign")->fields[0], VW_F_NONE);
	assert_int_equal(vw_ruleset_set(&is, "ports")->elems.n, 3);
	assert_int_equal(vw_ruleset_set(&is, "net4")->elems.n, 3);
	bring(n, &is, &want);
	assert_in_kernel(n, &want);
	vw_ruleset_done(&is);
	vw_nft_free(&n);
	vw_ruleset_done(&want);
}

/* More than one attribute, one page and one default socket buffer hold. */
static void test_many(void **state)
{
	enum { ELEMS = 50000, CHAINS = 300 };
	struct vw_ruleset want = {0}, none = {0}, less = {0};
	struct vw_set *s, *t;

	NEEDS_KERNEL();
	for (int i = 0; i < CHAINS; i++) {
		char name[VW_NAME_LEN];
		struct vw_chain *c;

		snprintf(name, sizeof(name), "chain_%d", i);
		c = r_chain(&want, name);
		for (int j = 0; j < 20; j++)
			R_RULE(c, "many", E_TUPLE4, E_LOOKUP(0, "live"), E_VERDICT(NF_ACCEPT));
	}
	s = r_set(&want, "big", VW_SET_MAP, R_FIELDS(VW_F_IP4));
	for (uint32_t i = 0; i < ELEMS; i++) {
		struct vw_elem e = {.data = i};

		memcpy(e.key, &(uint32_t){htonl(0x0a000000 + i)}, 4);
		assert_int_equal(vw_elem_push(s, &e, ELEMS), 0);
	}
	s = r_set(&want, "live", VW_SET_DYNAMIC | VW_SET_TIMEOUT,
		  R_FIELDS(VW_F_IP4, VW_F_IP4, VW_F_PROTO, VW_F_PORT, VW_F_PORT));
	s->timeout_ms = 1000;
	vw_ruleset_sort(&want);
	bring(*state, &none, &want);
	assert_in_kernel(*state, &want);

	/* All even elements go. */
	t = r_set(&less, "big", VW_SET_MAP, R_FIELDS(VW_F_IP4));
	for (size_t i = 1; i < ELEMS; i += 2) {
		struct vw_elem e;

		vw_elem_get(vw_ruleset_set(&want, "big"), i, &e);
		assert_int_equal(vw_elem_push(t, &e, ELEMS), 0);
	}
	bring(*state, &want, &less);
	assert_in_kernel(*state, &less);
	vw_ruleset_done(&want);
	vw_ruleset_done(&less);
}

static unsigned dice(unsigned n)
{
	return rand() % n;
}

/* Ranges that do not overlap, some adjoining, some to the very end. */
static void random_elems(struct vw_set *s)
{
	bool ranges = s->flags & VW_SET_INTERVAL, concat = s->fields[1];
	uint32_t at = dice(3) ? dice(1000) : 0;

	for (unsigned n = dice(12); n-- > 0 && at < 4000;) {
		uint32_t last = at + (ranges ? dice(5) * dice(60) : 0);
		struct vw_elem e = {.data = dice(4)};
		uint32_t from = htonl(at), to = htonl(dice(20) || concat ? last : UINT32_MAX);

		memcpy(e.key, &from, 4);
		memcpy(e.key_end, &to, 4);
		if (concat) {
			e.key[4] = e.key_end[4] = 6;
			e.key[9] = dice(100);
			e.key_end[9] = ranges ? e.key[9] + dice(100) : e.key[9];
		}
		assert_int_equal(vw_elem_push(s, &e, 100), 0);
		if (to == UINT32_MAX)
			break;
		at = last + 1 + (dice(2) ? dice(100) : 0);
	}
	assert_int_equal(vw_elems_sort(s), 0);
}

static void random_sets(struct vw_ruleset *r)
{
	for (unsigned i = 0; i < 6; i++) {
		static const uint32_t flags[] = {0, VW_SET_MAP, VW_SET_INTERVAL,
						 VW_SET_MAP | VW_SET_INTERVAL,
						 VW_SET_DYNAMIC | VW_SET_TIMEOUT};
		char name[VW_NAME_LEN];
		struct vw_set *s;

		if (!dice(4))
			continue;
		snprintf(name, sizeof(name), "set_%u", i);
		s = r_set(r, name, flags[dice(10) < 8 ? i % 5u : dice(5)],
			  dice(2) ? R_FIELDS(VW_F_IP4) : R_FIELDS(VW_F_IP4, VW_F_PROTO, VW_F_PORT));
		if (s->flags & VW_SET_DYNAMIC)
			s->timeout_ms = 1000 + dice(2);
		else
			random_elems(s);
	}
}

static void random_rule(const struct vw_ruleset *r, struct vw_chain *c, size_t below)
{
	const struct vw_set *s = r->sets.n ? &r->sets.v[dice(r->sets.n)] : NULL;
	struct vw_expr use = {.type = VW_E_COUNTER};

	if (s && dice(2)) {
		use = (struct vw_expr){.type = VW_E_LOOKUP, .len = s->flags & VW_SET_MAP ? 4 : 0};
		if (s->flags & VW_SET_DYNAMIC && dice(2))
			use = (struct vw_expr){.type = VW_E_DYNSET, .op = NFT_DYNSET_OP_UPDATE};
		memcpy(use.name, s->name, sizeof(use.name));
	} else if (below && dice(2)) {
		use = (struct vw_expr){.type = VW_E_VERDICT, .verdict = NFT_JUMP};
		memcpy(use.name, r->chains.v[dice(below)].name, sizeof(use.name));
	}
	R_RULE(c, "random", E_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 0),
	       E_META(NFT_META_L4PROTO, 1), E_PAYLOAD(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 2), use);
}

static void random_ruleset(struct vw_ruleset *r)
{
	random_sets(r);
	for (int i = 0; i < 8; i++) {
		struct vw_chain *c;
		char name[VW_NAME_LEN];

		if (!dice(4))
			continue;
		snprintf(name, sizeof(name), "chain_%d", i);
		if (i < 6)
			c = r_chain(r, name);
		else
			c = r_base(r, name, dice(4) ? NF_NETDEV_INGRESS : NF_NETDEV_EGRESS,
				   dice(2) ? "vethA" : "vethB", dice(3) ? 7 : dice(3));
		for (unsigned n = dice(4); n-- > 0;) /* jumps go to earlier ones: no loops */
			random_rule(r, c, c->base ? 0 : r->chains.n - 1);
	}
	if (dice(2))
		vw_ruleset_sort(r);
}

/* apply(plan(a, b), a) == b, whether a is what we remember or what the kernel says. */
static void test_random_plans(void **state)
{
	struct vw_ruleset is = {0}, now = {0};
	unsigned seed = getenv("SEED") ? strtoul(getenv("SEED"), NULL, 10) : 1;

	NEEDS_KERNEL();
	srand(seed);
	print_message("SEED=%u\n", seed);
	for (int i = 0; i < 150; i++) {
		struct vw_ruleset want = {0};

		random_ruleset(&want);
		dump_ok(*state, &is);
		bring(*state, i % 2 ? &now : &is, &want);
		vw_ruleset_sort(&want);
		assert_in_kernel(*state, &want);
		vw_ruleset_done(&is);
		is = (struct vw_ruleset){0};
		vw_ruleset_done(&now);
		now = want;
	}
	vw_ruleset_done(&now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_everything, fresh, stale),
		cmocka_unit_test_setup_teardown(test_print_loads, fresh, stale),
		cmocka_unit_test_setup_teardown(test_readings, fresh, stale),
		cmocka_unit_test_setup_teardown(test_delete_keys, fresh, stale),
		cmocka_unit_test_setup_teardown(test_refusal, fresh, stale),
		cmocka_unit_test_setup_teardown(test_owner, fresh, stale),
		cmocka_unit_test_setup_teardown(test_unowned, fresh, stale),
		cmocka_unit_test_setup_teardown(test_drift, fresh, stale),
		cmocka_unit_test_setup_teardown(test_many, fresh, stale),
		cmocka_unit_test_setup_teardown(test_random_plans, fresh, stale),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}
