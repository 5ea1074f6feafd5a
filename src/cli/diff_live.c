/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live flows under both sets: the agent tells what its walls let pass now, each is judged as the
 * agent would judge it again. A connection between two workloads has an entry at both walls; it is
 * one flow here, and cut when either wall cuts it. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cli/control_client.h"
#include "cli/diff.h"
#include "vethwall/cleanup.h"

#define LIMIT 20000 /* flows that one answer may hold */
#define FLOWS_MAX (1u << 20)

/* A connection as one of its walls has it; the first five say which it is. */
struct flow {
	struct vw_addr from, to;
	uint8_t proto;
	uint16_t sport, dport;
	bool cut;
	struct vw_diff_group as; /* owns from and to */
};

struct flows {
	VW_VEC(struct flow) list;
};

static void flow_done(struct flow *f)
{
	free(f->as.from);
	free(f->as.to);
}

static void flows_done(struct flows *f)
{
	vw_vec_foreach (one, &f->list)
		flow_done(one);
	vw_vec_done(&f->list);
}

/* ---- what the agent says ---- */

static bool read_addr(const json_t *o, const char *key, struct vw_addr *ret)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && !vw_addr_parse(s, ret);
}

static bool read_port(const json_t *o, const char *key, uint16_t *ret)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	*ret = (uint16_t)n;
	return n >= 0 && n <= UINT16_MAX;
}

/* Who opened is not known of flows that were ending when they were first seen; those are left out.
 */
static bool read_live(const json_t *o, struct vw_live *ret, unsigned *ret_ifindex)
{
	const char *proto = json_string_value(json_object_get(o, "proto"));
	const char *opened = json_string_value(json_object_get(o, "opened"));
	json_int_t ifindex = json_integer_value(json_object_get(o, "ifindex"));
	int number = proto ? vw_proto_parse(proto) : -EINVAL;
	struct vw_live l = {.flow = true};

	if (number < 0 || !opened || ifindex <= 0 || ifindex > INT32_MAX ||
	    json_is_true(json_object_get(o, "closing")) || !read_addr(o, "own", &l.own) ||
	    !read_addr(o, "peer", &l.peer) || !read_port(o, "own_port", &l.own_port) ||
	    !read_port(o, "peer_port", &l.peer_port))
		return false;
	l.proto = (uint8_t)number;
	l.opened = strcmp(opened, "out") == 0 ? VW_EGRESS : VW_INGRESS;
	*ret = l;
	*ret_ifindex = (unsigned)ifindex;
	return true;
}

/* A workload's name, else the address with what it counts as. */
static char *name_of(const json_t *o, const char *key, const struct vw_addr *a)
{
	const char *s = json_string_value(json_object_get(o, key));
	char addr[VW_ADDR_STRLEN], *ret;

	if (s && strchr(s, '/'))
		return strdup(s);
	if (asprintf(&ret, s ? "%s (%s)" : "%s", vw_addr_str(a, addr), s) < 0)
		return NULL;
	return ret;
}

static uint64_t count(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

static int64_t time_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	int64_t us = 0;

	return s && !vw_time_parse(s, strlen(s), &us) ? us : 0;
}

static int add_flow(struct flows *flows, const json_t *o, const struct vw_live *l, bool cut)
{
	bool out = l->opened == VW_EGRESS;
	char *own = name_of(o, "workload", &l->own), *peer = name_of(o, "peer_name", &l->peer);
	struct flow f = {
		.from = out ? l->own : l->peer,
		.to = out ? l->peer : l->own,
		.proto = l->proto,
		.sport = out ? l->own_port : l->peer_port,
		.dport = out ? l->peer_port : l->own_port,
		.cut = cut,
		.as = {.from = out ? own : peer,
		       .to = out ? peer : own,
		       .proto = l->proto,
		       .flows = 1,
		       .packets = count(o, "packets"),
		       .bytes = count(o, "bytes"),
		       .first_us = time_of(o, "first_seen"),
		       .at_least = json_is_true(json_object_get(o, "at_least"))},
	};
	int r = own && peer ? 0 : -ENOMEM;

	/* Echoes have their identifier in both ports; what opens them is a request. */
	f.as.port = l->proto == IPPROTO_ICMP	 ? 8 << 8
		    : l->proto == IPPROTO_ICMPV6 ? 128 << 8
						 : f.dport;
	if (!r)
		r = vw_vec_push(&flows->list, f, FLOWS_MAX);
	if (r)
		flow_done(&f);
	return r;
}

/* ---- judged ---- */

static bool denied_at(const struct vw_compiled *c, unsigned ifindex, const struct vw_live *l)
{
	const struct vw_wall *w = vw_compiled_wall(c, ifindex);

	return w && w->kind == VW_WALL_POLICY && (vw_compiled_judge_live(c, w, l) & VW_CODE_DENY);
}

/* The wall of the peer, where the flow is the other way round; 0: it has none here. */
static unsigned other_end(const struct vw_world *world, const struct vw_live *l,
			  struct vw_live *ret)
{
	const struct vw_iface *i = NULL;

