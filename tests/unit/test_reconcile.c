/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state machine against a kernel that is a counter: what is called enforced, what a failed
 * commit leaves, and in which order the parts are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/eventfd.h>

#include "agent/state.h"
#include "compiled.h"
#include "vethwall/cleanup.h"

/* The fake kernel. */
static struct {
	int fail; /* this many commits are refused */
	size_t commits, dumps, ops;
	size_t base_added, base_deleted;
	size_t retaken;
	const struct vw_nft_event *events; /* what others did, as often as rounds says */
	size_t n_events, rounds;
	int monitor; /* what the first reading ends with */
	int monitor_fd;
	char order[64]; /* w: wall reported, g: wall gone, c: commit, F: flush */
} k;

static void mark(char c)
{
	size_t n = strlen(k.order);

	if (n + 1 < sizeof(k.order))
		k.order[n] = c;
}

int vw_nft_open(struct vw_nft **ret, struct vw_diag *d)
{
	(void)ret;
	(void)d;
	return -ENOSYS;
}

void vw_nft_free(struct vw_nft **n)
{
	(void)n;
}

int vw_nft_claim(struct vw_nft *n, bool *ret_owned, struct vw_diag *d)
{
	(void)n;
	(void)ret_owned;
	(void)d;
	return -ENOSYS;
}

int vw_nft_commit(struct vw_nft *n, const struct vw_oplist *ops, struct vw_diag *d)
{
	(void)n;
	if (k.fail) {
		k.fail--;
		vw_error(d, NULL, "refused on purpose");
		return -EINVAL;
	}
	mark('c');
	k.commits++;
	k.ops += ops->list.n;
	vw_vec_foreach (op, &ops->list) {
		k.base_added += op->type == VW_OP_ADD_CHAIN && op->chain->base;
		k.base_deleted += op->type == VW_OP_DEL_CHAIN && op->chain->base;
	}
	return 0;
}

size_t vw_nft_refused(const struct vw_nft *n)
{
	(void)n;
	return SIZE_MAX;
}

int vw_nft_check(struct vw_nft *n, const struct vw_oplist *ops, struct vw_diag *d)
{
	(void)n;
	(void)ops;
	(void)d;
	return -ENOSYS;
}

void vw_nft_never_own(struct vw_nft *n)
{
	(void)n;
}

uint32_t vw_nft_portid(const struct vw_nft *n)
{
	(void)n;
	return 1;
}

int vw_nft_retake(struct vw_nft *n, struct vw_diag *d)
{
	(void)n;
	(void)d;
	k.retaken++;
	return 0;
}

int vw_nft_dump_some(struct vw_nft *n, bool (*wanted)(const char *name, void *arg), void *arg,
		     struct vw_ruleset *ret, struct vw_diag *d)
{
	(void)n;
	(void)wanted;
	(void)arg;
	(void)ret;
	(void)d;
	k.dumps++;
	return 0;
}

int vw_nft_monitor_open(uint32_t own, struct vw_nft_monitor **ret, struct vw_diag *d)
{
	(void)own;
	(void)ret;
	(void)d;
	k.monitor_fd = eventfd(1, EFD_CLOEXEC);
	return 0;
}

void vw_nft_monitor_free(struct vw_nft_monitor **m)
{
	(void)m;
}

int vw_nft_monitor_fd(const struct vw_nft_monitor *m)
{
	(void)m;
	return k.monitor_fd;
}

int vw_nft_monitor_process(struct vw_nft_monitor *m,
			   void (*cb)(const struct vw_nft_event *e, void *arg), void *arg)
{
	int r = k.monitor;
	eventfd_t v;

	(void)m;
	k.monitor = 0;
	if (k.rounds && --k.rounds) {
		for (size_t i = 0; i < k.n_events; i++)
			cb(&k.events[i], arg);
		return r;
	}
	(void)eventfd_read(k.monitor_fd, &v);
	return r;
}

int vw_nft_dump(struct vw_nft *n, struct vw_ruleset *ret, struct vw_diag *d)
{
	(void)n;
	(void)ret;
	(void)d;
	k.dumps++;
	return 0;
}

