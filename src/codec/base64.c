/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Three bytes are four letters; what is missing at the end is padded. */
#include "codec/base64.h"

void vw_base64(const uint8_t *p, size_t n, char *ret)
{
	static const char abc[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < n ? p[i + 2] : 0);

		*ret++ = abc[v >> 18];
		*ret++ = abc[v >> 12 & 63];
		*ret++ = i + 1 < n ? abc[v >> 6 & 63] : '=';
		*ret++ = i + 2 < n ? abc[v & 63] : '=';
	}
	*ret = '\0';
}
