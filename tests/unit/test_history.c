/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets that were in force, and the state of the one that is: what is written comes back, and what
 * was torn, changed or put there by somebody else is seen and never taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vethwall/cleanup.h"
#include "vethwall/history.h"

struct folder {
	char path[64];
	struct vw_history *h;
	struct vw_diag d;
};

static void reopen(struct folder *f, unsigned keep)
{
	vw_history_free(&f->h);
	vw_diag_done(&f->d);
	assert_int_equal(vw_history_open(f->path, keep, &f->h, &f->d), 0);
}

static int setup(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));

	snprintf(f->path, sizeof(f->path), "/tmp/vw-history.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	reopen(f, 5);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct folder *f = *state;
	char cmd[128];

	vw_history_free(&f->h);
	vw_diag_done(&f->d);
	snprintf(cmd, sizeof(cmd), "rm -r %s", f->path);
	assert_int_equal(system(cmd), 0); /* NOLINT(cert-env33-c): a path of our own */
	free(f);
	return 0;
}

static void make(struct vw_sources *s, const char *text)
{
	assert_int_equal(vw_sources_add(s, "/p/a.yaml", text, strlen(text)), 0);
	assert_int_equal(vw_sources_add(s, "/p/b.yaml", "", 0), 0);
}

static uint64_t put(struct folder *f, const char *text)
{
	_cleanup_(vw_sources_done) struct vw_sources s = {};
	struct vw_applied a = {
		.action = VW_APPLIED_APPLY,
		.time_ns = 1700000000123456000,
		.by = {.known = true, .uid = 7, .pid = 8, .login_uid = 9, .comm = "x\x01y"},
		.of = 3,
		.documents = 4,
		.added = 1,
		.changed = 2,
		.audit = true};

	make(&s, text);
	assert_int_equal(vw_history_put(f->h, &a, &s, &f->d), 0);
	return a.id;
}

static int get(struct folder *f, uint64_t id, char *ret, size_t size)
{
	_cleanup_(vw_sources_done) struct vw_sources s = {};
	int r = vw_history_get(f->h, id, &s, &f->d);

	if (!r)
		snprintf(ret, size, "%s", s.list.v[0].text);
	return r;
}

static void test_round_trip(void **state)
{
	struct folder *f = *state;
	const struct vw_applied *a;
	char text[32];

	assert_int_equal(put(f, "one"), 1);
	assert_int_equal(put(f, "two"), 2);
	reopen(f, 5);
	assert_int_equal(f->d.list.n, 0);
	assert_int_equal(vw_history_count(f->h), 2);
	a = vw_history_find(f->h, 1);
	assert_non_null(a);
	assert_int_equal(a->action, VW_APPLIED_APPLY);
	assert_int_equal(a->time_ns, 1700000000123456000);
	assert_true(a->by.known);
	assert_int_equal(a->by.uid, 7);
	assert_int_equal(a->by.pid, 8);
	assert_int_equal(a->by.login_uid, 9);
	assert_string_equal(a->by.comm, "x\x01y");
	assert_int_equal(a->of, 3);
	assert_int_equal(a->files, 2);
	assert_int_equal(a->documents, 4);
	assert_int_equal(a->added, 1);
	assert_int_equal(a->changed, 2);
	assert_true(a->audit);
	assert_int_equal(get(f, 1, text, sizeof(text)), 0);
	assert_string_equal(text, "one");
	assert_int_equal(get(f, 3, text, sizeof(text)), -ENOENT);
	assert_int_equal(vw_history_last(f->h)->id, 2);
}

/* The oldest go, but not those that the state names; numbers are never used twice. */
static void test_bounded(void **state)
{
	struct folder *f = *state;
	struct vw_applied_state s = {.enforced = 2, .previous = 1};
	struct stat st;
	char path[128];

	for (int i = 0; i < 3; i++)
		put(f, "x");
	assert_int_equal(vw_history_set_state(f->h, &s, &f->d), 0);
	for (int i = 0; i < 20; i++)
		put(f, "y");
	assert_int_equal(vw_history_count(f->h), 5);
	assert_non_null(vw_history_find(f->h, 1));
	assert_non_null(vw_history_find(f->h, 2));
	assert_null(vw_history_find(f->h, 20));
	assert_non_null(vw_history_find(f->h, 21));
	snprintf(path, sizeof(path), "%s/applied/000020", f->path);
	assert_int_equal(stat(path, &st), -1);
	vw_history_drop(f->h, 23);
	reopen(f, 5);
	assert_int_equal(vw_history_count(f->h), 4);
	s.enforced = 99; /* of a set that is lost */
	assert_int_equal(vw_history_set_state(f->h, &s, &f->d), 0);
	assert_int_equal(put(f, "z"), 100);
}

static void path_of(const struct folder *f, const char *file, char ret[static 160])
{
	snprintf(ret, 160, "%s/%s", f->path, file);
}

