/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A typed growable array. It owns its storage, not what its elements point to: whoever declares a
 * vector of owners writes the loop that frees them. Every push names its limit, so that nothing an
 * outsider controls can grow without one. */
#ifndef VETHWALL_VEC_H
#define VETHWALL_VEC_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define VW_VEC(T)              \
	struct {               \
		T *v;          \
		size_t n, cap; \
	}

/* Makes room for one more element: 0, -ENOSPC at the limit, -ENOMEM. Nothing changes on failure. */
static inline int vw_vec_grow(void **v, size_t *cap, size_t n, size_t size, size_t max)
{
	size_t want;
	void *p;

	if (n >= max)
		return -ENOSPC;
	if (n < *cap)
		return 0;
	want = *cap ? *cap * 2 : 4;
	p = reallocarray(*v, want, size);
	if (!p)
		return -ENOMEM;
	*v = p;
	*cap = want;
	return 0;
}

/* Appends a copy of val: 0, -ENOSPC when the vector already holds max, -ENOMEM. */
#define vw_vec_push(vec, val, max)                                                          \
	({                                                                                  \
		void *_p = (vec)->v;                                                        \
		int _r = vw_vec_grow(&_p, &(vec)->cap, (vec)->n, sizeof(*(vec)->v), (max)); \
		(vec)->v = _p;                                                              \
		if (!_r)                                                                    \
			(vec)->v[(vec)->n++] = (val);                                       \
		_r;                                                                         \
	})

/* Frees the storage and leaves an empty vector. */
#define vw_vec_done(vec)                   \
	do {                               \
		free((vec)->v);            \
		(vec)->v = NULL;           \
		(vec)->n = (vec)->cap = 0; \
	} while (0)

#define vw_vec_foreach(it, vec) \
	for (__typeof__(*(vec)->v) *it = (vec)->v; it && it < (vec)->v + (vec)->n; it++)

#endif
