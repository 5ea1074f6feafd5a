/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who tried many ports or many addresses. Every source has sets of what it tried, each with a
 * maximum; workloads have places of their own, so that no flood of invented addresses from outside
 * can hide one of them. */
#include "core/sip.h"
#include "vethwall/cleanup.h"
#include "vethwall/review.h"

#define MINUTE_US 60000000ll
#define MINUTES 4 /* records come in batches: so many minutes are counted side by side */
#define PORT_BYTES (65536 / 8)
#define PORTS_FEW 8
#define SLOTS_MIN 256

struct source {
	struct vw_scanner s;
	uint64_t hash;
	char *name;
	VW_VEC(struct vw_addr) peers;
	struct vw_hashes peer_set, pair_set;
	uint16_t few[2][PORTS_FEW]; /* ports, as long as they are few */
	uint64_t *bits[2]; /* then all of them */
	struct {
		int64_t start_us;
		size_t pairs;
	} minutes[MINUTES];
};

struct vw_scans {
	uint64_t seed[2];
	VW_VEC(struct source *) list;
	uint32_t *slots; /* number of a source and one; 0: free */
	size_t n_slots, named, addresses;
	size_t bytes[2]; /* that sets of addresses and of workloads have taken */
	struct vw_sums others;
};

static void source_free(struct source *s)
{
	if (!s)
		return;
	free(s->name);
	vw_vec_done(&s->peers);
	vw_hashes_done(&s->peer_set);
	vw_hashes_done(&s->pair_set);
	free(s->bits[0]);
	free(s->bits[1]);
	free(s);
}

int vw_scans_new(const uint64_t seed[static 2], struct vw_scans **ret)
{
	struct vw_scans *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	memcpy(s->seed, seed, sizeof(s->seed));
	*ret = s;
	return 0;
}

void vw_scans_free(struct vw_scans **sp)
{
	struct vw_scans *s = *sp;

	if (!s)
		return;
	vw_vec_foreach (p, &s->list)
		source_free(*p);
	vw_vec_done(&s->list);
	free(s->slots);
	free(s);
	*sp = NULL;
}

const struct vw_sums *vw_scans_others(const struct vw_scans *s)
{
	return &s->others;
}

/* ---- sources ---- */

/* The workload that sent it; n 0 when that is none: then it is the source address. */
static struct vw_str sender(const struct vw_flow *f)
{
	const struct vw_str *s = f->egress ? &f->workload : &f->peer;

	/* entities (world, host, ...) have no slash */
	if (!s->s || !memchr(s->s, '/', s->n))
		return (struct vw_str){0};
	return *s;
}

static uint64_t source_hash(const struct vw_scans *s, const struct vw_str *name,
			    const struct vw_addr *a)
{
	uint8_t key[1 + 16];

	if (name->n)
		return vw_sip13(name->s, name->n, s->seed);
	key[0] = a->family;
	memcpy(key + 1, a->b, 16);
	return vw_sip13(key, sizeof(key), s->seed);
}

static bool is_source(const struct source *s, uint64_t hash, const struct vw_str *name,
		      const struct vw_addr *a)
{
	if (s->hash != hash || s->s.name.n != name->n)
		return false;
	return name->n ? !memcmp(s->s.name.s, name->s, name->n) : vw_addr_eq(&s->s.addr, a);
}

static int grow(struct vw_scans *s)
{
	size_t n = s->n_slots ? s->n_slots * 2 : SLOTS_MIN;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (uint32_t k = 0; k < s->list.n; k++) {
		size_t i = s->list.v[k]->hash & (n - 1);

		while (slots[i])
			i = (i + 1) & (n - 1);
		slots[i] = k + 1;
	}
	free(s->slots);
	s->slots = slots;
	s->n_slots = n;
	return 0;
}

