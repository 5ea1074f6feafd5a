/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of addresses with their names for each wall; the oldest entry of a full list makes room.
 */
#include "agent/names.h"

#include <string.h>

#include "vethwall/cleanup.h"

#define WALLS_MAX 65536

static void wall_done(struct names_wall *w)
{
	vw_vec_foreach (e, &w->list)
		free(e->name);
	vw_vec_done(&w->list);
}

void vw_names_done(struct vw_names *n)
{
	vw_vec_foreach (w, &n->walls)
		wall_done(w);
	vw_vec_done(&n->walls);
}

/* Index of the first wall whose ifindex is not smaller. */
static size_t wall_index(const struct vw_names *n, unsigned ifindex)
{
	size_t lo = 0, hi = n->walls.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (n->walls.v[mid].ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct names_wall *wall_get(const struct vw_names *n, unsigned ifindex)
{
	size_t i = wall_index(n, ifindex);

	return i < n->walls.n && n->walls.v[i].ifindex == ifindex ? &n->walls.v[i] : NULL;
}

static struct names_wall *wall_make(struct vw_names *n, unsigned ifindex)
{
	struct names_wall *w = wall_get(n, ifindex);
	size_t i = wall_index(n, ifindex);

	if (w)
		return w;
	if (vw_vec_push(&n->walls, (struct names_wall){0}, WALLS_MAX) < 0)
		return NULL;
	memmove(&n->walls.v[i + 1], &n->walls.v[i], (n->walls.n - 1 - i) * sizeof(*n->walls.v));
	n->walls.v[i] = (struct names_wall){.ifindex = ifindex};
	return &n->walls.v[i];
}

static struct names_entry *entry_get(const struct names_wall *w, const struct vw_addr *a)
{
	for (size_t i = 0; i < w->list.n; i++) {
		if (vw_addr_eq(&w->list.v[i].addr, a))
			return &w->list.v[i];
	}
	return NULL;
}

static int put(struct names_wall *w, const struct vw_addr *a, const char *name)
{
	struct names_entry *e = entry_get(w, a), fresh = {.addr = *a};
	int r;

	if (e && !strcmp(e->name, name))
		return 0;
	fresh.name = strdup(name);
	if (!fresh.name)
		return -ENOMEM;
	if (!e && w->list.n < VW_NAMES_WALL_MAX) {
		r = vw_vec_push(&w->list, fresh, VW_NAMES_WALL_MAX);
		if (r < 0)
			free(fresh.name);
		return r;
	}
	if (!e) {
		e = &w->list.v[w->next];
		w->next = (w->next + 1) % VW_NAMES_WALL_MAX;
	}
	free(e->name);
	*e = fresh;
	return 0;
}

int vw_names_put(struct vw_names *n, unsigned ifindex, const struct vw_dns_answer *a)
{
	struct names_wall *w = wall_make(n, ifindex);
	int r = w ? 0 : -ENOMEM;

	for (size_t i = 0; i < a->n && !r; i++)
		r = put(w, &a->addrs[i].addr, a->name);
	return r;
}

const char *vw_names_find(const struct vw_names *n, unsigned ifindex, const struct vw_addr *a)
{
	const struct names_wall *w = wall_get(n, ifindex);
	const struct names_entry *e = w ? entry_get(w, a) : NULL;

	return e ? e->name : NULL;
}

void vw_names_keep(struct vw_names *n, const struct vw_compiled *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->walls.n; i++) {
		if (vw_compiled_wall(c, n->walls.v[i].ifindex))
			n->walls.v[kept++] = n->walls.v[i];
		else
			wall_done(&n->walls.v[i]);
	}
	n->walls.n = kept;
}
