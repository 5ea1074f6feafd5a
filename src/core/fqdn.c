/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domain names as text: their normal form, and whether one fits a pattern. Names are ASCII, without
 * regard to case (RFC 4343); an internationalised one is written as it is sent, in its xn-- form.
 * Knows nothing of addresses. */
#include <errno.h>
#include <string.h>

#include "vethwall/policy.h"

#define LABEL_MAX 63 /* RFC 1035 2.3.4 */

/* RFC 1123 2.1, and the underscore that names of services have (RFC 8552). */
static bool is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static const char *check_labels(const char *s)
{
	size_t label = 0;
	bool letter = false;

	for (const char *c = s; *c; c++) {
		if (*c == '.' && !label)
			return "a label is empty";
		if (*c == '*')
			return "* stands only for the labels in front, as in *.example.org";
		if (*c & 0x80)
			return "expected ASCII; write the xn-- form of the name";
		if (*c != '.' && !is_label_char(*c))
			return "expected letters, digits, - and _ between dots";
		label = *c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return "a label is longer than 63 characters";
		letter |= *c != '.' && (*c < '0' || *c > '9');
	}
	return letter ? NULL : "expected a domain name; an address goes into cidr";
}

int vw_fqdn_normal(const char *s, bool pattern, char ret[static VW_FQDN_LEN], const char **ret_why)
{
	char buf[VW_FQDN_LEN];
	size_t n = strlen(s), skip = pattern && !strncmp(s, "*.", 2) ? 2 : 0;

	*ret_why = "expected 1 to 253 characters";
	if (n > skip + 1 && s[n - 1] == '.')
		n--;
	if (n <= skip || n >= sizeof(buf))
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		buf[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
	buf[n] = '\0';
	if (buf[n - 1] == '.') {
		*ret_why = "a label is empty";
		return -EINVAL;
	}
	*ret_why = check_labels(buf + skip);
	if (*ret_why)
		return -EINVAL;
	memcpy(ret, buf, n + 1);
	return 0;
}

/* Whether name ends with a dot and suffix, with something before. */
static bool is_below(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m + 1 && name[n - m - 1] == '.' && !strcmp(name + n - m, suffix);
}

bool vw_fqdn_fits(const char *pattern, const char *name)
{
	if (!strncmp(pattern, "*.", 2))
		return is_below(name, pattern + 2);
	return !strcmp(pattern, name);
}

bool vw_fqdn_covers(const char *a, const char *b)
{
	return !strcmp(a, b) || vw_fqdn_fits(a, b);
}
