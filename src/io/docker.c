/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Docker runtime: one stream of events, opened first, then everything is read once, then events
 * lead. What is lost with a connection is made good by reading everything again. Only GET requests,
 * all of them asynchronous: an API that hangs stops no timer and no packet. It decides nothing. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "io/docker_state.h"
#include "vethwall/cleanup.h"
#include "vethwall/loop.h"

#define EVENT_BYTES (1u << 20)
#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 5000
#define HEARTBEAT_MS 30000 /* a stream of a stopped daemon is silent, not broken */

static void connect_engine(struct vw_docker *d);
static void ask_next_network(struct vw_docker *d);

/* Teardown waits for the timer: we may be inside a callback of what is to be torn down. */
void vw_docker_fail(struct vw_docker *d, const char *fmt, ...)
{
	va_list ap;

	if (d->failing)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(d->why, sizeof(d->why), fmt, ap);
	va_end(ap);
	d->failing = true;
	vw_timer_arm(d->timer, 0);
}

bool vw_docker_answer_ok(struct vw_docker *d, const struct vw_http_answer *a, const char *what)
{
	if (a->err == -ECANCELED)
		return false;
	if (a->err)
		vw_docker_fail(d, "%s: %s: %s", d->socket, what, a->why);
	else if (a->status != 200)
		vw_docker_fail(d, "%s: %s: HTTP status %ld", d->socket, what, a->status);
	return !d->failing;
}

static void forget_lists(struct vw_docker *d)
{
	vw_docker_containers_done(&d->list);
	vw_docker_endpoints_done(&d->endpoints);
	vw_vec_foreach (id, &d->ended)
		free(*id);
	vw_vec_done(&d->ended);
	d->have_networks = d->have_list = false;
	d->next_network = 0;
}

static void disconnect_engine(struct vw_docker *d)
{
	vw_http_cancel(d->http);
	vw_docker_ct_clear(d);
	forget_lists(d);
	d->inspects = 0;
	d->networks_asked = d->networks_again = false;
	d->phase = VW_DOCKER_DOWN;
}

static void on_pong(const struct vw_http_answer *a, void *arg)
{
	(void)vw_docker_answer_ok(arg, a, "heartbeat");
}

static void get(struct vw_docker *d, const char *path, size_t max,
		void (*done)(const struct vw_http_answer *a, void *arg))
{
	const struct vw_http_get g = {
		.path = path, .max = max, .timeout_ms = VW_DOCKER_LIST_MS, .done = done, .arg = d};

	if (vw_http_get(d->http, &g))
		vw_docker_fail(d, "%s", strerror(ENOMEM));
}

static void on_timer(void *arg)
{
	struct vw_docker *d = arg;

	if (d->failing) {
		disconnect_engine(d);
		d->failing = false;
		vw_timer_arm(d->timer, d->backoff_ms);
		d->backoff_ms *= 2;
		if (d->backoff_ms > BACKOFF_MAX_MS)
			d->backoff_ms = BACKOFF_MAX_MS;
		d->sink->state(d->sink->arg, false, d->why);
	} else if (d->phase == VW_DOCKER_DOWN) {
		connect_engine(d);
	} else if (d->phase == VW_DOCKER_OPENING) {
		vw_docker_fail(d, "%s: no answer to the request for events", d->socket);
	} else {
		vw_timer_arm(d->timer, HEARTBEAT_MS);
		get(d, "/_ping", 4096, on_pong);
	}
}

void vw_docker_tell_networks(struct vw_docker *d)
{
	d->sink->networks(d->sink->arg, d->networks.list.v, d->networks.list.n);
}

void vw_docker_check_synced(struct vw_docker *d)
{
	char text[sizeof(d->why)];

	if (d->phase != VW_DOCKER_SYNCING || d->failing)
		return;
	vw_vec_foreach (ct, &d->cts)
		if ((*ct)->sync)
			return;
	d->phase = VW_DOCKER_UP;
	d->backoff_ms = BACKOFF_MIN_MS;
	snprintf(text, sizeof(text), "following %s", d->socket);
	d->sink->synced(d->sink->arg);
	d->sink->state(d->sink->arg, true, text);
}

static bool has_ended(const struct vw_docker *d, const char *id)
{
	vw_vec_foreach (e, &d->ended)
		if (!strcmp(*e, id))
			return true;
	return false;
}

/* One of the list: what runs is inspected before it is put, what is about to start (it is on a
 * network already) is put as it is. */
