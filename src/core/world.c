/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The world: sorted tables of workloads, namespaces and node addresses, with an index from address
 * to owner that every change keeps. All look-ups are binary searches and change nothing. Every
 * change is whole or not at all: what can fail comes first. Knows nothing of runtimes. */
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "vethwall/cleanup.h"
#include "vethwall/world.h"

#define NAMESPACE_NAME_LABEL "kubernetes.io/metadata.name"

static void namespace_done(struct vw_namespace *n)
{
	free(n->name);
	vw_labels_done(&n->labels);
	*n = (struct vw_namespace){0};
}

void vw_world_done(struct vw_world *w)
{
	vw_vec_foreach (e, &w->workloads)
		vw_workload_done(e);
	vw_vec_done(&w->workloads);
	vw_vec_foreach (n, &w->namespaces)
		namespace_done(n);
	vw_vec_done(&w->namespaces);
	vw_vec_done(&w->owners);
	vw_vec_done(&w->host);
	vw_vec_done(&w->dns);
	vw_vec_foreach (l, &w->image_lists)
		vw_image_list_done(l);
	vw_vec_done(&w->image_lists);
	vw_learnt_done(w);
}

static int copy_namespaces(const struct vw_world *from, struct vw_world *n)
{
	vw_vec_foreach (e, &from->namespaces) {
		struct vw_namespace c = {0};
		int r = vw_text_copy(e->name, &c.name);

		if (!r)
			r = vw_labels_copy(&e->labels, &c.labels);
		if (!r)
			r = vw_vec_push(&n->namespaces, c, VW_NAMESPACES_MAX);
		if (r < 0) {
			namespace_done(&c);
			return r;
		}
	}
	return 0;
}

static int copy_workloads(const struct vw_world *from, struct vw_world *n)
{
	vw_vec_foreach (e, &from->workloads) {
		struct vw_workload c;
		int r = vw_workload_copy(e, &c);

		if (r < 0)
			return r;
		r = vw_vec_push(&n->workloads, c, VW_WORKLOADS_MAX);
		if (r < 0) {
			vw_workload_done(&c);
			return r;
		}
	}
	return 0;
}

int vw_world_copy(const struct vw_world *from, struct vw_world *ret)
{
	_cleanup_(vw_world_done) struct vw_world n = {0};
	int r = copy_workloads(from, &n);

	if (!r)
		r = copy_namespaces(from, &n);
	if (!r)
		r = vw_vec_copy(&from->owners, &n.owners);
	if (!r)
		r = vw_vec_copy(&from->host, &n.host);
	if (!r)
		r = vw_vec_copy(&from->dns, &n.dns);
	if (!r)
		r = vw_image_lists_copy(from, &n);
	if (!r)
		r = vw_learnt_copy(from, &n);
	if (r < 0)
		return r;
	*ret = TAKE_STRUCT(n);
	return 0;
}

