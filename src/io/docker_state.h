/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the Docker runtime share: docker.c connects and reads everything, docker_ct.c
 * follows single containers. */
#ifndef VETHWALL_IO_DOCKER_STATE_H
#define VETHWALL_IO_DOCKER_STATE_H

#include <stdint.h>

#include "codec/docker_json.h"
#include "io/docker_http.h"
#include "vethwall/runtime.h"

#define VW_DOCKER_LIST_BYTES (64u << 20) /* a list: 16,384 containers of 4 KiB */
#define VW_DOCKER_INSPECT_BYTES (16u << 20) /* one container or one small list */
#define VW_DOCKER_LIST_MS 10000
#define VW_DOCKER_INSPECT_MS 60000 /* it waits for the container's start */

/* A container that exists for us: starting or running. */
struct vw_docker_ct {
	struct vw_docker_container c; /* as last put; c.w.name is NULL before that */
	char id[VW_DOCKER_ID_LEN];
	uint64_t epoch; /* answers to questions about an earlier life are not for this one */
	bool put; /* the sink has it */
	bool wanted; /* to be inspected, or once more */
	bool inspecting;
	bool sync; /* synced() waits for it */
};

enum vw_docker_phase {
	VW_DOCKER_DOWN, /* waiting to connect again */
	VW_DOCKER_OPENING, /* asked for events */
	VW_DOCKER_LISTING, /* events flow; reading lists and networks */
	VW_DOCKER_SYNCING, /* inspecting what runs */
	VW_DOCKER_UP,
};

struct vw_docker {
	struct vw_runtime runtime; /* first: what the world sees */
	const struct vw_runtime_sink *sink;
	struct vw_http *http;
	struct vw_timer *timer; /* by phase: reconnect, watchdog, heartbeat */
	char *socket;
	enum vw_docker_phase phase;
	int64_t backoff_ms;
	bool failing;
	char why[512];
	uint64_t epoch;
	unsigned inspects; /* under way */
	bool networks_asked, networks_again; /* a list of networks is under way, and out of date */
	struct vw_docker_networks networks;
	VW_VEC(struct vw_docker_ct *) cts;
	/* While listing: */
	bool have_networks, have_list;
	size_t next_network;
	struct vw_docker_containers list;
	struct vw_docker_endpoints endpoints;
	VW_VEC(char *) ended; /* what ended meanwhile: the list may be older */
	struct vw_runtime_sink sink_copy;
};

/* docker.c: drops the connection, from the loop, and tries again later. */
void vw_docker_fail(struct vw_docker *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Fails when the answer is not a good one; true: it is. What it answers is for the words. */
bool vw_docker_answer_ok(struct vw_docker *d, const struct vw_http_answer *a, const char *what);
void vw_docker_ask_networks(struct vw_docker *d);
void vw_docker_tell_networks(struct vw_docker *d);
/* Ends the sync when nothing is left to wait for. */
void vw_docker_check_synced(struct vw_docker *d);

/* docker_ct.c */
struct vw_docker_ct *vw_docker_ct_find(const struct vw_docker *d, const char *id);
/* Finds or makes; NULL: out of memory or too many (then the connection has failed). */
struct vw_docker_ct *vw_docker_ct_get(struct vw_docker *d, const char *id);
void vw_docker_ct_clear(struct vw_docker *d);
/* Takes c over and puts it. */
void vw_docker_ct_put(struct vw_docker *d, struct vw_docker_ct *ct, struct vw_docker_container *c);
void vw_docker_ct_gone(struct vw_docker *d, struct vw_docker_ct *ct);
/* Has it inspected; as many as may be of those that are wanted. */
void vw_docker_ct_want(struct vw_docker *d, struct vw_docker_ct *ct);
void vw_docker_ct_inspect(struct vw_docker *d);
/* A container joins a network: put with what the network and the list say, both answer at once. */
void vw_docker_ct_connect(struct vw_docker *d, const char *id, const char *network);
void vw_docker_ct_disconnect(struct vw_docker *d, struct vw_docker_ct *ct,
			     const char *network_name);
/* Adds a place on a network, or replaces the one it had there. 0 or -ENOMEM. */
int vw_docker_ct_join(struct vw_docker_container *c, struct vw_iface *i /* taken over */);

#endif
