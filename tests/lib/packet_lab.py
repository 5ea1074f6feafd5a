# SPDX-License-Identifier: GPL-2.0-or-later
"""A node with many containers in one process, for tests that try thousands of connections: network namespaces
that exist only as descriptors of this process (so nothing is left behind, however it ends), one bridge, a host
outside, and real TCP connections and UDP exchanges between them, all at once. What is expected is not known here.

A socket belongs to the namespace that the process was in when it made it; the machine's own is left at once."""
import ctypes
import os
import resource
import selectors
import socket
import struct
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
GATEWAY4, GATEWAY6 = "192.0.2.1", "fd00:10:fffe::1"
UPLINK4, UPLINK6 = "192.0.2.5", "fd00:10:fffd::1"
V6, TCP, UDP = socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
# Where it is checked that nothing more arrives: long against a path that is done within the sender's call.
QUIET = 0.15
RESEND = 1.0


def libc(name, *args):
    if getattr(LIBC, name)(*args) < 0:
        e = ctypes.get_errno()
        raise OSError(e, f"{name}: {os.strerror(e)}")


class Namespace:
    def __init__(self):
        libc("unshare", CLONE_NEWNET)
        self.fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        for name, value in (("ipv4/conf/all/rp_filter", 0), ("ipv4/conf/default/rp_filter", 0),
                            ("ipv6/conf/all/accept_dad", 0), ("ipv6/conf/default/accept_dad", 0)):
            sysctl(name, value)

    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def enter(self):
        libc("setns", self.fd, CLONE_NEWNET)

    def ip(self, *lines):
        self.enter()
        subprocess.run(["ip", "-batch", "-"], input="".join(f"{line}\n" for line in lines), text=True, check=True,
                       stdout=subprocess.DEVNULL)


def sysctl(name, value):
    """In the namespace that the process is in."""
    with open("/proc/sys/net/" + name, "w", encoding="ascii") as f:
        f.write(str(value))


def prefix(address):
    return f"{address}/128 dev eth0 nodad" if ":" in address else f"{address}/32 dev eth0"


class Container:
    def __init__(self, number, lab):
        self.veth = f"v{number}"
        self.mac = f"02:42:0a:59:{number >> 8:02x}:{number & 255:02x}"
        self.ns = Namespace()
        lab.node.ip(f"link add {self.veth} type veth peer name eth0 address {self.mac} netns {self.ns.path()}",
                    f"link set {self.veth} master br0 up")
        # Neighbours are reached on the bridge, everyone else by the node.
        self.ns.ip("link set lo up", "link set eth0 up",
                   f"route add {GATEWAY4} dev eth0", f"route add default via {GATEWAY4} dev eth0",
                   f"route add {GATEWAY6} dev eth0", f"route add default via {GATEWAY6} dev eth0",
                   *(f"route add {a} dev eth0" for a in lab.neighbours))
        lab.net.serve(self.ns)


class Network:
    """Servers on the same ports everywhere, and one try of many probes at once."""

    def __init__(self, tcp, udp):
        self.ports = [(TCP, p) for p in tcp] + [(UDP, p) for p in udp]
        self.sel = selectors.EpollSelector()
        self.arrived = set()  # ids that a server has seen
        self.last_id = 0
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def watch(self, sock, events, fn, *args):
        self.sel.register(sock, events, (fn, args))

    def close(self, sock):
        self.sel.unregister(sock)
        sock.close()

    def turn(self, timeout):
        for key, _ in self.sel.select(timeout):
            if key.fileobj.fileno() >= 0:
                fn, args = key.data
                fn(key.fileobj, *args)

    # Servers.

    def serve(self, ns):
        ns.enter()
        for kind, port in self.ports:
            s = socket.socket(V6, kind | socket.SOCK_NONBLOCK)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if kind == UDP:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            s.bind(("::", port))
            if kind == TCP:
                s.listen(512)
            self.watch(s, selectors.EVENT_READ, self.on_accept if kind == TCP else self.on_datagram)

    def on_accept(self, sock):
        conn, _ = sock.accept()
        conn.setblocking(False)
        self.watch(conn, selectors.EVENT_READ, self.on_stream)

    def on_stream(self, sock):
        try:
            data = sock.recv(64)
            self.arrived.add(data)
            sock.send(data)
        except OSError:
            data = b""
        if not data:
            self.close(sock)

    def on_datagram(self, sock):
        """Answered from the address that it came to."""
        try:
            data, info, _, peer = sock.recvmsg(64, 256)
            self.arrived.add(data)
            info = [(level, kind, value[:16] + struct.pack("i", 0)) for level, kind, value in info]
            sock.sendmsg([data], info, 0, peer)
        except OSError:
            pass  # an error that came back for an answer

    # Clients.

    def start(self, probe):
        self.last_id += 1
        probe.id = b"%d" % self.last_id
        probe.ns.enter()
        kind = TCP if probe.proto == "tcp" else UDP
        family = V6 if ":" in probe.source else socket.AF_INET
        s = probe.sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        s.bind((probe.source, 0))
        s.connect_ex((probe.to, probe.port))
        if kind == TCP:
            self.watch(s, selectors.EVENT_WRITE, self.on_connected, probe)
        else:
            self.watch(s, selectors.EVENT_READ, self.on_answer, probe)
            self.send(probe)

    def send(self, probe):
        try:
            probe.sock.send(probe.id)
        except OSError as e:
            self.end(probe, str(e))

    def on_connected(self, sock, probe):
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self.end(probe, os.strerror(error))
            return
        self.sel.modify(sock, selectors.EVENT_READ, (self.on_answer, (probe,)))
        self.send(probe)

    def on_answer(self, sock, probe):
        try:
            passed = sock.recv(64) == probe.id
            self.end(probe, "passed" if passed else "closed")
        except OSError as e:
            self.end(probe, str(e))

    def end(self, probe, outcome):
        if not probe.outcome:
            probe.outcome = outcome
            self.close(probe.sock)

    def resend(self, probes):
        for p in probes:
            if not p.outcome and p.proto == "udp":
                self.send(p)

    def run(self, probes, deadline):
        """Tries all at once. Waits until those that should pass have an outcome, then a while for the others."""
        for p in probes:
            self.start(p)
        wanted = [p for p in probes if p.wanted]
        end, again = time.monotonic() + deadline, time.monotonic() + RESEND
        while any(not p.outcome for p in wanted) and time.monotonic() < end:
            self.turn(0.05)
            if time.monotonic() > again:
                self.resend(wanted)
                again += RESEND
        quiet = time.monotonic() + QUIET
        while time.monotonic() < quiet:
            self.turn(quiet - time.monotonic())
        for p in probes:
            self.end(p, "silent")


