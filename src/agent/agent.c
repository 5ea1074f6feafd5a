/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Start order, wiring and stop. Everything is one thread and one loop; a stop leaves the table as
 * it is, because an agent that is away must not mean a wall that is down. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/netfilter.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "agent/agent.h"
#include "agent/notify.h"
#include "agent/state.h"
#include "vethwall/cleanup.h"

#define EXIT_TROUBLE 2
#define DOCKER_SOCKET "/var/run/docker.sock"

static void namer(void *arg, unsigned ifindex, const struct vw_tuple *t, struct vw_flow_names *ret)
{
	struct vw_agent *a = arg;

	vw_naming_flow(&a->naming, &a->enforced.now, ifindex, t, ret);
	if (!ret->peer_service)
		ret->peer_name = vw_names_find(&a->names, ifindex,
					       t->code & VW_CODE_EGRESS ? &t->dst : &t->src);
}

static int make_folder(const char *path, mode_t mode, struct vw_diag *d)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	vw_error(d, NULL, "%s: %s", path, strerror(errno));
	return -EIO;
}

/* Two agents with one run folder would take each other's socket; two in one network namespace meet
 * at the table. */
static int lock(struct vw_agent *a, struct vw_diag *d)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/agent.lock", a->s->run_dir) < 0)
		return -ENOMEM;
	a->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (a->lock_fd < 0) {
		vw_error(d, NULL, "%s: %s", path, strerror(errno));
		return -EIO;
	}
	if (flock(a->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		vw_error(d, NULL, "another agent runs with this folder: %s is locked", path);
		return -EBUSY;
	}
	return 0;
}

static int open_table(struct vw_agent *a, struct vw_diag *d)
{
	int r = vw_agent_privileges(d);

	if (!r)
		r = vw_nft_open(&a->nft, d);
	if (!r && !a->s->own_table)
		vw_nft_never_own(a->nft);
	if (!r)
		r = vw_nft_claim(a->nft, &a->owned, d);
	if (!r)
		a->guard = vw_nft_guard(a->nft);
	return r;
}

static void on_links(int fd, uint32_t events, void *arg)
{
	struct vw_agent *a = arg;
	int r = vw_links_process(a->links);

	(void)fd;
	(void)events;
	if (r < 0) {
		vw_err("links: %s", strerror(-r));
		vw_agent_again(a);
	}
}

static int open_links(struct vw_agent *a, struct vw_diag *d)
{
	bool changed;
	int r = vw_links_open(vw_agent_on_link, a, &a->links, d);

	if (!r)
		r = vw_loop_watch(a->loop, vw_links_fd(a->links), EPOLLIN, on_links, a);
	return r ? r : vw_agent_host_addrs(a, &changed);
}

/* "docker", "docker:SOCKET" or "static:FILE". */
static int open_runtime(struct vw_agent *a, struct vw_diag *d)
{
	const char *name = a->s->runtime;
	struct vw_runtime_sink sink = vw_agent_sink(a);

	if (!strncmp(name, "static:", 7)) {
		a->by_name = true;
		return vw_static_open(a->loop, name + 7, &sink, &a->runtime, d);
	}
	if (!strcmp(name, "docker"))
		return vw_docker_open(a->loop, DOCKER_SOCKET, &sink, &a->runtime, d);
	if (!strncmp(name, "docker:", 7))
		return vw_docker_open(a->loop, name + 7, &sink, &a->runtime, d);
	vw_error(d, NULL, "no such runtime: %s; there are docker[:SOCKET] and static:FILE", name);
	return -EINVAL;
}

static int open_control(struct vw_agent *a, struct vw_diag *d)
{
	gid_t gid = (gid_t)-1;

	if (a->s->log_group) {
		const struct group *g = getgrnam(a->s->log_group);

		if (!g) {
			vw_error(d, NULL, "there is no group %s (log_group)", a->s->log_group);
			return -ENOENT;
		}
		gid = g->gr_gid;
	}
	return vw_control_open(a->loop, a->s->run_dir, gid, vw_agent_requests, a, &a->control, d);
}

