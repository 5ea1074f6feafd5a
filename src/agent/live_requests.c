/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control socket tells of live flows. An answer is bounded in flows and in the time that
 * readings for it take; what is beyond is told from memory, or counted. */
#include <string.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/flow.h"
#include "vethwall/seen_json.h"

#define LIMIT_DEFAULT 10000
#define LIMIT_MAX 20000 /* some 450 bytes each */
#define READ_US 500000 /* then walls are told of from memory: the loop has other things to do */

struct telling {
	struct vw_agent *a;
	const char *workload, *service; /* only theirs; NULL: all */
	json_t *list;
	size_t limit;
	uint64_t total;
	bool failed; /* no memory */
};

/* "namespace/name", or the name alone. */
static bool name_is(const char *have, const char *want)
{
	const char *slash = have ? strchr(have, '/') : NULL;

	if (!want)
		return true;
	return have && (!strcmp(have, want) || (slash && !strcmp(slash + 1, want)));
}

/* The packet that opened the flow, as far as that is known. */
static struct vw_tuple tuple_of(const struct vw_live_flow *f)
{
	const struct vw_live *l = &f->l;

	if (l->opened == VW_EGRESS)
		return (struct vw_tuple){.code = VW_CODE_EGRESS,
					 .src = l->own,
					 .dst = l->peer,
					 .proto = l->proto,
					 .sport = l->own_port,
					 .dport = l->peer_port};
	return (struct vw_tuple){.src = l->peer,
				 .dst = l->own,
				 .proto = l->proto,
				 .sport = l->peer_port,
				 .dport = l->own_port};
}

static json_t *count_json(uint64_t n)
{
	return n ? json_integer((json_int_t)n) : json_null();
}

static json_t *flow_json(const struct vw_live_flow *f, const struct vw_flow_names *names)
{
	char own[VW_ADDR_STRLEN], peer[VW_ADDR_STRLEN], proto[4], first[VW_TIME_STRLEN];
	const struct vw_live *l = &f->l;
	const char *opened = l->opened == VW_EGRESS ? "out" : "in";
	int64_t idle = vw_now_ns() / 1000000 - f->last_ms;

	return json_pack(
		"{s:I, s:s?, s:s?, s:s?, s:s, s:i, s:s, s:s?, s:s?, s:i, s:s, s:s?, s:b, "
		"s:s?, s:b, s:o, s:o, s:o}",
		"ifindex", (json_int_t)f->ifindex, "in_iface", names->in_iface, "workload",
		names->workload, "service", names->service, "own", vw_addr_str(&l->own, own),
		"own_port", l->own_port, "peer", vw_addr_str(&l->peer, peer), "peer_name",
		names->peer, "peer_service", names->peer_service, "peer_port", l->peer_port,
		"proto", vw_proto_str(l->proto, proto), "opened", f->opener_known ? opened : NULL,
		"closing", l->closing, "first_seen",
		f->first_us ? vw_time_str(f->first_us, first) : NULL, "at_least", f->at_least,
		"packets", count_json(f->packets), "bytes", count_json(f->bytes), "idle_ms",
		f->last_ms ? json_integer(idle > 0 ? idle : 0) : json_null());
}

/* Walls of others are not even read. */
static bool wanted(const struct telling *t, unsigned ifindex)
{
	const struct vw_tuple none = {0};
	struct vw_flow_names names;

	vw_naming_flow(&t->a->naming, &t->a->enforced.now, ifindex, &none, &names);
	return name_is(names.workload, t->workload) && name_is(names.service, t->service);
}

static void tell(const struct vw_live_flow *f, void *arg)
{
	struct telling *t = arg;
	struct vw_tuple tuple = tuple_of(f);
	struct vw_flow_names names;

	vw_naming_flow(&t->a->naming, &t->a->enforced.now, f->ifindex, &tuple, &names);
	if (t->total++ < t->limit && json_array_append_new(t->list, flow_json(f, &names)) < 0)
		t->failed = true;
}

/* NULL, or what is wrong with the request. */
static const char *limit_of(const json_t *request, size_t *ret)
{
	const json_t *limit = json_object_get(request, "limit");
	json_int_t n = limit ? json_integer_value(limit) : LIMIT_DEFAULT;

	if (n < 1 || n > LIMIT_MAX)
		return "\"limit\" is a number from 1 to 20000";
	*ret = (size_t)n;
	return NULL;
}

json_t *vw_agent_live(void *agent, const json_t *request, const struct vw_control_peer *peer)
{
	struct vw_agent *a = agent;
	struct telling t = {.a = a,
			    .workload = json_string_value(json_object_get(request, "workload")),
			    .service = json_string_value(json_object_get(request, "service"))};
	int64_t begin = vw_now_ns() / 1000;
	const char *wrong = limit_of(request, &t.limit);
	json_int_t walls = 0, remembered = 0;
	struct vw_live_stats stats;

	(void)peer;
	if (wrong)
		return vw_control_error("%s", wrong);
	t.list = json_array();
	vw_vec_foreach (w, &a->enforced.now.walls) {
		bool fresh = vw_now_ns() / 1000 - begin < READ_US, from_memory;

		if (!wanted(&t, w->ifindex) ||
		    vw_live_watch_each(a->live, w->ifindex, fresh, tell, &t, &from_memory) < 0)
			continue;
		walls++;
		remembered += from_memory;
	}
	if (t.failed) {
		json_decref(t.list);
		return NULL;
	}
	vw_live_watch_stats(a->live, &stats);
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:i, s:o}", "ok", 1, "total",
			 (json_int_t)t.total, "walls", walls, "walls_from_memory", remembered,
			 "age_unknown", (json_int_t)stats.unknown, "interval_ms",
			 (int)a->s->live_interval_ms, "flows", t.list);
}

json_t *vw_agent_seen(void *agent, const json_t *request, const struct vw_control_peer *peer)
{
	struct vw_agent *a = agent;
	json_t *list = vw_seen_json(&a->seen.table);

	(void)request;
	(void)peer;
	if (!list)
		return NULL;
	return json_pack("{s:b, s:I, s:I, s:o}", "ok", 1, "over", (json_int_t)a->seen.table.over,
			 "unclear", (json_int_t)a->seen.unclear, "seen", list);
}
