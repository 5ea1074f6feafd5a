/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The denied-flow log against the real kernel: real packets through sets of the walls' shape, and
 * the records' sums against what was sent. Everything happens in network namespaces of this process
 * and of one child, which end with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "vethwall/cleanup.h"
#include "vethwall/denied.h"
#include "vethwall/flow.h"
#include "vethwall/note.h"
#include "vethwall/store.h"

#define HOST4 "10.9.0.1"
#define CONT4 "10.9.0.2"
#define HOST6 "fd09::1"
#define CONT6 "fd09::2"
#define PAYLOAD 100
#define LEN4 (20 + 8 + PAYLOAD) /* of the IP packet */
#define LEN6 (40 + 8 + PAYLOAD)
#define GROUP 9

static bool namespaced;
static pid_t holder; /* keeps the container's namespace */
static unsigned ifindex;
static char dir[64];

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd))
		fail_msg("failed: %s", cmd);
}

/* ---- the place ---- */

static void hold_namespace(void)
{
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	holder = fork();
	if (!holder) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
}

static int enter(void **state)
{
	(void)state;
	if (geteuid() || unshare(CLONE_NEWNET)) {
		print_message("needs root and network namespaces\n");
		return 0;
	}
	namespaced = true;
	hold_namespace();
	run("ip link set lo up");
	return 0;
}

static int leave(void **state)
{
	(void)state;
	if (holder > 0) {
		kill(holder, SIGKILL);
		waitpid(holder, NULL, 0);
	}
	return 0;
}

/* The veth, and rules that refuse all UDP on it, counted as a wall counts. */
static void make_wall(unsigned size)
{
	FILE *f;

	run("ip link add vwd0 type veth peer name eth0 netns %d", holder);
	run("ip addr add " HOST4 "/24 dev vwd0 && ip addr add " HOST6
	    "/64 dev vwd0 nodad && ip link set vwd0 up");
	run("nsenter -t %d -n sh -c 'ip addr add " CONT4 "/24 dev eth0 && ip addr add " CONT6
	    "/64 dev eth0 nodad && ip link set eth0 up'",
	    holder);
	/* no discovery: only what we send is counted */
	run("mac=$(nsenter -t %d -n ip -o link show eth0 | sed 's/.*ether \\([^ ]*\\).*/\\1/'); "
	    "for a in " CONT4 " " CONT6 "; do ip neigh replace $a lladdr $mac dev vwd0; done",
	    holder);
	run("mac=$(ip -o link show vwd0 | sed 's/.*ether \\([^ ]*\\).*/\\1/'); nsenter -t %d -n sh "
	    "-c \""
	    "ip neigh replace " HOST4 " lladdr $mac dev eth0; ip neigh replace " HOST6
	    " lladdr $mac dev eth0\"",
	    holder);
	ifindex = if_nametoindex("vwd0");
	f = popen("nft -f -", "w");
	fprintf(f, "table netdev vethwall {\n");
	for (int v = 4; v <= 6; v += 2) {
		const char *ip = v == 4 ? "ip" : "ip6", *t = v == 4 ? "ipv4_addr" : "ipv6_addr";

		fprintf(f,
			"set d%d_%u { type mark . %s . %s . inet_proto . inet_service . "
			"inet_service; size %u; "
			"flags dynamic,timeout; timeout 10m; counter; limit rate 1/second burst 1 "
			"packets; }\n"
			"chain dc%d_%u { meta mark & 0x%x != 0 counter\nmeta mark & 0x%x == 0 "
			"counter\n"
			"update @d%d_%u { meta mark . %s saddr . %s daddr . meta l4proto . th "
			"sport . th dport } "
			"log group %d snaplen 128\n}\n"
			"chain di%d_%u { jump dc%d_%u\n drop\n}\n",
			v, ifindex, t, t, size, v, ifindex, VW_CODE_EGRESS, VW_CODE_EGRESS, v,
			ifindex, ip, ip, GROUP, v, ifindex, v, ifindex);
	}
	for (int sent = 0; sent < 2; sent++)
		fprintf(f,
			"chain %s_%u { type filter hook %s device vwd0 priority 0; policy accept;\n"
			"meta protocol ip meta l4proto udp meta mark set 0x%x goto di4_%u\n"
			"meta protocol ip6 meta l4proto udp meta mark set 0x%x goto di6_%u\n }\n",
			sent ? "in" : "eg", ifindex, sent ? "ingress" : "egress",
			VW_CODE_DENY | (sent ? VW_CODE_EGRESS : 0) | VW_REASON_DEFAULT, ifindex,
			VW_CODE_DENY | (sent ? VW_CODE_EGRESS : 0) | VW_REASON_DEFAULT, ifindex);
	fprintf(f, "}\n");
	assert_int_equal(pclose(f), 0);
}

