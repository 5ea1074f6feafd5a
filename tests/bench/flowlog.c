/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A log of denied flows as an agent would have written it, for tests and the bench: `flowlog
 * RECORDS DIR [SEGMENT-MIB [SEED]]`. The same arguments give the same bytes. A few services talk to
 * a few others over a day, one container tries every port of another, one sweeps a subnet. Of every
 * hundredth record there is a packet in DIR/denied.pcapng. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "vethwall/cleanup.h"
#include "vethwall/flow.h"
#include "vethwall/pcapng.h"
#include "vethwall/store.h"

#define START_US 1795348800000000 /* 2026-11-22T12:00:00Z */
#define SPAN_US 86400000000 /* of the whole log */
#define SERVICES 24
#define REPLICAS 4

struct log {
	const char *dir;
	FILE *out;
	int packets;
	unsigned long n;
	uint64_t segment_bytes, size;
	int64_t last_us;
	uint64_t rng;
};

static const uint16_t ports[] = {5432, 6379, 443, 80, 22, 53, 8080, 9092, 27017, 3306};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(struct log *l)
{
	uint64_t z = l->rng += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static unsigned below(struct log *l, unsigned n)
{
	return (unsigned)(draw(l) % n);
}

/* Few are many: the smaller of two draws. */
static unsigned skewed(struct log *l, unsigned n)
{
	unsigned a = below(l, n), b = below(l, n);

	return a < b ? a : b;
}

static void own_addr(struct vw_addr *a, unsigned service, unsigned replica, bool v6)
{
	*a = v6 ? (struct vw_addr){6,
				   {0xfd, 0x77, [14] = (uint8_t)service, [15] = (uint8_t)replica}}
		: (struct vw_addr){4, {10, 77, (uint8_t)service, (uint8_t)(replica + 10)}};
}

struct names {
	char workload[64], service[32], image[96], peer[64], peer_service[32], iface[16];
	char policy[64], id[VW_COMMUNITY_ID_LEN];
};

/* What both ends are called; peer: the other end's service, or -1 for the world. */
static void name(struct vw_flow *f, struct names *n, unsigned service, unsigned replica, int peer)
{
	sprintf(n->workload, "ns%u/svc%02u-%u", service % 3, service, replica);
	sprintf(n->service, "svc%02u", service);
	sprintf(n->image, "registry.example/team/svc%02u:1.%u", service, replica % 2);
	sprintf(n->iface, "veth%04x", service * 16 + replica);
	sprintf(n->policy, "ns%u/svc%02u", service % 3, service);
	f->ifindex = service * REPLICAS + replica + 4;
	strcpy(n->peer, "world");
	if (peer >= 0) {
		sprintf(n->peer, "ns%u/svc%02u-%u", (unsigned)peer % 3, (unsigned)peer, replica);
		sprintf(n->peer_service, "svc%02u", (unsigned)peer);
	}
}

static void tuple(struct log *l, struct vw_flow *f, unsigned service, unsigned replica, int peer)
{
	bool v6 = below(l, 5) == 0;
	struct vw_addr own, other;
	unsigned kind = below(l, 100);
	uint8_t far = (uint8_t)(service + below(l, 2));

	own_addr(&own, service, replica, v6);
	if (peer >= 0)
		own_addr(&other, (unsigned)peer, replica, v6);
	else
		other = v6 ? (struct vw_addr){6, {0x20, 1, 0x0d, 0xb8, [15] = far}}
			   : (struct vw_addr){4, {198, 51, 100, far}};
	f->t.src = f->egress ? own : other;
	f->t.dst = f->egress ? other : own;
	f->t.proto = kind < 75 ? 6 : kind < 95 ? 17 : v6 ? 58 : 1;
	f->t.dport = f->t.proto == 17 ? 53 : ports[skewed(l, VW_ARRAY_SIZE(ports))];
	f->t.sport = (uint16_t)(32768 + below(l, 28000));
	if (kind >= 95)
		f->t.sport = f->t.dport = v6 ? 128 << 8 : 8 << 8;
}

/* One container tries the ports of another, one the addresses of a subnet. */
static void scan(struct log *l, struct vw_flow *f, bool ports_of_one)
{
	unsigned to = ports_of_one ? 1 : below(l, 200);

	own_addr(&f->t.src, ports_of_one ? 7 : 13, ports_of_one ? 2 : 1, false);
	f->t.dst = (struct vw_addr){4, {10, 77, 5, (uint8_t)to}};
	f->t.proto = 6;
	f->t.sport = (uint16_t)(32768 + below(l, 28000));
	f->t.dport = ports_of_one ? (uint16_t)(1 + below(l, 10000)) : 22;
}

static void strings(struct vw_flow *f, const struct names *n, bool scans, bool decided)
{
	f->in_iface = vw_str_of(n->iface);
	f->workload = vw_str_of(n->workload);
	f->service = vw_str_of(n->service);
	f->image = vw_str_of(n->image);
	f->peer = vw_str_of(scans ? "world" : n->peer);
	f->peer_service = vw_str_of(*n->peer_service && !scans ? n->peer_service : NULL);
	f->policy = vw_str_of(decided ? n->policy : "default");
	f->rule = vw_str_of(decided ? (f->egress ? "egress[0]" : "ingress[0]") : "default");
	f->tier = vw_str_of(decided ? "service" : "default");
	f->community_id = vw_str_of(n->id);
}

/* Record number i, in the order of the log. */
static void make(struct log *l, unsigned long i, struct vw_flow *f, struct names *n)
{
	unsigned service = skewed(l, SERVICES), replica = below(l, REPLICAS), r = below(l, 1000);
	int peer = below(l, 3) ? (int)((service + 1) % SERVICES) : -1;
	bool scans = r >= 990;

	if (scans) {
		service = r >= 995 ? 7 : 13;
		replica = r >= 995 ? 2 : 1;
	}
	*f = (struct vw_flow){.packets = 1 + skewed(l, 50)};
	vw_flow_set_code(f, (r < 40 ? VW_CODE_AUDIT : VW_CODE_DENY) |
				    (scans || below(l, 3) ? VW_CODE_EGRESS : 0) | (256 + service));
	name(f, n, service, replica, peer);
	tuple(l, f, service, replica, peer);
	if (scans)
		scan(l, f, r >= 995);
	f->bytes = f->packets * (40 + below(l, 1400));
	f->time_us = START_US + (int64_t)((double)SPAN_US * (double)i / (double)l->n);
	f->last_us = f->time_us - below(l, 2000);
	f->first_us = f->last_us - (f->packets > 1 ? below(l, 9000000) : 0);
	f->total_packets = f->packets;
	f->total_bytes = f->bytes;
	vw_community_id(&f->t, 0, n->id);
	strings(f, n, scans, r % 3);
}

static int finish(struct log *l, const char *path)
{
	struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = l->last_us / 1000000, .tv_nsec = l->last_us % 1000000 * 1000}};

	if (!l->out || fclose(l->out))
		return -1;
	l->out = NULL;
	return utimensat(AT_FDCWD, path, times, 0);
}

