/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Located diagnostics: what is wrong, where, gathered in a list and printed once at the edge as
 * "FILE:LINE:COL: message" (warnings: "FILE:LINE:COL: warning: message [rule]"). Library code adds,
 * never prints. */
#ifndef VETHWALL_DIAG_H
#define VETHWALL_DIAG_H

#include <stdbool.h>
#include <stdio.h>

#include "vethwall/vec.h"

#define VW_DIAG_MAX 200 /* per list; what goes over it is counted in dropped */

enum vw_severity { VW_ERROR, VW_WARNING, VW_NOTE };

/* A place in a text: 1-based; line 0 means the file as a whole. file is borrowed from whoever holds
 * the text's name and must outlive the position. */
struct vw_pos {
	const char *file;
	unsigned line, col;
};

struct vw_diag_entry {
	enum vw_severity severity;
	char *file;
	unsigned line, col;
	const char *rule; /* the lint rule's name, a literal, or NULL */
	char *text;
};

struct vw_diag {
	VW_VEC(struct vw_diag_entry) list;
	size_t errors, warnings, dropped;
};

/* Appends one entry; never fails (what cannot be kept is counted in dropped, errors still counts).
 */
void vw_diag_add(struct vw_diag *d, enum vw_severity sev, const struct vw_pos *pos,
		 const char *rule, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
#define vw_error(d, pos, ...) vw_diag_add((d), VW_ERROR, (pos), NULL, __VA_ARGS__)

/* Prints all entries, each one line; with source (the text the file had, may be NULL) the line and
 * a caret below it. Control characters are escaped. colour: ANSI on a terminal. */
void vw_diag_print(const struct vw_diag *d, FILE *f, bool colour);
/* Frees the entries and leaves an empty list. */
void vw_diag_done(struct vw_diag *d);

#endif
