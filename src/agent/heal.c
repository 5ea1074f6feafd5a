/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whoever else changes our tables is noticed by the kernel's notification, named, and undone. A
 * notification says which chains and sets; only these, and those of the same wall, are read and
 * compared with what was last enforced, so a repair costs what was broken. Where notifications were
 * lost all of it is read, and now and then in any case, a few walls at a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/place.h"
#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/flow.h"

#define SCOPE_MAX 32 /* walls in one repair; with more of them all is read */
#define WHO_MS 2 /* the generation follows its changes at once */
#define SLICE 16 /* walls that are verified at a time */
#define SLICE_MS 200 /* between two of them */
#define LOG_BURST 50 /* lines per LOG_SECONDS */
#define LOG_SECONDS 10
/* A program that undoes each repair gets this many at once, then FIGHT_MS apart. */
#define FIGHT_REPAIRS 200
#define FIGHT_WINDOW_NS (10 * 1000000000LL)
#define FIGHT_MS 100
#define RECORD "enforced" /* in the run folder */
#define RECORD_MS 500

static const struct {
	const char *before, *after; /* the object's name; after NULL: without it */
	bool grave;
} words[_VW_NFT_CHANGE_MAX] = {
	[VW_NFT_TABLE_SET] = {"table changed", NULL, true},
	[VW_NFT_TABLE_GONE] = {"table deleted", NULL, true},
	[VW_NFT_CHAIN_SET] = {"chain ", " added or changed"},
	[VW_NFT_CHAIN_GONE] = {"chain ", " deleted"},
	[VW_NFT_RULE_SET] = {"rule added to chain ", ""},
	[VW_NFT_RULE_GONE] = {"rule deleted from chain ", ""},
	[VW_NFT_SET_SET] = {"set ", " added"},
	[VW_NFT_SET_GONE] = {"set ", " deleted"},
	[VW_NFT_ELEM_SET] = {"elements added to set ", ""},
	[VW_NFT_ELEM_GONE] = {"elements removed from set ", ""},
	[VW_NFT_OTHER] = {"an object added or deleted"},
};

static int unsigned_cmp(const void *x, const void *y)
{
	const unsigned *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

static void scope_wall(struct vw_scope *s, unsigned ifindex)
{
	if (s->all || (s->walls.n &&
		       bsearch(&ifindex, s->walls.v, s->walls.n, sizeof(ifindex), unsigned_cmp)))
		return;
	if (vw_vec_push(&s->walls, ifindex, SCOPE_MAX) < 0)
		s->all = true;
	else
		qsort(s->walls.v, s->walls.n, sizeof(ifindex), unsigned_cmp);
}

static void tamper_reset(struct vw_tamper *t)
{
	vw_vec_done(&t->scope.walls);
	*t = (struct vw_tamper){};
}

static bool pending(const struct vw_tamper *t)
{
	return t->changes || t->lost;
}

/* ---- telling ---- */

static void tell(struct vw_agent *a, double ms, const char *after)
{
	struct vw_heal *h = &a->heal;
	unsigned held;

	h->tamperings++;
	h->last_ns = vw_wall_ns();
	h->last_ms = ms;
	if (!vw_ratelimit_ok(&h->log, LOG_BURST, LOG_SECONDS, &held))
		return;
	if (held)
		vw_warn("tampering: %u more times, not told one by one", held);
	vw_warn("tampering: %s; %s", h->last, after);
}

static void describe(struct vw_heal *h)
{
	const struct vw_tamper *t = &h->now;
	char more[48] = "", who[64] = "";

	if (t->changes > 1)
		snprintf(more, sizeof(more), " and %llu more changes",
			 (unsigned long long)t->changes - 1);
	if (t->comm[0])
		snprintf(who, sizeof(who), " by %s (pid %u)", t->comm, t->pid);
	else if (t->portid)
		snprintf(who, sizeof(who), " by netlink port %u", t->portid);
	snprintf(h->last, sizeof(h->last), "%s%s%s",
		 t->what[0] ? t->what
		 : t->lost  ? "notifications were lost"
			    : "found by verification",
		 more, who);
}

void vw_heal_link(struct vw_agent *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->heal.last, sizeof(a->heal.last), fmt, ap);
	va_end(ap);
	tell(a, -1, "its wall follows");
}

