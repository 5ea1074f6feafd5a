/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The request `live`. One answer holds a bounded number of flows: where there are more, workload by
 * workload is asked. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "cli/control_client.h"
#include "cli/live_client.h"
#include "vethwall/cleanup.h"
#include "vethwall/loop.h"

#define LIMIT 20000 /* as the agent has it */

struct asking {
	const char *run_dir;
	int (*cb)(const struct vw_live_told *t, void *arg);
	void *arg;
	struct vw_live_summary sum;
	struct vw_diag *d;
	int64_t now_us;
};

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static struct vw_str str(const json_t *o, const char *key)
{
	return vw_str_of(text(o, key));
}

static bool read_addr(const json_t *o, const char *key, struct vw_addr *ret)
{
	const char *s = text(o, key);

	return s && !vw_addr_parse(s, ret);
}

static bool read_port(const json_t *o, const char *key, uint16_t *ret)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	*ret = (uint16_t)n;
	return n >= 0 && n <= UINT16_MAX;
}

static uint64_t count(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

/* The packet that opened it. Echoes have their identifier in both ports; a request opened them. */
static bool read_tuple(const json_t *o, bool out, struct vw_tuple *t)
{
	const char *proto = text(o, "proto");
	int number = proto ? vw_proto_parse(proto) : -EINVAL;

	if (number < 0 || !read_addr(o, out ? "own" : "peer", &t->src) ||
	    !read_addr(o, out ? "peer" : "own", &t->dst) ||
	    !read_port(o, out ? "own_port" : "peer_port", &t->sport) ||
	    !read_port(o, out ? "peer_port" : "own_port", &t->dport))
		return false;
	t->proto = (uint8_t)number;
	t->code = out ? VW_CODE_EGRESS : 0;
	if (number == IPPROTO_ICMP || number == IPPROTO_ICMPV6)
		t->sport = t->dport = (number == IPPROTO_ICMP ? 8 : 128) << 8;
	return true;
}

static bool read_flow(const json_t *o, int64_t now_us, struct vw_live_told *ret)
{
	const json_t *idle = json_object_get(o, "idle_ms");
	const char *opened = text(o, "opened"), *first = text(o, "first_seen");
	struct vw_flow *f = &ret->f;

	*ret = (struct vw_live_told){
		.json = o,
		.opener_known = opened,
		.closing = json_is_true(json_object_get(o, "closing")),
		.at_least = json_is_true(json_object_get(o, "at_least")),
		.idle_ms = json_is_integer(idle) ? json_integer_value(idle) : -1,
		.f = {.event = VW_FLOW_ALLOWED,
		      .egress = opened && !strcmp(opened, "out"),
		      .ifindex = (uint32_t)count(o, "ifindex"),
		      .time_us = now_us,
		      .last_us = now_us,
		      .in_iface = str(o, "in_iface"),
		      .workload = str(o, "workload"),
		      .service = str(o, "service"),
		      .peer = str(o, "peer_name"),
		      .peer_service = str(o, "peer_service"),
		      .packets = count(o, "packets"),
		      .bytes = count(o, "bytes")},
	};
	if (first && vw_time_parse(first, strlen(first), &f->first_us))
		return false;
	if (ret->idle_ms > 0)
		f->last_us -= ret->idle_ms * 1000;
	return read_tuple(o, f->egress, &f->t);
}

static int tell(struct asking *a, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "flows"), *o;
	uint64_t total = count(answer, "total");
	struct vw_live_told t;
	size_t i;

	json_array_foreach (list, i, o) {
		int r = read_flow(o, a->now_us, &t) ? a->cb(&t, a->arg) : 0;

		if (r)
			return r;
	}
	a->sum.flows += total;
	a->sum.unlisted += total > json_array_size(list) ? total - json_array_size(list) : 0;
	return 0;
}

static int ask(const struct asking *a, const char *workload, json_t **ret)
{
	json_auto_t *request =
		json_pack("{s:s, s:i, s:s*}", "cmd", "live", "limit", LIMIT, "workload", workload);
	json_auto_t *answer = NULL;
	const char *error;
	int r = request ? vw_control_ask(a->run_dir, request, &answer, a->d) : -ENOMEM;

	if (r)
		return r;
	error = text(answer, "error");
	if (!json_is_true(json_object_get(answer, "ok"))) {
		vw_error(a->d, NULL, "the agent does not tell its live flows: %.400s",
			 error ? error : "no reason given");
		return -EPROTO;
	}
	*ret = TAKE_PTR(answer);
	return 0;
}

/* The workloads that status lists. */
static int ask_each(struct asking *a)
{
	json_auto_t *request = json_pack("{s:s}", "cmd", "status"), *status = NULL;
	const json_t *w;
	size_t i;
	int r = request ? vw_control_ask(a->run_dir, request, &status, a->d) : -ENOMEM;

	if (r)
		return r;
	json_array_foreach (json_object_get(status, "workloads"), i, w) {
		_cleanup_free_ char *name = NULL;
		json_auto_t *answer = NULL;
		const char *ns = text(w, "namespace"), *own = text(w, "name");

		if (!ns || !own)
			continue;
		if (asprintf(&name, "%s/%s", ns, own) < 0)
			return -ENOMEM;
		r = ask(a, name, &answer);
		if (!r)
			r = tell(a, answer);
		if (r)
			return r;
	}
	return 0;
}

int vw_live_ask(const char *run_dir, int (*cb)(const struct vw_live_told *t, void *arg), void *arg,
		struct vw_live_summary *ret, struct vw_diag *d)
{
	struct asking a = {.run_dir = run_dir, .cb = cb, .arg = arg, .d = d};
	json_auto_t *answer = NULL;
	int r = ask(&a, NULL, &answer);

	a.now_us = vw_wall_ns() / 1000;
	if (r)
		return r;
	a.sum.walls_from_memory = count(answer, "walls_from_memory");
	if (count(answer, "total") > json_array_size(json_object_get(answer, "flows")))
		r = ask_each(&a);
	else
		r = tell(&a, answer);
	if (!r)
		*ret = a.sum;
	return r;
}
