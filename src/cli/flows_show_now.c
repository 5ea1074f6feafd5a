/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of a flow's rule and workloads since it was recorded: the policy files and the agent
 * are asked, and where they do not answer, that is said. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cli/control_client.h"
#include "cli/flows_show.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/explain.h"

#define LINES_MAX 12 /* of a rule */
#define LINE_WIDTH 160

static json_t *note(const char *text)
{
	return json_pack("{s:s}", "note", text);
}

/* ---- the rule's place ---- */

static size_t indent(const char *line)
{
	return strspn(line, " ");
}

/* The lines of the rule: the one it begins on, and those that are indented further. */
static json_t *rule_text(const char *file, unsigned number)
{
	_cleanup_free_ char *text = NULL;
	json_t *lines = json_array();
	size_t len, first = 0;
	char *save = NULL, *line;
	unsigned n = 0;

	if (vw_file_read(file, VW_TEXT_MAX, &text, &len))
		return lines;
	/* empty lines count: no strtok */
	for (line = text; line && json_array_size(lines) < LINES_MAX; line = save) {
		char *end = strchr(line, '\n');

		save = end ? end + 1 : NULL;
		if (end)
			*end = '\0';
		if (++n < number)
			continue;
		if (n == number)
			first = indent(line);
		else if (indent(line) <= first || !line[indent(line)])
			break;
		json_array_append_new(lines, json_stringn(line, strnlen(line, LINE_WIDTH)));
	}
	return lines;
}

static json_t *place_json(const struct vw_pos *pos)
{
	return json_pack("{s:s, s:i, s:i, s:o}", "file", pos->file, "line", (int)pos->line,
			 "column", (int)pos->col, "text", rule_text(pos->file, pos->line));
}

static const struct vw_rule *find_rule(const struct vw_policy *p, enum vw_direction dir,
				       const struct vw_str *name)
{
	char buf[VW_POLICY_STRLEN];

	vw_vec_foreach (r, &p->rules[dir]) {
		if (vw_str_is(name, vw_rule_str(r, dir, buf)))
			return r;
	}
	return NULL;
}

static const struct vw_policy *find_policy(const struct vw_policyset *set, const struct vw_flow *f)
{
	char buf[VW_POLICY_STRLEN];

	vw_vec_foreach (p, &set->list) {
		if (vw_str_is(&f->policy, vw_policy_str(p, buf)) &&
		    (!f->tier.n || vw_str_is(&f->tier, vw_tier_str(p->tier))))
			return p;
	}
	return NULL;
}

json_t *flows_rule_place(const char *policies, const struct vw_flow *f)
{
	_cleanup_(vw_policyset_done) struct vw_policyset set = {0};
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	const struct vw_policy *p;
	const struct vw_rule *r;

	if (!f->policy.n || vw_str_is(&f->policy, "default"))
		return note("no document decided it: none allows it");
	if (vw_policies_load(&policies, 1, &set, &d))
		return note("the policy files cannot be read, or have errors");
	p = find_policy(&set, f);
	if (!p)
		return note("this document is not there any more");
	r = find_rule(p, f->egress ? VW_EGRESS : VW_INGRESS, &f->rule);
	return place_json(r ? &r->pos : &p->pos);
}

/* ---- the agent ---- */

static json_t *ask(const char *run_dir, json_t *request, char *why, size_t size)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	json_t *answer = NULL;
	const char *error;

	why[0] = '\0';
	if (!request || vw_control_ask(run_dir, request, &answer, &d)) {
		snprintf(why, size, "%.300s", d.list.n ? d.list.v[0].text : "no answer");
	} else if (!json_is_true(json_object_get(answer, "ok"))) {
		error = json_string_value(json_object_get(answer, "error"));
		snprintf(why, size, "%.300s", error ? error : "no answer");
		json_decref(answer);
		answer = NULL;
	}
	json_decref(request);
	return answer;
}

/* As explain takes an end: the workload's name, or the address. */
static const char *end_name(const struct vw_str *name, const struct vw_addr *a,
			    char buf[static VW_FLOW_TEXT_MAX])
{
	if (name->n && name->n < VW_FLOW_TEXT_MAX && memchr(name->s, '/', name->n)) {
		memcpy(buf, name->s, name->n);
		buf[name->n] = '\0';
		return buf;
	}
	return vw_addr_str(a, buf);
}

static void port_text(const struct vw_tuple *t, char *buf, size_t size)
{
	char num[4];

	if (t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6)
		snprintf(buf, size, "%s/%u", vw_proto_str(t->proto, num), (unsigned)t->dport >> 8);
	else if (vw_proto_has_ports(t->proto))
		snprintf(buf, size, "%s/%u", vw_proto_str(t->proto, num), t->dport);
	else
		snprintf(buf, size, "%s", vw_proto_str(t->proto, num));
}

static json_t *verdict_now(const char *run_dir, const struct vw_flow *f, char *why, size_t size)
{
	char src[VW_FLOW_TEXT_MAX], dst[VW_FLOW_TEXT_MAX], port[32];
	const struct vw_str *from = f->egress ? &f->workload : &f->peer;
	const struct vw_str *to = f->egress ? &f->peer : &f->workload;
	json_t *request, *answer, *verdict;

	port_text(&f->t, port, sizeof(port));
	request = json_pack("{s:s, s:s, s:s, s:s, s:s}", "cmd", "explain", "from",
			    end_name(from, &f->t.src, src), "to", end_name(to, &f->t.dst, dst),
			    "port", port, "family", f->t.src.family == 4 ? "ipv4" : "ipv6");
	answer = ask(run_dir, request, why, size);
	verdict = json_incref(json_object_get(answer, "verdict"));
	json_decref(answer);
	return verdict;
}

/* The workload of that name in the agent's status. */
static json_t *workload_now(const json_t *status, const struct vw_str *name)
{
	const json_t *list = json_object_get(status, "workloads"), *w;
	size_t i;

	json_array_foreach (list, i, w) {
		char full[2 * VW_NAME_MAX + 2];
		const char *ns = json_string_value(json_object_get(w, "namespace"));
		const char *n = json_string_value(json_object_get(w, "name"));

		snprintf(full, sizeof(full), "%.253s/%.253s", ns ? ns : "", n ? n : "");
		if (vw_str_is(name, full))
			return json_deep_copy(w);
	}
	return note("it does not run here now");
}

json_t *flows_now(const char *run_dir, const struct vw_flow *f)
{
	char why[512];
	json_t *status = ask(run_dir, json_pack("{s:s}", "cmd", "status"), why, sizeof(why));
	json_t *now = json_object(), *verdict;

	if (!status) {
		json_object_set_new(now, "note", json_string(why));
		return now;
	}
	json_object_set_new(now, "workload", workload_now(status, &f->workload));
	if (f->peer.n && memchr(f->peer.s, '/', f->peer.n))
		json_object_set_new(now, "peer", workload_now(status, &f->peer));
	json_decref(status);
	if (!f->t.src.family || !f->t.proto)
		return now;
	verdict = verdict_now(run_dir, f, why, sizeof(why));
	json_object_set_new(now, "verdict", verdict ? verdict : note(why));
	return now;
}
