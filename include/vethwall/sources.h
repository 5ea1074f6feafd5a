/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy files as texts: what was read from a folder, was sent over the control socket, or is kept
 * in the history of what was enforced. The same texts give the same policies wherever they are
 * parsed. */
#ifndef VETHWALL_SOURCES_H
#define VETHWALL_SOURCES_H

#include <jansson.h>

#include "vethwall/codec.h"

#define VW_SOURCES_MAX 20000 /* files of a set */
#define VW_SOURCES_BYTES_MAX (32u << 20) /* all texts of a set together */
#define VW_DIGEST_LEN 65 /* sha256 in hex, NUL */

struct vw_source {
	char *name; /* path as it was given: what positions in diagnostics say */
	char *text; /* len bytes, any */
	size_t len;
};
struct vw_sources {
	VW_VEC(struct vw_source) list; /* sorted by name, none twice */
	size_t bytes; /* of all texts */
};

void vw_sources_done(struct vw_sources *s);
/* Appends copies: 0, -ENOMEM, -E2BIG (a bound), -EEXIST (the name is there), -EILSEQ (the name is
 * not UTF-8). (codec/sources.c, as what follows) */
int vw_sources_add(struct vw_sources *s, const char *name, const char *text, size_t len);
/* All documents of all texts, sorted; errors are gathered and refuse the whole (-EINVAL). */
int vw_sources_parse(const struct vw_sources *s, struct vw_policyset *ret, struct vw_diag *d);
/* Over names' last parts and texts: where the folder stands makes no difference. */
void vw_sources_digest(const struct vw_sources *s, char ret[static VW_DIGEST_LEN]);
/* [{name, text}]: NULL without memory, or when a text is not UTF-8 (one that parses is). */
json_t *vw_sources_json(const struct vw_sources *s);
/* -EINVAL: not that form; -EEXIST, -E2BIG, -ENOMEM. */
int vw_sources_from_json(const json_t *array, struct vw_sources *ret);
/* Of any bytes. */
void vw_sha256(const void *p, size_t n, char ret[static VW_DIGEST_LEN]);

/* Reads files, and of folders what vw_policies_load() would; a file that is named twice counts
 * once. Errors are gathered. (io/files.c) */
int vw_sources_load(const char *const *paths, size_t n, struct vw_sources *ret, struct vw_diag *d);

#endif
