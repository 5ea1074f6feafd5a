/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was seen, turned to rules. Each connection gives an item at either end that is a workload;
 * guardrails, which stand above all service policies, are asked first; items of one service and
 * direction are then folded by peer and port. Writes no text. */
#include "suggest_item.h"

#include <netinet/in.h>

#include "text.h"
#include "vethwall/cleanup.h"

#define ITEMS_MAX (2 * VW_SEEN_MAX)
#define PAIRS_MAX 64 /* of replicas that a guardrail is asked about */

struct suggesting {
	const struct vw_world *world;
	const struct vw_suggest_options *o;
	struct vw_policyset guardrails; /* shallow copies of those that are enforced */
	const struct vw_policyset *others;
	VW_VEC(struct item) items;
	struct vw_suggestions out;
};

/* ---- items ---- */

int item_owner_cmp(const struct item *a, const struct item *b)
{
	int r = strcmp(a->namespace_, b->namespace_);

	if (!r)
		r = strcmp(a->service, b->service);
	return r ? r : (int)a->dir - (int)b->dir;
}

int item_peer_cmp(const struct item *a, const struct item *b)
{
	int r = (int)a->kind - (int)b->kind;

	if (r)
		return r;
	if (a->kind == PEER_ENTITY)
		return (int)a->entity - (int)b->entity;
	if (a->kind == PEER_ADDR)
		return vw_addr_cmp(&a->addr, &b->addr);
	r = vw_text_cmp(a->peer_namespace, b->peer_namespace);
	return r ? r : vw_text_cmp(a->peer, b->peer);
}

static int port_cmp(const struct item *a, const struct item *b)
{
	return a->proto != b->proto ? (int)a->proto - (int)b->proto : (int)a->port - (int)b->port;
}

/* By owner, peer and port; what was seen at the own wall first. */
static int by_peer(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	int r = item_owner_cmp(a, b);

	if (!r)
		r = item_peer_cmp(a, b);
	if (!r)
		r = port_cmp(a, b);
	return r ? r : (int)a->mirrored - (int)b->mirrored;
}

static int by_port(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	int r = item_owner_cmp(a, b);

	return r ? r : port_cmp(a, b);
}

static bool is_resolver(const struct vw_world *world, const struct vw_addr *a)
{
	vw_vec_foreach (d, &world->dns)
		if (vw_addr_eq(d, a))
			return true;
	return false;
}

/* An address: the node's, a resolver's for questions to it, or just this one. */
static void set_addr(const struct suggesting *g, struct item *i)
{
	bool dns = i->port == 53 && (i->proto == IPPROTO_UDP || i->proto == IPPROTO_TCP);

	i->kind = PEER_ENTITY;
	if (i->dir == VW_EGRESS && dns && is_resolver(g->world, &i->addr))
		i->entity = VW_ENTITY_DNS;
	else if (vw_world_is_host(g->world, &i->addr))
		i->entity = VW_ENTITY_HOST;
	else
		i->kind = PEER_ADDR;
}

static struct item item_of(const struct suggesting *g, const struct vw_seen *s)
{
	struct item i = {.s = s,
			 .namespace_ = s->namespace_,
			 .service = s->service,
			 .dir = s->dir,
			 .kind = s->kind == VW_SEEN_NAME ? PEER_NAME : PEER_SERVICE,
			 .peer_namespace = s->peer_namespace,
			 .peer = s->peer,
			 .addr = s->addr,
			 .proto = s->proto,
			 .port = s->port,
			 .seen = {s->count, s->first_us, s->last_us, s->sources}};

	if (s->kind == VW_SEEN_ADDR)
		set_addr(g, &i);
	return i;
}

static struct item mirror(const struct item *i)
{
	struct item m = *i;

	m.mirrored = true;
	m.namespace_ = i->peer_namespace;
	m.service = i->peer;
	m.dir = i->dir == VW_EGRESS ? VW_INGRESS : VW_EGRESS;
	m.peer_namespace = i->namespace_;
	m.peer = i->service;
	m.addr = i->s->own;
	return m;
}

/* ---- what a policy can spell ---- */

static bool spells(const char *name)
{
	size_t n = strlen(name);

	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '/')
			return false;
	return n > 0 && n <= VW_NAME_MAX;
}

static bool can_say(const struct item *i)
{
	if (vw_proto_has_ports(i->proto) && !i->port)
		return false;
	return spells(i->namespace_) && spells(i->service) &&
	       (i->kind != PEER_SERVICE || (spells(i->peer_namespace) && spells(i->peer)));
}

/* ---- guardrails ---- */

struct judging {
	const struct suggesting *g;
	const struct item *i;
	size_t pairs, alive, needless;
	struct vw_decision denied;
	enum vw_direction denied_dir;
	size_t crossings;
};

