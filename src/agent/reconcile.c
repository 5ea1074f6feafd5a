/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place that changes the kernel: dirty -> compile -> difference -> commit, all of it or
 * nothing, again with backoff until it is done. What failed is not remembered but read anew: after
 * a commit that went wrong the table itself says what is in force. */
#include <malloc.h>
#include <string.h>

#include "agent/notify.h"
#include "agent/state.h"
#include "vethwall/cleanup.h"

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 5000
#define WALLS_MAX 65536
#define TRIM_OPS 4096 /* a change of this size leaves pages worth handing back */

void vw_agent_dirty(struct vw_agent *a)
{
	vw_timer_arm(a->reconcile_timer, 0);
}

static void oplist_done(struct vw_oplist *ops)
{
	vw_vec_done(&ops->list);
}

static int unsigned_cmp(const void *x, const void *y)
{
	const unsigned *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

static bool in_list(const unsigned *v, size_t n, unsigned ifindex)
{
	return n && bsearch(&ifindex, v, n, sizeof(*v), unsigned_cmp);
}

const struct vw_wall *vw_agent_wall(const struct vw_agent *a, unsigned ifindex)
{
	const struct enforced *e = &a->enforced;

	if (in_list(e->absent.absent.v, e->absent.absent.n, ifindex))
		return NULL;
	return vw_compiled_wall(&e->now, ifindex);
}

bool vw_agent_enforced(const struct vw_agent *a, const struct vw_iface *i)
{
	const struct vw_wall *w = i->ifindex ? vw_agent_wall(a, i->ifindex) : NULL;

	return w && w->kind == VW_WALL_POLICY && !strcmp(w->dev, i->veth);
}

void vw_enforced_done(struct enforced *e)
{
	vw_compiled_done(&e->now);
	vw_change_done(&e->absent);
	vw_vec_done(&e->reported);
	free(e->error);
	*e = (struct enforced){};
}

/* Remembers and logs what went wrong, once per text. */
static void trouble(struct vw_agent *a, const char *what, int r, const struct vw_diag *d)
{
	struct enforced *e = &a->enforced;
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "%s: %s", what, d->list.n ? d->list.v[0].text : strerror(-r)) < 0)
		text = NULL;
	if (text && (!e->error || strcmp(e->error, text)))
		vw_err("%s; what was enforced stays, trying again", text);
	free(e->error);
	e->error = TAKE_PTR(text);
	e->error_ns = vw_wall_ns();
}

static int compile(struct vw_agent *a, const struct vw_policyset *set, struct vw_compiled *ret,
		   struct vw_diag *d)
{
	_cleanup_free_ struct vw_held *held = calloc(a->held.n + 1, sizeof(*held));
	int r = held ? 0 : -ENOMEM;

	for (size_t i = 0; i < a->held.n && !r; i++)
		held[i] = a->held.v[i].wall;
	if (r < 0)
		return r;
	vw_refused_hide(a);
	r = vw_compile(set, &a->world, held, a->held.n, &a->s->config, ret, d);
	vw_refused_show(a);
	return r ? r : vw_agent_guard_fill(a, &ret->guard);
}

/* The change from what is in force; *ret_unknown when that had to be read from the kernel and there
 * was something. */
static int difference(struct vw_agent *a, const struct vw_compiled *now, struct vw_change *ret,
		      bool *ret_unknown, struct vw_diag *d)
{
	_cleanup_(vw_ruleset_done) struct vw_ruleset dump = {};
	int r;

	*ret_unknown = false;
	if (a->enforced.trusted)
		return vw_change_between(&a->enforced.now, now, ret);
	r = vw_nft_retake(a->nft, d);
	if (!r)
		r = vw_nft_dump(a->nft, &dump, d);
	if (r < 0)
		return r;
	*ret_unknown = dump.chains.n > 0;
	return vw_change_adopt(&dump, now, ret);
}

