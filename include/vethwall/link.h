/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links and runtime networks as plain values: what io reads and core decides on. */
#ifndef VETHWALL_LINK_H
#define VETHWALL_LINK_H

#include <net/if.h>

#include "vethwall/addr.h"

/* A link of this network namespace. */
struct vw_link {
	unsigned ifindex, master; /* master: ifindex of the bridge, 0 none */
	unsigned peer; /* IFLA_LINK: the other end's ifindex in its own namespace */
	int nsid; /* IFLA_LINK_NETNSID, -1: none */
	char name[IFNAMSIZ];
	bool veth, bridge, up, carrier;
	struct vw_mac mac;
	int64_t seen_ns; /* CLOCK_MONOTONIC when its first RTM_NEWLINK was read */
};

/* A link inside another namespace. */
struct vw_inner_link {
	unsigned ifindex, peer; /* peer: ifindex of the host side */
	struct vw_mac mac;
	char name[IFNAMSIZ];
};

/* A network whose bridge belongs to the runtime: veths on it that no workload claims are held. */
struct vw_network {
	char *name, *id;
	char *driver; /* "bridge", "macvlan", ... */
	char bridge[IFNAMSIZ]; /* "" when it has none */
};

#endif
