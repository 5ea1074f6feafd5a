/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long compiling takes, and how it grows: N workloads x N policies x 10 rules, of three kinds
 * of peers (services, labels, CIDRs). `compile N...` prints one line a size: N, milliseconds of
 * processor time (median of five), KiB of heap that the result holds, classes, elements. `compile
 * text N DIR` writes the same world and policies as DIR/world.yaml and DIR/policies.yaml. `compile
 * diff KIND N...` compares that with another set, both compiles included: KIND is `same` (nothing
 * differs), `few` (a port of one policy in a hundred), `all` (a port of each) or `first` (before,
 * there were no policies); a line each: N, milliseconds (median of five), edges, ranges, and KiB
 * that the process held at most so far. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/connectivity.h"

#define RULES 10
#define TURNS 5

/* Of this process alone, whatever else the machine does: it waits for nothing. */
static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void text_of_rule(FILE *f, unsigned i, unsigned r, unsigned n, unsigned shift)
{
	if (r % 3 == 0)
		fprintf(f, "    - {from: [{service: s%u}], ports: [tcp/%u]}\n", (i + r + 1) % n,
			1000 + r + shift);
	else if (r % 3 == 1)
		fprintf(f,
			"    - {from: [{selector: {matchLabels: {tier: t%u}}}], ports: [udp/%u]}\n",
			(i * 7 + r) % 20, 2000 + r + shift);
	else
		fprintf(f, "    - {from: [{cidr: 10.%u.%u.0/24}], ports: [tcp/%u-%u]}\n", 100 + r,
			i % 250, 3000 + r * 10, 3009 + r * 10);
}

/* Every so many policies have other ports; 0: none has. */
static void text_of_policies(FILE *f, unsigned n, unsigned rules, unsigned every)
{
	for (unsigned i = 0; i < n; i++) {
		fprintf(f,
			"---\napiVersion: vethwall/v1\nkind: ServicePolicy\nmetadata: {name: p%u}\n"
			"spec:\n  service: s%u\n  ingress:\n",
			i, i);
		for (unsigned r = 0; r < rules; r++)
			text_of_rule(f, i, r, n, every && i % every == 0 ? 20 : 0);
	}
}

static void text_of_world(FILE *f, unsigned n)
{
	fprintf(f, "workloads:\n");
	for (unsigned i = 0; i < n; i++)
		fprintf(f,
			"  - {name: s%u, labels: {tier: t%u}, interfaces: [{veth: v%u, network: n, "
			"ips: "
			"[10.77.%u.%u, \"fd77::%x\"]}]}\n",
			i, i % 20, i, i / 250, i % 250 + 1, i + 1);
}

static int load_policies(unsigned n, unsigned every, struct vw_policyset *set)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int r;

	text_of_policies(f, n, RULES, every);
	fclose(f);
	r = vw_policy_parse(text, len, "policies", set, &d);
	vw_diag_print(&d, stderr, false);
	vw_policyset_sort(set);
	return r;
}

static int load(unsigned n, struct vw_policyset *set, struct vw_world *world)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int r;

	text_of_world(f, n);
	fclose(f);
	r = vw_world_parse(text, len, "world", world, &d);
	vw_diag_print(&d, stderr, false);
	for (size_t i = 0; i < world->workloads.n; i++)
		world->workloads.v[i].ifaces.v[0].ifindex = 10 + (unsigned)i;
	return r ? r : load_policies(n, 0, set);
}

static int by_time(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static size_t elements(const struct vw_compiled *c)
{
	size_t n = c->id4.elems.n + c->id6.elems.n + c->net4.elems.n + c->net6.elems.n;

	vw_vec_foreach (k, &c->classes)
		n += k->x.elems.n + k->r.elems.n + k->q.elems.n + k->a.elems.n + k->xi.elems.n +
		     k->ri.elems.n;
	return n;
}

static int turn(const struct vw_policyset *set, const struct vw_world *world, double *ret_ms,
		struct vw_compiled *ret)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	double start = now_ms();
	int r = vw_compile(set, world, NULL, 0, &vw_config_default, ret, &d);

	*ret_ms = now_ms() - start;
	return r;
}

