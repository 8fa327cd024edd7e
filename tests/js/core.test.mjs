import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import vm from "node:vm";
import { connect, core, StorkError } from "../../node/js/stork.mjs";

const { Garbage, isTopic, parsePosition, retryDelay, Session, Stream } = core;
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
  assert.deepEqual(Object.keys(sandbox.Stork), ["connect", "StorkError", "core"]);
  assert.equal(typeof connect, "function");
  assert.equal(new StorkError("a.b", ["no"]).message, "a.b: no");
});

test("stork.js is at most 15 KB gzipped", async () => {
  const size = gzipSync(await readFile(SOURCE), { level: 9 }).length;
  assert.ok(size <= 15 * 1024, `${size} bytes`);
});

test("delays lie between 0.5 s and a ceiling that doubles up to 20 s, over the whole range", () => {
  const ceilings = [1000, 2000, 4000, 8000, 16000, 20000, 20000];
  ceilings.forEach((ceiling, attempt) => {
    assert.equal(retryDelay(attempt, 0), 500);
    assert.equal(retryDelay(attempt, 1), ceiling);
    assert.equal(retryDelay(attempt, 0.5), (500 + ceiling) / 2);
  });
  assert.equal(retryDelay(5000, 1), 20000);
});

for (const [text, parsed] of [
  ["e1:12", { epoch: "e1", sequence: 12 }],
  ["a:b:0", { epoch: "a:b", sequence: 0 }],
  ["e:9007199254740991", { epoch: "e", sequence: 9007199254740991 }],
  ["e:9007199254740993", null],
  ["e:-1", null],
  ["e:1.5", null],
  ["e:", null],
  [":1", null],
  ["12", null],
  ["", null],
  [12, null],
  [null, null],
  [undefined, null],
  [{}, null],
]) {
  test(`the position ${JSON.stringify(text)} ${parsed ? "is understood" : "is none"}`, () => {
    assert.deepEqual(parsePosition(text), parsed && { ...parsed, text });
  });
}

for (const [topic, match, yes] of [
  ["v1.orders.42", "exact", true],
  ["v1.user.a:b@c~d_e-f", "exact", true],
  [`v1.t.${"x".repeat(250)}`, "exact", true],
  [`v1.t.${"x".repeat(251)}`, "exact", false],
  ["v1.orders", "exact", false],
  ["v1.orders.", "exact", false],
  ["v1..42", "exact", false],
  ["v1.orders.42.7", "exact", false],
  ["v1.orders.4 2", "exact", false],
  ["v1.orders.42\n", "exact", false],
  ["v1.orders.ä", "exact", false],
  ["", "exact", false],
  [42, "exact", false],
  [null, "exact", false],
  ["v1.orders.", "prefix", true],
  ["v1.orders.4", "prefix", true],
  ["v1.orders", "prefix", false],
  ["", "prefix", false],
  ["v1.orders.", "wildcard", true],
  ["v1..42", "wildcard", false],
  ["v1.orders.42", "nonsense", false],
]) {
  test(`${JSON.stringify(topic).slice(0, 30)} ${yes ? "may" : "may not"} be asked for as ${match}`, () => {
    assert.equal(isTopic(topic, match), yes);
  });
}

// --- Stream ---------------------------------------------------------------------------------------------------------

const item = (position) => ({ event: position, position });
const positions = (items) => items.map(({ position }) => position);
const missed = (...list) => list.map((position) => ({ position, type: "t", data: position, timestamp: "now" }));

test("events that come twice or late are ignored", () => {
  const stream = new Stream();
  const came = ["e:3", "e:5", "e:5", "e:4", "e:10", "e:9", "e:11"].flatMap((at) => stream.take(item(at)));
  assert.deepEqual(positions(came), ["e:3", "e:5", "e:10", "e:11"]);
  assert.equal(stream.position, "e:11");
});

test("sequences are compared as numbers", () => {
  const stream = new Stream("e:9");
  assert.deepEqual(positions(stream.take(item("e:10"))), ["e:10"]);
});

test("an event of another epoch is no repetition", () => {
  const stream = new Stream("a:100");
  assert.deepEqual(positions(stream.take(item("b:1"))), ["b:1"]);
  assert.equal(stream.position, "b:1");
});

test("events without a position are handed on each time", () => {
  const stream = new Stream("e:1");
  const strange = { event: 1, position: null };
  assert.deepEqual([...stream.take(strange), ...stream.take(strange)], [strange, strange]);
  assert.equal(stream.position, "e:1");
});

