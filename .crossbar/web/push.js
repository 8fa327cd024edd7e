// The command that pushes to the chosen topic.

import { facts } from "./facts.js";

const $ = (id) => document.getElementById(id);
const DATA = `'{"n": 1}'`;
const { stork, php, python, options, in_container: inContainer, encrypted } = facts.commands;

// A topic has no character that a shell would touch.
const COMMANDS = {
  stork: (topic) => `${stork} push ${topic} --type hello --data ${DATA} ${options}`.trim(),
  php: php && ((topic) => `${php} ${topic} hello ${DATA} ${options}`.trim()),
  python: python && ((topic) => `${python} ${topic} hello ${DATA} ${options}`.trim()),
};

const tabs = [...$("tabs").children].filter((tab) => {
  tab.hidden = !COMMANDS[tab.dataset.with];
  return !tab.hidden;
});
let chosen = "stork";
let target = null;

$("push-where").textContent = [
  inContainer ? "Paste it into a terminal of the host that runs the container." : "Paste it into a terminal, in the folder that Stork runs in.",
  encrypted ? "It needs STORK_BUS_SECRET, as the node has it." : "",
].join(" ").trim();

/** Show the command for this topic; null for none yet. */
export function aim(topic) {
  target = topic;
  draw();
}

function draw() {
  $("push-topic").textContent = target ?? "a topic";
  $("push-topic").classList.toggle("mono", Boolean(target));
  $("command-text").replaceChildren(...words(COMMANDS[chosen](target ?? "VERSION.FEED.ID")));
  for (const tab of tabs) {
    const selected = tab.dataset.with === chosen;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    if (selected) $("command").setAttribute("aria-labelledby", tab.id);
  }
  $("copy").textContent = "Copy";
}

// Each word by itself, so that a narrow page breaks the line between words only.
function words(command) {
  return command.match(/'[^']*'|\S+/g).flatMap((word, index) => {
    const span = document.createElement("span");
    span.textContent = word;
    return index ? [" ", span] : [span];
  });
}

function choose(tab) {
  chosen = tab.dataset.with;
  draw();
}

for (const tab of tabs) tab.addEventListener("click", () => choose(tab));

$("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const at = tabs.findIndex((tab) => tab.dataset.with === chosen);
  const next = step ? tabs[(at + step + tabs.length) % tabs.length] : { Home: tabs[0], End: tabs.at(-1) }[event.key];
  if (!next) return;
  event.preventDefault();
  choose(next);
  next.focus();
});

$("copy").addEventListener("click", async () => {
  const done = await write($("command-text"));
  $("copy").textContent = done ? "Copied" : "Press Ctrl+C";
  setTimeout(() => { $("copy").textContent = "Copy"; }, 2000);
});

// The clipboard is there on https and localhost only; elsewhere the text is selected, and the old way tried.
async function write(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}

draw();
