/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vethwall explain: who decides a connection, and how. Offline with a world file and policies, else
 * by asking the agent; one question or a batch of them, one a line. */
#include <getopt.h>
#include <stdio.h>

#include "cli/cmds.h"
#include "cli/control_client.h"
#include "cli/explain_text.h"
#include "cli/load.h"
#include "cli/source.h"
#include "vethwall/cleanup.h"
#include "vethwall/explain_json.h"

#define LINE_MAX_BYTES 4096
#define POLICIES VW_SYSCONFDIR "/policies"
#define RUN_DIR "/run/vethwall"

struct options {
	const char *from, *to, *port, *family, *world, *policies, *batch, *run_dir;
	bool json, default_deny;
};

/* What answers: the explainer, or the agent where there is none. */
struct answering {
	struct vw_policyset set;
	struct vw_world world;
	struct vw_explainer *explainer;
	const char *run_dir;
	bool brief; /* the fields of --batch only */
};

static void answering_done(struct answering *a)
{
	vw_explainer_free(&a->explainer);
	vw_policyset_done(&a->set);
	vw_world_done(&a->world);
}

static void help(void)
{
	fputs("Usage: vethwall explain --from A --to B --port PORT [OPTIONS]\n"
	      "       vethwall explain --batch FILE [OPTIONS]\n"
	      "Says whether A may open a connection to B, and which document and rule decide at "
	      "each\n"
	      "end. A and B are namespace/name, a service or an IP address. Asks the agent, or "
	      "works\n"
	      "offline with --world.\n\n"
	      "  --port PORT       as in policies: tcp/5432, udp/53, icmp/echo-request\n"
	      "  --family FAMILY   ipv4 or ipv6; without it the first that both ends have\n"
	      "  --world FILE      offline: the workloads\n"
	      "  --policies DIR    offline: file or folder (default " POLICIES ")\n"
	      "  --default VERDICT offline: allow (as it is without) or deny, for workloads that "
	      "no\n"
	      "                    policy selects\n"
	      "  --batch FILE      lines FROM TO PROTO/PORT [ipv4|ipv6]; prints a JSON object for "
	      "each.\n"
	      "                    - is standard input\n"
	      "  --run-dir DIR     the agent's folder (default " RUN_DIR ")\n"
	      "  --format FORMAT   text or json\n"
	      "  -h, --help        this text\n\n"
	      "Exit: 0 allowed (or all of a batch answered), 1 denied, 2 usage or trouble.\n\n"
	      "Example:\n"
	      "  vethwall explain --from shop/web-1 --to db --port tcp/5432\n"
	      "  echo 'web db tcp/5432' | vethwall explain --batch - --world world.yaml --policies "
	      ".\n",
	      stdout);
}

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "vethwall explain: %s%s%s; see 'vethwall explain --help'\n", what,
		value ? ": " : "", value ? value : "");
	return VW_EXIT_TROUBLE;
}

enum {
	OPT_FROM = 1,
	OPT_TO,
	OPT_PORT,
	OPT_FAMILY,
	OPT_WORLD,
	OPT_POLICIES,
	OPT_BATCH,
	OPT_RUN_DIR
};

/* Where the value of a plain option goes; NULL for others. */
static const char **option_text(int opt, struct options *o)
{
	const char **const texts[] = {
		[OPT_FROM] = &o->from,	 [OPT_TO] = &o->to,
		[OPT_PORT] = &o->port,	 [OPT_FAMILY] = &o->family,
		[OPT_WORLD] = &o->world, [OPT_POLICIES] = &o->policies,
		[OPT_BATCH] = &o->batch, [OPT_RUN_DIR] = &o->run_dir,
	};

	return opt > 0 && (size_t)opt < VW_ARRAY_SIZE(texts) ? texts[opt] : NULL;
}

/* One option: -1 to go on, else the exit code. */
static int take_option(int opt, struct options *o)
{
	const char **text = option_text(opt, o);

	if (text) {
		*text = optarg;
		return -1;
	}
	switch (opt) {
	case 'd':
		return vw_load_default(optarg, &o->default_deny)
			       ? -1
			       : usage("--default is allow or deny, not", optarg);
	case 'f':
		o->json = strcmp(optarg, "json") == 0;
		return o->json || strcmp(optarg, "text") == 0 ? -1
							      : usage("no such format", optarg);
	case 'h':
		help();
		return VW_EXIT_OK;
	default:
		return usage("unknown or incomplete option", NULL);
	}
}

