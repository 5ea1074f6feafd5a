/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The world file: the workloads of --world and of the static runtime. What is only strange (two
 * workloads with one address) is a warning, what cannot be is an error. Knows nothing of policies.
 */
#include "codec/yaml_read.h"
#include "vethwall/cleanup.h"

#include <limits.h>
#include <netinet/in.h>

#define NAMESPACE_LABEL "kubernetes.io/metadata.name"

struct place {
	struct vw_addr addr;
	vw_node node;
};

struct reading {
	struct vw_rd rd;
	struct vw_world world;
	VW_VEC(struct place) ips; /* where each address stands */
};

static void reading_done(struct reading *c)
{
	vw_world_done(&c->world);
	vw_vec_done(&c->ips);
}

static bool read_addr(struct vw_rd *rd, vw_node n, const char *what, struct vw_addr *ret)
{
	const char *s = vw_rd_text(rd, n, what);

	if (!s)
		return false;
	if (vw_addr_parse(s, ret) == 0)
		return true;
	vw_rd_error(rd, n,
		    "%s: \"%.60s\" is no IP address, expected one such as 10.77.0.11 or fd77::11",
		    what, s);
	return false;
}

/* What runtimes call things: any text without control characters and slashes. */
static bool read_name(struct vw_rd *rd, vw_node n, const char *what, char **ret)
{
	const char *s = n ? vw_rd_text(rd, n, what) : NULL;
	size_t len = s ? strlen(s) : 0;

	if (!s)
		return false;
	for (const char *p = s; *p; p++) {
		if ((unsigned char)*p >= ' ' && *p != 0x7f && *p != '/')
			continue;
		vw_rd_error(rd, n,
			    "%s: \"%.60s\" is no name, expected text without control characters or "
			    "slashes",
			    what, s);
		return false;
	}
	if (len > 0 && len <= VW_NAME_MAX)
		return vw_rd_string(rd, n, what, ret);
	vw_rd_error(rd, n, "%s: found %zu characters, expected 1 to %d", what, len, VW_NAME_MAX);
	return false;
}

/* Labels of containers are text, whatever YAML takes a plain 1.4 or true for. */
static void read_labels(struct vw_rd *rd, vw_node n, struct vw_labels *ret)
{
	if (!vw_rd_is_map(rd, n, "labels"))
		return;
	for (size_t i = 0; i + 1 < n->items.n; i += 2) {
		vw_node key = &n->items.v[i], value = key + 1;

		if (!*key->text)
			vw_rd_error(rd, key, "labels: found an empty key");
		else if (!value->text)
			vw_rd_expected(rd, value, "labels", "a string");
		else
			vw_rd_ok(rd, key,
				 vw_labels_set(ret, key->text,
					       value->kind == VW_YAML_NULL ? "" : value->text));
	}
}

/* ---- namespaces ---- */

static void read_namespace(struct reading *c, vw_node n)
{
	static const struct vw_field fields[] = {
		{"name", 0, VW_REQUIRED},
		{"labels", sizeof(vw_node)},
	};
	struct {
		vw_node name, labels;
	} raw = {0};
	struct vw_namespace *ns;
	_cleanup_free_ char *name = NULL;
	const char *own;

	if (!vw_rd_fields(&c->rd, n, "namespace", fields, VW_ARRAY_SIZE(fields), &raw) ||
	    !read_name(&c->rd, raw.name, "name", &name))
		return;
	if (vw_world_namespace(&c->world, name)) {
		vw_rd_error(&c->rd, raw.name, "namespace %s is there already", name);
		return;
	}
	if (!vw_rd_ok(&c->rd, n, vw_world_add_namespace(&c->world, name, &ns)))
		return;
	read_labels(&c->rd, raw.labels, &ns->labels);
	own = vw_labels_get(&ns->labels, NAMESPACE_LABEL);
	if (!own || strcmp(own, name) != 0)
		vw_rd_error(&c->rd, raw.labels,
			    "label " NAMESPACE_LABEL ": found \"%.80s\", expected the "
			    "namespace's name %s",
			    own ? own : "", name);
}

