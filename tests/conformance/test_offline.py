#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every conformance case by `vethwall explain --batch`, and every bad-* case refused by `vethwall check`.
Prints TAP. VETHWALL names the binary (default build/vethwall); arguments name cases (default: all)."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True  # the tree stays clean
sys.path.insert(0, os.path.join(HERE, "../lib"))
import conformance_case as conformance  # noqa: E402

VETHWALL = os.environ.get("VETHWALL") or os.path.join(os.environ.get("BUILD", "build"), "vethwall")


def vethwall(*args, text=None):
    return subprocess.run([VETHWALL, *args], input=text, capture_output=True, text=True, check=False)


def refused(c, folder):
    """Problems of a case whose policies must be refused."""
    path = os.path.join(folder, "bad.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write("---\n".join(c["policies"]))
    got = vethwall("check", path)
    if got.returncode != 1:
        return [f"check exits {got.returncode}, expected 1 ({c['reject']}): {got.stderr}"]
    if not got.stderr.startswith(f"{path}:"):
        return [f"no place in: {got.stderr}"]
    return []


def answers(state, expect, folder):
    """Problems of one stage: what explain says against what is expected."""
    world, policies = os.path.join(folder, "world.yaml"), os.path.join(folder, "policies")
    os.mkdir(policies)
    with open(world, "w", encoding="utf-8") as f:
        json.dump(state.world(), f)
    state.write_policies(policies)
    lines = [f"{e['from']} {e['to']} {e['proto']}/{e['port']} {e.get('family', '')}\n" for e in expect]
    got = vethwall("explain", "--batch", "-", "--world", world, "--policies", policies, text="".join(lines))
    out = got.stdout.splitlines()
    if got.returncode or len(out) != len(expect):
        return [f"explain exits {got.returncode} with {len(out)} of {len(expect)} answers: {got.stderr[:2000]}"]
    wrong = []
    for line, e, o in zip(lines, expect, out):
        if json.loads(o).get("verdict") != e["verdict"]:
            wrong.append(f"{line.strip()}: expected {e['verdict']}, got {o}")
    return wrong


def run(c):
    if "reject" in c:
        with tempfile.TemporaryDirectory() as folder:
            return 1, refused(c, folder)
    count, wrong = 0, []
    for name, state, expect in conformance.stages(c):
        with tempfile.TemporaryDirectory() as folder:
            wrong += [f"{name}: {w}" for w in answers(state, expect, folder)]
        count += len(expect)
    return count, wrong


def main():
    names = sys.argv[1:] or conformance.names()
    failed = total = 0
    print(f"1..{len(names)}")
    for i, name in enumerate(names, 1):
        count, wrong = run(conformance.load_case(name))
        total += count
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {i} - {name}: {count} verdicts")
        for w in wrong[:20]:
            print("#", w.replace("\n", "\n# "))
    print(f"# {len(names)} cases, {total} verdicts, {failed} cases failed")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
