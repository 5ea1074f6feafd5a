/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reading side of nf_tables: the table as it is, elements of one set, counters of one chain.
 * Uses a socket of its own; decides nothing about what it reads. */
#include "io/nft_kernel.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "codec/nft_encode.h"
#include "vethwall/cleanup.h"

#define REPLAYS_MAX 32 /* others committed into each of as many readings: give up */
#define CHAINS_MAX (1u << 20)
#define SETS_MAX (1u << 20)
#define RULES_MAX (1u << 20) /* per chain */

int vw_nft_take_answers(const struct nlmsghdr *nlh, int left, uint32_t seq,
			struct vw_nft_trip *trip, int *cb_ret,
			int (*cb)(const struct nlmsghdr *nlh, void *arg), void *arg)
{
	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		struct vw_nft_reply reply;

		if (nlh->nlmsg_seq != seq)
			continue;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			trip->interrupted = true;
		if (nlh->nlmsg_type == NLMSG_DONE) {
			if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(int)))
				return 1;
			return *(int *)mnl_nlmsg_get_payload(nlh) ?: 1;
		}
		if (!vw_nft_decode_reply(nlh, &reply))
			return reply.err ? -reply.err : 1;
		if (!*cb_ret)
			*cb_ret = cb(nlh, arg);
		if (!(nlh->nlmsg_flags & NLM_F_MULTI))
			return 1;
	}
	return 0;
}

/* EINTR is for the asked to say: for us it would mean that a dump was interrupted. */
static int put_request(struct vw_nft *n, const struct nlmsghdr *nlh)
{
	ssize_t sent;
	int r = n->read ? 0 : vw_nft_open_read(n);

	if (r < 0)
		return r;
	do
		sent = mnl_socket_sendto(n->read, nlh, nlh->nlmsg_len);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* A dump that was not read to its end goes on in the kernel, and the next one is told EBUSY. */
static int give_up(struct vw_nft *n, int r)
{
	mnl_socket_close(n->read);
	n->read = NULL;
	(void)vw_nft_open_read(n); /* or the next request does */
	return r;
}

int vw_nft_request(struct vw_nft *n, uint8_t family, uint16_t msg, const char *name, bool dump,
		   struct vw_nft_trip *trip, int (*cb)(const struct nlmsghdr *nlh, void *arg),
		   void *arg)
{
	uint8_t request[VW_NFT_REQUEST_MAX];
	uint32_t seq = n->seq++;
	struct nlmsghdr *nlh = vw_nft_encode_get(request, family, msg, name, dump, seq);
	struct vw_nft_trip unused = {0};
	int cb_ret = 0, r = 0;

	trip = trip ? trip : &unused;
	r = put_request(n, nlh);
	if (r < 0)
		return r;
	while (!r) {
		ssize_t got = mnl_socket_recvfrom(n->read, n->buf, VW_NFT_RECV_BYTES);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return give_up(n, -errno);
		trip->datagrams++;
		r = vw_nft_take_answers((void *)n->buf, got, seq, trip, &cb_ret, cb, arg);
	}
	return r < 0 ? r : cb_ret;
}

static int gen_cb(const struct nlmsghdr *nlh, void *arg)
{
	return vw_nft_decode_gen(nlh, arg);
}

int vw_nft_generation(struct vw_nft *n, uint32_t *ret)
{
	return vw_nft_request(n, NFPROTO_NETDEV, NFT_MSG_GETGEN, NULL, false, NULL, gen_cb, ret);
}

struct reading {
	struct vw_ruleset *rules;
	bool (*wanted)(const char *name, void *arg); /* NULL: all are */
	void *arg;
	struct vw_chain *chain; /* of the latest rule: they come chain by chain */
	struct vw_nft_edges edges;
	struct vw_set *set;
	size_t foreign; /* objects in our table whose names are not ours */
};

static bool is_wanted(const struct reading *rd, const char *name)
{
	return !rd->wanted || rd->wanted(name, rd->arg);
}

static int chain_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct reading *rd = arg;
	struct vw_chain c;
	int r = vw_nft_decode_chain(nlh, &c);

	rd->foreign += r == -ENAMETOOLONG;
	if (r == -ENOENT || r == -ENAMETOOLONG)
		return 0;
	if (r || !is_wanted(rd, c.name))
		return r;
	return vw_vec_push(&rd->rules->chains, c, CHAINS_MAX);
}

