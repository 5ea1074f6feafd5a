/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets in force, written down before they are sent: whoever kills this agent finds the next one
 * with the same set, the same countdown, or, when that is over, the set before. A folder that
 * cannot be written costs the history and the dead man's switch, never the enforcement. */
#include <string.h>
#include <time.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/flow.h"

#define TICK_MS 1000 /* looks at the clock that goes on while the machine sleeps */
#define DRAIN_MS 500 /* for cutting flows before the next event is looked at */
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static int64_t boot_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool vw_agent_applied_pending(const struct vw_agent *a)
{
	return a->applied.state.previous != 0;
}

int64_t vw_agent_applied_left_ms(const struct vw_agent *a)
{
	return vw_applied_left_ms(&a->applied.state, a->applied.boot_id, boot_ms(),
				  vw_wall_ns() / 1000000);
}

/* Says it in the log, and in status until something else goes wrong. */
static void remember(struct vw_agent *a, const struct vw_diag *d)
{
	if (!d->list.n)
		return;
	vw_vec_foreach (e, &d->list) {
		vw_warn("%s", e->text);
	}
	free(a->applied.error);
	a->applied.error = strdup(d->list.v[0].text);
}

static unsigned long long set_no(uint64_t id)
{
	return id;
}

/* ---- what the folder says ---- */

/* Whether a restart without a stored set would bring these texts. */
static bool is_of_folder(const struct vw_agent *a, const char *digest, bool audit)
{
	_cleanup_(vw_sources_done) struct vw_sources s = {};
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	const char *path = a->s->policies;
	char is[VW_DIGEST_LEN];

	if (audit != a->s->audit || vw_sources_load(&path, 1, &s, &d) < 0)
		return false;
	vw_sources_digest(&s, is);
	return strcmp(is, digest) == 0;
}

int vw_agent_applied_read(const struct vw_agent *a, uint64_t id, struct vw_sources *sources,
			  struct vw_policyset *set, bool *ret_audit, struct vw_diag *d)
{
	_cleanup_(vw_sources_done) struct vw_sources s = {};
	const struct vw_applied *meta = vw_history_find(a->applied.history, id);
	int r = vw_history_get(a->applied.history, id, &s, d);

	if (!r)
		r = vw_sources_parse(&s, set, d);
	if (r < 0)
		return r;
	*ret_audit = meta->audit || a->s->audit;
	if (*ret_audit)
		vw_policyset_audit(set);
	*sources = s;
	s = (struct vw_sources){};
	return 0;
}

/* ---- at the start ---- */

static void open_history(struct vw_agent *a)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	_cleanup_free_ char *id = NULL;
	size_t len;
	int r = vw_file_read(BOOT_ID, 64, &id, &len);

	if (!r)
		snprintf(a->applied.boot_id, sizeof(a->applied.boot_id), "%.36s", id);
	r = vw_history_open(a->s->state_dir, a->s->history, &a->applied.history, &d);
	if (r < 0 && !d.list.n)
		vw_error(&d, NULL, "%s: %s", a->s->state_dir, strerror(-r));
	if (!r)
		(void)vw_history_state(a->applied.history, &a->applied.state, &d);
	remember(a, &d);
	if (r < 0)
		vw_warn("no history is kept, and nothing can be confirmed or rolled back");
}

/* A stored set becomes the one to begin with. */
static int load_stored(struct vw_agent *a, uint64_t id)
{
	_cleanup_(vw_sources_done) struct vw_sources sources = {};
	_cleanup_(vw_policyset_done) struct vw_policyset set = {};
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	bool audit;
	int r = vw_agent_applied_read(a, id, &sources, &set, &audit, &d);

	if (r < 0) {
		remember(a, &d);
		return r;
	}
	vw_agent_take_policies(a, &sources, &set);
	return 0;
}

int vw_agent_applied_load(struct vw_agent *a, struct vw_diag *d)
{
	struct vw_applied_state *s = &a->applied.state;

	open_history(a);
	if (s->previous && vw_agent_applied_left_ms(a) > 0 && load_stored(a, s->enforced) == 0)
		return 0;
	a->applied.overdue = s->previous && load_stored(a, s->previous) == 0;
	if (a->applied.overdue)
		return 0;
	a->applied.stuck = s->previous;
	if ((s->previous || s->pinned) && load_stored(a, s->enforced) == 0)
		return 0;
	if (s->previous || s->pinned)
		vw_err("set %llu, which was in force, cannot be read; the files in %s are taken",
		       set_no(s->enforced), a->s->policies);
	*s = (struct vw_applied_state){};
	a->applied.stuck = false;
	return vw_agent_load_policies(a, d);
}

