/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent, whole: what `vethwall run` runs. */
#ifndef VETHWALL_AGENT_AGENT_H
#define VETHWALL_AGENT_AGENT_H

#include "vethwall/settings.h"

/* Enforces until SIGTERM or SIGINT. Returns an exit code: 0, or 2 with the reason on stderr. */
int vw_agent_run(const struct vw_settings *s);
/* Removes the table, on purpose, and returns an exit code. */
int vw_agent_teardown(const struct vw_settings *s);

#endif
