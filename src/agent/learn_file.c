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

#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"

#define FILE_NAME "learnt"
#define FILE_MAX ((size_t)VW_LEARNT_MAX * 400) /* more than a line can have */
#define PLACE_LEN 96

/* What the interface numbers and the clock belong to. */
static int place(char ret[static PLACE_LEN])
{
	_cleanup_free_ char *id = NULL;
	struct stat st;
	size_t len;
	int r = vw_file_read("/proc/sys/kernel/random/boot_id", 64, &id, &len);

	if (r < 0)
		return r;
	if (stat("/proc/self/ns/net", &st) < 0)
		return -errno;
	snprintf(ret, PLACE_LEN, "%.36s %llu", id, (unsigned long long)st.st_ino);
	return 0;
}

static int print(FILE *f, const struct vw_world *world)
{
	char where[PLACE_LEN], addr[VW_ADDR_STRLEN];
	int r = place(where);

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

/* A line that does not read is left out: what it said opens nothing then. */
static int take_line(struct vw_world *world, const char *line)
{
	char addr[VW_ADDR_STRLEN], name[VW_FQDN_LEN], normal[VW_FQDN_LEN];
	struct vw_learnt l = {.name = normal};
	const char *why;
	long long until;
	int lapsed;
	bool news;

	if (sscanf(line, "%u %45s %lld %d %253s", &l.ifindex, addr, &until, &lapsed, name) != 5 ||
	    !l.ifindex || vw_addr_parse(addr, &l.addr) || vw_fqdn_normal(name, false, normal, &why))
		return 0;
	l.until_ms = until;
	l.lapsed = lapsed;
	return vw_learnt_put(world, &l, &news);
}

int vw_learnt_load(struct vw_world *world, const char *run_dir)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	char where[PLACE_LEN], *save = NULL, *line;
	size_t len;
	int r = place(where);

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