/* A code of the old set of rules that would mean another rule in the new one. */
static bool renumbered(const struct vw_compiled *old, const struct vw_compiled *now)
{
	vw_vec_foreach (was, &old->rules) {
		const struct vw_ruleref *is = vw_compiled_rule(now, was->number);

		if (!is || strcmp(is->policy, was->policy) || strcmp(is->rule, was->rule))
			return true;
	}
	return false;
}

static int reported_cmp(const void *x, const void *y)
{
	const struct reported *a = x, *b = y;

	return (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);
}

/* The wall as the reader of denied sets has to know it. */
static int report_of(const struct vw_compiled *c, const struct vw_wall *w, struct reported *ret)
{
	_cleanup_(vw_ruleset_done) struct vw_ruleset r = {};
	char name4[VW_NAME_LEN], name6[VW_NAME_LEN];
	int e = vw_render_wall(c, w, &r);

	if (e < 0)
		return e;
	vw_ruleset_sort(&r);
	vw_wall_set_name(w->ifindex, 'd', 4, name4);
	vw_wall_set_name(w->ifindex, 'd', 6, name6);
	*ret = (struct reported){.ifindex = w->ifindex,
				 .spec = w->spec,
				 .has4 = vw_ruleset_set(&r, name4) != NULL,
				 .has6 = vw_ruleset_set(&r, name6) != NULL};
	return 0;
}

/* Whether the wall's denied sets, as they are read now, outlive the change. */
static bool sets_stay(struct reported *old, const struct vw_compiled *now)
{
	const struct vw_wall *w = vw_compiled_wall(now, old->ifindex);
	struct reported is;

	if (!w)
		return false;
	if (w->spec == old->spec)
		return true;
	if (report_of(now, w, &is) < 0 || is.has4 != old->has4 || is.has6 != old->has6)
		return false;
	old->spec = is.spec;
	return true;
}

/* Last readings, while the sets are still there and the old names still known. */
static void before_commit(struct vw_agent *a, const struct vw_compiled *now)
{
	struct enforced *e = &a->enforced;
	size_t kept = 0;

	if (e->trusted && renumbered(&e->now, now))
		vw_denied_flush(a->denied);
	for (size_t i = 0; i < e->reported.n; i++) {
		const struct reported *was = &e->reported.v[i];

		if (sets_stay(&e->reported.v[i], now))
			e->reported.v[kept++] = *was;
		else if (was->has4 || was->has6 || !vw_compiled_wall(now, was->ifindex))
			vw_denied_wall_gone(a->denied, was->ifindex);
		/* else it was held: its chain goes on, and is told with its owner's name */
	}
	e->reported.n = kept;
}

/* Tells the reader of denied sets which walls stand. */
static void report_walls(struct vw_agent *a)
{
	struct enforced *e = &a->enforced;
	size_t known = e->reported.n;

	vw_vec_foreach (w, &e->now.walls) {
		struct reported r = {.ifindex = w->ifindex};

		if (known && bsearch(&r, e->reported.v, known, sizeof(r), reported_cmp))
			continue;
		if (!vw_agent_wall(a, w->ifindex) || report_of(&e->now, w, &r) < 0 ||
		    vw_vec_push(&e->reported, r, WALLS_MAX) < 0)
			continue; /* the next commit tries again */
		vw_denied_wall(a->denied, r.ifindex, w->dev, r.has4, r.has6);
	}
	if (e->reported.n)
		qsort(e->reported.v, e->reported.n, sizeof(*e->reported.v), reported_cmp);
}

static int send_ops(struct vw_agent *a, const struct vw_oplist *ops, struct vw_diag *d)
{
	int64_t begin_ns = vw_now_ns();
	int r = ops->list.n ? vw_nft_commit(a->nft, ops, d) : 0;

	if (ops->list.n)
		vw_metrics_commit(&a->metrics, (vw_now_ns() - begin_ns) / 1000, r < 0);
	a->enforced.commits += !r && ops->list.n;
	return r;
}

