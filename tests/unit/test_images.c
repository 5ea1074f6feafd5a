/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Image lists: keys of images, lists as text, reports of Trivy and Grype, hostile ones, and who is
 * in a list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vethwall/cleanup.h"
#include "vethwall/codec.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX

static int parse(enum vw_image_format format, const char *text, struct vw_image_list *ret,
		 struct vw_diag *d)
{
	struct vw_image_source src = {.format = format, .severity = VW_SEV_HIGH};

	return vw_images_parse(text, strlen(text), "f", &src, ret, d);
}

static void keys(void **state)
{
	static const char *const good[][2] = {
		{DIGEST, DIGEST},
		{"r.local/a@" DIGEST, DIGEST},
		{"r.local/a:1@" DIGEST, DIGEST},
		{"a", "a:latest"},
		{"r.local:5000/a", "r.local:5000/a:latest"},
		{"r.local:5000/a:2", "r.local:5000/a:2"},
	};
	static const char *const bad[] = {"",	      "a b",	  "sha256:12", "a@sha512:12",
					  "@" DIGEST, "a:",	  "r.local/",  ":1",
					  "a\x01",    DIGEST "0", "a@"};
	char key[VW_IMAGE_KEY_MAX];

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(good); i++) {
		assert_null(vw_image_key(good[i][0], key));
		assert_string_equal(key, good[i][1]);
	}
	for (size_t i = 0; i < VW_ARRAY_SIZE(bad); i++)
		assert_non_null(vw_image_key(bad[i], key));
}

static void lines(void **state)
{
	struct vw_image_list l = {0};
	struct vw_diag d = {0};

	(void)state;
	assert_int_equal(parse(VW_IMAGES_DIGESTS,
			       "# ours\n\n  " DIGEST " # x\r\nr/a:1\nr/b@" DIGEST, &l, &d),
			 0);
	assert_int_equal(l.entries.n, 3);
	assert_string_equal(l.entries.v[1], "r/a:1");
	/* All errors, each with its place, and the list as it was. */
	assert_int_equal(parse(VW_IMAGES_DIGESTS, "r/c:1\n sha256:12\na b\n", &l, &d), -EINVAL);
	assert_int_equal(l.entries.n, 3);
	assert_int_equal(d.errors, 2);
	assert_int_equal(d.list.v[0].line, 2);
	assert_int_equal(d.list.v[0].col, 2);
	assert_int_equal(d.list.v[1].line, 3);
	vw_image_list_done(&l);
	vw_diag_done(&d);
}

#define TRIVY(severity)                                                                         \
	"{\"SchemaVersion\":2,\"ArtifactName\":\"r/a:1\",\"ArtifactType\":\"container_image\"," \
	"\"Metadata\":{\"ImageID\":\"" DIGEST "\",\"RepoDigests\":[\"r/a@" DIGEST "\"]},"       \
	"\"Results\":[{\"Target\":\"x\"},{\"Vulnerabilities\":[{\"Severity\":\"LOW\"},"         \
	"{\"Severity\":" severity "}]}]}"
#define GRYPE(severity)                                                                        \
	"{\"matches\":[{\"vulnerability\":{\"severity\":" severity "}}],\"source\":{\"type\":" \
	"\"image\",\"target\":{\"userInput\":\"r/a:1\",\"imageID\":\"" DIGEST "\","            \
	"\"manifestDigest\":\"" DIGEST "\",\"repoDigests\":[]}}}"

static void reports(void **state)
{
	static const struct {
		enum vw_image_format format;
		const char *text;
		size_t n;
	} cases[] = {
		{VW_IMAGES_TRIVY, TRIVY("\"CRITICAL\""), 3},
		{VW_IMAGES_TRIVY, TRIVY("\"HIGH\""), 3},
		{VW_IMAGES_TRIVY, TRIVY("\"MEDIUM\""), 0},
		{VW_IMAGES_TRIVY, TRIVY("null"), 0},
		{VW_IMAGES_GRYPE, GRYPE("\"Critical\""), 3},
		{VW_IMAGES_GRYPE, GRYPE("\"High\""), 3},
		{VW_IMAGES_GRYPE, GRYPE("\"Negligible\""), 0},
	};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(cases); i++) {
		struct vw_image_list l = {0};
		struct vw_diag d = {0};

		assert_int_equal(parse(cases[i].format, cases[i].text, &l, &d), 0);
		assert_int_equal(l.entries.n, cases[i].n);
		vw_image_list_done(&l);
	}
}

