// The page: one client of stork.js, its state, and the form that asks for a ticket.

import { enableCalls } from "./call.js";
import { facts } from "./facts.js";
import { Topics } from "./topics.js";
import * as words from "./words.js";

const $ = (id) => document.getElementById(id);
const NO_CLOSE_FRAME = 1006;
const topics = new Topics();

let client = null;
let wasOpen = false;
let everOpen = false;
let nextTry = 0;
let ticking = null;

enableCalls(() => client);
$("trial").hidden = !facts.trial;

// What follows # stays in the browser: a ticket there reaches no server's log.
// (Not URLSearchParams: that makes a space of the + that base64 has.)
function fragment() {
  const found = { topic: [] };
  for (const part of location.hash.slice(1).split("&")) {
    const [name, ...rest] = part.split("=");
    let value = rest.join("=");
    try {
      value = decodeURIComponent(value);
    } catch { /* a lone %: as it is */ }
    if (name === "topic") found.topic.push(value);
    else found[name] = value;
  }
  return found;
}

// Without a word of it: nobody asked to be disconnected.
function hangUp() {
  const last = client;
  client = null;
  last?.close();
}

function connect({ ticket, authid }) {
  hangUp();
  $("gate").hidden = true;
  $("ticket").value = ticket;
  $("as").value = authid ?? "";
  const url = new URL(facts.websocket, location.href.replace(/#.*/s, "")).href; // the page may be below a path
  // A text that begins with a slash would be the address of a ticket.
  const asked = ticket.startsWith("/") ? () => ticket : ticket;
  const next = Stork.connect({ url, ticket: asked, authid: authid || undefined });
  client = next;
  next.on("state", (event) => next === client && show(event));
  topics.use(next);
}

const NAMES = { connecting: "Connecting …", open: "Connected", waiting: "Waiting to reconnect", closed: "Not connected" };

function show(event) {
  const { state, session, delay, code, uri, message } = event;
  document.body.dataset.state = state;
  $("state").textContent = NAMES[state];
  $("identity").hidden = state !== "open";
  $("board").hidden = state === "closed" && !everOpen;
  clearTimeout(ticking);
  if (state === "connecting") { // what the notice says is still true
    $("countdown").textContent = "Trying now …";
    $("retry").disabled = true;
    wasOpen = false;
    return;
  }
  $("notice").hidden = state === "open";
  if (state === "open") {
    wasOpen = everOpen = true;
    $("authid").textContent = session.authid ?? "nobody";
    $("session").textContent = session.id;
    topics.welcome();
    return;
  }
  const { title, text } = words.ending(event, client.url, wasOpen, facts.trial);
  $("notice-title").textContent = title;
  $("notice-text").textContent = text;
  $("notice-code").textContent = [uri, code && code !== NO_CLOSE_FRAME && `code ${code}`, message].filter(Boolean).join(" · ");
  $("notice-wait").hidden = state !== "waiting";
  if (state === "waiting") {
    nextTry = performance.now() + delay;
    $("retry").disabled = false;
    countDown();
  } else {
    $("gate").hidden = false;
    $("ticket").focus();
  }
}

function countDown() {
  const seconds = Math.max(0, Math.ceil((nextTry - performance.now()) / 1000));
  $("countdown").textContent = `Next try in ${seconds} s`;
  ticking = setTimeout(countDown, 250);
}

$("retry").addEventListener("click", () => client.retry());
$("leave").addEventListener("click", () => client.close());

$("gate").addEventListener("submit", (event) => {
  event.preventDefault();
  $("notice").hidden = true;
  connect({ ticket: $("ticket").value.trim(), authid: $("as").value.trim() });
});

function start() {
  const { ticket, authid, topic } = fragment();
  $("notice").hidden = true;
  const asked = topic.filter((each) => Stork.core.isTopic(each));
  for (const each of asked) topics.add(each);
  if (asked.length) topics.choose(asked[0]);
  if (ticket) return connect({ ticket, authid });
  hangUp();
  clearTimeout(ticking);
  document.body.dataset.state = "closed";
  $("board").hidden = true;
  $("state").textContent = NAMES.closed;
  $("identity").hidden = true;
  $("as").value = authid ?? "";
  $("gate").hidden = false;
  return $("ticket").focus();
}

addEventListener("hashchange", start);
start();
