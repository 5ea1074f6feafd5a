/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One packet tool for tests and the demo, linked statically so that it also runs inside containers:
 * servers that echo, and clients that try one connection and say in one word how it went. It knows
 * nothing of vethwall, so what it reports is what an ordinary program would have seen.
 *
 * A TCP connection counts only when a line came back: a proxy in between accepts for anyone. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 256
#define LINE_MAX_LEN 1500
#define FRAME_MAX 1514

static int timeout_ms = 1000; /* -t */
static int repeat = 1; /* -n: datagrams or echo requests sent */
static const char *bind_to; /* -b: source address */
static volatile sig_atomic_t stop, tell;

union sa {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* How an attempt went. WORDS has the word that is printed; only the first is a success. */
enum outcome {
	PASSED,
	REFUSED,
	RESET,
	CLOSED,
	SILENT,
	TIMEOUT,
	UNREACHABLE,
	TROUBLE,
	_OUTCOME_MAX
};

static const char *const words[_OUTCOME_MAX] = {
	[PASSED] = "passed",   [REFUSED] = "refused",	      [RESET] = "reset",
	[CLOSED] = "closed",   [SILENT] = "silent",	      [TIMEOUT] = "timeout",
	[TROUBLE] = "trouble", [UNREACHABLE] = "unreachable",
};

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* What an errno of connect, send or recv says about the way. ICMPv6 "administratively prohibited"
 * comes as EACCES, ICMP's as EHOSTUNREACH (net/ipv6/icmp.c, net/ipv4/icmp.c). */
static enum outcome outcome_of(int err)
{
	switch (err) {
	case ECONNREFUSED:
		return REFUSED;
	case ECONNRESET:
	case EPIPE:
		return RESET;
	case ETIMEDOUT:
		return TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EACCES:
	case EPERM:
		return UNREACHABLE;
	}
	fprintf(stderr, "netprobe: %s\n", strerror(err));
	return TROUBLE;
}

static bool parse(const char *addr, const char *port, union sa *ret, socklen_t *ret_len)
{
	uint16_t p = htons((uint16_t)(port ? atoi(port) : 0));

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, addr, &ret->in.sin_addr) == 1) {
		ret->in.sin_family = AF_INET;
		ret->in.sin_port = p;
		*ret_len = sizeof(ret->in);
		return true;
	}
	if (inet_pton(AF_INET6, addr, &ret->in6.sin6_addr) == 1) {
		ret->in6.sin6_family = AF_INET6;
		ret->in6.sin6_port = p;
		*ret_len = sizeof(ret->in6);
		return true;
	}
	fprintf(stderr, "netprobe: %s is no address\n", addr);
	return false;
}

/* A socket towards addr, bound to -b if given; -1 with errno. */
static int open_towards(const union sa *to, int type, int proto)
{
	int fd = socket(to->any.sa_family, type | SOCK_CLOEXEC, proto);
	union sa from;
	socklen_t len;

	if (fd < 0 || !bind_to)
		return fd;
	if (!parse(bind_to, NULL, &from, &len) || bind(fd, &from.any, len) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Waits for fd until the deadline: true when it can be read (or written). */
static bool wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};
	int r;

	do {
		int64_t left = deadline - now_ms();

		r = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (r < 0 && errno == EINTR && !stop);
	return r > 0;
}

/* Sends text and wants it back before the deadline. */
static enum outcome echo_once(int fd, const char *text, int64_t deadline)
{
	size_t want = strlen(text), got = 0;
	char buf[LINE_MAX_LEN];

	if (send(fd, text, want, MSG_NOSIGNAL) < 0)
		return outcome_of(errno);
	while (got < want) {
		ssize_t n;

		if (!wait_for(fd, POLLIN, deadline))
			return SILENT;
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0)
			return outcome_of(errno);
		if (n == 0)
			return CLOSED;
		got += (size_t)n;
	}
	return PASSED;
}

static enum outcome tcp_open(const char *addr, const char *port, int64_t deadline, int *ret_fd)
{
	union sa to;
	socklen_t len, elen = sizeof(int);
	int fd, err = 0;

	if (!parse(addr, port, &to, &len))
		return TROUBLE;
	fd = open_towards(&to, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return outcome_of(errno);
	*ret_fd = fd;
	if (connect(fd, &to.any, len) == 0)
		return PASSED;
	if (errno != EINPROGRESS)
		return outcome_of(errno);
	if (!wait_for(fd, POLLOUT, deadline))
		return TIMEOUT;
	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &elen);
	return err ? outcome_of(err) : PASSED;
}

static enum outcome cmd_tcp(char **argv)
{
	int64_t deadline = now_ms() + timeout_ms;
	int fd = -1;
	enum outcome o = tcp_open(argv[0], argv[1], deadline, &fd);