static struct vw_chain *chain_of(struct reading *rd, const char *name)
{
	struct vw_ruleset *r = rd->rules;

	if (!rd->chain || strcmp(rd->chain->name, name)) {
		const struct vw_chain *c = vw_ruleset_chain(r, name);

		rd->chain = c ? r->chains.v + (c - r->chains.v) : NULL;
	}
	return rd->chain;
}

static int rule_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct reading *rd = arg;
	struct vw_nft_rule rule;
	struct vw_chain *c;
	int r = vw_nft_decode_rule(nlh, &rule);

	if (r)
		return r == -ENOENT || r == -ENAMETOOLONG ? 0 : r;
	c = chain_of(rd, rule.chain);
	if (!c)
		return -EAGAIN; /* of a chain that came since: the generation will tell, too */
	return vw_vec_push(&c->rules, ((struct vw_nftrule){.id = rule.id}), RULES_MAX);
}

static int set_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct reading *rd = arg;
	struct vw_set s;
	int r = vw_nft_decode_set(nlh, &s);

	rd->foreign += r == -ENAMETOOLONG;
	if (r == -ENOENT || r == -ENAMETOOLONG)
		return 0;
	if (r || !is_wanted(rd, s.name))
		return r;
	return vw_vec_push(&rd->rules->sets, s, SETS_MAX);
}

static int static_elem_cb(const struct vw_nft_elem_raw *raw, void *arg)
{
	struct reading *rd = arg;
	struct vw_elem e = {0};

	if (raw->e.klen != vw_nft_wire_klen(rd->set))
		return -EBADMSG;
	memcpy(e.key, raw->e.key, raw->e.klen);
	memcpy(e.key_end, raw->key_end ? raw->key_end : raw->e.key, raw->e.klen);
	if (raw->data)
		memcpy(&e.data, raw->data, sizeof(e.data));
	return vw_elem_push(rd->set, &e, SIZE_MAX);
}

static int edge_cb(const struct vw_nft_elem_raw *raw, void *arg)
{
	struct reading *rd = arg;
	struct vw_nft_edge e = {.end = raw->interval_end};

	if (raw->e.klen != vw_nft_wire_klen(rd->set))
		return -EBADMSG;
	memcpy(e.key, raw->e.key, raw->e.klen);
	if (raw->data)
		memcpy(&e.data, raw->data, sizeof(e.data));
	return vw_vec_push(&rd->edges.list, e, SIZE_MAX);
}

static int elems_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct reading *rd = arg;
	bool edges = rd->set->flags & VW_SET_INTERVAL && !rd->set->fields[1];

	return vw_nft_decode_elems(nlh, edges ? edge_cb : static_elem_cb, arg);
}

static uint8_t kernel_family(uint8_t family)
{
	return family ? family : NFPROTO_NETDEV;
}

/* Replaces the elements of s by those of the kernel. */
static int read_elems_once(struct vw_nft *n, struct reading *rd, struct vw_set *s,
			   struct vw_nft_trip *trip)
{
	int r;

	rd->set = s;
	rd->edges.list.n = 0;
	s->elems.n = 0;
	r = vw_nft_request(n, kernel_family(s->family), NFT_MSG_GETSETELEM, s->name, true, trip,
			   elems_cb, rd);
	if (!r)
		r = vw_nft_fold_edges(&rd->edges, s);
	return r ? r : vw_elems_sort(s);
}