/* Begins a segment; the one before becomes NAME.1. */
static int begin(struct log *l, int dirfd, const char *path)
{
	if (l->out && (finish(l, path) || vw_rotate(dirfd, "denied.jsonl", VW_SEGMENTS_MAX)))
		return -1;
	l->out = fopen(path, "we");
	l->size = 0;
	return l->out ? 0 : -1;
}

/* Its first packet: an IP header and eight or twenty bytes. */
static int write_packet(struct log *l, const struct vw_flow *f)
{
	bool v6 = f->t.src.family == 6;
	size_t head = v6 ? 40 : 20, rest = f->t.proto == 6 ? 20 : 8, alen = v6 ? 16 : 4;
	uint8_t p[64] = {v6 ? 0x60 : 0x45, [3] = (uint8_t)(head + rest), [8] = 64, f->t.proto};
	char comment[VW_PCAPNG_COMMENT_MAX];
	uint8_t *t = p + head;

	if (v6) {
		p[3] = 0;
		p[5] = (uint8_t)rest;
		p[6] = f->t.proto;
		p[7] = 64;
	}
	memcpy(p + head - 2 * alen, f->t.src.b, alen);
	memcpy(p + head - alen, f->t.dst.b, alen);
	if (vw_proto_has_ports(f->t.proto)) {
		memcpy(t,
		       (uint8_t[]){(uint8_t)(f->t.sport >> 8), (uint8_t)f->t.sport,
				   (uint8_t)(f->t.dport >> 8), (uint8_t)f->t.dport},
		       4);
		t[f->t.proto == 6 ? 12 : 5] = f->t.proto == 6 ? 0x50 : 8;
		t[13] = f->t.proto == 6 ? 2 : 0; /* SYN */
	} else {
		t[0] = (uint8_t)(f->t.dport >> 8);
	}
	return vw_pcapng_write(l->packets,
			       &(struct vw_pcapng_packet){
				       .time_us = f->first_us,
				       .data = p,
				       .caplen = head + rest,
				       .len = head + rest,
				       .received = f->egress,
				       .comment = {comment, vw_pcapng_comment(f, comment)},
			       });
}

static int write_log(struct log *l, int dirfd)
{
	static char line[VW_FLOW_LINE_MAX];
	char path[4096];

	snprintf(path, sizeof(path), "%s/denied.jsonl", l->dir);
	for (unsigned long i = 0; i < l->n; i++) {
		struct names names = {0};
		struct vw_flow f;
		size_t n;

		make(l, i, &f, &names);
		n = vw_flow_json(&f, line);
		if ((!l->out || l->size + n > l->segment_bytes) && begin(l, dirfd, path))
			return -1;
		if (fwrite(line, 1, n, l->out) != n)
			return -1;
		l->size += n;
		l->last_us = f.time_us;
		if (i % 100 == 0 && write_packet(l, &f))
			return -1;
	}
	return finish(l, path);
}

int main(int argc, char **argv)
{
	struct log l = {.rng = 1, .segment_bytes = 64u << 20};
	int dirfd;

	if (argc < 3 || argc > 5) {
		fputs("usage: flowlog RECORDS DIR [SEGMENT-MIB [SEED]]\n", stderr);
		return 2;
	}
	l.n = strtoul(argv[1], NULL, 10);
	l.dir = argv[2];
	if (argc > 3)
		l.segment_bytes = strtoull(argv[3], NULL, 10) << 20;
	if (argc > 4)
		l.rng = strtoull(argv[4], NULL, 10);
	dirfd = vw_store_dir(l.dir, (gid_t)-1, NULL);
	l.packets = dirfd < 0 ? -1
			      : openat(dirfd, "denied.pcapng",
				       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (l.packets < 0 || vw_pcapng_write_head(l.packets) || write_log(&l, dirfd)) {
		perror("flowlog");
		return 1;
	}
	close(dirfd);
	return close(l.packets) ? 1 : 0;
}
