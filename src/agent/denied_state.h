/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the denied-flow log share: the walls with their tables of counters, and the
 * three outputs. denied.c decides when a wall is read, denied_read.c reads it and writes records,
 * denied_restore.c learns from the log what an earlier agent had reported. */
#ifndef VETHWALL_AGENT_DENIED_STATE_H
#define VETHWALL_AGENT_DENIED_STATE_H

#include "vethwall/capture.h"
#include "vethwall/denied.h"
#include "vethwall/flow.h"
#include "vethwall/log.h"
#include "vethwall/store.h"

#define DENIED_LOG "denied.jsonl"
#define DENIED_PCAP "denied.pcap"
#define DENIED_TIMEOUT_MS (10 * 60 * 1000) /* of the kernel's elements (core/render_wall.c) */
#define DENIED_ENTRIES_MAX 4000000 /* counters kept over all walls; about 400 MB */
#define DENIED_WALLS_MAX 65536
#define DENIED_BUF_BYTES (256u << 10) /* lines written at once */
#define DENIED_NEVER INT64_MAX

/* What the chain counted but no flow's record holds. */
struct denied_overflow {
	bool based; /* base is set */
	int64_t base[2]; /* chain's packets and bytes minus what elements had gained by then */
	uint64_t chain[2]; /* at the last reading */
	uint64_t elems[2]; /* gained by elements since */
	uint64_t total[2]; /* overflow so far */
	uint64_t pending[2]; /* of that, not reported yet */
	int64_t first_us;
};

struct denied_wall {
	unsigned ifindex;
	bool standing; /* in force; else only what could not be written yet */
	bool restored; /* counters come from the log, no reading has confirmed them */
	char iface[IFNAMSIZ]; /* then: its name there */
	bool has[2]; /* IPv4, IPv6 */
	struct vw_counted_table t[2];
	struct denied_overflow over[2];
	uint32_t generation;
	int64_t due_ms; /* next reading, monotonic */
	int64_t rest_ms; /* not before: a flooded wall must not keep the agent busy */
	int64_t cost_us; /* of the last reading */
};

struct vw_denied {
	struct vw_loop *loop;
	struct vw_nft *nft;
	vw_flow_namer namer;
	void *arg;
	struct vw_store *store;
	struct vw_pcap_file *pcap;
	struct vw_capture *capture;
	struct vw_timer *timer;
	VW_VEC(struct denied_wall *) walls; /* sorted by ifindex */
	uint64_t seed[2];
	uint64_t overruns; /* of the capture, as handled */
	int64_t interval_ms;
	uint32_t denied_max;
	size_t entries; /* over all walls */
	struct vw_denied_stats stats;
	struct vw_ratelimit said; /* about writing */
	struct vw_ratelimit said_pcap;
	struct vw_ratelimit said_read;
	void (*tee)(void *arg, const struct vw_flow *f, const char *line, size_t n);
	void *tee_arg;
	char *buf; /* lines on their way to the log */
	size_t fill;
	VW_VEC(struct vw_counted *) batch; /* whose records are in buf */
};

int64_t denied_now_ms(void);
struct denied_wall *denied_wall_get(const struct vw_denied *v, unsigned ifindex);
/* Finds or makes one, not standing. NULL without memory. */
struct denied_wall *denied_wall_make(struct vw_denied *v, unsigned ifindex);
void denied_wall_drop(struct vw_denied *v, struct denied_wall *w);
/* Its counters belong to sets that are gone; what is pending stays. */
void denied_forget_counters(struct vw_denied *v, struct denied_wall *w);
/* The entry of a key, made if there is room; counts it. */
struct vw_counted *denied_entry(struct vw_denied *v, struct vw_counted_table *t,
				const uint8_t *key);

/* Reads the wall's sets, writes what is due (all: whatever is pending) and sets w->due_ms. */
void denied_read_wall(struct vw_denied *v, struct denied_wall *w, bool all);
/* A wall whose chain has counted nothing yet owes nothing. */
void denied_note_fresh(struct vw_denied *v, struct denied_wall *w);
/* Writes only. True: nothing is pending any more. */
bool denied_write_pending(struct vw_denied *v, struct denied_wall *w, bool all);

/* Reads the log's young segments; counters that the kernel may still hold become known. */
int denied_restore(struct vw_denied *v, const char *dir);

#endif
