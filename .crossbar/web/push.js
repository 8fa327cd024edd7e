// The command that pushes to the chosen topic.

const $ = (id) => document.getElementById(id);
const DATA = `'{"n": 1}'`;

// A topic has no character that a shell would touch.
const COMMANDS = {
  stork: (topic) => `.venv/bin/stork push ${topic} --type hello --data ${DATA}`,
  php: (topic) => `php scripts/push.php ${topic} hello ${DATA}`,
  python: (topic) => `.venv/bin/python scripts/push.py ${topic} hello ${DATA}`,
};

const tabs = [...$("tabs").children];
let chosen = "stork";
let target = "v1.test.1";

/** Show the command for this topic. */
export function aim(topic) {
  target = topic;
  draw();
}

function draw() {
  $("push-topic").textContent = target;
  $("command-text").replaceChildren(...words(COMMANDS[chosen](target)));
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
