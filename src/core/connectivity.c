/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The comparison as a whole, its order, and its words. See conn.h for how it is done. */
#include "vethwall/connectivity.h"

#include <netinet/in.h>
#include <stdio.h>

#include "core/conn.h"
#include "vethwall/cleanup.h"

const char *vw_conn_state_str(enum vw_conn_state s)
{
	static const char *const names[] = {"kept", "allowed", "denied"};

	_Static_assert(VW_ARRAY_SIZE(names) == _VW_CONN_STATE_MAX, "a word for each state");
	return names[s];
}

void vw_connectivity_done(struct vw_connectivity *c)
{
	vw_vec_done(&c->parties);
	vw_vec_done(&c->edges);
	vw_vec_done(&c->policies);
	vw_vec_done(&c->isolation);
	conn_store_done(&c->store);
	c->cut_short = false;
}

int conn_edge(struct conn_work *w, uint32_t from, uint32_t to, const struct vw_conn_range *v,
	      size_t n)
{
	struct vw_conn_edge e = {.from = from, .to = to};
	struct vw_conn_range *kept;

	if (!n)
		return 0;
	if (w->out->edges.n >= VW_CONN_EDGES_MAX || w->n_ranges + n > VW_CONN_RANGES_MAX) {
		w->out->cut_short = true;
		return 0;
	}
	kept = conn_keep(&w->out->store, n * sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	memcpy(kept, v, n * sizeof(*kept));
	e.ranges.v = kept;
	e.ranges.n = n;
	w->n_ranges += n;
	return vw_vec_push(&w->out->edges, e, VW_CONN_EDGES_MAX);
}

/* ---- order ---- */

static int by_party(const void *pa, const void *pb, void *arg)
{
	const struct vw_party *v = arg;
	uint32_t ia = *(const uint32_t *)pa, ib = *(const uint32_t *)pb;
	const struct vw_party *a = &v[ia], *b = &v[ib];
	int r;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	r = strcmp(a->name, b->name);
	return r ? r : ia < ib ? -1 : ia > ib;
}

static int sort_parties(struct vw_connectivity *c)
{
	size_t n = c->parties.n;
	_cleanup_free_ uint32_t *order = malloc((n + 1) * sizeof(*order));
	_cleanup_free_ uint32_t *rank = malloc((n + 1) * sizeof(*rank));
	struct vw_party *sorted = malloc((n + 1) * sizeof(*sorted));

	if (!order || !rank || !sorted) {
		free(sorted);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), by_party, c->parties.v);
	for (uint32_t i = 0; i < n; i++) {
		rank[order[i]] = i;
		sorted[i] = c->parties.v[order[i]];
	}
	free(c->parties.v);
	c->parties.v = sorted;
	c->parties.cap = n + 1;
	vw_vec_foreach (e, &c->edges) {
		e->from = rank[e->from];
		e->to = rank[e->to];
	}
	return 0;
}

static int by_edge(const void *pa, const void *pb)
{
	const struct vw_conn_edge *a = pa, *b = pb;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return a->to < b->to ? -1 : a->to > b->to;
}

static int by_range(const void *a, const void *b)
{
	return conn_range_cmp(a, b);
}

/* One edge of several between the same parties: addresses of the node and ports published there. */
static int join(struct vw_connectivity *c, const struct vw_conn_edge *v, size_t n,
		struct vw_conn_edge *ret)
{
	struct vw_conn_edge e = {.from = v->from, .to = v->to};
	struct vw_conn_range *all;

	for (size_t i = 0; i < n; i++)
		e.ranges.n += v[i].ranges.n;
	all = conn_keep(&c->store, e.ranges.n * sizeof(*all));
	if (!all)
		return -ENOMEM;
	e.ranges.v = all;
	for (size_t i = 0; i < n; i++) {
		memcpy(all, v[i].ranges.v, v[i].ranges.n * sizeof(*all));
		all += v[i].ranges.n;
	}
	qsort((void *)e.ranges.v, e.ranges.n, sizeof(*e.ranges.v), by_range);
	*ret = e;
	return 0;
}

static int sort_edges(struct vw_connectivity *c)
{
	struct vw_conn_edge *v = c->edges.v;
	size_t keep = 0;
	int r = 0;

	if (c->edges.n)
		qsort(v, c->edges.n, sizeof(*v), by_edge);
	for (size_t i = 0, j; i < c->edges.n && !r; i = j) {
		for (j = i + 1; j < c->edges.n && !by_edge(&v[i], &v[j]);)
			j++;
		if (j - i > 1)
			r = join(c, &v[i], j - i, &v[keep++]);
		else
			v[keep++] = v[i];
	}
	c->edges.n = keep;
	return r;
}

/* ---- the comparison ---- */

static void work_done(struct conn_work *w)
{
	conn_why_free(&w->why);
	conn_names_done(&w->names);
	conn_results_done(&w->results);
	conn_ends_done(&w->ends);
	conn_profiles_done(&w->profiles);
	conn_lists_done(&w->sets);
	conn_duos_done(&w->groups);
	vw_vec_done(&w->group_party);
	free(w->name_tab.slots);
	vw_vec_done(&w->parts);
	vw_vec_done(&w->ranges.list);
	free(w->stamp[0]);
	free(w->stamp[1]);
}

