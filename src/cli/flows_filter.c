/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filters of `vethwall flows`, and how times are written on its command line. What a value may
 * be, and what fits, is core's. */
#include "cli/flows_filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t flows_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static struct vw_filter_times times(void)
{
	return (struct vw_filter_times){flows_time_parse, flows_now_us()};
}

int flows_filter_init(struct flows_filter *f)
{
	*f = (struct flows_filter){
		.from_us = INT64_MIN, .to_us = INT64_MAX, .made_to_us = INT64_MAX};
	return vw_filter_new(&f->tree);
}

void flows_filter_done(struct flows_filter *f)
{
	vw_filter_free(&f->tree);
	for (size_t i = 0; i < _VW_FIELD_MAX; i++)
		free(f->values[i]);
}

int flows_filter_option(struct flows_filter *f, enum vw_field field, const char *value)
{
	char **have = &f->values[field], *both;

	if (asprintf(&both, "%s%s%s", *have ? *have : "", *have ? "," : "", value) < 0)
		return -ENOMEM;
	free(*have);
	*have = both;
	return 0;
}

int flows_filter_where(struct flows_filter *f, const char *text, struct vw_diag *d)
{
	const struct vw_filter_times t = times();
	struct vw_filter *more = NULL;
	int r = vw_filter_parse(text, &t, &more, d);

	if (!r)
		r = vw_filter_and(f->tree, &more);
	vw_filter_free(&more);
	return r;
}

/* An option asks whether its value is equal, but for an image, which may have stars, and for
 * numbers of packets. */
static enum vw_compare compare_of(enum vw_field field)
{
	return field == VW_FIELD_IMAGE ? VW_GLOB : field == VW_FIELD_PACKETS ? VW_GE : VW_EQ;
}

int flows_filter_build(struct flows_filter *f, struct vw_diag *d)
{
	const struct vw_filter_times t = times();
	int r = 0;

	for (int i = 0; !r && i < _VW_FIELD_MAX; i++) {
		enum vw_field field = (enum vw_field)i;

		if (f->values[i])
			r = vw_filter_require(f->tree, field, compare_of(field), f->values[i], &t,
					      d);
	}
	if (f->to_us < INT64_MAX - FLOWS_RECORD_SPAN_US)
		f->made_to_us = f->to_us + FLOWS_RECORD_SPAN_US;
	if (f->from_us != INT64_MIN)
		vw_time_str(f->from_us, f->from_text);
	f->needle = vw_filter_needle(f->tree, &f->needle_len);
	return r;
}

bool flows_filter_match(const struct flows_filter *f, const struct vw_flow *r)
{
	return r->last_us >= f->from_us && r->time_us >= f->from_us && r->first_us <= f->to_us &&
	       r->time_us <= f->made_to_us && vw_filter_match(f->tree, r);
}

/* Begins and ends as our records do: one that is left out is not one that should be told. Leap
 * seconds are left to the parser, they are out of order as text. */
static bool has_shape(const char *line, size_t n)
{
	const char *at = line + FLOWS_HEAD_LEN;

	return n > FLOWS_HEAD_LEN + FLOWS_STAMP_LEN + 2 &&
	       !memcmp(line, FLOWS_HEAD, FLOWS_HEAD_LEN) && at[10] == 'T' && at[17] != '6' &&
	       at[FLOWS_STAMP_LEN - 1] == 'Z' && at[FLOWS_STAMP_LEN] == '"' && line[n - 1] == '}';
}

/* Where the event begins, in a line of our shape, behind: ,"event_type":" */
#define EVENT_AT (FLOWS_HEAD_LEN + FLOWS_STAMP_LEN + 1 + sizeof(",\"event_type\":\"") - 1)

bool flows_filter_may_match(const struct flows_filter *f, const char *line, size_t n)
{
	if (!has_shape(line, n))
		return true;
	if (n > EVENT_AT && line[EVENT_AT] == 'g')
		return true;
	if (f->from_text[0] && memcmp(line + FLOWS_HEAD_LEN, f->from_text, FLOWS_STAMP_LEN) < 0)
		return false;
	return !f->needle || memmem(line, n, f->needle, f->needle_len) || memchr(line, '\\', n);
}

int flows_duration_parse(const char *s, int64_t *ret_us)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	unsigned long long v;
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	v = strtoull(s, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (*end == units[i].unit && !end[1] && v <= 100000000) {
			*ret_us = (int64_t)v * units[i].seconds * 1000000;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_local(const char *s, int64_t now_us, int64_t *ret_us)
{
	static const char *const formats[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
					      "%Y-%m-%d %H:%M",	   "%Y-%m-%d",
					      "%H:%M:%S",	   "%H:%M"};
	time_t now = (time_t)(now_us / 1000000), t;
	struct tm today, tm;

	localtime_r(&now, &today);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		const char *end;

		tm = (struct tm){
			.tm_year = today.tm_year, .tm_mon = today.tm_mon, .tm_mday = today.tm_mday};
		end = strptime(s, formats[i], &tm);
		tm.tm_isdst = -1;
		if (!end || *end || (t = mktime(&tm)) == (time_t)-1)
			continue;
		*ret_us = (int64_t)t * 1000000;
		return 0;
	}
	return -EINVAL;
}

int flows_time_parse(const char *s, int64_t now_us, int64_t *ret_us)
{
	int64_t us;

	if (!strcmp(s, "now"))
		*ret_us = now_us;
	else if (!flows_duration_parse(s, &us))
		*ret_us = now_us - us;
	else if (!vw_time_parse(s, strlen(s), &us))
		*ret_us = us;
	else
		return parse_local(s, now_us, ret_us);
	return 0;
}