int vw_nft_dump_set(struct vw_nft *n, const char *set,
		    int (*cb)(const struct vw_nft_elem *e, void *arg), void *arg)
{
	(void)n;
	(void)set;
	(void)cb;
	(void)arg;
	return -ENOENT;
}

int vw_nft_delete_keys(struct vw_nft *n, const char *set, const uint8_t *keys, size_t klen,
		       size_t count, struct vw_diag *d)
{
	(void)n;
	(void)set;
	(void)keys;
	(void)klen;
	(void)count;
	(void)d;
	return 0;
}

enum vw_nft_guard vw_nft_guard(struct vw_nft *n)
{
	(void)n;
	return VW_NFT_GUARD_NONE;
}

int vw_nft_chain_counters(struct vw_nft *n, uint8_t family, const char *chain, uint64_t (*ret)[2],
			  size_t max)
{
	(void)n;
	(void)family;
	(void)chain;
	(void)ret;
	(void)max;
	return 0;
}

int vw_denied_open(struct vw_loop *loop, struct vw_nft *nft, const struct vw_settings *s,
		   vw_flow_namer namer, void *arg, struct vw_denied **ret, struct vw_diag *d)
{
	(void)loop;
	(void)nft;
	(void)s;
	(void)namer;
	(void)arg;
	(void)ret;
	(void)d;
	return -ENOSYS;
}

void vw_denied_free(struct vw_denied **v)
{
	(void)v;
}

void vw_denied_wall(struct vw_denied *v, unsigned ifindex, const char *dev, bool has4, bool has6)
{
	(void)dev;
	(void)v;
	(void)ifindex;
	assert_true(has4);
	assert_true(has6);
	mark('w');
}

void vw_denied_wall_gone(struct vw_denied *v, unsigned ifindex)
{
	(void)v;
	(void)ifindex;
	mark('g');
}

void vw_denied_flush(struct vw_denied *v)
{
	(void)v;
	mark('F');
}

void vw_denied_stats(const struct vw_denied *v, struct vw_denied_stats *ret)
{
	(void)v;
	*ret = (struct vw_denied_stats){};
}

static struct vw_settings settings;

static int setup(void **state)
{
	struct vw_agent *a = calloc(1, sizeof(*a));

	memset(&k, 0, sizeof(k));
	vw_log_init(VW_LOG_ERR);
	assert_int_equal(vw_settings_default(&settings), 0);
	settings.hold_unknown = false;
	settings.config.dns_names = false; /* no capture of its own */
	settings.config.dns_names = false; /* nothing listens here */
	a->s = &settings;
	a->runtime_state.synced = a->runtime_state.ok = true;
	assert_int_equal(vw_loop_new(&a->loop), 0);
	assert_int_equal(vw_timer_new(a->loop, vw_agent_reconcile_timer, a, &a->reconcile_timer),
			 0);
	assert_int_equal(vw_rejudge_init(&a->rejudge, a->loop, NULL, &a->enforced.now), 0);
	assert_int_equal(vw_live_watch_new(a->loop, NULL, 1000000, NULL, a, &a->live), 0);
	assert_int_equal(vw_timer_new(a->loop, vw_agent_reconcile_timer, a, &a->learn.apply), 0);
	for (unsigned n = 1; n <= 3; n++)
		c_put(&a->world, n);
	c_policy(&a->policies, 2, "{service: s1}", "tcp/80");
	*state = a;
	return 0;
}

static int teardown(void **state)
{
	struct vw_agent *a = *state;

	vw_agent_applied_done(a);
	vw_live_watch_free(&a->live);
	vw_timer_free(&a->learn.apply);
	vw_rejudge_done(&a->rejudge);
	vw_timer_free(&a->reconcile_timer);
	vw_loop_free(&a->loop);
	vw_naming_done(&a->naming);
	vw_enforced_done(&a->enforced);
	vw_agent_sink_done(a);
	vw_world_done(&a->world);
	vw_policyset_done(&a->policies);
	vw_sources_done(&a->sources);
	vw_settings_done(&settings);
	free(a);
	return 0;
}

