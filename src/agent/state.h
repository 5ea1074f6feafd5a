/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's state, for the files of this room. Inputs (world, policies, links) change by
 * callbacks of the loop and mark the whole dirty; reconcile.c alone brings the kernel to what they
 * say; enforced is what the kernel has acknowledged, and the only thing that may be called
 * protected. */
#ifndef VETHWALL_AGENT_STATE_H
#define VETHWALL_AGENT_STATE_H

#include "vethwall/change.h"
#include "agent/applied.h"
#include "agent/control.h"
#include "agent/heal.h"
#include "agent/images.h"
#include "agent/names.h"
#include "agent/live.h"
#include "agent/metrics.h"
#include "agent/naming.h"
#include "agent/outputs.h"
#include "agent/rejudge.h"
#include "agent/seen.h"
#include "vethwall/capture.h"
#include "vethwall/denied.h"
#include "vethwall/metrics_port.h"
#include "vethwall/links.h"
#include "vethwall/log.h"
#include "vethwall/nft.h"
#include "vethwall/runtime.h"
#include "vethwall/sandbox.h"
#include "vethwall/settings.h"
#include "vethwall/sources.h"

#define VW_NETWORKS_MAX 4096
#define VW_HELD_MAX 65536

/* What is known of a workload beside the world: the process to find its veths by. */
struct known {
	char *id;
	int pid; /* 0: unknown */
	int nsid; /* of pid; -1: none yet */
	bool seen; /* since the last begin() */
};

typedef VW_VEC(struct vw_network) vw_networks;

struct held {
	struct vw_held wall; /* what compile takes */
	int64_t since_ns; /* CLOCK_MONOTONIC */
};

/* A wall that the kernel refused; see refused.c. */
struct refused {
	unsigned ifindex;
	char dev[IFNAMSIZ];
	int times; /* in a row */
	bool left_out; /* was so, before it was tried anew */
	int64_t wait_ms, until_ns; /* CLOCK_MONOTONIC; then it is tried anew */
	char text[256]; /* the kernel's words */
	struct vw_iface *hidden; /* between vw_refused_hide() and vw_refused_show() */
	unsigned hidden_ifindex;
};

struct runtime_state {
	bool ok; /* connected */
	bool syncing; /* between begin() and synced() */
	bool synced; /* at least once: the world is whole */
	char *text;
};

struct policies_state {
	unsigned generation; /* sets taken into force since the start */
	int64_t loaded_ns; /* CLOCK_REALTIME */
	bool failed; /* the last reload was refused; the set in force is the one before */
};

/* A wall whose denied sets are being read. */
struct reported {
	unsigned ifindex;
	uint64_t spec;
	bool has4, has6;
};

struct enforced {
	struct vw_compiled now;
	bool trusted; /* now is what the kernel has; else the table is read first */
	bool ready; /* once: everything found was enforced */
	struct vw_change absent; /* only .absent: walls of now that are not up (yet) */
	int failures; /* commits or compiles in a row that went wrong */
	char *error; /* of the last, or NULL */
	int64_t error_ns; /* CLOCK_REALTIME */
	uint64_t commits;
	VW_VEC(struct reported) reported; /* sorted by ifindex */
};

/* DNS answers that walls with peers by name let pass; see learn.c. */
struct learn {
	struct vw_capture *capture; /* NULL: not needed so far, or error */
	struct vw_timer *apply, *expire, *save;
	VW_VEC(char *) patterns; /* of the policies in force */
	int64_t expire_ms; /* when the timer fires */
	int64_t idle_until_ms; /* before that, answers wait to be applied */
	char *error;
	uint64_t answers, believed, unbelieved, malformed, refused, full;
};

struct vw_agent {
	const struct vw_settings *s;
	struct vw_loop *loop;
	struct vw_nft *nft;
	struct vw_links *links;
	struct vw_denied *denied;
	struct vw_runtime *runtime;
	struct vw_control *control;
	struct vw_timer *reconcile_timer, *again_timer, *watchdog;
	bool runtime_again; /* something that the runtime told was not taken in */
	int lock_fd;
	bool by_name; /* the runtime names the veths; else they are found by namespace and MAC */
	struct vw_sandbox_state sandbox;
	bool owned; /* nobody else can change the table */
	enum vw_nft_guard guard; /* what the kernel has for one */
	int64_t since_ns; /* CLOCK_REALTIME */

