/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an engine answers: the first byte says to which question. What is taken holds what the world
 * relies on. */
#include "codec/docker_json.h"
#include "fuzz.h"

static void must_be_name(const char *s, bool needed)
{
	must(s || !needed);
	must(!s || strlen(s) <= 4096);
}

static void container(struct vw_docker_container *c)
{
	struct vw_world world = {0};
	int r;

	must(c->w.id && vw_docker_id_ok(c->w.id));
	must_be_name(c->w.name, true);
	must_be_name(c->w.service, true);
	must_be_name(c->w.namespace_, true);
	(void)vw_docker_shared_with(c);
	must(!vw_docker_judge(c, NULL, 0, NULL));
	r = vw_world_put(&world, &c->w, NULL);
	must(!r || r == -ENOSPC);
	vw_world_done(&world);
}

static void list(const char *text, size_t n)
{
	struct vw_docker_containers l = {0};

	if (!vw_docker_list_parse(text, n, &l))
		vw_vec_foreach (c, &l.list)
			container(c);
	vw_docker_containers_done(&l);
}

static void inspect(const char *text, size_t n)
{
	struct vw_docker_container c = {0};

	if (!vw_docker_inspect_parse(text, n, &c))
		container(&c);
	vw_docker_container_done(&c);
}

static void networks(const char *text, size_t n)
{
	struct vw_docker_networks l = {0};

	(void)vw_docker_networks_parse(text, n, &l);
	vw_docker_networks_done(&l);
}

static void network(const char *text, size_t n)
{
	struct vw_docker_endpoints e = {0};
	struct vw_network net = {0};

	if (!vw_docker_network_parse(text, n, &net, &e))
		vw_vec_foreach (p, &e.list)
			must(vw_docker_id_ok(p->container));
	vw_network_done(&net);
	vw_docker_endpoints_done(&e);
}

static void event(const char *text, size_t n)
{
	struct vw_docker_event e = {0};

	if (vw_docker_event_parse(text, n, &e))
		return;
	must(!e.container[0] || vw_docker_id_ok(e.container));
	must(!e.network[0] || vw_docker_id_ok(e.network));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *text, size_t n) = {list, inspect, networks,
								      network, event};

	if (size)
		parsers[data[0] % 5]((const char *)data + 1, size - 1);
	return 0;
}
