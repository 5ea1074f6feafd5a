/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Docker Engine API answers -> our values: containers and what they are called. Networks and events
 * are in docker_net_json.c. Image and container labels are written by whoever builds and starts
 * containers: values that cannot be names are passed over, as if they were not set. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/docker_json.h"
#include "codec/docker_json_read.h"
#include "vethwall/cleanup.h"

#define PORT_LABEL "vethwall.port."

void vw_docker_container_done(struct vw_docker_container *c)
{
	vw_workload_done(&c->w);
	free(c->mode);
	*c = (struct vw_docker_container){};
}

void vw_docker_containers_done(struct vw_docker_containers *c)
{
	vw_vec_foreach (it, &c->list)
		vw_docker_container_done(it);
	vw_vec_done(&c->list);
}

bool vw_docker_id_ok(const char *id)
{
	size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return n > 0 && !id[n] && n < VW_DOCKER_ID_LEN && id[0] != '.';
}

static int copy_text(const char *s, char **ret)
{
	char *c = s ? strdup(s) : NULL;

	if (s && !c)
		return -ENOMEM;
	free(*ret);
	*ret = c;
	return 0;
}

/* Whether it can be the name of a workload, service or namespace. */
static bool name_ok(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (!n || n > VW_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || s[i] == '/')
			return false;
	return true;
}

/* The first of the labels whose value can be a name, else the fallback. */
static const char *pick(const struct vw_labels *l, const char *const *keys, const char *fallback)
{
	for (; *keys; keys++) {
		const char *v = vw_labels_get(l, *keys);

		if (name_ok(v))
			return v;
	}
	return fallback;
}

static int read_labels(const json_t *obj, struct vw_labels *ret)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)obj, key, v) {
		int r = json_is_string(v) ? vw_labels_set(ret, key, json_string_value(v)) : 0;

		/* What is over the limit is left out; a container cannot make us grow. */
		if (r && r != -ENOSPC)
			return r;
	}
	return 0;
}

/* "tcp/80" of a label vethwall.port.NAME. */
static bool port_value(const char *s, uint8_t *ret_proto, uint16_t *ret_port)
{
	const char *slash = strchr(s, '/'), *rest;
	_cleanup_free_ char *proto = slash ? strndup(s, (size_t)(slash - s)) : NULL;
	int p = proto ? vw_proto_parse(proto) : -EINVAL;
	unsigned port = slash ? vw_port_number(slash + 1, &rest) : 0;

	if (p < 0 || !vw_proto_has_ports((uint8_t)p) || !port || *rest)
		return false;
	*ret_proto = (uint8_t)p;
	*ret_port = (uint16_t)port;
	return true;
}

static int read_named_ports(struct vw_workload *w)
{
	vw_vec_foreach (l, &w->labels.list) {
		struct vw_named_port p = {};
		int r;

		if (strncmp(l->key, PORT_LABEL, strlen(PORT_LABEL)) ||
		    !name_ok(l->key + strlen(PORT_LABEL)) ||
		    !port_value(l->value, &p.proto, &p.port))
			continue;
		r = copy_text(l->key + strlen(PORT_LABEL), &p.name);
		if (!r)
			r = vw_vec_push(&w->ports, p, VW_PORTS_MAX);
		if (r) {
			free(p.name);
			return r == -ENOSPC ? 0 : r;
		}
	}
	return 0;
}

/* What it is called, by its labels and its own name (with or without Docker's leading slash). */
static int read_names(struct vw_workload *w, const char *name)
{
	static const char *const service[] = {"vethwall.service", "com.docker.compose.service",
					      NULL};
	static const char *const space[] = {"vethwall.namespace", "com.docker.compose.project",
					    "io.kubernetes.pod.namespace", NULL};
	static const char *const project[] = {"com.docker.compose.project", NULL};
	int r;

	if (name && *name == '/')
		name++;
	if (!name_ok(name))
		name = w->id;
	r = copy_text(name, &w->name);
	if (!r)
		r = copy_text(pick(&w->labels, service, name), &w->service);
	if (!r)
		r = copy_text(pick(&w->labels, space, "default"), &w->namespace_);
	if (!r)
		r = copy_text(pick(&w->labels, project, NULL), &w->project);
	return r ? r : read_named_ports(w);
}