static bool same_elems(const struct vw_set *a, const struct vw_set *b)
{
	return a->elems.n == b->elems.n &&
	       (!a->elems.n || !memcmp(a->elems.v, b->elems.v, a->elems.n * vw_set_stride(a)));
}

/* A hash that the kernel is resizing loses and repeats elements between two datagrams of a dump
 * (nft_set_hash.c: nft_rhash_walk starts anew and skips as many as were sent), without a new
 * generation. So what did not fit one is read until two readings agree. */
static int read_elems(struct vw_nft *n, struct reading *rd, struct vw_set *s, bool *interrupted)
{
	_cleanup_(vw_set_done) struct vw_set last = *s;
	int r = 0;

	last.elems = (struct vw_elems){0};
	for (int i = 0; i < REPLAYS_MAX; i++) {
		struct vw_nft_trip trip = {0};
		struct vw_elems spare = last.elems;

		last.elems = s->elems;
		s->elems = spare;
		r = read_elems_once(n, rd, s, &trip);
		*interrupted |= trip.interrupted;
		/* The second datagram may hold no more than the end. */
		if (r || trip.interrupted || trip.datagrams <= 2 || (i && same_elems(s, &last)))
			return r;
	}
	return -EINTR;
}

/* Chain by chain: a dump of the whole table's rules begins anew for each of its datagrams and skips
 * what it has sent (net/netfilter/nf_tables_api.c, __nf_tables_dump_rules), which is quadratic. */
static int read_rules(struct vw_nft *n, struct reading *rd, struct vw_nft_trip *trip)
{
	int r = 0;

	for (size_t i = 0; i < rd->rules->chains.n && !r; i++) {
		const struct vw_chain *c = &rd->rules->chains.v[i];

		r = vw_nft_request(n, kernel_family(c->family), NFT_MSG_GETRULE, c->name, true,
				   trip, rule_cb, rd);
	}
	return r;
}

/* What one message type lists, of both tables; one that is not there has nothing. */
static int read_list(struct vw_nft *n, uint16_t msg, struct reading *rd, struct vw_nft_trip *trip,
		     int (*cb)(const struct nlmsghdr *nlh, void *arg))
{
	int r = vw_nft_request(n, NFPROTO_NETDEV, msg, NULL, true, trip, cb, rd);

	if ((r && r != -ENOENT) || !n->bridge)
		return r == -ENOENT ? 0 : r;
	r = vw_nft_request(n, NFPROTO_BRIDGE, msg, NULL, true, trip, cb, rd);
	return r == -ENOENT ? 0 : r;
}

static int read_all(struct vw_nft *n, struct reading *rd, struct vw_nft_trip *trip)
{
	int r = read_list(n, NFT_MSG_GETCHAIN, rd, trip, chain_cb);

	if (r)
		return r;
	vw_ruleset_sort(rd->rules);
	r = read_rules(n, rd, trip);
	if (!r)
		r = read_list(n, NFT_MSG_GETSET, rd, trip, set_cb);
	for (size_t i = 0; !r && i < rd->rules->sets.n; i++) {
		struct vw_set *s = &rd->rules->sets.v[i];

		if (s->fields[0] && !(s->flags & VW_SET_DYNAMIC))
			r = read_elems(n, rd, s, &trip->interrupted);
	}
	vw_ruleset_sort(rd->rules);
	return r;
}

/* -EINTR: somebody committed meanwhile, what was read is of no one generation. */
static int read_once(struct vw_nft *n, bool (*wanted)(const char *name, void *arg), void *arg,
		     struct vw_ruleset *ret, size_t *ret_foreign)
{
	_cleanup_(vw_ruleset_done) struct vw_ruleset rules = {0};
	struct reading rd = {.rules = &rules, .wanted = wanted, .arg = arg};
	uint32_t before, after;
	struct vw_nft_trip trip = {0};
	int r = vw_nft_generation(n, &before), again;

