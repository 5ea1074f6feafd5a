/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy model: selectors to the letter of apimachinery, globs, the set's order and uniqueness,
 * and keys that are equal exactly when they may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "oom.h"
#include "core/policy.c"
#include "core/selector.c"
#include "core/peer_key.c"
#include "model.h"

static void names(void **state)
{
	(void)state;
	assert_string_equal(vw_tier_str(VW_TIER_GUARDRAIL), "guardrail");
	assert_string_equal(vw_tier_str(VW_TIER_DEFAULT), "default");
	assert_string_equal(vw_direction_str(VW_INGRESS), "ingress");
	assert_string_equal(vw_direction_str(VW_EGRESS), "egress");
	for (int e = 0; e < _VW_ENTITY_MAX; e++)
		assert_int_equal(vw_entity_parse(vw_entity_str((enum vw_entity)e)), e);
	assert_int_equal(vw_entity_parse("Host"), -EINVAL);
}

static void selectors(void **state)
{
	/* k8s.io/apimachinery/pkg/labels, Requirement.Matches */
	static const struct {
		enum vw_op op;
		const char *key, *v1, *v2;
		bool matches;
	} rows[] = {
		{VW_OP_IN, "app", "api", NULL, true},
		{VW_OP_IN, "app", "web", "api", true},
		{VW_OP_IN, "app", "web", NULL, false},
		{VW_OP_IN, "none", "api", NULL, false},
		{VW_OP_IN, "none", "", NULL, false}, /* "" does not fit an absent key */
		{VW_OP_IN, "empty", "", NULL, true},
		{VW_OP_NOT_IN, "app", "api", NULL, false},
		{VW_OP_NOT_IN, "app", "web", "db", true},
		{VW_OP_NOT_IN, "none", "api", NULL, true}, /* an absent key is not in */
		{VW_OP_EXISTS, "app", NULL, NULL, true},
		{VW_OP_EXISTS, "empty", NULL, NULL, true},
		{VW_OP_EXISTS, "none", NULL, NULL, false},
		{VW_OP_NOT_EXISTS, "app", NULL, NULL, false},
		{VW_OP_NOT_EXISTS, "none", NULL, NULL, true},
	};
	_cleanup_(vw_labels_done) struct vw_labels l = {0};

	(void)state;
	assert_int_equal(vw_labels_set(&l, "app", "api"), 0);
	assert_int_equal(vw_labels_set(&l, "empty", ""), 0);
	for (size_t i = 0; i < VW_ARRAY_SIZE(rows); i++) {
		_cleanup_(vw_selector_done) struct vw_selector s = {0};

		m_require(&s, rows[i].key, rows[i].op, rows[i].v1, rows[i].v2, NULL);
		if (vw_selector_matches(&s, &l) != rows[i].matches)
			fail_msg("row %zu", i);
	}
}

static void selectors_all_must_hold(void **state)
{
	_cleanup_(vw_labels_done) struct vw_labels l = {0};
	_cleanup_(vw_selector_done) struct vw_selector s = {0};

	(void)state;
	assert_true(vw_selector_matches(&s, &l)); /* no requirements: everything */
	m_require(&s, "a", VW_OP_IN, "1", NULL, NULL);
	m_require(&s, "b", VW_OP_EXISTS, NULL, NULL, NULL);
	assert_int_equal(vw_labels_set(&l, "a", "1"), 0);
	assert_false(vw_selector_matches(&s, &l));
	assert_int_equal(vw_labels_set(&l, "b", "x"), 0);
	assert_true(vw_selector_matches(&s, &l));
}

