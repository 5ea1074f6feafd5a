/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How `vethwall flows` shows records: text for people, JSON lines and CSV for programs. What comes
 * from outside is escaped in each of them. */
#ifndef VETHWALL_CLI_FLOWS_PRINT_H
#define VETHWALL_CLI_FLOWS_PRINT_H

#include <stdio.h>

#include "vethwall/flow.h"

struct flows_printer {
	void (*head)(FILE *out, const struct flows_printer *p);
	void (*record)(FILE *out, const struct flows_printer *p, const struct vw_flow *f);
	void (*foot)(FILE *out, const struct flows_printer *p);
	bool colour, utc;
	bool ids; /* text with what `show` takes */
	uint64_t records, packets, bytes; /* shown; counted by the caller */
};

/* By what `show` finds a record: its Community ID, or where it has none (what is no flow of an IP)
 * "r" and 16 digits of a hash. */
#define FLOWS_ID_LEN 64
const char *flows_id(const struct vw_flow *f, char buf[static FLOWS_ID_LEN]);

/* "text", "json" or "csv"; -EINVAL. */
int flows_printer_init(struct flows_printer *p, const char *format);

#endif
