/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a preview found about flows, as tables of plain texts: the same for a terminal, a review
 * comment and a page. */
#ifndef VETHWALL_CLI_DIFF_LISTS_H
#define VETHWALL_CLI_DIFF_LISTS_H

#include "cli/diff.h"
#include "cli/diff_html.h"

enum { VW_DIFF_LIST_CUT, VW_DIFF_LIST_PASSED, VW_DIFF_LIST_DENIED, _VW_DIFF_LIST_MAX };

struct vw_diff_lists {
	struct vw_diff_html_list list[_VW_DIFF_LIST_MAX];
	char *notes[_VW_DIFF_LIST_MAX]; /* a sentence each: how many, of how many */
	size_t n; /* without a log the last is left out */
};

void vw_diff_lists_done(struct vw_diff_lists *l);
/* At most rows of each. -ENOMEM. */
int vw_diff_lists_make(const struct vw_diff *d, size_t rows, struct vw_diff_lists *ret);

#endif
