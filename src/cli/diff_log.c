/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log of the last hours under both sets: what was refused and would pass, and what passed and
 * would be refused. Records are of then, the world is of now: ends are found again by name, and
 * only an end that has none is taken by its address. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/diff.h"
#include "cli/flows_filter.h"
#include "vethwall/cleanup.h"
#include "vethwall/store.h"

#define LOG_NAME "denied.jsonl"
#define NAME_LEN (2 * VW_NAME_MAX + 2)

struct named {
	char *name; /* "namespace/name" */
	const struct vw_workload *workload;
};

struct reading {
	struct vw_diff *diff;
	VW_VEC(struct named) names; /* sorted */
	char buf[VW_FLOW_LINE_MAX];
};

/* One end of a record in today's world. */
struct end {
	const struct vw_iface *iface; /* NULL: no workload's */
	struct vw_addr addr;
};

static void reading_done(struct reading *g)
{
	vw_vec_foreach (n, &g->names)
		free(n->name);
	vw_vec_done(&g->names);
}

static int cmp_names(const void *x, const void *y)
{
	const struct named *a = x, *b = y;

	return strcmp(a->name, b->name);
}

static int index_names(struct reading *g, const struct vw_world *world)
{
	vw_vec_foreach (w, &world->workloads) {
		struct named n = {.workload = w};
		int r;

		if (asprintf(&n.name, "%s/%s", w->namespace_, w->name) < 0)
			return -ENOMEM;
		r = vw_vec_push(&g->names, n, VW_WORKLOADS_MAX);
		if (r) {
			free(n.name);
			return r;
		}
	}
	if (g->names.n)
		qsort(g->names.v, g->names.n, sizeof(*g->names.v), cmp_names);
	return 0;
}

static const struct vw_workload *find(const struct reading *g, const struct vw_str *name)
{
	char text[NAME_LEN];
	struct named key = {.name = text};
	const struct named *n;

	if (!name->n || name->n >= sizeof(text) || !g->names.n)
		return NULL;
	snprintf(text, sizeof(text), "%.*s", (int)name->n, name->s);
	n = bsearch(&key, g->names.v, g->names.n, sizeof(key), cmp_names);
	return n ? n->workload : NULL;
}

/* ---- ends ---- */

/* The workload's interface that has the address, else its first one of that family. */
static bool end_of(const struct vw_workload *w, const struct vw_addr *then, struct end *ret)
{
	struct end e = {0};

	vw_vec_foreach (i, &w->ifaces) {
		vw_vec_foreach (a, &i->ips) {
			if (vw_addr_eq(a, then)) {
				*ret = (struct end){i, *a};
				return true;
			}
			if (!e.iface && a->family == then->family)
				e = (struct end){i, *a};
		}
	}
	if (e.iface)
		*ret = e;
	return e.iface;
}

/* False: of somebody who is no longer here. */
static bool peer_of(const struct reading *g, const struct vw_flow *f, const struct vw_addr *then,
		    struct end *ret)
{
	const struct vw_workload *w = NULL;
	bool named = f->peer.n && memchr(f->peer.s, '/', f->peer.n);

	/* A published port is judged by the node's address. */
	if (!named || vw_world_is_host(&g->diff->in.now.world, then)) {
		*ret = (struct end){.addr = *then};
		return true;
	}
	w = find(g, &f->peer);
	return w && end_of(w, then, ret);
}

/* ---- judged ---- */

static bool refused(const struct vw_compiled *c, const struct end *self, const struct end *peer,
		    enum vw_direction dir, const struct vw_tuple *t)
{
	const struct vw_wall *w = self->iface ? vw_compiled_wall(c, self->iface->ifindex) : NULL;

	return w && w->kind == VW_WALL_POLICY &&
	       (vw_compiled_judge(c, w, dir, &peer->addr, t->proto, t->dport) & VW_CODE_DENY);
}

/* At either end. */
static bool denied(const struct vw_compiled *c, const struct end *self, const struct end *peer,
		   const struct vw_flow *f)
{
	enum vw_direction out = f->egress ? VW_EGRESS : VW_INGRESS;
	enum vw_direction in = f->egress ? VW_INGRESS : VW_EGRESS;

	return refused(c, self, peer, out, &f->t) || refused(c, peer, self, in, &f->t);
}

/* Refused (or watched) for what the packet is, not by a policy: no policy changes that. */
static bool no_policy(const struct vw_flow *f)
{
	static const enum vw_reason reasons[] = {VW_REASON_SPOOF, VW_REASON_FRAGMENT,
						 VW_REASON_FULL,  VW_REASON_PROTOCOL,
						 VW_REASON_HELD,  VW_REASON_RA};

	for (size_t i = 0; i < VW_ARRAY_SIZE(reasons); i++)
		if (vw_str_is(&f->policy, vw_reason_str(reasons[i])))
			return true;
	return !f->t.src.family || !f->workload.n;
}

