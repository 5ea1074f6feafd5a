/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records to other systems: the journal, syslog, a socket. The log in LOG_DIR is the evidence; what
 * goes out here is a copy, so an output that is slow or gone loses copies, counted, and nothing
 * else. */
#ifndef VETHWALL_OUTPUT_H
#define VETHWALL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vethwall/diag.h"
#include "vethwall/loop.h"
#include "vethwall/output_settings.h"

struct vw_output_stats {
	uint64_t sent, dropped; /* messages */
	size_t waiting; /* bytes */
	bool connected;
	const char *error; /* why not, or NULL; lives as long as the output */
};

struct vw_output;
/* Connects from the loop, again and again; only what is wrong with the settings (a certificate that
 * cannot be read) is an error. s is borrowed. (io/output.c) */
int vw_output_open(struct vw_loop *loop, const struct vw_output_settings *s, struct vw_output **ret,
		   struct vw_diag *d);
void vw_output_free(struct vw_output **o);
/* Queues a message, or counts it as dropped. */
void vw_output_put(struct vw_output *o, const char *message, size_t n);
/* Sends what can be sent without waiting: before the process ends. */
void vw_output_flush(struct vw_output *o);
void vw_output_stats(const struct vw_output *o, struct vw_output_stats *ret);

#endif
