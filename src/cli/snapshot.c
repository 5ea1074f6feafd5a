/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's answer to "snapshot", read with the same parsers as files. */
#include "cli/snapshot.h"

#include <string.h>

#include "cli/control_client.h"
#include "vethwall/cleanup.h"
#include "vethwall/world_json.h"
#include "vethwall/version.h"

#define HELD_MAX 65536

void vw_snapshot_done(struct vw_snapshot *s)
{
	vw_compiled_done(&s->compiled);
	vw_policyset_done(&s->set);
	vw_sources_done(&s->sources);
	vw_world_done(&s->world);
	vw_vec_done(&s->held);
	free(s->version);
	free(s->policies);
	free(s->log_dir);
	*s = (struct vw_snapshot){0};
}

/* An answer that says "ok", or words in d. */
static int ask(const char *run_dir, json_t **ret, struct vw_diag *d)
{
	json_auto_t *request = json_pack("{s:s}", "cmd", "snapshot"), *answer = NULL;
	const char *error;
	int r = request ? vw_control_ask(run_dir, request, &answer, d) : -ENOMEM;

	if (r < 0)
		return r;
	if (json_is_true(json_object_get(answer, "ok"))) {
		*ret = TAKE_PTR(answer);
		return 0;
	}
	error = json_string_value(json_object_get(answer, "error"));
	vw_error(d, NULL, "the agent cannot tell what it enforces: %.400s",
		 error ? error : "no reason given");
	return -EAGAIN;
}

static bool number(const json_t *o, const char *key, uint32_t max, uint32_t *ret)
{
	const json_t *v = json_object_get(o, key);
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 0 || n > max)
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool read_config(const json_t *o, struct vw_config *ret)
{
	uint32_t group = 0, snaplen = 0;

	if (!number(o, "live_max", UINT32_MAX, &ret->live_max) ||
	    !number(o, "denied_max", UINT32_MAX, &ret->denied_max) ||
	    !number(o, "tcp_idle_ms", UINT32_MAX, &ret->tcp_idle_ms) ||
	    !number(o, "other_idle_ms", UINT32_MAX, &ret->other_idle_ms) ||
	    !number(o, "closing_ms", UINT32_MAX, &ret->closing_ms) ||
	    !number(o, "nflog_group", UINT16_MAX, &group) ||
	    !number(o, "snaplen", UINT16_MAX, &snaplen))
		return false;
	ret->nflog_group = (uint16_t)group;
	ret->snaplen = (uint16_t)snaplen;
	ret->default_deny = json_is_true(json_object_get(o, "default_deny"));
	ret->live_counters = json_is_true(json_object_get(o, "live_counters"));
	ret->dns_names = json_is_true(json_object_get(o, "dns_names"));
	return json_is_boolean(json_object_get(o, "default_deny")) &&
	       json_is_boolean(json_object_get(o, "live_counters"));
}

static int read_held(const json_t *list, struct vw_snapshot *s)
{
	const json_t *o;
	size_t i;
	int r = json_is_array(list) ? 0 : -EPROTO;

	json_array_foreach (list, i, o) {
		const char *dev = json_string_value(json_object_get(o, "dev"));
		struct vw_held h = {0};
		uint32_t ifindex = 0;

		if (!dev || strlen(dev) >= sizeof(h.dev) ||
		    !number(o, "ifindex", INT32_MAX, &ifindex))
			return -EPROTO;
		h.ifindex = ifindex;
		memcpy(h.dev, dev, strlen(dev) + 1);
		if (!r)
			r = vw_vec_push(&s->held, h, HELD_MAX);
	}
	return r;
}

static bool read_text(const json_t *o, const char *key, char **ret)
{
	const char *s = json_string_value(json_object_get(o, key));

	*ret = s ? strdup(s) : NULL;
	return *ret;
}

static int read_world(const json_t *o, struct vw_world *ret, struct vw_diag *d)
{
	_cleanup_free_ char *text = vw_world_text(o);

	return text ? vw_world_parse(text, strlen(text), "the agent's world", ret, d) : -ENOMEM;
}

static int read_all(const json_t *o, struct vw_snapshot *s, struct vw_diag *d)
{
	const char *node = json_string_value(json_object_get(o, "node"));
	int r;

	if (!node || strlen(node) != VW_NODE_LEN - 1 || !read_text(o, "version", &s->version) ||
	    !read_text(o, "policies", &s->policies) || !read_text(o, "log_dir", &s->log_dir) ||
	    !read_config(json_object_get(o, "config"), &s->config))
		return -EPROTO;
	memcpy(s->node, node, VW_NODE_LEN);
	s->audit_always = json_is_true(json_object_get(o, "audit_always"));
	r = read_held(json_object_get(o, "held"), s);
	if (!r)
		r = vw_sources_from_json(json_object_get(o, "sources"), &s->sources);
	if (!r)
		r = vw_sources_parse(&s->sources, &s->set, d);
	if (!r && json_is_true(json_object_get(o, "audit")))
		vw_policyset_audit(&s->set);
	if (!r)
		r = read_world(json_object_get(o, "world"), &s->world, d);
	if (r)
		return r;
	vw_sources_digest(&s->sources, s->digest);
	return vw_compile(&s->set, &s->world, s->held.v, s->held.n, &s->config, &s->compiled, d);
}

static bool same(const json_t *o, const struct vw_snapshot *s)
{
	const char *theirs = json_string_value(json_object_get(o, "compiled"));
	char ours[17];

	snprintf(ours, sizeof(ours), "%016llx",
		 (unsigned long long)vw_compiled_digest(&s->compiled));
	return theirs && strcmp(theirs, ours) == 0;
}

/* Which of the two sides is another vethwall is what an operator can act on. */
static int contradiction(const json_t *o, struct vw_diag *d)
{
	const char *version = json_string_value(json_object_get(o, "version"));

	vw_error(d, NULL,
		 "what this vethwall (%s) computes from the agent's state is not what the agent "
		 "(%.60s) enforces; use the vethwall that the agent runs",
		 vw_version, version ? version : "unknown");
	return -EPROTO;
}

int vw_snapshot_ask(const char *run_dir, struct vw_snapshot *ret, struct vw_diag *d)
{
	_cleanup_(vw_snapshot_done) struct vw_snapshot s = {0};
	json_auto_t *answer = NULL;
	int r = ask(run_dir, &answer, d);

	if (r < 0)
		return r;
	r = read_all(answer, &s, d);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || !same(answer, &s))
		return contradiction(answer, d);
	*ret = s;
	s = (struct vw_snapshot){0};
	return 0;
}

int vw_snapshot_world(const char *run_dir, char **ret, struct vw_diag *d)
{
	json_auto_t *answer = NULL;
	int r = ask(run_dir, &answer, d);

	if (r < 0)
		return r;
	*ret = vw_world_text(json_object_get(answer, "world"));
	return *ret ? 0 : -ENOMEM;
}
