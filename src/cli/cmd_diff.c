/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vethwall diff: what enforcing these files would change, before anything does. Computed here, with
 * the same code as the agent's, from what the agent (or a file) says of the world. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmds.h"
#include "cli/diff_lists.h"
#include "cli/load.h"
#include "cli/page.h"
#include "cli/source.h"
#include "vethwall/change.h"
#include "vethwall/cleanup.h"
#include "vethwall/version.h"

#define RUN_DIR "/run/vethwall"

const char *const vw_diff_events[_VW_DIFF_EVENT_MAX] = {
	[VW_DIFF_CUT] = "cut",
	[VW_DIFF_OPENED] = "opened",
	[VW_DIFF_CLOSED] = "closed",
	[VW_DIFF_OPENED_WORLD] = "opened-world",
	[VW_DIFF_OPENED_HOST] = "opened-host",
	[VW_DIFF_ISOLATED] = "isolated",
	[VW_DIFF_PLAN] = "plan",
	[VW_DIFF_DENIED_LIVE] = "denied-live",
};

static const char help[] =
	"Usage: vethwall diff [OPTIONS] [--policies DIR|FILE...]\n"
	"       vethwall diff --world FILE --against DIR --policies DIR [OPTIONS]\n"
	"Shows what enforcing these policies would change: which connections become allowed or "
	"denied and\n"
	"who decides it, which live flows would be cut, which logged denials would pass, and the "
	"plan for\n"
	"the kernel. Compares with what the agent enforces, or offline with --against. Nothing is "
	"changed.\n\n"
	"  --policies PATH   the new policies: file or folder, may be given again (default: the\n"
	"                    agent's folder)\n"
	"  --audit           as they would be with 'apply --audit': nothing is refused\n"
	"  --run-dir DIR     the agent's folder (default " RUN_DIR ")\n"
	"  --world FILE      offline: the workloads, as 'vethwall world' prints them\n"
	"  --against PATH    offline: the policies to compare with\n"
	"  --default VERDICT offline: allow (as it is without) or deny, for workloads that no "
	"policy\n"
	"                    selects\n"
	"  --since T         how far the log is looked at: 2h, 7d, or a time (default 24h)\n"
	"  --log-dir DIR     the log's folder (default: the agent's; offline none)\n"
	"  --format FORMAT   text, json, markdown, or html: a page with a picture of it\n"
	"  --all             every line, also where there are many\n"
	"  --out FILE        write the plan to a file, for 'apply --plan'\n"
	"  --fail-on WORDS   exit 1 only when one of these happens, comma between them:\n"
	"                    cut           live flows would be cut\n"
	"                    opened        some connection becomes allowed\n"
	"                    closed        some connection becomes denied\n"
	"                    opened-world  opened, from or to addresses outside\n"
	"                    opened-host   opened, from or to the node\n"
	"                    isolated      a workload becomes isolated\n"
	"                    plan          the kernel's rules change\n"
	"                    denied-live   traffic that is live or in the log would be denied\n"
	"  -h, --help        this text\n\n"
	"Exit: 0 nothing changes (or nothing of --fail-on), 1 something does, 2 usage or "
	"trouble.\n\n"
	"Examples:\n"
	"  vethwall diff --policies new/\n"
	"  vethwall diff --policies new/ --out change.plan && vethwall apply --plan change.plan\n"
	"  vethwall diff --world node7.json --against main/ --policies branch/ --format markdown "
	"\\\n"
	"      --fail-on opened-world,cut\n";

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "vethwall diff: %s%s%s; see 'vethwall diff --help'\n", what,
		value ? ": " : "", value ? value : "");
	return VW_EXIT_TROUBLE;
}

/* ---- options ---- */

enum {
	OPT_RUN_DIR = 1,
	OPT_LOG_DIR,
	OPT_AGAINST,
	OPT_WORLD,
	OPT_SINCE,
	OPT_OUT,
	OPT_FORMAT,
	OPT_POLICIES,
	OPT_DEFAULT,
	OPT_FAIL_ON,
	OPT_ALL,
	OPT_AUDIT,
};

/* Where the value of a plain option goes; NULL for others. */
static const char **option_text(int opt, struct vw_diff_options *o)
{
	const char **const texts[] = {
		[OPT_RUN_DIR] = &o->run_dir, [OPT_LOG_DIR] = &o->log_dir,
		[OPT_AGAINST] = &o->against, [OPT_WORLD] = &o->world,
		[OPT_SINCE] = &o->since,     [OPT_OUT] = &o->out,
		[OPT_FORMAT] = &o->format,
	};

	return opt > 0 && (size_t)opt < VW_ARRAY_SIZE(texts) ? texts[opt] : NULL;
}

