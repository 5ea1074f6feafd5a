/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vethwall check: the same readers as the agent's, then lint and the policies' own expect lines.
 * The findings go to stderr, the summary to stdout. */
#include <getopt.h>
#include <stdio.h>

#include "cli/cmds.h"
#include "cli/load.h"
#include "cli/source.h"
#include "vethwall/cleanup.h"
#include "vethwall/lint.h"

#define SILENCED_MAX 64

struct options {
	const char *world;
	bool json, default_deny;
	VW_VEC(const char *) silenced;
};

struct result {
	size_t policies, files, checked, failed;
	int code; /* of loading: 0, -EINVAL, -errno */
};

static void options_done(struct options *o)
{
	vw_vec_done(&o->silenced);
}

static void help(void)
{
	fputs("Usage: vethwall check [OPTIONS] PATH...\n"
	      "Validates policy files and folders: every error with its place, then what is "
	      "probably a\n"
	      "mistake. Nothing is put in force.\n\n"
	      "  --world FILE      judge the policies' expect: lines against this world, and look "
	      "for\n"
	      "                    selectors that match nothing in it\n"
	      "  --default VERDICT allow (as it is without) or deny: for workloads no policy "
	      "selects\n"
	      "  --silence NAME    leave out the warnings of this rule; may be given again:\n",
	      stdout);
	for (size_t i = 0; vw_lint_rules[i]; i++)
		printf("                      %s\n", vw_lint_rules[i]);
	fputs("  --format FORMAT   text or json\n"
	      "  -h, --help        this text\n\n"
	      "Exit: 0 valid, 1 an error or an expectation that does not hold, 2 a file cannot be "
	      "read.\n\n"
	      "Example:\n"
	      "  vethwall check --world tests/world.yaml policies/\n",
	      stdout);
}

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "vethwall check: %s%s%s; see 'vethwall check --help'\n", what,
		value ? ": " : "", value ? value : "");
	return VW_EXIT_TROUBLE;
}

static int silence(struct options *o, const char *name)
{
	for (size_t i = 0; vw_lint_rules[i]; i++)
		if (strcmp(vw_lint_rules[i], name) == 0)
			return vw_vec_push(&o->silenced, vw_lint_rules[i], SILENCED_MAX)
				       ? usage("too many rules to silence", NULL)
				       : -1;
	return usage("no rule of this name", name);
}

/* One option: -1 to go on, else the exit code. */
static int take_option(int opt, struct options *o)
{
	switch (opt) {
	case 'w':
		o->world = optarg;
		return -1;
	case 's':
		return silence(o, optarg);
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

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"world", required_argument, NULL, 'w'},
		{"silence", required_argument, NULL, 's'},
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
	return optind < argc ? -1 : usage("no file or folder given", NULL);
}

static void check(const struct options *o, const char *const *paths, size_t n, struct result *res,
		  struct vw_diag *d)
{
	_cleanup_(vw_policyset_done) struct vw_policyset set = {0};
	_cleanup_(vw_world_done) struct vw_world world = {0};
	int r = o->world ? vw_load_world(o->world, &world, d) : 0;

	res->code = vw_policies_load(paths, n, &set, d);
	if (!res->code || res->code == -EINVAL)
		res->code = r ? r : res->code;
	if (res->code)
		return;
	res->policies = set.list.n;
	res->files = set.files.n;
	/* Errors first: of too many findings the warnings are left out. */
	if (o->world)
		res->code = vw_expect_run(&set, &world, o->default_deny, d, &res->checked,
					  &res->failed);
	if (res->failed)
		res->code = -EINVAL;
	vw_lint(&set, o->world ? &world : NULL, o->silenced.v, o->silenced.n, d);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_text(const struct options *o, const struct result *res, const struct vw_diag *d)
{
	if (res->code && !res->failed) {
		printf("invalid: %zu error%s\n", d->errors, plural(d->errors));
		return;
	}
	printf("%s: %zu polic%s in %zu file%s", res->failed ? "expectations failed" : "ok",
	       res->policies, res->policies == 1 ? "y" : "ies", res->files, plural(res->files));
	if (o->world)
		printf(", %zu of %zu expectation%s met", res->checked - res->failed, res->checked,
		       plural(res->checked));
	if (d->warnings)
		printf(", %zu warning%s", d->warnings, plural(d->warnings));
	putchar('\n');
}

static void print_json(const struct result *res, const struct vw_diag *d)
{
	json_t *o =
		json_pack("{s:b, s:I, s:I, s:I, s:I, s:{s:I, s:I}, s:o}", "valid", res->code == 0,
			  "policies", (json_int_t)res->policies, "files", (json_int_t)res->files,
			  "errors", (json_int_t)d->errors, "warnings", (json_int_t)d->warnings,
			  "expectations", "checked", (json_int_t)res->checked, "failed",
			  (json_int_t)res->failed, "diagnostics", vw_source_json(d));

	if (o)
		json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

int vw_cmd_check(int argc, char **argv)
{
	_cleanup_(options_done) struct options o = {0};
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	struct result res = {0};
	int r = parse_options(argc, argv, &o);

	if (r >= 0)
		return r;
	check(&o, (const char *const *)argv + optind, (size_t)(argc - optind), &res, &d);
	vw_vec_foreach (s, &o.silenced)
		vw_source_silence(&d, *s);
	if (res.code == -ENOMEM)
		vw_error(&d, NULL, "out of memory");
	vw_source_print(&d, stderr);
	if (o.json)
		print_json(&res, &d);
	else
		print_text(&o, &res, &d);
	return vw_load_exit(res.code);
}
