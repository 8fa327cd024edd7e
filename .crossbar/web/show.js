// How values look: a colour for each topic, and JSON in colours.

const COLOURS = 6;
const COLOURED_CHARACTERS = 4_000;
const LINE = 64;
const SHOWN_CHARACTERS = 20_000;
const TOKENS = /("(?:\\.|[^"\\])*")(\s*:)?|-?\d[\d.eE+-]*|\b(?:true|false|null)\b/g;

/** A number from 0 to 5, the same for the same topic: page.css has a colour for each. */
export function colour(topic) {
  let hash = 7;
  for (const character of topic) hash = (hash * 31 + character.codePointAt(0)) >>> 0;
  return hash % COLOURS;
}

/** `value` as JSON, in as few lines as read well, coloured where that is cheap, cut where it is endless. */
export function json(value) {
  const plain = JSON.stringify(value) ?? "undefined";
  const text = plain.length > COLOURED_CHARACTERS ? JSON.stringify(value, null, 2) : pretty(value);
  const fragment = document.createDocumentFragment();
  if (text.length > SHOWN_CHARACTERS) {
    fragment.append(`${text.slice(0, SHOWN_CHARACTERS)}\n… ${text.length.toLocaleString("en")} characters in all`);
    return fragment;
  }
  if (text.length > COLOURED_CHARACTERS) {
    fragment.append(text);
    return fragment;
  }
  colourInto(fragment, text);
  return fragment;
}

// What fits in a line stays in one.
function pretty(value, indent = "") {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "undefined";
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const deeper = `${indent}  `;
  const parts = Array.isArray(value)
    ? value.map((part) => pretty(part, deeper))
    : Object.entries(value).map(([key, part]) => `${JSON.stringify(key)}: ${pretty(part, deeper)}`);
  const flat = `${open}${parts.join(", ")}${close}`;
  if (flat.length + indent.length <= LINE && !flat.includes("\n")) return flat;
  return `${open}\n${deeper}${parts.join(`,\n${deeper}`)}\n${indent}${close}`;
}

function colourInto(fragment, text) {
  let end = 0;
  for (const found of text.matchAll(TOKENS)) {
    const [token, string, colon] = found;
    fragment.append(text.slice(end, found.index));
    const span = document.createElement("span");
    span.className = string ? (colon ? "key" : "string") : "literal";
    span.textContent = string ?? token;
    fragment.append(span, colon ?? "");
    end = found.index + token.length;
  }
  fragment.append(text.slice(end));
}
