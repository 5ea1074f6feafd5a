/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ruleset as a file for `nft -f`, and operations as the lines of a diff. Layout only; the words
 * of rules and elements are nft_text.c's. nft 1.0.6 wants one statement per line. */
#include <inttypes.h>
#include <linux/netfilter.h>
#include <stdio.h>

#include "core/nft_text.h"
#include "vethwall/cleanup.h"
#include "vethwall/ruleset.h"

static const struct {
	uint32_t flag;
	const char *word;
} set_flags[] = {
	{VW_SET_DYNAMIC, "dynamic"},
	{VW_SET_INTERVAL, "interval"},
	{VW_SET_TIMEOUT, "timeout"},
};

/* What a set is, each statement between begin and end. */
static void put_set_spec(FILE *f, const struct vw_set *s, const char *begin, const char *end)
{
	const char *comma = "";

	fprintf(f, "%stype ", begin);
	nft_text_type(f, s);
	fputs(end, f);
	if (s->size)
		fprintf(f, "%ssize %" PRIu32 "%s", begin, s->size, end);
	if (s->flags & (VW_SET_DYNAMIC | VW_SET_INTERVAL | VW_SET_TIMEOUT)) {
		fprintf(f, "%sflags ", begin);
		for (size_t i = 0; i < sizeof(set_flags) / sizeof(*set_flags); i++) {
			if (!(s->flags & set_flags[i].flag))
				continue;
			fprintf(f, "%s%s", comma, set_flags[i].word);
			comma = ",";
		}
		fputs(end, f);
	}
	if (s->flags & (VW_SET_COUNTER | VW_SET_LIMIT))
		fprintf(f, "%s%s%s%s", begin, s->flags & VW_SET_COUNTER ? "counter " : "",
			s->flags & VW_SET_LIMIT ? "limit rate 1/second burst 1 packets" : "", end);
	if (s->timeout_ms) {
		fprintf(f, "%stimeout ", begin);
		nft_text_time(f, s->timeout_ms);
		fputs(end, f);
	}
}

static const char *set_word(const struct vw_set *s)
{
	return s->flags & VW_SET_MAP ? "map" : "set";
}

static void put_set(FILE *f, const struct vw_set *s)
{
	fprintf(f, "\t%s %s {\n", set_word(s), s->name);
	put_set_spec(f, s, "\t\t", "\n");
	if (s->elems.n && !(s->flags & VW_SET_DYNAMIC)) {
		fputs("\t\telements = {", f);
		for (size_t i = 0; i < s->elems.n; i++) {
			struct vw_elem e;

			vw_elem_get(s, i, &e);
			fputs(i ? ",\n\t\t\t" : "\n\t\t\t", f);
			nft_text_elem(f, s, &e);
		}
		fputs("\n\t\t}\n", f);
	}
	fputs("\t}\n\n", f);
}

static void put_base(FILE *f, const struct vw_chain *c, const char *begin, const char *end)
{
	if (c->family == NFPROTO_BRIDGE)
		fprintf(f, "%stype filter hook %s", begin,
			c->hook == NF_INET_PRE_ROUTING ? "prerouting" : "postrouting");
	else
		fprintf(f, "%stype filter hook %s device \"%s\"", begin,
			c->hook == NF_NETDEV_INGRESS ? "ingress" : "egress", c->dev);
	fprintf(f, " priority %" PRId32 "; policy %s;%s", c->priority,
		c->policy == NF_DROP ? "drop" : "accept", end);
}

static const struct vw_set *find_in_ruleset(void *arg, const char *name)
{
	return vw_ruleset_set(arg, name);
}

static void put_chain(FILE *f, const struct vw_chain *c, const struct vw_ruleset *r)
{
	fprintf(f, "\tchain %s {\n", c->name);
	if (c->base)
		put_base(f, c, "\t\t", "\n");
	vw_vec_foreach (rule, &c->rules) {
		fputs("\t\t", f);
		nft_text_rule(f, rule, find_in_ruleset, (void *)(uintptr_t)r);
		fputc('\n', f);
	}
	fputs("\t}\n\n", f);
}

/* Ends the stream: what was printed, or NULL when memory ran out on the way. */
static char *finish(FILE *f, char **text)
{
	bool bad = ferror(f);

	if (fclose(f) || bad) {
		free(*text);
		return NULL;
	}
	return *text;
}

