// Elements made by hand: every text goes in as text, so that markup in it is never read as markup.

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "data") {
      Object.assign(element.dataset, value);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  add(element, children);
  return element;
}

export function add(element, children) {
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren();
  return add(element, children);
}

// Sets a text only where it differs, so that nothing is drawn or read out anew for nothing.
export function text(element, value) {
  const said = String(value);
  if (element.textContent !== said) element.textContent = said;
}

export function attribute(element, name, value) {
  if (value === null || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, String(value));
  }
}

export function actorLink(path) {
  if (!path || !path.startsWith("/")) return h("span", { class: "path" }, path ?? "");
  return h("a", { class: "path", href: actorHash(path) }, path);
}

export function actorHash(path) {
  return "#/actor" + path.split("/").map(encodeURIComponent).join("/");
}

// Calls `draw` at the next frame, once for any number of calls.
export function soon(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    const now = () => {
      if (!asked) return;
      asked = false;
      draw();
    };
    requestAnimationFrame(now);
    setTimeout(now, 250); // a page in the background has no frames
  };
}

let silence;

// Says something to whoever looks, and to a screen reader, without taking the focus.
export function say(message, bad = false) {
  const place = document.getElementById("say");
  clearTimeout(silence);
  place.textContent = "";
  place.dataset.bad = bad ? "yes" : "no";
  place.textContent = message;
  silence = setTimeout(() => { place.textContent = ""; }, 8000);
}
