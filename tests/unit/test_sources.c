/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy files as texts: order, bounds, the digest, JSON both ways, and reading them from files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "codec.h"
#include "vethwall/cleanup.h"
#include "vethwall/sources.h"

static const char api[] = "apiVersion: vethwall/v1\nkind: ServicePolicy\n"
			  "metadata: {name: api, namespace: shop}\n"
			  "spec: {service: api, ingress: []}\n";
static const char db[] = "apiVersion: vethwall/v1\nkind: ServicePolicy\n"
			 "metadata: {name: db, namespace: shop}\n"
			 "spec: {service: db, egress: []}\n";

static void add(struct vw_sources *s, const char *name, const char *text)
{
	assert_int_equal(vw_sources_add(s, name, text, strlen(text)), 0);
}

static void digest_is(const struct vw_sources *s, const char *other, bool same)
{
	char d[VW_DIGEST_LEN];

	vw_sources_digest(s, d);
	assert_int_equal(strlen(d), 64);
	assert_int_equal(strcmp(d, other) == 0, same);
}

static void names_are_sorted_and_unique(void **state)
{
	static const char *const names[] = {"m", "b", "z", "a", "n"};
	static const char *const sorted[] = {"a", "b", "m", "n", "z"};
	struct vw_sources s = {0};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(names); i++)
		add(&s, names[i], names[i]);
	assert_int_equal(s.list.n, 5);
	assert_int_equal(s.bytes, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_string_equal(s.list.v[i].name, sorted[i]);
		assert_string_equal(s.list.v[i].text, s.list.v[i].name);
		assert_int_equal(vw_sources_add(&s, names[i], "", 0), -EEXIST);
	}
	assert_int_equal(vw_sources_add(&s, "caf\xe9.yaml", "", 0), -EILSEQ);
	vw_sources_done(&s);
	vw_sources_done(&s);
}

static void bounds(void **state)
{
	_cleanup_free_ char *big = calloc(1, VW_TEXT_MAX + 1);
	struct vw_sources s = {0};
	char name[16];

	(void)state;
	assert_int_equal(vw_sources_add(&s, "a", big, VW_TEXT_MAX + 1), -E2BIG);
	for (unsigned i = 0; i < VW_SOURCES_BYTES_MAX / VW_TEXT_MAX; i++) {
		snprintf(name, sizeof(name), "b%u", i);
		assert_int_equal(vw_sources_add(&s, name, big, VW_TEXT_MAX), 0);
	}
	assert_int_equal(vw_sources_add(&s, "c", "", 0), 0);
	assert_int_equal(vw_sources_add(&s, "d", "x", 1), -E2BIG);
	vw_sources_done(&s);
	for (unsigned i = 0; i < VW_SOURCES_MAX; i++) {
		snprintf(name, sizeof(name), "%05u", i);
		assert_int_equal(vw_sources_add(&s, name, "", 0), 0);
	}
	assert_int_equal(vw_sources_add(&s, "x", "", 0), -E2BIG);
	assert_int_equal(s.list.n, VW_SOURCES_MAX);
	vw_sources_done(&s);
}

