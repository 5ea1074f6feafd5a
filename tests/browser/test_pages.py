#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages of graph, diff and flows in a real browser: what is drawn, what it does when it is used, and that
texts of others stay texts. Prints TAP. KEEP=DIR keeps pages and screenshots there."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.dom.minidom

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True  # the tree stays clean
sys.path.insert(0, os.path.join(HERE, "../lib"))
import browser  # noqa: E402

VETHWALL = os.environ.get("VETHWALL") or os.path.join(os.environ.get("BUILD", "build"), "vethwall")
# What somebody may call a container, and what may stand in a log or a DNS answer. No slash: a world refuses it.
NAMES = ["<img src=x onerror=alert(1)>", "\"><svg onload=alert(2)>", "' onmouseover='alert(3)", "&lt;b&gt;",
         "\u202egnp.exe", "{{7*7}}${7*7}", "-->", "a" * 250]
TEXTS = NAMES + ["<script>alert(1)</script>", "</script><script>alert(2)</script>", "\x1b[31mred\x07", "]]><!--",
                 "</title><h1>", "javascript:alert(1)", "<style>*{display:none}</style>", "<meta http-equiv=refresh content=0>"]


def shown(text):
    """As a page shows it: what would move, hide or reorder becomes visible."""
    return "".join(f"\\u{ord(c):04x}" if ord(c) < 32 or c == "\u202e" else c for c in text)


def vethwall(*args, codes=(0,)):
    got = subprocess.run([VETHWALL, *args], capture_output=True, text=True, check=False)
    if got.returncode not in codes:
        raise AssertionError(f"vethwall {' '.join(args)}: {got.returncode}: {got.stderr}")
    return got.stdout


