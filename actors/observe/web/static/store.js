// All that is known here, and who wants to hear when it changes.

const KEPT = 2000;
const listeners = new Map();

export const store = {
  hello: null,
  actors: new Map(),
  shape: 0, // grows when an actor comes or goes
  facts: [], // the oldest first
  missed: 0,
  requests: new Map(),
  asked: 0, // how often something was said of requests
  dead: { told: [], posted: [], fault: null },
  nodes: [],
};

export function on(topic, listener) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(listener);
  return () => listeners.get(topic).delete(listener);
}

export function emit(topic, detail) {
  for (const listener of [...(listeners.get(topic) ?? [])]) listener(detail);
}

let coming = null; // the parts of a whole tree so far

const takers = {
  hello(frame) {
    const other = store.hello !== null && store.hello.session !== frame.session;
    if (other) {
      store.facts = [];
      store.missed = 0;
    }
    store.hello = frame;
    emit("hello", frame);
    if (other) emit("facts", { fresh: [], reset: true });
  },
  tree(frame) {
    if (frame.full) coming = new Map();
    const into = coming ?? store.actors;
    let grown = false;
    for (const row of frame.nodes) {
      grown = grown || !into.has(row.path);
      into.set(row.path, row);
    }
    for (const path of frame.gone) grown = into.delete(path) || grown;
    if (coming !== null) {
      if (frame.more) return;
      store.actors = coming;
      coming = null;
      grown = true;
    }
    if (grown) store.shape += 1;
    emit("actors", { paths: frame.nodes.map((row) => row.path), gone: frame.gone });
  },
  events(frame) {
    store.missed += frame.missed;
    const last = store.facts.length ? store.facts[store.facts.length - 1].number : 0;
    const fresh = frame.facts.filter((fact) => fact.number > last);
    store.facts.push(...fresh);
    if (store.facts.length > KEPT) store.facts.splice(0, store.facts.length - KEPT);
    if (fresh.length || frame.missed) emit("facts", { fresh, reset: false });
  },
  requests(frame) {
    const fresh = [];
    const first = store.asked === 0; // what waits already is on a badge, and is not news
    store.asked += 1;
    const before = store.requests;
    if (frame.full) store.requests = new Map();
    for (const id of frame.gone) store.requests.delete(id);
    for (const request of frame.requests) {
      if (!before.has(request.id)) fresh.push(request);
      store.requests.set(request.id, request);
    }
    emit("requests", { fresh: first ? [] : fresh });
  },
  dead(frame) {
    store.dead = frame;
    emit("dead");
  },
  nodes(frame) {
    store.nodes = frame.nodes;
    emit("nodes");
  },
  error(frame) {
    emit("fault", frame.text);
  },
};

export function take(frame) {
  takers[frame.type]?.(frame);
}
