/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells that the files or folders of image lists may have changed. What is in them is not its
 * business. */
#ifndef VETHWALL_IMAGE_WATCH_H
#define VETHWALL_IMAGE_WATCH_H

#include "vethwall/loop.h"
#include "vethwall/settings.h"

struct vw_image_watch;

/* Calls cb from the loop, at once for the first time, and while a folder is not there every two
 * seconds. */
int vw_image_watch_open(struct vw_loop *loop, const struct vw_settings *s, void (*cb)(void *arg),
			void *arg, struct vw_image_watch **ret);
void vw_image_watch_free(struct vw_image_watch **w);

#endif
