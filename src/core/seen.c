/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From flows to connections that were seen, and the bounded table of them. Direction is that of
 * whoever opened the connection: what looks like an answer is none. */
#include "vethwall/seen.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "text.h"
#include "vethwall/cleanup.h"

/* Clients take their ports from here on (Linux, ip_local_port_range; IANA: from 49152). */
#define EPHEMERAL 32768

const char *vw_seen_kind_str(enum vw_seen_kind k)
{
	static const char *const names[] = {"service", "name", "address"};

	_Static_assert(VW_ARRAY_SIZE(names) == _VW_SEEN_KIND_MAX, "a name for each kind");
	return names[k];
}

/* ---- the table ---- */

static int owner_cmp(const struct vw_seen *a, const struct vw_seen *b)
{
	int r = vw_text_cmp(a->namespace_, b->namespace_);

	if (!r)
		r = vw_text_cmp(a->service, b->service);
	return r ? r : (int)a->dir - (int)b->dir;
}

static int peer_cmp(const struct vw_seen *a, const struct vw_seen *b)
{
	int r = (int)a->kind - (int)b->kind;

	if (!r)
		r = vw_text_cmp(a->peer_namespace, b->peer_namespace);
	if (!r)
		r = vw_text_cmp(a->peer, b->peer);
	if (!r)
		r = (int)a->published - (int)b->published;
	return r || a->kind != VW_SEEN_ADDR ? r : vw_addr_cmp(&a->addr, &b->addr);
}

int vw_seen_cmp(const struct vw_seen *a, const struct vw_seen *b)
{
	int r = owner_cmp(a, b);

	if (!r)
		r = peer_cmp(a, b);
	if (!r)
		r = (int)a->proto - (int)b->proto;
	return r ? r : (int)a->port - (int)b->port;
}

void vw_seen_done(struct vw_seen *s)
{
	free(s->namespace_);
	free(s->service);
	free(s->peer_namespace);
	free(s->peer);
	*s = (struct vw_seen){0};
}

void vw_seen_table_done(struct vw_seen_table *t)
{
	vw_vec_foreach (s, &t->list)
		vw_seen_done(s);
	vw_vec_done(&t->list);
	t->over = 0;
}

