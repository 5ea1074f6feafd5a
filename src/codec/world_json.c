/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The world as JSON in the form of the world file; world_yaml.c reads it back. Members that say
 * nothing (no label, no address) are left out. */
#include "vethwall/world_json.h"

#include <string.h>

#include "vethwall/cleanup.h"

/* Takes value: the member is there only where there is one. */
static int put(json_t *o, const char *key, json_t *value)
{
	return value ? json_object_set_new(o, key, value) : -1;
}

static int put_text(json_t *o, const char *key, const char *text)
{
	return text ? put(o, key, json_string(text)) : 0;
}

static int put_list(json_t *o, const char *key, json_t *list)
{
	if (!list || json_array_size(list) || json_object_size(list))
		return put(o, key, list);
	json_decref(list);
	return 0;
}

static int push(json_t *list, json_t *o)
{
	return o ? json_array_append_new(list, o) : -1;
}

/* The object or list when all of it could be made, else nothing. */
static json_t *whole(json_t *o, int r)
{
	if (!r)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *addr_json(const struct vw_addr *a)
{
	char buf[VW_ADDR_STRLEN];

	return json_string(vw_addr_str(a, buf));
}

static json_t *addrs_json(const struct vw_addr *v, size_t n)
{
	json_t *list = json_array();
	int r = 0;

	for (size_t i = 0; i < n; i++)
		r |= push(list, addr_json(&v[i]));
	return whole(list, r);
}

static json_t *labels_json(const struct vw_labels *l)
{
	json_t *o = json_object();
	int r = 0;

	vw_vec_foreach (e, &l->list)
		if (strlen(e->key) <= VW_LABEL_KEY_MAX)
			r |= put(o, e->key, json_string(e->value));
	return whole(o, r);
}

static json_t *namespaces_json(const struct vw_world *w)
{
	json_t *list = json_array();
	int r = 0;

	vw_vec_foreach (ns, &w->namespaces)
		r |= push(list, json_pack("{s:s, s:o}", "name", ns->name, "labels",
					  labels_json(&ns->labels)));
	return whole(list, r);
}

static json_t *iface_json(const struct vw_iface *i)
{
	char mac[VW_MAC_STRLEN];
	json_t *o = json_object();
	int r = 0;

	if (i->ifindex)
		r |= put(o, "ifindex", json_integer(i->ifindex));
	if (i->veth[0])
		r |= put_text(o, "veth", i->veth);
	r |= put_text(o, "network", i->network);
	if (i->has_mac)
		r |= put_text(o, "mac", vw_mac_str(&i->mac, mac));
	r |= put_list(o, "ips", addrs_json(i->ips.v, i->ips.n));
	return whole(o, r);
}

static json_t *ifaces_json(const struct vw_workload *w)
{
	json_t *list = json_array();
	int r = 0;

	vw_vec_foreach (i, &w->ifaces)
		r |= push(list, iface_json(i));
	return whole(list, r);
}

static json_t *ports_json(const struct vw_workload *w)
{
	json_t *list = json_array();
	char proto[4];
	int r = 0;

	vw_vec_foreach (p, &w->ports)
		r |= push(list, json_pack("{s:s, s:i, s:s}", "name", p->name, "port", (int)p->port,
					  "protocol", vw_proto_str(p->proto, proto)));
	return whole(list, r);
}

static json_t *published_json(const struct vw_workload *w)
{
	json_t *list = json_array();
	char proto[4];
	int r = 0;

	vw_vec_foreach (p, &w->published) {
		json_t *o = json_pack("{s:i, s:i, s:s}", "host_port", (int)p->host_port, "port",
				      (int)p->container_port, "protocol",
				      vw_proto_str(p->proto, proto));

		if (p->host_addr.family)
			r |= put(o, "host", addr_json(&p->host_addr));
		r |= push(list, o);
	}
	return whole(list, r);
}

static json_t *workload_json(const struct vw_workload *w)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "id", w->id, "name", w->name, "namespace",
			      w->namespace_, "service", w->service);
	int r = o ? 0 : -1;

	r |= put_text(o, "project", w->project);
	r |= put_text(o, "image", w->image);
	r |= put_text(o, "image_id", w->image_id);
	r |= put_text(o, "unenforceable", w->unenforceable);
	if (w->paused)
		r |= put(o, "paused", json_true());
	r |= put_list(o, "labels", labels_json(&w->labels));
	r |= put_list(o, "interfaces", ifaces_json(w));
	r |= put_list(o, "ports", ports_json(w));
	r |= put_list(o, "published", published_json(w));
	return whole(o, r);
}

