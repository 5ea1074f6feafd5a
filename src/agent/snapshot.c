/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The request "snapshot": policies as texts, the world, the settings that decide, and a digest of
 * what was compiled from them, by which the asker can tell that it computes the same. */
#include "agent/snapshot.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/world_json.h"
#include "vethwall/version.h"

#define ID_MAX 256

int vw_agent_node(char ret[static VW_NODE_LEN])
{
	_cleanup_free_ char *id = NULL;
	char text[ID_MAX + 64], digest[VW_DIGEST_LEN];
	struct stat st;
	size_t len;
	int r = vw_file_read("/etc/machine-id", ID_MAX, &id, &len);

	/* A node without an id is another one after each boot. */
	if (r < 0)
		r = vw_file_read("/proc/sys/kernel/random/boot_id", ID_MAX, &id, &len);
	if (r < 0)
		return r;
	if (stat("/proc/self/ns/net", &st) < 0)
		return -errno;
	snprintf(text, sizeof(text), "vethwall node %s %llu", id, (unsigned long long)st.st_ino);
	vw_sha256(text, strlen(text), digest);
	snprintf(ret, VW_NODE_LEN, "%.*s", VW_NODE_LEN - 1, digest);
	return 0;
}

static json_t *config_json(const struct vw_config *c)
{
	return json_pack("{s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "dns_names",
			 (int)c->dns_names, "default_deny", (int)c->default_deny, "live_counters",
			 (int)c->live_counters, "live_max", (json_int_t)c->live_max, "denied_max",
			 (json_int_t)c->denied_max, "tcp_idle_ms", (json_int_t)c->tcp_idle_ms,
			 "other_idle_ms", (json_int_t)c->other_idle_ms, "closing_ms",
			 (json_int_t)c->closing_ms, "nflog_group", (json_int_t)c->nflog_group,
			 "snaplen", (json_int_t)c->snaplen);
}

static json_t *held_json(const struct vw_agent *a)
{
	json_t *list = json_array();

	vw_vec_foreach (h, &a->held) {
		if (json_array_append_new(list, json_pack("{s:I, s:s}", "ifindex",
							  (json_int_t)h->wall.ifindex, "dev",
							  h->wall.dev)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* Where the folder is for somebody who stands elsewhere. */
static json_t *path_json(const char *path)
{
	char full[PATH_MAX];

	return json_string(realpath(path, full) ? full : path);
}

/* What is about to be enforced anyway is, so that policies, world and walls are of one moment. */
static void settle(struct vw_agent *a)
{
	if (a->enforced.failures)
		return;
	if (vw_timer_armed(a->reconcile_timer) || vw_timer_armed(a->learn.apply))
		(void)vw_agent_reconcile(a); /* trusted tells how it went */
}

static const char *not_now(const struct vw_agent *a)
{
	if (!a->runtime_state.synced)
		return "the agent is starting: it has not yet been told what runs";
	if (!a->enforced.trusted)
		return a->enforced.error ? a->enforced.error : "the last change failed";
	return NULL;
}

json_t *vw_agent_snapshot(void *agent, const json_t *request, const struct vw_control_peer *peer)
{
	struct vw_agent *a = agent;
	char node[VW_NODE_LEN], digest[VW_DIGEST_LEN], compiled[17];
	const char *wrong;
	json_t *sources, *world;
	int r;

	(void)request;
	(void)peer;
	settle(a);
	wrong = not_now(a);
	if (wrong)
		return vw_control_error("%s", wrong);
	r = vw_agent_node(node);
	if (r < 0)
		return vw_control_error("the node's identity: %s", strerror(-r));
	sources = vw_sources_json(&a->sources);
	vw_refused_hide(a);
	world = vw_world_json(&a->world);
	vw_refused_show(a);
	if (!sources || !world) {
		json_decref(sources);
		json_decref(world);
		return vw_control_error("out of memory, or a name or label is not UTF-8");
	}
	vw_sources_digest(&a->sources, digest);
	snprintf(compiled, sizeof(compiled), "%016llx",
		 (unsigned long long)vw_compiled_digest(&a->enforced.now));
	return json_pack("{s:b, s:s, s:s, s:i, s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:s, s:b, s:o, "
			 "s:o}",
			 "ok", 1, "version", vw_version, "node", node, "generation",
			 (int)a->policies_state.generation, "digest", digest, "audit",
			 (int)a->policies.audit, "audit_always", (int)a->s->audit, "config",
			 config_json(&a->s->config), "held", held_json(a), "sources", sources,
			 "world", world, "compiled", compiled, "ready", (int)a->enforced.ready,
			 "policies", path_json(a->s->policies), "log_dir",
			 path_json(a->s->log_dir));
}
