/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall flows --live`: what is open now, as the agent tells it. A connection between two
 * workloads stands at both walls. */
#include <errno.h>
#include <unistd.h>

#include "cli/cmds.h"
#include "cli/flows_table.h"
#include "cli/live_client.h"
#include "vethwall/cleanup.h"

static const enum vw_field fields[] = {
	VW_FIELD_WORKLOAD, VW_FIELD_WORKLOAD_IP, VW_FIELD_DIRECTION, VW_FIELD_PEER,
	VW_FIELD_PEER_IP,  VW_FIELD_PROTO,	 VW_FIELD_SRC_PORT,  VW_FIELD_DEST_PORT,
};
static const struct flows_column more[] = {
	{"first_seen", false}, {"at_least", false}, {"idle_ms", true},
	{"closing", false},    {"packets", true},   {"bytes", true},
};
#define FIELDS VW_ARRAY_SIZE(fields)

struct listing {
	struct flows_query *q;
	struct flows_table *table;
	unsigned long shown, fits;
};

static int put_number(struct flows_table *t, bool known, uint64_t n)
{
	static const struct vw_value none = {.kind = VW_VALUE_NONE};

	return known ? flows_table_number(t, n) : flows_table_value(t, &none);
}

static int put_time(struct flows_table *t, int64_t us)
{
	static const struct vw_value none = {.kind = VW_VALUE_NONE};

	return us ? flows_table_time(t, us) : flows_table_value(t, &none);
}

static int put_flow(struct listing *l, const struct vw_live_told *t)
{
	int r = 0;

	for (size_t i = 0; i < FIELDS && !r; i++) {
		struct vw_value v = {.kind = VW_VALUE_NONE};

		if (fields[i] != VW_FIELD_DIRECTION || t->opener_known)
			vw_field_value(fields[i], &t->f, &v);
		r = flows_table_value(l->table, &v);
	}
	if (!r)
		r = put_time(l->table, t->f.first_us);
	if (!r)
		r = flows_table_bool(l->table, t->at_least);
	if (!r)
		r = put_number(l->table, t->idle_ms >= 0, (uint64_t)t->idle_ms);
	if (!r)
		r = flows_table_bool(l->table, t->closing);
	if (!r)
		r = put_number(l->table, t->f.packets, t->f.packets);
	return r ? r : put_number(l->table, t->f.packets, t->f.bytes);
}

static int on_flow(const struct vw_live_told *t, void *arg)
{
	struct listing *l = arg;

	if (!flows_filter_match(&l->q->filter, &t->f))
		return 0;
	l->fits++;
	if (l->q->limit && l->shown >= l->q->limit)
		return 0;
	l->shown++;
	return put_flow(l, t);
}

static int new_table(struct listing *l)
{
	struct flows_column columns[FIELDS + VW_ARRAY_SIZE(more)];
	size_t n = 0;

	for (size_t i = 0; i < FIELDS; i++)
		columns[n++] = (struct flows_column){vw_field_str(fields[i]),
						     vw_field_kind(fields[i]) == VW_KIND_NUMBER};
	for (size_t i = 0; i < VW_ARRAY_SIZE(more); i++)
		columns[n++] = more[i];
	return flows_table_new(l->q, columns, n, &l->table);
}

static void tell_rest(const struct listing *l, const struct vw_live_summary *sum)
{
	if (l->fits > l->shown)
		fprintf(stderr, "vethwall flows: %lu more, --limit is %lu\n", l->fits - l->shown,
			l->q->limit);
	if (sum->unlisted)
		fprintf(stderr, "vethwall flows: the agent has %llu more than it tells\n",
			(unsigned long long)sum->unlisted);
	if (sum->walls_from_memory)
		fprintf(stderr,
			"vethwall flows: %llu interfaces have so many that they were not read just "
			"now: shown is what the last reading brought\n",
			(unsigned long long)sum->walls_from_memory);
}

int flows_live(struct flows_query *q)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	struct listing l = {.q = q};
	struct vw_live_summary sum;
	int r = new_table(&l);

	if (!r)
		r = vw_live_ask(q->run_dir, on_flow, &l, &sum, &d);
	if (r) {
		flows_table_free(&l.table);
		if (!d.errors)
			return flows_cannot(q, r);
		vw_diag_print(&d, stderr, isatty(STDERR_FILENO));
		return VW_EXIT_TROUBLE;
	}
	flows_table_end(l.table);
	flows_table_free(&l.table);
	tell_rest(&l, &sum);
	return flows_end(q);
}
