// Elements without markup: data only ever becomes text nodes and attributes.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (tag, properties = {}, ...children) => fill(document.createElement(tag), properties, children);
export const svg = (tag, properties = {}, ...children) => fill(document.createElementNS(SVG, tag), properties, children);
export const byId = (id) => document.getElementById(id);

export function announce(message) {
  byId("live").textContent = message;
}

const focusable = (place) => [...place.querySelectorAll("a, button, input, select, summary, [tabindex]")];

// Draws a place anew. Where the focus was inside, it goes to what stands in the same order, instead of to the top.
export function redraw(place, ...children) {
  const held = focusable(place).indexOf(document.activeElement);
  place.replaceChildren(...children);
  if (held >= 0) focusable(place)[held]?.focus({ preventScroll: true });
}

// Characters that would turn text round, hide it or do nothing visible. Joiners (U+200C, U+200D) belong to scripts and stay.
const CONTROLS = new RegExp(
  "[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f" +
    "\\u202a-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\u{e0000}-\\u{e007f}]",
  "gu",
);
const NAMES = {
  0x00ad: "SHY", 0x061c: "ALM", 0x200b: "ZWSP", 0x200e: "LRM", 0x200f: "RLM", 0x202a: "LRE", 0x202b: "RLE",
  0x202c: "PDF", 0x202d: "LRO", 0x202e: "RLO", 0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0xfeff: "BOM",
};

function control(character) {
  const code = character.codePointAt(0);
  const number = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return h("span", { class: "control", title: `invisible character ${number}` }, NAMES[code] ?? number);
}

// Text of an article: isolated, so that its direction ends with it, and with every control character shown by name.
export function shown(text) {
  const element = h("bdi");
  let last = 0;
  for (const match of text.matchAll(CONTROLS)) {
    element.append(text.slice(last, match.index), control(match[0]));
    last = match.index + match[0].length;
  }
  element.append(text.slice(last));
  return element;
}

export const percent = (fraction) => `${Math.round(fraction * 100)} %`;
export const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
export const fieldTitle = (name) => (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll("_", " ");
