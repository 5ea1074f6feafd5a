/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The OpenMetrics text format, version 1.0. (codec/openmetrics.c) */
#ifndef VETHWALL_OPENMETRICS_H
#define VETHWALL_OPENMETRICS_H

#include <stdint.h>
#include <stdio.h>

#define VW_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct vw_om_label {
	const char *name, *value; /* value: any text; invalid UTF-8 is replaced */
};

/* Times in buckets that grow by doubling: 1 ms, 2 ms, ... 16 s, more. */
#define VW_OM_BUCKETS 16
struct vw_histogram {
	uint64_t counts[VW_OM_BUCKETS]; /* not cumulated; the last one: longer than all */
	double sum; /* seconds */
};
void vw_histogram_add(struct vw_histogram *h, int64_t us);

/* The lines before a metric's samples. type: "counter", "gauge", "histogram", "info". */
void vw_om_family(FILE *f, const char *name, const char *type, const char *help);
/* One sample. name with its suffix ("_total", "_info"). */
void vw_om_sample(FILE *f, const char *name, const struct vw_om_label *labels, size_t n,
		  double value);
void vw_om_histogram(FILE *f, const char *name, const struct vw_histogram *h);
void vw_om_end(FILE *f);

#endif
