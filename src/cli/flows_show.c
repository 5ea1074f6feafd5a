/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall flows show`: all that the log, the captures, the policy files and the agent say about
 * one flow, as one JSON object; text is made from that. */
#include "cli/flows_show.h"

#include <errno.h>
#include <string.h>

#include "cli/cmds.h"
#include "cli/flows_packets.h"
#include "cli/flows_print.h"
#include "vethwall/cleanup.h"
#include "vethwall/packet_text.h"

#define RECORDS_MAX 1000 /* shown; all are counted */
#define SAMPLES_MAX 100
#define DECISIONS_MAX 32
#define ID_LEAST 4 /* characters of an ID that is given by its beginning */

struct show {
	struct flows_query *q;
	char id[FLOWS_ID_LEN]; /* of the flow that was found; "" before */
	bool ambiguous;
	struct vw_sums sums;
	struct vw_groups *decisions;
	json_t *records, *decided, *samples;
	char *last; /* its newest record's line */
	struct vw_flow flow; /* parsed from it */
	uint64_t n_samples;
	char line[VW_FLOW_LINE_MAX], buf[VW_FLOW_LINE_MAX];
};

static void show_done(struct show **sp)
{
	struct show *s = *sp;

	if (!s)
		return;
	vw_groups_free(&s->decisions);
	json_decref(s->records);
	json_decref(s->decided);
	json_decref(s->samples);
	free(s->last);
	free(s);
}

/* ---- records ---- */

static bool is_asked_for(const struct show *s, const char *id)
{
	size_t n = strlen(s->q->id);

	return !strcmp(id, s->q->id) || (n >= ID_LEAST && !strncmp(id, s->q->id, n));
}

/* As our log has it, whatever the line was: whole JSON, clean text. */
static json_t *record_json(struct show *s, const struct vw_flow *f, size_t *ret_n)
{
	*ret_n = vw_flow_json(f, s->line);
	return json_loadb(s->line, *ret_n - 1, 0, NULL);
}

/* The rule of each different decision is looked up once. */
static int note_decision(struct show *s, const struct vw_flow *f)
{
	size_t before = vw_groups_n(s->decisions);
	json_t *place;
	int r = vw_groups_add(s->decisions, f);

	if (r || vw_groups_n(s->decisions) == before)
		return r;
	place = flows_rule_place(s->q->policies, f);
	return json_array_append_new(s->decided, place) ? -ENOMEM : 0;
}

static int found(void *arg, const struct vw_flow *f, const char *line, size_t n)
{
	struct show *s = arg;
	char id[FLOWS_ID_LEN], *copy;
	json_t *o;

	(void)line;
	if (!is_asked_for(s, flows_id(f, id)))
		return 0;
	if (s->id[0] && strcmp(s->id, id) != 0) {
		s->ambiguous = true;
		return 0;
	}
	strcpy(s->id, id);
	vw_sums_add(&s->sums, f);
	o = record_json(s, f, &n);
	copy = strndup(s->line, n);
	if (!o || !copy) {
		json_decref(o);
		free(copy);
		return -ENOMEM;
	}
	free(s->last);
	s->last = copy;
	if (json_array_size(s->records) == RECORDS_MAX)
		json_array_remove(s->records, 0);
	json_array_append_new(s->records, o);
	return note_decision(s, f);
}

/* ---- packets ---- */

static bool is_its_packet(const struct show *s, const struct vw_pcapng_packet *p)
{
	const struct vw_tuple *t = &s->flow.t;
	struct vw_tuple have = {0};
	size_t len;

	return t->src.family && !vw_packet_tuple(p->data, p->caplen, &have, &len) &&
	       have.proto == t->proto && have.sport == t->sport && have.dport == t->dport &&
	       vw_addr_eq(&have.src, &t->src) && vw_addr_eq(&have.dst, &t->dst);
}

static json_t *hex_json(const struct vw_pcapng_packet *p)
{
	json_t *lines = json_array();
	char line[VW_HEX_LINE_MAX];

	for (size_t at = 0; at < p->caplen;) {
		at += vw_hex_line(p->data, p->caplen, at, line);
		json_array_append_new(lines, json_string(line));
	}
	return lines;
}

static int sample(void *arg, const struct vw_pcapng_packet *p, const char *file)
{
	struct show *s = arg;
	char text[VW_PACKET_TEXT_MAX], when[VW_TIME_STRLEN], comment[VW_FLOW_TEXT_MAX];
	json_t *o;

	if (!is_its_packet(s, p) || s->n_samples++ >= SAMPLES_MAX)
		return 0;
	vw_packet_text(p->data, p->caplen, text);
	o = json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "time", vw_time_str(p->time_us, when),
		      "file", file, "text", text, "bytes", (json_int_t)p->len, "kept",
		      (json_int_t)p->caplen, "hex", hex_json(p));
	if (o && p->comment.s)
		json_object_set_new(o, "comment", json_string(vw_flow_text(&p->comment, comment)));
	return json_array_append_new(s->samples, o) ? -ENOMEM : 0;
}

/* ---- all of it ---- */

static json_t *decisions_json(const struct show *s)
{
	static const enum vw_field by[] = {VW_FIELD_WORKLOAD,	VW_FIELD_DIRECTION,
					   VW_FIELD_EVENT_TYPE, VW_FIELD_POLICY,
					   VW_FIELD_RULE,	VW_FIELD_TIER};
	json_t *list = json_array();

	for (size_t i = 0; i < vw_groups_n(s->decisions); i++) {
		const struct vw_group *g = vw_groups_at(s->decisions, i);
		char text[VW_FLOW_TEXT_MAX], first[VW_TIME_STRLEN], last[VW_TIME_STRLEN];
		json_t *o = json_pack(
			"{s:I, s:I, s:I, s:s, s:s, s:O*}", "records", (json_int_t)g->sums.records,
			"packets", (json_int_t)g->sums.packets, "bytes", (json_int_t)g->sums.bytes,
			"first_seen", vw_time_str(g->sums.first_us, first), "last_seen",
			vw_time_str(g->sums.last_us, last), "place", json_array_get(s->decided, i));

		for (size_t k = 0; o && k < VW_ARRAY_SIZE(by); k++) {
			struct vw_value v;

			vw_groups_value(s->decisions, g, k, &v);
			if (v.kind == VW_VALUE_TEXT)
				json_object_set_new(o, vw_field_str(by[k]),
						    json_string(vw_flow_text(&v.text, text)));
		}
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *all_json(struct show *s)
{
	char first[VW_TIME_STRLEN], last[VW_TIME_STRLEN];
	json_t *now = flows_now(s->q->run_dir, &s->flow);

	return json_pack("{s:s, s:{s:I, s:I, s:I, s:s, s:s}, s:O, s:o, s:O, s:I, s:o*}", "id",
			 s->id, "sums", "records", (json_int_t)s->sums.records, "packets",
			 (json_int_t)s->sums.packets, "bytes", (json_int_t)s->sums.bytes,
			 "first_seen", vw_time_str(s->sums.first_us, first), "last_seen",
			 vw_time_str(s->sums.last_us, last), "records", s->records, "decisions",
			 decisions_json(s), "samples", s->samples, "samples_total",
			 (json_int_t)s->n_samples, "now", now);
}

static int start(struct show *s)
{
	struct vw_groups_options o = {
		.by = {VW_FIELD_WORKLOAD, VW_FIELD_DIRECTION, VW_FIELD_EVENT_TYPE, VW_FIELD_POLICY,
		       VW_FIELD_RULE, VW_FIELD_TIER},
		.n_by = 6,
		.max = DECISIONS_MAX,
		.seed = {s->q->seed[0], s->q->seed[1]},
	};

	s->records = json_array();
	s->decided = json_array();
	s->samples = json_array();
	if (!s->records || !s->decided || !s->samples)
		return -ENOMEM;
	return vw_groups_new(&o, &s->decisions);
}

static int print(struct show *s)
{
	json_t *o = all_json(s);

	if (!o)
		return flows_cannot(s->q, -ENOMEM);
	if (s->q->format == FLOWS_JSON) {
		json_dumpf(o, s->q->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putc('\n', s->q->out);
	} else {
		flows_show_text(s->q, o);
	}
	json_decref(o);
	return flows_end(s->q);
}

int flows_show(struct flows_query *q)
{
	_cleanup_(show_done) struct show *s = calloc(1, sizeof(*s));
	unsigned bad;
	int r = -ENOMEM;

	if (s) {
		s->q = q;
		r = start(s);
	}
	if (r)
		return flows_cannot(q, r);
	r = flows_run(q, found, s);
	if (r)
		return r;
	if (!s->id[0] || s->ambiguous) {
		fprintf(stderr, "vethwall flows: %s has that ID; list shows them with --ids\n",
			s->id[0] ? "more than one flow" : "no flow in the log");
		return s->id[0] ? VW_EXIT_TROUBLE : VW_EXIT_NO;
	}
	if (vw_flow_json_parse(s->last, strlen(s->last), s->buf, &s->flow))
		return flows_cannot(q, -EINVAL);
	r = flows_packets_each(q->reader.dir, sample, s, &bad);
	return r ? flows_cannot(q, r) : print(s);
}