static bool enforced(const struct vw_agent *a, const char *id)
{
	const struct vw_workload *w = vw_world_find(&a->world, id);

	return w && vw_agent_enforced(a, &w->ifaces.v[0]);
}

static json_t *status(struct vw_agent *a)
{
	json_t *j = vw_agent_status(a, NULL, NULL);

	assert_non_null(j);
	return j;
}

static bool healthy(struct vw_agent *a)
{
	json_t *j = status(a);
	bool ok = json_is_true(json_object_get(j, "healthy"));

	json_decref(j);
	return ok;
}

static void test_first(void **state)
{
	struct vw_agent *a = *state;

	assert_false(enforced(a, "shop/w1"));
	assert_false(healthy(a));
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_true(enforced(a, "shop/w1"));
	assert_true(healthy(a));
	assert_int_equal(k.dumps, 1);
	assert_int_equal(k.commits, 1);
	assert_int_equal(k.base_added, 6);
	assert_string_equal(k.order, "cwww");
	/* Nothing changed: nothing is sent, and the table is not read again. */
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_int_equal(k.commits, 1);
	assert_int_equal(k.dumps, 1);
}

/* Before the runtime has reported everything, the kernel stays as it is. */
static void test_not_synced(void **state)
{
	struct vw_agent *a = *state;

	a->runtime_state.synced = false;
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_int_equal(k.commits + k.dumps, 0);
	assert_false(enforced(a, "shop/w1"));
	assert_false(a->enforced.ready);
}

static void test_failed_commit(void **state)
{
	struct vw_agent *a = *state;

	k.fail = 2;
	assert_true(vw_agent_reconcile(a) < 0);
	assert_false(enforced(a, "shop/w1"));
	assert_false(a->enforced.ready);
	assert_non_null(strstr(a->enforced.error, "refused on purpose"));
	assert_true(vw_timer_armed(a->reconcile_timer));
	assert_true(vw_agent_reconcile(a) < 0);
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_true(enforced(a, "shop/w1"));
	assert_null(a->enforced.error);
	assert_true(healthy(a));
}

/* What was there stays enforced, what is new is not called so, and what the kernel has is read
 * anew. */
static void test_failed_change(void **state)
{
	struct vw_agent *a = *state;

	assert_int_equal(vw_agent_reconcile(a), 0);
	c_put(&a->world, 4);
	k.fail = 1;
	assert_true(vw_agent_reconcile(a) < 0);
	assert_true(enforced(a, "shop/w1"));
	assert_false(enforced(a, "shop/w4"));
	assert_false(healthy(a));
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_true(enforced(a, "shop/w4"));
	assert_int_equal(k.dumps, 2);
}

/* The last reading of a wall comes before its sets go. */
static void test_gone(void **state)
{
	struct vw_agent *a = *state;

	assert_int_equal(vw_agent_reconcile(a), 0);
	memset(k.order, 0, sizeof(k.order));
	c_remove(&a->world, 3);
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_string_equal(k.order, "gc");
	assert_int_equal(k.base_deleted, 2);
	assert_null(vw_agent_wall(a, 3));
}

/* More new walls than one transaction takes: all are up in the end, and only then ready. */
static void test_many(void **state)
{
	struct vw_agent *a = *state;

	for (unsigned n = 10; n < 10 + 2 * VW_CHANGE_NEW_MAX; n++)
		c_put(&a->world, n);
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_int_equal(k.commits, 3);
	assert_int_equal(k.base_added, 2 * (3 + 2 * VW_CHANGE_NEW_MAX));
	assert_true(enforced(a, "shop/w10"));
	assert_true(enforced(a, "shop/w137"));
	assert_true(healthy(a));
}

/* Under another name than the wall's it is another veth. */
static void test_renamed(void **state)
{
	struct vw_agent *a = *state;
	struct vw_workload *w;

	assert_int_equal(vw_agent_reconcile(a), 0);
	w = vw_world_find(&a->world, "shop/w1");
	(void)snprintf(w->ifaces.v[0].veth, sizeof(w->ifaces.v[0].veth), "other");
	assert_false(enforced(a, "shop/w1"));
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_true(enforced(a, "shop/w1"));
}

