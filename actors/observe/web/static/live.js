// The connection: what comes is taken; when it breaks, it is made again, behind the last fact that was seen.

import { emit, store, take } from "./store.js";
import { setClock } from "./times.js";

const FIRST = 300; // facts of the past, at the first connection
const SHORTEST = 500;
const LONGEST = 15000;
const SILENT = 50000; // the server says something each 20 s: after this long it is not there any more
const LOOK = 5000;

let socket = null;
let heard = 0;
let after = null;
let session = "";
let tries = 0;
let timer = null;

function address() {
  const url = new URL("/api/v1/live", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("after", after === null ? -FIRST : after);
  if (session) url.searchParams.set("session", session);
  return url;
}

export function connect() {
  clearTimeout(timer);
  timer = null;
  emit("link", { state: "connecting" });
  const mine = new WebSocket(address());
  socket = mine;
  heard = Date.now();
  mine.addEventListener("message", (event) => {
    if (socket !== mine) return;
    heard = Date.now();
    const frame = JSON.parse(event.data);
    if (frame.type === "hello") {
      if (session !== frame.session) after = null;
      session = frame.session;
      tries = 0;
      setClock(frame.now);
      emit("link", { state: "live" });
    } else if (frame.type === "events") {
      after = frame.after;
    }
    take(frame);
  });
  mine.addEventListener("close", (event) => {
    if (socket !== mine) return;
    socket = null;
    again(event.code);
  });
}

// A machine that has slept, or whose network went away, is told of no end: it hears nothing any more.
function look() {
  if (socket === null || Date.now() - heard < SILENT) return;
  const lost = socket;
  socket = null;
  lost.close();
  tries = 0;
  again(0);
}
setInterval(look, LOOK);

async function again(code) {
  tries += 1;
  const wait = Math.min(LONGEST, SHORTEST * 2 ** (tries - 1)) * (0.75 + Math.random() / 2);
  emit("link", { state: "waiting", seconds: wait / 1000, code });
  timer = setTimeout(connect, wait);
  if (tries < 2) return;
  try {
    const answer = await fetch("/api/v1/requests", { headers: { accept: "application/json" } });
    if (answer.status === 401) location.assign("/login"); // its token is not one any more
  } catch {
    // nobody is there: the timer goes on
  }
}

// For those who do not want to wait.
export function reconnect() {
  if (socket === null) {
    tries = 0;
    connect();
  }
}

addEventListener("online", reconnect);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  look();
  if (store.hello !== null) reconnect();
});

export async function call(method, path, body) {
  const options = { method, headers: { accept: "application/json" } };
  if (method !== "GET") {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body ?? {});
  }
  let answer;
  try {
    answer = await fetch("/api/v1" + path, options);
  } catch {
    throw new Error("The system cannot be reached. Nothing was done.");
  }
  let said = {};
  try {
    said = await answer.json();
  } catch {
    // an answer without a body
  }
  if (!answer.ok) throw Object.assign(new Error(said.text ?? `The answer was ${answer.status}.`), { status: answer.status });
  return said;
}
