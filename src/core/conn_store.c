/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a comparison points to: handed out from chunks that never move, released together. */
#include "core/conn.h"

#define CHUNK 65536

struct vw_conn_chunk {
	struct vw_conn_chunk *next;
	size_t used, size;
	_Alignas(16) char v[];
};

void *conn_keep(struct vw_conn_chunk **store, size_t size)
{
	struct vw_conn_chunk *c = *store;
	size_t want = (size + 15) & ~(size_t)15;
	void *p;

	if (!c || c->size - c->used < want) {
		size_t n = want > CHUNK ? want : CHUNK;

		c = calloc(1, sizeof(*c) + n);
		if (!c)
			return NULL;
		c->size = n;
		c->next = *store;
		*store = c;
	}
	p = c->v + c->used;
	c->used += want;
	return p;
}

const char *conn_keep_text(struct vw_conn_chunk **store, const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = conn_keep(store, n);

	return p ? memcpy(p, s, n) : NULL;
}

void conn_store_done(struct vw_conn_chunk **store)
{
	while (*store) {
		struct vw_conn_chunk *next = (*store)->next;

		free(*store);
		*store = next;
	}
}
