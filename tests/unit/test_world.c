/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The world: order, ownership of addresses through changes, deep copies, and that every change
 * without memory changes nothing (the parts are compiled in with an allocator that fails on
 * demand). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "oom.h"
#include "core/labels.c"
#include "core/workload.c"
#include "core/world.c"

static struct vw_addr addr(const char *s)
{
	struct vw_addr a;

	assert_int_equal(vw_addr_parse(s, &a), 0);
	return a;
}

static char *text(const char *s)
{
	char *c = strdup(s);

	assert_non_null(c);
	return c;
}

static struct vw_iface *add_iface(struct vw_workload *w, const char *network, const char *ip)
{
	struct vw_iface i = {.ifindex = 7, .veth = "veth0", .network = text(network)};

	if (ip)
		assert_int_equal(vw_vec_push(&i.ips, addr(ip), VW_IPS_MAX), 0);
	assert_int_equal(vw_vec_push(&w->ifaces, i, VW_IFACES_MAX), 0);
	return &w->ifaces.v[w->ifaces.n - 1];
}

static struct vw_workload workload(const char *ns, const char *name, const char *ip)
{
	struct vw_workload w = {.name = text(name), .service = text(name), .namespace_ = text(ns)};

	assert_true(asprintf(&w.id, "%s/%s", ns, name) > 0);
	add_iface(&w, "net", ip);
	return w;
}

/* One with every field set. */
static struct vw_workload full_workload(void)
{
	struct vw_workload w = workload("shop", "api-1", "10.77.0.11");
	struct vw_iface *i = add_iface(&w, "back", "fd77::11");
	struct vw_named_port port = {text("http"), 6, 80};
	struct vw_published pub = {addr("192.0.2.1"), 6, 8080, 80};

	i->has_mac = true;
	i->mac.b[5] = 9;
	w.project = text("shop");
	w.image = text("registry.local/api:1");
	w.image_id = text("sha256:00");
	w.unenforceable = text("macvlan");
	w.paused = true;
	assert_int_equal(vw_labels_set(&w.labels, "app", "api"), 0);
	assert_int_equal(vw_vec_push(&w.ports, port, VW_PORTS_MAX), 0);
	assert_int_equal(vw_vec_push(&w.published, pub, VW_PORTS_MAX), 0);
	return w;
}

static void put(struct vw_world *world, struct vw_workload w)
{
	assert_int_equal(vw_world_put(world, &w, NULL), 0);
}

static const char *owner_of(const struct vw_world *world, const char *ip)
{
	struct vw_addr a = addr(ip);
	bool ambiguous;
	const struct vw_iface *i;
	const struct vw_workload *w = vw_world_by_addr(world, &a, &i, &ambiguous);

	if (ambiguous)
		return "ambiguous";
	assert_int_equal(!w, !i);
	return w ? w->id : "nobody";
}

/* The index says what a walk over all workloads says, and everything is in order. */
static void assert_consistent(const struct vw_world *world)
{
	size_t ips = 0;

	for (size_t k = 0; k < world->workloads.n; k++) {
		const struct vw_workload *w = &world->workloads.v[k];

		assert_true(k == 0 || strcmp(w[-1].id, w->id) < 0);
		assert_non_null(vw_world_namespace(world, w->namespace_));
		for (size_t i = 0; i < w->ifaces.n; i++) {
			vw_vec_foreach (ip, &w->ifaces.v[i].ips) {
				struct vw_owner o = {*ip, (uint32_t)k, (uint32_t)i};
				size_t pos = owner_pos(world, &o);

				assert_true(pos < world->owners.n);
				assert_int_equal(owner_cmp(&world->owners.v[pos], &o), 0);
				ips++;
			}
		}
	}
	assert_int_equal(world->owners.n, ips);
	for (size_t i = 1; i < world->namespaces.n; i++)
		assert_true(strcmp(world->namespaces.v[i - 1].name, world->namespaces.v[i].name) <
			    0);
}

static void labels(void **state)
{
	_cleanup_(vw_labels_done) struct vw_labels l = {0}, copy = {0};

	(void)state;
	assert_null(vw_labels_get(&l, "a"));
	assert_int_equal(vw_labels_set(&l, "b", "2"), 0);
	assert_int_equal(vw_labels_set(&l, "a", "1"), 0);
	assert_int_equal(vw_labels_set(&l, "c", ""), 0);
	assert_int_equal(vw_labels_set(&l, "b", "two"), 0);
	assert_int_equal(l.list.n, 3);
	assert_string_equal(l.list.v[0].key, "a");
	assert_string_equal(vw_labels_get(&l, "b"), "two");
	assert_string_equal(vw_labels_get(&l, "c"), "");
	assert_null(vw_labels_get(&l, "bb"));
	assert_int_equal(vw_labels_copy(&l, &copy), 0);
	assert_string_equal(vw_labels_get(&copy, "b"), "two");
	assert_ptr_not_equal(vw_labels_get(&copy, "b"), vw_labels_get(&l, "b"));
}

