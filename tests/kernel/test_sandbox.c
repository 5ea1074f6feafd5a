/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left to whoever takes the agent over: each attempt is made by a child that has entered
 * the sandbox, with what the kernel answered as its exit code. The same attempts are made without
 * it, so that a refusal is the sandbox's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vethwall/sandbox.h"

static char dir[] = "/tmp/vw-sandbox-XXXXXX";
static char own[64], other[64], readable[64];
static pid_t bystander;

static int result(long r)
{
	return r < 0 ? errno : 0;
}

static int open_close(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	int r = result(fd);

	if (fd >= 0)
		close(fd);
	return r;
}

static int run_program(void)
{
	char *argv[] = {(char[]){"true"}, NULL};

	execv("/bin/true", argv);
	return errno;
}

static int read_secret(void)
{
	return open_close(other, O_RDONLY);
}

static int write_elsewhere(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/new", readable);
	return open_close(path, O_WRONLY | O_CREAT);
}

static int make_device(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/null", own);
	return result(mknod(path, S_IFCHR | 0600, 0x103));
}

static int socket_of(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	int r = result(fd);

	if (fd >= 0)
		close(fd);
	return r;
}

static int inet_socket(void)
{
	return socket_of(AF_INET, SOCK_STREAM);
}

static int packet_socket(void)
{
	return socket_of(AF_PACKET, SOCK_RAW);
}

static int enter_namespace(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? errno : result(setns(fd, CLONE_NEWNET));

	if (fd >= 0)
		close(fd);
	return r;
}

static int mount_something(void)
{
	return result(mount("none", own, "tmpfs", 0, NULL));
}

static int trace_another(void)
{
	return result(ptrace(PTRACE_ATTACH, bystander, NULL, NULL));
}

static int signal_another(void)
{
	return result(kill(bystander, SIGURG));
}

static int written_memory_run(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int load_bpf(void)
{
	return result(syscall(SYS_bpf, 5 /* BPF_PROG_LOAD */, NULL, 0)) == EPERM ? EPERM : 0;
}

static int be_another_user(void)
{
	return result(setuid(65534));
}

static int change_clock(void)
{
	return result(syscall(SYS_settimeofday, NULL, NULL));
}

/* ---- what the agent must still be able to do ---- */

static int write_own(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/log", own);
	return open_close(path, O_WRONLY | O_CREAT | O_TRUNC) ?: result(unlink(path));
}

static int read_allowed(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/policy", readable);
	return open_close(path, O_RDONLY);
}

static int netlink_socket(void)
{
	return socket_of(AF_NETLINK, SOCK_RAW);
}

static int big_buffers(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), size = 1 << 20;
	int r = result(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)));

	close(fd);
	return r;
}

static int only_net_admin(void)
{
	capng_get_caps_process();
	for (unsigned c = 0; c <= CAP_LAST_CAP; c++) {
		bool has = capng_have_capability(CAPNG_EFFECTIVE, c) ||
			   capng_have_capability(CAPNG_PERMITTED, c) ||
			   capng_have_capability(CAPNG_BOUNDING_SET, c);

		if (has != (c == CAP_NET_ADMIN) &&
		    !(c == CAP_NET_ADMIN && capng_have_capability(CAPNG_EFFECTIVE, c)))
			return 1;
	}
	return 0;
}

/* Exit code of a child that makes the attempt. */
static int attempt(int (*fn)(void), bool fenced)
{
	const char *read[] = {readable, "/proc"}, *write[] = {own};
	struct vw_sandbox s = {
		.read = read, .n_read = 2, .write = write, .n_write = 1, .group = (gid_t)-1};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct vw_sandbox_state state;
		struct vw_diag d = {};

		if (fenced && vw_sandbox_enter(&s, &state, &d) < 0)
			_exit(254);
		if (fenced && (!state.capabilities || !state.seccomp || !state.landlock))
			_exit(253);
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static const struct {
	const char *what;
	int (*fn)(void);
	int refused; /* errno in the sandbox */
} attempts[] = {
	{"run a program", run_program, EPERM},
	{"read a file elsewhere", read_secret, EACCES},
	{"write where it may only read", write_elsewhere, EACCES},
	{"make a device", make_device, EPERM},
	{"a TCP socket", inet_socket, EPERM},
	{"a packet socket", packet_socket, EPERM},
	{"enter a namespace", enter_namespace, EPERM},
	{"mount", mount_something, EPERM},
	{"trace another process", trace_another, EPERM},
	{"signal another process", signal_another, EPERM},
	{"memory that is written and run", written_memory_run, EPERM},
	{"load a BPF program", load_bpf, EPERM},
	{"become another user", be_another_user, EPERM},
	{"set the clock", change_clock, EPERM},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		int r = attempt(attempts[i].fn, true);

		if (r != attempts[i].refused)
			fail_msg("%s: %s", attempts[i].what, r ? strerror(r) : "it worked");
	}
}

/* Without the sandbox each of them works (or, of BPF and tracing, says something else). */
static void test_the_sandbox_refuses(void **state)
{
	static int (*const work[])(void) = {read_secret,   write_elsewhere, inet_socket,
					    packet_socket, signal_another,  written_memory_run};

	(void)state;
	for (size_t i = 0; i < sizeof(work) / sizeof(work[0]); i++)
		assert_int_equal(attempt(work[i], false), 0);
}

static void test_still_works(void **state)
{
	static int (*const work[])(void) = {write_own, read_allowed, netlink_socket, big_buffers,
					    only_net_admin};

	(void)state;
	for (size_t i = 0; i < sizeof(work) / sizeof(work[0]); i++)
		assert_int_equal(attempt(work[i], true), 0);
}

static int make(const char *sub, const char *file, char *ret, size_t size)
{
	char path[128];

	snprintf(ret, size, "%s/%s", dir, sub);
	snprintf(path, sizeof(path), "%s/%s", ret, file);
	return mkdir(ret, 0755) ?: open_close(path, O_WRONLY | O_CREAT);
}

static int setup(void **state)
{
	(void)state;
	if (geteuid() != 0 || !mkdtemp(dir))
		return -1;
	bystander = fork();
	if (!bystander)
		for (;;)
			pause();
	if (make("own", "x", own, sizeof(own)) || make("readable", "policy", readable, 64))
		return -1;
	if (make("other", "secret", other, sizeof(other)))
		return -1;
	strcat(other, "/secret");
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"own/x",	       "own/null",     "own",
					    "readable/policy", "readable/new", "readable",
					    "other/secret",    "other"};
	char path[128];

	(void)state;
	kill(bystander, SIGKILL);
	waitpid(bystander, NULL, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)remove(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_the_sandbox_refuses),
		cmocka_unit_test(test_still_works),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
