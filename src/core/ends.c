/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that people write -> ends of a connection: a workload by its name or service, an address
 * with the workload behind it, a published port with the container behind it. Then interfaces: on a
 * network that both ends share where there is one, IPv4 before IPv6. Knows nothing of policies. */
#include "ends.h"

#include <netinet/in.h>
#include <stdio.h>

#include "text.h"

#define NAMES_MAX (4u * VW_WORKLOADS_MAX)

/* One end as far as the question fixes it. */
struct side {
	const struct vw_workload *workload;
	const struct vw_iface *iface; /* fixed by the address, or NULL */
	struct vw_addr addr; /* likewise, family 0: any of the workload's */
};

static int cmp_names(const void *pa, const void *pb)
{
	const struct vw_end_name *a = pa, *b = pb;
	int r;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	r = strcmp(a->name, b->name);
	if (!r)
		r = strcmp(a->namespace_, b->namespace_);
	return r ? r : (a->workload > b->workload) - (a->workload < b->workload);
}

static int add_names(struct vw_ends *e, uint32_t i)
{
	const struct vw_workload *w = &e->world->workloads.v[i];
	const struct vw_end_name names[] = {
		{VW_END_NAME, w->namespace_, w->name, i},
		{VW_END_SERVICE, w->namespace_, w->service, i},
		{VW_END_BARE_SERVICE, "", w->service, i},
		{VW_END_BARE_NAME, "", w->name, i},
	};

	for (size_t k = 0; k < 4; k++) {
		int r = vw_vec_push(&e->names, names[k], NAMES_MAX);

		if (r)
			return r;
	}
	return w->published.n ? vw_vec_push(&e->published, i, VW_WORKLOADS_MAX) : 0;
}

int vw_ends_init(struct vw_ends *e, const struct vw_world *world)
{
	int r = 0;

	*e = (struct vw_ends){.world = world};
	for (size_t i = 0; !r && i < world->workloads.n; i++)
		r = add_names(e, (uint32_t)i);
	if (r)
		vw_ends_done(e);
	else if (e->names.n)
		qsort(e->names.v, e->names.n, sizeof(*e->names.v), cmp_names);
	return r;
}

void vw_ends_done(struct vw_ends *e)
{
	vw_vec_done(&e->names);
	vw_vec_done(&e->published);
}

/* ---- a name's workload ---- */