static void globs(void **state)
{
	static const struct {
		const char *pattern, *s;
		bool fits;
	} rows[] = {
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "a/b:c", true},
		{"registry.local/*", "registry.local/shop/api:1", true},
		{"registry.local/*", "registry.local.evil/x", false},
		{"registry.local/*", "evil/registry.local/x", false},
		{"*:1.4", "a:1.4", true},
		{"*:1.4", "a:1.4.1", false},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXcYb", false},
		{"**a", "ba", true},
		{"a?", "ab", false}, /* only the star is special */
		{"[a]", "a", false},
		{"*@sha256:ab*", "x@sha256:abcd", true},
	};
	char many[4001], pattern[201];

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(rows); i++)
		if (vw_glob(rows[i].pattern, rows[i].s) != rows[i].fits)
			fail_msg("%s ~ %s", rows[i].pattern, rows[i].s);
	/* Ends at once where trying every star would take for ever. */
	memset(many, 'a', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	for (size_t i = 0; i < sizeof(pattern) - 1; i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[sizeof(pattern) - 2] = 'b';
	pattern[sizeof(pattern) - 1] = '\0';
	assert_false(vw_glob(pattern, many));
}

static void matches(void **state)
{
	_cleanup_(vw_world_done) struct vw_world world = {0};
	struct vw_workload w = m_workload("shop", "api-1", "api", "front", "10.0.0.1", NULL);
	struct vw_iface back = {.network = m_text("back")};
	const struct vw_workload *p;
	struct vw_namespace *ns;
	struct vw_match m = {0};

	(void)state;
	w.project = m_text("proj");
	w.image = m_text("registry.local/api:1");
	w.image_id = m_text("sha256:beef");
	assert_int_equal(vw_vec_push(&w.ifaces, back, 8), 0);
	m_put(&world, w);
	p = vw_world_find(&world, "shop/api-1");
	assert_int_equal(vw_world_add_namespace(&world, "shop", &ns), 0);
	assert_int_equal(vw_labels_set(&ns->labels, "team", "web"), 0);

#define FITS(iface, ...)                                  \
	({                                                \
		m = (struct vw_match){__VA_ARGS__};       \
		vw_match_matches(&m, &world, p, (iface)); \
	})
	const struct vw_iface *front = &p->ifaces.v[0], *other = &p->ifaces.v[1];

	assert_true(FITS(NULL, 0));
	assert_true(FITS(NULL, .service = (char *)"api"));
	assert_false(FITS(NULL, .service = (char *)"api-1"));
	assert_true(FITS(NULL, .namespace_ = (char *)"shop", .service = (char *)"api"));
	assert_false(FITS(NULL, .namespace_ = (char *)"back", .service = (char *)"api"));
	assert_true(FITS(NULL, .project = (char *)"proj"));
	assert_false(FITS(NULL, .project = (char *)"shop"));
	assert_true(FITS(NULL, .image = (char *)"registry.local/*"));
	assert_true(FITS(NULL, .image = (char *)"sha256:beef"));
	assert_false(FITS(NULL, .image = (char *)"registry.other/*"));
	assert_true(FITS(front, .network = (char *)"front"));
	assert_false(FITS(other, .network = (char *)"front"));
	assert_true(FITS(NULL, .network = (char *)"back"));
	assert_false(FITS(NULL, .network = (char *)"none"));
#undef FITS
	m = (struct vw_match){.has_namespace_labels = true};
	m_require(&m.namespace_labels, "team", VW_OP_IN, "web", NULL, NULL);
	m_require(&m.namespace_labels, "kubernetes.io/metadata.name", VW_OP_IN, "shop", NULL, NULL);
	assert_true(vw_match_matches(&m, &world, p, NULL));
	m_require(&m.namespace_labels, "team", VW_OP_NOT_IN, "web", NULL, NULL);
	assert_false(vw_match_matches(&m, &world, p, NULL));
	vw_match_done(&m);
	m.has_labels = true;
	m_require(&m.labels, "app", VW_OP_EXISTS, NULL, NULL, NULL);
	assert_false(vw_match_matches(&m, &world, p, NULL));
	vw_match_done(&m);
}

static void set_is_ordered(void **state)
{
	static const struct {
		enum vw_tier tier;
		int priority;
		const char *ns, *kind, *name;
	} want[] = {
		{VW_TIER_GUARDRAIL, -1, NULL, "GuardrailPolicy", "z"},
		{VW_TIER_GUARDRAIL, 10, NULL, "GuardrailPolicy", "a"},
		{VW_TIER_GUARDRAIL, 10, NULL, "GuardrailPolicy", "b"},
		{VW_TIER_SERVICE, 9, "a", "NetworkPolicy", "z"},
		{VW_TIER_SERVICE, 0, "a", "ServicePolicy", "a"},
		{VW_TIER_SERVICE, 0, "b", "NetworkPolicy", "a"},
		{VW_TIER_BASELINE, 1, NULL, "BaselinePolicy", "z"},
		{VW_TIER_BASELINE, 2, NULL, "BaselinePolicy", "a"},
	};
	static const size_t order[] = {7, 3, 0, 5, 1, 6, 4, 2};
	_cleanup_(vw_policyset_done) struct vw_policyset set = {0};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(order); i++) {
		struct vw_policy p = m_policy(want[order[i]].tier, want[order[i]].kind,
					      want[order[i]].ns, want[order[i]].name, NULL);

		p.priority = want[order[i]].priority;
		m_add(&set, p);
	}
	vw_policyset_sort(&set);
	for (size_t i = 0; i < VW_ARRAY_SIZE(want); i++) {
		assert_int_equal(set.list.v[i].tier, want[i].tier);
		assert_int_equal(set.list.v[i].priority, want[i].priority);
		assert_string_equal(set.list.v[i].kind, want[i].kind);
		assert_string_equal(set.list.v[i].name, want[i].name);
	}
}

