/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the denied-flow log share: the walls with their tables of counters, and the
 * three outputs. denied.c decides when a wall is read; denied_read.c reads it, a bit at a time;
 * denied_owed.c tells what no flow's record can hold; denied_write.c makes records;
 * denied_restore.c learns what an earlier agent had reported, denied_keep.c keeps it. */
#ifndef VETHWALL_AGENT_DENIED_STATE_H
#define VETHWALL_AGENT_DENIED_STATE_H

#include "vethwall/capture.h"
#include "vethwall/denied.h"
#include "vethwall/flow.h"
#include "vethwall/log.h"
#include "vethwall/store.h"

#define DENIED_LOG "denied.jsonl"
#define DENIED_PCAP "denied.pcapng"
#define DENIED_TIMEOUT_MS (10 * 60 * 1000) /* of the kernel's elements (core/render_wall.c) */
#define DENIED_ENTRIES_MAX 4000000 /* counters kept over all walls; about 400 MB */
#define DENIED_WALLS_MAX 65536
#define DENIED_BUF_BYTES (256u << 10) /* lines written at once */
#define DENIED_NEVER INT64_MAX

/* One direction of a chain that counts: what it has counted is in records, in entries that wait for
 * theirs, or was refused without room for a record of its own. Packets, bytes as the kernel counts
 * them. */
struct denied_owed {
	bool known; /* told is what the log holds of the chain's count */
	uint64_t chain[2]; /* at the last reading */
	int64_t told[2]; /* in records, also those of overflow */
	int64_t gained[2]; /* in entries, waiting */
	uint64_t over[2]; /* in no entry, waiting for a record of overflow */
	int64_t first_us;
};

/* Which chain: what has a set of its flows, by IP version; and what came while the veth was held.
 */
enum { DENIED_V4, DENIED_V6, DENIED_HELD, _DENIED_KINDS };

struct denied_wall {
	unsigned ifindex;
	bool standing; /* in force; else only what could not be written yet */
	bool restored; /* counters come from the log, no reading has confirmed them */
	bool gone; /* it stood; should it stand again, its chains are new */
	char iface[IFNAMSIZ]; /* its name, also in the log of an earlier agent */
	bool has[2]; /* IPv4, IPv6; neither: it is held */
	struct vw_counted_table t[2];
	struct denied_owed owed[_DENIED_KINDS][2]; /* by direction: received, sent */
	unsigned held_readings; /* still to come, once it is no longer held */
	uint32_t generation;
	int64_t due_ms; /* next reading, monotonic */
	int64_t rest_ms; /* not before: a flooded wall must not keep the agent busy */
	int64_t read_ms, cost_us; /* of the last reading: when, and how long it took */
	int64_t kept_ms; /* packets of it are kept as if one came each 1/64 s since then */
};

/* A family's set on its way into the table. */
struct denied_reading {
	struct vw_denied *v;
	struct denied_wall *w;
	int f; /* DENIED_V4 or DENIED_V6 */
	struct vw_nft_walk *walk;
	bool counted; /* chain is known */
	bool quiet; /* and says that no element has gained: they are not read */
	uint64_t chain[2][2]; /* by direction, before the elements were read */
	int64_t now_ms, now_us, wall_us;
	uint64_t gained[2]; /* packets, by direction */
	uint64_t whole[2][2]; /* what the elements count in all */
	bool moved; /* a chain counted something */
	size_t elements;
	size_t twice; /* elements that the dump delivered again: as many were skipped */
};

/* How far a wall's records are written. */
struct denied_writing {
	bool all; /* also those whose time has not come */
	int f;
	size_t slot, slots;
	int64_t now_ms;
	int64_t next_ms; /* when the next pending record is due */
};

/* The wall that is being read. */
struct denied_job {
	struct denied_wall *w; /* NULL: none */
	int f; /* up to DENIED_HELD: reading; then writing */
	struct denied_reading reading;
	struct denied_writing writing;
	bool gained, failed;
	int64_t cost_us;
};

struct denied_gap {
	int64_t since_us; /* 0: all is well */
	int err;
	uint64_t failures;
};