	return o == PASSED ? echo_once(fd, "netprobe\n", deadline) : o;
}

/* Keeps one connection open and busy, and prints a number for each exchange; ends when it breaks,
 * or with "passed" on SIGTERM. */
static enum outcome cmd_hold(char **argv)
{
	int fd = -1;
	enum outcome o = tcp_open(argv[0], argv[1], now_ms() + timeout_ms, &fd);
	unsigned n = 0;

	while (o == PASSED && !stop) {
		o = echo_once(fd, "netprobe\n", now_ms() + timeout_ms);
		if (o == PASSED)
			printf("%u\n", ++n);
		(void)usleep(50000);
	}
	return stop ? PASSED : o;
}

static enum outcome cmd_udp(char **argv)
{
	int64_t deadline = now_ms() + timeout_ms;
	enum outcome o = TIMEOUT;
	union sa to;
	socklen_t len;
	int fd;

	if (!parse(argv[0], argv[1], &to, &len))
		return TROUBLE;
	fd = open_towards(&to, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, &to.any, len) < 0)
		return outcome_of(errno);
	for (int i = 0; i < repeat - 1; i++)
		(void)send(fd, "netprobe\n", 9, 0);
	o = echo_once(fd, "netprobe\n", deadline);
	return o == SILENT ? TIMEOUT : o;
}

static uint16_t checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* Whether one received message is our echo reply, or an error about our request. */
static enum outcome icmp_answer(int family, const uint8_t *p, size_t n, uint16_t id)
{
	size_t head = family == AF_INET && n >= 20 ? (size_t)(p[0] & 15) * 4 : 0;
	uint8_t reply = family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
	uint8_t unreach = family == AF_INET ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH;
	size_t inner = family == AF_INET ? 8 + 20 + 4 : 8 + 40 + 4;

	if (n < head + 8)
		return SILENT;
	p += head;
	n -= head;
	if (p[0] == reply && !memcmp(p + 4, &id, 2))
		return PASSED;
	if (p[0] == unreach && n >= inner + 2 && !memcmp(p + inner, &id, 2))
		return UNREACHABLE;
	return SILENT;
}

static enum outcome cmd_ping(char **argv)
{
	int64_t deadline = now_ms() + timeout_ms;
	uint8_t msg[64] = {0}, buf[LINE_MAX_LEN];
	uint16_t id = htons((uint16_t)getpid()), sum;
	enum outcome o = SILENT;
	union sa to;
	socklen_t len;
	int fd;

	if (!parse(argv[0], NULL, &to, &len))
		return TROUBLE;
	fd = open_towards(&to, SOCK_RAW,
			  to.any.sa_family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (fd < 0)
		return outcome_of(errno);
	msg[0] = to.any.sa_family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	memcpy(msg + 4, &id, 2);
	sum = checksum(msg, sizeof(msg)); /* for ICMPv6 the kernel writes its own over it */
	memcpy(msg + 2, &sum, 2);
	for (int i = 0; i < repeat; i++)
		if (sendto(fd, msg, sizeof(msg), 0, &to.any, len) < 0)
			return outcome_of(errno);
	while (o == SILENT && wait_for(fd, POLLIN, deadline)) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		o = n < 0 ? outcome_of(errno) : icmp_answer(to.any.sa_family, buf, (size_t)n, id);
	}
	return o == SILENT ? TIMEOUT : o;
}

/* Sends datagrams as fast as it can for so many milliseconds, from its first instruction on. */
static enum outcome cmd_flood(char **argv)
{
	int64_t end = now_ms() + atoi(argv[2]);
	unsigned long sent = 0, failed = 0;
	union sa to;
	socklen_t len;
	int fd;

	if (!parse(argv[0], argv[1], &to, &len))
		return TROUBLE;
	fd = open_towards(&to, SOCK_DGRAM, 0);
	if (fd < 0)
		return outcome_of(errno);
	while (!stop && ((sent + failed) % 64 || now_ms() < end)) {
		if (sendto(fd, "flood", 5, 0, &to.any, len) < 0)
			failed++; /* refused by ICMP, or the route is not there yet: go on */
		else
			sent++;
	}
	printf("sent %lu failed %lu\n", sent, failed);
	return PASSED;
}

/* A listening socket for both families; where IPv6 is off, for IPv4. */
static int open_server(const char *port, int type)
{
	union sa at;
	socklen_t len;
	int on = 1, off = 0, fd;

	if (!parse("::", port, &at, &len))
		return -1;
	fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		(void)parse("0.0.0.0", port, &at, &len);
		fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	}
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &at.any, len) < 0 || (type == SOCK_STREAM && listen(fd, 128) < 0))
		return -1;
	return fd;
}

