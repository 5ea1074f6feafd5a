/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filter on system calls that the agent runs behind. */
#ifndef VW_IO_SYSCALLS_H
#define VW_IO_SYSCALLS_H

#include <stdbool.h>

/* From now on other system calls than those of the list fail with EPERM: 0 or -errno. network:
 * sockets to the internet as well. */
int vw_syscalls_filter(bool network);

#endif
