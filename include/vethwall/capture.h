/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live packets of one NFLOG group, by libpcap's nflog device. Each frame is a DLT_NFLOG one, as
 * vw_nflog_decode() takes it. */
#ifndef VETHWALL_CAPTURE_H
#define VETHWALL_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#include "vethwall/diag.h"

struct vw_capture;
typedef void (*vw_capture_cb)(const uint8_t *frame, size_t n, void *arg);

/* -EBUSY: someone else listens to the group. -EPERM: CAP_NET_ADMIN is missing. buffer: bytes the
 * kernel may queue for us. */
int vw_capture_open(uint16_t group, size_t buffer, struct vw_capture **ret, struct vw_diag *d);
/* From now on each frame is handed over at once, instead of several within a hundredth of a second.
 * 0 or -errno. */
int vw_capture_at_once(struct vw_capture *c);
void vw_capture_free(struct vw_capture **c);
int vw_capture_fd(const struct vw_capture *c);
/* Hands over what is there, at most `batches` socket reads; never blocks. Frames handed over, or
 * -errno. */
int vw_capture_read(struct vw_capture *c, unsigned batches, vw_capture_cb cb, void *arg);
/* How often the kernel's queue for us overran; each time an unknown number of frames was lost. */
uint64_t vw_capture_overruns(const struct vw_capture *c);

#endif
