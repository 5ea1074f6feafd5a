/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The requests that put policies in force and take them back: what is planned is compared with what
 * was shown, written down, sent as one transaction, and told with numbers. */
#include <string.h>

#include "agent/snapshot.h"
#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/version.h"

#define DRAIN_MS 500 /* for cutting flows before the answer; what is left is cut from the loop */
#define CONFIRM_MIN_MS 1000
#define CONFIRM_MAX_MS 86400000 /* a day */

/* A "no": the request was understood, and is not done. */
__attribute__((format(printf, 1, 2))) static json_t *refusal(const char *fmt, ...)
{
	char text[512];
	json_t *answer;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	answer = vw_control_error("%s", text);
	json_object_set_new(answer, "refused", json_true());
	return answer;
}

/* Trouble, and what is wrong with the files or the folder. */
static json_t *refused_for(const char *what, const struct vw_diag *d)
{
	json_t *answer = vw_control_error("%s: refused, what was in force stays in force", what);

	json_object_set_new(answer, "diagnostics", vw_control_diagnostics(d));
	return answer;
}

struct order {
	const json_t *sources; /* NULL: the agent's own folder */
	const char *plan; /* digest of what was shown, or NULL */
	const char *plan_node, *plan_version; /* that a plan file is of, or NULL */
	int64_t confirm_ms;
	bool audit, dry;
};

static bool is_digest(const char *s)
{
	return s && strlen(s) == VW_DIGEST_LEN - 1 &&
	       strspn(s, "0123456789abcdef") == VW_DIGEST_LEN - 1;
}

/* What is wrong with the value of a key, or NULL. A key that is not known might have been the one
 * that makes the change safe: it is refused. */
static const char *read_key(const char *key, const json_t *v, struct order *o)
{
	if (!strcmp(key, "cmd"))
		return NULL;
	if (!strcmp(key, "sources")) {
		o->sources = v;
		return json_is_array(v) ? NULL : "\"sources\" is no list";
	}
	if (!strcmp(key, "plan")) {
		o->plan = json_string_value(v);
		return is_digest(o->plan) ? NULL : "\"plan\" is no digest";
	}
	if (!strcmp(key, "plan_node") || !strcmp(key, "plan_version")) {
		*(key[5] == 'n' ? &o->plan_node : &o->plan_version) = json_string_value(v);
		return json_is_string(v) ? NULL : "\"plan_node\" and \"plan_version\" are texts";
	}
	if (!strcmp(key, "confirm_ms")) {
		o->confirm_ms = json_integer_value(v);
		return o->confirm_ms >= CONFIRM_MIN_MS && o->confirm_ms <= CONFIRM_MAX_MS
			       ? NULL
			       : "\"confirm_ms\" is no time from a second to a day";
	}
	if (!strcmp(key, "audit") || !strcmp(key, "dry")) {
		*(*key == 'a' ? &o->audit : &o->dry) = json_is_true(v);
		return json_is_boolean(v) ? NULL : "\"audit\" and \"dry\" are true or false";
	}
	return "there is a key that apply does not know";
}

static const char *read_order(const json_t *request, struct order *ret)
{
	const char *key, *wrong = NULL;
	json_t *v;

	*ret = (struct order){};
	json_object_foreach ((json_t *)request, key, v) {
		wrong = wrong ? wrong : read_key(key, v, ret);
	}
	return wrong;
}

/* A set that is to come in force. */
struct candidate {
	struct vw_sources sources;
	struct vw_policyset set;
	struct vw_planned planned;
	struct vw_applied count;
	char plan[VW_DIGEST_LEN];
};

static void candidate_done(struct candidate *c)
{
	vw_planned_done(&c->planned);
	vw_policyset_done(&c->set);
	vw_sources_done(&c->sources);
}

static int read_candidate(struct vw_agent *a, const struct order *o, struct candidate *c,
			  struct vw_diag *d)
{
	const char *path = a->s->policies;
	int r;