/* The entries with this name: the first, and how many. */
static const struct vw_end_name *find(const struct vw_ends *e, unsigned kind,
				      const char *namespace_, const char *name, size_t *ret_n)
{
	struct vw_end_name key = {.namespace_ = namespace_, .name = name};
	size_t lo = 0, hi = e->names.n, n = 0;

	key.kind = kind;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp_names(&e->names.v[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo + n < e->names.n && e->names.v[lo + n].kind == key.kind &&
	       strcmp(e->names.v[lo + n].name, name) == 0 &&
	       strcmp(e->names.v[lo + n].namespace_, namespace_) == 0)
		n++;
	*ret_n = n;
	return n ? &e->names.v[lo] : NULL;
}

/* A bare name is good when all that it fits are in one namespace; replicas of a service are alike.
 */
static int find_bare(const struct vw_ends *e, unsigned kind, const char *name,
		     const struct vw_workload **ret, char *why)
{
	size_t n;
	const struct vw_end_name *f = find(e, kind, "", name, &n);
	const struct vw_workload *v = e->world->workloads.v;

	for (size_t i = 1; i < n; i++) {
		if (strcmp(v[f[0].workload].namespace_, v[f[i].workload].namespace_) == 0)
			continue;
		snprintf(why, VW_WHY_MAX,
			 "\"%.100s\" is in several namespaces, write %.100s/%.60s or "
			 "%.100s/%.60s",
			 name, v[f[0].workload].namespace_, name, v[f[i].workload].namespace_,
			 name);
		return -EINVAL;
	}
	*ret = n ? &v[f[0].workload] : NULL;
	return 0;
}

static const struct vw_workload *find_in(const struct vw_ends *e, const char *namespace_,
					 const char *name, bool service_first)
{
	const struct vw_end_name *f;
	size_t n;

	f = find(e, service_first ? VW_END_SERVICE : VW_END_NAME, namespace_, name, &n);
	if (!f)
		f = find(e, service_first ? VW_END_NAME : VW_END_SERVICE, namespace_, name, &n);
	return f ? &e->world->workloads.v[f->workload] : NULL;
}

static int find_workload(const struct vw_ends *e, const char *text, const char *home,
			 const struct vw_workload **ret, char *why)
{
	const struct vw_workload *w = NULL;
	const char *slash = strchr(text, '/');
	char ns[VW_NAME_MAX + 1];
	int r = 0;

	if (slash && (size_t)(slash - text) < sizeof(ns)) {
		memcpy(ns, text, (size_t)(slash - text));
		ns[slash - text] = '\0';
		w = find_in(e, ns, slash + 1, false);
	} else if (!slash) {
		w = home ? find_in(e, home, text, true) : NULL;
		if (!w)
			r = find_bare(e, VW_END_BARE_SERVICE, text, &w, why);
		if (!r && !w)
			r = find_bare(e, VW_END_BARE_NAME, text, &w, why);
	}
	if (!r && !w) {
		snprintf(why, VW_WHY_MAX,
			 "\"%.200s\" is neither a workload nor a service of this world, nor "
			 "an IP address",
			 text);
		r = -EINVAL;
	}
	if (!r)
		*ret = w;
	return r;
}

static int find_side(const struct vw_ends *e, const char *text, const char *home, struct side *ret,
		     char *why)
{
	struct side s = {0};

	if (vw_addr_parse(text, &s.addr) == 0) {
		/* With two owners it stays an address: nobody is known by it. */
		s.workload = vw_world_by_addr(e->world, &s.addr, &s.iface, NULL);
		*ret = s;
		return 0;
	}
	*ret = s;
	return find_workload(e, text, home, &ret->workload, why);
}

/* A host address and published port is the container behind them (design page: judged at the
 * sender's veth, where the packet still has that destination). */
static void follow_published(const struct vw_ends *e, uint8_t proto, uint16_t *port,
			     struct side *to)
{
	if (to->workload || !to->addr.family)
		return;
	vw_vec_foreach (i, &e->published) {
		const struct vw_workload *w = &e->world->workloads.v[*i];

		vw_vec_foreach (p, &w->published) {
			bool host = p->host_addr.family ? vw_addr_eq(&p->host_addr, &to->addr)
							: vw_world_is_host(e->world, &to->addr);

			if (!host || p->proto != proto || p->host_port != *port)
				continue;
			*to = (struct side){.workload = w};
			*port = p->container_port;
			return;
		}
	}
}

/* ---- interfaces ---- */

static const struct vw_addr *addr_of(const struct vw_iface *i, uint8_t family)
{
	vw_vec_foreach (a, &i->ips)
		if (a->family == family)
			return a;
	return NULL;
}

/* The n-th interface that the side may use with this family, and its address. */
static bool nth(const struct side *s, uint8_t family, size_t n, struct vw_end *ret)
{
	const struct vw_addr *a;

	if (s->addr.family || !s->workload) {
		*ret = (struct vw_end){s->workload, s->iface, s->addr};
		return n == 0 && s->addr.family == family;
	}
	vw_vec_foreach (i, &s->workload->ifaces) {
		a = addr_of(i, family);
		if (!a || n-- > 0)
			continue;
		*ret = (struct vw_end){s->workload, i, *a};
		return true;
	}
	return false;
}

static bool share_network(const struct vw_end *a, const struct vw_end *b)
{
	return !a->iface || !b->iface || vw_text_eq(a->iface->network, b->iface->network);
}

static bool pair(const struct side *from, const struct side *to, uint8_t family,
		 struct vw_probe *ret)
{
	struct vw_end a, b;

	for (size_t i = 0; nth(from, family, i, &a); i++)
		for (size_t j = 0; nth(to, family, j, &b); j++)
			if (share_network(&a, &b)) {
				ret->from = a;
				ret->to = b;
				return true;
			}
	return nth(from, family, 0, &ret->from) && nth(to, family, 0, &ret->to);
}

static bool has_addresses(const struct side *s)
{
	struct vw_end e;

	return nth(s, 4, 0, &e) || nth(s, 6, 0, &e);
}

static int no_pair(const struct vw_question *q, uint8_t family, char *why)
{
	if (family)
		snprintf(why, VW_WHY_MAX, "%.200s and %.200s do not both have an IPv%u address",
			 q->from, q->to, family);
	else
		snprintf(why, VW_WHY_MAX, "%.200s and %.200s have no address family in common",
			 q->from, q->to);
	return -EINVAL;
}

int vw_ends_choose(const struct vw_ends *e, const struct vw_question *q, struct vw_probe *ret,
		   char why[static VW_WHY_MAX])
{
	struct vw_probe p = {.proto = q->proto, .port = q->port};
	uint8_t family = q->family;
	struct side from, to;
	int r = find_side(e, q->from, q->namespace_, &from, why);

	if (!r)
		r = find_side(e, q->to, q->namespace_, &to, why);
	if (r)
		return r;
	follow_published(e, q->proto, &p.port, &to);
	if (!from.workload && !to.workload) {
		snprintf(why, VW_WHY_MAX, "neither %.200s nor %.200s is a workload of this world",
			 q->from, q->to);
		return -EINVAL;
	}
	if (!family)
		family = q->proto == IPPROTO_ICMP ? 4 : q->proto == IPPROTO_ICMPV6 ? 6 : 0;
	if ((family != 6 && pair(&from, &to, 4, &p)) || (family != 4 && pair(&from, &to, 6, &p))) {
		*ret = p;
		return 0;
	}
	/* A workload that has no address (yet) is still known by its labels. */
	if (family || (has_addresses(&from) && has_addresses(&to)))
		return no_pair(q, family, why);
	p.from = (struct vw_end){from.workload, from.iface, from.addr};
	p.to = (struct vw_end){to.workload, to.iface, to.addr};
	*ret = p;
	return 0;
}
