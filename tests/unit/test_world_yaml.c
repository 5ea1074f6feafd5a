/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The world file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "codec.h"

static void parse(const char *text, struct vw_world *w, struct vw_diag *d)
{
	char buf[8192];

	if (vw_world_parse(text, strlen(text), "w.yaml", w, d))
		fail_msg("%s", c_text(d, buf, sizeof(buf)));
}

static void bad(const char *text, unsigned line, unsigned col, const char *words)
{
	struct vw_world w = {0};
	struct vw_diag d = {0};
	char buf[8192];

	assert_int_equal(vw_world_parse(text, strlen(text), "w.yaml", &w, &d), -EINVAL);
	assert_int_equal(w.workloads.n + w.namespaces.n, 0);
	if (d.errors != 1)
		fail_msg("%s", c_text(&d, buf, sizeof(buf)));
	c_has(&d, line, col, words);
	vw_diag_done(&d);
}

static void example_of_the_design(void **state)
{
	struct vw_world w = {0};
	struct vw_diag d = {0};
	const struct vw_workload *api;
	const struct vw_addr ip = {6, {0xfd, 0x77, [15] = 0x11}};

	(void)state;
	parse("namespaces:\n"
	      "  - {name: shop, labels: {team: web}}\n"
	      "workloads:\n"
	      "  - name: api-1\n"
	      "    namespace: shop\n"
	      "    service: api\n"
	      "    labels: {app: api, version: 1.4}\n"
	      "    image: registry.local/shop/api:1.4\n"
	      "    image_id: sha256:00\n"
	      "    project: shop\n"
	      "    interfaces:\n"
	      "      - {veth: vethapi1, network: shop_default, mac: \"02:42:0a:4d:00:0b\","
	      " ips: [10.77.0.11, \"fd77::11\"]}\n"
	      "    ports: [{name: http, port: 80, protocol: TCP}, {name: dns, port: 53, protocol: "
	      "udp}]\n"
	      "    published: [{host: 192.0.2.1, host_port: 8080, port: 80, protocol: TCP}]\n"
	      "  - {name: bare}\n"
	      "host: [192.0.2.1, 127.0.0.1, 172.17.0.1]\n"
	      "dns: [192.0.2.53]\n",
	      &w, &d);
	assert_int_equal(w.workloads.n, 2);
	assert_int_equal(w.host.n, 2);
	assert_int_equal(w.dns.n, 1);
	api = vw_world_find(&w, "shop/api-1");
	assert_non_null(api);
	assert_string_equal(api->service, "api");
	assert_string_equal(api->project, "shop");
	assert_string_equal(api->image_id, "sha256:00");
	assert_string_equal(vw_labels_get(&api->labels, "version"), "1.4");
	assert_string_equal(api->ifaces.v[0].veth, "vethapi1");
	assert_true(api->ifaces.v[0].has_mac);
	assert_int_equal(api->ifaces.v[0].mac.b[5], 0x0b);
	assert_true(vw_addr_eq(&api->ifaces.v[0].ips.v[1], &ip));
	assert_int_equal(api->ports.n, 2);
	assert_int_equal(api->ports.v[1].proto, IPPROTO_UDP);
	assert_int_equal(api->published.v[0].host_port, 8080);
	assert_int_equal(api->published.v[0].container_port, 80);
	assert_string_equal(vw_labels_get(&vw_world_namespace(&w, "shop")->labels, "team"), "web");
	assert_string_equal(vw_labels_get(&vw_world_namespace(&w, "shop")->labels,
					  "kubernetes.io/metadata.name"),
			    "shop");
	assert_string_equal(vw_world_find(&w, "default/bare")->service, "bare");
	assert_true(vw_world_by_addr(&w, &ip, NULL, NULL) == api);
	vw_world_done(&w);
}

static void empty(void **state)
{
	struct vw_world w = {0};
	struct vw_diag d = {0};

	(void)state;
	parse("", &w, &d);
	parse("workloads: []\n", &w, &d);
	assert_int_equal(w.workloads.n, 0);
	vw_world_done(&w);
}

static void shared_address(void **state)
{
	struct vw_world w = {0};
	struct vw_diag d = {0};

	(void)state;
	parse("workloads:\n"
	      "  - {name: a, interfaces: [{ips: [10.0.0.1]}]}\n"
	      "  - {name: b, interfaces: [{ips: [10.0.0.1]}]}\n",
	      &w, &d);
	assert_int_equal(d.warnings, 1);
	c_has(&d, 3, 35, "in line 2");
	assert_string_equal(d.list.v[0].rule, "duplicate-address");
	vw_diag_done(&d);
	vw_world_done(&w);
}

static void refused(void **state)
{
	(void)state;
	bad("workload: []\n", 1, 1, "did you mean workloads?");
	bad("workloads: {}\n", 1, 12, "expected a list");
	bad("workloads: [{namespace: x}]\n", 1, 13, "name is missing");
	bad("workloads: [{name: a/b}]\n", 1, 20, "is no name");
	bad("workloads: [{name: 1}]\n", 1, 20, "found the number 1");
	bad("workloads:\n- {name: a}\n- {name: a}\n", 3, 10, "default/a is there already");
	bad("namespaces: [{name: a}, {name: a}]\n", 1, 32, "there already");
	bad("namespaces:\n- {name: a, labels: {kubernetes.io/metadata.name: b}}\n", 2, 21,
	    "expected the namespace's name a");
	bad("workloads: [{name: a, labels: {x: [y]}}]\n", 1, 35, "found a list");
	bad("workloads: [{name: a, interfaces: [{ips: [10.0.0.1/24]}]}]\n", 1, 43, "no IP address");
	bad("workloads: [{name: a, interfaces: [{mac: '02:42'}]}]\n", 1, 42, "no MAC");
	bad("workloads: [{name: a, interfaces: [{veth: a-name-that-is-long}]}]\n", 1, 43,
	    "at most 15");
	bad("workloads: [{name: a, ports: [{name: x, port: 70000}]}]\n", 1, 47, "1 to 65535");
	bad("workloads: [{name: a, ports: [{name: x, port: 1, protocol: icmp}]}]\n", 1, 60,
	    "TCP, UDP");
	bad("workloads: []\n---\nworkloads: []\n", 3, 1, "second document");
	bad("host: [nowhere]\n", 1, 8, "no IP address");
}

static void too_many_addresses(void **state)
{
	char text[4096] = "workloads: [{name: a, interfaces: [{ips: [";

	(void)state;
	for (int i = 0; i <= VW_IPS_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "10.0.0.%d, ", i);
	strcat(text, "]}]}]\n");
	bad(text, 1, 43 + 10 * 10 + 54 * 11, "the limit for this list is reached");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example_of_the_design), cmocka_unit_test(empty),
		cmocka_unit_test(shared_address),	 cmocka_unit_test(refused),
		cmocka_unit_test(too_many_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
