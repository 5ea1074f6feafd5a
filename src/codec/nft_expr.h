/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One expression of a rule -> its netlink attributes. For nft_encode.c only. */
#ifndef VW_CODEC_NFT_EXPR_H
#define VW_CODEC_NFT_EXPR_H

#include <linux/netlink.h>

#include "vethwall/ruleset.h"

/* Upper bound of a rule message: the largest expression (a bitwise with two 16-byte values, 120
 * bytes) VW_EXPRS_MAX times, names and userdata. */
#define VW_RULE_BYTES_MAX (VW_EXPRS_MAX * 160 + 512)

/* Appends NFTA_LIST_ELEM to the open nest. -EINVAL: no such expression, or a value that is too
 * long. */
int vw_nft_put_expr(struct nlmsghdr *nlh, const struct vw_expr *e);
/* The expressions that every element of a set carries. */
void vw_nft_put_set_exprs(struct nlmsghdr *nlh, bool counter, bool limit);

#endif
