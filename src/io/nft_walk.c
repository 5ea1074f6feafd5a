/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set's elements in parts. The kernel goes on with a dump when its last datagram has been read,
 * so between two of them nothing waits and nobody is held up. */
#include "io/nft_kernel.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "codec/nft_encode.h"
#include "vethwall/cleanup.h"

struct vw_nft_walk {
	struct mnl_socket *nl;
	bool ended;
	uint8_t buf[VW_NFT_RECV_BYTES] __attribute__((aligned(8)));
};

struct taker {
	int (*cb)(const struct vw_nft_elem *e, void *arg);
	void *arg;
};

static int elem_cb(const struct vw_nft_elem_raw *raw, void *arg)
{
	struct taker *t = arg;

	return t->cb(&raw->e, t->arg);
}

static int message_cb(const struct nlmsghdr *nlh, void *arg)
{
	return vw_nft_decode_elems(nlh, elem_cb, arg);
}

int vw_nft_walk_new(const char *set, struct vw_nft_walk **ret)
{
	_cleanup_(vw_nft_walk_free) struct vw_nft_walk *w = calloc(1, sizeof(*w));
	struct nlmsghdr *nlh;

	if (!w)
		return -ENOMEM;
	if (strlen(set) >= VW_NAME_LEN)
		return -ENOENT;
	w->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!w->nl || mnl_socket_bind(w->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	nlh = vw_nft_encode_get(w->buf, NFPROTO_NETDEV, NFT_MSG_GETSETELEM, set, true, 0);
	if (mnl_socket_sendto(w->nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	*ret = TAKE_PTR(w);
	return 0;
}

void vw_nft_walk_free(struct vw_nft_walk **wp)
{
	if (*wp && (*wp)->nl)
		mnl_socket_close((*wp)->nl);
	free(*wp);
	*wp = NULL;
}

int vw_nft_walk_step(struct vw_nft_walk *w, int (*cb)(const struct vw_nft_elem *e, void *arg),
		     void *arg)
{
	struct taker t = {cb, arg};
	struct vw_nft_trip trip = {0};
	int r, cb_ret = 0;
	ssize_t got;

	if (w->ended)
		return 0;
	do
		got = mnl_socket_recvfrom(w->nl, w->buf, sizeof(w->buf));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	r = vw_nft_take_answers((void *)w->buf, (int)got, 0, &trip, &cb_ret, message_cb, &t);
	if (r < 0 || cb_ret)
		return r < 0 ? r : cb_ret;
	w->ended = r > 0;
	return r == 0;
}
