/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links and addresses by rtnetlink: one socket that listens, one that asks. Kept by ifindex, which
 * the kernel does not reuse as it does names and nsids. Knows nothing of containers. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "io/links_ask.h"
#include "io/links_parse.h"
#include "vethwall/cleanup.h"
#include "vethwall/links.h"
#include "vethwall/loop.h"
#include "vethwall/world.h"

#define BUCKETS 4096
#define LINKS_MAX 65536
#define RCVBUF (16 << 20) /* 1,000 veths made at once: about 4 MiB of notifications */
#define READS_MAX 256 /* per turn of the loop */

struct node {
	struct vw_link link;
	struct node *next;
	bool seen; /* by the dump that is being merged */
};

struct vw_links {
	struct mnl_socket *events;
	struct vw_rtask *ask;
	vw_link_cb cb;
	void *arg;
	size_t n;
	VW_VEC(struct vw_hostaddr) raw; /* as the kernel has them, sorted */
	VW_VEC(struct vw_addr) addrs; /* what is shown */
	bool addrs_dirty;
	bool stale; /* some event was lost, or could not be taken in */
	_Alignas(8) uint8_t event_buf[VW_RTASK_BUF];
	struct node *buckets[BUCKETS];
};

static struct node **slot(const struct vw_links *l, unsigned ifindex)
{
	struct node **at = (struct node **)&l->buckets[ifindex % BUCKETS];

	while (*at && (*at)->link.ifindex != ifindex)
		at = &(*at)->next;
	return at;
}

const struct vw_link *vw_links_get(const struct vw_links *l, unsigned ifindex)
{
	const struct node *n = *slot(l, ifindex);

	return n ? &n->link : NULL;
}

const struct vw_link *vw_links_next(const struct vw_links *l, const struct vw_link *prev)
{
	size_t b = 0;

	if (prev) {
		const struct node *n = *slot(l, prev->ifindex);

		if (n && n->next)
			return &n->next->link;
		b = prev->ifindex % BUCKETS + 1;
	}
	for (; b < BUCKETS; b++)
		if (l->buckets[b])
			return &l->buckets[b]->link;
	return NULL;
}

const struct vw_link *vw_links_by_name(const struct vw_links *l, const char *name)
{
	for (const struct vw_link *k = vw_links_next(l, NULL); k; k = vw_links_next(l, k))
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

const struct vw_addr *vw_links_addrs(const struct vw_links *l, size_t *ret_n)
{
	*ret_n = l->addrs.n;
	return l->addrs.v;
}

static void tell(struct vw_links *l, enum vw_link_event ev, const struct vw_link *k)
{
	if (l->cb)
		l->cb(ev, k, l->arg);
}

static bool link_equal(const struct vw_link *a, const struct vw_link *b)
{
	return a->master == b->master && a->peer == b->peer && a->nsid == b->nsid &&
	       a->veth == b->veth && a->bridge == b->bridge && a->up == b->up &&
	       a->carrier == b->carrier && !strcmp(a->name, b->name) &&
	       !memcmp(&a->mac, &b->mac, sizeof(a->mac));
}

/* Puts what the kernel said into the table and tells whether it is news. */
static int link_put(struct vw_links *l, const struct vw_link *k, bool notify)
{
	struct node **at = slot(l, k->ifindex), *n = *at;
	bool is_new = !n;
	int64_t seen_ns;

	if (n && link_equal(&n->link, k)) {
		n->seen = true;
		return 0;
	}
	if (is_new) {
		if (l->n >= LINKS_MAX)
			return -ENOSPC;
		n = calloc(1, sizeof(*n));
		if (!n)
			return -ENOMEM;
		n->link.seen_ns = vw_now_ns();
		*at = n;
		l->n++;
	}
	if (n->link.master != k->master)
		l->addrs_dirty = true;
	seen_ns = n->link.seen_ns;
	n->link = *k;
	n->link.seen_ns = seen_ns;
	n->seen = true;
	if (notify)
		tell(l, is_new ? VW_LINK_NEW : VW_LINK_CHANGED, &n->link);
	return 0;
}

static void link_drop(struct vw_links *l, unsigned ifindex)
{
	struct node **at = slot(l, ifindex), *n = *at;

	if (!n)
		return;
	*at = n->next;
	l->n--;
	tell(l, VW_LINK_GONE, &n->link);
	free(n);
}

/* The nsid may name another namespace from here on; no veth leads there any more. */
static void nsid_drop(struct vw_links *l, int nsid)
{
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct node *n = l->buckets[b]; n; n = n->next)
			if (n->link.nsid == nsid) {
				n->link.nsid = -1;
				tell(l, VW_LINK_CHANGED, &n->link);
			}
}

