#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a container may try to get around its wall, against a running agent: every row of bypass_attempts.py twice, the
same frames without a wall, where they must arrive (else the row proves nothing), and with it, where they must not, and
where the denied log must name them. Then what takes a conversation: changed addresses, flows of others, full tables.
mallory has a policy, eve has none,
    and nobody knows stray; all are root in their namespace. Prints TAP; arguments choose rows by a part of
their name."""
import collections
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True  # the tree stays clean
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../conformance")]
import packet_lab  # noqa: E402
import wire  # noqa: E402
from test_packets import Agent, missing as lab_missing  # noqa: E402

NAMED = "203.0.113.10"
LIVE_MAX, DENIED_MAX = 512, 512
SETTINGS = {"dns": ["192.0.2.2"], "limits": {"live_flows": LIVE_MAX, "denied_flows": DENIED_MAX}}

POLICIES = """
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: mallory, namespace: shop}
spec:
  service: mallory
  egress:
    - {to: [{service: friend}], ports: [udp/5000, tcp/5000]}
    - {to: [dns]}
    - {to: [{fqdn: api.example.org}], ports: [tcp/443]}
---
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: victim, namespace: shop}
spec:
  service: victim
  ingress: [{from: [{service: friend}], ports: [tcp/5432]}]
  egress: []