test("what was missed comes first, then what was held back, each once", () => {
  const stream = new Stream("e:10");
  assert.equal(stream.hold(), "e:10");
  for (const at of ["e:13", "e:14", "e:15"]) assert.deepEqual(stream.take(item(at)), []);
  const { items, recovered, more } = stream.answer({ recovered: true, position: "e:14", events: missed("e:9", "e:11", "e:14") });
  assert.deepEqual(positions(items), ["e:11", "e:14", "e:15"]);
  assert.deepEqual([recovered, more], [true, false]);
  assert.deepEqual(positions(stream.take(item("e:16"))), ["e:16"]);
});

test("a true answer without events raises the position", () => {
  const stream = new Stream("e:10");
  stream.hold();
  stream.answer({ recovered: true, position: "e:400", events: [] });
  assert.equal(stream.position, "e:400");
});

test("a page that ends in more goes on holding back", () => {
  const stream = new Stream("e:1");
  stream.hold();
  stream.take(item("e:9"));
  const first = stream.answer({ recovered: true, position: "e:3", events: missed("e:2", "e:3"), more: true });
  assert.deepEqual([positions(first.items), first.recovered, first.more], [["e:2", "e:3"], null, true]);
  assert.deepEqual(stream.take(item("e:10")), []);
  const last = stream.answer({ recovered: true, position: "e:9", events: missed("e:5", "e:9") });
  assert.deepEqual([positions(last.items), last.recovered, last.more], [["e:5", "e:9", "e:10"], true, false]);
});

test("more without a step forward is told as a gap, not asked for ever", () => {
  const stream = new Stream("e:1");
  stream.hold();
  const { recovered, more } = stream.answer({ recovered: true, position: "e:1", events: [], more: true });
  assert.deepEqual([recovered, more], [false, false]);
});

test("a false answer drops what its position covers and hands on the rest", () => {
  const stream = new Stream("a:10");
  stream.hold();
  for (const at of ["b:4", "b:5", "b:6"]) stream.take(item(at));
  const { items, recovered } = stream.answer({ recovered: false, position: "b:5", events: [] });
  assert.equal(recovered, false);
  assert.deepEqual(positions(items), ["b:6"]);
});

test("a false answer with an earlier position of the same epoch repeats nothing", () => {
  const stream = new Stream("e:10");
  stream.hold();
  for (const at of ["e:9", "e:11"]) stream.take(item(at));
  assert.deepEqual(positions(stream.answer({ recovered: false, position: "e:5", events: [] }).items), ["e:11"]);
});

test("no answer for the topic counts as a gap, and loses nothing that was held", () => {
  const stream = new Stream("a:10");
  stream.hold();
  stream.take(item("b:4"));
  const { items, recovered } = stream.answer(null);
  assert.deepEqual([positions(items), recovered, stream.position], [["b:4"], false, "b:4"]);
});

test("without a position nothing is held back, no gap is told, and the answer's position is taken over", () => {
  const stream = new Stream();
  assert.equal(stream.hold(), null);
  assert.deepEqual(positions(stream.take(item("e:7"))), ["e:7"]);
  const { items, recovered } = stream.answer({ recovered: false, position: "e:6", events: [] });
  assert.deepEqual([items, recovered], [[], null]);
  assert.equal(stream.position, "e:7");
  const quiet = new Stream();
  quiet.hold();
  quiet.answer({ recovered: false, position: "e:6", events: [] });
  assert.equal(quiet.position, "e:6");
});

test("a stream that was cut before it knew its position is told of the gap", () => {
  const stream = new Stream();
  stream.hold();
  assert.equal(stream.hold(), null);
  assert.deepEqual(stream.take(item("e:9")), []);
  const { items, recovered, position } = stream.answer({ recovered: false, position: "e:8", events: [] });
  assert.deepEqual([positions(items), recovered, position], [["e:9"], false, "e:8"]);
});

test("what was held when a connection went is not handed on: the next recovery brings it", () => {
  const stream = new Stream("e:1");
  stream.hold();
  stream.take(item("e:3"));
  assert.equal(stream.hold(), "e:1");
  const { items } = stream.answer({ recovered: true, position: "e:3", events: missed("e:2", "e:3") });
  assert.deepEqual(positions(items), ["e:2", "e:3"]);
});

test("a beat raises the position, never lowers it, and waits for a recovery in progress", () => {
  const stream = new Stream();
  stream.beat("e:5");
  assert.equal(stream.position, "e:5");
  stream.beat("e:4");
  stream.beat("other:9");
  stream.beat("nonsense");
  stream.beat(undefined);
  assert.equal(stream.position, "e:5");
  stream.hold();
  stream.beat("e:8");
  assert.equal(stream.position, "e:5");
});

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
