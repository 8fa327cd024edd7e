// The list of pushes: the newest on top, a bounded number of them, drawn once a frame however many come.

import { colour, json } from "./show.js";

const KEPT = 200;
const ANNOUNCE_MS = 2000;
const $ = (id) => document.getElementById(id);

let waiting = [];
let total = 0;
let unsaid = 0;
let drawing = false;
let announcing = false;

/** Show one push. */
export function show(push, position, topic) {
  total += 1;
  unsaid += 1;
  signal();
  enqueue(() => eventRow(push, position, topic));
}

/** Say that something may be missing. */
export function showGap(topic) {
  enqueue(() => {
    const row = copy("gap");
    row.querySelector("b").textContent = "Possibly a gap.";
    row.querySelector(".mono").textContent = topic;
    return row;
  });
}

/** What the empty list says: of the chosen topic and its subscription's state, or what to do first. */
export function invite(topic, state) {
  const push = "Push to it with the command on this page: the push appears here.";
  $("empty-text").textContent = {
    subscribed: `Listening to ${topic}. ${push}`,
    subscribing: `Asking for ${topic} …`,
    waiting: `Not listening to ${topic} yet: the page is not connected, or has no answer.`,
    refused: `${topic} was refused, so nothing of it arrives here. Subscribe to another topic.`,
    closed: `The subscription to ${topic} has ended, so nothing of it arrives here.`,
  }[topic && state] ?? "Subscribe to a topic, then push to it with the command on this page.";
}

function enqueue(row) {
  waiting.push(row);
  if (waiting.length > KEPT) waiting.shift();
  if (drawing) return;
  drawing = true;
  // A hidden page has no frames; it draws when somebody looks again.
  requestAnimationFrame(draw);
}

function draw() {
  drawing = false;
  const list = $("events");
  const rows = waiting.map((row) => row());
  waiting = [];
  list.prepend(...rows.reverse());
  while (list.children.length > KEPT) list.lastElementChild.remove();
  count();
  if (!announcing && unsaid) {
    announcing = true;
    setTimeout(announce, ANNOUNCE_MS);
  }
}

// At most every two seconds: a screen reader must not drown in a flood.
function announce() {
  announcing = false;
  $("announce").textContent = unsaid === 1 ? "One new push" : `${unsaid} new pushes`;
  unsaid = 0;
}

// A sign of pushes that nobody sees now: the list is out of view, or the page is in another tab.
let unseen = 0;
let inView = true;
const title = document.title;

function signal() {
  if (inView && !document.hidden) return;
  unseen += 1;
  sign();
}

function sign() {
  const news = unseen === 1 ? "1 new push" : `${unseen} new pushes`;
  document.title = unseen && document.hidden ? `(${unseen}) ${title}` : title;
  $("news").textContent = `↑ ${news}`;
  $("news").hidden = !unseen || inView;
}

function seen() {
  if (inView && !document.hidden) unseen = 0;
  sign();
}

new IntersectionObserver(([entry]) => {
  inView = entry.isIntersecting;
  seen();
}).observe($("newest"));
document.addEventListener("visibilitychange", seen);
$("news").addEventListener("click", () => {
  $("feed").scrollIntoView();
  $("feed").focus({ preventScroll: true });
});

function count() {
  const shown = $("events").children.length;
  $("events").tabIndex = $("events").scrollHeight > $("events").clientHeight ? 0 : -1; // scrolls on a phone
  $("empty").hidden = shown > 0;
  $("clear").hidden = shown === 0;
  $("count").textContent = total > KEPT ? `${total}, the last ${KEPT} below` : total ? String(total) : "";
}

function eventRow(push, position, topic) {
  const row = copy("event");
  const { type, data, timestamp } = push && typeof push === "object" ? push : { data: push };
  row.dataset.topic = topic;
  row.querySelector(".type").textContent = typeof type === "string" ? type : "(no type)";
  const chip = row.querySelector(".chip");
  chip.textContent = topic;
  chip.dataset.colour = colour(topic);
  const time = row.querySelector("time");
  time.textContent = clockTime(timestamp);
  time.dateTime = time.title = String(timestamp ?? "");
  const block = row.querySelector(".data");
  block.append(json(data));
  if (block.textContent.split("\n").length > 12) block.tabIndex = 0; // scrolls
  row.querySelector(".position span:last-child").textContent = position ?? "no position";
  return row;
}

function clockTime(timestamp) {
  const time = new Date(timestamp);
  if (Number.isNaN(+time)) return String(timestamp ?? "");
  const two = (number) => String(number).padStart(2, "0");
  const thousandths = String(time.getMilliseconds()).padStart(3, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${thousandths}`;
}

function copy(template) {
  return $(template).content.firstElementChild.cloneNode(true);
}

$("clear").addEventListener("click", () => {
  $("events").replaceChildren();
  total = 0;
  waiting = [];
  count();
  $("feed").focus();
});
