/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vethwall graph: who may reach whom, and who tried in vain, as a picture. Computed here from what
 * the agent (or files) says, with the same comparison that `diff` makes, of one set with itself. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/assets.h"
#include "cli/cmds.h"
#include "cli/flows_read.h"
#include "cli/load.h"
#include "cli/page.h"
#include "cli/snapshot.h"
#include "cli/source.h"
#include "vethwall/cleanup.h"

#define RUN_DIR "/run/vethwall"
#define POLICIES VW_SYSCONFDIR "/policies"

static const char help[] =
	"Usage: vethwall graph [OPTIONS]\n"
	"       vethwall graph --world FILE [--policies PATH] [OPTIONS]\n"
	"Draws services as nodes and permitted connections as edges, and from the log those that "
	"were\n"
	"tried and denied. Asks the agent for what it enforces, or works offline with --world.\n\n"
	"  --format FORMAT   html (the default: one file that needs nothing else), svg, or dot "
	"for\n"
	"                    graphviz\n"
	"  --out FILE        instead of standard output\n"
	"  --service S       only what begins or ends at this service: name, or namespace/name\n"
	"  --since T         with denied connections since then: 2h, 7d, or a time (24h with\n"
	"                    --log-dir)\n"
	"  --log-dir DIR     the log's folder (default with --since: the agent's)\n"
	"  --run-dir DIR     the agent's folder (default " RUN_DIR ")\n"
	"  --world FILE      offline: the workloads, as 'vethwall world' prints them\n"
	"  --policies PATH   offline: file or folder (default " POLICIES ")\n"
	"  --default VERDICT offline: allow (as it is without) or deny, for workloads that no "
	"policy\n"
	"                    selects\n"
	"  -h, --help        this text\n\n"
	"Exit: 0 done, 2 usage or trouble.\n\n"
	"Examples:\n"
	"  vethwall graph --since 24h --out node.html\n"
	"  vethwall graph --world world.yaml --policies new/ --service shop/api --format svg "
	">api.svg\n"
	"  vethwall graph --format dot | dot -Tpdf >node.pdf\n";

enum format { HTML, SVG, DOT, _FORMAT_MAX };

struct options {
	const char *out, *service, *since, *log_dir, *run_dir, *world, *policies;
	enum format format;
	bool default_deny;
};

struct drawing {
	struct vw_snapshot now;
	struct vw_connectivity connectivity;
	struct vw_graph_denied denied;
	struct vw_graph graph;
	int64_t made_us, since_us;
	const char *log_dir; /* that was read, or NULL */
	uint64_t bad; /* lines of it that were no records */
};

static void drawing_done(struct drawing *w)
{
	vw_graph_done(&w->graph);
	vw_graph_denied_done(&w->denied);
	vw_connectivity_done(&w->connectivity);
	vw_snapshot_done(&w->now);
}

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "vethwall graph: %s%s%.200s; see 'vethwall graph --help'\n", what,
		value ? ": " : "", value ? value : "");
	return VW_EXIT_TROUBLE;
}

/* ---- options ---- */

enum {
	OPT_OUT = 1,
	OPT_SERVICE,
	OPT_SINCE,
	OPT_LOG_DIR,
	OPT_RUN_DIR,
	OPT_WORLD,
	OPT_POLICIES,
	OPT_DEFAULT,
	OPT_FORMAT,
};

static const char **option_text(int opt, struct options *o)
{
	const char **const texts[] = {
		[OPT_OUT] = &o->out,	       [OPT_SERVICE] = &o->service, [OPT_SINCE] = &o->since,
		[OPT_LOG_DIR] = &o->log_dir,   [OPT_RUN_DIR] = &o->run_dir, [OPT_WORLD] = &o->world,
		[OPT_POLICIES] = &o->policies,
	};

	return opt > 0 && (size_t)opt < VW_ARRAY_SIZE(texts) ? texts[opt] : NULL;
}

