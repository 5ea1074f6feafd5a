/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the runtime reports becomes the world. Which veth belongs to whom is attachments.c's;
 * nothing here touches the kernel. */
#include <string.h>

#include "agent/state.h"
#include "core/attach.h"
#include "vethwall/cleanup.h"

static int known_cmp(const void *key, const void *k)
{
	return strcmp(key, ((const struct known *)k)->id);
}

struct known *vw_agent_known(struct vw_agent *a, const char *id)
{
	if (!a->known.n)
		return NULL;
	return bsearch(id, a->known.v, a->known.n, sizeof(*a->known.v), known_cmp);
}

/* Gets or inserts where it belongs. */
static struct known *known_add(struct vw_agent *a, const char *id)
{
	struct known *k = vw_agent_known(a, id);
	size_t at = a->known.n;

	if (k)
		return k;
	if (vw_vec_push(&a->known, (struct known){.nsid = -1}, VW_WORKLOADS_MAX) < 0)
		return NULL;
	while (at > 0 && strcmp(a->known.v[at - 1].id, id) > 0)
		at--;
	memmove(a->known.v + at + 1, a->known.v + at, (a->known.n - 1 - at) * sizeof(*a->known.v));
	a->known.v[at] = (struct known){.id = strdup(id), .nsid = -1};
	if (a->known.v[at].id)
		return &a->known.v[at];
	a->known.n--;
	memmove(a->known.v + at, a->known.v + at + 1, (a->known.n - at) * sizeof(*a->known.v));
	return NULL;
}

static void known_remove(struct vw_agent *a, struct known *k)
{
	size_t at = (size_t)(k - a->known.v);

	free(k->id);
	a->known.n--;
	memmove(a->known.v + at, a->known.v + at + 1, (a->known.n - at) * sizeof(*a->known.v));
}

static void forget(struct vw_agent *a, const char *id)
{
	struct known *k = vw_agent_known(a, id);

	if (vw_world_remove(&a->world, id))
		vw_agent_dirty(a);
	if (k)
		known_remove(a, k);
}

/* Something that the runtime told could not be taken in: it is to tell again. */
static void lost(struct vw_agent *a)
{
	a->runtime_again = true;
	vw_agent_again(a);
}

/* What cannot be walled is said once, and again when the reason changes. */
static void tell_unenforceable(const struct vw_workload *old, const struct vw_workload *now)
{
	if (!now->unenforceable)
		return;
	if (old && old->unenforceable && !strcmp(old->unenforceable, now->unenforceable))
		return;
	vw_warn("%s/%s is not protected: %s", now->namespace_, now->name, now->unenforceable);
}

static void sink_put(void *arg, struct vw_workload *w, int pid)
{
	struct vw_agent *a = arg;
	struct vw_workload *old = vw_world_find(&a->world, w->id);
	_cleanup_free_ char *id = strdup(w->id);
	struct known *k;
	bool changed = false;
	int r = -ENOMEM;

	tell_unenforceable(old, w);
	if (old)
		vw_attach_keep(old, w);
	k = id ? known_add(a, id) : NULL;
	if (k)
		r = vw_world_put(&a->world, w, &changed);
	if (r < 0) {
		/* Not known means held or walled as before, never open. */
		vw_err("workload %s cannot be taken in: %s", w->id, strerror(-r));
		k = vw_agent_known(a, w->id);
		if (k)
			k->seen = true;
		vw_workload_done(w);
		lost(a);
		return;
	}
	k->seen = true;
	if (k->pid != pid) {
		k->pid = pid;
		k->nsid = -1;
	}
	/* While a file is read again, a veth's old and new owner may both name it: see synced. */
	if (a->by_name && a->runtime_state.syncing)
		return;
	if (vw_agent_attach(a, id) || changed)
		vw_agent_dirty(a);
}

static void sink_gone(void *arg, const char *id)
{
	forget(arg, id);
}

