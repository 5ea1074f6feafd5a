/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Denied flows: NFLOG brings the news and the packets, the kernel's set counters bring the truth. A
 * sample of a wall marks its denied sets for reading; what the counters gained since the last
 * reading becomes records in denied.jsonl; the sampled packets go to rotating pcap files. */
#ifndef VETHWALL_DENIED_H
#define VETHWALL_DENIED_H

#include "vethwall/flow.h"
#include "vethwall/loop.h"
#include "vethwall/nft.h"
#include "vethwall/settings.h"

/* The names of a flow's ends, filled in by the agent. Strings are the agent's and live until the
 * next call; NULL where unknown. */
struct vw_flow_names {
	const char *in_iface; /* the veth */
	const char *workload; /* "namespace/name" */
	const char *service, *image;
	const char *peer; /* "namespace/name", or an entity: "host", "world", ... */
	const char *peer_service, *peer_name;
	const char *policy, *rule,
		*tier; /* "default" when none allowed it; reasons as vw_reason_str */
};

struct vw_denied_stats {
	uint64_t records, packets, bytes; /* written */
	uint64_t samples, samples_lost; /* NFLOG messages; ENOBUFS events of its socket */
	uint64_t samples_skipped; /* packets over what is kept of one wall */
	uint64_t samples_unkept; /* packets that could not be written to the packet files */
	uint64_t write_errors, read_errors, unwritten_packets;
	uint64_t overflow_packets; /* counted by the chain but in no flow's record */
	uint64_t held_packets; /* refused while the veth was held */
	uint64_t gaps; /* times in which the log could not be written, over */
	bool failing; /* it cannot be written now */
};

struct vw_denied;
typedef void (*vw_flow_namer)(void *arg, unsigned ifindex, const struct vw_tuple *t,
			      struct vw_flow_names *ret);

/* Opens libpcap on nflog:GROUP, the log and pcap files under settings->log_dir, reads the log's
 * tail so that counters reported by an earlier agent are not reported again. */
int vw_denied_open(struct vw_loop *loop, struct vw_nft *nft, const struct vw_settings *s,
		   vw_flow_namer namer, void *arg, struct vw_denied **ret, struct vw_diag *d);
void vw_denied_free(struct vw_denied **v);
/* fn is called with each record that was written, and its line. */
void vw_denied_tee(struct vw_denied *v,
		   void (*fn)(void *arg, const struct vw_flow *f, const char *line, size_t n),
		   void *arg);
/* A wall stands: its sets are read from now on. has4/has6: which denied sets it has; neither: the
 * veth is held. Again when that has changed. */
void vw_denied_wall(struct vw_denied *v, unsigned ifindex, const char *dev, bool has4, bool has6);
/* Reads a wall's sets for the last time, writes what they hold and forgets it; call before its sets
 * are deleted. */
void vw_denied_wall_gone(struct vw_denied *v, unsigned ifindex);
/* Reads all walls now (reload, stop). */
void vw_denied_flush(struct vw_denied *v);
void vw_denied_stats(const struct vw_denied *v, struct vw_denied_stats *ret);

#endif