static void test_unenforceable(void **state)
{
	struct vw_agent *a = *state;
	struct vw_workload *w = vw_world_find(&a->world, "shop/w1");
	json_t *j, *first;

	w->unenforceable = strdup("host network");
	w->ifaces.v[0].ifindex = 0;
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_false(healthy(a));
	j = status(a);
	first = json_array_get(json_object_get(j, "workloads"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "state")), "not-enforceable");
	assert_string_equal(json_string_value(json_object_get(first, "reason")), "host network");
	json_decref(j);
}

/* ---- changes of policies ---- */

static char state_dir[64];

static int setup_applied(void **state)
{
	struct vw_agent *a;

	setup(state);
	a = *state;
	snprintf(state_dir, sizeof(state_dir), "/tmp/vw-applied.XXXXXX");
	assert_non_null(mkdtemp(state_dir));
	free(settings.state_dir);
	free(settings.policies);
	settings.state_dir = strdup(state_dir);
	settings.policies = strdup(state_dir); /* a folder without policies */
	vw_policyset_done(&a->policies);
	assert_int_equal(vw_agent_applied_load(a, &(struct vw_diag){}), 0);
	assert_int_equal(vw_agent_applied_start(a), 0);
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_int_equal(a->applied.state.enforced, 1);
	return 0;
}

static int teardown_applied(void **state)
{
	char cmd[128];

	teardown(state);
	snprintf(cmd, sizeof(cmd), "rm -r %s", state_dir);
	return system(cmd); /* NOLINT(cert-env33-c): a path of our own */
}

static json_t *request(struct vw_agent *a, const char *port, const char *rest)
{
	const struct vw_control_peer peer = {.pid = 1, .root = true};
	char line[512];
	json_t *answer;

	snprintf(line, sizeof(line),
		 "{\"cmd\": \"apply\", \"sources\": [{\"name\": \"a.yaml\", \"text\": "
		 "\"apiVersion: vethwall/v1\\nkind: ServicePolicy\\nmetadata: {name: p, namespace: "
		 "shop}\\nspec: {service: s2, ingress: [{from: [{service: s1}], ports: "
		 "[%s]}]}\"}]%s}",
		 port, rest);
	answer = vw_control_answer(vw_agent_requests, a, line, strlen(line), &peer);
	assert_non_null(answer);
	return answer;
}

static bool apply(struct vw_agent *a, const char *port, const char *rest)
{
	json_t *answer = request(a, port, rest);
	bool ok = json_is_true(json_object_get(answer, "ok"));

	json_decref(answer);
	return ok;
}

static void test_apply(void **state)
{
	struct vw_agent *a = *state;

	k.commits = 0;
	assert_true(apply(a, "tcp/80", ""));
	assert_int_equal(k.commits, 1);
	assert_int_equal(a->policies.list.n, 1);
	assert_int_equal(a->applied.state.enforced, 2);
	assert_true(a->applied.state.pinned);
	assert_false(vw_agent_applied_pending(a));
	assert_true(apply(a, "tcp/80", "")); /* the same again */
	assert_int_equal(k.commits, 1);
	assert_int_equal(a->applied.state.enforced, 2);
}

/* What the kernel does not take leaves no trace: neither in what is enforced nor on the disk. */
static void test_apply_refused(void **state)
{
	struct vw_agent *a = *state;
	struct vw_applied_state kept;
	struct vw_diag d = {};

	assert_true(apply(a, "tcp/80", ""));
	k.fail = 1;
	assert_false(apply(a, "tcp/81", ", \"confirm_ms\": 60000"));
	assert_int_equal(a->applied.state.enforced, 2);
	assert_false(vw_agent_applied_pending(a));
	assert_int_equal(a->policies.list.v[0].rules[VW_INGRESS].v[0].ports.v[0].lo, 80);
	assert_int_equal(vw_history_state(a->applied.history, &kept, &d), 0);
	assert_int_equal(kept.enforced, 2);
	assert_int_equal(kept.previous, 0);
	assert_int_equal(vw_history_count(a->applied.history), 2);
	assert_true(vw_timer_armed(a->reconcile_timer));
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_true(healthy(a));
	assert_true(apply(a, "tcp/81", ", \"confirm_ms\": 60000"));
	assert_int_equal(a->applied.state.previous, 2);
	assert_false(apply(a, "tcp/82", ""));
}