/* One byte of the file becomes another, at its end or in its middle. */
static void spoil(const struct folder *f, const char *file, long at)
{
	char path[160];
	int fd;
	off_t where;

	path_of(f, file, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	where = lseek(fd, at, at < 0 ? SEEK_END : SEEK_SET);
	assert_true(where >= 0);
	assert_int_equal(write(fd, "7", 1), 1);
	close(fd);
}

static void tear(const struct folder *f, const char *file)
{
	struct stat st;
	char path[160];

	path_of(f, file, path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size / 2), 0);
}

static void test_damaged_texts(void **state)
{
	struct folder *f = *state;
	char text[32];

	put(f, "one");
	put(f, "two");
	put(f, "three");
	spoil(f, "applied/000001/sources.json", 30);
	tear(f, "applied/000002/sources.json");
	assert_int_equal(get(f, 1, text, sizeof(text)), -EBADMSG);
	assert_non_null(strstr(f->d.list.v[0].text, "damaged"));
	assert_int_equal(get(f, 2, text, sizeof(text)), -EBADMSG);
	assert_int_equal(get(f, 3, text, sizeof(text)), 0);
}

/* A set whose description cannot be trusted is no set; its number stays taken. */
static void test_damaged_meta(void **state)
{
	struct folder *f = *state;
	char path[160];

	for (int i = 0; i < 4; i++)
		put(f, "x");
	spoil(f, "applied/000001/meta.json", 20);
	tear(f, "applied/000002/meta.json");
	path_of(f, "applied/000003/meta.json", path);
	assert_int_equal(unlink(path), 0);
	spoil(f, "applied/000004/meta.json", -5); /* in the seal itself */
	path_of(f, "applied/stranger", path);
	assert_int_equal(mkdir(path, 0700), 0);
	reopen(f, 5);
	assert_int_equal(vw_history_count(f->h), 0);
	assert_int_equal(f->d.warnings, 4);
	assert_null(vw_history_last(f->h));
	assert_int_equal(put(f, "y"), 5);
}

/* A description that was moved to another number is not believed there. */
static void test_moved(void **state)
{
	struct folder *f = *state;
	char from[160], to[160];

	put(f, "one");
	path_of(f, "applied/000001", from);
	path_of(f, "applied/000007", to);
	assert_int_equal(rename(from, to), 0);
	reopen(f, 5);
	assert_int_equal(vw_history_count(f->h), 0);
}

/* What a writer that was killed left behind is not a set, and in nobody's way. */
static void test_killed_writer(void **state)
{
	struct folder *f = *state;
	char path[160];

	path_of(f, "applied/.new", path);
	assert_int_equal(mkdir(path, 0700), 0);
	path_of(f, "applied/.new/sources.json", path);
	close(creat(path, 0600));
	reopen(f, 5);
	assert_int_equal(vw_history_count(f->h), 0);
	assert_int_equal(put(f, "one"), 1);
}

static const struct vw_applied_state pending = {
	.enforced = 12,
	.pinned = true,
	.previous = 11,
	.deadline_boot_ms = 5000,
	.deadline_real_ms = 1700000060000,
	.confirm_ms = 60000,
	.boot_id = "5f3c1f0e-0b1e-4c2d-8a6b-111111111111",
};

static void test_state(void **state)
{
	struct folder *f = *state;
	struct vw_applied_state s;

	assert_int_equal(vw_history_state(f->h, &s, &f->d), 0);
	assert_int_equal(s.enforced, 0);
	assert_int_equal(vw_history_set_state(f->h, &pending, &f->d), 0);
	reopen(f, 5);
	assert_int_equal(vw_history_state(f->h, &s, &f->d), 0);
	assert_int_equal(s.enforced, 12);
	assert_true(s.pinned);
	assert_int_equal(s.previous, 11);
	assert_int_equal(s.deadline_boot_ms, 5000);
	assert_int_equal(s.deadline_real_ms, 1700000060000);
	assert_int_equal(s.confirm_ms, 60000);
	assert_string_equal(s.boot_id, pending.boot_id);
}

static void spoilt_state(struct folder *f)
{
	struct vw_applied_state s = {.enforced = 3};

	assert_int_equal(vw_history_state(f->h, &s, &f->d), -EBADMSG);
	assert_int_equal(s.enforced, 0);
	assert_int_equal(s.previous, 0);
	assert_true(f->d.errors > 0);
	reopen(f, 5);
}

