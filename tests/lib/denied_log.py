# SPDX-License-Identifier: GPL-2.0-or-later
"""A denied log as anybody can read it, with nothing of vethwall's own.

denied_log.py DIR sum WORKLOAD DIRECTION [4|6]   "packets bytes overflow_packets overflow_bytes records"
                                                 of UDP; a workload "-veth" goes by in_iface
denied_log.py DIR notes EVENT_TYPE               lines about the log itself
denied_log.py DIR held IN_IFACE DIRECTION        "packets bytes workload"
denied_log.py DIR chain                          checks every hash and every number; prints segments and seals
"""
import hashlib
import json
import os
import sys

NAME = "denied.jsonl"


def segments(folder):
    names = [n for n in os.listdir(folder) if n == NAME or n.startswith(NAME + ".")]
    names.sort(key=lambda n: -int(n[len(NAME) + 1:] or 0))
    for name in names:
        with open(os.path.join(folder, name), "rb") as f:
            yield name, f.read()


def records(folder):
    for _, raw in segments(folder):
        for line in raw.splitlines():
            yield json.loads(line)


def total(folder, workload, direction, version=None):
    sums = [0, 0, 0, 0, 0]
    for r in records(folder):
        mine = r.get("in_iface") == workload[1:] if workload[0] == "-" else r.get("workload") == workload
        if not mine or r.get("direction") != direction:
            continue
        overflow = r["event_type"] == "overflow"
        if overflow:
            if version and r["ip_v"] != int(version):
                continue
        elif r["event_type"] != "denied" or r.get("proto") != "udp":
            continue
        elif version and (":" in r["src_ip"]) != (version == "6"):
            continue
        at = 2 if overflow else 0
        sums[at] += r["packets"]
        sums[at + 1] += r["bytes"]
        sums[4] += 1
    print(*sums)


def held(folder, iface, direction):
    sums, who = [0, 0], set()
    for r in records(folder):
        if r["event_type"] == "held" and r["in_iface"] == iface and r["direction"] == direction:
            assert r["rule"] == "held"
            sums[0] += r["packets"]
            sums[1] += r["bytes"]
            who.add(r.get("workload", "-"))
    print(*sums, *sorted(who))


def notes(folder, kind):
    for r in records(folder):
        if r["event_type"] == kind:
            print(json.dumps(r))


def chain(folder):
    before = seq = None
    seals = count = 0
    for name, raw in segments(folder):
        last = at = 0
        for i, line in enumerate(raw.splitlines(True)):
            r = json.loads(line)
            if i == 0:
                assert r["event_type"] == "segment", name
                assert seq is None or r["seq"] == seq + 1, (name, seq, r["seq"])
                assert before is None or r["previous_sha256"] == before, name
                seq = r["seq"]
            elif r["event_type"] == "seal":
                assert r["offset"] == at and r["seq"] == seq, (name, i + 1)
                assert r["sha256"] == hashlib.sha256(raw[last:at]).hexdigest(), (name, i + 1)
                last = at
                seals += 1
            at += len(line)
        before = hashlib.sha256(raw[last:]).hexdigest()
        count += 1
    print(count, seals)


if __name__ == "__main__":
    {"sum": total, "notes": notes, "held": held, "chain": chain}[sys.argv[2]](sys.argv[1], *sys.argv[3:])
