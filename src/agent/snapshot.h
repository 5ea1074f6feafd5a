/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that the agent's decisions are made of, for those who compute with it elsewhere (previews):
 * so that a question about a change costs the agent a reading of what it has, never a compilation.
 */
#ifndef VETHWALL_AGENT_SNAPSHOT_H
#define VETHWALL_AGENT_SNAPSHOT_H

#include "agent/control.h"
#include "vethwall/plan_file.h"

/* Says which node and network namespace this is, without telling the machine's id. 0 or -errno. */
int vw_agent_node(char ret[static VW_NODE_LEN]);
json_t *vw_agent_snapshot(void *agent, const json_t *request, const struct vw_control_peer *peer);

#endif
