/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which records `vethwall flows` shows: a time range, options and expressions, all of which must
 * hold; and how times are written on its command line. */
#ifndef VETHWALL_CLI_FLOWS_FILTER_H
#define VETHWALL_CLI_FLOWS_FILTER_H

#include "vethwall/review.h"

#define FLOWS_RECORD_SPAN_US                                                  \
	86400000000 /* a record that was made longer than this after --to has \
		       nothing from before it: records cover seconds */

struct flows_filter {
	int64_t from_us, to_us; /* INT64_MIN, INT64_MAX: open */
	struct vw_filter *tree;
	char *values[_VW_FIELD_MAX]; /* of options: alternatives, with commas between them */
	/* made by flows_filter_build() */
	int64_t made_to_us; /* no matching record was made later */
	char from_text[VW_TIME_STRLEN]; /* empty when open */
	const char *needle; /* vw_filter_needle() */
	size_t needle_len;
};

int flows_filter_init(struct flows_filter *f); /* 0 or -ENOMEM */
void flows_filter_done(struct flows_filter *f);
/* One more alternative for the field. */
int flows_filter_option(struct flows_filter *f, enum vw_field field, const char *value);
/* And: the expression. -EINVAL with d, whose column is one of text. */
int flows_filter_where(struct flows_filter *f, const char *text, struct vw_diag *d);
/* After all options. -EINVAL with d. */
int flows_filter_build(struct flows_filter *f, struct vw_diag *d);
bool flows_filter_match(const struct flows_filter *f, const struct vw_flow *r);

/* How our records begin. */
#define FLOWS_HEAD "{\"timestamp\":\""
#define FLOWS_HEAD_LEN (sizeof(FLOWS_HEAD) - 1)
#define FLOWS_STAMP_LEN 27 /* 2026-11-22T22:41:49.123456Z */
/* False: no record of this line can fit, so it need not be read; and it tells of no gap. A line
 * that does not look like one of ours is always read. */
bool flows_filter_may_match(const struct flows_filter *f, const char *line, size_t n);

int64_t flows_now_us(void);
/* "2h", "90s", "1d", or a time as RFC 3339 or local "2026-11-22 14:30[:05]", "2026-11-22", "14:30".
 * now_us is what durations count back from. -EINVAL. */
int flows_time_parse(const char *s, int64_t now_us, int64_t *ret_us);
/* "2h", "90s", "1d". */
int flows_duration_parse(const char *s, int64_t *ret_us);

#endif
