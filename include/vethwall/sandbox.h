/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent gives up once it has started, so that whoever takes it over through a packet, an
 * API answer or a file gains little: capabilities, system calls, files. */
#ifndef VETHWALL_SANDBOX_H
#define VETHWALL_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "vethwall/diag.h"

#define VW_SANDBOX_PATHS_MAX 256

struct vw_sandbox {
	/* Folders; what is below them. Those that are not there are left out. */
	const char *const *read, *const *write;
	size_t n_read, n_write;
	bool network; /* internet sockets too, for outputs that are elsewhere */
	gid_t group; /* files may be given to it; (gid_t)-1: none */
};

/* What stands now; for status. */
struct vw_sandbox_state {
	bool capabilities; /* only CAP_NET_ADMIN is left */
	bool seccomp;
	int landlock; /* version of the kernel's interface, 0: it has none */
};

/* Gives up what can be: a kernel without one of the means is told as a warning in d, and the others
 * stand. Cannot be taken back. -errno when a means that is there failed. */
int vw_sandbox_enter(const struct vw_sandbox *s, struct vw_sandbox_state *ret, struct vw_diag *d);

#endif