static void set_refuses_doubles(void **state)
{
	_cleanup_(vw_policyset_done) struct vw_policyset set = {0};
	struct vw_policy p = m_policy(VW_TIER_SERVICE, "ServicePolicy", "a", "x", NULL);
	struct vw_pos other = {0};
	char name[16];

	(void)state;
	p.pos = (struct vw_pos){"first.yaml", 3, 1};
	m_add(&set, p);
	m_add(&set, m_policy(VW_TIER_SERVICE, "NetworkPolicy", "a", "x", NULL));
	m_add(&set, m_policy(VW_TIER_SERVICE, "ServicePolicy", "b", "x", NULL));
	for (int i = 40; i > 0; i--) {
		snprintf(name, sizeof(name), "p%d", i);
		m_add(&set, m_policy(VW_TIER_SERVICE, "ServicePolicy", "a", name, NULL));
	}
	vw_policyset_sort(&set);
	p = m_policy(VW_TIER_SERVICE, "ServicePolicy", "a", "x", NULL);
	assert_int_equal(vw_policyset_add(&set, &p, &other), -EEXIST);
	assert_int_equal(other.line, 3);
	assert_non_null(p.name); /* still ours */
	/* What a caller takes off again may come back. */
	vw_policy_done(&set.list.v[--set.list.n]);
	assert_int_equal(vw_policyset_add(&set, &p, &other), -EEXIST);
	vw_policy_done(&p);
	m_add(&set, m_policy(VW_TIER_SERVICE, "ServicePolicy", "b", "x", NULL));
	assert_int_equal(set.list.n, 43);
}

static void set_keeps_files(void **state)
{
	_cleanup_(vw_policyset_done) struct vw_policyset set = {0};
	char name[] = "b.yaml";
	const char *b = vw_policyset_file(&set, name), *a = vw_policyset_file(&set, "a.yaml");

	(void)state;
	assert_ptr_not_equal(b, name);
	assert_string_equal(b, "b.yaml");
	assert_ptr_equal(vw_policyset_file(&set, "b.yaml"), b);
	assert_ptr_equal(vw_policyset_file(&set, "a.yaml"), a);
	assert_int_equal(set.files.n, 2);
}

/* ---- keys ---- */

static char *key_of(struct vw_peer *p)
{
	char *buf = NULL;
	size_t len = 0, cap = 0;

	assert_int_equal(vw_peer_key(p, &buf, &len, &cap), 0);
	assert_int_equal(strlen(buf), len);
	vw_peer_done(p);
	return buf;
}

