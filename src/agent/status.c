/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's state as JSON. Protected is only what an acknowledged wall stands on; whatever else
 * is not enforced or not recorded is said, and why. */
#include <string.h>
#include <unistd.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/flow.h"
#include "vethwall/version.h"

static json_t *time_json(int64_t ns)
{
	char buf[VW_TIME_STRLEN];

	return ns ? json_string(vw_time_str(ns / 1000, buf)) : json_null();
}

/* Names of the documents that select the interface in this direction. */
static json_t *policies_json(const struct vw_agent *a, const struct vw_workload *w,
			     const struct vw_iface *i, enum vw_direction dir)
{
	json_t *list = json_array();

	vw_vec_foreach (p, &a->policies.list) {
		char name[2 * VW_NAME_MAX + 2];

		if (!p->applies[dir] && !p->rules[dir].n)
			continue;
		if (!vw_match_matches(&p->subject, &a->world, w, i))
			continue;
		snprintf(name, sizeof(name), "%s%s%s", p->namespace_ ? p->namespace_ : "",
			 p->namespace_ ? "/" : "", p->name);
		json_array_append_new(list, json_string(name));
	}
	return list;
}

/* Why the interface has no wall. */
static const char *why_not(const struct vw_agent *a, const struct vw_workload *w,
			   const struct vw_iface *i)
{
	if (w->unenforceable)
		return w->unenforceable;
	if (!i->ifindex)
		return "its veth is not there";
	if (vw_refused_why(a, i->ifindex))
		return vw_refused_why(a, i->ifindex);
	if (a->enforced.error)
		return a->enforced.error;
	return a->runtime_state.synced ? "being put up" : "the runtime has not reported everything";
}

static const char *iface_state(const struct vw_agent *a, const struct vw_workload *w,
			       const struct vw_iface *i)
{
	const struct vw_wall *wall = i->ifindex ? vw_agent_wall(a, i->ifindex) : NULL;

	if (vw_agent_enforced(a, i))
		return "enforced";
	if (wall && wall->kind == VW_WALL_HOLD)
		return "held";
	return w->unenforceable ? "not-enforceable" : "not-enforced";
}

static json_t *iface_json(const struct vw_agent *a, const struct vw_workload *w,
			  const struct vw_iface *i)
{
	char mac[VW_MAC_STRLEN], addr[VW_ADDR_STRLEN];
	json_t *ips = json_array(), *j;

	vw_vec_foreach (ip, &i->ips) {
		json_array_append_new(ips, json_string(vw_addr_str(ip, addr)));
	}
	j = json_pack("{s:s, s:I, s:s?, s:s?, s:o, s:s, s:o, s:o}", "veth", i->veth, "ifindex",
		      (json_int_t)i->ifindex, "network", i->network, "mac",
		      i->has_mac ? vw_mac_str(&i->mac, mac) : NULL, "ips", ips, "state",
		      iface_state(a, w, i), "ingress", policies_json(a, w, i, VW_INGRESS), "egress",
		      policies_json(a, w, i, VW_EGRESS));
	if (j && !vw_agent_enforced(a, i))
		json_object_set_new(j, "reason", json_string(why_not(a, w, i)));
	return j;
}

struct counts {
	json_int_t enforced, not_enforced, not_enforceable;
};

static json_t *workload_json(const struct vw_agent *a, const struct vw_workload *w,
			     struct counts *c)
{
	json_t *ifaces = json_array(), *j;
	bool all = true;

	vw_vec_foreach (i, &w->ifaces) {
		bool ok = vw_agent_enforced(a, i);

		all &= ok;
		if (ok)
			c->enforced++;
		else if (!w->unenforceable)
			c->not_enforced++;
		json_array_append_new(ifaces, iface_json(a, w, i));
	}
	c->not_enforceable += w->unenforceable != NULL;
	j = json_pack("{s:s, s:s, s:s, s:s, s:s?, s:b, s:s, s:o}", "id", w->id, "namespace",
		      w->namespace_, "name", w->name, "service", w->service, "image", w->image,
		      "paused", w->paused, "state",
		      w->unenforceable ? "not-enforceable"
		      : !w->ifaces.n   ? "no-interface"
		      : all	       ? "enforced"
				       : "not-enforced",
		      "interfaces", ifaces);
	if (j && w->unenforceable)
		json_object_set_new(j, "reason", json_string(w->unenforceable));
	return j;
}

static json_t *held_json(const struct vw_agent *a)
{
	json_t *list = json_array();

	vw_vec_foreach (h, &a->held) {
		const struct vw_wall *w = vw_agent_wall(a, h->wall.ifindex);

		const struct vw_link *l = vw_links_get(a->links, h->wall.ifindex);
		const struct vw_link *bridge = l ? vw_links_get(a->links, l->master) : NULL;

		json_array_append_new(list,
				      json_pack("{s:s, s:I, s:b, s:f, s:s?}", "veth", h->wall.dev,
						"ifindex", (json_int_t)h->wall.ifindex, "held",
						w && w->kind == VW_WALL_HOLD, "age",
						(double)(vw_now_ns() - h->since_ns) / 1e9, "bridge",
						bridge ? bridge->name : NULL));
	}
	return list;
}

