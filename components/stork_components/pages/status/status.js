// The status page: figures of this node from /metrics, and of the deployment from /api with a key that is typed in.

const EVERY_MS = 2000;
// How often it asks again after a command that not all nodes have obeyed yet: for as long as a dead node is waited for.
const MOST_LOOKS = 10;
const POINTS = 60;
const PLOTS = [
  { name: "Sessions", metric: "stork_sessions", which: ({ role }) => role !== "backend" && role !== "trusted" },
  { name: "Pushes a second", metric: "stork_broadcast_pushes_total", rate: true },
  { name: "Events a second", metric: "stork_broadcast_deliveries_total", rate: true },
  { name: "Joins a second", metric: "stork_guard_joins_total", rate: true },
  { name: "Slow clients cut a minute", metric: "stork_broadcast_slow_readers_total", rate: true, times: 60 },
  { name: "Lag in seconds", metric: "stork_relay_lag_seconds" },
];
const REFUSALS = {
  stork_guard_refusals_total: ["case", "joins"],
  stork_guard_messages_refused_total: ["case", "messages"],
  stork_limited_total: ["limit", "a limit was reached"],
  stork_http_refused_total: ["reason", "HTTP requests"],
};
const SVG = "http://www.w3.org/2000/svg";
const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

const $ = (id) => document.getElementById(id);
const number = (value, digits = 0) => value.toLocaleString("en", { maximumFractionDigits: digits });
let key = "";

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** Fill a table's body: each cell is a text, or {number} or {long}. */
function fill(id, rows, empty) {
  const body = $(id);
  const columns = body.parentElement.querySelectorAll("th").length;
  const lines = rows.map((cells) => {
    const line = element("tr");
    for (const cell of cells) {
      if (typeof cell !== "object" || cell === null) line.append(element("td", cell ?? "–"));
      else if ("number" in cell) line.append(element("td", cell.number, "number"));
      else line.append(element("td", cell.long, "long"));
    }
    return line;
  });
  if (!lines.length) {
    const cell = element("td", empty, "empty");
    cell.colSpan = columns;
    const line = element("tr");
    line.append(cell);
    lines.push(line);
  }
  body.replaceChildren(...lines);
}

function say(id, text, isBad = false) {
  $(id).textContent = text;
  $(id).dataset.state = isBad ? "bad" : "";
}

// -- this node -------------------------------------------------------------------------------------------------------

/** The samples of Prometheus' text format: name, labels, value. */
function parse(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    const found = line.startsWith("#") ? null : SAMPLE.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of (found[2] ?? "").matchAll(LABEL)) labels[name] = value;
    samples.push({ name: found[1], labels, value: Number(found[3]) });
  }
  return samples;
}

function sum(samples, { metric, which = () => true }) {
  return samples.reduce((all, each) => all + (each.name === metric && which(each.labels) ? each.value : 0), 0);
}

