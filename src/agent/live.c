/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readings of live sets, and what is remembered from one to the next: when a flow was first seen.
 * Each wall has its share of the memory, so that no container can push out what is known of
 * others. Reading is paced: all of it takes a twentieth of the time at most, one wall a hundredth.
 */
#include <string.h>

#include "agent/live.h"
#include "vethwall/cleanup.h"
#include "vethwall/log.h"

#define WALLS_MAX 65536
#define SLICE_US 5000 /* of readings before others get their turn */
#define SLICE_REST 19 /* times a slice: a twentieth of the time */
#define REST_FACTOR 99 /* reading one wall may take a hundredth of the time */
#define STAGGER_MS 997 /* and walls not all at once */
#define RETELL_MS (3600 * 1000)
#define CLOSED_MS 5000 /* as in core/wall_flows.c */
#define NEVER INT64_MAX

typedef VW_VEC(struct vw_live_flow) flow_list;

struct live_wall {
	unsigned ifindex;
	bool old; /* stood before the agent */
	bool read; /* at least once */
	flow_list flows; /* remembered: sorted, none twice */
	size_t seen, unknown; /* at the last reading */
	int64_t due_ms; /* next reading, monotonic */
	int64_t rest_ms; /* not before */
	int64_t retell_ms;
};

struct vw_live_watch {
	struct vw_nft *nft;
	const struct vw_compiled *now;
	struct vw_timer *timer;
	VW_VEC(struct live_wall *) walls; /* sorted by ifindex */
	int64_t interval_ms;
	vw_live_news news;
	void *arg;
	uint64_t readings, failed;
	struct vw_ratelimit said;
};

static int64_t now_ms(void)
{
	return vw_now_ns() / 1000000;
}

/* ---- flows ---- */

static int flow_cmp(const void *x, const void *y)
{
	const struct vw_live *a = &((const struct vw_live_flow *)x)->l;
	const struct vw_live *b = &((const struct vw_live_flow *)y)->l;
	int r = vw_addr_cmp(&a->peer, &b->peer);

	if (!r)
		r = (int)a->own_port - (int)b->own_port;
	if (!r)
		r = (int)a->peer_port - (int)b->peer_port;
	if (!r)
		r = (int)a->proto - (int)b->proto;
	if (!r)
		r = vw_addr_cmp(&a->own, &b->own);
	return r ? r : (int)a->closing - (int)b->closing;
}

/* The flow as it was remembered; a closing one also as what it was before. */
static const struct vw_live_flow *recall(const flow_list *l, const struct vw_live_flow *f)
{
	struct vw_live_flow open = *f;
	const struct vw_live_flow *was;

	if (!l->n)
		return NULL;
	was = bsearch(f, l->v, l->n, sizeof(*f), flow_cmp);
	if (was || !f->l.closing)
		return was;
	open.l.closing = false;
	return bsearch(&open, l->v, l->n, sizeof(open), flow_cmp);
}

/* An element's timeout is the one that it was made with, its expiry is moved by packets: by the
 * idle time of its protocol once a second packet has shown that it is a flow (core/wall_flows.c).
 */
int64_t vw_live_idle(const struct vw_live *l, const struct vw_config *cfg, uint64_t timeout_ms,
		     uint64_t expires_ms, int64_t age_ms)
{
	int64_t left = (int64_t)expires_ms, made = (int64_t)timeout_ms;
	int64_t full = l->proto == 6 ? cfg->tcp_idle_ms : cfg->other_idle_ms;

	if (l->closing) /* the second FIN leaves it this little, and so does time */
		return left > made || left <= CLOSED_MS ? -1 : made - left;
	if (left > made || age_ms > made)
		return left > full ? -1 : full - left;
	/* one packet; or more, the last of them long ago: longer than it is known */
	return full - left > age_ms ? made - left : -1;
}

struct collecting {
	struct vw_live_watch *w;
	struct live_wall *wall;
	flow_list list;
	int64_t now_ms, now_us;
	size_t max;
};

static int on_elem(const struct vw_nft_elem *e, void *arg)
{
	struct collecting *c = arg;
	struct vw_live_flow f = {.ifindex = c->wall->ifindex,
				 .opener_known = true,
				 .first_us = c->now_us,
				 .at_least = c->wall->old && !c->wall->read,
				 .packets = vw_live_count(e->packets),
				 .bytes = vw_live_count(e->bytes)};
	const struct vw_live_flow *was;
	int64_t age = 0, idle;
	int r;

	if (vw_live_decode(e->key, e->klen, e->timeout_ms, &f.l) < 0 || (!f.l.flow && !f.l.closing))
		return 0;
	was = recall(&c->wall->flows, &f);
	f.opener_known = !f.l.closing;
	if (was) {
		f.first_us = was->first_us;
		f.at_least = was->at_least;
		age = (c->now_us - was->first_us) / 1000;
		if (f.l.closing && was->opener_known) {
			f.opener_known = true;
			f.l.opened = was->l.opened;
		}
	} else if (f.at_least) {
		age = NEVER;
	}
	idle = vw_live_idle(&f.l, &c->w->now->config, e->timeout_ms, e->expires_ms, age);
	if (idle >= 0)
		f.last_ms = c->now_ms - idle;
	r = vw_vec_push(&c->list, f, c->max);
	return r == -ENOSPC ? 0 : r;
}