static void take_listed(struct vw_docker *d, struct vw_docker_container *c)
{
	struct vw_docker_ct *ct;
	bool joined = false;

	if (has_ended(d, c->w.id))
		return;
	vw_vec_foreach (e, &d->endpoints.list) {
		if (strcmp(e->container, c->w.id))
			continue;
		joined = true;
		if (vw_docker_ct_join(c, &e->iface)) {
			vw_docker_fail(d, "%s", strerror(ENOMEM));
			return;
		}
	}
	if (!c->running && !joined)
		return;
	ct = vw_docker_ct_get(d, c->w.id);
	if (!ct)
		return;
	ct->wanted = true;
	ct->sync = c->running;
	/* Its connection was followed already, that is newer. */
	if (ct->put)
		return;
	if (!c->running) {
		vw_docker_ct_put(d, ct, c);
		return;
	}
	/* Others may share its namespace and ask for its name. */
	vw_docker_container_done(&ct->c);
	ct->c = *c;
	*c = (struct vw_docker_container){};
}

static void finish_listing(struct vw_docker *d)
{
	d->phase = VW_DOCKER_SYNCING;
	vw_vec_foreach (c, &d->list.list)
		if (!d->failing)
			take_listed(d, c);
	forget_lists(d);
	if (d->failing)
		return;
	vw_docker_ct_inspect(d);
	vw_docker_check_synced(d);
}

static void on_network(const struct vw_http_answer *a, void *arg)
{
	struct vw_docker *d = arg;
	struct vw_docker_endpoints e = {};
	int r = 0;

	/* 404: removed since the list */
	if (a->err == -ECANCELED ||
	    ((a->err || a->status != 404) && !vw_docker_answer_ok(d, a, "asking for a network")))
		return;
	if (a->status != 404)
		r = vw_docker_network_parse(a->body, a->len, NULL, &e);
	for (size_t i = 0; !r && i < e.list.n; i++) {
		r = vw_vec_push(&d->endpoints.list, e.list.v[i], VW_DOCKER_CONTAINERS_MAX);
		if (!r)
			e.list.v[i].iface = (struct vw_iface){};
	}
	vw_docker_endpoints_done(&e);
	if (r)
		vw_docker_fail(d, "%s: not a Docker API's network", d->socket);
	else
		ask_next_network(d);
}

/* Network by network, who is on it; then all is known. */
static void ask_next_network(struct vw_docker *d)
{
	char path[VW_DOCKER_ID_LEN + 32];

	if (d->failing || d->phase != VW_DOCKER_LISTING || !d->have_networks || !d->have_list)
		return;
	if (d->next_network >= d->networks.list.n) {
		finish_listing(d);
		return;
	}
	snprintf(path, sizeof(path), "/networks/%s", d->networks.list.v[d->next_network++].id);
	get(d, path, VW_DOCKER_LIST_BYTES, on_network);
}

static void on_list(const struct vw_http_answer *a, void *arg)
{
	struct vw_docker *d = arg;

	if (!vw_docker_answer_ok(d, a, "listing containers"))
		return;
	if (vw_docker_list_parse(a->body, a->len, &d->list)) {
		vw_docker_fail(d, "%s: not a Docker API's list of containers", d->socket);
		return;
	}
	d->have_list = true;
	ask_next_network(d);
}

static void on_networks(const struct vw_http_answer *a, void *arg)
{
	struct vw_docker *d = arg;
	struct vw_docker_networks now = {};

	if (!vw_docker_answer_ok(d, a, "listing networks"))
		return;
	if (vw_docker_networks_parse(a->body, a->len, &now)) {
		vw_docker_fail(d, "%s: not a Docker API's list of networks", d->socket);
		return;
	}
	vw_docker_networks_done(&d->networks);
	d->networks = now;
	d->networks_asked = false;
	vw_docker_tell_networks(d);
	if (d->networks_again) {
		d->networks_again = false;
		vw_docker_ask_networks(d);
	}
	if (!d->have_networks && d->phase == VW_DOCKER_LISTING) {
		d->have_networks = true;
		ask_next_network(d);
	}
}

void vw_docker_ask_networks(struct vw_docker *d)
{
	if (d->networks_asked) {
		d->networks_again = true;
		return;
	}
	d->networks_asked = true;
	get(d, "/networks", VW_DOCKER_LIST_BYTES, on_networks);
}

static void on_ended(struct vw_docker *d, const char *id)
{
	struct vw_docker_ct *ct = vw_docker_ct_find(d, id);
	char *copy;

	if (d->phase == VW_DOCKER_LISTING) {
		copy = strdup(id);
		if (!copy || vw_vec_push(&d->ended, copy, VW_WORKLOADS_MAX)) {
			free(copy);
			vw_docker_fail(d, "too many containers ended while they were listed");
			return;
		}
	}
	if (ct)
		vw_docker_ct_gone(d, ct);
}

