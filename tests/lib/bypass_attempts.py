# SPDX-License-Identifier: GPL-2.0-or-later
"""What a container may try to get around its wall, one row each, as frames. A row says who sends, what stops it and
where, where it would be seen if nothing did, and how the denied log calls it. How it is sent and watched is in
test_bypass.py and tests/lib/bypass_engine.py; nothing here knows of the agent.

Every frame carries the marker of its row, so that what arrives anywhere is known to be one of them."""
import dataclasses
import typing

from scapy.all import (ARP, BOOTP, DHCP, DNS, DNSQR, DNSRR, GRE, ICMP, IP, IPv6, LLC, SNAP, STP, TCP, UDP, Dot1AD,
    Dot1Q, Dot3,
                       Ether, ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6MLQuery, ICMPv6MLReport2, ICMPv6ND_NA,
                           ICMPv6ND_NS,
                       ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6ND_RS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo,
                       ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IPOption_LSRR, IPOption_RR, IPOption_SSRR,
                       IPOption_Timestamp, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                       IPv6ExtHdrRouting, IPv6ExtHdrSegmentRouting, PadN, Raw, RouterAlert, VXLAN)

BROADCAST, ANY4, ANY6 = "ff:ff:ff:ff:ff:ff", "0.0.0.0", "::"
ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"
NOBODY_MAC = "02:42:0a:4d:00:77"
# Ports: what mallory may send to friend, what friend may send to the victim, what nobody may.
OPEN, SERVED, CLOSED = 5000, 5432, 22


@dataclasses.dataclass(frozen=True)
class End:
    mac: str
    ip4: str
    ip6: str

    def link_local(self):
        b = [int(x, 16) for x in self.mac.split(":")]
        return f"fe80::{b[0] ^ 2:02x}{b[1]:02x}:{b[2]:02x}ff:fe{b[3]:02x}:{b[4]:02x}{b[5]:02x}"


@dataclasses.dataclass(frozen=True)
class Scene:
    """me: who sends. friend: reached on udp/OPEN. victim: by friend only, on tcp/SERVED. outside: behind gateway."""
    me: End
    friend: End
    victim: End
    gateway: End
    outside: End
    resolver: End
    named: str  # an address that a rule would open by a name


@dataclasses.dataclass(frozen=True)
class Attempt:
    name: str
    group: str
    frames: typing.Callable  # (Scene, marker) -> frames, sent one after another
    stopped_by: str
    log: typing.Optional[str]  # policy of its record in the denied log; None: a counter of the wall
    to: str = "bridge"  # where it is seen when nothing stops it
    by: str = "mallory"  # who has a policy; eve has none, and nobody knows stray
    at: str = "sender"  # or receiver: it may leave, and must not arrive


ATTEMPTS = []


def attempt(name, group, frames, stopped_by, log, **more):
    ATTEMPTS.append(Attempt(name, group, frames, stopped_by, log, **more))


def eth(s, dst, src=None, **more):
    return Ether(src=src or s.me.mac, dst=dst, **more)


def ip4(s, to, src=None, mac=None, **more):
    """To one on the bridge; mac: the frame's source."""
    return eth(s, to.mac, mac) / IP(src=src or s.me.ip4, dst=to.ip4, **more)


def ip6(s, to, src=None, mac=None, **more):
    return eth(s, to.mac, mac) / IPv6(src=src or s.me.ip6, dst=to.ip6, **more)


def far4(s, **more):
    return eth(s, s.gateway.mac) / IP(src=s.me.ip4, dst=s.outside.ip4, **more)


def far6(s, **more):
    return eth(s, s.gateway.mac) / IPv6(src=s.me.ip6, dst=s.outside.ip6, **more)


def udp(port, m, sport=40000):
    return UDP(sport=sport, dport=port) / Raw(m)


def padded(frame, m):
    """The marker behind the end of the packet that the frame carries."""
    return Raw(bytes(frame) + m)


# --- who sends it ---

SPOOF = "its address, in i4_N and i6_N"
for what, frame in (
        ("IPv4 address of a neighbour", lambda s, m: ip4(s, s.victim, src=s.friend.ip4) / udp(SERVED, m)),
        ("IPv4 address of the gateway", lambda s, m: ip4(s, s.victim, src=s.gateway.ip4) / udp(SERVED, m)),
        ("IPv4 address of nobody", lambda s, m: ip4(s, s.victim, src="10.77.0.99") / udp(SERVED, m)),
        ("IPv4 address 0.0.0.0", lambda s, m: ip4(s, s.victim, src=ANY4) / udp(SERVED, m)),
        ("IPv4 loopback address", lambda s, m: ip4(s, s.victim, src="127.0.0.1") / udp(SERVED, m)),
        ("IPv4 broadcast address", lambda s, m: ip4(s, s.victim, src="255.255.255.255") / udp(SERVED, m)),
        ("the victim's own IPv4 address", lambda s, m: ip4(s, s.victim, src=s.victim.ip4) / udp(SERVED, m)),
        ("IPv6 address of a neighbour", lambda s, m: ip6(s, s.victim, src=s.friend.ip6) / udp(SERVED, m)),
        ("IPv6 address of the gateway", lambda s, m: ip6(s, s.victim, src=s.gateway.ip6) / udp(SERVED, m)),
        ("IPv6 link-local address of a neighbour",
         lambda s, m: ip6(s, s.victim, src=s.friend.link_local()) / udp(SERVED, m)),
        ("the unspecified IPv6 address", lambda s, m: ip6(s, s.victim, src=ANY6) / udp(SERVED, m)),
        ("IPv4-mapped IPv6 address", lambda s, m: ip6(s, s.victim, src="::ffff:10.77.0.11") / udp(SERVED, m))):
    for by in ("mallory", "eve"):
        attempt(f"source: {what}, by {by}", "spoofed source", lambda s, m, f=frame: [f(s, m)], SPOOF,
                "spoofed-source", to="victim", by=by)

