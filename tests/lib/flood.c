/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams, as many and as fast as asked for, and a line that tells how many left: what the kernel
 * took from us has passed the sender's veth. Static, and it knows nothing of vethwall.
 *
 *   flood [-n PACKETS] [-r PACKETS_A_SECOND] [-p PAYLOAD] SOURCE DESTINATION FLOWS
 *
 * Flow i goes to port 1 + i % 65535, from a source port of its own for each 65,535 flows. Prints
 * packets and bytes of IP. A signal (TERM) ends it early, and the line is right all the same. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORTS 65535u
#define SOCKETS_MAX 1024
#define FIRST_SOURCE 40000
#define PAYLOAD_MAX 1200

static volatile sig_atomic_t stop;

static void on_term(int signo)
{
	(void)signo;
	stop = 1;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static socklen_t address(const char *text, unsigned port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (void *)ret;
	struct sockaddr_in6 *v6 = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) {
		fprintf(stderr, "flood: %s is no address\n", text);
		exit(2);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	return sizeof(*v6);
}

static int open_socket(const char *source, unsigned i)
{
	struct sockaddr_storage a;
	socklen_t n = address(source, FIRST_SOURCE + i, &a);
	int fd = socket(a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 8 << 20;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0) {
		fprintf(stderr, "flood: %s: %s\n", source, strerror(errno));
		exit(2);
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static void pace(int64_t begin, uint64_t sent, unsigned long rate)
{
	struct timespec ts;
	int64_t ahead;

	if (!rate || sent % 64)
		return;
	ahead = (int64_t)(sent * 1000000000ull / rate) - (now_ns() - begin);
	if (ahead <= 0)
		return;
	ts = (struct timespec){ahead / 1000000000, ahead % 1000000000};
	(void)nanosleep(&ts, NULL);
}

/* Whether it is on its way: one that the receiver's veth refuses while we send is an error (EPERM)
 * and has left us all the same. */
static int send_one(int fd, size_t payload, const struct sockaddr_storage *to, socklen_t n)
{
	static const char data[PAYLOAD_MAX];

	while (sendto(fd, data, payload, 0, (const struct sockaddr *)to, n) < 0) {
		if (errno == EPERM)
			return 1;
		if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED) {
			fprintf(stderr, "flood: %s\n", strerror(errno));
			exit(3);
		}
	}
	return 1;
}

static uint64_t flood(const int *fds, const char *to, unsigned long flows, uint64_t packets,
		      unsigned long rate, size_t payload)
{
	struct sockaddr_storage a;
	socklen_t n = address(to, 1, &a);
	int64_t begin = now_ns();
	uint64_t sent = 0;

	for (; sent < packets && !stop; sent++) {
		unsigned long flow = sent % flows;
		uint16_t port = htons((uint16_t)(1 + flow % PORTS));

		if (a.ss_family == AF_INET)
			((struct sockaddr_in *)(void *)&a)->sin_port = port;
		else
			((struct sockaddr_in6 *)(void *)&a)->sin6_port = port;
		send_one(fds[flow / PORTS], payload, &a, n);
		pace(begin, sent, rate);
	}
	return sent;
}

int main(int argc, char **argv)
{
	static int fds[SOCKETS_MAX];
	uint64_t packets = UINT64_MAX, sent;
	unsigned long rate = 0, flows;
	size_t payload = 100, header;
	int c;

	while ((c = getopt(argc, argv, "n:r:p:")) != -1) {
		unsigned long v = strtoul(optarg ? optarg : "", NULL, 10);

		if (c == 'n')
			packets = v;
		else if (c == 'r')
			rate = v;
		else if (c == 'p' && v <= PAYLOAD_MAX)
			payload = v;
		else
			return 2;
	}
	if (argc - optind != 3)
		return 2;
	flows = strtoul(argv[optind + 2], NULL, 10);
	if (!flows || flows > PORTS * (unsigned long)SOCKETS_MAX)
		return 2;
	for (unsigned i = 0; i <= (flows - 1) / PORTS; i++)
		fds[i] = open_socket(argv[optind], i);
	(void)signal(SIGTERM, on_term);
	sent = flood(fds, argv[optind + 1], flows, packets, rate, payload);
	header = strchr(argv[optind], ':') ? 48 : 28;
	printf("%llu %llu\n", (unsigned long long)sent,
	       (unsigned long long)(sent * (header + payload)));
	return 0;
}
