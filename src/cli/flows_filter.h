/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which records `vethwall flows` shows: one field per option, all of which must agree. */
#ifndef VETHWALL_CLI_FLOWS_FILTER_H
#define VETHWALL_CLI_FLOWS_FILTER_H

#include "vethwall/flow.h"

struct flows_filter {
	int64_t from_us, to_us; /* INT64_MIN, INT64_MAX: open */
	const char *workload, *service, *policy; /* NULL: any */
	const char *peer; /* a name, or: */
	struct vw_prefix peer_prefix; /* family 0: peer is a name */
	uint16_t port_lo, port_hi;
	bool has_port;
	int proto; /* -1: any */
	int direction; /* -1 any, 0 ingress, 1 egress */
	int event; /* enum vw_flow_event, -1: any */
};

void flows_filter_init(struct flows_filter *f);
bool flows_filter_match(const struct flows_filter *f, const struct vw_flow *r);
/* "2h", "90s", "1d", or a time as RFC 3339 or local "2026-11-22 14:30[:05]", "2026-11-22", "14:30".
 * now_us is what durations count back from. -EINVAL. */
int flows_time_parse(const char *s, int64_t now_us, int64_t *ret_us);
/* "2h", "90s", "1d". */
int flows_duration_parse(const char *s, int64_t *ret_us);
/* "443" or "8000-8100". */
int flows_port_parse(const char *s, uint16_t *ret_lo, uint16_t *ret_hi);
void flows_peer_set(struct flows_filter *f, const char *s);

#endif