/* Sorts, drops what came twice; how many did. As many were left out then (vethwall/nft.h). */
static size_t sort_flows(flow_list *l)
{
	size_t n = 0, all = l->n;

	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), flow_cmp);
	for (size_t i = 0; i < l->n; i++)
		if (!n || flow_cmp(&l->v[n - 1], &l->v[i]))
			l->v[n++] = l->v[i];
	l->n = n;
	return all - n;
}

/* A reading that left some out says nothing about those that it did not bring. */
static void keep_unread(struct collecting *c)
{
	size_t n = c->list.n;

	vw_vec_foreach (f, &c->wall->flows) {
		if (!bsearch(f, c->list.v, n, sizeof(*f), flow_cmp) &&
		    vw_vec_push(&c->list, *f, c->max) < 0)
			break;
	}
	sort_flows(&c->list);
}

static size_t share(const struct vw_live_watch *w)
{
	size_t n = VW_LIVE_KNOWN_MAX / (w->walls.n ? w->walls.n : 1);

	return n > VW_LIVE_SHARE_MIN ? n : VW_LIVE_SHARE_MIN;
}

/* Flows that were known stay so, new ones take what is left; what does not fit has no age. Tells of
 * the news. */
static void settle(struct collecting *c)
{
	struct live_wall *wall = c->wall;
	size_t max = share(c->w), old = 0, room;
	bool retell = c->now_ms >= wall->retell_ms;

	vw_vec_foreach (f, &c->list)
		old += recall(&wall->flows, f) != NULL;
	room = old < max ? max - old : 0;
	wall->unknown = 0;
	vw_vec_foreach (f, &c->list) {
		bool was = recall(&wall->flows, f) != NULL, fits = was || room;

		room -= !was && room;
		if (!fits) {
			f->first_us = 0;
			wall->unknown++;
		}
		if (c->w->news && (!was || retell))
			c->w->news(c->w->arg, f, !was && fits);
	}
	if (retell)
		wall->retell_ms = c->now_ms + RETELL_MS;
	wall->seen = c->list.n;
}

/* What has an age becomes what is remembered. */
static void remember(struct live_wall *wall, const flow_list *list, size_t max)
{
	flow_list kept = {};

	vw_vec_foreach (f, list) {
		if (f->first_us && vw_vec_push(&kept, *f, max) < 0)
			break;
	}
	vw_vec_done(&wall->flows);
	wall->flows = kept;
}

/* ---- one reading ---- */

static int collect(struct collecting *c)
{
	int r = 0;

	for (int family = 4; family <= 6 && !r; family += 2) {
		char set[VW_NAME_LEN];

		vw_wall_set_name(c->wall->ifindex, 'f', family, set);
		r = vw_nft_dump_set(c->w->nft, set, on_elem, c);
		r = r == -ENOENT ? 0 : r;
	}
	return r;
}

static int read_wall(struct vw_live_watch *w, struct live_wall *wall, flow_list *ret)
{
	struct collecting c = {.w = w, .wall = wall};
	int64_t begin = vw_now_ns() / 1000, cost;
	unsigned held = 0;
	int r;

	c.now_ms = begin / 1000;
	c.now_us = vw_wall_ns() / 1000;
	/* two families, and what comes twice */
	c.max = 4 * (size_t)w->now->config.live_max;
	r = collect(&c);
	if (!r && sort_flows(&c.list) && c.list.n)
		keep_unread(&c);
	w->readings++;
	if (!r) {
		settle(&c);
		remember(wall, &c.list, share(w));
		wall->read = true;
	} else if (w->failed++, vw_ratelimit_ok(&w->said, 1, 60, &held)) {
		vw_warn("cannot read the live flows of interface %u: %s", wall->ifindex,
			strerror(-r));
	}
	cost = vw_now_ns() / 1000 - begin;
	wall->rest_ms = now_ms() + cost * REST_FACTOR / 1000;
	wall->due_ms = c.now_ms + w->interval_ms;
	if (!r && ret)
		*ret = c.list;
	else
		vw_vec_done(&c.list);
	return r;
}

/* ---- when ---- */

static int64_t wall_at(const struct live_wall *wall)
{
	return wall->due_ms > wall->rest_ms ? wall->due_ms : wall->rest_ms;
}

static void arm(struct vw_live_watch *w, int64_t rest_ms)
{
	int64_t next = NEVER, now = now_ms();

	vw_vec_foreach (p, &w->walls)
		if (wall_at(*p) < next)
			next = wall_at(*p);
	if (next == NEVER)
		vw_timer_disarm(w->timer);
	else
		vw_timer_arm(w->timer, next > now + rest_ms ? next - now : rest_ms);
}

