# SPDX-License-Identifier: GPL-2.0-or-later
"""A conformance case as the files that vethwall reads, step by step. README.md tells the format. Knows
nothing of how it is checked: offline, against the compiled rules or with packets."""
import copy
import json
import os

import yaml

# Plain "y" and "n" are strings to Kubernetes' readers and to ours, and PyYAML agrees; C speed if it is there.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(path):
    with open(path, encoding="utf-8") as f:
        return yaml.load(f, LOADER)


def documents(text):
    """The policies of a text with several documents, by namespace and name."""
    for doc in yaml.load_all(text, LOADER):
        if doc:
            meta = doc.get("metadata") or {}
            yield (meta.get("namespace") or "default", meta.get("name")), doc


class State:
    """World and policies of a case; step() changes them as the README says."""

    def __init__(self, case):
        world = copy.deepcopy(case["world"])
        self.namespaces = world["namespaces"]
        self.pods = world["pods"]
        self.policies = {}
        self.texts = list(case["policies"])
        self.stepped = False

    def pod(self, ref):
        namespace, name = ref.split("/")
        return next(p for p in self.pods if p["namespace"] == namespace and p["name"] == name)

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
                "interfaces": [{"network": "pods", "ips": [p[k] for k in ("ip", "ip6") if p.get(k)]}],
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


def stages(case):
    """Yields (name, state, expectations): as given, then after each step."""
    state = State(case)
    yield "as given", state, case["expect"]
    for step in case.get("steps") or []:
        state.step(step)
        yield step["name"], state, step["expect"]
