/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnetlink messages -> plain values, each attribute checked for its length before it is read.
 * Keeps nothing. */
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "io/links_parse.h"

static bool u32_of(const struct nlattr *a, unsigned *ret)
{
	if (mnl_attr_get_payload_len(a) < sizeof(uint32_t))
		return false;
	*ret = mnl_attr_get_u32(a);
	return true;
}

/* The kind of IFLA_LINKINFO: "veth", "bridge", or "". */
static void kind_of(const struct nlattr *info, struct vw_link *k)
{
	struct nlattr *a;

	mnl_attr_for_each_nested (a, info) {
		if (mnl_attr_get_type(a) != IFLA_INFO_KIND ||
		    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) < 0)
			continue;
		k->veth = !strcmp(mnl_attr_get_str(a), "veth");
		k->bridge = !strcmp(mnl_attr_get_str(a), "bridge");
	}
}

static void link_attr(const struct nlattr *a, struct vw_link *k)
{
	unsigned v;

	switch (mnl_attr_get_type(a)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0 &&
		    mnl_attr_get_payload_len(a) <= sizeof(k->name))
			strcpy(k->name, mnl_attr_get_str(a));
		break;
	case IFLA_MASTER:
		(void)u32_of(a, &k->master);
		break;
	case IFLA_LINK:
		(void)u32_of(a, &k->peer);
		break;
	case IFLA_LINK_NETNSID:
		if (u32_of(a, &v))
			k->nsid = (int)v;
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(a) == sizeof(k->mac.b))
			memcpy(k->mac.b, mnl_attr_get_payload(a), sizeof(k->mac.b));
		break;
	case IFLA_CARRIER:
		if (mnl_attr_get_payload_len(a) >= 1)
			k->carrier = mnl_attr_get_u8(a);
		break;
	case IFLA_LINKINFO:
		kind_of(a, k);
		break;
	default:
		break;
	}
}

bool vw_links_parse(const struct nlmsghdr *nlh, struct vw_link *ret)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct vw_link k = {.nsid = -1};
	struct nlattr *a;

	if (nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK)
		return false;
	/* PF_BRIDGE: a port joins or leaves its bridge, the link itself stays. */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) || ifi->ifi_family != AF_UNSPEC ||
	    ifi->ifi_index <= 0)
		return false;
	mnl_attr_for_each (a, nlh, sizeof(*ifi))
		link_attr(a, &k);
	/* Partial ones (wireless events, net/wireless/wext-core.c) bring no name. */
	if (!k.name[0])
		return false;
	k.ifindex = (unsigned)ifi->ifi_index;
	k.up = ifi->ifi_flags & IFF_UP;
	*ret = k;
	return true;
}

bool vw_hostaddr_parse(const struct nlmsghdr *nlh, struct vw_hostaddr *ret)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct vw_hostaddr h = {};
	const struct nlattr *local = NULL, *address = NULL, *pick;
	struct nlattr *a;

	if ((nlh->nlmsg_type != RTM_NEWADDR && nlh->nlmsg_type != RTM_DELADDR) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa))
		return false;
	mnl_attr_for_each (a, nlh, sizeof(*ifa)) {
		if (mnl_attr_get_type(a) == IFA_LOCAL)
			local = a;
		else if (mnl_attr_get_type(a) == IFA_ADDRESS)
			address = a;
	}
	/* With a peer, IFA_ADDRESS is the peer's (linux/if_addr.h). */
	pick = local ? local : address;
	h.addr.family = ifa->ifa_family == AF_INET ? 4 : ifa->ifa_family == AF_INET6 ? 6 : 0;
	if (!h.addr.family || !pick || mnl_attr_get_payload_len(pick) != vw_addr_len(&h.addr))
		return false;
	memcpy(h.addr.b, mnl_attr_get_payload(pick), vw_addr_len(&h.addr));
	h.ifindex = ifa->ifa_index;
	*ret = h;
	return true;
}

bool vw_nsid_parse(const struct nlmsghdr *nlh, int *ret)
{
	struct nlattr *a;
	unsigned v;

	if ((nlh->nlmsg_type != RTM_NEWNSID && nlh->nlmsg_type != RTM_DELNSID) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct rtgenmsg))
		return false;
	mnl_attr_for_each (a, nlh, sizeof(struct rtgenmsg)) {
		if (mnl_attr_get_type(a) == NETNSA_NSID && u32_of(a, &v)) {
			*ret = (int)v;
			return true;
		}
	}
	return false;
}

int vw_hostaddr_cmp(const struct vw_hostaddr *a, const struct vw_hostaddr *b)
{
	int r = vw_addr_cmp(&a->addr, &b->addr);

	return r ? r : (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);
}
