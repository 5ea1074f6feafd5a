/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations as netlink messages, without a kernel: the frame of a batch, numbers, splitting of
 * large sets, and that our decoder reads back what our encoder wrote, also when it is cut or
 * garbled (under ASan). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/uio.h>

#include "codec/nft_decode.h"
#include "codec/nft_encode.h"
#include "tests/lib/rules.h"
#include "vethwall/plan.h"

#define MSG(t) (NFNL_SUBSYS_NFTABLES << 8 | (t))

/* The whole batch in one buffer; the caller frees it. */
static uint8_t *bytes_of(struct nftnl_batch *b, int *ret_len)
{
	struct iovec iov[1024];
	int pages = nftnl_batch_iovec_len(b);
	uint8_t *all, *p;
	size_t n = 0;

	assert_in_range(pages, 1, 1024);
	nftnl_batch_iovec(b, iov, pages);
	for (int i = 0; i < pages; i++)
		n += iov[i].iov_len;
	p = all = malloc(n);
	assert_non_null(all);
	for (int i = 0; i < pages; i++)
		p = mempcpy(p, iov[i].iov_base, iov[i].iov_len);
	nftnl_batch_free(b);
	*ret_len = n;
	return all;
}

static uint8_t *encode(const struct vw_oplist *ops, bool commit, int *ret_len)
{
	struct nftnl_batch *b = NULL;
	size_t bad = 0;

	assert_int_equal(vw_nft_encode(ops, 100, 6, commit, &b, &bad), 0);
	return bytes_of(b, ret_len);
}

static void test_frame(void **state)
{
	struct vw_ruleset want = {0}, none = {0};
	struct vw_oplist ops = {0};
	const struct nlmsghdr *nlh;
	uint32_t last = 100;
	size_t acks = 0, n = 0;
	uint8_t *all;
	int left;

	(void)state;
	r_everything(&want, "veth1", 7);
	assert_int_equal(vw_plan(&none, &want, &ops), 0);
	all = encode(&ops, true, &left);
	for (nlh = (void *)all; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left), n++) {
		assert_int_equal(nlh->nlmsg_type == NFNL_MSG_BATCH_BEGIN, n == 0);
		assert_int_equal(nlh->nlmsg_type == NFNL_MSG_BATCH_END, n == ops.list.n + 1);
		assert_int_equal(nlh->nlmsg_seq, 100 + n); /* each operation is one message here */
		assert_true(nlh->nlmsg_flags & NLM_F_REQUEST);
		if (nlh->nlmsg_flags & NLM_F_ACK)
			acks++, last = nlh->nlmsg_seq;
	}
	assert_int_equal(left, 0);
	assert_int_equal(n, ops.list.n + 2);
	assert_int_equal(acks, 1);
	assert_int_equal(last, 100 + ops.list.n);
	free(all);

	all = encode(&ops, false, &left);
	for (nlh = (void *)all; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		assert_int_not_equal(nlh->nlmsg_type, NFNL_MSG_BATCH_END);
	free(all);
	vw_vec_done(&ops.list);
	vw_ruleset_done(&want);
}

/* What the decoder made of a batch. */
struct back {
	struct vw_ruleset rules;
	struct vw_nft_edges edges;
	struct vw_set *set;
};

static int back_elem(const struct vw_nft_elem_raw *raw, void *arg)
{
	struct back *b = arg;
	struct vw_nft_edge edge = {.end = raw->interval_end};
	struct vw_elem e = {0};
	bool edges = b->set->flags & VW_SET_INTERVAL && !b->set->fields[1];

	memcpy(edges ? edge.key : e.key, raw->e.key, raw->e.klen);
	memcpy(e.key_end, raw->key_end ? raw->key_end : raw->e.key, raw->e.klen);
	if (raw->data)
		memcpy(edges ? &edge.data : &e.data, raw->data, 4);
	return edges ? vw_vec_push(&b->edges.list, edge, 100) : vw_elem_push(b->set, &e, 100000);
}

