/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Follows the Docker runtime behind a socket and prints what it reports, one line each, for the
 * tests: begin | synced | ok TEXT | down TEXT | gone NAME | networks NAME=DRIVER/BRIDGE ... put
 * NAME ns=N service=S pid=P paused=B net=MAC/IP,IP;... ports=HOST>PORT/PROTO,... why=TEXT */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vethwall/cleanup.h"
#include "vethwall/loop.h"
#include "vethwall/runtime.h"

static struct {
	char id[160], name[256];
} known[4096];
static size_t n_known;

static void remember(const struct vw_workload *w)
{
	size_t i = 0;

	while (i < n_known && strcmp(known[i].id, w->id))
		i++;
	if (i == VW_ARRAY_SIZE(known))
		return;
	n_known += i == n_known;
	snprintf(known[i].id, sizeof(known[i].id), "%s", w->id);
	snprintf(known[i].name, sizeof(known[i].name), "%s", w->name);
}

static void on_put(void *arg, struct vw_workload *w, int pid)
{
	char buf[VW_ADDR_STRLEN], mac[VW_MAC_STRLEN];

	(void)arg;
	remember(w);
	printf("put %s ns=%s service=%s pid=%s paused=%d", w->name, w->namespace_, w->service,
	       pid ? "yes" : "no", w->paused);
	vw_vec_foreach (i, &w->ifaces) {
		printf(" %s=%s", i->network, i->has_mac ? vw_mac_str(&i->mac, mac) : "-");
		vw_vec_foreach (a, &i->ips)
			printf("/%s", vw_addr_str(a, buf));
	}
	vw_vec_foreach (p, &w->published)
		printf(" port=%s:%u>%u",
		       p->host_addr.family ? vw_addr_str(&p->host_addr, buf) : "*", p->host_port,
		       p->container_port);
	printf(" why=%s\n", w->unenforceable ? w->unenforceable : "-");
	vw_workload_done(w);
}

static void on_gone(void *arg, const char *id)
{
	size_t i = 0;

	(void)arg;
	while (i < n_known && strcmp(known[i].id, id))
		i++;
	printf("gone %s\n", i < n_known ? known[i].name : id);
}

static void on_namespaces(void *arg, const struct vw_namespace *v, size_t n)
{
	(void)arg;
	(void)v;
	(void)n;
}

static void on_networks(void *arg, const struct vw_network *v, size_t n)
{
	(void)arg;
	printf("networks");
	for (size_t i = 0; i < n; i++)
		printf(" %s=%s/%s", v[i].name, v[i].driver, v[i].bridge);
	putchar('\n');
}

static void on_begin(void *arg)
{
	(void)arg;
	puts("begin");
}

static void on_synced(void *arg)
{
	(void)arg;
	puts("synced");
}

static void on_state(void *arg, bool ok, const char *text)
{
	(void)arg;
	printf("%s %s\n", ok ? "ok" : "down", text);
}

static void on_signal(int signo, void *arg)
{
	(void)signo;
	vw_loop_stop(arg);
}

int main(int argc, char **argv)
{
	const struct vw_runtime_sink sink = {.put = on_put,
					     .gone = on_gone,
					     .namespaces = on_namespaces,
					     .networks = on_networks,
					     .begin = on_begin,
					     .synced = on_synced,
					     .state = on_state};
	struct vw_runtime *r = NULL;
	struct vw_loop *l = NULL;
	struct vw_diag d = {};
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 2 || vw_loop_new(&l) || vw_loop_signal(l, SIGTERM, on_signal, l) ||
	    vw_docker_open(l, argv[1], &sink, &r, &d)) {
		vw_diag_print(&d, stderr, false);
		return 2;
	}
	rc = vw_loop_run(l);
	vw_runtime_free(&r);
	vw_loop_free(&l);
	vw_diag_done(&d);
	return rc ? 1 : 0;
}
