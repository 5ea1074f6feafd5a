/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An LD_PRELOAD library that makes calls fail: the agent's own binary runs as it is shipped. The
 * plan stands in a file of 4096 bytes that VW_FAULTS names and that is mapped, so looking at it is
 * no system call (a seccomp filter may stand by then). Byte 0 changes when the plan does; from byte
 * 1: words KIND=PERMILLE[,MAX] (so many calls of a thousand, MAX times at most; 0: no end), or
 * clock=SECONDS, or name=TEXT for spoil_name. From byte 2048: a counter of injected faults, 64 bits
 * in the order of kinds[]. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define COUNTERS 2048
#define FDS 4096
#define EARLY 65536 /* what dlsym() itself asks for before there is a malloc */

enum kind {
	RECV_ENOBUFS, /* netlink: nothing read */
	RECV_EINTR,
	RECV_LOST, /* netlink: what came is thrown away, as when a queue is full */
	SEND_ENOBUFS,
	SEND_EINTR,
	SPOIL, /* a message in the middle of a batch becomes nonsense: the kernel refuses all */
	SPOIL_NAME, /* so does each that has the text of name= */
	MEMORY,
	FILES,
	WRITE_ENOSPC,
	FSYNC_EIO,
	KINDS
};
static const char *const kinds[KINDS] = {"recv_enobufs", "recv_eintr", "recv_lost",  "send_enobufs",
					 "send_eintr",	 "spoil",      "spoil_name", "memory",
					 "files",	 "enospc",     "fsync"};

static struct {
	unsigned permille[KINDS], max[KINDS], done[KINDS];
	char name[64];
	long clock;
	char generation;
} plan;
static volatile char *page;
static uint64_t seed = 88172645463325252u;
static bool netlink_fd[FDS];
static char early[EARLY];
static size_t n_early;

/* Looked up at the first use: constructors of other libraries may come before ours. */
#define REAL(ret, name, ...)             \
	static ret (*real)(__VA_ARGS__); \
	if (!real)                       \
	real = (ret(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static void take_word(char *w)
{
	char *value = strchr(w, '=');

	if (!value)
		return;
	*value++ = '\0';
	if (!strcmp(w, "clock"))
		plan.clock = atol(value);
	if (!strcmp(w, "name"))
		snprintf(plan.name, sizeof(plan.name), "%s", value);
	for (int k = 0; k < KINDS; k++) {
		if (strcmp(w, kinds[k]) != 0)
			continue;
		plan.permille[k] = (unsigned)atoi(value);
		plan.max[k] = strchr(value, ',') ? (unsigned)atoi(strchr(value, ',') + 1) : 0;
	}
}

static void read_plan(void)
{
	char text[COUNTERS], *save = NULL;

	memset(&plan, 0, sizeof(plan));
	plan.generation = page[0];
	memcpy(text, (char *)page + 1, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		take_word(w);
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("VW_FAULTS"), *s = getenv("VW_FAULTS_SEED");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (s)
		seed ^= strtoull(s, NULL, 10) * 0x9e3779b97f4a7c15u;
	if (fd < 0)
		return;
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		page = p;
}

/* Whether this call is to fail. */
static bool due(enum kind k)
{
	if (!page)
		return false;
	if (plan.generation != page[0])
		read_plan();
	if (!plan.permille[k] || (plan.max[k] && plan.done[k] >= plan.max[k]))
		return false;
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	if (seed % 1000 >= plan.permille[k])
		return false;
	plan.done[k]++;
	((volatile uint64_t *)(page + COUNTERS))[k]++;
	return true;
}

static bool is_netlink(int fd)
{
	return fd >= 0 && fd < FDS && netlink_fd[fd];
}

static int opened(int fd, bool netlink)
{
	if (fd >= 0 && fd < FDS)
		netlink_fd[fd] = netlink;
	return fd;
}

static int fail(int error)
{
	errno = error;
	return -1;
}

/* ---- memory ---- */

static bool looking_up;

static void *early_alloc(size_t n)
{
	size_t at = (n_early + 15) & ~(size_t)15;

	if (at + n > sizeof(early))
		return NULL;
	n_early = at + n;
	return early + at;
}

void *malloc(size_t n)
{
	static void *(*real)(size_t);

	if (!real) {
		if (looking_up)
			return early_alloc(n);
		looking_up = true;
		real = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
		looking_up = false;
	}
	return due(MEMORY) ? (errno = ENOMEM, NULL) : real(n);
}

void *calloc(size_t n, size_t size)
{
	static void *(*real)(size_t, size_t);

	if (!real) {
		if (looking_up)
			return early_alloc(n * size);
		looking_up = true;
		real = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
		looking_up = false;
	}
	return due(MEMORY) ? (errno = ENOMEM, NULL) : real(n, size);
}

void *realloc(void *p, size_t n)
{
	REAL(void *, realloc, void *, size_t);

	/* Making less of what is there does not fail in practice, and frees when n is 0. */
	return n && due(MEMORY) ? (errno = ENOMEM, NULL) : real(p, n);
}

void free(void *p)
{
	static void (*real)(void *);

	if ((char *)p >= early && (char *)p < early + sizeof(early))
		return;
	if (!real) {
		if (looking_up)
			return;
		looking_up = true;
		real = (void (*)(void *))dlsym(RTLD_NEXT, "free");
		looking_up = false;
	}
	real(p);
}

/* ---- descriptors ---- */

int socket(int domain, int type, int protocol)
{
	REAL(int, socket, int, int, int);

	if (due(FILES))
		return fail(EMFILE);
	return opened(real(domain, type, protocol), domain == AF_NETLINK);
}

int accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	REAL(int, accept4, int, struct sockaddr *, socklen_t *, int);

	return due(FILES) ? fail(EMFILE) : opened(real(fd, sa, len, flags), false);
}

int open(const char *path, int flags, ...)
{
	REAL(int, open, const char *, int, ...);
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return due(FILES) ? fail(EMFILE) : opened(real(path, flags, mode), false);
}

int openat(int dir, const char *path, int flags, ...)
{
	REAL(int, openat, int, const char *, int, ...);
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return due(FILES) ? fail(EMFILE) : opened(real(dir, path, flags, mode), false);
}

FILE *fopen(const char *path, const char *mode)
{
	REAL(FILE *, fopen, const char *, const char *);

	return due(FILES) ? (errno = EMFILE, NULL) : real(path, mode);
}

int close(int fd)
{
	REAL(int, close, int);

	opened(fd, false);
	return real(fd);
}

/* ---- netlink ---- */

static ssize_t receive_fails(int fd, int flags)
{
	char lost[32768];

	if (!is_netlink(fd) || flags & MSG_PEEK)
		return 0;
	if (due(RECV_EINTR))
		return fail(EINTR);
	if (due(RECV_ENOBUFS))
		return fail(ENOBUFS);
	if (due(RECV_LOST)) {
		struct iovec iov = {lost, sizeof(lost)};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
		static ssize_t (*real)(int, struct msghdr *, int);

		if (!real)
			real = (ssize_t(*)(int, struct msghdr *, int))dlsym(RTLD_NEXT, "recvmsg");
		return real(fd, &m, MSG_DONTWAIT) < 0 ? -1 : fail(ENOBUFS);
	}
	return 0;
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	REAL(ssize_t, recv, int, void *, size_t, int);

	return receive_fails(fd, flags) ? -1 : real(fd, buf, n, flags);
}

ssize_t recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *sa, socklen_t *len)
{
	REAL(ssize_t, recvfrom, int, void *, size_t, int, struct sockaddr *, socklen_t *);

	return receive_fails(fd, flags) ? -1 : real(fd, buf, n, flags, sa, len);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	REAL(ssize_t, recvmsg, int, struct msghdr *, int);

	return receive_fails(fd, flags) ? -1 : real(fd, m, flags);
}

static ssize_t send_fails(int fd)
{
	if (!is_netlink(fd))
		return 0;
	if (due(SEND_EINTR))
		return fail(EINTR);
	return due(SEND_ENOBUFS) ? fail(ENOBUFS) : 0;
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	REAL(ssize_t, send, int, const void *, size_t, int);

	return send_fails(fd) ? -1 : real(fd, buf, n, flags);
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *sa,
	       socklen_t len)
{
	REAL(ssize_t, sendto, int, const void *, size_t, int, const struct sockaddr *, socklen_t);

	return send_fails(fd) ? -1 : real(fd, buf, n, flags, sa, len);
}

/* The messages of a batch; returns how many. */
static size_t messages_of(const struct msghdr *m, struct nlmsghdr **ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < m->msg_iovlen; i++) {
		struct nlmsghdr *nlh = m->msg_iov[i].iov_base;
		int left = (int)m->msg_iov[i].iov_len;

		for (; NLMSG_OK(nlh, left) && n < max; nlh = NLMSG_NEXT(nlh, left))
			ret[n++] = nlh;
	}
	return n;
}