static int setup(void **state)
{
	(void)state;
	if (!namespaced)
		return 0;
	strcpy(dir, "/tmp/vethwall-denied-XXXXXX");
	assert_non_null(mkdtemp(dir));
	make_wall(65536);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (!namespaced)
		return 0;
	run("nft delete table netdev vethwall; ip link del vwd0 2>/dev/null; rm -rf %s", dir);
	return 0;
}

#define NEEDS_KERNEL()           \
	do {                     \
		if (!namespaced) \
			skip();  \
	} while (0)

/* ---- the sender ---- */

struct load {
	bool from_container;
	int v; /* 4 or 6 */
	unsigned flows; /* destination ports base, base + 1, ... */
	unsigned rounds; /* packets of each */
	unsigned base; /* 1 if 0 */
};

static socklen_t address(int v, const char *a4, const char *a6, unsigned port,
			 struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (v == 4) {
		struct sockaddr_in *s = (void *)ret;

		s->sin_family = AF_INET;
		s->sin_port = htons((uint16_t)port);
		inet_pton(AF_INET, a4, &s->sin_addr);
		return sizeof(*s);
	}
	struct sockaddr_in6 *s = (void *)ret;

	s->sin6_family = AF_INET6;
	s->sin6_port = htons((uint16_t)port);
	inet_pton(AF_INET6, a6, &s->sin6_addr);
	return sizeof(*s);
}

/* Sends until all is sent: a packet that the egress hook drops is an error to the sender (EPERM),
 * which has been counted. */
static int sending(const struct load *l)
{
	static char payload[PAYLOAD];
	struct sockaddr_storage a;
	char ns[64];
	int fd, buf = 8 << 20;
	socklen_t n;

	snprintf(ns, sizeof(ns), "/proc/%d/ns/net", holder);
	fd = l->from_container ? open(ns, O_RDONLY) : -1;
	if (l->from_container && setns(fd, CLONE_NEWNET))
		return 1;
	fd = socket(l->v == 4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buf, sizeof(buf));
	n = address(l->v, l->from_container ? CONT4 : HOST4, l->from_container ? CONT6 : HOST6,
		    40000, &a);
	if (bind(fd, (struct sockaddr *)&a, n))
		return 2;
	for (unsigned r = 0; r < l->rounds; r++) {
		for (unsigned i = 0; i < l->flows; i++) {
			n = address(l->v, l->from_container ? HOST4 : CONT4,
				    l->from_container ? HOST6 : CONT6, (l->base ? l->base : 1) + i,
				    &a);
			while (sendto(fd, payload, sizeof(payload), 0, (struct sockaddr *)&a, n) <
			       0) {
				if (errno == EPERM)
					break;
				if (errno != ENOBUFS && errno != EAGAIN)
					return 3;
			}
		}
	}
	return 0;
}

static pid_t start_sender(const struct load *l)
{
	pid_t p = fork();

	if (!p)
		_exit(sending(l));
	return p;
}

static void wait_for(pid_t p)
{
	int status;

	assert_int_equal(waitpid(p, &status, 0), p);
	assert_int_equal(status, 0);
}

static void send_all(const struct load *l)
{
	wait_for(start_sender(l));
}

/* ---- the agent ---- */

struct agent {
	struct vw_loop *loop;
	struct vw_nft *nft;
	struct vw_denied *denied;
	struct vw_settings s;
	struct vw_timer *poll;
	bool (*until)(void *arg);
	void *arg;
	int64_t give_up_ns;
};