static enum vw_direction other_dir(enum vw_direction dir)
{
	return dir == VW_EGRESS ? VW_INGRESS : VW_EGRESS;
}

static bool denies(const struct vw_decision *d)
{
	return d->tier == VW_TIER_GUARDRAIL && !d->allow;
}

/* One pair of ends: is it denied at either of them, does it need a policy at the own one? */
static void judge_pair(struct judging *j, const struct vw_end *self, const struct vw_end *peer)
{
	const struct item *i = j->i;
	const struct suggesting *g = j->g;
	struct vw_decision own, far = {.allow = true, .tier = VW_TIER_DEFAULT};

	if (self->workload == peer->workload)
		return; /* never meets its wall */
	vw_decide(&g->guardrails, g->world, false, i->dir, self, peer, i->proto, i->port, &own);
	if (peer->workload && !i->s->published)
		vw_decide(&g->guardrails, g->world, false, other_dir(i->dir), peer, self, i->proto,
			  i->port, &far);
	j->pairs++;
	if (denies(&own) || denies(&far)) {
		if (!j->crossings++) {
			j->denied = denies(&own) ? own : far;
			j->denied_dir = denies(&own) ? i->dir : other_dir(i->dir);
		}
		return;
	}
	j->alive++;
	j->needless += own.tier == VW_TIER_GUARDRAIL;
}

static bool is_service(const struct vw_workload *w, const char *namespace_, const char *service)
{
	return !strcmp(w->namespace_, namespace_) && !strcmp(w->service, service);
}

static const struct vw_addr *addr_of(const struct vw_iface *f, uint8_t family)
{
	vw_vec_foreach (a, &f->ips)
		if (a->family == family)
			return a;
	return NULL;
}

static void judge_self(struct judging *j, const struct vw_end *self)
{
	const struct item *i = j->i;

	if (i->kind != PEER_SERVICE) {
		judge_pair(j, self, &(struct vw_end){.addr = i->addr});
		return;
	}
	vw_vec_foreach (w, &j->g->world->workloads) {
		if (!is_service(w, i->peer_namespace, i->peer))
			continue;
		vw_vec_foreach (f, &w->ifaces) {
			const struct vw_addr *a = addr_of(f, self->addr.family);

			if (a && j->pairs < PAIRS_MAX)
				judge_pair(j, self, &(struct vw_end){w, f, *a});
		}
	}
}

/* The two that were seen, where they are still who they were. */
static void judge_seen(struct judging *j)
{
	const struct vw_world *world = j->g->world;
	const struct item *i = j->i;
	struct vw_end self = {.addr = i->mirrored ? i->s->addr : i->s->own};
	struct vw_end peer = {.addr = i->addr};

	self.workload = vw_world_by_addr(world, &self.addr, &self.iface, NULL);
	if (!self.workload || !is_service(self.workload, i->namespace_, i->service))
		return;
	if (i->kind == PEER_SERVICE) {
		peer.workload = vw_world_by_addr(world, &peer.addr, &peer.iface, NULL);
		if (!peer.workload || !is_service(peer.workload, i->peer_namespace, i->peer))
			return;
	}
	judge_pair(j, &self, &peer);
}

static void judge_item(struct judging *j)
{
	const struct item *i = j->i;
	uint8_t family = i->s->own.family;

	judge_seen(j);

	vw_vec_foreach (w, &j->g->world->workloads) {
		if (!is_service(w, i->namespace_, i->service))
			continue;
		vw_vec_foreach (f, &w->ifaces) {
			const struct vw_addr *a = addr_of(f, family);

			if (a && j->pairs < PAIRS_MAX)
				judge_self(j, &(struct vw_end){w, f, *a});
		}
	}
}

static bool wanted(const struct suggesting *g, const struct item *i)
{
	const char *want = g->o->service, *slash = want ? strchr(want, '/') : NULL;

	if (!want)
		return true;
	if (!slash)
		return !strcmp(i->service, want);
	return !strcmp(i->service, slash + 1) && strlen(i->namespace_) == (size_t)(slash - want) &&
	       !strncmp(i->namespace_, want, (size_t)(slash - want));
}

static int leave(struct suggesting *g, const struct judging *j)
{
	struct vw_unsuggested u = {.seen = *j->i->s,
				   .policy = j->denied.policy,
				   .rule = j->denied.rule,
				   .dir = j->denied_dir,
				   .partly = j->alive > 0};
	struct item other = mirror(j->i);

	if (j->i->mirrored)
		return 0; /* once is enough */
	if (!wanted(g, j->i) && (j->i->kind != PEER_SERVICE || !wanted(g, &other)))
		return 0;
	return vw_vec_push(&g->out.left, u, ITEMS_MAX);
}

