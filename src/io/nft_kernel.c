/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The changing side of nf_tables: owns the table, sends one transaction at a time, turns refusals
 * into words. The kernel handles a batch inside sendmsg() (nfnetlink_rcv_batch), so all answers are
 * in the socket when it returns and nothing here waits. */
#include "io/nft_kernel.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "codec/nft_encode.h"
#include "vethwall/cleanup.h"

#define BATCH_BYTES_MAX (512u << 20)
#define RCVBUF_BYTES (8 << 20) /* some thousand refusals of one batch */
#define DELETE_CHUNK 1024 /* keys per transaction of vw_nft_delete_keys */
#define OWNED (NFT_TABLE_F_OWNER | VW_NFT_TABLE_F_PERSIST)

void vw_nft_free(struct vw_nft **n)
{
	if (!*n)
		return;
	if ((*n)->own)
		mnl_socket_close((*n)->own);
	if ((*n)->read)
		mnl_socket_close((*n)->read);
	if ((*n)->lock_fd >= 0)
		close((*n)->lock_fd);
	free((*n)->buf);
	free(*n);
	*n = NULL;
}

static int open_socket(struct mnl_socket **ret)
{
	const int on = 1, bytes = RCVBUF_BYTES;
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int fd;

	if (!s)
		return -errno;
	*ret = s; /* the caller's cleanup closes it */
	fd = mnl_socket_get_fd(s);
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	/* Refusals with words, without the refused message. Helpful only: the kernels that matter
	 * do. */
	mnl_socket_setsockopt(s, NETLINK_EXT_ACK, (void *)&on, sizeof(on));
	mnl_socket_setsockopt(s, NETLINK_CAP_ACK, (void *)&on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return 0;
}

int vw_nft_open_read(struct vw_nft *n)
{
	int r = open_socket(&n->read);

	if (r && n->read) {
		mnl_socket_close(n->read);
		n->read = NULL;
	}
	return r;
}

int vw_nft_open(struct vw_nft **ret, struct vw_diag *d)
{
	_cleanup_(vw_nft_free) struct vw_nft *n = calloc(1, sizeof(*n));
	uint32_t gen;
	int r = -ENOMEM;

	if (n) {
		n->lock_fd = -1;
		n->seq = 1;
		n->buf = malloc(VW_NFT_RECV_BYTES);
		r = n->buf ? open_socket(&n->own) : -ENOMEM;
		if (!r)
			r = vw_nft_open_read(n);
	}
	if (r) {
		vw_error(d, NULL, "cannot open a netfilter netlink socket: %s%s", strerror(-r),
			 r == -EPROTONOSUPPORT ? " (the kernel lacks nfnetlink)" : "");
		return r;
	}
	r = vw_nft_generation(n, &gen);
	if (r == -EPERM)
		vw_error(d, NULL, "nf_tables: CAP_NET_ADMIN is missing (run as root)");
	else if (r)
		vw_error(d, NULL, "the kernel does not answer for nf_tables: %s (CONFIG_NF_TABLES)",
			 strerror(-r));
	if (r)
		return r;
	*ret = TAKE_PTR(n);
	return 0;
}

/* What came back for a batch. */
struct outcome {
	bool acked, lost; /* lost: the kernel had no room for some answer */
	size_t errors;
	struct vw_nft_reply first;
	bool *refused; /* of each operation, ENOENT only; or NULL */
	uint32_t seq; /* of the batch's begin */
	size_t n_ops, n_refused;
};

static void note_reply(struct outcome *o, const struct vw_nft_reply *reply)
{
	size_t i = reply->seq - o->seq - 1;

	if (reply->seq - o->seq > o->n_ops)
		return; /* of an earlier batch */
	if (!reply->err) {
		o->acked = true;
		return;
	}
	if (o->refused && reply->err == ENOENT && i < o->n_ops && !o->refused[i]) {
		o->refused[i] = true;
		o->n_refused++;
		return;
	}
	if (!o->errors++)
		o->first = *reply;
}

static int receive_replies(struct vw_nft *n, struct outcome *o)
{
	int fd = mnl_socket_get_fd(n->own);

	for (;;) {
		ssize_t got = recv(fd, n->buf, VW_NFT_RECV_BYTES, MSG_DONTWAIT);
		const struct nlmsghdr *nlh = (void *)n->buf;
		struct vw_nft_reply reply;
		int left = got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == ENOBUFS) {
			o->lost = true;
			continue;
		}
		if (got < 0)
			return errno == EAGAIN ? 0 : -errno;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			if (!vw_nft_decode_reply(nlh, &reply))
				note_reply(o, &reply);
	}
}