/* Reads one message; errors are fine, crashes are not. */
static void take(struct back *b, const struct nlmsghdr *nlh, struct vw_set *into)
{
	struct vw_chain c;
	struct vw_set s;
	struct vw_nft_rule rule;
	struct vw_nft_table t;

	if (!vw_nft_decode_chain(nlh, &c))
		assert_int_equal(vw_vec_push(&b->rules.chains, c, 100000), 0);
	if (!vw_nft_decode_set(nlh, &s))
		assert_int_equal(vw_vec_push(&b->rules.sets, s, 100000), 0);
	if (!vw_nft_decode_rule(nlh, &rule)) {
		vw_vec_foreach (k, &b->rules.chains) {
			if (strcmp(k->name, rule.chain))
				continue;
			vw_vec_push(&k->rules, ((struct vw_nftrule){.id = rule.id}), 100000);
		}
	}
	vw_nft_decode_table(nlh, &t);
	b->set = into;
	if (into)
		vw_nft_decode_elems(nlh, back_elem, b);
}

static void test_round_trip(void **state)
{
	struct vw_ruleset want = {0}, none = {0};
	struct vw_oplist ops = {0}, again = {0};
	const struct nlmsghdr *nlh;
	struct back b = {0};
	uint8_t *all;
	int left;

	(void)state;
	r_everything(&want, "veth1", 7);
	assert_int_equal(vw_plan(&none, &want, &ops), 0);
	all = encode(&ops, true, &left);
	for (nlh = (void *)all; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		size_t i = nlh->nlmsg_seq - 101;
		struct vw_set *into = NULL;

		if (nlh->nlmsg_type == MSG(NFT_MSG_NEWSETELEM))
			vw_vec_foreach (s, &b.rules.sets)
				if (!strcmp(s->name, ops.list.v[i].set->name))
					into = s;
		b.edges.list.n = 0;
		take(&b, nlh, into);
		if (into)
			assert_int_equal(vw_nft_fold_edges(&b.edges, into), 0);
	}
	for (size_t i = 0; i < b.rules.sets.n; i++)
		assert_int_equal(vw_elems_sort(&b.rules.sets.v[i]), 0);
	/* Nothing differs, so nothing is to do. */
	assert_int_equal(b.rules.chains.n, want.chains.n);
	assert_int_equal(vw_plan(&b.rules, &want, &again), 0);
	assert_int_equal(again.list.n, 0);
	free(all);
	vw_vec_done(&b.edges.list);
	vw_vec_done(&ops.list);
	vw_ruleset_done(&b.rules);
	vw_ruleset_done(&want);
}

/* Each message in a buffer of its very size, cut and garbled. */
static void test_garbled(void **state)
{
	struct vw_set into = {.flags = VW_SET_MAP, .fields = {VW_F_IP4}};
	struct vw_ruleset want = {0}, none = {0};
	struct vw_oplist ops = {0};
	const struct nlmsghdr *nlh;
	struct back b = {0};
	uint8_t *all;
	int left;

	(void)state;
	srand(1);
	r_everything(&want, "veth1", 7);
	assert_int_equal(vw_plan(&none, &want, &ops), 0);
	all = encode(&ops, true, &left);
	for (nlh = (void *)all; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		for (int i = 0; i < 300; i++) {
			uint32_t cut = rand() % (nlh->nlmsg_len / 4 - 3);
			uint32_t len = nlh->nlmsg_len - (i < 50 ? 0 : cut * 4); /* padded */
			struct nlmsghdr *copy = malloc(len);
			struct vw_nft_reply reply;
			uint32_t gen;

			assert_non_null(copy);
			memcpy(copy, nlh, len);
			for (int k = i % 5; k-- > 0 && len > 20;)
				((uint8_t *)copy)[20 + rand() % (len - 20)] =
					rand() % 3 ? rand() % 40 : rand();
			copy->nlmsg_len = len;
			take(&b, copy, &into);
			vw_nft_decode_gen(copy, &gen);
			copy->nlmsg_type = NLMSG_ERROR;
			copy->nlmsg_flags = rand();
			vw_nft_decode_reply(copy, &reply);
			free(copy);
		}
		vw_ruleset_done(&b.rules);
		b.rules = (struct vw_ruleset){0};
		b.edges.list.n = 0;
		into.elems.n = 0;
	}
	vw_set_done(&into);
	vw_vec_done(&b.edges.list);
	free(all);
	vw_vec_done(&ops.list);
	vw_ruleset_done(&want);
}