/* Counts datagrams; prints the count on SIGUSR1 and at the end. */
static enum outcome cmd_count(char **argv)
{
	int fd = open_server(argv[0], SOCK_DGRAM);
	unsigned long n = 0;
	char buf[LINE_MAX_LEN];

	if (fd < 0)
		return outcome_of(errno);
	puts("ready");
	while (!stop) {
		if (wait_for(fd, POLLIN, now_ms() + 200) && recv(fd, buf, sizeof(buf), 0) >= 0)
			n++;
		if (tell)
			printf("received %lu\n", n);
		tell = 0;
	}
	printf("received %lu\n", n);
	return PASSED;
}

/* Sends a datagram back from the address that it came to (a node has several). */
static void udp_echo(int fd)
{
	char buf[LINE_MAX_LEN], control[256];
	union sa from;
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
	struct msghdr m = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &m, 0);

	if (n < 0)
		return;
	iov.iov_len = (size_t)n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_type == IPV6_PKTINFO)
			((struct in6_pktinfo *)(void *)CMSG_DATA(c))->ipi6_ifindex = 0;
	(void)sendmsg(fd, &m, 0);
}

/* True when the connection goes on. */
static bool tcp_echo(int fd)
{
	char buf[LINE_MAX_LEN];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	return n > 0 && send(fd, buf, (size_t)n, MSG_NOSIGNAL) == n;
}

enum kind { LISTENER, DATAGRAM, STREAM };

struct server {
	struct pollfd fds[FDS_MAX];
	enum kind kinds[FDS_MAX];
	nfds_t n;
};

static void server_add(struct server *s, int fd, enum kind k)
{
	if (s->n == FDS_MAX) {
		(void)close(fd);
		return;
	}
	s->kinds[s->n] = k;
	s->fds[s->n++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void server_event(struct server *s, nfds_t i)
{
	int fd = s->fds[i].fd, c;

	if (s->kinds[i] == DATAGRAM) {
		udp_echo(fd);
	} else if (s->kinds[i] == LISTENER) {
		c = accept(fd, NULL, NULL);
		if (c >= 0)
			server_add(s, c, STREAM);
	} else if (!tcp_echo(fd)) {
		(void)close(fd);
		s->fds[i] = s->fds[--s->n];
		s->kinds[i] = s->kinds[s->n];
	}
}

/* tcp:PORT and udp:PORT, as many as are given, until SIGTERM. */
static enum outcome cmd_serve(char **argv)
{
	static struct server s;

	for (; *argv; argv++) {
		bool tcp = !strncmp(*argv, "tcp:", 4);
		int fd = open_server(*argv + 4, tcp ? SOCK_STREAM : SOCK_DGRAM);

		if (fd < 0)
			return outcome_of(errno);
		server_add(&s, fd, tcp ? LISTENER : DATAGRAM);
	}
	puts("ready");
	while (!stop) {
		if (poll(s.fds, s.n, 1000) <= 0)
			continue;
		for (nfds_t i = s.n; i-- > 0;)
			if (s.fds[i].revents)
				server_event(&s, i);
	}
	return PASSED;
}

#define FLOWS_MAX 200
#define NUMBERS_MAX (1u << 24)
#define UNANSWERED_MAX 64 /* of all flows: well below what one socket's buffer takes */

/* Datagrams with numbers, and which of them came back. */
struct steady {
	struct pollfd fds[FLOWS_MAX];
	nfds_t n;
	uint8_t *seen; /* a bit each */
	unsigned long sent, back, given_up;
	int64_t sent_ms, heard_ms; /* when one went and one came back last */
};

static void steady_hear(struct steady *s, int wait_ms)
{
	if (poll(s->fds, s->n, wait_ms) <= 0)
		return;
	for (nfds_t i = 0; i < s->n; i++) {
		uint32_t number;

		while (s->fds[i].revents &&
		       recv(s->fds[i].fd, &number, sizeof(number), MSG_DONTWAIT) == 4) {
			if (number >= s->sent || (s->seen[number / 8] & 1 << number % 8))
				continue;
			s->seen[number / 8] |= (uint8_t)(1 << number % 8);
			s->back++;
			s->heard_ms = now_ms();
		}
	}
}

/* Sends the next on the next flow, unless too many are on their way: a machine that pauses is not a
 * wall that drops. */
static void steady_send(struct steady *s)
{
	uint32_t number = (uint32_t)s->sent;

	if (s->sent - s->back - s->given_up >= UNANSWERED_MAX) {
		if (now_ms() - s->heard_ms > timeout_ms)
			s->given_up = s->sent - s->back;
		return;
	}
	if (s->sent < NUMBERS_MAX && now_ms() != s->sent_ms) {
		s->sent_ms = now_ms();
		(void)send(s->fds[s->sent % s->n].fd, &number, sizeof(number), 0);
		s->sent++;
	}
}

static bool steady_open(struct steady *s, char **argv)
{
	union sa to;
	socklen_t len;

	if (!parse(argv[0], argv[1], &to, &len))
		return false;
	for (int n = atoi(argv[2]); n > 0 && s->n < FLOWS_MAX; n--) {
		int fd = open_towards(&to, SOCK_DGRAM, 0);

		if (fd < 0 || connect(fd, &to.any, len) < 0)
			return false;
		s->fds[s->n++] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
	s->seen = calloc(NUMBERS_MAX / 8, 1);
	return s->seen && s->n;
}

/* So many flows of datagrams to an echo server, a thousand datagrams a second together, until
 * SIGTERM; "flowing" when each has had answers, and at the end how many never came back. */
static enum outcome cmd_steady(char **argv)
{
	static struct steady s;
	bool told = false;
	int64_t end;

	if (!steady_open(&s, argv))
		return TROUBLE;
	s.heard_ms = now_ms();
	while (!stop) {
		steady_send(&s);
		steady_hear(&s, 1);
		if (!told && s.back >= 2 * s.n && s.back == s.sent) {
			puts("flowing");
			told = true;
		}
		if (tell)
			printf("sent %lu back %lu\n", s.sent, s.back);
		tell = 0;
	}
	for (end = now_ms() + timeout_ms; s.back < s.sent && now_ms() < end;)
		steady_hear(&s, 10);
	printf("sent %lu lost %lu\n", s.sent, s.sent - s.back);
	return PASSED;
}

/* Hexadecimal into bytes; how many. */
static size_t from_hex(const char *text, uint8_t *ret, size_t size)
{
	size_t n = 0;

	while (n < size && sscanf(text + 2 * n, "%2hhx", &ret[n]) == 1)
		n++;
	return n;
}

/* Frames from standard input, one a line in hexadecimal, as they are out of a device. */
static enum outcome cmd_frames(char **argv)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)if_nametoindex(argv[0])};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	enum outcome o = PASSED;
	uint8_t frame[FRAME_MAX];
	char *line = NULL;
	size_t size = 0;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return outcome_of(errno);
	while (getline(&line, &size, stdin) > 0) {
		size_t n = from_hex(line, frame, sizeof(frame));

		if (n && send(fd, frame, n, 0) < 0)
			o = TROUBLE;
	}
	free(line);
	(void)close(fd);
	return o;
}

