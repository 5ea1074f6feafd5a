/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts in boxes. Nobody knows which font will show them, so widths are those of DejaVu Sans, the
 * widest of the usual ones: what fits in it fits in the others. */
#include <stdio.h>

#include "base/escape.h"
#include "core/graph_parts.h"

/* Advance widths of U+0020..U+007E in hundredths of the font size, rounded up. */
static const unsigned char widths[] = {
	32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37,	 32, 34, 64, 64, 64,
	64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 54, 100, 69, 69, 70, 78, 64,
	58, 78, 76, 30, 30, 66, 56, 87, 75, 79, 61, 79, 70, 64,	 62, 74, 69, 99, 69,
	62, 69, 40, 34, 40, 84, 50, 50, 62, 64, 55, 64, 62, 36,	 64, 64, 28, 28, 58,
	28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60, 82, 60, 60,	 53, 64, 34, 64, 84,
};

/* Of the UTF-8 character at s: ideographs and emoji are at most square (with some slack for the
 * fonts that stand in), Latin, Greek and Cyrillic letters are narrower. */
static int char_width(const char *s)
{
	unsigned char c = (unsigned char)*s;

	if (c >= 0x20 && c < 0x7f)
		return widths[c - 0x20];
	return c < 0xe0 ? 110 : 140;
}

/* A good place for a line's end is behind one of these. */
static bool breaks_after(char c)
{
	return c && strchr("-._/:, ", c);
}

/* Copies the shown form of s to f, with a newline wherever the line got too wide. */
static void put_lines(FILE *f, const char *s, int max)
{
	char line[VW_FLOW_TEXT_MAX * 2], c[VW_ESCAPE_CHAR_MAX];
	size_t n = strnlen(s, VW_FLOW_STR_MAX), fill = 0, good = 0, len;
	int w = 0, w_good = 0; /* of the line, and of what stands before its last good end */

	for (size_t i = 0; i < n;) {
		int add = 0;

		i += vw_escape_char(s + i, n - i, c, &len);
		add = len == VW_ESCAPE_CHAR_MAX ? 4 * widths['0' - 0x20] + 98 : char_width(c);
		if (fill && w + add > max) {
			size_t end = good ? good : fill;

			fprintf(f, "%.*s\n", (int)end, line);
			memmove(line, line + end, fill - end);
			fill -= end;
			w -= good ? w_good : w;
			good = 0;
		}
		memcpy(line + fill, c, len);
		fill += len;
		w += add;
		if (breaks_after(c[0]) && len == 1) {
			good = fill;
			w_good = w;
		}
	}
	fwrite(line, 1, fill, f);
}

char *graph_lines(const char *s, int px, int max_w)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	put_lines(f, s, max_w * 100 / px);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

int graph_lines_width(const char *lines, int px, int *ret_lines)
{
	int w = 0, widest = 0;

	*ret_lines = lines ? 1 : 0;
	for (const char *s = lines; s && *s; s++) {
		if (*s == '\n') {
			++*ret_lines;
			w = 0;
		} else if (((unsigned char)*s & 0xc0) != 0x80) {
			w += char_width(s);
		}
		if (w > widest)
			widest = w;
	}
	return (widest * px + 99) / 100;
}