/* Position of the first entry that is not before h. */
static size_t addr_find(const struct vw_links *l, const struct vw_hostaddr *h)
{
	size_t lo = 0, hi = l->raw.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (vw_hostaddr_cmp(&l->raw.v[mid], h) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int addr_put(struct vw_links *l, const struct vw_hostaddr *h)
{
	size_t at = addr_find(l, h);
	int r;

	if (at < l->raw.n && !vw_hostaddr_cmp(&l->raw.v[at], h))
		return 0;
	r = vw_vec_push(&l->raw, *h, VW_HOST_ADDRS_MAX);
	if (r)
		return r;
	memmove(&l->raw.v[at + 1], &l->raw.v[at], (l->raw.n - 1 - at) * sizeof(*h));
	l->raw.v[at] = *h;
	l->addrs_dirty = true;
	return 0;
}

static void addr_drop(struct vw_links *l, const struct vw_hostaddr *h)
{
	size_t at = addr_find(l, h);

	if (at >= l->raw.n || vw_hostaddr_cmp(&l->raw.v[at], h))
		return;
	l->raw.n--;
	memmove(&l->raw.v[at], &l->raw.v[at + 1], (l->raw.n - at) * sizeof(*h));
	l->addrs_dirty = true;
}

/* A bridge port's own link-local address answers to nobody (the bridge takes its frames), and each
 * new container would bring one. */
static bool is_shown(const struct vw_links *l, const struct vw_hostaddr *h)
{
	const struct vw_link *k = vw_links_get(l, h->ifindex);

	if (vw_addr_is_loopback(&h->addr))
		return false;
	return !(k && k->master && vw_addr_is_link_local(&h->addr));
}

/* Makes the shown list anew; tells when it differs. */
static int addrs_show(struct vw_links *l, bool notify)
{
	__typeof__(l->addrs) now = {};
	bool same;

	l->addrs_dirty = false;
	vw_vec_foreach (h, &l->raw) {
		int r;

		if (!is_shown(l, h) || (now.n && vw_addr_eq(&now.v[now.n - 1], &h->addr)))
			continue;
		r = vw_vec_push(&now, h->addr, VW_HOST_ADDRS_MAX);
		if (r) {
			vw_vec_done(&now);
			l->addrs_dirty = true;
			return r;
		}
	}
	same = now.n == l->addrs.n;
	for (size_t i = 0; same && i < now.n; i++)
		same = vw_addr_eq(&now.v[i], &l->addrs.v[i]);
	vw_vec_done(&l->addrs);
	l->addrs = now;
	if (notify && !same)
		tell(l, VW_LINK_ADDRS, NULL);
	return 0;
}

struct link_list {
	VW_VEC(struct vw_link) list;
};

struct addr_list {
	VW_VEC(struct vw_hostaddr) list;
};

static int on_dumped_link(const struct nlmsghdr *nlh, void *data)
{
	struct link_list *to = data;
	struct vw_link k;
	int r = vw_links_parse(nlh, &k) ? vw_vec_push(&to->list, k, LINKS_MAX) : 0;

	errno = -r;
	return r ? MNL_CB_ERROR : MNL_CB_OK;
}

static int on_dumped_addr(const struct nlmsghdr *nlh, void *data)
{
	struct addr_list *to = data;
	struct vw_hostaddr h;
	int r = vw_hostaddr_parse(nlh, &h) ? vw_vec_push(&to->list, h, VW_HOST_ADDRS_MAX) : 0;

	errno = -r;
	return r ? MNL_CB_ERROR : MNL_CB_OK;
}

static void reset_links(void *data)
{
	((struct link_list *)data)->list.n = 0;
}

static void reset_addrs(void *data)
{
	((struct addr_list *)data)->list.n = 0;
}

static void drop_unseen(struct vw_links *l)
{
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct node *n = l->buckets[b], *next; n; n = next) {
			next = n->next;
			if (!n->seen)
				link_drop(l, n->link.ifindex);
		}
}

/* Whatever the table says, make it say what the dump says. What is gone goes first, so that a name
 * never belongs to two. */
static int merge_links(struct vw_links *l, const struct link_list *from, bool notify)
{
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct node *n = l->buckets[b]; n; n = n->next)
			n->seen = false;
	vw_vec_foreach (k, &from->list) {
		struct node *n = *slot(l, k->ifindex);

		if (n)
			n->seen = true;
	}
	drop_unseen(l);
	vw_vec_foreach (k, &from->list) {
		int r = link_put(l, k, notify);

		if (r)
			return r;
	}
	return 0;
}

static int read_all(struct vw_links *l, bool notify)
{
	struct link_list links = {};
	struct addr_list addrs = {};
	int r = vw_rtask_dump(l->ask, RTM_GETLINK, on_dumped_link, reset_links, &links);

	if (!r)
		r = vw_rtask_dump(l->ask, RTM_GETADDR, on_dumped_addr, reset_addrs, &addrs);
	if (!r)
		r = merge_links(l, &links, notify);
	if (!r) {
		l->raw.n = 0;
		vw_vec_foreach (h, &addrs.list) {
			r = addr_put(l, h);
			if (r)
				break;
		}
	}
	if (!r)
		r = addrs_show(l, notify);
	vw_vec_done(&links.list);
	vw_vec_done(&addrs.list);
	return r;
}