/* A workload's name, else the address with what it counts as. */
static void name_end(const struct vw_str *name, const struct vw_addr *a,
		     char ret[static VW_FLOW_STR_MAX + VW_ADDR_STRLEN])
{
	const size_t size = VW_FLOW_STR_MAX + VW_ADDR_STRLEN;
	char addr[VW_ADDR_STRLEN];
	int n = name->n < VW_FLOW_STR_MAX - 4 ? (int)name->n : VW_FLOW_STR_MAX - 4;

	if (name->n && memchr(name->s, '/', name->n))
		snprintf(ret, size, "%.*s", n, name->s);
	else if (name->n)
		snprintf(ret, size, "%s (%.*s)", vw_addr_str(a, addr), n, name->s);
	else
		snprintf(ret, size, "%s", vw_addr_str(a, addr));
}

static int note(struct vw_diff_groups *groups, const struct vw_flow *f)
{
	char self[VW_FLOW_STR_MAX + VW_ADDR_STRLEN], peer[VW_FLOW_STR_MAX + VW_ADDR_STRLEN];
	const struct vw_diff_group one = {
		.from = f->egress ? self : peer,
		.to = f->egress ? peer : self,
		.proto = f->t.proto,
		.port = f->t.dport,
		.flows = 1,
		.packets = f->packets,
		.bytes = f->bytes,
		.first_us = f->first_us,
		.last_us = f->last_us,
	};

	name_end(&f->workload, f->egress ? &f->t.src : &f->t.dst, self);
	name_end(&f->peer, f->egress ? &f->t.dst : &f->t.src, peer);
	return vw_diff_groups_add(groups, &one);
}

static int take(struct reading *g, const struct vw_flow *f)
{
	struct vw_diff *diff = g->diff;
	bool was_refused = f->event == VW_FLOW_DENIED, before, after;
	const struct vw_workload *w = find(g, &f->workload);
	struct end self, peer;

	if (no_policy(f))
		return 0;
	diff->log_records++;
	if (!w || !end_of(w, f->egress ? &f->t.src : &f->t.dst, &self) ||
	    !peer_of(g, f, f->egress ? &f->t.dst : &f->t.src, &peer)) {
		diff->log_gone++;
		return 0;
	}
	before = denied(&diff->in.now.compiled, &self, &peer, f);
	after = denied(&diff->in.compiled, &self, &peer, f);
	if (was_refused && before && !after)
		return note(&diff->passed, f);
	return !was_refused && !before && after ? note(&diff->denied, f) : 0;
}

/* ---- the log ---- */

static int read_segment(struct reading *g, const struct vw_segment *seg)
{
	_cleanup_(vw_lines_done) struct vw_lines l = {0};
	const char *line;
	size_t n;
	int r = vw_lines_init(&l, seg->fd, VW_FLOW_LINE_MAX);

	if (r)
		return r;
	while ((r = vw_lines_next(&l, &line, &n)) == 1 || r == -EMSGSIZE) {
		struct vw_flow f;
		int e = 0;

		/* What is no record is told by `flows`. */
		if (r == 1 && !vw_flow_json_parse(line, n, g->buf, &f) &&
		    f.last_us >= g->diff->since_us)
			e = take(g, &f);
		if (e)
			return e;
	}
	return r;
}

static int read_log(struct reading *g, const char *dir)
{
	_cleanup_(vw_segments_done) struct vw_segments segs = {0};
	int r = vw_segments_open(dir, LOG_NAME, &segs);

	vw_vec_foreach (s, &segs.list) {
		/* Nobody wrote to it since then. */
		if (!r && s->mtime_us >= g->diff->since_us)
			r = read_segment(g, s);
	}
	return r;
}

static int read_named(struct vw_diff *diff, const char *dir)
{
	_cleanup_free_ struct reading *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	g->diff = diff;
	r = index_names(g, &diff->in.now.world);
	if (!r)
		r = read_log(g, dir);
	reading_done(g);
	return r;
}

static int64_t wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int why(struct vw_diff *diff, const char *dir, int r)
{
	if (asprintf(&diff->log_why, "%s: %s", dir, strerror(-r)) >= 0)
		return 0;
	diff->log_why = NULL;
	return -ENOMEM;
}

int vw_diff_log(const struct vw_diff_options *o, struct vw_diff *diff, struct vw_diag *d)
{
	const char *dir = o->log_dir ? o->log_dir : diff->in.now.log_dir;
	int r;

	diff->until_us = wall_us();
	if (flows_time_parse(o->since, diff->until_us, &diff->since_us)) {
		vw_error(d, NULL, "--since: not a time: %s", o->since);
		return -EINVAL;
	}
	if (!dir) {
		diff->log_why = strdup("none was named with --log-dir");
		return diff->log_why ? 0 : -ENOMEM;
	}
	r = read_named(diff, dir);
	if (r == -ENOMEM)
		return r;
	if (r && o->log_dir)
		vw_error(d, NULL, "%s: %s", dir, strerror(-r));
	else if (r)
		r = why(diff, dir, r);
	vw_diff_groups_rank(&diff->passed);
	vw_diff_groups_rank(&diff->denied);
	return r;
}
