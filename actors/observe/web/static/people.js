// The requests that wait for people, and their answers.

import { actorLink, attribute, h, say, text } from "./dom.js";
import { call } from "./live.js";
import { on, store } from "./store.js";
import { clock, exact, left, now, onTick } from "./times.js";

const drafts = new Map(); // what was begun to be written, by id: a view that is left loses nothing
const MINUTES = 5;

export function peopleView(main) {
  const person = store.hello?.person ?? null;
  const me = h("input", { id: "me", type: "text", autocomplete: "name", placeholder: "not said", maxlength: "200" });
  me.value = localStorage.getItem("observatory-me") ?? "";
  me.addEventListener("input", () => localStorage.setItem("observatory-me", me.value));
  const whose = h("select", { id: "filter" });
  const list = h("ul", { class: "requests", "aria-label": "Requests, the most urgent first" });
  const empty = h("p", { class: "empty" }, "Nobody waits for an answer.");
  const title = h("h1", { tabindex: "-1" }, person === null ? "Requests to people" : `Requests to ${person}`);
  main.replaceChildren(title,
    person === null && h("form", { class: "filters", "aria-label": "Whose requests", on: { submit: (event) => event.preventDefault() } },
      h("div", { class: "field" }, h("label", { for: "filter" }, "For"), whose),
      h("div", { class: "field" }, h("label", { for: "me" }, "You answer as"), me)),
    list, empty);
  const cards = new Map();
  let answering = null; // the id of the one that was answered last

  function people() {
    const known = [...new Set([...store.requests.values()].map((one) => one.to).filter((to) => to !== null))].sort();
    const wanted = ["*", "", ...known];
    if ([...whose.options].map((option) => option.value).join("\n") === wanted.join("\n")) return;
    const before = whose.value || "*";
    whose.replaceChildren(h("option", { value: "*" }, "everybody"), h("option", { value: "" }, "no one in particular"),
      ...known.map((name) => h("option", { value: name }, name)));
    whose.value = wanted.includes(before) ? before : "*";
  }

  function draw() {
    if (person === null) people();
    const found = [...store.requests.values()]
      .filter((one) => person !== null || whose.value === "*" || (one.to ?? "") === whose.value)
      .sort((a, b) => b.priority - a.priority || a.asked - b.asked);
    const inside = list.contains(document.activeElement) ? document.activeElement.closest("li")?.dataset.id : null;
    const had = inside ?? (document.activeElement === document.body ? answering : null); // its buttons are disabled
    const order = [...list.children].map((card) => card.dataset.id);
    const ids = new Set(found.map((one) => one.id));
    for (const [id, card] of cards) {
      if (!ids.has(id)) {
        card.element.remove();
        cards.delete(id);
        if (!store.requests.has(id)) drafts.delete(id);
      }
    }
    const placed = [];
    let place = list.firstChild;
    for (const one of found) {
      const card = cards.get(one.id) ?? made(one);
      card.update(one);
      if (card.element === place) place = place.nextSibling;
      else {
        list.insertBefore(card.element, place);
        placed.push(card);
      }
    }
    for (const card of placed.filter((one) => one.isLong())) card.scrolls(); // measured first, changed then
    empty.hidden = found.length > 0;
    if (had && !ids.has(had)) {
      const at = order.indexOf(had);
      const next = order.slice(at + 1).concat(order.slice(0, at).reverse()).find((id) => ids.has(id));
      answering = null;
      (next ? cards.get(next).element : title).focus();
    }
  }

  function made(request) {
    const id = request.id;
    const key = "r-" + id.replace(/[^A-Za-z0-9]/g, "-");
    const due = h("span", { class: "due" });
    const bar = h("span", { class: "limit wide", "aria-hidden": "true" });
    const fault = h("p", { class: "fault", role: "alert", hidden: true });
    const to = h("span", { class: "kind" });
    const more = h("button", { type: "button", class: "quiet", on: { click: extend } }, `${MINUTES} minutes more`);
    const actions = h("div", { class: "actions" });
    const question = h("p", { class: "question", id: key, dir: "auto" }, request.text);
    const element = h("li", { class: "card request", tabindex: "-1", "aria-labelledby": key, data: { id } },
      h("div", { class: "card-head" }, h("span", { class: "chip", data: { tone: "plain" } }, request.kind), to,
        request.priority ? h("span", { class: "kind" }, `priority ${request.priority}`) : null, due),
      bar,
      question,
      actions,
      fault,
      h("div", { class: "card-foot" },
        h("span", {}, "asked ", h("time", { datetime: exact(request.asked) }, clock(request.asked)),
          request.sender ? [" by ", actorLinkIfMine()] : null,
          request.node !== store.hello.system ? ` on ${request.node}` : ""),
        more));
    let deadline = null;
    let asked = request.asked;
    let warned = false;

    function actorLinkIfMine() {
      return person === null && request.node === store.hello.system ? actorLink(request.sender) : h("span", { class: "path" }, request.sender);
    }

    function move() {
      attribute(bar, "data-on", deadline === null ? null : "yes");
      if (deadline === null) {
        text(due, "no deadline");
        return;
      }
      const share = Math.min(1, Math.max(0, (now() - asked) / (deadline - asked)));
      bar.style.setProperty("--share", share.toFixed(3));
      const late = share >= 0.8;
      attribute(bar, "data-late", late ? "yes" : null);
      attribute(due, "data-late", late ? "yes" : null);
      text(due, (late ? "⚠ " : "") + left(deadline));
      if (late && !warned) say(`${left(deadline)} for: ${request.text.slice(0, 120)}`);
      warned = late;
    }

    async function send(value, words) {
      fault.hidden = true;
      answering = id;
      actions.querySelectorAll("button").forEach((button) => { button.disabled = true; });
      try {
        const body = { value };
        if (person === null && me.value.trim()) body.by = me.value.trim();
        await call("POST", `/requests/${encodeURIComponent(id)}/answer`, body);
        say(`Answered: ${words}`);
      } catch (error) {
        actions.querySelectorAll("button").forEach((button) => { button.disabled = false; });
        if ([404, 409, 410].includes(error.status)) say(error.message, true);
        else {
          text(fault, error.message);
          fault.hidden = false;
        }
      }
    }

    async function extend() {
      try {
        await call("POST", `/requests/${encodeURIComponent(id)}/extend`, { seconds: 60 * MINUTES });
        say(`${MINUTES} minutes more.`);
      } catch (error) {
        say(error.message, true);
      }
    }

    const answer = (value, words, look) =>
      h("button", { type: "button", class: look, dir: "auto", on: { click: () => send(value, words) } }, words);
    if (request.kind === "approval") {
      actions.append(answer(true, "Approve", "primary"), answer(false, "Reject", "danger"));
    } else if (request.options.length) {
      for (const option of request.options) actions.append(answer(option, String(option), ""));
    } else {
      const field = h("textarea", { id: key + "-text", rows: "3", maxlength: "60000", dir: "auto" });
      field.value = drafts.get(id) ?? "";
      field.addEventListener("input", () => drafts.set(id, field.value));
      actions.classList.add("written");
      actions.append(h("label", { for: key + "-text" }, "Your answer"), field,
        h("button", { type: "button", class: "primary", on: { click: () => send(field.value, "sent") } }, "Send"));
    }
    for (const button of actions.querySelectorAll("button")) button.setAttribute("aria-describedby", key);

    const card = {
      element,
      move,
      isLong: () => question.scrollHeight > question.clientHeight,
      scrolls: () => attribute(question, "tabindex", "0"), // with keys, too
      update(one) {
        deadline = one.deadline;
        asked = one.asked;
        text(to, one.to === null ? "for anybody" : `for ${one.to}`);
        more.hidden = one.deadline === null;
        move();
      },
    };
    cards.set(id, card);
    return card;
  }

  list.addEventListener("keydown", (event) => {
    if (!["j", "k"].includes(event.key) || event.target.closest("textarea, input, select") || !keysOn()) return;
    step(event.key === "j" ? 1 : -1);
    event.preventDefault();
  });

  function step(by) {
    const all = [...list.children];
    const at = all.indexOf(document.activeElement.closest("li"));
    all[Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
  }

  whose.addEventListener("input", draw);
  const stops = [on("requests", draw), onTick(() => cards.forEach((card) => card.move()))];
  draw();
  return { stop: () => stops.forEach((stop) => stop()), step };
}

function keysOn() {
  return localStorage.getItem("observatory-keys") !== "off";
}