static bool has_family(const struct vw_ruleset *r, uint8_t family)
{
	vw_vec_foreach (c, &r->chains)
		if (c->family == family)
			return true;
	vw_vec_foreach (s, &r->sets)
		if (s->family == family)
			return true;
	return false;
}

static void put_table(FILE *f, const struct vw_ruleset *r, uint8_t family)
{
	fprintf(f, "table %s " VW_TABLE " {\n", vw_family_str(family));
	vw_vec_foreach (s, &r->sets)
		if (s->family == family)
			put_set(f, s);
	vw_vec_foreach (c, &r->chains)
		if (c->family == family)
			put_chain(f, c, r);
	fputs("}\n", f);
}

char *vw_ruleset_print(const struct vw_ruleset *r)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	put_table(f, r, 0);
	if (has_family(r, NFPROTO_BRIDGE))
		put_table(f, r, NFPROTO_BRIDGE);
	return finish(f, &text);
}

/* What the operations speak of, by name. Of other sets only the names are known. */
struct known {
	VW_VEC(const struct vw_set *) sets;
	VW_VEC(const struct vw_chain *)
	flushed, filled; /* chains that lose, and get, their rules */
	size_t wordless; /* rules that nft has no words for, as they were printed */
};

static int set_ptr_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct vw_set *const *)a)->name,
		      (*(const struct vw_set *const *)b)->name);
}

static int name_cmp(const void *name, const void *s)
{
	return strcmp(name, (*(const struct vw_set *const *)s)->name);
}

static int chain_ptr_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct vw_chain *const *)a)->name,
		      (*(const struct vw_chain *const *)b)->name);
}

static int chain_name_cmp(const void *name, const void *c)
{
	return strcmp(name, (*(const struct vw_chain *const *)c)->name);
}

static int known_add(struct known *k, const struct vw_op_ir *op)
{
	if (op->type == VW_OP_FLUSH_CHAIN)
		return vw_vec_push(&k->flushed, op->chain, SIZE_MAX);
	if (op->type == VW_OP_ADD_RULE &&
	    (!k->filled.n || k->filled.v[k->filled.n - 1] != op->chain))
		return vw_vec_push(&k->filled, op->chain, SIZE_MAX);
	if (op->set && op->type != VW_OP_DEL_SET && op->type != VW_OP_DEL_ELEMS)
		return vw_vec_push(&k->sets, op->set, SIZE_MAX);
	return 0;
}

static int known_fill(struct known *k, const struct vw_oplist *ops)
{
	vw_vec_foreach (op, &ops->list) {
		int r = known_add(k, op);

		if (r)
			return r;
	}
	if (k->sets.n)
		qsort(k->sets.v, k->sets.n, sizeof(*k->sets.v), set_ptr_cmp);
	if (k->flushed.n)
		qsort(k->flushed.v, k->flushed.n, sizeof(*k->flushed.v), chain_ptr_cmp);
	if (k->filled.n)
		qsort(k->filled.v, k->filled.n, sizeof(*k->filled.v), chain_ptr_cmp);
	return 0;
}

static void known_done(struct known *k)
{
	vw_vec_done(&k->sets);
	vw_vec_done(&k->flushed);
	vw_vec_done(&k->filled);
}

static const struct vw_set *find_known(void *arg, const char *name)
{
	const struct known *k = arg;
	const struct vw_set *const *s;

	if (!k->sets.n)
		return NULL;
	s = bsearch(name, k->sets.v, k->sets.n, sizeof(*k->sets.v), name_cmp);
	return s ? *s : NULL;
}

static void put_add_chain(FILE *f, const struct vw_chain *c)
{
	fprintf(f, "+ add chain %s " VW_TABLE " %s", vw_family_str(c->family), c->name);
	if (c->base) {
		fputs(" { ", f);
		put_base(f, c, "", " }");
	}
	fputc('\n', f);
}

static void put_add_set(FILE *f, const struct vw_set *s)
{
	fprintf(f, "+ add %s %s " VW_TABLE " %s { ", set_word(s), vw_family_str(s->family),
		s->name);
	put_set_spec(f, s, "", "; ");
	fputs("}\n", f);
}