static void names(void *arg, unsigned i, const struct vw_tuple *t, struct vw_flow_names *ret)
{
	(void)arg;
	(void)i;
	(void)t;
	*ret = (struct vw_flow_names){.in_iface = "vwd0",
				      .workload = "shop/api-1",
				      .service = "api",
				      .peer = "host",
				      .policy = "default",
				      .rule = "default"};
}

/* Without asserts: also for children, which must not run the rest of the tests. */
static int try_agent(struct agent *a, uint64_t segment)
{
	struct vw_diag d = {0};
	int r;

	memset(a, 0, sizeof(*a));
	a->s = (struct vw_settings){.log_dir = dir,
				    .log_segment_bytes = segment,
				    .log_segments = 900,
				    .pcap_segment_bytes = 1 << 20,
				    .pcap_segments = 2,
				    .flow_interval_ms = 200};
	a->s.config.nflog_group = GROUP;
	a->s.config.denied_max = 65536;
	r = vw_loop_new(&a->loop);
	if (!r)
		r = vw_nft_open(&a->nft, &d);
	if (!r)
		r = vw_denied_open(a->loop, a->nft, &a->s, names, NULL, &a->denied, &d);
	vw_diag_print(&d, stderr, false);
	vw_diag_done(&d);
	return r;
}

static void start_agent(struct agent *a, uint64_t segment)
{
	assert_int_equal(try_agent(a, segment), 0);
}

static void stop_agent(struct agent *a)
{
	vw_timer_free(&a->poll);
	vw_denied_free(&a->denied);
	vw_nft_free(&a->nft);
	vw_loop_free(&a->loop);
}

static void poll_cb(void *arg)
{
	struct agent *a = arg;

	if (a->until(a->arg) || vw_now_ns() > a->give_up_ns)
		vw_loop_stop(a->loop);
	else
		vw_timer_arm(a->poll, 5);
}

/* Runs until it holds; a minute is forever. */
static void run_until(struct agent *a, bool (*until)(void *arg), void *arg)
{
	a->until = until;
	a->arg = arg;
	a->give_up_ns = vw_now_ns() + 60 * (int64_t)1000000000;
	if (!a->poll)
		assert_int_equal(vw_timer_new(a->loop, poll_cb, a, &a->poll), 0);
	vw_timer_arm(a->poll, 0);
	assert_int_equal(vw_loop_run(a->loop), 0);
}

static bool child_ended(void *arg)
{
	pid_t *p = arg;
	int status;

	if (waitpid(*p, &status, WNOHANG) != *p)
		return false;
	assert_int_equal(status, 0);
	return true;
}

/* Sends while the agent runs. */
static void load(struct agent *a, const struct load *l)
{
	pid_t p = start_sender(l);

	run_until(a, child_ended, &p);
}

/* ---- the judge ---- */

struct sums {
	uint64_t packets[2][2], bytes[2][2]; /* by egress and IPv6 */
	uint64_t overflow, records, over[2]; /* by egress */
	uint64_t notes[VW_NOTE_GAP + 1];
	struct vw_flow first;
	char text[VW_FLOW_LINE_MAX];
};
static struct sums sums;

static void read_log(void)
{
	static char buf[VW_FLOW_LINE_MAX];
	struct vw_segments segs = {0};

	memset(&sums, 0, sizeof(sums));
	assert_int_equal(vw_segments_open(dir, "denied.jsonl", &segs), 0);
	vw_vec_foreach (seg, &segs.list) {
		struct vw_lines l;
		const char *line;
		size_t n;

		assert_int_equal(vw_lines_init(&l, seg->fd, VW_FLOW_LINE_MAX), 0);
		while (vw_lines_next(&l, &line, &n) == 1) {
			struct vw_flow f;

			if (vw_note_kind(line, n)) {
				sums.notes[vw_note_kind(line, n)]++;
				continue;
			}
			assert_int_equal(vw_flow_json_parse(line, n, buf, &f), 0);
			if (!sums.records++) {
				memcpy(sums.text, line, n);
				assert_int_equal(vw_flow_json_parse(sums.text, n, buf, &sums.first),
						 0);
			}
			if (f.event == VW_FLOW_OVERFLOW) {
				sums.overflow += f.packets;
				sums.over[f.egress] += f.packets;
				assert_true(f.ip_v == 4 || f.ip_v == 6);
				continue;
			}
			assert_true(f.first_us <= f.last_us && f.last_us <= f.time_us);
			sums.packets[f.egress][f.t.src.family == 6] += f.packets;
			sums.bytes[f.egress][f.t.src.family == 6] += f.bytes;
		}
		vw_lines_done(&l);
	}
	vw_segments_done(&segs);
}

