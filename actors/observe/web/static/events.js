// The stream of events, the newest first, and its filters.

import { fill, h, say, soon, text } from "./dom.js";
import { factRow } from "./facts.js";
import { call } from "./live.js";
import { on, store } from "./store.js";

const SHOWN = 400;
const GROUPS = {
  "failures and restarts": ["Failed", "StartAttemptFailed", "Restarting", "Restarted", "Escalated", "StopFailed", "Unresponsive"],
  "starts and ends": ["Spawned", "Started", "Stopped", "Suspended", "Resumed", "Parked", "BudgetWarning", "EndOrdered"],
  breakers: ["BreakerOpened", "BreakerHalfOpen", "BreakerClosed"],
  "deadlines and stalls": ["DeadlineExtended", "DeadlineWarning", "DeadlinePassed", "SilenceNoticed", "SilenceWarning", "Nudged",
    "HelpNeeded", "Recovered", "StallSuspected", "StallConfirmed", "PatternMatched", "CheckFailed"],
  messages: ["DeadLetter", "Expired", "LateReply", "TicketMoved", "PostRejected", "MessageUnread", "StoreFailing", "StoreRecovered"],
  people: ["PersonAsked", "PersonWarned", "PersonExtended", "PersonEscalated", "PersonAnswered", "PersonTimedOut", "PersonWithdrawn",
    "AnswerRefused"],
  nodes: ["NodeUp", "NodeSuspected", "NodeReconnecting", "NodeDown", "ConnectionRefused"],
};

const kept = { kind: "", path: "", words: "" };

export function eventsView(main, query) {
  if (query.has("path")) kept.path = query.get("path");
  if (query.has("kind")) kept.kind = query.get("kind");
  let frozen = null; // what is shown while it is paused
  let extra = []; // older facts that were looked for

  const kind = h("select", { id: "kind" });
  const path = h("input", { id: "path", type: "text", placeholder: "/team", autocomplete: "off", spellcheck: "false" });
  const words = h("input", { id: "filter", type: "search", placeholder: "ValueError, timeout …", autocomplete: "off", spellcheck: "false" });
  path.value = kept.path;
  words.value = kept.words;
  const pause = h("button", { type: "button", "aria-pressed": "false", on: { click: toggle } }, "Pause");
  const older = h("button", { type: "button", on: { click: look } }, "Look through all that is kept");
  const count = h("p", { class: "count" });
  const list = h("ol", { class: "facts", "aria-label": "Events, the newest first", tabindex: "0" });
  main.replaceChildren(
    h("h1", {}, "Events"),
    h("form", { class: "filters", role: "search", "aria-label": "Filter the events", on: { submit: (event) => event.preventDefault() } },
      h("div", { class: "field" }, h("label", { for: "kind" }, "Kind"), kind),
      h("div", { class: "field" }, h("label", { for: "path" }, "Actor and below"), path),
      h("div", { class: "field grow" }, h("label", { for: "filter" }, "Text"), words),
      h("div", { class: "field end" }, pause, older)),
    count, list);

  function kinds() {
    const seen = [...new Set([...store.facts, ...extra].map((fact) => fact.kind))].sort();
    const known = [...kind.querySelectorAll("option")].map((option) => option.value);
    const wanted = ["", ...Object.keys(GROUPS).map((name) => "+" + name), ...seen];
    if (kept.kind && !wanted.includes(kept.kind)) wanted.push(kept.kind);
    if (known.join() === wanted.join()) return;
    fill(kind,
      h("option", { value: "" }, "all kinds"),
      h("optgroup", { label: "Groups" }, Object.keys(GROUPS).map((name) => h("option", { value: "+" + name }, name))),
      h("optgroup", { label: "Kinds" }, wanted.slice(1 + Object.keys(GROUPS).length).map((name) => h("option", { value: name }, name))));
    kind.value = kept.kind;
  }

  function chosenKinds() {
    return kept.kind.startsWith("+") ? GROUPS[kept.kind.slice(1)] : kept.kind ? [kept.kind] : [];
  }

  function wanted(fact) {
    const some = chosenKinds();
    if (some.length && !some.includes(fact.kind)) return false;
    const top = kept.path.trim().replace(/(.)\/+$/, "$1");
    if (top && top !== "/" && fact.path !== top && !(fact.path ?? "").startsWith(top + "/")) return false;
    const said = kept.words.trim().toLowerCase();
    return !said || `${fact.kind} ${fact.path ?? ""} ${fact.text}`.toLowerCase().includes(said);
  }

  function all() {
    if (!extra.length) return store.facts;
    const first = store.facts[0]?.number ?? Infinity;
    return [...extra.filter((fact) => fact.number < first), ...store.facts];
  }

  function draw() {
    kinds();
    const facts = frozen ?? all();
    const found = facts.filter(wanted);
    const newest = found.slice(-SHOWN).reverse();
    const rows = new Map([...list.children].map((row) => [row.dataset.number, row]));
    let place = list.firstChild;
    for (const fact of newest) {
      const row = rows.get(String(fact.number)) ?? factRow(fact);
      rows.delete(String(fact.number));
      if (row === place) place = place.nextSibling;
      else list.insertBefore(row, place);
    }
    for (const row of rows.values()) row.remove();
    const said = [`${found.length} of ${facts.length} events`];
    if (found.length > SHOWN) said.push(`the newest ${SHOWN} are shown`);
    if (store.missed) said.push(`${store.missed} were not kept long enough to be seen here`);
    if (frozen) said.push(`paused, ${all().length - frozen.length > 0 ? all()[all().length - 1].number - (frozen[frozen.length - 1]?.number ?? 0) : 0} new`);
    text(count, said.join(" · "));
  }

  function toggle() {
    frozen = frozen ? null : [...all()];
    pause.setAttribute("aria-pressed", frozen ? "true" : "false");
    draw();
  }

  async function look() {
    older.disabled = true;
    try {
      const found = [];
      let after = 0;
      for (let page = 0; page < 10; page += 1) {
        const query = new URLSearchParams({ after, limit: 1000 });
        for (const name of chosenKinds()) query.append("kind", name);
        if (kept.path.trim()) query.set("path", kept.path.trim());
        const said = await call("GET", "/events?" + query);
        found.push(...said.facts);
        if (said.after <= after || said.after >= said.last) break;
        after = said.after;
      }
      extra = found;
      say(`${found.length} events were found among all that are kept.`);
      draw();
    } catch (error) {
      say(error.message, true);
    } finally {
      older.disabled = false;
    }
  }

  const later = soon(draw);
  kind.addEventListener("input", () => { kept.kind = kind.value; later(); });
  path.addEventListener("input", () => { kept.path = path.value; later(); });
  words.addEventListener("input", () => { kept.words = words.value; later(); });
  const stop = on("facts", later);
  draw();
  return stop;
}
