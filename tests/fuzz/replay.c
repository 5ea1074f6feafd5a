/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A harness without libFuzzer: the files of its corpus, and mutations of them that are the same in
 * every run. Prints how many inputs that were. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seed = 1;

static uint32_t next(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

/* On the heap and of the exact size, so that reading over the end shows. */
static void replay(const uint8_t *v, size_t n, unsigned mutations)
{
	for (unsigned i = 0; i <= mutations; i++) {
		size_t len = i && next() % 4 == 0 ? next() % (n + 1) : n;
		uint8_t *copy = malloc(len ? len : 1);

		if (!copy)
			abort();
		memcpy(copy, v, len);
		for (unsigned k = i % 4; i && k && len; k--)
			copy[next() % len] = (uint8_t)(k % 2 ? next() : v[next() % n]);
		(void)LLVMFuzzerTestOneInput(copy, len);
		free(copy);
	}
}

static int read_file(const char *dir, const char *name, unsigned mutations)
{
	static uint8_t buf[FILE_MAX_BYTES];
	char path[1024];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	if (!f) {
		perror(path);
		return -1;
	}
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	replay(buf, n, mutations);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: FUZZER CORPUS MUTATIONS\n");
	return 2;
}

int main(int argc, char **argv)
{
	unsigned long mutations = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned long files = 0;
	DIR *dir = argc == 3 ? opendir(argv[1]) : NULL;

	if (!dir)
		return usage();
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		if (read_file(argv[1], e->d_name, (unsigned)mutations))
			return 1;
		files++;
	}
	closedir(dir);
	printf("%lu files %lu inputs\n", files, files * (mutations + 1));
	return files ? 0 : 1;
}
