/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of records on disk: an append-only log of lines in segments (NAME, NAME.1 younger than
 * NAME.2,
 * ...), bounded by size and number, and rotating packet files beside it. They decide nothing about
 * what is written. */
#ifndef VETHWALL_STORE_H
#define VETHWALL_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vethwall/diag.h"
#include "vethwall/pcapng.h"

#define VW_SEGMENTS_MAX 1000
#define VW_SEGMENT_NAME 64

struct vw_store_options {
	const char *dir; /* made (0750) when missing */
	const char *name; /* "denied.jsonl" */
	uint64_t segment_bytes; /* a segment that would grow over it is rotated */
	unsigned segments; /* kept, with the one being written */
	gid_t gid; /* may read; (gid_t)-1: the process's */
	uint64_t segment_age_us; /* and one that is older; 0: whatever its age */
	/* Not NULL: this machine's name, and the segments are chained by hashes (chain.h). */
	const char *node;
	const char *state_dir; /* then: the newest seal is kept there as well; NULL: nowhere */
};

struct vw_store;
/* Opens for appending and locks the folder: -EBUSY when another agent writes there. An incomplete
 * last line (a crash in the middle of a write) is cut off; *ret_cut tells its bytes. */
int vw_store_open(const struct vw_store_options *o, struct vw_store **ret, uint64_t *ret_cut,
		  struct vw_diag *d);
void vw_store_free(struct vw_store **s);
/* Appends whole lines: all of them, or -errno and the file is as before. Segments that are chained
 * are sealed on the way, at the latest when a mebibyte stands open. */
int vw_store_append(struct vw_store *s, const char *lines, size_t n);
/* Seals what stands open; 0, also when nothing does, or -errno. */
int vw_store_seal(struct vw_store *s);
/* Where the next line will stand; the segment's number is 0 when they are not chained. */
void vw_store_at(const struct vw_store *s, uint64_t *ret_seq, uint64_t *ret_offset);
/* What opening found wrong with the log that is to be gone on with, or NULL. */
const char *vw_store_doubt(const struct vw_store *s);

struct vw_segment {
	int fd;
	char name[VW_SEGMENT_NAME];
	uint64_t size;
	int64_t mtime_us;
};
struct vw_segments {
	VW_VEC(struct vw_segment) list; /* oldest first */
};
/* Opens what is there, each file once even while an agent rotates. No such folder: -ENOENT. */
int vw_segments_open(const char *dir, const char *name, struct vw_segments *ret);
void vw_segments_done(struct vw_segments *s);

/* Lines of a descriptor, one after the other. A last line without newline is held back until the
 * rest of it has been written. */
struct vw_lines {
	int fd; /* borrowed */
	uint64_t number; /* of the line returned last, from 1 */
	uint64_t offset; /* bytes up to its end, of all read so far */
	char *buf;
	size_t cap, start, fill;
	bool skipping; /* the rest of a line that was too long */
};
int vw_lines_init(struct vw_lines *l, int fd, size_t line_max);
void vw_lines_done(struct vw_lines *l);
/* 1 and a line (without newline, in l's buffer until the next call); 0: no more for now; -EMSGSIZE:
 * one line was longer than allowed and is skipped; other -errno. */
int vw_lines_next(struct vw_lines *l, const char **ret_line, size_t *ret_n);
/* Bytes of an incomplete last line, after vw_lines_next() returned 0. */
size_t vw_lines_torn(const struct vw_lines *l);

/* Shifts NAME to NAME.1, NAME.1 to NAME.2 and so on; the oldest goes. */
int vw_rotate(int dirfd, const char *name, unsigned segments);
/* Opens dir/name for appending, mode 0640, group gid; and makes the folder if need be. */
int vw_store_dir(const char *dir, gid_t gid, struct vw_diag *d); /* a descriptor, or -errno */

struct vw_pcap_file;
/* Raw IP packets with a comment each, as pcapng. A file that a crash left incomplete is cut after
 * its last whole block; one that is something else is rotated away. */
int vw_pcap_file_open(const struct vw_store_options *o, struct vw_pcap_file **ret,
		      struct vw_diag *d);
void vw_pcap_file_free(struct vw_pcap_file **p);
/* -EAGAIN: it failed less than a second ago, and was not tried again. */
int vw_pcap_file_write(struct vw_pcap_file *p, const struct vw_pcapng_packet *packet);
/* Packets that were not kept so far, since the disk had no room. */
uint64_t vw_pcap_file_lost(const struct vw_pcap_file *p);
/* Hands what was written to the kernel; on failure the file is cut back to the last flush. */
int vw_pcap_file_flush(struct vw_pcap_file *p);

#endif