static int take_format(struct options *o, const char *word)
{
	static const char *const words[_FORMAT_MAX] = {"html", "svg", "dot"};

	for (int i = 0; i < _FORMAT_MAX; i++) {
		if (!strcmp(words[i], word)) {
			o->format = (enum format)i;
			return -1;
		}
	}
	return usage("--format is html, svg or dot, not", word);
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
	case OPT_DEFAULT:
		return vw_load_default(optarg, &o->default_deny)
			       ? -1
			       : usage("--default is allow or deny, not", optarg);
	case OPT_FORMAT:
		return take_format(o, optarg);
	case 'h':
		fputs(help, stdout);
		return VW_EXIT_OK;
	default:
		return usage("unknown or incomplete option", NULL);
	}
}

static int check_options(struct options *o, int argc)
{
	if (optind < argc)
		return usage("takes options only", NULL);
	if ((o->policies || o->default_deny) && !o->world)
		return usage(
			"--policies and --default need --world: the agent tells what it enforces",
			NULL);
	if (o->world && o->since && !o->log_dir)
		return usage("--since needs --log-dir when there is no agent to tell it", NULL);
	if (o->log_dir && !o->since)
		o->since = "24h";
	return -1;
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"out", required_argument, NULL, OPT_OUT},
		{"service", required_argument, NULL, OPT_SERVICE},
		{"since", required_argument, NULL, OPT_SINCE},
		{"log-dir", required_argument, NULL, OPT_LOG_DIR},
		{"run-dir", required_argument, NULL, OPT_RUN_DIR},
		{"world", required_argument, NULL, OPT_WORLD},
		{"policies", required_argument, NULL, OPT_POLICIES},
		{"default", required_argument, NULL, OPT_DEFAULT},
		{"format", required_argument, NULL, OPT_FORMAT},
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

/* ---- what is drawn ---- */

static int load(const struct options *o, struct drawing *w, struct vw_diag *d)
{
	struct vw_conn_side side = {&w->now.set, &w->now.compiled};
	int r = o->world ? vw_snapshot_files(o->world, o->policies ? o->policies : POLICIES,
					     o->default_deny, &w->now, d)
			 : vw_snapshot_ask(o->run_dir, &w->now, d);

	return r ? r
		 : vw_connectivity_compare(&side, &side, &w->now.world, &w->now.config, true,
					   &w->connectivity, d);
}

static int note(void *arg, const struct vw_flow *f, const char *line, size_t n)
{
	(void)line;
	(void)n;
	return vw_graph_denied_add(arg, f);
}

static int read_log(const struct options *o, struct drawing *w, struct vw_diag *d)
{
	struct vw_pos pos = {.file = o->log_dir ? o->log_dir : w->now.log_dir};
	_cleanup_free_ struct flows_reader *reader = calloc(1, sizeof(*reader));
	struct flows_filter filter;
	int r;

	if (!reader)
		return -ENOMEM;
	if (flows_time_parse(o->since, w->made_us, &w->since_us)) {
		vw_error(d, NULL, "--since: not a time: %.100s", o->since);
		return -EINVAL;
	}
	if (!pos.file) {
		vw_error(d, NULL, "--since: the agent names no log; see --log-dir");
		return -EINVAL;
	}
	r = flows_filter_init(&filter);
	filter.from_us = w->since_us;
	if (!r)
		r = flows_filter_build(&filter, d);
	if (r) {
		flows_filter_done(&filter);
		return r;
	}
	*reader = (struct flows_reader){
		.dir = pos.file, .filter = &filter, .record = note, .arg = &w->denied};
	r = flows_read(reader);
	w->log_dir = pos.file;
	w->bad = reader->bad;
	if (r && r != -ENOMEM)
		vw_error(d, &pos, "cannot be read: %s", strerror(-r));
	flows_reader_done(reader);
	flows_filter_done(&filter);
	return r;
}

