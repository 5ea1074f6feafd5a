/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service manager's notification socket (sd_notify(3)), spoken to by hand: one datagram. */
#ifndef VETHWALL_AGENT_NOTIFY_H
#define VETHWALL_AGENT_NOTIFY_H

#include <stdint.h>

/* Sends state ("READY=1", "RELOADING=1\nMONOTONIC_USEC=...", "STOPPING=1") to $NOTIFY_SOCKET. 0
 * when it was sent or when nobody listens, else -errno. */
int vw_notify(const char *state);
/* RELOADING=1 with the time that systemd wants beside it since 253. */
int vw_notify_reloading(void);
/* How often WATCHDOG=1 is to be sent: half of $WATCHDOG_USEC (sd_watchdog_enabled(3)), in
 * milliseconds; 0: nobody watches. */
int64_t vw_notify_watchdog_ms(void);

#endif
