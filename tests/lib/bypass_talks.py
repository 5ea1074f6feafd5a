# SPDX-License-Identifier: GPL-2.0-or-later
"""Attempts to get around a wall that take more than frames: what root in a container's namespace does to its own
devices, flows of others, full tables, names. ACTS are sent and watched like the rows of bypass_attempts.py; TALKS are
functions that say what went wrong: nothing is how it must be, and without a wall (control) it must be something."""
import socket
import struct
import subprocess
import time

import wire
from bypass_attempts import CLOSED, OPEN, SERVED, Attempt
from scapy.all import DNS, DNSQR, DNSRR, IP, TCP, UDP, Ether, Raw

ETH_P_ALL, SOL_PACKET, PACKET_VNET_HDR, PACKET_QDISC_BYPASS = 3, 263, 15, 20
SO_MARK = 36
VNET_NEEDS_CSUM, VNET_TCPV4 = 1, 1
PATIENCE = 3  # for an answer that comes; a machine can pause


def send_udp(lab, me, to, port, m, source="", device=None, mark=None, dst_mac=None):
    """By mallory's own kernel, which knows everybody's MAC."""
    ns = lab.ns["mallory"]
    ns.ip(f"neigh replace {to} lladdr {dst_mac} dev {device or 'eth0'}")
    ns.enter()
    with socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM) as s:
        if mark:
            s.setsockopt(socket.SOL_SOCKET, SO_MARK, struct.pack("I", mark))
        if device:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        s.bind((source, 0))
        s.sendto(m, (to, port))


def act_mac(lab, s, m):
    lab.ns["mallory"].ip("link set eth0 address 02:42:0a:4d:00:77")
    send_udp(lab, s.me, s.friend.ip4, OPEN, m, dst_mac=s.friend.mac)
    lab.ns["mallory"].ip(f"link set eth0 address {s.me.mac}")


def act_takes_over(lab, s, m):
    lab.ns["mallory"].ip(f"link set eth0 address {s.friend.mac}", f"addr add {s.friend.ip4}/24 dev eth0")
    send_udp(lab, s.me, s.victim.ip4, SERVED, m, source=s.friend.ip4, dst_mac=s.victim.mac)
    lab.ns["mallory"].ip(f"addr del {s.friend.ip4}/24 dev eth0", f"link set eth0 address {s.me.mac}")


def act_address(address, to):
    def act(lab, s, m):
        lab.ns["mallory"].ip(f"addr add {address} dev eth0" + (" nodad" if ":" in address else ""))
        send_udp(lab, s.me, getattr(s.friend, to), OPEN, m, source=address.split("/")[0], dst_mac=s.friend.mac)
        lab.ns["mallory"].ip(f"addr del {address} dev eth0")
    return act


def act_device(kind, to):
    def act(lab, s, m):
        peer = getattr(s, to)
        lab.ns["mallory"].ip(f"link add link eth0 name x0 type {kind}", "link set x0 up",
            "addr add 10.77.0.88/32 dev x0",
                             f"route add {peer.ip4} dev x0 src 10.77.0.88")
        send_udp(lab, s.me, peer.ip4, OPEN, m, source="10.77.0.88", device="x0", dst_mac=peer.mac)
        lab.ns["mallory"].ip("link del x0")
    return act


def lacks(lab, kind):
    """Why the kernel has no such device, or None."""
    lab.ns["mallory"].enter()
    r = subprocess.run(["ip", "link", "add", "link", "eth0", "name", "x0", "type", *kind.split()], check=False,
                       stderr=subprocess.DEVNULL)
    if r.returncode:
        return f"this kernel has no {kind.split()[0]}"
    lab.ns["mallory"].ip("link del x0")
    return None


def act_mark(lab, s, m):
    for mark in (1, 0x20000000, 0x40000000, 0xffffffff):
        send_udp(lab, s.me, s.victim.ip4, SERVED, m, mark=mark, dst_mac=s.victim.mac)


def packet_socket(lab, option):
    lab.ns["mallory"].enter()
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.setsockopt(SOL_PACKET, option, 1)
    s.bind(("eth0", 0))
    return s


def act_bypass(lab, s, m):
    with packet_socket(lab, PACKET_QDISC_BYPASS) as sock:
        sock.send(bytes(Ether(src=s.me.mac, dst=s.victim.mac) / IP(src=s.me.ip4, dst=s.victim.ip4) /
                        UDP(dport=SERVED) / Raw(m)))


