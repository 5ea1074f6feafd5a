/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Brings the pages to life: a graph that can be looked at from near and far, and tables that sort and
 * filter. It reads what is in the page and changes classes and views; it makes no markup from texts, and
 * asks nobody for anything. Without it the pages can be read all the same. */
"use strict";
(() => {
	const root = document.documentElement;
	const all = (selector, from = document) => [...from.querySelectorAll(selector)];
	const LARGEST = 1.3; /* pixels of the screen to one of a picture, before anybody zooms */
	const numbers = (text) => (text || "").split(" ").filter(Boolean).map(Number);

	function themes() {
		const button = document.querySelector(".theme");
		button.addEventListener("click", () => {
			const dark = getComputedStyle(root).getPropertyValue("--ground").trim() === "#11151b";
			root.dataset.theme = dark ? "light" : "dark";
		});
	}

	/* ---- tables ---- */

	/* A cell sorts by data-v where it has one (numbers, times), else by its text. */
	function value(row, column) {
		const cell = row.cells[column];
		return cell.dataset.v === undefined ? cell.textContent.toLowerCase() : Number(cell.dataset.v);
	}

	function compare(a, b) {
		return a < b ? -1 : a > b ? 1 : 0;
	}

	function table(element) {
		const body = element.tBodies[0], rows = [...body.rows];
		const texts = rows.map((row) => row.textContent.toLowerCase());
		const bar = document.querySelector(`.bar[data-for="${element.id}"]`);
		const box = bar && bar.querySelector("input[type=search]"), count = bar && bar.querySelector(".count");
		const hidden = new Set();
		let only = null; /* the node that rows must speak of */

		function show() {
			const words = box ? box.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
			let shown = 0;
			rows.forEach((row, i) => {
				const fits = words.every((w) => texts[i].includes(w)) && !hidden.has(row.dataset.kind) &&
					(only === null || numbers(row.dataset.from).includes(only) || numbers(row.dataset.to).includes(only));
				row.hidden = !fits;
				shown += fits;
			});
			if (count)
				count.textContent = `${shown} of ${rows.length}`;
		}

		all("th", element).forEach((th, column) => {
			const button = document.createElement("button");
			button.type = "button";
			button.append(...th.childNodes);
			th.append(button);
			button.addEventListener("click", () => {
				const down = th.getAttribute("aria-sort") === "ascending" ||
					(th.dataset.first === "descending" && !th.hasAttribute("aria-sort"));
				const keyed = rows.map((row, i) => ({row, i, v: value(row, column)}));
				all("th", element).forEach((o) => o.removeAttribute("aria-sort"));
				th.setAttribute("aria-sort", down ? "descending" : "ascending");
				keyed.sort((a, b) => (down ? compare(b.v, a.v) : compare(a.v, b.v)) || a.i - b.i);
				body.append(...keyed.map((k) => k.row));
			});
		});
		if (box)
			box.addEventListener("input", show);
		show();
		return {
			only(node) { only = node; show(); },
			hide(kind, is) { is ? hidden.add(kind) : hidden.delete(kind); show(); },
			rows,
		};
	}

	/* ---- the graph's view ---- */

	function view(stage, svg) {
		const whole = svg.viewBox.baseVal, home = {x: whole.x, y: whole.y, w: whole.width, h: whole.height};
		const wide = stage.clientWidth / LARGEST;
		let now, drag = null;

		/* A small picture stays in the middle rather than being blown up. */
		if (wide > home.w) {
			home.x -= (wide - home.w) / 2;
			home.w = wide;
		}
		svg.removeAttribute("width");
		svg.removeAttribute("height");

		function set(next) {
			const w = Math.min(Math.max(next.w, home.w / 60), home.w * 2);
			now = {x: next.x, y: next.y, w, h: w * home.h / home.w};
			svg.setAttribute("viewBox", `${now.x} ${now.y} ${now.w} ${now.h}`);
		}
		/* The point of the picture under a place of the screen. */
		function point(x, y) {
			return new DOMPoint(x, y).matrixTransform(svg.getScreenCTM().inverse());
		}
		function zoom(factor, at) {
			const p = at || {x: now.x + now.w / 2, y: now.y + now.h / 2};
			set({x: p.x - (p.x - now.x) * factor, y: p.y - (p.y - now.y) * factor, w: now.w * factor});
		}
		function move(x, y) {
			set({...now, x: now.x + x * now.w, y: now.y + y * now.h});
		}
		const actions = {
			in: () => zoom(0.8), out: () => zoom(1.25), all: () => set(home),
		};
		const keys = {
			"+": actions.in, "=": actions.in, "-": actions.out, "0": actions.all,
			ArrowLeft: () => move(-0.1, 0), ArrowRight: () => move(0.1, 0),
			ArrowUp: () => move(0, -0.1), ArrowDown: () => move(0, 0.1),
		};

		/* The page scrolls over the picture as elsewhere; in it the wheel zooms once it has been chosen. */
		stage.addEventListener("wheel", (e) => {
			if (!e.ctrlKey && !stage.contains(document.activeElement))
				return;
			e.preventDefault();
			zoom(e.deltaY > 0 ? 1.15 : 1 / 1.15, point(e.clientX, e.clientY));
		}, {passive: false});
		set(home);
		svg.addEventListener("pointerdown", (e) => {
			if (e.button === 0)
				drag = {from: point(e.clientX, e.clientY), x: e.clientX, y: e.clientY, far: false};
		});
		svg.addEventListener("pointermove", (e) => {
			if (!drag)
				return;
			if (!drag.far && Math.hypot(e.clientX - drag.x, e.clientY - drag.y) < 4)
				return;
			if (!drag.far)
				svg.setPointerCapture(e.pointerId);
			drag.far = true;
			svg.classList.add("dragged");
			const p = point(e.clientX, e.clientY);
			set({...now, x: now.x + drag.from.x - p.x, y: now.y + drag.from.y - p.y});
		});
		svg.addEventListener("pointerup", () => {
			svg.classList.remove("dragged");
			setTimeout(() => { drag = null; });
		});
		stage.addEventListener("keydown", (e) => {
			if (!keys[e.key] || e.ctrlKey || e.altKey || e.metaKey)
				return;
			e.preventDefault();
			keys[e.key]();
		});
		all("[data-zoom]").forEach((b) => b.addEventListener("click", actions[b.dataset.zoom]));
		return {
			dragged: () => drag !== null && drag.far,
			near(box) {
				const w = Math.max(box.width * 6, home.w / 4);
				set({x: box.x + box.width / 2 - w / 2, y: box.y + box.height / 2 - w * home.h / home.w / 2, w});
			},
		};
	}

	/* ---- the graph ---- */

	function graph(stage, connections) {
		const svg = stage.querySelector(".graph"), camera = view(stage, svg);
		const nodes = all(".node", svg), parts = all(".edge, .label[data-from]", svg), bundles = all(".bundle", svg);
		const rows = connections ? connections.rows : [];
		let pinned = null, panel = null;

		function heat(node) {
			const near = new Set([node]);
			all(".hot", svg).forEach((e) => e.classList.remove("hot"));
			svg.classList.toggle("focus", node !== null);
			if (node === null)
				return;
			for (const part of parts) {
				const from = Number(part.dataset.from), to = Number(part.dataset.to);
				if (from !== node && to !== node)
					continue;
				part.classList.add("hot");
				near.add(from);
				near.add(to);
			}
			for (const row of rows.filter((r) => r.dataset.fold !== undefined)) {
				const from = numbers(row.dataset.from), to = numbers(row.dataset.to);
				if (from.includes(node))
					to.forEach((n) => near.add(n));
				if (to.includes(node))
					from.forEach((n) => near.add(n));
			}
			nodes.forEach((n) => n.classList.toggle("hot", near.has(Number(n.dataset.n))));
		}

		function details(node) {
			if (panel)
				panel.remove();
			panel = null;
			if (node === null)
				return;
			panel = document.createElement("aside");
			panel.className = "details";
			const head = document.createElement("h3"), list = document.createElement("ul"), close = document.createElement("button");
			head.textContent = nodes[node].querySelector("title").textContent;
			close.textContent = "✕";
			close.setAttribute("aria-label", "close");
			close.addEventListener("click", () => pin(null));
			const own = rows.filter((r) => numbers(r.dataset.from).includes(node) || numbers(r.dataset.to).includes(node));
			for (const row of own.slice(0, 60)) {
				const item = document.createElement("li");
				item.textContent = row.dataset.words ||
					`${row.cells[0].textContent}: ${row.cells[1].textContent} → ${row.cells[2].textContent}, ${row.cells[3].textContent}`;
				list.append(item);
			}
			if (own.length > 60 || !own.length) {
				const item = document.createElement("li");
				item.textContent = own.length ? `and ${own.length - 60} more in the table` : "no connections here";
				list.append(item);
			}
			panel.append(head, close, list);
			stage.append(panel);
		}

		function pin(node) {
			pinned = node;
			nodes.forEach((n) => n.classList.toggle("pinned", Number(n.dataset.n) === node));
			heat(node);
			details(node);
			if (connections)
				connections.only(node);
		}

		for (const element of nodes) {
			const node = Number(element.dataset.n);
			element.setAttribute("tabindex", "0");
			element.setAttribute("role", "button");
			element.addEventListener("pointerenter", () => { if (pinned === null) heat(node); });
			element.addEventListener("pointerleave", () => { if (pinned === null) heat(null); });
			element.addEventListener("click", (e) => {
				e.stopPropagation();
				if (!camera.dragged())
					pin(pinned === node ? null : node);
			});
			element.addEventListener("keydown", (e) => {
				if (e.key !== "Enter" && e.key !== " ")
					return;
				e.preventDefault();
				pin(pinned === node ? null : node);
			});
		}
		/* Nearer is on top: the edges that a bundle stands for. */
		for (const bundle of bundles) {
			bundle.addEventListener("click", (e) => {
				const ends = [Number(bundle.dataset.a), Number(bundle.dataset.b)];
				const group = (n) => Number(nodes[n].dataset.g);
				e.stopPropagation();
				pin(null);
				svg.classList.add("focus");
				for (const part of parts) {
					const from = Number(part.dataset.from), to = Number(part.dataset.to);
					if (!part.classList.contains("bundled") || !part.classList.contains(bundle.dataset.kind) ||
						group(from) === group(to) || !ends.includes(group(from)) || !ends.includes(group(to)))
						continue;
					[part, nodes[from], nodes[to]].forEach((x) => x.classList.add("hot"));
				}
			});
		}
		svg.addEventListener("click", () => { if (!camera.dragged()) pin(null); });
		document.addEventListener("keydown", (e) => { if (e.key === "Escape") pin(null); });

		const search = document.querySelector("#find");
		search.addEventListener("input", () => {
			const text = search.value.toLowerCase();
			svg.classList.toggle("searched", text !== "");
			nodes.forEach((n) => n.classList.toggle("found",
				text !== "" && n.querySelector("title").textContent.toLowerCase().includes(text)));
		});
		search.addEventListener("keydown", (e) => {
			const first = svg.querySelector(".node.found");
			if (e.key !== "Enter" || !first)
				return;
			camera.near(first.getBBox());
			pin(Number(first.dataset.n));
		});
		all("input[data-kind]").forEach((box) => {
			const set = () => {
				svg.classList.toggle(`no-${box.dataset.kind}`, !box.checked);
				if (connections)
					connections.hide(box.dataset.kind, !box.checked);
			};
			box.addEventListener("change", set);
			set();
		});
	}

	root.classList.add("live");
	themes();
	const tables = new Map(all("table.sorts").map((t) => [t.id, table(t)]));
	const stage = document.querySelector(".stage");
	if (stage)
		graph(stage, tables.get("connections"));
})();
