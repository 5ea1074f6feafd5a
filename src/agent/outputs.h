/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All outputs of the agent: each gets each record that was written to the log. */
#ifndef VETHWALL_AGENT_OUTPUTS_H
#define VETHWALL_AGENT_OUTPUTS_H

#include <jansson.h>

#include "vethwall/output.h"
#include "vethwall/settings.h"

struct vw_outputs {
	const struct vw_settings *s;
	struct vw_output *list[VW_OUTPUTS_MAX];
	size_t n;
	char host[256];
	char *buf; /* one message */
};

int vw_outputs_open(struct vw_loop *loop, const struct vw_settings *s, struct vw_outputs *ret,
		    struct vw_diag *d);
/* Sends what can be sent at once, then closes. */
void vw_outputs_done(struct vw_outputs *o);
/* One line of the log. */
void vw_outputs_put(struct vw_outputs *o, const char *line, size_t n);
/* [{kind, address, connected, sent, dropped, waiting, error}]. */
json_t *vw_outputs_json(const struct vw_outputs *o);

#endif