/* The record, and the packet that was sampled. */
static bool has_record(void *arg)
{
	const struct agent *a = arg;
	struct vw_denied_stats st;

	read_log();
	vw_denied_stats(a->denied, &st);
	return sums.records > 0 && st.samples > 0;
}

static void assert_sum(bool egress, int v, uint64_t packets)
{
	assert_int_equal(sums.packets[egress][v == 6], packets);
	assert_int_equal(sums.bytes[egress][v == 6], packets * (v == 6 ? LEN6 : LEN4));
}

/* Everything is in some record. In a scan the kernel may be unable to add an element for a moment
 * (it allocates the counter of each atomically); such a packet is in the overflow's record, and its
 * flow has one less. */
static void assert_sum_with_overflow(bool egress, int v, uint64_t packets, uint64_t *overflow)
{
	uint64_t got = sums.packets[egress][v == 6];

	assert_true(got <= packets && packets - got <= *overflow);
	assert_int_equal(sums.bytes[egress][v == 6], got * (v == 6 ? LEN6 : LEN4));
	*overflow -= packets - got;
}

static int add_counter(const struct vw_nft_elem *e, void *arg)
{
	*(uint64_t *)arg += e->packets;
	return 0;
}

/* What the elements of the set count. */
static uint64_t kernel_packets(const struct agent *a, int v)
{
	char set[VW_NAME_LEN];
	uint64_t n = 0;

	vw_wall_set_name(ifindex, 'd', v, set);
	assert_int_equal(vw_nft_dump_set(a->nft, set, add_counter, &n), 0);
	return n;
}

/* ---- the tests ---- */

static void first_record(void **state)
{
	static const struct load one = {
		.from_container = true, .v = 4, .flows = 1, .rounds = 1, .base = 53};
	struct vw_flow *f = &sums.first;
	char a[VW_ADDR_STRLEN];
	struct agent ag;
	int64_t before = vw_wall_ns() / 1000;

	(void)state;
	NEEDS_KERNEL();
	start_agent(&ag, 1 << 20);
	vw_denied_wall(ag.denied, ifindex, "vwd0", true, true);
	send_all(&one);
	run_until(&ag, has_record, &ag);
	assert_int_equal(sums.records, 1);
	assert_int_equal(f->event, VW_FLOW_DENIED);
	assert_true(f->egress);
	assert_string_equal(vw_addr_str(&f->t.src, a), CONT4);
	assert_string_equal(vw_addr_str(&f->t.dst, a), HOST4);
	assert_int_equal(f->t.sport, 40000);
	assert_int_equal(f->t.dport, 53);
	assert_int_equal(f->packets, 1);
	assert_int_equal(f->bytes, LEN4);
	assert_true(vw_str_is(&f->workload, "shop/api-1"));
	assert_true(vw_str_is(&f->in_iface, "vwd0"));
	assert_true(f->community_id.n == 30);
	assert_true(f->first_us >= before - 10000 && f->time_us <= vw_wall_ns() / 1000);
	stop_agent(&ag);
	run("tshark -r %s/denied.pcapng -T fields -e frame.comment 2>/dev/null | grep -q "
	    "'workload=shop/api-1 service=api direction=egress .*policy=default rule=default'",
	    dir);
	run("tcpdump -n -r %s/denied.pcapng 2>/dev/null | grep -q '" CONT4 ".40000 > " HOST4
	    ".53: '",
	    dir);
}

