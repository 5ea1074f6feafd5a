#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every conformance case with real packets: containers in namespaces on one bridge, a running agent that follows
their world file and policies from step to step, TCP connections and UDP exchanges over IPv4 and IPv6. A bad-* case
must be refused by the running agent, and change nothing. Prints TAP; arguments name cases (default: all)."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True  # the tree stays clean
sys.path.insert(0, os.path.join(HERE, "../lib"))
import conformance_case as conformance  # noqa: E402
import packet_lab  # noqa: E402

VETHWALL = os.path.abspath(os.environ.get("VETHWALL") or os.path.join(os.environ.get("BUILD", "build"), "vethwall"))
DEADLINE = 5  # of anything that has to happen; a machine can pause
POLL = 0.005
PASS_DEADLINE = 15
PR_SET_PDEATHSIG = 1


class Agent:
    def __init__(self, folder, node, settings="{}"):
        self.folder, self.stage = folder, 0
        self.world, self.policies = os.path.join(folder, "world.yaml"), os.path.join(folder, "policies")
        os.mkdir(self.policies)
        with open(os.path.join(folder, "vethwall.yaml"), "w", encoding="utf-8") as f:
            f.write(settings + "\n")
        self.write_world({"namespaces": [], "workloads": []})
        node.enter()
        with open(os.path.join(folder, "agent.out"), "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                [VETHWALL, "run", "--config", os.path.join(folder, "vethwall.yaml"), "--runtime",
                 "static:" + self.world, "--policies", self.policies, "--run-dir", os.path.join(folder, "run"),
                 "--state-dir", os.path.join(folder, "state"), "--log-dir", os.path.join(folder, "log")],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                preexec_fn=lambda: packet_lab.libc("prctl", PR_SET_PDEATHSIG, signal.SIGTERM))
        self.wait("vethwall: ready", lambda: "vethwall: ready" in self.output())

    def output(self):
        with open(os.path.join(self.folder, "agent.out"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait(self, what, done):
        end = time.monotonic() + DEADLINE
        while not done():
            if self.process.poll() is not None or time.monotonic() > end:
                status = self.ask("status") if self.process.poll() is None else self.process.returncode
                raise RuntimeError(f"waited in vain for {what}; the agent said:\n{self.output()[-4000:]}\n"
                                   f"its status: {json.dumps(status)}")
            time.sleep(POLL)

    def ask(self, cmd):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(self.folder, "run/control.sock"))
            s.sendall(json.dumps({"cmd": cmd}).encode() + b"\n")
            with s.makefile() as f:
                return json.loads(f.readline())

    def write_world(self, world):
        # Shows in status, so that it can be seen which version of the file was read.
        self.stage += 1
        world["workloads"].append({"name": f"stage-{self.stage}", "namespace": "harness"})
        with open(self.world + ".new", "w", encoding="utf-8") as f:
            json.dump(world, f)
        os.rename(self.world + ".new", self.world)

    def world_read(self):
        workloads = {w["name"]: w["state"] for w in self.ask("status")["workloads"]}
        return f"stage-{self.stage}" in workloads

    def clear_policies(self):
        for name in os.listdir(self.policies):
            os.remove(os.path.join(self.policies, name))

    def enforce(self, state, world):
        """Returns when the kernel has all of it. Reload answers then, but for veths that are found later."""
        self.clear_policies()
        state.write_policies(self.policies)
        self.write_world(world)
        self.wait("the world to be read", self.world_read)
        answer = self.ask("reload")
        if not answer["ok"]:
            raise RuntimeError(f"reload refused: {json.dumps(answer)[:2000]}")
        self.wait("every container to be enforced", self.all_enforced)

    def all_enforced(self):
        status = self.ask("status")
        return all(w["state"] == "enforced" for w in status["workloads"] if w["interfaces"]) and not status["error"]

    def refuses(self, texts):
        """Problems of policies that must be refused."""
        before = self.ask("status")
        self.clear_policies()
        with open(os.path.join(self.policies, "bad.yaml"), "w", encoding="utf-8") as f:
            f.write("---\n".join(texts))
        answer, after = self.ask("reload"), self.ask("status")
        if answer["ok"]:
            return ["accepted"]
        same = all(before[k] == after[k] for k in ("commits", "counts", "flows_cut"))
        same &= before["policies"]["generation"] == after["policies"]["generation"]
        return [] if answer.get("diagnostics") and same else [f"not left as it was: {json.dumps(answer)[:500]}"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def survey(cases):
    """All that the lab must have: addresses of pods and of others, ports."""
    pods, outside, tcp, udp = {}, {}, set(), set()
    for c in cases:
        if "reject" in c:
            continue
        for _, state, expect in conformance.stages(c, twins=True):
            for p in state.pods:
                pods.update(dict.fromkeys(state.addresses(f"{p['namespace']}/{p['name']}").values()))
            for e in expect:
                (tcp if e["proto"] == "tcp" else udp).add(e["port"])
                for end in (e["from"], e["to"]):
                    if "/" not in end:
                        outside.update(dict.fromkeys(state.addresses(end).values()))
    return list(pods), list(outside), sorted(tcp), sorted(udp)


def settle(state, lab, used):
    """Containers for the pods of this stage (used: those of the stage before), and their world file."""
    refs = [f"{p['namespace']}/{p['name']}" for p in state.pods]
    for ref in list(used):
        if ref not in refs:
            del used[ref]
    world = state.world()
    for ref, workload in zip(refs, world["workloads"]):
        addresses = list(state.addresses(ref).values())
        if ref in used:
            lab.address(used[ref], addresses)
        else:
            used[ref] = lab.container(addresses, list(used.values()))
        workload["interfaces"][0].update(veth=used[ref].veth, mac=used[ref].mac)
    return world


def run(c, lab, agent):
    count, wrong, used = 0, [], {}
    if "reject" in c:
        return 1, agent.refuses(c["policies"])
    for name, state, expect in conformance.stages(c, twins=True):
        agent.enforce(state, settle(state, lab, used))
        asked = list(state.probes(expect))
        probes = [packet_lab.Probe(used[a].ns if "/" in a else lab.outside, source, to,
                                   e["proto"], e["port"], e["verdict"] == "allow") for a, _, source, to, e in asked]
        lab.net.run(probes, PASS_DEADLINE)
        count += len(probes)
        wrong += [f"{name}: {a} ({source}) to {b} ({to}) {e['proto']}/{e['port']}: expected {e['verdict']}, {p.outcome}"
                  for (a, b, source, to, e), p in zip(asked, probes) if p.passed(lab.net) != p.wanted]
    return count, wrong


def report(number, name, count, wrong):
    print(f"{'not ok' if wrong else 'ok'} {number} - {name}: {count} verdicts", flush=True)
    for w in wrong[:20]:
        print("#", w.replace("\n", "\n# "))


def run_all(names, folder):
    cases = [(n, conformance.load_case(n)) for n in names]
    print(f"1..{len(cases) + 1}")
    lab = packet_lab.Lab(*survey([c for _, c in cases]))
    agent = Agent(folder, lab.node)
    total, failed = 0, 0
    try:
        for i, (name, c) in enumerate(cases, 1):
            count, wrong = run(c, lab, agent)
            report(i, name, count, wrong)
            total += count
            failed += bool(wrong)
    finally:
        rc = agent.stop()
    report(len(cases) + 1, "the agent stops in order", 1, [f"exit {rc}:\n{agent.output()[-4000:]}"] if rc else [])
    print(f"# {len(cases)} cases, {total} verdicts of packets, {failed} cases failed")
    return 1 if failed or rc or not cases else 0


def missing():
    if os.geteuid():
        return "needs root"
    if not shutil.which("ip"):
        return "ip is not installed"
    try:
        packet_lab.Namespace()
    except OSError as e:
        return f"network namespaces are not available: {e}"
    return None


def main():
    why = missing()
    if why:
        print(f"1..0 # SKIP {why}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="vw.") as folder:
        return run_all(sys.argv[1:] or conformance.names(), folder)


if __name__ == "__main__":
    sys.exit(main())
