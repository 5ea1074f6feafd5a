/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings that may be absent (NULL): copy, compare, order. For the core room only. */
#ifndef VW_CORE_TEXT_H
#define VW_CORE_TEXT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline int vw_text_copy(const char *s, char **ret)
{
	char *c;

	if (!s) {
		*ret = NULL;
		return 0;
	}
	c = strdup(s);
	if (!c)
		return -ENOMEM;
	*ret = c;
	return 0;
}

/* NULL first. */
static inline int vw_text_cmp(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static inline bool vw_text_eq(const char *a, const char *b)
{
	return vw_text_cmp(a, b) == 0;
}

/* Hands a struct on and leaves zeros for its cleanup. */
#define TAKE_STRUCT(s)                      \
	({                                  \
		__typeof__(s) _taken = (s); \
		memset(&(s), 0, sizeof(s)); \
		_taken;                     \
	})

/* Copies the storage of a vector of plain values (no owners): 0 or -ENOMEM. */
#define vw_vec_copy(from, ret)                                                               \
	({                                                                                   \
		int _c = 0;                                                                  \
		if ((from)->n > 0) {                                                         \
			(ret)->v = reallocarray(NULL, (from)->n, sizeof(*(from)->v));        \
			if ((ret)->v) {                                                      \
				memcpy((ret)->v, (from)->v, (from)->n * sizeof(*(from)->v)); \
				(ret)->n = (ret)->cap = (from)->n;                           \
			} else {                                                             \
				_c = -ENOMEM;                                                \
			}                                                                    \
		}                                                                            \
		_c;                                                                          \
	})

#endif
