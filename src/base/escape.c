/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Characters that may reach a reader as they are, and \uXXXX for the others. */
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at s and its code point; 0 if there is none (RFC 3629:
 * shortest form, no surrogates, up to U+10FFFF). */
static size_t utf8(const unsigned char *s, size_t n, uint32_t *ret)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	uint32_t v;

	if (s[0] < 0xc2 || s[0] > 0xf4 || len > n)
		return 0;
	v = s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s[i] & 0x3f);
	}
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*ret = v;
	return len;
}

/* Controls, line separators, and the marks that reorder text (Unicode Bidi_Control). */
static bool unsafe(uint32_t v)
{
	return v < 0x20 || (v >= 0x7f && v <= 0x9f) || v == 0x2028 || v == 0x2029 || v == 0x061c ||
	       v == 0x200e || v == 0x200f || (v >= 0x202a && v <= 0x202e) ||
	       (v >= 0x2066 && v <= 0x2069) || v == 0xfeff;
}

size_t vw_escape_char(const char *s, size_t n, char out[static VW_ESCAPE_CHAR_MAX], size_t *ret_n)
{
	static const char hex[] = "0123456789abcdef";
	uint32_t v = (unsigned char)*s;
	size_t len = 1;

	if (v >= 0x80)
		len = utf8((const unsigned char *)s, n, &v);
	if (len && !unsafe(v)) {
		memcpy(out, s, len);
		*ret_n = len;
		return len;
	}
	if (!len)
		v = 0xfffd;
	out[0] = '\\';
	out[1] = 'u';
	for (int i = 0; i < 4; i++)
		out[2 + i] = hex[v >> (12 - 4 * i) & 15];
	*ret_n = VW_ESCAPE_CHAR_MAX;
	return len ? len : 1;
}
