/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single containers of the Docker runtime. Two ways lead to a container's facts: the network and
 * the filtered list, which answer at once even while it starts, and inspect, which knows the pid
 * and the published ports but waits for the start to end. Every put without a pid is followed by an
 * inspect. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/docker_state.h"
#include "vethwall/cleanup.h"

#define INSPECTS_MAX 16 /* at a time; a start keeps one waiting for half a second */

struct vw_docker_ct *vw_docker_ct_find(const struct vw_docker *d, const char *id)
{
	vw_vec_foreach (ct, &d->cts)
		if (!strcmp((*ct)->id, id))
			return *ct;
	return NULL;
}

struct vw_docker_ct *vw_docker_ct_get(struct vw_docker *d, const char *id)
{
	struct vw_docker_ct *ct = vw_docker_ct_find(d, id);
	int r;

	if (ct)
		return ct;
	ct = calloc(1, sizeof(*ct));
	r = ct ? vw_vec_push(&d->cts, ct, VW_WORKLOADS_MAX) : -ENOMEM;
	if (r) {
		free(ct);
		vw_docker_fail(d, "container %.12s: %s", id, strerror(-r));
		return NULL;
	}
	strcpy(ct->id, id);
	ct->epoch = ++d->epoch;
	return ct;
}

static void ct_free(struct vw_docker_ct *ct)
{
	vw_docker_container_done(&ct->c);
	free(ct);
}

void vw_docker_ct_clear(struct vw_docker *d)
{
	vw_vec_foreach (ct, &d->cts)
		ct_free(*ct);
	vw_vec_done(&d->cts);
}

void vw_docker_ct_gone(struct vw_docker *d, struct vw_docker_ct *ct)
{
	for (size_t i = 0; i < d->cts.n; i++)
		if (d->cts.v[i] == ct) {
			d->cts.v[i] = d->cts.v[--d->cts.n];
			break;
		}
	if (ct->put)
		d->sink->gone(d->sink->arg, ct->id);
	ct_free(ct);
	vw_docker_check_synced(d);
}

void vw_docker_ct_put(struct vw_docker *d, struct vw_docker_ct *ct, struct vw_docker_container *c)
{
	const char *with = vw_docker_shared_with(c);
	const struct vw_docker_ct *other = with ? vw_docker_ct_find(d, with) : NULL;
	struct vw_workload copy = {};
	int r = vw_docker_judge(c, d->networks.list.v, d->networks.list.n,
				other ? other->c.w.name : NULL);

	if (!r)
		r = vw_workload_copy(&c->w, &copy);
	if (r) {
		vw_docker_container_done(c);
		vw_docker_fail(d, "container %.12s: %s", ct->id, strerror(-r));
		return;
	}
	vw_docker_container_done(&ct->c);
	ct->c = *c;
	*c = (struct vw_docker_container){};
	ct->put = true;
	d->sink->put(d->sink->arg, &copy, ct->c.pid);
}

/* A question about one life of one container. */
struct question {
	struct vw_docker *d;
	char id[VW_DOCKER_ID_LEN];
	uint64_t epoch;
};

/* The container it was about, if that still lives. */
static struct vw_docker_ct *subject(const struct question *q)
{
	struct vw_docker_ct *ct = vw_docker_ct_find(q->d, q->id);

	return ct && ct->epoch == q->epoch ? ct : NULL;
}

/* Not running: over, unless it is only about to start. */
static void not_running(struct vw_docker *d, struct vw_docker_ct *ct)
{
	ct->sync = false;
	if (ct->put && !ct->c.pid && ct->c.w.ifaces.n)
		return;
	vw_docker_ct_gone(d, ct);
}

static void take_inspected(struct vw_docker *d, struct vw_docker_ct *ct,
			   const struct vw_http_answer *a)
{
	_cleanup_(vw_docker_container_done) struct vw_docker_container c = {};
	int r;

	if (!a->err && a->status == 404) {
		vw_docker_ct_gone(d, ct);
		return;
	}
	if (a->err == -ETIMEDOUT) {
		/* One that hangs must not keep the others from being synced, and is not gone. */
		if (!ct->put) {
			c = ct->c;
			ct->c = (struct vw_docker_container){};
			vw_docker_ct_put(d, ct, &c);
		}
		ct->wanted = true;
		ct->sync = false;
		return;
	}
	if (!vw_docker_answer_ok(d, a, "inspecting a container"))
		return;
	r = vw_docker_inspect_parse(a->body, a->len, &c);
	if (r || strcmp(c.w.id, ct->id)) {
		vw_docker_fail(d, "container %.12s: %s", ct->id,
			       r == -ENOMEM ? strerror(ENOMEM) : "not the answer of a Docker API");
		return;
	}
	if (!c.running) {
		not_running(d, ct);
		return;
	}
	ct->sync = false;
	vw_docker_ct_put(d, ct, &c);
}

