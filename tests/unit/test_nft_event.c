/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel (6.18) tells of changes of nf_tables, datagram by datagram as it came, and the
 * same cut and changed anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>

#include "../fuzz/fuzz_nft_monitor.c"
#include "vethwall/cleanup.h"

#define CORPUS "tests/fuzz/corpus/nft_monitor/"
#define MUTATIONS 5000 /* of each datagram */

struct datagram {
	_Alignas(8) uint8_t b[4096];
	size_t n;
};

static void read_datagram(const char *name, struct datagram *ret)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), CORPUS "%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	ret->n = fread(ret->b, 1, sizeof(ret->b), f);
	fclose(f);
	assert_true(ret->n >= sizeof(struct nlmsghdr));
}

static const struct {
	const char *file;
	int r;
	enum vw_nft_change change;
	const char *name;
} cases[] = {
	{"00", 0, VW_NFT_TABLE_SET, ""},     {"01", 0, VW_NFT_GENERATION, ""},
	{"02", 0, VW_NFT_TABLE_SET, ""}, /* bridge */
	{"04", 0, VW_NFT_CHAIN_SET, "in_4"}, {"06", 0, VW_NFT_RULE_SET, "in_4"},
	{"08", 0, VW_NFT_SET_SET, "f4_4"},   {"10", 0, VW_NFT_ELEM_SET, "f4_4"},
	{"12", 0, VW_NFT_ELEM_GONE, "f4_4"}, {"14", 0, VW_NFT_RULE_GONE, "in_4"},
	{"16", 0, VW_NFT_SET_GONE, "f4_4"},  {"18", -ENOENT}, /* another table */
	{"19", 0, VW_NFT_GENERATION, ""},
};

static void told(void **state)
{
	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(cases); i++) {
		struct vw_nft_event e = {.portid = 0};
		struct datagram d;

		read_datagram(cases[i].file, &d);
		assert_int_equal(vw_nft_decode_event((void *)d.b, &e), cases[i].r);
		if (cases[i].r)
			continue;
		assert_int_equal(e.change, cases[i].change);
		assert_string_equal(e.name, cases[i].name);
		assert_true(e.portid > 1);
		if (e.change != VW_NFT_GENERATION)
			continue;
		assert_string_equal(e.comm, "nft");
		assert_int_equal(e.pid, e.portid); /* nft's socket has its pid for a port */
	}
}

static void note(const struct vw_nft_event *e, void *arg)
{
	enum vw_nft_change **at = arg;

	*(*at)++ = e->change;
}

/* A transaction of several changes is one datagram. */
static void several(void **state)
{
	enum vw_nft_change seen[8], *end = seen;
	struct datagram d;

	(void)state;
	read_datagram("16", &d);
	vw_nft_decode_events(d.b, d.n, note, &end);
	assert_int_equal(end - seen, 3);
	assert_int_equal(seen[0], VW_NFT_SET_GONE);
	assert_int_equal(seen[1], VW_NFT_CHAIN_GONE);
	assert_int_equal(seen[2], VW_NFT_TABLE_GONE);
	end = seen;
	vw_nft_decode_events(d.b, d.n - 1, note, &end);
	assert_int_equal(end - seen, 2);
	((struct nlmsghdr *)(void *)d.b)->nlmsg_len = 0x80000040; /* negative to libmnl */
	end = seen;
	vw_nft_decode_events(d.b, d.n, note, &end);
	assert_int_equal(end - seen, 0);
}

/* Names longer than any of ours are nobody's. */
static void long_names(void **state)
{
	_Alignas(8) uint8_t buf[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;
	struct vw_nft_event e;
	char name[100];

	(void)state;
	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN;
	nlh->nlmsg_pid = 7;
	g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));
	g->nfgen_family = NFPROTO_NETDEV;
	assert_int_equal(vw_nft_decode_event(nlh, &e), -EBADMSG); /* no table */
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, VW_TABLE);
	memset(name, 'x', sizeof(name));
	name[VW_NAME_LEN] = '\0';
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, name);
	assert_int_equal(vw_nft_decode_event(nlh, &e), 0);
	assert_string_equal(e.name, "");
	assert_int_equal(e.portid, 7);
	nlh->nlmsg_len = MNL_NLMSG_HDRLEN + 2;
	assert_int_equal(vw_nft_decode_event(nlh, &e), -EBADMSG);
	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | 0xff;
	nlh->nlmsg_len = MNL_NLMSG_HDRLEN + 4;
	assert_int_equal(vw_nft_decode_event(nlh, &e), -ENOENT);
}

static uint64_t seed = 1;

static uint32_t next(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

/* On the heap and of the exact size, so that reading over the end shows. */
static void corpus(void **state)
{
	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(cases); i++) {
		struct datagram d;

		read_datagram(cases[i].file, &d);
		for (int m = 0; m <= MUTATIONS; m++) {
			size_t n = m && next() % 4 == 0 ? next() % (d.n + 1) : d.n;
			uint8_t *copy = malloc(n ? n : 1);

			assert_non_null(copy);
			memcpy(copy, d.b, n);
			for (int k = m % 4; k && n; k--)
				copy[next() % n] = (uint8_t)next();
			assert_int_equal(LLVMFuzzerTestOneInput(copy, n), 0);
			free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told),
		cmocka_unit_test(several),
		cmocka_unit_test(long_names),
		cmocka_unit_test(corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
