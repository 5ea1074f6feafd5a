/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of each chain's count the log holds, kept in the run folder for the agent that comes
 * next, with the place in the log up to which that is so: what stands behind it, the next agent
 * adds up itself (denied_restore.c). So also what was refused while no agent was there is told,
 * once. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "agent/denied_state.h"
#include "agent/place.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"

#define KEPT_MAX (64u << 20) /* bytes: all walls, six lines of less than 100 bytes each */

static void print_wall(FILE *f, const struct denied_wall *w)
{
	for (int kind = 0; kind < _DENIED_KINDS; kind++) {
		for (int dir = 0; dir < 2; dir++) {
			const struct denied_owed *o = &w->owed[kind][dir];

			if (o->known)
				fprintf(f, "%u %s %d %d %lld %lld\n", w->ifindex, w->iface, kind,
					dir, (long long)o->told[0], (long long)o->told[1]);
		}
	}
}

static int print(struct vw_denied *v, FILE *f)
{
	char where[VW_PLACE_LEN];
	struct denied_place at;
	int r = vw_agent_place(where);

	if (r)
		return r;
	vw_store_at(v->store, &at.seq, &at.offset);
	fprintf(f, "%s\n%llu %llu\n", where, (unsigned long long)at.seq,
		(unsigned long long)at.offset);
	vw_vec_foreach (p, &v->walls) {
		if ((*p)->standing)
			print_wall(f, *p);
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

/* The next number, at most max; what follows it is a space, or the end of the line. */
static bool take_number(char **p, long long max, long long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(*p, &end, 10);
	if (end == *p || errno || *ret > max || (*end && *end != ' '))
		return false;
	*p = end;
	return true;
}

static bool take_wall(struct vw_denied *v, char *line)
{
	long long ifindex, kind, dir, told[2];
	char name[IFNAMSIZ];
	struct denied_wall *w;
	size_t n;

	if (!take_number(&line, INT_MAX, &ifindex) || ifindex < 1 || *line++ != ' ')
		return false;
	n = strcspn(line, " ");
	if (!n || n >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)n, line);
	line += n;
	if (!take_number(&line, _DENIED_KINDS - 1, &kind) || kind < 0 ||
	    !take_number(&line, 1, &dir) || dir < 0 || !take_number(&line, LLONG_MAX, &told[0]) ||
	    !take_number(&line, LLONG_MAX, &told[1]) || *line)
		return false;
	w = denied_wall_make(v, (unsigned)ifindex);
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
	long long seq, offset;
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
	if (!line || !take_number(&line, LLONG_MAX, &seq) || seq < 0 ||
	    !take_number(&line, LLONG_MAX, &offset) || offset < 0)
		return -EBADMSG;
	while ((line = strtok_r(NULL, "\n", &save))) {
		if (!take_wall(v, line))
			return -EBADMSG;
	}
	*ret = (struct denied_place){(uint64_t)seq, (uint64_t)offset};
	return 0;
}
