/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The world in the form of the world file, whole enough to compile and judge in it elsewhere as on
 * the node that it was taken from. */
#ifndef VETHWALL_WORLD_JSON_H
#define VETHWALL_WORLD_JSON_H

#include <jansson.h>

#include "vethwall/world.h"

#define VW_WORLD_TEXT_MAX (32u << 20) /* bytes of a world file */

/* What is left out decides nothing: label keys that no selector can name, and of image lists the
 * images that no workload has. NULL without memory, or when some text is not UTF-8. */
json_t *vw_world_json(const struct vw_world *w);
/* The object as a text that vw_world_parse() reads (caller frees); NULL without memory. */
char *vw_world_text(const json_t *world);

#endif
