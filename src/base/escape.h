/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text from outside on its way to a terminal, a log or a page: control characters become \xHH, so
 * that a container's name cannot move the cursor or forge a line. Knows nothing of where the text
 * goes. */
#ifndef VW_BASE_ESCAPE_H
#define VW_BASE_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

#define VW_ESCAPE_MAX 8 /* bytes that one step writes, NUL left out */

/* Bytes at s that must be escaped: 1 for C0 and DEL, 2 for a C1 control in UTF-8 (U+0080..U+009F:
 * terminals take U+009B for ESC [), else 0. */
static inline size_t vw_escape_need(const char *s)
{
	unsigned char a = (unsigned char)s[0];

	if (a < 0x20 || a == 0x7f)
		return 1;
	if (a == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] <= 0x9f)
		return 2;
	return 0;
}

/* Writes what stands for the next bytes of *s into out, advances *s, returns the length written. */
static inline size_t vw_escape_step(const char **s, char out[static VW_ESCAPE_MAX + 1])
{
	size_t need = vw_escape_need(*s), n = 0;

	if (!need) {
		out[n++] = *(*s)++;
		out[n] = '\0';
		return n;
	}
	while (need--)
		n += (size_t)snprintf(out + n, VW_ESCAPE_MAX + 1 - n, "\\x%02x",
				      (unsigned char)*(*s)++);
	return n;
}

#define VW_ESCAPE_CHAR_MAX 6

/* Stricter, and for texts without an end mark: writes the next character of s (n > 0 bytes) into
 * out, or \uXXXX for a control, a line separator, a mark that reorders text, and (\ufffd) for a
 * byte that is no UTF-8. Returns how many bytes of s that was; *ret_n is the length written. */
size_t vw_escape_char(const char *s, size_t n, char out[static VW_ESCAPE_CHAR_MAX], size_t *ret_n);

#endif