MAC = "its MAC, in in_N"
for what, frame in (
        ("a neighbour's MAC, IPv4", lambda s, m: ip4(s, s.friend, mac=s.victim.mac) / udp(OPEN, m)),
        ("a neighbour's MAC, IPv6", lambda s, m: ip6(s, s.friend, mac=s.victim.mac) / udp(OPEN, m)),
        ("the gateway's MAC", lambda s, m: ip4(s, s.friend, mac=NOBODY_MAC) / udp(OPEN, m)),
        ("a neighbour's MAC and IP",
         lambda s, m: ip4(s, s.victim, src=s.friend.ip4, mac=s.friend.mac) / udp(SERVED, m)),
        ("a neighbour's MAC and IPv6",
         lambda s, m: ip6(s, s.victim, src=s.friend.ip6, mac=s.friend.mac) / udp(SERVED, m)),
        ("neighbour discovery by another's MAC",
         lambda s, m: padded(Ether(src=NOBODY_MAC, dst=ALL_NODES_MAC) / IPv6(src=s.me.ip6, dst=ALL_NODES, hlim=255)
                             / ICMPv6ND_NA(tgt=s.me.ip6), m))):
    attempt(f"MAC: {what}", "spoofed source", lambda s, m, f=frame: [f(s, m)], MAC, "spoofed-source")

# --- who is where ---

ARP_RULE = "about itself only, in arp_N"


def arp(s, m, src=None, dst=BROADCAST, **fields):
    fields = {"op": 2, "hwsrc": s.me.mac, "psrc": s.me.ip4, "hwdst": dst, "pdst": s.victim.ip4, **fields}
    return [padded(Ether(src=src or s.me.mac, dst=dst) / ARP(**fields), m)]


attempt("ARP: answers for the gateway", "ARP", lambda s, m: arp(s, m, psrc=s.gateway.ip4, dst=s.victim.mac), ARP_RULE,
        None, to="victim")
attempt("ARP: answers for a neighbour", "ARP", lambda s, m: arp(s, m, psrc=s.friend.ip4, dst=s.victim.mac), ARP_RULE,
        None, to="victim")
attempt("ARP: asks in the gateway's name", "ARP", lambda s, m: arp(s, m, op=1, psrc=s.gateway.ip4), ARP_RULE, None,
        to="victim")
attempt("ARP: announces the gateway without being asked", "ARP",
        lambda s, m: arp(s, m, op=1, psrc=s.gateway.ip4, pdst=s.gateway.ip4), ARP_RULE, None, to="victim")
attempt("ARP: its address at another's MAC", "ARP", lambda s, m: arp(s, m, hwsrc=s.victim.mac), ARP_RULE, None,
        to="victim")
attempt("ARP: from another's MAC", "ARP", lambda s, m: arp(s, m, src=s.friend.mac), ARP_RULE, None)
attempt("ARP: with a payload", "ARP", lambda s, m: [eth(s, s.victim.mac) / ARP(
    op=1, hwsrc=s.me.mac, psrc=s.me.ip4, pdst=s.victim.ip4) / Raw(bytes(40) + m)], ARP_RULE, None, to="victim")
attempt("RARP", "ARP", lambda s, m: [padded(eth(s, BROADCAST, type=0x8035) / ARP(op=3, hwsrc=s.me.mac), m)],
        "neither IP nor ARP, in dx_N", "protocol", to="victim")

ND = "discovery about itself only, in n6_N"


def nd(s, m, body, src=None, dst=ALL_NODES, mac=ALL_NODES_MAC, hlim=255, ext=None):
    head = eth(s, mac) / IPv6(src=src or s.me.ip6, dst=dst, hlim=hlim)
    return [padded(head / ext / body if ext else head / body, m)]


def ra(s):
    return ICMPv6ND_RA(routerlifetime=1800) / ICMPv6NDOptPrefixInfo(prefix="fd66::", prefixlen=64) / \
        ICMPv6NDOptSrcLLAddr(lladdr=s.me.mac)


for by in ("mallory", "eve"):
    attempt(f"ND: a router advertisement, by {by}", "neighbour discovery",
            lambda s, m: nd(s, m, ra(s), src=s.me.link_local()), ND, "neighbour-discovery", to="victim", by=by)
attempt("ND: a router advertisement in the gateway's name", "neighbour discovery",
        lambda s, m: nd(s, m, ra(s), src=s.gateway.link_local()), ND, "spoofed-source", to="victim")
attempt("ND: a router advertisement behind destination options", "neighbour discovery",
        lambda s, m: nd(s, m, ra(s), src=s.me.link_local(), ext=IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])),
        ND, "neighbour-discovery", to="victim")
attempt("ND: a router advertisement behind hop-by-hop options", "neighbour discovery",
        lambda s, m: nd(s, m, ra(s), src=s.me.link_local(), ext=IPv6ExtHdrHopByHop(options=[RouterAlert()])),
        ND, "neighbour-discovery", to="victim")
