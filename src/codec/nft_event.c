/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notifications of nf_tables -> who changed what in our tables. Of an object only the name is read:
 * what it is now, the kernel is asked. Attribute numbers: linux/netfilter/nf_tables.h. */
#include "vethwall/nft_event.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "vethwall/cleanup.h"

#define ATTRS 8 /* those that are read have lower numbers */
#define ATTR_TABLE 1 /* NFTA_*_TABLE of every type, and NFTA_TABLE_NAME */

static const struct kind {
	enum vw_nft_change change;
	bool known;
	uint8_t name; /* attribute, 0: none */
} kinds[NFT_MSG_MAX] = {
	[NFT_MSG_NEWTABLE] = {VW_NFT_TABLE_SET, true},
	[NFT_MSG_DELTABLE] = {VW_NFT_TABLE_GONE, true},
	[NFT_MSG_NEWCHAIN] = {VW_NFT_CHAIN_SET, true, NFTA_CHAIN_NAME},
	[NFT_MSG_DELCHAIN] = {VW_NFT_CHAIN_GONE, true, NFTA_CHAIN_NAME},
	[NFT_MSG_NEWRULE] = {VW_NFT_RULE_SET, true, NFTA_RULE_CHAIN},
	[NFT_MSG_DELRULE] = {VW_NFT_RULE_GONE, true, NFTA_RULE_CHAIN},
	[NFT_MSG_NEWSET] = {VW_NFT_SET_SET, true, NFTA_SET_NAME},
	[NFT_MSG_DELSET] = {VW_NFT_SET_GONE, true, NFTA_SET_NAME},
	[NFT_MSG_NEWSETELEM] = {VW_NFT_ELEM_SET, true, NFTA_SET_ELEM_LIST_SET},
	[NFT_MSG_DELSETELEM] = {VW_NFT_ELEM_GONE, true, NFTA_SET_ELEM_LIST_SET},
	[NFT_MSG_NEWOBJ] = {VW_NFT_OTHER, true},
	[NFT_MSG_DELOBJ] = {VW_NFT_OTHER, true},
	[NFT_MSG_NEWFLOWTABLE] = {VW_NFT_OTHER, true},
	[NFT_MSG_DELFLOWTABLE] = {VW_NFT_OTHER, true},
	[NFT_MSG_NEWGEN] = {VW_NFT_GENERATION, true},
};

static int attr_cb(const struct nlattr *a, void *arg)
{
	const struct nlattr **v = arg;

	if (mnl_attr_get_type(a) < ATTRS)
		v[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

static const char *text(const struct nlattr *a)
{
	return a && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0 ? mnl_attr_get_str(a) : NULL;
}

static void generation(const struct nlattr *const *v, struct vw_nft_event *ret)
{
	const char *comm = text(v[NFTA_GEN_PROC_NAME]);

	if (v[NFTA_GEN_PROC_PID] && mnl_attr_get_payload_len(v[NFTA_GEN_PROC_PID]) == 4)
		ret->pid = ntohl(mnl_attr_get_u32(v[NFTA_GEN_PROC_PID]));
	if (comm)
		snprintf(ret->comm, sizeof(ret->comm), "%s", comm);
}

int vw_nft_decode_event(const struct nlmsghdr *nlh, struct vw_nft_event *ret)
{
	const struct nlattr *v[ATTRS] = {0};
	struct vw_nft_event e = {.portid = nlh->nlmsg_pid};
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(nlh);
	const struct kind *k;
	const char *name;

	if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*g)))
		return -EBADMSG;
	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return -ENOENT;
	if ((nlh->nlmsg_type & 0xff) >= VW_ARRAY_SIZE(kinds))
		return -ENOENT;
	k = &kinds[nlh->nlmsg_type & 0xff];
	if (!k->known)
		return -ENOENT;
	e.change = k->change;
	mnl_attr_parse(nlh, sizeof(*g), attr_cb, v);
	if (k->change == VW_NFT_GENERATION) {
		generation(v, &e);
		*ret = e;
		return 0;
	}
	if (g->nfgen_family != NFPROTO_NETDEV && g->nfgen_family != NFPROTO_BRIDGE)
		return -ENOENT;
	name = text(v[ATTR_TABLE]);
	if (!name)
		return -EBADMSG;
	if (strcmp(name, VW_TABLE) != 0)
		return -ENOENT;
	name = k->name ? text(v[k->name]) : NULL;
	if (name && strlen(name) < sizeof(e.name))
		memcpy(e.name, name, strlen(name));
	*ret = e;
	return 0;
}

void vw_nft_decode_events(const void *buf, size_t n,
			  void (*cb)(const struct vw_nft_event *e, void *arg), void *arg)
{
	const uint8_t *p = buf;

	/* mnl_nlmsg_ok() takes a length above INT_MAX for a short one. */
	while (n >= MNL_NLMSG_HDRLEN) {
		const struct nlmsghdr *nlh = (const void *)p;
		size_t len = nlh->nlmsg_len;
		struct vw_nft_event e;

		if (len < MNL_NLMSG_HDRLEN || MNL_ALIGN(len) > n)
			return;
		if (!vw_nft_decode_event(nlh, &e))
			cb(&e, arg);
		p += MNL_ALIGN(len);
		n -= MNL_ALIGN(len);
	}
}
