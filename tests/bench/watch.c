/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When links appear and when chains come into force, in this network namespace, as the kernel tells
 * everyone: RTNLGRP_LINK and NFNLGRP_NFTABLES (sent after the transaction is in force). One line
 * each: "link IFINDEX NAME NS" the first time, "chain NAME NS", "generation PROCESS NS" for each
 * transaction; NS is CLOCK_MONOTONIC. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define BUFFER (64 << 20) /* bytes the kernel may queue: a wall is some hundred messages */

static long long now; /* when the message was read */
static int highest; /* ifindex seen so far; the kernel counts upward */

static long long now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "watch: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a;

	(void)arg;
	if (nlh->nlmsg_type != RTM_NEWLINK || ifi->ifi_index <= highest)
		return MNL_CB_OK;
	highest = ifi->ifi_index;
	mnl_attr_for_each (a, nlh, sizeof(*ifi))
		if (mnl_attr_get_type(a) == IFLA_IFNAME)
			printf("link %d %s %lld\n", highest, mnl_attr_get_str(a), now);
	return MNL_CB_OK;
}

static int on_chain(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *a;

	(void)arg;
	if (nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN))
		mnl_attr_for_each (a, nlh, sizeof(struct nfgenmsg))
			if (mnl_attr_get_type(a) == NFTA_GEN_PROC_NAME)
				printf("generation %s %lld\n", mnl_attr_get_str(a), now);
	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN))
		return MNL_CB_OK;
	mnl_attr_for_each (a, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(a) == NFTA_CHAIN_NAME)
			printf("chain %s %lld\n", mnl_attr_get_str(a), now);
	return MNL_CB_OK;
}

static struct mnl_socket *listen_to(int bus, int group)
{
	struct mnl_socket *s = mnl_socket_open(bus);
	int size = BUFFER;

	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(s, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		die("netlink");
	if (setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		die("SO_RCVBUFFORCE");
	return s;
}

static void receive(struct mnl_socket *s, mnl_cb_t cb)
{
	static char buf[65536];
	ssize_t n = mnl_socket_recvfrom(s, buf, sizeof(buf));

	now = now_ns();
	if (n < 0 && errno == ENOBUFS)
		puts("lost");
	else if (n < 0)
		die("recv");
	else
		(void)mnl_cb_run(buf, (size_t)n, 0, 0, cb, NULL);
}

int main(void)
{
	struct mnl_socket *links = listen_to(NETLINK_ROUTE, RTNLGRP_LINK);
	struct mnl_socket *chains = listen_to(NETLINK_NETFILTER, NFNLGRP_NFTABLES);
	struct pollfd p[2] = {{.fd = mnl_socket_get_fd(links), .events = POLLIN},
			      {.fd = mnl_socket_get_fd(chains), .events = POLLIN}};

	(void)setpriority(PRIO_PROCESS, 0, -20);
	puts("ready");
	for (;;) {
		(void)fflush(stdout);
		if (poll(p, 2, -1) < 0)
			die("poll");
		if (p[0].revents)
			receive(links, on_link);
		if (p[1].revents)
			receive(chains, on_chain);
	}
}
