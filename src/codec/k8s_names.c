/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Name forms of the Kubernetes API, as apimachinery's pkg/util/validation has them: what its server
 * refuses must not be taken here. Knows only strings. */
#include "codec/k8s_names.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define LABEL_MAX 63 /* RFC 1123 label; also a label value and the name part of a key */
#define SUBDOMAIN_MAX 253 /* RFC 1123 subdomain */
#define PORT_NAME_MAX 15

static bool lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool dns_label(const char *s, size_t n)
{
	if (n == 0 || !lower_alnum(s[0]) || !lower_alnum(s[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!lower_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

const char *vw_k8s_dns_label_error(const char *s)
{
	if (dns_label(s, strlen(s)) && strlen(s) <= LABEL_MAX)
		return NULL;
	return "1 to 63 lower case letters, digits and '-', a letter or digit at both ends";
}

/* Unlike DNS itself the API sets no limit to the single label of a subdomain. */
static bool dns_subdomain(const char *s, size_t n)
{
	size_t start = 0;

	if (n > SUBDOMAIN_MAX)
		return false;
	for (size_t i = 0; i <= n; i++) {
		if (i < n && s[i] != '.')
			continue;
		if (!dns_label(s + start, i - start))
			return false;
		start = i + 1;
	}
	return true;
}

const char *vw_k8s_dns_subdomain_error(const char *s)
{
	if (dns_subdomain(s, strlen(s)))
		return NULL;
	return "1 to 253 lower case letters, digits, '-' and '.', a letter or digit at both ends "
	       "of "
	       "each part";
}

/* The name part of a key, and a value that is not empty. */
static bool label_text(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > LABEL_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool edge = i == 0 || i == n - 1;

		if (!isalnum((unsigned char)s[i]) && (edge || !strchr("-_.", s[i])))
			return false;
	}
	return true;
}

const char *vw_k8s_label_key_error(const char *s)
{
	const char *slash = strchr(s, '/');

	if (slash && !dns_subdomain(s, (size_t)(slash - s)))
		return "before the '/' a DNS subdomain in lower case, as in example.org/name";
	if (!label_text(slash ? slash + 1 : s))
		return "1 to 63 letters, digits, '-', '_' and '.', a letter or digit at both ends, "
		       "or "
		       "the same after example.org/";
	return NULL;
}

const char *vw_k8s_label_value_error(const char *s)
{
	if (!*s || label_text(s))
		return NULL;
	return "at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends";
}

const char *vw_k8s_port_name_error(const char *s)
{
	size_t n = strlen(s);
	bool letter = false, ok = n > 0 && n <= PORT_NAME_MAX && s[0] != '-' && s[n - 1] != '-';

	for (size_t i = 0; ok && i < n; i++) {
		letter |= s[i] >= 'a' && s[i] <= 'z';
		ok = lower_alnum(s[i]) || (s[i] == '-' && s[i + 1] != '-');
	}
	if (ok && letter)
		return NULL;
	return "1 to 15 lower case letters, digits and single '-' between them, at least one a "
	       "letter";
}
