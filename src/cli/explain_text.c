/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An explanation for people, from the JSON that programs get: what the one says the other says. */
#include "cli/explain_text.h"

#include <string.h>

#include "base/escape.h"

/* A string of the answer as the terminal may have it. */
static void put(FILE *f, const char *s)
{
	char out[VW_ESCAPE_MAX + 1];

	while (*s) {
		vw_escape_step(&s, out);
		fputs(out, f);
	}
}

static const char *get(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void put_place(FILE *f, const json_t *o)
{
	if (!*get(o, "file"))
		return;
	put(f, get(o, "file"));
	fprintf(f, ":%lld:%lld", (long long)json_integer_value(json_object_get(o, "line")),
		(long long)json_integer_value(json_object_get(o, "column")));
}

static void put_end(FILE *f, const json_t *answer, const char *end, const char *as_asked)
{
	const json_t *o = json_object_get(answer, end);
	const char *workload = get(o, "workload");

	put(f, *workload ? workload : get(answer, as_asked));
	if (*workload && *get(o, "ip")) {
		fputs(" (", f);
		put(f, get(o, "ip"));
		fputs(")", f);
	}
}

static void put_names(FILE *f, const json_t *o)
{
	put(f, get(o, "kind"));
	fputs(" ", f);
	put(f, get(o, "policy"));
	if (strcmp(get(o, "rule"), "default") != 0) {
		fputs(", ", f);
		put(f, get(o, "rule"));
	}
	if (*get(o, "file")) {
		fputs(" at ", f);
		put_place(f, o);
	}
}

static void put_peer(FILE *f, const json_t *d)
{
	const json_t *peer = json_object_get(d, "peer");

	if (!peer)
		return;
	fputs("\n           peer: ", f);
	put(f, get(peer, "text"));
	fputs(" at ", f);
	put_place(f, peer);
}

static void put_decision(FILE *f, const char *word, const json_t *d)
{
	const json_t *closest = json_object_get(d, "closest");

	fprintf(f, "  %-7s  %s%s: ", word, get(d, "verdict"),
		json_is_true(json_object_get(d, "audited")) ? " (audited)" : "");
	if (!json_is_true(json_object_get(d, "walled"))) {
		fputs("no workload, nothing stands there\n", f);
		return;
	}
	fprintf(f, "%s tier, ", get(d, "tier"));
	if (*get(d, "kind"))
		put_names(f, d);
	else if (strcmp(get(d, "tier"), "default") == 0)
		fputs("no policy decides", f);
	else
		fputs("isolated, and no rule allows it", f);
	put_peer(f, d);
	if (closest) {
		fputs("\n           closest: ", f);
		put_names(f, closest);
	}
	fputc('\n', f);
}

void vw_explain_text(const json_t *answer, FILE *f)
{
	put_end(f, answer, "source", "from");
	fputs(" -> ", f);
	put_end(f, answer, "destination", "to");
	fprintf(f, " %s/%lld: %s\n", get(answer, "proto"),
		(long long)json_integer_value(json_object_get(answer, "port")),
		strcmp(get(answer, "verdict"), "allow") == 0 ? "allowed" : "denied");
	put_decision(f, "egress", json_object_get(answer, "egress"));
	put_decision(f, "ingress", json_object_get(answer, "ingress"));
}