struct vw_denied {
	struct vw_loop *loop;
	struct vw_nft *nft;
	vw_flow_namer namer;
	void *arg;
	struct vw_store *store;
	struct vw_pcap_file *pcap;
	struct vw_capture *capture;
	struct vw_timer *timer, *seal_timer, *keep_timer;
	VW_VEC(struct denied_wall *) walls; /* sorted by ifindex */
	struct denied_job job;
	uint64_t seed[2];
	uint64_t overruns; /* of the capture, as handled */
	int64_t interval_ms;
	uint32_t denied_max;
	size_t entries; /* over all walls */
	bool trusted; /* what is not known of a wall's chains is nothing */
	char *keep_path; /* NULL: nothing is kept */

	struct vw_denied_stats stats, told; /* as the last record of stats had them */
	int64_t told_ms;
	struct denied_gap gap;
	uint64_t cut; /* bytes of an incomplete record, not told yet */
	const char *doubt; /* about the log, not told yet */
	struct vw_ratelimit said; /* about writing */
	struct vw_ratelimit said_pcap;
	struct vw_ratelimit said_read;
	void (*tee)(void *arg, const struct vw_flow *f, const char *line, size_t n);
	void *tee_arg;
	struct vw_ratelimit said_keep;
	char *buf; /* lines on their way to the log */
	size_t fill;
	VW_VEC(struct vw_counted *) batch; /* whose records are in buf */
};

/* denied.c */
int64_t denied_now_ms(void);
struct denied_wall *denied_wall_get(const struct vw_denied *v, unsigned ifindex);
/* Finds or makes one, not standing. NULL without memory. */
struct denied_wall *denied_wall_make(struct vw_denied *v, unsigned ifindex);
/* Its counters belong to sets that are gone; what is pending stays. */
void denied_forget_counters(struct vw_denied *v, struct denied_wall *w);
/* The entry of a key, made if there is room; counts it. */
struct vw_counted *denied_entry(struct vw_denied *v, struct vw_counted_table *t,
				const uint8_t *key);

/* denied_read.c */
/* Starts to read the wall; the next steps follow from denied_step(). */
void denied_begin(struct vw_denied *v, struct denied_wall *w);
/* A millisecond's work or so. True: the wall is done, its records are written and its next reading
 * is planned. */
bool denied_step(struct vw_denied *v);
/* Not now, then: the wall is about to be read otherwise, or to go. */
void denied_cancel(struct vw_denied *v);
/* All of it at once, until nothing new comes, and writes whatever is pending. */
void denied_read_all(struct vw_denied *v, struct denied_wall *w);

/* denied_owed.c */
/* Of a chain that begins to be read. */
void denied_owed_begin(struct vw_denied *v, struct denied_wall *w, int kind);
/* Of a wall whose chains go. */
void denied_owed_end(struct denied_wall *w);
/* Reads the chains' counters: false, then no more is known. */
bool denied_chains(struct vw_denied *v, const struct denied_wall *w, int kind, uint64_t ret[2][2]);
/* After a family's elements have been read. */
void denied_note_overflow(struct denied_reading *r);
/* Counts what was refused while the veth was held. */
void denied_read_held(struct vw_denied *v, struct denied_wall *w, bool *gained);

/* denied_write.c */
/* Names the flow's ends and what decided it, by its tuple and event. */
void denied_name(struct vw_denied *v, unsigned ifindex, struct vw_flow *f);
/* 0: everything due is in the log; 1: there is more; -errno. */
int denied_write(struct vw_denied *v, struct denied_wall *w, struct denied_writing *wr);
/* True: nothing is pending any more. */
bool denied_write_all(struct vw_denied *v, struct denied_wall *w);
/* What is to be said about the log itself: 0 or -errno. */
int denied_tell(struct vw_denied *v);
/* A record of stats, if something was not recorded as it should since the last one; last: or if
 * anything was. */
void denied_tell_stats(struct vw_denied *v, bool last);

/* denied_restore.c */
/* What denied_keep() kept, and the log's young segments: counters that the kernel may still hold
 * become known. */
int denied_restore(struct vw_denied *v, const char *dir);

/* denied_keep.c */
struct denied_place { /* in the log: what stands behind it is not in what was kept */
	uint64_t seq, offset;
};
void denied_keep(struct vw_denied *v);
/* Walls and what is told of them. -ENOENT, -ESTALE: of another boot or network namespace. */
int denied_kept(struct vw_denied *v, struct denied_place *ret);

#endif