static int new_source(struct vw_scans *s, uint64_t hash, const struct vw_str *name,
		      const struct vw_addr *a, struct source **ret)
{
	size_t *count = name->n ? &s->named : &s->addresses;
	struct source *src;
	int r;

	if (*count >= (name->n ? VW_SCAN_NAMED_MAX : VW_SCAN_OTHERS_MAX))
		return -ENOSPC;
	src = calloc(1, sizeof(*src));
	if (!src)
		return -ENOMEM;
	src->hash = hash;
	src->s.addr = *a;
	src->peer_set.max = VW_SCAN_PEERS_MAX;
	src->pair_set.max = VW_SCAN_PAIRS_MAX;
	if (name->n) {
		/* not strndup: no NUL needs to follow it, which the sanitizer's takes for granted
		 */
		src->name = calloc(1, name->n + 1);
		if (src->name)
			memcpy(src->name, name->s, name->n);
		src->s.name = (struct vw_str){src->name, name->n};
	}
	r = name->n && !src->name
		    ? -ENOMEM
		    : vw_vec_push(&s->list, src, VW_SCAN_NAMED_MAX + VW_SCAN_OTHERS_MAX);
	if (r) {
		source_free(src);
		return r;
	}
	++*count;
	*ret = src;
	return 0;
}

static int get_source(struct vw_scans *s, const struct vw_flow *f, struct source **ret)
{
	struct vw_str name = sender(f);
	uint64_t hash = source_hash(s, &name, &f->t.src);
	size_t i;
	int r;

	if (s->list.n * 2 >= s->n_slots && (r = grow(s)) != 0)
		return r;
	for (i = hash & (s->n_slots - 1); s->slots[i]; i = (i + 1) & (s->n_slots - 1)) {
		*ret = s->list.v[s->slots[i] - 1];
		if (is_source(*ret, hash, &name, &f->t.src))
			return 0;
	}
	r = new_source(s, hash, &name, &f->t.src, ret);
	if (!r)
		s->slots[i] = (uint32_t)s->list.n;
	return r;
}

/* ---- what it tried ---- */

/* Workloads have half of the room for themselves. */
static size_t *room_of(struct vw_scans *s, const struct source *src)
{
	return &s->bytes[src->name != NULL];
}

/* As vw_hashes_add(), within what all sources may take together. */
static int tell(struct vw_scans *s, const struct source *src, struct vw_hashes *set, uint64_t hash)
{
	size_t *bytes = room_of(s, src), slots = set->slots;
	int r;

	if (*bytes > VW_SCAN_BYTES_MAX / 2)
		return vw_hashes_has(set, hash) ? 0 : -ENOSPC;
	r = vw_hashes_add(set, hash);
	*bytes += (set->slots - slots) * sizeof(*set->v);
	return r;
}

static void set_bit(uint64_t *bits, uint16_t port)
{
	bits[port >> 6] |= 1ull << (port & 63);
}

static int make_bits(struct source *src, size_t k)
{
	if (src->bits[k])
		return 0;
	src->bits[k] = calloc(1, PORT_BYTES);
	if (!src->bits[k])
		return -ENOMEM;
	for (size_t i = 0; i < src->s.ports[k]; i++)
		set_bit(src->bits[k], src->few[k][i]);
	return 0;
}

static bool has_port(const struct source *src, size_t k, uint16_t port)
{
	if (src->bits[k])
		return src->bits[k][port >> 6] >> (port & 63) & 1;
	for (size_t i = 0; i < src->s.ports[k]; i++) {
		if (src->few[k][i] == port)
			return true;
	}
	return false;
}

static int add_port(struct vw_scans *s, struct source *src, uint8_t proto, uint16_t port)
{
	size_t k = proto != 6, *bytes = room_of(s, src);
	int r;

	if (has_port(src, k, port))
		return 0;
	if (!src->bits[k] && src->s.ports[k] < PORTS_FEW) {
		src->few[k][src->s.ports[k]++] = port;
		return 0;
	}
	if (!src->bits[k] && *bytes > VW_SCAN_BYTES_MAX / 2) {
		src->s.more_pairs = true;
		return 0;
	}
	*bytes += src->bits[k] ? 0 : PORT_BYTES;
	r = make_bits(src, k);
	if (r)
		return r;
	set_bit(src->bits[k], port);
	src->s.ports[k]++;
	return 0;
}