	if (o->sources) {
		r = vw_sources_from_json(o->sources, &c->sources);
		if (r == -EINVAL || r == -EEXIST)
			vw_error(d, NULL, "\"sources\" is not a list of {name, text}");
		else if (r == -E2BIG)
			vw_error(d, NULL, "the policies are more than %u files or %u bytes",
				 VW_SOURCES_MAX, VW_SOURCES_BYTES_MAX);
	} else {
		r = vw_sources_load(&path, 1, &c->sources, d);
	}
	if (!r)
		r = vw_sources_parse(&c->sources, &c->set, d);
	if (!r && (o->audit || a->s->audit))
		vw_policyset_audit(&c->set);
	return r;
}

static int digest_plan(const struct vw_planned *p, char ret[static VW_DIGEST_LEN])
{
	_cleanup_free_ char *text = vw_oplist_print(&p->ops, NULL);

	if (!text)
		return -ENOMEM;
	vw_sha256(text, strlen(text), ret);
	return 0;
}

/* Against what is enforced now, to the last change of the world. plan: its digest is wanted. */
static int plan_candidate(struct vw_agent *a, struct candidate *c, bool plan, struct vw_diag *d)
{
	int r = 0;

	if (vw_timer_armed(a->reconcile_timer) || vw_timer_armed(a->learn.apply) ||
	    !a->enforced.trusted)
		r = vw_agent_reconcile(a);
	if (r < 0) {
		vw_error(d, NULL, "the node is in trouble with what is in force already: %s",
			 a->enforced.error ? a->enforced.error : strerror(-r));
		return r;
	}
	r = vw_agent_plan(a, &c->set, &c->planned, d);
	if (r < 0 && !d->errors)
		vw_error(d, NULL, "the policies cannot be compiled: %s", strerror(-r));
	if (!r && plan)
		r = digest_plan(&c->planned, c->plan);
	if (!r)
		vw_applied_count(&c->count, &a->sources, &c->sources);
	return r;
}

static json_t *summary(const struct candidate *c)
{
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "ok", 1, "documents",
			 (json_int_t)c->set.list.n, "files", (json_int_t)c->sources.list.n, "added",
			 (json_int_t)c->count.added, "removed", (json_int_t)c->count.removed,
			 "changed", (json_int_t)c->count.changed, "operations",
			 (json_int_t)c->planned.ops.list.n, "audit", c->set.audit);
}

static void swap(struct vw_agent *a, struct candidate *c)
{
	struct vw_sources sources = a->sources;
	struct vw_policyset set = a->policies;

	a->sources = c->sources;
	a->policies = c->set;
	c->sources = sources;
	c->set = set;
}

/* Sends it. On failure all is as before. */
static int enforce(struct vw_agent *a, struct candidate *c, struct vw_diag *d)
{
	int r;

	swap(a, c);
	r = vw_agent_commit(a, &c->planned, d);
	swap(a, c);
	if (r < 0) {
		vw_agent_dirty(a);
		return r;
	}
	vw_agent_take_policies(a, &c->sources, &c->set);
	vw_agent_images_check(a);
	return 0;
}

static void asked(const char *what, const struct vw_control_peer *peer)
{
	vw_info("%s, asked for by uid %u, pid %d", what, (unsigned)peer->uid, (int)peer->pid);
}