static void on_inspected(const struct vw_http_answer *a, void *arg)
{
	_cleanup_free_ struct question *q = arg;
	struct vw_docker_ct *ct;

	if (a->err == -ECANCELED)
		return;
	q->d->inspects--;
	ct = subject(q);
	if (ct) {
		ct->inspecting = false;
		take_inspected(q->d, ct, a);
	}
	vw_docker_ct_inspect(q->d);
	vw_docker_check_synced(q->d);
}

/* Sends a question about ct; done() gets a struct question to free. */
static void inspect(struct vw_docker *d, struct vw_docker_ct *ct)
{
	struct question *q = calloc(1, sizeof(*q));
	char path[VW_DOCKER_ID_LEN + 32];
	struct vw_http_get get = {.path = path,
				  .max = VW_DOCKER_INSPECT_BYTES,
				  .timeout_ms = ct->sync ? VW_DOCKER_LIST_MS : VW_DOCKER_INSPECT_MS,
				  .done = on_inspected,
				  .arg = q};

	snprintf(path, sizeof(path), "/containers/%s/json", ct->id);
	if (q) {
		*q = (struct question){.d = d, .epoch = ct->epoch};
		strcpy(q->id, ct->id);
	}
	if (!q || vw_http_get(d->http, &get)) {
		free(q);
		vw_docker_fail(d, "%s", strerror(ENOMEM));
		return;
	}
	ct->wanted = false;
	ct->inspecting = true;
	d->inspects++;
}

void vw_docker_ct_inspect(struct vw_docker *d)
{
	for (size_t i = 0; i < d->cts.n && d->inspects < INSPECTS_MAX && !d->failing; i++)
		if (d->cts.v[i]->wanted && !d->cts.v[i]->inspecting)
			inspect(d, d->cts.v[i]);
}

void vw_docker_ct_want(struct vw_docker *d, struct vw_docker_ct *ct)
{
	ct->wanted = true;
	vw_docker_ct_inspect(d);
}

int vw_docker_ct_join(struct vw_docker_container *c, struct vw_iface *i)
{
	int r;

	vw_vec_foreach (o, &c->w.ifaces)
		if (!strcmp(o->network, i->network)) {
			vw_iface_done(o);
			*o = *i;
			*i = (struct vw_iface){};
			return 0;
		}
	r = vw_vec_push(&c->w.ifaces, *i, VW_IFACES_MAX);
	if (r == -ENOMEM)
		return r;
	if (!r)
		*i = (struct vw_iface){};
	return 0;
}

/* The two questions at a connection, and what they have brought so far. */
struct join {
	struct question q;
	char network[VW_DOCKER_ID_LEN];
	unsigned pending;
	bool have_list, have_network;
	struct vw_docker_containers list;
	struct vw_network net;
	struct vw_docker_endpoints endpoints;
};

static void join_free(struct join *j)
{
	vw_docker_containers_done(&j->list);
	vw_docker_endpoints_done(&j->endpoints);
	vw_network_done(&j->net);
	free(j);
}

/* A network that is not among the known ones was made just now. */
static int learn_network(struct vw_docker *d, struct vw_network *net)
{
	int r;

	vw_vec_foreach (n, &d->networks.list)
		if (!strcmp(n->id, net->id))
			return 0;
	r = vw_vec_push(&d->networks.list, *net, VW_DOCKER_NETWORKS_MAX);
	if (r)
		return r == -ENOSPC ? 0 : r;
	*net = (struct vw_network){};
	vw_docker_tell_networks(d);
	return 0;
}

/* The facts so far: the list's, then where it was on networks before, then its new place. */
static int join_merge(struct join *j, const struct vw_docker_ct *ct, struct vw_docker_container *c)
{
	struct vw_workload old = {};
	int r = vw_workload_copy(&ct->c.w, &old);

	for (size_t i = 0; !r && i < old.ifaces.n; i++) {
		bool listed = false;

		vw_vec_foreach (n, &c->w.ifaces)
			listed |= !strcmp(n->network, old.ifaces.v[i].network);
		if (!listed)
			r = vw_docker_ct_join(c, &old.ifaces.v[i]);
	}
	vw_workload_done(&old);
	vw_vec_foreach (e, &j->endpoints.list)
		if (!r && !strcmp(e->container, j->q.id))
			r = vw_docker_ct_join(c, &e->iface);
	c->pid = c->running ? ct->c.pid : 0;
	return r;
}

