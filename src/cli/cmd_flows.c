/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall flows`: the log of denied flows, filtered and listed. Reads the files alone, so it
 * works without the agent and on copies of a log; memory does not grow with the log. */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/cmds.h"
#include "cli/flows_filter.h"
#include "cli/flows_print.h"
#include "vethwall/cleanup.h"
#include "vethwall/store.h"

#define LOG_NAME "denied.jsonl"
#define LIMIT_MAX 1000000
#define COMPLAINTS_MAX 10 /* about lines that are no records, one by one */
#define FOLLOW_NS 200000000

static const char help[] =
	"Usage: vethwall flows [FILTERS] [--format text|json|csv] [--limit N] [--follow] "
	"[--log-dir DIR]\n"
	"Lists denied and audited flows from the agent's log, oldest first. Each record counts "
	"what came\n"
	"since the one before, so sums over records are exact.\n\n"
	"  --since T            from T on: 2h, 90s, 1d ago, or a time (2026-11-22T14:30:00Z,\n"
	"                       \"2026-11-22 14:30\" and 14:30 are local)\n"
	"  --from T, --to T     between two such times\n"
	"  --workload NAME      the workload at whose interface it was refused: namespace/name, or "
	"name\n"
	"  --service NAME       its service\n"
	"  --peer WHO           the other end: name, service, entity (world, host, ...), address "
	"or CIDR\n"
	"  --port P, LO-HI      destination port\n"
	"  --proto P            tcp, udp, icmp, icmpv6, ... or a number\n"
	"  --direction D        ingress or egress, as the workload sees it\n"
	"  --policy NAME        the deciding document; 'default' where none allowed it\n"
	"  --event E            denied, audited, allowed (rules with log: true), overflow\n"
	"  --limit N            only the last N records\n"
	"  --follow             wait for more\n"
	"  --utc                text with UTC and microseconds instead of local time\n"
	"  --format F           text, json (one object a line, as in the log) or csv\n"
	"  --log-dir DIR        the log's folder (/var/log/vethwall)\n"
	"  -h, --help           this text\n\n"
	"Exit: 0 done, also when nothing matched, 2 usage or the log cannot be read.\n\n"
	"Examples:\n"
	"  vethwall flows --since 2h --workload shop/api\n"
	"  vethwall flows --peer 10.0.0.0/8 --port 22 --format csv > ssh.csv\n"
	"  vethwall flows --follow --direction egress\n";

struct kept_line {
	char *text;
	size_t n;
};

struct flows {
	struct flows_filter filter;
	struct flows_printer printer;
	const char *dir;
	unsigned long limit; /* 0: all */
	bool follow;
	struct kept_line *ring; /* limit lines, the oldest at `next` once full */
	size_t kept, next;
	unsigned long bad;
	char buf[VW_FLOW_LINE_MAX];
};

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "vethwall flows: %s%s%s; see 'vethwall flows --help'\n", what,
		value ? " " : "", value ? value : "");
	return -1;
}

static void show(struct flows *s, const struct vw_flow *f)
{
	s->printer.records++;
	s->printer.packets += f->packets;
	s->printer.bytes += f->bytes;
	s->printer.record(stdout, &s->printer, f);
}

static int keep(struct flows *s, const char *line, size_t n)
{
	struct kept_line *k = &s->ring[s->next];
	char *copy = malloc(n ? n : 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, line, n);
	free(k->text);
	*k = (struct kept_line){copy, n};
	s->next = (s->next + 1) % s->limit;
	if (s->kept < s->limit)
		s->kept++;
	return 0;
}

static void show_kept(struct flows *s)
{
	size_t first = s->kept < s->limit ? 0 : s->next;
	struct vw_flow f;

	for (size_t i = 0; i < s->kept; i++) {
		struct kept_line *k = &s->ring[(first + i) % s->limit];

		if (!vw_flow_json_parse(k->text, k->n, s->buf, &f))
			show(s, &f);
	}
}

static void drop_kept(struct flows *s)
{
	for (size_t i = 0; s->ring && i < s->kept; i++)
		free(s->ring[i].text);
	free(s->ring);
	s->ring = NULL;
}

static void complain(struct flows *s, const char *file, uint64_t line)
{
	if (s->bad++ < COMPLAINTS_MAX)
		fprintf(stderr, "%s/%s:%llu: not a flow record, skipped\n", s->dir, file,
			(unsigned long long)line);
}

/* All lines that are there now. */
static int read_lines(struct flows *s, const char *file, struct vw_lines *l)
{
	const char *line;
	size_t n;
	int r;

	while ((r = vw_lines_next(l, &line, &n)) == 1 || r == -EMSGSIZE) {
		struct vw_flow f;

		if (r != 1 || vw_flow_json_parse(line, n, s->buf, &f)) {
			complain(s, file, l->number);
			continue;
		}
		if (!flows_filter_match(&s->filter, &f))
			continue;
		if (!s->limit)
			show(s, &f);
		else if (keep(s, line, n))
			return -ENOMEM;
		if (ferror(stdout))
			return -EPIPE;
	}
	return r;
}

static int read_segment(struct flows *s, const struct vw_segment *seg)
{
	_cleanup_(vw_lines_done) struct vw_lines l = {0};
	int r = vw_lines_init(&l, seg->fd, VW_FLOW_LINE_MAX);

	return r ? r : read_lines(s, seg->name, &l);
}

/* A segment that nobody wrote to since then holds no later record. */
static bool too_old(const struct flows *s, const struct vw_segment *seg)
{
	return s->filter.from_us != INT64_MIN && seg->mtime_us < s->filter.from_us;
}

static int cannot(const struct flows *s, int r)
{
	if (r == -EPIPE)
		return VW_EXIT_OK; /* the reader has seen enough */
	fprintf(stderr, "vethwall flows: cannot read %s: %s\n", s->dir, strerror(-r));
	return VW_EXIT_TROUBLE;
}

/* The file that is being written, and how far it was read. */
struct tail {
	struct vw_segment seg;
	struct vw_lines lines;
	bool open;
};

static void tail_done(struct tail *t)
{
	if (!t->open)
		return;
	vw_lines_done(&t->lines);
	close(t->seg.fd);
	t->open = false;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Everything in segs behind the file that t stands on (all of it if that one is gone); t moves to
 * the youngest, which stays open. */
static int advance(struct flows *s, struct vw_segments *segs, struct tail *t)
{
	size_t from = 0;
	int r = 0;

	for (size_t i = 0; t->open && i < segs->list.n; i++) {
		if (same_file(segs->list.v[i].fd, t->seg.fd))
			from = i + 1;
	}
	if (t->open)
		r = read_lines(s, t->seg.name, &t->lines);
	for (size_t i = from; !r && i + 1 < segs->list.n; i++) {
		if (!too_old(s, &segs->list.v[i]))
			r = read_segment(s, &segs->list.v[i]);
	}
	if (r || from >= segs->list.n)
		return r;
	tail_done(t);
	t->seg = segs->list.v[segs->list.n - 1];
	segs->list.v[segs->list.n - 1].fd = -1;
	r = vw_lines_init(&t->lines, t->seg.fd, VW_FLOW_LINE_MAX);
	t->open = !r;
	if (r)
		close(t->seg.fd);
	return r ? r : read_lines(s, t->seg.name, &t->lines);
}

static int look(struct flows *s, struct tail *t)
{
	_cleanup_(vw_segments_done) struct vw_segments segs = {0};
	int r = vw_segments_open(s->dir, LOG_NAME, &segs);

	return r ? r : advance(s, &segs, t);
}

static int follow(struct flows *s, struct tail *t)
{
	const struct timespec pause = {.tv_nsec = FOLLOW_NS};
	int r = 0;

	while (!r) {
		if (fflush(stdout))
			return -EPIPE;
		nanosleep(&pause, NULL);
		r = look(s, t);
	}
	return r;
}

static int list(struct flows *s)
{
	_cleanup_(tail_done) struct tail t = {0};
	int r;

	if (s->limit) {
		s->ring = calloc(s->limit, sizeof(*s->ring));
		if (!s->ring)
			return cannot(s, -ENOMEM);
	}
	/* said before anything is printed that looks like an answer */
	if (access(s->dir, R_OK | X_OK))
		return cannot(s, -errno);
	s->printer.head(stdout, &s->printer);
	r = look(s, &t);
	if (!r && s->limit)
		show_kept(s);
	drop_kept(s);
	s->limit = 0;
	if (!r && s->follow)
		r = follow(s, &t);
	if (r)
		return cannot(s, r);
	s->printer.foot(stdout, &s->printer);
	if (s->bad)
		fprintf(stderr, "vethwall flows: %lu lines were no flow records\n", s->bad);
	if (t.open && vw_lines_torn(&t.lines))
		fprintf(stderr, "vethwall flows: the last line of %s is incomplete\n", LOG_NAME);
	return VW_EXIT_OK;
}

enum {
	OPT_SINCE = 256,
	OPT_TO,
	OPT_WORKLOAD,
	OPT_SERVICE,
	OPT_PEER,
	OPT_PORT,
	OPT_PROTO,
	OPT_DIRECTION,
	OPT_POLICY,
	OPT_EVENT,
	OPT_LIMIT,
	OPT_FOLLOW,
	OPT_UTC,
	OPT_FORMAT,
	OPT_LOG_DIR
};

static const struct option options[] = {
	{"since", required_argument, NULL, OPT_SINCE},
	{"from", required_argument, NULL, OPT_SINCE},
	{"to", required_argument, NULL, OPT_TO},
	{"workload", required_argument, NULL, OPT_WORKLOAD},
	{"service", required_argument, NULL, OPT_SERVICE},
	{"peer", required_argument, NULL, OPT_PEER},
	{"port", required_argument, NULL, OPT_PORT},
	{"proto", required_argument, NULL, OPT_PROTO},
	{"direction", required_argument, NULL, OPT_DIRECTION},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"event", required_argument, NULL, OPT_EVENT},
	{"limit", required_argument, NULL, OPT_LIMIT},
	{"follow", no_argument, NULL, OPT_FOLLOW},
	{"utc", no_argument, NULL, OPT_UTC},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"log-dir", required_argument, NULL, OPT_LOG_DIR},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static int64_t wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int take_event(struct flows_filter *f, const char *name)
{
	for (int e = 0; e < _VW_FLOW_EVENT_MAX; e++) {
		if (!strcmp(vw_flow_event_str((enum vw_flow_event)e), name)) {
			f->event = e;
			return 0;
		}
	}
	return usage("--event is denied, audited, allowed or overflow, not", name);
}

static int take_limit(struct flows *s, const char *text)
{
	char *end;

	errno = 0;
	s->limit = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || !s->limit || s->limit > LIMIT_MAX)
		return usage("--limit is a number from 1 to 1000000, not", text);
	return 0;
}

static int take_direction(struct flows_filter *f, const char *name)
{
	f->direction = !strcmp(name, "egress");
	if (!f->direction && strcmp(name, "ingress"))
		return usage("--direction is ingress or egress, not", name);
	return 0;
}

/* 0, or -1 when it was told what is wrong. */
static int take(struct flows *s, int opt)
{
	struct flows_filter *f = &s->filter;

	switch (opt) {
	case OPT_SINCE:
		return flows_time_parse(optarg, wall_us(), &f->from_us)
			       ? usage("not a time:", optarg)
			       : 0;
	case OPT_TO:
		return flows_time_parse(optarg, wall_us(), &f->to_us) ? usage("not a time:", optarg)
								      : 0;
	case OPT_WORKLOAD:
		f->workload = optarg;
		return 0;
	case OPT_SERVICE:
		f->service = optarg;
		return 0;
	case OPT_POLICY:
		f->policy = optarg;
		return 0;
	case OPT_PEER:
		flows_peer_set(f, optarg);
		return 0;
	case OPT_PORT:
		f->has_port = true;
		return flows_port_parse(optarg, &f->port_lo, &f->port_hi)
			       ? usage("not a port:", optarg)
			       : 0;
	case OPT_PROTO:
		f->proto = vw_proto_parse(optarg);
		return f->proto < 0 ? usage("not a protocol:", optarg) : 0;
	case OPT_DIRECTION:
		return take_direction(f, optarg);
	case OPT_EVENT:
		return take_event(f, optarg);
	case OPT_LIMIT:
		return take_limit(s, optarg);
	case OPT_FOLLOW:
		s->follow = true;
		return 0;
	case OPT_UTC:
		s->printer.utc = true;
		return 0;
	case OPT_FORMAT:
		return flows_printer_init(&s->printer, optarg) ? usage("no such format:", optarg)
							       : 0;
	case OPT_LOG_DIR:
		s->dir = optarg;
		return 0;
	default:
		return usage("unknown or incomplete option", NULL);
	}
}

int vw_cmd_flows(int argc, char **argv)
{
	_cleanup_free_ struct flows *s = calloc(1, sizeof(*s));
	int opt;

	if (!s)
		return VW_EXIT_TROUBLE;
	s->dir = "/var/log/vethwall";
	flows_filter_init(&s->filter);
	(void)flows_printer_init(&s->printer, "text");
	opterr = 0;
	optind = 1;
	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return VW_EXIT_OK;
		}
		if (take(s, opt))
			return VW_EXIT_TROUBLE;
	}
	if (optind < argc) {
		usage("unexpected argument", argv[optind]);
		return VW_EXIT_TROUBLE;
	}
	s->printer.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	return list(s);
}
