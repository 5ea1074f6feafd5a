/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The located tree: kinds and places of what is read, and every limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "codec.h"
#include "codec/yaml_tree.h"

static void parse(const char *text, size_t len, struct vw_yaml *y, struct vw_diag *d)
{
	assert_int_equal(vw_yaml_parse(text, len, "t.yaml", y, d), 0);
}

/* The text has exactly one error, at this place. */
static void bad_at(const char *text, unsigned line, unsigned col, const char *words)
{
	struct vw_yaml y = {0};
	struct vw_diag d = {0};

	parse(text, strlen(text), &y, &d);
	assert_true(y.bad);
	assert_int_equal(d.errors, 1);
	c_has(&d, line, col, words);
	vw_yaml_done(&y);
	vw_diag_done(&d);
}

static void kinds(void **state)
{
	static const struct {
		const char *text;
		enum vw_yaml_kind kind;
	} cases[] = {
		{"~", VW_YAML_NULL},	       {"null", VW_YAML_NULL},
		{"yes", VW_YAML_BOOL},	       {"true", VW_YAML_BOOL},
		{"Off", VW_YAML_BOOL},	       {"y", VW_YAML_STRING},
		{"80", VW_YAML_INT},	       {"-1", VW_YAML_INT},
		{"0x50", VW_YAML_INT},	       {"1_000", VW_YAML_INT},
		{"1.4", VW_YAML_FLOAT},	       {"1e3", VW_YAML_FLOAT},
		{".5", VW_YAML_FLOAT},	       {"'80'", VW_YAML_STRING},
		{"\"true\"", VW_YAML_STRING},  {"10.0.0.1", VW_YAML_STRING},
		{"1.4-rc", VW_YAML_STRING},    {"fd77::11", VW_YAML_STRING},
		{"!!str 80", VW_YAML_STRING},  {"10/8", VW_YAML_STRING},
		{"8080-9090", VW_YAML_STRING}, {"02:42:0a:4d:00:0b", VW_YAML_STRING},
		{"[]", VW_YAML_LIST},	       {"{}", VW_YAML_MAP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vw_yaml y = {0};
		struct vw_diag d = {0};
		char text[64];

		snprintf(text, sizeof(text), "k: %s\n", cases[i].text);
		parse(text, strlen(text), &y, &d);
		assert_false(y.bad);
		assert_int_equal(vw_yaml_get(&y.docs.v[0], "k")->kind, cases[i].kind);
		vw_yaml_done(&y);
	}
}

static void places(void **state)
{
	struct vw_yaml y = {0};
	struct vw_diag d = {0};
	const struct vw_yaml_node *n;

	(void)state;
	parse("a: 1\nb:\n  - x\n  - {c: z}\n--- \n---\n[é, q]\n", 42, &y, &d);
	assert_false(y.bad);
	assert_int_equal(y.docs.n, 2);
	n = vw_yaml_get(&y.docs.v[0], "b");
	assert_int_equal(n->items.v[1].line, 4);
	assert_int_equal(n->items.v[1].col, 5);
	n = vw_yaml_get(&n->items.v[1], "c");
	assert_string_equal(n->text, "z");
	assert_int_equal(n->col, 9);
	/* Columns count characters. */
	assert_int_equal(y.docs.v[1].items.v[1].col, 5);
	assert_null(vw_yaml_get(&y.docs.v[1], "b"));
	vw_yaml_done(&y);
}

static void refused(void **state)
{
	(void)state;
	bad_at("a: &x 1\n", 1, 4, "anchor");
	bad_at("a: 1\nb: *x\n", 2, 4, "alias");
	bad_at("a: &x [1]\n", 1, 4, "anchor");
	bad_at("a: !!int 1\n", 1, 4, "tag");
	bad_at("a: !x {}\n", 1, 4, "tag");
	bad_at("a: 1\nb: 2\na: 3\n", 3, 1, "duplicate key \"a\" (it is there already in line 1)");
	bad_at("[a]: 1\n", 1, 1, "expected a name as key");
	bad_at("a: \"x\\0y\"\n", 1, 4, "NUL");
	bad_at("a:\n\tb: 1\n", 2, 1, "found a tab");
	bad_at("a: [1\n", 2, 1, "not valid YAML");
	bad_at("a: 1\nb: \xff\n", 2, 4, "not valid YAML");
}

static void goes_on_after_errors(void **state)
{
	struct vw_yaml y = {0};
	struct vw_diag d = {0};
	const char *text = "a: *x\na: !y 1\n---\nb: 1\n";

	(void)state;
	parse(text, strlen(text), &y, &d);
	assert_true(y.bad);
	assert_int_equal(d.errors, 3);
	assert_int_equal(y.docs.n, 2);
	vw_yaml_done(&y);
	vw_diag_done(&d);
}

static void depth(void **state)
{
	char text[2 * VW_YAML_DEPTH_MAX + 3];
	struct vw_yaml y = {0};
	struct vw_diag d = {0};

	(void)state;
	memset(text, '[', VW_YAML_DEPTH_MAX);
	memset(text + VW_YAML_DEPTH_MAX, ']', VW_YAML_DEPTH_MAX);
	parse(text, 2 * VW_YAML_DEPTH_MAX, &y, &d);
	assert_false(y.bad);
	vw_yaml_done(&y);
	memset(text, '[', VW_YAML_DEPTH_MAX + 1);
	memset(text + VW_YAML_DEPTH_MAX + 1, ']', VW_YAML_DEPTH_MAX + 1);
	text[2 * VW_YAML_DEPTH_MAX + 2] = 0;
	bad_at(text, 1, VW_YAML_DEPTH_MAX + 1, "nested deeper");
}

static void one_level_deep_only_open(void **state)
{
	size_t len = 1u << 20;
	char *text = malloc(len);
	struct vw_yaml y = {0};
	struct vw_diag d = {0};

	(void)state;
	assert_non_null(text);
	memset(text, '[', len);
	parse(text, len, &y, &d);
	assert_true(y.bad);
	assert_int_equal(d.errors, 1);
	free(text);
	vw_diag_done(&d);
}

static void nodes(void **state)
{
	size_t n = VW_YAML_NODES_MAX, len = 2 * n;
	char *text = malloc(len + 2);
	struct vw_yaml y = {0};
	struct vw_diag d = {0};

	(void)state;
	assert_non_null(text);
	text[0] = '[';
	for (size_t i = 0; i < n; i++)
		memcpy(text + 1 + 2 * i, "1,", 2);
	/* The list itself is a value too: one over the limit. */
	text[len] = ']';
	parse(text, len + 1, &y, &d);
	assert_true(y.bad);
	assert_int_equal(d.errors, 1);
	assert_non_null(strstr(d.list.v[0].text, "more than 1000000 values"));
	vw_diag_done(&d);
	text[len - 2] = ']';
	parse(text, len - 1, &y, &d);
	assert_false(y.bad);
	vw_yaml_done(&y);
	free(text);
}

static void size(void **state)
{
	struct vw_yaml y = {0};
	struct vw_diag d = {0};
	char *text = malloc(VW_TEXT_MAX + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '#', VW_TEXT_MAX + 1);
	parse(text, VW_TEXT_MAX, &y, &d);
	assert_false(y.bad);
	assert_int_equal(y.docs.n, 0);
	parse(text, VW_TEXT_MAX + 1, &y, &d);
	assert_true(y.bad);
	c_has(&d, 0, 0, "at most");
	free(text);
	vw_diag_done(&d);
}

static void documents(void **state)
{
	size_t n = VW_YAML_DOCS_MAX + 1;
	char *text = malloc(6 * n + 1);
	struct vw_yaml y = {0};
	struct vw_diag d = {0};

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + 6 * i, "--- a\n", 6);
	parse(text, 6 * n, &y, &d);
	assert_true(y.bad);
	assert_non_null(strstr(d.list.v[0].text, "documents"));
	vw_yaml_done(&y);
	vw_diag_done(&d);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),     cmocka_unit_test(places),
		cmocka_unit_test(refused),   cmocka_unit_test(goes_on_after_errors),
		cmocka_unit_test(depth),     cmocka_unit_test(one_level_deep_only_open),
		cmocka_unit_test(nodes),     cmocka_unit_test(size),
		cmocka_unit_test(documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
