/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files the agent needs once it has started: it reads the folders that its settings name
 * things in (the folder, so that a file may be replaced), and writes into its own three. */
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <string.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"

struct fence {
	VW_VEC(char *) read;
};

static void fence_done(struct fence *f)
{
	vw_vec_foreach (p, &f->read)
		free(*p);
	vw_vec_done(&f->read);
}

static int add(struct fence *f, const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	int r;

	if (!copy)
		return -ENOMEM;
	r = vw_vec_push(&f->read, copy, VW_SANDBOX_PATHS_MAX);
	if (!r)
		copy = NULL;
	return r;
}

/* The folder that holds the file: an editor renames a new one into it. */
static int add_parent(struct fence *f, const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	return copy ? add(f, dirname(copy)) : -ENOMEM;
}

/* Where policies or a list are a link, what it leads to counts too. */
static int add_source(struct fence *f, const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	int r = add_parent(f, path);

	return r || !real ? r : add_parent(f, real);
}

static int readable(const struct vw_agent *a, struct fence *f)
{
	static const char *const always[] = {"/etc", "/proc", "/sys", "/run/systemd/resolve"};
	const char *runtime = a->s->runtime;
	int r = 0;

	for (size_t i = 0; i < VW_ARRAY_SIZE(always) && !r; i++)
		r = add(f, always[i]);
	if (!r)
		r = add_source(f, a->s->policies);
	if (!r && !strncmp(runtime, "static:", 7))
		r = add_source(f, runtime + 7);
	vw_vec_foreach (list, &a->s->image_lists) {
		if (!r)
			r = add_source(f, list->file);
	}
	return r;
}

/* Whether some output is not a Unix socket. */
static bool sends_away(const struct vw_settings *s)
{
	vw_vec_foreach (o, &s->outputs) {
		if (o->addr.family)
			return true;
	}
	return false;
}

json_t *vw_agent_fence_json(const struct vw_agent *a)
{
	return json_pack("{s:b, s:b, s:i}", "capabilities", a->sandbox.capabilities, "seccomp",
			 a->sandbox.seccomp, "landlock", a->sandbox.landlock);
}

int vw_agent_fence(struct vw_agent *a, struct vw_diag *d)
{
	_cleanup_(fence_done) struct fence f = {};
	const char *write[] = {a->s->run_dir, a->s->state_dir, a->s->log_dir};
	const struct group *g = a->s->log_group ? getgrnam(a->s->log_group) : NULL;
	struct vw_sandbox s = {.write = write,
			       .n_write = VW_ARRAY_SIZE(write),
			       .network = sends_away(a->s),
			       .group = g ? g->gr_gid : (gid_t)-1};
	int r = readable(a, &f);

	s.read = (const char *const *)f.read.v;
	s.n_read = f.read.n;
	return r ? r : vw_sandbox_enter(&s, &a->sandbox, d);
}
