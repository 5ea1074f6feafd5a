/* SPDX-License-Identifier: GPL-2.0-or-later */
/* YAML (and so JSON) text as a located tree, with every limit that a hostile file could want to
 * pass. Aliases, anchors and duplicate keys are refused: a document says each thing once and means
 * what it shows. Knows nothing of policies. */
#ifndef CODEC_YAML_TREE_H
#define CODEC_YAML_TREE_H

#include "vethwall/codec.h"

#define VW_YAML_DEPTH_MAX 64 /* lists and mappings inside each other */
#define VW_YAML_NODES_MAX 1000000u /* of all documents in a text, keys counted */
#define VW_YAML_DOCS_MAX VW_POLICIES_MAX

enum vw_yaml_kind {
	VW_YAML_NULL, /* plain, empty or null */
	VW_YAML_BOOL, /* plain true, false and their YAML 1.1 spellings yes, no, on, off */
	VW_YAML_INT, /* plain, any base */
	VW_YAML_FLOAT, /* plain */
	VW_YAML_STRING, /* quoted, or plain and none of the above */
	VW_YAML_LIST,
	VW_YAML_MAP,
	_VW_YAML_KIND_MAX
};

struct vw_yaml_node {
	enum vw_yaml_kind kind;
	unsigned line, col; /* 1-based */
	char *text; /* of scalars: as written, unquoted; never with a NUL inside */
	VW_VEC(struct vw_yaml_node) items; /* of a list; of a mapping key, value, key, value, ... */
};

struct vw_yaml {
	VW_VEC(struct vw_yaml_node) docs; /* those read whole; empty documents are left out */
	bool bad; /* errors are in the diag: refuse the text */
};

/* 0 or -ENOMEM. What is wrong with the text goes to d and sets bad; the documents that could be
 * read are given all the same, so that the caller can say what else is wrong with them. */
int vw_yaml_parse(const char *text, size_t len, const char *file, struct vw_yaml *ret,
		  struct vw_diag *d);
void vw_yaml_done(struct vw_yaml *y);
/* The value of a key, null values too, or NULL when absent or n is no mapping. */
const struct vw_yaml_node *vw_yaml_get(const struct vw_yaml_node *n, const char *key);

#endif
