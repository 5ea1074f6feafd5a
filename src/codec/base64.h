/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as base64 (RFC 4648, with padding). */
#ifndef VW_CODEC_BASE64_H
#define VW_CODEC_BASE64_H

#include <stddef.h>
#include <stdint.h>

#define VW_BASE64_LEN(n) (((n) + 2) / 3 * 4 + 1) /* of n bytes, with NUL */

void vw_base64(const uint8_t *p, size_t n, char *ret);

#endif
