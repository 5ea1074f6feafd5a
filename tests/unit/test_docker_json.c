/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Engine API answers as Docker 20.10.24 and Podman 4.3.1 give them (shortened), and such as nobody
 * should give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/docker_json.h"
#include "vethwall/cleanup.h"

#define WEB "8cab479e06368528287c08e21b8deec7c3a7bbf7599c131b56225d270b1e9bd0"
#define BR1 "907252845ad7f81823bd6feca830451b59c508747bbc5ac5e48363d2ee5813b5"

static const char inspect[] =
	"{\"Id\":\"" WEB "\",\"State\":{\"Status\":\"running\",\"Running\":true,\"Paused\":false,"
	"\"Pid\":31686},\"Image\":\"sha256:f5ea\",\"Name\":\"/web\",\"HostConfig\":{"
	"\"NetworkMode\":\"br1\"},\"Config\":{\"Image\":\"vethwall-demo:latest\",\"Labels\":{"
	"\"vethwall.port.http\":\"tcp/80\",\"vethwall.port.bad\":\"tcp/0\",\"vethwall.port.x\":"
	"\"icmp/8\",\"vethwall.port.y\":\"tcp/80 \",\"vethwall.service\":\"shopweb\","
	"\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"web\"}},"
	"\"NetworkSettings\":{\"Ports\":{\"53/udp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":"
	"\"5353\"}],\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"},{\"HostIp\":\"::\","
	"\"HostPort\":\"8080\"}],\"443/tcp\":null,\"99999/tcp\":[{\"HostPort\":\"1\"}]},"
	"\"Networks\":{\"br1\":{\"NetworkID\":\"" BR1 "\",\"IPAddress\":\"172.18.0.3\","
	"\"GlobalIPv6Address\":\"\",\"MacAddress\":\"02:42:ac:12:00:03\"},\"br6\":{\"IPAddress\":"
	"\"172.19.0.2\",\"GlobalIPv6Address\":\"fd77::2\",\"MacAddress\":\"02:42:ac:13:00:02\"}}}}";

static int inspect_text(const char *text, struct vw_docker_container *c)
{
	return vw_docker_inspect_parse(text, strlen(text), c);
}

static void an_inspected_container(void **state)
{
	_cleanup_(vw_docker_container_done) struct vw_docker_container c = {};
	char buf[VW_ADDR_STRLEN];

	(void)state;
	assert_int_equal(inspect_text(inspect, &c), 0);
	assert_string_equal(c.w.id, WEB);
	assert_string_equal(c.w.name, "web");
	assert_string_equal(c.w.service, "shopweb");
	assert_string_equal(c.w.namespace_, "shop");
	assert_string_equal(c.w.project, "shop");
	assert_string_equal(c.w.image, "vethwall-demo:latest");
	assert_string_equal(c.w.image_id, "sha256:f5ea");
	assert_string_equal(c.mode, "br1");
	assert_true(c.running);
	assert_int_equal(c.pid, 31686);
	assert_int_equal(c.w.ifaces.n, 2);
	assert_string_equal(c.w.ifaces.v[1].network, "br6");
	assert_true(c.w.ifaces.v[1].has_mac);
	assert_int_equal(c.w.ifaces.v[1].mac.b[3], 0x13);
	assert_int_equal(c.w.ifaces.v[0].ips.n, 1);
	assert_int_equal(c.w.ifaces.v[1].ips.n, 2);
	assert_string_equal(vw_addr_str(&c.w.ifaces.v[1].ips.v[1], buf), "fd77::2");
	assert_int_equal(c.w.ports.n, 1);
	assert_string_equal(c.w.ports.v[0].name, "http");
	assert_int_equal(c.w.ports.v[0].port, 80);
	/* 0.0.0.0 and :: are one: every address. */
	assert_int_equal(c.w.published.n, 2);
	assert_int_equal(c.w.published.v[0].host_addr.family, 4);
	assert_int_equal(c.w.published.v[0].proto, 17);
	assert_int_equal(c.w.published.v[0].host_port, 5353);
	assert_int_equal(c.w.published.v[0].container_port, 53);
	assert_int_equal(c.w.published.v[1].host_addr.family, 0);
}

static void a_stopped_container_has_no_pid_and_no_places(void **state)
{
	_cleanup_(vw_docker_container_done) struct vw_docker_container c = {};

	(void)state;
	assert_int_equal(
		inspect_text("{\"Id\":\"abc\",\"Name\":\"/x\",\"State\":{\"Running\":false,"
			     "\"Pid\":77},\"Config\":{\"Image\":\"i\"},"
			     "\"NetworkSettings\":{\"Networks\":{\"br1\":{\"IPAddress\":"
			     "\"\",\"MacAddress\":\"\"}}}}",
			     &c),
		0);
	assert_false(c.running);
	assert_int_equal(c.pid, 0);
	assert_int_equal(c.w.ifaces.n, 0);
	assert_string_equal(c.w.namespace_, "default");
	assert_string_equal(c.w.service, "x");
}

static void names_that_cannot_be_names_are_passed_over(void **state)
{
	_cleanup_(vw_docker_container_done) struct vw_docker_container c = {};
	char text[2048], longer[VW_NAME_MAX + 2];

	(void)state;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	snprintf(text, sizeof(text),
		 "{\"Id\":\"abc\",\"Name\":\"/x\",\"State\":{\"Running\":true,\"Pid\":7},"
		 "\"Config\":{\"Labels\":{\"vethwall.service\":\"%s\","
		 "\"com.docker.compose.service\":\"a\\nb\",\"vethwall.namespace\":\"\","
		 "\"com.docker.compose.project\":\"kube/system\","
		 "\"io.kubernetes.pod.namespace\":\"pods\",\"odd\":5}}}",
		 longer);
	assert_int_equal(inspect_text(text, &c), 0);
	assert_string_equal(c.w.service, "x");
	assert_string_equal(c.w.namespace_, "pods");
	assert_null(c.w.project);
}

static void labels_are_bounded(void **state)
{
	_cleanup_(vw_docker_container_done) struct vw_docker_container c = {};
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(f);
	fprintf(f,
		"{\"Id\":\"abc\",\"State\":{\"Running\":true,\"Pid\":7},\"Config\":{\"Labels\":{");
	for (int i = 0; i < VW_LABELS_MAX + 50; i++)
		fprintf(f, "\"l%d\":\"v\",", i);
	fprintf(f, "\"last\":\"v\"}}}");
	fclose(f);
	assert_int_equal(vw_docker_inspect_parse(text, len, &c), 0);
	assert_int_equal(c.w.labels.list.n, VW_LABELS_MAX);
}

static void a_list(void **state)
{
	static const char text[] =
		"[{\"Id\":\"" WEB
		"\",\"Names\":[\"/dd\"],\"Image\":\"img\",\"ImageID\":\"sha256:1\","
		"\"Ports\":[{\"IP\":\"10.0.0.1\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":"
		"\"tcp\"},{\"PrivatePort\":81,\"Type\":\"tcp\"}],\"Labels\":{\"app\":\"web\"},"
		"\"State\":\"paused\",\"HostConfig\":{\"NetworkMode\":\"default\"},"
		"\"NetworkSettings\":{\"Networks\":{\"bridge\":{\"IPAddress\":\"172.17.0.2\","
		"\"MacAddress\":\"02:42:ac:11:00:02\"}}}},{\"Id\":\"b\",\"Names\":[\"/s\"],"
		"\"State\":\"created\",\"HostConfig\":{\"NetworkMode\":\"container:" WEB "\"},"
		"\"NetworkSettings\":{\"Networks\":{\"stale\":{\"IPAddress\":\"10.0.0.9\"}}}},"
		"{\"Id\":\"c\",\"Names\":[\"n\"],\"State\":\"running\",\"NetworkSettings\":"
		"{\"Networks\":{\"none\":{\"IPAddress\":\"\"}}}}]";
	_cleanup_(vw_docker_containers_done) struct vw_docker_containers l = {};

	(void)state;
	assert_int_equal(vw_docker_list_parse(text, strlen(text), &l), 0);
	assert_int_equal(l.list.n, 3);
	assert_true(l.list.v[0].running);
	assert_true(l.list.v[0].w.paused);
	assert_string_equal(vw_labels_get(&l.list.v[0].w.labels, "app"), "web");
	assert_int_equal(l.list.v[0].w.published.n, 1);
	assert_int_equal(l.list.v[0].w.ifaces.n, 1);
	assert_false(l.list.v[1].running);
	assert_string_equal(vw_docker_shared_with(&l.list.v[1]), WEB);
	assert_int_equal(l.list.v[1].w.ifaces.n, 0); /* the other's */
	assert_int_equal(l.list.v[2].w.ifaces.n, 0);
	assert_string_equal(l.list.v[2].w.name, "n"); /* Podman: no slash */
}

static const char networks[] =
	"[{\"Name\":\"none\",\"Id\":\"0b4f\",\"Driver\":\"null\",\"Options\":{}},"
	"{\"Name\":\"bridge\",\"Id\":\"e1fc\",\"Driver\":\"bridge\",\"Options\":{}},"
	"{\"Name\":\"br1\",\"Id\":\"" BR1 "\",\"Driver\":\"bridge\",\"Options\":null},"
	"{\"Name\":\"own\",\"Id\":\"1\",\"Driver\":\"bridge\",\"Options\":"
	"{\"com.docker.network.bridge.name\":\"br-own\"}},"
	"{\"Name\":\"long\",\"Id\":\"2\",\"Driver\":\"bridge\",\"Options\":"
	"{\"com.docker.network.bridge.name\":\"br-name-of-twenty-ch\"}},"
	"{\"Name\":\"mv\",\"Id\":\"50e2\",\"Driver\":\"macvlan\",\"Options\":{\"parent\":\"p\"}}]";

static void networks_and_their_bridges(void **state)
{
	static const char *const bridges[] = {"", "docker0", "br-907252845ad7", "br-own", "", ""};
	_cleanup_(vw_docker_networks_done) struct vw_docker_networks n = {};

	(void)state;
	assert_int_equal(vw_docker_networks_parse(networks, strlen(networks), &n), 0);
	assert_int_equal(n.list.n, VW_ARRAY_SIZE(bridges));
	for (size_t i = 0; i < n.list.n; i++)
		assert_string_equal(n.list.v[i].bridge, bridges[i]);
}

static void who_is_on_a_network(void **state)
{
	static const char text[] =
		"{\"Name\":\"br1\",\"Id\":\"" BR1 "\",\"Driver\":\"bridge\",\"Containers\":{\"" WEB
		"\":{\"Name\":\"web\",\"MacAddress\":\"02:42:ac:12:00:03\",\"IPv4Address\":"
		"\"172.18.0.3/16\",\"IPv6Address\":\"fd00::3/64\"},\"../etc\":{\"Name\":\"odd\"}}}";
	static const char host[] = "{\"Name\":\"host\",\"Id\":\"85cd\",\"Driver\":\"host\","
				   "\"Containers\":{\"" WEB "\":{\"Name\":\"web\"}}}";
	_cleanup_(vw_docker_endpoints_done) struct vw_docker_endpoints e = {}, none = {};
	_cleanup_(vw_network_done) struct vw_network n = {};
	char buf[VW_ADDR_STRLEN];

	(void)state;
	assert_int_equal(vw_docker_network_parse(text, strlen(text), &n, &e), 0);
	assert_string_equal(n.bridge, "br-907252845ad7");
	assert_int_equal(e.list.n, 1);
	assert_string_equal(e.list.v[0].container, WEB);
	assert_string_equal(e.list.v[0].iface.network, "br1");
	assert_int_equal(e.list.v[0].iface.ips.n, 2);
	assert_string_equal(vw_addr_str(&e.list.v[0].iface.ips.v[0], buf), "172.18.0.3");
	assert_int_equal(vw_docker_network_parse(host, strlen(host), NULL, &none), 0);
	assert_int_equal(none.list.n, 0);
}

static void events(void **state)
{
#define CT(action) "{\"Type\":\"container\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"abc\"}}"
	static const struct {
		const char *text;
		enum vw_docker_action action;
		const char *container, *network, *name;
	} cases[] = {
		{"{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"" BR1
		 "\",\"Attributes\":{\"container\":\"" WEB "\",\"name\":\"br1\"}}}",
		 VW_DOCKER_CONNECT, WEB, BR1, "br1"},
		{"{\"Type\":\"network\",\"Action\":\"disconnect\",\"Actor\":{\"ID\":\"" BR1
		 "\",\"Attributes\":{\"container\":\"" WEB "\",\"name\":\"br1\"}}}",
		 VW_DOCKER_DISCONNECT, WEB, BR1, "br1"},
		{"{\"Type\":\"network\",\"Action\":\"create\",\"Actor\":{\"ID\":\"" BR1
		 "\",\"Attributes\":{\"name\":\"br1\"}}}",
		 VW_DOCKER_NETWORKS, "", BR1, "br1"},
		/* Podman: the container is the actor, the network has no name */
		{"{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"abc\","
		 "\"Attributes\":{\"container\":\"abc\"}}}",
		 VW_DOCKER_CHANGED, "abc", "", ""},
		{CT("start"), VW_DOCKER_STARTED, "abc", "", ""},
		{CT("init"), VW_DOCKER_STARTED, "abc", "", ""},
		{CT("die"), VW_DOCKER_ENDED, "abc", "", ""},
		{CT("died"), VW_DOCKER_ENDED, "abc", "", ""},
		{CT("remove"), VW_DOCKER_ENDED, "abc", "", ""},
		{CT("pause"), VW_DOCKER_CHANGED, "abc", "", ""},
		{CT("exec_create: die"), VW_DOCKER_IGNORE, "abc", "", ""},
		{"{\"Type\":\"volume\",\"Action\":\"create\",\"Actor\":{}}", VW_DOCKER_IGNORE, "",
		 "", ""},
		{"{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"a/../b\"}}",
		 VW_DOCKER_IGNORE, "", "", ""},
		{"{\"Type\":\"container\",\"Action\":\"start\"}", VW_DOCKER_IGNORE, "", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(cases); i++) {
		struct vw_docker_event e;

		assert_int_equal(vw_docker_event_parse(cases[i].text, strlen(cases[i].text), &e),
				 0);
		assert_int_equal(e.action, cases[i].action);
		assert_string_equal(e.container, cases[i].container);
		assert_string_equal(e.network, cases[i].network);
		assert_string_equal(e.network_name, cases[i].name);
	}
}

static void judge(const char *mode, const char *network, const char *of, const char *want)
{
	_cleanup_(vw_docker_networks_done) struct vw_docker_networks n = {};
	_cleanup_(vw_docker_container_done) struct vw_docker_container c = {.mode = strdup(mode)};
	struct vw_iface i = {.network = strdup(network)};

	assert_int_equal(vw_docker_networks_parse(networks, strlen(networks), &n), 0);
	assert_int_equal(vw_vec_push(&c.w.ifaces, i, 1), 0);
	assert_int_equal(vw_docker_judge(&c, n.list.v, n.list.n, of), 0);
	if (want)
		assert_string_equal(c.w.unenforceable, want);
	else
		assert_null(c.w.unenforceable);
	/* Again: nothing leaks, nothing doubles. */
	assert_int_equal(vw_docker_judge(&c, n.list.v, n.list.n, of), 0);
}

static void what_cannot_be_walled(void **state)
{
	(void)state;
	judge("br1", "br1", NULL, NULL);
	judge("none", "unknown", NULL, NULL);
	judge("host", "br1", NULL, "host network: no veth, cannot be walled");
	judge("mv", "mv", NULL, "network mv uses macvlan: no host-side veth, cannot be walled");
	judge("container:abc", "br1", "web",
	      "shares the network namespace of web, whose policies apply");
	judge("container:abc", "br1", NULL,
	      "shares the network namespace of abc, whose policies apply");
}

static void garbage_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"null",
		"7",
		"\"x\"",
		"{}",
		"[",
		"[1]",
		"[{}]",
		"[{\"Id\":5}]",
		"{\"Id\":\"a/b\"}",
		"{\"Id\":\"abc\"}",
		"{\"Id\":\"abc\",\"State\":7,\"Config\":{}}",
		"[[[[[[",
		"\xff\xfe",
		"{\"Id\":\"\\u0000\",\"State\":{},\"Config\":{}}",
	};
	_cleanup_free_ char *deep = malloc(100001);

	(void)state;
	assert_non_null(deep);
	memset(deep, '[', 100000);
	deep[100000] = '\0';
	for (size_t i = 0; i <= VW_ARRAY_SIZE(texts); i++) {
		const char *t = i < VW_ARRAY_SIZE(texts) ? texts[i] : deep;
		struct vw_docker_containers l = {};
		struct vw_docker_container c = {};
		struct vw_docker_networks n = {};
		struct vw_docker_endpoints p = {};
		struct vw_docker_event e = {};

		assert_int_equal(vw_docker_list_parse(t, strlen(t), &l), -EBADMSG);
		assert_int_equal(vw_docker_inspect_parse(t, strlen(t), &c), -EBADMSG);
		assert_int_equal(vw_docker_networks_parse(t, strlen(t), &n), -EBADMSG);
		assert_int_equal(vw_docker_network_parse(t, strlen(t), NULL, &p), -EBADMSG);
		assert_int_equal(vw_docker_event_parse(t, strlen(t), &e), -EBADMSG);
		assert_null(c.w.id);
	}
}

/* Every answer cut off anywhere: refused, and nothing is read beyond it (the sanitizers look). */
static void cut_answers_are_refused(void **state)
{
	(void)state;
	for (size_t n = 0; n < strlen(inspect); n++) {
		_cleanup_free_ char *part = malloc(n ? n : 1);
		struct vw_docker_container c = {};

		assert_non_null(part);
		memcpy(part, inspect, n);
		assert_int_equal(vw_docker_inspect_parse(part, n, &c), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_inspected_container),
		cmocka_unit_test(a_stopped_container_has_no_pid_and_no_places),
		cmocka_unit_test(names_that_cannot_be_names_are_passed_over),
		cmocka_unit_test(labels_are_bounded),
		cmocka_unit_test(a_list),
		cmocka_unit_test(networks_and_their_bridges),
		cmocka_unit_test(who_is_on_a_network),
		cmocka_unit_test(events),
		cmocka_unit_test(what_cannot_be_walled),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(cut_answers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
