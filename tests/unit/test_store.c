/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The segmented log on a real file system: rotation, torn lines, a disk without room, readers; and
 * the packet files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "vethwall/cleanup.h"
#include "vethwall/store.h"

struct fixture {
	char dir[64];
	struct vw_diag d;
	struct vw_store *s;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/vethwall-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	vw_store_free(&f->s);
	vw_diag_done(&f->d);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
	assert_int_equal(system(cmd), 0);
	free(f);
	return 0;
}

static uint64_t open_store(struct fixture *f, uint64_t bytes, unsigned segments)
{
	struct vw_store_options o = {f->dir, "x.jsonl", bytes, segments, (gid_t)-1};
	uint64_t cut = 0;

	vw_store_free(&f->s);
	assert_int_equal(vw_store_open(&o, &f->s, &cut, &f->d), 0);
	return cut;
}

static char *path(const struct fixture *f, const char *name)
{
	static char p[128];

	snprintf(p, sizeof(p), "%s/%s", f->dir, name);
	return p;
}

static void put_file(const struct fixture *f, const char *name, const char *text)
{
	FILE *o = fopen(path(f, name), "w");

	assert_non_null(o);
	fputs(text, o);
	fclose(o);
}

static void append(struct fixture *f, const char *s)
{
	assert_int_equal(vw_store_append(f->s, s, strlen(s)), 0);
}

/* All lines of all segments in order, joined by commas. */
static const char *all(const struct fixture *f)
{
	static char out[4096];
	struct vw_segments segs = {0};

	out[0] = '\0';
	assert_int_equal(vw_segments_open(f->dir, "x.jsonl", &segs), 0);
	vw_vec_foreach (seg, &segs.list) {
		struct vw_lines l;
		const char *line;
		size_t n;

		assert_int_equal(vw_lines_init(&l, seg->fd, 1024), 0);
		while (vw_lines_next(&l, &line, &n) == 1) {
			strncat(out, line, n);
			strcat(out, ",");
		}
		vw_lines_done(&l);
	}
	vw_segments_done(&segs);
	return out;
}