class Probe:
    """One connection to try. wanted: it is expected to pass. Afterwards: outcome in words."""

    def __init__(self, ns, source, to, proto, port, wanted):
        self.ns, self.source, self.to, self.proto, self.port, self.wanted = ns, source, to, proto, port, wanted
        self.outcome, self.id, self.sock = None, None, None

    def passed(self, net):
        """A datagram that arrives has passed, whatever becomes of its answer."""
        return self.outcome == "passed" or (not self.wanted and self.id in net.arrived)


class Lab:
    """The node, the host outside with all its addresses, and containers as they are asked for. neighbours: every
    address that a container may get."""

    def __init__(self, neighbours, outside, tcp, udp):
        self.net = Network(tcp, udp)
        self.neighbours = neighbours
        self.containers = []
        self.owner = {}  # address: container
        self.node = Namespace()
        sysctl("ipv4/ip_forward", 1)
        sysctl("ipv6/conf/all/forwarding", 1)
        self.outside = Namespace()
        # An address of its own: else it takes its lowest port's, and neighbours send to the one before.
        self.node.ip("link set lo up", "link add br0 address 02:42:0a:59:ff:fe type bridge", "link set br0 up",
                     f"addr add {GATEWAY4}/32 dev br0", f"addr add {GATEWAY6}/128 dev br0 nodad",
                     *(f"route add {a} dev br0" for a in neighbours),
                     f"link add out type veth peer name eth0 netns {self.outside.path()}", "link set out up",
                     f"addr add {UPLINK4}/32 dev out", f"addr add {UPLINK6}/128 dev out nodad",
                     *(f"route add {a} dev out" for a in outside))
        self.outside.ip("link set lo up", "link set eth0 up", *(f"addr add {prefix(a)}" for a in outside),
                        f"route add {UPLINK4} dev eth0", f"route add default via {UPLINK4} dev eth0",
                        f"route add {UPLINK6} dev eth0", f"route add default via {UPLINK6} dev eth0")
        self.net.serve(self.outside)

    def container(self, addresses, busy):
        """One with these addresses that nobody in busy is: where they are already, or a new one."""
        c = next((self.owner[a] for a in addresses if a in self.owner and self.owner[a] not in busy), None)
        if not c:
            c = Container(len(self.containers) + 1, self)
            self.containers.append(c)
        self.address(c, addresses)
        return c

    def address(self, c, addresses):
        """Gives it what it lacks. It keeps what it had until another needs it: probes bind to their source."""
        moved = False
        for a in addresses:
            old = self.owner.get(a)
            if old is c:
                continue
            if old:
                old.ns.ip(f"addr del {prefix(a).replace(' nodad', '')}")
                moved = True
            c.ns.ip(f"addr add {prefix(a)}")
            self.owner[a] = c
        if moved:
            for ns, dev in [(self.node, "br0")] + [(c.ns, "eth0") for c in self.containers]:
                ns.ip(f"neigh flush dev {dev}")
