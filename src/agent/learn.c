/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What workloads resolve, they may reach, where a policy names it; and records have the name of
 * what they did not reach. Answers come by NFLOG from the walls whose policies have peers by name,
 * or from all of them (dns_names); believed is an answer of a resolver of this node to a flow that
 * the container has open. A name and its addresses become part of the world, and the kernel follows
 * by the way that everything else goes: compile, plan, commit. */
#include <string.h>
#include <sys/epoll.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/dns.h"

#define TTL_MIN_MS 10000 /* for clients that connect some time after they asked */
#define TTL_MAX_MS (3600 * 1000)
/* Flows opened behind a name are known as such so long after its time. */
#define LAPSED_MS (7 * 86400000LL)
#define CAPTURE_BUFFER (1u << 20)
#define CAPTURE_BATCHES 64
#define SAVE_MS 1000
#define IDLE_FACTOR 4 /* containers choose when answers come: at most a fifth of the time */
#define PATTERNS_MAX 65536

static int64_t now_ms(void)
{
	return vw_now_ns() / 1000000;
}

static void save(struct vw_agent *a)
{
	static struct vw_ratelimit said;
	unsigned held = 0;
	int r = vw_learnt_save(&a->world, a->s->run_dir);

	vw_timer_disarm(a->learn.save);
	if (r < 0 && vw_ratelimit_ok(&said, 1, 60, &held))
		vw_warn("what was resolved cannot be kept for the next agent: %s", strerror(-r));
}

static void on_save(void *agent)
{
	save(agent);
}

static void apply_soon(struct vw_agent *a)
{
	int64_t wait = a->learn.idle_until_ms - now_ms();

	if (!vw_timer_armed(a->learn.apply))
		vw_timer_arm(a->learn.apply, wait > 0 ? wait : 0);
}

/* Saved first: what the kernel allows, the next agent must know of. */
static void on_apply(void *agent)
{
	struct vw_agent *a = agent;
	int64_t begin = now_ms(), end;

	save(a);
	vw_agent_reconcile(a);
	end = now_ms();
	a->learn.idle_until_ms = end + IDLE_FACTOR * (end - begin);
}

static void expire_at(struct vw_agent *a, int64_t at_ms)
{
	int64_t wait = at_ms - now_ms();

	a->learn.expire_ms = at_ms;
	if (at_ms != INT64_MAX)
		vw_timer_arm(a->learn.expire, wait > 0 ? wait : 0);
}

static void on_expire(void *agent)
{
	struct vw_agent *a = agent;
	int64_t now = now_ms(), next;

	if (vw_learnt_expire(&a->world, now, LAPSED_MS, &next))
		apply_soon(a);
	expire_at(a, next);
}

/* ---- answers ---- */

/* A resolver's address, and no container is published there. */
static bool is_resolver(const struct vw_world *world, const struct vw_addr *addr)
{
	bool found = false;

	vw_vec_foreach (d, &world->dns) {
		found |= vw_addr_eq(d, addr);
	}
	if (!found || !vw_world_is_host(world, addr))
		return found;
	vw_vec_foreach (w, &world->workloads) {
		vw_vec_foreach (p, &w->published) {
			if (p->proto == 17 && p->host_port == 53 &&
			    (!p->host_addr.family || vw_addr_eq(&p->host_addr, addr)))
				return false;
		}
	}
	return true;
}

/* Whether the address would gain a pattern by the name; *ret_any: some pattern fits at all. */
static bool gains(const struct vw_agent *a, unsigned ifindex, const struct vw_addr *addr,
		  const char *name, bool *ret_any)
{
	bool gain = false;

	*ret_any = false;
	vw_vec_foreach (p, &a->learn.patterns) {
		if (!vw_fqdn_fits(*p, name))
			continue;
		*ret_any = true;
		gain |= !vw_learnt_fits(&a->world, ifindex, addr, *p, false);
	}
	return gain;
}

static int64_t lifetime(uint32_t ttl)
{
	int64_t ms = (int64_t)ttl * 1000;

	return ms < TTL_MIN_MS ? TTL_MIN_MS : ms > TTL_MAX_MS ? TTL_MAX_MS : ms;
}

