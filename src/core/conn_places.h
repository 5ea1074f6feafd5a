/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between conn_ends.c and conn_places.c: ends that are no workload's. */
#ifndef VETHWALL_CORE_CONN_PLACES_H
#define VETHWALL_CORE_CONN_PLACES_H

#include "core/conn.h"

/* The number of the kind, made if it is new. */
int conn_kind(struct conn_ends *e, const struct conn_kind *k, uint32_t *ret);
/* Appends an end; its vw_end is copied. */
int conn_end(struct conn_ends *e, struct vw_connectivity *c, const struct vw_end *end,
	     struct conn_end *n);
int conn_point(struct conn_ends *e, const struct vw_addr *a, uint32_t *ret);
/* Ports that containers publish: first of all. */
int conn_pubs_find(struct conn_ends *e);
/* The list of positions that are published at the address. */
int conn_ports_at(struct conn_ends *e, const struct vw_addr *a, uint32_t *ret);
/* The node's addresses, the rest of the address space, the published ports. */
int conn_places_add(struct conn_ends *e, struct vw_connectivity *c);

#endif
