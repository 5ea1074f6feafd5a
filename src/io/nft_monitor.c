/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One socket on NFNLGRP_NFTABLES. A transaction of a thousand walls is tens of megabytes of
 * notifications, so those of our own are dropped in the kernel by a filter on the sender's port,
 * which nobody can forge: nf_tables writes it into each message (nfnl_msg_put). All messages of one
 * datagram are of one transaction (nft_commit_notify). */
#include "vethwall/nft_monitor.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <stddef.h>
#include <sys/socket.h>

#include "vethwall/cleanup.h"

#define RCVBUF (32 << 20) /* `nft flush ruleset` at 1,000 walls: some 20 MiB */
#define RECV_BYTES (64u << 10)
#define READS_MAX 64 /* per turn of the loop; a datagram holds some ten changes */

struct vw_nft_monitor {
	struct mnl_socket *nl;
	_Alignas(8) uint8_t buf[RECV_BYTES];
};

void vw_nft_monitor_free(struct vw_nft_monitor **mp)
{
	if (*mp && (*mp)->nl)
		mnl_socket_close((*mp)->nl);
	free(*mp);
	*mp = NULL;
}

int vw_nft_monitor_fd(const struct vw_nft_monitor *m)
{
	return mnl_socket_get_fd(m->nl);
}

static int filter_own(int fd, uint32_t own)
{
	/* The filter's loads are in network order, nlmsg_pid is in the host's. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog prog = {.len = VW_ARRAY_SIZE(code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

static int monitor_open(struct vw_nft_monitor *m, uint32_t own)
{
	const int size = RCVBUF, group = NFNLGRP_NFTABLES;
	int fd, r;

	m->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!m->nl || mnl_socket_bind(m->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	fd = mnl_socket_get_fd(m->nl);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	r = filter_own(fd, own);
	if (r)
		return r;
	return mnl_socket_setsockopt(m->nl, NETLINK_ADD_MEMBERSHIP, (void *)&group, sizeof(group)) <
			       0
		       ? -errno
		       : 0;
}

int vw_nft_monitor_open(uint32_t own, struct vw_nft_monitor **ret, struct vw_diag *d)
{
	_cleanup_(vw_nft_monitor_free) struct vw_nft_monitor *m = calloc(1, sizeof(*m));
	int r = m ? monitor_open(m, own) : -ENOMEM;

	if (r) {
		vw_error(d, NULL, "cannot listen to changes of nf_tables: %s", strerror(-r));
		return r;
	}
	*ret = TAKE_PTR(m);
	return 0;
}

int vw_nft_monitor_process(struct vw_nft_monitor *m,
			   void (*cb)(const struct vw_nft_event *e, void *arg), void *arg)
{
	for (int i = 0; i < READS_MAX; i++) {
		struct sockaddr_nl from = {0};
		socklen_t len = sizeof(from);
		ssize_t got = recvfrom(mnl_socket_get_fd(m->nl), m->buf, sizeof(m->buf), MSG_TRUNC,
				       (struct sockaddr *)&from, &len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (len != sizeof(from) || from.nl_pid) /* not from the kernel */
			continue;
		if ((size_t)got > sizeof(m->buf))
			return -ENOBUFS; /* cut: as good as lost */
		vw_nft_decode_events(m->buf, (size_t)got, cb, arg);
	}
	return 1;
}
