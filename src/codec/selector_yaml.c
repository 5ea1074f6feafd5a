/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LabelSelector (matchLabels, matchExpressions) -> requirements, with the API's rules for operators
 * and values. Knows nothing of what is selected. */
#include "codec/k8s_names.h"
#include "codec/policy_codec.h"
#include "vethwall/cleanup.h"

#define REQUIREMENTS_MAX VW_LABELS_MAX
#define VALUES_MAX 4096
#define FREE_TEXT_MAX 4096 /* Docker sets no limit to a label */

static void requirement_done(struct vw_requirement *r)
{
	free(r->key);
	vw_vec_foreach (v, &r->values)
		free(*v);
	vw_vec_done(&r->values);
}

/* What a label of a container may be: any text a person could have typed. */
static const char *free_text_error(const char *s, bool value)
{
	if (!*s && !value)
		return "a label key";
	if (strlen(s) > (value ? FREE_TEXT_MAX : VW_LABEL_KEY_MAX))
		return value ? "at most 4096 characters" : "at most 1000 characters";
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return "no control characters";
	return NULL;
}

static bool key_ok(struct vw_rd *rd, vw_node n, const char *key, bool strict)
{
	const char *want = strict ? vw_k8s_label_key_error(key) : free_text_error(key, false);

	if (want)
		vw_rd_error(rd, n, "label key \"%.80s\": expected %s", key, want);
	return !want;
}

static bool add_value(struct vw_rd *rd, vw_node n, const char *what, bool strict,
		      struct vw_requirement *r)
{
	/* A null in a list or map of strings is the empty string to the API's decoder. */
	const char *s = n->kind == VW_YAML_NULL ? "" : vw_rd_text(rd, n, what), *want;
	_cleanup_free_ char *copy = NULL;

	if (!s)
		return false;
	want = strict ? vw_k8s_label_value_error(s) : free_text_error(s, true);
	if (want) {
		vw_rd_error(rd, n, "label value \"%.80s\": expected %s", s, want);
		return false;
	}
	copy = strdup(s);
	if (!vw_rd_ok(rd, n, copy ? vw_vec_push(&r->values, copy, VALUES_MAX) : -ENOMEM))
		return false;
	copy = NULL;
	return true;
}

static void add_requirement(struct vw_rd *rd, vw_node n, struct vw_requirement *r,
			    struct vw_selector *ret)
{
	if (!vw_rd_ok(rd, n, vw_vec_push(&ret->reqs, *r, REQUIREMENTS_MAX)))
		return;
	*r = (struct vw_requirement){0};
}

static void read_labels(struct vw_rd *rd, vw_node n, bool strict, struct vw_selector *ret)
{
	for (size_t i = 0; i + 1 < n->items.n; i += 2) {
		_cleanup_(requirement_done) struct vw_requirement r = {.op = VW_OP_IN};
		vw_node key = &n->items.v[i];
		bool ok = key_ok(rd, key, key->text, strict);

		if (!add_value(rd, key + 1, "matchLabels", strict, &r) || !ok)
			continue;
		r.key = strdup(key->text);
		if (vw_rd_ok(rd, key, r.key ? 0 : -ENOMEM))
			add_requirement(rd, key, &r, ret);
	}
}

struct raw_expression {
	vw_node key, operator, values;
};

static void check_values(struct vw_rd *rd, vw_node n, const struct raw_expression *raw,
			 const struct vw_requirement *r)
{
	bool wants = r->op == VW_OP_IN || r->op == VW_OP_NOT_IN;
	size_t given = raw->values ? raw->values->items.n : 0;

	if (wants && !given)
		vw_rd_error(rd, raw->values ? raw->values : n,
			    "values: found none, expected at least one for operator %s",
			    raw->operator->text);
	if (!wants && given)
		vw_rd_error(rd, raw->values, "values: operator %s takes none", raw->operator->text);
}

static void read_expression(struct vw_rd *rd, vw_node n, bool strict, struct vw_selector *ret)
{
	static const struct vw_field fields[] = {
		{"key", offsetof(struct raw_expression, key), VW_REQUIRED},
		{"operator", offsetof(struct raw_expression, operator), VW_REQUIRED},
		{"values", offsetof(struct raw_expression, values)},
	};
	static const char *const ops[] = {[VW_OP_IN] = "In",
					  [VW_OP_NOT_IN] = "NotIn",
					  [VW_OP_EXISTS] = "Exists",
					  [VW_OP_NOT_EXISTS] = "DoesNotExist",
					  NULL};
	_cleanup_(requirement_done) struct vw_requirement r = {0};
	struct raw_expression raw = {0};
	int op = -1;

	if (!vw_rd_fields(rd, n, "matchExpressions", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	if (vw_rd_string(rd, raw.key, "key", &r.key))
		key_ok(rd, raw.key, r.key, strict);
	if (raw.operator)
		op = vw_rd_word(rd, raw.operator, "operator", ops);
	if (vw_rd_is_list(rd, raw.values, "values"))
		vw_vec_foreach (v, &raw.values->items)
			add_value(rd, v, "values", strict, &r);
	if (op < 0 || !r.key || (raw.values && raw.values->kind != VW_YAML_LIST))
		return;
	r.op = (enum vw_op)op;
	check_values(rd, n, &raw, &r);
	add_requirement(rd, n, &r, ret);
}

void vw_selector_read(struct vw_rd *rd, vw_node n, const char *what, bool strict,
		      struct vw_selector *ret)
{
	struct {
		vw_node labels, expressions;
	} raw = {0};
	static const struct vw_field fields[] = {
		{"matchLabels", 0},
		{"matchExpressions", sizeof(vw_node)},
	};

	if (!n)
		return;
	ret->pos = vw_rd_pos(rd, n);
	if (!vw_rd_fields(rd, n, what, fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	if (vw_rd_is_map(rd, raw.labels, "matchLabels"))
		read_labels(rd, raw.labels, strict, ret);
	if (vw_rd_is_list(rd, raw.expressions, "matchExpressions"))
		vw_vec_foreach (e, &raw.expressions->items)
			read_expression(rd, e, strict, ret);
}
