/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links against the real kernel, in a network namespace of this process's own; "containers" are
 * child processes in theirs. Everything goes with the processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vethwall/cleanup.h"
#include "vethwall/links.h"

#define DEADLINE_MS 60000

struct event {
	enum vw_link_event ev;
	struct vw_link link;
};

struct state {
	struct vw_links *l;
	struct event seen[4096];
	size_t n;
	bool question_in_callback;
};

/* A child in its own network namespace, until killed. */
static pid_t container(void)
{
	int p[2];
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) == 0)
			(void)!write(p[1], "k", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[0]);
	close(p[1]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void sh(const char *fmt, ...)
{
	char cmd[4096];
	va_list ap;

	va_start(ap, fmt);
	assert_in_range(vsnprintf(cmd, sizeof(cmd), fmt, ap), 1, sizeof(cmd) - 1);
	va_end(ap);
	if (system(cmd) != 0)
		fail_msg("%s", cmd);
}

static void on_link(enum vw_link_event ev, const struct vw_link *k, void *arg)
{
	struct state *s = arg;

	if (s->question_in_callback && k && ev != VW_LINK_GONE && k->nsid >= 0) {
		struct vw_inner_link in;

		(void)vw_links_peer(s->l, k, &in);
	}
	if (s->n < VW_ARRAY_SIZE(s->seen))
		s->seen[s->n++] = (struct event){ev, k ? *k : (struct vw_link){}};
}

static bool saw(const struct state *s, enum vw_link_event ev, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->seen[i].ev == ev && (!name || !strcmp(s->seen[i].link.name, name)))
			return true;
	return false;
}

/* Processes events until ev of name came. */
static void wait_event(struct state *s, enum vw_link_event ev, const char *name)
{
	struct pollfd p = {.fd = vw_links_fd(s->l), .events = POLLIN};

	while (!saw(s, ev, name)) {
		if (poll(&p, 1, DEADLINE_MS) != 1)
			fail_msg("no event %d of %s", ev, name ? name : "-");
		assert_int_equal(vw_links_process(s->l), 0);
	}
}

/* Processes until the link is as wanted. */
static const struct vw_link *wait_link(struct state *s, const char *name,
				       bool (*ok)(const struct vw_link *k))
{
	struct pollfd p = {.fd = vw_links_fd(s->l), .events = POLLIN};
	const struct vw_link *k;

	while (!(k = vw_links_by_name(s->l, name)) || !ok(k)) {
		if (poll(&p, 1, DEADLINE_MS) != 1)
			fail_msg("%s does not become what it should", name);
		assert_int_equal(vw_links_process(s->l), 0);
	}
	return k;
}

static bool moved(const struct vw_link *k)
{
	return k->nsid >= 0;
}

static bool enslaved(const struct vw_link *k)
{
	return k->master && k->up;
}

static bool free_of_nsid(const struct vw_link *k)
{
	return k->nsid < 0;
}

static void open_links(struct state *s)
{
	struct vw_diag d = {};

	s->n = 0;
	assert_int_equal(vw_links_open(on_link, s, &s->l, &d), 0);
	vw_diag_done(&d);
}

static int setup(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	*state = calloc(1, sizeof(struct state));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	struct state *s = *state;

	vw_links_free(&s->l);
	free(s);
	return 0;
}

static void what_is_there_is_dumped_without_callbacks(void **state)
{
	struct state *s = *state;
	const struct vw_link *br, *v;
	struct vw_mac mac;

	sh("ip link add br-a type bridge && ip link add va type veth peer name vb && "
	   "ip link set va master br-a address 02:00:00:00:00:07 up");
	open_links(s);
	br = vw_links_by_name(s->l, "br-a");
	v = vw_links_by_name(s->l, "va");
	assert_true(br && br->bridge && !br->veth);
	assert_true(v && v->veth && !v->bridge && v->up && !v->carrier);
	assert_int_equal(v->master, br->ifindex);
	assert_int_equal(v->peer, vw_links_by_name(s->l, "vb")->ifindex);
	assert_int_equal(v->nsid, -1);
	assert_int_equal(vw_mac_parse("02:00:00:00:00:07", &mac), 0);
	assert_memory_equal(&v->mac, &mac, sizeof(mac));
	assert_true(v->seen_ns > 0);
	assert_ptr_equal(vw_links_get(s->l, v->ifindex), v);
	assert_null(vw_links_get(s->l, 9999));
	assert_null(vw_links_by_name(s->l, "nope"));
	assert_int_equal(s->n, 0);
}