/* Keeps the item if some of its connections need a rule. Nothing is known of workloads that are
 * not there: for them it does. */
static int take(struct suggesting *g, const struct item *i)
{
	struct judging j = {.g = g, .i = i};
	int r = 0;

	if (!can_say(i))
		return leave(g, &j);
	judge_item(&j);
	if (j.crossings)
		r = leave(g, &j);
	if (!r && (!j.pairs || j.alive > j.needless))
		r = vw_vec_push(&g->items, *i, ITEMS_MAX);
	return r;
}

static int take_all(struct suggesting *g, const struct vw_seen_table *seen)
{
	int r = 0;

	vw_vec_foreach (s, &seen->list) {
		struct item i = item_of(g, s), m;

		if (!r)
			r = take(g, &i);
		if (r || i.kind != PEER_SERVICE || s->published)
			continue;
		m = mirror(&i);
		r = take(g, &m);
	}
	return r;
}

/* ---- peers that stand for several ---- */

/* One port of one service: where the node is a peer anyway, its resolver need not be one as well;
 * and many addresses outside are the world. */
static void widen(struct suggesting *g, struct item *v, size_t n)
{
	size_t outside = 0;
	bool host = false;

	for (size_t i = 0; i < n; i++) {
		host |= v[i].kind == PEER_ENTITY && v[i].entity == VW_ENTITY_HOST;
		outside += v[i].kind == PEER_ADDR &&
			   !vw_world_by_addr(g->world, &v[i].addr, NULL, NULL);
	}
	for (size_t i = 0; i < n; i++) {
		if (v[i].kind == PEER_ENTITY && host && vw_world_is_host(g->world, &v[i].addr))
			v[i].entity = VW_ENTITY_HOST;
		if (v[i].kind != PEER_ADDR || !g->o->fold || outside <= g->o->fold ||
		    vw_world_by_addr(g->world, &v[i].addr, NULL, NULL))
			continue;
		v[i].kind = PEER_ENTITY;
		v[i].entity = VW_ENTITY_WORLD;
	}
}

static void widen_all(struct suggesting *g)
{
	struct item *v = g->items.v;

	if (g->items.n)
		qsort(v, g->items.n, sizeof(*v), by_port);
	for (size_t i = 0, j; i < g->items.n; i = j) {
		for (j = i + 1; j < g->items.n && !by_port(&v[i], &v[j]); j++)
			;
		widen(g, &v[i], j - i);
	}
}

/* One item for each owner, peer and port. The same connection may have been seen at both ends: what
 * the own wall saw counts. */
static void merge(struct suggesting *g)
{
	struct item *v = g->items.v;
	size_t n = 0;

	if (g->items.n)
		qsort(v, g->items.n, sizeof(*v), by_peer);
	for (size_t i = 0; i < g->items.n; i++) {
		struct item *last = n ? &v[n - 1] : NULL;

		if (!wanted(g, &v[i]))
			continue;
		if (!last || item_owner_cmp(last, &v[i]) || item_peer_cmp(last, &v[i]) ||
		    port_cmp(last, &v[i]))
			v[n++] = v[i];
		else if (last->mirrored == v[i].mirrored)
			evidence_add(&last->seen, &v[i].seen);
	}
	g->items.n = n;
}

/* ---- all of it ---- */

static int take_guardrails(struct suggesting *g)
{
	int r = 0;

	vw_vec_foreach (p, &g->others->list)
		if (!r && p->tier == VW_TIER_GUARDRAIL && !p->audit)
			r = vw_vec_push(&g->guardrails.list, *p, VW_POLICIES_MAX);
	return r;
}

/* The copies that the guardrails were judged by are not what a caller may point to. */
static void point_home(struct suggesting *g)
{
	vw_vec_foreach (u, &g->out.left)
		vw_vec_foreach (p, &g->others->list)
			if (u->policy && p->name == u->policy->name)
				u->policy = p;
}

int vw_suggest(const struct vw_seen_table *seen, const struct vw_policyset *others,
	       const struct vw_world *world, const struct vw_suggest_options *o,
	       struct vw_suggestions *ret)
{
	struct suggesting g = {.world = world, .o = o, .others = others};
	int r = take_guardrails(&g);

	if (!r)
		r = take_all(&g, seen);
	if (!r) {
		widen_all(&g);
		merge(&g);
		r = suggest_docs(g.items.v, g.items.n, others, &g.out);
	}
	point_home(&g);
	vw_vec_done(&g.guardrails.list);
	vw_vec_done(&g.items);
	if (r)
		vw_suggestions_done(&g.out);
	else
		*ret = g.out;
	return r;
}
