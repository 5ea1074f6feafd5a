/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What got lost between the kernel or the runtime and us: a queue overran, memory or descriptors
 * ran out. Events do not come twice, so everything is looked at again, until that works. */
#include <errno.h>

#include "agent/state.h"

#define AGAIN_MS 200

void vw_agent_again(struct vw_agent *a)
{
	if (!vw_timer_armed(a->again_timer))
		vw_timer_arm(a->again_timer, AGAIN_MS);
}

int vw_agent_asked(struct vw_agent *a, int r)
{
	/* No such link, process or namespace (any more): events tell of that. */
	if (r < 0 && r != -ENODEV && r != -ENOENT && r != -ESRCH && r != -EINVAL)
		vw_agent_again(a);
	return r;
}

void vw_agent_again_timer(void *agent)
{
	struct vw_agent *a = agent;
	bool changed;

	if (vw_links_process(a->links) < 0)
		vw_agent_again(a);
	(void)vw_agent_asked(a, vw_agent_host_addrs(a, &changed));
	vw_agent_attach_all(a);
	if (a->runtime_again && a->runtime) {
		a->runtime_again = false;
		a->runtime->ops->again(a->runtime);
	}
	vw_agent_dirty(a);
}
