/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows by painting, see rows.h. The pieces are cut at every port border that a rule names; skip
 * pointers (union-find) lead over pieces that are painted, so a thousand rules cost a thousand
 * strokes. */
#include <netinet/in.h>

#include "core/rows.h"
#include "vethwall/cleanup.h"

#define PIECES_MAX (1u << 20)

/* Colours that are no code yet. */
#define OPEN 0x0fffffffu /* not decided */
#define PASSED 0x0ffffffeu /* a guardrail handed on */

struct stroke {
	uint8_t proto;
	bool any;
	uint16_t lo, hi;
	const struct row_rule *rule;
};

struct painter {
	VW_VEC(struct stroke) strokes; /* in order of decision */
	VW_VEC(struct row_seg) pieces; /* sorted; the last one, proto 0 lo 1 hi 0, is "other" */
	uint32_t *skip; /* next piece that may be unpainted */
	uint32_t *full; /* colours with audit policies counted */
};

static int push_stroke(struct painter *p, const struct row_rule *r, bool any, uint8_t proto,
		       uint16_t lo, uint16_t hi)
{
	struct stroke s = {.any = any, .proto = proto, .lo = lo, .hi = hi, .rule = r};

	return vw_vec_push(&p->strokes, s, PIECES_MAX);
}

static int named_strokes(struct painter *p, const struct row_ctx *ctx, const struct row_rule *r,
			 const struct vw_port *port)
{
	int err = 0;

	if (!ctx->named)
		return 0;
	vw_vec_foreach (np, &ctx->named->ports)
		if (!err && np->proto == port->proto && !strcmp(np->name, port->name))
			err = push_stroke(p, r, false, np->proto, np->port, np->port);
	return err;
}