static int compare(struct conn_work *w, const struct vw_conn_side *before,
		   const struct vw_conn_side *after, const struct vw_world *world,
		   const struct vw_config *cfg, bool kept)
{
	struct vw_connectivity *c = w->out;
	int r = conn_profiles_init(&w->profiles);

	for (int i = 0; i < 2 && !r; i++) {
		w->stamp[i] = calloc(world->workloads.n + 1, sizeof(*w->stamp[i]));
		r = w->stamp[i] ? 0 : -ENOMEM;
	}
	if (!r)
		r = conn_ends_build(&w->profiles, before, after, world, c, &w->ends);
	if (!r)
		r = conn_results_init(&w->results, &w->profiles, kept);
	if (!r)
		r = conn_names_build(&w->ends, &w->profiles, &w->results, cfg, &c->store,
				     &w->names);
	if (!r)
		r = conn_why_new(&w->ends, cfg->default_deny, &c->store, &w->why);
	if (!r)
		r = conn_pairs(w);
	c->cut_short |= w->names.cut_short;
	if (!r)
		r = sort_parties(c);
	return r ? r : sort_edges(c);
}

int vw_connectivity_compare(const struct vw_conn_side *before, const struct vw_conn_side *after,
			    const struct vw_world *world, const struct vw_config *cfg, bool kept,
			    struct vw_connectivity *ret, struct vw_diag *d)
{
	struct vw_connectivity c = {0};
	struct conn_work w = {.out = &c, .d = d};
	int r = compare(&w, before, after, world, cfg, kept);

	if (!r)
		r = conn_policies(before->set, after->set, &c);
	if (!r)
		r = conn_isolation(before->set, after->set, world, &c);
	work_done(&w);
	if (r == -ENOSPC)
		r = -E2BIG; /* a vector at its bound */
	if (r && r != -EPROTO)
		vw_error(d, NULL, "cannot compare connectivity: %s", strerror(-r));
	if (r)
		vw_connectivity_done(&c);
	else
		*ret = c;
	return r;
}

bool vw_connectivity_differs(const struct vw_connectivity *c)
{
	vw_vec_foreach (e, &c->edges)
		vw_vec_foreach (r, &e->ranges)
			if (r->state != VW_CONN_KEPT)
				return true;
	return false;
}

/* ---- words ---- */

/* IANA names of types that policies and people speak of; without a code the whole type is meant. */
static const char *icmp_name(uint8_t proto, uint8_t type)
{
	static const struct {
		uint8_t proto, type;
		const char *name;
	} names[] = {
		{IPPROTO_ICMP, 0, "echo-reply"},
		{IPPROTO_ICMP, 3, "destination-unreachable"},
		{IPPROTO_ICMP, 5, "redirect"},
		{IPPROTO_ICMP, 8, "echo-request"},
		{IPPROTO_ICMP, 11, "time-exceeded"},
		{IPPROTO_ICMPV6, 1, "destination-unreachable"},
		{IPPROTO_ICMPV6, 2, "packet-too-big"},
		{IPPROTO_ICMPV6, 3, "time-exceeded"},
		{IPPROTO_ICMPV6, 128, "echo-request"},
		{IPPROTO_ICMPV6, 129, "echo-reply"},
	};

	for (size_t i = 0; i < VW_ARRAY_SIZE(names); i++)
		if (names[i].proto == proto && names[i].type == type)
			return names[i].name;
	return NULL;
}

static void icmp_str(const struct vw_conn_range *r, const char *proto, char *buf)
{
	uint8_t t1 = r->lo >> 8, t2 = r->hi >> 8, c1 = r->lo & 0xff, c2 = r->hi & 0xff;
	const char *name = icmp_name(r->proto, t1);
	char type[32];

	if (name)
		snprintf(type, sizeof(type), "%s", name);
	else
		snprintf(type, sizeof(type), "%u", t1);
	if (t1 == t2 && c1 == 0 && c2 == 255)
		snprintf(buf, VW_CONN_RANGE_STRLEN, "%s/%s", proto, type);
	else if (r->lo == r->hi)
		snprintf(buf, VW_CONN_RANGE_STRLEN, "%s/%s code %u", proto, type, c1);
	else if (t1 == t2)
		snprintf(buf, VW_CONN_RANGE_STRLEN, "%s/%s codes %u-%u", proto, type, c1, c2);
	else if (c1 == 0 && c2 == 255)
		snprintf(buf, VW_CONN_RANGE_STRLEN, "%s/types %u-%u", proto, t1, t2);
	else
		snprintf(buf, VW_CONN_RANGE_STRLEN, "%s/type %u code %u to type %u code %u", proto,
			 t1, c1, t2, c2);
}

const char *vw_conn_range_str(const struct vw_conn_range *r, char buf[static VW_CONN_RANGE_STRLEN])
{
	bool whole = r->lo == 0 && r->hi == UINT16_MAX;
	char number[4];
	const char *proto = vw_proto_str(r->proto, number);

	if (r->proto == 0 && r->proto_last == UINT8_MAX)
		snprintf(buf, VW_CONN_RANGE_STRLEN, "any");
	else if (r->proto != r->proto_last)
		snprintf(buf, VW_CONN_RANGE_STRLEN, "protocols %u-%u", r->proto, r->proto_last);
	else if (whole)
		snprintf(buf, VW_CONN_RANGE_STRLEN, "%s%s", proto == number ? "protocol " : "",
			 proto);
	else if (r->proto == IPPROTO_ICMP || r->proto == IPPROTO_ICMPV6)
		icmp_str(r, proto, buf);
	else if (r->lo == r->hi)
		snprintf(buf, VW_CONN_RANGE_STRLEN, "%s/%u", proto, r->lo);
	else
		snprintf(buf, VW_CONN_RANGE_STRLEN, "%s/%u-%u", proto, r->lo, r->hi);
	return buf;
}
