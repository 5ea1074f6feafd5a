/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall apply`: puts policies in force, those of files or those of a plan that was looked at,
 * and with --confirm only until somebody says that all is well. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/change.h"
#include "cli/cmds.h"
#include "cli/flows_filter.h"
#include "cli/source.h"
#include "vethwall/cleanup.h"
#include "vethwall/plan_file.h"

#define PATHS_MAX 64

static const char help[] =
	"Usage: vethwall apply [--policies PATH]... [--plan FILE] [--confirm TIME] [--yes] "
	"[OPTIONS]\n"
	"Puts policies in force, in one transaction: those of the agent's own folder, of files and "
	"folders\n"
	"given, or those of a plan that 'vethwall diff --out' wrote. Connections that stay allowed "
	"lose no\n"
	"packet; live ones that are no longer allowed are cut, and only those.\n\n"
	"  --policies PATH  a file or folder, sent to the agent; again for more\n"
	"  --plan FILE      exactly what was shown; refused when the node has changed so that it "
	"would do\n"
	"                   something else\n"
	"  --confirm TIME   such as 60s, 5m: unless 'vethwall confirm' comes in time, the agent "
	"goes back to\n"
	"                   what was in force, also when this terminal or the agent itself is "
	"gone\n"
	"  --audit          the whole set only watches: what it would refuse is recorded\n"
	"  --yes            do not ask, also on a terminal\n"
	"  --run-dir DIR    the agent's folder (/run/vethwall)\n"
	"  -h, --help       this text\n\n"
	"Without --plan, on a terminal, it says what changes and asks; 'vethwall diff' tells what "
	"that means.\n"
	"Sets from elsewhere than the agent's folder stay in force over a restart, and 'vethwall "
	"status' says\n"
	"so. 'vethwall rollback' takes any of them back.\n\n"
	"Exit: 0 in force, 1 not done (you said no, the plan no longer fits, another change waits "
	"for its\n"
	"confirmation), 2 errors in files, no agent, no permission or trouble.\n\n"
	"Example:\n"
	"  vethwall diff --policies ./new --out plan.json && sudo vethwall apply --plan plan.json "
	"--confirm 60s\n";

struct args {
	const char *paths[PATHS_MAX];
	size_t n_paths;
	const char *plan, *run_dir;
	int64_t confirm_us;
	bool audit, yes, help;
};

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "vethwall apply: %s %s\n", what, word);
	return -1;
}

static int take(int o, struct args *a)
{
	switch (o) {
	case 'p':
		if (a->n_paths == PATHS_MAX)
			return usage("too many", "--policies");
		a->paths[a->n_paths++] = optarg;
		return 0;
	case 'P':
		a->plan = optarg;
		return 0;
	case 'c':
		return flows_duration_parse(optarg, &a->confirm_us) < 0 || a->confirm_us <= 0
			       ? usage("--confirm is a time such as 60s, not", optarg)
			       : 0;
	case 'a':
		a->audit = true;
		return 0;
	case 'y':
		a->yes = true;
		return 0;
	case 'r':
		a->run_dir = optarg;
		return 0;
	case 'h':
		a->help = true;
		return 0;
	default:
		return -1;
	}
}

static int parse(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{"policies", required_argument, NULL, 'p'},
		{"plan", required_argument, NULL, 'P'},
		{"confirm", required_argument, NULL, 'c'},
		{"audit", no_argument, NULL, 'a'},
		{"yes", no_argument, NULL, 'y'},
		{"run-dir", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int o;

	optind = 0;
	while ((o = getopt_long(argc, argv, "hy", options, NULL)) != -1)
		if (take(o, a) < 0)
			return -1;
	if (optind < argc)
		return usage("unexpected argument", argv[optind]);
	if (a->plan && (a->n_paths || a->audit))
		return usage("--plan has policies and mode in it; it does not go with",
			     a->audit ? "--audit" : "--policies");
	return 0;
}

/* ---- what is asked for ---- */

static int read_plan(const struct args *a, json_t *request, struct vw_diag *d)
{
	_cleanup_(vw_plan_file_done) struct vw_plan_file p = {};
	struct vw_pos pos = {.file = a->plan};
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = vw_file_read(a->plan, VW_PLAN_FILE_MAX, &text, &len);

	if (r < 0) {
		vw_error(d, &pos, "cannot be read: %s", strerror(-r));
		return r;
	}
	r = vw_plan_file_parse(text, len, a->plan, &p, d);
	if (r < 0)
		return r;
	json_object_set_new(request, "sources", vw_sources_json(&p.sources));
	json_object_set_new(request, "plan", json_string(p.plan_digest));
	json_object_set_new(request, "plan_node", json_string(p.node));
	json_object_set_new(request, "plan_version", json_string(p.version));
	json_object_set_new(request, "audit", json_boolean(p.audit));
	return 0;
}

/* The agent parses them again; here errors can be shown with their lines. */
static int read_policies(const struct args *a, json_t *request, struct vw_diag *d)
{
	_cleanup_(vw_sources_done) struct vw_sources s = {};
	_cleanup_(vw_policyset_done) struct vw_policyset set = {};
	int r = vw_sources_load(a->paths, a->n_paths, &s, d);

	if (!r)
		r = vw_sources_parse(&s, &set, d);
	if (!r && json_object_set_new(request, "sources", vw_sources_json(&s)) < 0)
		r = -ENOMEM;
	return r;
}

static json_t *make_request(const struct args *a)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	json_t *request = json_pack("{s:s}", "cmd", "apply");
	int r = 0;

	if (a->plan)
		r = read_plan(a, request, &d);
	else if (a->n_paths)
		r = read_policies(a, request, &d);
	if (r < 0 && !d.errors)
		vw_error(&d, NULL, "%s", strerror(-r));
	vw_source_print(&d, stderr);
	if (r < 0) {
		json_decref(request);
		return NULL;
	}
	if (a->audit)
		json_object_set_new(request, "audit", json_true());
	if (a->confirm_us)
		json_object_set_new(request, "confirm_ms", json_integer(a->confirm_us / 1000));
	return request;
}

/* ---- asking first ---- */

static bool agreed(const json_t *dry)
{
	char line[16] = "";

	printf("%lld policies of %lld files (",
	       json_integer_value(json_object_get(dry, "documents")),
	       json_integer_value(json_object_get(dry, "files")));
	vw_change_counts(dry);
	printf(" files), %lld operations in the kernel; 'vethwall diff' tells what they mean.\n"
	       "Put this in force? [y/N] ",
	       json_integer_value(json_object_get(dry, "operations")));
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

/* Shows what would change and holds the agent to it. */
static int ask_first(const struct args *a, json_t *request)
{
	json_auto_t *dry = NULL;
	json_t *question = json_copy(request);
	int r;

	json_object_set_new(question, "dry", json_true());
	r = vw_change_ask(a->run_dir, question, &dry);
	if (r != VW_EXIT_OK)
		return r;
	if (!agreed(dry)) {
		puts("nothing was changed");
		return VW_EXIT_NO;
	}
	json_object_set(request, "plan", json_object_get(dry, "plan"));
	return VW_EXIT_OK;
}

static int apply(const struct args *a)
{
	json_auto_t *answer = NULL;
	json_t *request = make_request(a);
	int r = VW_EXIT_OK;

	if (!request)
		return VW_EXIT_TROUBLE;
	if (!a->plan && !a->yes && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		r = ask_first(a, request);
	if (r != VW_EXIT_OK) {
		json_decref(request);
		return r;
	}
	r = vw_change_ask(a->run_dir, request, &answer);
	if (r == VW_EXIT_OK)
		vw_change_report(answer, a->run_dir);
	return r;
}

int vw_cmd_apply(int argc, char **argv)
{
	struct args a = {.run_dir = VW_RUN_DIR};

	if (parse(argc, argv, &a) < 0)
		return VW_EXIT_TROUBLE;
	if (a.help) {
		fputs(help, stdout);
		return VW_EXIT_OK;
	}
	return apply(&a);
}
