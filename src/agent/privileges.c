/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which capabilities the agent has, and which it cannot do without. What the kernel must be able to
 * do is tried when the table is claimed. */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"

static const struct {
	unsigned cap;
	const char *name, *needed_for;
} needed[] = {
	{CAP_NET_ADMIN, "CAP_NET_ADMIN",
	 "to change nftables, read packets of NFLOG and look into containers' namespaces"},
};

int vw_agent_privileges(struct vw_diag *d)
{
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	int r = 0;

	if (syscall(SYS_capget, &hdr, data) < 0)
		return -errno;
	for (size_t i = 0; i < VW_ARRAY_SIZE(needed); i++) {
		unsigned cap = needed[i].cap;

		if (data[cap / 32].effective & (1u << (cap % 32)))
			continue;
		vw_error(d, NULL,
			 "%s is missing: the agent needs it %s; run it as root, or grant it",
			 needed[i].name, needed[i].needed_for);
		r = -EPERM;
	}
	return r;
}