/* ---- writing down ---- */

static void read_comm(struct vw_asker *by)
{
	_cleanup_free_ char *comm = NULL, *login = NULL;
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/comm", by->pid);
	if (vw_file_read(path, 64, &comm, &len) == 0)
		snprintf(by->comm, sizeof(by->comm), "%.*s", (int)strcspn(comm, "\n"), comm);
	snprintf(path, sizeof(path), "/proc/%d/loginuid", by->pid);
	if (vw_file_read(path, 64, &login, &len) == 0)
		by->login_uid = (uint32_t)strtoul(login, NULL, 10);
}

/* The credentials are the kernel's; name and login are what the process is now. */
static struct vw_asker asker_of(const struct vw_control_peer *peer)
{
	struct vw_asker by = {.login_uid = VW_UID_NONE};

	if (!peer)
		return by;
	by.known = true;
	by.uid = peer->uid;
	by.pid = peer->pid;
	read_comm(&by);
	return by;
}

/* The state that goes with the set. */
static void deadline(struct vw_agent *a, int64_t confirm_ms, struct vw_applied_state *next)
{
	next->previous = confirm_ms ? a->applied.state.enforced : 0;
	next->confirm_ms = confirm_ms;
	next->deadline_boot_ms = confirm_ms ? boot_ms() + confirm_ms : 0;
	next->deadline_real_ms = confirm_ms ? vw_wall_ns() / 1000000 + confirm_ms : 0;
	memcpy(next->boot_id, a->applied.boot_id, sizeof(next->boot_id));
}

static void countdown(struct vw_agent *a)
{
	int64_t left = vw_agent_applied_left_ms(a);

	if (!vw_agent_applied_pending(a) || a->applied.stuck)
		vw_timer_disarm(a->applied.timer);
	else
		vw_timer_arm(a->applied.timer, left < TICK_MS ? left : TICK_MS);
}

static int set_state(struct vw_agent *a, const struct vw_applied_state *next, struct vw_diag *d)
{
	int r = vw_history_set_state(a->applied.history, next, d);

	if (r < 0)
		return r;
	a->applied.state = *next;
	a->applied.stuck = false;
	countdown(a);
	return 0;
}

int vw_agent_applied_record(struct vw_agent *a, const struct vw_taking *t, struct vw_diag *d)
{
	struct vw_applied_state next = {};
	struct vw_applied e = {.time_ns = vw_wall_ns(),
			       .action = t->action,
			       .by = asker_of(t->peer),
			       .of = t->of,
			       .documents = (unsigned)t->documents,
			       .audit = t->audit};
	const struct vw_applied *last;
	bool known;
	int r = 0;

	if (!a->applied.history) {
		vw_error(d, NULL, "%s", a->applied.error ? a->applied.error : "no state folder");
		return -EROFS;
	}
	vw_sources_digest(t->sources, e.digest);
	vw_applied_count(&e, t->before, t->sources);
	last = vw_history_last(a->applied.history);
	known = last && !strcmp(last->digest, e.digest) && last->audit == e.audit;
	if (known)
		e.id = last->id;
	else
		r = vw_history_put(a->applied.history, &e, t->sources, d);
	if (r < 0)
		return r;
	next.enforced = e.id;
	next.pinned = !is_of_folder(a, e.digest, e.audit);
	deadline(a, t->confirm_ms, &next);
	r = set_state(a, &next, d);
	if (r < 0 && !known)
		vw_history_drop(a->applied.history, e.id);
	if (!r && t->peer) { /* somebody looked after it */
		free(a->applied.error);
		a->applied.error = NULL;
	}
	return r;
}

void vw_agent_applied_undo(struct vw_agent *a, const struct vw_applied_state *before)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	uint64_t id = a->applied.state.enforced;

	if (!a->applied.history)
		return;
	if (set_state(a, before, &d) == 0 && id > before->enforced)
		vw_history_drop(a->applied.history, id);
	a->applied.state = *before;
	remember(a, &d);
}

