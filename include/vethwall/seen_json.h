/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was seen, as the agent keeps it and tells it. */
#ifndef VETHWALL_SEEN_JSON_H
#define VETHWALL_SEEN_JSON_H

#include <jansson.h>

#include "vethwall/seen.h"

/* An array of objects; NULL without memory. A name that is not UTF-8 leaves its entry out. */
json_t *vw_seen_json(const struct vw_seen_table *t);
/* Notes the entries of such an array; what is no entry is left out and counted in *ret_bad. 0 or
 * -ENOMEM. */
int vw_seen_from_json(const json_t *list, struct vw_seen_table *t, size_t *ret_bad);

#endif