static void assert_keys(struct vw_peer a, struct vw_peer b, bool equal)
{
	_cleanup_free_ char *ka = key_of(&a), *kb = key_of(&b);

	if ((strcmp(ka, kb) == 0) != equal)
		fail_msg("%s and %s", ka, kb);
}

static struct vw_peer labelled(const char *k1, const char *v1, const char *v2, const char *k2)
{
	struct vw_peer p = {.kind = VW_PEER_MATCH, .match = {.has_labels = true}};

	if (k1)
		m_require(&p.match.labels, k1, VW_OP_IN, v1, v2, v1);
	if (k2)
		m_require(&p.match.labels, k2, VW_OP_EXISTS, NULL, NULL, NULL);
	return p;
}

static struct vw_peer excepting(const char *e1, const char *e2, const char *e3)
{
	struct vw_peer p = m_cidr("10.0.0.0/8", e1);

	if (e2)
		assert_int_equal(vw_vec_push(&p.except, m_prefix(e2), 8), 0);
	if (e3)
		assert_int_equal(vw_vec_push(&p.except, m_prefix(e3), 8), 0);
	return p;
}

static void keys_of_equal_meaning(void **state)
{
	struct vw_peer two = {.kind = VW_PEER_MATCH, .match = {.has_labels = true}};
	struct vw_peer open = {.kind = VW_PEER_MATCH};

	(void)state;
	assert_keys(labelled("a", "x", "y", NULL), labelled("a", "y", "x", NULL), true);
	m_require(&two.match.labels, "b", VW_OP_EXISTS, NULL, NULL, NULL);
	m_require(&two.match.labels, "a", VW_OP_IN, "x", NULL, NULL);
	m_require(&two.match.labels, "b", VW_OP_EXISTS, NULL, NULL, NULL);
	assert_keys(labelled("a", "x", "x", "b"), two, true);
	assert_keys(labelled(NULL, NULL, NULL, NULL), open, true); /* {} is everybody */
	assert_keys(excepting("10.1.0.0/16", "10.2.0.0/16", NULL),
		    excepting("10.2.0.0/16", "10.1.0.0/16", "10.1.0.0/16"), true);
	assert_keys(excepting("10.1.0.0/16", "10.1.2.0/24", NULL),
		    excepting("10.1.0.0/16", NULL, NULL), true);
	assert_keys(excepting("192.0.2.0/24", NULL, NULL), excepting(NULL, NULL, NULL), true);
	assert_keys(excepting("0.0.0.0/0", NULL, NULL), excepting(NULL, NULL, NULL), false);
}

static void keys_of_different_meaning(void **state)
{
	(void)state;
	assert_keys(m_service("a", "b"), m_service("b", "a"), false);
	assert_keys(m_service(NULL, "b"), m_service("b", NULL), false);
	/* A name that looks like syntax. */
	assert_keys(m_service(NULL, "b\";namespace=\"a"), m_service("a", "b"), false);
	assert_keys(m_service("a\\", NULL), m_service("a\"", NULL), false);
	assert_keys(labelled("a", "x\",\"y", "z", NULL), labelled("a", "x", "y", NULL), false);
	assert_keys(labelled("a", "x", "y", NULL), labelled("a", "x", "x", NULL), false);
	assert_keys(labelled("a", "x", NULL, NULL), labelled(NULL, NULL, NULL, "a"), false);
	assert_keys(m_cidr("10.0.0.0/8", NULL), m_cidr("10.0.0.0/9", NULL), false);
	assert_keys(m_cidr("10.0.0.0/8", "10.1.0.0/16"), m_cidr("10.0.0.0/8", NULL), false);
	assert_keys(m_entity(VW_ENTITY_ANY), m_entity(VW_ENTITY_CLUSTER), false);
	assert_keys(m_entity(VW_ENTITY_CLUSTER), (struct vw_peer){.kind = VW_PEER_MATCH}, false);
	for (int i = 0; i < 4; i++) {
		struct vw_peer in = {.kind = VW_PEER_MATCH, .match = {.has_labels = true}};
		struct vw_peer other = {.kind = VW_PEER_MATCH, .match = {.has_labels = true}};
		struct vw_peer ns = {.kind = VW_PEER_MATCH,
				     .match = {.has_namespace_labels = true}};

		m_require(&in.match.labels, "a", (enum vw_op)i, "v", NULL, NULL);
		m_require(&other.match.labels, "a", (enum vw_op)((i + 1) % 4), "v", NULL, NULL);
		m_require(&ns.match.namespace_labels, "a", (enum vw_op)((i + 1) % 4), "v", NULL,
			  NULL);
		{
			_cleanup_free_ char *a = key_of(&in), *b = key_of(&other), *c = key_of(&ns);

			assert_string_not_equal(a, b);
			assert_string_not_equal(b, c);
		}
	}
}

