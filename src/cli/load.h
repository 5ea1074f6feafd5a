/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that several commands read, with errors told on stderr. */
#ifndef VETHWALL_CLI_LOAD_H
#define VETHWALL_CLI_LOAD_H

#include "vethwall/codec.h"

/* 0; -EINVAL: the file is invalid; another -errno: it cannot be read (told in d). */
int vw_load_world(const char *file, struct vw_world *ret, struct vw_diag *d);
/* "allow" or "deny" of --default; false for other words. */
bool vw_load_default(const char *word, bool *ret_deny);
/* What a loader's result means for the exit code. */
int vw_load_exit(int r);

#endif