json_t *vw_heal_json(const struct vw_agent *a)
{
	const struct vw_heal *h = &a->heal;
	char buf[VW_TIME_STRLEN];
	json_t *last = json_null();

	if (h->last_ns)
		last = json_pack("{s:s, s:s, s:o}", "time", vw_time_str(h->last_ns / 1000, buf),
				 "what", h->last, "repaired_ms",
				 h->last_ms < 0 ? json_null() : json_real(h->last_ms));
	return json_pack("{s:I, s:I, s:b, s:o}", "count", (json_int_t)h->tamperings, "lost",
			 (json_int_t)h->lost, "fight",
			 h->fight && vw_now_ns() - h->window_ns <= FIGHT_WINDOW_NS, "last", last);
}

/* ---- repairing ---- */

/* How long to wait: somebody who undoes each repair must not cost all of the processor. */
static int64_t fight_ms(struct vw_heal *h)
{
	int64_t now = vw_now_ns();

	if (now - h->window_ns > FIGHT_WINDOW_NS) {
		h->fight = h->in_window >= FIGHT_REPAIRS;
		h->window_ns = now;
		h->in_window = 0;
	}
	if (++h->in_window == FIGHT_REPAIRS && !h->fight) {
		h->fight = true;
		vw_err("tampering: %u times within %lld s: another program fights for the table; "
		       "it is repaired every %d ms from here on",
		       FIGHT_REPAIRS, FIGHT_WINDOW_NS / 1000000000LL, FIGHT_MS);
	}
	return h->fight ? FIGHT_MS : 0;
}

/* What passed meanwhile by a right that it did not have ends. */
static void judge_again(struct vw_agent *a)
{
	if (vw_rejudge_all(&a->rejudge, &a->enforced.now) < 0)
		vw_err("live flows cannot be judged again: out of memory");
	else
		vw_rejudge_run(&a->rejudge);
}

static void repair(struct vw_agent *a)
{
	struct vw_tamper *t = &a->heal.now;

	t->result = vw_agent_restore(a, &t->scope, &t->ops);
	t->ms = (double)(vw_now_ns() - t->seen_ns) / 1e6;
	t->done = true;
	if (!t->result && (t->ops || t->fills))
		judge_again(a);
}

/* Repairs what is not repaired yet, and tells. */
static void finish(struct vw_agent *a)
{
	struct vw_heal *h = &a->heal;
	struct vw_tamper *t = &h->now;
	char after[48];

	vw_timer_disarm(h->repair);
	/* Not settled: the table is read whole before the next commit. */
	if (!t->done && !a->enforced.trusted) {
		tamper_reset(t);
		return;
	}
	if (!t->done)
		repair(a);
	describe(h);
	snprintf(after, sizeof(after), "repaired in %.1f ms", t->ms);
	if (t->result < 0)
		tell(a, -1, "NOT repaired yet");
	else if (t->ops || t->grave)
		tell(a, t->ms, after);
	else if (t->changes)
		tell(a, -1, t->fills ? "live flows are judged again" : "nothing was to repair");
	tamper_reset(t);
}

static void on_repair(void *arg)
{
	finish(arg);
}

/* ---- noticing ---- */

static void note_scope(struct vw_agent *a, struct vw_tamper *t, const struct vw_nft_event *e)
{
	const struct vw_compiled *now = &a->enforced.now;
	unsigned ifindex = vw_wall_of_name(now, e->name);
	bool elems = e->change == VW_NFT_ELEM_SET || e->change == VW_NFT_ELEM_GONE;

	if (words[e->change].grave)
		t->scope.all = true;
	else if (ifindex)
		scope_wall(&t->scope, ifindex);
	else
		t->scope.shared = true;
	if (elems && ifindex && (e->name[0] == 'f' || e->name[0] == 'd'))
		t->fills = true;
}