/* What cannot be written down is told; it is in force all the same. */
static void record_or_tell(struct vw_agent *a, const struct vw_taking *t)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {};

	if (a->applied.history && vw_agent_applied_record(a, t, &d) < 0)
		remember(a, &d);
}

void vw_agent_applied_reloading(struct vw_agent *a, const struct vw_control_peer *peer,
				const struct vw_sources *sources, size_t documents)
{
	struct vw_taking t = {.action = VW_APPLIED_RELOAD,
			      .peer = peer,
			      .audit = a->s->audit,
			      .documents = documents,
			      .sources = sources,
			      .before = &a->sources};

	record_or_tell(a, &t);
}

int vw_agent_applied_confirm(struct vw_agent *a, struct vw_diag *d)
{
	struct vw_applied_state next = a->applied.state;

	if (!vw_agent_applied_pending(a))
		return -ENOENT;
	deadline(a, 0, &next);
	return set_state(a, &next, d);
}

/* ---- nobody confirmed ---- */

/* The set before is in a->sources and a->policies; before: texts of the one that was not confirmed.
 */
static void record_expiry(struct vw_agent *a, const struct vw_sources *before)
{
	struct vw_taking t = {.action = VW_APPLIED_EXPIRED,
			      .of = a->applied.state.previous,
			      .audit = a->policies.audit,
			      .documents = a->policies.list.n,
			      .sources = &a->sources,
			      .before = before};
	uint64_t bad = a->applied.state.enforced;

	record_or_tell(a, &t);
	if (vw_agent_applied_pending(
		    a)) { /* could not be written: an agent after us does it again */
		a->applied.state.enforced = t.of;
		a->applied.state.previous = 0;
		a->applied.state.pinned = true;
	}
	a->applied.overdue = false;
	vw_warn("set %llu was NOT CONFIRMED in time: set %llu is in force again", set_no(bad),
		set_no(t.of));
}

static void tell_stuck(const struct vw_agent *a)
{
	vw_err("set %llu was not confirmed, and set %llu cannot be restored: 'vethwall rollback' "
	       "to another, or 'vethwall confirm'",
	       set_no(a->applied.state.enforced), set_no(a->applied.state.previous));
}

static void expire(struct vw_agent *a)
{
	_cleanup_(vw_sources_done) struct vw_sources before = {};
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	uint64_t cut = a->rejudge.cut;

	before = a->sources;
	a->sources = (struct vw_sources){};
	if (load_stored(a, a->applied.state.previous) < 0) {
		a->sources = before;
		before = (struct vw_sources){};
		a->applied.stuck = true;
		tell_stuck(a);
		return;
	}
	record_expiry(a, &before);
	if (vw_agent_reconcile(a) < 0)
		vw_err("set %llu is not enforced yet: %s", set_no(a->applied.state.enforced),
		       a->enforced.error ? a->enforced.error : "trying again");
	vw_rejudge_drain(&a->rejudge, DRAIN_MS);
	vw_info("%llu live flows lost their permission and were cut",
		(unsigned long long)(a->rejudge.cut - cut));
}

static void on_tick(void *arg)
{
	struct vw_agent *a = arg;

	if (vw_agent_applied_pending(a) && vw_agent_applied_left_ms(a) == 0)
		expire(a);
	else
		countdown(a);
}

/* ---- once this agent enforces ---- */

static void tell_stored(const struct vw_agent *a)
{
	const struct vw_applied_state *s = &a->applied.state;
	const struct vw_applied *e = vw_history_find(a->applied.history, s->enforced);
	char time[VW_TIME_STRLEN];

	if (a->applied.stuck)
		tell_stuck(a);
	else if (s->previous)
		vw_warn("set %llu waits for 'vethwall confirm'; set %llu comes back in %lld s",
			set_no(s->enforced), set_no(s->previous),
			(long long)(vw_agent_applied_left_ms(a) + 999) / 1000);
	if (e && s->pinned)
		vw_warn("ENFORCED IS SET %llu (%s, %s); the files in %s differ. 'vethwall apply' "
			"or 'vethwall reload' puts them in force",
			set_no(e->id), vw_applied_action_str(e->action),
			vw_time_str(e->time_ns / 1000, time), a->s->policies);
}

