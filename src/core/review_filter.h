/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A filter's tree, between the file that makes it and the one that asks it. */
#ifndef VW_CORE_REVIEW_FILTER_H
#define VW_CORE_REVIEW_FILTER_H

#include "vethwall/review.h"

#define VW_ETHER 256 /* as a protocol number: what is no IP */

struct filter_value {
	char *text; /* as written; owned */
	size_t n;
	uint64_t lo, hi; /* of numbers; lo: of a protocol */
	struct vw_prefix prefix; /* family 0: none */
	int64_t time_us;
};

struct filter_node {
	enum { NODE_TEST, NODE_NOT, NODE_AND, NODE_OR } op;
	int a, b; /* NOT: a; AND, OR: a, then the rest of the chain in b */
	enum vw_field field;
	enum vw_compare cmp; /* VW_EQ over several values: any of them */
	uint32_t first, n; /* values */
};

struct vw_filter {
	VW_VEC(struct filter_node) nodes;
	VW_VEC(struct filter_value) values;
	int root; /* -1: everything matches */
	char needle[VW_FLOW_STR_MAX + 2];
};

#endif
