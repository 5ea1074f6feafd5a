/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What makes a log of lines tamper-evident. Each segment begins with a line that names it and the
 * hash of the end of the one before; every second or so a line seals what came before it. A seal's
 * hash is of all bytes from the seal before it (or the segment's begin) up to itself, so that each
 * covers the last, and `tail -c +N FILE | head -c M | sha256sum` is all it takes to check one.
 * There is no secret: who is root can write it all anew. docs/limits.md says what is detected. */
#ifndef VETHWALL_CHAIN_H
#define VETHWALL_CHAIN_H

#include <sha2.h>
#include <stdbool.h>

#include "vethwall/note.h"

#define VW_SEAL_FILE "denied.seal" /* in the state folder: the newest seal of denied.jsonl */

/* ---- the running hash (io/chain.c) ---- */

struct vw_sealer {
	SHA2_CTX ctx; /* from the last seal's line on, or the segment's first */
	uint64_t seq, offset; /* of the segment; its bytes */
	uint64_t open; /* bytes behind the last seal's line */
};
void vw_sealer_begin(struct vw_sealer *c, uint64_t seq);
void vw_sealer_add(struct vw_sealer *c, const void *bytes, size_t n);
/* A seal of what was added so far; the caller writes its line, and then calls vw_sealer_sealed().
 */
void vw_sealer_seal(const struct vw_sealer *c, int64_t time_us, struct vw_chain_note *ret);
void vw_sealer_sealed(struct vw_sealer *c, const char *line, size_t n);
/* The hash of everything behind the last seal, that line included: the next segment names it. */
void vw_sealer_sum(const struct vw_sealer *c, char ret[static VW_SHA256_HEX]);
/* Goes on where a file of `size` bytes stopped; *ret_head is its first line. -EBADMSG: it is not
 * one of ours (no header, or no seal where one must be). */
int vw_sealer_resume(int fd, uint64_t size, struct vw_sealer *ret, struct vw_chain_note *ret_head);

/* ---- verifying (io/chain_verify.c) ---- */

struct vw_chain_events {
	/* Something is wrong at this place. */
	void (*fault)(void *arg, const char *file, uint64_t line, const char *text);
	/* May be NULL; bytes read so far, of all. False ends it with -ECANCELED. */
	bool (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};
struct vw_chain_result {
	uint64_t segments, lines, seals, faults;
	uint64_t unsealed; /* lines behind the newest seal: their removal would not show */
	uint64_t first, last; /* numbers of the segments */
	int64_t from_us, to_us; /* first segment's begin, newest seal; 0: none */
	bool anchored; /* the newest seal kept in state_dir was found in the log */
};
/* Reads the segments of DIR/NAME. state_dir: where the newest seal is kept, or NULL. 0 also when
 * faults were found; -errno when it cannot be read. An agent may write meanwhile. */
int vw_chain_verify(const char *dir, const char *name, const char *state_dir,
		    const struct vw_chain_events *ev, struct vw_chain_result *ret);

#endif
