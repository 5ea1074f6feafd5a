/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A preview for programs. docs/man/vethwall.8 documents the fields. */
#include <string.h>

#include "cli/diff.h"
#include "vethwall/cleanup.h"
#include "vethwall/connectivity_json.h"

static json_t *time_json(int64_t us)
{
	char buf[VW_TIME_STRLEN];

	return us ? json_string(vw_time_str(us, buf)) : json_null();
}

static json_t *group_json(const struct vw_diff_group *g)
{
	char port[VW_DIFF_PORT_STRLEN];

	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o}", "from", g->from, "to", g->to,
			 "port", vw_diff_port_str(g->proto, g->port, port), "flows",
			 (json_int_t)g->flows, "packets", (json_int_t)g->packets, "bytes",
			 (json_int_t)g->bytes, "first_seen", time_json(g->first_us), "last_seen",
			 time_json(g->last_us));
}

static json_t *groups_json(const struct vw_diff_groups *g)
{
	json_t *list = json_array();

	vw_vec_foreach (one, &g->list) {
		if (json_array_append_new(list, group_json(one)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *side_json(const char *name, const struct vw_sources *sources,
			 const struct vw_policyset *set)
{
	char digest[VW_DIGEST_LEN];

	vw_sources_digest(sources, digest);
	return json_pack("{s:s, s:I, s:I, s:b, s:s}", "name", name, "files",
			 (json_int_t)sources->list.n, "policies", (json_int_t)set->list.n, "audit",
			 (int)set->audit, "digest", digest);
}

static json_t *live_json(const struct vw_diff *d)
{
	if (!d->live_looked)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:o}", "cut", (json_int_t)d->cut.flows, "stay",
			 (json_int_t)d->live_stay, "unlisted", (json_int_t)d->live_unlisted,
			 "flows", groups_json(&d->cut));
}

static json_t *log_json(const struct vw_diff *d)
{
	if (d->log_why)
		return json_pack("{s:s}", "error", d->log_why);
	return json_pack("{s:o, s:I, s:I, s:o, s:o}", "since", time_json(d->since_us), "records",
			 (json_int_t)d->log_records, "gone", (json_int_t)d->log_gone, "would_pass",
			 groups_json(&d->passed), "would_be_denied", groups_json(&d->denied));
}

static json_t *events_json(const struct vw_diff *d)
{
	uint32_t happened = vw_diff_happened(d);
	json_t *list = json_array();

	for (size_t i = 0; i < _VW_DIFF_EVENT_MAX; i++)
		if (happened & 1u << i)
			json_array_append_new(list, json_string(vw_diff_events[i]));
	return list;
}

static json_t *plan_json(const struct vw_diff *d)
{
	char digest[VW_DIGEST_LEN];

	vw_sha256(d->plan, strlen(d->plan), digest);
	return json_pack("{s:I, s:s, s:s}", "operations", (json_int_t)d->operations, "digest",
			 digest, "text", d->plan);
}

json_t *vw_diff_json(const struct vw_diff *d)
{
	const struct vw_diff_input *in = &d->in;
	json_auto_t *connectivity = vw_connectivity_json(&d->connectivity);
	json_t *o = json_pack("{s:b, s:o, s:o, s:o}", "changes", (int)vw_diff_changes(d), "events",
			      events_json(d), "before",
			      side_json(in->before, &in->now.sources, &in->now.set), "after",
			      side_json(in->after, &in->sources, &in->set));
	int r = json_object_update(o, connectivity);

	r |= json_object_set_new(o, "live", live_json(d));
	r |= json_object_set_new(o, "log", log_json(d));
	r |= json_object_set_new(o, "plan", plan_json(d));
	if (!r)
		return o;
	json_decref(o);
	return NULL;
}