static int count_elem(const struct vw_nft_elem_raw *raw, void *arg)
{
	(void)raw;
	++*(size_t *)arg;
	return 0;
}

/* The message of type msg that the operation gives, in a buffer of its very size, with `cut` bytes
 * taken from its end and from the attributes (by their offsets, ending with 0) that hold them. */
static struct nlmsghdr *shortened(const struct vw_op_ir *op, uint16_t msg, uint32_t cut,
				  const size_t *attrs)
{
	struct vw_oplist ops = {{(struct vw_op_ir *)op, 1, 1}};
	const struct nlmsghdr *nlh;
	struct nlmsghdr *copy = NULL;
	uint8_t *all;
	int left;

	all = encode(&ops, false, &left);
	for (nlh = (void *)all; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_type != MSG(msg))
			continue;
		copy = malloc(nlh->nlmsg_len - cut);
		assert_non_null(copy);
		memcpy(copy, nlh, nlh->nlmsg_len - cut);
		copy->nlmsg_len -= cut;
		for (; *attrs; attrs++)
			((struct nlattr *)((uint8_t *)copy + nlh->nlmsg_len - *attrs))->nla_len -=
				cut;
	}
	free(all);
	assert_non_null(copy);
	return copy;
}

static int no_data(const struct vw_nft_elem_raw *raw, void *arg)
{
	(void)arg;
	assert_null(raw->data);
	return 0;
}

/* Values that end before they should are not read past their end. */
static void test_short_values(void **state)
{
	struct vw_set map = {.name = "m", .flags = VW_SET_MAP, .fields = {VW_F_IP4}};
	struct vw_op_ir add_elem = {VW_OP_ADD_ELEMS, .set = &map, .count = 1};
	struct vw_nftrule rule = {.id = 0x0102030405060708};
	struct vw_chain chain = {.name = "c"};
	struct vw_op_ir add_rule = {VW_OP_ADD_RULE, .chain = &chain, .rule = &rule};
	const uint8_t keys[80] = {0};
	const struct nlmsghdr *next;
	struct vw_nft_rule back;
	struct nftnl_batch *b;
	struct nlmsghdr *nlh;
	size_t elems = 0;
	uint8_t *all;
	int left;

	(void)state;
	/* Counted from the end: the value, DATA, the element, the list. */
	r_elem(&map, "10.0.0.1", NULL, 0, 0, 0, 7);
	nlh = shortened(&add_elem, NFT_MSG_NEWSETELEM, 4, (const size_t[]){8, 12, 28, 32, 0});
	assert_int_equal(vw_nft_decode_elems(nlh, no_data, NULL), 0);
	free(nlh);
	/* Userdata of type, length 8 and four bytes. */
	nlh = shortened(&add_rule, NFT_MSG_NEWRULE, 4, (const size_t[]){16, 0});
	assert_int_equal(vw_nft_decode_rule(nlh, &back), 0);
	assert_int_equal(back.id, 0);
	free(nlh);
	/* A key longer than any of ours. */
	assert_int_equal(vw_nft_encode_del_keys("s", keys, sizeof(keys), 1, (bool[]){false}, 1, &b),
			 0);
	all = bytes_of(b, &left);
	for (next = (void *)all; mnl_nlmsg_ok(next, left); next = mnl_nlmsg_next(next, &left)) {
		if (next->nlmsg_type != MSG(NFT_MSG_DELSETELEM))
			continue;
		nlh = (struct nlmsghdr *)next;
		nlh->nlmsg_type = MSG(NFT_MSG_NEWSETELEM);
		assert_int_equal(vw_nft_decode_elems(nlh, count_elem, &elems), -EBADMSG);
	}
	assert_int_equal(elems, 0);
	free(all);
	vw_set_done(&map);
}

