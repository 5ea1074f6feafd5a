/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of a ruleset: where a key's fields lie, packed elements, what a rule's identity depends
 * on, and what is printed of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/rules.h"
#include "vethwall/plan.h"

static void test_layout(void **state)
{
	struct vw_set s = {.fields = {VW_F_MARK, VW_F_IP6, VW_F_PROTO, VW_F_PORT}};

	(void)state;
	assert_int_equal(vw_ftype_len(VW_F_PORT), 2);
	assert_int_equal(vw_ftype_len(_VW_F_MAX), 0);
	assert_int_equal(vw_set_field_offset(&s, 0), 0);
	assert_int_equal(vw_set_field_offset(&s, 1), 4);
	assert_int_equal(vw_set_field_offset(&s, 2), 20);
	assert_int_equal(vw_set_field_offset(&s, 3), 24);
	assert_int_equal(vw_set_klen(&s), 28);
	assert_int_equal(vw_set_stride(&s), 28);
	s.flags = VW_SET_MAP | VW_SET_INTERVAL;
	assert_int_equal(vw_set_stride(&s), 60);
}

static void test_elems(void **state)
{
	struct vw_set s = {.flags = VW_SET_MAP | VW_SET_INTERVAL, .fields = {VW_F_IP4}};
	struct vw_set none = {0};
	struct vw_elem e = {0};

	(void)state;
	assert_int_equal(vw_elem_push(&none, &e, 1), -EINVAL);
	r_elem(&s, "10.0.0.0", "10.0.0.9", 0, 0, 0, 7);
	r_elem(&s, "9.0.0.0", "9.0.0.9", 0, 0, 0, 8);
	r_elem(&s, "10.0.0.0", "10.0.0.9", 0, 0, 0, 7);
	assert_int_equal(vw_elem_push(&s, &e, 3), -ENOSPC);
	assert_int_equal(vw_elems_sort(&s), 0);
	assert_int_equal(s.elems.n, 2);
	vw_elem_get(&s, 0, &e);
	assert_int_equal(e.key[0], 9);
	assert_int_equal(e.key_end[3], 9);
	assert_int_equal(e.data, 8);
	vw_elem_get(&s, 1, &e);
	assert_int_equal(e.key[0], 10);
	assert_int_equal(e.data, 7);
	/* One key, two data. */
	r_elem(&s, "9.0.0.0", "9.0.0.9", 0, 0, 0, 9);
	assert_int_equal(vw_elems_sort(&s), -EEXIST);
	vw_set_done(&s);
	assert_int_equal(s.elems.n, 0);
}

static uint64_t id_of(struct vw_expr e)
{
	struct vw_nftrule r = {.exprs = {&e, 1, 1}};

	return vw_nftrule_hash(&r);
}

static void test_identity(void **state)
{
	struct vw_expr e = {.type = VW_E_CMP, .op = NFT_CMP_EQ, .len = 2, .data = {1, 2, 3}}, f = e;
	struct vw_nftrule rules[2] = {{.id = 1}, {.id = 2}}, swapped[2] = {{.id = 2}, {.id = 1}};
	struct vw_chain a = {.rules = {rules, 2, 2}}, b = {.rules = {swapped, 2, 2}};

	(void)state;
	f.data[2] = 9; /* beyond len: means nothing */
	assert_true(id_of(e) == id_of(f));
	f.data[1] = 9;
	assert_true(id_of(e) != id_of(f));
	f = e;
	f.op = NFT_CMP_NEQ;
	assert_true(id_of(e) != id_of(f));
	f = (struct vw_expr)E_LOOKUP(0, "a");
	e = (struct vw_expr)E_LOOKUP(0, "b");
	assert_true(id_of(e) != id_of(f));
	e = (struct vw_expr)E_AND(0, 2, 0xff, 0xff, 0, 0);
	f = (struct vw_expr)E_AND(0, 2, 0xff, 0xff, 0, 1); /* the xor half */
	assert_true(id_of(e) != id_of(f));
	assert_true(vw_chain_hash(&a) != vw_chain_hash(&b));
	/* FNV-1a test vector: draft-eastlake-fnv, "foobar". */
	assert_true(vw_hash("foobar", 6, 0) == 0x85944171f73967e8u);
}

static void test_find(void **state)
{
	struct vw_ruleset r = {0};

	(void)state;
	assert_null(vw_ruleset_set(&r, "a"));
	r_set(&r, "b", 0, R_FIELDS(VW_F_IP4));
	r_set(&r, "a", VW_SET_MAP, R_FIELDS(VW_F_IP4));
	r_chain(&r, "z");
	r_chain(&r, "y");
	vw_ruleset_sort(&r);
	assert_int_equal(vw_ruleset_set(&r, "a")->flags, VW_SET_MAP);
	assert_null(vw_ruleset_set(&r, "c"));
	assert_string_equal(vw_ruleset_chain(&r, "y")->name, "y");
	assert_null(vw_ruleset_chain(&r, "b"));
	assert_false(vw_set_same_spec(&r.sets.v[0], &r.sets.v[1]));
	vw_ruleset_done(&r);
}

static void assert_prints(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("not printed: %s\n%s", what, text);
}

