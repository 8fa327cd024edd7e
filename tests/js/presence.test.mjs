import assert from "node:assert/strict";
import { test as nodeTest } from "node:test";
import { WebSocket } from "ws";
import { connect } from "../../node/js/stork.mjs";
import { Clock } from "./clock.mjs";
import { Queue, Router } from "./router.mjs";

const test = (name, run) => nodeTest(name, { timeout: 10_000 }, run);
const ROOM = "v1.room.7";
const URI = `io.virge.stork.presence.${ROOM}`;
const user = (authid) => ({ authid, info: null, since: "2026-01-01T00:00:00.000Z" });
const answer = (position, ...authids) => ({ users: authids.map(user), count: authids.length, position });

/** A presence whose SUBSCRIBE is admitted under id 5; `ask` takes the question who is online. */
async function watching(t) {
  const router = await Router.start(t);
  const clock = new Clock();
  const stork = connect({ url: router.url, ticket: "secret", WebSocket, clock, random: () => 0 });
  t.after(() => stork.close());
  const changes = new Queue();
  const presence = stork.presence(ROOM, {
    onchange: ({ users, online, offline, position }) =>
      changes.push([users.map(({ authid }) => authid), online.map(({ authid }) => authid), offline, position]),
  });
  clock.advance(0);
  const peer = await router.join();
  await peer.admit(5, URI);
  return { router, peer, presence, changes, clock };
}

/** The next CALL of `procedure`; returns what answers it. */
async function called(peer, procedure) {
  for (;;) {
    const message = await peer.receive();
    if (message[0] === 48 && message[3] === procedure) {
      return { args: message[4], reply: (result) => peer.send([50, message[1], {}, [result]]), fail: (uri) => peer.send([8, 48, message[1], {}, uri]) };
    }
  }
}

const online = (peer) => called(peer, "io.virge.stork.online");
const recover = (peer) => called(peer, "io.virge.stork.recover");
const event = (peer, position, on, off) =>
  peer.send([36, 5, 1, {}, [{ type: "stork.presence", data: { online: on.map(user), offline: off } }], { position }]);

test("a snapshot, then the changes after its position, each once", async (t) => {
  const { peer, changes, presence } = await watching(t);
  const asked = await online(peer);
  assert.deepEqual(asked.args, [ROOM]);
  event(peer, "e:4", ["ann"], []);
  event(peer, "e:6", ["bob"], []);
  asked.reply(answer("e:5", "ann"));
  assert.deepEqual(await changes.next(), [["ann"], ["ann"], [], "e:5"]);
  assert.deepEqual(await changes.next(), [["ann", "bob"], ["bob"], [], "e:6"]);
  event(peer, "e:7", [], ["ann"]);
  assert.deepEqual(await changes.next(), [["bob"], [], ["ann"], "e:7"]);
  assert.deepEqual([...presence.users.keys()], ["bob"]);
});

test("after a connection whose gap is recovered nobody is asked for again", async (t) => {
  const { router, peer, changes, clock } = await watching(t);
  (await online(peer)).reply(answer("e:5", "ann"));
  await changes.next();
  event(peer, "e:6", ["bob"], []);
  await changes.next();
  peer.socket.close(1012);
  await peer.closed;
  await new Promise((resolve) => setTimeout(resolve, 20));
  clock.advance(30_000);
  const next = await router.join();
  await next.admit(5, URI);
  const asked = await recover(next);
  assert.deepEqual(asked.args, [{ [URI]: "e:6" }]);
  const missed = { position: "e:9", type: "stork.presence", data: { online: [], offline: ["ann"] }, timestamp: "now" };
  asked.reply({ [URI]: { recovered: true, position: "e:9", events: [missed] } });
  assert.deepEqual(await changes.next(), [["bob"], [], ["ann"], "e:9"]);
});

test("after a gap the node is asked again, and the difference is told", async (t) => {
  const { router, peer, changes, clock } = await watching(t);
  (await online(peer)).reply(answer("e:5", "ann", "bob"));
  await changes.next();
  event(peer, "e:6", ["eve"], []);
  await changes.next();
  peer.socket.close(1012);
  await peer.closed;
  await new Promise((resolve) => setTimeout(resolve, 20));
  clock.advance(30_000);
  const next = await router.join();
  await next.admit(5, URI);
  (await recover(next)).reply({ [URI]: { recovered: false, position: "f:2", events: [] } });
  (await online(next)).reply(answer("f:2", "bob", "joe"));
  assert.deepEqual(await changes.next(), [["bob", "joe"], ["joe"], ["ann", "eve"], "f:2"]);
});

test("a node that is not ready is asked again, and resync asks anew", async (t) => {
  const { peer, changes, clock } = await watching(t);
  (await online(peer)).fail("io.virge.stork.not_ready");
  await new Promise((resolve) => setTimeout(resolve, 20));
  clock.advance(1_000);
  (await online(peer)).reply(answer("e:5", "ann"));
  assert.deepEqual(await changes.next(), [["ann"], ["ann"], [], "e:5"]);
  peer.send([36, 5, 1, {}, [{ type: "stork.presence", data: { resync: true } }], { position: "e:6" }]);
  (await online(peer)).reply(answer("e:6", "bob"));
  assert.deepEqual(await changes.next(), [["bob"], ["bob"], ["ann"], "e:6"]);
});
