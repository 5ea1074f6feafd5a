/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS on a descriptor that does not block. */
#ifndef VW_IO_OUTPUT_TLS_H
#define VW_IO_OUTPUT_TLS_H

#include <sys/types.h>

#include "vethwall/output.h"

struct vw_tls;
/* Reads the certificates. s is borrowed. */
int vw_tls_new(const struct vw_output_settings *s, struct vw_tls **ret, struct vw_diag *d);
void vw_tls_free(struct vw_tls **t);
/* The connection is gone; another may begin. */
void vw_tls_reset(struct vw_tls *t);
int vw_tls_begin(struct vw_tls *t, int fd);
bool vw_tls_begun(const struct vw_tls *t);
/* 1: agreed, 0: not yet, -EPROTO with words. */
int vw_tls_handshake(struct vw_tls *t, char *why, size_t size);
bool vw_tls_wants_write(const struct vw_tls *t);
/* Bytes taken, 0: would block, -errno. */
ssize_t vw_tls_write(struct vw_tls *t, const char *p, size_t n);
/* Throws away what came; -errno when the other end is gone. */
int vw_tls_drain(struct vw_tls *t);

#endif