def act_offload(lab, s, m):
    """One packet of three segments, as a network card would cut it."""
    frame = bytes(Ether(src=s.me.mac, dst=s.victim.mac) / IP(src=s.me.ip4, dst=s.victim.ip4) /
                  TCP(dport=SERVED, flags="A") / Raw(m * 300))
    with packet_socket(lab, PACKET_VNET_HDR) as sock:
        sock.send(struct.pack("<BBHHHH", VNET_NEEDS_CSUM, VNET_TCPV4, 54, 800, 34, 16) + frame)


SPOOF = "its address and MAC, in in_N, i4_N and i6_N"
DENIED = "policy: no rule of jo_N allows it"
FOREIGN = "neither IP nor ARP, in dx_N"


def row(name, group, act, stopped_by, log, to="friend"):
    return Attempt(name, group, None, stopped_by, log, to=to), act


def device_row(name, kind, stopped_by, log):
    return kind, *row("device: " + name, "changed devices", act_device(kind, "friend"), stopped_by, log)


DEVICES = [
    device_row("a VLAN", "vlan id 5", FOREIGN, "protocol"),
    device_row("VLAN 0", "vlan id 0", FOREIGN, "protocol"),
    device_row("802.1ad", "vlan proto 802.1ad id 5", FOREIGN, "protocol"),
    device_row("a macvlan with a MAC of its own", "macvlan mode bridge", SPOOF, "spoofed-source"),
]
ACTS = [
    row("device: another MAC", "changed devices", act_mac, SPOOF, "spoofed-source"),
    row("device: a neighbour's MAC and address", "changed devices", act_takes_over, SPOOF, "spoofed-source", "victim"),
    row("device: one more IPv4 address", "changed devices", act_address("10.77.0.99/24", "ip4"), SPOOF,
        "spoofed-source"),
    row("device: one more IPv6 address", "changed devices", act_address("fd77::99/64", "ip6"), SPOOF, "spoofed-source"),
    row("device: a mark on the packet", "changed devices", act_mark, DENIED, "default", "victim"),
    row("packet socket: past the queues", "packet sockets", act_bypass, DENIED, "default", "victim"),
    row("packet socket: segments for the card to cut", "packet sockets", act_offload, DENIED, "default", "victim"),
]


# --- flows of others ---


def talk_to_each_other(client, server):
    """Whether both hear each other, and nobody else."""
    try:
        for a, b, word in ((client, server, b"question"), (server, client, b"answer")):
            a.sendall(word)
            if b.recv(100) != word:
                return False
    except OSError:
        return False
    return True


class Conversation:
    """A TCP connection from friend to victim, by IPv4, and the numbers that its next segments will have."""

    def __init__(self, lab):
        self.lab = lab
        self.tap = lab.at("victim", wire.Tap, "eth0")
        lab.ns["victim"].enter()
        self.listener = socket.create_server(("0.0.0.0", SERVED))
        self.listener.settimeout(PATIENCE)
        self.client, self.server = self.connect()

    def connect(self):
        self.lab.ns["friend"].enter()
        client = socket.create_connection((self.lab.ends["victim"].ip4, SERVED), PATIENCE)
        server, _ = self.listener.accept()
        server.settimeout(PATIENCE)
        if not talk_to_each_other(client, server):
            raise OSError("a new connection does not carry anything")
        return client, server

    def last(self):
        """The last segment that the victim received."""
        segments = [Ether(f) for f in self.tap.frames() if f[12:14] == b"\x08\0"]
        return [f[TCP] for f in segments if TCP in f and f[TCP].dport == SERVED][-1]

    def close(self):
        for s in (self.client, self.server, self.listener):
            s.close()


def forge(lab, by, conversation, flags, payload=b""):
    """Segments in either end's name, with the numbers that it would have, as their own MAC and as the sender's."""
    last, e = conversation.last(), lab.ends
    seq, ack = last.seq + len(last.payload), last.ack
    for a, b, sport, dport, n, k in ((e["friend"], e["victim"], last.sport, SERVED, seq, ack),
                                     (e["victim"], e["friend"], SERVED, last.sport, ack, seq)):
        for mac in (e[by].mac, a.mac):
            lab.wires[by].send(Ether(src=mac, dst=b.mac) / IP(src=a.ip4, dst=b.ip4) /
                               TCP(sport=sport, dport=dport, seq=n, ack=k, flags=flags) / Raw(payload))


def closing(by, flags, payload=b""):
    def talk(lab):
        c = Conversation(lab)
        try:
            forge(lab, by, c, flags, payload)
            time.sleep(wire.QUIET / 2)
            return [] if talk_to_each_other(c.client, c.server) else ["the connection of others did not survive"]
        finally:
            c.close()
    return talk