/* A set larger than an attribute comes in several messages of one operation. */
static void test_split(void **state)
{
	enum { ELEMS = 20000 };
	struct vw_ruleset want = {0}, none = {0};
	struct vw_oplist ops = {0};
	const struct nlmsghdr *nlh;
	struct vw_set *s;
	size_t elems = 0, messages = 0;
	uint8_t *all;
	int left;

	(void)state;
	s = r_set(&want, "big", VW_SET_INTERVAL, R_FIELDS(VW_F_IP6));
	for (uint32_t i = 0; i < ELEMS; i++) {
		struct vw_elem e = {.key = {0xfd}};

		memcpy(e.key + 12, &(uint32_t){htonl(i * 2)}, 4);
		memcpy(e.key_end, e.key, sizeof(e.key));
		assert_int_equal(vw_elem_push(s, &e, ELEMS), 0);
	}
	assert_int_equal(vw_plan(&none, &want, &ops), 0);
	all = encode(&ops, true, &left);
	for (nlh = (void *)all; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_type != MSG(NFT_MSG_NEWSETELEM))
			continue;
		messages++;
		assert_int_equal(nlh->nlmsg_seq, 102);
		assert_true(nlh->nlmsg_len < 65536);
		assert_int_equal(vw_nft_decode_elems(nlh, count_elem, &elems), 0);
	}
	assert_int_equal(left, 0);
	assert_true(messages > 1);
	assert_int_equal(elems, 2 * ELEMS); /* start and end */
	free(all);
	vw_vec_done(&ops.list);
	vw_ruleset_done(&want);
}

static void test_refused(void **state)
{
	struct vw_expr long_cmp = {.type = VW_E_CMP, .len = 17};
	struct vw_nftrule rule = {.exprs = {&long_cmp, 1, 1}};
	struct vw_chain chain = {.name = "c"};
	struct vw_op_ir op[] = {{VW_OP_ADD_CHAIN, .chain = &chain},
				{VW_OP_ADD_RULE, .chain = &chain, .rule = &rule}};
	struct vw_oplist ops = {{op, 2, 2}};
	struct nftnl_batch *b = NULL;
	size_t bad = 0;

	(void)state;
	assert_int_equal(vw_nft_encode(&ops, 1, 0, true, &b, &bad), -EINVAL);
	assert_int_equal(bad, 1);
	assert_null(b);
	long_cmp.type = _VW_E_MAX;
	assert_int_equal(vw_nft_encode(&ops, 1, 0, true, &b, &bad), -EINVAL);
}

static void test_key_types(void **state)
{
	struct vw_set one = {.fields = {VW_F_PROTO}}, two = {.fields = {VW_F_PROTO, VW_F_PORT}};

	(void)state;
	assert_int_equal(vw_nft_key_type(R_FIELDS(VW_F_IP4)), 7);
	assert_int_equal(vw_nft_key_type(R_FIELDS(VW_F_MARK, VW_F_PROTO)), 19 << 6 | 12);
	/* The last five in full; the first as what two bits can say. */
	assert_int_equal(vw_nft_key_type(R_FIELDS(VW_F_MARK, VW_F_IP4, VW_F_IP4, VW_F_PROTO,
						  VW_F_PORT, VW_F_PORT)),
			 (2u << 30) | 7 << 24 | 7 << 18 | 12 << 12 | 13 << 6 | 13);
	assert_int_equal(vw_nft_wire_klen(&one), 1);
	assert_int_equal(vw_nft_wire_klen(&two), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame),	     cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_garbled),	     cmocka_unit_test(test_split),
		cmocka_unit_test(test_short_values), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_key_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
