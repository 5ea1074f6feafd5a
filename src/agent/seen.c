/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live flows become entries of the memory, and the memory a file of the state folder. */
#include <netinet/in.h>
#include <string.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/seen_json.h"

#define FILE_NAME "seen.json"
#define FILE_MAX ((size_t)VW_SEEN_MAX * 2048) /* more than its entries can have */
#define SAVE_MS (5 * 60 * 1000)
#define KEEP_US (30 * 86400000000LL)
#define EPHEMERAL 32768 /* as in core/seen.c */

/* Who opened a flow that was closing when it was first seen shows in its ports, most of the time.
 */
static bool guess_opener(struct vw_live *l)
{
	bool own = l->own_port >= EPHEMERAL, peer = l->peer_port >= EPHEMERAL;

	l->opened = own ? VW_EGRESS : VW_INGRESS;
	return own != peer;
}

static struct vw_tuple tuple_of(const struct vw_live *l)
{
	bool out = l->opened == VW_EGRESS;
	struct vw_tuple t = {.code = out ? VW_CODE_EGRESS : 0,
			     .src = out ? l->own : l->peer,
			     .dst = out ? l->peer : l->own,
			     .proto = l->proto,
			     .sport = out ? l->own_port : l->peer_port,
			     .dport = out ? l->peer_port : l->own_port};

	/* echoes have their identifier in both; what opens them is a request */
	if (l->proto == IPPROTO_ICMP)
		t.dport = 8 << 8;
	if (l->proto == IPPROTO_ICMPV6)
		t.dport = 128 << 8;
	return t;
}

static int note(struct vw_agent *a, const struct vw_live_flow *lf, const struct vw_live *l,
		bool fresh)
{
	int64_t now_us = vw_wall_ns() / 1000;
	struct vw_flow f = {.event = VW_FLOW_ALLOWED,
			    .egress = l->opened == VW_EGRESS,
			    .t = tuple_of(l),
			    .ifindex = lf->ifindex,
			    .packets = fresh,
			    .first_us = lf->first_us ? lf->first_us : now_us,
			    .last_us = now_us};
	_cleanup_(vw_seen_done) struct vw_seen s = {};
	struct vw_flow_names names;
	enum vw_seen_as as;
	int r;

	vw_naming_flow(&a->naming, &a->enforced.now, lf->ifindex, &f.t, &names);
	f.workload = vw_str_of(names.workload);
	f.service = vw_str_of(names.service);
	f.peer = vw_str_of(names.peer);
	f.peer_service = vw_str_of(names.peer_service);
	r = vw_seen_of_flow(&f, &a->world, VW_SEEN_LIVE, &as, &s);
	return r || as != VW_SEEN_CONNECTION ? r : vw_seen_note(&a->seen.table, &s);
}

void vw_agent_seen_news(void *agent, const struct vw_live_flow *f, bool fresh)
{
	static struct vw_ratelimit said;
	struct vw_agent *a = agent;
	struct vw_live l = f->l;
	unsigned held = 0;

	if (!f->opener_known && !guess_opener(&l)) {
		a->seen.unclear++;
		return;
	}
	if (note(a, f, &l, fresh) == -ENOMEM && vw_ratelimit_ok(&said, 1, 60, &held))
		vw_err("what was seen cannot be remembered: out of memory");
	if (!vw_timer_armed(a->seen.save))
		vw_timer_arm(a->seen.save, SAVE_MS);
}

/* ---- the file ---- */

static int path_of(const struct vw_agent *a, char **ret)
{
	return asprintf(ret, "%s/" FILE_NAME, a->s->state_dir) < 0 ? -ENOMEM : 0;
}

static int save(struct vw_agent *a)
{
	json_auto_t *list = NULL, *o = NULL;
	_cleanup_free_ char *text = NULL, *path = NULL;
	int r = path_of(a, &path);

	vw_seen_expire(&a->seen.table, vw_wall_ns() / 1000 - KEEP_US);
	list = vw_seen_json(&a->seen.table);
	o = list ? json_pack("{s:i, s:O}", "version", 1, "seen", list) : NULL;
	text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	if (r || !text)
		return -ENOMEM;
	return vw_file_write(path, text, strlen(text));
}

static void on_save(void *agent)
{
	static struct vw_ratelimit said;
	struct vw_agent *a = agent;
	unsigned held = 0;
	int r = save(a);

	if (r < 0 && vw_ratelimit_ok(&said, 1, 3600, &held))
		vw_warn("what was seen cannot be kept in %s: %s", a->s->state_dir, strerror(-r));
}

static int load(struct vw_agent *a)
{
	_cleanup_free_ char *text = NULL, *path = NULL;
	json_auto_t *o = NULL;
	size_t len, bad = 0;
	int r = path_of(a, &path);

	if (!r)
		r = vw_file_read(path, FILE_MAX, &text, &len);
	if (r)
		return r;
	o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_integer_value(json_object_get(o, "version")) != 1)
		return -EBADMSG;
	r = vw_seen_from_json(json_object_get(o, "seen"), &a->seen.table, &bad);
	if (bad)
		vw_warn("%s: %zu entries make no sense and are left out", path, bad);
	return r;
}

int vw_agent_seen_init(struct vw_agent *a)
{
	int r = vw_timer_new(a->loop, on_save, a, &a->seen.save);

	if (r)
		return r;
	r = load(a);
	if (r < 0 && r != -ENOENT)
		vw_warn("what was seen before is not known: %s", strerror(-r));
	return 0;
}

void vw_agent_seen_done(struct vw_agent *a)
{
	if (a->seen.save && vw_timer_armed(a->seen.save))
		on_save(a);
	vw_timer_free(&a->seen.save);
	vw_seen_table_done(&a->seen.table);
}
