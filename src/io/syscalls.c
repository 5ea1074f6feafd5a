/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls that the agent makes once it has started. All others fail with EPERM: a call
 * that was forgotten must not end the node's firewall, and an intruder gains nothing by it either.
 * Sockets are limited by family, so that there are no raw or network ones. */
#include "io/syscalls.h"

#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "vethwall/cleanup.h"

static const char *const calls[] = {
	/* memory; mmap and mprotect see below */
	"brk",
	"munmap",
	"mremap",
	"madvise",
	"futex",
	"membarrier",
	"rseq",
	"set_robust_list",
	/* descriptors */
	"read",
	"readv",
	"pread64",
	"write",
	"writev",
	"pwrite64",
	"close",
	"close_range",
	"dup",
	"dup2",
	"dup3",
	"fcntl",
	"fcntl64",
	"lseek",
	"_llseek",
	"poll",
	"ppoll",
	"ppoll_time64",
	"select",
	"_newselect",
	"pselect6",
	"pselect6_time64",
	"pipe",
	"pipe2",
	"eventfd2",
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_settime64",
	"timerfd_gettime",
	"signalfd4",
	"inotify_init1",
	"inotify_add_watch",
	"inotify_rm_watch",
	"flock",
	/* files; Landlock says which */
	"open",
	"openat",
	"stat",
	"lstat",
	"fstat",
	"newfstatat",
	"fstatat64",
	"statx",
	"statfs",
	"fstatfs",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"getdents",
	"getdents64",
	"getcwd",
	"mkdir",
	"mkdirat",
	"unlink",
	"unlinkat",
	"rmdir",
	"rename",
	"renameat",
	"renameat2",
	"ftruncate",
	"ftruncate64",
	"fallocate",
	"fsync",
	"fdatasync",
	"sync_file_range",
	"umask",
	"fchmod",
	"chmod",
	"fchmodat",
	"fchown",
	"fchown32",
	"chown",
	"lchown",
	"fchownat",
	/* sockets; socket and socketpair see below */
	"bind",
	"connect",
	"listen",
	"accept",
	"accept4",
	"shutdown",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	"sendto",
	"sendmsg",
	"sendmmsg",
	"recvfrom",
	"recvmsg",
	"recvmmsg",
	/* clocks, signals, itself */
	"clock_gettime",
	"clock_gettime64",
	"clock_getres",
	"clock_nanosleep",
	"clock_nanosleep_time64",
	"nanosleep",
	"gettimeofday",
	"time",
	"getrandom",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigreturn",
	"sigaltstack",
	"getpid",
	"getppid",
	"gettid",
	"tgkill",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getgroups",
	"capget",
	"prlimit64",
	"getrlimit",
	"getrusage",
	"sysinfo",
	"uname",
	"sched_yield",
	"sched_getaffinity",
	"restart_syscall",
	"exit",
	"exit_group",
};

/* The sanitizers' own: their checks at exit stop the process by a child that traces it. */
#if defined(__SANITIZE_ADDRESS__)
static const char *const sanitizers[] = {"clone", "ptrace", "wait4", "prctl", "process_vm_readv"};
#endif

/* The first two always. */
static const int families[] = {AF_UNIX, AF_NETLINK, AF_INET, AF_INET6};

static int add(scmp_filter_ctx ctx, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	/* another architecture's */
	if (nr == __NR_SCMP_ERROR || nr < 0)
		return 0;
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
}

/* No memory that can be both written and run. */
static int add_mappings(scmp_filter_ctx ctx)
{
	static const char *const maps[] = {"mmap", "mmap2", "mprotect"};
	int r = 0;

	for (size_t i = 0; i < VW_ARRAY_SIZE(maps) && !r; i++) {
		int nr = seccomp_syscall_resolve_name(maps[i]);

		if (nr >= 0)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
					     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	}
	return r;
}

static int add_sockets(scmp_filter_ctx ctx, bool network)
{
	size_t n = network ? VW_ARRAY_SIZE(families) : 2;
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
		if (!r && families[i] == AF_UNIX)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
					     SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	}
	return r;
}

static void release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

int vw_syscalls_filter(bool network)
{
	_cleanup_(release) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; i < VW_ARRAY_SIZE(calls) && !r; i++)
		r = add(ctx, calls[i]);
#if defined(__SANITIZE_ADDRESS__)
	for (size_t i = 0; i < VW_ARRAY_SIZE(sanitizers) && !r; i++)
		r = add(ctx, sanitizers[i]);
#endif
	if (!r)
		r = add_mappings(ctx);
	if (!r)
		r = add_sockets(ctx, network);
	return r ? r : seccomp_load(ctx);
}
