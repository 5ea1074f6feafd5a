/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image lists of the settings, read into the world and followed. */
#ifndef VETHWALL_AGENT_IMAGES_H
#define VETHWALL_AGENT_IMAGES_H

#include <jansson.h>

#include "vethwall/image_watch.h"

struct vw_agent;

struct vw_image_state {
	int64_t read_ns; /* CLOCK_REALTIME of what is in force; 0: never read */
	char *error; /* of the last reading, or NULL */
};

struct vw_images {
	struct vw_image_watch *watch;
	VW_VEC(struct vw_image_state) state; /* one for each of the settings' lists */
};

int vw_agent_images_open(struct vw_agent *a);
void vw_agent_images_done(struct vw_agent *a);
/* Says which lists the policies name and nobody has. */
void vw_agent_images_check(struct vw_agent *a);
bool vw_agent_images_ok(const struct vw_agent *a);
json_t *vw_agent_images_json(const struct vw_agent *a);

#endif