static json_t *workloads_json(const struct vw_world *w)
{
	json_t *list = json_array();
	int r = 0;

	vw_vec_foreach (one, &w->workloads)
		r |= push(list, workload_json(one));
	return whole(list, r);
}

/* Lists are long (a scanner's findings), what is decided by them are the images that run. */
static json_t *image_list_json(const struct vw_world *w, const struct vw_image_list *l)
{
	const struct vw_world one = {.image_lists = {(struct vw_image_list *)l, 1, 1}};
	json_auto_t *found = json_object();
	json_t *list = json_array();
	char key[VW_IMAGE_KEY_MAX];
	const char *ref;
	json_t *none;
	int r = 0;

	vw_vec_foreach (k, &w->workloads) {
		struct vw_workload by_id = {.image_id = k->image_id}, by_name = {.image = k->image};

		if (vw_image_in_list(&one, l->name, &by_id))
			r |= put(found, k->image_id, json_null());
		if (vw_image_in_list(&one, l->name, &by_name) && !vw_image_key(k->image, key))
			r |= put(found, key, json_null());
	}
	json_object_foreach (found, ref, none)
		r |= push(list, json_string(ref));
	return whole(list, r);
}

static json_t *image_lists_json(const struct vw_world *w)
{
	json_t *o = json_object();
	int r = 0;

	vw_vec_foreach (l, &w->image_lists)
		r |= put(o, l->name, image_list_json(w, l));
	return whole(o, r);
}

static json_t *learnt_json(const struct vw_world *w)
{
	json_t *list = json_array();
	int r = 0;

	vw_vec_foreach (l, &w->learnt)
		r |= push(list,
			  json_pack("{s:I, s:o, s:s, s:b, s:I}", "ifindex", (json_int_t)l->ifindex,
				    "address", addr_json(&l->addr), "name", l->name, "lapsed",
				    (int)l->lapsed, "until_ms", (json_int_t)l->until_ms));
	return whole(list, r);
}

json_t *vw_world_json(const struct vw_world *w)
{
	json_t *o = json_object();
	int r = o ? 0 : -1;

	r |= put(o, "namespaces", namespaces_json(w));
	r |= put(o, "workloads", workloads_json(w));
	r |= put_list(o, "host", addrs_json(w->host.v, w->host.n));
	r |= put_list(o, "dns", addrs_json(w->dns.v, w->dns.n));
	r |= put_list(o, "image_lists", image_lists_json(w));
	r |= put_list(o, "learnt", learnt_json(w));
	return whole(o, r);
}

/* Characters that JSON takes as they are and YAML 1.1 does not (5.1), or folds as line breaks
 * (5.4): bytes of one, or 0; the code point in *ret. */
static size_t unprintable(const char *s, unsigned *ret)
{
	const unsigned char *u = (const unsigned char *)s;

	if (u[0] == 0x7f) {
		*ret = 0x7f;
		return 1;
	}
	if (u[0] == 0xc2 && u[1] < 0xa0) { /* U+0080 .. U+009F */
		*ret = u[1];
		return 2;
	}
	if ((u[0] & 0xf0) != 0xe0)
		return 0;
	*ret = (u[0] & 0xfu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
	return *ret == 0x2028 || *ret == 0x2029 || *ret == 0xfeff || *ret >= 0xfffe ? 3 : 0;
}

#define ESCAPE_LEN 6 /* \uXXXX */

char *vw_world_text(const json_t *world)
{
	_cleanup_free_ char *json = json_dumps(world, JSON_COMPACT);
	size_t escapes = 0, n = 0, bytes;
	char *text;
	unsigned c;

	if (!json)
		return NULL;
	for (const char *p = json; *p; p++)
		escapes += unprintable(p, &c) > 0;
	text = malloc(strlen(json) + ESCAPE_LEN * escapes + 1);
	for (const char *p = json; text && *p; p += bytes ? bytes : 1) {
		bytes = unprintable(p, &c);
		if (bytes)
			n += (size_t)snprintf(text + n, ESCAPE_LEN + 1, "\\u%04x", c);
		else
			text[n++] = *p;
	}
	if (text)
		text[n] = '\0';
	return text;
}
