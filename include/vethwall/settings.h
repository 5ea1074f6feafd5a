/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the operator can set for a node: vethwall.yaml, overridden by the command line. */
#ifndef VETHWALL_SETTINGS_H
#define VETHWALL_SETTINGS_H

#include "vethwall/addr.h"
#include "vethwall/compile.h"
#include "vethwall/output_settings.h"

enum vw_image_format { VW_IMAGES_DIGESTS, VW_IMAGES_TRIVY, VW_IMAGES_GRYPE };
/* In order; what a list of refused images starts from is LOW or above. */
enum vw_image_severity {
	VW_SEV_UNKNOWN,
	VW_SEV_NEGLIGIBLE,
	VW_SEV_LOW,
	VW_SEV_MEDIUM,
	VW_SEV_HIGH,
	VW_SEV_CRITICAL,
	_VW_SEV_MAX
};

/* Where an image list comes from. */
struct vw_image_source {
	char *name, *file; /* file: or a folder of reports */
	enum vw_image_format format;
	enum vw_image_severity severity; /* of reports: an image belongs to the list from here on */
};
void vw_image_source_done(struct vw_image_source *s);

struct vw_settings {
	char *runtime; /* "docker[:SOCKET]" or "static:FILE" */
	char *policies, *run_dir, *state_dir, *log_dir;
	char *log_group; /* may read the log and ask the agent; NULL: root only */
	bool own_table; /* nobody else can change it; default true */
	unsigned verify_interval_ms; /* the table is read and compared this often */
	bool sandbox; /* give up privileges after the start; default true */
	bool hold_unknown; /* hold unknown veths on managed bridges; default true */
	struct vw_ifnames guard_bridges; /* managed, beside those of workloads; patterns. Not
					    given: the runtime's */
	struct vw_ifnames guard_exempt; /* veths that are never held; patterns */
	bool guard_pass; /* only the agent holds, not the kernel while it is away */
	VW_VEC(struct vw_addr) dns; /* resolvers; empty: /etc/resolv.conf and the host */
	uint64_t log_segment_bytes; /* rotate denied.jsonl at this size */
	unsigned log_segments; /* segments kept */
	uint64_t log_segment_age_ms; /* and rotate it at this age */
	uint64_t pcap_segment_bytes;
	unsigned pcap_segments;
	unsigned flow_interval_ms; /* a flow that goes on gets a record this often */
	unsigned live_interval_ms; /* walls' live flows are read this often */
	unsigned history; /* sets of policies that were in force, kept to go back to */
	bool audit; /* mode: audit: nothing is refused by policy, it is recorded */
	VW_VEC(struct vw_image_source) image_lists; /* names unique */
	VW_VEC(struct vw_output_settings) outputs;
	struct vw_addr metrics_addr; /* of the node itself; family 0: no port is opened */
	uint16_t metrics_port;
	struct vw_config config; /* default: deny, sizes, timeouts, NFLOG group */
};

int vw_settings_default(struct vw_settings *ret); /* 0 or -ENOMEM */
void vw_settings_done(struct vw_settings *s);

#endif
