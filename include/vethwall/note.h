/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of the log that are about the log itself and no flow: which segment this is, a seal of what
 * came before, how much was recorded, what was lost. Pure. */
#ifndef VETHWALL_NOTE_H
#define VETHWALL_NOTE_H

#include <stddef.h>
#include <stdint.h>

#define VW_SHA256_HEX (2 * 32 + 1)
#define VW_NOTE_LINE_MAX 1024

/* A line of the log that is about the log and no flow. */
enum vw_note_kind {
	VW_NOTE_NONE,
	VW_NOTE_SEGMENT, /* a segment's first line */
	VW_NOTE_SEAL,
	VW_NOTE_STATS, /* what was recorded, and what was not, and why */
	VW_NOTE_GAP, /* for a time nothing could be written, or what was written got lost */
};
/* By its event_type; the line need not be whole JSON. */
enum vw_note_kind vw_note_kind(const char *line, size_t n);

struct vw_chain_note {
	enum vw_note_kind kind; /* VW_NOTE_SEGMENT or VW_NOTE_SEAL */
	int64_t time_us;
	uint64_t seq; /* of the segment, from 1 */
	uint64_t oldest; /* segment: the lowest number that was kept when it began */
	uint64_t offset; /* seal: bytes of the segment before its line */
	char sha256[VW_SHA256_HEX]; /* segment: of the one before, "" where there was none */
};
/* node: this machine's name. Returns the line's length, newline included. */
size_t vw_chain_line(const struct vw_chain_note *n, const char *node,
		     char buf[static VW_NOTE_LINE_MAX]);
/* -EINVAL: neither segment nor seal, or not as we write them. */
int vw_chain_parse(const char *line, size_t n, struct vw_chain_note *ret);

/* A record of stats or of a gap. NULL and 0 are left out, but for counts. */
struct vw_note_count {
	const char *name;
	uint64_t v;
};
struct vw_note {
	enum vw_note_kind kind; /* VW_NOTE_STATS or VW_NOTE_GAP */
	int64_t time_us, first_us, last_us;
	const char *cause, *text; /* words of ours */
	struct vw_note_count counts[16];
};
/* Returns the line's length, newline included. */
size_t vw_note_line(const struct vw_note *n, char buf[static VW_NOTE_LINE_MAX]);

#endif