static void on_event(struct vw_docker *d, const struct vw_docker_event *e)
{
	struct vw_docker_ct *ct = e->container[0] ? vw_docker_ct_find(d, e->container) : NULL;

	switch (e->action) {
	case VW_DOCKER_CONNECT:
		if (e->network[0])
			vw_docker_ct_connect(d, e->container, e->network);
		break;
	case VW_DOCKER_DISCONNECT:
		if (ct)
			vw_docker_ct_disconnect(d, ct, e->network_name);
		break;
	case VW_DOCKER_STARTED:
		ct = vw_docker_ct_get(d, e->container);
		if (ct)
			vw_docker_ct_want(d, ct);
		break;
	case VW_DOCKER_CHANGED:
		if (ct)
			vw_docker_ct_want(d, ct);
		break;
	case VW_DOCKER_ENDED:
		on_ended(d, e->container);
		break;
	case VW_DOCKER_NETWORKS:
		vw_docker_ask_networks(d);
		break;
	case VW_DOCKER_IGNORE:
		break;
	}
}

static void on_line(const char *text, size_t len, void *arg)
{
	struct vw_docker *d = arg;
	struct vw_docker_event e;

	if (d->failing)
		return;
	if (vw_docker_event_parse(text, len, &e))
		vw_docker_fail(d, "%s: not a Docker API's event", d->socket);
	else
		on_event(d, &e);
}

/* From here on nothing is missed: what the lists do not have yet comes as an event. */
static void on_opened(void *arg)
{
	struct vw_docker *d = arg;

	d->phase = VW_DOCKER_LISTING;
	vw_timer_arm(d->timer, HEARTBEAT_MS);
	d->sink->begin(d->sink->arg);
	vw_docker_ask_networks(d);
	get(d, "/containers/json?all=1", VW_DOCKER_LIST_BYTES, on_list);
}

static void on_stream_end(const struct vw_http_answer *a, void *arg)
{
	if (vw_docker_answer_ok(arg, a, "following events"))
		vw_docker_fail(arg, "%s: the stream of events has ended",
			       ((struct vw_docker *)arg)->socket);
}

static void connect_engine(struct vw_docker *d)
{
	/* filters={"type":["container","network"]} */
	const struct vw_http_get g = {.path = "/events?filters=%7B%22type%22%3A%5B%22container%22"
					      "%2C%22network%22%5D%7D",
				      .max = EVENT_BYTES,
				      .opened = on_opened,
				      .line = on_line,
				      .done = on_stream_end,
				      .arg = d};

	d->phase = VW_DOCKER_OPENING;
	vw_timer_arm(d->timer, VW_DOCKER_LIST_MS);
	if (vw_http_get(d->http, &g))
		vw_docker_fail(d, "%s", strerror(ENOMEM));
}

static void docker_again(struct vw_runtime *r)
{
	vw_docker_fail((struct vw_docker *)r,
		       "what was reported could not be taken in: asking anew");
}

static void docker_free(struct vw_runtime *r)
{
	struct vw_docker *d = (struct vw_docker *)r;

	if (d->http)
		disconnect_engine(d);
	vw_http_free(&d->http);
	vw_timer_free(&d->timer);
	vw_docker_networks_done(&d->networks);
	free(d->socket);
	free(d);
}

static const struct vw_runtime_ops docker_ops = {
	.name = "docker", .again = docker_again, .free = docker_free};

int vw_docker_open(struct vw_loop *loop, const char *socket, const struct vw_runtime_sink *sink,
		   struct vw_runtime **ret, struct vw_diag *diag)
{
	struct vw_docker *d;
	int r;

	if (strlen(socket) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		vw_error(diag, NULL, "the path of the Docker socket is too long: %s", socket);
		return -ENAMETOOLONG;
	}
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->runtime.ops = &docker_ops;
	d->sink_copy = *sink;
	d->sink = &d->sink_copy;
	d->backoff_ms = BACKOFF_MIN_MS;
	d->socket = strdup(socket);
	r = d->socket ? vw_http_new(loop, socket, &d->http) : -ENOMEM;
	if (!r)
		r = vw_timer_new(loop, on_timer, d, &d->timer);
	if (r) {
		docker_free(&d->runtime);
		return r;
	}
	vw_timer_arm(d->timer, 0);
	*ret = &d->runtime;
	return 0;
}