static void a_container_is_found_by_its_process(void **state)
{
	struct state *s = *state;
	struct vw_inner_link in[4], one;
	pid_t pid = container(), other = container();
	const struct vw_link *v;
	int nsid = -7;
	size_t n;

	open_links(s);
	assert_int_equal(vw_links_nsid_of_pid(s->l, other, &nsid), -ENOENT);
	assert_int_equal(nsid, -7);
	s->question_in_callback = true;
	sh("ip link add br-a type bridge && ip link add va type veth peer name vb && "
	   "ip link set va master br-a up && "
	   "ip link set vb netns %d name eth0 address 02:42:0a:00:00:02 && "
	   "nsenter -t %d -n ip link set eth0 up", /* the carrier brings the news of the move */
	   pid, pid);
	v = wait_link(s, "va", moved);
	assert_true(saw(s, VW_LINK_NEW, "va"));
	wait_link(s, "va", enslaved);
	assert_int_equal(vw_links_nsid_of_pid(s->l, pid, &nsid), 0);
	assert_int_equal(nsid, v->nsid);

	assert_int_equal(vw_links_peer(s->l, v, &one), 0);
	assert_string_equal(one.name, "eth0");
	assert_int_equal(one.peer, v->ifindex);
	assert_int_equal(one.ifindex, v->peer);
	assert_int_equal(one.mac.b[5], 2);

	n = 0;
	assert_int_equal(vw_links_inside(s->l, nsid, in, VW_ARRAY_SIZE(in), &n), 0);
	assert_int_equal(n, 2); /* lo, eth0 */
	assert_int_equal(vw_links_inside(s->l, nsid, in, 1, &n), -E2BIG);
	assert_int_equal(n, 1);
	/* A question that was given up leaves nothing behind for the next. */
	assert_int_equal(vw_links_inside(s->l, nsid, in, VW_ARRAY_SIZE(in), &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(vw_links_inside(s->l, 4321, in, VW_ARRAY_SIZE(in), &n), -EINVAL);
	assert_int_equal(vw_links_nsid_of_pid(s->l, 0x3fffffff, &nsid), -ESRCH);
	assert_int_equal(
		vw_links_peer(s->l, &(struct vw_link){.nsid = v->nsid, .peer = 4242}, &one),
		-ENODEV);
	end(pid);
	end(other);
	wait_event(s, VW_LINK_GONE, "va");
}

static void a_reused_name_is_a_new_link(void **state)
{
	struct state *s = *state;
	unsigned first;

	sh("ip link add va type veth peer name vb");
	open_links(s);
	first = vw_links_by_name(s->l, "va")->ifindex;
	sh("ip link del va && ip link add va type veth peer name vb");
	wait_event(s, VW_LINK_NEW, "va");
	assert_true(saw(s, VW_LINK_GONE, "va"));
	assert_null(vw_links_get(s->l, first));
	assert_int_not_equal(vw_links_by_name(s->l, "va")->ifindex, first);
}

static void leaving_a_bridge_or_a_new_name_is_no_end(void **state)
{
	struct state *s = *state;
	unsigned ifindex;

	sh("ip link add br-a type bridge && ip link add va type veth peer name vb && "
	   "ip link set va master br-a");
	open_links(s);
	ifindex = vw_links_by_name(s->l, "va")->ifindex;
	sh("ip link set va nomaster && ip link set va name vc");
	wait_event(s, VW_LINK_CHANGED, "vc");
	assert_false(saw(s, VW_LINK_GONE, NULL));
	assert_false(saw(s, VW_LINK_NEW, NULL));
	assert_int_equal(vw_links_get(s->l, ifindex)->master, 0);
	assert_null(vw_links_by_name(s->l, "va"));
}

/* A namespace id that ends must not be taken for the next namespace that gets its number. */
static void an_ended_namespace_id_is_forgotten(void **state)
{
	struct state *s = *state;
	pid_t pid = container();

	open_links(s);
	/* The veth lives on when only the id's owner side ends: its peer moves back first. */
	sh("ip link add va up type veth peer name vb && ip link set vb netns %d name eth0 && "
	   "nsenter -t %d -n ip link set eth0 up",
	   pid, pid);
	wait_link(s, "va", moved);
	sh("nsenter -t %d -n ip link set eth0 netns %d name vb && ip link set vb up", pid,
	   getpid());
	wait_link(s, "va", free_of_nsid);
	end(pid);
	assert_false(saw(s, VW_LINK_GONE, "va"));
}

static bool has_addr(const struct state *s, const char *text)
{
	const struct vw_addr *v;
	struct vw_addr a;
	size_t n;

	assert_int_equal(vw_addr_parse(text, &a), 0);
	v = vw_links_addrs(s->l, &n);
	for (size_t i = 0; i < n; i++)
		if (vw_addr_eq(&v[i], &a))
			return true;
	return false;
}

static void addresses_are_followed(void **state)
{
	struct state *s = *state;
	size_t n;

	sh("ip link set lo up && ip link add br-a type bridge && "
	   "ip addr add 10.1.0.1/16 dev br-a && ip link set br-a up");
	open_links(s);
	assert_true(has_addr(s, "10.1.0.1"));
	assert_false(has_addr(s, "127.0.0.1"));
	assert_false(has_addr(s, "::1"));
	sh("ip addr add fd00::1/64 dev br-a nodad && ip addr add 10.9.9.9 peer 10.9.9.10 dev br-a");
	while (!has_addr(s, "10.9.9.9")) {
		s->n = 0;
		wait_event(s, VW_LINK_ADDRS, NULL);
	}
	assert_true(has_addr(s, "fd00::1"));
	assert_false(has_addr(s, "10.9.9.10"));
	s->n = 0;
	sh("ip addr del 10.1.0.1/16 dev br-a");
	wait_event(s, VW_LINK_ADDRS, NULL);
	assert_false(has_addr(s, "10.1.0.1"));
	/* The same address twice is one; it stays until the last is gone. */
	sh("ip link add br-b type bridge && ip addr add fd00::1/64 dev br-b nodad && "
	   "ip addr add fd00::2/64 dev br-b nodad");
	/* the kernel tells of IPv6 addresses from a work queue: once the second is known, the first
	 * is */
	while (!has_addr(s, "fd00::2")) {
		s->n = 0;
		wait_event(s, VW_LINK_ADDRS, NULL);
	}
	sh("ip addr del fd00::1/64 dev br-a && ip addr add 10.3.3.3/32 dev br-a");
	while (!has_addr(s, "10.3.3.3")) {
		s->n = 0;
		wait_event(s, VW_LINK_ADDRS, NULL);
	}
	assert_true(has_addr(s, "fd00::1"));
	(void)vw_links_addrs(s->l, &n);
	assert_true(n >= 3);
}

static void a_bridge_ports_link_local_address_is_no_news(void **state)
{
	struct state *s = *state;

	sh("ip link add br-a type bridge && ip link add va type veth peer name vb && "
	   "ip link add vc type veth peer name vd");
	open_links(s);
	sh("ip link set va master br-a && ip addr add fe80::77/64 dev va nodad && "
	   "ip addr add fe80::88/64 dev vc nodad");
	while (!has_addr(s, "fe80::88")) {
		s->n = 0;
		wait_event(s, VW_LINK_ADDRS, NULL);
	}
	assert_false(has_addr(s, "fe80::77"));
	/* Out of the bridge it is the node's. */
	sh("ip link set va nomaster");
	wait_event(s, VW_LINK_CHANGED, "va");
	while (!has_addr(s, "fe80::77")) {
		s->n = 0;
		wait_event(s, VW_LINK_ADDRS, NULL);
	}
}

static void lost_messages_end_in_a_resync(void **state)
{
	struct state *s = *state;
	int tiny = 1;

	sh("ip link add gone0 type veth peer name gone1 && ip link add same0 type veth peer name "
	   "same1");
	open_links(s);
	assert_int_equal(setsockopt(vw_links_fd(s->l), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)),
			 0);
	sh("ip link del gone0; ip link set same0 name other0; for i in $(seq 20); do ip link add "
	   "n$i type veth peer name p$i; done; ip addr add 10.5.5.5/32 dev n20");
	wait_event(s, VW_LINK_RESYNC, NULL);
	assert_true(saw(s, VW_LINK_GONE, "gone0"));
	assert_true(saw(s, VW_LINK_CHANGED, "other0"));
	assert_true(saw(s, VW_LINK_NEW, "n20"));
	assert_true(saw(s, VW_LINK_ADDRS, NULL));
	assert_null(vw_links_by_name(s->l, "gone0"));
	assert_non_null(vw_links_by_name(s->l, "p20"));
	assert_true(has_addr(s, "10.5.5.5"));
}

/* Many links: each is found once by iteration, also when they share buckets. */
static void iteration_reaches_each_once(void **state)
{
	struct state *s = *state;
	size_t n = 0, veths = 0;

	sh("for i in $(seq 300); do echo link add m$i index $((i * 4096 + 5)) type veth peer name "
	   "q$i; done | ip -batch -");
	open_links(s);
	for (const struct vw_link *k = vw_links_next(s->l, NULL); k; k = vw_links_next(s->l, k)) {
		n++;
		veths += k->veth;
		assert_ptr_equal(vw_links_get(s->l, k->ifindex), k);
	}
	assert_int_equal(veths, 600);
	assert_int_equal(n, 601); /* lo */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_there_is_dumped_without_callbacks),
		T(a_container_is_found_by_its_process),
		T(a_reused_name_is_a_new_link),
		T(leaving_a_bridge_or_a_new_name_is_no_end),
		T(an_ended_namespace_id_is_forgotten),
		T(addresses_are_followed),
		T(a_bridge_ports_link_local_address_is_no_news),
		T(lost_messages_end_in_a_resync),
		T(iteration_reaches_each_once),
	};

	if (geteuid() != 0 || system("command -v ip nsenter >/dev/null") != 0) {
		puts("1..0 # SKIP needs root, ip and nsenter");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
