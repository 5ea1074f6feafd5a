/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Docker Engine API answers -> our values: networks, who is on them, events; and what cannot be
 * walled. Knows nothing of requests and their order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/docker_json.h"
#include "codec/docker_json_read.h"
#include "vethwall/cleanup.h"

#define SHARED "container:"

void vw_network_done(struct vw_network *n)
{
	free(n->name);
	free(n->id);
	free(n->driver);
	*n = (struct vw_network){};
}

void vw_docker_networks_done(struct vw_docker_networks *n)
{
	vw_vec_foreach (it, &n->list)
		vw_network_done(it);
	vw_vec_done(&n->list);
}

void vw_docker_endpoints_done(struct vw_docker_endpoints *e)
{
	vw_vec_foreach (it, &e->list)
		vw_iface_done(&it->iface);
	vw_vec_done(&e->list);
}

static int add_ip(const char *s, struct vw_iface *to)
{
	char buf[VW_PREFIX_STRLEN];
	struct vw_addr a;
	char *slash;

	if (!s || !*s || strlen(s) >= sizeof(buf))
		return 0;
	strcpy(buf, s);
	slash = strchr(buf, '/');
	if (slash)
		*slash = '\0';
	return vw_addr_parse(buf, &a) < 0 ? 0 : vw_vec_push(&to->ips, a, VW_IPS_MAX);
}

int vw_json_iface(const json_t *o, const char *mac, const char *ip4, const char *ip6,
		  const char *network, struct vw_iface *ret)
{
	const char *m = vw_json_text(o, mac);
	struct vw_iface i = {.network = strdup(network)};
	int r = i.network ? 0 : -ENOMEM;

	i.has_mac = m && vw_mac_parse(m, &i.mac) == 0;
	if (!r)
		r = add_ip(vw_json_text(o, ip4), &i);
	if (!r)
		r = add_ip(vw_json_text(o, ip6), &i);
	if (r) {
		vw_iface_done(&i);
		return r;
	}
	*ret = i;
	return 0;
}

/* The bridge's name: the option, else what libnetwork makes up. Podman: network_interface. */
static void read_bridge(const json_t *o, struct vw_network *n)
{
	const char *option =
		vw_json_text(json_object_get(o, "Options"), "com.docker.network.bridge.name");
	const char *podman = vw_json_text(o, "network_interface");

	if (strcmp(n->driver, "bridge"))
		return;
	if (!option)
		option = podman;
	if (option && *option) {
		if (strlen(option) < sizeof(n->bridge))
			strcpy(n->bridge, option);
	} else if (!strcmp(n->name, "bridge")) {
		strcpy(n->bridge, "docker0");
	} else {
		snprintf(n->bridge, sizeof(n->bridge), "br-%.12s", n->id);
	}
}

static int read_network(const json_t *o, struct vw_network *ret)
{
	_cleanup_(vw_network_done) struct vw_network n = {};
	const char *name = vw_json_text(o, "Name"), *id = vw_json_text(o, "Id");
	const char *driver = vw_json_text(o, "Driver");

	if (!name || !*name || strlen(name) > VW_NAME_MAX || !id || !vw_docker_id_ok(id))
		return -EBADMSG;
	n.name = strdup(name);
	n.id = strdup(id);
	n.driver = strdup(driver ? driver : "");
	if (!n.name || !n.id || !n.driver)
		return -ENOMEM;
	read_bridge(o, &n);
	*ret = n;
	n = (struct vw_network){};
	return 0;
}

int vw_docker_networks_parse(const char *text, size_t len, struct vw_docker_networks *ret)
{
	_cleanup_(vw_docker_networks_done) struct vw_docker_networks out = {};
	_cleanup_(vw_json_unref) json_t *root = vw_json_load(text, len);
	json_t *o;
	size_t i;

	if (!json_is_array(root))
		return -EBADMSG;
	json_array_foreach (root, i, o) {
		_cleanup_(vw_network_done) struct vw_network n = {};
		int r = read_network(o, &n);

		if (!r)
			r = vw_vec_push(&out.list, n, VW_DOCKER_NETWORKS_MAX);
		if (r)
			return r == -ENOSPC ? -EBADMSG : r;
		n = (struct vw_network){};
	}
	*ret = out;
	memset(&out, 0, sizeof(out));
	return 0;
}

/* {"CONTAINER-ID": {"MacAddress", "IPv4Address": "172.18.0.2/16", "IPv6Address"}, ...} */
static int read_endpoints(const json_t *containers, const char *network,
			  struct vw_docker_endpoints *to)
{
	const char *id;
	json_t *o;

	json_object_foreach ((json_t *)containers, id, o) {
		struct vw_docker_endpoint e = {};
		int r;

		if (!vw_docker_id_ok(id)) /* "ep-...": a service's, no container here */
			continue;
		strcpy(e.container, id);
		r = vw_json_iface(o, "MacAddress", "IPv4Address", "IPv6Address", network, &e.iface);
		if (!r)
			r = vw_vec_push(&to->list, e, VW_DOCKER_CONTAINERS_MAX);
		if (r) {
			vw_iface_done(&e.iface);
			return r == -ENOSPC ? -EBADMSG : r;
		}
	}
	return 0;
}

