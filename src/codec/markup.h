/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Anybody's text as text of an HTML or SVG document. */
#ifndef VW_CODEC_MARKUP_H
#define VW_CODEC_MARKUP_H

#include <stdio.h>

/* Fit for elements and for quoted attributes alike: no byte of s is markup, and nothing in it
 * moves, hides or turns round what stands beside it. NULL: nothing. */
void vw_markup(FILE *f, const char *s);
void vw_markup_n(FILE *f, const char *s, size_t n);

#endif
