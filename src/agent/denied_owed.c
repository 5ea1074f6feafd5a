/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was refused and is in no flow's record. A wall's chains count everything, its sets only what
 * had room; what neither the log nor a waiting entry accounts for is overflow, whatever the reason:
 * a full set, an element that came and expired while no agent was there, a counter that the kernel
 * could not allocate in a scan (each is per CPU, allocated atomically, from a reserve that runs dry
 * for milliseconds). Chains of a veth that is held count without a set. */
#include <string.h>

#include "agent/denied_state.h"

static const struct denied_owed nothing;

bool denied_chains(struct vw_denied *v, const struct denied_wall *w, int kind, uint64_t ret[2][2])
{
	bool foreign = kind == (w->has[0] ? DENIED_V4 : DENIED_V6);
	uint64_t dc[2][2], dx[2][2] = {{0}};
	char name[VW_NAME_LEN];

	if (kind == DENIED_HELD)
		snprintf(name, sizeof(name), "h_%u", w->ifindex);
	else
		snprintf(name, sizeof(name), "dc%d_%u", kind == DENIED_V6 ? 6 : 4, w->ifindex);
	if (vw_nft_chain_counters(v->nft, 0, name, dc, 2) != 2)
		return false;
	name[1] = 'x';
	if (kind != DENIED_HELD && foreign)
		(void)vw_nft_chain_counters(v->nft, 0, name, dx, 2);
	/* the chains have what was sent first (core/wall_deny.c) */
	for (int i = 0; i < 2; i++) {
		ret[1][i] = dc[0][i] + dx[0][i];
		ret[0][i] = dc[1][i] + dx[1][i];
	}
	return true;
}

void denied_owed_begin(struct vw_denied *v, struct denied_wall *w, int kind)
{
	uint64_t chain[2][2] = {{0}};
	bool read = denied_chains(v, w, kind, chain);

	for (int dir = 0; dir < 2; dir++) {
		struct denied_owed *o = &w->owed[kind][dir];

		if (!w->restored || !o->known || (read && (int64_t)chain[dir][0] < o->told[0])) {
			uint64_t over[2] = {o->over[0], o->over[1]};

			/* Without anything from before, only a chain that has counted nothing is
			 * certain to owe nothing. */
			o->known = v->trusted || w->gone || (read && !chain[dir][0]);
			memset(o->told, 0, sizeof(o->told));
			memcpy(o->over, over, sizeof(over));
		}
		memset(o->chain, 0, sizeof(o->chain));
	}
}

void denied_owed_end(struct denied_wall *w)
{
	for (int kind = 0; kind < _DENIED_KINDS; kind++) {
		for (int dir = 0; dir < 2; dir++) {
			struct denied_owed *o = &w->owed[kind][dir];
			struct denied_owed left = nothing;

			memcpy(left.over, o->over, sizeof(left.over));
			left.first_us = o->first_us;
			*o = left;
		}
	}
}

/* Moves what nothing accounts for to overflow. */
static void settle(struct vw_denied *v, struct denied_owed *o, bool quiet, int64_t wall_us)
{
	for (int i = 0; i < 2; i++) {
		int64_t over =
			(int64_t)o->chain[i] - o->told[i] - o->gained[i] - (int64_t)o->over[i];

		if (over < 0 && quiet)
			o->told[i] += over; /* the chain's rules were made anew */
		if (over <= 0)
			continue;
		o->over[i] += (uint64_t)over;
		if (!i)
			v->stats.unwritten_packets += (uint64_t)over;
		if (!o->first_us)
			o->first_us = wall_us;
	}
}

static void note(struct denied_reading *r, int dir, bool full)
{
	struct denied_owed *o = &r->w->owed[r->f][dir];
	const uint64_t *chain = r->chain[dir];
	bool quiet = !r->gained[dir] && o->chain[0] == chain[0];

	r->moved |= chain[0] != o->chain[0];
	if (chain[0] < o->chain[0])
		o->known = false; /* its rules were made anew */
	if (!o->known && !r->twice && (quiet || r->whole[dir][0] >= chain[0])) {
		const uint64_t *now = quiet ? chain : r->whole[dir];

		for (int i = 0; i < 2; i++)
			o->told[i] = (int64_t)now[i] - o->gained[i] - (int64_t)o->over[i];
		o->known = true;
	}
	memcpy(o->chain, chain, sizeof(o->chain));
	/* Certain only when no element was skipped, and the set is full or all is quiet. */
	if (o->known && !r->twice && (quiet || full))
		settle(r->v, o, quiet, r->wall_us);
}

void denied_note_overflow(struct denied_reading *r)
{
	bool full = r->elements - r->twice >= r->v->denied_max;
	uint64_t before = 0, after = 0;

	if (!r->counted)
		return;
	for (int dir = 0; dir < 2; dir++) {
		before += r->w->owed[r->f][dir].over[0];
		note(r, dir, full);
		after += r->w->owed[r->f][dir].over[0];
	}
	r->v->stats.overflow_packets += after - before;
}

void denied_read_held(struct vw_denied *v, struct denied_wall *w, bool *gained)
{
	uint64_t chain[2][2];

	if (!denied_chains(v, w, DENIED_HELD, chain))
		return;
	for (int dir = 0; dir < 2; dir++) {
		struct denied_owed *o = &w->owed[DENIED_HELD][dir];
		uint64_t before = o->over[0];

		if (!o->known || chain[dir][0] < o->chain[0]) {
			for (int i = 0; i < 2; i++)
				o->told[i] = (int64_t)chain[dir][i] - (int64_t)o->over[i];
			o->known = true;
		}
		memcpy(o->chain, chain[dir], sizeof(o->chain));
		settle(v, o, true, vw_wall_ns() / 1000);
		v->stats.held_packets += o->over[0] - before;
		*gained |= o->over[0] > before;
	}
}
