/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts in, values or located errors out. Include after cmocka.h. */
#ifndef TESTS_CODEC_H
#define TESTS_CODEC_H

#include <stdio.h>
#include <string.h>

#include "vethwall/codec.h"

#define C static inline __attribute__((unused))

/* All entries as "LINE:COL: text" lines, cut to size. */
C const char *c_text(const struct vw_diag *d, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	vw_vec_foreach (e, &d->list) {
		int n = snprintf(buf + used, size - used, "%u:%u: %s\n", e->line, e->col, e->text);

		used += used + (size_t)n < size ? (size_t)n : 0;
	}
	return buf;
}

/* d holds an entry at this place whose text has the words. */
C void c_has(const struct vw_diag *d, unsigned line, unsigned col, const char *words)
{
	char buf[8192];

	vw_vec_foreach (e, &d->list)
		if (e->line == line && e->col == col && strstr(e->text, words))
			return;
	fail_msg("no \"%s\" at %u:%u in:\n%s", words, line, col, c_text(d, buf, sizeof(buf)));
}

/* Parses one policy document that must be right. */
C struct vw_policy *c_policy(struct vw_policyset *set, const char *text)
{
	struct vw_diag d = {0};
	char buf[8192];
	int r = vw_policy_parse(text, strlen(text), "t.yaml", set, &d);

	if (r)
		fail_msg("%d:\n%s", r, c_text(&d, buf, sizeof(buf)));
	vw_diag_done(&d);
	return &set->list.v[set->list.n - 1];
}

/* Parses a text that must be refused whole; the errors stay in d for c_has. */
C void c_refused(const char *text, size_t errors, struct vw_diag *d)
{
	struct vw_policyset set = {0};
	char buf[8192];

	assert_int_equal(vw_policy_parse(text, strlen(text), "t.yaml", &set, d), -EINVAL);
	assert_int_equal(set.list.n, 0);
	if (d->errors != errors)
		fail_msg("%zu errors, expected %zu:\n%s", d->errors, errors,
			 c_text(d, buf, sizeof(buf)));
	vw_policyset_done(&set);
}

/* The text is refused for one reason at this place. */
C void c_refused_at(const char *text, unsigned line, unsigned col, const char *words)
{
	struct vw_diag d = {0};

	c_refused(text, 1, &d);
	c_has(&d, line, col, words);
	vw_diag_done(&d);
}

#undef C

#endif