static int check_options(const struct options *o, int argc)
{
	if (optind < argc)
		return usage("takes options only", NULL);
	if (o->batch && (o->from || o->to || o->port || o->family))
		return usage("--batch reads the questions from its file", NULL);
	if (!o->batch && (!o->from || !o->to || !o->port))
		return usage("needs --from, --to and --port, or --batch", NULL);
	if (o->policies && !o->world)
		return usage("--policies needs --world: the agent answers for what it enforces",
			     NULL);
	return -1;
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"from", required_argument, NULL, OPT_FROM},
		{"to", required_argument, NULL, OPT_TO},
		{"port", required_argument, NULL, OPT_PORT},
		{"family", required_argument, NULL, OPT_FAMILY},
		{"world", required_argument, NULL, OPT_WORLD},
		{"policies", required_argument, NULL, OPT_POLICIES},
		{"batch", required_argument, NULL, OPT_BATCH},
		{"run-dir", required_argument, NULL, OPT_RUN_DIR},
		{"default", required_argument, NULL, 'd'},
		{"format", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{NULL},
	};
	int opt, r;

	opterr = 0;
	optind = 0; /* glibc: start anew, for callers that parsed before */
	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		r = take_option(opt, o);
		if (r >= 0)
			return r;
	}
	return check_options(o, argc);
}

/* ---- answers ---- */

static int load(const struct options *o, struct answering *a)
{
	const char *paths[] = {o->policies ? o->policies : POLICIES};
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	int r, s;

	a->run_dir = o->run_dir ? o->run_dir : RUN_DIR;
	if (!o->world)
		return 0;
	r = vw_load_world(o->world, &a->world, &d);
	s = vw_policies_load(paths, 1, &a->set, &d);
	if (!r)
		r = s;
	if (!r)
		r = vw_explainer_new(&a->set, &a->world, o->default_deny, &a->explainer);
	if (r)
		vw_source_print(&d, stderr);
	if (r == -ENOMEM)
		fputs("vethwall explain: out of memory\n", stderr);
	return r;
}

static json_t *ask_offline(const struct answering *a, const struct vw_question *q, char *why)
{
	struct vw_answer answer;
	json_t *ret;

	if (vw_explainer_ask(a->explainer, q, &answer, why))
		return NULL;
	ret = a->brief ? vw_explain_json_short(q, &answer) : vw_explain_json(q, &answer);
	if (!ret)
		snprintf(why, VW_WHY_MAX, "out of memory");
	return ret;
}

static json_t *brief(json_t *answer)
{
	static const char *const ends[] = {"egress", "ingress"};
	json_t *o = json_copy(answer);

	json_object_del(o, "source");
	json_object_del(o, "destination");
	json_object_del(o, "container_port");
	for (size_t i = 0; i < VW_ARRAY_SIZE(ends); i++) {
		const json_t *end = json_object_get(answer, ends[i]);

		json_object_set_new(o, ends[i],
				    json_pack("{s:O*, s:O*}", "policy",
					      json_object_get(end, "policy"), "rule",
					      json_object_get(end, "rule")));
	}
	json_decref(answer);
	return o;
}

static json_t *ask_agent(const struct answering *a, const struct vw_question *q, const char *port,
			 char *why)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	json_t *request, *answer = NULL, *ret = NULL;
	const char *error;
	int r;

	request = json_pack("{s:s, s:s, s:s, s:s}", "cmd", "explain", "from", q->from, "to", q->to,
			    "port", port);
	if (request && q->family)
		json_object_set_new(request, "family",
				    json_string(q->family == 4 ? "ipv4" : "ipv6"));
	r = request ? vw_control_ask(a->run_dir, request, &answer, &d) : -ENOMEM;
	json_decref(request);
	if (r) {
		snprintf(why, VW_WHY_MAX,
			 "the agent cannot be asked: %.300s; offline: --world FILE --policies DIR",
			 d.list.n ? d.list.v[0].text : strerror(-r));
		return NULL;
	}
	if (json_is_true(json_object_get(answer, "ok")))
		ret = json_incref(json_object_get(answer, "verdict"));
	error = json_string_value(json_object_get(answer, "error"));
	if (!ret)
		snprintf(why, VW_WHY_MAX, "%.400s", error ? error : "the agent gave no answer");
	json_decref(answer);
	return ret && a->brief ? brief(ret) : ret;
}

