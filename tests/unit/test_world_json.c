/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A world that was written and read again is the same world, and the same policies compile to the
 * same in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "codec.h"
#include "model.h"
#include "gen.h"
#include "vethwall/compile.h"
#include "vethwall/world_json.h"

static char *text_of(const struct vw_world *w)
{
	json_t *j = vw_world_json(w);
	char *text;

	assert_non_null(j);
	text = vw_world_text(j);
	assert_non_null(text);
	json_decref(j);
	return text;
}

static struct vw_world again(const struct vw_world *w)
{
	_cleanup_free_ char *text = text_of(w), *twice = NULL;
	struct vw_world ret = {0};
	struct vw_diag d = {0};
	char buf[8192];

	if (vw_world_parse(text, strlen(text), "w.json", &ret, &d))
		fail_msg("%s for %s", c_text(&d, buf, sizeof(buf)), text);
	vw_diag_done(&d);
	twice = text_of(&ret);
	assert_string_equal(twice, text);
	return ret;
}

static bool lists_equal(const struct vw_addr *a, size_t n_a, const struct vw_addr *b, size_t n_b)
{
	for (size_t i = 0; n_a == n_b && i < n_a; i++)
		if (!vw_addr_eq(&a[i], &b[i]))
			return false;
	return n_a == n_b;
}

static void same_world(const struct vw_world *a, const struct vw_world *b)
{
	assert_int_equal(a->workloads.n, b->workloads.n);
	for (size_t i = 0; i < a->workloads.n; i++) {
		assert_true(vw_workload_equal(&a->workloads.v[i], &b->workloads.v[i]));
		for (size_t k = 0; k < a->workloads.v[i].ifaces.n; k++)
			assert_int_equal(a->workloads.v[i].ifaces.v[k].ifindex,
					 b->workloads.v[i].ifaces.v[k].ifindex);
	}
	assert_int_equal(a->namespaces.n, b->namespaces.n);
	assert_true(lists_equal(a->host.v, a->host.n, b->host.v, b->host.n));
	assert_true(lists_equal(a->dns.v, a->dns.n, b->dns.v, b->dns.n));
	assert_int_equal(a->learnt.n, b->learnt.n);
	for (size_t i = 0; i < a->learnt.n; i++) {
		const struct vw_learnt *x = &a->learnt.v[i], *y = &b->learnt.v[i];

		assert_true(x->ifindex == y->ifindex && vw_addr_eq(&x->addr, &y->addr));
		assert_true(x->lapsed == y->lapsed && x->until_ms == y->until_ms);
		assert_string_equal(x->name, y->name);
	}
}

static uint64_t compiled(const struct vw_policyset *set, const struct vw_world *w)
{
	struct vw_compiled c = {0};
	struct vw_diag d = {0};
	uint64_t digest;

	assert_int_equal(vw_compile(set, w, NULL, 0, &vw_config_default, &c, &d), 0);
	digest = vw_compiled_digest(&c);
	vw_compiled_done(&c);
	vw_diag_done(&d);
	return digest;
}

/* No world says port 0, or a MAC that is none. */
static void tidy(struct vw_world *w)
{
	vw_vec_foreach (k, &w->workloads) {
		vw_vec_foreach (i, &k->ifaces)
			if (!i->has_mac)
				i->mac = (struct vw_mac){0};
		vw_vec_foreach (p, &k->ports)
			p->port += !p->port;
		vw_vec_foreach (p, &k->published)
			p->container_port += !p->container_port;
	}
}

static void random_worlds(void **state)
{
	size_t different = 0;

	(void)state;
	for (unsigned seed = 0; seed < 150; seed++) {
		struct gen g = {.s = seed};
		struct vw_world w = g_world(&g), back;
		struct vw_policyset set = g_policies(&g);
		uint64_t digest;

		tidy(&w);
		back = again(&w);
		same_world(&w, &back);
		digest = compiled(&set, &w);
		assert_true(digest == compiled(&set, &back));
		/* One address less is another world. */
		if (back.workloads.n && vw_world_remove(&back, back.workloads.v[0].id))
			different += digest != compiled(&set, &back);
		vw_policyset_done(&set);
		vw_world_done(&back);
		vw_world_done(&w);
	}
	assert_int_equal(different, 150);
}

