/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to rtnetlink: one socket that is never subscribed to anything, so that answers are all
 * that comes. The kernel answers while it takes the question, so waiting for it is no blocking. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/links_ask.h"
#include "io/links_parse.h"
#include "vethwall/cleanup.h"

#define DUMPS_MAX 16 /* attempts when a dump is interrupted by changes */

struct vw_rtask {
	struct mnl_socket *sock;
	unsigned seq;
	_Alignas(8) uint8_t buf[VW_RTASK_BUF];
};

static int reopen(struct vw_rtask *t)
{
	int on = 1;
	struct mnl_socket *s;

	/* First, so that a process at its limit of descriptors gets this one back. */
	if (t->sock)
		mnl_socket_close(t->sock);
	t->sock = NULL;
	s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!s)
		return -errno;
	/* Without it the kernel ignores IFLA_TARGET_NETNSID in dumps and shows this namespace. */
	if (mnl_socket_setsockopt(s, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0 ||
	    mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		int r = -errno;

		mnl_socket_close(s);
		return r;
	}
	t->sock = s;
	return 0;
}

int vw_rtask_open(struct vw_rtask **ret)
{
	_cleanup_(vw_rtask_free) struct vw_rtask *t = calloc(1, sizeof(*t));
	int r = t ? reopen(t) : -ENOMEM;

	if (r)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

void vw_rtask_free(struct vw_rtask **tp)
{
	if (*tp && (*tp)->sock)
		mnl_socket_close((*tp)->sock);
	free(*tp);
	*tp = NULL;
}

static struct nlmsghdr *question(struct vw_rtask *t, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(t->buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++t->seq;
	return nlh;
}

/* A dump that fails on the way says so in its last message, which libmnl does not look into. */
static int on_done(const struct nlmsghdr *nlh, void *data)
{
	int err = 0;

	(void)data;
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(err))
		memcpy(&err, mnl_nlmsg_get_payload(nlh), sizeof(err));
	errno = -err;
	return err < 0 ? MNL_CB_ERROR : MNL_CB_STOP;
}

static int on_error(const struct nlmsghdr *nlh, void *data)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

	(void)data;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	errno = -e->error;
	return e->error < 0 ? MNL_CB_ERROR : MNL_CB_STOP;
}

static ssize_t receive(struct vw_rtask *t)
{
	ssize_t n;

	do
		n = mnl_socket_recvfrom(t->sock, t->buf, sizeof(t->buf));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int put_question(struct vw_rtask *t, const struct nlmsghdr *nlh)
{
	ssize_t n;
	int r = t->sock ? 0 : reopen(t);

	if (r)
		return r;
	do
		n = mnl_socket_sendto(t->sock, nlh, nlh->nlmsg_len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Sends the question and runs cb over the answer: 0, -errno of the kernel or of cb; -EINTR: the
 * dump was interrupted by changes. A dump that ends early still runs in the kernel, and the rest of
 * an answer that was not read would be taken for that to the next question: the socket is given up.
 */
static int ask(struct vw_rtask *t, const struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	static mnl_cb_t control[NLMSG_MIN_TYPE] = {
		[NLMSG_DONE] = on_done, [NLMSG_ERROR] = on_error};
	unsigned seq = nlh->nlmsg_seq;
	bool give_up = nlh->nlmsg_flags & NLM_F_DUMP;
	int r = put_question(t, nlh);

	if (r < 0)
		return r;
	for (r = MNL_CB_OK; r == MNL_CB_OK;) {
		ssize_t n = receive(t);

		if (n < 0) {
			give_up = true;
			r = (int)n;
			break;
		}
		r = mnl_cb_run2(t->buf, (size_t)n, seq, mnl_socket_get_portid(t->sock), cb, data,
				control, VW_ARRAY_SIZE(control));
		if (r < 0)
			r = -errno;
	}
	if (r < 0 && give_up)
		(void)reopen(t); /* or the next question does */
	return r < 0 ? r : 0;
}

/* Asks for all of something until nothing changed meanwhile. */
int vw_rtask_dump(struct vw_rtask *t, uint16_t type, mnl_cb_t cb, void (*reset)(void *data),
		  void *data)
{
	int r = -EINTR;

	for (int i = 0; r == -EINTR && i < DUMPS_MAX; i++) {
		struct nlmsghdr *nlh = question(t, type, NLM_F_DUMP);

		if (type == RTM_GETLINK) {
			mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
			mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
		} else {
			mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
		}
		reset(data);
		r = ask(t, nlh, cb, data);
	}
	return r;
}

static int on_nsid(const struct nlmsghdr *nlh, void *data)
{
	(void)vw_nsid_parse(nlh, data);
	return MNL_CB_OK;
}

int vw_rtask_nsid_of_pid(struct vw_rtask *t, int pid, int *ret_nsid)
{
	struct nlmsghdr *nlh = question(t, RTM_GETNSID, NLM_F_ACK);
	int nsid = -1, r;

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct rtgenmsg));
	mnl_attr_put_u32(nlh, NETNSA_PID, (uint32_t)pid);
	r = ask(t, nlh, on_nsid, &nsid);
	if (r)
		return r;
	if (nsid < 0)
		return -ENOENT;
	*ret_nsid = nsid;
	return 0;
}

struct inside {
	struct vw_inner_link *to;
	size_t n, max;
};

static int on_inside(const struct nlmsghdr *nlh, void *data)
{
	struct inside *in = data;
	struct vw_link k;

	if (!vw_links_parse(nlh, &k))
		return MNL_CB_OK;
	if (in->n >= in->max) {
		errno = E2BIG;
		return MNL_CB_ERROR;
	}
	in->to[in->n] = (struct vw_inner_link){.ifindex = k.ifindex, .peer = k.peer, .mac = k.mac};
	memcpy(in->to[in->n++].name, k.name, sizeof(k.name));
	return MNL_CB_OK;
}

int vw_rtask_inside(struct vw_rtask *t, int nsid, struct vw_inner_link *ret, size_t max,
		    size_t *ret_n)
{
	struct inside in = {.to = ret, .max = max};
	int r = -EINTR;

	for (int i = 0; r == -EINTR && i < DUMPS_MAX; i++) {
		struct nlmsghdr *nlh = question(t, RTM_GETLINK, NLM_F_DUMP);

		mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
		mnl_attr_put_u32(nlh, IFLA_TARGET_NETNSID, (uint32_t)nsid);
		mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
		in.n = 0;
		r = ask(t, nlh, on_inside, &in);
	}
	if (!r || r == -E2BIG)
		*ret_n = in.n;
	return r;
}

int vw_rtask_link(struct vw_rtask *t, int nsid, unsigned ifindex, struct vw_inner_link *ret)
{
	struct nlmsghdr *nlh = question(t, RTM_GETLINK, NLM_F_ACK);
	struct vw_inner_link inner;
	struct inside in = {.to = &inner, .max = 1};
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	int r;

	ifi->ifi_index = (int)ifindex;
	mnl_attr_put_u32(nlh, IFLA_TARGET_NETNSID, (uint32_t)nsid);
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = ask(t, nlh, on_inside, &in);
	if (!r && !in.n)
		r = -ENODEV;
	if (!r)
		*ret = inner;
	return r;
}