/* Sends the whole batch in one message and gathers the answers. */
static int transact(struct vw_nft *n, struct nftnl_batch *batch, struct outcome *o)
{
	size_t bytes = 0, pages = nftnl_batch_iovec_len(batch);
	_cleanup_free_ struct iovec *iov = calloc(pages, sizeof(*iov));
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct msghdr msg = {.msg_name = &kernel, .msg_namelen = sizeof(kernel)};
	int fd = mnl_socket_get_fd(n->own), sndbuf;

	if (!iov)
		return -ENOMEM;
	nftnl_batch_iovec(batch, iov, pages);
	for (size_t i = 0; i < pages; i++)
		bytes += iov[i].iov_len;
	if (bytes > BATCH_BYTES_MAX)
		return -E2BIG;
	/* netlink_sendmsg() wants the message to fit the send buffer; the kernel doubles what is
	 * set. */
	sndbuf = bytes + (64 << 10);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	msg.msg_iov = iov;
	msg.msg_iovlen = pages;
	while (sendmsg(fd, &msg, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return receive_replies(n, o);
}

static const char *const op_words[] = {
	[VW_OP_ADD_TABLE] = "add table",
	[VW_OP_DEL_TABLE] = "delete table",
	[VW_OP_ADD_SET] = "add set",
	[VW_OP_DEL_SET] = "delete set",
	[VW_OP_FLUSH_SET] = "flush set",
	[VW_OP_ADD_ELEMS] = "add elements to set",
	[VW_OP_DEL_ELEMS] = "delete elements of set",
	[VW_OP_ADD_CHAIN] = "add chain",
	[VW_OP_DEL_CHAIN] = "delete chain",
	[VW_OP_FLUSH_CHAIN] = "flush chain",
	[VW_OP_ADD_RULE] = "add rule to chain",
};

static void explain(const struct vw_oplist *ops, const struct outcome *o, struct vw_diag *d)
{
	size_t i = o->first.seq - o->seq - 1;
	const struct vw_op_ir *op = i < ops->list.n ? &ops->list.v[i] : NULL;
	const char *what = op && op->rule && op->rule->what ? op->rule->what : NULL;
	const char *name = !op	       ? ""
			   : op->set   ? op->set->name
			   : op->chain ? op->chain->name
				       : VW_TABLE;

	if (!op) /* the begin: what only shows when everything is put together (loops, depth) */
		vw_error(d, NULL, "nftables: the kernel refused the transaction as a whole: %s%s%s",
			 strerror(o->first.err), *o->first.text ? ": " : "", o->first.text);
	else
		vw_error(d, NULL, "nftables: the kernel refused to %s %s%s%s%s%s: %s%s%s",
			 op_words[op->type], name, op->chain && op->chain->base ? " on " : "",
			 op->chain && op->chain->base ? op->chain->dev : "", what ? ": " : "",
			 what ? what : "", strerror(o->first.err), *o->first.text ? ": " : "",
			 o->first.text);
	if (o->errors > 1)
		vw_diag_add(d, VW_NOTE, NULL, NULL, "nftables: %zu more operations were refused",
			    o->errors - 1);
}

/* Nothing came back, neither yes nor no: the generation tells. */
static int settle_lost(struct vw_nft *n, uint32_t before, struct vw_diag *d)
{
	uint32_t after;
	int r = vw_nft_generation(n, &after);

	if (!r && after == before) {
		vw_error(d, NULL, "nftables: the kernel had no memory for the transaction");
		return -ENOBUFS;
	}
	vw_error(d, NULL,
		 "nftables: the kernel did not say whether it took the transaction: read "
		 "the table again");
	return -EIO;
}

static int transaction(struct vw_nft *n, const struct vw_oplist *ops, uint32_t flags, bool commit,
		       struct vw_diag *d)
{
	_cleanup_(vw_diag_done) struct vw_diag unused = {0};
	struct outcome o = {.seq = n->seq, .n_ops = ops->list.n};
	struct nftnl_batch *batch = NULL;
	uint32_t before = 0;
	size_t bad = 0;
	int r;

	d = d ? d : &unused;
	n->refused = SIZE_MAX;
	if (!ops->list.n)
		return 0;
	r = vw_nft_generation(n, &before);
	if (!r)
		r = vw_nft_encode(ops, o.seq, flags, commit, &batch, &bad);
	if (!r) {
		n->seq += ops->list.n + 2;
		r = transact(n, batch, &o);
		nftnl_batch_free(batch);
	} else if (r == -EINVAL) {
		vw_error(d, NULL, "nftables: operation %zu cannot be encoded", bad);
		return r;
	}
	if (o.errors) {
		explain(ops, &o, d);
		n->refused = o.first.seq - o.seq - 1;
		return -o.first.err;
	}
	if (r) {
		vw_error(d, NULL, "nftables: cannot send a transaction: %s", strerror(-r));
		return r;
	}
	return o.acked ? 0 : settle_lost(n, before, d);
}

int vw_nft_commit(struct vw_nft *n, const struct vw_oplist *ops, struct vw_diag *d)
{
	return transaction(n, ops, n->table_flags, true, d);
}

size_t vw_nft_refused(const struct vw_nft *n)
{
	return n->refused;
}

int vw_nft_check(struct vw_nft *n, const struct vw_oplist *ops, struct vw_diag *d)
{
	return transaction(n, ops, n->table_flags, false, d);
}

/* One transaction without the keys that turned out to be gone; the kernel names them all at once.
 */
static int delete_chunk(struct vw_nft *n, const char *set, const uint8_t *keys, size_t klen,
			size_t count, struct vw_diag *d)
{
	bool gone[DELETE_CHUNK] = {0};
	size_t n_gone = 0;

	while (n_gone < count) {
		struct outcome o = {.seq = n->seq, .n_ops = count, .refused = gone};
		struct nftnl_batch *batch;
		uint32_t before, after;
		int r = vw_nft_generation(n, &before);

		if (!r)
			r = vw_nft_encode_del_keys(set, keys, klen, count, gone, o.seq, &batch);
		if (r)
			return r;
		n->seq += count + 2;
		r = transact(n, batch, &o);
		nftnl_batch_free(batch);
		if (o.errors) {
			vw_error(
				d, NULL,
				"nftables: the kernel refused to delete elements of set %s: %s%s%s",
				set, strerror(o.first.err), *o.first.text ? ": " : "",
				o.first.text);
			return -o.first.err;
		}
		if (r)
			return r;
		if (!o.n_refused) {
			r = vw_nft_generation(n, &after);
			return r ? r : after == before || o.lost ? settle_lost(n, before, d) : 0;
		}
		n_gone += o.n_refused;
	}
	return 0;
}

int vw_nft_delete_keys(struct vw_nft *n, const char *set, const uint8_t *keys, size_t klen,
		       size_t count, struct vw_diag *d)
{
	_cleanup_(vw_diag_done) struct vw_diag unused = {0};
	int r = 0;

	d = d ? d : &unused;
	if (!klen || klen > VW_KEY_MAX || strlen(set) >= VW_NAME_LEN)
		return -EINVAL;
	for (size_t i = 0; !r && i < count; i += DELETE_CHUNK)
		r = delete_chunk(n, set, keys + i * klen, klen,
				 count - i < DELETE_CHUNK ? count - i : DELETE_CHUNK, d);
	return r;
}

static int table_cb(const struct nlmsghdr *nlh, void *arg)
{
	int r = vw_nft_decode_table(nlh, arg);

	return r == -ENOENT ? 0 : r;
}

static int busy(struct vw_diag *d)
{
	vw_error(d, NULL, "another vethwall agent enforces in this network namespace");
	return -EBUSY;
}

/* Without ownership nothing in nf_tables tells two agents apart; the namespace's own file does, and
 * lets go when the agent dies. */
static int lock_namespace(struct vw_nft *n, struct vw_diag *d)
{
	if (n->lock_fd >= 0)
		return 0;
	n->lock_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (n->lock_fd < 0)
		return -errno;
	if (!flock(n->lock_fd, LOCK_EX | LOCK_NB))
		return 0;
	close(TAKE_FD(n->lock_fd));
	return errno == EWOULDBLOCK ? busy(d) : -errno;
}

/* Makes or adopts the table with these flags: 0 or -errno. */
static int take_table(struct vw_nft *n, uint8_t family, uint32_t flags, struct vw_diag *d)
{
	struct vw_op_ir op = {.type = VW_OP_ADD_TABLE, .family = family};
	struct vw_oplist ops = {{&op, 1, 1}};
	int r = transaction(n, &ops, flags, true, d);

	if (!r)
		n->table_flags = flags;
	return r;
}

static int claim_unowned(struct vw_nft *n, bool exists, struct vw_diag *d)
{
	int r = lock_namespace(n, d);

	if (r)
		return r;
	if (exists) {
		n->table_flags = 0;
		return 0;
	}
	r = take_table(n, NFPROTO_NETDEV, 0, d);
	if (r == -EAFNOSUPPORT || r == -EOPNOTSUPP) {
		vw_error(d, NULL,
			 "the kernel has no nf_tables netdev family (CONFIG_NF_TABLES_NETDEV)");
		return -EOPNOTSUPP;
	}
	return r;
}

/* What the walls are made of, and the first kernel that has it. */
static int probe(struct vw_nft *n, struct vw_diag *d)
{
	static struct vw_expr reject = {.type = VW_E_REJECT, .base = NFT_REJECT_ICMPX_UNREACH};
	static struct vw_nftrule rule = {.exprs = {&reject, 1, 1}};
	static struct vw_chain in = {"probe_in", true, NF_NETDEV_INGRESS, "lo", 0, NF_ACCEPT};
	static struct vw_chain eg = {"probe_eg", true, NF_NETDEV_EGRESS, "lo", 0, NF_ACCEPT};
	static struct vw_set counted = {"probe_set",
					VW_SET_DYNAMIC | VW_SET_TIMEOUT | VW_SET_COUNTER |
						VW_SET_LIMIT,
					{VW_F_IP4, VW_F_PORT},
					16,
					1000};
	static struct vw_set ranges = {"probe_range", VW_SET_INTERVAL, {VW_F_IP4, VW_F_PORT}};
	static struct vw_op_ir in_op = {VW_OP_ADD_CHAIN, .chain = &in};
	static struct vw_op_ir eg_op = {VW_OP_ADD_CHAIN, .chain = &eg};
	static struct vw_op_ir counted_op = {VW_OP_ADD_SET, .set = &counted};
	static struct vw_op_ir ranges_op = {VW_OP_ADD_SET, .set = &ranges};
	static struct vw_op_ir reject_op[] = {{VW_OP_ADD_CHAIN, .chain = &in},
					      {VW_OP_ADD_RULE, .chain = &in, .rule = &rule}};
	static const struct {
		const char *what;
		struct vw_oplist ops;
	} probes[] = {
		{"netdev ingress chains (Linux 4.2, CONFIG_NETFILTER_INGRESS)", {{&in_op, 1, 1}}},
		{"netdev egress chains (Linux 5.16, CONFIG_NETFILTER_EGRESS)", {{&eg_op, 1, 1}}},
		{"ranges in concatenated sets (Linux 5.6)", {{&ranges_op, 1, 1}}},
		{"sets with a counter and a limit per element (Linux 5.11)", {{&counted_op, 1, 1}}},
		{"reject in the netdev family (Linux 5.11, CONFIG_NFT_REJECT_NETDEV)",
		 {{reject_op, 2, 2}}},
	};
	int ret = 0;

	for (size_t i = 0; i < VW_ARRAY_SIZE(probes); i++) {
		_cleanup_(vw_diag_done) struct vw_diag why = {0};
		int r = vw_nft_check(n, &probes[i].ops, &why);

		if (!r)
			continue;
		vw_error(d, NULL, "the kernel lacks %s: %s", probes[i].what, strerror(-r));
		ret = -EOPNOTSUPP;
	}
	return ret;
}

static void drop_table(struct vw_nft *n)
{
	struct vw_op_ir op = {.type = VW_OP_DEL_TABLE};
	struct vw_oplist ops = {{&op, 1, 1}};

	transaction(n, &ops, 0, true, NULL);
}

void vw_nft_never_own(struct vw_nft *n)
{
	n->never_own = true;
}

uint32_t vw_nft_portid(const struct vw_nft *n)
{
	return mnl_socket_get_portid(n->own);
}

int vw_nft_retake(struct vw_nft *n, struct vw_diag *d)
{
	int r = take_table(n, NFPROTO_NETDEV, n->table_flags, d);

	return r || !n->bridge ? r : take_table(n, NFPROTO_BRIDGE, n->table_flags, d);
}

static int claim(struct vw_nft *n, bool *ret_exists, struct vw_diag *d)
{
	_cleanup_(vw_diag_done) struct vw_diag why = {0};
	struct vw_nft_table t = {0};
	int r = vw_nft_request(n, NFPROTO_NETDEV, NFT_MSG_GETTABLE, NULL, false, NULL, table_cb,
			       &t);
	bool exists = !r;

	if (r && r != -ENOENT && r != -EAFNOSUPPORT)
		return r;
	*ret_exists = exists;
	if (n->never_own && !(t.flags & NFT_TABLE_F_OWNER))
		return claim_unowned(n, exists, d);
	r = take_table(n, NFPROTO_NETDEV, OWNED, &why);
	/* EPERM to whom has CAP_NET_ADMIN: the table is another socket's. */
	if (r == -EPERM &&
	    !vw_nft_request(n, NFPROTO_NETDEV, NFT_MSG_GETTABLE, NULL, false, NULL, table_cb, &t) &&
	    t.owner)
		return busy(d);
	/* EINVAL or EOPNOTSUPP: flags that this kernel does not know, or a table made without them.
	 */
	if (r != -EINVAL && r != -EOPNOTSUPP && r != -EAFNOSUPPORT) {
		if (r)
			vw_error(d, NULL, "cannot take table netdev " VW_TABLE ": %s",
				 strerror(-r));
		return r;
	}
	return claim_unowned(n, exists, d);
}

/* The guard's table. A kernel without it has walls all the same. */
static void claim_bridge(struct vw_nft *n, struct vw_diag *d)
{
	_cleanup_(vw_diag_done) struct vw_diag why = {0};
	int r = take_table(n, NFPROTO_BRIDGE, n->table_flags, &why);

	n->bridge = !r;
	if (r)
		vw_diag_add(d, VW_WARNING, NULL, NULL,
			    "no guard against unknown containers while no agent runs: table "
			    "bridge " VW_TABLE ": %s",
			    strerror(-r));
}

/* Whether rules can name the bridge (CONFIG_NFT_BRIDGE_META). */
static bool knows_bridges(struct vw_nft *n)
{
	static struct vw_expr name = {.type = VW_E_META, .base = NFT_META_BRI_IIFNAME};
	static struct vw_nftrule rule = {.exprs = {&name, 1, 1}};
	static struct vw_chain chain = {.name = "probe_bridge", .family = NFPROTO_BRIDGE};
	static struct vw_op_ir ops[] = {{VW_OP_ADD_CHAIN, .chain = &chain},
					{VW_OP_ADD_RULE, .chain = &chain, .rule = &rule}};
	const struct vw_oplist list = {{ops, 2, 2}};

	return !vw_nft_check(n, &list, NULL);
}

enum vw_nft_guard vw_nft_guard(struct vw_nft *n)
{
	if (!n->bridge)
		return VW_NFT_GUARD_NONE;
	return knows_bridges(n) ? VW_NFT_GUARD_BRIDGES : VW_NFT_GUARD_PORTS;
}

int vw_nft_claim(struct vw_nft *n, bool *ret_owned, struct vw_diag *d)
{
	bool existed = true;
	int r = claim(n, &existed, d);

	if (r)
		return r;
	r = probe(n, d);
	if (r) {
		if (!existed)
			drop_table(n);
		return r;
	}
	claim_bridge(n, d);
	*ret_owned = n->table_flags & NFT_TABLE_F_OWNER;
	return 0;
}
