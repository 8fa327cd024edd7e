import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import vm from "node:vm";
import { connect, core, feedId, StorkError } from "../../node/js/stork.mjs";
import { MODULES, modulePath, moduleText } from "./module.mjs";

const { Garbage, isTopic, parsePosition, Session, Stream } = core;
const SOURCE = new URL("../../node/js/stork.js", import.meta.url);

/** A generator of numbers from 0 to below 1, the same for the same seed (mulberry32). */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("a classic script defines Stork, with the names that the module exports", async () => {
  const sandbox = { URL };
  vm.runInNewContext(await readFile(SOURCE, "utf8"), sandbox);
  assert.deepEqual(Object.keys(sandbox.Stork), ["connect", "feedId", "StorkError", "core"]);
  assert.equal(typeof connect, "function");
  assert.equal(new StorkError("a.b", ["no"]).message, "a.b: no");
});

test("stork.mjs is made of stork.js: node tests/js/module.mjs writes it", async () => {
  for (const module of MODULES) assert.equal(await readFile(modulePath(module), "utf8"), moduleText(module));
});

for (const text of ["", 42, undefined, "\ud800", "a\udfff"]) {
  test(`${JSON.stringify(text)} has no id`, () => assert.throws(() => feedId(text), TypeError));
}

test("stork.js is at most 15 KB gzipped", async () => {
  const size = gzipSync(await readFile(SOURCE), { level: 9 }).length;
  assert.ok(size <= 15 * 1024, `${size} bytes`);
});

for (const text of [12, undefined, {}]) {
  test(`${text} is no position`, () => assert.equal(parsePosition(text), null));
}

for (const topic of [42, null, undefined, ["v1.orders.42"]]) {
  test(`${JSON.stringify(topic)} may not be asked for`, () => assert.equal(isTopic(topic), false));
}

// --- Stream ---------------------------------------------------------------------------------------------------------

const item = (position) => ({ event: position, position });
const missed = (...list) => list.map((position) => ({ position, type: "t", data: position, timestamp: "now" }));

test("whatever comes, in whatever order, nothing is handed on twice or backwards", () => {
  for (let seed = 0; seed < 500; seed += 1) {
    const random = seeded(seed);
    const any = () => `e:${Math.floor(random() * 40)}`;
    const stream = new Stream(random() < 0.5 ? any() : null);
    const handed = [];
    for (let step = 0; step < 60; step += 1) {
      const dice = random();
      if (dice < 0.7) handed.push(...stream.take(item(any())));
      else if (dice < 0.8) stream.hold();
      else if (dice < 0.85) stream.beat(any());
      else if (dice < 0.95) {
        const events = missed(...Array.from({ length: 3 }, any).sort((a, b) => +a.slice(2) - +b.slice(2)));
        handed.push(...stream.answer({ recovered: true, position: events[2].position, events, more: random() < 0.3 }).items);
      } else handed.push(...stream.answer(null).items);
    }
    const sequences = handed.map(({ position }) => +position.slice(2));
    assert.deepEqual(sequences, [...new Set(sequences)].sort((a, b) => a - b), `seed ${seed}`);
  }
});

// --- Session --------------------------------------------------------------------------------------------------------

function session() {
  const sent = [];
  const told = [];
  const tell = (name) => (...values) => told.push([name, ...values]);
  const on = { welcome: tell("welcome"), ended: tell("ended"), event: tell("event"), revoked: tell("revoked") };
  const one = new Session({ realm: "realm1", authid: "joe", ticket: "secret", send: (message) => sent.push(message), on });
  one.start();
  return { one, sent, told, hear: (message) => one.receive(JSON.stringify(message)) };
}

function joined() {
  const all = session();
  all.hear([4, "ticket", {}]);
  all.hear([2, 77, { authid: "joe", authrole: "frontend" }]);
  all.told.length = all.sent.length = 0;
  return all;
}

test("a session says HELLO, answers the challenge with the ticket, and is welcome", () => {
  const { sent, told, hear } = session();
  assert.deepEqual(sent[0].slice(0, 2), [1, "realm1"]);
  assert.deepEqual([sent[0][2].authmethods, sent[0][2].authid], [["ticket"], "joe"]);
  hear([4, "ticket", {}]);
  assert.deepEqual(sent[1], [5, "secret", {}]);
  hear([2, 77, { authid: "joe", authrole: "frontend", authextra: { a: 1 } }]);
  assert.deepEqual(told, [["welcome", { id: 77, authid: "joe", authrole: "frontend", authextra: { a: 1 } }]]);
});

test("requests are numbered from 1, and answers find theirs in any order", () => {
  const { one, sent, hear } = joined();
  const got = [];
  one.call("a", [], {}, (value) => got.push(["a", value]), null);
  one.call("b", [1], { k: 2 }, (value) => got.push(["b", value]), null);
  assert.deepEqual(sent, [[48, 1, {}, "a", [], {}], [48, 2, {}, "b", [1], { k: 2 }]]);
  hear([50, 2, {}, [5]]);
  hear([50, 1, {}]);
  hear([50, 1, {}, ["again"]]);
  assert.deepEqual(got, [["b", 5], ["a", undefined]]);
});

test("an answer of another kind with the same number is not taken", () => {
  const { one, hear } = joined();
  const got = [];
  one.call("a", [], {}, (value) => got.push(value), (error) => got.push(error.uri));
  hear([33, 1, 500]);
  hear([8, 32, 1, {}, "wamp.error.not_authorized"]);
  assert.deepEqual(got, []);
  hear([8, 48, 1, {}, "a.error", ["why"], { k: 1 }]);
  assert.deepEqual(got, ["a.error"]);
});

for (const text of ["", "{", "null", "{}", "[]", '["1"]', "42", "[1.5]", "\u0000"]) {
  test(`the frame ${JSON.stringify(text)} is garbage, before and after WELCOME`, () => {
    assert.throws(() => session().one.receive(text), Garbage);
    assert.throws(() => joined().one.receive(text), Garbage);
  });
}

for (const message of [[36, 1, 1, {}], [33, 1, 1], [4, "wampcra", {}], [2, "id", {}], [99]]) {
  test(`${JSON.stringify(message)} before WELCOME is garbage`, () => {
    assert.throws(() => session().hear(message), Garbage);
  });
}

test("a second WELCOME is garbage; a message type from a later profile is not", () => {
  assert.throws(() => joined().hear([2, 78, {}]), Garbage);
  const { told, hear } = joined();
  hear([69, 1, {}]);
  assert.deepEqual(told, []);
});

test("events whose parts are missing or strange break nothing", () => {
  const { told, hear } = joined();
  hear([36, 5, 1, {}]);
  hear([36, 5, 1, null, null, null]);
  hear([36, 5, 1, {}, ["text"], { position: 7 }]);
  assert.deepEqual(told.map(([name, id, { event, position }]) => [name, id, event, position]), [
    ["event", 5, undefined, null],
    ["event", 5, undefined, null],
    ["event", 5, "text", 7],
  ]);
});