/* The folder may have become what is enforced since. */
static void unpin(struct vw_agent *a)
{
	const struct vw_applied *e = vw_history_find(a->applied.history, a->applied.state.enforced);
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	struct vw_applied_state next = a->applied.state;

	if (!e || !is_of_folder(a, e->digest, e->audit))
		return;
	next.pinned = false;
	if (set_state(a, &next, &d) < 0)
		remember(a, &d);
}

int vw_agent_applied_start(struct vw_agent *a)
{
	_cleanup_(vw_sources_done) struct vw_sources before = {};
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	struct vw_taking t = {.action = VW_APPLIED_START,
			      .audit = a->policies.audit,
			      .documents = a->policies.list.n,
			      .sources = &a->sources,
			      .before = &before};
	const struct vw_applied *last;
	int r = vw_timer_new(a->loop, on_tick, a, &a->applied.timer);

	if (r < 0 || !a->applied.history)
		return r;
	last = vw_history_last(a->applied.history);
	if (last)
		(void)vw_history_get(a->applied.history, last->id, &before, &d);
	if (a->applied.overdue) {
		record_expiry(a, &before);
	} else if (!a->applied.state.enforced) {
		record_or_tell(a, &t);
	} else if (!vw_agent_applied_pending(a)) {
		unpin(a);
	}
	tell_stored(a);
	countdown(a);
	return 0;
}

void vw_agent_applied_done(struct vw_agent *a)
{
	if (vw_agent_applied_pending(a))
		vw_warn("set %llu is NOT CONFIRMED; the next agent restores set %llu when the time "
			"is over",
			set_no(a->applied.state.enforced), set_no(a->applied.state.previous));
	vw_timer_free(&a->applied.timer);
	vw_history_free(&a->applied.history);
	free(a->applied.error);
	a->applied.error = NULL;
}

/* ---- what others are told ---- */

bool vw_agent_applied_ok(const struct vw_agent *a)
{
	return !a->applied.error && !a->applied.stuck;
}

json_t *vw_agent_applied_json(const struct vw_agent *a)
{
	const struct vw_applied_state *s = &a->applied.state;
	const struct vw_applied *e =
		a->applied.history ? vw_history_find(a->applied.history, s->enforced) : NULL;
	bool pending = vw_agent_applied_pending(a);

	return json_pack(
		"{s:o, s:b, s:o, s:o, s:b, s:I, s:s?}", "set", e ? vw_applied_json(e) : json_null(),
		"pinned", s->pinned, "previous",
		pending ? json_integer((json_int_t)s->previous) : json_null(), "confirm_left",
		pending ? json_real((double)vw_agent_applied_left_ms(a) / 1000) : json_null(),
		"stuck", a->applied.stuck, "kept",
		(json_int_t)(a->applied.history ? vw_history_count(a->applied.history) : 0),
		"error", a->applied.error);
}

static json_t *texts(const struct vw_agent *a, uint64_t id)
{
	_cleanup_(vw_sources_done) struct vw_sources s = {};
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	json_t *list;

	if (vw_history_get(a->applied.history, id, &s, &d) < 0)
		return vw_control_error("%s", d.list.n ? d.list.v[0].text : "out of memory");
	list = vw_sources_json(&s);
	return list ? json_pack("{s:b, s:o, s:o}", "ok", 1, "set",
				vw_applied_json(vw_history_find(a->applied.history, id)), "sources",
				list)
		    : NULL;
}

json_t *vw_agent_history(void *agent, const json_t *request, const struct vw_control_peer *peer)
{
	const struct vw_agent *a = agent;
	const struct vw_applied_state *s = &a->applied.state;
	const json_t *id = json_object_get(request, "set");
	json_t *list;

	if (!a->applied.history)
		return vw_control_error("no history is kept: %s",
					a->applied.error ? a->applied.error : "no state folder");
	if (id && !json_is_integer(id))
		return vw_control_error("\"set\" is no number");
	if (id && !peer->root)
		return vw_control_error("only root may read the policies of a set");
	if (id)
		return texts(a, (uint64_t)json_integer_value(id));
	list = json_array();
	for (size_t i = vw_history_count(a->applied.history); i-- > 0;) {
		const struct vw_applied *e = vw_history_at(a->applied.history, i);
		json_t *j = vw_applied_json(e);

		json_object_set_new(j, "enforced", json_boolean(e->id == s->enforced));
		json_array_append_new(list, j);
	}
	return json_pack("{s:b, s:o, s:o}", "ok", 1, "sets", list, "state",
			 vw_agent_applied_json(a));
}
