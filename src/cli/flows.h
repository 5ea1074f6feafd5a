/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of `vethwall flows` have in common: the query as the command line has it. Each
 * mode is a function that returns an exit code. */
#ifndef VETHWALL_CLI_FLOWS_H
#define VETHWALL_CLI_FLOWS_H

#include <stdio.h>

#include "cli/flows_read.h"

enum flows_format { FLOWS_TEXT, FLOWS_JSON, FLOWS_CSV, FLOWS_HTML, FLOWS_PCAP };

struct flows_query {
	struct flows_reader reader;
	struct flows_filter filter;
	const char *run_dir, *state_dir, *policies;
	char *command; /* as it was called, for the record */
	FILE *out;
	enum flows_format format;
	bool colour, utf8; /* of out, when it is a terminal */
	bool utc, ids, follow;
	unsigned long limit; /* 0: the mode's own */
	uint64_t seed[2];
	enum vw_field by[VW_GROUP_FIELDS_MAX];
	size_t n_by;
	enum vw_measure sort;
	int64_t bucket_us; /* 0: automatic */
	unsigned long min_ports, min_peers;
	const char *id;
};

int flows_list(struct flows_query *q);
int flows_top(struct flows_query *q);
int flows_first_seen(struct flows_query *q);
int flows_timeline(struct flows_query *q);
int flows_scans(struct flows_query *q);
int flows_show(struct flows_query *q);
int flows_live(struct flows_query *q);
int flows_verify(struct flows_query *q);
int flows_pcap(struct flows_query *q);
int flows_html(struct flows_query *q);

/* Reads all that fits, into record(). 0, or the exit code after it was told why not. */
int flows_run(struct flows_query *q,
	      int (*record)(void *arg, const struct vw_flow *f, const char *line, size_t n),
	      void *arg);
/* Tells what was left out, flushes the output; the exit code. */
int flows_end(struct flows_query *q);
/* Tells why it could not be done; the exit code. */
int flows_cannot(const struct flows_query *q, int error);
/* The width of out, or of what people read. */
size_t flows_width(const struct flows_query *q);

#endif
