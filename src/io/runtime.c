/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all runtimes share: they are freed through their own function. */
#include "vethwall/runtime.h"

void vw_runtime_free(struct vw_runtime **r)
{
	if (*r)
		(*r)->ops->free(*r);
	*r = NULL;
}
