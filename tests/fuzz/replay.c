/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A harness without a fuzzer: every file of a folder, and so many mutations of each, the same ones
 * at each run. replay MUTATIONS FOLDER */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seed = 1;
static unsigned long inputs;

static uint32_t next(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

/* Of the size that it has, so that a read behind its end is found. */
static void one(const uint8_t *v, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, v, n);
	(void)LLVMFuzzerTestOneInput(copy, n);
	inputs++;
	free(copy);
}

static void replay(uint8_t *v, size_t n, unsigned long mutations)
{
	uint8_t *kept = malloc(n ? n : 1);

	if (!kept)
		abort();
	memcpy(kept, v, n);
	one(v, n);
	for (unsigned long i = 0; i < mutations && n; i++) {
		v[next() % n] = (uint8_t)next();
		one(v, n - (next() % 4 ? 0 : next() % n));
		if (!(i % 8))
			memcpy(v, kept, n);
	}
	free(kept);
}

int main(int argc, char **argv)
{
	unsigned long mutations = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	DIR *dir = argc == 3 ? opendir(argv[2]) : NULL;
	uint8_t *v = malloc(INPUT_MAX);
	unsigned files = 0;

	if (!dir || !v) {
		perror(argc == 3 ? argv[2] : "replay MUTATIONS FOLDER");
		return 2;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		char path[4096];
		FILE *f;
		size_t n;

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", argv[2], e->d_name);
		f = fopen(path, "r");
		n = f ? fread(v, 1, INPUT_MAX, f) : 0;
		if (!f)
			return 2;
		(void)fclose(f);
		replay(v, n, mutations);
		files++;
	}
	(void)closedir(dir);
	free(v);
	printf("%u files, %lu inputs\n", files, inputs);
	return files ? 0 : 1;
}
