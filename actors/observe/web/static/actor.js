// One actor: what it is like, why, and what happened to it.

import { actorHash, actorLink, attribute, fill, h, say, soon, text } from "./dom.js";
import { factRow } from "./facts.js";
import { call } from "./live.js";
import { on, store } from "./store.js";
import { clock, exact, left, now, onTick, span } from "./times.js";
import { STATES, above } from "./tree.js";

export function actorView(main, path) {
  const name = path === "/" ? store.hello?.system ?? "/" : path.slice(path.lastIndexOf("/") + 1);
  const crumbs = [];
  for (let at = above(path); at !== null; at = above(at)) crumbs.unshift(at);
  const state = h("span", { class: "state" });
  const figures = h("dl", { class: "facts-of wide" });
  const why = h("ol", { class: "why", "aria-labelledby": "why" });
  const whyText = h("p", { class: "why-text", dir: "auto" });
  const history = h("ol", { class: "facts plain", "aria-labelledby": "history" });
  const fault = h("p", { class: "empty", hidden: true });
  const body = h("div", {},
    h("section", { "aria-label": "Now" }, figures),
    h("section", { "aria-labelledby": "why" }, h("h2", { id: "why" }, "Why"), whyText, why),
    h("section", { "aria-labelledby": "history" }, h("h2", { id: "history" }, "History"),
      h("p", { class: "note" }, "Its last facts, the newest first. ", h("a", { href: "#/events?path=" + encodeURIComponent(path) }, "All events of it and below")), history));
  main.replaceChildren(
    h("nav", { class: "crumbs", "aria-label": "Where it is" }, crumbs.map((one) => [
      h("a", { href: actorHash(one) }, one === "/" ? store.hello?.system ?? "/" : one.slice(one.lastIndexOf("/") + 1)), h("span", { "aria-hidden": "true" }, " / ")])),
    h("h1", {}, name, " ", state), fault, body);
  let known = null;
  let stopped = false;
  let asking = false;
  let again = false;

  async function ask() {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      known = await call("GET", "/actors" + path.split("/").map(encodeURIComponent).join("/"));
      fault.hidden = true;
      body.hidden = false;
      if (!stopped) draw();
    } catch (error) {
      if (stopped) return;
      if (known === null) {
        body.hidden = true;
        fault.hidden = false;
        text(fault, error.message);
      } else if (error.status) say(error.message, true);
    } finally {
      asking = false;
      if (again && !stopped) {
        again = false;
        setTimeout(ask, 300);
      }
    }
  }

  function line(label, value) {
    return value === null || value === undefined || value === "" ? null : h("div", {}, h("dt", {}, label), h("dd", {}, value));
  }

  function draw() {
    const actor = known.actor;
    const row = store.actors.get(path);
    const seen = row ?? actor;
    text(state, seen ? STATES[seen.state] ?? seen.state : "gone");
    attribute(state, "data-state", seen ? seen.state : "STOPPED");
    const breaker = known.breaker;
    fill(figures,
      line("path", h("span", { class: "path" }, path)),
      line("kind", seen?.kind),
      line("runs on", seen?.node),
      line("waiting", seen ? seen.depth : null),
      line("restarts", seen ? seen.restarts : null),
      line("handled", actor?.handled),
      line("failed", actor?.failed),
      line("restart policy", actor?.restart),
      line("breaker", breaker ? `${String(breaker.state).toLowerCase().replace("_", " ")}${breaker.failures ? `, ${breaker.failures} ${breaker.failures === 1 ? "failure" : "failures"}` : ""}` : null),
      line("parked", seen?.parked),
      line("deadline", seen?.deadline ? left(seen.deadline) : null),
      line("waits for", actor?.waiting_for?.join(", ")),
      line("last activity", actor?.last_activity ? h("time", { datetime: exact(actor.last_activity) }, clock(actor.last_activity)) : null),
      line("alive for", actor ? span(actor.uptime) : null),
      line("children", actor?.children?.length ? actor.children.slice(0, 50).map((child, index) => [index ? ", " : "", actorLink(child)]) : null));
    text(whyText, known.why.text);
    fill(why, known.why.steps.map((step) => h("li", {},
      h("time", { datetime: exact(step.at) }, clock(step.at)), " ",
      step.path && step.path !== path ? [actorLink(step.path), " "] : null,
      h("span", { class: "text", dir: "auto" }, step.text))));
    fill(history, [...known.history].reverse().map((fact) => factRow(fact, false)));
  }

  const later = soon(() => { if (!stopped) ask(); });
  const stops = [
    on("actors", ({ paths, gone }) => { if (paths.includes(path) || gone.includes(path)) later(); }),
    on("facts", ({ fresh, reset }) => { if (reset || fresh.some((fact) => fact.path === path)) later(); }),
    onTick(() => { if (known !== null && store.actors.get(path)?.deadline) draw(); }),
  ];
  ask();
  return () => {
    stopped = true;
    stops.forEach((stop) => stop());
  };
}
