/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that runs out at a chosen allocation: include it, then the .c file under test. A test runs
 * an operation again and again with the first, second, third ... allocation failing until none
 * does, and looks that each failure changed nothing; ASan finds what it leaked. */
#ifndef TESTS_OOM_H
#define TESTS_OOM_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static long oom_after = -1; /* allocations that still succeed before one fails; -1: all succeed */

static inline bool oom_hit(void)
{
	if (oom_after < 0)
		return false;
	return oom_after-- == 0;
}

static inline void *oom_calloc(size_t n, size_t size)
{
	return oom_hit() ? NULL : calloc(n, size);
}

static inline void *oom_realloc(void *p, size_t size)
{
	return oom_hit() ? NULL : realloc(p, size);
}

static inline void *oom_reallocarray(void *p, size_t n, size_t size)
{
	return oom_hit() ? NULL : reallocarray(p, n, size);
}

static inline char *oom_strdup(const char *s)
{
	return oom_hit() ? NULL : strdup(s);
}

#define calloc oom_calloc
#define realloc oom_realloc
#define reallocarray oom_reallocarray
#define strdup oom_strdup

/* Runs call with the 1st, 2nd, ... allocation failing; after each failure runs check. Leaves after
 * the first call in which no allocation failed (its result is 0). */
#define oom_exhaust(call, check)                         \
	do {                                             \
		for (long _n = 0;; _n++) {               \
			int _r;                          \
                                                         \
			oom_after = _n;                  \
			_r = (call);                     \
			if (oom_after >= 0) {            \
				oom_after = -1;          \
				assert_int_equal(_r, 0); \
				assert_true(_n > 0);     \
				break;                   \
			}                                \
			assert_int_equal(_r, -ENOMEM);   \
			check;                           \
		}                                        \
	} while (0)

#endif
