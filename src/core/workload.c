/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One workload as a value: release, deep copy, comparison. Each struct has its three functions side
 * by side, so that a new field is missed in none. Knows nothing of the world around it. */
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "vethwall/cleanup.h"
#include "vethwall/world.h"

void vw_iface_done(struct vw_iface *i)
{
	free(i->network);
	vw_vec_done(&i->ips);
	*i = (struct vw_iface){0};
}

static int iface_copy(const struct vw_iface *from, struct vw_iface *ret)
{
	_cleanup_(vw_iface_done) struct vw_iface n = {
		.ifindex = from->ifindex, .has_mac = from->has_mac, .mac = from->mac};
	int r;

	memcpy(n.veth, from->veth, sizeof(n.veth));
	r = vw_text_copy(from->network, &n.network);
	if (!r)
		r = vw_vec_copy(&from->ips, &n.ips);
	if (r < 0)
		return r;
	*ret = TAKE_STRUCT(n);
	return 0;
}

static bool iface_equal(const struct vw_iface *a, const struct vw_iface *b)
{
	if (a->ifindex != b->ifindex || strncmp(a->veth, b->veth, sizeof(a->veth)) != 0 ||
	    !vw_text_eq(a->network, b->network) || a->has_mac != b->has_mac ||
	    (a->has_mac && memcmp(&a->mac, &b->mac, sizeof(a->mac)) != 0) || a->ips.n != b->ips.n)
		return false;
	for (size_t i = 0; i < a->ips.n; i++)
		if (!vw_addr_eq(&a->ips.v[i], &b->ips.v[i]))
			return false;
	return true;
}

void vw_workload_done(struct vw_workload *w)
{
	free(w->id);
	free(w->name);
	free(w->service);
	free(w->namespace_);
	free(w->project);
	free(w->image);
	free(w->image_id);
	vw_labels_done(&w->labels);
	vw_vec_foreach (i, &w->ifaces)
		vw_iface_done(i);
	vw_vec_done(&w->ifaces);
	vw_vec_foreach (p, &w->ports)
		free(p->name);
	vw_vec_done(&w->ports);
	vw_vec_done(&w->published);
	free(w->unenforceable);
	*w = (struct vw_workload){0};
}

static int copy_texts(const struct vw_workload *from, struct vw_workload *n)
{
	if (vw_text_copy(from->id, &n->id) < 0 || vw_text_copy(from->name, &n->name) < 0 ||
	    vw_text_copy(from->service, &n->service) < 0 ||
	    vw_text_copy(from->namespace_, &n->namespace_) < 0 ||
	    vw_text_copy(from->project, &n->project) < 0 ||
	    vw_text_copy(from->image, &n->image) < 0 ||
	    vw_text_copy(from->image_id, &n->image_id) < 0 ||
	    vw_text_copy(from->unenforceable, &n->unenforceable) < 0)
		return -ENOMEM;
	return 0;
}

static int copy_ifaces(const struct vw_workload *from, struct vw_workload *n)
{
	vw_vec_foreach (i, &from->ifaces) {
		struct vw_iface c;
		int r = iface_copy(i, &c);

		if (r < 0)
			return r;
		r = vw_vec_push(&n->ifaces, c, VW_IFACES_MAX);
		if (r < 0) {
			vw_iface_done(&c);
			return r;
		}
	}
	return 0;
}

static int copy_ports(const struct vw_workload *from, struct vw_workload *n)
{
	vw_vec_foreach (p, &from->ports) {
		struct vw_named_port c = *p;
		int r = vw_text_copy(p->name, &c.name);

		if (r < 0)
			return r;
		r = vw_vec_push(&n->ports, c, VW_PORTS_MAX);
		if (r < 0) {
			free(c.name);
			return r;
		}
	}
	return 0;
}

int vw_workload_copy(const struct vw_workload *from, struct vw_workload *ret)
{
	_cleanup_(vw_workload_done) struct vw_workload n = {.paused = from->paused};
	int r = copy_texts(from, &n);

	if (!r)
		r = vw_labels_copy(&from->labels, &n.labels);
	if (!r)
		r = copy_ifaces(from, &n);
	if (!r)
		r = copy_ports(from, &n);
	if (!r)
		r = vw_vec_copy(&from->published, &n.published);
	if (r < 0)
		return r;
	*ret = TAKE_STRUCT(n);
	return 0;
}

static bool labels_equal(const struct vw_labels *a, const struct vw_labels *b)
{
	if (a->list.n != b->list.n)
		return false;
	for (size_t i = 0; i < a->list.n; i++)
		if (strcmp(a->list.v[i].key, b->list.v[i].key) != 0 ||
		    strcmp(a->list.v[i].value, b->list.v[i].value) != 0)
			return false;
	return true;
}

static bool texts_equal(const struct vw_workload *a, const struct vw_workload *b)
{
	return vw_text_eq(a->id, b->id) && vw_text_eq(a->name, b->name) &&
	       vw_text_eq(a->service, b->service) && vw_text_eq(a->namespace_, b->namespace_) &&
	       vw_text_eq(a->project, b->project) && vw_text_eq(a->image, b->image) &&
	       vw_text_eq(a->image_id, b->image_id) &&
	       vw_text_eq(a->unenforceable, b->unenforceable);
}

static bool ports_equal(const struct vw_workload *a, const struct vw_workload *b)
{
	if (a->ports.n != b->ports.n || a->published.n != b->published.n)
		return false;
	for (size_t i = 0; i < a->ports.n; i++) {
		const struct vw_named_port *x = &a->ports.v[i], *y = &b->ports.v[i];

		if (x->proto != y->proto || x->port != y->port || !vw_text_eq(x->name, y->name))
			return false;
	}
	for (size_t i = 0; i < a->published.n; i++) {
		const struct vw_published *x = &a->published.v[i], *y = &b->published.v[i];

		if (x->proto != y->proto || x->host_port != y->host_port ||
		    x->container_port != y->container_port ||
		    !vw_addr_eq(&x->host_addr, &y->host_addr))
			return false;
	}
	return true;
}

bool vw_workload_equal(const struct vw_workload *a, const struct vw_workload *b)
{
	if (a->paused != b->paused || a->ifaces.n != b->ifaces.n || !texts_equal(a, b) ||
	    !labels_equal(&a->labels, &b->labels) || !ports_equal(a, b))
		return false;
	for (size_t i = 0; i < a->ifaces.n; i++)
		if (!iface_equal(&a->ifaces.v[i], &b->ifaces.v[i]))
			return false;
	return true;
}
