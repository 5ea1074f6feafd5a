/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans against a model of the kernel's rules: what is referenced cannot go, what a rule names must
 * be there, and after the last operation the state is the wanted one. The same property against the
 * real kernel is in tests/kernel/test_nft_kernel.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/rules.h"
#include "vethwall/plan.h"

/* A table as the kernel keeps it, small and slow. */
struct model {
	VW_VEC(struct vw_set) sets;
	VW_VEC(struct vw_chain) chains;
};

static struct vw_set *m_set(struct model *m, const char *name)
{
	vw_vec_foreach (s, &m->sets)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

static struct vw_chain *m_chain(struct model *m, const char *name)
{
	vw_vec_foreach (c, &m->chains)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static bool is_jump(const struct vw_expr *e)
{
	return e->type == VW_E_VERDICT && (e->verdict == NFT_JUMP || e->verdict == NFT_GOTO);
}

static bool names_set(const struct vw_expr *e)
{
	return e->type == VW_E_LOOKUP || e->type == VW_E_DYNSET;
}

static bool referenced(struct model *m, const char *name, bool set)
{
	vw_vec_foreach (c, &m->chains)
		vw_vec_foreach (r, &c->rules)
			vw_vec_foreach (e, &r->exprs)
				if ((set ? names_set(e) : is_jump(e)) && !strcmp(e->name, name))
					return true;
	return false;
}

static void m_add_rule(struct model *m, const struct vw_op_ir *op)
{
	struct vw_chain *c = m_chain(m, op->chain->name);
	struct vw_nftrule copy = {.id = op->rule->id};

	assert_non_null(c);
	vw_vec_foreach (e, &op->rule->exprs) {
		struct vw_chain *to = is_jump(e) ? m_chain(m, e->name) : NULL;

		assert_true(!names_set(e) || m_set(m, e->name));
		assert_true(!is_jump(e) || (to && !to->base));
		assert_int_equal(vw_vec_push(&copy.exprs, *e, VW_EXPRS_MAX), 0);
	}
	assert_int_equal(vw_vec_push(&c->rules, copy, 1000), 0);
}

static void m_elems(struct model *m, const struct vw_op_ir *op)
{
	struct vw_set *s = m_set(m, op->set->name);
	size_t stride;

	assert_non_null(s);
	stride = vw_set_stride(s);
	assert_true(op->count > 0);
	for (size_t i = op->first; i < op->first + op->count; i++) {
		const uint8_t *raw = op->set->elems.v + i * stride;
		struct vw_elem e;
		size_t at = 0;

		while (at < s->elems.n && memcmp(s->elems.v + at * stride, raw, stride))
			at++;
		if (op->type == VW_OP_ADD_ELEMS) {
			assert_true(at == s->elems.n);
			vw_elem_get(op->set, i, &e);
			assert_int_equal(vw_elem_push(s, &e, 1000), 0);
		} else {
			assert_true(at < s->elems.n);
			s->elems.n--;
			memmove(s->elems.v + at * stride, s->elems.v + s->elems.n * stride, stride);
		}
	}
}

static void m_apply(struct model *m, const struct vw_op_ir *op)
{
	const char *name = op->set ? op->set->name : op->chain->name;
	struct vw_chain *c = m_chain(m, name), chain;
	struct vw_set *s = m_set(m, name), set;

	switch (op->type) {
	case VW_OP_ADD_SET:
		assert_null(s);
		set = *op->set;
		set.elems = (struct vw_elems){0};
		assert_int_equal(vw_vec_push(&m->sets, set, 1000), 0);
		break;
	case VW_OP_DEL_SET:
		assert_non_null(s);
		assert_false(referenced(m, name, true));
		vw_set_done(s);
		*s = m->sets.v[--m->sets.n];
		break;
	case VW_OP_ADD_ELEMS:
	case VW_OP_DEL_ELEMS:
		m_elems(m, op);
		break;
	case VW_OP_ADD_CHAIN:
		assert_null(c);
		chain = *op->chain;
		memset(&chain.rules, 0, sizeof(chain.rules));
		assert_int_equal(vw_vec_push(&m->chains, chain, 1000), 0);
		break;
	case VW_OP_DEL_CHAIN:
		assert_non_null(c);
		vw_chain_done(c);
		assert_false(referenced(m, name, false));
		*c = m->chains.v[--m->chains.n];
		break;
	case VW_OP_FLUSH_CHAIN:
		assert_non_null(c);
		vw_chain_done(c);
		break;
	case VW_OP_ADD_RULE:
		m_add_rule(m, op);
		break;
	default:
		fail();
	}
}

static void assert_state(struct model *m, const struct vw_ruleset *want)
{
	assert_int_equal(m->sets.n, want->sets.n);
	assert_int_equal(m->chains.n, want->chains.n);
	vw_vec_foreach (w, &want->sets) {
		struct vw_set *s = m_set(m, w->name);

		assert_non_null(s);
		assert_true(vw_set_same_spec(s, w));
		assert_int_equal(vw_elems_sort(s), 0);
		assert_int_equal(s->elems.n, w->elems.n);
		if (w->elems.n)
			assert_memory_equal(s->elems.v, w->elems.v, w->elems.n * vw_set_stride(w));
	}
	vw_vec_foreach (w, &want->chains) {
		struct vw_chain *c = m_chain(m, w->name);

		assert_non_null(c);
		assert_true(c->base == w->base && c->hook == w->hook && c->ifindex == w->ifindex);
		assert_string_equal(c->dev, w->dev);
		assert_int_equal(c->rules.n, w->rules.n);
		assert_true(vw_chain_hash(c) == vw_chain_hash(w));
	}
}

static void step(struct model *m, const struct vw_ruleset *have, const struct vw_ruleset *want,
		 size_t *ret_n)
{
	struct vw_oplist ops = {0};

	assert_int_equal(vw_plan(have, want, &ops), 0);
	vw_vec_foreach (op, &ops.list)
		m_apply(m, op);
	if (ret_n)
		*ret_n = ops.list.n;
	vw_vec_done(&ops.list);
	assert_state(m, want);
}

static unsigned dice(unsigned n)
{
	return rand() % n;
}

static void random_ruleset(struct vw_ruleset *r)
{
	char name[VW_NAME_LEN];

	for (unsigned i = 0; i < 5; i++) {
		struct vw_set *s;

		if (!dice(4))
			continue;
		snprintf(name, sizeof(name), "set_%u", i);
		s = r_set(r, name, dice(5) ? 0 : VW_SET_MAP, R_FIELDS(VW_F_IP4));
		for (unsigned n = dice(8); n-- > 0;) {
			struct vw_elem e = {.key = {10, 0, 0, dice(10)}};

			e.data = e.key[3] / 5;
			assert_int_equal(vw_elem_push(s, &e, 100), 0);
		}
		assert_int_equal(vw_elems_sort(s), 0);
	}
	for (unsigned i = 0; i < 7; i++) {
		struct vw_chain *c;

		if (!dice(4))
			continue;
		snprintf(name, sizeof(name), "chain_%u", i);
		c = i < 5 + dice(2) ? r_chain(r, name) : r_base(r, name, dice(2), "veth1", dice(2));
		for (unsigned n = dice(4); n-- > 0;) {
			struct vw_expr e = E_COUNTER;

			if (r->sets.n && dice(2)) {
				e = (struct vw_expr)E_LOOKUP(0, "");
				memcpy(e.name, r->sets.v[dice(r->sets.n)].name, sizeof(e.name));
			} else if (r->chains.n > 1 && dice(2)) {
				const struct vw_chain *to = &r->chains.v[dice(r->chains.n - 1)];

				e = (struct vw_expr)E_JUMP("");
				memcpy(e.name, to->name, sizeof(e.name));
				if (to->base)
					e = (struct vw_expr)E_COUNTER;
			}
			R_RULE(c, NULL, e);
		}
	}
}

static void test_random(void **state)
{
	unsigned seed = getenv("SEED") ? strtoul(getenv("SEED"), NULL, 10) : 1;
	struct vw_ruleset now = {0};
	struct model m = {0};

	(void)state;
	print_message("SEED=%u\n", seed);
	srand(seed);
	for (int i = 0; i < 3000; i++) {
		struct vw_ruleset want = {0};
		size_t n;

		random_ruleset(&want);
		if (dice(2))
			vw_ruleset_sort(&want);
		step(&m, &now, &want, NULL);
		step(&m, &want, &want, &n);
		assert_int_equal(n, 0);
		vw_ruleset_done(&now);
		now = want;
	}
	vw_vec_foreach (s, &m.sets)
		vw_set_done(s);
	vw_vec_foreach (c, &m.chains)
		vw_chain_done(c);
	vw_vec_done(&m.sets);
	vw_vec_done(&m.chains);
	vw_ruleset_done(&now);
}

/* One element more is one operation, however large the set. */
static void test_small(void **state)
{
	struct vw_ruleset have = {0}, want = {0};
	struct vw_oplist ops = {0};

	(void)state;
	for (int side = 0; side < 2; side++) {
		struct vw_set *s =
			r_set(side ? &want : &have, "id4", VW_SET_MAP, R_FIELDS(VW_F_IP4));
		struct vw_chain *c = r_chain(side ? &want : &have, "c");

		R_RULE(c, NULL, E_MAP(0, "id4", 0));
		for (uint8_t i = 0; i < 200; i++) {
			char a[16];

			if (!side && i == 100)
				continue;
			snprintf(a, sizeof(a), "10.0.0.%u", i);
			r_elem(s, a, NULL, 0, 0, 0, 1);
		}
	}
	assert_int_equal(vw_plan(&have, &want, &ops), 0);
	assert_int_equal(ops.list.n, 1);
	assert_int_equal(ops.list.v[0].type, VW_OP_ADD_ELEMS);
	assert_int_equal(ops.list.v[0].first, 100);
	assert_int_equal(ops.list.v[0].count, 1);
	vw_vec_done(&ops.list);
	vw_ruleset_done(&have);
	vw_ruleset_done(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