	if (!vw_world_by_addr(world, &l->peer, &i, NULL))
		return 0;
	*ret = *l;
	ret->own = l->peer;
	ret->peer = l->own;
	ret->own_port = l->peer_port;
	ret->peer_port = l->own_port;
	ret->opened = l->opened == VW_EGRESS ? VW_INGRESS : VW_EGRESS;
	return i->ifindex;
}

/* At either end: what one wall let pass may have been refused by the other. */
static bool denied(const struct vw_world *world, const struct vw_compiled *c, unsigned ifindex,
		   const struct vw_live *l)
{
	struct vw_live there;
	unsigned other = other_end(world, l, &there);

	return denied_at(c, ifindex, l) || (other && denied_at(c, other, &there));
}

static int take(const struct vw_diff *diff, struct flows *flows, const json_t *list)
{
	const struct vw_world *world = &diff->in.now.world;
	const json_t *o;
	size_t i;

	json_array_foreach (list, i, o) {
		struct vw_live l;
		unsigned ifindex;
		int r;

		/* What is not allowed now either is no flow, or about to be cut anyway. */
		if (!read_live(o, &l, &ifindex) ||
		    denied(world, &diff->in.now.compiled, ifindex, &l))
			continue;
		r = add_flow(flows, o, &l, denied(world, &diff->in.compiled, ifindex, &l));
		if (r)
			return r;
	}
	return 0;
}

static int ask(const char *run_dir, const char *workload, json_t **ret, struct vw_diag *d)
{
	json_auto_t *request =
		json_pack("{s:s, s:i, s:s*}", "cmd", "live", "limit", LIMIT, "workload", workload);
	json_auto_t *answer = NULL;
	const char *error;
	int r = request ? vw_control_ask(run_dir, request, &answer, d) : -ENOMEM;

	if (r)
		return r;
	error = json_string_value(json_object_get(answer, "error"));
	if (!json_is_true(json_object_get(answer, "ok"))) {
		vw_error(d, NULL, "the agent does not tell its live flows: %.400s",
			 error ? error : "no reason given");
		return -EPROTO;
	}
	*ret = TAKE_PTR(answer);
	return 0;
}

static uint64_t unlisted(const json_t *answer)
{
	uint64_t total = count(answer, "total");
	size_t listed = json_array_size(json_object_get(answer, "flows"));

	return total > listed ? total - listed : 0;
}

/* More than one answer holds: workload by workload. */
static int ask_each(const struct vw_diff_options *o, struct vw_diff *diff, struct flows *flows,
		    struct vw_diag *d)
{
	vw_vec_foreach (w, &diff->in.now.world.workloads) {
		_cleanup_free_ char *name = NULL;
		json_auto_t *answer = NULL;
		int r;

		if (asprintf(&name, "%s/%s", w->namespace_, w->name) < 0)
			return -ENOMEM;
		r = ask(o->run_dir, name, &answer, d);
		if (!r)
			r = take(diff, flows, json_object_get(answer, "flows"));
		if (r)
			return r;
		diff->live_unlisted += unlisted(answer);
	}
	return 0;
}

/* ---- one connection, one flow ---- */

static int cmp_flows(const void *x, const void *y)
{
	const struct flow *a = x, *b = y;
	int r = vw_addr_cmp(&a->from, &b->from);

	if (!r)
		r = vw_addr_cmp(&a->to, &b->to);
	if (!r)
		r = a->proto - b->proto;
	if (!r)
		r = a->sport - b->sport;
	return r ? r : a->dport - b->dport;
}

static int fold(struct vw_diff *diff, struct flows *flows)
{
	size_t n = flows->list.n;
	struct flow *v = flows->list.v;

	if (n)
		qsort(v, n, sizeof(*v), cmp_flows);
	for (size_t i = 0; i < n; i++) {
		bool cut = v[i].cut;
		int r;

		while (i + 1 < n && !cmp_flows(&v[i], &v[i + 1]))
			cut |= v[++i].cut;
		diff->live_stay += !cut;
		r = cut ? vw_diff_groups_add(&diff->cut, &v[i].as) : 0;
		if (r)
			return r;
	}
	vw_diff_groups_rank(&diff->cut);
	return 0;
}

int vw_diff_live(const struct vw_diff_options *o, struct vw_diff *diff, struct vw_diag *d)
{
	_cleanup_(flows_done) struct flows flows = {0};
	json_auto_t *answer = NULL;
	int r = ask(o->run_dir, NULL, &answer, d);

	if (!r)
		r = unlisted(answer) ? ask_each(o, diff, &flows, d)
				     : take(diff, &flows, json_object_get(answer, "flows"));
	if (!r)
		r = fold(diff, &flows);
	if (r == -ENOSPC) {
		vw_error(d, NULL, "more than %u live flows", FLOWS_MAX);
		return -E2BIG;
	}
	diff->live_looked = !r;
	return r;
}
