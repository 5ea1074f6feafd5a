#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The attempts of bypass_attempts.py from inside containers of a real engine, for tests/docker/test_bypass.sh:

  bypass_engine.py policies                    the policies that they are made for
  bypass_engine.py play PLACES RESULT          sends all, and writes where each was seen
  bypass_engine.py judge PLACES CONTROL WALLED LOG   what got through, or is not in the log; prints "bypass: N tried,
      N stopped"

PLACES is JSON: {"macs": {NAME: MAC}, "docker": [COMMAND...], "taps": {NAME: [NAMESPACE FILE, DEVICE]}}.
Addresses are those of tests/security/test_bypass.py. What does not arrive without a wall (the engine has
rules of its own) is not counted as tried."""
import json
import logging
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True  # the tree stays clean
sys.path[:0] = [os.path.join(HERE, "../security")]
logging.getLogger("scapy").setLevel(logging.ERROR)
import test_bypass  # noqa: E402
import bypass_attempts as attempts  # noqa: E402
import packet_lab  # noqa: E402
import wire  # noqa: E402
from scapy import all as scapy  # noqa: E402

SENDERS = ("mallory", "eve")
PROVEN_MIN = 100  # rows of which the control must show that they could arrive


def ends(macs):
    def end(name, ip4, ip6):
        return attempts.End(macs.get(name, attempts.NOBODY_MAC), ip4, ip6)

    out = {"gateway": end("gateway", "10.77.0.1", "fd77::1"), "outside": end("outside", "192.0.2.2", "2001:db8:1::2")}
    for i, name in enumerate(("mallory", "eve", "friend", "victim"), 10):
        out[name] = end(name, f"10.77.0.{i}", f"fd77::{i:x}")
    attempts.NEIGHBOUR.update({n: e.mac for n, e in out.items()})
    return out


class Places:
    """What test_bypass.unlogged() asks of its lab."""

    def __init__(self, known):
        self.ends = known

    def scene(self, Scene, me):
        e = self.ends
        return Scene(me=e[me], friend=e["friend"], victim=e["victim"], gateway=e["gateway"], outside=e["outside"],
                     resolver=e["outside"], named=test_bypass.NAMED)


def rows():
    listed = [(i, r) for i, r in enumerate(attempts.ATTEMPTS) if r.by in SENDERS]
    return listed + [(80000 + i, r) for i, r in enumerate(attempts.LEGAL)]


def moves_a_mac(row):
    """The bridge learns from it that somebody is elsewhere: to be sent behind all others."""
    return row.name.startswith(("MAC:", "ARP: from", "UDP: forges"))


def play(places_file, result):
    with open(places_file, encoding="utf-8") as f:
        places = json.load(f)
    lab, taps = Places(ends(places["macs"])), {}
    for name, (path, device) in places["taps"].items():
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        packet_lab.libc("setns", fd, packet_lab.CLONE_NEWNET)
        taps[name] = wire.Tap(device)
    frames = {(last, name): "" for last in (False, True) for name in SENDERS}
    for number, row in rows():
        for frame in row.frames(lab.scene(attempts.Scene, row.by), wire.marker(number)):
            frames[moves_a_mac(row), row.by] += bytes(frame).hex() + "\n"

    def send():
        for (_, name), lines in frames.items():
            subprocess.run([*places["docker"], "exec", "-i", name, "/bin/netprobe", "frames", "eth0"], input=lines,
                           text=True, check=True)
    seen = {name: sorted(numbers) for name, numbers in wire.seen(taps, send).items()}
    with open(result, "w", encoding="utf-8") as f:
        json.dump(seen, f)


def where(file):
    with open(file, encoding="utf-8") as f:
        seen = json.load(f)
    return lambda number: {name for name, numbers in seen.items() if number in numbers}


def judge(places, control, walled, log):
    with open(places, encoding="utf-8") as f:
        lab = Places(ends(json.load(f)["macs"]))
    control, walled, (keys, _) = where(control), where(walled), test_bypass.log_keys(log)
    tried, stopped, unproven, wrong = 0, 0, 0, []
    for number, row in rows():
        problems = []
        if number >= 80000:
            problems = test_bypass.lost(row, {row.to}, walled(number))
        elif {row.to, "bridge"} <= control(number):
            problems = test_bypass.leaks(row, control(number), walled(number))
            problems += test_bypass.unlogged(row, number, lab, attempts, scapy, keys)
            tried += 1
            stopped += not problems
        else:
            unproven += 1
            if test_bypass.leaks(row, {row.to, "bridge"}, walled(number)):
                problems = ["it arrives, though it did not without a wall"]
        wrong += [f"{row.name}: {p}" for p in problems]
    print("\n".join(wrong))
    print(f"bypass: {tried} tried, {stopped} stopped, {unproven} do not arrive without a wall either")
    return 1 if wrong or tried < PROVEN_MIN else 0


if sys.argv[1:] == ["policies"]:
    print(test_bypass.POLICIES)
elif sys.argv[1] == "play":
    play(*sys.argv[2:])
else:
    sys.exit(judge(*sys.argv[2:]))
