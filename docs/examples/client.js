// A client of an actors node, in one file: tell and ask its actors. The protocol is in protocol.md.
// It runs in browsers, in Node.js 22, and in Node.js 20 with --experimental-websocket.
//   const shop = await connect("ws://127.0.0.1:4000", { token: "secret", name: "till-1" });
//   shop.tell("/orders", { $: "shop.Order", item: "tea" });
//   const total = await shop.ask("/orders", { $: "shop.Total" }, { timeout: 5 });
//   shop.close();

const CHUNK = 32 * 1024, FRAME = 48 * 1024, WINDOW = 1000, BEAT = 1000;

export class ActorError extends Error { // kind: failed, stopped, refused, unreadable, full, timeout, lost, ...
  constructor({ kind, type = "", text = "", traceback = "" }) {
    super([type, text].filter(Boolean).join(": ") || kind);
    Object.assign(this, { kind, type, traceback });
  }
}

class Lane { // one of the two: items on their way out, numbered from 1, and what came in
  first = 1; sent = 0; kept = []; received = 0; pieces = "";

  push(item) { // as ASCII, so that a piece may end anywhere
    const text = JSON.stringify(item).replace(/[\u007f-\uffff]/g,
      (one) => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"));
    if (text.length <= CHUNK) this.kept.push(text);
    else for (let at = 0; at < text.length; at += CHUNK)
      this.kept.push(JSON.stringify({ part: text.slice(at, at + CHUNK), left: at + CHUNK < text.length }));
  }
  acknowledged(number) { for (; this.first <= number; this.first += 1) this.kept.shift(); }
  resume(number) { this.acknowledged(this.sent = number); } // on a new connection, with what the node has
  next() { // the items of one frame, as [number of the first, texts]
    const start = this.sent - this.first + 1, first = this.sent + 1;
    let end = start;
    for (let size = 0; end < this.kept.length && size < FRAME; end += 1) size += this.kept[end].length;
    this.sent += end - start;
    return [first, this.kept.slice(start, end)];
  }
  take(first, items, handle) { // each once and in order
    if (first > this.received + 1) throw new Error(`item ${this.received + 1} is missing`);
    items.slice(this.received + 1 - first).forEach((item) => {
      this.received += 1;
      if (typeof item.part !== "string") return handle(item);
      this.pieces += item.part;
      if (item.left) return;
      [item, this.pieces] = [JSON.parse(this.pieces), ""];
      handle(item);
    });
  }
}

export const connect = (url, { token = null, name = `js-${Date.now()}`, lease = 15 } = {}) =>
  new Promise((done, fail) => new Client({ url, token, name, lease, done, fail }));

class Client {
  node = null; beats = 0; resumed = 0; closed = null; // closed: why
  #lanes = { c: new Lane(), d: new Lane() };
  #asks = new Map(); #credit = new Map(); #next = 1; #echo = null; #heard = 0; #up = false;
  #incarnation = Math.random().toString(16).slice(2) + Date.now().toString(16);

