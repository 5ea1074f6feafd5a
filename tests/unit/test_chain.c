/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chained log: an honest one is found whole over rotation, restart and crash; one that somebody
 * touched is not, and the place is told. Hashes are checked with sha256sum, not with our own code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>

#include "vethwall/chain.h"
#include "vethwall/cleanup.h"
#include "vethwall/store.h"

#define NAME "denied.jsonl"

struct fixture {
	char dir[64];
	struct vw_diag d;
	struct vw_store *s;
	struct vw_chain_result found;
	char told[2048]; /* "file:line: text" of each fault */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/vethwall-chain-XXXXXX");
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

static void sh(const struct fixture *f, const char *script)
{
	char cmd[2048];

	snprintf(cmd, sizeof(cmd), "cd %s && %s", f->dir, script);
	if (system(cmd))
		fail_msg("failed: %s", cmd);
}

static void open_log(struct fixture *f, uint64_t bytes, unsigned segments)
{
	struct vw_store_options o = {.dir = f->dir,
				     .name = NAME,
				     .segment_bytes = bytes,
				     .segments = segments,
				     .gid = (gid_t)-1,
				     .node = "node\"1",
				     .state_dir = f->dir};
	uint64_t cut;

	assert_int_equal(vw_store_open(&o, &f->s, &cut, &f->d), 0);
}

static void append(struct fixture *f, const char *s)
{
	assert_int_equal(vw_store_append(f->s, s, strlen(s)), 0);
}

static void records(struct fixture *f, int from, int to)
{
	for (int i = from; i < to; i++) {
		char line[64];

		snprintf(line, sizeof(line), "{\"event_type\":\"denied\",\"n\":%d}\n", i);
		append(f, line);
		if (i % 3 == 2)
			assert_int_equal(vw_store_seal(f->s), 0);
	}
}

static void on_fault(void *arg, const char *file, uint64_t line, const char *text)
{
	struct fixture *f = arg;
	size_t at = strlen(f->told);

	snprintf(f->told + at, sizeof(f->told) - at, "%s:%llu: %s\n", file,
		 (unsigned long long)line, text);
}

static void verify_with(struct fixture *f, const char *state_dir)
{
	struct vw_chain_events ev = {.fault = on_fault, .arg = f};

	f->told[0] = '\0';
	assert_int_equal(vw_chain_verify(f->dir, NAME, state_dir, &ev, &f->found), 0);
}

static void verify(struct fixture *f)
{
	verify_with(f, f->dir);
}

#define assert_whole(f)                               \
	do {                                          \
		verify(f);                            \
		assert_string_equal(f->told, "");     \
		assert_int_equal(f->found.faults, 0); \
	} while (0)
#define assert_told(f, text)                           \
	do {                                           \
		verify(f);                             \
		if (!strstr(f->told, text))            \
			fail_msg("told: %s", f->told); \
	} while (0)

/* Segments of about five records; the newest has the numbers 27.. */
static void make(struct fixture *f)
{
	open_log(f, 900, 4);
	records(f, 0, 30);
	vw_store_free(&f->s);
}

static void honest(void **state)
{
	struct fixture *f = *state;

	make(f);
	assert_whole(f);
	assert_int_equal(f->found.segments, 4);
	assert_true(f->found.anchored);
	assert_int_equal(f->found.unsealed, 0);
	assert_true(f->found.last > f->found.first);
	for (int i = 0; i < 5; i++) { /* over restarts */
		open_log(f, 900, 4);
		assert_null(vw_store_doubt(f->s));
		records(f, 30 + i, 31 + i);
		vw_store_free(&f->s);
		assert_whole(f);
	}
	open_log(f, 900, 2); /* fewer are kept */
	records(f, 40, 41);
	assert_whole(f); /* while it is being written */
	records(f, 41, 60);
	vw_store_free(&f->s);
	assert_whole(f);
	assert_int_equal(f->found.segments, 2);
}

/* What a seal says can be checked without us. */
static void with_other_tools(void **state)
{
	struct fixture *f = *state;

	open_log(f, 100000, 4);
	records(f, 0, 9);
	sh(f, "python3 - <<'END'\n"
	      "import hashlib, json\n"
	      "raw = open('" NAME "', 'rb').read()\n"
	      "at = last = seals = 0\n"
	      "for line in raw.splitlines(True):\n"
	      "    j = json.loads(line)\n"
	      "    if j['event_type'] == 'seal':\n"
	      "        assert j['offset'] == at\n"
	      "        assert j['sha256'] == hashlib.sha256(raw[last:at]).hexdigest()\n"
	      "        last = at\n"
	      "        seals += 1\n"
	      "    at += len(line)\n"
	      "assert seals == 3 and json.loads(raw.splitlines()[0])['node'] == 'node_1'\n"
	      "END\n");
}

static void touched(void **state)
{
	static const struct {
		const char *how, *told;
	} v[] = {
		/* one byte; the seal behind it is at line 5 */
		{"sed -i '3s/denied/DENIED/' " NAME ".1",
		 NAME ".1:5: something between line 1 and here was altered"},
		{"sed -i 3d " NAME ".1", NAME ".1:4: something between line 1 and here"},
		{"sed -i '2{h;d};3G' " NAME ".1", NAME ".1:5: something between line 1 and here"},
		{"sed -i '3i {}' " NAME ".1", NAME ".1:6: something between line 1 and here"},
		/* everything of one seal, and the seal */
		{"sed -i '2,5d' " NAME ".2", "something between line 1 and here"},
		/* a seal's own line */
		{"sed -i '5s/\"offset\":/\"offset\":1/' " NAME ".1", NAME ".1:"},
		{"sed -i '1s/\"seq\":/\"seq\":1/' " NAME ".1", NAME ".1:"},
		{"sed -i 1d " NAME ".1", NAME ".1:1: no segment begins here"},
		/* the end of a segment, which only the next one knows */
		{"sed -i '$d' " NAME ".2", NAME ".1 does not follow"},
		{"echo '{}' >>" NAME ".2", NAME ".1 does not follow"},
		{"mv " NAME ".2 gone", "is missing"},
		{"rm " NAME ".3 " NAME ".2", "the oldest segments"},
		{"rm " NAME ".2 " NAME ".1", "are missing"},
		{"mv " NAME ".1 x && mv " NAME ".2 " NAME ".1 && mv x " NAME ".2", "stands behind"},
		{"cp " NAME ".2 " NAME ".1", "stands behind"},
		/* the end of the newest: the state folder knows */
		{"sed -i '$d' " NAME, "the end is missing or altered: the newest seal"},
		{"rm " NAME, "the end is missing or altered: the newest seal"},
		{"rm " NAME "*", "the end is missing or altered: the newest seal"},
	};
	struct fixture *f = *state;

	make(f);
	assert_whole(f);
	sh(f, "mkdir keep && cp " NAME "* keep");
	for (size_t i = 0; i < VW_ARRAY_SIZE(v); i++) {
		sh(f, v[i].how);
		verify(f);
		if (!f->found.faults || !strstr(f->told, v[i].told))
			fail_msg("%s: told: %s", v[i].how, f->told);
		sh(f, "cp keep/* .");
		assert_whole(f);
	}
}

/* Every single byte counts, but for those behind the newest seal. */
static void every_byte(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	int fd;

	open_log(f, 100000, 4);
	records(f, 0, 6);
	vw_store_free(&f->s);
	sh(f, "cp " NAME " keep");
	fd = open(strcat(strcpy((char[128]){0}, f->dir), "/" NAME), O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		char c, x;

		assert_int_equal(pread(fd, &c, 1, at), 1);
		x = c ^ 1;
		assert_int_equal(pwrite(fd, &x, 1, at), 1);
		verify(f);
		/* the last seal's time and numbers are covered by what will follow it */
		if (!f->found.faults && at < st.st_size - 200)
			fail_msg("byte %lld", (long long)at);
		assert_int_equal(pwrite(fd, &c, 1, at), 1);
	}
	close(fd);
	assert_whole(f);
}

/* A crash: what was not sealed is taken over, a torn line goes. */
static void crash(void **state)
{
	struct fixture *f = *state;

	make(f);
	sh(f, "printf '{\"event_type\":\"denied\"}\\n{\"torn' >>" NAME);
	verify(f);
	assert_int_equal(f->found.faults, 0);
	assert_int_equal(f->found.unsealed, 1);
	for (int i = 0; i < 20; i++) {
		struct vw_store_options o = {.dir = f->dir,
					     .name = NAME,
					     .segment_bytes = 900,
					     .segments = 4,
					     .gid = (gid_t)-1,
					     .node = "n",
					     .state_dir = f->dir};
		uint64_t cut = 0;

		assert_int_equal(vw_store_open(&o, &f->s, &cut, &f->d), 0);
		assert_int_equal(cut, i ? i % 2 ? 0 : 3 : 6);
		assert_null(vw_store_doubt(f->s));
		records(f, i, i + 2);
		vw_store_free(&f->s);
		assert_whole(f);
		if (i % 2)
			sh(f, "printf '{}\\n{\"a' >>" NAME);
	}
}

/* The next agent says that the log is not as the last one left it. */
static void doubted(void **state)
{
	struct fixture *f = *state;

	make(f);
	sh(f, "sed -i '$d' " NAME);
	open_log(f, 900, 4);
	assert_non_null(vw_store_doubt(f->s));
	records(f, 0, 2);
	vw_store_free(&f->s);
	sh(f, "rm " NAME "*");
	open_log(f, 900, 4);
	assert_non_null(vw_store_doubt(f->s));
	records(f, 0, 2);
	vw_store_free(&f->s);
	verify(f);
	assert_true(f->found.first > 1); /* the numbers go on */
	open_log(f, 900, 4);
	assert_null(vw_store_doubt(f->s));
}

/* A log of before there were chains is left as it is. */
static void older_log(void **state)
{
	struct fixture *f = *state;

	sh(f, "printf '{\"old\":1}\\n' >" NAME);
	open_log(f, 900, 4);
	records(f, 0, 3);
	vw_store_free(&f->s);
	assert_told(f, NAME ".1:1: no segment begins here");
	assert_int_equal(f->found.faults, 1);
}

static void by_age(void **state)
{
	struct fixture *f = *state;
	struct vw_store_options o = {.dir = f->dir,
				     .name = NAME,
				     .segment_bytes = 100000,
				     .segments = 4,
				     .gid = (gid_t)-1,
				     .segment_age_us = 1,
				     .node = "n"};
	uint64_t cut;

	assert_int_equal(vw_store_open(&o, &f->s, &cut, &f->d), 0);
	append(f, "{}\n");
	usleep(1000);
	append(f, "{}\n");
	vw_store_free(&f->s);
	verify_with(f, NULL);
	assert_string_equal(f->told, "");
	assert_int_equal(f->found.segments, 2);
	usleep(1000);
	assert_int_equal(vw_store_open(&o, &f->s, &cut, &f->d), 0); /* its age is in the file */
	append(f, "{}\n");
	verify_with(f, NULL);
	assert_int_equal(f->found.segments, 3);
}

/* A disk without room, at any byte of a write: what is there stays whole. */
static void no_room(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, lim;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	open_log(f, 900, 100);
	for (rlim_t room = 0; room < 900; room += 7) {
		lim = (struct rlimit){room, old.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
		(void)!vw_store_append(f->s, "{}\n", 3);
		(void)!vw_store_seal(f->s);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		verify(f);
		/* the seal may be in the log and not in the state folder, never the other way */
		assert_string_equal(f->told, "");
		if (room % 2)
			append(f, "{}\n");
	}
	vw_store_free(&f->s);
	assert_whole(f);
}

static bool stop(void *arg, uint64_t done, uint64_t total)
{
	assert_true(done <= total);
	return !++*(int *)arg;
}

static void nothing_there(void **state)
{
	struct fixture *f = *state;
	struct vw_chain_events ev = {.progress = stop, .arg = &(int){0}};

	assert_int_equal(vw_chain_verify("/nonexistent", NAME, NULL, &ev, &f->found), -ENOENT);
	assert_int_equal(vw_chain_verify(f->dir, NAME, f->dir, &ev, &f->found), 0);
	assert_int_equal(f->found.segments, 0);
	make(f);
	assert_int_equal(vw_chain_verify(f->dir, NAME, f->dir, &ev, &f->found), -ECANCELED);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(honest),  T(with_other_tools), T(touched), T(every_byte), T(crash),
		T(doubted), T(older_log),	 T(by_age),  T(no_room),    T(nothing_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