attempt("ND: a router advertisement in an atomic fragment", "neighbour discovery",
        lambda s, m: nd(s, m, ra(s), src=s.me.link_local(), ext=IPv6ExtHdrFragment(id=1)), ND,
        "neighbour-discovery", to="victim")
attempt("ND: a router advertisement whose header is in the second fragment", "neighbour discovery",
        lambda s, m: nd(s, m, Raw(b"\x3a\0\1\4\0\0\0\0"), src=s.me.link_local(),
                        ext=IPv6ExtHdrFragment(id=2, m=1, nh=60)) +
        nd(s, m, Raw(bytes(ra(s))), src=s.me.link_local(), ext=IPv6ExtHdrFragment(id=2, offset=1, nh=60)),
        "a first fragment with its header whole, in i6_N", "spoofed-source", to="victim")
attempt("ND: a router advertisement with another hop limit", "neighbour discovery",
        lambda s, m: nd(s, m, ra(s), src=s.me.link_local(), hlim=64), ND, "neighbour-discovery", to="victim")
attempt("ND: advertises the gateway", "neighbour discovery",
        lambda s, m: nd(s, m, ICMPv6ND_NA(tgt=s.gateway.ip6, O=1, R=1) / ICMPv6NDOptDstLLAddr(lladdr=s.me.mac)), ND,
        "neighbour-discovery", to="victim")
attempt("ND: advertises a neighbour", "neighbour discovery",
        lambda s, m: nd(s, m, ICMPv6ND_NA(tgt=s.friend.ip6, O=1) / ICMPv6NDOptDstLLAddr(lladdr=s.me.mac),
                        dst=s.victim.ip6, mac=s.victim.mac), ND, "neighbour-discovery", to="victim")
attempt("ND: advertises itself in the gateway's name", "neighbour discovery",
        lambda s, m: nd(s, m, ICMPv6ND_NA(tgt=s.me.ip6, O=1), src=s.gateway.ip6), ND, "spoofed-source",
        to="victim")
attempt("ND: asks in the gateway's name", "neighbour discovery",
        lambda s, m: nd(s, m, ICMPv6ND_NS(tgt=s.victim.ip6) / ICMPv6NDOptSrcLLAddr(lladdr=s.me.mac),
                        src=s.gateway.ip6, dst=s.victim.ip6, mac=s.victim.mac), ND, "spoofed-source",
        to="victim")
attempt("ND: another's address is a duplicate", "neighbour discovery",
        lambda s, m: nd(s, m, ICMPv6ND_NS(tgt=s.victim.ip6), src=ANY6), ND, "neighbour-discovery", to="victim")
attempt("ND: a redirect", "neighbour discovery",
        lambda s, m: nd(s, m, ICMPv6ND_Redirect(tgt=s.me.link_local(), dst=s.outside.ip6),
                        src=s.gateway.link_local(), dst=s.victim.ip6, mac=s.victim.mac), ND, "spoofed-source",
        to="victim")
attempt("ND: asks for routers in a neighbour's name", "neighbour discovery",
        lambda s, m: nd(s, m, ICMPv6ND_RS(), src=s.friend.link_local()), ND, "spoofed-source", to="victim")
attempt("MLD: poses as the querier", "neighbour discovery",
        lambda s, m: nd(s, m, ICMPv6MLQuery(), src=s.me.link_local(), hlim=1), ND, "spoofed-source", to="victim")
attempt("MLD: a report in a neighbour's name", "neighbour discovery",
        lambda s, m: nd(s, m, ICMPv6MLReport2(), src=s.friend.link_local(), hlim=1), ND, "spoofed-source",
        to="victim")


def nd_data(m):
    """An option that nobody knows, with the marker in it: sixteen bytes each."""
    return Raw((b"\xfd\x02" + m.ljust(14, b"\0")) * 8)


for what, to in (("outside", far6), ("a neighbour", lambda s, **k: ip6(s, s.victim, **k))):
    for kind, body in (("solicitation", lambda s: ICMPv6ND_NS(tgt=s.me.ip6)),
                       ("advertisement", lambda s: ICMPv6ND_NA(tgt=s.me.ip6))):
        attempt(f"ND: data to {what} in a neighbour {kind}", "neighbour discovery",
                lambda s, m, t=to, b=body: [t(s, hlim=255) / b(s) / nd_data(m)], ND, "neighbour-discovery",
                to="outside" if what == "outside" else "victim")
attempt("ND: a solicitation of plain size to the outside", "neighbour discovery",
        lambda s, m: [far6(s, hlim=255) / ICMPv6ND_NS(tgt=s.me.ip6) / Raw(b"\xfd\2" + m.ljust(14, b"\0"))], ND,
        "neighbour-discovery", to="outside")

# --- what is no IP ---

