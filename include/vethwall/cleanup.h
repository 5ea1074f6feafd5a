/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ownership that shows in the line: a variable marked _cleanup_(f) is released at the end of its
 * scope unless TAKE_PTR/TAKE_FD handed it on. Every f accepts a pointer to NULL (or to -1). */
#ifndef VETHWALL_CLEANUP_H
#define VETHWALL_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

#define TAKE_PTR(p)                         \
	({                                  \
		__typeof__(p) _taken = (p); \
		(p) = NULL;                 \
		_taken;                     \
	})

#define TAKE_FD(fd)                \
	({                         \
		int _taken = (fd); \
		(fd) = -1;         \
		_taken;            \
	})

static inline void vw_freep(void *p)
{
	free(*(void **)p);
}

#define _cleanup_free_ _cleanup_(vw_freep)

#define VW_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