static void bad_reports(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{}",
		"[[[[",
		"{\"a\":1,\"a\":2}",
		TRIVY("\"awful\""),
		TRIVY("7"),
		"{\"SchemaVersion\":1,\"ArtifactType\":\"container_image\"}",
		"{\"SchemaVersion\":2,\"ArtifactType\":\"filesystem\"}",
		"{\"SchemaVersion\":2,\"ArtifactType\":\"container_image\",\"Results\":7}",
		"{\"SchemaVersion\":2,\"ArtifactType\":\"container_image\",\"Results\":[{"
		"\"Vulnerabilities\":[{\"Severity\":\"HIGH\"}]}]}",
		"{\"matches\":7,\"source\":{\"type\":\"image\",\"target\":{}}}",
		"{\"matches\":[],\"source\":{\"type\":\"directory\",\"target\":\"/\"}}",
		GRYPE("\"awful\""),
	};

	(void)state;
	for (size_t i = 0; i < 2 * VW_ARRAY_SIZE(bad); i++) {
		struct vw_image_list l = {0};
		struct vw_diag d = {0};

		assert_int_equal(
			parse(i % 2 ? VW_IMAGES_TRIVY : VW_IMAGES_GRYPE, bad[i / 2], &l, &d),
			-EINVAL);
		assert_true(d.errors > 0);
		assert_int_equal(l.entries.n, 0);
		vw_image_list_done(&l);
		vw_diag_done(&d);
	}
}

static void in_list(void **state)
{
	const char *text = "image_lists: {ok: [r/b, \"r/x@" DIGEST "\", r/b]}\n";
	struct vw_match in = {.image_in = (char *)"ok"}, out = {.image_not_in = (char *)"ok"},
			no_in = {.image_in = (char *)"no"}, no_out = {.image_not_in = (char *)"no"};
	static const struct {
		const char *image, *id;
		bool in;
	} cases[] = {
		{NULL, NULL, false},	    {"r/b", NULL, true},    {"r/b:latest", "x", true},
		{"r/b:2", NULL, false},	    {"else", DIGEST, true}, {"q@" DIGEST, NULL, true},
		{"else", "sha256:", false},
	};
	struct vw_world world = {0}, copy = {0};
	struct vw_diag d = {0};

	(void)state;
	assert_int_equal(vw_world_parse(text, strlen(text), "w", &world, &d), 0);
	assert_int_equal(vw_world_image_list(&world, "ok")->entries.n, 2);
	assert_int_equal(vw_world_copy(&world, &copy), 0);
	for (size_t i = 0; i < VW_ARRAY_SIZE(cases); i++) {
		struct vw_workload w = {.image = (char *)cases[i].image,
					.image_id = (char *)cases[i].id};

		assert_int_equal(vw_match_matches(&in, &copy, &w, NULL), cases[i].in);
		assert_int_equal(vw_match_matches(&out, &copy, &w, NULL), !cases[i].in);
		assert_false(vw_match_matches(&no_in, &copy, &w, NULL));
		assert_true(vw_match_matches(&no_out, &copy, &w, NULL));
	}
	vw_world_done(&world);
	vw_world_done(&copy);
	text = "image_lists: {ok: [\"sha256:1\"], none: 7}\n";
	assert_int_equal(vw_world_parse(text, strlen(text), "w", &world, &d), -EINVAL);
	assert_int_equal(d.errors, 2);
	vw_diag_done(&d);
}

static void settings(void **state)
{
	const char *good = "image_lists: [{name: a, file: /a}, {name: b, file: /b, format: trivy, "
			   "severity: critical}]\n";
	static const char *const bad[] = {
		"image_lists: [{name: a}]",
		"image_lists: [{name: a, file: ''}]",
		"image_lists: [{name: a, file: /a}, {name: a, file: /b}]",
		"image_lists: [{name: a, file: /a, severity: low}]",
		"image_lists: [{name: a, file: /a, format: trivy, severity: none}]",
		"image_lists: {}",
	};
	struct vw_settings s;
	struct vw_diag d = {0};

	(void)state;
	assert_int_equal(vw_settings_default(&s), 0);
	assert_int_equal(vw_settings_parse(good, strlen(good), "s", &s, &d), 0);
	assert_int_equal(vw_settings_parse("dns: []", 7, "s", &s, &d), 0); /* keeps them */
	assert_int_equal(s.image_lists.n, 2);
	assert_int_equal(s.image_lists.v[0].format, VW_IMAGES_DIGESTS);
	assert_int_equal(s.image_lists.v[1].severity, VW_SEV_CRITICAL);
	for (size_t i = 0; i < VW_ARRAY_SIZE(bad); i++) {
		assert_int_equal(vw_settings_parse(bad[i], strlen(bad[i]), "s", &s, &d), -EINVAL);
		vw_diag_done(&d);
	}
	vw_settings_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),	   cmocka_unit_test(lines),
		cmocka_unit_test(reports), cmocka_unit_test(bad_reports),
		cmocka_unit_test(in_list), cmocka_unit_test(settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
