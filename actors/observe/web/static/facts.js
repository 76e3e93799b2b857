// One fact as a row of a list.

import { actorLink, h } from "./dom.js";
import { clock, exact } from "./times.js";

const BAD = new Set(["Failed", "StartAttemptFailed", "StopFailed", "Escalated", "BreakerOpened", "DeadlinePassed", "StallConfirmed",
  "PatternMatched", "DeadLetter", "Unresponsive", "NodeDown", "LoopBlocked", "StoreFailing", "PersonTimedOut", "MessageUnread",
  "SpawnerUnhealthy", "CheckFailed"]);
const WARN = new Set(["Restarting", "DeadlineWarning", "SilenceWarning", "SilenceNoticed", "StallSuspected", "Nudged", "HelpNeeded",
  "BreakerHalfOpen", "NodeSuspected", "NodeReconnecting", "PersonWarned", "PersonEscalated", "AnswerRefused", "Expired", "LateReply",
  "EventsLost", "ConnectionRefused", "SpawnRejected", "SpawnRolledBack", "PostRejected", "DeadlineExtended"]);
const GOOD = new Set(["Started", "Restarted", "BreakerClosed", "Recovered", "NodeUp", "PersonAnswered", "StoreRecovered"]);

export function tone(kind) {
  return BAD.has(kind) ? "bad" : WARN.has(kind) ? "warn" : GOOD.has(kind) ? "good" : "plain";
}

export function factRow(fact, withPath = true) {
  return h("li", { class: "fact", data: { number: fact.number, kind: fact.kind } },
    h("time", { datetime: exact(fact.at), title: exact(fact.at) }, clock(fact.at)),
    h("span", { class: "chip", data: { tone: tone(fact.kind) } }, fact.kind),
    withPath && h("span", { class: "where" }, fact.path ? actorLink(fact.path) : "–"),
    h("span", { class: "text", dir: "auto" }, fact.text, causes(fact)));
}

function causes(fact) {
  const found = fact.details?.exit?.causes ?? [];
  return found.length ? h("span", { class: "causes" }, found.map((cause) => h("span", {}, "caused by " + cause))) : null;
}
