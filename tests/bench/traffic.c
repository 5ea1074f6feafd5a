/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Traffic between two namespaces and how much of it there is: small datagrams, one TCP stream, or
 * connections that ask one question. Both ends are processes of one core (-c), ahead of whoever
 * else wants it, so that a figure is the whole cost of a packet: sender, way and receiver. It knows
 * nothing of what stands between them. Static: `start` runs inside containers. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 5201
#define DATAGRAM 64 /* bytes of payload */
#define REQUEST 64
#define STREAM_BLOCK (128 << 10)
#define RECEIVE_BUFFER (16 << 20) /* the receiver's share of the core comes in slices */

struct shared {
	_Atomic uint64_t units; /* datagrams, bytes or connections that arrived */
	_Atomic int ready;
};
static struct shared *shared;

static int64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void enter(const char *ns)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "/run/netns/%s", ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die(path);
	(void)close(fd);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity");
	if (setpriority(PRIO_PROCESS, 0, -20) < 0)
		die("setpriority");
}

static struct sockaddr_in to_addr(const char *addr, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	if (inet_pton(AF_INET, addr, &a.sin_addr) != 1) {
		fprintf(stderr, "traffic: %s is no IPv4 address\n", addr);
		exit(2);
	}
	return a;
}

static int open_server(int type)
{
	struct sockaddr_in at = to_addr("0.0.0.0", PORT);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1, size = RECEIVE_BUFFER;

	if (fd < 0)
		die("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (type == SOCK_DGRAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 128) < 0)
		die("listen");
	shared->ready = 1;
	return fd;
}

static int open_client(int type, const char *addr)
{
	struct sockaddr_in to = to_addr(addr, PORT);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	return fd;
}

static void udp_server(void)
{
	int fd = open_server(SOCK_DGRAM);
	char buf[DATAGRAM];

	for (;;)
		if (recv(fd, buf, sizeof(buf), 0) > 0)
			shared->units++;
}

static void udp_client(const char *addr, int64_t end)
{
	int fd = open_client(SOCK_DGRAM, addr);
	char buf[DATAGRAM] = "";

	while (now_ns() < end)
		for (int i = 0; i < 32; i++)
			(void)send(fd, buf, sizeof(buf), 0);
}

static void tcp_server(void)
{
	static char buf[STREAM_BLOCK];
	int l = open_server(SOCK_STREAM), fd = accept(l, NULL, NULL);
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		shared->units += (uint64_t)n;
	for (;;)
		(void)pause();
}

static void tcp_client(const char *addr, int64_t end)
{
	static char buf[STREAM_BLOCK];
	int fd = open_client(SOCK_STREAM, addr);

	while (now_ns() < end)
		if (send(fd, buf, sizeof(buf), 0) < 0)
			die("send");
}

static void connection_server(void)
{
	int l = open_server(SOCK_STREAM);
	char buf[REQUEST];

	for (;;) {
		int fd = accept(l, NULL, NULL);

		if (recv(fd, buf, sizeof(buf), 0) > 0 && send(fd, buf, sizeof(buf), 0) > 0)
			shared->units++;
		(void)close(fd);
	}
}

/* The server closes first: the ports that wait (TIME_WAIT) are not ours. */
static void connection_client(const char *addr, int64_t end)
{
	char buf[REQUEST] = "";

	while (now_ns() < end) {
		int fd = open_client(SOCK_STREAM, addr);

		if (send(fd, buf, sizeof(buf), 0) < 0)
			die("send");
		while (recv(fd, buf, sizeof(buf), 0) > 0)
			;
		(void)close(fd);
	}
}

static const struct mode {
	const char *name;
	void (*server)(void);
	void (*client)(const char *addr, int64_t end);
} modes[] = {
	{"udp", udp_server, udp_client},
	{"tcp", tcp_server, tcp_client},
	{"connections", connection_server, connection_client},
};

static const struct mode *find_mode(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(modes[i].name, name))
			return &modes[i];
	fprintf(stderr, "traffic: %s is no mode\n", name);
	exit(2);
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Processor time of ourselves or of our children; the kernel's work on a packet is charged to
 * whoever sent it. */
static double cpu_seconds(int who)
{
	struct rusage u;

	(void)getrusage(who, &u);
	return seconds(u.ru_utime) + seconds(u.ru_stime);
}

/* Units that arrive in a second of processor time of both ends. Alone on the core, that is a second
 * of the clock; beside others it is what the same work would be without them. */
static int cmd_run(char **argv, int core)
{
	const struct mode *m = find_mode(argv[0]);
	int64_t ms = atoi(argv[1]);
	double cpu;
	pid_t server;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die("mmap");
	pin(core);
	server = fork();
	if (server < 0)
		die("fork");
	if (server == 0) {
		enter(argv[3]);
		m->server();
		_exit(0);
	}
	enter(argv[2]);
	while (!shared->ready)
		(void)usleep(1000);
	cpu = cpu_seconds(RUSAGE_SELF);
	m->client(argv[4], now_ns() + ms * 1000000);
	cpu = cpu_seconds(RUSAGE_SELF) - cpu;
	(void)kill(server, SIGKILL);
	(void)waitpid(server, NULL, 0);
	cpu += cpu_seconds(RUSAGE_CHILDREN);
	printf("%.0f\n", (double)shared->units / cpu);
	return 0;
}

/* A container's whole life: says when it began, and floods from then on. */
static int cmd_start(char **argv)
{
	int64_t begin = now_ns(), end = begin + atoi(argv[2]) * 1000000LL;
	struct sockaddr_in to = to_addr(argv[0], (uint16_t)atoi(argv[1]));
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	unsigned long sent = 0;

	if (fd < 0)
		die("socket");
	while (now_ns() < end)
		sent += sendto(fd, "flood", 5, 0, (struct sockaddr *)&to, sizeof(to)) > 0;
	printf("began %lld sent %lu\n", (long long)begin, sent);
	return 0;
}

int main(int argc, char **argv)
{
	int c, core = 0;

	while ((c = getopt(argc, argv, "+c:")) != -1)
		if (c == 'c')
			core = atoi(optarg);
	argc -= optind;
	argv += optind;
	if (argc == 6 && !strcmp(argv[0], "run"))
		return cmd_run(argv + 1, core);
	if (argc == 4 && !strcmp(argv[0], "start"))
		return cmd_start(argv + 1);
	fprintf(stderr,
		"usage: traffic [-c CPU] run udp|tcp|connections MS CLIENT-NS SERVER-NS ADDR\n"
		"       traffic start ADDR PORT MS\n");
	return 2;
}