/* now is in force, but for the walls that the change left for later. */
static void settle(struct vw_agent *a, struct vw_compiled *now, struct vw_change *change,
		   bool unknown)
{
	struct enforced *e = &a->enforced;
	int r;

	if (e->trusted)
		r = vw_rejudge_note(&a->rejudge, &e->now, now);
	else
		r = unknown ? vw_rejudge_all(&a->rejudge, now) : 0;
	if (r < 0)
		vw_err("live flows cannot be judged again: %s", strerror(-r));
	vw_compiled_done(&e->now);
	e->now = *now;
	*now = (struct vw_compiled){};
	vw_change_done(&e->absent);
	e->absent.absent = change->absent;
	memset(&change->absent, 0, sizeof(change->absent));
	e->absent.guarded = change->guarded;
	e->trusted = true;
}

/* New walls that did not fit into the first transaction. */
static int commit_absent(struct vw_agent *a, size_t *ops, struct vw_diag *d)
{
	struct enforced *e = &a->enforced;
	int r = 0;

	while (e->absent.absent.n && !r) {
		_cleanup_(vw_change_done) struct vw_change c = {};
		_cleanup_(oplist_done) struct vw_oplist more = {};
		size_t left = e->absent.absent.n;

		r = vw_change_more(&e->now, &e->absent, &c);
		if (!r)
			r = vw_plan(&c.have, &c.want, &more);
		if (!r)
			r = send_ops(a, &more, d);
		*ops += more.list.n;
		if (r < 0)
			e->absent.absent.n = left; /* none of them is up */
	}
	return r;
}

void vw_planned_done(struct vw_planned *p)
{
	oplist_done(&p->ops);
	vw_change_done(&p->change);
	vw_compiled_done(&p->now);
}

int vw_agent_plan(struct vw_agent *a, const struct vw_policyset *set, struct vw_planned *ret,
		  struct vw_diag *d)
{
	_cleanup_(vw_planned_done) struct vw_planned p = {};
	int r = vw_agent_holds(a);

	if (!r)
		r = compile(a, set, &p.now, d);
	if (!r)
		r = difference(a, &p.now, &p.change, &p.unknown, d);
	if (!r)
		r = vw_plan(&p.change.have, &p.change.want, &p.ops);
	if (r < 0)
		return r;
	*ret = p;
	p = (struct vw_planned){};
	return 0;
}

int vw_agent_commit(struct vw_agent *a, struct vw_planned *p, struct vw_diag *d)
{
	size_t ops = p->ops.list.n;
	int r;

	before_commit(a, &p->now);
	if (!a->enforced.trusted)
		vw_heal_adopted(a, p);
	r = send_ops(a, &p->ops, d);
	if (r < 0)
		vw_refused_note(a, p, d);
	oplist_done(&p->ops);
	if (!r) {
		settle(a, &p->now, &p->change, p->unknown);
		vw_change_done(&p->change);
		vw_rejudge_run(&a->rejudge);
		r = commit_absent(a, &ops, d);
		vw_heal_committed(a);
		if (vw_naming_build(&a->naming, &a->world, &a->enforced.now) < 0)
			vw_err("names for denied flows: out of memory");
	}
	if (r < 0) {
		a->enforced.trusted = false;
		trouble(a, "commit", r, d);
	}
	report_walls(a);
	if (vw_live_watch_walls(a->live, &a->enforced.now, p->unknown) < 0)
		vw_err("ages of live flows: out of memory");
	vw_agent_learn_update(a);
	if (ops >= TRIM_OPS)
		malloc_trim(0);
	return r;
}

static void announce(struct vw_agent *a)
{
	size_t walls = 0, open = 0;
	int r;

	if (a->enforced.ready)
		return;
	a->enforced.ready = true;
	vw_vec_foreach (w, &a->world.workloads) {
		vw_vec_foreach (i, &w->ifaces) {
			if (vw_agent_enforced(a, i))
				walls++;
			else
				open++;
		}
	}
	vw_info("ready: %zu workloads, %zu walls, %zu interfaces not enforced, %zu veths held, %zu "
		"policies",
		a->world.workloads.n, walls, open, a->held.n, a->policies.list.n);
	r = vw_notify("READY=1");
	if (r < 0)
		vw_warn("the service manager could not be told: %s", strerror(-r));
}

