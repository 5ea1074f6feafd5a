/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VW_IO_SYSCALLS_H
#define VW_IO_SYSCALLS_H

/* From now on other system calls than those of the list fail with EPERM: 0 or -errno. */
int vw_syscalls_filter(void);

#endif
