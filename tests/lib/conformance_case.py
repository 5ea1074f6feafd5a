# SPDX-License-Identifier: GPL-2.0-or-later
"""A conformance case as the files that vethwall reads, step by step. README.md tells the format. Knows
nothing of how it is checked: offline, against the compiled rules or with packets."""
import copy
import ipaddress
import json
import os

import yaml

# Plain "y" and "n" are strings to Kubernetes' readers and to ours, and PyYAML agrees; C speed if it is there.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../conformance/cases")


def names():
    return sorted(f[:-5] for f in os.listdir(CASES) if f.endswith(".yaml"))


def load_case(name):
    return load(os.path.join(CASES, name + ".yaml"))


def load(path):
    with open(path, encoding="utf-8") as f:
        return yaml.load(f, LOADER)


TWIN_POD = int(ipaddress.IPv6Address("fd00:10:ffff::"))
TWIN_OUTSIDE = int(ipaddress.IPv6Address("2001:db8:ffff::"))


def twin(ip, prefix):
    """The IPv6 address that a harness gives where the case has an IPv4 one and addresses do not matter."""
    return str(ipaddress.IPv6Address(prefix + int(ipaddress.IPv4Address(ip))))


def addresses_matter(case):
    texts = case["policies"] + [t for s in case.get("steps") or [] for t in s.get("apply") or []]
    return ("ipblock" in case.get("theme", []) or any("ipBlock" in t for t in texts)
            or any(p.get("ip6") for p in case["world"]["pods"]))


def documents(text):
    """The policies of a text with several documents, by namespace and name."""
    for doc in yaml.load_all(text, LOADER):
        if doc:
            meta = doc.get("metadata") or {}
            yield (meta.get("namespace") or "default", meta.get("name")), doc


class State:
    """World and policies of a case; step() changes them as the README says. twins: where addresses do not
    matter, every pod and every address outside has an IPv6 one as well."""

    def __init__(self, case, twins=False):
        self.twins = twins and not addresses_matter(case)
        world = copy.deepcopy(case["world"])
        self.namespaces = world["namespaces"]
        self.pods = world["pods"]
        self.policies = {}
        self.texts = list(case["policies"])
        self.stepped = False

    def pod(self, ref):
        namespace, name = ref.split("/")
        return next(p for p in self.pods if p["namespace"] == namespace and p["name"] == name)

    def addresses(self, ref):
        """By family, of a pod or of what is an address outside."""
        if "/" not in ref:
            found = {f"ipv{ipaddress.ip_address(ref).version}": ref}
            if self.twins:
                found["ipv6"] = twin(ref, TWIN_OUTSIDE)
            return found
        pod = self.pod(ref)
        found = {family: pod[key] for family, key in (("ipv4", "ip"), ("ipv6", "ip6")) if pod.get(key)}
        if self.twins:
            found["ipv6"] = twin(pod["ip"], TWIN_POD)
        return found

    def probes(self, expect):
        """Each expectation once for each family it is about: (from, to, source, destination, expectation)."""
        for e in expect:
            source, to = self.addresses(e["from"]), self.addresses(e["to"])
            families = [e["family"]] if "family" in e else [f for f in source if f in to]
            for f in families if self.twins else families[:1]:
                yield e["from"], e["to"], source[f], to[f], e

    def change_world(self, w):
        self.namespaces.update(w.get("add_namespaces") or {})
        for name in w.get("delete_namespaces") or []:
            del self.namespaces[name]
            self.pods = [p for p in self.pods if p["namespace"] != name]
            self.policies = {k: v for k, v in self.policies.items() if k[0] != name}
        for name, labels in (w.get("set_namespace_labels") or {}).items():
            self.namespaces[name]["labels"] = labels
        for ref in w.get("delete_pods") or []:
            self.pods.remove(self.pod(ref))
        self.pods += w.get("add_pods") or []
        for ref, labels in (w.get("set_pod_labels") or {}).items():
            self.pod(ref)["labels"] = labels
        for ref, ip in (w.get("set_pod_ip") or {}).items():
            self.pod(ref)["ip"] = ip

    def step(self, step):
        if not self.stepped:
            for text in self.texts:
                self.policies.update(documents(text))
            self.stepped = True
        self.change_world(step.get("world") or {})
        for ref in step.get("delete") or []:
            if isinstance(ref, str):
                ref = dict(zip(("namespace", "name"), ref.split("/")))
            del self.policies[(ref.get("namespace", "default"), ref["name"])]
        for text in step.get("apply") or []:
            self.policies.update(documents(text))

    def world(self):
        """The world file. One network: all pods reach each other, as in a cluster."""
        return {
            "namespaces": [{"name": n, "labels": (v or {}).get("labels") or {}} for n, v in self.namespaces.items()],
            "workloads": [{
                "name": p["name"],
                "namespace": p["namespace"],
                "labels": p.get("labels") or {},
                "interfaces": [{"network": "pods", "ips": list(self.addresses(f"{p['namespace']}/{p['name']}").values())}],
                "ports": [{"name": q["name"], "port": q["port"], "protocol": q["proto"].upper()}
                          for q in p.get("ports") or [] if q.get("name")],
            } for p in self.pods],
        }

    def write_policies(self, folder):
        """The texts as the case has them; after a step, what is left of them."""
        texts = [json.dumps(d) for d in self.policies.values()] if self.stepped else self.texts
        for i, text in enumerate(texts):
            # The case's own texts may be JSON, which is YAML.
            with open(os.path.join(folder, f"{i:03}.yaml"), "w", encoding="utf-8") as f:
                f.write(text)


def stages(case, twins=False):
    """Yields (name, state, expectations): as given, then after each step."""
    state = State(case, twins)
    yield "as given", state, case["expect"]
    for step in case.get("steps") or []:
        state.step(step)
        yield step["name"], state, step["expect"]