static void on_record(void *arg, const struct vw_flow *f, const char *line, size_t n)
{
	struct vw_agent *a = arg;

	vw_metrics_flow(&a->metrics, f);
	vw_outputs_put(&a->outputs, line, n);
}

/* Who is told of records and figures. */
static int open_outputs(struct vw_agent *a, struct vw_diag *d)
{
	int r = vw_outputs_open(a->loop, a->s, &a->outputs, d);

	vw_denied_tee(a->denied, on_record, a);
	if (r || !a->s->metrics_port)
		return r;
	return vw_metrics_port_open(a->loop, &a->s->metrics_addr, a->s->metrics_port,
				    vw_agent_metrics_text, VW_OPENMETRICS_TYPE, a, &a->metrics_port,
				    d);
}

static void on_stop(int signo, void *arg)
{
	struct vw_agent *a = arg;

	vw_info("stopping by signal %d; everything stays enforced", signo);
	vw_notify("STOPPING=1");
	vw_loop_stop(a->loop);
}

static void on_reload(int signo, void *arg)
{
	json_t *answer = vw_agent_reload(arg, NULL, NULL);
	const json_t *list = json_object_get(answer, "diagnostics"), *e;
	size_t i;

	(void)signo;
	json_array_foreach (list, i, e) {
		const char *file = json_string_value(json_object_get(e, "file"));

		vw_err("%s:%lld:%lld: %s", file ? file : "policies",
		       json_integer_value(json_object_get(e, "line")),
		       json_integer_value(json_object_get(e, "col")),
		       json_string_value(json_object_get(e, "message")));
	}
	json_decref(answer);
}

static int watch_signals(struct vw_agent *a)
{
	int r = vw_loop_signal(a->loop, SIGTERM, on_stop, a);

	signal(SIGPIPE, SIG_IGN);
	if (!r)
		r = vw_loop_signal(a->loop, SIGINT, on_stop, a);
	return r ? r : vw_loop_signal(a->loop, SIGHUP, on_reload, a);
}

/* From the loop: an agent that hangs in one of its turns says nothing and is started anew. */
static void on_watchdog(void *arg)
{
	struct vw_agent *a = arg;

	vw_notify("WATCHDOG=1");
	vw_timer_arm(a->watchdog, vw_notify_watchdog_ms());
}

static int watch_dog(struct vw_agent *a)
{
	int r = vw_timer_new(a->loop, on_watchdog, a, &a->watchdog);

	if (!r && vw_notify_watchdog_ms())
		on_watchdog(a);
	return r;
}

/* In this order: nothing is opened that a refused file, a missing privilege or a second agent would
 * make useless, and the runtime last, when all that its reports need is there. */
static int start(struct vw_agent *a, struct vw_diag *d)
{
	int r;

	r = make_folder(a->s->run_dir, 0755, d);
	if (!r)
		r = make_folder(a->s->log_dir, 0750, d);
	if (!r)
		r = lock(a, d);
	if (!r)
		r = vw_agent_applied_load(a, d);
	if (!r)
		r = vw_loop_new(&a->loop);
	if (!r)
		r = watch_signals(a);
	if (!r)
		r = watch_dog(a);
	if (!r)
		r = vw_timer_new(a->loop, vw_agent_reconcile_timer, a, &a->reconcile_timer);
	if (!r)
		r = vw_timer_new(a->loop, vw_agent_again_timer, a, &a->again_timer);
	if (!r)
		r = open_table(a, d);
	if (!r)
		r = vw_heal_open(a, d);
	if (!r)
		r = vw_rejudge_init(&a->rejudge, a->loop, a->nft, &a->enforced.now);
	if (!r)
		r = open_links(a, d);
	if (!r)
		r = vw_agent_learn_init(a);
	if (!r)
		r = vw_agent_seen_init(a);
	if (!r)
		r = vw_live_watch_new(a->loop, a->nft, a->s->live_interval_ms, vw_agent_seen_news,
				      a, &a->live);
	if (!r)
		r = vw_denied_open(a->loop, a->nft, a->s, namer, a, &a->denied, d);
	if (!r)
		r = open_outputs(a, d);
	if (!r)
		r = open_control(a, d);
	if (!r)
		r = vw_agent_applied_start(a);
	if (!r)
		r = vw_agent_images_open(a);
	if (!r)
		r = open_runtime(a, d);
	return r || !a->s->sandbox ? r : vw_agent_fence(a, d);
}

