/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the readers of Docker's JSON share. Missing members and members of another type read as NULL
 * or 0: jansson's getters pass NULL through. */
#ifndef VETHWALL_CODEC_DOCKER_JSON_READ_H
#define VETHWALL_CODEC_DOCKER_JSON_READ_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "vethwall/world.h"

static inline void vw_json_unref(json_t **j)
{
	json_decref(*j);
}

/* NULL for anything but one JSON text (jansson ends nesting at 2,048). */
static inline json_t *vw_json_load(const char *text, size_t len)
{
	return text ? json_loadb(text, len, 0, NULL) : NULL;
}

static inline const char *vw_json_text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* The port number that the text begins with, at most five digits; 0: none. *ret_rest: what follows.
 */
static inline unsigned vw_port_number(const char *s, const char **ret_rest)
{
	unsigned long n = 0;
	size_t len = strspn(s, "0123456789");

	if (len && len <= 5)
		n = strtoul(s, NULL, 10);
	*ret_rest = s + len;
	return n <= 65535 ? (unsigned)n : 0;
}

/* A number, or a string of digits, up to 65535; 0 otherwise. */
static inline unsigned vw_json_port(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	const char *s = json_string_value(v), *rest = "";
	json_int_t n = s ? vw_port_number(s, &rest) : json_integer_value(v);

	return !*rest && n > 0 && n <= 65535 ? (unsigned)n : 0;
}

/* MAC and addresses ("10.0.0.2" or "10.0.0.2/16") from the named members. */
int vw_json_iface(const json_t *o, const char *mac, const char *ip4, const char *ip6,
		  const char *network, struct vw_iface *ret);

#endif
