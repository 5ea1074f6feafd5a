/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image lists of the settings as the world has them. A file that cannot be read or understood
 * leaves what was read before in force, and says so until it is mended. */
#include <string.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"

static char *text_of(const struct vw_diag *d, int r)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	if (d->list.n)
		vw_diag_print(d, f, false);
	else
		fputs(strerror(-r), f);
	fclose(f);
	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	return TAKE_PTR(text);
}

static void failed(struct vw_image_state *st, const struct vw_image_source *src, int r,
		   const struct vw_diag *d)
{
	char *text = text_of(d, r);

	if (text && (!st->error || strcmp(st->error, text) != 0))
		vw_err("image list %s: %s; %s", src->name, text,
		       st->read_ns ? "what was read before stays"
				   : "IT IS NOT THERE: every image counts as not in it, and "
				     "imageIn matches none");
	free(st->error);
	st->error = text ? text : strdup("out of memory");
}

/* True when the world changed. */
static bool read_one(struct vw_agent *a, size_t i)
{
	const struct vw_image_source *src = &a->s->image_lists.v[i];
	struct vw_image_state *st = &a->images.state.v[i];
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	_cleanup_(vw_image_list_done) struct vw_image_list l = {};
	bool changed = false;
	int r = vw_images_load(src, &l, &d);

	if (!r)
		r = vw_world_put_image_list(&a->world, &l, &changed);
	if (r < 0) {
		failed(st, src, r, &d);
		return false;
	}
	if (changed || st->error)
		vw_info("image list %s: %zu images", src->name,
			vw_world_image_list(&a->world, src->name)->entries.n);
	free(st->error);
	st->error = NULL;
	st->read_ns = vw_wall_ns();
	return changed;
}

static void read_all(void *agent)
{
	struct vw_agent *a = agent;
	bool changed = false;

	for (size_t i = 0; i < a->images.state.n; i++)
		changed |= read_one(a, i);
	if (changed)
		vw_agent_dirty(a);
}

int vw_agent_images_open(struct vw_agent *a)
{
	int r = 0;

	for (size_t i = 0; i < a->s->image_lists.n && !r; i++)
		r = vw_vec_push(&a->images.state, (struct vw_image_state){}, VW_IMAGE_LISTS_MAX);
	if (!r && a->s->image_lists.n)
		r = vw_image_watch_open(a->loop, a->s, read_all, a, &a->images.watch);
	if (!r)
		vw_agent_images_check(a);
	return r;
}

void vw_agent_images_done(struct vw_agent *a)
{
	vw_image_watch_free(&a->images.watch);
	vw_vec_foreach (st, &a->images.state)
		free(st->error);
	vw_vec_done(&a->images.state);
}

void vw_agent_images_check(struct vw_agent *a)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {};

	vw_image_lists_check(&a->policies, &a->world, NULL, &d);
	vw_vec_foreach (e, &d.list)
		vw_warn("%s:%u:%u: %s", e->file ? e->file : "policies", e->line, e->col, e->text);
}

bool vw_agent_images_ok(const struct vw_agent *a)
{
	vw_vec_foreach (st, &a->images.state)
		if (st->error)
			return false;
	return true;
}

json_t *vw_agent_images_json(const struct vw_agent *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->images.state.n; i++) {
		const struct vw_image_state *st = &a->images.state.v[i];
		const struct vw_image_source *src = &a->s->image_lists.v[i];
		const struct vw_image_list *l = vw_world_image_list(&a->world, src->name);

		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:b, s:I, s:f, s:s?}", "name", src->name, "file",
				  src->file, "read", st->read_ns != 0, "entries",
				  (json_int_t)(l ? l->entries.n : 0), "age",
				  st->read_ns ? (double)(vw_wall_ns() - st->read_ns) / 1e9 : 0.0,
				  "error", st->error));
	}
	return list;
}