static void labels_bounded(void **state)
{
	_cleanup_(vw_labels_done) struct vw_labels l = {0};
	char key[16];

	(void)state;
	for (int i = 0; i < VW_LABELS_MAX; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(vw_labels_set(&l, key, "v"), 0);
	}
	assert_int_equal(vw_labels_set(&l, "one more", "v"), -ENOSPC);
	assert_int_equal(vw_labels_set(&l, "k7", "replaced"), 0);
}

static void copy_is_equal_and_apart(void **state)
{
	_cleanup_(vw_workload_done) struct vw_workload w = full_workload(), c = {0};

	(void)state;
	assert_int_equal(vw_workload_copy(&w, &c), 0);
	assert_true(vw_workload_equal(&w, &c));
	assert_ptr_not_equal(w.ifaces.v[1].ips.v, c.ifaces.v[1].ips.v);
	assert_ptr_not_equal(w.ports.v[0].name, c.ports.v[0].name);
}

static void set_text(char **s)
{
	free(*s);
	*s = text("other");
}

/* Each row changes one field of a full workload. */
#define DIFFERS(change)                                                     \
	do {                                                                \
		_cleanup_(vw_workload_done) struct vw_workload c = {0};     \
		assert_int_equal(vw_workload_copy(&w, &c), 0);              \
		change;                                                     \
		if (vw_workload_equal(&w, &c) || vw_workload_equal(&c, &w)) \
			fail_msg("not seen: %s", #change);                  \
	} while (0)

static void every_difference_is_seen(void **state)
{
	_cleanup_(vw_workload_done) struct vw_workload w = full_workload();

	(void)state;
	DIFFERS(set_text(&c.id));
	DIFFERS(set_text(&c.name));
	DIFFERS(set_text(&c.service));
	DIFFERS(set_text(&c.namespace_));
	DIFFERS(set_text(&c.project));
	DIFFERS(set_text(&c.image));
	DIFFERS(set_text(&c.image_id));
	DIFFERS(set_text(&c.unenforceable));
	DIFFERS(free(c.project); c.project = NULL);
	DIFFERS(c.paused = false);
	DIFFERS(set_text(&c.labels.list.v[0].key));
	DIFFERS(set_text(&c.labels.list.v[0].value));
	DIFFERS(vw_labels_set(&c.labels, "more", ""));
	DIFFERS(c.ifaces.v[0].ifindex++);
	DIFFERS(c.ifaces.v[0].veth[0] = 'x');
	DIFFERS(set_text(&c.ifaces.v[1].network));
	DIFFERS(c.ifaces.v[1].has_mac = false);
	DIFFERS(c.ifaces.v[1].mac.b[0] = 1);
	DIFFERS(c.ifaces.v[1].ips.v[0].b[15]++);
	DIFFERS(c.ifaces.v[1].ips.n = 0);
	DIFFERS(vw_iface_done(&c.ifaces.v[1]); c.ifaces.n = 1);
	DIFFERS(set_text(&c.ports.v[0].name));
	DIFFERS(c.ports.v[0].port++);
	DIFFERS(c.ports.v[0].proto++);
	DIFFERS(free(c.ports.v[0].name); c.ports.n = 0);
	DIFFERS(c.published.v[0].host_addr.b[0]++);
	DIFFERS(c.published.v[0].proto++);
	DIFFERS(c.published.v[0].host_port++);
	DIFFERS(c.published.v[0].container_port++);
	DIFFERS(c.published.n = 0);
}

static void put_find_remove(void **state)
{
	_cleanup_(vw_world_done) struct vw_world world = {0};
	struct vw_workload w = workload("shop", "web", "10.0.0.1");
	bool changed = false;

	(void)state;
	assert_int_equal(vw_world_put(&world, &w, &changed), 0);
	assert_true(changed);
	assert_null(w.id); /* taken over */
	put(&world, workload("shop", "api", "10.0.0.2"));
	put(&world, workload("back", "db", "10.0.0.3"));
	assert_consistent(&world);
	assert_string_equal(vw_world_find(&world, "shop/web")->name, "web");
	assert_null(vw_world_find(&world, "shop/we"));
	w = workload("shop", "web", "10.0.0.1");
	assert_int_equal(vw_world_put(&world, &w, &changed), 0);
	assert_false(changed);
	assert_null(w.id);
	w = workload("shop", "web", "10.0.0.9");
	assert_int_equal(vw_world_put(&world, &w, &changed), 0);
	assert_true(changed);
	assert_consistent(&world);
	assert_string_equal(owner_of(&world, "10.0.0.1"), "nobody");
	assert_string_equal(owner_of(&world, "10.0.0.9"), "shop/web");
	assert_true(vw_world_remove(&world, "shop/api"));
	assert_false(vw_world_remove(&world, "shop/api"));
	assert_consistent(&world);
	assert_string_equal(owner_of(&world, "10.0.0.2"), "nobody");
	assert_string_equal(owner_of(&world, "10.0.0.3"), "back/db");
}

static void put_needs_names(void **state)
{
	_cleanup_(vw_world_done) struct vw_world world = {0};
	_cleanup_(vw_workload_done) struct vw_workload w = workload("a", "b", "10.0.0.1");

	(void)state;
	free(w.service);
	w.service = NULL;
	assert_int_equal(vw_world_put(&world, &w, NULL), -EINVAL);
	assert_non_null(w.id);
	assert_int_equal(world.workloads.n + world.namespaces.n, 0);
}

static void two_owners(void **state)
{
	_cleanup_(vw_world_done) struct vw_world world = {0};
	struct vw_workload w = workload("a", "one", "10.0.0.1");
	const struct vw_iface *iface;
	struct vw_addr a = addr("10.0.0.1");

	(void)state;
	/* Twice at one workload is one owner: its first interface. */
	add_iface(&w, "second", "10.0.0.1");
	put(&world, w);
	assert_string_equal(owner_of(&world, "10.0.0.1"), "a/one");
	assert_string_equal(vw_world_by_addr(&world, &a, &iface, NULL)->id, "a/one");
	assert_string_equal(iface->network, "net");
	put(&world, workload("b", "two", "10.0.0.1"));
	assert_string_equal(owner_of(&world, "10.0.0.1"), "ambiguous");
	assert_null(vw_world_by_addr(&world, &a, NULL, NULL));
	assert_true(vw_world_remove(&world, "a/one"));
	assert_string_equal(owner_of(&world, "10.0.0.1"), "b/two");
	assert_string_equal(owner_of(&world, "::"), "nobody");
}

static void namespaces_come_and_go(void **state)
{
	_cleanup_(vw_world_done) struct vw_world world = {0};
	struct vw_namespace *ns;

	(void)state;
	assert_int_equal(vw_world_add_namespace(&world, "team", &ns), 0);
	assert_string_equal(vw_labels_get(&ns->labels, "kubernetes.io/metadata.name"), "team");
	assert_int_equal(vw_labels_set(&ns->labels, "tier", "1"), 0);
	put(&world, workload("team", "a", "10.0.0.1"));
	put(&world, workload("tmp", "a", "10.0.0.2"));
	put(&world, workload("tmp", "b", "10.0.0.3"));
	assert_string_equal(vw_labels_get(&vw_world_namespace(&world, "tmp")->labels,
					  "kubernetes.io/metadata.name"),
			    "tmp");
	assert_int_equal(vw_world_add_namespace(&world, "team", &ns), 0);
	assert_string_equal(vw_labels_get(&ns->labels, "tier"), "1");
	vw_world_remove(&world, "tmp/a");
	assert_non_null(vw_world_namespace(&world, "tmp"));
	vw_world_remove(&world, "tmp/b");
	assert_null(vw_world_namespace(&world, "tmp"));
	vw_world_remove(&world, "team/a");
	assert_non_null(vw_world_namespace(&world, "team")); /* it has a label of its own */
	assert_consistent(&world);
}

static void moved_to_another_namespace(void **state)
{
	_cleanup_(vw_world_done) struct vw_world world = {0};
	struct vw_workload w = workload("old", "a", "10.0.0.1");

	(void)state;
	put(&world, w);
	w = workload("old", "a", "10.0.0.1");
	free(w.namespace_);
	w.namespace_ = text("new");
	put(&world, w);
	assert_null(vw_world_namespace(&world, "old"));
	assert_non_null(vw_world_namespace(&world, "new"));
	assert_consistent(&world);
}

static void hosts(void **state)
{
	static const char *const in[] = {"192.0.2.9", "fd00::1", "192.0.2.1",
					 "127.0.0.1", "::1",	 "192.0.2.9"};
	_cleanup_(vw_world_done) struct vw_world world = {0};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(in); i++) {
		struct vw_addr a = addr(in[i]);

		assert_int_equal(vw_world_add_host(&world, &a), 0);
		assert_int_equal(vw_world_is_host(&world, &a), !vw_addr_is_loopback(&a));
	}
	assert_int_equal(world.host.n, 3);
	for (size_t i = 1; i < world.host.n; i++)
		assert_true(vw_addr_cmp(&world.host.v[i - 1], &world.host.v[i]) < 0);
	assert_false(vw_world_is_host(&world, &(struct vw_addr){0}));
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

/* Random comings, goings and address changes, with addresses that collide. */
static void random_changes(void **state)
{
	_cleanup_(vw_world_done) struct vw_world world = {0};
	_cleanup_(vw_world_done) struct vw_world copy = {0};
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		char name[16], ip[20], ns[8];

		snprintf(name, sizeof(name), "w%u", next_random(&seed) % 60);
		snprintf(ns, sizeof(ns), "n%u", next_random(&seed) % 3);
		snprintf(ip, sizeof(ip), "10.0.0.%u", next_random(&seed) % 80);
		if (next_random(&seed) % 3) {
			put(&world, workload(ns, name, ip));
		} else {
			char id[32];

			snprintf(id, sizeof(id), "%s/%s", ns, name);
			vw_world_remove(&world, id);
		}
		assert_consistent(&world);
	}
	assert_true(world.workloads.n > 20);
	assert_int_equal(vw_world_copy(&world, &copy), 0);
	assert_consistent(&copy);
	assert_int_equal(copy.workloads.n, world.workloads.n);
	for (size_t i = 0; i < world.workloads.n; i++)
		assert_true(vw_workload_equal(&world.workloads.v[i], &copy.workloads.v[i]));
}