	if (r)
		return r;
	r = read_all(n, &rd, &trip);
	vw_vec_done(&rd.edges.list);
	again = vw_nft_generation(n, &after);
	if (again)
		return again;
	if (trip.interrupted || before != after || r == -EINTR || r == -EAGAIN)
		return -EINTR;
	if (r && r != -ENOENT)
		return r;
	*ret_foreign = rd.foreign;
	*ret = rules;
	rules = (struct vw_ruleset){0};
	return 0;
}

int vw_nft_dump(struct vw_nft *n, struct vw_ruleset *ret, struct vw_diag *d)
{
	return vw_nft_dump_some(n, NULL, NULL, ret, d);
}

int vw_nft_dump_some(struct vw_nft *n, bool (*wanted)(const char *name, void *arg), void *arg,
		     struct vw_ruleset *ret, struct vw_diag *d)
{
	size_t foreign = 0;
	int r = -EINTR;

	for (int i = 0; i < REPLAYS_MAX && r == -EINTR; i++)
		r = read_once(n, wanted, arg, ret, &foreign);
	if (r) {
		vw_error(d, NULL, "cannot read table netdev " VW_TABLE ": %s",
			 r == -EINTR ? "others keep changing nf_tables" : strerror(-r));
		return r == -EINTR ? -EAGAIN : r;
	}
	if (foreign)
		vw_diag_add(d, VW_WARNING, NULL, NULL,
			    "our tables " VW_TABLE " hold %zu chains or sets of others; left alone",
			    foreign);
	return 0;
}

struct set_reading {
	int (*cb)(const struct vw_nft_elem *e, void *arg);
	void *arg;
};

static int reading_elem_cb(const struct vw_nft_elem_raw *raw, void *arg)
{
	struct set_reading *rd = arg;

	return rd->cb(&raw->e, rd->arg);
}

static int reading_cb(const struct nlmsghdr *nlh, void *arg)
{
	return vw_nft_decode_elems(nlh, reading_elem_cb, arg);
}

int vw_nft_dump_set(struct vw_nft *n, const char *set,
		    int (*cb)(const struct vw_nft_elem *e, void *arg), void *arg)
{
	struct set_reading rd = {cb, arg};

	if (strlen(set) >= VW_NAME_LEN)
		return -ENOENT;
	for (int i = 0; i < REPLAYS_MAX; i++) {
		struct vw_nft_trip trip = {0};
		int r = vw_nft_request(n, NFPROTO_NETDEV, NFT_MSG_GETSETELEM, set, true, &trip,
				       reading_cb, &rd);

		if (!trip.interrupted || (r && r != -EINTR))
			return r;
	}
	return -EAGAIN;
}

struct counters {
	uint64_t (*v)[2];
	size_t n, max;
};

static int counter_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct counters *c = arg;
	struct vw_nft_rule rule;
	int r = vw_nft_decode_rule(nlh, &rule);

	if (r)
		return r == -ENOENT || r == -ENAMETOOLONG ? 0 : r;
	if (!rule.has_counter)
		return 0;
	if (c->n < c->max) {
		c->v[c->n][0] = rule.packets;
		c->v[c->n][1] = rule.bytes;
	}
	c->n++;
	return 0;
}

int vw_nft_chain_counters(struct vw_nft *n, uint8_t family, const char *chain, uint64_t (*ret)[2],
			  size_t max)
{
	if (strlen(chain) >= VW_NAME_LEN)
		return -ENOENT;
	for (int i = 0; i < REPLAYS_MAX; i++) {
		struct counters c = {ret, 0, max};
		struct vw_nft_trip trip = {0};
		int r = vw_nft_request(n, kernel_family(family), NFT_MSG_GETRULE, chain, true,
				       &trip, counter_cb, &c);

		if (r && r != -EINTR)
			return r;
		if (!r && !trip.interrupted)
			return c.n;
	}
	return -EAGAIN;
}
