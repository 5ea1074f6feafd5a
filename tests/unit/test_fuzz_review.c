/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The corpora of the log's and the filter's fuzzers, and mutations of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>

#define LLVMFuzzerTestOneInput fuzz_flow_json
#include "../fuzz/fuzz_flow_json.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_filter
#include "../fuzz/fuzz_filter.c"
#undef LLVMFuzzerTestOneInput

#define CORPUS "tests/fuzz/corpus/"
#define MUTATIONS 2000 /* of each file */

static uint64_t seed = 1;

static uint32_t next(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

/* On the heap and of the exact size, so that reading over the end shows. */
static void replay(int (*fuzz)(const uint8_t *v, size_t n), const uint8_t *v, size_t n)
{
	for (int i = 0; i <= MUTATIONS; i++) {
		size_t len = i && next() % 4 == 0 ? next() % (n + 1) : n;
		uint8_t *copy = malloc(len ? len : 1);

		assert_non_null(copy);
		memcpy(copy, v, len);
		for (int k = i % 4; i && k && len; k--)
			copy[next() % len] = (uint8_t)(k % 2 ? next() : v[next() % n]);
		(void)fuzz(copy, len);
		free(copy);
	}
}

static unsigned corpus(const char *name, int (*fuzz)(const uint8_t *v, size_t n))
{
	char path[512];
	unsigned files = 0;
	DIR *dir;

	snprintf(path, sizeof(path), CORPUS "%s", name);
	dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		uint8_t buf[4096];
		size_t n;
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "%s/%s", name, e->d_name);
		f = fopen(path, "r");
		assert_non_null(f);
		n = fread(buf, 1, sizeof(buf), f);
		fclose(f);
		replay(fuzz, buf, n);
		files++;
	}
	closedir(dir);
	return files;
}

static void lines(void **state)
{
	(void)state;
	assert_true(corpus("flow_json", fuzz_flow_json) >= 10);
}

static void filters(void **state)
{
	(void)state;
	assert_true(corpus("filter", fuzz_filter) >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lines), cmocka_unit_test(filters)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