class Lab:
    """Worlds, policies and logs in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def world(self, name, services):
        """services: (namespace, service) or (namespace, service, number of workloads)."""
        n, lines = 0, ["host: [192.0.2.10]", "workloads:"]
        for s in services:
            for _ in range(s[2] if len(s) > 2 else 1):
                n += 1
                lines.append(" - " + json.dumps({
                    "name": f"w{n}", "namespace": s[0], "service": s[1],
                    "interfaces": [{"network": "n", "ips": [f"10.1.{n // 250}.{n % 250 + 1}"]}]}))
        return self.write(name, "\n".join(lines) + "\n")

    def policies(self, name, edges, everyone=()):
        """edges: ((namespace, service) or an entity, (namespace, service), port), allowed at both ends."""
        docs = {}
        for a, b, port in edges:
            for own, key, word, other in ((a, "egress", "to", b), (b, "ingress", "from", a)):
                if isinstance(own, str):
                    continue
                peer = {"entity": other} if isinstance(other, str) else {"service": other[1], "namespace": other[0]}
                spec = docs.setdefault(own, {"service": own[1], "ingress": [], "egress": []})
                spec[key].append({word: [peer], "ports": [port]})
        for own in everyone:
            docs.setdefault(own, {"service": own[1], "ingress": [], "egress": []})
        text = "\n---\n".join(json.dumps({
            "apiVersion": "vethwall/v1", "kind": "ServicePolicy",
            "metadata": {"name": f"p{i}", "namespace": own[0]}, "spec": spec})
            for i, (own, spec) in enumerate(docs.items()))
        self.write(name + "/p.yaml", text)
        return self.path(name)

    def log(self, name, records):
        lines = []
        for r in records:
            full = {"timestamp": "2026-11-22T10:00:00.000000Z", "event_type": "denied", "direction": "egress",
                    "in_iface": "veth1", "src_ip": "10.1.0.2", "src_port": 40000, "dest_ip": "10.1.0.3",
                    "dest_port": 22, "proto": "tcp", "workload": "shop/web-1", "service": "web", "image": "web:1",
                    "peer": "shop/db-1", "peer_service": "db", "policy": "shop/db", "rule": "default", "tier": "service",
                    "packets": 1, "bytes": 60, "first_seen": "2026-11-22T10:00:00.000000Z",
                    "last_seen": "2026-11-22T10:00:00.000000Z", "community_id": "1:abc", "ifindex": 3, "code": 1,
                    "total_packets": 1, "total_bytes": 60}
            full.update(r)
            lines.append(json.dumps(full))
        self.write(name + "/denied.jsonl", "\n".join(lines) + "\n")
        return self.path(name)


# ---- what is drawn ----

BOXES = """
const box = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
const boxes = (s) => [...document.querySelectorAll(s)].map((e) => ({name: e.textContent.slice(0, 60), box: box(e)}));
"""


def overlaps(boxes, slack=0.3):
    bad = []
    ordered = sorted(boxes, key=lambda b: b["box"][0])
    for i, a in enumerate(ordered):
        for b in ordered[i + 1:]:
            if b["box"][0] >= a["box"][2] - slack:
                break
            if a["box"][1] < b["box"][3] - slack and b["box"][1] < a["box"][3] - slack:
                bad.append((a["name"], b["name"]))
    return bad


def check_geometry(page):
    nodes = page.js(BOXES + """return [...document.querySelectorAll(".node")].map((n) => ({
        name: n.querySelector("title").textContent, box: box(n.querySelector("rect")),
        texts: [...n.querySelectorAll("text")].map(box), group: n.dataset.g}));""")
    groups = page.js(BOXES + """return [...document.querySelectorAll("rect.group")].map((g) => ({name: g.dataset.g, box: box(g)}));""")
    assert nodes and not overlaps(nodes), overlaps(nodes)[:5]
    assert not overlaps(groups), overlaps(groups)[:5]
    by_group = {g["name"]: g["box"] for g in groups}
    for n in nodes:
        for inner, outer in [(t, n["box"]) for t in n["texts"]] + [(n["box"], by_group[n["group"]])]:
            assert inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3], \
                f"{n['name']}: {inner} is not inside {outer}"
    labels = page.js(BOXES + """return [...document.querySelectorAll(".label")].filter((l) => getComputedStyle(l).display != "none")
        .map((l) => ({name: l.textContent, box: box(l.querySelector("rect")), text: box(l.querySelector("text"))}));""")
    for label in labels:
        assert label["text"][0] >= label["box"][0] and label["text"][2] <= label["box"][2], label
        hit = [n["name"] for n in nodes if overlaps([label, n])]
        assert not hit, f"label {label['name']} lies on {hit}"
    return nodes


def visible(page, selector):
    return page.js("""return [...document.querySelectorAll(arguments[0])].filter((e) => e.getClientRects().length
        && getComputedStyle(e).display != "none" && getComputedStyle(e.closest("g") || e).display != "none").length;""", selector)


def edges(page):
    """{(from, to, kind)} as drawn, by the names of nodes."""
    return {tuple(e) for e in page.js("""
        const name = (i) => document.querySelector(`.node[data-n="${i}"] title`).textContent.replace(/, \\d+ workloads?$/, "");
        return [...document.querySelectorAll(".edges .edge")].map((e) => [name(e.dataset.from), name(e.dataset.to),
            ["kept", "gained", "lost", "denied"].find((k) => e.classList.contains(k))]);""")}


def rows(page, table):
    return page.js("""return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].filter((r) => !r.hidden)
        .map((r) => [...r.cells].map((c) => c.textContent));""", table)


def node_of(page, name):
    return page.js("""return [...document.querySelectorAll(".node")].find((n) =>
        n.querySelector("title").textContent.startsWith(arguments[0]));""", name)


def click(page, element):
    from selenium.webdriver.common.action_chains import ActionChains
    ActionChains(page.driver).move_to_element(element).click().perform()


def press(page, *keys):
    from selenium.webdriver.common.action_chains import ActionChains
    ActionChains(page.driver).send_keys(*keys).perform()


# ---- five services ----

SHOP = [("shop", "web", 3), ("shop", "api", 2), ("shop", "db"), ("shop", "cache"), ("ops", "monitor")]
SHOP_EDGES = [("world", ("shop", "web"), "tcp/443"), (("shop", "web"), ("shop", "api"), "tcp/8080"),
              (("shop", "api"), ("shop", "db"), "tcp/5432"), (("shop", "api"), ("shop", "cache"), "tcp/6379"),
              (("ops", "monitor"), ("shop", "api"), "tcp/9100"), (("ops", "monitor"), ("shop", "db"), "tcp/9100")]


def name(end):
    return end if isinstance(end, str) else "/".join(end[:2])


def small(lab):
    world = lab.world("small.yaml", SHOP)
    policies = lab.policies("small", SHOP_EDGES)
    log = lab.log("small-log", [
        {"packets": 7, "dest_port": 5432}, {"packets": 5, "dest_port": 22},
        {"workload": "shop/db-1", "service": "db", "direction": "ingress", "peer": "shop/cache-1", "peer_service": "cache",
         "src_ip": "10.1.0.9", "dest_ip": "10.1.0.3", "dest_port": 6379, "packets": 2}])
    vethwall("graph", "--world", world, "--policies", policies, "--default", "deny", "--log-dir", log,
             "--since", "2026-11-01", "--out", lab.path("small.html"))


def small_is_drawn(page, lab):
    page.open(lab.path("small.html"))
    check_geometry(page)
    want = {(name(a), name(b), "kept") for a, b, _ in SHOP_EDGES} | {("shop/web", "shop/db", "denied"), ("shop/cache", "shop/db", "denied")}
    assert edges(page) == want, edges(page) ^ want
    assert visible(page, ".edges .line") == len(want)
    texts = {r[1] + ">" + r[2] + ">" + r[0][:5]: r[3] for r in rows(page, "connections")}
    assert texts["shop/web>shop/db>tried"] == "tcp/22, tcp/5432", texts
    assert texts["shop/api>shop/db>permi"] == "tcp/5432", texts
    looks = page.js("""return ["kept", "denied"].map((k) => {
        const s = getComputedStyle(document.querySelector(`.edges .edge.${k} .line`)); return [s.stroke, s.strokeDasharray]; });""")
    assert looks[0][0] != looks[1][0] and looks[0][1] != looks[1][1], looks


def small_is_chosen(page, lab):
    page.open(lab.path("small.html"))
    click(page, node_of(page, "shop/api"))
    hot = page.js("""return [...document.querySelectorAll(".edges .edge.hot")].length""")
    assert hot == sum(("shop", "api") in (a, b) for a, b, _ in SHOP_EDGES), hot
    assert {r[1] for r in rows(page, "connections")} | {r[2] for r in rows(page, "connections")} >= {"shop/api"}
    assert all("shop/api" in r[1:3] for r in rows(page, "connections"))
    faint = page.js("""return getComputedStyle(document.querySelector(".edges .edge:not(.hot)")).opacity""")
    assert float(faint) < 0.5 or page.js("return document.querySelector('.graph').classList.contains('focus')")
    details = page.js("return document.querySelector('.details').textContent")
    assert "tcp/5432" in details and "shop/web" in details, details
    press(page, "\ue00c")  # Escape
    assert page.js("return document.querySelector('.details')") is None
    assert len(rows(page, "connections")) == len(SHOP_EDGES) + 2


def small_by_keyboard(page, lab):
    page.open(lab.path("small.html"))
    page.js("arguments[0].focus()", node_of(page, "shop/db"))
    press(page, "\ue007")  # Enter
    assert page.js("return document.querySelector('.node.pinned title').textContent").startswith("shop/db")
    before = page.js("return document.querySelector('.stage .graph').getAttribute('viewBox')")
    press(page, "+")
    nearer = page.js("return document.querySelector('.stage .graph').getAttribute('viewBox')")
    assert float(nearer.split()[2]) < float(before.split()[2]), (before, nearer)
    press(page, "\ue014")  # ArrowRight
    assert float(page.js("return document.querySelector('.stage .graph').getAttribute('viewBox')").split()[0]) > float(nearer.split()[0])
    press(page, "0")
    assert [float(v) for v in page.js("return document.querySelector('.stage .graph').getAttribute('viewBox')").split()] == \
        [float(v) for v in before.split()]


def small_is_moved(page, lab):
    from selenium.webdriver.common.action_chains import ActionChains
    page.open(lab.path("small.html"))
    svg = page.js("return document.querySelector('.stage .graph')")
    at = page.js(BOXES + "return box(document.querySelector('.node'))")
    ActionChains(page.driver).move_to_element_with_offset(svg, 0, 100).click_and_hold().move_by_offset(60, 30).release().perform()
    now = page.js(BOXES + "return box(document.querySelector('.node'))")
    assert abs(now[0] - at[0] - 60) < 3 and abs(now[1] - at[1] - 30) < 3, (at, now)
    page.js("""const s = document.querySelector(".stage .graph"); arguments[0].focus();
        const r = arguments[0].getBoundingClientRect();
        s.dispatchEvent(new WheelEvent("wheel", {deltaY: -100, clientX: r.left, clientY: r.top, bubbles: true, cancelable: true}));""",
            node_of(page, "shop/db"))
    zoomed = page.js(BOXES + "return box(document.querySelector('.node'))")
    assert zoomed[2] - zoomed[0] > now[2] - now[0] + 1, (now, zoomed)


def kinds_are_switched(page, lab):
    page.open(lab.path("small.html"))
    click(page, page.js("return document.querySelector('input[data-kind=kept]')"))
    assert visible(page, ".edges .edge.kept .line") == 0
    assert visible(page, ".edges .edge.denied .line") == 2
    assert visible(page, ".label.kept") == 0
    assert len(rows(page, "connections")) == 2
    click(page, page.js("return document.querySelector('input[data-kind=kept]')"))
    assert visible(page, ".edges .edge.kept .line") == len(SHOP_EDGES)


def names_are_found(page, lab):
    page.open(lab.path("small.html"))
    box = page.js("return document.querySelector('#find')")
    box.send_keys("cache")
    assert page.js("return [...document.querySelectorAll('.node.found title')].map((t) => t.textContent)") == ["shop/cache, 1 workload"]
    before = page.js("return document.querySelector('.stage .graph').getAttribute('viewBox')")
    box.send_keys("\ue007")
    assert page.js("return document.querySelector('.node.pinned title').textContent").startswith("shop/cache")
    assert page.js("return document.querySelector('.stage .graph').getAttribute('viewBox')") != before


def tables_sort_and_filter(page, lab):
    page.open(lab.path("small.html"))
    bar = page.js("return document.querySelector('.bar[data-for=connections] input')")
    bar.send_keys("db 5432")
    assert [r[1] for r in rows(page, "connections")] == ["shop/web", "shop/api"], rows(page, "connections")
    assert page.js("return document.querySelector('.bar[data-for=connections] .count').textContent") == "2 of 8"
    bar.send_keys("\ue003" * 10)
    head = page.js("return document.querySelectorAll('#connections th button')[2]")
    click(page, head)
    to = [r[2] for r in rows(page, "connections")]
    assert to == sorted(to) and len(to) == 8, to
    click(page, head)
    assert [r[2] for r in rows(page, "connections")] == sorted(to, reverse=True)
    click(page, page.js("return document.querySelectorAll('#connections th button')[4]"))
    assert [r[4] for r in rows(page, "connections")][:2] == ["12", "2"]


def light_and_dark(page, lab):
    page.open(lab.path("small.html"))
    ground = page.js("return getComputedStyle(document.body).backgroundColor")
    click(page, page.js("return document.querySelector('.theme')"))
    dark = page.js("return getComputedStyle(document.body).backgroundColor")
    assert ground != dark, ground
    click(page, page.js("return document.querySelector('.theme')"))
    assert page.js("return getComputedStyle(document.body).backgroundColor") == ground


# ---- two hundred ----

ROLES = ["web", "api", "orders", "billing", "search", "cache", "db", "queue", "auth", "mailer"]
INNER = [(0, 1, "tcp/8080"), (1, 2, "tcp/8080"), (1, 3, "tcp/8080"), (1, 4, "tcp/9200"), (1, 5, "tcp/6379"),
         (2, 6, "tcp/5432"), (3, 6, "tcp/5432"), (2, 7, "tcp/5672"), (9, 7, "tcp/5672"), (1, 8, "tcp/8443")]
TEAMS = 20


def large_edges():
    ends = []
    for t in range(TEAMS):
        team = f"team-{t:02}"
        ends += [((team, ROLES[a]), (team, ROLES[b]), p) for a, b, p in INNER]
        for k in (1, 3, 7):  # to others, in circles of different width
            ends.append(((team, ROLES[1 + k % 4]), (f"team-{(t + k) % TEAMS:02}", ROLES[1 + (t + k) % 8]), f"tcp/{9000 + k}"))
        ends.append(("world", (team, "web"), "tcp/443"))
    return ends


def large(lab):
    world = lab.world("large.yaml", [(f"team-{t:02}", r, 1 + (t + i) % 3) for t in range(TEAMS) for i, r in enumerate(ROLES)])
    policies = lab.policies("large", large_edges())
    vethwall("graph", "--world", world, "--policies", policies, "--default", "deny", "--out", lab.path("large.html"))


def large_is_drawn(page, lab):
    page.open(lab.path("large.html"))
    nodes = check_geometry(page)
    assert len(nodes) == TEAMS * len(ROLES) + 1, len(nodes)
    want = {(name(a), name(b), "kept") for a, b, _ in large_edges() if a != "world"}
    assert edges(page) == want, len(edges(page) ^ want)
    folds = [r for r in rows(page, "connections") if r[1] == "world"]
    assert len(folds) == 1 and folds[0][2] == "the 20 marked A▸" and folds[0][3] == "tcp/443", folds
    assert page.js("return document.querySelectorAll('.node .folds').length") == TEAMS + 1
    bundles = page.js("""return [...document.querySelectorAll(".edges .bundle title")].map((t) => Number(/: (\\d+) pair/.exec(t.textContent)[1]))""")
    assert sum(bundles) == sum(a != "world" and a[0] != b[0] for a, b, _ in large_edges()), sum(bundles)
    assert visible(page, ".edges .edge.bundled .line") == 0
    assert visible(page, ".edges .edge .line") == sum(a != "world" and a[0] == b[0] for a, b, _ in large_edges())
    size = page.js("const r = document.querySelector('.node text').getBoundingClientRect(); return r.height")
    assert size > 6, f"texts are {size} pixels high"


def large_is_chosen(page, lab):
    page.open(lab.path("large.html"))
    own = ("team-03", "orders")
    click(page, node_of(page, name(own)))
    want = sum(own in (a, b) for a, b, _ in large_edges())
    assert visible(page, ".edges .edge.hot .line") == want, want
    assert len(rows(page, "connections")) == want
    press(page, "\ue00c")
    bundle = page.js("return document.querySelector('.edges .bundle')")
    page.js("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", bundle)
    count = int(page.js("return /: (\\d+) pair/.exec(arguments[0].querySelector('title').textContent)[1]", bundle))
    assert visible(page, ".edges .edge.hot .line") == count, count


# ---- an open world ----

def open_world(lab):
    world = lab.world("open.yaml", [(f"ns-{i // 10}", f"s{i}") for i in range(200)])
    policies = lab.policies("open", [], [("ns-3", "s33")])
    vethwall("graph", "--world", world, "--policies", policies, "--out", lab.path("open.html"))


def open_world_is_folded(page, lab):
    page.open(lab.path("open.html"))
    check_geometry(page)
    assert len(edges(page)) < 10, len(edges(page))
    listed = rows(page, "connections")
    assert any("marked ▸A" in r[1] and r[3] == "any" for r in listed), listed
    marked = page.js("""return [...document.querySelectorAll(".node")].filter((n) => n.querySelector("title").textContent.startsWith("ns-3/s33"))
        .map((n) => n.querySelector(".folds"))""")
    assert marked == [None], marked


# ---- names of others ----

def hostile(lab):
    services = [(NAMES[i % len(NAMES)] if i % 2 else "x", n) for i, n in enumerate(NAMES)]
    world = lab.world("hostile.yaml", services)
    # a policy cannot name most of these; the world is open
    policies = lab.policies("hostile", [], [("x", "nobody")])
    for fmt in ("html", "svg", "dot"):
        vethwall("graph", "--world", world, "--policies", policies, "--format", fmt, "--out", lab.path("hostile." + fmt))
    lab.hostile = [f"{a}/{b}" for a, b in services]


def names_stay_text(page, lab):
    page.open(lab.path("hostile.html"))
    check_geometry(page)
    titles = page.js("return [...document.querySelectorAll('.node title')].map((t) => t.textContent)")
    for n in lab.hostile:
        assert any(t.startswith(shown(n) + ",") for t in titles), n
    drawn = page.js("return [...document.querySelectorAll('.node text')].map((t) => t.textContent)")
    for n in NAMES:
        assert shown(n) in drawn, n
    assert page.js("return document.querySelectorAll('img, iframe, h1 *, [onerror], [onload], [onmouseover]').length") == 0
    for element in page.js("return [...document.querySelectorAll('.node')]"):
        page.js("arguments[0].dispatchEvent(new PointerEvent('pointerenter'))", element)
    click(page, node_of(page, "x/"))


def picture_stands_alone(page, lab):
    page.open(lab.path("hostile.svg"))
    xml.dom.minidom.parse(lab.path("hostile.svg"))
    assert page.js("return document.documentElement.tagName") == "svg"
    drawn = page.js("return [...document.querySelectorAll('.node text')].map((t) => t.textContent)")
    assert all(shown(n) in drawn for n in NAMES), drawn
    assert page.js("return document.querySelectorAll('.legend .edge').length") == 1


def graphviz_takes_it(_page, lab):
    if not shutil.which("dot"):
        raise SkipTest("graphviz is not installed")
    got = subprocess.run(["dot", "-Tsvg", lab.path("hostile.dot")], capture_output=True, check=False)
    assert got.returncode == 0 and not got.stderr, got.stderr
    texts = [t.firstChild.data for t in xml.dom.minidom.parseString(got.stdout).getElementsByTagName("text") if t.firstChild]
    for n in ("\"><svg onload=alert(2)>", "&lt;b&gt;", "\\u202egnp.exe", "{{7*7}}${7*7}"):
        assert n in texts, (n, texts)
    for world in ("small", "large", "open"):
        extra = ["--default", "deny"] if world != "open" else []
        dot = vethwall("graph", "--world", lab.path(world + ".yaml"), "--policies", lab.path(world), "--format", "dot", *extra)
        got = subprocess.run(["dot", "-Tplain"], input=dot.encode(), capture_output=True, check=False)
        drawn = sum(line.startswith(b"edge ") for line in got.stdout.splitlines())
        want = {"small": len(SHOP_EDGES), "large": len(large_edges()) - TEAMS}.get(world)
        assert got.returncode == 0 and (want is None or drawn == want), (world, drawn, got.stderr)


# ---- a change ----

def change(lab):
    after = [e for e in SHOP_EDGES if e[2] != "tcp/6379"] + [(("shop", "web"), ("shop", "cache"), "tcp/6379")]
    old, new = lab.policies("old", SHOP_EDGES, [("shop", "cache")]), lab.policies("new", after, [("shop", "cache")])
    page = vethwall("diff", "--world", lab.path("small.yaml"), "--against", old, "--policies", new, "--default", "deny",
                    "--format", "html", codes=(1,))
    lab.write("change.html", page)


def change_is_drawn(page, lab):
    page.open(lab.path("change.html"))
    check_geometry(page)
    changed = {e for e in edges(page) if e[2] != "kept"}
    assert changed == {("shop/api", "shop/cache", "lost"), ("shop/web", "shop/cache", "gained")}, changed
    listed = {(r[0][0], r[1].split()[0], r[2].split()[0], r[3]): r[4:] for r in rows(page, "changes")}
    assert set(listed) == {("−", "shop/api", "shop/cache", "tcp/6379"), ("+", "shop/web", "shop/cache", "tcp/6379")}, listed
    for before, now in listed.values():
        assert "shop/p" in before and "shop/p" in now, (before, now)
        assert ("denied" in before) != ("denied" in now), (before, now)
    plan = page.js("return document.querySelector('#plan').textContent")
    assert "\n+" in plan and "\n-" in plan, plan[:300]
    looks = page.js("""return ["kept", "gained", "lost"].map((k) => {
        const s = getComputedStyle(document.querySelector(`.edges .edge.${k} .line`)); return s.stroke + s.strokeDasharray + s.strokeWidth; });""")
    assert len(set(looks)) == 3, looks


# ---- a report ----

def report(lab):
    records = []
    for i, text in enumerate(TEXTS):
        records.append({"workload": f"x/{text}", "service": text, "image": text, "peer": "world", "peer_service": None,
                        "peer_name": text, "policy": text, "rule": text, "dest_ip": f"203.0.113.{i}", "packets": 100 + i,
                        "last_seen": f"2026-11-22T11:{i:02}:00.000000Z"})
        records[-1] = {k: v for k, v in records[-1].items() if v is not None}
    records += [{"dest_port": p, "packets": 2} for p in range(1, 31)]
    lab.records = records
    folder = lab.log("report-log", records)
    vethwall("flows", "--log-dir", folder, "--from", "2026-11-22T00:00:00Z", "--to", "2026-11-23T00:00:00Z", "--where",
             'policy != "</script><script>alert(9)</script>"', "--format", "html", "--out", lab.path("report.html"))
    many = [{"dest_port": 1 + i, "packets": 1 + i} for i in range(6000)]
    lab.many = many
    vethwall("flows", "--log-dir", lab.log("many-log", many), "--format", "html", "--out", lab.path("many.html"))


def report_is_drawn(page, lab):
    page.open(lab.path("report.html"))
    check_geometry(page)
    packets = sum(r["packets"] for r in lab.records)
    assert page.js("return document.querySelector('.cards b').textContent") == str(packets)
    assert sum(int(r[4]) for r in rows(page, "flows")) == packets
    about = page.js("return document.querySelector('dl.about').textContent")
    assert 'policy != "</script><script>alert(9)</script>"' in about and "2026-11-22T00:00:00" in about, about
    bars = page.js("""return [...document.querySelectorAll(".chart .bars rect")].map((b) => Number(/: (\\d+) packets/.exec(b.textContent)[1]))""")
    assert sum(bars) == packets, (sum(bars), packets)
    tops = page.js("return [...document.querySelectorAll('.tops table')].map((t) => t.tBodies[0].rows[0].textContent)")
    assert len(tops) == 4 and str(100 + len(TEXTS) - 1) in tops[0], tops
    scans = rows(page, "scans")
    assert len(scans) == 1 and scans[0][0] == "shop/web-1" and scans[0][1] == "30", scans
    denied = edges(page)
    assert ("shop/web", "shop/db", "denied") in denied and len(denied) == len(TEXTS) + 1, len(denied)


def report_stays_text(page, lab):
    page.open(lab.path("report.html"))
    body = page.js("return document.body.innerText + [...document.querySelectorAll('svg text, svg title')].map((t) => t.textContent).join('\\n')")
    for text in TEXTS:
        assert shown(text) in body, text
    assert page.js("return document.querySelectorAll('img, iframe, meta[http-equiv=refresh], td script, .node script').length") == 0
    assert page.js("return document.querySelectorAll('script').length") == 1
    assert page.js("return document.querySelectorAll('h1').length") == 1
    assert "\u202e" not in body and "\x1b" not in body


def report_sorts_and_filters(page, lab):
    page.open(lab.path("report.html"))
    packets = [int(r[4]) for r in rows(page, "flows")]
    assert packets == sorted(packets, reverse=True)
    head = page.js("return document.querySelectorAll('#flows th button')[4]")
    click(page, head)
    click(page, head)
    assert [int(r[4]) for r in rows(page, "flows")] == sorted(packets)
    bar = page.js("return document.querySelector('.bar[data-for=flows] input')")
    bar.send_keys("shop/web-1 tcp/2")
    assert {r[3] for r in rows(page, "flows")} == {"tcp/2"} | {f"tcp/{p}" for p in range(20, 30)}


def report_is_bounded(page, lab):
    page.open(lab.path("many.html"))
    listed = rows(page, "flows")
    assert len(listed) == 5000 and int(listed[-1][4]) == 1001, (len(listed), listed[-1])
    text = page.js("return document.body.innerText")
    folded = sum(r["packets"] for r in lab.many if r["packets"] <= 1000)
    assert f"1000 more, with {folded} packets" in text, text[-400:]
    assert str(sum(r["packets"] for r in lab.many)) in text


def empty_log(lab):
    vethwall("flows", "--log-dir", lab.log("empty-log", [{}]), "--service", "nobody", "--format", "html", "--out", lab.path("empty.html"))


def nothing_is_said_so(page, lab):
    page.open(lab.path("empty.html"))
    assert page.js("return document.querySelector('.cards b').textContent") == "0"
    assert rows(page, "flows") == []


def readable_without_script(_page, lab):
    reader = browser.Browser(scripts=False)
    try:
        reader.open(lab.path("report.html"))
        from selenium.webdriver.common.by import By
        assert len(reader.driver.find_elements(By.CSS_SELECTOR, "#flows tbody tr")) == len(TEXTS) + 30
        node = reader.driver.find_element(By.CSS_SELECTOR, ".node rect")
        assert node.rect["width"] > 5
        assert not reader.driver.find_element(By.CSS_SELECTOR, ".theme").is_displayed()
        assert not reader.driver.find_element(By.CSS_SELECTOR, ".bar").is_displayed()
    finally:
        reader.close()


def a_policy_stands_in_the_way(page, lab):
    """The last fence: markup that came into the page all the same neither runs nor loads."""
    with open(lab.path("small.html"), encoding="utf-8") as f:
        text = f.read()
    bad = """<script>window.calls.push("script")</script><img src="http://192.0.2.1/x.png" onerror="window.calls.push('onerror')">
        <style>body{background:url(http://192.0.2.1/y.png)}</style><iframe src="http://192.0.2.1/"></iframe>"""
    lab.write("fence.html", text.replace("<h1>", bad + "<h1>", 1))
    page.open(lab.path("fence.html"))
    assert page.js("return window.calls") == []
    refused = page.misdeeds()
    for what in ("inline script", "inline event handler", "inline style", "Loading the image", "Framing"):
        assert any(what in m and "blocked" in m for m in refused), (what, refused)


class SkipTest(Exception):
    pass


MAKE = [small, large, open_world, hostile, change, report, empty_log]
LOOK = [small_is_drawn, small_is_chosen, small_by_keyboard, small_is_moved, kinds_are_switched, names_are_found,
        tables_sort_and_filter, light_and_dark, large_is_drawn, large_is_chosen, open_world_is_folded, names_stay_text,
        picture_stands_alone, graphviz_takes_it, change_is_drawn, report_is_drawn, report_stays_text,
        report_sorts_and_filters, report_is_bounded, nothing_is_said_so, readable_without_script,
        a_policy_stands_in_the_way]


def screenshots(lab):
    for dark in (False, True):
        page = browser.Browser(dark=dark, height=1300)
        for n in ("small", "large", "open", "hostile", "change", "report"):
            page.open(lab.path(n + ".html"))
            page.driver.save_screenshot(lab.path(f"{n}-{'dark' if dark else 'light'}.png"))
        page.close()


def run(n, words, check, *args):
    try:
        check(*args)
        print(f"ok {n} - {words}", flush=True)
    except SkipTest as e:
        print(f"ok {n} - {words} # SKIP {e}", flush=True)
    except Exception as e:  # whatever goes wrong is that test's failure
        print(f"not ok {n} - {words}", flush=True)
        for line in f"{type(e).__name__}: {e}".splitlines()[:12]:
            print("# " + line[:1000], flush=True)


def behaves(page):
    bad = page.misdeeds()
    assert not bad, "\n".join(bad[:5])


def main():
    why = browser.missing()
    if why:
        print(f"1..0 # SKIP {why}")
        return
    browser.enter_namespace()
    keep = os.environ.get("KEEP")
    folder = keep or tempfile.mkdtemp(prefix="vw-pages.")
    lab = Lab(folder)
    n, page = 0, None
    try:
        for make in MAKE:
            n += 1
            run(n, "pages: " + make.__name__.replace("_", " "), make, lab)
        page = browser.Browser()
        for look in LOOK:
            words = look.__name__.replace("_", " ")
            n += 1
            run(n, words, look, page, lab)
            if look is not a_policy_stands_in_the_way:
                n += 1
                run(n, words + ": the page asks for nothing and complains of nothing", behaves, page)
        if keep:
            screenshots(lab)
    finally:
        if page:
            page.close()
        if not keep:
            shutil.rmtree(folder)
    print(f"1..{n}")


main()
