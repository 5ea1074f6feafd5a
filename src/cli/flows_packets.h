/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sampled packets in the log's folder, whatever form their files have. */
#ifndef VETHWALL_CLI_FLOWS_PACKETS_H
#define VETHWALL_CLI_FLOWS_PACKETS_H

#include "vethwall/pcapng.h"

/* Calls fn for each, file by file, the oldest first. *ret_bad: files that were left incomplete or
 * are no capture (told on stderr). 0, what fn returned, or -errno. */
int flows_packets_each(const char *dir,
		       int (*fn)(void *arg, const struct vw_pcapng_packet *p, const char *file),
		       void *arg, unsigned *ret_bad);

#endif