static void refused(struct vw_agent *a, unsigned ifindex, const char *name,
		    const struct vw_addr *addr)
{
	static struct vw_ratelimit said;
	const struct vw_wall *w = vw_agent_wall(a, ifindex);
	char buf[VW_ADDR_STRLEN];
	unsigned held = 0;

	a->learn.refused++;
	if (w && vw_ratelimit_ok(&said, 10, 60, &held))
		vw_warn("%s: %s resolved to %s, which no name opens", w->dev, name,
			vw_addr_str(addr, buf));
}

static void learn(struct vw_agent *a, unsigned ifindex, const struct vw_dns_answer *answer)
{
	int64_t now = now_ms();

	for (size_t i = 0; i < answer->n; i++) {
		struct vw_learnt l = {.ifindex = ifindex,
				      .addr = answer->addrs[i].addr,
				      .name = (char *)answer->name,
				      .until_ms = now + lifetime(answer->addrs[i].ttl)};
		bool any, gain = gains(a, ifindex, &l.addr, l.name, &any), news;
		int r;

		if (!any)
			return;
		if (!vw_learnt_openable(&a->world, &l.addr)) {
			refused(a, ifindex, l.name, &l.addr);
			continue;
		}
		r = vw_learnt_put(&a->world, &l, &news);
		a->learn.full += r == -ENOSPC;
		if (!r && gain)
			apply_soon(a);
		if (!r && l.until_ms < a->learn.expire_ms)
			expire_at(a, l.until_ms);
	}
	if (!vw_timer_armed(a->learn.save))
		vw_timer_arm(a->learn.save, SAVE_MS);
}

/* The wall that the packet was to reach. */
static const struct vw_wall *wall_of(const struct vw_agent *a, unsigned ifindex)
{
	const struct vw_wall *w = vw_agent_wall(a, ifindex);

	return w && w->kind == VW_WALL_POLICY ? w : NULL;
}

/* Its policies have peers by name. */
static bool has_names(const struct vw_agent *a, const struct vw_wall *w)
{
	const struct vw_class *k = vw_compiled_class(&a->enforced.now, w->out_class);

	return k && k->fqdn;
}

static void on_frame(const uint8_t *frame, size_t n, void *agent)
{
	struct vw_agent *a = agent;
	struct vw_dns_answer answer;
	const struct vw_wall *w;
	const uint8_t *p;
	struct vw_nflog f;
	size_t len;
	int r;

	a->learn.answers++;
	if (vw_nflog_decode(frame, n, &f) || !f.has_tuple || f.tuple.sport != 53)
		return;
	w = wall_of(a, f.outdev);
	if (!w)
		return;
	if (!is_resolver(&a->world, &f.tuple.src)) {
		a->learn.unbelieved++;
		return;
	}
	r = vw_udp_payload(f.payload, f.payload_len, &p, &len);
	if (!r)
		r = vw_dns_decode(p, len, &answer);
	if (r == -EINVAL)
		a->learn.malformed++;
	if (r)
		return;
	a->learn.believed++;
	(void)vw_names_put(&a->names, f.outdev, &answer); /* without memory a record has no name */
	if (has_names(a, w))
		learn(a, f.outdev, &answer);
}

static void on_capture(int fd, uint32_t events, void *agent)
{
	static struct vw_ratelimit said;
	struct vw_agent *a = agent;
	unsigned held = 0;
	int r = vw_capture_read(a->learn.capture, CAPTURE_BATCHES, on_frame, a);

	(void)fd;
	(void)events;
	if (r < 0 && vw_ratelimit_ok(&said, 1, 60, &held))
		vw_warn("cannot read DNS answers: %s", strerror(-r));
}

/* ---- what the agent calls ---- */

static void listen_failed(struct vw_agent *a, int r, const struct vw_diag *d)
{
	struct learn *l = &a->learn;
	char *text = strdup(d->list.n ? d->list.v[0].text : strerror(-r));

	if (text && (!l->error || strcmp(l->error, text)))
		vw_err("DNS answers are not seen, names open nothing: %s", text);
	free(l->error);
	l->error = text;
}