static void stop(struct vw_agent *a)
{
	if (a->denied)
		vw_denied_flush(a->denied);
	vw_control_free(&a->control);
	vw_agent_applied_done(a);
	vw_agent_images_done(a);
	vw_runtime_free(&a->runtime);
	vw_denied_free(&a->denied);
	vw_metrics_port_free(&a->metrics_port);
	vw_outputs_done(&a->outputs);
	vw_metrics_done(&a->metrics);
	vw_agent_learn_done(a);
	vw_live_watch_free(&a->live);
	vw_agent_seen_done(a);
	vw_rejudge_done(&a->rejudge);
	vw_heal_done(a);
	vw_links_free(&a->links);
	vw_nft_free(&a->nft);
	vw_timer_free(&a->watchdog);
	vw_timer_free(&a->reconcile_timer);
	vw_timer_free(&a->again_timer);
	vw_loop_free(&a->loop);
	vw_naming_done(&a->naming);
	vw_enforced_done(&a->enforced);
	vw_agent_sink_done(a);
	vw_vec_done(&a->held);
	vw_vec_done(&a->refused);
	vw_vec_done(&a->elsewhere);
	vw_vec_done(&a->bridges);
	vw_world_done(&a->world);
	vw_sources_done(&a->sources);
	vw_policyset_done(&a->policies);
	if (a->lock_fd >= 0)
		close(a->lock_fd);
}

static int finish(struct vw_agent *a, struct vw_diag *d, int r)
{
	stop(a);
	if (r < 0 && !d->errors)
		vw_error(d, NULL, "%s", strerror(-r));
	vw_diag_print(d, stderr, isatty(STDERR_FILENO));
	vw_diag_done(d);
	return r < 0 ? EXIT_TROUBLE : 0;
}

int vw_agent_run(const struct vw_settings *s)
{
	struct vw_agent a = {.s = s, .lock_fd = -1, .since_ns = vw_wall_ns()};
	struct vw_diag d = {};
	int r = start(&a, &d);

	if (!r) {
		vw_diag_print(&d, stderr, isatty(STDERR_FILENO)); /* warnings */
		vw_diag_done(&d);
		if (s->audit)
			vw_warn("AUDIT: nothing is refused by policy; what would be passes and is "
				"recorded");
		if (!a.owned && !s->own_table)
			vw_warn("own_table: false: others can change the rules");
		else if (!a.owned)
			vw_warn("this kernel has no owned tables (5.12, and 6.9 to keep them): "
				"others "
				"can change the rules");
		r = vw_loop_run(a.loop);
	}
	return finish(&a, &d, r);
}

int vw_agent_teardown(const struct vw_settings *s)
{
	struct vw_agent a = {.s = s, .lock_fd = -1};
	struct vw_op_ir op[] = {{.type = VW_OP_DEL_TABLE},
				{.type = VW_OP_DEL_TABLE, .family = NFPROTO_BRIDGE}};
	struct vw_oplist ops = {.list = {.v = op, .n = 1, .cap = 2}};
	struct vw_diag d = {};
	int r = make_folder(s->run_dir, 0755, &d);

	if (!r)
		r = lock(&a, &d);
	if (!r)
		r = open_table(&a, &d);
	ops.list.n += a.guard != VW_NFT_GUARD_NONE;
	if (!r)
		r = vw_nft_commit(a.nft, &ops, &d);
	if (!r)
		vw_info("tables %s are removed: nothing is enforced", VW_TABLE);
	return finish(&a, &d, r);
}
