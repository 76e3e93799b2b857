// The frame around the views: which one is shown, the figures, the badges, the keys.

import { actorView } from "./actor.js";
import { deadView } from "./dead.js";
import { h, say, soon, text } from "./dom.js";
import { eventsView } from "./events.js";
import { connect, reconnect } from "./live.js";
import { nodesView } from "./nodes.js";
import { peopleView } from "./people.js";
import { on, store } from "./store.js";
import { treeView } from "./tree.js";

const main = document.getElementById("main");
const views = { tree: treeView, events: eventsView, people: peopleView, dead: deadView, nodes: nodesView };
const titles = { tree: "Tree", events: "Events", people: "Requests", dead: "Dead letters", nodes: "Nodes", actor: "Actor" };
let leave = null;
let current = null;

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // an address that was typed, or cut
  }
}

function route() {
  const [path, query = ""] = location.hash.slice(1).split("?");
  const parts = path.split("/").filter(Boolean);
  const home = store.hello?.person !== null && store.hello !== null ? "people" : "tree";
  if (store.hello?.person != null) return { view: "people", path: "", query };
  if (parts[0] === "actor") {
    return { view: "actor", path: "/" + parts.slice(1).map(decoded).join("/"), query };
  }
  return { view: views[parts[0]] ? parts[0] : home, path: "", query };
}

function show(moved) {
  if (store.hello === null) return;
  const { view, path, query } = route();
  if (leave !== null) (leave.stop ?? leave)();
  current = view;
  document.title = `${view === "actor" ? path : titles[view]} – ${store.hello.system}`;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.view === (view === "actor" ? "tree" : view)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.replaceChildren();
  main.dataset.view = view;
  leave = view === "actor" ? actorView(main, path) : views[view](main, new URLSearchParams(query));
  if (moved) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

// --- the bar ---

const link = document.getElementById("link");
let timer = null;

on("link", ({ state, seconds }) => {
  clearInterval(timer);
  link.dataset.state = state;
  if (state === "live") text(link, "Live");
  else if (state === "connecting") text(link, store.hello === null ? "Connecting…" : "Reconnecting…");
  else {
    let rest = Math.ceil(seconds);
    link.replaceChildren("Not connected. ", h("button", { type: "button", class: "quiet", on: { click: reconnect } }, "Try now"));
    link.title = `Tries again in ${rest} s`;
  }
});

on("hello", (hello) => {
  const was = document.body.dataset.session;
  document.body.dataset.session = hello.session;
  document.body.dataset.person = hello.person ?? "";
  text(document.getElementById("system"), hello.system);
  for (const tab of document.querySelectorAll(".tabs a")) tab.hidden = hello.person !== null && tab.dataset.view !== "people";
  document.getElementById("figures").hidden = hello.person !== null;
  if (was !== hello.session || current === null) show(false);
});

const figures = soon(() => {
  let waiting = 0;
  let restarts = 0;
  for (const row of store.actors.values()) {
    waiting += row.depth;
    restarts += row.restarts;
  }
  const said = { actors: Math.max(0, store.actors.size - 1), waiting, restarts };
  for (const place of document.querySelectorAll("[data-figure]")) text(place, said[place.dataset.figure]);
});
on("actors", figures);

function badge(name, count) {
  const place = document.querySelector(`[data-badge=${name}]`);
  text(place, count > 999 ? "999+" : count);
  place.hidden = count === 0;
}

on("requests", ({ fresh }) => {
  badge("people", store.requests.size);
  if (fresh.length === 1) say(`New request: ${fresh[0].text.slice(0, 200)}`);
  else if (fresh.length > 1) say(`${fresh.length} new requests wait for answers.`);
});
on("dead", () => badge("dead", store.dead.told.length + store.dead.posted.length));
on("nodes", () => badge("nodes", store.nodes.length));
on("fault", (message) => say(message, true));

// --- keys ---

const help = document.getElementById("help");
const keysOn = document.getElementById("keys-on");
keysOn.checked = localStorage.getItem("observatory-keys") !== "off";
keysOn.addEventListener("change", () => localStorage.setItem("observatory-keys", keysOn.checked ? "on" : "off"));
document.getElementById("help-open").addEventListener("click", () => help.showModal());

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || help.open || !keysOn.checked) return;
  if (event.target.closest?.("input, textarea, select")) return;
  const tab = Object.keys(views)[Number(event.key) - 1];
  if (tab && store.hello?.person === null) location.hash = "#/" + tab;
  else if (event.key === "?") help.showModal();
  else if (event.key === "/") document.getElementById("filter")?.focus();
  else if (event.key === "j" || event.key === "k") leave?.step?.(event.key === "j" ? 1 : -1);
  else return;
  event.preventDefault();
});

addEventListener("hashchange", () => show(true));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which view is shown
  main.focus();
});
connect();