static void on_event(const struct vw_nft_event *e, void *arg)
{
	struct vw_agent *a = arg;
	struct vw_tamper *t = &a->heal.now;

	if (!e->portid) /* the kernel's own: a device went */
		return;
	if (t->done && e->portid != t->portid)
		finish(a);
	if (e->change == VW_NFT_GENERATION) {
		if (t->changes && e->portid == t->portid && !t->comm[0]) {
			t->pid = e->pid;
			memcpy(t->comm, e->comm, sizeof(t->comm));
		}
		return;
	}
	if (!pending(t))
		t->seen_ns = vw_now_ns();
	if (!t->changes || (words[e->change].grave && !t->grave)) {
		t->portid = e->portid;
		t->comm[0] = '\0';
		t->grave = words[e->change].grave;
		snprintf(t->what, sizeof(t->what), "%s%s%s", words[e->change].before,
			 !words[e->change].after ? ""
			 : e->name[0]		 ? e->name
						 : "(a long name)",
			 words[e->change].after ? words[e->change].after : "");
	}
	t->changes++;
	note_scope(a, t, e);
}

static void on_monitor(int fd, uint32_t events, void *arg)
{
	struct vw_agent *a = arg;
	struct vw_heal *h = &a->heal;
	int r = vw_nft_monitor_process(h->monitor, on_event, a);

	(void)fd;
	(void)events;
	if (r == -ENOBUFS) {
		if (!pending(&h->now))
			h->now.seen_ns = vw_now_ns();
		h->lost++;
		h->now.lost = h->now.scope.all = true;
	} else if (r < 0) {
		vw_err("changes of nf_tables by others: %s", strerror(-r));
	}
	if (!pending(&h->now) || vw_timer_armed(h->repair))
		return;
	if (!a->enforced.trusted && !h->now.done) {
		/* Before the first commit, or while one is retried: that reads everything. */
		tamper_reset(&h->now);
	} else if (h->now.comm[0] || h->now.lost) {
		int64_t wait = fight_ms(h);

		if (!wait)
			finish(a);
		else
			vw_timer_arm(h->repair, wait);
	} else if (r == 1 && !h->now.done) {
		/* Something large: what else it changed is told later, and was done before. */
		h->now.scope.all = true;
		repair(a);
	} else if (!r) {
		vw_timer_arm(h->repair, WHO_MS);
	}
}

/* ---- the slow look at everything ---- */

static void on_verify(void *arg)
{
	struct vw_agent *a = arg;
	struct vw_heal *h = &a->heal;
	struct vw_tamper *t = &h->now;
	const struct vw_compiled *now = &a->enforced.now;
	int64_t next = SLICE_MS;

	if (a->enforced.trusted && !pending(t)) {
		size_t end = h->verified + SLICE;

		t->seen_ns = vw_now_ns();
		t->scope.shared = !h->verified;
		for (; h->verified < end && h->verified < now->walls.n; h->verified++)
			scope_wall(&t->scope, now->walls.v[h->verified].ifindex);
		if (h->verified >= now->walls.n) {
			h->verified = 0;
			next = a->s->verify_interval_ms;
		}
		finish(a);
	}
	vw_timer_arm(h->verify, next);
}

/* ---- what was done while nobody looked ---- */

static char *record_path(const struct vw_agent *a)
{
	char *path;

	return asprintf(&path, "%s/" RECORD, a->s->run_dir) < 0 ? NULL : path;
}

static int record_text(const struct vw_compiled *c, char *ret, size_t size)
{
	char where[VW_PLACE_LEN];
	int r = vw_agent_place(where);

	if (r < 0)
		return r;
	snprintf(ret, size, "%s %016llx\n", where, (unsigned long long)vw_compiled_digest(c));
	return 0;
}