static int measure(unsigned n)
{
	_cleanup_(vw_policyset_done) struct vw_policyset set = {0};
	_cleanup_(vw_world_done) struct vw_world world = {0};
	struct vw_compiled c;
	double t[TURNS];
	size_t before;

	if (load(n, &set, &world))
		return 2;
	for (int k = 0; k < TURNS; k++) {
		before = mallinfo2().uordblks;
		if (turn(&set, &world, &t[k], &c))
			return 2;
		before = mallinfo2().uordblks - before;
		if (k == TURNS - 1) {
			qsort(t, TURNS, sizeof(*t), by_time);
			printf("%u %.1f %zu %zu %zu\n", n, t[TURNS / 2], before / 1024, c.classes.n,
			       elements(&c));
		}
		vw_compiled_done(&c);
	}
	return 0;
}

static int write_text(unsigned n, const char *dir)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/policies.yaml", dir);
	f = fopen(path, "we");
	if (!f)
		return 2;
	text_of_policies(f, n, RULES, 0);
	fclose(f);
	snprintf(path, sizeof(path), "%s/world.yaml", dir);
	f = fopen(path, "we");
	if (!f)
		return 2;
	text_of_world(f, n);
	fclose(f);
	return 0;
}

static int compared(const struct vw_policyset set[2], const struct vw_world *world, double *ret_ms,
		    struct vw_connectivity *ret)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {0};
	struct vw_compiled c[2] = {0};
	struct vw_conn_side side[2] = {{&set[0], &c[0]}, {&set[1], &c[1]}};
	double start = now_ms(), part;
	int r = turn(&set[0], world, &part, &c[0]);

	if (!r)
		r = turn(&set[1], world, &part, &c[1]);
	if (!r)
		r = vw_connectivity_compare(&side[0], &side[1], world, &vw_config_default, false,
					    ret, &d);
	*ret_ms = now_ms() - start;
	vw_diag_print(&d, stderr, false);
	vw_compiled_done(&c[0]);
	vw_compiled_done(&c[1]);
	return r;
}

static void report(unsigned n, double ms, const struct vw_connectivity *c)
{
	struct rusage use;
	size_t ranges = 0;

	vw_vec_foreach (e, &c->edges)
		ranges += e->ranges.n;
	getrusage(RUSAGE_SELF, &use);
	printf("%u %.1f %zu %zu %ld\n", n, ms, c->edges.n, ranges, use.ru_maxrss);
}

static int diff(const char *kind, unsigned n)
{
	struct vw_policyset set[2] = {0};
	_cleanup_(vw_world_done) struct vw_world world = {0};
	unsigned every = !strcmp(kind, "few") ? 100 : !strcmp(kind, "all") ? 1 : 0;
	double t[TURNS];
	int r = load(n, &set[0], &world);

	if (!r)
		r = load_policies(n, every, &set[1]);
	if (!strcmp(kind, "first"))
		vw_policyset_done(&set[0]);
	for (int k = 0; k < TURNS && !r; k++) {
		struct vw_connectivity c = {0};

		r = compared(set, &world, &t[k], &c);
		if (k == TURNS - 1)
			qsort(t, TURNS, sizeof(*t), by_time);
		if (!r && k == TURNS - 1)
			report(n, t[TURNS / 2], &c);
		vw_connectivity_done(&c);
	}
	vw_policyset_done(&set[0]);
	vw_policyset_done(&set[1]);
	return r ? 2 : 0;
}

int main(int argc, char **argv)
{
	int r = 0;

	if (argc == 4 && !strcmp(argv[1], "text"))
		return write_text(strtoul(argv[2], NULL, 10), argv[3]);
	if (argc > 3 && !strcmp(argv[1], "diff")) {
		for (int i = 3; i < argc && !r; i++)
			r = diff(argv[2], strtoul(argv[i], NULL, 10));
		return r;
	}
	for (int i = 1; i < argc && !r; i++)
		r = measure(strtoul(argv[i], NULL, 10));
	return r;
}
