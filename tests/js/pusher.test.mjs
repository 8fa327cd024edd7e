// stork-pusher.js with pusher-js 7 and 8, and a node that a test plays itself.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { once } from "node:events";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import WebSocket, { WebSocketServer } from "ws";
import { recover } from "../../node/js/stork-pusher.mjs";

const require = createRequire(import.meta.url);
// The builds for workers: those for Node take every close for a broken transport, and give up after two.
globalThis.self = globalThis.window = globalThis; // version 7 wants a window
globalThis.WebSocket = WebSocket;

/** A node: `client()` is the next connection, with its frames. */
async function listen(t) {
  const server = new WebSocketServer({ port: 0 });
  t.after(() => server.close());
  await once(server, "listening");
  let number = 0;
  const opened = [];
  const waiting = [];
  server.on("connection", (socket) => {
    const frames = [];
    const readers = [];
    socket.on("message", (text) => {
      const frame = JSON.parse(text);
      if (readers.length) readers.shift()(frame);
      else frames.push(frame);
    });
    const send = (event, data, more = {}) => socket.send(JSON.stringify({ event, data: JSON.stringify(data), ...more }));
    const id = `${++number}.1`;
    send("pusher:connection_established", { socket_id: id, activity_timeout: 30 });
    const client = {
      id,
      send,
      socket,
      next: () => (frames.length ? Promise.resolve(frames.shift()) : new Promise((resolve) => readers.push(resolve))),
      succeed: (channel, told, more) => send("pusher_internal:subscription_succeeded", told, { channel, ...more }),
      event: (channel, position, name = "e", more = {}) => send(name, {}, { channel, position, ...more }),
      beat: (position) => send("pusher_internal:stork_beat", { position }),
    };
    if (waiting.length) waiting.shift()(client);
    else opened.push(client);
  });
  const client = () => (opened.length ? Promise.resolve(opened.shift()) : new Promise((resolve) => waiting.push(resolve)));
  return { port: server.address().port, client };
}

function make(t, module, port) {
  const Pusher = require(`${module}/worker`);
  const pusher = new Pusher("key", { cluster: "", wsHost: "127.0.0.1", wsPort: port, forceTLS: false, enabledTransports: ["ws"] });
  t.after(() => pusher.disconnect());
  return pusher;
}

const got = (channel, event) => new Promise((resolve) => channel.bind(event, resolve));
const asked = (since, sessions) => ({ event: "pusher:subscribe", data: { auth: "", channel: "a", since, sessions } });