FOREIGN = "neither IP nor ARP, in dx_N"
for what, frame in (
        ("a VLAN tag",
         lambda s, m: eth(s, s.victim.mac) / Dot1Q(vlan=5) / IP(src=s.me.ip4, dst=s.victim.ip4) / udp(SERVED, m)),
        ("a priority tag, VLAN 0",
         lambda s, m: eth(s, s.victim.mac) / Dot1Q(vlan=0, prio=7) / IP(src=s.friend.ip4, dst=s.victim.ip4) /
          udp(SERVED, m)),
        ("QinQ",
         lambda s, m: eth(s, s.victim.mac) / Dot1AD(vlan=5) / Dot1Q(vlan=6) / IP(src=s.me.ip4, dst=s.victim.ip4) /
          udp(SERVED, m)),
        ("two tags of VLAN 0",
         lambda s, m: eth(s, s.victim.mac) / Dot1Q(vlan=0) / Dot1Q(vlan=0) / IP(src=s.friend.ip4, dst=s.victim.ip4) /
          udp(SERVED, m)),
        ("a tag and IPv6",
         lambda s, m: eth(s, s.victim.mac) / Dot1Q(vlan=0) / IPv6(src=s.friend.ip6, dst=s.victim.ip6) / udp(SERVED, m)),
        ("a tag and ARP", lambda s, m: padded(eth(s, s.victim.mac) / Dot1Q(vlan=0) / ARP(op=2, psrc=s.gateway.ip4), m)),
        ("EtherType 0x88b5 (experiments)", lambda s, m: eth(s, s.victim.mac, type=0x88b5) / Raw(m * 4)),
        ("EtherType 0x8847 (MPLS)",
         lambda s, m: eth(s, s.victim.mac, type=0x8847) / Raw(b"\0\1\1\x40" + bytes(IP(src=s.friend.ip4,
          dst=s.victim.ip4) / udp(SERVED, m)))),
        ("EtherType 0x8864 (PPPoE)",
         lambda s, m: eth(s, s.victim.mac, type=0x8864) / Raw(b"\x11\0\0\1\0\x20\0\x21" + bytes(IP(src=s.me.ip4,
          dst=s.victim.ip4) / udp(SERVED, m)))),
        ("EtherType 0x888e (802.1X)", lambda s, m: eth(s, s.victim.mac, type=0x888e) / Raw(m * 4)),
        ("IP in LLC and SNAP",
         lambda s, m: Dot3(src=s.me.mac, dst=s.victim.mac) / LLC() / SNAP(code=0x800) / IP(src=s.friend.ip4,
          dst=s.victim.ip4) / udp(SERVED, m)),
        ("a BPDU of a root bridge",
         lambda s, m: padded(Dot3(src=s.me.mac, dst="01:80:c2:00:00:00") / LLC(dsap=0x42, ssap=0x42, ctrl=3) /
          STP(rootid=0, bridgeid=0, bridgemac=s.me.mac), m))):
    attempt(f"frame: {what}", "VLAN and EtherTypes", lambda s, m, f=frame: [f(s, m)], FOREIGN, "protocol",
            to="bridge" if "BPDU" in what else "victim")

# --- what the header says besides ---

OPTIONS = "no IP options but Router Alert, in i4_N"
for what, option in (
        ("loose source routing", lambda s: IPOption_LSRR(routers=[s.victim.ip4])),
        ("strict source routing", lambda s: IPOption_SSRR(routers=[s.victim.ip4])),
        ("record route", lambda s: IPOption_RR(routers=[ANY4] * 3)),
        ("timestamp", lambda s: IPOption_Timestamp())):
    attempt(f"IP option: {what}, to whom it may reach", "IP options",
            lambda s, m, o=option: [ip4(s, s.friend, options=[o(s)]) / udp(OPEN, m)], OPTIONS, "protocol", to="friend")
attempt("IP option: source routing behind Router Alert", "IP options",
        lambda s, m: [ip4(s, s.friend, options=[b"\x94\4\0\0", IPOption_LSRR(routers=[s.victim.ip4])]) / udp(OPEN, m)],
        OPTIONS, "protocol", to="friend")
attempt("IP option: the port of a denied packet moved by options", "IP options",
        lambda s, m: [ip4(s, s.victim, options=[b"\x94\4\0\0", b"\1" * 32]) / udp(CLOSED, m)], OPTIONS, "protocol",
        to="victim")
for what, header in (("type 0", lambda s: IPv6ExtHdrRouting(type=0, segleft=1, addresses=[s.victim.ip6])),
                     ("type 4 (segments)", lambda s: IPv6ExtHdrSegmentRouting(addresses=[s.victim.ip6, s.friend.ip6],
                         segleft=1))):
    attempt(f"IPv6 routing header {what}, to whom it may reach", "IPv6 extension headers",
            lambda s, m, h=header: [ip6(s, s.friend) / h(s) / udp(OPEN, m)],
            "no routing headers, in i6_N", "protocol", to="friend")

DENIED = "policy: no rule of jo_N allows it"
PAD = IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])
for what, head in (
        ("destination options", lambda s: PAD),
        ("hop-by-hop options", lambda s: IPv6ExtHdrHopByHop(options=[RouterAlert()])),
        ("twelve headers", lambda s: twelve()),
        ("an atomic fragment header", lambda s: IPv6ExtHdrFragment(id=3)),
        ("two atomic fragment headers", lambda s: IPv6ExtHdrFragment(id=3) / IPv6ExtHdrFragment(id=4))):
    attempt(f"IPv6: a denied port behind {what}", "IPv6 extension headers",
            lambda s, m, h=head: [ip6(s, s.victim) / h(s) / udp(SERVED, m)], DENIED, "default", to="victim")
attempt("IPv6: a second fragment header, ports spelt by the flow label", "IPv6 extension headers",
        lambda s, m: [ip6(s, s.victim, fl=OPEN) / IPv6ExtHdrFragment(id=5) / IPv6ExtHdrFragment(id=6, offset=2,
            nh=17) / Raw(m)],
        DENIED, "default", to="victim")