/* Index of the first entry that cmp does not put below s. */
static size_t place(const struct vw_seen_table *t, const struct vw_seen *s,
		    int (*cmp)(const struct vw_seen *a, const struct vw_seen *b))
{
	size_t lo = 0, hi = t->list.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp(&t->list.v[mid], s) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int after_owner(const struct vw_seen *a, const struct vw_seen *b)
{
	return owner_cmp(a, b) <= 0 ? -1 : 1;
}

static bool has_room(const struct vw_seen_table *t, const struct vw_seen *s)
{
	return t->list.n < VW_SEEN_MAX &&
	       place(t, s, after_owner) - place(t, s, owner_cmp) < VW_SEEN_SHARE;
}

static void merge(struct vw_seen *into, const struct vw_seen *s)
{
	if (s->first_us < into->first_us)
		into->first_us = s->first_us;
	if (s->last_us >= into->last_us) {
		into->last_us = s->last_us;
		into->own = s->own;
		into->addr = s->addr;
	}
	into->count += s->count;
	into->sources |= s->sources;
}

static int copy(const struct vw_seen *s, struct vw_seen *ret)
{
	_cleanup_(vw_seen_done) struct vw_seen c = *s;
	int r;

	c.namespace_ = c.service = c.peer_namespace = c.peer = NULL;
	r = vw_text_copy(s->namespace_, &c.namespace_);
	if (!r)
		r = vw_text_copy(s->service, &c.service);
	if (!r)
		r = vw_text_copy(s->peer_namespace, &c.peer_namespace);
	if (!r)
		r = vw_text_copy(s->peer, &c.peer);
	if (!r)
		*ret = TAKE_STRUCT(c);
	return r;
}

int vw_seen_note(struct vw_seen_table *t, const struct vw_seen *s)
{
	size_t at = place(t, s, vw_seen_cmp);
	_cleanup_(vw_seen_done) struct vw_seen c = {0};
	int r;

	if (at < t->list.n && !vw_seen_cmp(&t->list.v[at], s)) {
		merge(&t->list.v[at], s);
		return 0;
	}
	if (!has_room(t, s)) {
		t->over++;
		return -ENOSPC;
	}
	r = copy(s, &c);
	c.count += !c.count;
	if (!r)
		r = vw_vec_push(&t->list, c, VW_SEEN_MAX);
	if (r)
		return r;
	memmove(&t->list.v[at + 1], &t->list.v[at], (t->list.n - 1 - at) * sizeof(c));
	t->list.v[at] = TAKE_STRUCT(c);
	return 0;
}

void vw_seen_expire(struct vw_seen_table *t, int64_t before_us)
{
	size_t n = 0;

	vw_vec_foreach (s, &t->list) {
		if (s->last_us < before_us)
			vw_seen_done(s);
		else
			t->list.v[n++] = *s;
	}
	t->list.n = n;
}

/* ---- one flow ---- */

/* Queries and what has no answer; errors (RFC 792, RFC 4443) and answers belong to another flow. */
static bool icmp_opens(const struct vw_tuple *t)
{
	static const uint8_t v4[] = {0, 3, 4, 5, 11, 12, 14, 16, 18};
	static const uint8_t v6[] = {1, 2, 3, 4, 129};
	const uint8_t *no = t->proto == IPPROTO_ICMP ? v4 : v6;
	size_t n = t->proto == IPPROTO_ICMP ? sizeof(v4) : sizeof(v6);

	return !memchr(no, t->dport >> 8, n);
}

/* A packet from a server's port to a client's, of a connection that the wall did not know (any
 * more): policy judges it as if it opened one. */
static bool is_reply(const struct vw_tuple *t)
{
	if (t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6)
		return !icmp_opens(t);
	return vw_proto_has_ports(t->proto) && t->sport < EPHEMERAL && t->dport >= EPHEMERAL;
}

/* Refused by the wall itself: no policy can let it pass. */
static bool is_no_policy(const struct vw_flow *f)
{
	uint32_t n = f->t.code & VW_CODE_RULE;

	return f->event == VW_FLOW_OVERFLOW || !f->t.src.family ||
	       (n >= VW_REASON_SPOOF && n < VW_REASON_FIRST_RULE && n != VW_REASON_FULL);
}

static int text_of(const struct vw_str *s, char **ret)
{
	*ret = s->s ? strndup(s->s, s->n) : NULL;
	return s->s && !*ret ? -ENOMEM : 0;
}

/* The namespace in "namespace/name", or nothing. */
static struct vw_str namespace_of(const struct vw_str *name)
{
	const char *slash = name->s ? memchr(name->s, '/', name->n) : NULL;

	return slash ? (struct vw_str){name->s, (size_t)(slash - name->s)} : (struct vw_str){0};
}

/* s, or the other where there is none. */
static struct vw_str or_else(struct vw_str s, const char *other)
{
	return s.s ? s : vw_str_of(other);
}

static int set_owner(const struct vw_flow *f, const struct vw_workload *w, struct vw_seen *s)
{
	struct vw_str ns = or_else(namespace_of(&f->workload), w ? w->namespace_ : NULL);
	struct vw_str service = or_else(f->service, w ? w->service : NULL);
	int r = text_of(&ns, &s->namespace_);

	return r ? r : text_of(&service, &s->service);
}

/* The one workload behind a port of the node, as the compiler has it: two are none. */
static const struct vw_workload *publisher(const struct vw_world *world, const struct vw_seen *s,
					   uint16_t *ret_port)
{
	const struct vw_workload *found = NULL;
	bool host = vw_world_is_host(world, &s->addr);

	vw_vec_foreach (w, &world->workloads)
		vw_vec_foreach (p, &w->published) {
			if (p->proto != s->proto || p->host_port != s->port ||
			    !(p->host_addr.family ? vw_addr_eq(&p->host_addr, &s->addr) : host))
				continue;
			if (found && (found != w || *ret_port != p->container_port))
				return NULL;
			found = w;
			*ret_port = p->container_port;
		}
	return found;
}

/* A name that the workload's wall knows for the address, or NULL. */
static const char *learnt_name(const struct vw_world *world, unsigned ifindex,
			       const struct vw_addr *a)
{
	const struct vw_learnt *l = world->learnt.v, *end = l + world->learnt.n;

	if (!world->learnt.n || !vw_learnt_openable(world, a))
		return NULL;
	for (l += vw_learnt_first(world, ifindex, a);
	     l < end && l->ifindex == ifindex && vw_addr_eq(&l->addr, a); l++)
		if (!l->lapsed)
			return l->name;
	return NULL;
}

static int set_service(struct vw_seen *s, const struct vw_str *ns, const struct vw_str *service)
{
	int r = text_of(ns, &s->peer_namespace);

	s->kind = VW_SEEN_SERVICE;
	return r ? r : text_of(service, &s->peer);
}

/* Names are those of the time when it was seen; what a port of the node leads to, is by now. */
static int set_peer(const struct vw_flow *f, const struct vw_world *world, struct vw_seen *s)
{
	const struct vw_workload *w = vw_world_by_addr(world, &s->addr, NULL, NULL);
	struct vw_str ns = namespace_of(&f->peer), service = f->peer_service, name;
	bool out = !w && s->dir == VW_EGRESS, host = vw_world_is_host(world, &s->addr);

	if (out)
		w = publisher(world, s, &s->port);
	s->published = out && w;
	if (w && (s->published || !f->peer.s)) {
		ns = vw_str_of(w->namespace_);
		service = vw_str_of(w->service);
	}
	if (ns.s && service.s && (w || !out || !host))
		return set_service(s, &ns, &service);
	name = vw_str_of(out && !host ? learnt_name(world, f->ifindex, &s->addr) : NULL);
	s->kind = name.s ? VW_SEEN_NAME : VW_SEEN_ADDR;
	return text_of(&name, &s->peer);
}

int vw_seen_of_flow(const struct vw_flow *f, const struct vw_world *world, unsigned source,
		    enum vw_seen_as *ret_as, struct vw_seen *ret)
{
	_cleanup_(vw_seen_done) struct vw_seen s = {
		.dir = f->egress ? VW_EGRESS : VW_INGRESS,
		.own = f->egress ? f->t.src : f->t.dst,
		.addr = f->egress ? f->t.dst : f->t.src,
		.proto = f->t.proto,
		.port = f->t.dport,
		.first_us = f->first_us,
		.last_us = f->last_us,
		.count = f->packets,
		.sources = source,
	};
	int r = 0;

	*ret_as = is_no_policy(f)			      ? VW_SEEN_NO_POLICY
		  : source != VW_SEEN_LIVE && is_reply(&f->t) ? VW_SEEN_REPLY
							      : VW_SEEN_CONNECTION;
	if (*ret_as != VW_SEEN_CONNECTION)
		return 0;
	r = set_owner(f, vw_world_by_addr(world, &s.own, NULL, NULL), &s);
	if (!r && (!s.namespace_ || !s.service)) {
		*ret_as = VW_SEEN_NOBODY;
		return 0;
	}
	if (!r)
		r = set_peer(f, world, &s);
	if (!r)
		*ret = TAKE_STRUCT(s);
	return r;
}
