/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A previewed change as a file: written by `diff --out`, taken by `apply --plan`. It holds the
 * policies that were looked at and the very plan that was shown, and says of which node, version
 * and set in force it is, so that whoever applies it can refuse when any of that is no longer so.
 */
#ifndef VETHWALL_PLAN_FILE_H
#define VETHWALL_PLAN_FILE_H

#include "vethwall/sources.h"

#define VW_PLAN_FORMAT 1 /* of the file */
#define VW_PLAN_FILE_MAX (128u << 20) /* bytes */
#define VW_NODE_LEN 33 /* hex, NUL: says which node without naming it */

struct vw_plan_file {
	char *version; /* of vethwall */
	char node[VW_NODE_LEN];
	int64_t made_us; /* since 1970 */
	char base[VW_DIGEST_LEN]; /* vw_sources_digest() of the set that was in force */
	bool audit; /* the whole set in audit mode */
	struct vw_sources sources; /* the new set */
	char *plan; /* vw_oplist_print() of what it changes in the kernel */
	char plan_digest[VW_DIGEST_LEN]; /* vw_sha256() of plan */
};

void vw_plan_file_done(struct vw_plan_file *p);
/* The file's text (JSON, a last newline), or NULL without memory. plan_digest is made from plan. */
char *vw_plan_file_print(const struct vw_plan_file *p);
/* -EINVAL: no plan file; -EBADMSG: changed since it was written; -EPROTONOSUPPORT: of another
 * format. Words in d. file is what they speak of. */
int vw_plan_file_parse(const char *text, size_t len, const char *file, struct vw_plan_file *ret,
		       struct vw_diag *d);
/* Whether it is of this vethwall and node: 0; -EPROTONOSUPPORT, -EXDEV with words in d. */
int vw_plan_file_check(const struct vw_plan_file *p, const char *file, const char *version,
		       const char *node, struct vw_diag *d);

#endif
