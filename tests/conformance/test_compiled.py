#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every conformance case through what the compiler makes of it, in memory: its tables and the rules rendered
from them (judge.c), at the walls of both ends, IPv4 and IPv6. Prints TAP; arguments name cases (default: all)."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True  # the tree stays clean
sys.path.insert(0, os.path.join(HERE, "../lib"))
import conformance_case as conformance  # noqa: E402

JUDGE = os.path.join(os.environ.get("BUILD", "build"), "tests/conformance/judge")


def answers(state, expect, folder):
    """How many were asked, and the problems: what the tables say against what is expected."""
    world, policies = os.path.join(folder, "world.yaml"), os.path.join(folder, "policies")
    os.mkdir(policies)
    with open(world, "w", encoding="utf-8") as f:
        json.dump(state.world(), f)
    state.write_policies(policies)
    probes = list(state.probes(expect))
    lines = [f"{a} {b} {source} {to} {e['proto']}/{e['port']}" for a, b, source, to, e in probes]
    got = subprocess.run([JUDGE, world, policies], input="\n".join(lines) + "\n", capture_output=True, text=True,
                         check=False)
    out = got.stdout.splitlines()
    if got.returncode or len(out) != len(probes):
        return 0, [f"judge exits {got.returncode} with {len(out)} of {len(probes)} answers: {got.stderr[:2000]}"]
    return len(out), [f"{line}: expected {p[4]['verdict']}, got {o}" for line, p, o in zip(lines, probes, out)
                      if o != p[4]["verdict"]]


def run(c):
    count, wrong = 0, []
    for name, state, expect in conformance.stages(c, twins=True):
        with tempfile.TemporaryDirectory() as folder:
            n, w = answers(state, expect, folder)
        count += n
        wrong += [f"{name}: {x}" for x in w]
    return count, wrong


def main():
    names, failed, total = sys.argv[1:] or conformance.names(), 0, 0
    cases = [(n, c) for n, c in ((n, conformance.load_case(n)) for n in names) if "reject" not in c]
    print(f"1..{len(cases)}")
    for i, (name, c) in enumerate(cases, 1):
        count, wrong = run(c)
        total += count
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {i} - {name}: {count} verdicts")
        for w in wrong[:20]:
            print("#", w.replace("\n", "\n# "))
    print(f"# {len(cases)} cases, {total} verdicts of tables and rules, {failed} cases failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
