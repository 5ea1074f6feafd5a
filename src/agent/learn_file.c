/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was resolved, kept in the run folder for the agent that comes next: a first line that says
 * of which boot and network namespace the interface numbers and times are, then a line for each
 * name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/place.h"
#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"

#define FILE_NAME "learnt"
#define FILE_MAX ((size_t)VW_LEARNT_MAX * 400) /* more than a line can have */

int vw_agent_place(char ret[static VW_PLACE_LEN])
{
	_cleanup_free_ char *id = NULL;
	struct stat st;
	size_t len;
	int r = vw_file_read("/proc/sys/kernel/random/boot_id", 64, &id, &len);

	if (r < 0)
		return r;
	if (stat("/proc/self/ns/net", &st) < 0)
		return -errno;
	snprintf(ret, VW_PLACE_LEN, "%.36s %llu", id, (unsigned long long)st.st_ino);
	return 0;
}

static int print(FILE *f, const struct vw_world *world)
{
	char where[VW_PLACE_LEN], addr[VW_ADDR_STRLEN];
	int r = vw_agent_place(where);

	if (r < 0)
		return r;
	fprintf(f, "%s\n", where);
	vw_vec_foreach (l, &world->learnt) {
		fprintf(f, "%u %s %lld %d %s\n", l->ifindex, vw_addr_str(&l->addr, addr),
			(long long)l->until_ms, l->lapsed, l->name);
	}
	return fflush(f) ? -errno : 0;
}

int vw_learnt_save(const struct vw_world *world, const char *run_dir)
{
	_cleanup_free_ char *path = NULL, *tmp = NULL;
	FILE *f;
	int fd, r;

	if (asprintf(&path, "%s/" FILE_NAME, run_dir) < 0 || asprintf(&tmp, "%s.new", path) < 0)
		return -ENOMEM;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	f = fdopen(fd, "w");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	r = print(f, world);
	if (fclose(f) && !r)
		r = -errno;
	if (!r && rename(tmp, path) < 0)
		r = -errno;
	return r;
}

static bool read_number(char **save, long long max, long long *ret)
{
	const char *word = strtok_r(NULL, " ", save);
	char *end;

	if (!word)
		return false;
	errno = 0;
	*ret = strtoll(word, &end, 10);
	return !errno && end != word && !*end && *ret >= 0 && *ret <= max;
}

/* ifindex address until lapsed name */
static bool read_line(char *line, char name[static VW_FQDN_LEN], struct vw_learnt *ret)
{
	struct vw_learnt l = {.name = name};
	char *save = line; /* where strtok_r goes on */
	const char *addr, *text, *why;
	long long ifindex, until, lapsed;

	if (!read_number(&save, UINT32_MAX, &ifindex) || !ifindex)
		return false;
	addr = strtok_r(NULL, " ", &save);
	if (!addr || vw_addr_parse(addr, &l.addr) || !read_number(&save, INT64_MAX, &until) ||
	    !read_number(&save, 1, &lapsed))
		return false;
	text = strtok_r(NULL, " ", &save);
	if (!text || vw_fqdn_normal(text, false, name, &why))
		return false;
	l.ifindex = (unsigned)ifindex;
	l.until_ms = until;
	l.lapsed = lapsed;
	*ret = l;
	return true;
}

/* A line that does not read is left out: what it said opens nothing then. */
static int take_line(struct vw_world *world, char *line)
{
	char name[VW_FQDN_LEN];
	struct vw_learnt l;
	bool news;

	return read_line(line, name, &l) ? vw_learnt_put(world, &l, &news) : 0;
}

int vw_learnt_load(struct vw_world *world, const char *run_dir)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	char where[VW_PLACE_LEN], *save = NULL, *line;
	size_t len;
	int r = vw_agent_place(where);

	if (!r && asprintf(&path, "%s/" FILE_NAME, run_dir) < 0)
		r = -ENOMEM;
	if (!r)
		r = vw_file_read(path, FILE_MAX, &text, &len);
	if (r < 0)
		return r;
	line = strtok_r(text, "\n", &save);
	if (!line || strcmp(line, where))
		return -ESTALE;
	while (!r && (line = strtok_r(NULL, "\n", &save)))
		r = take_line(world, line);
	return r;
}