/* ---- without memory ---- */

static void copy_without_memory(void **state)
{
	_cleanup_(vw_world_done) struct vw_world world = {0};
	_cleanup_(vw_world_done) struct vw_world copy = {0};
	struct vw_addr a = addr("192.0.2.1");

	(void)state;
	put(&world, full_workload());
	put(&world, workload("back", "db", "10.0.0.3"));
	assert_int_equal(vw_world_add_host(&world, &a), 0);
	assert_int_equal(vw_vec_push(&world.dns, a, 8), 0);
	oom_exhaust(vw_world_copy(&world, &copy), assert_null(copy.workloads.v));
	assert_consistent(&copy);
	assert_int_equal(copy.host.n + copy.dns.n, 2);
}

static void put_without_memory(void **state)
{
	_cleanup_(vw_world_done) struct vw_world world = {0};
	struct vw_workload w = full_workload();

	(void)state;
	oom_exhaust(vw_world_put(&world, &w, NULL), {
		assert_string_equal(w.id, "shop/api-1");
		assert_int_equal(world.workloads.n + world.owners.n + world.namespaces.n, 0);
	});
	assert_consistent(&world);
	/* Replacing, with more addresses and another namespace. */
	w = full_workload();
	free(w.namespace_);
	w.namespace_ = text("other");
	for (int i = 0; i < 20; i++)
		add_iface(&w, "more", i % 2 ? "10.1.1.1" : "10.1.1.2");
	oom_exhaust(vw_world_put(&world, &w, NULL), {
		assert_int_equal(world.owners.n, 2);
		assert_null(vw_world_namespace(&world, "other"));
		assert_consistent(&world);
	});
	assert_int_equal(world.owners.n, 22);
	assert_consistent(&world);
}

static void label_without_memory(void **state)
{
	_cleanup_(vw_labels_done) struct vw_labels l = {0};

	(void)state;
	oom_exhaust(vw_labels_set(&l, "k", "v"), assert_int_equal(l.list.n, 0));
	oom_exhaust(vw_labels_set(&l, "k", "w"), assert_string_equal(vw_labels_get(&l, "k"), "v"));
	assert_string_equal(vw_labels_get(&l, "k"), "w");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels),
		cmocka_unit_test(labels_bounded),
		cmocka_unit_test(copy_is_equal_and_apart),
		cmocka_unit_test(every_difference_is_seen),
		cmocka_unit_test(put_find_remove),
		cmocka_unit_test(put_needs_names),
		cmocka_unit_test(two_owners),
		cmocka_unit_test(namespaces_come_and_go),
		cmocka_unit_test(moved_to_another_namespace),
		cmocka_unit_test(hosts),
		cmocka_unit_test(random_changes),
		cmocka_unit_test(copy_without_memory),
		cmocka_unit_test(put_without_memory),
		cmocka_unit_test(label_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