/* The answer's fields, or NULL with why (VW_WHY_MAX bytes). */
static json_t *ask(const struct answering *a, struct vw_question *q, const char *port,
		   const char *family, char *why)
{
	const char *port_why;

	if (vw_probe_port_parse(port, &q->proto, &q->port, &port_why)) {
		snprintf(why, VW_WHY_MAX, "port \"%.60s\": %s", port, port_why);
		return NULL;
	}
	if (family) {
		q->family = strcmp(family, "ipv4") == 0 ? 4 : strcmp(family, "ipv6") == 0 ? 6 : 0;
		if (!q->family) {
			snprintf(why, VW_WHY_MAX, "family \"%.60s\": expected ipv4 or ipv6",
				 family);
			return NULL;
		}
	}
	return a->explainer ? ask_offline(a, q, why) : ask_agent(a, q, port, why);
}

static int explain_one(const struct options *o, const struct answering *a)
{
	struct vw_question q = {.from = o->from, .to = o->to};
	char why[VW_WHY_MAX];
	json_t *answer = ask(a, &q, o->port, o->family, why);
	const char *verdict;
	bool allow;

	if (!answer) {
		fprintf(stderr, "vethwall explain: %s\n", why);
		return VW_EXIT_TROUBLE;
	}
	if (o->json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		vw_explain_text(answer, stdout);
	}
	verdict = json_string_value(json_object_get(answer, "verdict"));
	allow = verdict && strcmp(verdict, "allow") == 0;
	json_decref(answer);
	return allow ? VW_EXIT_OK : VW_EXIT_NO;
}

/* ---- batch ---- */

/* Splits the line into at most 5 words; the fifth would be one too many. */
static size_t split(char *line, char *words[5])
{
	char *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(line, " \t\r\n", &save); w && n < 5;
	     w = strtok_r(NULL, " \t\r\n", &save))
		words[n++] = w;
	return n;
}

static bool print_failure(char *words[5], size_t n, const char *why)
{
	json_t *o = json_pack("{s:s*, s:s*, s:s}", "from", n > 0 ? words[0] : NULL, "to",
			      n > 1 ? words[1] : NULL, "error", why);

	if (o)
		json_dumpf(o, stdout, JSON_COMPACT);
	json_decref(o);
	putchar('\n');
	return false;
}

static bool answer_line(const struct answering *a, char *line, const char *file, size_t number)
{
	char *words[5] = {0}, why[VW_WHY_MAX] = "expected FROM TO PROTO/PORT [ipv4|ipv6]";
	size_t n = strlen(line) < LINE_MAX_BYTES ? split(line, words) : 5;
	struct vw_question q = {.from = words[0], .to = words[1]};
	json_t *answer = NULL;

	if (n == 0 || (words[0] && *words[0] == '#'))
		return true;
	if (n == 3 || n == 4)
		answer = ask(a, &q, words[2], words[3], why);
	if (!answer) {
		fprintf(stderr, "%s:%zu: %s\n", file, number, why);
		return print_failure(words, words[0] ? n : 0, why);
	}
	json_dumpf(answer, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(answer);
	return true;
}

static int explain_batch(const char *file, struct answering *a)
{
	bool in = strcmp(file, "-") == 0, ok = true;
	FILE *f = in ? stdin : fopen(file, "re");
	char line[LINE_MAX_BYTES + 2];
	size_t number = 0;

	if (!f) {
		fprintf(stderr, "%s: cannot be read: %s\n", file, strerror(errno));
		return VW_EXIT_TROUBLE;
	}
	a->brief = true;
	while (fgets(line, sizeof(line), f))
		ok &= answer_line(a, line, file, ++number);
	ok &= !ferror(f);
	if (!in)
		fclose(f);
	return ok && fflush(stdout) == 0 ? VW_EXIT_OK : VW_EXIT_TROUBLE;
}

int vw_cmd_explain(int argc, char **argv)
{
	_cleanup_(answering_done) struct answering a = {0};
	struct options o = {0};
	int r = parse_options(argc, argv, &o);

	if (r >= 0)
		return r;
	if (load(&o, &a))
		return VW_EXIT_TROUBLE;
	return o.batch ? explain_batch(o.batch, &a) : explain_one(&o, &a);
}
