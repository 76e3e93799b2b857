// The tree: one row for each actor, kept and changed in place. A tree for keyboards and screen readers too.

import { actorHash, attribute, h, soon, text } from "./dom.js";
import { on, store } from "./store.js";
import { left, now, onTick } from "./times.js";

const closed = new Set(["/system"]);
const LAST = { system: 2, jobs: 1 }; // the framework's own stand below

export const STATES = {
  STARTING: "starting",
  IDLE: "idle",
  BUSY: "busy",
  BACKING_OFF: "backing off",
  CIRCUIT_OPEN: "circuit open",
  SUSPENDED: "suspended",
  STOPPING: "stopping",
  STOPPED: "stopped",
  UNREACHABLE: "unreachable",
};

export function above(path) {
  if (path === "/") return null;
  const cut = path.lastIndexOf("/");
  return cut <= 0 ? "/" : path.slice(0, cut);
}

function label(row) {
  return row.name ?? row.path.slice(row.path.lastIndexOf("/") + 1);
}

function spoken(row) {
  const said = [label(row), row.kind, STATES[row.state] ?? row.state];
  if (row.depth) said.push(`${row.depth} waiting`);
  if (row.restarts) said.push(`${row.restarts} ${row.restarts === 1 ? "restart" : "restarts"}`);
  if (row.parked) said.push(`parked: ${row.parked}`);
  if (row.breaker) said.push(`breaker ${row.breaker.toLowerCase().replace("_", " ")}`);
  if (row.node) said.push(`on ${row.node}`);
  return said.join(", ");
}