	struct vw_sources sources; /* the texts of: */
	struct vw_policyset policies;
	struct vw_applied_sets applied;
	struct policies_state policies_state;
	struct vw_world world;
	struct vw_images images;
	VW_VEC(struct known) known; /* sorted by id */
	vw_networks networks;
	VW_VEC(unsigned) bridges; /* that carry an attached veth; sorted */
	VW_VEC(struct held) held; /* sorted by ifindex */
	VW_VEC(struct refused) refused;
	VW_VEC(struct vw_veth) elsewhere; /* veths on bridges that are not managed; sorted */
	struct runtime_state runtime_state;

	struct enforced enforced;
	struct vw_naming naming;
	struct vw_rejudge rejudge;
	struct vw_heal heal;
	struct learn learn;
	struct vw_names names;
	struct vw_live_watch *live;
	struct vw_outputs outputs;
	struct vw_metrics metrics;
	struct vw_metrics_port *metrics_port;
	struct vw_seen_memory seen;
};

/* reconcile.c */
/* Something changed: the next turn of the loop brings the kernel in line. */
void vw_agent_dirty(struct vw_agent *a);
/* Does it now: 0, or -errno when something is not enforced (a retry is under way). */
int vw_agent_reconcile(struct vw_agent *a);
void vw_agent_reconcile_timer(void *agent);
/* What putting policies in force means, worked out and not sent. */
struct vw_planned {
	struct vw_compiled now;
	struct vw_change change;
	struct vw_oplist ops; /* borrowed from change: one transaction */
	bool unknown; /* what is in the kernel had to be read, and was something */
};
void vw_planned_done(struct vw_planned *p);
/* Against what is enforced. 0, or -errno with words in d. */
int vw_agent_plan(struct vw_agent *a, const struct vw_policyset *set, struct vw_planned *ret,
		  struct vw_diag *d);
/* Sends it and takes it over; a->policies are those that it was worked out for. On failure what was
 * enforced still is. */
int vw_agent_commit(struct vw_agent *a, struct vw_planned *p, struct vw_diag *d);
/* The workload's interface is enforced by an acknowledged wall. */
bool vw_agent_enforced(const struct vw_agent *a, const struct vw_iface *i);
/* The acknowledged wall on this link, or NULL. */
const struct vw_wall *vw_agent_wall(const struct vw_agent *a, unsigned ifindex);
void vw_enforced_done(struct enforced *e);

/* Makes a part of the table what was last enforced, whatever it is now. *ret_ops: operations that
 * it took. -errno: a full reconciliation is under way. */
int vw_agent_restore(struct vw_agent *a, const struct vw_scope *s, size_t *ret_ops);

/* attachments.c */
void vw_agent_on_link(enum vw_link_event ev, const struct vw_link *l, void *agent);
/* A workload was put: finds its veths. True when an interface got one. */
bool vw_agent_attach(struct vw_agent *a, const char *id);
/* Everything anew: networks changed, or link events were lost. */
bool vw_agent_attach_all(struct vw_agent *a);
/* Brings the list of held veths up to date. */
int vw_agent_holds(struct vw_agent *a);

/* refused.c */
enum vw_refused_stage { VW_REFUSED_HELD = 1, VW_REFUSED_LEFT_OUT };
/* Whether the wall on this link was refused often enough for that. */
bool vw_refused_is(const struct vw_agent *a, unsigned ifindex, enum vw_refused_stage stage);
/* The kernel's words, or NULL: it is not refused. */
const char *vw_refused_why(const struct vw_agent *a, unsigned ifindex);
/* A commit of p went wrong. */
void vw_refused_note(struct vw_agent *a, const struct vw_planned *p, const struct vw_diag *d);
/* Forgets what is over: links that are gone, a time that has passed, and after a commit all that
 * went through. */
void vw_refused_review(struct vw_agent *a, bool committed);
/* While the world is compiled the interfaces of refused walls have no link; a->held has it. */
void vw_refused_hide(struct vw_agent *a);
void vw_refused_show(struct vw_agent *a);