/* What stands now, for the agent that comes next. Not synced: it is of this boot only. */
static void on_record(void *arg)
{
	struct vw_agent *a = arg;
	_cleanup_free_ char *path = record_path(a), *tmp = NULL;
	char text[VW_PLACE_LEN + 32];
	ssize_t n = -1;
	int fd;

	if (!a->enforced.trusted || !path || asprintf(&tmp, "%s.new", path) < 0 ||
	    record_text(&a->enforced.now, text, sizeof(text)) < 0)
		return;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		n = write(fd, text, strlen(text));
		close(fd);
	}
	if (n != (ssize_t)strlen(text) || rename(tmp, path) < 0)
		vw_warn("%s: %s", tmp, strerror(errno));
}

/* Whether the agent before this one left just what is wanted now. */
static bool left_alike(const struct vw_agent *a, const struct vw_compiled *now)
{
	_cleanup_free_ char *path = record_path(a), *was = NULL;
	char is[VW_PLACE_LEN + 32];
	size_t len;

	return path && !record_text(now, is, sizeof(is)) &&
	       !vw_file_read(path, sizeof(is), &was, &len) && !strcmp(was, is);
}

/* Rules in our table that no agent made. */
static size_t foreign_rules(const struct vw_ruleset *have, const char **ret_chain)
{
	size_t n = 0;

	vw_vec_foreach (c, &have->chains) {
		vw_vec_foreach (r, &c->rules) {
			if (r->id)
				continue;
			*ret_chain = c->name;
			n++;
		}
	}
	return n;
}

void vw_heal_adopted(struct vw_agent *a, const struct vw_planned *p)
{
	struct vw_heal *h = &a->heal;
	const char *chain = NULL;
	size_t foreign = foreign_rules(&p->change.have, &chain);
	size_t ops = p->ops.list.n + p->change.absent.n;

	if (a->enforced.now.walls.n) /* this agent's own doing: a commit went wrong */
		return;
	if (foreign)
		snprintf(h->last, sizeof(h->last),
			 "%zu rules of others, in chain %s, added while no agent ran", foreign,
			 chain);
	else if (ops && left_alike(a, &p->now))
		snprintf(h->last, sizeof(h->last), "the table was changed while no agent ran");
	else
		return;
	snprintf(h->last + strlen(h->last), sizeof(h->last) - strlen(h->last),
		 ", %zu operations apart from what was left", ops);
	tell(a, -1, "it is put right by this start");
}

void vw_heal_committed(struct vw_agent *a)
{
	if (a->heal.record && !vw_timer_armed(a->heal.record))
		vw_timer_arm(a->heal.record, RECORD_MS);
}

/* ---- the agent's start and end ---- */

int vw_heal_open(struct vw_agent *a, struct vw_diag *d)
{
	struct vw_heal *h = &a->heal;
	int r = vw_nft_monitor_open(vw_nft_portid(a->nft), &h->monitor, d);

	if (!r)
		r = vw_timer_new(a->loop, on_repair, a, &h->repair);
	if (!r)
		r = vw_timer_new(a->loop, on_record, a, &h->record);
	if (!r)
		r = vw_timer_new(a->loop, on_verify, a, &h->verify);
	if (!r)
		r = vw_loop_watch(a->loop, vw_nft_monitor_fd(h->monitor), EPOLLIN, on_monitor, a);
	if (!r)
		vw_timer_arm(h->verify, a->s->verify_interval_ms);
	return r;
}

void vw_heal_done(struct vw_agent *a)
{
	struct vw_heal *h = &a->heal;

	if (h->record && vw_timer_armed(h->record))
		on_record(a);
	vw_timer_free(&h->repair);
	vw_timer_free(&h->record);
	vw_timer_free(&h->verify);
	vw_nft_monitor_free(&h->monitor);
	tamper_reset(&h->now);
}