static int add_published(struct vw_workload *w, const char *host_ip, unsigned host_port,
			 const char *proto, unsigned port)
{
	struct vw_published p = {.host_port = (uint16_t)host_port,
				 .container_port = (uint16_t)port};
	static const struct vw_addr any4 = {.family = 4}, any6 = {.family = 6};
	int r = vw_proto_parse(proto);

	if (r < 0 || !host_port || host_port > 65535 || !port || port > 65535)
		return 0;
	p.proto = (uint8_t)r;
	if (host_ip && *host_ip && vw_addr_parse(host_ip, &p.host_addr) < 0)
		return 0;
	if (vw_addr_eq(&p.host_addr, &any4) || vw_addr_eq(&p.host_addr, &any6))
		p.host_addr = (struct vw_addr){};
	vw_vec_foreach (o, &w->published)
		if (vw_addr_eq(&o->host_addr, &p.host_addr) && o->proto == p.proto &&
		    o->host_port == p.host_port && o->container_port == p.container_port)
			return 0;
	r = vw_vec_push(&w->published, p, VW_PORTS_MAX);
	return r == -ENOSPC ? 0 : r;
}

/* List: [{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"}, ...] */
static int read_list_ports(const json_t *ports, struct vw_workload *w)
{
	json_t *p;
	size_t i;

	json_array_foreach (ports, i, p) {
		const char *type = vw_json_text(p, "Type");
		int r = type ? add_published(w, vw_json_text(p, "IP"),
					     vw_json_port(p, "PublicPort"), type,
					     vw_json_port(p, "PrivatePort"))
			     : 0;

		if (r)
			return r;
	}
	return 0;
}

/* Inspect: {"80/tcp": [{"HostIp":"0.0.0.0","HostPort":"8080"}], "443/tcp": null} */
static int read_inspect_ports(const json_t *ports, struct vw_workload *w)
{
	const char *key;
	json_t *list, *b;
	size_t i;

	json_object_foreach ((json_t *)ports, key, list) {
		const char *rest;
		unsigned port = vw_port_number(key, &rest);

		if (!port || *rest != '/')
			continue;
		json_array_foreach (list, i, b) {
			int r = add_published(w, vw_json_text(b, "HostIp"),
					      vw_json_port(b, "HostPort"), rest + 1, port);

			if (r)
				return r;
		}
	}
	return 0;
}

/* {"NAME": {"NetworkID", "MacAddress", "IPAddress", "GlobalIPv6Address"}, ...}. A network that a
 * stopped container would join has no addresses. */
static int read_networks(const json_t *nets, bool running, struct vw_workload *w)
{
	const char *name;
	json_t *n;

	json_object_foreach ((json_t *)nets, name, n) {
		_cleanup_(vw_iface_done) struct vw_iface i = {};
		int r;

		if (!strcmp(name, "host") || !strcmp(name, "none"))
			continue;
		r = vw_json_iface(n, "MacAddress", "IPAddress", "GlobalIPv6Address", name, &i);
		if (r)
			return r;
		if (!running && !i.has_mac && !i.ips.n)
			continue;
		r = vw_vec_push(&w->ifaces, i, VW_IFACES_MAX);
		if (r == -ENOSPC)
			break;
		if (r)
			return r;
		i = (struct vw_iface){};
	}
	return 0;
}

/* What both answers have, under their own names. */
struct fields {
	const char *id, *name, *image, *image_id, *mode;
	const json_t *labels, *networks;
	bool running, paused;
};