static bool has_numbers(uint8_t proto)
{
	return vw_proto_has_ports(proto) || proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static bool whole(const struct vw_port *p)
{
	return !p->name && p->lo == 0 && p->hi == UINT16_MAX;
}

static int add_strokes(struct painter *p, const struct row_ctx *ctx, const struct row_rule *r)
{
	int err = 0;

	if (r->dns_only) {
		err = push_stroke(p, r, false, 17, 53, 53);
		return err ? err : push_stroke(p, r, false, 6, 53, 53);
	}
	if (r->rule->any_port)
		return push_stroke(p, r, true, 0, 0, 65535);
	vw_vec_foreach (port, &r->rule->ports) {
		if (err)
			break;
		/* part of a protocol that has no parts: nothing (as verdict.c) */
		if (!port->any_proto && !has_numbers(port->proto) && !whole(port))
			continue;
		if (port->name)
			err = named_strokes(p, ctx, r, port);
		else
			err = push_stroke(p, r, port->any_proto, port->proto, port->lo, port->hi);
	}
	return err;
}

struct cut {
	uint8_t proto;
	uint32_t at;
};

static int by_cut(const void *pa, const void *pb)
{
	const struct cut *a = pa, *b = pb;

	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

static int make_pieces(struct painter *p)
{
	VW_VEC(struct cut) cuts = {0};
	struct row_seg other = {.lo = 1, .hi = 0, .code = OPEN};
	int r = 0;

	vw_vec_foreach (s, &p->strokes) {
		struct cut c[] = {{s->proto, 0}, {s->proto, s->lo}, {s->proto, s->hi + 1u}};

		for (size_t i = 0; i < 3 && !r && !s->any; i++)
			if (c[i].at <= 65535)
				r = vw_vec_push(&cuts, c[i], PIECES_MAX);
	}
	if (cuts.n)
		qsort(cuts.v, cuts.n, sizeof(*cuts.v), by_cut);
	for (size_t i = 0; i < cuts.n && !r; i++) {
		struct row_seg s = {.proto = cuts.v[i].proto, .lo = cuts.v[i].at, .code = OPEN};

		if (i + 1 < cuts.n && !by_cut(&cuts.v[i], &cuts.v[i + 1]))
			continue;
		s.hi = i + 1 < cuts.n && cuts.v[i + 1].proto == s.proto ? cuts.v[i + 1].at - 1
									: 65535;
		r = vw_vec_push(&p->pieces, s, PIECES_MAX);
	}
	vw_vec_done(&cuts);
	return r ? r : vw_vec_push(&p->pieces, other, PIECES_MAX);
}

static size_t first_piece(const struct painter *p, uint8_t proto, uint16_t lo)
{
	size_t a = 0, b = p->pieces.n - 1;

	while (a < b) {
		size_t mid = (a + b) / 2;
		const struct row_seg *s = &p->pieces.v[mid];

		if (s->proto < proto || (s->proto == proto && s->lo < lo))
			a = mid + 1;
		else
			b = mid;
	}
	return a;
}

static uint32_t next_open(uint32_t *skip, uint32_t i)
{
	while (skip[i] != i)
		i = skip[i] = skip[skip[i]];
	return i;
}

static void paint(struct painter *p, const struct stroke *s, uint32_t code)
{
	size_t n = p->pieces.n;
	uint32_t i = s->any ? 0 : (uint32_t)first_piece(p, s->proto, s->lo);

	for (i = next_open(p->skip, i); i < n; i = next_open(p->skip, i)) {
		struct row_seg *piece = &p->pieces.v[i];

		if (!s->any && (i == n - 1 || piece->proto != s->proto || piece->lo > s->hi))
			return;
		piece->code = code;
		p->skip[i] = i + 1;
	}
}

static uint32_t dir_bit(const struct row_ctx *ctx)
{
	return ctx->dir == VW_EGRESS ? VW_CODE_EGRESS : 0;
}

static uint32_t code_of(const struct row_ctx *ctx, const struct row_rule *r)
{
	if (r->rule->action == VW_DENY)
		return VW_CODE_DENY | dir_bit(ctx) | r->number;
	if (r->policy->log)
		return VW_CODE_LOG | dir_bit(ctx) | r->number;
	return VW_REASON_ALLOW;
}

/* What is painted in `from` (and nothing else) becomes paintable again. */
static void reopen(struct painter *p, uint32_t from)
{
	size_t n = p->pieces.n;

	for (size_t i = 0; i <= n; i++)
		p->skip[i] = i;
	for (size_t i = 0; i < n; i++)
		if (p->pieces.v[i].code != from && p->pieces.v[i].code != OPEN)
			p->skip[i] = i + 1;
		else
			p->pieces.v[i].code = OPEN;
}

static void paint_tier(struct painter *p, const struct row_ctx *ctx, enum vw_tier tier, bool audit)
{
	vw_vec_foreach (s, &p->strokes) {
		const struct row_rule *r = s->rule;

		if (r->policy->tier != tier || (r->policy->audit && !audit))
			continue;
		paint(p, s, r->rule->action == VW_PASS ? PASSED : code_of(ctx, r));
	}
}

/* All tiers in order; audit: policies in audit mode count as enforced. */
static void paint_all(struct painter *p, const struct row_ctx *ctx, bool audit)
{
	const struct stroke all = {.any = true};

	vw_vec_foreach (s, &p->pieces)
		s->code = OPEN;
	reopen(p, OPEN);
	paint_tier(p, ctx, VW_TIER_GUARDRAIL, audit);
	reopen(p, PASSED);
	if (ctx->isolated[audit]) {
		paint_tier(p, ctx, VW_TIER_SERVICE, audit);
		paint(p, &all, VW_CODE_DENY | dir_bit(ctx) | VW_REASON_DEFAULT);
		return;
	}
	paint_tier(p, ctx, VW_TIER_BASELINE, audit);
	reopen(p, PASSED);
	paint(p, &all,
	      ctx->default_deny && (audit || !ctx->default_audit)
		      ? VW_CODE_DENY | dir_bit(ctx) | VW_REASON_NODE
		      : VW_REASON_ALLOW);
}

/* Audited: what the enforced policies let pass and all of them would refuse. */
static void mix_audit(struct painter *p, const struct row_ctx *ctx)
{
	for (size_t i = 0; i < p->pieces.n; i++)
		p->full[i] = p->pieces.v[i].code;
	paint_all(p, ctx, false);
	for (size_t i = 0; i < p->pieces.n; i++) {
		uint32_t *code = &p->pieces.v[i].code;

		if (!(*code & VW_CODE_DENY) && (p->full[i] & VW_CODE_DENY))
			*code = VW_CODE_AUDIT | (p->full[i] & ~VW_CODE_DENY);
	}
}

static int collect_row(struct painter *p, struct row *ret)
{
	int r = 0;

	ret->other = p->pieces.v[p->pieces.n - 1].code;
	for (size_t i = 0; i + 1 < p->pieces.n && !r; i++) {
		const struct row_seg *s = &p->pieces.v[i];
		struct row_seg *last = ret->segs.n ? &ret->segs.v[ret->segs.n - 1] : NULL;

		if (last && last->proto == s->proto && last->code == s->code)
			last->hi = s->hi;
		else
			r = vw_vec_push(&ret->segs, *s, PIECES_MAX);
	}
	return r;
}

static int paint_row(struct painter *p, const struct row_ctx *ctx, struct row *ret)
{
	int r = make_pieces(p);

	if (r)
		return r;
	p->skip = malloc((p->pieces.n + 1) * sizeof(*p->skip));
	p->full = malloc(p->pieces.n * sizeof(*p->full));
	if (!p->skip || !p->full)
		return -ENOMEM;
	paint_all(p, ctx, true);
	if (ctx->audit)
		mix_audit(p, ctx);
	return collect_row(p, ret);
}

int row_build(const struct row_ctx *ctx, const struct row_rule *const *rules, size_t n,
	      struct row *ret)
{
	struct painter p = {0};
	struct row row = {0};
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = add_strokes(&p, ctx, rules[i]);
	if (!r)
		r = paint_row(&p, ctx, &row);
	vw_vec_done(&p.strokes);
	vw_vec_done(&p.pieces);
	free(p.skip);
	free(p.full);
	if (r)
		row_done(&row);
	else
		*ret = row;
	return r;
}

void row_done(struct row *r)
{
	vw_vec_done(&r->segs);
}

uint32_t row_code(const struct row *r, uint8_t proto, uint16_t port)
{
	vw_vec_foreach (s, &r->segs)
		if (s->proto == proto && s->lo <= port && port <= s->hi)
			return s->code;
	return r->other;
}