/* Everything that a runtime's answer may hold and a person would not type. */
static void what_runtimes_say(void **state)
{
	static const char *const values[] = {
		"",
		"true",
		"~",
		"1.4",
		"a: b # c",
		"line\nbreak\ttab \x01\x1f",
		"\x7f",
		"- x",
		"\xc2\x85",
		"\xc2\x9b[31m",
		"\xe2\x80\xa8 \xe2\x80\xa9",
		"\xef\xbb\xbf",
		"\xef\xbf\xbe",
		"\xf0\x9f\x90\xb3",
		"\\u0041 \" ' & * !tag",
	};
	struct vw_world w = {0}, back;
	struct vw_workload k = m_workload("my project", "caf\xc3\xa9 \xe2\x80\xa8 1", "a b",
					  "net/1", "10.0.0.1", NULL);
	char *key = calloc(1, VW_LABEL_KEY_MAX + 2);

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(values); i++) {
		char name[16];

		snprintf(name, sizeof(name), "v%zu", i);
		assert_int_equal(vw_labels_set(&k.labels, name, values[i]), 0);
		if (*values[i])
			assert_int_equal(vw_labels_set(&k.labels, values[i], name), 0);
	}
	memset(key, 'k', VW_LABEL_KEY_MAX);
	assert_int_equal(vw_labels_set(&k.labels, key, "kept"), 0);
	free(k.id);
	k.id = m_text("0123456789abcdef");
	k.paused = true;
	k.unenforceable = m_text("it uses the host's network");
	k.image = m_text("img\n");
	m_put(&w, k);
	back = again(&w);
	same_world(&w, &back);
	assert_string_equal(back.workloads.v[0].unenforceable, "it uses the host's network");
	vw_world_done(&back);

	/* A key that no selector can name is left out, and nothing else. */
	key[VW_LABEL_KEY_MAX] = 'k';
	assert_int_equal(vw_labels_set(&w.workloads.v[0].labels, key, "left out"), 0);
	back = again(&w);
	assert_int_equal(back.workloads.v[0].labels.list.n, w.workloads.v[0].labels.list.n - 1);
	assert_null(vw_labels_get(&back.workloads.v[0].labels, key));
	vw_world_done(&back);

	free(w.workloads.v[0].image);
	w.workloads.v[0].image = m_text("\xff");
	assert_null(vw_world_json(&w));
	vw_world_done(&w);
	free(key);
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Of a list of a million images those that run here are enough, and a list stays a list. */
static void images_that_run(void **state)
{
	struct vw_world w = {0}, back;
	struct vw_workload a = m_workload("x", "a", "a", "n", "10.0.0.1", NULL);
	struct vw_workload b = m_workload("x", "b", "b", "n", "10.0.0.2", NULL);
	struct vw_image_list bad = {.name = m_text("bad")}, none = {.name = m_text("none")};
	bool changed;

	(void)state;
	a.image = m_text("shop/a");
	b.image_id = m_text("sha256:" HEX);
	m_put(&w, a);
	m_put(&w, b);
	assert_int_equal(vw_image_list_add(&bad, "shop/a:latest"), 0);
	assert_int_equal(vw_image_list_add(&bad, "sha256:" HEX), 0);
	assert_int_equal(vw_image_list_add(&bad, "elsewhere:1"), 0);
	assert_int_equal(vw_image_list_add(&none, "elsewhere:2"), 0);
	assert_int_equal(vw_world_put_image_list(&w, &bad, &changed), 0);
	assert_int_equal(vw_world_put_image_list(&w, &none, &changed), 0);
	back = again(&w);
	assert_int_equal(vw_world_image_list(&back, "bad")->entries.n, 2);
	assert_int_equal(vw_world_image_list(&back, "none")->entries.n, 0);
	vw_vec_foreach (k, &back.workloads) {
		assert_true(vw_image_in_list(&back, "bad", k));
		assert_false(vw_image_in_list(&back, "none", k));
	}
	vw_world_done(&back);
	vw_world_done(&w);
}

static void refused_at(const char *text, const char *words)
{
	struct vw_world w = {0};
	struct vw_diag d = {0};
	char buf[8192];

	assert_int_equal(vw_world_parse(text, strlen(text), "w.json", &w, &d), -EINVAL);
	if (!strstr(c_text(&d, buf, sizeof(buf)), words))
		fail_msg("no \"%s\" in %s", words, buf);
	vw_diag_done(&d);
}

static void nonsense(void **state)
{
	(void)state;
	refused_at("{\"learnt\": [{\"ifindex\": 0, \"address\": \"1.1.1.1\", \"name\": \"a.b\"}]}",
		   "1 to 2147483647");
	refused_at("{\"learnt\": [{\"ifindex\": 1, \"address\": \"1.1.1\", \"name\": \"a.b\"}]}",
		   "no IP address");
	refused_at("{\"learnt\": [{\"ifindex\": 1, \"address\": \"1.1.1.1\", \"name\": \"a..b\"}]}",
		   "a..b");
	refused_at("{\"learnt\": [{\"ifindex\": 1}]}", "address is missing");
	refused_at("{\"workloads\": [{\"name\": \"a\\u0001\"}]}", "is no name");
	refused_at("{\"workloads\": [{\"name\": \"a\", \"paused\": \"x\"}]}", "true or false");
	refused_at("{\"workloads\": [{\"name\": \"a\", \"interfaces\": [{\"ifindex\": -1}]}]}",
		   "1 to 2147483647");
	refused_at("{\"workloads\": [{\"id\": \"x\", \"name\": \"a\"}, {\"id\": \"x\", \"name\": "
		   "\"b\"}]}",
		   "x is there already");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_worlds),
		cmocka_unit_test(what_runtimes_say),
		cmocka_unit_test(images_that_run),
		cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