/* Cuts what may no longer be, and tells: in the log and in the answer. */
static void tell(struct vw_agent *a, const struct vw_taking *t, uint64_t cut_before, json_t *answer)
{
	const struct vw_applied_state *s = &a->applied.state;
	size_t left = vw_rejudge_drain(&a->rejudge, DRAIN_MS);
	unsigned long long cut = a->rejudge.cut - cut_before;

	vw_info("set %llu%s is in force by %s: %zu policies, %lld operations in one transaction",
		(unsigned long long)s->enforced, s->enforced ? "" : " (not stored)",
		vw_applied_action_str(t->action), a->policies.list.n,
		json_integer_value(json_object_get(answer, "operations")));
	vw_info("%llu live flows lost their permission and were cut%s", cut,
		left ? ", not all are judged yet" : "");
	if (s->previous)
		vw_warn("set %llu comes back in %lld s unless 'vethwall confirm' comes before",
			(unsigned long long)s->previous, (long long)(s->confirm_ms + 999) / 1000);
	if (s->pinned)
		vw_warn("the files in %s differ from what is in force now; 'vethwall apply' or "
			"'vethwall reload' puts them in force",
			a->s->policies);
	json_object_update_new(
		answer, json_pack("{s:o, s:I, s:I, s:b, s:o, s:I}", "set",
				  s->enforced ? json_integer((json_int_t)s->enforced) : json_null(),
				  "flows_cut", (json_int_t)cut, "walls_left", (json_int_t)left,
				  "pinned", s->pinned, "previous",
				  s->previous ? json_integer((json_int_t)s->previous) : json_null(),
				  "confirm_ms", (json_int_t)s->confirm_ms));
}

static json_t *put_in_force(struct vw_agent *a, struct vw_taking *t, struct candidate *c,
			    struct vw_diag *d)
{
	struct vw_applied_state before = a->applied.state;
	json_t *answer = summary(c);
	uint64_t cut = a->rejudge.cut;
	int r;

	t->audit = c->set.audit;
	t->documents = c->set.list.n;
	t->sources = &c->sources;
	t->before = &a->sources;
	r = vw_agent_applied_record(a, t, d);
	if (r < 0 && (t->confirm_ms || vw_agent_applied_pending(a))) {
		json_decref(answer);
		return refused_for("what is in force cannot be written down", d);
	}
	if (r < 0) {
		vw_warn("%s: a restart will not know this set", d->list.v[0].text);
		a->applied.state = (struct vw_applied_state){};
	}
	r = enforce(a, c, d);
	if (r < 0) {
		vw_agent_applied_undo(a, &before);
		json_decref(answer);
		return refused_for("the kernel did not take it", d);
	}
	tell(a, t, cut, answer);
	json_object_set_new(answer, "diagnostics", vw_control_diagnostics(d));
	return answer;
}

/* Whether a plan file is of this node and version. */
static int check_plan(const struct order *o, struct vw_diag *d)
{
	struct vw_plan_file p = {.version = (char *)o->plan_version};
	char node[VW_NODE_LEN];
	int r = vw_agent_node(node);

	if (!o->plan_node || !o->plan_version)
		return 0;
	if (r < 0) {
		vw_error(d, NULL, "the node's identity: %s", strerror(-r));
		return r;
	}
	snprintf(p.node, sizeof(p.node), "%s", o->plan_node);
	return vw_plan_file_check(&p, "the plan", vw_version, node, d);
}

/* Whether a change of policies can be judged now; else the answer that says why not. */
static json_t *not_now(const struct vw_agent *a)
{
	if (!a->runtime_state.synced)
		return refusal("the runtime has not reported what runs, so nothing can be planned; "
			       "try again when 'vethwall status' is ready");
	return NULL;
}

static json_t *apply(struct vw_agent *a, struct order *o, const struct vw_control_peer *peer)
{
	_cleanup_(candidate_done) struct candidate c = {};
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	struct vw_taking t = {.action = VW_APPLIED_APPLY, .peer = peer};
	char now[VW_DIGEST_LEN], next[VW_DIGEST_LEN];
	json_t *answer;

	if (check_plan(o, &d) < 0)
		return refused_for("the plan", &d);
	if (read_candidate(a, o, &c, &d) < 0 || plan_candidate(a, &c, o->plan || o->dry, &d) < 0)
		return refused_for(o->sources ? "the policies" : a->s->policies, &d);
	if (o->plan && strcmp(o->plan, c.plan) != 0)
		return refusal("the node has changed since the plan was made: it would change "
			       "something else now. Run 'vethwall diff' again");
	if (o->dry) {
		answer = summary(&c);
		json_object_set_new(answer, "plan", json_string(c.plan));
		json_object_set_new(answer, "diagnostics", vw_control_diagnostics(&d));
		return answer;
	}
	vw_sources_digest(&a->sources, now);
	vw_sources_digest(&c.sources, next);
	/* What is in force already cannot lock anybody out: there is nothing to go back to. */
	t.confirm_ms =
		strcmp(now, next) != 0 || a->policies.audit != c.set.audit ? o->confirm_ms : 0;
	return put_in_force(a, &t, &c, &d);
}

