/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one object that holds the version, so that a new commit rebuilds this and nothing else, and
 * all parts of a program say the same. */
#include "vethwall/version.h"

const char vw_version[] = VW_VERSION;
