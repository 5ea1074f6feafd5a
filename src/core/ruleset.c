/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of ruleset.h: key layout of sets, packed elements, content hashes, look-up by name.
 * Knows nothing of netlink messages (codec/nft_encode.c) or of nft's text (ruleset_print.c). */
#include "vethwall/ruleset.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <string.h>

#define PAD4(n) (((n) + 3) & ~(size_t)3)

size_t vw_ftype_len(enum vw_ftype t)
{
	static const uint8_t len[_VW_F_MAX] = {
		[VW_F_MARK] = 4, [VW_F_IP4] = 4,     [VW_F_IP6] = 16,	       [VW_F_PROTO] = 1,
		[VW_F_PORT] = 2, [VW_F_IFINDEX] = 4, [VW_F_IFNAME] = IFNAMSIZ,
	};

	return t < _VW_F_MAX ? len[t] : 0;
}

size_t vw_set_field_offset(const struct vw_set *s, unsigned i)
{
	size_t off = 0;

	for (unsigned f = 0; f < i && f < VW_FIELDS_MAX; f++)
		off += PAD4(vw_ftype_len(s->fields[f]));
	return off;
}

size_t vw_set_klen(const struct vw_set *s)
{
	return vw_set_field_offset(s, VW_FIELDS_MAX);
}

size_t vw_set_stride(const struct vw_set *s)
{
	size_t klen = vw_set_klen(s);

	return klen + (s->flags & VW_SET_INTERVAL ? klen : 0) + (s->flags & VW_SET_MAP ? 4 : 0);
}

bool vw_set_network_order(const struct vw_set *s)
{
	return s->flags & VW_SET_INTERVAL && s->fields[1];
}

uint32_t vw_set_mark(const struct vw_set *s, uint32_t mark)
{
	return vw_set_network_order(s) ? htonl(mark) : mark;
}

void vw_elem_get(const struct vw_set *s, size_t i, struct vw_elem *ret)
{
	size_t klen = vw_set_klen(s);
	const uint8_t *p = s->elems.v + i * vw_set_stride(s);

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->key, p, klen);
	p += klen;
	if (s->flags & VW_SET_INTERVAL) {
		memcpy(ret->key_end, p, klen);
		p += klen;
	}
	if (s->flags & VW_SET_MAP)
		memcpy(&ret->data, p, sizeof(ret->data));
}

int vw_elem_push(struct vw_set *s, const struct vw_elem *e, size_t max)
{
	size_t klen = vw_set_klen(s), stride = vw_set_stride(s);
	void *v = s->elems.v;
	uint8_t *p;
	int r;

	if (!klen || klen > VW_KEY_MAX)
		return -EINVAL;
	r = vw_vec_grow(&v, &s->elems.cap, s->elems.n, stride, max);
	s->elems.v = v;
	if (r)
		return r;
	p = s->elems.v + s->elems.n++ * stride;
	memcpy(p, e->key, klen);
	p += klen;
	if (s->flags & VW_SET_INTERVAL) {
		memcpy(p, e->key_end, klen);
		p += klen;
	}
	if (s->flags & VW_SET_MAP)
		memcpy(p, &e->data, sizeof(e->data));
	return 0;
}

static int elem_cmp(const void *a, const void *b, void *stride)
{
	return memcmp(a, b, *(const size_t *)stride);
}

int vw_elems_sort(struct vw_set *s)
{
	size_t stride = vw_set_stride(s), keys = stride - (s->flags & VW_SET_MAP ? 4 : 0), n = 0;
	uint8_t *v = s->elems.v;

	if (!s->elems.n)
		return 0;
	qsort_r(v, s->elems.n, stride, elem_cmp, &stride);
	for (size_t i = 1; i < s->elems.n; i++)
		if (!memcmp(v + (i - 1) * stride, v + i * stride, keys) &&
		    memcmp(v + (i - 1) * stride, v + i * stride, stride))
			return -EEXIST;
	for (size_t i = 1; i < s->elems.n; i++)
		if (memcmp(v + n * stride, v + i * stride, stride) && ++n != i)
			memcpy(v + n * stride, v + i * stride, stride);
	s->elems.n = n + 1;
	return 0;
}