for (const module of ["pusher-js-7", "pusher-js"]) {
  test(`${module}: a subscription names the position of its last event, and the earlier sockets`, async (t) => {
    const { port, client } = await listen(t);
    const told = [];
    const pusher = make(t, module, port);
    assert.equal(recover(pusher, { onrecovered: (...values) => told.push(values) }), pusher);
    const channel = pusher.subscribe("a");
    const names = [];
    channel.bind_global((name) => names.push(name));
    const one = await client();
    assert.deepEqual(await one.next(), asked(null, []));
    one.succeed("a", { recovered: false, position: "x:7" });
    one.event("a", "x:9");
    one.event("b", "x:12");
    let event = got(channel, "last");
    one.event("a", "x:10", "last");
    await event;
    one.socket.close(4200);

    const two = await client();
    assert.deepEqual(await two.next(), asked("x:10", ["1.1"]));
    two.succeed("a", { recovered: true, position: "x:10" });
    event = got(channel, "missed");
    two.event("a", "x:11", "missed");
    await event;
    assert.deepEqual(told, [["a", true]]);
    two.beat("x:40");
    two.beat("x:30");
    two.socket.close(4200);

    const three = await client();
    assert.deepEqual(await three.next(), asked("x:40", ["1.1", "2.1"]));
    event = got(channel, "pusher:subscription_succeeded");
    three.beat("x:50");
    three.succeed("a", { recovered: false, position: "y:1" });
    await event;
    assert.deepEqual(told, [["a", true], ["a", false]]);
    three.socket.close(4200);

    const four = await client();
    assert.deepEqual(await four.next(), asked("y:1", ["1.1", "2.1", "3.1"]));
    const mine = ["e", "last", "missed"];
    assert.deepEqual(names.filter((name) => mine.includes(name)), mine);
  });

  test(`${module}: the position of a channel that was left is forgotten`, async (t) => {
    const { port, client } = await listen(t);
    const pusher = recover(make(t, module, port), { onrecovered: () => assert.fail("nothing was recovered") });
    let channel = pusher.subscribe("a");
    const node = await client();
    assert.deepEqual(await node.next(), asked(null, []));
    node.succeed("a", { recovered: false, position: "x:7" });
    await got(channel, "pusher:subscription_succeeded");
    pusher.unsubscribe("a");
    assert.equal((await node.next()).event, "pusher:unsubscribe");
    channel = pusher.subscribe("a");
    assert.deepEqual(await node.next(), asked(null, []));
    node.succeed("a", { recovered: false, position: "x:9" });
    await got(channel, "pusher:subscription_succeeded");
  });

  test(`${module}: a client that was connected before has channels with a gap, and says so`, async (t) => {
    const { port, client } = await listen(t);
    const pusher = make(t, module, port);
    const channel = pusher.subscribe("a");
    const one = await client();
    assert.deepEqual(await one.next(), { event: "pusher:subscribe", data: { auth: "", channel: "a" } });
    one.succeed("a", {});
    await got(channel, "pusher:subscription_succeeded");
    const told = [];
    recover(pusher, { onrecovered: (...values) => told.push(values) });
    one.socket.close(4200);
    const two = await client();
    assert.deepEqual(await two.next(), asked(null, ["1.1"]));
    two.succeed("a", {});
    await got(channel, "pusher:subscription_succeeded");
    assert.deepEqual(told, [["a", false]]);
    two.event("a", "x:3");
    two.socket.close(4200);
    const three = await client();
    assert.deepEqual(await three.next(), asked("x:3", ["1.1", "2.1"]));
  });
}

for (const module of ["pusher-js-7", "pusher-js"]) {
  test(`${module}: a channel is recovered when its last missed event has come`, async (t) => {
    const { port, client } = await listen(t);
    const seen = [];
    const pusher = make(t, module, port);
    recover(pusher, { onrecovered: (channel, ok) => seen.push([channel, ok]) });
    const channels = ["a", "b"].map((name) => pusher.subscribe(name));
    for (const channel of channels) channel.bind_global((name) => name.startsWith("pusher") || seen.push(name));
    const MORE = { more: true };
    let node = await client();
    for (const name of ["a", "b"]) node.succeed(name, { recovered: false, position: "x:1" });
    await got(channels[1], "pusher:subscription_succeeded");
    node.socket.close(4200);

    node = await client(); // this one breaks before all has come
    node.succeed("a", { recovered: true, position: "x:1" }, MORE);
    let event = got(channels[0], "a2");
    node.event("a", "x:2", "a2", MORE);
    await event;
    node.socket.close(4200);

    node = await client();
    node.succeed("a", { recovered: true, position: "x:2" }, MORE);
    node.succeed("b", { recovered: true, position: "x:1" }, MORE);
    node.event("b", "x:3", "b3", MORE);
    node.event("a", "x:4", "a4");
    node.event("a", "x:5", "a5");
    event = got(channels[1], "b6");
    node.event("b", "x:6", "b6");
    await event;
    await new Promise(setImmediate);
    assert.deepEqual(seen, ["a2", "b3", "a4", ["a", true], "a5", "b6", ["b", true]]);
  });
}

test("stork-pusher.js is at most 1.5 KB gzipped", () => {
  const text = readFileSync(new URL("../../node/js/stork-pusher.js", import.meta.url));
  assert.ok(gzipSync(text, { level: 9 }).length <= 1536);
});
