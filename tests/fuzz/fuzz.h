/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the harnesses share. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vethwall/diag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise that a fuzzer found broken ends it. */
#define must(x)                                                                 \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

/* A text is refused with words, and none of them could move a terminal's cursor. */
static inline void must_tell(int r, struct vw_diag *d)
{
	char *out = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&out, &n);

	must(f);
	must(!r == !d->errors);
	vw_diag_print(d, f, false);
	fclose(f);
	for (size_t i = 0; i < n; i++)
		must((uint8_t)out[i] >= 0x20 || out[i] == '\n');
	free(out);
	vw_diag_done(d);
}

#endif
