// Times: the server's clock, as seen from here.

let ahead = 0;

export function setClock(serverNow) {
  ahead = serverNow - Date.now() / 1000;
}

export function now() {
  return Date.now() / 1000 + ahead;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

export function clock(at) {
  const date = new Date(at * 1000);
  const today = new Date().toDateString() === date.toDateString();
  return (today ? "" : DAY.format(date) + ", ") + CLOCK.format(date);
}

export function exact(at) {
  return new Date(at * 1000).toISOString();
}

export function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0) return "0 s";
  if (seconds < 1) return Math.round(seconds * 1000) + " ms";
  if (seconds < 10) return seconds.toFixed(1) + " s";
  if (seconds < 120) return Math.round(seconds) + " s";
  if (seconds < 7200) return Math.round(seconds / 60) + " min";
  if (seconds < 172800) return Math.round(seconds / 3600) + " h";
  return Math.round(seconds / 86400) + " d";
}

// What is left of a limit: counts in whole seconds, so that it does not flicker.
export function left(deadline) {
  const seconds = Math.max(0, Math.ceil(deadline - now()));
  if (seconds < 60) return seconds + " s left";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min " + String(seconds % 60).padStart(2, "0") + " s left";
  return Math.floor(seconds / 3600) + " h " + String(Math.floor((seconds % 3600) / 60)).padStart(2, "0") + " min left";
}

// Calls back each second while the page can be seen.
const tickers = new Set();

export function onTick(ticker) {
  tickers.add(ticker);
  return () => tickers.delete(ticker);
}

setInterval(() => {
  if (document.hidden) return;
  for (const ticker of tickers) ticker();
}, 1000);
