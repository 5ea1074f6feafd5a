/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall suggest`: policies that allow what was seen. It changes nothing; what it writes is for
 * somebody to read. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cmds.h"
#include "cli/flows_filter.h"
#include "cli/source.h"
#include "cli/suggest.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/version.h"

#define RUN_DIR "/run/vethwall"
#define FOLD_MAX 1000000

static const char help[] =
	"Usage: vethwall suggest [OPTIONS]\n"
	"       vethwall suggest --world FILE --log-dir DIR [--policies PATH...] [OPTIONS]\n"
	"Writes the smallest ServicePolicy documents that allow what was seen: live flows, what "
	"the "
	"agent\n"
	"remembers of earlier ones, and the log's audited and allowed records. Enforced, they deny "
	"none\n"
	"of it. What a guardrail forbids is listed, not allowed. Nothing is changed.\n\n"
	"Denied records are left out, for what was denied may have been an attack: --denied takes "
	"them\n"
	"too, and then every line is to be read. Let the agent run with 'mode: audit' (and, where "
	"no\n"
	"policy stands yet, 'default: deny') for some days before: then every new connection is "
	"on\n"
	"record, however short it was.\n\n"
	"  --since T         from T on: 2h, 7d (the default), or a time\n"
	"  --service S       only for this service; namespace/service\n"
	"  --source S,...    of live, memory, audited, allowed, denied (all but the last)\n"
	"  --denied          denied records as well\n"
	"  --fold N          more than N addresses outside on one port become 'world'\n"
	"  --out DIR         a file for each document instead of standard output\n"
	"  --policies PATH   what stands beside: guardrails, and names that are taken (the "
	"agent's)\n"
	"  --run-dir DIR     the agent's folder (" RUN_DIR ")\n"
	"  --log-dir DIR     the log's folder (the agent's)\n"
	"  --world FILE      offline: the workloads, as 'vethwall world' prints them\n"
	"  -h, --help        this text\n\n"
	"Exit: 0 done, also when nothing was seen; 1 a file is invalid; 2 usage or trouble.\n\n"
	"Examples:\n"
	"  vethwall suggest --since 2d --out suggested/ && vethwall diff --policies suggested/\n"
	"  vethwall suggest --service shop/api --source live\n";

static const struct {
	const char *name;
	unsigned bit;
} sources[] = {
	{"live", VW_FROM_LIVE},	      {"memory", VW_FROM_MEMORY}, {"audited", VW_FROM_AUDITED},
	{"allowed", VW_FROM_ALLOWED}, {"denied", VW_FROM_DENIED},
};

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "vethwall suggest: %s%s%.200s; see 'vethwall suggest --help'\n", what,
		value ? " " : "", value ? value : "");
	return -EINVAL;
}

/* ---- options ---- */

static int take_sources(const char *text, unsigned *ret)
{
	for (const char *at = text;; at++) {
		size_t n = strcspn(at, ","), i = 0;

		while (i < VW_ARRAY_SIZE(sources) &&
		       (strlen(sources[i].name) != n || strncmp(sources[i].name, at, n)))
			i++;
		if (i == VW_ARRAY_SIZE(sources))
			return usage("--source is live, memory, audited, allowed or denied, not",
				     text);
		*ret |= sources[i].bit;
		at += n;
		if (!*at)
			return 0;
	}
}

static int take_fold(const char *text, size_t *ret)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || !n || n > FOLD_MAX)
		return usage("--fold is a number from 1 to 1000000, not", text);
	*ret = n;
	return 0;
}

struct args {
	struct vw_suggest_query q;
	const char *since;
	unsigned from;
	bool denied;
};

static const struct option options[] = {
	{"since", required_argument, NULL, 's'},    {"service", required_argument, NULL, 'S'},
	{"source", required_argument, NULL, 'o'},   {"denied", no_argument, NULL, 'd'},
	{"fold", required_argument, NULL, 'f'},	    {"out", required_argument, NULL, 'O'},
	{"policies", required_argument, NULL, 'p'}, {"run-dir", required_argument, NULL, 'R'},
	{"log-dir", required_argument, NULL, 'L'},  {"world", required_argument, NULL, 'w'},
	{"help", no_argument, NULL, 'h'},	    {0},
};

/* 0, 1: it was help, or -EINVAL when it was told what is wrong. */
static int take(int opt, struct args *a)
{
	switch (opt) {
	case 's':
		a->since = optarg;
		return 0;
	case 'S':
		a->q.o.service = optarg;
		return 0;
	case 'o':
		return take_sources(optarg, &a->from);
	case 'd':
		a->denied = true;
		return 0;
	case 'f':
		return take_fold(optarg, &a->q.o.fold);
	case 'O':
		a->q.out = optarg;
		return 0;
	case 'p':
		return vw_vec_push(&a->q.policies, optarg, VW_SUGGEST_PATHS_MAX)
			       ? usage("too many paths", NULL)
			       : 0;
	case 'R':
		a->q.run_dir = optarg;
		return 0;
	case 'L':
		a->q.log_dir = optarg;
		return 0;
	case 'w':
		a->q.world = optarg;
		return 0;
	case 'h':
		fputs(help, stdout);
		return 1;
	default:
		return usage("unknown or incomplete option", NULL);
	}
}

static int finish(struct args *a)
{
	struct vw_suggest_query *q = &a->q;
	bool chosen = a->from;

	q->from = chosen ? a->from : VW_FROM_AGENT | VW_FROM_AUDITED | VW_FROM_ALLOWED;
	if (a->denied)
		q->from |= VW_FROM_DENIED;
	if (q->world && chosen && q->from & VW_FROM_AGENT)
		return usage("live and memory need an agent, not --world", NULL);
	if (q->world)
		q->from &= ~(unsigned)VW_FROM_AGENT;
	if (q->world && !q->log_dir)
		return usage("--world needs --log-dir", NULL);
	q->now_us = flows_now_us();
	return flows_time_parse(a->since, q->now_us, &q->since_us) ? usage("not a time:", a->since)
								   : 0;
}

static int parse(int argc, char **argv, struct args *a)
{
	int opt, r = 0;

	opterr = 0;
	optind = 1;
	while (!r && (opt = getopt_long(argc, argv, "h", options, NULL)) != -1)
		r = take(opt, a);
	if (!r && optind < argc)
		r = usage("unexpected argument", argv[optind]);
	return r ? r : finish(a);
}

/* ---- what was left out ---- */

static void tell(uint64_t n, const char *what)
{
	if (n)
		fprintf(stderr, "vethwall suggest: %llu %s\n", (unsigned long long)n, what);
}

static void summary(const struct vw_gathered *g, const struct vw_suggestions *s)
{
	fprintf(stderr, "vethwall suggest: %zu connections seen, %zu documents\n", g->seen.list.n,
		s->docs.n);
	tell(g->as[VW_SEEN_REPLY], "records are replies or ICMP errors, and left out");
	tell(g->as[VW_SEEN_NO_POLICY],
	     "records are of what no policy can allow (forged, malformed, held), and left out");
	tell(g->as[VW_SEEN_NOBODY], "records are of workloads without a name, and left out");
	tell(g->unclear, "flows were closing before anybody saw who had opened them, and are left "
			 "out");
	tell(g->forgotten, "connections had no room in the agent's memory or here: what is "
			   "suggested may lack them");
	tell(g->gaps, "gaps are in this time of the log: what is suggested may lack what was in "
		      "them");
	tell(g->bad, "lines of the log are no records");
}

/* ---- output ---- */

static void head(FILE *f, const struct vw_suggest_query *q)
{
	char since[VW_TIME_STRLEN], now[VW_TIME_STRLEN];

	fprintf(f,
		"# Suggested by vethwall %s at %.19sZ, from what was seen since "
		"%.19sZ.\n# It is what happened, not what should: read it before it is enforced.\n",
		vw_version, vw_time_str(q->now_us, now), vw_time_str(q->since_us, since));
}

static int print(const struct vw_suggest_query *q, const struct vw_suggestions *s)
{
	_cleanup_free_ char *left = vw_unsuggested_text(s);

	head(stdout, q);
	if (!s->docs.n)
		puts("# Nothing was seen that needs a policy.");
	for (size_t i = 0; i < s->docs.n; i++) {
		_cleanup_free_ char *yaml = vw_suggested_yaml(&s->docs.v[i]);

		if (!yaml)
			return -ENOMEM;
		printf("%s%s", i ? "---\n" : "", yaml);
	}
	if (!left)
		return -ENOMEM;
	fputs(left, stdout);
	return fflush(stdout) ? -errno : 0;
}

static int write_doc(const struct vw_suggest_query *q, const struct vw_suggested *d)
{
	_cleanup_free_ char *path = NULL, *yaml = vw_suggested_yaml(d);
	int fd = -1, r = 0;
	FILE *f;

	/* no name of a folder, a hidden file or an option; longer ones are cut and may meet */
	if (!yaml || asprintf(&path, "%s/suggested-%.100s-%.100s.yaml", q->out,
			      d->policy.namespace_, d->policy.name) < 0)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		r = -errno;
		fprintf(stderr, "vethwall suggest: %s: %s\n", path, strerror(-r));
		if (fd >= 0)
			close(fd);
		return r;
	}
	head(f, q);
	fputs(yaml, f);
	if (ferror(f))
		r = -EIO;
	if (fclose(f) && !r)
		r = -errno;
	puts(path);
	return r;
}

/* What was left out goes to standard output: a file of comments alone is no policy. */
static int write_all(const struct vw_suggest_query *q, const struct vw_suggestions *s)
{
	_cleanup_free_ char *left = vw_unsuggested_text(s);
	int r = 0;

	if (!left)
		return -ENOMEM;
	if (mkdir(q->out, 0755) < 0 && errno != EEXIST)
		r = -errno;
	for (size_t i = 0; i < s->docs.n && !r; i++)
		r = write_doc(q, &s->docs.v[i]);
	if (!r)
		fputs(left, stdout);
	return r;
}

static int suggest(const struct vw_suggest_query *q, struct vw_diag *d)
{
	_cleanup_(vw_suggestions_done) struct vw_suggestions s = {0};
	_cleanup_(vw_gathered_done) struct vw_gathered g = {0};
	int r = vw_suggest_gather(q, &g, d);

	if (!r)
		r = vw_suggest(&g.seen, &g.others, &g.world, &q->o, &s);
	if (r)
		return r;
	summary(&g, &s);
	return q->out ? write_all(q, &s) : print(q, &s);
}

int vw_cmd_suggest(int argc, char **argv)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	struct args a = {.since = "7d", .q = {.run_dir = RUN_DIR}};
	int r = parse(argc, argv, &a);

	if (r) {
		vw_vec_done(&a.q.policies);
		return r > 0 ? VW_EXIT_OK : VW_EXIT_TROUBLE;
	}
	r = suggest(&a.q, &d);
	vw_vec_done(&a.q.policies);
	if (r == -EPIPE)
		return VW_EXIT_OK; /* the reader has seen enough */
	if (r && !d.errors)
		vw_error(&d, NULL, "vethwall suggest: %s", strerror(-r));
	vw_source_print(&d, stderr);
	return !r ? VW_EXIT_OK : r == -EINVAL ? VW_EXIT_NO : VW_EXIT_TROUBLE;
}
