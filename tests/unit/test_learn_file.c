/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was resolved survives the agent, and nothing that is not whole or of another boot is taken
 * for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "model.h"

struct folder {
	char dir[64], file[96];
	struct vw_world out, in;
};

static int setup(void **ps)
{
	struct folder *f = calloc(1, sizeof(*f));

	*ps = f;
	strcpy(f->dir, "/tmp/vw.learnt.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->file, sizeof(f->file), "%s/learnt", f->dir);
	return 0;
}

static int teardown(void **ps)
{
	struct folder *f = *ps;

	unlink(f->file);
	rmdir(f->dir);
	vw_world_done(&f->in);
	vw_world_done(&f->out);
	free(f);
	return 0;
}

static void put(struct vw_world *w, unsigned ifindex, const char *addr, const char *name,
		bool lapsed)
{
	struct vw_learnt l = {.ifindex = ifindex,
			      .addr = m_addr(addr),
			      .name = (char *)name,
			      .lapsed = lapsed,
			      .until_ms = 123456789012};
	bool news;

	assert_int_equal(vw_learnt_put(w, &l, &news), 0);
}

static void there_and_back(void **ps)
{
	struct folder *f = *ps;
	struct stat st;

	assert_int_equal(vw_learnt_load(&f->in, f->dir), -ENOENT);
	put(&f->out, 7, "192.0.2.1", "a.test", false);
	put(&f->out, 7, "2001:db8::1", "b.a.test", true);
	put(&f->out, 4000000000, "192.0.2.1", "a.test", false);
	assert_int_equal(vw_learnt_save(&f->out, f->dir), 0);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(vw_learnt_load(&f->in, f->dir), 0);
	assert_int_equal(f->in.learnt.n, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct vw_learnt *a = &f->out.learnt.v[i], *b = &f->in.learnt.v[i];

		assert_int_equal(a->ifindex, b->ifindex);
		assert_true(vw_addr_eq(&a->addr, &b->addr));
		assert_string_equal(a->name, b->name);
		assert_int_equal(a->lapsed, b->lapsed);
		assert_int_equal(a->until_ms, b->until_ms);
	}
}

/* Writes the file's first line and then text. */
static void forge(const struct folder *f, char first, const char *text)
{
	_cleanup_free_ char *have = NULL;
	size_t len;
	FILE *out;

	assert_int_equal(vw_file_read(f->file, 1u << 20, &have, &len), 0);
	out = fopen(f->file, "w");
	assert_non_null(out);
	have[0] = first ? first : have[0];
	fprintf(out, "%.*s\n%s", (int)strcspn(have, "\n"), have, text);
	fclose(out);
}

static void what_does_not_read_is_left_out(void **ps)
{
	struct folder *f = *ps;

	assert_int_equal(vw_learnt_save(&f->out, f->dir), 0);
	forge(f, 0,
	      "7 192.0.2.1 5 0 ok.test\n"
	      "\n \n7\n7 192.0.2.1\n7 192.0.2.1 5\n7 192.0.2.1 5 0\n"
	      "0 192.0.2.1 5 0 a.test\n"
	      "-1 192.0.2.1 5 0 a.test\n"
	      "99999999999 192.0.2.1 5 0 a.test\n"
	      "7 192.0.2 5 0 a.test\n"
	      "7 192.0.2.1 x 0 a.test\n"
	      "7 192.0.2.1 99999999999999999999 0 a.test\n"
	      "7 192.0.2.1 5 2 a.test\n"
	      "7 192.0.2.1 5 0 *.test\n"
	      "7 192.0.2.1 5 0 a..test\n"
	      "7 192.0.2.1 5 0 cut.tes");
	assert_int_equal(vw_learnt_load(&f->in, f->dir), 0);
	assert_int_equal(f->in.learnt.n, 2);
	assert_string_equal(f->in.learnt.v[0].name, "cut.tes");
	assert_string_equal(f->in.learnt.v[1].name, "ok.test");
}

static void of_another_boot(void **ps)
{
	struct folder *f = *ps;

	assert_int_equal(vw_learnt_save(&f->out, f->dir), 0);
	forge(f, 'x', "7 192.0.2.1 5 0 ok.test\n");
	assert_int_equal(vw_learnt_load(&f->in, f->dir), -ESTALE);
	assert_int_equal(f->in.learnt.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_not_read_is_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(of_another_boot, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
