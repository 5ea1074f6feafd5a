/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the log for `vethwall flows`: every record that fits the filter, oldest first, and then, if
 * asked for, those that come. Lines that cannot match are left out unread; lines that are no
 * records are told with their place. Memory does not grow with the log. */
#ifndef VETHWALL_CLI_FLOWS_READ_H
#define VETHWALL_CLI_FLOWS_READ_H

#include "cli/flows_filter.h"
#include "vethwall/store.h"

#define FLOWS_LOG "denied.jsonl"

struct flows_reader {
	const char *dir;
	struct flows_filter *filter;
	/* One record that fits; line is as in the log. Not 0 ends it. */
	int (*record)(void *arg, const struct vw_flow *f, const char *line, size_t n);
	void *arg;

	uint64_t bad, torn; /* lines that were no records; the last one was incomplete */
	uint64_t gaps; /* lines that say that something could not be recorded */
	struct { /* the file that is being written, and how far it was read */
		struct vw_segment seg;
		struct vw_lines lines;
		bool open;
	} tail;
	struct {
		uint64_t done, total; /* bytes */
		int64_t start_us;
		bool shown;
	} progress;
	char buf[VW_FLOW_LINE_MAX];
};

/* All that is there now. 0, what record() returned, or -errno. */
int flows_read(struct flows_reader *r);
/* What came since; waits a fifth of a second before. */
int flows_read_more(struct flows_reader *r);
void flows_reader_done(struct flows_reader *r);
/* To stderr: how many lines were left out, and why. */
void flows_reader_tell(const struct flows_reader *r);

/* A bar on stderr once something takes long, when that is a terminal. */
void flows_progress(struct flows_reader *r, uint64_t bytes);
void flows_progress_done(struct flows_reader *r);

#endif