/* Nothing changes by what does not read, cannot be compiled, or is not the plan that was shown. */
static void test_apply_checked(void **state)
{
	static const char *const rests[] = {
		", \"plan\": \"0000000000000000000000000000000000000000000000000000000000000000\"",
		", \"confirm_ms\": 1",
		", \"unknown\": 1",
		", \"dry\": true",
	};
	struct vw_agent *a = *state;

	k.commits = 0;
	assert_false(apply(a, "tcp/nonsense!", ""));
	for (size_t i = 0; i < VW_ARRAY_SIZE(rests); i++)
		assert_int_equal(apply(a, "tcp/80", rests[i]), i == 3);
	a->runtime_state.synced = false;
	assert_false(apply(a, "tcp/80", ""));
	assert_int_equal(k.commits, 0);
	assert_int_equal(a->policies.list.n, 0);
	assert_int_equal(vw_history_count(a->applied.history), 1);
}

static void stop_loop(void *loop)
{
	vw_loop_stop(loop);
}

static int setup_heal(void **state)
{
	static char run[] = "/tmp/reconcile.XXXXXX";
	struct vw_diag d = {};
	struct vw_agent *a;

	assert_int_equal(setup(state), 0);
	a = *state;
	strcpy(run + sizeof(run) - 7, "XXXXXX");
	assert_non_null(mkdtemp(run));
	free(settings.run_dir);
	settings.run_dir = strdup(run);
	assert_int_equal(vw_heal_open(a, &d), 0);
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_int_equal(k.base_added, 6);
	assert_int_equal(k.retaken, 1);
	return 0;
}

static int teardown_heal(void **state)
{
	struct vw_agent *a = *state;
	char path[64];

	vw_heal_done(a);
	close(k.monitor_fd);
	snprintf(path, sizeof(path), "%s/enforced", settings.run_dir);
	unlink(path);
	assert_int_equal(rmdir(settings.run_dir), 0);
	return teardown(state);
}

/* Others do this so many times; then what is told last. */
static void others(struct vw_agent *a, const struct vw_nft_event *v, size_t n, size_t rounds,
		   int64_t ms, const char *what)
{
	_cleanup_(vw_timer_free) struct vw_timer *t = NULL;
	json_t *j;

	k.events = v;
	k.n_events = n;
	k.rounds = rounds + 1;
	assert_int_equal(eventfd_write(k.monitor_fd, 1), 0);
	assert_int_equal(vw_timer_new(a->loop, stop_loop, a->loop, &t), 0);
	vw_timer_arm(t, ms);
	assert_int_equal(vw_loop_run(a->loop), 0);
	j = vw_heal_json(a);
	assert_non_null(j);
	assert_string_equal(a->heal.last, what);
	json_decref(j);
}

/* What the kernel is read for, and made again, is what was named. */
static void test_heal(void **state)
{
	struct vw_agent *a = *state;
	struct vw_nft_event v[] = {{VW_NFT_RULE_SET, 7}, {VW_NFT_GENERATION, 7, "", 42, "nft"}};
	char what[64];

	snprintf(v[0].name, sizeof(v[0].name), "eg_%u", a->enforced.now.walls.v[1].ifindex);
	snprintf(what, sizeof(what), "rule added to chain %s by nft (pid 42)", v[0].name);
	others(a, v, 2, 1, 50, what);
	assert_int_equal(k.base_added, 6 + 2);
	assert_int_equal(k.retaken, 1);
	assert_true(a->heal.last_ms >= 0);
	/* The kernel's own, and what is said of no transaction of theirs. */
	v[0].portid = v[1].portid = 0;
	others(a, v, 2, 1, 50, what);
	assert_int_equal(k.base_added, 6 + 2);
	assert_int_equal(a->heal.tamperings, 1);
	/* Nobody says who. */
	v[0].portid = 7;
	snprintf(what, sizeof(what), "rule added to chain %s by netlink port 7", v[0].name);
	others(a, v, 1, 1, 50, what);
	assert_int_equal(k.base_added, 6 + 4);
}