/* A type that nf_tables does not have, for the message half-way or those with the name. */
static void spoil(const struct msghdr *m)
{
	static struct nlmsghdr *all[65536];
	size_t n = messages_of(m, all, 65536), len = strlen(plan.name) + 1;

	if (n > 2 && due(SPOIL))
		all[n / 2]->nlmsg_type |= 0xff;
	for (size_t i = 0; len > 1 && i < n; i++)
		if (memmem(all[i], all[i]->nlmsg_len, plan.name, len) && due(SPOIL_NAME))
			all[i]->nlmsg_type |= 0xff;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	REAL(ssize_t, sendmsg, int, const struct msghdr *, int);

	if (send_fails(fd))
		return -1;
	if (is_netlink(fd) && page)
		spoil(m);
	return real(fd, m, flags);
}

/* ---- files and clock ---- */

static bool is_file(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode);
}

ssize_t write(int fd, const void *buf, size_t n)
{
	REAL(ssize_t, write, int, const void *, size_t);

	return page && plan.permille[WRITE_ENOSPC] && is_file(fd) && due(WRITE_ENOSPC)
		       ? fail(ENOSPC)
		       : real(fd, buf, n);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	REAL(ssize_t, writev, int, const struct iovec *, int);

	return page && plan.permille[WRITE_ENOSPC] && is_file(fd) && due(WRITE_ENOSPC)
		       ? fail(ENOSPC)
		       : real(fd, iov, n);
}

int fsync(int fd)
{
	REAL(int, fsync, int);

	return due(FSYNC_EIO) ? fail(EIO) : real(fd);
}

int fdatasync(int fd)
{
	REAL(int, fdatasync, int);

	return due(FSYNC_EIO) ? fail(EIO) : real(fd);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	REAL(int, clock_gettime, clockid_t, struct timespec *);
	int r = real(id, ts);

	if (page && plan.generation != page[0])
		read_plan();
	if (!r && id == CLOCK_REALTIME)
		ts->tv_sec += plan.clock;
	return r;
}

time_t time(time_t *t)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (t)
		*t = ts.tv_sec;
	return ts.tv_sec;
}