int vw_docker_network_parse(const char *text, size_t len, struct vw_network *net,
			    struct vw_docker_endpoints *ret)
{
	_cleanup_(vw_docker_endpoints_done) struct vw_docker_endpoints out = {};
	_cleanup_(vw_network_done) struct vw_network n = {};
	_cleanup_(vw_json_unref) json_t *o = vw_json_load(text, len);
	int r = json_is_object(o) ? read_network(o, &n) : -EBADMSG;

	/* Being "on" these is being on none. */
	if (!r && strcmp(n.driver, "host") && strcmp(n.driver, "null"))
		r = read_endpoints(json_object_get(o, "Containers"), n.name, &out);
	if (r)
		return r;
	if (net) {
		*net = n;
		n = (struct vw_network){};
	}
	*ret = out;
	memset(&out, 0, sizeof(out));
	return 0;
}

static const struct {
	const char *type, *action;
	enum vw_docker_action is;
} actions[] = {
	{"container", "start", VW_DOCKER_STARTED},
	{"container", "init", VW_DOCKER_STARTED}, /* Podman: before start */
	{"container", "die", VW_DOCKER_ENDED},
	{"container", "died", VW_DOCKER_ENDED}, /* Podman */
	{"container", "destroy", VW_DOCKER_ENDED},
	{"container", "remove", VW_DOCKER_ENDED}, /* Podman */
	{"container", "pause", VW_DOCKER_CHANGED},
	{"container", "unpause", VW_DOCKER_CHANGED},
	{"container", "rename", VW_DOCKER_CHANGED},
	{"container", "update", VW_DOCKER_CHANGED},
	{"network", "connect", VW_DOCKER_CONNECT},
	{"network", "disconnect", VW_DOCKER_DISCONNECT},
	{"network", "create", VW_DOCKER_NETWORKS},
	{"network", "destroy", VW_DOCKER_NETWORKS},
	{"network", "remove", VW_DOCKER_NETWORKS},
};

static void copy_id(const char *s, char to[static VW_DOCKER_ID_LEN])
{
	if (s && vw_docker_id_ok(s))
		strcpy(to, s);
}

int vw_docker_event_parse(const char *text, size_t len, struct vw_docker_event *ret)
{
	_cleanup_(vw_json_unref) json_t *o = vw_json_load(text, len);
	const char *type = vw_json_text(o, "Type"), *action = vw_json_text(o, "Action");
	const json_t *actor = json_object_get(o, "Actor");
	const json_t *attrs = json_object_get(actor, "Attributes");
	const char *id = vw_json_text(actor, "ID"), *name = vw_json_text(attrs, "name");
	struct vw_docker_event e = {};

	if (!json_is_object(o) || !type || !action)
		return -EBADMSG;
	for (size_t i = 0; i < VW_ARRAY_SIZE(actions); i++)
		if (!strcmp(actions[i].type, type) && !strcmp(actions[i].action, action))
			e.action = actions[i].is;
	if (!strcmp(type, "container")) {
		copy_id(id, e.container);
	} else {
		copy_id(vw_json_text(attrs, "container"), e.container);
		if (name && strlen(name) < sizeof(e.network_name))
			strcpy(e.network_name, name);
		/* Podman: the actor of a connection is the container, the network has no id. */
		if (e.container[0] && id && !strcmp(id, e.container))
			e.action = e.action == VW_DOCKER_NETWORKS ? e.action : VW_DOCKER_CHANGED;
		else
			copy_id(id, e.network);
	}
	/* An event about nobody is no event. */
	if (e.action != VW_DOCKER_NETWORKS && !e.container[0])
		e.action = VW_DOCKER_IGNORE;
	*ret = e;
	return 0;
}

const char *vw_docker_shared_with(const struct vw_docker_container *c)
{
	if (!c->mode || strncmp(c->mode, SHARED, strlen(SHARED)))
		return NULL;
	return c->mode + strlen(SHARED);
}

/* The first of its networks that has no host-side veth here, or NULL. */
static const struct vw_network *wall_less(const struct vw_workload *w,
					  const struct vw_network *nets, size_t n_nets)
{
	vw_vec_foreach (i, &w->ifaces)
		for (size_t k = 0; k < n_nets; k++)
			if (!strcmp(i->network, nets[k].name) && nets[k].driver[0] &&
			    strcmp(nets[k].driver, "bridge"))
				return &nets[k];
	return NULL;
}

int vw_docker_judge(struct vw_docker_container *c, const struct vw_network *nets, size_t n_nets,
		    const char *of)
{
	const char *with = vw_docker_shared_with(c);
	const struct vw_network *bad;
	char *text = NULL;
	int n = 0;

	if (with) {
		n = asprintf(&text, "shares the network namespace of %s, whose policies apply",
			     of ? of : with);
	} else if (c->mode && !strcmp(c->mode, "host")) {
		n = asprintf(&text, "host network: no veth, cannot be walled");
	} else if ((bad = wall_less(&c->w, nets, n_nets))) {
		n = asprintf(&text, "network %s uses %s: no host-side veth, cannot be walled",
			     bad->name, bad->driver);
	}
	if (n < 0)
		return -ENOMEM;
	free(c->w.unenforceable);
	c->w.unenforceable = text;
	return 0;
}
