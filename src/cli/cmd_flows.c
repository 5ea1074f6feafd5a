/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall flows`: the reviewer's tool. The command line becomes a query, which a mode answers.
 * Reads the files alone, so it works without the agent and on copies of a log. */
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "cli/cmds.h"
#include "cli/flows.h"
#include "vethwall/cleanup.h"

#define LIMIT_MAX 1000000
#define RUN_DIR "/run/vethwall"
#define STATE_DIR "/var/lib/vethwall"
#define LOG_DIR "/var/log/vethwall"
#define POLICIES VW_SYSCONFDIR "/policies"
#define FOLLOW_LIMIT 10
#define MIN_PORTS 15 /* of a scan, as Zeek's scan.zeek has it */
#define MIN_PEERS 10
#define WIDTH 100

static const char help[] =
	"Usage: vethwall flows [MODE] [FILTERS] ['EXPRESSION'] [OPTIONS]\n"
	"Reviews the agent's log of denied and audited flows. Each record counts what came since "
	"the\n"
	"one before, so sums over records are exact.\n\n"
	"Modes:\n"
	"  list                 the records, oldest first (the default)\n"
	"  top --by F[,F...]    sums by fields, the most first\n"
	"  timeline             when it happened, as a chart\n"
	"  scans                who tried many ports or many addresses, and what shows it\n"
	"  first-seen --since T what never happened before T; --by as in top\n"
	"  follow               the last 10 records, then those that come\n"
	"  live                 what is open now, from the agent (also --live)\n"
	"  show ID              all about one flow: a Community ID or record ID (--ids), or its "
	"beginning\n\n"
	"Filters; a comma or the same option again gives alternatives:\n"
	"  --since T            from T on: 2h, 90s, 1d ago, or a time (2026-11-22T14:30:00Z,\n"
	"                       \"2026-11-22 14:30\" and 14:30 are local)\n"
	"  --from T, --to T     between two such times\n"
	"  --workload NAME      the workload at whose interface it was refused: namespace/name, or "
	"name\n"
	"  --service NAME       its service\n"
	"  --namespace NAME     its namespace\n"
	"  --image GLOB         its image, * for any characters\n"
	"  --peer WHO           the other end: name, service, entity (world, host, ...), address "
	"or CIDR\n"
	"  --cidr CIDR          either end's address\n"
	"  --port P, LO-HI      destination port\n"
	"  --proto P            tcp, udp, icmp, icmpv6, ... or a number\n"
	"  --direction D        ingress or egress, as the workload sees it\n"
	"  --policy NAME        the deciding document; 'default' where none allowed it\n"
	"  --rule NAME          its rule\n"
	"  --event E            denied, audited, allowed (rules with log: true), overflow, held\n"
	"  --min-packets N      at least so many packets in the record\n"
	"  --where EXPRESSION   as the expression that may stand after the mode: fields of the log "
	"compared\n"
	"                       with = != ~ (glob) < <= > >= in, joined by and, or, not, ( )\n\n"
	"Options:\n"
	"  --by F[,F...]        fields of top and first-seen, as the log names them (port: "
	"dest_port)\n"
	"  --sort M             top by packets (the default), bytes, records or flows (5-tuples)\n"
	"  --bucket D           of timeline: 1m, 1h, ...\n"
	"  --min-ports N, --min-peers N   of scans (15 ports, 10 addresses)\n"
	"  --limit N            list: only the last N; top, first-seen, scans: the first N (20)\n"
	"  --follow             list, then wait for more\n"
	"  --ids                text with the ID that show takes\n"
	"  --utc                text with UTC and microseconds instead of local time\n"
	"  --format F           text, json (one object a line; of list as in the log), csv,\n"
	"                       html (a report in one file), pcap (the packets of the query, "
	"pcapng)\n"
	"  --out FILE           instead of standard output\n"
	"  --verify             checks that no record was removed or altered\n"
	"  --log-dir DIR        the log's folder (" LOG_DIR ")\n"
	"  --run-dir DIR, --policies DIR   show, live: the agent, and where its policies are\n"
	"  --state-dir DIR      verify: where the newest seal is kept (" STATE_DIR ")\n"
	"  -h, --help           this text\n\n"
	"Exit: 0 done, also when nothing matched; 1 --verify or show found a fault or nothing;\n"
	"2 usage or the log cannot be read.\n\n"
	"Examples:\n"
	"  vethwall flows --since 2h --workload shop/api\n"
	"  vethwall flows 'service=api and port in 5432,6379 and not peer=world'\n"
	"  vethwall flows top --by service,peer --since 1d\n"
	"  vethwall flows scans --from 14:00 --to 15:00\n"
	"  vethwall flows --peer 10.0.0.0/8 --port 22 --format pcap --out ssh.pcapng\n";

static const struct mode {
	const char *name;
	int (*fn)(struct flows_query *q);
	unsigned formats; /* beside text, JSON and CSV: 1 << enum flows_format */
} modes[] = {
	{"list", flows_list, 1 << FLOWS_HTML | 1 << FLOWS_PCAP},
	{"top", flows_top, 0},
	{"timeline", flows_timeline, 0},
	{"scans", flows_scans, 0},
	{"first-seen", flows_first_seen, 0},
	{"follow", flows_list, 0},
	{"show", flows_show, 0},
	{"live", flows_live, 0},
	{"verify", flows_verify, 0},
};

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "vethwall flows: %s%s%.200s; see 'vethwall flows --help'\n", what,
		value ? " " : "", value ? value : "");
	return -EINVAL;
}

/* ---- what modes share ---- */

int flows_cannot(const struct flows_query *q, int error)
{
	if (error == -EPIPE)
		return VW_EXIT_OK; /* the reader has seen enough */
	fprintf(stderr, "vethwall flows: cannot read %s: %s\n", q->reader.dir, strerror(-error));
	return VW_EXIT_TROUBLE;
}

int flows_run(struct flows_query *q,
	      int (*record)(void *arg, const struct vw_flow *f, const char *line, size_t n),
	      void *arg)
{
	int r = 0;

	q->reader.record = record;
	q->reader.arg = arg;
	/* said before anything is printed that looks like an answer */
	if (access(q->reader.dir, R_OK | X_OK))
		r = -errno;
	if (!r)
		r = flows_read(&q->reader);
	return r ? flows_cannot(q, r) : 0;
}

int flows_end(struct flows_query *q)
{
	if (fflush(q->out) || ferror(q->out)) {
		if (errno == EPIPE)
			return VW_EXIT_OK;
		fprintf(stderr, "vethwall flows: cannot write: %s\n", strerror(errno));
		return VW_EXIT_TROUBLE;
	}
	flows_reader_tell(&q->reader);
	return VW_EXIT_OK;
}

size_t flows_width(const struct flows_query *q)
{
	struct winsize w;

	if (isatty(fileno(q->out)) && !ioctl(fileno(q->out), TIOCGWINSZ, &w) && w.ws_col)
		return w.ws_col;
	return WIDTH;
}

/* ---- options ---- */

enum {
	OPT_FILTER = 256, /* and a field */
	OPT_SINCE = OPT_FILTER + _VW_FIELD_MAX,
	OPT_TO,
	OPT_WHERE,
	OPT_BY,
	OPT_SORT,
	OPT_BUCKET,
	OPT_MIN_PORTS,
	OPT_MIN_PEERS,
	OPT_LIMIT,
	OPT_FOLLOW,
	OPT_IDS,
	OPT_UTC,
	OPT_FORMAT,
	OPT_OUT,
	OPT_VERIFY,
	OPT_LIVE,
	OPT_LOG_DIR,
	OPT_RUN_DIR,
	OPT_STATE_DIR,
	OPT_POLICIES
};

static const struct option options[] = {
	{"since", required_argument, NULL, OPT_SINCE},
	{"from", required_argument, NULL, OPT_SINCE},
	{"to", required_argument, NULL, OPT_TO},
	{"workload", required_argument, NULL, OPT_FILTER + VW_FIELD_WORKLOAD},
	{"service", required_argument, NULL, OPT_FILTER + VW_FIELD_SERVICE},
	{"namespace", required_argument, NULL, OPT_FILTER + VW_FIELD_NAMESPACE},
	{"image", required_argument, NULL, OPT_FILTER + VW_FIELD_IMAGE},
	{"peer", required_argument, NULL, OPT_FILTER + VW_FIELD_PEER},
	{"cidr", required_argument, NULL, OPT_FILTER + VW_FIELD_IP},
	{"port", required_argument, NULL, OPT_FILTER + VW_FIELD_DEST_PORT},
	{"proto", required_argument, NULL, OPT_FILTER + VW_FIELD_PROTO},
	{"direction", required_argument, NULL, OPT_FILTER + VW_FIELD_DIRECTION},
	{"policy", required_argument, NULL, OPT_FILTER + VW_FIELD_POLICY},
	{"rule", required_argument, NULL, OPT_FILTER + VW_FIELD_RULE},
	{"event", required_argument, NULL, OPT_FILTER + VW_FIELD_EVENT_TYPE},
	{"min-packets", required_argument, NULL, OPT_FILTER + VW_FIELD_PACKETS},
	{"where", required_argument, NULL, OPT_WHERE},
	{"by", required_argument, NULL, OPT_BY},
	{"sort", required_argument, NULL, OPT_SORT},
	{"bucket", required_argument, NULL, OPT_BUCKET},
	{"min-ports", required_argument, NULL, OPT_MIN_PORTS},
	{"min-peers", required_argument, NULL, OPT_MIN_PEERS},
	{"limit", required_argument, NULL, OPT_LIMIT},
	{"follow", no_argument, NULL, OPT_FOLLOW},
	{"ids", no_argument, NULL, OPT_IDS},
	{"utc", no_argument, NULL, OPT_UTC},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"out", required_argument, NULL, OPT_OUT},
	{"verify", no_argument, NULL, OPT_VERIFY},
	{"live", no_argument, NULL, OPT_LIVE},
	{"log-dir", required_argument, NULL, OPT_LOG_DIR},
	{"run-dir", required_argument, NULL, OPT_RUN_DIR},
	{"state-dir", required_argument, NULL, OPT_STATE_DIR},
	{"policies", required_argument, NULL, OPT_POLICIES},
	{"help", no_argument, NULL, 'h'},
	{0},
};

/* What the command line said beside the query itself. */
struct line {
	struct flows_query *q;
	const struct mode *mode;
	const char *where, *out;
	char *words; /* of the expression */
};

static int take_number(const char *what, const char *text, unsigned long *ret)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || !v || v > LIMIT_MAX)
		return usage(what, text);
	*ret = v;
	return 0;
}

static int take_by(struct flows_query *q, const char *text)
{
	static const enum vw_field sums[] = {VW_FIELD_IP, VW_FIELD_PACKETS, VW_FIELD_BYTES,
					     VW_FIELD_FIRST_SEEN, VW_FIELD_LAST_SEEN};

	q->n_by = 0;
	for (const char *p = text;; p++) {
		size_t n = strcspn(p, ",");
		int f = vw_field_parse(p, n);

		if (f < 0 || q->n_by == VW_GROUP_FIELDS_MAX)
			return usage(f < 0 ? "--by takes fields of the log, not"
					   : "--by takes at most 8 fields, not",
				     p);
		for (size_t i = 0; i < VW_ARRAY_SIZE(sums); i++) {
			if ((int)sums[i] == f)
				return usage("--by cannot take", vw_field_str(sums[i]));
		}
		q->by[q->n_by++] = (enum vw_field)f;
		p += n;
		if (!*p)
			return 0;
	}
}

static int take_word(const char *what, const char *const *words, size_t n, const char *text,
		     int *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(words[i], text)) {
			*ret = (int)i;
			return 0;
		}
	}
	return usage(what, text);
}

static int take_format(struct flows_query *q, const char *text)
{
	static const char *const words[] = {"text", "json", "csv", "html", "pcap"};
	int i = 0, r = take_word("no such format:", words, VW_ARRAY_SIZE(words), text, &i);

	q->format = (enum flows_format)i;
	return r;
}

static int take_sort(struct flows_query *q, const char *text)
{
	static const char *const words[] = {"packets", "bytes", "records", "flows"};
	int i = 0, r = take_word("--sort is packets, bytes, records or flows, not", words,
				 VW_ARRAY_SIZE(words), text, &i);

	q->sort = (enum vw_measure)i;
	return r;
}

static int take_mode(struct line *l, const char *name)
{
	for (size_t i = 0; i < VW_ARRAY_SIZE(modes); i++) {
		if (!strcmp(modes[i].name, name)) {
			l->mode = &modes[i];
			return 0;
		}
	}
	return -ENOENT;
}

static int take_time(const char *text, int64_t *ret)
{
	return flows_time_parse(text, flows_now_us(), ret) ? usage("not a time:", text) : 0;
}

/* 0, or -errno when it was told what is wrong. */
static int take_other(struct line *l, int opt)
{
	struct flows_query *q = l->q;

	switch (opt) {
	case OPT_SINCE:
		return take_time(optarg, &q->filter.from_us);
	case OPT_TO:
		return take_time(optarg, &q->filter.to_us);
	case OPT_BY:
		return take_by(q, optarg);
	case OPT_SORT:
		return take_sort(q, optarg);
	case OPT_BUCKET:
		return flows_duration_parse(optarg, &q->bucket_us) || !q->bucket_us
			       ? usage("--bucket is such as 30s, 5m or 1h, not", optarg)
			       : 0;
	case OPT_MIN_PORTS:
		return take_number("--min-ports is a number, not", optarg, &q->min_ports);
	case OPT_MIN_PEERS:
		return take_number("--min-peers is a number, not", optarg, &q->min_peers);
	case OPT_LIMIT:
		return take_number("--limit is a number from 1 to 1000000, not", optarg, &q->limit);
	case OPT_FORMAT:
		return take_format(q, optarg);
	default:
		return usage("unknown or incomplete option", NULL);
	}
}

static int take(struct line *l, int opt)
{
	struct flows_query *q = l->q;
	const char **const texts[] = {
		[OPT_WHERE - OPT_SINCE] = &l->where,
		[OPT_OUT - OPT_SINCE] = &l->out,
		[OPT_LOG_DIR - OPT_SINCE] = &q->reader.dir,
		[OPT_RUN_DIR - OPT_SINCE] = &q->run_dir,
		[OPT_STATE_DIR - OPT_SINCE] = &q->state_dir,
		[OPT_POLICIES - OPT_SINCE] = &q->policies,
	};
	bool *const flags[] = {
		[OPT_FOLLOW - OPT_SINCE] = &q->follow,
		[OPT_IDS - OPT_SINCE] = &q->ids,
		[OPT_UTC - OPT_SINCE] = &q->utc,
	};
	size_t i = (size_t)(opt - OPT_SINCE);

	if (opt >= OPT_FILTER && opt < OPT_SINCE)
		return flows_filter_option(&q->filter, (enum vw_field)(opt - OPT_FILTER), optarg);
	if (opt == OPT_VERIFY || opt == OPT_LIVE)
		return take_mode(l, opt == OPT_LIVE ? "live" : "verify");
	if (opt >= OPT_SINCE && i < VW_ARRAY_SIZE(texts) && texts[i]) {
		*texts[i] = optarg;
		return 0;
	}
	if (opt >= OPT_SINCE && i < VW_ARRAY_SIZE(flags) && flags[i]) {
		*flags[i] = true;
		return 0;
	}
	return take_other(l, opt);
}

/* A mode, its argument, and the words of an expression, which need no quotes then. */
static int take_words(struct line *l, int n, char **words)
{
	int i = 0;

	if (i < n && !l->mode && !take_mode(l, words[i]))
		i++;
	if (!l->mode)
		l->mode = &modes[0];
	if (l->mode->fn == flows_show) {
		if (i == n)
			return usage("show takes the ID of a flow", NULL);
		l->q->id = words[i++];
	}
	if (!strcmp(l->mode->name, "follow")) {
		l->q->follow = true;
		l->q->limit = l->q->limit ? l->q->limit : FOLLOW_LIMIT;
	}
	for (; i < n; i++) {
		char *both;

		if (asprintf(&both, "%s%s%s", l->words ? l->words : "", l->words ? " " : "",
			     words[i]) < 0)
			return -ENOMEM;
		free(l->words);
		l->words = both;
	}
	return 0;
}

/* ---- from options to a query ---- */

/* The expression and a caret below the place; what a terminal would act on becomes a dot. */
static void show_place(const char *text, unsigned col)
{
	unsigned at = 0;

	fputs("  ", stderr);
	for (const char *p = text; *p; p++) {
		bool begins = ((unsigned char)*p & 0xc0) != 0x80;
		bool bad = (unsigned char)*p < 0x20 || *p == 0x7f || *p == '\xc2';

		at += begins;
		if (at + 40 > col && at < col + 60)
			putc(bad ? '.' : *p, stderr);
	}
	fprintf(stderr, "\n  %*s\n", (int)(col < 40 ? col : 40), "^");
}

static int tell_filter(const char *text, struct vw_diag *d)
{
	vw_diag_print(d, stderr, isatty(STDERR_FILENO));
	if (text && d->list.n && d->list.v[0].col)
		show_place(text, d->list.v[0].col);
	usage("the filter cannot be read", NULL);
	vw_diag_done(d);
	return -EINVAL;
}

static int take_filter(struct line *l)
{
	const char *const texts[] = {l->words, l->where};
	struct vw_diag d = {0};

	for (size_t i = 0; i < VW_ARRAY_SIZE(texts); i++) {
		if (texts[i] && flows_filter_where(&l->q->filter, texts[i], &d))
			return tell_filter(texts[i], &d);
	}
	return flows_filter_build(&l->q->filter, &d) ? tell_filter(NULL, &d) : 0;
}

static int check(const struct line *l)
{
	const struct flows_query *q = l->q;
	unsigned formats = 1 << FLOWS_TEXT | 1 << FLOWS_JSON | 1 << FLOWS_CSV | l->mode->formats;

	if (!(formats & 1u << q->format))
		return usage("this format is not one of", l->mode->name);
	if (l->mode->fn == flows_top && !q->n_by)
		return usage("top needs --by FIELD[,FIELD]", NULL);
	if (l->mode->fn == flows_first_seen && q->filter.from_us == INT64_MIN)
		return usage("first-seen needs --since T", NULL);
	if (q->follow && (l->mode->fn != flows_list || q->format > FLOWS_CSV))
		return usage("nothing but a list can be followed", NULL);
	return 0;
}

static int open_out(struct line *l)
{
	struct flows_query *q = l->q;
	const char *charset;

	q->out = stdout;
	if (l->out)
		q->out = fopen(l->out, "we");
	if (!q->out) {
		fprintf(stderr, "vethwall flows: %s: %s\n", l->out, strerror(errno));
		q->out = stdout;
		return -EIO;
	}
	setlocale(LC_CTYPE, "");
	charset = nl_langinfo(CODESET);
	q->utf8 = isatty(fileno(q->out)) && charset && !strcmp(charset, "UTF-8");
	q->colour = isatty(fileno(q->out)) && !getenv("NO_COLOR");
	return 0;
}

static void defaults(struct flows_query *q)
{
	static const enum vw_field pair[] = {VW_FIELD_WORKLOAD, VW_FIELD_DIRECTION,
					     VW_FIELD_PEER,	VW_FIELD_PEER_IP,
					     VW_FIELD_PROTO,	VW_FIELD_DEST_PORT};

	if (!q->n_by) {
		memcpy(q->by, pair, sizeof(pair));
		q->n_by = VW_ARRAY_SIZE(pair);
	}
	q->reader.filter = &q->filter;
}

/* The command as it was called, for whoever reads the answer later. */
static char *command_of(int argc, char **argv)
{
	_cleanup_free_ char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	fputs("vethwall flows", f);
	for (int i = 1; i < argc; i++)
		fprintf(f, strpbrk(argv[i], " \t\n'\"()<>!~*") ? " '%s'" : " %s", argv[i]);
	return fclose(f) ? NULL : TAKE_PTR(text);
}

/* -1 to go on, or an exit code. */
static int read_line(int argc, char **argv, struct line *l)
{
	int opt;

	opterr = 0;
	optind = 0; /* glibc: start anew, for callers that parsed before */
	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return VW_EXIT_OK;
		}
		if (take(l, opt))
			return VW_EXIT_TROUBLE;
	}
	if (take_words(l, argc - optind, argv + optind) || take_filter(l) || check(l) ||
	    open_out(l))
		return VW_EXIT_TROUBLE;
	defaults(l->q);
	return -1;
}

static void query_done(struct flows_query **qp)
{
	struct flows_query *q = *qp;

	if (!q)
		return;
	flows_reader_done(&q->reader);
	flows_filter_done(&q->filter);
	if (q->out && q->out != stdout)
		fclose(q->out);
	free(q->command);
	free(q);
}

int vw_cmd_flows(int argc, char **argv)
{
	_cleanup_(query_done) struct flows_query *q = calloc(1, sizeof(*q));
	struct line l = {.q = q};
	int r;

	if (!q || flows_filter_init(&q->filter) ||
	    getrandom(q->seed, sizeof(q->seed), 0) != (ssize_t)sizeof(q->seed)) {
		fputs("vethwall flows: out of memory\n", stderr);
		return VW_EXIT_TROUBLE;
	}
	q->reader.dir = LOG_DIR;
	q->run_dir = RUN_DIR;
	q->state_dir = STATE_DIR;
	q->policies = POLICIES;
	q->min_ports = MIN_PORTS;
	q->min_peers = MIN_PEERS;
	q->command = command_of(argc, argv);
	r = read_line(argc, argv, &l);
	free(l.words);
	if (r >= 0)
		return r;
	if (q->format == FLOWS_PCAP)
		return flows_pcap(q);
	return q->format == FLOWS_HTML ? flows_html(q) : l.mode->fn(q);
}