static void start_listening(struct vw_agent *a)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	struct learn *l = &a->learn;
	int r = vw_capture_open(vw_dns_group(&a->s->config), CAPTURE_BUFFER, &l->capture, &d);

	if (!r)
		r = vw_capture_at_once(l->capture);
	if (!r)
		r = vw_loop_watch(a->loop, vw_capture_fd(l->capture), EPOLLIN, on_capture, a);
	if (r < 0) {
		vw_capture_free(&l->capture);
		listen_failed(a, r, &d);
		return;
	}
	free(l->error);
	l->error = NULL;
}

static void patterns_done(struct learn *l)
{
	vw_vec_foreach (p, &l->patterns) {
		free(*p);
	}
	vw_vec_done(&l->patterns);
}

static int add_pattern(struct learn *l, const char *pattern)
{
	char *copy;
	int r;

	vw_vec_foreach (p, &l->patterns) {
		if (!strcmp(*p, pattern))
			return 0;
	}
	copy = strdup(pattern);
	r = copy ? vw_vec_push(&l->patterns, copy, PATTERNS_MAX) : -ENOMEM;
	if (r < 0)
		free(copy);
	return r;
}

static int take_patterns(struct vw_agent *a)
{
	int r = 0;

	patterns_done(&a->learn);
	vw_vec_foreach (p, &a->policies.list) {
		vw_vec_foreach (rule, &p->rules[VW_EGRESS]) {
			vw_vec_foreach (peer, &rule->peers) {
				if (!r && peer->kind == VW_PEER_FQDN)
					r = add_pattern(&a->learn, peer->fqdn);
			}
		}
	}
	return r;
}

void vw_agent_learn_update(struct vw_agent *a)
{
	bool wanted = false;

	vw_vec_foreach (k, &a->enforced.now.classes) {
		wanted |= k->fqdn;
	}
	if (wanted && take_patterns(a) < 0)
		vw_err("peers by name: out of memory");
	if ((wanted || a->s->config.dns_names) && !a->learn.capture)
		start_listening(a);
	vw_names_keep(&a->names, &a->enforced.now);
}

void vw_agent_learn_prune(struct vw_agent *a)
{
	for (size_t i = 0; i < a->world.learnt.n;) {
		unsigned ifindex = a->world.learnt.v[i].ifindex;

		if (vw_links_get(a->links, ifindex))
			i++;
		else
			vw_learnt_forget(&a->world, ifindex);
	}
}

int vw_agent_learn_init(struct vw_agent *a)
{
	struct learn *l = &a->learn;
	int r = vw_timer_new(a->loop, on_apply, a, &l->apply);

	if (!r)
		r = vw_timer_new(a->loop, on_expire, a, &l->expire);
	if (!r)
		r = vw_timer_new(a->loop, on_save, a, &l->save);
	if (r < 0)
		return r;
	r = vw_learnt_load(&a->world, a->s->run_dir);
	if (r < 0 && r != -ENOENT)
		vw_warn("what was resolved before is not known: %s", strerror(-r));
	vw_agent_learn_prune(a);
	on_expire(a);
	vw_timer_disarm(l->apply); /* the first compile is to come */
	return 0;
}

void vw_agent_learn_done(struct vw_agent *a)
{
	struct learn *l = &a->learn;

	if (l->save && vw_timer_armed(l->save))
		save(a);
	if (l->capture)
		vw_loop_unwatch(a->loop, vw_capture_fd(l->capture));
	vw_capture_free(&l->capture);
	vw_timer_free(&l->apply);
	vw_timer_free(&l->expire);
	vw_timer_free(&l->save);
	patterns_done(l);
	vw_names_done(&a->names);
	free(l->error);
	l->error = NULL;
}

json_t *vw_agent_learn_json(const struct vw_agent *a)
{
	const struct learn *l = &a->learn;
	json_int_t names = 0;

	vw_vec_foreach (e, &a->world.learnt) {
		names += !e->lapsed;
	}
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?}", "listening",
			 l->capture != NULL, "answers", (json_int_t)l->answers, "believed",
			 (json_int_t)l->believed, "unbelieved", (json_int_t)l->unbelieved,
			 "malformed", (json_int_t)l->malformed, "refused_addresses",
			 (json_int_t)l->refused, "table_full", (json_int_t)l->full, "names", names,
			 "error", l->error);
}
