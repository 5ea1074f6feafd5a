/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of images that policies name: approved or refused ones. An image has one key: its digest
 * when its name carries one, since that is what it consists of, else repository:tag. Knows nothing
 * of where lists come from. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "vethwall/policy.h"

#define SHA256_TEXT 71 /* "sha256:" and 64 digits */

static bool is_digest(const char *s)
{
	return strncmp(s, "sha256:", 7) == 0 && strlen(s) == SHA256_TEXT &&
	       strspn(s + 7, "0123456789abcdef") == SHA256_TEXT - 7;
}

const char *vw_image_key(const char *ref, char buf[VW_IMAGE_KEY_MAX])
{
	const char *at = strrchr(ref, '@'), *slash = strrchr(ref, '/');
	const char *tag = strchr(slash ? slash : ref, ':');

	if (!*ref || strlen(ref) > VW_IMAGE_REF_MAX)
		return "expected an image of 1 to 1024 characters";
	for (const char *c = ref; *c; c++)
		if (*c <= ' ' || *c >= 0x7f)
			return "expected no blanks, control or other than ASCII characters";
	if (at || strncmp(ref, "sha256:", 7) == 0) {
		if (at == ref || !is_digest(at ? at + 1 : ref))
			return "expected sha256: and 64 lower case hexadecimal digits";
		strcpy(buf, at ? at + 1 : ref);
		return NULL;
	}
	if ((tag && !tag[1]) || tag == ref || (slash && !slash[1]))
		return "expected repository:tag, repository@sha256:... or sha256:...";
	/* A name without a tag is the one that runtimes complete so. */
	snprintf(buf, VW_IMAGE_KEY_MAX, "%s%s", ref, tag ? "" : ":latest");
	return NULL;
}

void vw_image_list_done(struct vw_image_list *l)
{
	free(l->name);
	vw_vec_foreach (e, &l->entries)
		free(*e);
	vw_vec_done(&l->entries);
	*l = (struct vw_image_list){0};
}

int vw_image_list_add(struct vw_image_list *l, const char *key)
{
	char *copy = strdup(key);
	int r = copy ? vw_vec_push(&l->entries, copy, VW_IMAGE_ENTRIES_MAX) : -ENOMEM;

	if (r < 0)
		free(copy);
	return r;
}

static int entry_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_entries(struct vw_image_list *l)
{
	size_t kept = 0;

	if (l->entries.n)
		qsort(l->entries.v, l->entries.n, sizeof(*l->entries.v), entry_cmp);
	vw_vec_foreach (e, &l->entries) {
		if (kept && strcmp(l->entries.v[kept - 1], *e) == 0)
			free(*e);
		else
			l->entries.v[kept++] = *e;
	}
	l->entries.n = kept;
}

static bool lists_equal(const struct vw_image_list *a, const struct vw_image_list *b)
{
	if (a->entries.n != b->entries.n)
		return false;
	for (size_t i = 0; i < a->entries.n; i++)
		if (strcmp(a->entries.v[i], b->entries.v[i]) != 0)
			return false;
	return true;
}

static struct vw_image_list *find(const struct vw_world *world, const char *name)
{
	vw_vec_foreach (l, &world->image_lists)
		if (strcmp(l->name, name) == 0)
			return l;
	return NULL;
}

const struct vw_image_list *vw_world_image_list(const struct vw_world *world, const char *name)
{
	return find(world, name);
}

int vw_world_put_image_list(struct vw_world *world, struct vw_image_list *l, bool *ret_changed)
{
	struct vw_image_list *old = find(world, l->name);
	int r;

	sort_entries(l);
	*ret_changed = !old || !lists_equal(old, l);
	if (old) {
		vw_image_list_done(old);
		*old = TAKE_STRUCT(*l);
		return 0;
	}
	r = vw_vec_push(&world->image_lists, *l, VW_IMAGE_LISTS_MAX);
	if (!r)
		*l = (struct vw_image_list){0};
	return r;
}

int vw_image_lists_copy(const struct vw_world *from, struct vw_world *ret)
{
	vw_vec_foreach (l, &from->image_lists) {
		struct vw_image_list c = {0};
		bool changed;
		int r = vw_text_copy(l->name, &c.name);

		vw_vec_foreach (e, &l->entries)
			if (!r)
				r = vw_image_list_add(&c, *e);
		if (!r)
			r = vw_world_put_image_list(ret, &c, &changed);
		if (r < 0) {
			vw_image_list_done(&c);
			return r;
		}
	}
	return 0;
}

static bool has(const struct vw_image_list *l, const char *key)
{
	return l->entries.n &&
	       bsearch(&key, l->entries.v, l->entries.n, sizeof(*l->entries.v), entry_cmp);
}

bool vw_image_in_list(const struct vw_world *world, const char *name, const struct vw_workload *w)
{
	const struct vw_image_list *l = find(world, name);
	char key[VW_IMAGE_KEY_MAX];

	if (!l)
		return false;
	if (w->image_id && has(l, w->image_id))
		return true;
	return w->image && !vw_image_key(w->image, key) && has(l, key);
}

/* ---- names that no list has ---- */

static void check_name(const char *name, const struct vw_world *world, const struct vw_pos *pos,
		       const char *rule, struct vw_diag *d)
{
	if (name && !find(world, name))
		vw_diag_add(d, VW_WARNING, pos, rule,
			    "there is no image list %s here: every image counts as not in it",
			    name);
}

static void check_match(const struct vw_match *m, const struct vw_world *world,
			const struct vw_pos *pos, const char *rule, struct vw_diag *d)
{
	check_name(m->image_in, world, pos, rule, d);
	check_name(m->image_not_in, world, pos, rule, d);
}

void vw_image_lists_check(const struct vw_policyset *set, const struct vw_world *world,
			  const char *rule, struct vw_diag *d)
{
	vw_vec_foreach (p, &set->list) {
		check_match(&p->subject, world, &p->pos, rule, d);
		for (int dir = 0; dir < _VW_DIRECTION_MAX; dir++)
			vw_vec_foreach (r, &p->rules[dir])
				vw_vec_foreach (peer, &r->peers)
					if (peer->kind == VW_PEER_MATCH)
						check_match(&peer->match, world, &peer->pos, rule,
							    d);
	}
}
