/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text from outside, one character after the other. */
#include "cli/put.h"

#include <string.h>

#include "base/escape.h"

static void put(FILE *f, const char *s, const char *marks)
{
	size_t len = strlen(s);

	while (len) {
		char out[VW_ESCAPE_CHAR_MAX];
		size_t n, used = vw_escape_char(s, len, out, &n);

		if (n == 1 && strchr(marks, out[0]))
			fprintf(f, "&#%d;", out[0]);
		else
			fwrite(out, 1, n, f);
		s += used;
		len -= used;
	}
}

void vw_put(FILE *f, const char *s)
{
	put(f, s, "");
}

void vw_put_markdown(FILE *f, const char *s)
{
	put(f, s, "\\`*_{}[]<>|#!~@&");
}
