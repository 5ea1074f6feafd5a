/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plan files: what is written reads back, and what was changed, is of another version or node, or
 * is something else is refused, each with its own error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "codec.h"
#include "vethwall/cleanup.h"
#include "vethwall/plan_file.h"

#define NODE "00112233445566778899aabbccddeeff"
#define TEXT "kind: ServicePolicy\n# \xe2\x82\xac\n"

static char *written(void)
{
	struct vw_plan_file p = {
		.version = (char[]){"1.2"},
		.node = NODE,
		.made_us = 1700000000123456,
		.audit = true,
		.plan = (char[]){"+ add rule netdev vethwall x drop comment \"why\"\n"},
	};
	char *text;

	vw_sha256("base", 4, p.base);
	assert_int_equal(vw_sources_add(&p.sources, "a.yaml", TEXT, strlen(TEXT)), 0);
	assert_int_equal(vw_sources_add(&p.sources, "b.yaml", "", 0), 0);
	text = vw_plan_file_print(&p);
	assert_non_null(text);
	vw_sources_done(&p.sources);
	return text;
}

static int parse(const char *text, struct vw_plan_file *ret, const char *words)
{
	struct vw_diag d = {0};
	int r = vw_plan_file_parse(text, strlen(text), "p.json", ret, &d);

	assert_int_equal(d.errors, r ? 1 : 0);
	if (r && !strstr(d.list.v[0].text, words))
		fail_msg("no \"%s\" in %s", words, d.list.v[0].text);
	vw_diag_done(&d);
	return r;
}

static void both_ways(void **state)
{
	_cleanup_free_ char *text = written(), *twice = NULL;
	struct vw_plan_file p = {0};
	char digest[VW_DIGEST_LEN];

	(void)state;
	assert_int_equal(parse(text, &p, ""), 0);
	assert_string_equal(p.version, "1.2");
	assert_string_equal(p.node, NODE);
	assert_true(p.made_us == 1700000000123456 && p.audit);
	vw_sha256("base", 4, digest);
	assert_string_equal(p.base, digest);
	assert_int_equal(p.sources.list.n, 2);
	assert_string_equal(p.sources.list.v[0].text, TEXT);
	vw_sha256(p.plan, strlen(p.plan), digest);
	assert_string_equal(p.plan_digest, digest);
	twice = vw_plan_file_print(&p);
	assert_string_equal(twice, text);
	vw_plan_file_done(&p);
	vw_plan_file_done(&p);
}

/* Whatever byte of it is another: the file is no plan, of another format, or was changed. White
 * space between members and how a string is spelt are no change. */
static void changed(void **state)
{
	_cleanup_free_ char *text = written();
	struct vw_plan_file p = {0};
	char *at;

	(void)state;
	for (char *c = text; *c; c++) {
		struct vw_diag d = {0};
		char was = *c;
		int r;

		if (strchr(" \n", was))
			continue;
		*c = was == '7' ? '8' : '7';
		r = vw_plan_file_parse(text, strlen(text), "p", &p, &d);
		if (r != -EINVAL && r != -EBADMSG && r != -EPROTONOSUPPORT)
			fail_msg("%d for %c at %zu", r, was, (size_t)(c - text));
		assert_int_equal(d.errors, 1);
		vw_diag_done(&d);
		*c = was;
	}
	at = strstr(text, "drop");
	assert_non_null(at);
	memcpy(at, "pass", 4);
	assert_int_equal(parse(text, &p, "was changed since it was written"), -EBADMSG);
	memcpy(at, "drop", 4);
	at = strstr(text, "\"format\": 1");
	assert_non_null(at);
	at[strlen("\"format\": 1") - 1] = '2';
	assert_int_equal(parse(text, &p, "has format 2"), -EPROTONOSUPPORT);
}

static void something_else(void **state)
{
	static const char *const texts[] = {"",
					    "{}",
					    "[]",
					    "null",
					    "kind: ServicePolicy\n",
					    "{\"kind\": \"vethwall state\", \"format\": 1}"};
	_cleanup_free_ char *text = written();
	struct vw_plan_file p = {0};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(texts); i++)
		assert_int_equal(parse(texts[i], &p, "is no plan"), -EINVAL);
	assert_int_equal(parse("{\"kind\": \"vethwall plan\", \"format\": 1}", &p, "changed"),
			 -EBADMSG);
	text[strlen(text) / 2] = '\0';
	assert_int_equal(parse(text, &p, "is no plan"), -EINVAL);
	assert_null(p.plan);
}

static void of_whom(void **state)
{
	_cleanup_free_ char *text = written();
	struct vw_plan_file p = {0};
	struct vw_diag d = {0};

	(void)state;
	assert_int_equal(parse(text, &p, ""), 0);
	assert_int_equal(vw_plan_file_check(&p, "p", "1.2", NODE, &d), 0);
	assert_int_equal(vw_plan_file_check(&p, "p", "1.3", NODE, &d), -EPROTONOSUPPORT);
	c_has(&d, 0, 0, "made by vethwall 1.2, this is 1.3");
	assert_int_equal(vw_plan_file_check(&p, "p", "1.2", "00112233445566778899aabbccddeefe", &d),
			 -EXDEV);
	c_has(&d, 0, 0, "another node");
	vw_diag_done(&d);
	vw_plan_file_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(changed),
		cmocka_unit_test(something_else),
		cmocka_unit_test(of_whom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
