/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where records go beside the log, and what they look like there. */
#ifndef VETHWALL_OUTPUT_SETTINGS_H
#define VETHWALL_OUTPUT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vethwall/addr.h"

#define VW_OUTPUTS_MAX 8
#define VW_OUTPUT_MESSAGE_MAX (64u << 10) /* bytes of one message, framing included */

enum vw_output_kind { VW_OUTPUT_JOURNALD, VW_OUTPUT_SYSLOG, VW_OUTPUT_JSON };
enum vw_transport { VW_OVER_UNIX, VW_OVER_UNIX_DGRAM, VW_OVER_UDP, VW_OVER_TCP, VW_OVER_TLS };

struct vw_output_settings {
	enum vw_output_kind kind;
	enum vw_transport transport;
	char *path; /* of a Unix socket */
	struct vw_addr addr; /* else: names are not resolved, which would stop the loop */
	uint16_t port;
	char *ca, *cert, *key; /* PEM files of TLS; ca NULL: the system's; cert NULL: none */
	char *name; /* that the certificate must have; NULL: the address */
	uint64_t buffer_bytes; /* what waits for a slow or absent receiver */
};
void vw_output_settings_done(struct vw_output_settings *s);
/* "journald", "syslog", "json". */
const char *vw_output_kind_str(enum vw_output_kind k);
/* "unix:/path", "udp:10.0.0.1:514", "tls:[fd00::1]:6514". (codec/output_text.c) */
int vw_output_address_parse(const char *s, struct vw_output_settings *ret);
#define VW_OUTPUT_ADDRESS_MAX 160
const char *vw_output_address_str(const struct vw_output_settings *s,
				  char buf[static VW_OUTPUT_ADDRESS_MAX]);

/* One record's line (as in denied.jsonl) as the output's kind and transport want it, into buf;
 * 0: it cannot be said in a message, or is no record. host: for syslog. (codec/output_text.c) */
size_t vw_output_message(const struct vw_output_settings *s, const char *line, size_t n,
			 const char *host, char buf[static VW_OUTPUT_MESSAGE_MAX]);

#endif