/* Index of the first workload whose id is not below id; *ret_found tells whether it is that one. */
static size_t workload_pos(const struct vw_world *world, const char *id, bool *ret_found)
{
	size_t lo = 0, hi = world->workloads.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(world->workloads.v[mid].id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_found = lo < world->workloads.n && strcmp(world->workloads.v[lo].id, id) == 0;
	return lo;
}

struct vw_workload *vw_world_find(const struct vw_world *world, const char *id)
{
	bool found;
	size_t pos = workload_pos(world, id, &found);

	return found ? &world->workloads.v[pos] : NULL;
}

/* ---- who owns an address ---- */

static int owner_cmp(const struct vw_owner *a, const struct vw_owner *b)
{
	int r = vw_addr_cmp(&a->addr, &b->addr);

	if (r)
		return r;
	if (a->workload != b->workload)
		return a->workload < b->workload ? -1 : 1;
	return (a->iface > b->iface) - (a->iface < b->iface);
}

/* Index of the first owner that is not below o. */
static size_t owner_pos(const struct vw_world *world, const struct vw_owner *o)
{
	size_t lo = 0, hi = world->owners.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (owner_cmp(&world->owners.v[mid], o) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Makes room for n more owners, so that what follows cannot fail. */
static int owners_reserve(struct vw_world *world, size_t n)
{
	size_t want = world->owners.n + n, cap = want + want / 2;
	struct vw_owner *v;

	if (want > VW_OWNERS_MAX)
		return -ENOSPC;
	if (want <= world->owners.cap)
		return 0;
	v = reallocarray(world->owners.v, cap, sizeof(*v));
	if (!v)
		return -ENOMEM;
	world->owners.v = v;
	world->owners.cap = cap;
	return 0;
}

static void owners_drop(struct vw_world *world, size_t workload)
{
	size_t kept = 0;

	vw_vec_foreach (o, &world->owners)
		if (o->workload != workload)
			world->owners.v[kept++] = *o;
	world->owners.n = kept;
}

/* A workload was put in (by = 1) or taken out (-1) at index pos: those behind it have moved. The
 * order of the index stays. */
static void owners_shift(struct vw_world *world, size_t pos, int by)
{
	vw_vec_foreach (o, &world->owners)
		if (o->workload >= pos)
			o->workload += (uint32_t)by;
}

static void owners_add(struct vw_world *world, size_t workload)
{
	const struct vw_workload *w = &world->workloads.v[workload];

	for (size_t i = 0; i < w->ifaces.n; i++) {
		vw_vec_foreach (ip, &w->ifaces.v[i].ips) {
			struct vw_owner o = {*ip, (uint32_t)workload, (uint32_t)i};
			size_t pos = owner_pos(world, &o);

			memmove(world->owners.v + pos + 1, world->owners.v + pos,
				(world->owners.n - pos) * sizeof(o));
			world->owners.v[pos] = o;
			world->owners.n++;
		}
	}
}

const struct vw_workload *vw_world_by_addr(const struct vw_world *world, const struct vw_addr *a,
					   const struct vw_iface **ret_iface, bool *ret_ambiguous)
{
	struct vw_owner key = {.addr = *a};
	size_t pos = owner_pos(world, &key);
	const struct vw_workload *w;
	const struct vw_owner *o;

	if (ret_iface)
		*ret_iface = NULL;
	if (ret_ambiguous)
		*ret_ambiguous = false;
	if (pos == world->owners.n || !vw_addr_eq(&world->owners.v[pos].addr, a))
		return NULL;
	o = &world->owners.v[pos];
	for (size_t i = pos + 1; i < world->owners.n && vw_addr_eq(&world->owners.v[i].addr, a);
	     i++) {
		if (world->owners.v[i].workload == o->workload)
			continue;
		if (ret_ambiguous)
			*ret_ambiguous = true;
		return NULL;
	}
	w = &world->workloads.v[o->workload];
	if (ret_iface)
		*ret_iface = &w->ifaces.v[o->iface];
	return w;
}

/* ---- namespaces ---- */

static size_t namespace_pos(const struct vw_world *world, const char *name, bool *ret_found)
{
	size_t lo = 0, hi = world->namespaces.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(world->namespaces.v[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_found = lo < world->namespaces.n && strcmp(world->namespaces.v[lo].name, name) == 0;
	return lo;
}

const struct vw_namespace *vw_world_namespace(const struct vw_world *world, const char *name)
{
	bool found;
	size_t pos = namespace_pos(world, name, &found);

	return found ? &world->namespaces.v[pos] : NULL;
}

int vw_world_add_namespace(struct vw_world *world, const char *name, struct vw_namespace **ret)
{
	_cleanup_(namespace_done) struct vw_namespace n = {0};
	bool found;
	size_t pos = namespace_pos(world, name, &found);
	int r;

	if (!found) {
		r = vw_text_copy(name, &n.name);
		if (!r)
			r = vw_labels_set(&n.labels, NAMESPACE_NAME_LABEL, name);
		if (!r)
			r = vw_vec_push(&world->namespaces, n, VW_NAMESPACES_MAX);
		if (r < 0)
			return r;
		memmove(world->namespaces.v + pos + 1, world->namespaces.v + pos,
			(world->namespaces.n - 1 - pos) * sizeof(n));
		world->namespaces.v[pos] = TAKE_STRUCT(n);
	}
	if (ret)
		*ret = &world->namespaces.v[pos];
	return 0;
}

/* Forgets a namespace that means nothing any more: nobody in it, no label but its name. */
static void namespace_release(struct vw_world *world, const char *name)
{
	bool found;
	size_t pos = namespace_pos(world, name, &found);

	if (!found || world->namespaces.v[pos].labels.list.n > 1)
		return;
	vw_vec_foreach (w, &world->workloads)
		if (strcmp(w->namespace_, name) == 0)
			return;
	namespace_done(&world->namespaces.v[pos]);
	world->namespaces.n--;
	memmove(world->namespaces.v + pos, world->namespaces.v + pos + 1,
		(world->namespaces.n - pos) * sizeof(*world->namespaces.v));
}

/* ---- workloads come and go ---- */

static size_t count_ips(const struct vw_workload *w)
{
	size_t n = 0;

	vw_vec_foreach (i, &w->ifaces)
		n += i->ips.n;
	return n;
}

/* Everything that put may fail in. */
static int put_prepare(struct vw_world *world, const struct vw_workload *w, bool found)
{
	void *v = world->workloads.v;
	int r = owners_reserve(world, count_ips(w));

	if (!r && !found) {
		r = vw_vec_grow(&v, &world->workloads.cap, world->workloads.n, sizeof(*w),
				VW_WORKLOADS_MAX);
		world->workloads.v = v;
	}
	return r ? r : vw_world_add_namespace(world, w->namespace_, NULL);
}

static void put_insert(struct vw_world *world, struct vw_workload *w, size_t pos)
{
	memmove(world->workloads.v + pos + 1, world->workloads.v + pos,
		(world->workloads.n - pos) * sizeof(*w));
	world->workloads.n++;
	world->workloads.v[pos] = *w;
	owners_shift(world, pos, 1);
	owners_add(world, pos);
}

static void put_replace(struct vw_world *world, struct vw_workload *w, size_t pos)
{
	struct vw_workload old = world->workloads.v[pos];

	world->workloads.v[pos] = *w;
	owners_drop(world, pos);
	owners_add(world, pos);
	namespace_release(world, old.namespace_);
	vw_workload_done(&old);
}

int vw_world_put(struct vw_world *world, struct vw_workload *w, bool *ret_changed)
{
	bool found, changed = true;
	size_t pos;
	int r;

	if (!w->id || !w->name || !w->service || !w->namespace_)
		return -EINVAL;
	pos = workload_pos(world, w->id, &found);
	if (found && vw_workload_equal(&world->workloads.v[pos], w)) {
		vw_workload_done(w);
		changed = false;
	} else {
		r = put_prepare(world, w, found);
		if (r < 0)
			return r;
		if (found)
			put_replace(world, w, pos);
		else
			put_insert(world, w, pos);
		*w = (struct vw_workload){0};
	}
	if (ret_changed)
		*ret_changed = changed;
	return 0;
}

bool vw_world_remove(struct vw_world *world, const char *id)
{
	struct vw_workload old;
	bool found;
	size_t pos = workload_pos(world, id, &found);

	if (!found)
		return false;
	old = world->workloads.v[pos];
	world->workloads.n--;
	memmove(world->workloads.v + pos, world->workloads.v + pos + 1,
		(world->workloads.n - pos) * sizeof(old));
	owners_drop(world, pos);
	owners_shift(world, pos, -1);
	namespace_release(world, old.namespace_);
	vw_workload_done(&old);
	return true;
}

/* ---- addresses of the node ---- */

static size_t host_pos(const struct vw_world *world, const struct vw_addr *a)
{
	size_t lo = 0, hi = world->host.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (vw_addr_cmp(&world->host.v[mid], a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool vw_world_is_host(const struct vw_world *world, const struct vw_addr *a)
{
	size_t pos = host_pos(world, a);

	return pos < world->host.n && vw_addr_eq(&world->host.v[pos], a);
}

int vw_world_add_host(struct vw_world *world, const struct vw_addr *a)
{
	struct vw_addr val = *a; /* a may point into the list itself */
	size_t pos = host_pos(world, &val);
	int r;

	if (!val.family || vw_addr_is_loopback(&val) || vw_world_is_host(world, &val))
		return 0;
	r = vw_vec_push(&world->host, val, VW_HOST_ADDRS_MAX);
	if (r < 0)
		return r;
	memmove(world->host.v + pos + 1, world->host.v + pos,
		(world->host.n - 1 - pos) * sizeof(val));
	world->host.v[pos] = val;
	return 0;
}