"""


class Policies:
    """What Agent.enforce() asks of a stage of a case."""

    @staticmethod
    def write_policies(folder):
        with open(os.path.join(folder, "policies.yaml"), "w", encoding="utf-8") as f:
            f.write(POLICIES)


class Lab:
    """A node with a bridge, four containers on it, and a host outside."""

    def __init__(self, End):
        self.ends = {"gateway": End("02:42:0a:4d:00:01", "10.77.0.1", "fd77::1"),
                     "outside": End("02:42:c0:00:02:02", "192.0.2.2", "2001:db8:1::2")}
        self.ns = {"node": packet_lab.Namespace(), "outside": packet_lab.Namespace()}
        node, outside = self.ns["node"], self.ns["outside"]
        self.calm("outside")
        self.calm("node")
        for family in ("ip", "ip6", "arp"):  # br_netfilter, where it is loaded, cuts off what is behind a packet
            if os.path.exists(f"/proc/sys/net/bridge/bridge-nf-call-{family}tables"):
                packet_lab.sysctl(f"bridge/bridge-nf-call-{family}tables", 0)
        packet_lab.sysctl("ipv4/ip_forward", 1)
        packet_lab.sysctl("ipv6/conf/all/forwarding", 1)
        node.ip("link set lo up", f"link add br0 address {self.ends['gateway'].mac} type bridge", "link set br0 up",
                "addr add 10.77.0.1/24 dev br0", "addr add fd77::1/64 dev br0 nodad",
                f"link add out type veth peer name eth0 address {self.ends['outside'].mac} netns {outside.path()}",
                "link set out up", "addr add 192.0.2.1/24 dev out", "addr add 2001:db8:1::1/64 dev out nodad",
                f"route add 203.0.113.0/24 via {self.ends['outside'].ip4}")
        outside.ip("link set lo up", "link set eth0 up", "addr add 192.0.2.2/24 dev eth0",
                   "addr add 2001:db8:1::2/64 dev eth0 nodad", "route add default via 192.0.2.1",
                   "route add default via 2001:db8:1::1", f"addr add {NAMED}/32 dev lo")
        for i, name in enumerate(("mallory", "eve", "friend", "victim", "stray"), 10):
            self.container(name, End(f"02:42:0a:4d:00:{i:02x}", f"10.77.0.{i}", f"fd77::{i:x}"))
        self.frames, self.acts = [], []  # to perform
        self.settle()
        self.taps = {name: self.at(name, wire.Tap, "br0" if name == "node" else "eth0") for name in self.ns}
        self.taps["bridge"] = self.taps.pop("node")
        self.wires = {name: self.at(name, wire.Wire, "eth0") for name in ("mallory", "eve", "stray")}

    def calm(self, name):
        """Nobody believes what the control sends."""
        self.ns[name].enter()
        for conf in ("all", "default"):
            for key in ("ipv4/conf/{}/accept_redirects", "ipv6/conf/{}/accept_redirects", "ipv6/conf/{}/accept_ra"):
                packet_lab.sysctl(key.format(conf), 0)

    def container(self, name, end):
        self.ends[name], self.ns[name] = end, packet_lab.Namespace()
        self.calm(name)
        self.ns["node"].ip(f"link add v{name} type veth peer name eth0 address {end.mac} netns {self.ns[name].path()}",
                           f"link set v{name} master br0 up", f"link set v{name} type bridge_slave learning off")
        subprocess.run(["bridge", "fdb", "add", end.mac, "dev", "v" + name, "master", "static"], check=True)
        self.ns[name].ip("link set lo up", "link set eth0 up", f"addr add {end.ip4}/24 dev eth0",
                         f"addr add {end.ip6}/64 dev eth0 nodad", "route add default via 10.77.0.1",
                         "route add default via fd77::1")

    def settle(self):
        """Who is where is known again, whatever the control said."""
        for name, ns in self.ns.items():
            ns.ip(f"neigh flush dev {'br0' if name == 'node' else 'eth0'}")
        o, node = self.ends["outside"], self.ns["node"]
        node.ip(f"neigh replace {o.ip4} lladdr {o.mac} dev out", f"neigh replace {o.ip6} lladdr {o.mac} dev out")

    def at(self, name, fn, *args):
        self.ns[name].enter()
        return fn(*args)

    def world(self):
        return {"namespaces": [], "workloads": [
            {"name": n, "namespace": "shop", "service": n, "interfaces": [
                {"veth": "v" + n, "network": "br0", "mac": e.mac, "ips": [e.ip4, e.ip6]}]}
            for n, e in self.ends.items() if n not in ("gateway", "outside", "stray")]}

    def perform(self):
        """What is queued; frames of one row stay in order."""
        for by, frame in self.frames:
            self.wires[by].send(frame)
        for act, scene, marker in self.acts:
            act(self, scene, marker)
        self.frames, self.acts = [], []

    def scene(self, Scene, me):
        e = self.ends
        return Scene(me=e[me], friend=e["friend"], victim=e["victim"], gateway=e["gateway"], outside=e["outside"],
                     resolver=e["outside"], named=NAMED)


class Tap13:
    """TAP, and the numbers at its end."""

    def __init__(self):
        self.n, self.failed, self.tried, self.stopped = 0, 0, 0, 0

    def row(self, name, problems, attempt=False):
        self.n += 1
        self.failed += bool(problems)
        self.tried += attempt
        self.stopped += attempt and not problems
        print(f"{'not ok' if problems else 'ok'} {self.n} - {name}", flush=True)
        for p in problems:
            print("# " + p.replace("\n", "\n# "))


def play(lab, table, rows, acts):
    """Does all of them, and says where each was seen: {row number: taps}."""
    where = collections.defaultdict(set)
    for number, row in rows:
        scene, marker = lab.scene(table.Scene, row.by), wire.marker(number)
        if row.frames:
            lab.frames += [(row.by, bytes(f)) for f in row.frames(scene, marker)]
        else:
            lab.acts.append((acts[row], scene, marker))
    for tap, numbers in wire.seen(lab.taps, lab.perform).items():
        for n in numbers:
            where[n].add(tap)
    return where


def leaks(row, control, walled):
    """What is wrong with one row."""
    out = []
    if not {row.to, "bridge"} <= control:
        out.append(f"the control proves nothing: without a wall it was seen at {sorted(control)}, not at {row.to}")
    through = walled & {row.to} if row.at == "receiver" else walled - {row.by}
    if through:
        out.append(f"it got through to {', '.join(sorted(through))}; {row.stopped_by} should have stopped it")
    return out


def frame_keys(frame, scapy):
    """How the denied log may call a frame: (source, destination, port or None), or its EtherType."""
    kind = int.from_bytes(frame[12:14], "big")
    ip = scapy.IP if kind == 0x800 else scapy.IPv6
    if kind not in (0x800, 0x86dd):
        return {kind}
    p = ip(frame[14:])
    ends = (p.src, p.dst) if kind == 0x800 else tuple(socket.inet_ntop(packet_lab.V6, socket.inet_pton(packet_lab.V6,
        a))
                                                     for a in (p.src, p.dst))
    out = {(*ends, None)}
    for l4 in (scapy.TCP, scapy.UDP):
        if isinstance(p.payload, l4) and not getattr(p, "frag", 0):
            out = {(*ends, p[l4].dport)}
    return out


def log_keys(folder):
    """The same of all records: {(policy, whose wall, key)}, and the records."""
    keys, records = set(), []
    for name in sorted(os.listdir(folder)):
        if not name.startswith("denied") or not name.endswith(".jsonl"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            records += [json.loads(line) for line in f]
    for r in records:
        if r.get("event_type") in ("denied", "audited"):
            who = (r["policy"], r["workload"].split("/")[-1])
            if r["proto"] == "ether":
                keys.add((*who, r["ether_type"]))
            else:
                ends = (r["src_ip"], r["dest_ip"])
                keys |= {(*who, (*ends, r.get("dest_port"))), (*who, (*ends, None))}
    return keys, records


def unlogged(row, number, lab, table, scapy, keys):
    if not row.frames:
        return [] if any(k[:2] == (row.log, row.by) for k in keys) else [f"the denied log has no {row.log}"]
    wanted = set()
    for f in row.frames(lab.scene(table.Scene, row.by), wire.marker(number)):
        wanted |= {(row.log, row.by if row.at == "sender" else row.to, k) for k in frame_keys(bytes(f), scapy)}
    if not row.log or wanted & keys:
        return []
    near = sorted(str(k) for k in keys if k[2] in {w[2] for w in wanted})
    return [f"the denied log has none of {sorted(map(str, wanted))}, but {near}"]


def lost(row, control, walled):
    """The same for what must pass."""
    return [f"{when} a wall it was seen at {sorted(w)}, not at {row.to}" for when, w in (
        ("without", control), ("with", walled)) if row.to not in w]


def start_agent(lab, folder):
    agent = Agent(folder, lab.ns["node"], json.dumps(SETTINGS))
    agent.enforce(Policies, lab.world())
    return agent


def run(names, folder, tap):
    logging.getLogger("scapy").setLevel(logging.ERROR)  # it looks for routes, and there are none
    import bypass_attempts as table  # not before it is known that scapy is there
    import bypass_talks as talks
    from scapy import all as scapy
    lab = Lab(table.End)
    table.NEIGHBOUR.update({n: e.mac for n, e in lab.ends.items()})
    acts = dict(talks.ACTS)
    for kind, row, act in talks.DEVICES:
        why = talks.lacks(lab, kind)
        if why:
            tap.row(f"{row.name} # SKIP {why}", [])
        else:
            acts[row] = act
    rows = [(i, r) for i, r in enumerate([*table.ATTEMPTS, *acts]) if not names or any(n in r.name for n in names)]
    chosen = [t for t in talks.TALKS if not names or any(n in t[0] for n in names)]
    legal = [(80000 + i, r) for i, r in enumerate(table.LEGAL)]
    control = play(lab, table, rows + legal, acts)
    lab.settle()
    broken = {name for name, talk, must in chosen if must and talk(lab)}
    lab.settle()
    agent = start_agent(lab, folder)
    try:
        walled = play(lab, table, rows + legal, acts)
        lab.settle()
        said = [(name, talk(lab), must) for name, talk, must in chosen]
        status = agent.ask("status")
    finally:
        rc = agent.stop()
    keys, _ = log_keys(os.path.join(folder, "log"))
    for number, row in rows:
        problems = leaks(row, control[number], walled[number])
        tap.row(row.name, problems + unlogged(row, number, lab, table, scapy, keys), attempt=True)
    for name, problems, must in said:
        unproven = []
        if must and name not in broken:
            unproven = ["the control proves nothing: without a wall nothing came of it"]
        tap.row(name, problems + unproven, attempt=True)
    for number, row in legal:
        tap.row("passes: " + row.name, lost(row, control[number], walled[number]))
    tap.row("the agent is healthy afterwards", [] if status["healthy"] else [json.dumps(status)[:2000]])
    tap.row("the agent stops in order", [f"exit {rc}:\n{agent.output()[-4000:]}"] if rc else [])


def missing():
    try:
        import scapy  # noqa: F401 pylint: disable=unused-import
    except ImportError:
        return "scapy is not installed"
    return lab_missing()


def main():
    why = missing()
    if why:
        print(f"1..0 # SKIP {why}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    tap = Tap13()
    with tempfile.TemporaryDirectory(prefix="vw.") as folder:
        run(sys.argv[1:], folder, tap)
        if os.environ.get("KEEP"):
            shutil.copytree(os.path.join(folder, "log"), tempfile.mkdtemp(prefix="vw.kept.") + "/log")
    print(f"1..{tap.n}")
    print(f"# bypass: {tap.tried} tried, {tap.stopped} stopped")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
