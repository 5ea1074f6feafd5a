/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of nft(8) for parts of a ruleset: a rule, an element, a set's key. For ruleset_print.c.
 */
#ifndef VW_CORE_NFT_TEXT_H
#define VW_CORE_NFT_TEXT_H

#include <stdio.h>

#include "vethwall/ruleset.h"

/* Finds a set by name, or NULL where it is not known; then the key is all that was loaded side by
 * side. */
typedef const struct vw_set *(*nft_text_set)(void *arg, const char *name);

/* "ip saddr . meta l4proto @allowed accept comment \"why\"", without a newline. What nft cannot
 * load says so in a comment at the end; then false. */
bool nft_text_rule(FILE *f, const struct vw_nftrule *r, nft_text_set find, void *arg);
/* "192.0.2.1 . tcp . 80-90 : 0x00000007" */
void nft_text_elem(FILE *f, const struct vw_set *s, const struct vw_elem *e);
/* "ipv4_addr . inet_proto" */
void nft_text_type(FILE *f, const struct vw_set *s);
/* "3600s", "1001ms" */
void nft_text_time(FILE *f, uint32_t ms);

#endif