static int add_peer(struct vw_scans *s, struct source *src, const struct vw_addr *a)
{
	struct vw_str none = {0};
	int r = tell(s, src, &src->peer_set, source_hash(s, &none, a));

	src->s.more_peers |= r == -ENOSPC;
	if (r == 1)
		r = vw_vec_push(&src->peers, *a, VW_SCAN_PEERS_MAX);
	return r == -ENOMEM ? r : 0;
}

static void note_minute(struct source *src, int64_t us)
{
	int64_t rest = us % MINUTE_US, start = us - rest - (rest < 0 ? MINUTE_US : 0);
	size_t i = (size_t)((uint64_t)(start / MINUTE_US) % MINUTES);

	if (src->minutes[i].start_us != start)
		src->minutes[i].pairs = 0;
	src->minutes[i].start_us = start;
	if (++src->minutes[i].pairs <= src->s.fastest)
		return;
	src->s.fastest = src->minutes[i].pairs;
	src->s.fastest_us = start;
}

static int add_pair(struct vw_scans *s, struct source *src, const struct vw_flow *f)
{
	struct vw_tuple t = {.dst = f->t.dst, .proto = f->t.proto, .dport = f->t.dport};
	int r;

	t.src.family = t.dst.family;
	r = tell(s, src, &src->pair_set, vw_flow_hash(&t, s->seed));
	src->s.more_pairs |= r == -ENOSPC;
	if (r == 1)
		note_minute(src, f->first_us);
	return r == -ENOMEM ? r : 0;
}

int vw_scans_add(struct vw_scans *s, const struct vw_flow *f)
{
	struct source *src;
	int r;

	if (!f->t.src.family)
		return 0;
	r = get_source(s, f, &src);
	if (r == -ENOSPC)
		vw_sums_add(&s->others, f);
	if (r)
		return r == -ENOSPC ? 0 : r;
	vw_sums_add(&src->s.sums, f);
	if (vw_proto_has_ports(f->t.proto))
		r = add_port(s, src, f->t.proto, f->t.dport);
	if (!r)
		r = add_peer(s, src, &f->t.dst);
	return r ? r : add_pair(s, src, f);
}

static int by_pairs(const void *va, const void *vb)
{
	const struct source *a = *(struct source *const *)va, *b = *(struct source *const *)vb;
	size_t na = a->pair_set.n, nb = b->pair_set.n;
	size_t n = a->s.name.n < b->s.name.n ? a->s.name.n : b->s.name.n;
	int r;

	if (na != nb)
		return na > nb ? -1 : 1;
	r = n ? memcmp(a->s.name.s, b->s.name.s, n) : 0;
	if (!r)
		r = (a->s.name.n > b->s.name.n) - (a->s.name.n < b->s.name.n);
	return r ? r : vw_addr_cmp(&a->s.addr, &b->s.addr);
}

int vw_scans_each(struct vw_scans *s, size_t min_ports, size_t min_peers,
		  int (*fn)(const struct vw_scanner *s, void *arg), void *arg)
{
	if (s->list.n)
		qsort(s->list.v, s->list.n, sizeof(struct source *), by_pairs);
	vw_vec_foreach (p, &s->list) {
		struct source *src = *p;
		int r;

		src->s.peers = src->peer_set.n;
		src->s.pairs = src->pair_set.n;
		if (src->s.ports[0] + src->s.ports[1] < min_ports && src->s.peers < min_peers)
			continue;
		r = src->s.ports[0] ? make_bits(src, 0) : 0;
		if (!r && src->s.ports[1])
			r = make_bits(src, 1);
		if (r)
			return r;
		src->s.peer = src->peers.v;
		src->s.port_bits[0] = src->bits[0];
		src->s.port_bits[1] = src->bits[1];
		r = fn(&src->s, arg);
		if (r)
			return r;
	}
	return 0;
}
