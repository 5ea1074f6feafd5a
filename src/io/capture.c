/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libpcap's nflog:GROUP as a descriptor for the loop. libpcap reads the socket and knows the
 * messages; we add what it does not ask the kernel for: a large queue, and delivery within a
 * hundredth of a second. Decides nothing. */
#include "vethwall/capture.h"
#include "vethwall/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* libpcap's read buffer is this and 128 bytes; the kernel packs several messages into one datagram.
 */
#define SNAPLEN 262144
/* 1/100 s. The kernel's default holds messages back for up to a second (NFULNL_TIMEOUT_DEFAULT in
 * net/netfilter/nfnetlink_log.c). */
#define FLUSH_TIMEOUT 1
#define FLUSH_COUNT 32

struct vw_capture {
	pcap_t *pcap;
	int fd;
	uint16_t group;
	unsigned overruns_seen; /* of libpcap's 32-bit counter */
	uint64_t overruns;
	vw_capture_cb cb;
	void *arg;
};

void vw_capture_free(struct vw_capture **c)
{
	if (!*c)
		return;
	if ((*c)->pcap)
		pcap_close((*c)->pcap);
	free(*c);
	*c = NULL;
}

/* One u32 setting of the group, on libpcap's own socket: the group belongs to it. No
 * acknowledgement is asked for, libpcap would have to read it. */
static int configure(int fd, uint16_t group, uint16_t attr, uint32_t value)
{
	struct {
		struct nlmsghdr nlh;
		struct nfgenmsg nfg;
		struct nlattr nla;
		uint32_t value;
	} msg = {
		.nlh = {.nlmsg_len = sizeof(msg),
			.nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG,
			.nlmsg_flags = NLM_F_REQUEST},
		.nfg = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(group)},
		.nla = {.nla_len = sizeof(struct nlattr) + sizeof(uint32_t), .nla_type = attr},
		.value = htonl(value),
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (sendto(fd, &msg, sizeof(msg), 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

static int activate_error(int status, const char *text)
{
	if (status == PCAP_ERROR_PERM_DENIED || strstr(text, strerror(EPERM)))
		return -EPERM;
	return strstr(text, strerror(EBUSY)) ? -EBUSY : -EIO;
}

static int start(struct vw_capture *c, uint16_t group, size_t buffer, struct vw_diag *d)
{
	char err[PCAP_ERRBUF_SIZE] = "", dev[32];
	int size = buffer > INT32_MAX / 2 ? INT32_MAX / 2 : (int)buffer, status, r;

	snprintf(dev, sizeof(dev), "nflog:%u", group);
	c->pcap = pcap_create(dev, err);
	if (!c->pcap) {
		vw_error(d, NULL, "%s: %s", dev, err);
		return -ENOMEM;
	}
	pcap_set_snaplen(c->pcap, SNAPLEN);
	pcap_set_buffer_size(c->pcap, size);
	pcap_set_immediate_mode(c->pcap, 1);
	status = pcap_activate(c->pcap);
	if (status < 0) {
		r = activate_error(status, pcap_geterr(c->pcap));
		vw_error(d, NULL, "cannot listen to %s: %s%s", dev, pcap_geterr(c->pcap),
			 r == -EBUSY ? " (another program listens to the group)" : "");
		return r;
	}
	if (pcap_datalink(c->pcap) != DLT_NFLOG && pcap_set_datalink(c->pcap, DLT_NFLOG)) {
		vw_error(d, NULL, "%s: %s", dev, pcap_geterr(c->pcap));
		return -EOPNOTSUPP;
	}
	c->fd = pcap_get_selectable_fd(c->pcap);
	if (c->fd < 0 || pcap_setnonblock(c->pcap, 1, err)) {
		vw_error(d, NULL, "%s: %s", dev, err);
		return -EIO;
	}
	/* libpcap leaves the netlink queue as it is; without FORCE net.core.rmem_max would cut
	 * ours. */
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	r = configure(c->fd, group, NFULA_CFG_TIMEOUT, FLUSH_TIMEOUT);
	return r ? r : configure(c->fd, group, NFULA_CFG_QTHRESH, FLUSH_COUNT);
}

int vw_capture_open(uint16_t group, size_t buffer, struct vw_capture **ret, struct vw_diag *d)
{
	_cleanup_(vw_capture_free) struct vw_capture *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->group = group;
	r = start(c, group, buffer, d);
	if (r)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

int vw_capture_at_once(struct vw_capture *c)
{
	return configure(c->fd, c->group, NFULA_CFG_QTHRESH, 1);
}

int vw_capture_fd(const struct vw_capture *c)
{
	return c->fd;
}

static void on_packet(u_char *user, const struct pcap_pkthdr *h, const u_char *bytes)
{
	struct vw_capture *c = (struct vw_capture *)(void *)user;

	c->cb(bytes, h->caplen, c->arg);
}

/* libpcap counts a read that failed with ENOBUFS and reads on; its counter is the only sign. */
static void note_overruns(struct vw_capture *c)
{
	struct pcap_stat st;

	if (pcap_stats(c->pcap, &st))
		return;
	c->overruns += (unsigned)(st.ps_drop - c->overruns_seen);
	c->overruns_seen = st.ps_drop;
}

int vw_capture_read(struct vw_capture *c, unsigned batches, vw_capture_cb cb, void *arg)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	int frames = 0, r = 0, err = 0;

	c->cb = cb;
	c->arg = arg;
	/* An empty socket would be an error to libpcap, so it is asked only when there is
	 * something. */
	for (unsigned i = 0; i < batches && poll(&p, 1, 0) > 0; i++) {
		errno = 0; /* libpcap looks at errno after successful reads, too */
		r = pcap_dispatch(c->pcap, -1, on_packet, (u_char *)c);
		err = errno;
		if (r < 0)
			break;
		frames += r;
	}
	note_overruns(c);
	if (r < 0 && err != EAGAIN && err != EINTR)
		return err ? -err : -EIO;
	return frames;
}

uint64_t vw_capture_overruns(const struct vw_capture *c)
{
	return c->overruns;
}
