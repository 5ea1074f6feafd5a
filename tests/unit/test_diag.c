/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Diagnostics and the log: the form of a line, what a hostile text can do to it, and that nothing
 * is lost uncounted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vethwall/cleanup.h"
#include "vethwall/diag.h"
#include "vethwall/log.h"

static void assert_printed(const struct vw_diag *d, bool colour, const char *want)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	vw_diag_print(d, f, colour);
	fclose(f);
	assert_string_equal(text, want);
}

static void forms(void **state)
{
	const struct vw_pos at = {"web.yaml", 12, 7}, line = {"web.yaml", 3, 0},
			    whole = {"web.yaml"};
	_cleanup_(vw_diag_done) struct vw_diag d = {0};

	(void)state;
	vw_error(&d, &at, "port %d is out of range (1-65535)", 70000);
	vw_diag_add(&d, VW_WARNING, &line, "unused", "nobody is selected");
	vw_diag_add(&d, VW_NOTE, &whole, NULL, "is empty");
	vw_error(&d, NULL, "no memory");
	assert_int_equal(d.errors, 2);
	assert_int_equal(d.warnings, 1);
	assert_printed(&d, false,
		       "web.yaml:12:7: port 70000 is out of range (1-65535)\n"
		       "web.yaml:3: warning: nobody is selected [unused]\n"
		       "web.yaml: note: is empty\n"
		       "no memory\n");
	vw_diag_done(&d);
	assert_int_equal(d.errors + d.warnings + d.list.n, 0);
}

static void colour(void **state)
{
	const struct vw_pos at = {"a", 1, 2};
	_cleanup_(vw_diag_done) struct vw_diag d = {0};

	(void)state;
	vw_error(&d, &at, "x");
	assert_printed(&d, true, "a:1:2: \033[1;31mx\033[0m\n");
}

static void controls_escaped(void **state)
{
	const struct vw_pos at = {"a\033[2J.yaml", 1, 1};
	_cleanup_(vw_diag_done) struct vw_diag d = {0};

	(void)state;
	/* C0, DEL, C1 in UTF-8 (U+009B is CSI); other UTF-8 is left alone. */
	vw_error(&d, &at, "%s",
		 "one\ntwo\x7f\xc2\x9b"
		 "31m\xc3\xa9\xc2\xa9");
	assert_printed(&d, false,
		       "a\\x1b[2J.yaml:1:1: one\\x0atwo\\x7f\\xc2\\x9b31m\xc3\xa9\xc2\xa9\n");
}

static void bounded(void **state)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	_cleanup_free_ char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	for (int i = 0; i < VW_DIAG_MAX + 7; i++)
		vw_error(&d, NULL, "e%d", i);
	assert_int_equal(d.list.n, VW_DIAG_MAX);
	assert_int_equal(d.errors, VW_DIAG_MAX + 7);
	assert_int_equal(d.dropped, 7);
	assert_non_null(f);
	vw_diag_print(&d, f, false);
	fclose(f);
	assert_non_null(strstr(text, "e199\n7 more not shown\n"));
}

static void no_list(void **state)
{
	(void)state;
	vw_error(NULL, NULL, "nobody listens");
}

/* ---- log: stderr is a memory file while one call runs ---- */

static int memory_stderr(int *ret_old)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	*ret_old = dup(STDERR_FILENO);
	assert_true(*ret_old >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	return fd;
}

static void restore_stderr(int fd, int old, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	assert_int_equal(dup2(old, STDERR_FILENO), STDERR_FILENO);
	close(old);
	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
}

static void log_lines(void **state)
{
	char text[1024];
	int old, fd;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	fd = memory_stderr(&old);
	vw_log_init(VW_LOG_INFO);
	errno = EBUSY;
	vw_info("container %s", "a\nvethwall: forged");
	vw_debug("not shown");
	vw_err("last");
	restore_stderr(fd, old, text, sizeof(text));
	assert_string_equal(text, "vethwall: container a\\x0avethwall: forged\nvethwall: last\n");
}

static void log_keeps_errno(void **state)
{
	char text[1024];
	int old, fd = memory_stderr(&old), after;

	(void)state;
	vw_log_init(VW_LOG_INFO);
	close(STDERR_FILENO); /* the write fails with EBADF */
	errno = EBUSY;
	vw_err("lost");
	after = errno;
	restore_stderr(fd, old, text, sizeof(text));
	assert_int_equal(after, EBUSY);
}

static void log_to_journal(void **state)
{
	char text[1024], stream[64];
	struct stat st;
	int old, fd;

	(void)state;
	fd = memory_stderr(&old);
	assert_int_equal(fstat(fd, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	vw_log_init(VW_LOG_DEBUG);
	vw_err("e");
	vw_warn("w");
	vw_info("i");
	vw_debug("d");
	/* A child whose stderr is elsewhere inherits the variable. */
	setenv("JOURNAL_STREAM", "1:1", 1);
	vw_log_init(VW_LOG_INFO);
	vw_err("plain");
	restore_stderr(fd, old, text, sizeof(text));
	unsetenv("JOURNAL_STREAM");
	assert_string_equal(text, "<3>vethwall: e\n<4>vethwall: w\n<6>vethwall: i\n<7>vethwall: d\n"
				  "vethwall: plain\n");
}

static void log_cuts_long_lines(void **state)
{
	char text[8192], lots[6000];
	int old, fd;
	size_t n;

	(void)state;
	memset(lots, '\n', sizeof(lots) - 1);
	lots[sizeof(lots) - 1] = '\0';
	fd = memory_stderr(&old);
	vw_log_init(VW_LOG_INFO);
	vw_err("%s", lots);
	restore_stderr(fd, old, text, sizeof(text));
	n = strlen(text);
	assert_in_range(n, 4000, 4096);
	assert_ptr_equal(strchr(text, '\n'), text + n - 1);
}

static void ratelimit(void **state)
{
	struct vw_ratelimit rl = {0};
	unsigned held = 99, passed = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		passed += vw_ratelimit_ok(&rl, 3, 3600, &held);
	assert_int_equal(passed, 3);
	assert_int_equal(held, 0);
	rl.window_start -= 3600; /* an hour later */
	assert_true(vw_ratelimit_ok(&rl, 3, 3600, &held));
	assert_int_equal(held, 7);
	assert_true(vw_ratelimit_ok(&rl, 3, 3600, &held));
	assert_int_equal(held, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(colour),
		cmocka_unit_test(controls_escaped),
		cmocka_unit_test(bounded),
		cmocka_unit_test(no_list),
		cmocka_unit_test(log_lines),
		cmocka_unit_test(log_keeps_errno),
		cmocka_unit_test(log_to_journal),
		cmocka_unit_test(log_cuts_long_lines),
		cmocka_unit_test(ratelimit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
