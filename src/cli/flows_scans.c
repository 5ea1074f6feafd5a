/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall flows scans`: who tried many ports or many addresses, and what shows it. */
#include <errno.h>
#include <limits.h>

#include "cli/cmds.h"
#include "cli/flows_table.h"
#include "vethwall/cleanup.h"

#define LIMIT 20
#define RANGES_MAX 40 /* of ports, and */
#define PEERS_SHOWN 16 /* addresses that text shows; the other forms have all that were kept */

struct listing {
	struct flows_query *q;
	struct flows_table *table; /* NULL: text */
	unsigned long n;
};

static int add(void *arg, const struct vw_flow *f, const char *line, size_t n)
{
	(void)line;
	(void)n;
	return vw_scans_add(arg, f);
}

static bool has(const uint64_t *bits, unsigned port)
{
	return port < 65536 && bits[port >> 6] >> (port & 63) & 1;
}

/* "22, 80-90, ..." */
static void ranges(FILE *out, const uint64_t *bits, unsigned max)
{
	unsigned n = 0;

	for (unsigned lo = 0; bits && lo < 65536; lo++) {
		unsigned hi = lo;

		if (!has(bits, lo))
			continue;
		while (has(bits, hi + 1))
			hi++;
		if (n++ == max) {
			fputs(", ...", out);
			return;
		}
		fprintf(out, lo == hi ? "%s%u" : "%s%u-%u", n > 1 ? ", " : "", lo, hi);
		lo = hi;
	}
}

static size_t kept(const struct vw_scanner *s)
{
	return s->peers < VW_SCAN_PEERS_MAX ? s->peers : VW_SCAN_PEERS_MAX;
}

static void peers(FILE *out, const struct vw_scanner *s, size_t max)
{
	char addr[VW_ADDR_STRLEN];
	size_t n = kept(s) < max ? kept(s) : max;

	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? ", " : "", vw_addr_str(&s->peer[i], addr));
	if (n < s->peers || s->more_peers)
		fputs(", ...", out);
}

/* The two forms that have a form of their own: ports of one address, one port of many. */
static const char *kind(const struct vw_scanner *s)
{
	size_t ports = s->ports[0] + s->ports[1];

	if (s->peers == 1)
		return "ports of one address";
	return ports <= 1 ? "one port of many addresses" : "ports and addresses";
}

static const char *source(const struct vw_scanner *s, char text[static VW_FLOW_TEXT_MAX])
{
	return s->name.n ? vw_flow_text(&s->name, text) : vw_addr_str(&s->addr, text);
}

static const char *more(bool there)
{
	return there ? " or more" : "";
}

static void print_text(struct flows_query *q, const struct vw_scanner *s)
{
	char name[VW_FLOW_TEXT_MAX], first[VW_TIME_STRLEN], last[VW_TIME_STRLEN];
	char fastest[VW_TIME_STRLEN];
	static const char *const protos[] = {"tcp", "other"};

	fprintf(q->out, "%s: %s\n", source(s, name), kind(s));
	fprintf(q->out, "  tried    %zu port%s, %zu address%s%s, %zu%s together\n",
		s->ports[0] + s->ports[1], s->ports[0] + s->ports[1] == 1 ? "" : "s", s->peers,
		s->peers == 1 ? "" : "es", more(s->more_peers), s->pairs, more(s->more_pairs));
	fprintf(q->out, "  when     %s to %s\n", flows_time_text(q, s->sums.first_us, first),
		flows_time_text(q, s->sums.last_us, last));
	fprintf(q->out, "  how fast %zu new in the minute of %s\n", s->fastest,
		flows_time_text(q, s->fastest_us, fastest));
	fprintf(q->out, "  refused  %llu packets, %llu bytes, %llu records\n",
		(unsigned long long)s->sums.packets, (unsigned long long)s->sums.bytes,
		(unsigned long long)s->sums.records);
	for (size_t i = 0; i < 2; i++) {
		if (!s->ports[i])
			continue;
		fprintf(q->out, "  %-8s ", protos[i]);
		ranges(q->out, s->port_bits[i], RANGES_MAX);
		putc('\n', q->out);
	}
	fputs("  to       ", q->out);
	peers(q->out, s, PEERS_SHOWN);
	fputs("\n", q->out);
}

static const struct flows_column columns[] = {
	{"source", false}, {"kind", false},	      {"ports", true},	      {"peers", true},
	{"pairs", true},   {"exact", false},	      {"first_seen", false},  {"last_seen", false},
	{"fastest", true}, {"fastest_minute", false}, {"records", true},      {"packets", true},
	{"bytes", true},   {"tcp_ports", false},      {"other_ports", false}, {"peer_ips", false},
};

static int put_numbers(struct flows_table *t, const uint64_t *v, size_t n)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = flows_table_number(t, v[i]);
	return r;
}

/* What a function writes, as a cell. */
static int put_lists(struct flows_table *t, const struct vw_scanner *s)
{
	int r = 0;

	for (int i = 0; !r && i < 3; i++) {
		_cleanup_free_ char *text = NULL;
		size_t n = 0;
		FILE *m = open_memstream(&text, &n);

		if (!m)
			return -ENOMEM;
		if (i < 2)
			ranges(m, s->port_bits[i], UINT_MAX);
		else
			peers(m, s, VW_SCAN_PEERS_MAX);
		if (fclose(m))
			return -ENOMEM;
		r = flows_table_text(t, text);
	}
	return r;
}

static int put_row(struct flows_table *t, const struct vw_scanner *s)
{
	const struct vw_value who = {.kind = s->name.n ? VW_VALUE_TEXT : VW_VALUE_ADDR,
				     .text = s->name,
				     .addr = s->addr};
	int r = flows_table_value(t, &who);

	if (!r)
		r = flows_table_text(t, kind(s));
	if (!r)
		r = put_numbers(t, (uint64_t[]){s->ports[0] + s->ports[1], s->peers, s->pairs}, 3);
	if (!r)
		r = flows_table_bool(t, !s->more_peers && !s->more_pairs);
	if (!r)
		r = flows_table_time(t, s->sums.first_us);
	if (!r)
		r = flows_table_time(t, s->sums.last_us);
	if (!r)
		r = flows_table_number(t, s->fastest);
	if (!r)
		r = flows_table_time(t, s->fastest_us);
	if (!r)
		r = put_numbers(t, (uint64_t[]){s->sums.records, s->sums.packets, s->sums.bytes},
				3);
	return r ? r : put_lists(t, s);
}

static int print(const struct vw_scanner *s, void *arg)
{
	struct listing *l = arg;

	if (l->n++ >= (l->q->limit ? l->q->limit : LIMIT))
		return 0;
	if (l->table)
		return put_row(l->table, s);
	print_text(l->q, s);
	return 0;
}

int flows_scans(struct flows_query *q)
{
	_cleanup_(vw_scans_free) struct vw_scans *s = NULL;
	_cleanup_(flows_table_free) struct flows_table *t = NULL;
	struct listing l = {.q = q};
	unsigned long limit;
	int r = vw_scans_new(q->seed, &s);

	if (r)
		return flows_cannot(q, r);
	r = flows_run(q, add, s);
	if (r)
		return r;
	if (q->format != FLOWS_TEXT)
		r = flows_table_new(q, columns, VW_ARRAY_SIZE(columns), &t);
	l.table = t;
	if (!r)
		r = vw_scans_each(s, q->min_ports, q->min_peers, print, &l);
	if (r)
		return flows_cannot(q, r);
	limit = q->limit ? q->limit : LIMIT;
	if (q->format == FLOWS_TEXT && l.n > limit)
		fprintf(q->out, "and %lu more (--limit)\n", l.n - limit);
	if (q->format == FLOWS_TEXT && !l.n)
		fprintf(q->out, "nobody tried %lu ports or %lu addresses\n", q->min_ports,
			q->min_peers);
	if (vw_scans_others(s)->records)
		fprintf(stderr,
			"vethwall flows: more sources than can be told apart; %llu records of "
			"further ones are not in the answer\n",
			(unsigned long long)vw_scans_others(s)->records);
	return flows_end(q);
}