static void rotation(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	open_store(f, 10, 3);
	append(f, "one\n");
	append(f, "two\nthree\n"); /* does not fit: a new segment */
	append(f, "four\n");
	append(f, "five\n");
	assert_string_equal(all(f), "one,two,three,four,five,");
	assert_int_equal(stat(path(f, "x.jsonl"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	append(f, "a line longer than a segment\n");
	append(f, "six\n");
	assert_string_equal(all(f), "four,five,a line longer than a segment,six,");
	assert_int_not_equal(access(path(f, "x.jsonl.3"), F_OK), 0);
	open_store(f, 10, 2); /* fewer are kept now */
	assert_string_equal(all(f), "a line longer than a segment,six,");
}

static void torn_line(void **state)
{
	struct fixture *f = *state;

	put_file(f, "x.jsonl", "one\ntwo\n{\"torn\":");
	assert_int_equal(open_store(f, 1000, 3), 8);
	append(f, "three\n");
	assert_string_equal(all(f), "one,two,three,");
	assert_int_equal(open_store(f, 1000, 3), 0);
	vw_store_free(&f->s);
	put_file(f, "x.jsonl", "only torn");
	assert_int_equal(open_store(f, 1000, 3), 9);
	assert_string_equal(all(f), "");
}

static void one_writer(void **state)
{
	struct fixture *f = *state;
	struct vw_store_options o = {f->dir, "x.jsonl", 100, 3, (gid_t)-1};
	struct vw_store *second = NULL;
	uint64_t cut;

	open_store(f, 100, 3);
	assert_int_equal(vw_store_open(&o, &second, &cut, &f->d), -EBUSY);
	assert_null(second);
	assert_int_equal(f->d.errors, 1);
}

/* A write that the disk takes only part of leaves the file as it was, and the next one succeeds. */
static void no_room(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, lim;

	open_store(f, 100000, 3);
	append(f, "one\n");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	lim = (struct rlimit){10, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
	assert_int_equal(vw_store_append(f->s, "this is too long\n", 17), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_string_equal(all(f), "one,");
	append(f, "two\n");
	assert_string_equal(all(f), "one,two,");
}

static void removed_while_open(void **state)
{
	struct fixture *f = *state;

	open_store(f, 1000, 3);
	append(f, "one\n");
	assert_int_equal(unlink(path(f, "x.jsonl")), 0);
	append(f, "two\n");
	assert_string_equal(all(f), "two,");
}

static void no_link_is_followed(void **state)
{
	struct fixture *f = *state;
	struct vw_store_options o = {f->dir, "x.jsonl", 100, 3, (gid_t)-1};
	uint64_t cut;

	put_file(f, "victim", "precious");
	assert_int_equal(symlink("victim", path(f, "x.jsonl")), 0);
	assert_true(vw_store_open(&o, &f->s, &cut, &f->d) < 0);
}

static void reader(void **state)
{
	struct fixture *f = *state;
	struct vw_lines l;
	const char *line;
	char *big = malloc(600000);
	size_t n;
	int fd;

	memset(big, 'x', 600000);
	big[300000] = '\n';
	memcpy(big + 300001, "after\nhalf", 11);
	put_file(f, "x.jsonl", big);
	fd = open(path(f, "x.jsonl"), O_RDWR);
	assert_int_equal(vw_lines_init(&l, fd, 1024), 0);
	assert_int_equal(vw_lines_next(&l, &line, &n), -EMSGSIZE); /* skipped as one line */
	assert_int_equal(l.number, 1);
	assert_int_equal(vw_lines_next(&l, &line, &n), 1);
	assert_int_equal(n, 5);
	assert_memory_equal(line, "after", 5);
	assert_int_equal(vw_lines_next(&l, &line, &n), 0);
	assert_int_equal(vw_lines_torn(&l), 4);
	assert_int_equal(pwrite(fd, " whole\n", 7, 300001 + 10), 7);
	assert_int_equal(vw_lines_next(&l, &line, &n), 1);
	assert_memory_equal(line, "half whole", 10);
	assert_int_equal(l.number, 3);
	vw_lines_done(&l);
	close(fd);
	free(big);
}

/* ---- packets ---- */

static const uint8_t packet[40] = {0x45, 0, 0, 100, [9] = 17};

static void write_packets(struct fixture *f, uint64_t bytes, int n)
{
	struct vw_store_options o = {f->dir, "p.pcapng", bytes, 3, (gid_t)-1};
	struct vw_pcapng_packet k = {.data = packet,
				     .caplen = sizeof(packet),
				     .len = 100,
				     .received = true,
				     .comment = vw_str_of("workload=shop/db rule=default")};
	struct vw_pcap_file *p = NULL;

	assert_int_equal(vw_pcap_file_open(&o, &p, &f->d), 0);
	for (int i = 0; i < n; i++) {
		k.time_us = 1795387309123456 + i;
		assert_int_equal(vw_pcap_file_write(p, &k), 0);
	}
	vw_pcap_file_free(&p);
}

/* Packets that libpcap reads, -1 where it complains. */
static int read_packets(struct fixture *f, const char *name)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path(f, name), err);
	struct pcap_pkthdr *h;
	const u_char *data;
	int n = 0, r;

	assert_non_null(p);
	assert_int_equal(pcap_datalink(p), DLT_RAW);
	while ((r = pcap_next_ex(p, &h, &data)) == 1) {
		assert_int_equal(h->caplen, sizeof(packet));
		assert_int_equal(h->len, 100);
		assert_int_equal(h->ts.tv_sec, 1795387309);
		n++;
	}
	pcap_close(p);
	return r == PCAP_ERROR_BREAK ? n : -1;
}

/* And that we read; how it ended in *ret. */
static int our_packets(struct fixture *f, const char *name, int *ret)
{
	struct vw_pcapng_packet k;
	struct vw_pcapng r;
	struct vw_str rule;
	int n = 0, fd = open(path(f, name), O_RDONLY);

	assert_int_equal(vw_pcapng_init(&r, fd), 0);
	while ((*ret = vw_pcapng_next(&r, &k)) == 1) {
		assert_in_range(k.time_us, 1795387309123456, 1795387309123458);
		assert_memory_equal(k.data, packet, sizeof(packet));
		assert_int_equal(k.caplen, sizeof(packet));
		assert_int_equal(k.len, 100);
		assert_true(k.received);
		rule = vw_pcapng_comment_get(&k.comment, "rule");
		assert_true(vw_str_is(&rule, "default"));
		n++;
	}
	vw_pcapng_done(&r);
	close(fd);
	return n;
}

static void packets(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	int r;

	write_packets(f, 100000, 3);
	write_packets(f, 100000, 2); /* goes on in the same file */
	assert_int_equal(read_packets(f, "p.pcapng"), 5);
	assert_int_equal(our_packets(f, "p.pcapng", &r), 5);
	assert_int_equal(r, 0);
	assert_int_equal(stat(path(f, "p.pcapng"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(truncate(path(f, "p.pcapng"), st.st_size - 7), 0); /* a crash */
	assert_int_equal(read_packets(f, "p.pcapng"), -1);
	assert_int_equal(our_packets(f, "p.pcapng", &r), 4);
	write_packets(f, 100000, 1);
	assert_int_equal(read_packets(f, "p.pcapng"), 5);
}

static void packet_rotation(void **state)
{
	struct fixture *f = *state;
	struct stat one, two;

	write_packets(f, 100000, 1);
	assert_int_equal(stat(path(f, "p.pcapng"), &one), 0);
	write_packets(f, 100000, 1);
	assert_int_equal(stat(path(f, "p.pcapng"), &two), 0);
	assert_int_equal(unlink(path(f, "p.pcapng")), 0);
	write_packets(f, (uint64_t)two.st_size + 20, 7);
	assert_int_equal(read_packets(f, "p.pcapng"), 1);
	assert_int_equal(read_packets(f, "p.pcapng.1"), 2);
	assert_int_equal(read_packets(f, "p.pcapng.2"), 2);
	assert_int_not_equal(access(path(f, "p.pcapng.3"), F_OK), 0);
}

static void not_ours(void **state)
{
	struct fixture *f = *state;

	put_file(f, "p.pcapng", "this is no packet file, and nobody should write to it");
	write_packets(f, 100000, 1);
	assert_int_equal(read_packets(f, "p.pcapng"), 1);
	assert_int_equal(access(path(f, "p.pcapng.1"), F_OK), 0);
}

/* A file cut at any byte is gone on with behind its last whole packet. */
static void cut_anywhere(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	write_packets(f, 100000, 2);
	assert_int_equal(stat(path(f, "p.pcapng"), &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		int r;

		assert_int_equal(unlink(path(f, "p.pcapng")), 0);
		write_packets(f, 100000, 2);
		assert_int_equal(truncate(path(f, "p.pcapng"), at), 0);
		write_packets(f, 100000, 1);
		assert_true(our_packets(f, "p.pcapng", &r) >= 1);
		assert_int_equal(r, 0);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(rotation),
		T(torn_line),
		T(one_writer),
		T(no_room),
		T(removed_while_open),
		T(no_link_is_followed),
		T(reader),
		T(packets),
		T(packet_rotation),
		T(not_ours),
		T(cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
