/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sorted list that grows by insertion: there are few groups, and many flows that find theirs. */
#include "cli/diff_groups.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "vethwall/cleanup.h"

void vw_diff_groups_done(struct vw_diff_groups *g)
{
	vw_vec_foreach (one, &g->list) {
		free(one->from);
		free(one->to);
	}
	vw_vec_done(&g->list);
	*g = (struct vw_diff_groups){0};
}

static int cmp_keys(const void *x, const void *y)
{
	const struct vw_diff_group *a = x, *b = y;
	int r = strcmp(a->from, b->from);

	if (!r)
		r = strcmp(a->to, b->to);
	if (!r)
		r = a->proto - b->proto;
	return r ? r : a->port - b->port;
}

static size_t place_of(const struct vw_diff_groups *g, const struct vw_diff_group *one,
		       bool *ret_there)
{
	size_t lo = 0, hi = g->list.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int order = cmp_keys(&g->list.v[mid], one);

		if (order == 0) {
			*ret_there = true;
			return mid;
		}
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_there = false;
	return lo;
}

static void merge(struct vw_diff_group *into, const struct vw_diff_group *one)
{
	into->flows += one->flows;
	into->packets += one->packets;
	into->bytes += one->bytes;
	if (one->first_us && (!into->first_us || one->first_us < into->first_us)) {
		into->first_us = one->first_us;
		into->at_least = one->at_least;
	}
	if (one->last_us > into->last_us)
		into->last_us = one->last_us;
}

static int insert(struct vw_diff_groups *g, size_t at, const struct vw_diff_group *one)
{
	struct vw_diff_group copy = *one;
	int r = -ENOMEM;

	copy.from = strdup(one->from);
	copy.to = strdup(one->to);
	if (copy.from && copy.to)
		r = vw_vec_push(&g->list, copy, VW_DIFF_GROUPS_MAX);
	if (r) {
		free(copy.from);
		free(copy.to);
		return r;
	}
	memmove(&g->list.v[at + 1], &g->list.v[at], (g->list.n - 1 - at) * sizeof(copy));
	g->list.v[at] = copy;
	return 0;
}

int vw_diff_groups_add(struct vw_diff_groups *g, const struct vw_diff_group *one)
{
	bool there;
	size_t at = place_of(g, one, &there);
	int r = 0;

	if (there)
		merge(&g->list.v[at], one);
	else
		r = insert(g, at, one);
	if (r == -ENOMEM)
		return r;
	if (r)
		g->unfolded += one->flows;
	g->flows += one->flows;
	g->packets += one->packets;
	return 0;
}

static int cmp_ranks(const void *x, const void *y)
{
	const struct vw_diff_group *a = x, *b = y;

	if (a->flows != b->flows)
		return a->flows < b->flows ? 1 : -1;
	return cmp_keys(a, b);
}

void vw_diff_groups_rank(struct vw_diff_groups *g)
{
	if (g->list.n)
		qsort(g->list.v, g->list.n, sizeof(*g->list.v), cmp_ranks);
}

const char *vw_diff_port_str(uint8_t proto, uint16_t port, char buf[static VW_DIFF_PORT_STRLEN])
{
	char number[4];
	const char *name = vw_proto_str(proto, number);

	if (vw_proto_has_ports(proto))
		snprintf(buf, VW_DIFF_PORT_STRLEN, "%s/%u", name, port);
	else if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		snprintf(buf, VW_DIFF_PORT_STRLEN, "%s %u/%u", name, (unsigned)port >> 8,
			 (unsigned)port & 0xff);
	else
		snprintf(buf, VW_DIFF_PORT_STRLEN, "%s", name);
	return buf;
}