export function treeView(main) {
  const filter = h("input", { type: "search", id: "filter", placeholder: "worker, /team …", autocomplete: "off", spellcheck: "false" });
  const chosen = h("select", { id: "which" },
    h("option", { value: "all" }, "all states"),
    h("option", { value: "trouble" }, "in trouble"),
    h("option", { value: "busy" }, "busy or with a queue"));
  const count = h("p", { class: "count", id: "tree-count" });
  const list = h("div", { role: "tree", "aria-label": "Actors", class: "tree" });
  main.replaceChildren(
    h("h1", {}, "Tree"),
    h("form", { class: "filters", role: "search", "aria-label": "Filter the tree", on: { submit: (event) => event.preventDefault() } },
      h("div", { class: "field grow" }, h("label", { for: "filter" }, "Path or name"), filter),
      h("div", { class: "field" }, h("label", { for: "which" }, "Show"), chosen),
      h("div", { class: "field end" },
        h("button", { type: "button", on: { click: () => openAll(true) } }, "Open all"),
        h("button", { type: "button", on: { click: () => openAll(false) } }, "Close all"))),
    count,
    h("div", { class: "tree-head", "aria-hidden": "true" },
      h("span", {}, "actor"), h("span", {}, "state"), h("span", { class: "number" }, "waiting"), h("span", { class: "number" }, "restarts"), h("span", {}, "deadline")),
    list);

  const rows = new Map(); // path → its element and its parts
  const changed = new Set(); // paths of rows that are to be shown anew
  let shown = [];
  let shape = -1; // of the store, when all was drawn last
  let current = "/";

  function openAll(open) {
    closed.clear();
    if (!open) for (const path of store.actors.keys()) if (path !== "/") closed.add(path);
    draw();
  }

  function isWanted(row) {
    const said = filter.value.trim().toLowerCase();
    if (said && !row.path.toLowerCase().includes(said)) return false;
    if (chosen.value === "trouble") return row.breaker || ["BACKING_OFF", "CIRCUIT_OPEN", "UNREACHABLE"].includes(row.state);
    if (chosen.value === "busy") return row.state === "BUSY" || row.depth > 0;
    return true;
  }

  function isNarrow() {
    return filter.value.trim() !== "" || chosen.value !== "all";
  }

  function ordered() {
    const below = new Map();
    for (const row of store.actors.values()) {
      const parent = above(row.path);
      if (!below.has(parent)) below.set(parent, []);
      below.get(parent).push(row);
    }
    for (const [parent, rows] of below) {
      const rank = (row) => (parent === "/" && LAST[row.name]) || 0;
      rows.sort((a, b) => rank(a) - rank(b) || a.order - b.order);
    }
    const narrow = isNarrow();
    const wanted = new Set();
    let hits = 0;
    if (narrow) {
      for (const row of store.actors.values()) {
        if (!isWanted(row)) continue;
        hits += 1;
        for (let path = row.path; path !== null && !wanted.has(path); path = above(path)) wanted.add(path);
      }
    }
    const found = [];
    const waiting = (below.get(null) ?? []).map((row) => [row, 1]);
    while (waiting.length) {
      const [row, level] = waiting.pop();
      if (narrow && !wanted.has(row.path)) continue;
      const children = below.get(row.path) ?? [];
      const open = narrow || !closed.has(row.path);
      found.push({ row, level, children: children.length, open });
      if (open) for (let i = children.length - 1; i >= 0; i -= 1) waiting.push([children[i], level + 1]);
    }
    const all = store.actors.size;
    text(count, narrow ? `${hits} of ${all} actors` : `${Math.max(0, all - 1)} ${all === 2 ? "actor" : "actors"}`);
    return found;
  }

  function made(path) {
    const parts = {
      twist: h("span", { class: "twist", "aria-hidden": "true" }),
      name: h("span", { class: "label" }),
      kind: h("span", { class: "kind" }),
      node: h("span", { class: "kind" }),
      state: h("span", { class: "state" }),
      breaker: h("span", { class: "state" }),
      depth: h("span", { class: "number depth" }),
      restarts: h("span", { class: "number restarts" }),
      limit: h("span", { class: "limit" }, h("span", { class: "limit-text" })),
    };
    parts.row = h("div", { role: "treeitem", class: "row", tabindex: "-1", data: { path } },
      h("span", { class: "who" }, parts.twist, parts.name, parts.kind, parts.node),
      h("span", { class: "states" }, parts.state, parts.breaker), parts.depth, parts.restarts, parts.limit);
    rows.set(path, parts);
    return parts;
  }

  function show(parts, { row, level, children, open }) {
    const element = parts.row;
    attribute(element, "aria-level", level);
    attribute(element, "aria-expanded", children ? String(open) : null);
    attribute(element, "aria-label", spoken(row));
    attribute(element, "aria-selected", row.path === current ? "true" : "false");
    attribute(element, "tabindex", row.path === current ? "0" : "-1");
    element.style.setProperty("--level", level - 1);
    text(parts.twist, children ? (open ? "▾" : "▸") : "");
    text(parts.name, label(row));
    text(parts.kind, row.kind);
    text(parts.node, row.node ? `on ${row.node}` : "");
    text(parts.state, row.parked ? "parked" : STATES[row.state] ?? row.state);
    attribute(parts.state, "title", row.parked ?? null);
    attribute(parts.state, "data-state", row.state);
    text(parts.breaker, row.breaker ? `breaker ${row.breaker.toLowerCase().replace("_", " ")}` : "");
    attribute(parts.breaker, "data-state", row.breaker ? "CIRCUIT_OPEN" : null);
    parts.breaker.hidden = !row.breaker || row.state === "CIRCUIT_OPEN";
    text(parts.depth, row.depth || "");
    text(parts.restarts, row.restarts || "");
    parts.deadline = row.deadline ?? null;
    parts.length = row.limit ?? null;
    move(parts);
  }

  function move(parts) {
    const has = parts.deadline !== null;
    attribute(parts.limit, "data-on", has ? "yes" : null);
    text(parts.limit.firstChild, has ? left(parts.deadline) : "");
    if (!has) return;
    const share = Math.min(1, Math.max(0, 1 - (parts.deadline - now()) / parts.length));
    parts.limit.style.setProperty("--share", share.toFixed(3));
    attribute(parts.limit, "data-late", share > 0.8 ? "yes" : null);
  }

  // A tree of the same actors: only what has changed is drawn. It may have thousands of rows.
  function drawChanged() {
    const known = new Map();
    for (const path of changed) {
      const row = store.actors.get(path);
      if (rows.has(path) && row) known.set(path, row);
    }
    const found = shown.filter((one) => known.has(one.row.path));
    if (store.shape !== shape || isNarrow() || found.some((one) => one.row.order !== known.get(one.row.path).order)) {
      draw();
      return;
    }
    changed.clear();
    for (const one of found) {
      one.row = known.get(one.row.path);
      show(rows.get(one.row.path), one);
    }
  }

  function draw() {
    shape = store.shape;
    changed.clear();
    shown = ordered();
    const paths = new Set(shown.map((one) => one.row.path));
    if (!paths.has(current)) {
      let path = current;
      while (path !== null && !paths.has(path)) path = above(path);
      current = path ?? shown[0]?.row.path ?? "/";
    }
    const had = list.contains(document.activeElement);
    for (const [path, parts] of rows) {
      if (!paths.has(path)) {
        parts.row.remove();
        rows.delete(path);
      }
    }
    let place = list.firstChild;
    for (const one of shown) {
      const parts = rows.get(one.row.path) ?? made(one.row.path);
      show(parts, one);
      if (parts.row === place) place = place.nextSibling;
      else list.insertBefore(parts.row, place);
    }
    if (had && !list.contains(document.activeElement)) focus(current);
  }

  function focus(path) {
    const before = rows.get(current);
    current = path;
    if (before) {
      attribute(before.row, "tabindex", "-1");
      attribute(before.row, "aria-selected", "false");
    }
    const parts = rows.get(path);
    if (!parts) return;
    attribute(parts.row, "tabindex", "0");
    attribute(parts.row, "aria-selected", "true");
    parts.row.focus();
  }

  function toggle(path, open) {
    if (open) closed.delete(path);
    else closed.add(path);
    draw();
  }

  list.addEventListener("focusin", (event) => {
    const path = event.target.closest("[role=treeitem]")?.dataset.path;
    if (path && path !== current) focus(path);
  });

  list.addEventListener("click", (event) => {
    const element = event.target.closest("[role=treeitem]");
    if (!element) return;
    const one = shown.find((one) => one.row.path === element.dataset.path);
    if (event.target.closest(".twist") && one.children) {
      focus(one.row.path);
      toggle(one.row.path, !one.open);
    } else {
      current = one.row.path;
      location.hash = actorHash(one.row.path);
    }
  });

  list.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const at = shown.findIndex((one) => one.row.path === current);
    const one = shown[at];
    if (!one) return;
    const go = (index) => shown[index] && focus(shown[index].row.path);
    if (event.key === "ArrowDown") go(at + 1);
    else if (event.key === "ArrowUp") go(at - 1);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(shown.length - 1);
    else if (event.key === "ArrowRight" && one.children) one.open ? go(at + 1) : toggle(current, true);
    else if (event.key === "ArrowLeft") one.children && one.open ? toggle(current, false) : above(current) && focus(above(current));
    else if (event.key === "Enter" || event.key === " ") location.hash = actorHash(current);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const later = soon(draw);
  const some = soon(drawChanged);
  filter.addEventListener("input", later);
  chosen.addEventListener("input", later);
  const stops = [
    on("actors", ({ paths }) => {
      for (const path of paths) changed.add(path);
      some();
    }),
    onTick(() => { for (const parts of rows.values()) if (parts.deadline !== null) move(parts); }),
  ];
  draw();
  return () => stops.forEach((stop) => stop());
}