static int build(const struct options *o, struct drawing *w, struct vw_diag *d)
{
	int r = vw_graph_add_world(&w->graph, &w->now.world);

	if (!r)
		r = vw_graph_add_connectivity(&w->graph, &w->connectivity);
	if (!r && o->since)
		r = read_log(o, w, d);
	if (!r)
		r = vw_graph_add_denied(&w->graph, &w->denied);
	if (!r && o->service) {
		r = vw_graph_focus(&w->graph, o->service);
		if (r == -ENOENT)
			vw_error(d, NULL, "no service is called '%.200s'", o->service);
	}
	return r ? r : vw_graph_layout(&w->graph);
}

/* ---- how ---- */

static void put_facts(FILE *f, const struct options *o, const struct drawing *w)
{
	char since[VW_TIME_STRLEN];
	char bad[64];

	vw_page_facts_begin(f);
	vw_page_fact(f, "World", o->world ? o->world : w->now.node);
	vw_page_fact(f, "Policies",
		     o->world ? (o->policies ? o->policies : POLICIES)
			      : "as the agent enforces them");
	vw_page_fact(f, "Service", o->service);
	vw_page_fact_time(f, "Made", w->made_us);
	if (w->log_dir) {
		vw_page_fact(f, "Denied", w->log_dir);
		vw_page_fact(f, "Since", vw_time_str(w->since_us, since));
	}
	snprintf(bad, sizeof(bad), "%llu", (unsigned long long)w->bad);
	vw_page_fact(f, "Lines that were no records", w->bad ? bad : NULL);
	vw_page_facts_end(f);
}

static int write_graph(const struct options *o, const struct drawing *w, FILE *f)
{
	_cleanup_free_ char *title = NULL;
	int r = 0;

	if (asprintf(&title, "vethwall: %s%s%s", o->world ? o->world : w->now.node,
		     o->service ? ", " : "", o->service ? o->service : "") < 0)
		return -ENOMEM;
	switch (o->format) {
	case SVG:
		vw_graph_svg(&w->graph, vw_graph_css, title, f);
		break;
	case DOT:
		vw_graph_dot(&w->graph, title, f);
		break;
	default:
		vw_page_begin(f, "Who may reach whom");
		put_facts(f, o, w);
		vw_page_graph(f, &w->graph, title, 0);
		r = vw_page_graph_table(f, &w->graph);
		vw_page_end(f);
	}
	return r;
}

/* A file is written as a whole, or not at all. */
static int write_file(const struct options *o, const struct drawing *w, struct vw_diag *d)
{
	struct vw_pos pos = {.file = o->out};
	_cleanup_free_ char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	int r = f ? write_graph(o, w, f) : -ENOMEM;

	if (f && fclose(f))
		r = -ENOMEM;
	if (r)
		return r;
	r = vw_file_write(o->out, text, n);
	if (r)
		vw_error(d, &pos, "cannot be written: %s", strerror(-r));
	return r;
}

static int draw(const struct options *o, struct drawing *w, struct vw_diag *d)
{
	int r = load(o, w, d);

	if (!r)
		r = build(o, w, d);
	if (r || o->out)
		return r ? r : write_file(o, w, d);
	r = write_graph(o, w, stdout);
	if (!r && (fflush(stdout) || ferror(stdout)))
		r = -EIO;
	return r;
}

static int trouble(const struct options *o, const struct drawing *w, int r, struct vw_diag *d)
{
	if (r == -ENOMEM)
		vw_error(d, NULL, "out of memory");
	else if (!d->errors)
		vw_error(d, NULL, "%s", strerror(-r));
	vw_source_print(d, stderr);
	if (!o->world && !w->now.version)
		fputs("without the agent: vethwall graph --world FILE --policies DIR\n", stderr);
	return VW_EXIT_TROUBLE;
}

int vw_cmd_graph(int argc, char **argv)
{
	struct options o = {.run_dir = RUN_DIR};
	_cleanup_(drawing_done) struct drawing w = {0};
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	int r = parse_options(argc, argv, &o);

	if (r >= 0)
		return r;
	w.made_us = flows_now_us();
	r = draw(&o, &w, &d);
	if (r)
		return trouble(&o, &w, r, &d);
	vw_source_print(&d, stderr); /* warnings */
	return VW_EXIT_OK;
}