static void key_has_every_part(void **state)
{
	struct vw_peer p = {.kind = VW_PEER_MATCH};
	char **const parts[] = {&p.match.service,     &p.match.namespace_, &p.match.project,
				&p.match.network,     &p.match.image,	   &p.match.image_in,
				&p.match.image_not_in};
	_cleanup_free_ char *buf = m_text("before ");
	size_t len = strlen(buf), cap = len + 1, from = 0;

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(parts); i++) {
		*parts[i] = m_text("x");
		from = len;
		assert_int_equal(vw_peer_key(&p, &buf, &len, &cap), 0); /* appends */
		free(*parts[i]);
		*parts[i] = NULL;
		assert_non_null(strstr(buf + from, "=\"x\";"));
	}
	assert_string_equal(buf, "before match{service=\"x\";}match{namespace=\"x\";}"
				 "match{project=\"x\";}match{network=\"x\";}match{image=\"x\";}"
				 "match{image_in=\"x\";}match{image_not_in=\"x\";}");
}

/* ---- without memory ---- */

static void key_without_memory(void **state)
{
	struct vw_peer a = labelled("a", "x", "y", "b"),
		       b = excepting("10.1.0.0/16", "10.2.0.0/16", NULL);
	_cleanup_free_ char *buf = NULL;
	size_t len = 0, cap = 0;

	(void)state;
	oom_exhaust(vw_peer_key(&a, &buf, &len, &cap), {
		assert_int_equal(len, 0);
		free(buf);
		buf = NULL;
		cap = 0;
	});
	free(buf);
	buf = NULL;
	len = cap = 0;
	oom_exhaust(vw_peer_key(&b, &buf, &len, &cap), assert_int_equal(len, 0));
	vw_peer_done(&a);
	vw_peer_done(&b);
}

static void add_without_memory(void **state)
{
	_cleanup_(vw_policyset_done) struct vw_policyset set = {0};
	struct vw_policy p = m_policy(VW_TIER_SERVICE, "ServicePolicy", "a", "x", NULL);

	(void)state;
	oom_exhaust(vw_policyset_add(&set, &p, NULL), {
		assert_int_equal(set.list.n, 0);
		assert_non_null(p.name);
	});
	assert_int_equal(set.list.n, 1);
	oom_after = 0;
	assert_null(vw_policyset_file(&set, "f"));
	oom_after = 1;
	assert_null(vw_policyset_file(&set, "f"));
	oom_after = -1;
	assert_non_null(vw_policyset_file(&set, "f"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(selectors),
		cmocka_unit_test(selectors_all_must_hold),
		cmocka_unit_test(globs),
		cmocka_unit_test(matches),
		cmocka_unit_test(set_is_ordered),
		cmocka_unit_test(set_refuses_doubles),
		cmocka_unit_test(set_keeps_files),
		cmocka_unit_test(keys_of_equal_meaning),
		cmocka_unit_test(keys_of_different_meaning),
		cmocka_unit_test(key_has_every_part),
		cmocka_unit_test(key_without_memory),
		cmocka_unit_test(add_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
