/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `suggest` works with: the world and the documents in force, from the agent or from files,
 * and the connections that were seen, from live flows, the agent's memory and the log. */
#include <errno.h>
#include <string.h>

#include "cli/control_client.h"
#include "cli/flows_read.h"
#include "cli/live_client.h"
#include "cli/load.h"
#include "cli/snapshot.h"
#include "cli/suggest.h"
#include "vethwall/cleanup.h"
#include "vethwall/seen_json.h"

void vw_gathered_done(struct vw_gathered *g)
{
	vw_seen_table_done(&g->seen);
	vw_policyset_done(&g->others);
	vw_world_done(&g->world);
}

/* ---- the world, and what stands beside ---- */

static int load_files(const struct vw_suggest_query *q, struct vw_gathered *g, struct vw_diag *d)
{
	return q->policies.n ? vw_policies_load(q->policies.v, q->policies.n, &g->others, d) : 0;
}

/* The agent's documents are parsed anew: of a set that only watches the guardrails count, too. */
static int from_agent(const struct vw_suggest_query *q, struct vw_gathered *g, char **log_dir,
		      struct vw_diag *d)
{
	_cleanup_(vw_snapshot_done) struct vw_snapshot s = {0};
	int r = vw_snapshot_ask(q->run_dir, &s, d);

	if (!r)
		r = q->policies.n ? load_files(q, g, d)
				  : vw_sources_parse(&s.sources, &g->others, d);
	if (r)
		return r;
	g->world = s.world;
	s.world = (struct vw_world){0};
	*log_dir = TAKE_PTR(s.log_dir);
	return 0;
}

static int from_files(const struct vw_suggest_query *q, struct vw_gathered *g, struct vw_diag *d)
{
	int r = vw_load_world(q->world, &g->world, d), s = load_files(q, g, d);

	return r ? r : s;
}

/* ---- connections ---- */

/* What has no room is counted by the table. */
static int note(struct vw_gathered *g, const struct vw_flow *f, unsigned source)
{
	_cleanup_(vw_seen_done) struct vw_seen s = {0};
	enum vw_seen_as as;
	int r = vw_seen_of_flow(f, &g->world, source, &as, &s);

	if (r)
		return r;
	g->as[as]++;
	r = as == VW_SEEN_CONNECTION ? vw_seen_note(&g->seen, &s) : 0;
	return r == -ENOSPC ? 0 : r;
}

static int on_live(const struct vw_live_told *t, void *arg)
{
	struct vw_gathered *g = arg;
	struct vw_flow f = t->f;

	if (!t->opener_known) {
		g->unclear++;
		return 0;
	}
	f.packets = 0; /* the memory has counted it */
	if (!f.first_us)
		f.first_us = f.last_us;
	return note(g, &f, VW_SEEN_LIVE);
}

static int take_live(const struct vw_suggest_query *q, struct vw_gathered *g, struct vw_diag *d)
{
	struct vw_live_summary sum;
	int r = vw_live_ask(q->run_dir, on_live, g, &sum, d);

	if (!r)
		g->forgotten += sum.unlisted;
	return r;
}

static uint64_t count(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

static int take_memory(const struct vw_suggest_query *q, struct vw_gathered *g, struct vw_diag *d)
{
	json_auto_t *request = json_pack("{s:s}", "cmd", "seen"), *answer = NULL;
	const char *error;
	size_t bad;
	int r = request ? vw_control_ask(q->run_dir, request, &answer, d) : -ENOMEM;

	if (r)
		return r;
	error = json_string_value(json_object_get(answer, "error"));
	if (!json_is_true(json_object_get(answer, "ok"))) {
		vw_error(d, NULL, "the agent does not tell what it has seen: %.400s",
			 error ? error : "no reason given");
		return -EPROTO;
	}
	r = vw_seen_from_json(json_object_get(answer, "seen"), &g->seen, &bad);
	vw_seen_expire(&g->seen, q->since_us);
	g->forgotten += count(answer, "over");
	g->unclear += count(answer, "unclear");
	return r;
}

struct taking {
	struct vw_gathered *g;
	unsigned from;
};

static int on_record(void *arg, const struct vw_flow *f, const char *line, size_t n)
{
	static const unsigned sources[_VW_FLOW_EVENT_MAX] = {
		[VW_FLOW_AUDITED] = VW_SEEN_AUDITED,
		[VW_FLOW_ALLOWED] = VW_SEEN_ALLOWED,
		[VW_FLOW_DENIED] = VW_SEEN_DENIED,
	};
	static const unsigned from[_VW_FLOW_EVENT_MAX] = {
		[VW_FLOW_AUDITED] = VW_FROM_AUDITED,
		[VW_FLOW_ALLOWED] = VW_FROM_ALLOWED,
		[VW_FLOW_DENIED] = VW_FROM_DENIED,
	};
	struct taking *t = arg;

	(void)line;
	(void)n;
	return from[f->event] & t->from ? note(t->g, f, sources[f->event]) : 0;
}

static int take_log(const struct vw_suggest_query *q, const char *dir, struct vw_gathered *g,
		    struct vw_diag *d)
{
	_cleanup_(flows_filter_done) struct flows_filter filter;
	_cleanup_free_ struct flows_reader *reader = calloc(1, sizeof(*reader));
	struct taking t = {g, q->from};
	int r = flows_filter_init(&filter);

	if (r || !reader)
		return -ENOMEM;
	filter.from_us = q->since_us;
	r = flows_filter_build(&filter, d);
	*reader = (struct flows_reader){
		.dir = dir, .filter = &filter, .record = on_record, .arg = &t};
	if (!r)
		r = flows_read(reader);
	g->bad = reader->bad;
	g->gaps = reader->gaps;
	flows_reader_done(reader);
	if (r && r != -ENOMEM)
		vw_error(d, NULL, "the log in %s: %s", dir, strerror(-r));
	return r;
}

int vw_suggest_gather(const struct vw_suggest_query *q, struct vw_gathered *ret, struct vw_diag *d)
{
	_cleanup_(vw_gathered_done) struct vw_gathered g = {0};
	_cleanup_free_ char *agents_log = NULL;
	const char *log_dir;
	int r = q->world ? from_files(q, &g, d) : from_agent(q, &g, &agents_log, d);

	if (r)
		return r;
	log_dir = q->log_dir ? q->log_dir : agents_log;
	if (q->from & VW_FROM_MEMORY)
		r = take_memory(q, &g, d);
	if (!r && q->from & VW_FROM_LIVE)
		r = take_live(q, &g, d);
	if (!r && q->from & VW_FROM_LOG && log_dir)
		r = take_log(q, log_dir, &g, d);
	if (r)
		return r;
	g.forgotten += g.seen.over;
	*ret = g;
	g = (struct vw_gathered){0};
	return 0;
}
