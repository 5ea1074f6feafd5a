# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS for tests, both ends.

  dns.py serve ADDR...             answers from ZONE below, prints "ready"
  dns.py lie ADDR NAME A           answers every question for NAME with that address
  dns.py ask SERVER NAME [A|AAAA]  prints the addresses of the answer
"""
import select
import socket
import struct
import sys

TYPES = {"A": 1, "CNAME": 5, "AAAA": 28}
ZONE = {
    "api.example.org": [("A", 300, "203.0.113.10"), ("AAAA", 300, "2001:db8:2::10")],
    "short.example.org": [("A", 1, "203.0.113.11")],
    "other.example.org": [("A", 300, "203.0.113.12")],
    "shop.example.net": [("CNAME", 300, "edge.cdn.test")],
    "edge.cdn.test": [("CNAME", 300, "n1.cdn.test")],
    "n1.cdn.test": [("A", 300, "203.0.113.13")],
    "wild.test": [("A", 300, "203.0.113.14")],
    "a.b.wild.test": [("A", 300, "203.0.113.15")],
    "inside.example.org": [("A", 300, "10.77.0.11"), ("A", 300, "10.77.0.1"),
                           ("A", 300, "192.168.7.7"), ("A", 300, "203.0.113.16")],
}


def name(text):
    return b"".join(bytes([len(p)]) + p.encode() for p in text.split(".")) + b"\0"


def read_name(m, at):
    parts, end = [], None
    while m[at]:
        if m[at] >= 0xC0:
            end = end or at + 2
            at = struct.unpack(">H", m[at:at + 2])[0] & 0x3FFF
            continue
        parts.append(m[at + 1:at + 1 + m[at]].decode())
        at += 1 + m[at]
    return ".".join(parts), end or at + 1


def pack(kind, data):
    if kind == "CNAME":
        return name(data)
    return socket.inet_pton(socket.AF_INET if kind == "A" else socket.AF_INET6, data)


def answer(query, zone):
    asked, at = read_name(query, 12)
    qtype, _ = struct.unpack(">HH", query[at:at + 4])
    rrs, owner = [], asked.lower()
    while True:
        here = zone.get(owner, [])
        for kind, ttl, data in here:
            if kind == "CNAME" or TYPES[kind] == qtype:
                rrs.append((owner, kind, ttl, data))
        alias = [d for k, _, d in here if k == "CNAME"]
        if not alias:
            break
        owner = alias[0]
    out = query[:2] + struct.pack(">HHHHH", 0x8180, 1, len(rrs), 0, 0) + query[12:at + 4]
    for owner, kind, ttl, data in rrs:
        rdata = pack(kind, data)
        # the name that was asked for as a pointer, as servers write it
        first = b"\xc0\x0c" if owner == asked.lower() else name(owner)
        out += first + struct.pack(">HHIH", TYPES[kind], 1, ttl, len(rdata)) + rdata
    return out


def udp(addr):
    return socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, socket.SOCK_DGRAM)


def serve(addrs, zone):
    socks = []
    for a in addrs:
        s = udp(a)
        s.bind((a, 53))
        socks.append(s)
    print("ready", flush=True)
    while True:
        for s in select.select(socks, [], [])[0]:
            query, peer = s.recvfrom(4096)
            s.sendto(answer(query, zone), peer)


def ask(server, what, qtype="A"):
    query = struct.pack(">HHHHHH", 4711, 0x0100, 1, 0, 0, 0) + name(what)
    query += struct.pack(">HH", TYPES[qtype], 1)
    for _ in range(5):
        s = udp(server)
        s.settimeout(2)
        try:
            s.sendto(query, (server, 53))
            m = s.recv(4096)
            break
        except OSError:
            continue
    else:
        sys.exit("no answer")
    _, at = read_name(m, 12)
    at += 4
    for _ in range(struct.unpack(">H", m[6:8])[0]):
        _, at = read_name(m, at)
        kind, _, _, n = struct.unpack(">HHIH", m[at:at + 10])
        if kind != TYPES["CNAME"]:
            print(socket.inet_ntop(socket.AF_INET if n == 4 else socket.AF_INET6, m[at + 10:at + 10 + n]))
        at += 10 + n


if sys.argv[1] == "serve":
    serve(sys.argv[2:], ZONE)
elif sys.argv[1] == "lie":
    serve([sys.argv[2]], {sys.argv[3]: [("A", 3600, sys.argv[4])]})
else:
    ask(*sys.argv[2:])