/* Both directions and families, one flow and many, at full speed. */
static void exact_sums(void **state)
{
	static const struct load loads[] = {
		{.from_container = true, .v = 4, .flows = 1, .rounds = 200000},
		{.from_container = true, .v = 4, .flows = 10000, .rounds = 20, .base = 100},
		{.from_container = true, .v = 6, .flows = 2000, .rounds = 20},
		{.from_container = false, .v = 4, .flows = 500, .rounds = 40},
		{.from_container = false, .v = 6, .flows = 500, .rounds = 40},
	};
	struct vw_denied_stats st;
	struct agent ag;
	uint64_t over;

	(void)state;
	NEEDS_KERNEL();
	start_agent(&ag, 200000); /* and rotation on the way */
	vw_denied_wall(ag.denied, ifindex, "vwd0", true, true);
	for (size_t i = 0; i < VW_ARRAY_SIZE(loads); i++)
		load(&ag, &loads[i]);
	vw_denied_flush(ag.denied);
	read_log();
	vw_denied_flush(ag.denied);
	read_log();
	over = sums.overflow;
	assert_sum_with_overflow(true, 4, 400000, &over);
	assert_sum_with_overflow(true, 6, 40000, &over);
	assert_sum_with_overflow(false, 4, 20000, &over);
	assert_sum_with_overflow(false, 6, 20000, &over);
	assert_int_equal(over, 0);
	assert_true(sums.overflow < 48000);
	vw_denied_stats(ag.denied, &st);
	assert_int_equal(st.packets, 480000);
	assert_int_equal(st.unwritten_packets, 0);
	assert_int_equal(st.records, sums.records);
	stop_agent(&ag);
}

static void scan_of_all_ports(void **state)
{
	static const struct load scan = {
		.from_container = true, .v = 4, .flows = 65535, .rounds = 1};
	struct agent ag;
	uint64_t over;

	(void)state;
	NEEDS_KERNEL();
	start_agent(&ag, 8 << 20);
	vw_denied_wall(ag.denied, ifindex, "vwd0", true, true);
	load(&ag, &scan);
	vw_denied_flush(ag.denied);
	read_log();
	vw_denied_flush(ag.denied);
	read_log();
	over = sums.overflow;
	assert_sum_with_overflow(true, 4, 65535, &over);
	assert_int_equal(over, 0);
	assert_true(sums.overflow < 65535 / 2);
	stop_agent(&ag);
}