/* ---- workloads ---- */

struct raw_iface {
	vw_node ifindex, veth, network, mac, ips;
};

static void read_veth(struct vw_rd *rd, vw_node n, struct vw_iface *ret)
{
	_cleanup_free_ char *s = NULL;

	if (!vw_rd_name(rd, n, "veth", &s))
		return;
	if (strlen(s) >= IFNAMSIZ || strchr(s, ':'))
		vw_rd_error(rd, n,
			    "veth: \"%.60s\" is no interface name, expected at most %d characters",
			    s, IFNAMSIZ - 1);
	else
		memcpy(ret->veth, s, strlen(s) + 1);
}

static void read_ips(struct reading *c, vw_node list, struct vw_iface *ret)
{
	if (!vw_rd_is_list(&c->rd, list, "ips"))
		return;
	vw_vec_foreach (n, &list->items) {
		struct place p = {.node = n};

		if (read_addr(&c->rd, n, "ips", &p.addr) &&
		    vw_rd_ok(&c->rd, n, vw_vec_push(&ret->ips, p.addr, VW_IPS_MAX)))
			vw_rd_ok(&c->rd, n, vw_vec_push(&c->ips, p, VW_OWNERS_MAX));
	}
}

static void read_iface(struct reading *c, vw_node n, struct vw_iface *ret)
{
	static const struct vw_field fields[] = {
		{"ifindex", offsetof(struct raw_iface, ifindex)},
		{"veth", offsetof(struct raw_iface, veth)},
		{"network", offsetof(struct raw_iface, network)},
		{"mac", offsetof(struct raw_iface, mac)},
		{"ips", offsetof(struct raw_iface, ips)},
	};
	struct raw_iface raw = {0};
	const char *mac;
	long ifindex;

	if (!vw_rd_fields(&c->rd, n, "interface", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	read_veth(&c->rd, raw.veth, ret);
	vw_rd_string(&c->rd, raw.network, "network", &ret->network);
	if (raw.ifindex && vw_rd_int(&c->rd, raw.ifindex, "ifindex", 1, INT32_MAX, &ifindex))
		ret->ifindex = (unsigned)ifindex;
	mac = raw.mac ? vw_rd_text(&c->rd, raw.mac, "mac") : NULL;
	if (mac) {
		ret->has_mac = vw_mac_parse(mac, &ret->mac) == 0;
		if (!ret->has_mac)
			vw_rd_error(&c->rd, raw.mac,
				    "mac: \"%.60s\" is no MAC address, expected one such as "
				    "02:42:0a:4d:00:0b",
				    mac);
	}
	read_ips(c, raw.ips, ret);
}

static uint8_t read_proto(struct vw_rd *rd, vw_node n)
{
	static const char *const names[] = {"TCP", "UDP", "SCTP", "tcp", "udp", "sctp", NULL};
	static const uint8_t numbers[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	int i = n ? vw_rd_word(rd, n, "protocol", names) : 0;

	return numbers[i < 0 ? 0 : i % 3];
}

struct raw_port {
	vw_node name, port, protocol, host, host_port;
};

static void read_named(struct vw_rd *rd, vw_node n, struct vw_workload *w)
{
	static const struct vw_field fields[] = {
		{"name", offsetof(struct raw_port, name)},
		{"port", offsetof(struct raw_port, port), VW_REQUIRED},
		{"protocol", offsetof(struct raw_port, protocol)},
	};
	struct raw_port raw = {0};
	struct vw_named_port p = {0};
	long port = 0;

	if (!vw_rd_fields(rd, n, "ports", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	vw_rd_int(rd, raw.port, "port", 1, 65535, &port);
	p.port = (uint16_t)port;
	p.proto = read_proto(rd, raw.protocol);
	/* A port without a name is nothing that a policy could mean. */
	if (read_name(rd, raw.name, "name", &p.name) &&
	    !vw_rd_ok(rd, n, vw_vec_push(&w->ports, p, VW_PORTS_MAX)))
		free(p.name);
}

static void read_published(struct vw_rd *rd, vw_node n, struct vw_workload *w)
{
	static const struct vw_field fields[] = {
		{"host", offsetof(struct raw_port, host)},
		{"host_port", offsetof(struct raw_port, host_port), VW_REQUIRED},
		{"port", offsetof(struct raw_port, port), VW_REQUIRED},
		{"protocol", offsetof(struct raw_port, protocol)},
	};
	struct raw_port raw = {0};
	struct vw_published p = {0};
	long port = 0, host_port = 0;

	if (!vw_rd_fields(rd, n, "published", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	if (raw.host)
		read_addr(rd, raw.host, "host", &p.host_addr);
	vw_rd_int(rd, raw.port, "port", 1, 65535, &port);
	vw_rd_int(rd, raw.host_port, "host_port", 1, 65535, &host_port);
	p.container_port = (uint16_t)port;
	p.host_port = (uint16_t)host_port;
	p.proto = read_proto(rd, raw.protocol);
	vw_rd_ok(rd, n, vw_vec_push(&w->published, p, VW_PORTS_MAX));
}

struct raw_workload {
	vw_node id, name, namespace_, service, labels, image, image_id, project, unenforceable,
		paused, interfaces, ports, published;
};

static bool read_names(struct vw_rd *rd, const struct raw_workload *raw, struct vw_workload *w)
{
	if (!read_name(rd, raw->name, "name", &w->name))
		return false;
	read_name(rd, raw->namespace_, "namespace", &w->namespace_);
	read_name(rd, raw->service, "service", &w->service);
	read_name(rd, raw->project, "project", &w->project);
	vw_rd_string(rd, raw->image, "image", &w->image);
	vw_rd_string(rd, raw->image_id, "image_id", &w->image_id);
	vw_rd_string(rd, raw->unenforceable, "unenforceable", &w->unenforceable);
	vw_rd_bool(rd, raw->paused, "paused", &w->paused);
	vw_rd_string(rd, raw->id, "id", &w->id);
	if (!w->namespace_)
		w->namespace_ = strdup("default");
	if (!w->service)
		w->service = strdup(w->name);
	if (!w->namespace_ || !w->service)
		rd->oom = true;
	else if (!w->id && asprintf(&w->id, "%s/%s", w->namespace_, w->name) < 0) {
		w->id = NULL;
		rd->oom = true;
	}
	return !rd->oom;
}

static void read_ifaces(struct reading *c, vw_node list, struct vw_workload *w)
{
	if (!vw_rd_is_list(&c->rd, list, "interfaces"))
		return;
	vw_vec_foreach (n, &list->items) {
		_cleanup_(vw_iface_done) struct vw_iface i = {0};

		read_iface(c, n, &i);
		if (vw_rd_ok(&c->rd, n, vw_vec_push(&w->ifaces, i, VW_IFACES_MAX)))
			i = (struct vw_iface){0};
	}
}

static void read_workload(struct reading *c, vw_node n)
{
#define FIELD(name, member)                                 \
	{                                                   \
		name, offsetof(struct raw_workload, member) \
	}
	static const struct vw_field fields[] = {
		FIELD("id", id),
		{"name", offsetof(struct raw_workload, name), VW_REQUIRED},
		FIELD("namespace", namespace_),
		FIELD("service", service),
		FIELD("labels", labels),
		FIELD("image", image),
		FIELD("image_id", image_id),
		FIELD("project", project),
		FIELD("unenforceable", unenforceable),
		FIELD("paused", paused),
		FIELD("interfaces", interfaces),
		FIELD("ports", ports),
		FIELD("published", published),
	};
#undef FIELD
	_cleanup_(vw_workload_done) struct vw_workload w = {0};
	struct raw_workload raw = {0};

	if (!vw_rd_fields(&c->rd, n, "workload", fields, VW_ARRAY_SIZE(fields), &raw) ||
	    !read_names(&c->rd, &raw, &w))
		return;
	read_labels(&c->rd, raw.labels, &w.labels);
	read_ifaces(c, raw.interfaces, &w);
	if (vw_rd_is_list(&c->rd, raw.ports, "ports"))
		vw_vec_foreach (p, &raw.ports->items)
			read_named(&c->rd, p, &w);
	if (vw_rd_is_list(&c->rd, raw.published, "published"))
		vw_vec_foreach (p, &raw.published->items)
			read_published(&c->rd, p, &w);
	if (vw_world_find(&c->world, w.id))
		vw_rd_error(&c->rd, raw.name, "workload %s is there already", w.id);
	else
		vw_rd_ok(&c->rd, n, vw_world_put(&c->world, &w, NULL));
}

/* ---- image lists ---- */

static void read_image_list(struct reading *c, vw_node key)
{
	struct vw_image_list l = {0};
	bool changed, ok = vw_rd_name(&c->rd, key, "image_lists", &l.name);

	if (vw_rd_is_list(&c->rd, key + 1, "image_lists"))
		vw_vec_foreach (n, &(key + 1)->items) {
			const char *s = vw_rd_text(&c->rd, n, "image_lists"), *why;
			char image[VW_IMAGE_KEY_MAX];

			if (!s)
				continue;
			why = vw_image_key(s, image);
			if (why)
				vw_rd_error(&c->rd, n, "image_lists: found \"%.80s\", %s", s, why);
			else
				vw_rd_ok(&c->rd, n, vw_image_list_add(&l, image));
		}
	if (ok)
		vw_rd_ok(&c->rd, key, vw_world_put_image_list(&c->world, &l, &changed));
	vw_image_list_done(&l);
}

/* ---- names that were resolved ---- */

struct raw_learnt {
	vw_node ifindex, address, name, lapsed, until_ms;
};

static void read_learnt(struct reading *c, vw_node n)
{
	static const struct vw_field fields[] = {
		{"ifindex", offsetof(struct raw_learnt, ifindex), VW_REQUIRED},
		{"address", offsetof(struct raw_learnt, address), VW_REQUIRED},
		{"name", offsetof(struct raw_learnt, name), VW_REQUIRED},
		{"lapsed", offsetof(struct raw_learnt, lapsed)},
		{"until_ms", offsetof(struct raw_learnt, until_ms)},
	};
	struct raw_learnt raw = {0};
	char name[VW_FQDN_LEN];
	struct vw_learnt l = {.name = name};
	long ifindex = 0, until_ms = 0;
	const char *text, *why = NULL;
	bool news;

	if (!vw_rd_fields(&c->rd, n, "learnt", fields, VW_ARRAY_SIZE(fields), &raw) ||
	    !raw.ifindex || !raw.address || !raw.name)
		return;
	text = vw_rd_text(&c->rd, raw.name, "name");
	if (!text || !vw_rd_int(&c->rd, raw.ifindex, "ifindex", 1, INT32_MAX, &ifindex) ||
	    !read_addr(&c->rd, raw.address, "address", &l.addr))
		return;
	if (vw_fqdn_normal(text, false, name, &why) < 0) {
		vw_rd_error(&c->rd, raw.name, "name: found \"%.80s\", %s", text, why);
		return;
	}
	vw_rd_bool(&c->rd, raw.lapsed, "lapsed", &l.lapsed);
	vw_rd_int(&c->rd, raw.until_ms, "until_ms", 0, LONG_MAX, &until_ms);
	l.ifindex = (unsigned)ifindex;
	l.until_ms = until_ms;
	vw_rd_ok(&c->rd, n, vw_learnt_put(&c->world, &l, &news));
}

/* ---- the file ---- */

static int cmp_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int r = vw_addr_cmp(&x->addr, &y->addr);

	return r ? r : (x->node > y->node) - (x->node < y->node);
}

static void warn_duplicates(struct reading *c)
{
	char buf[VW_ADDR_STRLEN];

	if (c->ips.n > 1)
		qsort(c->ips.v, c->ips.n, sizeof(*c->ips.v), cmp_places);
	for (size_t i = 1; i < c->ips.n; i++)
		if (vw_addr_eq(&c->ips.v[i].addr, &c->ips.v[i - 1].addr))
			vw_rd_warn(&c->rd, c->ips.v[i].node, "duplicate-address",
				   "address %s is there already, in line %u: nobody is known by it",
				   vw_addr_str(&c->ips.v[i].addr, buf), c->ips.v[i - 1].node->line);
}

static void read_addrs(struct reading *c, vw_node list, const char *what, bool host)
{
	if (!vw_rd_is_list(&c->rd, list, what))
		return;
	vw_vec_foreach (n, &list->items) {
		struct vw_addr a;

		if (!read_addr(&c->rd, n, what, &a))
			continue;
		vw_rd_ok(&c->rd, n,
			 host ? vw_world_add_host(&c->world, &a)
			      : vw_vec_push(&c->world.dns, a, VW_HOST_ADDRS_MAX));
	}
}

struct raw_world {
	vw_node namespaces, workloads, host, dns, image_lists, learnt;
};

static void read_world(struct reading *c, vw_node doc)
{
	static const struct vw_field fields[] = {
		{"namespaces", offsetof(struct raw_world, namespaces)},
		{"workloads", offsetof(struct raw_world, workloads)},
		{"host", offsetof(struct raw_world, host)},
		{"dns", offsetof(struct raw_world, dns)},
		{"image_lists", offsetof(struct raw_world, image_lists)},
		{"learnt", offsetof(struct raw_world, learnt)},
	};
	struct raw_world raw = {0};

	if (!vw_rd_fields(&c->rd, doc, "world", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	if (vw_rd_is_list(&c->rd, raw.namespaces, "namespaces"))
		vw_vec_foreach (n, &raw.namespaces->items)
			read_namespace(c, n);
	if (vw_rd_is_list(&c->rd, raw.workloads, "workloads"))
		vw_vec_foreach (n, &raw.workloads->items)
			read_workload(c, n);
	read_addrs(c, raw.host, "host", true);
	read_addrs(c, raw.dns, "dns", false);
	if (vw_rd_is_map(&c->rd, raw.image_lists, "image_lists"))
		for (size_t i = 0; i + 1 < raw.image_lists->items.n; i += 2)
			read_image_list(c, &raw.image_lists->items.v[i]);
	if (vw_rd_is_list(&c->rd, raw.learnt, "learnt"))
		vw_vec_foreach (n, &raw.learnt->items)
			read_learnt(c, n);
	warn_duplicates(c);
}

int vw_world_parse(const char *text, size_t len, const char *file, struct vw_world *ret,
		   struct vw_diag *d)
{
	_cleanup_(reading_done) struct reading c = {.rd = {.file = file, .d = d}};
	_cleanup_(vw_yaml_done) struct vw_yaml y = {0};
	int r;

	r = vw_yaml_parse(text, len, file, &y, d);
	if (r)
		return r;
	c.rd.bad = y.bad;
	if (y.docs.n > 1)
		vw_rd_error(&c.rd, &y.docs.v[1], "found a second document, expected one world");
	if (y.docs.n > 0)
		read_world(&c, &y.docs.v[0]);
	r = vw_rd_result(&c.rd);
	if (r)
		return r;
	*ret = c.world;
	c.world = (struct vw_world){0};
	return 0;
}