json_t *vw_agent_apply(void *agent, const json_t *request, const struct vw_control_peer *peer)
{
	struct vw_agent *a = agent;
	struct order o;
	const char *wrong = read_order(request, &o);
	json_t *answer;

	if (wrong)
		return vw_control_error("%s", wrong);
	if (!o.dry)
		asked("apply", peer);
	if (vw_agent_applied_pending(a))
		return refusal("set %llu waits for confirmation: 'vethwall confirm' or 'vethwall "
			       "rollback' first",
			       (unsigned long long)a->applied.state.enforced);
	if (o.confirm_ms && !a->applied.history)
		return refusal("nothing can be confirmed: %s", a->applied.error);
	answer = not_now(a);
	return answer ? answer : apply(a, &o, peer);
}

json_t *vw_agent_confirm(void *agent, const json_t *request, const struct vw_control_peer *peer)
{
	struct vw_agent *a = agent;
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	int r = vw_agent_applied_confirm(a, &d);

	(void)request;
	asked("confirm", peer);
	if (r == -ENOENT)
		return refusal("there is nothing to confirm: what is in force stays");
	if (r < 0)
		return refused_for("the confirmation cannot be written down", &d);
	vw_info("set %llu is confirmed", (unsigned long long)a->applied.state.enforced);
	return json_pack("{s:b, s:I, s:b}", "ok", 1, "set", (json_int_t)a->applied.state.enforced,
			 "pinned", a->applied.state.pinned);
}

/* What was in force before what is: the one that waits to come back, or the entry before. */
static uint64_t previous_of(const struct vw_agent *a)
{
	const struct vw_applied_state *s = &a->applied.state;
	uint64_t previous = 0;

	if (s->previous)
		return s->previous;
	for (size_t i = 0; i < vw_history_count(a->applied.history); i++) {
		uint64_t id = vw_history_at(a->applied.history, i)->id;

		if (id < s->enforced)
			previous = id;
	}
	return previous;
}

/* The set to go back to, or an answer that says why there is none. */
static json_t *rollback_to(const struct vw_agent *a, const json_t *request, uint64_t *ret)
{
	const json_t *set = json_object_get(request, "set");

	if (!a->applied.history)
		return refusal("there is no history to go back to: %s", a->applied.error);
	if (set && (!json_is_integer(set) || json_integer_value(set) < 1))
		return vw_control_error("\"set\" is no number of a set");
	*ret = set ? (uint64_t)json_integer_value(set) : previous_of(a);
	if (!*ret)
		return refusal("there is no set before the one in force");
	if (*ret == a->applied.state.enforced)
		return refusal("set %llu is the one in force", (unsigned long long)*ret);
	if (!vw_history_find(a->applied.history, *ret))
		return refusal("set %llu is not kept, or damaged; 'vethwall history' lists those "
			       "that are",
			       (unsigned long long)*ret);
	return not_now(a);
}

json_t *vw_agent_rollback(void *agent, const json_t *request, const struct vw_control_peer *peer)
{
	struct vw_agent *a = agent;
	_cleanup_(candidate_done) struct candidate c = {};
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	struct vw_taking t = {.action = VW_APPLIED_ROLLBACK, .peer = peer};
	json_t *answer = rollback_to(a, request, &t.of);

	if (answer)
		return answer;
	asked("rollback", peer);
	if (vw_agent_applied_read(a, t.of, &c.sources, &c.set, &t.audit, &d) < 0 ||
	    plan_candidate(a, &c, false, &d) < 0)
		return refused_for("the set", &d);
	answer = put_in_force(a, &t, &c, &d);
	json_object_set_new(answer, "of", json_integer((json_int_t)t.of));
	return answer;
}