static int event_of(const char *word, size_t n)
{
	for (int i = 0; i < _VW_DIFF_EVENT_MAX; i++)
		if (strlen(vw_diff_events[i]) == n && !strncmp(vw_diff_events[i], word, n))
			return i;
	return -EINVAL;
}

static int take_fail_on(struct vw_diff_options *o, const char *words)
{
	for (const char *w = words;; w++) {
		size_t n = strcspn(w, ",");
		int event = event_of(w, n);

		if (event < 0)
			return usage("--fail-on has a word that is none of those listed", words);
		o->fail_on |= 1u << event;
		w += n;
		if (!*w)
			return -1;
	}
}

static int take_policies(struct vw_diff_options *o, const char *path)
{
	return vw_vec_push(&o->policies, path, VW_DIFF_PATHS_MAX) ? usage("too many paths", NULL)
								  : -1;
}

/* One option: -1 to go on, else the exit code. */
static int take_option(int opt, struct vw_diff_options *o)
{
	const char **text = option_text(opt, o);

	if (text) {
		*text = optarg;
		return -1;
	}
	switch (opt) {
	case OPT_POLICIES:
		return take_policies(o, optarg);
	case OPT_DEFAULT:
		return vw_load_default(optarg, &o->default_deny)
			       ? -1
			       : usage("--default is allow or deny, not", optarg);
	case OPT_FAIL_ON:
		return take_fail_on(o, optarg);
	case OPT_ALL:
		o->all = true;
		return -1;
	case OPT_AUDIT:
		o->audit = true;
		return -1;
	case 'h':
		fputs(help, stdout);
		return VW_EXIT_OK;
	default:
		return usage("unknown or incomplete option", NULL);
	}
}

static int check_options(const struct vw_diff_options *o)
{
	static const char *const formats[] = {"text", "json", "markdown", "html"};
	bool known = false;

	for (size_t i = 0; i < VW_ARRAY_SIZE(formats); i++)
		known |= !strcmp(o->format, formats[i]);
	if (!known)
		return usage("--format is text, json, markdown or html, not", o->format);
	if (!o->world != !o->against)
		return usage("offline takes both --world and --against", NULL);
	if (o->world && !o->policies.n)
		return usage("offline needs --policies", NULL);
	if (o->world && o->out)
		return usage("--out needs the agent: a plan is of one node", NULL);
	if (o->world && (o->fail_on & 1u << VW_DIFF_CUT))
		return usage("--fail-on cut needs the agent: it knows the live flows", NULL);
	if (o->world && !o->log_dir && (o->fail_on & 1u << VW_DIFF_DENIED_LIVE))
		return usage("--fail-on denied-live needs the agent, or a log with --log-dir",
			     NULL);
	return -1;
}

static int parse_options(int argc, char **argv, struct vw_diff_options *o)
{
	static const struct option longs[] = {
		{"policies", required_argument, NULL, OPT_POLICIES},
		{"run-dir", required_argument, NULL, OPT_RUN_DIR},
		{"log-dir", required_argument, NULL, OPT_LOG_DIR},
		{"against", required_argument, NULL, OPT_AGAINST},
		{"world", required_argument, NULL, OPT_WORLD},
		{"since", required_argument, NULL, OPT_SINCE},
		{"out", required_argument, NULL, OPT_OUT},
		{"format", required_argument, NULL, OPT_FORMAT},
		{"default", required_argument, NULL, OPT_DEFAULT},
		{"fail-on", required_argument, NULL, OPT_FAIL_ON},
		{"all", no_argument, NULL, OPT_ALL},
		{"audit", no_argument, NULL, OPT_AUDIT},
		{"help", no_argument, NULL, 'h'},
		{NULL},
	};
	int opt, r = -1;

	opterr = 0;
	optind = 0; /* glibc: start anew, for callers that parsed before */
	while (r < 0 && (opt = getopt_long(argc, argv, "h", longs, NULL)) != -1)
		r = take_option(opt, o);
	while (r < 0 && optind < argc)
		r = take_policies(o, argv[optind++]);
	return r < 0 ? check_options(o) : r;
}

/* ---- what it finds ---- */

