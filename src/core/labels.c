/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Labels: a sorted list of keys with values, looked up by binary search. Knows nothing of selectors
 * and of who carries the labels. */
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "vethwall/cleanup.h"
#include "vethwall/world.h"

void vw_labels_done(struct vw_labels *l)
{
	vw_vec_foreach (e, &l->list) {
		free(e->key);
		free(e->value);
	}
	vw_vec_done(&l->list);
}

/* Index of the first label whose key is not below key. */
static size_t labels_pos(const struct vw_labels *l, const char *key)
{
	size_t lo = 0, hi = l->list.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(l->list.v[mid].key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int labels_insert(struct vw_labels *l, size_t pos, const char *key, const char *value)
{
	struct vw_label e = {strdup(key), strdup(value)};
	int r = -ENOMEM;

	if (e.key && e.value)
		r = vw_vec_push(&l->list, e, VW_LABELS_MAX);
	if (r < 0) {
		free(e.key);
		free(e.value);
		return r;
	}
	memmove(l->list.v + pos + 1, l->list.v + pos, (l->list.n - 1 - pos) * sizeof(e));
	l->list.v[pos] = e;
	return 0;
}

int vw_labels_set(struct vw_labels *l, const char *key, const char *value)
{
	size_t pos = labels_pos(l, key);
	char *v;

	if (pos == l->list.n || strcmp(l->list.v[pos].key, key) != 0)
		return labels_insert(l, pos, key, value);
	v = strdup(value);
	if (!v)
		return -ENOMEM;
	free(l->list.v[pos].value);
	l->list.v[pos].value = v;
	return 0;
}

const char *vw_labels_get(const struct vw_labels *l, const char *key)
{
	size_t pos = labels_pos(l, key);

	if (pos < l->list.n && strcmp(l->list.v[pos].key, key) == 0)
		return l->list.v[pos].value;
	return NULL;
}

int vw_labels_copy(const struct vw_labels *from, struct vw_labels *ret)
{
	_cleanup_(vw_labels_done) struct vw_labels n = {0};

	/* In order, so each one is appended. */
	vw_vec_foreach (e, &from->list) {
		int r = vw_labels_set(&n, e->key, e->value);

		if (r < 0)
			return r;
	}
	*ret = TAKE_STRUCT(n);
	return 0;
}