static void test_damaged_state(void **state)
{
	struct folder *f = *state;
	struct vw_applied_state s;
	char path[160];

	path_of(f, "state.json", path);
	assert_int_equal(vw_history_set_state(f->h, &pending, &f->d), 0);
	spoil(f, "state.json", 100);
	spoilt_state(f);
	assert_int_equal(vw_history_set_state(f->h, &pending, &f->d), 0);
	tear(f, "state.json");
	spoilt_state(f);
	assert_int_equal(truncate(path, 0), 0);
	spoilt_state(f);
	/* Not a file, and not ours to follow. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_int_equal(vw_history_state(f->h, &s, &f->d), -EBADMSG);
	assert_int_equal(vw_history_set_state(f->h, &pending, &f->d), 0);
	assert_int_equal(vw_history_state(f->h, &s, &f->d), 0);
}

/* A sealed object of another kind. */
static void test_foreign_state(void **state)
{
	static const char *const texts[] = {
		"{\"enforced\": 1}",
		"{\"enforced\": -1, \"pinned\": false, \"previous\": 0, \"deadline_boot_ms\": 0, "
		"\"deadline_real_ms\": 0, \"confirm_ms\": 0, \"boot_id\": \"\"}",
		"{\"enforced\": 1, \"pinned\": 7, \"previous\": 0, \"deadline_boot_ms\": 0, "
		"\"deadline_real_ms\": 0, \"confirm_ms\": 0, \"boot_id\": \"\"}",
	};
	struct folder *f = *state;
	char path[160];

	path_of(f, "state.json", path);
	for (size_t i = 0; i < VW_ARRAY_SIZE(texts); i++) {
		json_t *j = json_loads(texts[i], 0, NULL);
		char *text = vw_sealed_print(j);
		FILE *file = fopen(path, "we");

		fputs(text, file);
		fclose(file);
		free(text);
		json_decref(j);
		spoilt_state(f);
	}
}

static void test_seal(void **state)
{
	json_t *j = json_pack("{s:i, s:s}", "a", 1, "b", "two"), *again = NULL;
	char *text = vw_sealed_print(j);
	size_t len = strlen(text);

	(void)state;
	assert_int_equal(vw_sealed_parse(text, len, &again), 0);
	json_object_del(j, "seal");
	assert_true(json_equal(j, again));
	json_decref(again);
	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		text[i] = (char)(was == '1' ? '2' : '1');
		again = NULL;
		if (vw_sealed_parse(text, len, &again) == 0) /* white space that JSON allows */
			assert_true(json_equal(j, again));
		json_decref(again);
		text[i] = was;
		assert_int_equal(vw_sealed_parse(text, i, &again), -EBADMSG);
	}
	json_decref(j);
	free(text);
}

/* One agent at a time, and nobody else's folder. */
static void test_locked(void **state)
{
	struct folder *f = *state;
	struct vw_history *other = NULL;
	struct stat st;
	char path[160];

	assert_int_equal(vw_history_open(f->path, 5, &other, &f->d), -EBUSY);
	assert_non_null(strstr(f->d.list.v[0].text, "another agent"));
	path_of(f, "applied", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(chmod(path, 0755), 0);
	reopen(f, 5);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	vw_history_free(&f->h);
	if (getuid() == 0) {
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_int_equal(vw_history_open(f->path, 5, &other, &f->d), -EPERM);
	}
	assert_int_equal(vw_history_open("/proc/none", 5, &other, &f->d), -ENOENT);
	assert_null(other);
}

/* Within a boot by the clock that nobody sets; after another by the wall's, which cannot give more
 * than was asked for. */
static void test_deadline(void **state)
{
	const char *same = pending.boot_id, *other = "other";

	(void)state;
	assert_int_equal(vw_applied_left_ms(&pending, same, 4000, 1), 1000);
	assert_int_equal(vw_applied_left_ms(&pending, same, 5000, 1), 0);
	assert_int_equal(vw_applied_left_ms(&pending, same, 9000, 1), 0);
	assert_int_equal(vw_applied_left_ms(&pending, other, 4000, 1700000059000), 1000);
	assert_int_equal(vw_applied_left_ms(&pending, other, 4000, 1700000060001), 0);
	assert_int_equal(vw_applied_left_ms(&pending, other, 4000, 1000), 60000);
}

static void test_count(void **state)
{
	static const char *const was[] = {"/a/same", "/a/less", "/a/other", "/a/gone"};
	static const char *const is[] = {"/b/same", "/b/less", "/b/other", "/b/new", "/b/newer"};
	_cleanup_(vw_sources_done) struct vw_sources x = {}, y = {};
	struct vw_applied a = {};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(was); i++)
		assert_int_equal(vw_sources_add(&x, was[i], "text", 4), 0);
	for (size_t i = 0; i < VW_ARRAY_SIZE(is); i++)
		assert_int_equal(
			vw_sources_add(&y, is[i], i == 2 ? "TEXT" : "text", i == 1 ? 3 : 4), 0);
	vw_applied_count(&a, &x, &y);
	assert_int_equal(a.added, 2);
	assert_int_equal(a.removed, 1);
	assert_int_equal(a.changed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_texts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_meta, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_state, setup, teardown),
		cmocka_unit_test(test_seal),
		cmocka_unit_test_setup_teardown(test_locked, setup, teardown),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
