/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One flow for people, from the JSON that programs get: what the one says the other says. */
#include <string.h>

#include "base/escape.h"
#include "cli/explain_text.h"
#include "cli/flows_show.h"
#include "cli/flows_table.h"

/* A string of the object as the terminal may have it. */
static void put(FILE *f, const char *s)
{
	char out[VW_ESCAPE_CHAR_MAX];
	size_t left = strlen(s), used, n;

	for (; left; s += used, left -= used) {
		used = vw_escape_char(s, left, out, &n);
		fwrite(out, 1, n, f);
	}
}

static const char *get(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static long long num(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

/* The RFC 3339 time of the object as this query shows times. */
static void put_time(const struct flows_query *q, const char *s)
{
	char buf[VW_TIME_STRLEN];
	int64_t us;

	put(q->out, vw_time_parse(s, strlen(s), &us) ? s : flows_time_text(q, us, buf));
}

static void put_end(FILE *f, const json_t *r, const char *ip, const char *port)
{
	put(f, get(r, ip));
	if (json_object_get(r, port))
		fprintf(f, " port %lld", num(r, port));
}

static void put_named(FILE *f, const char *title, const char *name, const char *service,
		      const char *extra)
{
	if (!*name)
		return;
	fprintf(f, "  %-10s ", title);
	put(f, name);
	if (*service) {
		fputs(", service ", f);
		put(f, service);
	}
	if (*extra) {
		fputs(", ", f);
		put(f, extra);
	}
	fputc('\n', f);
}

static void put_head(const struct flows_query *q, const json_t *o)
{
	const json_t *records = json_object_get(o, "records");
	const json_t *r = json_array_get(records, json_array_size(records) - 1);
	const json_t *sums = json_object_get(o, "sums");

	fputs("flow ", q->out);
	put(q->out, get(o, "id"));
	fputs("\n  ", q->out);
	put_end(q->out, r, "src_ip", "src_port");
	fputs(" -> ", q->out);
	put_end(q->out, r, "dest_ip", "dest_port");
	fputc(' ', q->out);
	put(q->out, get(r, "proto"));
	if (json_object_get(r, "icmp_type"))
		fprintf(q->out, " type %lld code %lld", num(r, "icmp_type"), num(r, "icmp_code"));
	fputc('\n', q->out);
	put_named(q->out, "workload", get(r, "workload"), get(r, "service"), get(r, "image"));
	put_named(q->out, "peer", get(r, "peer"), get(r, "peer_service"), get(r, "peer_name"));
	fprintf(q->out, "  sum        %lld records, %lld packets, %lld bytes, ",
		num(sums, "records"), num(sums, "packets"), num(sums, "bytes"));
	put_time(q, get(sums, "first_seen"));
	fputs(" to ", q->out);
	put_time(q, get(sums, "last_seen"));
	fputc('\n', q->out);
}

static void put_place(FILE *f, const json_t *place)
{
	const json_t *lines = json_object_get(place, "text"), *line;
	size_t i;

	fputs("             ", f);
	put(f, get(place, "note"));
	put(f, get(place, "file"));
	if (*get(place, "file"))
		fprintf(f, ":%lld:%lld", num(place, "line"), num(place, "column"));
	fputc('\n', f);
	json_array_foreach (lines, i, line) {
		fprintf(f, "             %5lld | ", num(place, "line") + (long long)i);
		put(f, json_string_value(line));
		fputc('\n', f);
	}
}

static void put_decisions(const struct flows_query *q, const json_t *o)
{
	const json_t *list = json_object_get(o, "decisions"), *d;
	size_t i;

	json_array_foreach (list, i, d) {
		fprintf(q->out, "  %-10s ", get(d, "event_type"));
		fputs(get(d, "direction"), q->out);
		fputs(" of ", q->out);
		put(q->out, get(d, "workload"));
		fputs(" by ", q->out);
		put(q->out, get(d, "policy"));
		if (strcmp(get(d, "policy"), get(d, "rule")) != 0) {
			fputc(' ', q->out);
			put(q->out, get(d, "rule"));
		}
		fprintf(q->out, ", %lld packets in %lld records\n", num(d, "packets"),
			num(d, "records"));
		put_place(q->out, json_object_get(d, "place"));
	}
}

static void put_now(FILE *f, const char *who, const json_t *w)
{
	const json_t *ifaces = json_object_get(w, "interfaces"), *i;
	size_t k, n;
	const json_t *ip;

	if (!w)
		return;
	fprintf(f, "  %-10s now: ", who);
	put(f, get(w, "note"));
	if (*get(w, "state")) {
		put(f, get(w, "state"));
		fputs(", ", f);
		put(f, get(w, "image"));
	}
	json_array_foreach (ifaces, k, i) {
		json_array_foreach (json_object_get(i, "ips"), n, ip) {
			fputs(", ", f);
			put(f, json_string_value(ip));
		}
	}
	fputc('\n', f);
}

static void put_agent(FILE *f, const json_t *o)
{
	const json_t *now = json_object_get(o, "now");
	const json_t *verdict = json_object_get(now, "verdict");

	if (*get(now, "note")) {
		fputs("  now        not known: ", f);
		put(f, get(now, "note"));
		fputc('\n', f);
		return;
	}
	put_now(f, "workload", json_object_get(now, "workload"));
	put_now(f, "peer", json_object_get(now, "peer"));
	if (!verdict)
		return;
	fputs("  now        ", f);
	if (*get(verdict, "note")) {
		put(f, get(verdict, "note"));
		fputc('\n', f);
	} else {
		vw_explain_text(verdict, f);
	}
}

static void put_records(const struct flows_query *q, const json_t *o)
{
	const json_t *list = json_object_get(o, "records"), *r;
	long long all = num(json_object_get(o, "sums"), "records");
	size_t i;

	fprintf(q->out, "\nrecords%s\n",
		all > (long long)json_array_size(list) ? " (the newest)" : "");
	json_array_foreach (list, i, r) {
		fputs("  ", q->out);
		put_time(q, get(r, "first_seen"));
		fputs(" to ", q->out);
		put_time(q, get(r, "last_seen"));
		fprintf(q->out, "  %s %s  %lld packets, %lld bytes\n", get(r, "event_type"),
			get(r, "direction"), num(r, "packets"), num(r, "bytes"));
	}
}

static void put_samples(const struct flows_query *q, const json_t *o)
{
	const json_t *list = json_object_get(o, "samples"), *p, *line;
	size_t i, k;

	fprintf(q->out, "\npackets: %lld kept in the captures\n", num(o, "samples_total"));
	json_array_foreach (list, i, p) {
		fputs("  ", q->out);
		put_time(q, get(p, "time"));
		fputs("  ", q->out);
		put(q->out, get(p, "text"));
		fputs("  (", q->out);
		put(q->out, get(p, "file"));
		fputs(")\n", q->out);
		json_array_foreach (json_object_get(p, "hex"), k, line)
			fprintf(q->out, "    %s\n", json_string_value(line));
	}
}

void flows_show_text(const struct flows_query *q, const json_t *o)
{
	put_head(q, o);
	put_decisions(q, o);
	put_agent(q->out, o);
	put_records(q, o);
	put_samples(q, o);
}
