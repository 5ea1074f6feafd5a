/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Characters that mean something in HTML and XML become references; those that no reader may get
 * raw were dealt with before (base/escape.h), so that a valid document comes out whatever goes in.
 */
#include "markup.h"

#include <string.h>

#include "base/escape.h"

static const char *reference(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void vw_markup_n(FILE *f, const char *s, size_t n)
{
	char c[VW_ESCAPE_CHAR_MAX];
	const char *ref;
	size_t len;

	for (size_t i = 0; i < n;) {
		i += vw_escape_char(s + i, n - i, c, &len);
		ref = len == 1 ? reference(c[0]) : NULL;
		if (ref)
			fputs(ref, f);
		else
			fwrite(c, 1, len, f);
	}
}

void vw_markup(FILE *f, const char *s)
{
	if (s)
		vw_markup_n(f, s, strlen(s));
}
