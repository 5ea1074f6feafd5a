/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Captures beside the log: pcapng, which the agent writes, and classic pcap, which it wrote before
 * and which other tools make of it. */
#include "cli/flows_packets.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#include "vethwall/cleanup.h"
#include "vethwall/store.h"

typedef int packet_fn(void *arg, const struct vw_pcapng_packet *p, const char *file);

static int read_pcapng(int fd, const char *file, packet_fn *fn, void *arg, const char **ret_why)
{
	_cleanup_(vw_pcapng_done) struct vw_pcapng in = {0};
	struct vw_pcapng_packet p;
	int r = vw_pcapng_init(&in, fd), stop;

	while (!r && (r = vw_pcapng_next(&in, &p)) == 1) {
		stop = fn(arg, &p, file);
		if (stop)
			return stop;
		r = 0;
	}
	if (r == -ENOMEM)
		return r;
	*ret_why = r ? "no pcapng of IP packets" : NULL;
	return 0;
}

static void pcap_closep(pcap_t **p)
{
	if (*p)
		pcap_close(*p);
}

static int read_pcap(int fd, const char *file, packet_fn *fn, void *arg, const char **ret_why)
{
	_cleanup_(pcap_closep) pcap_t *in = NULL;
	char why[PCAP_ERRBUF_SIZE];
	int copy = dup(fd), r, stop;
	FILE *f = copy >= 0 ? fdopen(copy, "r") : NULL;
	struct pcap_pkthdr *h;
	const u_char *data;

	if (!f) {
		if (copy >= 0)
			close(copy);
		return -errno;
	}
	in = pcap_fopen_offline(f, why);
	if (!in)
		fclose(f);
	if (!in || pcap_datalink(in) != DLT_RAW) {
		*ret_why = "no capture of IP packets";
		return 0;
	}
	while ((r = pcap_next_ex(in, &h, &data)) == 1) {
		const struct vw_pcapng_packet p = {
			.time_us = (int64_t)h->ts.tv_sec * 1000000 + h->ts.tv_usec,
			.data = data,
			.caplen = h->caplen,
			.len = h->len,
		};

		stop = fn(arg, &p, file);
		if (stop)
			return stop;
	}
	*ret_why = r == PCAP_ERROR ? "incomplete" : NULL;
	return 0;
}

int flows_packets_each(const char *dir, packet_fn *fn, void *arg, unsigned *ret_bad)
{
	static const struct {
		const char *name;
		int (*read)(int fd, const char *file, packet_fn *fn, void *arg, const char **why);
	} kinds[] = {{"denied.pcap", read_pcap}, {"denied.pcapng", read_pcapng}};
	int r = 0;

	*ret_bad = 0;
	for (size_t k = 0; !r && k < VW_ARRAY_SIZE(kinds); k++) {
		_cleanup_(vw_segments_done) struct vw_segments segs = {0};

		r = vw_segments_open(dir, kinds[k].name, &segs);
		for (size_t i = 0; !r && i < segs.list.n; i++) {
			const struct vw_segment *seg = &segs.list.v[i];
			const char *why = NULL;

			if (seg->size)
				r = kinds[k].read(seg->fd, seg->name, fn, arg, &why);
			if (!r && why) {
				++*ret_bad;
				fprintf(stderr, "%s/%s: %s\n", dir, seg->name, why);
			}
		}
	}
	return r;
}
