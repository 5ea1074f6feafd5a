/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall flows --format pcap`: just the packets of a query. The records say which flows it has
 * and when; the packets are looked up among them, comments and all. */
#include <errno.h>
#include <string.h>

#include "cli/cmds.h"
#include "cli/flows.h"
#include "cli/flows_packets.h"
#include "vethwall/cleanup.h"

#define FLOWS_MAX 1000000 /* of the query */
#define SLACK_US 1000000 /* between the counters' clock and the samples' */

struct wanted {
	struct flows_query *q;
	struct vw_groups *groups;
	uint64_t packets;
};

static int add(void *arg, const struct vw_flow *f, const char *line, size_t n)
{
	(void)line;
	(void)n;
	return f->t.src.family ? vw_groups_add(arg, f) : 0;
}

static bool is_wanted(const struct wanted *w, const struct vw_pcapng_packet *p)
{
	const struct flows_filter *f = &w->q->filter;
	const struct vw_group *g;
	struct vw_flow flow = {0};
	size_t len;

	if (p->time_us < f->from_us || p->time_us > f->to_us ||
	    vw_packet_tuple(p->data, p->caplen, &flow.t, &len))
		return false;
	g = vw_groups_find(w->groups, &flow);
	return g && p->time_us >= g->sums.first_us - SLACK_US &&
	       p->time_us <= g->sums.last_us + SLACK_US;
}

static int copy(void *arg, const struct vw_pcapng_packet *p, const char *file)
{
	struct wanted *w = arg;

	(void)file;
	if (!is_wanted(w, p))
		return 0;
	w->packets++;
	return vw_pcapng_write(fileno(w->q->out), p);
}

static int write_packets(struct wanted *w)
{
	unsigned bad;
	int r = vw_pcapng_write_head(fileno(w->q->out));

	if (!r)
		r = flows_packets_each(w->q->reader.dir, copy, w, &bad);
	if (r == -EPIPE)
		return VW_EXIT_OK;
	if (r) {
		fprintf(stderr, "vethwall flows: the packets cannot be copied: %s\n", strerror(-r));
		return VW_EXIT_TROUBLE;
	}
	fprintf(stderr, "%llu packets of %zu flows (about one for each flow and second is kept)\n",
		(unsigned long long)w->packets, vw_groups_n(w->groups));
	if (vw_groups_others(w->groups)->records)
		fprintf(stderr,
			"vethwall flows: more than %d flows; the packets of further ones "
			"are left out\n",
			FLOWS_MAX);
	return flows_end(w->q);
}

int flows_pcap(struct flows_query *q)
{
	struct vw_groups_options o = {
		.by = {VW_FIELD_SRC_IP, VW_FIELD_DEST_IP, VW_FIELD_PROTO, VW_FIELD_SRC_PORT,
		       VW_FIELD_DEST_PORT, VW_FIELD_ICMP_TYPE, VW_FIELD_ICMP_CODE},
		.n_by = 7,
		.max = FLOWS_MAX,
		.seed = {q->seed[0], q->seed[1]},
	};
	_cleanup_(vw_groups_free) struct vw_groups *groups = NULL;
	struct wanted w = {.q = q};
	int r;

	if (isatty(fileno(q->out))) {
		fputs("vethwall flows: packets do not go to a terminal; name a file with --out\n",
		      stderr);
		return VW_EXIT_TROUBLE;
	}
	r = vw_groups_new(&o, &groups);
	if (r)
		return flows_cannot(q, r);
	w.groups = groups;
	r = flows_run(q, add, groups);
	return r ? r : write_packets(&w);
}