def reach_back(lab):
    """mallory forges what the victim would have sent to it, and then answers."""
    me, victim = lab.ends["mallory"], lab.ends["victim"]
    marker = wire.marker(99001)

    def send():
        for mac in (me.mac, victim.mac):
            lab.wires["mallory"].send(Ether(src=mac, dst=me.mac) / IP(src=victim.ip4, dst=me.ip4) /
                                      TCP(sport=SERVED, dport=OPEN, flags="S"))
        lab.wires["mallory"].send(Ether(src=me.mac, dst=victim.mac) / IP(src=me.ip4, dst=victim.ip4) /
                                  TCP(sport=OPEN, dport=SERVED, flags="SA") / Raw(marker))
    return ["the victim received it"] if 99001 in wire.seen(lab.taps, send)["victim"] else []


def names(lab):
    """What an accomplice answers opens nothing; what the resolver answers does, so it could."""
    e, marker = lab.ends, wire.marker(99002)

    def answer(ident):
        return DNS(id=ident, qr=1, qd=DNSQR(qname="api.example.org"),
                   an=DNSRR(rrname="api.example.org", ttl=300, rdata="203.0.113.10"))

    def opened():
        lab.wires["mallory"].send(Ether(src=e["mallory"].mac, dst=e["gateway"].mac) / IP(
            src=e["mallory"].ip4, dst="203.0.113.10") / TCP(sport=40100, dport=443) / Raw(marker))

    def is_open():
        return 99002 in wire.seen(lab.taps, opened)["outside"]

    def accomplice():
        for src in ("10.77.0.11", "192.0.2.2"):
            lab.wires["eve"].send(Ether(src=e["eve"].mac, dst=e["mallory"].mac) / IP(src=src, dst=e["mallory"].ip4) /
                                  UDP(sport=53, dport=40099) / answer(7))
    accomplice()
    time.sleep(1)  # the agent would have read it by then
    if is_open():
        return ["an accomplice's answer opened the address"]
    lab.ns["outside"].enter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        resolver.bind(("192.0.2.2", 53))
        resolver.settimeout(PATIENCE)
        lab.ns["mallory"].enter()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(bytes(DNS(id=8, qd=DNSQR(qname="api.example.org"))), ("192.0.2.2", 53))
            _, peer = resolver.recvfrom(512)
            resolver.sendto(bytes(answer(8)), peer)
    end = time.monotonic() + 10
    while not is_open():
        if time.monotonic() > end:
            return ["not even the resolver's answer opened it: this proves nothing"]
    return []


def exhaustion(lab):
    """mallory fills its tables of live and of refused flows, many times over. Others notice nothing."""
    e, c = lab.ends, Conversation(lab)
    me, friend, victim = e["mallory"], e["friend"], e["victim"]
    try:
        for port in range(10000, 13000):
            lab.wires["mallory"].send(raw_udp(me, friend, port, OPEN))
            lab.wires["mallory"].send(raw_udp(me, victim, port, port))
        wrong = [] if talk_to_each_other(c.client, c.server) else ["a connection of others broke"]
        for sock in c.connect():
            sock.close()
        marker = wire.marker(99003)
        seen = wire.seen(lab.taps, lambda: (
            lab.wires["mallory"].send(raw_udp(me, victim, 40000, SERVED, marker)),
            lab.wires["mallory"].send(raw_udp(me, friend, 40000, CLOSED, marker))))
        leaked = [n for n, markers in seen.items() if 99003 in markers and n != "mallory"]
        return wrong + [f"what is refused arrived at {n}" for n in leaked]
    finally:
        c.close()


def raw_udp(src, dst, sport, dport, data=b""):
    """By hand: thousands of them."""
    udp = struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(src.ip4),
                       socket.inet_aton(dst.ip4))
    total = sum(struct.unpack(">10H", head))
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    mac = bytes.fromhex((dst.mac + src.mac).replace(":", ""))
    return mac + b"\x08\0" + head[:10] + struct.pack(">H", total) + head[12:] + udp


# name, function, whether it must fail without a wall
TALKS = [
    ("flows: a forged reset of a connection of others, by mallory", closing("mallory", "R"), True),
    ("flows: a forged reset with an acknowledgement, by eve", closing("eve", "RA"), True),
    ("flows: data put into a connection of others, by mallory", closing("mallory", "PA", b"forged"), True),
    ("flows: data put into a connection of others, by eve", closing("eve", "PA", b"forged"), True),
    ("flows: a forged end of a connection of others, by mallory", closing("mallory", "FA"), True),
    ("flows: the victim's SYN forged, and answered", reach_back, True),
    ("names: an accomplice's DNS answers", names, False),
    ("exhaustion: its tables of live and of refused flows", exhaustion, False),
]