static void retry(struct vw_agent *a)
{
	int64_t ms = BACKOFF_MIN_MS;

	for (int i = 0; i < a->enforced.failures && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	a->enforced.failures++;
	vw_timer_arm(a->reconcile_timer, ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

int vw_agent_reconcile(struct vw_agent *a)
{
	_cleanup_(vw_planned_done) struct vw_planned p = {};
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	int r;

	/* Until the world is whole, what is in the kernel is the better judgement. */
	if (!a->runtime_state.synced)
		return 0;
	vw_timer_disarm(a->reconcile_timer);
	r = vw_agent_plan(a, &a->policies, &p, &d);
	if (r < 0)
		trouble(a, "plan", r, &d);
	else
		r = vw_agent_commit(a, &p, &d);
	if (r < 0) {
		retry(a);
		return r;
	}
	if (a->enforced.failures)
		vw_info("enforced again after %d failures", a->enforced.failures);
	a->enforced.failures = 0;
	free(a->enforced.error);
	a->enforced.error = NULL;
	vw_refused_review(a, true);
	announce(a);
	return 0;
}

struct pick {
	const struct vw_scope *scope;
	const struct vw_compiled *now;
};

static bool picked(const char *name, void *arg)
{
	const struct pick *p = arg;

	return vw_scope_has(p->scope, p->now, name);
}

/* Sets of refused packets that are made again count from zero. */
static void denied_anew(struct vw_agent *a, const struct vw_oplist *ops)
{
	struct enforced *e = &a->enforced;
	size_t kept = 0;

	for (size_t i = 0; i < e->reported.n; i++) {
		struct reported was = e->reported.v[i];
		bool anew = false;

		vw_vec_foreach (op, &ops->list)
			anew |= op->type == VW_OP_ADD_SET && op->set->name[0] == 'd' &&
				vw_wall_of_name(&e->now, op->set->name) == was.ifindex;
		if (anew)
			vw_denied_wall_gone(a->denied, was.ifindex);
		else
			e->reported.v[kept++] = was;
	}
	e->reported.n = kept;
}

static int restore(struct vw_agent *a, const struct vw_scope *s, size_t *ret_ops, struct vw_diag *d)
{
	_cleanup_(vw_ruleset_done) struct vw_ruleset dump = {};
	_cleanup_(vw_change_done) struct vw_change c = {};
	_cleanup_(oplist_done) struct vw_oplist ops = {};
	struct pick pick = {s, &a->enforced.now};
	size_t n = 0;
	int r = s->all ? vw_nft_retake(a->nft, d) : 0;

	if (!r)
		r = vw_nft_dump_some(a->nft, picked, &pick, &dump, d);
	if (!r)
		r = vw_change_restore(&dump, &a->enforced.now, s, &c);
	if (!r)
		r = vw_plan(&c.have, &c.want, &ops);
	if (r < 0)
		return r;
	n = ops.list.n;
	denied_anew(a, &ops);
	r = send_ops(a, &ops, d);
	if (!r && s->all)
		a->enforced.absent.guarded = c.guarded;
	if (!r && c.absent.n) {
		vw_vec_done(&a->enforced.absent.absent);
		a->enforced.absent.absent = c.absent;
		memset(&c.absent, 0, sizeof(c.absent));
		r = commit_absent(a, &n, d);
	}
	*ret_ops = n;
	return r;
}

int vw_agent_restore(struct vw_agent *a, const struct vw_scope *s, size_t *ret_ops)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	int r = restore(a, s, ret_ops, &d);

	if (r < 0) {
		a->enforced.trusted = false;
		trouble(a, "repair", r, &d);
		retry(a);
		return r;
	}
	if (*ret_ops) {
		report_walls(a);
		if (*ret_ops >= TRIM_OPS)
			malloc_trim(0);
	}
	return 0;
}

void vw_agent_reconcile_timer(void *agent)
{
	vw_agent_reconcile(agent);
}