/* A namespace that is listed no more keeps only what every namespace has. */
static void sink_namespaces(void *arg, const struct vw_namespace *v, size_t n)
{
	struct vw_agent *a = arg;

	vw_vec_foreach (ns, &a->world.namespaces) {
		vw_labels_done(&ns->labels);
		if (vw_labels_set(&ns->labels, "kubernetes.io/metadata.name", ns->name) < 0)
			lost(a);
	}
	for (size_t i = 0; i < n; i++) {
		struct vw_namespace *ns;
		int r = vw_world_add_namespace(&a->world, v[i].name, &ns);

		vw_vec_foreach (l, &v[i].labels.list) {
			if (!r)
				r = vw_labels_set(&ns->labels, l->key, l->value);
		}
		if (r < 0) {
			vw_err("labels of namespace %s: %s", v[i].name, strerror(-r));
			lost(a);
		}
	}
	vw_agent_dirty(a);
}

static void network_done(struct vw_network *n)
{
	free(n->name);
	free(n->id);
	free(n->driver);
	*n = (struct vw_network){};
}

static char *copy(const char *s, bool *failed)
{
	char *c = s ? strdup(s) : NULL;

	*failed |= s && !c;
	return c;
}

static int network_add(vw_networks *to, const struct vw_network *from)
{
	bool failed = false;
	struct vw_network n = {.name = copy(from->name, &failed),
			       .id = copy(from->id, &failed),
			       .driver = copy(from->driver, &failed)};
	int r;

	memcpy(n.bridge, from->bridge, sizeof(n.bridge));
	r = failed ? -ENOMEM : vw_vec_push(to, n, VW_NETWORKS_MAX);
	if (r < 0)
		network_done(&n);
	return r;
}

static void networks_done(vw_networks *list)
{
	vw_vec_foreach (n, list) {
		network_done(n);
	}
	vw_vec_done(list);
}

static void sink_networks(void *arg, const struct vw_network *v, size_t n)
{
	struct vw_agent *a = arg;
	vw_networks now = {};
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = network_add(&now, &v[i]);
	if (r < 0) {
		vw_err("networks: %s; those known before stay", strerror(-r));
		networks_done(&now);
		lost(a);
		return;
	}
	networks_done(&a->networks);
	a->networks = now;
	vw_agent_attach_all(a);
	vw_agent_dirty(a);
}

static void sink_begin(void *arg)
{
	struct vw_agent *a = arg;

	a->runtime_state.syncing = true;
	vw_vec_foreach (k, &a->known) {
		k->seen = false;
	}
}

/* Whoever was not reported since begin() is gone. */
static void sink_synced(void *arg)
{
	struct vw_agent *a = arg;

	for (size_t i = a->known.n; i-- > 0;) {
		_cleanup_free_ char *id = NULL;

		if (a->known.v[i].seen)
			continue;
		id = strdup(a->known.v[i].id);
		if (id)
			forget(a, id);
		else
			lost(a);
	}
	a->runtime_state.syncing = false;
	a->runtime_state.synced = true;
	if (a->by_name)
		vw_agent_attach_all(a);
	vw_agent_dirty(a);
}

static void sink_state(void *arg, bool ok, const char *text)
{
	struct vw_agent *a = arg;
	bool news = ok != a->runtime_state.ok || !a->runtime_state.text ||
		    strcmp(a->runtime_state.text, text ? text : "");

	a->runtime_state.ok = ok;
	free(a->runtime_state.text);
	a->runtime_state.text = strdup(text ? text : "");
	if (!news)
		return;
	if (ok)
		vw_info("runtime: %s", text ? text : "connected");
	else
		vw_warn("runtime: %s; what is enforced stays", text ? text : "gone");
}

struct vw_runtime_sink vw_agent_sink(struct vw_agent *a)
{
	return (struct vw_runtime_sink){
		.put = sink_put,
		.gone = sink_gone,
		.namespaces = sink_namespaces,
		.networks = sink_networks,
		.begin = sink_begin,
		.synced = sink_synced,
		.state = sink_state,
		.arg = a,
	};
}

void vw_agent_sink_done(struct vw_agent *a)
{
	networks_done(&a->networks);
	vw_vec_foreach (k, &a->known) {
		free(k->id);
	}
	vw_vec_done(&a->known);
	free(a->runtime_state.text);
}