attempt("IPv6: no next header, and data", "IPv6 extension headers",
        lambda s, m: [ip6(s, s.victim, nh=59) / Raw(m)], DENIED, "default", to="victim")
attempt("IPv6: the transport header is not all there", "IPv6 extension headers",
        lambda s, m: [padded(ip6(s, s.friend, nh=17) / Raw(b"\0"), m)], DENIED, "default", to="friend")


def twelve():
    head = IPv6ExtHdrHopByHop(options=[RouterAlert()])
    for _ in range(11):
        head = head / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])
    return head


# --- fragments ---

FOLLOWS = "follows no allowed first fragment, in i4_N and i6_N"


def pieces4(s, to, whole, cuts, ident, order=None):
    """whole, the bytes behind the IPv4 header, cut at these offsets."""
    ends = [*cuts[1:], len(whole)]
    out = [ip4(s, to, id=ident, proto=17, frag=a // 8, flags="MF" if b < len(whole) else 0) / Raw(whole[a:b])
           for a, b in zip(cuts, ends)]
    return [out[i] for i in order] if order else out


def pieces6(s, to, whole, cuts, ident, nh=17, order=None):
    ends = [*cuts[1:], len(whole)]
    out = [ip6(s, to) / IPv6ExtHdrFragment(nh=nh, id=ident, offset=a // 8, m=int(b < len(whole))) / Raw(whole[a:b])
           for a, b in zip(cuts, ends)]
    return [out[i] for i in order] if order else out


def datagram(port, m):
    return bytes(UDP(sport=40000, dport=port, len=8 + 48, chksum=0) / Raw((m * 4)[:48].ljust(48, b".")))


attempt("fragments: a denied datagram in two", "fragments",
        lambda s, m: pieces4(s, s.victim, datagram(SERVED, m), [0, 24], 11), DENIED, "default", to="victim")
attempt("fragments: the same, IPv6", "fragments",
        lambda s, m: pieces6(s, s.victim, datagram(SERVED, m), [0, 24], 11), DENIED, "default", to="victim")
attempt("fragments: the last one first", "fragments",
        lambda s, m: pieces4(s, s.victim, datagram(SERVED, m), [0, 24], 12, [1, 0]), FOLLOWS, "fragment", to="victim")
attempt("fragments: the last one first, IPv6", "fragments",
        lambda s, m: pieces6(s, s.victim, datagram(SERVED, m), [0, 24], 12, order=[1, 0]), FOLLOWS, "fragment",
        to="victim")
attempt("fragments: tiny, eight bytes each", "fragments",
        lambda s, m: pieces4(s, s.victim, datagram(SERVED, m), list(range(0, 56, 16)), 13), DENIED, "default",
        to="victim")
attempt("fragments: an IPv6 first fragment without the transport header", "fragments",
        lambda s, m: pieces6(s, s.friend, b"\x11\0\1\4\0\0\0\0" + datagram(CLOSED, m), [0, 8], 14, nh=60), DENIED,
        "default", to="friend")
attempt("fragments: a later one alone, its payload spelling allowed ports", "fragments",
        lambda s, m: [ip4(s, s.victim, id=15, proto=17, frag=3) / udp(OPEN, m)], FOLLOWS, "fragment", to="victim")
attempt("fragments: one behind a denied first of an id that was allowed to another", "fragments",
        lambda s, m: [ip4(s, s.friend, id=16, proto=17, flags="MF") / UDP(sport=40000, dport=OPEN) / Raw(b"o" * 16),
                      ip4(s, s.victim, id=16, proto=17, frag=3) / Raw(m * 2)], FOLLOWS, "fragment", to="victim")
attempt("fragments: overlapping the ports of a denied first, two ids", "fragments",
        lambda s, m: [ip4(s, s.friend, id=17, proto=17, flags="MF") / Raw(datagram(CLOSED, m)[:24]),
                      ip4(s, s.friend, id=17, proto=17, frag=1) / Raw(datagram(OPEN, m)[8:])], FOLLOWS,
        "fragment", to="friend")
attempt("fragments: an allowed first, then a denied first of the same id and the rest", "fragments",
        lambda s, m: [ip4(s, s.friend, id=18, proto=17, flags="MF") / Raw(datagram(OPEN, b"allowed!")[:24]),
                      ip4(s, s.friend, id=18, proto=17, flags="MF") / Raw(datagram(CLOSED, m)[:24]),
                      ip4(s, s.friend, id=18, proto=17, frag=3) / Raw(datagram(CLOSED, m)[24:])], FOLLOWS, "fragment",
        to="friend")
attempt("fragments: a first one of nothing", "fragments",
        lambda s, m: [padded(ip4(s, s.friend, id=19, proto=17, flags="MF"), m)], DENIED, "default", to="friend")

# --- TCP and flows ---

ARRIVAL = "policy at the receiver: no rule of ji_N allows it"
for flags, name in (("S", "SYN"), ("A", "ACK"), ("FA", "FIN"), ("F", "bare FIN"), ("FPU", "XMAS"), ("", "NULL"),
                    ("R", "RST"), ("SA", "SYN and ACK"), ("SF", "SYN and FIN"), ("SR", "SYN and RST"),
                    ("PA", "data"), ("SFRPAUEC", "every flag")):
    for by, where, why, log in (("mallory", "sender", DENIED, "default"), ("eve", "receiver", ARRIVAL, "default")):
        attempt(f"TCP: {name} to a closed door, by {by}", "TCP without SYN",
                lambda s, m, f=flags: [ip4(s, s.victim) / TCP(sport=40001, dport=SERVED, flags=f, seq=7, ack=9) /
                    Raw(m),
                                       ip6(s, s.victim) / TCP(sport=40001, dport=SERVED, flags=f, seq=7, ack=9) /
                                           Raw(m)],
                why, log, to="victim", by=by, at=where)
attempt("TCP: an answer that nobody asked for", "forged replies",
        lambda s, m: [ip4(s, s.victim) / TCP(sport=SERVED, dport=40001, flags="SA") / Raw(m)], ARRIVAL, "default",
        to="victim", by="eve", at="receiver")
attempt("UDP: an answer that nobody asked for", "forged replies",
        lambda s, m: [ip4(s, s.victim) / udp(40001, m, sport=53), ip6(s, s.victim) / udp(40001, m, sport=53)],
        ARRIVAL, "default", to="victim", by="eve", at="receiver")
attempt("UDP: forges the victim's question, then answers it", "forged replies",
        lambda s, m: [ip4(s, s.me, src=s.victim.ip4, mac=s.victim.mac) / udp(40002, m, sport=40003),
                      ip4(s, s.victim) / udp(40003, m, sport=40002)], ARRIVAL, "default", to="victim", by="eve",
        at="receiver")
attempt("ICMP: an echo reply that nobody asked for", "forged replies",
        lambda s, m: [ip4(s, s.victim) / ICMP(type=0, id=77) / Raw(m)], ARRIVAL, "default", to="victim", by="eve",
        at="receiver")

# --- ICMP ---


def quoted4(s, src, dst, m, sport=SERVED, dport=40010):
    return IP(src=src, dst=dst) / TCP(sport=sport, dport=dport, flags="A") / Raw(m)


for by, where, why, log in (("mallory", "sender", DENIED, "default"), ("eve", "receiver", ARRIVAL, "default")):
    def error(name, frames, by=by, where=where, why=why, log=log):
        attempt(f"ICMP: {name}, by {by}", "ICMP errors", frames, why, log, to="victim", by=by, at=where)
    error("unreachable, quoting a flow that is not", lambda s, m: [
        ip4(s, s.victim) / ICMP(type=3, code=1) / quoted4(s, s.victim.ip4, s.friend.ip4, m)])
    error("fragmentation needed, quoting a flow of others", lambda s, m: [
        ip4(s, s.victim) / ICMP(type=3, code=4, nexthopmtu=68) / quoted4(s, s.friend.ip4, s.outside.ip4, m)])
    error("unreachable, quoting a header with options", lambda s, m: [
        ip4(s, s.victim) / ICMP(type=3, code=1) / IP(src=s.victim.ip4, dst=s.friend.ip4, options=[b"\1" * 4]) /
        TCP(sport=SERVED, dport=40010) / Raw(m)])
    error("unreachable, quoting the wall's own book-keeping", lambda s, m: [
        ip4(s, s.victim) / ICMP(type=3, code=1) / IP(src=s.victim.ip4, dst=s.friend.ip4, proto=p) / Raw(m)
        for p in (44, 253, 254, 255)])
    error("a redirect", lambda s, m: [
        ip4(s, s.victim) / ICMP(type=5, code=1, gw=s.me.ip4) / quoted4(s, s.victim.ip4, s.outside.ip4, m)])
    error("source quench and other kinds", lambda s, m: [
        ip4(s, s.victim) / ICMP(type=t) / Raw(m) for t in (4, 9, 10, 13, 15, 17, 40)])
    error("IPv6 unreachable and too big, quoting a flow that is not", lambda s, m: [
        ip6(s, s.victim) / e / IPv6(src=s.victim.ip6, dst=s.friend.ip6) / TCP(sport=SERVED, dport=40010) / Raw(m)
        for e in (ICMPv6DestUnreach(), ICMPv6PacketTooBig(mtu=1280))])
    error("an IPv6 echo request", lambda s, m: [ip6(s, s.victim) / ICMPv6EchoRequest(data=m)])
attempt("ICMP: a redirect in the gateway's name", "ICMP errors", lambda s, m: [
    ip4(s, s.victim, src=s.gateway.ip4) / ICMP(type=5, code=1, gw=s.me.ip4) /
    quoted4(s, s.victim.ip4, s.outside.ip4, m)], SPOOF, "spoofed-source", to="victim", by="eve")
attempt("ICMP: data to the outside in an error", "ICMP errors", lambda s, m: [
    far4(s) / ICMP(type=3, code=1) / quoted4(s, s.outside.ip4, s.me.ip4, m)], DENIED, "default", to="outside")

# --- many at once ---

for what, dst, mac in (("all hosts", "224.0.0.1", "01:00:5e:00:00:01"), ("mDNS", "224.0.0.251", "01:00:5e:00:00:fb"),
                       ("broadcast", "255.255.255.255", BROADCAST), ("the network's broadcast", "10.77.0.255",
                           BROADCAST)):
    for by, where, why, log in (("mallory", "sender", DENIED, "default"), ("eve", "receiver", ARRIVAL, "default")):
        attempt(f"multicast: UDP to {what}, by {by}", "multicast and broadcast",
                lambda s, m, d=dst, h=mac: [eth(s, h) / IP(src=s.me.ip4, dst=d) / udp(5353, m)], why, log, to="victim",
                by=by, at=where)
for by, where, why, log in (("mallory", "sender", DENIED, "default"), ("eve", "receiver", ARRIVAL, "default")):
    attempt(f"multicast: UDP to all IPv6 nodes, by {by}", "multicast and broadcast",
            lambda s, m: [eth(s, ALL_NODES_MAC) / IPv6(src=s.me.ip6, dst=ALL_NODES, hlim=255) / udp(5353, m)], why, log,
            to="victim", by=by, at=where)
    attempt(f"multicast: a unicast packet in a broadcast frame, by {by}", "multicast and broadcast",
            lambda s, m: [eth(s, BROADCAST) / IP(src=s.me.ip4, dst=s.victim.ip4) / udp(SERVED, m)], why, log,
            to="victim", by=by, at=where)

OFFER = DHCP(options=[("message-type", "offer"), ("router", "10.77.0.66"), "end"])
for by, where, why, log in (("mallory", "sender", DENIED, "default"), ("eve", "receiver", ARRIVAL, "default")):
    attempt(f"DHCP: an offer, by {by}", "DHCP",
            lambda s, m: [eth(s, BROADCAST) / IP(src=s.me.ip4, dst="255.255.255.255") / UDP(sport=67, dport=68) /
                          BOOTP(op=2, yiaddr="10.77.0.13", sname=m) / OFFER], why, log, to="victim", by=by, at=where)
attempt("DHCP: an offer in the gateway's name", "DHCP",
        lambda s, m: [eth(s, BROADCAST) / IP(src=s.gateway.ip4, dst="255.255.255.255") / UDP(sport=67, dport=68) /
                      BOOTP(op=2, yiaddr="10.77.0.13", sname=m) / OFFER], SPOOF, "spoofed-source", to="victim",
                          by="eve")
attempt("DHCPv6: a reply", "DHCP", lambda s, m: [ip6(s, s.victim) / UDP(sport=547, dport=546) / Raw(b"\7\0\0\1" + m)],
        DENIED, "default", to="victim")

# --- whom the frame is for ---

NOT_FOR = "what is not for its address, in e4_N and e6_N"
attempt("an allowed address in a frame to another container", "frames to others",
        lambda s, m: [eth(s, s.victim.mac) / IP(src=s.me.ip4, dst=s.friend.ip4) / udp(OPEN, m),
                      eth(s, s.victim.mac) / IPv6(src=s.me.ip6, dst=s.friend.ip6) / udp(OPEN, m)],
        NOT_FOR, "not-addressed", to="victim", at="receiver")
attempt("an allowed address in a frame to a container without policy", "frames to others",
        lambda s, m: [eth(s, NEIGHBOUR["eve"]) / IP(src=s.me.ip4, dst=s.friend.ip4) / udp(OPEN, m),
                      eth(s, NEIGHBOUR["eve"]) / IPv6(src=s.me.ip6, dst=s.friend.ip6) / udp(OPEN, m)],
        NOT_FOR, "not-addressed", to="eve", at="receiver")
attempt("an allowed address in a broadcast frame", "frames to others",
        lambda s, m: [eth(s, BROADCAST) / IP(src=s.me.ip4, dst=s.friend.ip4) / udp(OPEN, m)], NOT_FOR,
        "not-addressed", to="eve", at="receiver")
NEIGHBOUR = {}  # name: MAC, filled in by who makes the scene

# --- tunnels ---

for what, frames in (
        ("GRE", lambda s, m: [far4(s) / GRE() / IP(src=s.friend.ip4, dst=s.victim.ip4) / udp(SERVED, m)]),
        ("IP in IP", lambda s, m: [far4(s, proto=4) / IP(src=s.friend.ip4, dst=s.victim.ip4) / udp(SERVED, m)]),
        ("IPv6 in IPv4", lambda s, m: [far4(s, proto=41) / IPv6(src=s.friend.ip6, dst=s.victim.ip6) / udp(SERVED, m)]),
        ("IPv4 in IPv6", lambda s, m: [far6(s, nh=4) / IP(src=s.friend.ip4, dst=s.victim.ip4) / udp(SERVED, m)]),
        ("VXLAN",
         lambda s, m: [far4(s) / UDP(sport=4789, dport=4789) / VXLAN(vni=1) / Ether(src=s.me.mac, dst=s.victim.mac) /
          IP(src=s.friend.ip4, dst=s.victim.ip4) / udp(SERVED, m)]),
        ("ESP", lambda s, m: [far4(s, proto=50) / Raw(bytes(8) + m)]),
        ("SCTP", lambda s, m: [far4(s, proto=132) / Raw(b"\1\2\3\4" + bytes(8) + m)]),
        ("the numbers of the wall's own book-keeping",
         lambda s, m: [far4(s, proto=p) / Raw(b"\1\2\3\4" + m) for p in (44, 253, 254, 255)])):
    attempt(f"tunnel: {what} to the outside", "tunnels", frames, DENIED, "default", to="outside")
attempt("tunnel: IP in IP to the node", "tunnels",
        lambda s, m: [ip4(s, s.gateway, proto=4) / IP(src=s.friend.ip4, dst=s.victim.ip4) / udp(SERVED, m)], DENIED,
        "default")
attempt("the node's loopback, through the gateway", "tunnels",
        lambda s, m: [eth(s, s.gateway.mac) / IP(src=s.me.ip4, dst="127.0.0.1") / udp(53, m)], DENIED, "default")

# --- names ---


def answer(s, m):
    return DNS(id=1, qr=1, qd=DNSQR(qname="api.example.org"),
               an=DNSRR(rrname="api.example.org", ttl=3600, rdata=s.named) / DNSRR(rrname=b"x." + m, ttl=1,
                   rdata="0.0.0.0"))


attempt("DNS: answers itself in the resolver's name", "DNS answers",
        lambda s, m: [eth(s, d) / IP(src=s.resolver.ip4, dst=s.me.ip4) / UDP(sport=53, dport=5353) / answer(s, m)
                      for d in (s.gateway.mac, BROADCAST)], SPOOF, "spoofed-source")
attempt("DNS: what it opened by that", "DNS answers",
        lambda s, m: [eth(s, s.gateway.mac) / IP(src=s.me.ip4, dst=s.named) / TCP(sport=40020, dport=443) / Raw(m)],
        DENIED, "default")

# --- a veth that nobody is known to own ---

HELD = "held, in in_N"
for what, frame, to in (
        ("IPv4", lambda s, m: ip4(s, s.victim) / udp(SERVED, m), "victim"),
        ("IPv4 to whom eve may reach", lambda s, m: ip4(s, s.friend) / udp(OPEN, m), "friend"),
        ("IPv4 to the outside", lambda s, m: far4(s) / udp(OPEN, m), "outside"),
        ("IPv4 in a neighbour's name",
         lambda s, m: ip4(s, s.victim, src=s.friend.ip4, mac=s.friend.mac) / udp(SERVED, m), "victim"),
        ("IPv6", lambda s, m: ip6(s, s.victim) / udp(SERVED, m), "victim"),
        ("IPv6 to the outside", lambda s, m: far6(s) / udp(OPEN, m), "outside"),
        ("a router advertisement", lambda s, m: nd(s, m, ra(s), src=s.me.link_local())[0], "victim"),
        ("a redirect", lambda s, m: nd(s, m, ICMPv6ND_Redirect(tgt=s.me.link_local(), dst=s.outside.ip6))[0], "victim"),
        ("data in a neighbour solicitation",
         lambda s, m: ip6(s, s.victim, hlim=255) / ICMPv6ND_NS(tgt=s.me.ip6) / nd_data(m), "victim"),
        ("a solicitation to the outside",
         lambda s, m: far6(s, hlim=255) / ICMPv6ND_NS(tgt=s.me.ip6) / Raw(b"\xfd\2" + m.ljust(14, b"\0")), "outside"),
        ("ARP with data",
         lambda s, m: eth(s, s.victim.mac) / ARP(op=1, psrc=s.me.ip4, pdst=s.victim.ip4) / Raw(bytes(40) + m),
          "victim"),
        ("VLAN 0",
         lambda s, m: eth(s, s.victim.mac) / Dot1Q(vlan=0) / IP(src=s.me.ip4, dst=s.victim.ip4) / udp(SERVED, m),
          "victim"),
        ("an EtherType", lambda s, m: eth(s, s.victim.mac, type=0x88b5) / Raw(m * 4), "victim")):
    attempt(f"unknown: {what}, by stray", "a veth that is not known", lambda s, m, f=frame: [f(s, m)], HELD, None,
        to=to,
            by="stray")

# --- what must pass, or all of the above proves little ---

LEGAL = []


def legal(name, frames, to="friend", by="mallory"):
    LEGAL.append(Attempt(name, "legal", frames, "", None, to=to, by=by))


legal("what policy allows", lambda s, m: [ip4(s, s.friend) / udp(OPEN, m)])
legal("the same, IPv6", lambda s, m: [ip6(s, s.friend) / udp(OPEN, m)])
legal("in fragments", lambda s, m: pieces4(s, s.friend, datagram(OPEN, m), [0, 24], 31))
legal("in IPv6 fragments", lambda s, m: pieces6(s, s.friend, datagram(OPEN, m), [0, 24], 31))
legal("behind destination options", lambda s, m: [ip6(s, s.friend) / PAD / udp(OPEN, m)])
legal("with Router Alert", lambda s, m: [ip4(s, s.friend, options=[b"\x94\4\0\0"]) / udp(OPEN, m)])
legal("ARP about itself", lambda s, m: arp(s, m, op=1), to="victim")
legal("a solicitation", lambda s, m: nd(s, m, ICMPv6ND_NS(tgt=s.victim.ip6) / ICMPv6NDOptSrcLLAddr(lladdr=s.me.mac)),
      to="victim")
legal("an advertisement of itself", lambda s, m: nd(s, m, ICMPv6ND_NA(tgt=s.me.ip6) / ICMPv6NDOptDstLLAddr(
    lladdr=s.me.mac), dst=s.victim.ip6, mac=s.victim.mac), to="victim")
legal("duplicate address detection", lambda s, m: nd(s, m, ICMPv6ND_NS(tgt=s.me.ip6), src=ANY6), to="victim")
legal("a question for routers", lambda s, m: nd(s, m, ICMPv6ND_RS(), src=s.me.link_local()), to="victim")
legal("an MLD report", lambda s, m: nd(s, m, ICMPv6MLReport2(), src=s.me.link_local(), hlim=1), to="victim")
legal("of eve, whom no policy selects", lambda s, m: [ip4(s, s.friend) / udp(CLOSED, m)], by="eve")
legal("of eve, a broadcast of the network", lambda s, m: [eth(s, BROADCAST) / IP(src=s.me.ip4, dst="10.77.0.255") / udp(
    CLOSED, m)], by="eve")
