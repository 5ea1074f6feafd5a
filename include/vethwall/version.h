/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which vethwall this is: the commit that it was built from. */
#ifndef VETHWALL_VERSION_H
#define VETHWALL_VERSION_H

extern const char vw_version[];

#endif