/* A child that is the agent until somebody kills it. */
static pid_t fork_agent(void)
{
	int ready[2];
	char c;
	pid_t p;

	assert_int_equal(pipe(ready), 0);
	p = fork();
	if (!p) {
		struct agent a;

		if (try_agent(&a, 300000))
			_exit(1);
		vw_denied_wall(a.denied, ifindex, "vwd0", true, true);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(vw_loop_run(a.loop) ? 1 : 0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return p;
}

/* kill -9 at any moment, packets before, between and after: nothing twice, nothing lost. */
static void killed_and_restarted(void **state)
{
	static const struct load busy = {
		.from_container = true, .v = 4, .flows = 3000, .rounds = 80};
	static const struct load in_between = {
		.from_container = true, .v = 6, .flows = 10, .rounds = 3};
	struct agent ag;
	pid_t sender;

	(void)state;
	NEEDS_KERNEL();
	sender = start_sender(&busy);
	for (int i = 0; i < 8; i++) {
		pid_t p = fork_agent();

		usleep(20000 + 37000 * (useconds_t)i);
		assert_int_equal(kill(p, SIGKILL), 0);
		assert_int_equal(waitpid(p, NULL, 0), p);
		send_all(&in_between);
	}
	wait_for(sender);
	start_agent(&ag, 300000);
	vw_denied_wall(ag.denied, ifindex, "vwd0", true, true);
	vw_denied_flush(ag.denied);
	read_log();
	assert_sum(true, 4, kernel_packets(&ag, 4));
	assert_sum(true, 6, kernel_packets(&ag, 6));
	assert_in_range(sums.packets[1][0], 240000 - 24000, 240000);
	assert_int_equal(sums.packets[1][1], 8 * 30);
	stop_agent(&ag);
}

/* More flows than the set takes: what has no record of its own is in the overflow's. */
static void overflow(void **state)
{
	static const struct load many = {
		.from_container = true, .v = 4, .flows = 1000, .rounds = 10};
	struct vw_denied_stats st;
	struct agent ag;

	(void)state;
	NEEDS_KERNEL();
	run("nft delete table netdev vethwall; ip link del vwd0");
	make_wall(128);
	start_agent(&ag, 1 << 20);
	ag.s.config.denied_max = 128;
	vw_denied_free(&ag.denied);
	assert_int_equal(vw_denied_open(ag.loop, ag.nft, &ag.s, names, NULL, &ag.denied,
					&(struct vw_diag){0}),
			 0);
	vw_denied_wall(ag.denied, ifindex, "vwd0", true, true);
	vw_denied_flush(ag.denied);
	load(&ag, &many);
	vw_denied_flush(ag.denied);
	vw_denied_flush(ag.denied);
	read_log();
	assert_true(sums.overflow >= 8000);
	assert_int_equal(sums.overflow + sums.packets[1][0], 10000);
	vw_denied_stats(ag.denied, &st);
	assert_int_equal(st.overflow_packets, sums.overflow);
	assert_int_equal(st.packets, 10000);
	stop_agent(&ag);
}

static void wall_gone(void **state)
{
	static const struct load some = {.from_container = true, .v = 4, .flows = 50, .rounds = 50};
	struct agent ag;

	(void)state;
	NEEDS_KERNEL();
	start_agent(&ag, 1 << 20);
	vw_denied_wall(ag.denied, ifindex, "vwd0", true, true);
	send_all(&some); /* the agent has not looked yet */
	run("ip link del vwd0");
	vw_denied_wall_gone(ag.denied, ifindex);
	read_log();
	assert_sum(true, 4, 2500);
	vw_denied_flush(ag.denied);
	read_log();
	assert_sum(true, 4, 2500);
	stop_agent(&ag);
}

/* The same set made anew under the same interface counts from zero. */
static void set_made_anew(void **state)
{
	static const struct load some = {.from_container = true, .v = 4, .flows = 20, .rounds = 5};
	struct agent ag;

	(void)state;
	NEEDS_KERNEL();
	start_agent(&ag, 1 << 20);
	for (int i = 0; i < 3; i++) {
		vw_denied_wall(ag.denied, ifindex, "vwd0", true, true);
		load(&ag, &some);
		vw_denied_wall_gone(ag.denied, ifindex);
		run("nft flush set netdev vethwall d4_%u", ifindex);
	}
	read_log();
	assert_sum(true, 4, 300);
	stop_agent(&ag);
}

/* A disk that is full for a while delays records and loses none; the agent goes on. */
static void full_disk(void **state)
{
	static const struct load some = {.from_container = true, .v = 4, .flows = 300, .rounds = 5};
	struct rlimit old, lim;
	struct vw_denied_stats st;
	struct agent ag;

	(void)state;
	NEEDS_KERNEL();
	signal(SIGXFSZ, SIG_IGN);
	start_agent(&ag, 8 << 20);
	vw_denied_wall(ag.denied, ifindex, "vwd0", true, true);
	load(&ag, &some);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	lim = (struct rlimit){1000, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
	load(&ag, &some);
	vw_denied_flush(ag.denied);
	vw_denied_stats(ag.denied, &st);
	assert_true(st.write_errors > 0);
	assert_true(st.unwritten_packets > 0);
	assert_int_equal(st.unwritten_packets + st.packets, 3000);
	vw_denied_wall_gone(ag.denied, ifindex); /* even then */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	vw_denied_flush(ag.denied);
	load(&ag, &(struct load){.from_container = true, .v = 6, .flows = 1, .rounds = 1});
	for (int i = 0; i < 100 && (vw_denied_stats(ag.denied, &st), st.unwritten_packets); i++)
		load(&ag, &(struct load){.from_container = true, .v = 6, .flows = 1, .rounds = 1});
	assert_int_equal(st.unwritten_packets, 0);
	read_log();
	assert_sum(true, 4, 3000);
	stop_agent(&ag);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(first_record), T(exact_sums), T(scan_of_all_ports), T(killed_and_restarted),
		T(overflow),	 T(wall_gone),	T(set_made_anew),     T(full_disk),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