static const struct command {
	const char *name;
	int min_args;
	bool quiet; /* does not print its outcome when it passed */
	enum outcome (*fn)(char **argv);
	const char *help;
} commands[] = {
	{"tcp", 2, false, cmd_tcp, "ADDR PORT          connect, and want a line back"},
	{"udp", 2, false, cmd_udp, "ADDR PORT          send -n datagrams, and want one back"},
	{"ping", 1, false, cmd_ping, "ADDR              send -n echo requests, and want a reply"},
	{"hold", 2, false, cmd_hold, "ADDR PORT         keep a connection busy until it breaks"},
	{"flood", 3, true, cmd_flood, "ADDR PORT MS     send datagrams as fast as possible"},
	{"steady", 3, true, cmd_steady, "ADDR PORT FLOWS  numbered datagrams; tells what was lost"},
	{"count", 1, true, cmd_count, "PORT             count datagrams; SIGUSR1 prints"},
	{"frames", 1, true, cmd_frames, "DEV             send frames from stdin, in hexadecimal"},
	{"serve", 1, true, cmd_serve, "tcp:PORT udp:PORT...   echo"},
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(void)
{
	fprintf(stderr, "usage: netprobe [-t MS] [-n COUNT] [-b ADDR] COMMAND ARGS\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(stderr, "  %s %s\n", commands[i].name, commands[i].help);
	return 2;
}

static void on_signal(int signo)
{
	if (signo == SIGUSR1)
		tell = 1;
	else
		stop = 1;
}

/* Prints the outcome in one word; exit code 0 only for "passed". */
int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	int c;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGUSR1, &sa, NULL);
	while ((c = getopt(argc, argv, "+t:n:b:")) != -1) {
		if (c == 't')
			timeout_ms = atoi(optarg);
		else if (c == 'n')
			repeat = atoi(optarg);
		else if (c == 'b')
			bind_to = optarg;
		else
			return usage();
	}
	for (size_t i = 0; i < N_COMMANDS && optind < argc; i++) {
		const struct command *k = &commands[i];
		enum outcome o;

		if (strcmp(argv[optind], k->name) || argc - optind - 1 < k->min_args)
			continue;
		o = k->fn(argv + optind + 1);
		if (!k->quiet || o != PASSED)
			puts(words[o]);
		return o != PASSED;
	}
	return usage();
}