static void put_elems(FILE *f, const struct vw_op_ir *op)
{
	bool add = op->type == VW_OP_ADD_ELEMS;

	for (size_t i = op->first; i < op->first + op->count && i < op->set->elems.n; i++) {
		struct vw_elem e;

		vw_elem_get(op->set, i, &e);
		fprintf(f, "%c %s element %s " VW_TABLE " %s { ", add ? '+' : '-',
			add ? "add" : "delete", vw_family_str(op->set->family), op->set->name);
		nft_text_elem(f, op->set, &e);
		fputs(" }\n", f);
	}
}

/* Whether the chain of that name among these has the rule. */
static bool has_rule(const struct vw_chain *const *v, size_t n, const char *name, uint64_t id)
{
	const struct vw_chain *const *c =
		n ? bsearch(name, v, n, sizeof(*v), chain_name_cmp) : NULL;

	if (!c)
		return false;
	vw_vec_foreach (r, &(*c)->rules)
		if (r->id == id)
			return true;
	return false;
}

/* nft deletes rules by handles, which only the kernel knows; so a chain is emptied and filled. The
 * rules that do not come back are named in comments, those that do are no change. */
static void put_flush_chain(FILE *f, const struct vw_op_ir *op, struct known *known)
{
	const struct vw_chain *c = op->chain;

	fprintf(f, "- flush chain %s " VW_TABLE " %s\n", vw_family_str(c->family), c->name);
	vw_vec_foreach (r, &c->rules) {
		if (!r->exprs.n || has_rule(known->filled.v, known->filled.n, c->name, r->id))
			continue;
		fprintf(f, "- # rule %s ", c->name);
		nft_text_rule(f, r, find_known, known);
		fputc('\n', f);
	}
}

static void put_add_rule(FILE *f, const struct vw_op_ir *op, struct known *known)
{
	bool was = has_rule(known->flushed.v, known->flushed.n, op->chain->name, op->rule->id);

	fprintf(f, "%c add rule %s " VW_TABLE " %s ", was ? ' ' : '+',
		vw_family_str(op->chain->family), op->chain->name);
	known->wordless += !nft_text_rule(f, op->rule, find_known, known);
	fputc('\n', f);
}

static void put_del_set(FILE *f, const struct vw_set *s)
{
	fprintf(f, "- delete %s %s " VW_TABLE " %s\n", set_word(s), vw_family_str(s->family),
		s->name);
	for (size_t i = 0; i < s->elems.n && !(s->flags & VW_SET_DYNAMIC); i++) {
		struct vw_elem e;

		vw_elem_get(s, i, &e);
		fprintf(f, "- # element %s { ", s->name);
		nft_text_elem(f, s, &e);
		fputs(" }\n", f);
	}
}

static void put_op(FILE *f, const struct vw_op_ir *op, struct known *known)
{
	switch (op->type) {
	case VW_OP_ADD_TABLE:
		fprintf(f, "+ add table %s " VW_TABLE "\n", vw_family_str(op->family));
		break;
	case VW_OP_DEL_TABLE:
		fprintf(f, "- delete table %s " VW_TABLE "\n", vw_family_str(op->family));
		break;
	case VW_OP_ADD_SET:
		put_add_set(f, op->set);
		break;
	case VW_OP_DEL_SET:
		put_del_set(f, op->set);
		break;
	case VW_OP_FLUSH_SET:
		fprintf(f, "- flush %s %s " VW_TABLE " %s\n", set_word(op->set),
			vw_family_str(op->set->family), op->set->name);
		break;
	case VW_OP_ADD_ELEMS:
	case VW_OP_DEL_ELEMS:
		put_elems(f, op);
		break;
	case VW_OP_ADD_CHAIN:
		put_add_chain(f, op->chain);
		break;
	case VW_OP_DEL_CHAIN:
		fprintf(f, "- delete chain %s " VW_TABLE " %s\n", vw_family_str(op->chain->family),
			op->chain->name);
		break;
	case VW_OP_FLUSH_CHAIN:
		put_flush_chain(f, op, known);
		break;
	case VW_OP_ADD_RULE:
		put_add_rule(f, op, known);
		break;
	}
}

char *vw_oplist_print(const struct vw_oplist *ops, size_t *ret_wordless)
{
	_cleanup_(known_done) struct known known = {0};
	char *text = NULL;
	size_t n;
	FILE *f;

	if (known_fill(&known, ops))
		return NULL;
	f = open_memstream(&text, &n);
	if (!f)
		return NULL;
	vw_vec_foreach (op, &ops->list)
		put_op(f, op, &known);
	if (ret_wordless)
		*ret_wordless = known.wordless;
	return finish(f, &text);
}