static void test_print(void **state)
{
	struct vw_ruleset r = {0}, none = {0};
	struct vw_oplist ops = {0};
	struct vw_chain *c;
	char *text;

	(void)state;
	r_everything(&r, "veth1", 7);
	c = r_chain(&r, "zz");
	R_RULE(c, "flow", E_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, 12, 4, 0),
	       E_CMP(0, NFT_CMP_NEQ, 2, 10, 1));
	R_RULE(c, "constant", E_TUPLE4, E_IMM(2, 1, 0xfe), E_LOOKUP(0, "live4"));
	R_RULE(c, NULL, E_EXTHDR(44, 6, 2, 0, 0), E_CMP(0, NFT_CMP_EQ, 2, 1, 2));
	text = vw_ruleset_print(&r);
	assert_non_null(text);
	assert_prints(text,
		      "\t\ttype filter hook ingress device \"veth1\" priority 0; policy drop;\n");
	assert_prints(text,
		      "\t\tether saddr != 02:42:ac:11:00:02 counter drop comment \"source MAC\"\n");
	assert_prints(text, "\t\t@nh,48,16 & 0x1fff != 0x0000 counter drop comment \"fragment\"\n");
	assert_prints(text, "\t\tip saddr != 10.1.0.0/16 comment \"flow\"\n");
	assert_prints(text, "meta mark set ip daddr map @id4");
	assert_prints(
		text,
		"ip saddr . ip daddr . 0xfe . th sport . th dport @live4 comment \"constant\" "
		"# nft has no words for this constant in a key\n");
	assert_prints(text, "exthdr 44 @48,16 0x0102 # nft has no words");
	assert_prints(text, "\t\t\t192.0.2.1 . tcp . 8000-8100\n");
	assert_prints(text, "\t\t\t10.0.0.0-10.255.255.255 : 0x00000002,\n");
	free(text);

	assert_int_equal(vw_plan(&none, &r, &ops), 0);
	text = vw_oplist_print(&ops, NULL);
	assert_non_null(text);
	assert_prints(text,
		      "+ add set netdev vethwall denied4 { type mark . ipv4_addr . ipv4_addr . "
		      "inet_proto . inet_service . inet_service; size 4096; flags dynamic,timeout; "
		      "counter limit rate 1/second burst 1 packets; timeout 1001ms; }\n");
	assert_prints(text, "+ add element netdev vethwall id4 { 192.0.2.2 : 0x00000008 }\n");
	assert_prints(
		text,
		"+ add chain netdev vethwall wall_eg { type filter hook egress device \"veth1\"");
	assert_prints(text,
		      "+ add rule netdev vethwall judge4 ip daddr . meta l4proto . th dport @ports "
		      "goto allow comment \"allowed ports\"\n");
	free(text);
	vw_vec_done(&ops.list);
	assert_int_equal(vw_plan(&r, &none, &ops), 0);
	text = vw_oplist_print(&ops, NULL);
	assert_prints(text, "- flush chain netdev vethwall wall_in\n");
	assert_prints(text, "- delete map netdev vethwall id4\n");
	free(text);
	vw_vec_done(&ops.list);
	vw_ruleset_done(&r);
}

/* A chain that is filled anew: what stays, goes and comes; a set that goes with its elements. */
static void test_print_change(void **state)
{
	struct vw_ruleset have = {0}, want = {0};
	struct vw_oplist ops = {0};
	struct vw_chain *c;
	struct vw_set *s;
	size_t wordless = 9;
	char *text;

	(void)state;
	s = r_set(&have, "gone", VW_SET_MAP, R_FIELDS(VW_F_IP4));
	r_elem(s, "192.0.2.1", NULL, 0, 0, 0, 7);
	c = r_chain(&have, "judge");
	R_RULE(c, "first", E_COUNTER);
	R_RULE(c, "second", E_PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 0), E_MAP(0, "gone", 0),
	       E_META_SET(NFT_META_MARK, 0));
	c = r_chain(&want, "judge");
	R_RULE(c, "third", E_TUPLE4, E_IMM(2, 1, 0xfe), E_LOOKUP(0, "live4"));
	R_RULE(c, "first", E_COUNTER);
	assert_int_equal(vw_plan(&have, &want, &ops), 0);
	text = vw_oplist_print(&ops, &wordless);
	assert_non_null(text);
	assert_string_equal(
		text, "- flush chain netdev vethwall judge\n"
		      "- # rule judge meta mark set ip daddr map @gone comment \"second\"\n"
		      "- delete map netdev vethwall gone\n"
		      "- # element gone { 192.0.2.1 : 0x00000007 }\n"
		      "+ add rule netdev vethwall judge ip saddr . ip daddr . 0xfe . th sport . "
		      "th dport @live4 comment \"third\" # nft has no words for this constant in a "
		      "key\n"
		      "  add rule netdev vethwall judge counter comment \"first\"\n");
	assert_int_equal(wordless, 1);
	free(text);
	vw_vec_done(&ops.list);
	vw_ruleset_done(&have);
	vw_ruleset_done(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),	 cmocka_unit_test(test_elems),
		cmocka_unit_test(test_identity), cmocka_unit_test(test_find),
		cmocka_unit_test(test_print),	 cmocka_unit_test(test_print_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
