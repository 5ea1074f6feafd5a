/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Typed reading of a located tree: each reader says what it found and what it expected, and carries
 * on. The reader's state gathers that something was wrong; its owner looks once, at the end. */
#ifndef CODEC_YAML_READ_H
#define CODEC_YAML_READ_H

#include "codec/yaml_tree.h"

struct vw_rd {
	const char *file;
	struct vw_diag *d;
	bool bad; /* an error was added */
	bool oom;
};

/* A field of a mapping: where in the caller's struct of node pointers it goes. */
struct vw_field {
	const char *name;
	size_t offset;
	enum {
		VW_OPTIONAL,
		VW_REQUIRED,
		VW_GIVES_NULL
	} need; /* VW_GIVES_NULL: null is not absence */
};

typedef const struct vw_yaml_node *vw_node;

struct vw_pos vw_rd_pos(const struct vw_rd *rd, vw_node n);
void vw_rd_error(struct vw_rd *rd, vw_node n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void vw_rd_warn(struct vw_rd *rd, vw_node n, const char *rule, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* "expected X, found Y"; what names the field. */
void vw_rd_expected(struct vw_rd *rd, vw_node n, const char *what, const char *expected);
/* Takes note of a failed allocation or a full vector; true when r is 0. */
bool vw_rd_ok(struct vw_rd *rd, vw_node n, int r);
/* 0, or what the owner returns: -ENOMEM, -EINVAL. */
int vw_rd_result(const struct vw_rd *rd);

/* Takes the mapping's fields into *ret, a struct of vw_node; absent and null ones become NULL.
 * Unknown fields and missing required ones are errors. False when n is no mapping. */
bool vw_rd_fields(struct vw_rd *rd, vw_node n, const char *what, const struct vw_field *fields,
		  size_t n_fields, void *ret);
/* True when n is a mapping or list; else the error is added. n may be NULL: false, no error. */
bool vw_rd_is_map(struct vw_rd *rd, vw_node n, const char *what);
bool vw_rd_is_list(struct vw_rd *rd, vw_node n, const char *what);
/* The string of a node, borrowed, or NULL with an error. Plain numbers and booleans are no strings.
 */
const char *vw_rd_text(struct vw_rd *rd, vw_node n, const char *what);
/* The same as a copy into *ret (which must be NULL); n NULL leaves it. */
bool vw_rd_string(struct vw_rd *rd, vw_node n, const char *what, char **ret);
bool vw_rd_int(struct vw_rd *rd, vw_node n, const char *what, long min, long max, long *ret);
bool vw_rd_bool(struct vw_rd *rd, vw_node n, const char *what, bool *ret);
/* The index of the node's string in words, which ends with NULL, or -1 with an error. */
int vw_rd_word(struct vw_rd *rd, vw_node n, const char *what, const char *const *words);
/* A name of ours: 1 to VW_NAME_MAX printable ASCII characters, no blank and no slash. */
bool vw_rd_name(struct vw_rd *rd, vw_node n, const char *what, char **ret);
/* The word nearest to s, or NULL when none is near. words ends with NULL. */
const char *vw_nearest(const char *s, const char *const *words);

#endif
