// Dead letters: what nobody handled, with another chance or an end.

import { actorLink, h, say, soon, text } from "./dom.js";
import { call } from "./live.js";
import { on, store } from "./store.js";
import { clock, exact } from "./times.js";

export function deadView(main) {
  const places = {
    told: h("ul", { class: "letters", "aria-labelledby": "told" }),
    posted: h("ul", { class: "letters", "aria-labelledby": "posted" }),
  };
  const empty = { told: h("p", { class: "empty" }, "No told message went unhandled."), posted: h("p", { class: "empty" }, "No posted message has used up its attempts.") };
  const fault = h("p", { class: "fault", hidden: true });
  const title = h("h1", { tabindex: "-1" }, "Dead letters");
  main.replaceChildren(title,
    fault,
    h("section", { "aria-labelledby": "posted" }, h("h2", { id: "posted" }, "Posted"),
      h("p", { class: "note" }, "Kept in the store after all attempts. Sent again, a message has all its attempts anew."), places.posted, empty.posted),
    h("section", { "aria-labelledby": "told" }, h("h2", { id: "told" }, "Told"),
      h("p", { class: "note" }, "Kept in memory, the newest first. Sent again, a message goes to whoever lives at its path now."), places.told, empty.told));

  let acting = null; // the id of the one that was sent again or put away last

  function letter(one, sort) {
    const act = (method, path, done) => async () => {
      acting = one.id;
      const row = places[sort].querySelector(`[data-id="${CSS.escape(one.id)}"]`);
      row?.querySelectorAll("button").forEach((button) => { button.disabled = true; });
      try {
        await call(method, path);
        say(done);
      } catch (error) {
        say(error.message, true);
        row?.querySelectorAll("button").forEach((button) => { button.disabled = false; });
      }
    };
    const base = `/dead/${encodeURIComponent(one.id)}`;
    const what = h("code", { class: "message", id: "d-" + one.id, dir: "auto" }, one.message);
    return h("li", { class: "card letter", data: { id: one.id } },
      h("div", { class: "card-head" },
        h("span", {}, "to ", actorLink(one.path)),
        one.sender ? h("span", { class: "kind" }, "from ", actorLink(one.sender)) : null,
        h("span", { class: "chip", data: { tone: "bad" } }, sort === "told" ? one.reason.replaceAll("_", " ") : `${one.attempts} attempts`),
        h("time", { datetime: exact(one.at), class: "due" }, clock(one.at))),
      what,
      (one.failures ?? []).map((failure) => h("p", { class: "causes", dir: "auto" }, failure)),
      h("div", { class: "actions" },
        h("button", { type: "button", "aria-describedby": "d-" + one.id, on: { click: act("POST", base + "/redeliver", `Sent again to ${one.path}.`) } }, "Redeliver"),
        h("button", { type: "button", class: "quiet", "aria-describedby": "d-" + one.id, on: { click: act("DELETE", base, "Put away.") } }, "Drop")));
  }

  function draw() {
    const lost = document.activeElement === document.body; // its buttons are disabled
    const had = lost ? acting : document.activeElement.closest(".letter")?.dataset.id;
    for (const sort of ["told", "posted"]) {
      const rows = new Map([...places[sort].children].map((row) => [row.dataset.id, row]));
      let place = places[sort].firstChild;
      for (const one of store.dead[sort]) {
        const row = rows.get(one.id) ?? letter(one, sort);
        rows.delete(one.id);
        if (row === place) place = place.nextSibling;
        else places[sort].insertBefore(row, place);
      }
      for (const row of rows.values()) row.remove();
      empty[sort].hidden = store.dead[sort].length > 0;
    }
    text(fault, store.dead.fault ?? "");
    fault.hidden = !store.dead.fault;
    if (had && !main.querySelector(`[data-id="${CSS.escape(had)}"]`)) {
      acting = null;
      (main.querySelector(".letter button") ?? title).focus();
    }
  }

  const stop = on("dead", soon(draw));
  draw();
  return stop;
}