static void on_timer(void *arg)
{
	struct vw_live_watch *w = arg;
	int64_t begin = vw_now_ns() / 1000, spent = 0;

	vw_vec_foreach (p, &w->walls) {
		if (wall_at(*p) > begin / 1000)
			continue;
		read_wall(w, *p, NULL);
		spent = vw_now_ns() / 1000 - begin;
		if (spent > SLICE_US)
			break;
	}
	arm(w, spent * SLICE_REST / 1000);
}

/* ---- walls ---- */

static void wall_free(struct live_wall *wall)
{
	if (wall)
		vw_vec_done(&wall->flows);
	free(wall);
}

static struct live_wall *wall_get(const struct vw_live_watch *w, unsigned ifindex)
{
	size_t lo = 0, hi = w->walls.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (w->walls.v[mid]->ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < w->walls.n && w->walls.v[lo]->ifindex == ifindex ? w->walls.v[lo] : NULL;
}

static struct live_wall *wall_new(const struct vw_live_watch *w, unsigned ifindex, bool old)
{
	struct live_wall *wall = calloc(1, sizeof(*wall));
	int64_t now = now_ms();

	if (!wall)
		return NULL;
	wall->ifindex = ifindex;
	wall->old = old;
	wall->due_ms = now + ifindex * STAGGER_MS % w->interval_ms;
	wall->retell_ms = now + RETELL_MS;
	return wall;
}

static int wall_cmp(const void *x, const void *y)
{
	const struct live_wall *a = *(struct live_wall *const *)x;
	const struct live_wall *b = *(struct live_wall *const *)y;

	return (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);
}

static void drop_others(struct vw_live_watch *w)
{
	size_t kept = 0;

	vw_vec_foreach (p, &w->walls) {
		const struct vw_wall *v = vw_compiled_wall(w->now, (*p)->ifindex);

		if (v && v->kind == VW_WALL_POLICY)
			w->walls.v[kept++] = *p;
		else
			wall_free(*p);
	}
	w->walls.n = kept;
}

static int add_missing(struct vw_live_watch *w, bool old)
{
	size_t n = w->walls.n;
	int r = 0;

	vw_vec_foreach (v, &w->now->walls) {
		struct live_wall key = {.ifindex = v->ifindex}, *at = &key, *made;

		if (v->kind != VW_WALL_POLICY || r ||
		    (n && bsearch(&at, w->walls.v, n, sizeof(at), wall_cmp)))
			continue;
		made = wall_new(w, v->ifindex, old);
		r = made ? vw_vec_push(&w->walls, made, WALLS_MAX) : -ENOMEM;
		if (r)
			wall_free(made);
	}
	if (w->walls.n > n)
		qsort(w->walls.v, w->walls.n, sizeof(*w->walls.v), wall_cmp);
	return r;
}

int vw_live_watch_walls(struct vw_live_watch *w, const struct vw_compiled *now, bool old)
{
	int r;

	w->now = now;
	drop_others(w);
	r = add_missing(w, old);
	arm(w, 0);
	return r;
}

/* ---- asked ---- */

int vw_live_watch_each(struct vw_live_watch *w, unsigned ifindex, bool fresh,
		       void (*cb)(const struct vw_live_flow *f, void *arg), void *arg,
		       bool *ret_remembered)
{
	struct live_wall *wall = wall_get(w, ifindex);
	flow_list list = {};

	if (!wall)
		return -ENOENT;
	*ret_remembered = !fresh || wall->rest_ms > now_ms() || read_wall(w, wall, &list) < 0;
	if (*ret_remembered) {
		vw_vec_foreach (f, &wall->flows)
			cb(f, arg);
	} else {
		vw_vec_foreach (f, &list)
			cb(f, arg);
	}
	vw_vec_done(&list);
	return 0;
}

void vw_live_watch_stats(const struct vw_live_watch *w, struct vw_live_stats *ret)
{
	*ret = (struct vw_live_stats){
		.walls = w->walls.n, .readings = w->readings, .failed = w->failed};
	vw_vec_foreach (p, &w->walls) {
		ret->flows += (*p)->seen;
		ret->unknown += (*p)->unknown;
	}
}

int vw_live_watch_new(struct vw_loop *loop, struct vw_nft *nft, int64_t interval_ms,
		      vw_live_news news, void *arg, struct vw_live_watch **ret)
{
	struct vw_live_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	*w = (struct vw_live_watch){
		.nft = nft, .interval_ms = interval_ms, .news = news, .arg = arg};
	r = vw_timer_new(loop, on_timer, w, &w->timer);
	if (r)
		free(w);
	else
		*ret = w;
	return r;
}

void vw_live_watch_free(struct vw_live_watch **pw)
{
	struct vw_live_watch *w = *pw;

	if (!w)
		return;
	vw_timer_free(&w->timer);
	vw_vec_foreach (p, &w->walls)
		wall_free(*p);
	vw_vec_done(&w->walls);
	free(w);
	*pw = NULL;
}