static int fill(const struct fields *f, struct vw_docker_container *c)
{
	int r;

	if (!f->id || !vw_docker_id_ok(f->id))
		return -EBADMSG;
	c->running = f->running;
	c->w.paused = f->paused;
	r = copy_text(f->id, &c->w.id);
	if (!r)
		r = copy_text(f->image, &c->w.image);
	if (!r)
		r = copy_text(f->image_id, &c->w.image_id);
	if (!r)
		r = copy_text(f->mode, &c->mode);
	if (!r)
		r = read_labels(f->labels, &c->w.labels);
	if (!r)
		r = read_names(&c->w, f->name);
	/* In another's namespace the networks are the other's. */
	if (r || vw_docker_shared_with(c))
		return r;
	return read_networks(f->networks, f->running, &c->w);
}

/* "running", "paused" and their kin; the list has only the word. */
static bool is_running(const char *state)
{
	return state && (!strcmp(state, "running") || !strcmp(state, "paused"));
}

static int read_listed(const json_t *o, struct vw_docker_container *c)
{
	const json_t *names = json_object_get(o, "Names");
	const char *state = vw_json_text(o, "State");
	const struct fields f = {
		.id = vw_json_text(o, "Id"),
		.name = json_string_value(json_array_get(names, 0)),
		.image = vw_json_text(o, "Image"),
		.image_id = vw_json_text(o, "ImageID"),
		.mode = vw_json_text(json_object_get(o, "HostConfig"), "NetworkMode"),
		.labels = json_object_get(o, "Labels"),
		.networks = json_object_get(json_object_get(o, "NetworkSettings"), "Networks"),
		.running = is_running(state),
		.paused = state && !strcmp(state, "paused"),
	};
	int r = json_is_object(o) ? fill(&f, c) : -EBADMSG;

	return r ? r : read_list_ports(json_object_get(o, "Ports"), &c->w);
}

int vw_docker_list_parse(const char *text, size_t len, struct vw_docker_containers *ret)
{
	_cleanup_(vw_docker_containers_done) struct vw_docker_containers out = {};
	_cleanup_(vw_json_unref) json_t *root = vw_json_load(text, len);
	json_t *o;
	size_t i;

	if (!json_is_array(root))
		return -EBADMSG;
	json_array_foreach (root, i, o) {
		_cleanup_(vw_docker_container_done) struct vw_docker_container c = {};
		int r = read_listed(o, &c);

		if (!r)
			r = vw_vec_push(&out.list, c, VW_DOCKER_CONTAINERS_MAX);
		if (r)
			return r == -ENOSPC ? -EBADMSG : r;
		c = (struct vw_docker_container){};
	}
	*ret = out;
	memset(&out, 0, sizeof(out));
	return 0;
}

int vw_docker_inspect_parse(const char *text, size_t len, struct vw_docker_container *ret)
{
	_cleanup_(vw_docker_container_done) struct vw_docker_container c = {};
	_cleanup_(vw_json_unref) json_t *o = vw_json_load(text, len);
	const json_t *state = json_object_get(o, "State"), *config = json_object_get(o, "Config");
	const json_t *settings = json_object_get(o, "NetworkSettings");
	json_int_t pid = json_integer_value(json_object_get(state, "Pid"));
	const struct fields f = {
		.id = vw_json_text(o, "Id"),
		.name = vw_json_text(o, "Name"),
		.image = vw_json_text(config, "Image"),
		.image_id = vw_json_text(o, "Image"),
		.mode = vw_json_text(json_object_get(o, "HostConfig"), "NetworkMode"),
		.labels = json_object_get(config, "Labels"),
		.networks = json_object_get(settings, "Networks"),
		.running = json_is_true(json_object_get(state, "Running")),
		.paused = json_is_true(json_object_get(state, "Paused")),
	};
	int r = json_is_object(state) && json_is_object(config) ? fill(&f, &c) : -EBADMSG;

	if (!r)
		r = read_inspect_ports(json_object_get(settings, "Ports"), &c.w);
	if (r)
		return r;
	if (c.running && pid > 0 && pid <= INT_MAX)
		c.pid = (int)pid;
	*ret = c;
	c = (struct vw_docker_container){};
	return 0;
}
