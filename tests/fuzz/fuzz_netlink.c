/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams of netlink messages, of nf_tables and rtnetlink: every decoder gets every message. */
#include <libmnl/libmnl.h>

#include "codec/nft_decode.h"
#include "fuzz.h"
#include "io/links_parse.h"

static int on_elem(const struct vw_nft_elem_raw *e, void *arg)
{
	struct vw_nft_edges *edges = arg;
	struct vw_nft_edge edge = {.end = e->interval_end};

	must(e->e.klen <= VW_KEY_MAX);
	memcpy(edge.key, e->e.key, e->e.klen);
	if (e->data)
		memcpy(&edge.data, e->data, 4);
	return vw_vec_push(&edges->list, edge, 1024);
}

static void nft(const struct nlmsghdr *nlh)
{
	struct vw_nft_edges edges = {0};
	struct vw_nft_table table;
	struct vw_nft_reply reply;
	struct vw_nft_rule rule;
	struct vw_chain chain = {0};
	struct vw_set set = {0};
	uint32_t gen;

	(void)vw_nft_decode_table(nlh, &table);
	(void)vw_nft_decode_gen(nlh, &gen);
	if (!vw_nft_decode_chain(nlh, &chain))
		must(strlen(chain.name) < sizeof(chain.name));
	if (!vw_nft_decode_rule(nlh, &rule))
		must(strlen(rule.chain) < sizeof(rule.chain));
	if (!vw_nft_decode_set(nlh, &set)) {
		must(strlen(set.name) < sizeof(set.name));
		if (!vw_nft_decode_elems(nlh, on_elem, &edges))
			(void)vw_nft_fold_edges(&edges, &set);
	} else {
		(void)vw_nft_decode_elems(nlh, on_elem, &edges);
		(void)vw_nft_fold_edges(&edges, &set);
	}
	if (!vw_nft_decode_reply(nlh, &reply))
		must(strlen(reply.text) < sizeof(reply.text));
	vw_vec_done(&edges.list);
	vw_chain_done(&chain);
	vw_set_done(&set);
}

static void links(const struct nlmsghdr *nlh)
{
	struct vw_hostaddr addr;
	struct vw_link link;
	int nsid;

	if (vw_links_parse(nlh, &link))
		must(link.ifindex && link.name[0] && strlen(link.name) < sizeof(link.name));
	if (vw_hostaddr_parse(nlh, &addr))
		must(addr.addr.family == 4 || addr.addr.family == 6);
	(void)vw_nsid_parse(nlh, &nsid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* As a receive buffer is: aligned, and not longer than what came. */
	void *copy = malloc(size ? size : 1);
	const struct nlmsghdr *nlh = copy;
	int left = (int)size;

	must(copy);
	memcpy(copy, data, size);
	/* mnl_nlmsg_ok() takes a length of 2 GiB for a negative one; the kernel sends none. */
	for (; mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_len <= size;
	     nlh = mnl_nlmsg_next(nlh, &left)) {
		nft(nlh);
		links(nlh);
	}
	free(copy);
	return 0;
}
