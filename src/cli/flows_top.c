/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall flows top` and `first-seen`: records by what they have in common. */
#include <errno.h>
#include <string.h>

#include "cli/cmds.h"
#include "cli/flows_table.h"
#include "vethwall/cleanup.h"

#define GROUPS_MAX 1000000 /* told apart; some 200 bytes each */
#define FLOWS_MAX (1u << 23) /* 5-tuples told apart, 16 bytes each */
#define OLD_MAX (1u << 24) /* pairs from before, 16 bytes each */
#define LIMIT 20

static int add_columns(const struct flows_query *q, struct flows_column *c)
{
	int n = 0;

	for (size_t i = 0; i < q->n_by; i++)
		c[n++] = (struct flows_column){vw_field_str(q->by[i]),
					       vw_field_kind(q->by[i]) == VW_KIND_NUMBER};
	c[n++] = (struct flows_column){"records", true};
	if (q->sort == VW_BY_FLOWS)
		c[n++] = (struct flows_column){"flows", true};
	c[n++] = (struct flows_column){"packets", true};
	c[n++] = (struct flows_column){"bytes", true};
	c[n++] = (struct flows_column){"first_seen", false};
	c[n++] = (struct flows_column){"last_seen", false};
	return n;
}

static int put_group(const struct flows_query *q, struct flows_table *t, const struct vw_groups *g,
		     const struct vw_group *gr)
{
	struct vw_value v;
	int r = 0;

	for (size_t i = 0; !r && i < q->n_by; i++) {
		vw_groups_value(g, gr, i, &v);
		r = flows_table_value(t, &v);
	}
	if (!r)
		r = flows_table_number(t, gr->sums.records);
	if (!r && q->sort == VW_BY_FLOWS)
		r = flows_table_number(t, gr->flows);
	if (!r)
		r = flows_table_number(t, gr->sums.packets);
	if (!r)
		r = flows_table_number(t, gr->sums.bytes);
	if (!r)
		r = flows_table_time(t, gr->sums.first_us);
	return r ? r : flows_table_time(t, gr->sums.last_us);
}

/* What the table leaves out, so that nobody takes it for all there is. */
static void tell_rest(const struct flows_query *q, const struct vw_groups *g, size_t shown)
{
	const struct vw_sums *o = vw_groups_others(g);
	uint64_t records = 0, packets = 0;

	for (size_t i = shown; i < vw_groups_n(g); i++) {
		records += vw_groups_at(g, i)->sums.records;
		packets += vw_groups_at(g, i)->sums.packets;
	}
	if (q->format == FLOWS_TEXT && shown < vw_groups_n(g))
		fprintf(q->out, "and %zu more, %llu records, %llu packets (--limit)\n",
			vw_groups_n(g) - shown, (unsigned long long)records,
			(unsigned long long)packets);
	if (o->records)
		fprintf(stderr,
			"vethwall flows: more than %d groups; %llu records with %llu packets of "
			"further ones are not in the answer\n",
			GROUPS_MAX, (unsigned long long)o->records, (unsigned long long)o->packets);
	if (!vw_groups_flows_exact(g))
		fprintf(stderr,
			"vethwall flows: more than %u flows; their numbers are at least "
			"what is said\n",
			FLOWS_MAX);
}

static int print_groups(struct flows_query *q, const struct vw_groups *g)
{
	_cleanup_(flows_table_free) struct flows_table *t = NULL;
	struct flows_column columns[VW_GROUP_FIELDS_MAX + 6];
	size_t n = vw_groups_n(g), limit = q->limit ? q->limit : LIMIT;
	int r = flows_table_new(q, columns, (size_t)add_columns(q, columns), &t);

	if (limit < n)
		n = limit;
	for (size_t i = 0; !r && i < n; i++)
		r = put_group(q, t, g, vw_groups_at(g, i));
	if (r)
		return flows_cannot(q, r);
	flows_table_end(t);
	tell_rest(q, g, n);
	return flows_end(q);
}

static int new_groups(struct flows_query *q, struct vw_groups **ret)
{
	struct vw_groups_options o = {.n_by = q->n_by,
				      .max = GROUPS_MAX,
				      .flows_max = q->sort == VW_BY_FLOWS ? FLOWS_MAX : 0,
				      .seed = {q->seed[0], q->seed[1]}};

	memcpy(o.by, q->by, sizeof(o.by));
	return vw_groups_new(&o, ret);
}

static int add(void *arg, const struct vw_flow *f, const char *line, size_t n)
{
	(void)line;
	(void)n;
	return vw_groups_add(arg, f);
}

int flows_top(struct flows_query *q)
{
	_cleanup_(vw_groups_free) struct vw_groups *g = NULL;
	int r = new_groups(q, &g);

	if (r)
		return flows_cannot(q, r);
	r = flows_run(q, add, g);
	if (r)
		return r;
	vw_groups_sort(g, q->sort, NULL);
	return print_groups(q, g);
}

/* ---- first-seen ---- */

struct first_seen {
	struct vw_groups *groups; /* from the time on */
	struct vw_hashes old; /* keys from before it */
	int64_t since_us;
	bool full;
};

static int add_first(void *arg, const struct vw_flow *f, const char *line, size_t n)
{
	struct first_seen *s = arg;
	int r;

	(void)line;
	(void)n;
	if (f->first_us >= s->since_us)
		return vw_groups_add(s->groups, f);
	r = vw_hashes_add(&s->old, vw_groups_hash(s->groups, f));
	s->full |= r == -ENOSPC;
	return r == -ENOMEM ? r : 0;
}

static void hashes_done(struct first_seen *s)
{
	vw_groups_free(&s->groups);
	vw_hashes_done(&s->old);
}

int flows_first_seen(struct flows_query *q)
{
	_cleanup_(hashes_done) struct first_seen s = {.old = {.max = OLD_MAX}};
	int r = new_groups(q, &s.groups);

	if (r)
		return flows_cannot(q, r);
	/* what is older than the time asked for is what tells */
	s.since_us = q->filter.from_us;
	q->filter.from_us = INT64_MIN;
	q->filter.from_text[0] = '\0';
	r = flows_run(q, add_first, &s);
	if (r)
		return r;
	if (s.full)
		fprintf(stderr,
			"vethwall flows: the older log has more than %u of these; some that are "
			"listed may be in it\n",
			OLD_MAX);
	vw_groups_sort(s.groups, VW_BY_FIRST, &s.old);
	return print_groups(q, s.groups);
}
