// This node, and the ones that it is linked with.

import { h, soon } from "./dom.js";
import { factRow } from "./facts.js";
import { on, store } from "./store.js";
import { clock, exact, now, onTick, span } from "./times.js";

const WORDS = { UP: "up", SUSPECT: "suspect", RECONNECTING: "reconnecting", DOWN: "down" };

export function nodesView(main) {
  const place = h("div", { class: "cards" });
  const recent = h("ol", { class: "facts", "aria-labelledby": "recent" });
  main.replaceChildren(h("h1", {}, "Nodes"), place, h("h2", { id: "recent" }, "What links did"), recent);

  function facts(one) {
    const said = [];
    const line = (name, value) => value !== undefined && value !== null && value !== "" && said.push(h("div", {}, h("dt", {}, name), h("dd", {}, value)));
    line("since", one.since && h("time", { datetime: exact(one.since) }, clock(one.since)));
    line("heard", one.heard && `${span(now() - one.heard)} ago`);
    line("suspicion", one.suspicion !== undefined && one.suspicion !== null ? Number(one.suspicion).toFixed(1) : null);
    line("round trip", one.round_trip !== undefined && one.round_trip !== null ? span(one.round_trip) : null);
    line("why", one.reason);
    return h("dl", { class: "facts-of" }, said);
  }

  function draw() {
    const hello = store.hello;
    place.replaceChildren(
      h("section", { class: "card", "aria-label": `This node, ${hello.system}` },
        h("h2", {}, hello.system, " ", h("span", { class: "kind" }, "this node")),
        h("p", {}, h("span", { class: "state", data: { state: "LINK_UP" } }, "up")),
        h("dl", { class: "facts-of" },
          h("div", {}, h("dt", {}, "open since"), h("dd", {}, h("time", { datetime: exact(hello.since) }, clock(hello.since)))),
          h("div", {}, h("dt", {}, "session"), h("dd", { class: "path" }, hello.session)))),
      ...store.nodes.map((one) => h("section", { class: "card", "aria-label": `Node ${one.name}, ${WORDS[one.state] ?? one.state}` },
        h("h2", {}, one.name),
        h("p", {}, h("span", { class: "state", data: { state: "LINK_" + one.state } }, WORDS[one.state] ?? one.state)),
        facts(one))),
      store.nodes.length ? "" : h("p", { class: "empty" }, "No other node is linked with this one."));
    const found = store.facts.filter((fact) => /^(Node|Connection|Message)/.test(fact.kind)).slice(-50).reverse();
    recent.replaceChildren(...found.map((fact) => factRow(fact)));
    recent.previousSibling.hidden = recent.hidden = found.length === 0;
  }

  const stops = [on("nodes", soon(draw)), on("facts", soon(draw)), onTick(soon(draw))];
  draw();
  return () => stops.forEach((stop) => stop());
}
