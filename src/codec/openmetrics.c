/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OpenMetrics as text. Label values come from containers' names: escaped as the format's ABNF
 * wants, and other controls than the newline are replaced, since people read it too. */
#include "vethwall/openmetrics.h"

#include <string.h>

/* Upper bound of a bucket in microseconds. */
static int64_t bound_us(unsigned bucket)
{
	return (int64_t)1000 << bucket;
}

void vw_histogram_add(struct vw_histogram *h, int64_t us)
{
	unsigned i = 0;

	if (us < 0)
		us = 0;
	while (i < VW_OM_BUCKETS - 1 && us > bound_us(i))
		i++;
	h->counts[i]++;
	h->sum += (double)us / 1e6;
}

void vw_om_family(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

/* Length of the well-formed UTF-8 sequence at s, 0: it is none (RFC 3629 4). */
static size_t sequence(const unsigned char *s)
{
	size_t n = *s < 0x80 ? 1 : *s >= 0xc2 && *s < 0xe0 ? 2 : (*s & 0xf0) == 0xe0 ? 3 : 0;

	if (*s >= 0xf0 && *s < 0xf5)
		n = 4;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static void put_value(FILE *f, const char *v)
{
	const unsigned char *s = (const unsigned char *)v;

	while (*s) {
		size_t n = sequence(s);

		if (*s == '\n')
			fputs("\\n", f);
		else if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if (!n || *s < 0x20 || *s == 0x7f)
			fputc('?', f);
		else
			fwrite(s, 1, n, f);
		s += n ? n : 1;
	}
}

void vw_om_sample(FILE *f, const char *name, const struct vw_om_label *labels, size_t n,
		  double value)
{
	fputs(name, f);
	for (size_t i = 0; i < n; i++) {
		fprintf(f, "%c%s=\"", i ? ',' : '{', labels[i].name);
		put_value(f, labels[i].value ? labels[i].value : "");
		fputc('"', f);
	}
	fprintf(f, "%s %.15g\n", n ? "}" : "", value);
}

void vw_om_histogram(FILE *f, const char *name, const struct vw_histogram *h)
{
	char full[128], le[32];
	uint64_t sum = 0;

	snprintf(full, sizeof(full), "%s_bucket", name);
	for (unsigned i = 0; i < VW_OM_BUCKETS; i++) {
		struct vw_om_label label = {"le", le};

		sum += h->counts[i];
		if (i == VW_OM_BUCKETS - 1)
			snprintf(le, sizeof(le), "+Inf");
		else
			snprintf(le, sizeof(le), "%.3f", (double)bound_us(i) / 1e6);
		vw_om_sample(f, full, &label, 1, (double)sum);
	}
	snprintf(full, sizeof(full), "%s_count", name);
	vw_om_sample(f, full, NULL, 0, (double)sum);
	snprintf(full, sizeof(full), "%s_sum", name);
	vw_om_sample(f, full, NULL, 0, h->sum);
}

void vw_om_end(FILE *f)
{
	fputs("# EOF\n", f);
}
