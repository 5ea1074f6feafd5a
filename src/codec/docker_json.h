/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Docker Engine API answers -> our values. Podman's compatible API is read too, where it differs in
 * spelling. Pure: whoever fetched the bytes has bounded them. Functions return 0, -EBADMSG (not the
 * JSON that the API documents) or -ENOMEM. */
#ifndef VETHWALL_CODEC_DOCKER_JSON_H
#define VETHWALL_CODEC_DOCKER_JSON_H

#include "vethwall/link.h"
#include "vethwall/world.h"

#define VW_DOCKER_ID_LEN 129 /* ids are 64 hex digits; Podman's network ids are names */
#define VW_DOCKER_NETWORKS_MAX 4096
#define VW_DOCKER_CONTAINERS_MAX VW_WORKLOADS_MAX

enum vw_docker_action {
	VW_DOCKER_IGNORE,
	VW_DOCKER_CONNECT, /* container to network; on Docker 200 ms before it runs */
	VW_DOCKER_DISCONNECT, /* likewise from */
	VW_DOCKER_STARTED, /* ask for it */
	VW_DOCKER_CHANGED, /* pause, unpause, rename, update: ask for it */
	VW_DOCKER_ENDED, /* die, destroy and Podman's names for them */
	VW_DOCKER_NETWORKS, /* a network came or went */
};

struct vw_docker_event {
	enum vw_docker_action action;
	char container[VW_DOCKER_ID_LEN], network[VW_DOCKER_ID_LEN]; /* ids, or "" */
	char network_name[VW_NAME_MAX + 1]; /* or "" */
};

struct vw_docker_container {
	struct vw_workload w;
	int pid; /* 0: unknown or not running */
	bool running;
	char *mode; /* HostConfig.NetworkMode, or NULL */
};

/* A container's place on a network: MAC and IPs of struct vw_iface. */
struct vw_docker_endpoint {
	char container[VW_DOCKER_ID_LEN];
	struct vw_iface iface;
};

struct vw_docker_containers {
	VW_VEC(struct vw_docker_container) list;
};
struct vw_docker_networks {
	VW_VEC(struct vw_network) list;
};
struct vw_docker_endpoints {
	VW_VEC(struct vw_docker_endpoint) list;
};

void vw_docker_container_done(struct vw_docker_container *c);
void vw_docker_containers_done(struct vw_docker_containers *c);
void vw_network_done(struct vw_network *n);
void vw_docker_networks_done(struct vw_docker_networks *n);
void vw_docker_endpoints_done(struct vw_docker_endpoints *e);

/* Whether the text can stand in a request's path: letters, digits, "_.-", and fits. */
bool vw_docker_id_ok(const char *id);

/* One line of GET /events. */
int vw_docker_event_parse(const char *text, size_t len, struct vw_docker_event *ret);
/* GET /containers/json; GET /containers/ID/json. */
int vw_docker_list_parse(const char *text, size_t len, struct vw_docker_containers *ret);
int vw_docker_inspect_parse(const char *text, size_t len, struct vw_docker_container *ret);
/* GET /networks; GET /networks/ID with who is on it (net may be NULL). */
int vw_docker_networks_parse(const char *text, size_t len, struct vw_docker_networks *ret);
int vw_docker_network_parse(const char *text, size_t len, struct vw_network *net,
			    struct vw_docker_endpoints *ret);

/* Sets w.unenforceable from the network mode and the drivers of its networks. of: the name of the
 * container whose namespace it shares, or NULL when unknown. */
int vw_docker_judge(struct vw_docker_container *c, const struct vw_network *nets, size_t n_nets,
		    const char *of);
/* The id in a mode "container:ID", or NULL. */
const char *vw_docker_shared_with(const struct vw_docker_container *c);

#endif
