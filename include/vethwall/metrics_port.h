/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A port that answers GET /metrics, from the loop, by libmicrohttpd. */
#ifndef VETHWALL_METRICS_PORT_H
#define VETHWALL_METRICS_PORT_H

#include "vethwall/addr.h"
#include "vethwall/diag.h"
#include "vethwall/loop.h"

struct vw_metrics_port;
/* text: a malloc'd text (the callee's to keep), NULL without memory; asked at each request. */
int vw_metrics_port_open(struct vw_loop *loop, const struct vw_addr *addr, uint16_t port,
			 char *(*text)(void *arg), const char *type, void *arg,
			 struct vw_metrics_port **ret, struct vw_diag *d);
void vw_metrics_port_free(struct vw_metrics_port **h);

#endif