for (const plot of PLOTS) {
  plot.points = [];
  plot.value = element("span", "–", "value");
  plot.path = document.createElementNS(SVG, "path");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${POINTS - 1} 40`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(plot.path);
  const item = element("li");
  item.append(element("span", plot.name, "name"), plot.value, svg);
  $("plots").append(item);
}

function draw(plot, value) {
  plot.points.push(value);
  if (plot.points.length > POINTS) plot.points.shift();
  plot.value.textContent = number(value, value < 10 ? 1 : 0);
  const most = Math.max(...plot.points, 1);
  const first = POINTS - plot.points.length;
  const steps = plot.points.map((point, index) => `${first + index} ${(38 - (point / most) * 36).toFixed(1)}`);
  plot.path.setAttribute("d", `M${steps.join("L")}`);
}

const refusalsBefore = [];

function showRefusals(samples) {
  const now = new Map();
  for (const { name, labels, value } of samples) {
    const [label, what] = REFUSALS[name] ?? [];
    if (label && value > 0) now.set(`${labels[label]}|${what}`, value);
  }
  refusalsBefore.push({ at: performance.now(), counts: now });
  while (refusalsBefore[1] && refusalsBefore[0].at < performance.now() - 60000) refusalsBefore.shift();
  const before = refusalsBefore[0].counts;
  const rows = [...now].map(([cause, total]) => ({ cause, total, lately: total - (before.get(cause) ?? 0) }));
  rows.sort((one, other) => other.lately - one.lately || other.total - one.total);
  fill(
    "refusals",
    rows.map(({ cause, total, lately }) => [...cause.split("|"), { number: number(lately) }, { number: number(total) }]),
    "Nothing was refused.",
  );
}

/** Users who are online, by feed; a user counts once for each topic. */
function showOnline(samples, earlier) {
  const feeds = samples.filter(({ name }) => name === "stork_presence_online_users");
  fill(
    "online",
    feeds.map(({ labels, value }) => [{ long: labels.feed }, { number: number(value) }]),
    "No feed has presence.",
  );
  const changes = { metric: "stork_presence_changes_total" };
  const rate = earlier ? Math.max(0, sum(samples, changes) - sum(earlier.samples, changes)) : 0;
  $("online-changes").textContent = `${number(rate)} changes in the last ${EVERY_MS / 1000} seconds`;
}

let before = null;

async function look() {
  try {
    const [ready, metrics] = await Promise.all([fetch("/ready"), fetch("/metrics")]);
    const health = await ready.json();
    const problems = health.problems ?? [];
    $("health").dataset.state = health.status;
    $("health").textContent = [String(health.status).replaceAll("_", " "), ...problems].join(" · ");
    const now = { at: performance.now(), samples: parse(await metrics.text()) };
    for (const plot of PLOTS) {
      const value = sum(now.samples, plot);
      if (!plot.rate) draw(plot, value);
      else if (before) {
        const passed = (now.at - before.at) / 1000;
        draw(plot, (Math.max(0, value - sum(before.samples, plot)) / passed) * (plot.times ?? 1));
      }
    }
    showOnline(now.samples, before);
    showRefusals(now.samples);
    before = now;
  } catch {
    $("health").dataset.state = "away";
    $("health").textContent = "this node does not answer";
    before = null;
  }
  if (key) await lookAtAll().catch((error) => say("key-answer", error.message, true));
  setTimeout(look, EVERY_MS);
}

// -- the deployment --------------------------------------------------------------------------------------------------

async function ask(path, body) {
  const headers = { "X-API-Key": key };
  const options = body ? { method: "POST", body: JSON.stringify(body), headers: { ...headers, "Content-Type": "application/json" } } : { headers };
  const answer = await fetch(`/api/${path}`, options);
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.reason ?? `HTTP ${answer.status}`);
  return said;
}

const sequence = (position) => Number(String(position).split(":")[1] ?? 0);

async function lookAtAll() {
  const [{ nodes }, busy] = await Promise.all([ask("nodes"), ask("busy")]);
  const tail = Math.max(0, ...nodes.map((each) => sequence(each.position)));
  fill(
    "nodes",
    nodes.map((each) => [
      { long: each.node }, each.state, each.version || "–",
      { number: each.position ? number(tail - sequence(each.position)) : "–" },
      { number: number(each.sessions ?? 0) },
    ]),
    "No node is attached.",
  );
  fill(
    "topics",
    busy.topics.map((each) => [{ long: each.topic }, { number: number(each.pushes) }, { number: number(each.sessions) }]),
    "Nothing was pushed in the last minute.",
  );
  fill(
    "slow",
    busy.slow.map((each) => [
      { long: each.authid ?? "–" }, String(each.session ?? "–"), each.node, each.address,
      { number: number(each.waiting_bytes) }, { number: `${number(each.age_s, 1)} s` },
    ]),
    "Every client keeps up.",
  );
  say("key-answer", busy.missing.length ? `No answer from: ${busy.missing.join(", ")}` : "", true);
  $("with-key").hidden = false;
}

$("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  key = $("key").value.trim();
  $("key").value = "";
  try {
    await lookAtAll();
  } catch (error) {
    key = "";
    $("with-key").hidden = true;
    say("key-answer", error.message, true);
  }
});

let shown = "";
const counted = (sessions) => (sessions === 1 ? "1 session" : `${number(sessions)} sessions`);

async function search() {
  const { sessions, missing } = await ask(`users/${encodeURIComponent(shown)}`);
  fill(
    "sessions",
    sessions.map((each) => [
      String(each.session), each.node, each.address, each.since ?? "–",
      { long: [...each.topics, ...(each.patterns ?? [])].join(", ") || "–" },
      { number: number(each.waiting_bytes) },
    ]),
    "No session of this user is here.",
  );
  const count = counted(sessions.length);
  say("found-summary", `${shown}: ${count}${missing.length ? `; no answer from ${missing.join(", ")}` : ""}`);
  $("found").hidden = false;
}

$("user-form").addEventListener("submit", (event) => {
  event.preventDefault();
  shown = $("user").value;
  say("command-answer", "");
  search().catch((error) => say("key-answer", error.message, true));
});

function sayObeyed(kind, answer) {
  const met = Object.values(answer.nodes).reduce((all, each) => all + (each.sessions ?? 0), 0);
  say("command-answer", `${kind}: ${counted(met)}${answer.complete ? "" : ", not all nodes have answered yet"}`);
}

async function command(kind) {
  const buttons = [$("refresh"), $("disconnect")];
  for (const button of buttons) button.disabled = true;
  try {
    let answer = await ask("command", { command: kind, authid: shown });
    sayObeyed(kind, answer);
    for (let asked = 0; !answer.complete && asked < MOST_LOOKS; asked += 1) {
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      answer = await ask(`command/${answer.position}`);
      sayObeyed(kind, answer);
    }
    await search();
  } catch (error) {
    say("command-answer", error.message, true);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

$("refresh").addEventListener("click", () => command("refresh"));
$("disconnect").addEventListener("click", () => command("disconnect"));

look();