static int on_event(const struct nlmsghdr *nlh, void *data)
{
	struct vw_links *l = data;
	struct vw_hostaddr h;
	struct vw_link k;
	int nsid, r = 0;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
		r = vw_links_parse(nlh, &k) ? link_put(l, &k, true) : 0;
		break;
	case RTM_DELLINK:
		if (vw_links_parse(nlh, &k))
			link_drop(l, k.ifindex);
		break;
	case RTM_NEWADDR:
		r = vw_hostaddr_parse(nlh, &h) ? addr_put(l, &h) : 0;
		break;
	case RTM_DELADDR:
		if (vw_hostaddr_parse(nlh, &h))
			addr_drop(l, &h);
		break;
	case RTM_DELNSID:
		if (vw_nsid_parse(nlh, &nsid) && nsid >= 0)
			nsid_drop(l, nsid);
		break;
	default:
		break;
	}
	errno = -r;
	return r ? MNL_CB_ERROR : MNL_CB_OK;
}

/* One message block: > 0 there may be more, 0 nothing is there, -errno; -ENOBUFS: some were lost.
 */
static int read_events(struct vw_links *l)
{
	struct sockaddr_nl from = {};
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(mnl_socket_get_fd(l->events), l->event_buf, sizeof(l->event_buf),
			     MSG_DONTWAIT, (struct sockaddr *)&from, &len);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (len != sizeof(from) || from.nl_pid) /* not from the kernel */
		return 1;
	return mnl_cb_run(l->event_buf, (size_t)n, 0, 0, on_event, l) < 0 ? -errno : 1;
}

int vw_links_process(struct vw_links *l)
{
	int r = 1;

	for (int i = 0; r > 0 && i < READS_MAX; i++)
		r = read_events(l);
	l->stale |= r < 0;
	if (!l->stale)
		return l->addrs_dirty ? addrs_show(l, true) : 0;
	r = read_all(l, true);
	if (r < 0)
		return r;
	l->stale = false;
	tell(l, VW_LINK_RESYNC, NULL);
	return 0;
}

static int events_open(struct vw_links *l)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				     RTNLGRP_NSID};
	int size = RCVBUF, fd;

	l->events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!l->events || mnl_socket_bind(l->events, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	fd = mnl_socket_get_fd(l->events);
	/* Without CAP_NET_ADMIN as much as net.core.rmem_max grants. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (size_t i = 0; i < VW_ARRAY_SIZE(groups); i++) {
		int g = groups[i];

		if (mnl_socket_setsockopt(l->events, NETLINK_ADD_MEMBERSHIP, &g, sizeof(g)) < 0)
			return -errno;
	}
	return 0;
}

int vw_links_open(vw_link_cb cb, void *arg, struct vw_links **ret, struct vw_diag *d)
{
	_cleanup_(vw_links_free) struct vw_links *l = calloc(1, sizeof(*l));
	const char *what = "listening to rtnetlink";
	int r;

	if (!l)
		return -ENOMEM;
	r = events_open(l);
	if (!r) {
		what = "asking rtnetlink (NETLINK_GET_STRICT_CHK needs Linux 4.20)";
		r = vw_rtask_open(&l->ask);
	}
	if (!r) {
		what = "reading links and addresses";
		r = read_all(l, false);
	}
	if (r) {
		vw_error(d, NULL, "%s: %s", what, strerror(-r));
		return r;
	}
	l->cb = cb;
	l->arg = arg;
	*ret = TAKE_PTR(l);
	return 0;
}

void vw_links_free(struct vw_links **lp)
{
	struct vw_links *l = *lp;

	if (!l)
		return;
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct node *n = l->buckets[b], *next; n; n = next) {
			next = n->next;
			free(n);
		}
	if (l->events)
		mnl_socket_close(l->events);
	vw_rtask_free(&l->ask);
	vw_vec_done(&l->raw);
	vw_vec_done(&l->addrs);
	free(l);
	*lp = NULL;
}

int vw_links_fd(const struct vw_links *l)
{
	return mnl_socket_get_fd(l->events);
}

int vw_links_nsid_of_pid(struct vw_links *l, int pid, int *ret_nsid)
{
	return vw_rtask_nsid_of_pid(l->ask, pid, ret_nsid);
}

int vw_links_inside(struct vw_links *l, int nsid, struct vw_inner_link *ret, size_t max,
		    size_t *ret_n)
{
	return vw_rtask_inside(l->ask, nsid, ret, max, ret_n);
}

int vw_links_peer(struct vw_links *l, const struct vw_link *veth, struct vw_inner_link *ret)
{
	return vw_rtask_link(l->ask, veth->nsid, veth->peer, ret);
}
