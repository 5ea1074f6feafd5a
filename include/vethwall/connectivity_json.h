/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A comparison of connectivity as JSON. docs/man/vethwall.8 documents the fields. */
#ifndef VETHWALL_CONNECTIVITY_JSON_H
#define VETHWALL_CONNECTIVITY_JSON_H

#include <jansson.h>

#include "vethwall/connectivity.h"

/* {"connectivity": [...], "policies": [...], "isolation": [...], "cut_short": bool}. NULL without
 * memory. */
json_t *vw_connectivity_json(const struct vw_connectivity *c);

#endif