static void test_heal_all(void **state)
{
	struct vw_agent *a = *state;
	const struct vw_nft_event v[] = {{VW_NFT_RULE_GONE, 7, "x"},
					 {VW_NFT_TABLE_GONE, 7},
					 {VW_NFT_GENERATION, 7, "", 42, "nft"}};

	others(a, v, 3, 1, 50, "table deleted and 1 more changes by nft (pid 42)");
	assert_int_equal(k.base_added, 6 + 6);
	assert_int_equal(k.retaken, 2);
	/* Lost notifications: it may have been anything. */
	k.monitor = -ENOBUFS;
	others(a, v, 0, 1, 50, "notifications were lost");
	assert_int_equal(k.base_added, 6 + 12);
	assert_int_equal(a->heal.lost, 1);
	/* Much: it is repaired before it is read to the end. */
	k.monitor = 1;
	others(a, v, 1, 1, 50, "rule deleted from chain x by netlink port 7");
	assert_int_equal(k.base_added, 6 + 18);
	assert_int_equal(a->heal.tamperings, 3);
}

static void test_heal_refused(void **state)
{
	struct vw_agent *a = *state;
	const struct vw_nft_event v[] = {{VW_NFT_TABLE_GONE, 7},
					 {VW_NFT_GENERATION, 7, "", 42, "nft"}};

	k.fail = 1;
	others(a, v, 2, 1, 20, "table deleted by nft (pid 42)");
	assert_true(a->heal.last_ms < 0);
	assert_false(healthy(a));
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_true(healthy(a));
	assert_int_equal(k.base_added, 6 + 6);
}

static void test_heal_fight(void **state)
{
	struct vw_agent *a = *state;
	const struct vw_nft_event v[] = {{VW_NFT_CHAIN_SET, 7, "x"},
					 {VW_NFT_GENERATION, 7, "", 42, "nft"}};

	others(a, v, 2, 250, 2000, "chain x added or changed and 50 more changes by nft (pid 42)");
	assert_int_equal(a->heal.tamperings, 200);
	assert_true(a->heal.fight);
}

static void test_verify(void **state)
{
	struct vw_agent *a = *state;

	vw_timer_arm(a->heal.verify, 0);
	others(a, NULL, 0, 1, 50, "found by verification");
	assert_int_equal(k.base_added, 6 + 6);
	assert_int_equal(a->heal.tamperings, 1);
}

/* The next agent finds nothing where this one left three walls. */
static void test_heal_away(void **state)
{
	struct vw_agent *a = *state;
	_cleanup_free_ char *was = NULL;

	vw_heal_done(a);
	vw_enforced_done(&a->enforced);
	assert_int_equal(vw_agent_reconcile(a), 0);
	was = strdup(a->heal.last);
	assert_non_null(strstr(was, "the table was changed while no agent ran"));
	/* Of another set of policies nobody knows what was left. */
	a->heal.last[0] = 0;
	vw_enforced_done(&a->enforced);
	c_policy(&a->policies, 1, "{service: s2}", "tcp/80");
	assert_int_equal(vw_agent_reconcile(a), 0);
	assert_string_equal(a->heal.last, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_synced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renamed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unenforceable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heal, setup_heal, teardown_heal),
		cmocka_unit_test_setup_teardown(test_heal_all, setup_heal, teardown_heal),
		cmocka_unit_test_setup_teardown(test_heal_refused, setup_heal, teardown_heal),
		cmocka_unit_test_setup_teardown(test_heal_fight, setup_heal, teardown_heal),
		cmocka_unit_test_setup_teardown(test_heal_away, setup_heal, teardown_heal),
		cmocka_unit_test_setup_teardown(test_verify, setup_heal, teardown_heal),
		cmocka_unit_test_setup_teardown(test_apply, setup_applied, teardown_applied),
		cmocka_unit_test_setup_teardown(test_apply_refused, setup_applied,
						teardown_applied),
		cmocka_unit_test_setup_teardown(test_apply_checked, setup_applied,
						teardown_applied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