void vw_diff_done(struct vw_diff *d)
{
	vw_connectivity_done(&d->connectivity);
	vw_diff_groups_done(&d->cut);
	vw_diff_groups_done(&d->passed);
	vw_diff_groups_done(&d->denied);
	free(d->log_why);
	free(d->plan);
	vw_compiled_done(&d->in.compiled);
	vw_policyset_done(&d->in.set);
	vw_sources_done(&d->in.sources);
	vw_snapshot_done(&d->in.now);
	free(d->in.before);
	free(d->in.after);
}

/* What the agent would send, as text. */
static int plan(struct vw_diff *d)
{
	_cleanup_(vw_change_done) struct vw_change c = {0};
	struct vw_oplist ops = {0};
	int r = vw_change_between(&d->in.now.compiled, &d->in.compiled, &c);

	if (!r)
		r = vw_plan(&c.have, &c.want, &ops);
	if (r)
		return r;
	d->operations = ops.list.n;
	d->plan = vw_oplist_print(&ops, NULL);
	vw_vec_done(&ops.list);
	return d->plan ? 0 : -ENOMEM;
}

/* kept: a page shows what stays as well. */
static int connectivity(struct vw_diff *d, bool kept, struct vw_diag *diag)
{
	const struct vw_conn_side before = {&d->in.now.set, &d->in.now.compiled};
	const struct vw_conn_side after = {&d->in.set, &d->in.compiled};

	return vw_connectivity_compare(&before, &after, &d->in.now.world, &d->in.now.config, kept,
				       &d->connectivity, diag);
}

static int compare(const struct vw_diff_options *o, struct vw_diff *d, struct vw_diag *diag)
{
	int r = vw_diff_load(o, &d->in, diag);

	if (!r)
		r = connectivity(d, !strcmp(o->format, "html"), diag);
	if (!r && !d->in.offline)
		r = vw_diff_live(o, d, diag);
	if (!r)
		r = vw_diff_log(o, d, diag);
	if (!r && d->log_why && (o->fail_on & 1u << VW_DIFF_DENIED_LIVE)) {
		vw_error(diag, NULL, "--fail-on denied-live: the log cannot be looked at: %s",
			 d->log_why);
		r = -ENOENT;
	}
	return r ? r : plan(d);
}

bool vw_diff_changes(const struct vw_diff *d)
{
	const struct vw_connectivity *c = &d->connectivity;

	return vw_connectivity_differs(c) || c->policies.n || c->isolation.n || d->operations ||
	       d->in.set.audit != d->in.now.set.audit;
}

static bool is_kind(const struct vw_connectivity *c, const struct vw_conn_edge *e,
		    enum vw_party_kind kind)
{
	return c->parties.v[e->from].kind == kind || c->parties.v[e->to].kind == kind;
}

static uint32_t edge_events(const struct vw_connectivity *c, const struct vw_conn_edge *e)
{
	uint32_t ret = 0;

	vw_vec_foreach (r, &e->ranges) {
		if (r->state == VW_CONN_GAINED)
			ret |= 1u << VW_DIFF_OPENED;
		if (r->state == VW_CONN_LOST)
			ret |= 1u << VW_DIFF_CLOSED;
	}
	if (!(ret & 1u << VW_DIFF_OPENED))
		return ret;
	if (is_kind(c, e, VW_PARTY_OUTSIDE) || is_kind(c, e, VW_PARTY_NAME))
		ret |= 1u << VW_DIFF_OPENED_WORLD;
	if (is_kind(c, e, VW_PARTY_HOST))
		ret |= 1u << VW_DIFF_OPENED_HOST;
	return ret;
}

uint32_t vw_diff_happened(const struct vw_diff *d)
{
	uint32_t ret = 0;

	vw_vec_foreach (e, &d->connectivity.edges)
		ret |= edge_events(&d->connectivity, e);
	vw_vec_foreach (i, &d->connectivity.isolation)
		if (i->isolated)
			ret |= 1u << VW_DIFF_ISOLATED;
	if (d->cut.flows)
		ret |= 1u << VW_DIFF_CUT | 1u << VW_DIFF_DENIED_LIVE;
	if (d->denied.flows)
		ret |= 1u << VW_DIFF_DENIED_LIVE;
	if (d->operations)
		ret |= 1u << VW_DIFF_PLAN;
	return ret;
}

/* ---- the answer ---- */