static json_t *denied_json(const struct vw_denied_stats *s)
{
	const struct {
		const char *name;
		uint64_t v;
	} counts[] = {
		{"records", s->records},
		{"packets", s->packets},
		{"bytes", s->bytes},
		{"samples", s->samples},
		{"samples_lost", s->samples_lost},
		{"samples_skipped", s->samples_skipped},
		{"samples_unkept", s->samples_unkept},
		{"write_errors", s->write_errors},
		{"read_errors", s->read_errors},
		{"unwritten_packets", s->unwritten_packets},
		{"overflow_packets", s->overflow_packets},
		{"held_packets", s->held_packets},
		{"gaps", s->gaps},
	};
	json_t *j = json_pack("{s:b}", "failing", s->failing);

	for (size_t i = 0; i < VW_ARRAY_SIZE(counts); i++)
		json_object_set_new(j, counts[i].name, json_integer((json_int_t)counts[i].v));
	return j;
}

static json_t *runtime_json(const struct vw_agent *a)
{
	const struct runtime_state *s = &a->runtime_state;

	return json_pack("{s:s, s:b, s:b, s:s}", "name", a->s->runtime, "connected", s->ok,
			 "synced", s->synced, "text", s->text ? s->text : "");
}

static json_t *policies_state_json(const struct vw_agent *a)
{
	json_t *files = json_array();

	vw_vec_foreach (f, &a->policies.files) {
		json_array_append_new(files, json_string(*f));
	}
	return json_pack("{s:s, s:o, s:I, s:I, s:o, s:b}", "path", a->s->policies, "files", files,
			 "documents", (json_int_t)a->policies.list.n, "generation",
			 (json_int_t)a->policies_state.generation, "loaded",
			 time_json(a->policies_state.loaded_ns), "refused",
			 a->policies_state.failed);
}

static bool healthy(const struct vw_agent *a, const struct counts *c,
		    const struct vw_denied_stats *s)
{
	return a->enforced.ready && !a->enforced.error && a->runtime_state.ok && !c->not_enforced &&
	       !c->not_enforceable && !a->policies_state.failed && !s->failing &&
	       vw_agent_images_ok(a) && vw_agent_applied_ok(a) && !a->learn.error;
}

/* What is known of live flows, and of earlier ones. */
static json_t *live_json(const struct vw_agent *a)
{
	struct vw_live_stats s;

	vw_live_watch_stats(a->live, &s);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "flows", (json_int_t)s.flows, "age_unknown",
			 (json_int_t)s.unknown, "failed_readings", (json_int_t)s.failed,
			 "remembered", (json_int_t)a->seen.table.list.n, "forgotten",
			 (json_int_t)a->seen.table.over);
}

json_t *vw_agent_status(void *agent, const json_t *request, const struct vw_control_peer *peer)
{
	struct vw_agent *a = agent;
	struct vw_denied_stats stats = {};
	struct counts c = {};
	json_t *workloads = json_array();
	json_t *error = json_null();

	(void)request;
	(void)peer;
	if (a->denied)
		vw_denied_stats(a->denied, &stats);
	vw_vec_foreach (w, &a->world.workloads) {
		json_array_append_new(workloads, workload_json(a, w, &c));
	}
	if (a->enforced.error)
		error = json_pack("{s:s, s:o, s:i}", "text", a->enforced.error, "time",
				  time_json(a->enforced.error_ns), "failures",
				  a->enforced.failures);
	return json_pack(
		"{s:b, s:b, s:b, s:s, s:i, s:o, s:b, s:s, s:o, s:o, s:{s:I, s:I, s:I, s:I, "
		"s:I}, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:b, s:o, s:o, s:o, s:o, "
		"s:o}",
		"ok", 1, "healthy", healthy(a, &c, &stats), "ready", a->enforced.ready, "version",
		vw_version, "pid", (int)getpid(), "since", time_json(a->since_ns), "owned_table",
		a->owned, "default", a->s->config.default_deny ? "deny" : "allow", "runtime",
		runtime_json(a), "policies", policies_state_json(a), "counts", "workloads",
		(json_int_t)a->world.workloads.n, "enforced", c.enforced, "not_enforced",
		c.not_enforced, "not_enforceable", c.not_enforceable, "held", (json_int_t)a->held.n,
		"workloads", workloads, "held", held_json(a), "denied", denied_json(&stats), "dns",
		vw_agent_learn_json(a), "error", error, "commits", (json_int_t)a->enforced.commits,
		"flows_cut", (json_int_t)a->rejudge.cut, "image_lists", vw_agent_images_json(a),
		"applied", vw_agent_applied_json(a), "audit", a->policies.audit, "live",
		live_json(a), "outputs", vw_outputs_json(&a->outputs), "sandbox",
		vw_agent_fence_json(a), "guard", vw_agent_guard_json(a), "tampering",
		vw_heal_json(a));
}
