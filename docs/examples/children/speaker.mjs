// A child in JavaScript: says a text word by word, many at once, and stops when it is told to.
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";

const say = (words) => process.stdout.write(JSON.stringify(words) + "\n");
const atWork = new Map();

async function answer(id, request) {
  const control = new AbortController();
  atWork.set(id, control);
  try {
    const { text, pause = 0 } = request;
    const words = text.split(" ");
    for (const word of words) {
      await setTimeout(pause, null, { signal: control.signal });
      say({ id, chunk: word });
    }
    say({ id, reply: null, usage: { tokens: words.length } });
  } catch (error) {
    say(error.name === "AbortError" ? { id, cancelled: true } : { id, error: error.message });
  } finally {
    atWork.delete(id);
  }
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const said = JSON.parse(line);
  if ("id" in said) answer(said.id, said.request ?? said.message);
  else if ("cancel" in said) atWork.get(said.cancel)?.abort();
  else if ("stop" in said) process.exit();
});
lines.on("close", () => process.exit());
say({ ready: true });