static void digest_of_names_and_texts(void **state)
{
	struct vw_sources s = {0}, moved = {0};
	char d[VW_DIGEST_LEN], text[VW_DIGEST_LEN];

	(void)state;
	vw_sha256("abc", 3, d); /* FIPS 180-2, appendix B.1 */
	assert_string_equal(d, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	vw_sources_digest(&s, d);
	vw_sha256("", 0, text);
	assert_string_equal(d, text);

	add(&s, "/etc/vethwall/policies/api.yaml", api);
	add(&s, "/etc/vethwall/policies/db.yaml", db);
	vw_sources_digest(&s, d);
	add(&moved, "new/api.yaml", api);
	digest_is(&moved, d, false);
	add(&moved, "new/db.yaml", db);
	digest_is(&moved, d, true);
	moved.list.v[1].text[3] ^= 1;
	digest_is(&moved, d, false);
	moved.list.v[1].text[3] ^= 1;
	moved.list.v[1].name[5] = 'x';
	digest_is(&moved, d, false);
	vw_sources_done(&s);
	vw_sources_done(&moved);
}

static void json_both_ways(void **state)
{
	struct vw_sources s = {0}, back = {0};
	char d[VW_DIGEST_LEN];
	json_t *j;

	(void)state;
	add(&s, "api.yaml", api);
	add(&s, "gr\xc3\xbc\xc3\x9f.yaml", "# \xe2\x82\xac\n");
	j = vw_sources_json(&s);
	assert_int_equal(vw_sources_from_json(j, &back), 0);
	json_decref(j);
	assert_int_equal(back.list.n, 2);
	assert_string_equal(back.list.v[1].name, s.list.v[1].name);
	vw_sources_digest(&s, d);
	digest_is(&back, d, true);
	vw_sources_done(&back);
	assert_int_equal(vw_sources_add(&s, "z", "\xff\xfe", 2), 0);
	assert_null(vw_sources_json(&s));
	vw_sources_done(&s);
}

static void nonsense_is_no_sources(void **state)
{
	static const struct {
		const char *json;
		int r;
	} bad[] = {
		{"{}", -EINVAL},
		{"[1]", -EINVAL},
		{"[{\"name\": \"a\"}]", -EINVAL},
		{"[{\"text\": \"a\"}]", -EINVAL},
		{"[{\"name\": \"\", \"text\": \"\"}]", -EINVAL},
		{"[{\"name\": 1, \"text\": \"\"}]", -EINVAL},
		{"[{\"name\": \"a\", \"text\": []}]", -EINVAL},
		{"[{\"name\": \"a\", \"text\": \"\"}, {\"name\": \"a\", \"text\": \"\"}]", -EEXIST},
	};
	struct vw_sources s = {0};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(bad); i++) {
		json_t *j = json_loads(bad[i].json, 0, NULL);

		assert_int_equal(vw_sources_from_json(j, &s), bad[i].r);
		assert_int_equal(s.list.n, 0);
		json_decref(j);
	}
	assert_int_equal(vw_sources_from_json(NULL, &s), -EINVAL);
}

static void errors_of_all_texts(void **state)
{
	struct vw_sources s = {0};
	struct vw_policyset set = {0};
	struct vw_diag d = {0};

	(void)state;
	add(&s, "a.yaml", "kind: Nonsense\n");
	add(&s, "b.yaml", api);
	add(&s, "c.yaml", "kind: [\n");
	assert_int_equal(vw_sources_parse(&s, &set, &d), -EINVAL);
	assert_int_equal(set.list.n, 0);
	assert_string_equal(d.list.v[0].file, "a.yaml");
	assert_string_equal(d.list.v[d.list.n - 1].file, "c.yaml");
	vw_diag_done(&d);
	vw_sources_done(&s);
	add(&s, "b.yaml", db);
	add(&s, "a.yaml", api);
	assert_int_equal(vw_sources_parse(&s, &set, &d), 0);
	assert_int_equal(set.list.n, 2);
	assert_string_equal(set.list.v[0].name, "api");
	vw_policyset_done(&set);
	vw_sources_done(&s);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void remove_file(const char *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

static void from_a_folder(void **state)
{
	char dir[] = "/tmp/vw-sources-XXXXXX", file[512];
	const char *paths[2] = {dir, file};
	struct vw_sources s = {0};
	struct vw_policyset set = {0};
	struct vw_diag d = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	write_file(dir, "db.yaml", db);
	write_file(dir, "api.json", api);
	write_file(dir, "README", "not a policy");
	snprintf(file, sizeof(file), "%s/db.yaml", dir);
	assert_int_equal(vw_sources_load(paths, 2, &s, &d), 0);
	assert_int_equal(s.list.n, 2);
	assert_string_equal(s.list.v[1].text, db);
	vw_sources_done(&s);
	assert_int_equal(vw_policies_load(paths, 2, &set, &d), 0);
	assert_int_equal(set.list.n, 2);
	vw_policyset_done(&set);

	/* What cannot be read and what is wrong with the rest, at once. */
	write_file(dir, "bad.yaml", "kind: Nonsense\n");
	paths[1] = "/nonexistent/policies";
	assert_int_equal(vw_policies_load(paths, 2, &set, &d), -ENOENT);
	assert_int_equal(vw_sources_load(paths, 2, &s, &d), -ENOENT);
	assert_true(d.errors >= 3);
	assert_int_equal(s.list.n + set.list.n, 0);
	vw_diag_done(&d);
	remove_file(dir, "bad.yaml");
	remove_file(dir, "db.yaml");
	remove_file(dir, "api.json");
	remove_file(dir, "README");
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_sorted_and_unique),
		cmocka_unit_test(bounds),
		cmocka_unit_test(digest_of_names_and_texts),
		cmocka_unit_test(json_both_ways),
		cmocka_unit_test(nonsense_is_no_sources),
		cmocka_unit_test(errors_of_all_texts),
		cmocka_unit_test(from_a_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
