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
	uint64_t records, packets, bytes; /* shown; counted by the caller */
};

/* "text", "json" or "csv"; -EINVAL. */
int flows_printer_init(struct flows_printer *p, const char *format);

#endif
