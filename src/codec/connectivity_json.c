/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A comparison of connectivity -> JSON. Ranges of thousands of pairs have the same verdicts, so
 * each is made once and referred to. */
#include "vethwall/connectivity_json.h"

#include <stdio.h>

#include "vethwall/explain_json.h"

#define REMEMBERED 4096 /* verdicts */

struct memo {
	const struct vw_verdict *verdict;
	bool from, to; /* whether the ends are workloads */
	json_t *json;
};

struct maker {
	const struct vw_connectivity *c;
	bool bad; /* memory ran out */
	struct memo memo[REMEMBERED];
};

/* Takes value over. */
static void set(struct maker *m, json_t *o, const char *key, json_t *value)
{
	if (json_object_set_new(o, key, value) < 0)
		m->bad = true;
}

static void append(struct maker *m, json_t *list, json_t *value)
{
	if (json_array_append_new(list, value) < 0)
		m->bad = true;
}

/* Names are others' bytes, which need not be UTF-8. */
static json_t *text(const char *s)
{
	json_t *v = json_string(s);

	return v ? v : json_string_nocheck("?");
}

static json_t *make_verdict(struct maker *m, const struct vw_verdict *v, bool from, bool to)
{
	json_t *o = json_object();

	set(m, o, "verdict", text(v->allow ? "allow" : "deny"));
	set(m, o, "egress", vw_decision_json(&v->egress, VW_EGRESS, from));
	set(m, o, "ingress", vw_decision_json(&v->ingress, VW_INGRESS, to));
	return o;
}

static json_t *verdict(struct maker *m, const struct vw_verdict *v, bool from, bool to)
{
	struct memo *e = &m->memo[((uintptr_t)v >> 4) * 0x9e3779b9u % REMEMBERED];

	if (e->verdict != v || e->from != from || e->to != to) {
		json_decref(e->json);
		*e = (struct memo){v, from, to, make_verdict(m, v, from, to)};
	}
	return json_incref(e->json);
}

static void set_party(struct maker *m, json_t *o, const char *key, uint32_t i)
{
	static const char *const kinds[] = {
		[VW_PARTY_SERVICE] = "service",
		[VW_PARTY_HOST] = "host",
		[VW_PARTY_OUTSIDE] = "outside",
		[VW_PARTY_NAME] = "name",
	};
	const struct vw_party *p = &m->c->parties.v[i];
	char name[32], buf[VW_PREFIX_STRLEN];
	json_t *list;

	set(m, o, key, text(p->name));
	snprintf(name, sizeof(name), "%s_kind", key);
	set(m, o, name, text(kinds[p->kind]));
	if (!p->n_cidrs)
		return;
	list = json_array();
	for (size_t k = 0; k < p->n_cidrs && k < VW_CONN_CIDRS_MAX; k++)
		append(m, list, text(vw_prefix_str(&p->cidrs[k], buf)));
	snprintf(name, sizeof(name), p->except ? "%s_except" : "%s_cidrs", key);
	set(m, o, name, list);
}

static void set_numbers(struct maker *m, json_t *o, const struct vw_conn_range *r)
{
	const struct {
		const char *key;
		uint32_t value;
	} fields[] = {
		{"proto_first", r->proto},
		{"proto_last", r->proto_last},
		{"port_first", r->lo},
		{"port_last", r->hi},
		{"from_members", r->from_members},
		{"to_members", r->to_members},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		set(m, o, fields[i].key, json_integer(fields[i].value));
}

static json_t *range(struct maker *m, const struct vw_conn_edge *e, const struct vw_conn_range *r)
{
	char ports[VW_CONN_RANGE_STRLEN], addr[VW_ADDR_STRLEN], name[2 * VW_NAME_MAX + 2];
	bool from = r->from->workload, to = r->to->workload;
	json_t *o = json_object();

	set_party(m, o, "from", e->from);
	set_party(m, o, "to", e->to);
	set(m, o, "state", text(vw_conn_state_str((enum vw_conn_state)r->state)));
	set(m, o, "ports", text(vw_conn_range_str(r, ports)));
	set_numbers(m, o, r);
	set(m, o, "from_ip", text(vw_addr_str(&r->from->addr, addr)));
	set(m, o, "to_ip", text(vw_addr_str(&r->to->addr, addr)));
	if (r->behind) {
		snprintf(name, sizeof(name), "%s/%s", r->behind->namespace_, r->behind->service);
		set(m, o, "published_by", text(name));
	}
	set(m, o, "before", verdict(m, r->before, from, to));
	set(m, o, "after", verdict(m, r->after, from, to));
	return o;
}

static json_t *policy(struct maker *m, const struct vw_policy_change *p)
{
	static const char *const words[] = {
		[VW_POLICY_ADDED] = "added",
		[VW_POLICY_REMOVED] = "removed",
		[VW_POLICY_CHANGED] = "changed",
	};
	const struct vw_policy *doc = p->after ? p->after : p->before;
	char name[VW_POLICY_STRLEN];
	json_t *o = json_object();

	set(m, o, "change", text(words[p->what]));
	set(m, o, "kind", text(doc->kind));
	set(m, o, "policy", text(vw_policy_str(doc, name)));
	if (doc->pos.file) {
		set(m, o, "file", text(doc->pos.file));
		set(m, o, "line", json_integer(doc->pos.line));
	}
	if (p->before)
		set(m, o, "audit_before", json_boolean(p->before->audit));
	if (p->after)
		set(m, o, "audit_after", json_boolean(p->after->audit));
	return o;
}

static json_t *isolation(struct maker *m, const struct vw_isolation_change *i)
{
	char name[2 * VW_NAME_MAX + 2];
	json_t *o = json_object();

	snprintf(name, sizeof(name), "%s/%s", i->workload->namespace_, i->workload->name);
	set(m, o, "workload", text(name));
	set(m, o, "service", text(i->workload->service));
	set(m, o, "direction", text(vw_direction_str(i->dir)));
	set(m, o, "isolated", json_boolean(i->isolated));
	return o;
}

static json_t *make(struct maker *m)
{
	json_t *o = json_object(), *edges = json_array(), *policies = json_array();
	json_t *isolated = json_array();

	vw_vec_foreach (e, &m->c->edges)
		vw_vec_foreach (r, &e->ranges)
			append(m, edges, range(m, e, r));
	vw_vec_foreach (p, &m->c->policies)
		append(m, policies, policy(m, p));
	vw_vec_foreach (i, &m->c->isolation)
		append(m, isolated, isolation(m, i));
	set(m, o, "connectivity", edges);
	set(m, o, "policies", policies);
	set(m, o, "isolation", isolated);
	set(m, o, "cut_short", json_boolean(m->c->cut_short));
	return o;
}

json_t *vw_connectivity_json(const struct vw_connectivity *c)
{
	struct maker *m = calloc(1, sizeof(*m));
	json_t *o;

	if (!m)
		return NULL;
	m->c = c;
	o = make(m);
	for (size_t i = 0; i < REMEMBERED; i++)
		json_decref(m->memo[i].json);
	if (m->bad) {
		json_decref(o);
		o = NULL;
	}
	free(m);
	return o;
}
