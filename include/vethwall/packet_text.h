/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets for people to read. (codec/packet_text.c) */
#ifndef VETHWALL_PACKET_TEXT_H
#define VETHWALL_PACKET_TEXT_H

#include "vethwall/flow.h"

#define VW_PACKET_TEXT_MAX 256
#define VW_HEX_LINE_MAX 96

/* "10.0.0.1:4711 > 10.0.0.2:22 tcp S seq 1 win 64240, ttl 64, 60 bytes" of n bytes from the IP
 * header on. */
void vw_packet_text(const uint8_t *p, size_t n, char buf[static VW_PACKET_TEXT_MAX]);
/* Up to 16 bytes from offset at < n, as hex and as text; returns how many. */
size_t vw_hex_line(const uint8_t *p, size_t n, size_t at, char buf[static VW_HEX_LINE_MAX]);

#endif
