/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What interface numbers, monotonic times and the kernel's counters belong to. */
#ifndef VETHWALL_AGENT_PLACE_H
#define VETHWALL_AGENT_PLACE_H

#define VW_PLACE_LEN 96

/* This boot and network namespace, in one line. 0 or -errno. (learn_file.c) */
int vw_agent_place(char ret[static VW_PLACE_LEN]);

#endif