  constructor(options) { Object.assign(this, options).#dial(); }
  tell(path, m) { this.#message({ k: "tell", to: { path }, m }); }
  ask(path, m, { timeout = null } = {}) {
    return new Promise((done, fail) => {
      const id = this.#next++;
      this.#message({ k: "ask", id, to: { path }, m, left: timeout });
      const timer = timeout && setTimeout(() => {
        this.#settle(id, "fail", new ActorError({ kind: "timeout", text: `nothing in ${timeout} s` }));
        this.#push("c", { k: "cancel", id });
      }, timeout * 1000);
      this.#asks.set(id, { done, fail, timer });
    });
  }
  close(reason = "") { // politely: what was said before still arrives
    if (this.#up) this.#send({ k: "bye", reason });
    this.#end(new ActorError({ kind: "lost", text: reason || "the client closed" }));
  }
  #dial() {
    const socket = this.socket = new WebSocket(this.url, ["actors.v1"]), node = this.node;
    const resume = node && { session: node.session, incarnation: node.incarnation, received: this.#received() };
    const hello = { node: this.name, incarnation: this.#incarnation, token: this.token, lease: this.lease, resume };
    socket.onopen = () => this.#send({ k: "hello", protocol: 1, ...hello });
    socket.onmessage = ({ data }) => { try { this.#take(JSON.parse(data)); } catch (error) { this.#end(error); } };
    socket.onerror = socket.onclose = () => { // either may come, or both
      socket.onerror = socket.onclose = null;
      clearInterval(this.timer);
      this.#up = false;
      if (!this.node || Date.now() - this.#heard > this.lease * 1000)
        this.#end(new ActorError({ kind: "lost", text: `no connection to ${this.url}` }));
      else setTimeout(() => this.closed || this.#dial(), 200);
    };
  }
  #take(frame) {
    this.#heard = Date.now();
    const lanes = Object.entries(this.#lanes);
    if (frame.k === "refused" || frame.k === "bye")
      throw new ActorError({ kind: frame.k === "bye" ? "lost" : frame.reason, text: frame.text ?? frame.reason });
    if (frame.k === "welcome") {
      lanes.forEach(([, lane], index) => lane.resume(frame.received[index]));
      Object.assign(this, { node: frame, resumed: this.resumed + (frame.resumed ? 1 : 0) }).#beat();
      [this.timer, this.#up] = [setInterval(() => this.#beat(), BEAT), true];
      this.#flush();
      return this.done(this);
    }
    lanes.forEach(([key, lane], index) => {
      lane.acknowledged(frame.ack[index]);
      if (frame[key]) lane.take(...frame[key], (item) => this.#handle(item));
    });
    if (frame.k === "beat") [this.#echo, this.beats] = [frame.time, this.beats + 1];
  }
  #handle({ k, id, to, n, v, error }) {
    if (k === "reply") this.#settle(id, "done", v);
    if (k === "fail") this.#settle(id, "fail", new ActorError(error));
    if (k === "credit") this.#credit.set(to.path, this.#credit.get(to.path) + n);
    if (k === "ask" || k === "call") // nobody lives here
      this.#push("c", { k: "fail", id, error: { kind: "unhandled", text: "this client has no actors" } });
  }
  #beat() {
    if (Date.now() - this.#heard > this.lease * 1000) return this.socket.close();
    const sent = Object.values(this.#lanes).map((lane) => lane.sent);
    this.#send({ k: "beat", time: performance.now() / 1000, echo: this.#echo, sent, ack: this.#received() });
  }
  #message(item) {
    if (this.closed) throw this.closed;
    const { path } = item.to, left = this.#credit.get(path) ?? WINDOW;
    if (left <= 0) throw new ActorError({ kind: "full", text: `${WINDOW} messages wait for ${path}` });
    this.#credit.set(path, left - 1);
    this.#push("d", item);
  }
  #push(lane, item) { this.#lanes[lane].push(item); this.#flush(); }
  #flush() {
    if (this.#up) for (const [key, lane] of Object.entries(this.#lanes))
      for (let [first, items] = lane.next(); items.length; [first, items] = lane.next())
        this.socket.send(`{"k":"items","ack":${JSON.stringify(this.#received())},"${key}":[${first},[${items}]]}`);
  }
  #send(frame) { this.socket.send(JSON.stringify(frame)); }
  #received() { return Object.values(this.#lanes).map((lane) => lane.received); }
  #settle(id, how, value) {
    clearTimeout(this.#asks.get(id)?.timer);
    this.#asks.get(id)?.[how](value);
    this.#asks.delete(id);
  }
  #end(error) {
    this.closed ??= error;
    clearInterval(this.timer);
    this.socket.close();
    for (const id of [...this.#asks.keys()]) this.#settle(id, "fail", error);
    this.fail(error); // of no effect once connected
  }
}