/* again.c */
/* What the kernel told or was asked for got lost, by want of memory, say: soon, look again. */
void vw_agent_again(struct vw_agent *a);
/* r of a question to the kernel: as above unless it is 0 or a real answer. Returns r. */
int vw_agent_asked(struct vw_agent *a, int r);
void vw_agent_again_timer(void *agent);

/* guard.c */
bool vw_agent_guard_wanted(const struct vw_agent *a);
/* The bridge is managed by its name: by the settings, or as the runtime's. */
bool vw_agent_guards_bridge(const struct vw_agent *a, const char *name);
/* What the guard has to know, into what was compiled. 0 or -ENOMEM. */
int vw_agent_guard_fill(const struct vw_agent *a, struct vw_guard *ret);
json_t *vw_agent_guard_json(const struct vw_agent *a);

/* sink.c */
struct vw_runtime_sink vw_agent_sink(struct vw_agent *a);
struct known *vw_agent_known(struct vw_agent *a, const char *id);
void vw_agent_sink_done(struct vw_agent *a);

/* inputs.c */
/* Reads the policies: 0, or -EINVAL with located errors in d; then the set in force is as before.
 */
int vw_agent_load_policies(struct vw_agent *a, struct vw_diag *d);
/* Both become the set in force and are left empty. */
void vw_agent_take_policies(struct vw_agent *a, struct vw_sources *sources,
			    struct vw_policyset *set);
/* Addresses of the node and resolvers into the world: 0 or -errno; *ret_changed whether they
 * differ. */
int vw_agent_host_addrs(struct vw_agent *a, bool *ret_changed);

/* status.c, requests.c */
json_t *vw_agent_status(void *agent, const json_t *request, const struct vw_control_peer *peer);
extern const struct vw_control_cmd vw_agent_requests[];
/* metrics_text.c */
char *vw_agent_metrics_text(void *agent); /* malloc'd, or NULL */
json_t *vw_agent_metrics(void *agent, const json_t *request, const struct vw_control_peer *peer);
/* live_requests.c */
json_t *vw_agent_live(void *agent, const json_t *request, const struct vw_control_peer *peer);
json_t *vw_agent_seen(void *agent, const json_t *request, const struct vw_control_peer *peer);
/* Re-reads the policies and enforces them; SIGHUP and the request of that name. */
json_t *vw_agent_reload(void *agent, const json_t *request, const struct vw_control_peer *peer);

/* learn.c */
/* Timers, and what an agent before this one had learnt. */
int vw_agent_learn_init(struct vw_agent *a);
void vw_agent_learn_done(struct vw_agent *a);
/* After a commit: listens if some wall has peers by name. */
void vw_agent_learn_update(struct vw_agent *a);
/* Forgets what belongs to links that are gone. */
void vw_agent_learn_prune(struct vw_agent *a);
json_t *vw_agent_learn_json(const struct vw_agent *a);
/* learn_file.c: keeps world.learnt over a restart. */
int vw_learnt_save(const struct vw_world *world, const char *run_dir);
/* -ESTALE: of another boot or network namespace. */
int vw_learnt_load(struct vw_world *world, const char *run_dir);

/* heal.c */
int vw_heal_open(struct vw_agent *a, struct vw_diag *d);
void vw_heal_done(struct vw_agent *a);
/* Before a commit on what an agent before this one left, or on what went wrong: tells what others
 * did to it. */
void vw_heal_adopted(struct vw_agent *a, const struct vw_planned *p);
/* After a commit: the next agent shall know what was left. */
void vw_heal_committed(struct vw_agent *a);
/* Somebody did something to an attached veth. */
void vw_heal_link(struct vw_agent *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
json_t *vw_heal_json(const struct vw_agent *a);

/* privileges.c */
/* Capabilities of this process: -EPERM with words on which one is missing and what needs it. */
int vw_agent_privileges(struct vw_diag *d);
/* fence.c: gives up what the agent does not need from here on. */
int vw_agent_fence(struct vw_agent *a, struct vw_diag *d);
json_t *vw_agent_fence_json(const struct vw_agent *a);

#endif