bool vw_set_same_spec(const struct vw_set *a, const struct vw_set *b)
{
	return !strcmp(a->name, b->name) && a->flags == b->flags && a->size == b->size &&
	       a->timeout_ms == b->timeout_ms && a->family == b->family &&
	       !memcmp(a->fields, b->fields, sizeof(a->fields));
}

uint8_t vw_op_family(const struct vw_op_ir *op)
{
	uint8_t f = op->set ? op->set->family : op->chain ? op->chain->family : op->family;

	return f ? f : NFPROTO_NETDEV;
}

const char *vw_family_str(uint8_t family)
{
	return family == NFPROTO_BRIDGE ? "bridge" : "netdev";
}

void vw_set_done(struct vw_set *s)
{
	free(s->elems.v);
	s->elems = (struct vw_elems){0};
}

void vw_chain_done(struct vw_chain *c)
{
	vw_vec_foreach (r, &c->rules)
		vw_vec_done(&r->exprs);
	vw_vec_done(&c->rules);
}

void vw_ruleset_done(struct vw_ruleset *r)
{
	vw_vec_foreach (s, &r->sets)
		vw_set_done(s);
	vw_vec_foreach (c, &r->chains)
		vw_chain_done(c);
	vw_vec_done(&r->sets);
	vw_vec_done(&r->chains);
}

uint64_t vw_hash(const void *p, size_t n, uint64_t seed)
{
	/* Offset basis and prime of FNV-1a, 64 bit: draft-eastlake-fnv. */
	uint64_t h = seed ^ 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++) /* p may be NULL when there is nothing */
		h = (h ^ ((const uint8_t *)p)[i]) * 0x100000001b3u;
	return h;
}

/* Bytes of data that an expression uses. */
static size_t expr_data_len(const struct vw_expr *e)
{
	size_t n = e->type == VW_E_IMM || e->type == VW_E_CMP ? e->len
		   : e->type == VW_E_BITWISE		      ? 2u * e->len
							      : 0;

	return n < sizeof(e->data) ? n : sizeof(e->data);
}

uint64_t vw_nftrule_hash(const struct vw_nftrule *r)
{
	uint64_t h = 0;

	vw_vec_foreach (e, &r->exprs) {
		/* The fields up to name have no padding between them. */
		h = vw_hash(e, offsetof(struct vw_expr, name), h);
		h = vw_hash(e->name, strnlen(e->name, sizeof(e->name)), h);
		h = vw_hash(e->data, expr_data_len(e), h);
	}
	return h ? h : 1; /* 0 says "not ours" in dumps */
}

_Static_assert(offsetof(struct vw_expr, name) == 20, "struct vw_expr is hashed as bytes");

uint64_t vw_chain_hash(const struct vw_chain *c)
{
	uint64_t h = 0;

	vw_vec_foreach (r, &c->rules)
		h = vw_hash(&r->id, sizeof(r->id), h);
	return h;
}

static int set_cmp(const void *a, const void *b)
{
	return strcmp(((const struct vw_set *)a)->name, ((const struct vw_set *)b)->name);
}

static int chain_cmp(const void *a, const void *b)
{
	return strcmp(((const struct vw_chain *)a)->name, ((const struct vw_chain *)b)->name);
}

void vw_ruleset_sort(struct vw_ruleset *r)
{
	if (r->sets.n)
		qsort(r->sets.v, r->sets.n, sizeof(*r->sets.v), set_cmp);
	if (r->chains.n)
		qsort(r->chains.v, r->chains.n, sizeof(*r->chains.v), chain_cmp);
}

static int set_name_cmp(const void *name, const void *s)
{
	return strcmp(name, ((const struct vw_set *)s)->name);
}

static int chain_name_cmp(const void *name, const void *c)
{
	return strcmp(name, ((const struct vw_chain *)c)->name);
}

const struct vw_set *vw_ruleset_set(const struct vw_ruleset *r, const char *name)
{
	if (!r->sets.n)
		return NULL;
	return bsearch(name, r->sets.v, r->sets.n, sizeof(*r->sets.v), set_name_cmp);
}

const struct vw_chain *vw_ruleset_chain(const struct vw_ruleset *r, const char *name)
{
	if (!r->chains.n)
		return NULL;
	return bsearch(name, r->chains.v, r->chains.n, sizeof(*r->chains.v), chain_name_cmp);
}
