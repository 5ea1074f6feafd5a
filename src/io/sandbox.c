/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stages of giving up privilege, each by the library or system call that is made for it: group
 * and capabilities (capng), files (Landlock), system calls (libseccomp; src/io/syscalls.c has the
 * list). Which files the agent needs is the caller's to know. */
#include "vethwall/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/syscalls.h"
#include "vethwall/cleanup.h"

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* linux/landlock.h: newer than the header may be. Later versions only add rights. */
#define ABI_REFER 2
#define ABI_TRUNCATE 3
#define ABI_IOCTL 5
#define ABI_SCOPE 6
#define RIGHT_REFER (1ull << 13)
#define RIGHT_TRUNCATE (1ull << 14)
#define RIGHT_IOCTL (1ull << 15)
#define SCOPE_SIGNAL (1ull << 1)

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS                                                                   \
	(READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | RIGHT_REFER |    \
	 RIGHT_TRUNCATE)
/* Version 1: all thirteen rights of files and folders, running programs among them. */
#define RIGHTS_V1 ((1ull << 13) - 1)

/* struct landlock_ruleset_attr of version 6; older kernels take its beginning. */
struct ruleset_attr {
	uint64_t fs, net, scoped;
};

static uint64_t rights_of(int abi)
{
	return RIGHTS_V1 | (abi >= ABI_REFER ? RIGHT_REFER : 0) |
	       (abi >= ABI_TRUNCATE ? RIGHT_TRUNCATE : 0) | (abi >= ABI_IOCTL ? RIGHT_IOCTL : 0);
}

static int allow(int ruleset, const char *path, uint64_t rights)
{
	_cleanup_(closep) int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
		       ? -errno
		       : 0;
}

static int allow_all(int ruleset, const char *const *paths, size_t n, uint64_t rights,
		     struct vw_diag *d)
{
	for (size_t i = 0; i < n; i++) {
		int r = allow(ruleset, paths[i], rights);

		if (r < 0) {
			vw_error(d, NULL, "sandbox: %s: %s", paths[i], strerror(-r));
			return r;
		}
	}
	return 0;
}

static int files(const struct vw_sandbox *s, int *ret_abi, struct vw_diag *d)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset_attr attr = {.fs = rights_of((int)abi),
				    .scoped = abi >= ABI_SCOPE ? SCOPE_SIGNAL : 0};
	_cleanup_(closep) int ruleset = -1;
	int r;

	if (abi < 1) {
		vw_diag_add(
			d, VW_WARNING, NULL, "sandbox",
			"sandbox: this kernel has no Landlock (5.13): files are not fenced off");
		return 0;
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
			       abi >= ABI_SCOPE ? sizeof(attr) : sizeof(attr.fs), 0);
	if (ruleset < 0)
		return -errno;
	r = allow_all(ruleset, s->read, s->n_read, READ_RIGHTS, d);
	if (!r)
		r = allow_all(ruleset, s->write, s->n_write, WRITE_RIGHTS & attr.fs, d);
	if (r < 0)
		return r;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return -errno;
	*ret_abi = (int)abi;
	return 0;
}

/* As a member of the group the agent may give it the files that it owns, without CAP_CHOWN. Not
 * allowed to join: files stay the owner's group, which the log says when it happens. */
static void join(gid_t group)
{
	if (group == (gid_t)-1)
		(void)setgroups(0, NULL);
	else
		(void)setgroups(1, &group);
}

/* The bounding set needs CAP_SETPCAP, which a service may not have been given in the first place.
 */
static int capabilities(void)
{
	bool bounding = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);

	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN) < 0)
		return -EPERM;
	if (bounding && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
		return -EPERM;
	return capng_apply(CAPNG_SELECT_CAPS) == 0 ? 0 : -EPERM;
}

int vw_sandbox_enter(const struct vw_sandbox *s, struct vw_sandbox_state *ret, struct vw_diag *d)
{
	struct vw_sandbox_state state = {};
	int r;

	join(s->group);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = files(s, &state.landlock, d);
	if (!r)
		r = capabilities();
	state.capabilities = !r;
	if (!r)
		r = vw_syscalls_filter(s->network);
	state.seccomp = !r;
	if (r < 0) {
		vw_error(d, NULL, "sandbox: %s (`sandbox: false` runs without it)", strerror(-r));
		return r;
	}
	*ret = state;
	return 0;
}