static int print_json(const struct vw_diff *d)
{
	json_auto_t *o = vw_diff_json(d);

	if (!o || json_dumpf(o, stdout, JSON_INDENT(2)))
		return -ENOMEM;
	putchar('\n');
	return 0;
}

static int print_html(const struct vw_diff *d)
{
	_cleanup_(vw_diff_lists_done) struct vw_diff_lists l = {0};
	struct vw_diff_html_about about = {.before = d->in.before,
					   .after = d->in.after,
					   .made_us = d->until_us,
					   .plan = d->plan};
	int r = vw_diff_lists_make(d, VW_PAGE_ROWS_MAX, &l);

	about.lists = l.list;
	about.n_lists = l.n;
	return r ? r : vw_diff_html(&d->connectivity, &about, stdout);
}

static int print(const struct vw_diff_options *o, const struct vw_diff *d)
{
	bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	int r = 0;

	if (!strcmp(o->format, "json"))
		r = print_json(d);
	else if (!strcmp(o->format, "markdown"))
		vw_diff_markdown(d, o->all, stdout);
	else if (!strcmp(o->format, "html"))
		r = print_html(d);
	else
		vw_diff_text(d, colour, o->all, stdout);
	return r ? r : fflush(stdout) || ferror(stdout) ? -EIO : 0;
}

static int write_plan(const struct vw_diff_options *o, const struct vw_diff *d,
		      struct vw_diag *diag)
{
	struct vw_plan_file p = {.version = (char *)vw_version,
				 .made_us = d->until_us,
				 .audit = o->audit,
				 .sources = d->in.sources,
				 .plan = d->plan};
	struct vw_pos pos = {.file = o->out};
	_cleanup_free_ char *text = NULL;
	int r;

	memcpy(p.node, d->in.now.node, sizeof(p.node));
	memcpy(p.base, d->in.now.digest, sizeof(p.base));
	text = vw_plan_file_print(&p);
	r = text ? vw_file_write(o->out, text, strlen(text)) : -ENOMEM;
	if (r && r != -ENOMEM)
		vw_error(diag, &pos, "cannot be written: %s", strerror(-r));
	return r;
}

static void print_word(const char *s)
{
	putc('\'', stderr);
	for (; *s; s++)
		fputs(*s == '\'' ? "'\\''" : (char[]){*s, '\0'}, stderr);
	putc('\'', stderr);
}

/* The agent is gone: what can be asked without it. */
static void offer_offline(const struct vw_diff_options *o)
{
	fputs("without the agent: vethwall diff --world FILE --against DIR", stderr);
	vw_vec_foreach (p, &o->policies) {
		fputs(" --policies ", stderr);
		print_word(*p);
	}
	fputs(o->policies.n ? "" : " --policies " VW_SYSCONFDIR "/policies", stderr);
	fputs("\n(FILE: what 'vethwall world' printed, or a world as vethwall(8) describes it; "
	      "DIR: the policies to compare with)\n",
	      stderr);
}

static int trouble(const struct vw_diff_options *o, const struct vw_diff *d, int r,
		   struct vw_diag *diag)
{
	if (r == -ENOMEM)
		vw_error(diag, NULL, "out of memory");
	else if (!diag->errors)
		vw_error(diag, NULL, "%s", strerror(-r));
	vw_source_print(diag, stderr);
	if (!d->in.offline && !d->in.before && (r == -ENOENT || r == -ECONNREFUSED))
		offer_offline(o);
	return VW_EXIT_TROUBLE;
}

static int diff(const struct vw_diff_options *o)
{
	_cleanup_(vw_diff_done) struct vw_diff d = {0};
	_cleanup_(vw_diag_done) struct vw_diag diag = {0};
	int r = compare(o, &d, &diag);

	if (!r && o->out)
		r = write_plan(o, &d, &diag);
	if (!r)
		r = print(o, &d);
	if (r)
		return trouble(o, &d, r, &diag);
	vw_source_print(&diag, stderr); /* warnings */
	if (o->fail_on)
		return vw_diff_happened(&d) & o->fail_on ? VW_EXIT_NO : VW_EXIT_OK;
	return vw_diff_changes(&d) ? VW_EXIT_NO : VW_EXIT_OK;
}

int vw_cmd_diff(int argc, char **argv)
{
	struct vw_diff_options o = {.run_dir = RUN_DIR, .since = "24h", .format = "text"};
	int r = parse_options(argc, argv, &o);

	if (r < 0)
		r = diff(&o);
	vw_vec_done(&o.policies);
	return r;
}
