/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of each chain's count the log holds, kept in the run folder for the agent that comes
 * next, with the place in the log up to which that is so: what stands behind it, the next agent
 * adds up itself (denied_restore.c). So also what was refused while no agent was there is told,
 * once. */
#include <errno.h>
#include <string.h>

#include "agent/denied_state.h"
#include "agent/place.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"

#define KEPT_MAX (64u << 20) /* bytes: all walls, six lines of less than 100 bytes each */

static void print_wall(FILE *f, const struct denied_wall *w, const char *name)
{
	for (int kind = 0; kind < _DENIED_KINDS; kind++) {
		for (int dir = 0; dir < 2; dir++) {
			const struct denied_owed *o = &w->owed[kind][dir];

			if (o->known)
				fprintf(f, "%u %s %d %d %lld %lld\n", w->ifindex, name, kind, dir,
					(long long)o->told[0], (long long)o->told[1]);
		}
	}
}

static int print(struct vw_denied *v, FILE *f)
{
	char where[VW_PLACE_LEN], name[IFNAMSIZ];
	struct denied_place at;
	int r = vw_agent_place(where);

	if (r)
		return r;
	vw_store_at(v->store, &at.seq, &at.offset);
	fprintf(f, "%s\n%llu %llu\n", where, (unsigned long long)at.seq,
		(unsigned long long)at.offset);
	vw_vec_foreach (p, &v->walls) {
		if ((*p)->standing && if_indextoname((*p)->ifindex, name))
			print_wall(f, *p, name);
	}
	return 0;
}

void denied_keep(struct vw_denied *v)
{
	_cleanup_free_ char *text = NULL;
	unsigned held = 0;
	size_t n = 0;
	FILE *f;
	int r;

	if (!v->keep_path)
		return;
	f = open_memstream(&text, &n);
	r = f ? print(v, f) : -ENOMEM;
	if (f && fclose(f))
		r = -ENOMEM;
	if (!r)
		r = vw_file_write(v->keep_path, text, n);
	if (!r)
		v->trusted = true;
	else if (vw_ratelimit_ok(&v->said_keep, 1, 60, &held))
		vw_warn("%s: %s; what is refused while no agent runs may be told twice or not",
			v->keep_path, strerror(-r));
}

static bool take_wall(struct vw_denied *v, const char *line)
{
	unsigned ifindex;
	int kind, dir, end = 0;
	long long told[2];
	char name[IFNAMSIZ];
	struct denied_wall *w;

	if (sscanf(line, "%u %15s %d %d %lld %lld%n", &ifindex, name, &kind, &dir, &told[0],
		   &told[1], &end) != 6 ||
	    line[end] || !ifindex || kind < 0 || kind >= _DENIED_KINDS || dir < 0 || dir > 1)
		return false;
	w = denied_wall_make(v, ifindex);
	if (!w)
		return false;
	memcpy(w->iface, name, sizeof(w->iface));
	w->restored = true;
	w->owed[kind][dir] = (struct denied_owed){.known = true, .told = {told[0], told[1]}};
	return true;
}

int denied_kept(struct vw_denied *v, struct denied_place *ret)
{
	_cleanup_free_ char *text = NULL;
	char where[VW_PLACE_LEN], *save = NULL, *line;
	unsigned long long seq, offset;
	size_t n;
	int r = v->keep_path ? vw_file_read(v->keep_path, KEPT_MAX, &text, &n) : -ENOENT;

	if (!r)
		r = vw_agent_place(where);
	if (r)
		return r;
	line = strtok_r(text, "\n", &save);
	if (!line || strcmp(line, where) != 0)
		return -ESTALE;
	line = strtok_r(NULL, "\n", &save);
	if (!line || sscanf(line, "%llu %llu", &seq, &offset) != 2)
		return -EBADMSG;
	while ((line = strtok_r(NULL, "\n", &save))) {
		if (!take_wall(v, line))
			return -EBADMSG;
	}
	*ret = (struct denied_place){seq, offset};
	return 0;
}