static void join_finish(struct join *j)
{
	struct vw_docker *d = j->q.d;
	struct vw_docker_ct *ct = subject(&j->q);
	int r;

	if (d->failing || !ct)
		return;
	r = j->have_network ? learn_network(d, &j->net) : 0;
	/* The list may have lost it already; then inspect tells. */
	if (!r && j->have_list && j->list.list.n == 1 && !strcmp(j->list.list.v[0].w.id, ct->id)) {
		r = join_merge(j, ct, &j->list.list.v[0]);
		if (!r)
			vw_docker_ct_put(d, ct, &j->list.list.v[0]);
	}
	if (r)
		vw_docker_fail(d, "%s", strerror(-r));
	else
		vw_docker_ct_want(d, ct);
}

/* One of the two has answered. */
static void join_step(struct join *j, const struct vw_http_answer *a)
{
	if (--j->pending)
		return;
	if (a->err != -ECANCELED)
		join_finish(j);
	join_free(j);
}

static void on_join_network(const struct vw_http_answer *a, void *arg)
{
	struct join *j = arg;
	struct vw_docker *d = j->q.d;

	if (a->err != -ECANCELED && (a->err || a->status != 404) &&
	    vw_docker_answer_ok(d, a, "asking for a network")) {
		if (vw_docker_network_parse(a->body, a->len, &j->net, &j->endpoints))
			vw_docker_fail(d, "network %.12s: not the answer of a Docker API",
				       j->network);
		else
			j->have_network = true;
	}
	join_step(j, a);
}

static void on_join_list(const struct vw_http_answer *a, void *arg)
{
	struct join *j = arg;
	struct vw_docker *d = j->q.d;

	if (a->err != -ECANCELED && vw_docker_answer_ok(d, a, "listing a container")) {
		if (vw_docker_list_parse(a->body, a->len, &j->list))
			vw_docker_fail(d, "container %.12s: not the answer of a Docker API",
				       j->q.id);
		else
			j->have_list = true;
	}
	join_step(j, a);
}

static int join_ask(struct join *j, const char *path, size_t max,
		    void (*done)(const struct vw_http_answer *a, void *arg))
{
	const struct vw_http_get get = {
		.path = path, .max = max, .timeout_ms = VW_DOCKER_LIST_MS, .done = done, .arg = j};
	int r = vw_http_get(j->q.d->http, &get);

	if (!r)
		j->pending++;
	return r;
}

void vw_docker_ct_connect(struct vw_docker *d, const char *id, const char *network)
{
	struct vw_docker_ct *ct = vw_docker_ct_get(d, id);
	struct join *j = ct ? calloc(1, sizeof(*j)) : NULL;
	char path[VW_DOCKER_ID_LEN + 128];
	int r;

	if (!ct)
		return;
	if (!j) {
		vw_docker_fail(d, "%s", strerror(ENOMEM));
		return;
	}
	j->q = (struct question){.d = d, .epoch = ct->epoch};
	strcpy(j->q.id, id);
	strcpy(j->network, network);
	snprintf(path, sizeof(path), "/networks/%s", network);
	r = join_ask(j, path, VW_DOCKER_LIST_BYTES, on_join_network);
	/* {"id":["ID"]} */
	snprintf(path, sizeof(path),
		 "/containers/json?all=1&filters=%%7B%%22id%%22%%3A%%5B%%22%s%%22%%5D%%7D", id);
	if (!r)
		r = join_ask(j, path, VW_DOCKER_INSPECT_BYTES, on_join_list);
	if (r)
		vw_docker_fail(d, "%s", strerror(-r));
	if (!j->pending)
		join_free(j);
}

void vw_docker_ct_disconnect(struct vw_docker *d, struct vw_docker_ct *ct, const char *network_name)
{
	_cleanup_(vw_docker_container_done) struct vw_docker_container c = {
		.pid = ct->c.pid, .running = ct->c.running};
	size_t n = 0;

	if (!ct->put)
		return;
	c.mode = ct->c.mode ? strdup(ct->c.mode) : NULL;
	if ((ct->c.mode && !c.mode) || vw_workload_copy(&ct->c.w, &c.w)) {
		vw_docker_fail(d, "%s", strerror(ENOMEM));
		return;
	}
	for (size_t i = 0; i < c.w.ifaces.n; i++) {
		if (strcmp(c.w.ifaces.v[i].network, network_name))
			c.w.ifaces.v[n++] = c.w.ifaces.v[i];
		else
			vw_iface_done(&c.w.ifaces.v[i]);
	}
	c.w.ifaces.n = n;
	if (!n && !c.pid && !c.running) { /* its start has failed */
		vw_docker_ct_gone(d, ct);
		return;
	}
	vw_docker_ct_put(d, ct, &c);
	vw_docker_ct_want(d, ct);
}
