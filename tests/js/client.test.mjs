import assert from "node:assert/strict";
import { test as nodeTest } from "node:test";
import { WebSocket } from "ws";
import { connect } from "../../node/js/stork.mjs";
import { Clock } from "./clock.mjs";
import { Queue, Router } from "./router.mjs";

const test = (name, run) => nodeTest(name, { timeout: 10_000 }, run);
const TOPIC = "v1.orders.42";
const UNUSED_ID = 2 ** 53;

/** A client of `router` whose time stands still; `states` is the queue of its state events. */
function client(t, router, options = {}) {
  const clock = new Clock();
  const stork = connect({ url: router.url, ticket: "secret", authid: "joe", WebSocket, clock, random: () => 0, ...options });
  t.after(() => stork.close());
  const states = new Queue();
  stork.on("state", (event) => states.push(event));
  clock.advance(0);
  return { stork, clock, states, until: (state) => untilState(states, state) };
}

async function untilState(queue, state) {
  for (;;) {
    const event = await queue.next();
    if (event.state === state) return event;
  }
}

/** Subscribe, with what the handler and the callbacks get in queues. */
function listen(stork, topic = TOPIC, options = {}) {
  const events = new Queue();
  const states = new Queue();
  const recovered = new Queue();
  const subscription = stork.subscribe(topic, (push, position, of) => events.push([push?.data, position, of]), {
    onstate: (event) => states.push(event),
    onrecovered: (...values) => recovered.push(values),
    ...options,
  });
  return { subscription, events, recovered, until: (state) => untilState(states, state) };
}

/** A client that has joined, with the router's end of the connection. */
async function joined(t, options) {
  const router = await Router.start(t);
  const all = client(t, router, options);
  const peer = await router.join();
  await all.until("open");
  return { router, peer, ...all };
}

/** … subscribed to a topic under id 5; `recover` is what the router answers to it. */
async function subscribed(t, recover = "wamp.error.no_such_procedure", options = {}) {
  const all = await joined(t);
  const one = listen(all.stork, TOPIC, options);
  await all.peer.admit(5, TOPIC);
  await one.until("subscribed");
  const asked = await all.peer.recover(recover);
  return { ...all, one, asked };
}

// --- Joining ----------------------------------------------------------------------------------------------------------

test("a client joins with its ticket over wamp.2.json", async (t) => {
  const { stork, peer } = await joined(t);
  assert.equal(peer.protocol, "wamp.2.json");
  assert.deepEqual(peer.hello.slice(0, 2), [1, "realm1"]);
  assert.deepEqual([peer.hello[2].authmethods, peer.hello[2].authid], [["ticket"], "joe"]);
  assert.deepEqual(peer.authenticate, [5, "secret", {}]);
  assert.deepEqual(stork.session, { id: 77, authid: "joe", authrole: "frontend", authextra: { a: 1 } });
});

test("a ticket function is asked at each try, and told when the last one had expired", async (t) => {
  const router = await Router.start(t);
  const why = [];
  const { clock, until } = client(t, router, { ticket: async (asked) => `ticket ${why.push(asked)}` });
  const first = await router.accept();
  await first.expect(1);
  first.send([4, "ticket", {}]);
  assert.equal((await first.expect(5))[1], "ticket 1");
  first.send([3, { message: "too old" }, "io.virge.stork.expired"]);
  const waiting = await until("waiting");
  assert.deepEqual([waiting.reason, waiting.delay, waiting.message], ["expired", 500, "too old"]);
  clock.advance(500);
  const second = await router.join();
  assert.equal(second.authenticate[1], "ticket 2");
  await until("open");
  second.socket.close(4001);
  await until("waiting");
  clock.advance(500);
  await router.join();
  assert.deepEqual(why, [{ expired: false }, { expired: true }, { expired: false }]);
});

test("a ticket function that fails is asked again later", async (t) => {
  const router = await Router.start(t);
  let asked = 0;
  const ticket = () => {
    asked += 1;
    if (asked === 1) throw new Error("offline");
    return "now";
  };
  const { clock, until } = client(t, router, { ticket });
  const waiting = await until("waiting");
  assert.deepEqual([waiting.reason, waiting.message, waiting.delay], ["ticket", "offline", 500]);
  clock.advance(500);
  const peer = await router.join();
  assert.equal(peer.authenticate[1], "now");
});

/** Answers of a site, one for each time that its ticket is asked for. */
function site(t, ...answers) {
  const asked = [];
  t.mock.method(globalThis, "fetch", async (address, options) => {
    asked.push([address, options.credentials]);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return new Response(answer[1], { status: answer[0], headers: answer[2] });
  });
  return asked;
}

test("an address of a ticket is asked at each try, and again where it gives none", async (t) => {
  const router = await Router.start(t);
  const asked = site(t, [503, "<html>"], new TypeError("fetch failed"), [404, ""], [200, "one\n"], [200, "two"]);
  const { clock, until } = client(t, router, { ticket: "/my-ticket" });
  for (const message of ["/my-ticket answered 503", "fetch failed", "/my-ticket answered 404"]) {
    const waiting = await until("waiting");
    assert.deepEqual([waiting.reason, waiting.message], ["ticket", message]);
    clock.advance(20_000);
  }
  const peer = await router.join();
  assert.equal(peer.authenticate[1], "one");
  await until("open");
  peer.socket.terminate();
  await until("waiting");
  clock.advance(20_000);
  assert.equal((await router.join()).authenticate[1], "two");
  assert.deepEqual(asked, Array(5).fill(["/my-ticket", "same-origin"]));
});

const HTML = { "content-type": "text/html; charset=utf-8" };

test("a page is no ticket, and the address is asked again; PHP calls its tickets HTML, too", async (t) => {
  const router = await Router.start(t);
  site(t, [200, "<!DOCTYPE html><form>", HTML], [200, " \n"], [200, "one", HTML]);
  const { clock, until } = client(t, router, { ticket: "/my-ticket" });
  for (const message of ["/my-ticket answered with a page, and not with a ticket", "/my-ticket answered with an empty ticket"]) {
    const waiting = await until("waiting");
    assert.deepEqual([waiting.reason, waiting.message], ["ticket", message]);
    clock.advance(20_000);
  }
  assert.equal((await router.join()).authenticate[1], "one");
});

for (const value of ["/9j/4AAQ", "//x", "https://token", "plain"]) {
  test(`{value: ${JSON.stringify(value)}} is a ticket, and final where it has expired`, async (t) => {
    t.mock.method(console, "warn", () => {});
    const router = await Router.start(t);
    const asked = site(t);
    const { until } = client(t, router, { ticket: { value } });
    const peer = await router.accept();
    await peer.expect(1);
    peer.send([4, "ticket", {}]);
    assert.equal((await peer.expect(5))[1], value);
    peer.send([3, {}, "io.virge.stork.expired"]);
    assert.equal((await until("closed")).reason, "expired");
    assert.deepEqual(asked, []);
  });
}

test("{address} is an address, whatever it looks like", async (t) => {
  const router = await Router.start(t);
  const asked = site(t, [200, "one"]);
  client(t, router, { ticket: { address: "my-ticket?a=1" } });
  assert.equal((await router.join()).authenticate[1], "one");
  assert.deepEqual(asked, [["my-ticket?a=1", "same-origin"]]);
});

for (const ticket of [undefined, null, 7, {}, { value: 7 }, { address: null }, []]) {
  test(`${JSON.stringify(ticket)} is no ticket`, () => {
    assert.throws(() => connect({ url: "ws://127.0.0.1:1", ticket, WebSocket }), /^TypeError: connect\(\{ticket\}\) wants a ticket/);
  });
}

for (const code of [1002, 1007, 1009]) {
  test(`a node that closes with ${code} is not asked again`, async (t) => {
    t.mock.method(console, "warn", () => {});
    const { peer, until } = await joined(t);
    peer.socket.close(code);
    const closed = await until("closed");
    assert.deepEqual([closed.reason, closed.code], ["refused", code]);
  });
}

for (const status of [401, 403]) {
  test(`an address that answers ${status} says a final no`, async (t) => {
    t.mock.method(console, "warn", () => {});
    const router = await Router.start(t);
    site(t, [status, "who are you?"]);
    const { until } = client(t, router, { ticket: "https://shop.example/my-ticket" });
    const closed = await until("closed");
    assert.deepEqual([closed.reason, closed.message], ["denied", `https://shop.example/my-ticket answered ${status}`]);
    assert.equal(router.count, 0);
  });
}

test("an expired ticket that came from an address has a successor", async (t) => {
  const router = await Router.start(t);
  site(t, [200, "old"], [200, "new"]);
  const { clock, until } = client(t, router, { ticket: "/my-ticket" });
  const first = await router.accept();
  await first.expect(1);
  first.send([3, {}, "io.virge.stork.expired"]);
  assert.equal((await until("waiting")).reason, "expired");
  clock.advance(500);
  assert.equal((await router.join()).authenticate[1], "new");
});

test("a client that is closed can be opened again, with its subscriptions and another ticket", async (t) => {
  const { stork, peer, router, clock, until } = await joined(t);
  const kept = listen(stork, TOPIC, { since: "e:3" });
  const given = listen(stork, "v1.orders.43");
  await peer.admit(5, TOPIC);
  await peer.expect(32);
  await peer.recover({ [TOPIC]: { recovered: true, position: "e:7", events: [] } });
  peer.send([6, {}, "io.virge.stork.disconnected"]);
  assert.equal((await until("closed")).reason, "disconnected");
  assert.equal(kept.subscription.state, "closed");
  given.subscription.unsubscribe();
  stork.retry();
  assert.equal(stork.state, "closed");
  stork.reopen({ ticket: "another" });
  clock.advance(0);
  const next = await router.join(78);
  assert.equal(next.authenticate[1], "another");
  await next.admit(6, TOPIC);
  assert.deepEqual(await next.recover({ [TOPIC]: { recovered: true, position: "e:8", events: [] } }), { [TOPIC]: "e:7" });
  await kept.until("subscribed");
  await next.flushed();
  assert.deepEqual(next.messages.items.filter(([type, , , topic]) => type === 32 && topic !== "io.virge.stork.beat"), []);
  stork.reopen(); // nothing: it is open
  assert.equal(stork.state, "open");
});

test("what will never work is said on the console where nobody listens", async (t) => {
  const { mock: warn } = t.mock.method(console, "warn", () => {});
  const { peer, stork } = await joined(t);
  const silent = () => {};
  stork.subscribe("v1/orders/42", silent);
  stork.subscribe("v1/orders/42", silent, { onstate: silent });
  stork.subscribe(TOPIC, silent);
  const [, request] = await peer.expect(32);
  peer.send([8, 32, request, {}, "wamp.error.not_authorized"]);
  await peer.flushed();
  assert.deepEqual(warn.calls.map((call) => call.arguments), [
    ["stork: the subscription to v1/orders/42 was refused: invalid_topic"],
    [`stork: the subscription to ${TOPIC} was refused: denied`],
  ]);
});

test("a connection that is closed for good is said where nobody listens, and not where the application closed it", async (t) => {
  t.mock.method(console, "warn", () => {});
  const router = await Router.start(t);
  const clock = new Clock();
  const refused = connect({ url: router.url, ticket: "secret", WebSocket, clock });
  clock.advance(0);
  const peer = await router.accept();
  await peer.expect(1);
  peer.send([3, { message: "unknown" }, "io.virge.stork.denied"]);
  await peer.closed;
  connect({ url: router.url, ticket: "secret", WebSocket, clock }).close();
  assert.equal(refused.state, "closed");
  assert.deepEqual(console.warn.mock.calls.map((call) => call.arguments), [
    ["stork: the connection is closed for good: denied, io.virge.stork.denied, unknown"],
  ]);
});

test("a ticket that comes after its try was given up opens nothing", async (t) => {
  const router = await Router.start(t);
  const answers = [];
  const { clock, until } = client(t, router, { ticket: () => new Promise((resolve) => answers.push(resolve)) });
  await until("connecting").catch(() => {});
  clock.advance(30_000);
  assert.equal((await until("waiting")).reason, "silent");
  answers[0]("late");
  clock.advance(500);
  await until("connecting");
  answers[1]("in time");
  const peer = await router.join();
  assert.equal(peer.authenticate[1], "in time");
  assert.equal(router.count, 1);
});

for (const [uri, reason, ticket] of [
  ["io.virge.stork.denied", "denied", () => "a"],
  ["io.virge.stork.denied", "denied", "a"],
  ["io.virge.stork.expired", "expired", "a plain string has no successor"],
  ["wamp.error.no_such_realm", "refused", () => "a"],
  ["wamp.error.authentication_failed", "refused", () => "a"],
]) {
  test(`ABORT ${uri} is final for a ticket that is a ${typeof ticket}`, async (t) => {
    const router = await Router.start(t);
    const { stork, clock, until } = client(t, router, { ticket });
    const one = listen(stork);
    const called = stork.call("a.b");
    const refusal = assert.rejects(called, { uri: "io.virge.stork.error.lost" });
    const peer = await router.accept();
    await peer.expect(1);
    peer.send([3, { message: "no" }, uri]);
    const closed = await until("closed");
    assert.deepEqual([closed.reason, closed.uri, closed.message], [reason, uri, "no"]);
    assert.equal((await one.until("closed")).reason, reason);
    await refusal;
    await peer.closed;
    clock.advance(3_600_000);
    assert.equal(clock.timers.size, 0);
    assert.equal(stork.state, "closed");
    assert.equal(stork.subscribe(TOPIC, () => {}).state, "closed");
    await assert.rejects(stork.call("a.b"), { uri: "io.virge.stork.error.lost" });
  });
}

for (const uri of ["wamp.error.no_such_procedure", "wamp.error.canceled", "wamp.error.runtime_error", "wamp.close.system_shutdown"]) {
  test(`ABORT ${uri} is an outage of the application: the client comes back`, async (t) => {
    const router = await Router.start(t);
    const { clock, until } = client(t, router);
    const peer = await router.accept();
    await peer.expect(1);
    peer.send([3, {}, uri]);
    assert.equal((await until("waiting")).reason, "unavailable");
    clock.advance(500);
    await router.join();
    await until("open");
  });
}

test("1013 before WELCOME means: try again", async (t) => {
  const router = await Router.start(t);
  const { clock, until } = client(t, router);
  const peer = await router.accept();
  await peer.expect(1);
  peer.socket.close(1013, "try again later");
  const waiting = await until("waiting");
  assert.deepEqual([waiting.reason, waiting.code, waiting.message], ["unavailable", 1013, "try again later"]);
  clock.advance(500);
  await router.join();
  await until("open");
});

test("a router that does not answer is given up after 30 s", async (t) => {
  const router = await Router.start(t);
  const { clock, until } = client(t, router);
  await (await router.accept()).expect(1);
  clock.advance(29_999);
  clock.advance(1);
  assert.equal((await until("waiting")).reason, "silent");
});

test("a wrong address, a missing ticket and a missing WebSocket are said at once", () => {
  assert.throws(() => connect({ url: "ftp://x/", ticket: "a", WebSocket }), TypeError);
  assert.throws(() => connect({ url: "nonsense", ticket: "a", WebSocket }), TypeError);
  assert.throws(() => connect({ url: "ws://x/", WebSocket }), /ticket/);
  assert.throws(() => connect({ url: "ws://x/", ticket: "a", WebSocket: null }), /WebSocket/);
});

// --- Coming back --------------------------------------------------------------------------------------------------------

for (const [end, reason] of [
  [(peer) => peer.socket.close(1012), "draining"],
  [(peer) => peer.socket.close(1013), "unavailable"],
  [(peer) => peer.socket.close(4001), "session_over"],
  [(peer) => peer.socket.close(4010), "break"],
  [(peer) => peer.socket.close(1000), "lost"],
  [(peer) => peer.socket.close(4999), "lost"],
  [(peer) => peer.socket.terminate(), "lost"],
  [(peer) => peer.send([6, {}, "wamp.close.system_shutdown"]), "goodbye"],
  [(peer) => peer.socket.send("{"), "garbage"],
  [(peer) => peer.socket.send("{}"), "garbage"],
  [(peer) => peer.socket.send(Buffer.from([1, 2, 3])), "garbage"],
  [(peer) => peer.send([2, 78, {}]), "garbage"],
]) {
  test(`after ${end.toString().slice(10)} the client comes back (${reason}) and subscribes again`, async (t) => {
    const { router, peer, clock, until, one } = await subscribed(t);
    end(peer);
    const waiting = await until("waiting");
    assert.deepEqual([waiting.reason, waiting.delay], [reason, 500]);
    assert.equal((await one.until("waiting")).reason, "lost");
    clock.advance(499);
    assert.equal(router.count, 1);
    clock.advance(1);
    const next = await router.join(78);
    await next.admit(6, TOPIC);
    await one.until("subscribed");
    await next.recover("wamp.error.no_such_procedure");
    next.event(6, "e:1", "back");
    assert.deepEqual(await one.events.next(), ["back", "e:1", TOPIC]);
  });
}

test("GOODBYE io.virge.stork.disconnected is answered, and final", async (t) => {
  const { router, peer, clock, until, one } = await subscribed(t);
  peer.send([6, { message: "logged out" }, "io.virge.stork.disconnected"]);
  const closed = await until("closed");
  assert.deepEqual([closed.reason, closed.message], ["disconnected", "logged out"]);
  assert.equal((await one.until("closed")).reason, "disconnected");
  assert.deepEqual(await peer.expect(6), [6, {}, "wamp.close.goodbye_and_out"]);
  await peer.closed;
  clock.advance(3_600_000);
  assert.equal(router.count, 1);
});

test("where nobody listens, the ceilings of the delays double up to 20 s, for ever", async (t) => {
  const router = await Router.start(t);
  await router.stop();
  const { clock, until } = client(t, router, { random: () => 1 });
  const delays = [];
  for (let i = 0; i < 8; i += 1) {
    const { delay, reason } = await until("waiting");
    assert.equal(reason, "lost");
    delays.push(delay);
    clock.advance(delay);
  }
  assert.deepEqual(delays, [1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000]);
});

test("the ceiling falls back only after a connection that lasted", async (t) => {
  const { router, peer, clock, until } = await joined(t, { random: () => 1 });
  const delays = [];
  let last = peer;
  for (const open of [9_999, 9_999, 10_000]) {
    clock.advance(open);
    last.socket.terminate();
    const { delay } = await until("waiting");
    delays.push(delay);
    clock.advance(delay);
    last = await router.join();
    await until("open");
  }
  assert.deepEqual(delays, [1000, 2000, 1000]);
});

test("retry() does not wait for the delay, and does nothing while open", async (t) => {
  const { router, peer, stork, until } = await joined(t);
  stork.retry();
  peer.socket.terminate();
  await until("waiting");
  stork.retry();
  await router.join();
  await until("open");
  assert.equal(router.count, 2);
});

test("close() says GOODBYE, and nothing comes after it", async (t) => {
  const { router, peer, stork, clock, until, one } = await subscribed(t);
  const refusal = assert.rejects(stork.call("a.b"), { uri: "io.virge.stork.error.lost" });
  await peer.expect(48);
  stork.close();
  stork.close();
  assert.deepEqual(await peer.expect(6), [6, {}, "wamp.close.close_realm"]);
  assert.equal((await until("closed")).reason, "closed");
  assert.equal(one.subscription.state, "closed");
  await refusal;
  await peer.closed;
  clock.advance(3_600_000);
  assert.equal(router.count, 1);
  assert.equal(clock.timers.size, 0);
});

test("a client closed while it connects leaves no socket behind", async (t) => {
  const router = await Router.start(t);
  const { stork, until } = client(t, router);
  const peer = await router.accept();
  stork.close();
  await peer.closed;
  await until("closed");
});

// --- Silence and sleep --------------------------------------------------------------------------------------------------

test("after 30 s of silence the client asks whether the connection lives, after 60 s it reconnects", async (t) => {
  const { peer, clock, until } = await joined(t);
  clock.advance(30_000);
  const probe = await peer.expect(34);
  assert.equal(probe[2], UNUSED_ID);
  clock.advance(29_999);
  await peer.flushed();
  assert.deepEqual(peer.messages.items, []);
  clock.advance(1);
  assert.equal((await until("waiting")).reason, "silent");
});

test("an answered probe keeps the connection", async (t) => {
  const { peer, clock, stork } = await joined(t);
  for (let i = 0; i < 5; i += 1) {
    clock.advance(30_000);
    const [, request] = await peer.expect(34);
    peer.send([8, 34, request, {}, "wamp.error.no_such_subscription"]);
    await peer.flushed();
  }
  assert.equal(stork.state, "open");
});

test("any frame counts as a sign of life", async (t) => {
  const { peer, clock, stork, one } = await subscribed(t);
  for (let i = 1; i <= 10; i += 1) {
    clock.advance(29_000);
    peer.event(5, `e:${i}`);
    await one.events.next();
  }
  assert.equal(stork.state, "open");
});

test("a client that slept for minutes reconnects with its first timer", async (t) => {
  const { clock, until } = await joined(t);
  clock.sleep(600_000);
  clock.advance(0);
  assert.equal((await until("waiting")).reason, "silent");
});

for (const step of [-86_400_000, -600_000, -1000, 1000, 600_000, 86_400_000]) {
  test(`a wall clock that is set by ${step} ms ends no connection, and starts no new one`, async (t) => {
    const { peer, clock, stork, states } = await joined(t);
    clock.set = step;
    for (let i = 0; i < 5; i += 1) {
      clock.advance(5_000);
      if (i === 0 && step > 5_000) {
        const [, request] = await peer.expect(34); // it may have slept, and asks
        peer.send([8, 34, request, {}, "wamp.error.no_such_subscription"]);
      }
      await peer.flushed();
    }
    assert.equal(stork.state, "open");
    assert.deepEqual(peer.messages.items, []);
    assert.equal(states.items.length, 0);
  });
}

for (const step of [-86_400_000, -1000, 1000, 86_400_000]) {
  test(`a wall clock that is set by ${step} ms changes no time-out, whatever a client waits for`, async (t) => {
    const router = await Router.start(t);
    const { stork, clock, states, until } = client(t, router, { ticket: () => new Promise(() => {}) });
    await until("connecting");
    clock.advance(10_000);
    clock.set = step;
    clock.advance(19_999); // joining has 30 s
    assert.equal(states.items.length, 0);
    clock.advance(1);
    assert.equal((await until("waiting")).reason, "silent");
    clock.set = -step;
    clock.advance(499); // the first pause
    assert.equal(stork.state, "waiting");
    clock.advance(1);
    await until("connecting");
  });

  test(`a wall clock that is set by ${step} ms changes no time-out of a call`, async (t) => {
    const { stork, peer, clock } = await joined(t);
    let failed = null;
    const call = stork.call("io.example.hang", [], {}, { timeout: 4000 }).catch((error) => (failed = error));
    await peer.expect(48);
    clock.set = step;
    clock.advance(3999);
    await peer.flushed();
    assert.equal(failed, null);
    clock.advance(1);
    await call;
    assert.equal(failed.uri, "io.virge.stork.error.timeout");
  });
}

test("a machine that slept while its steady clock stood still asks, and reconnects after 10 s without an answer", async (t) => {
  const { peer, clock, until } = await joined(t);
  clock.set = 3_600_000;
  clock.advance(5_000);
  await peer.expect(34);
  clock.advance(10_000);
  assert.equal((await until("waiting")).reason, "silent");
});

test("without a clock of its own a client counts by performance.now, and by Date.now where there is none", async (t) => {
  for (const has of [true, false]) {
    const ordinary = globalThis.performance;
    const wall = Date.now;
    const asked = [];
    Object.defineProperty(globalThis, "performance", {
      configurable: true,
      writable: true,
      value: has ? { now: () => (asked.push("steady"), 1) } : undefined,
    });
    Date.now = () => (asked.push("wall"), 1);
    let now;
    try {
      const stork = connect({ url: "ws://127.0.0.1:9/ws", ticket: "secret", WebSocket });
      asked.length = 0;
      now = stork.clock.now();
      stork.close();
    } finally {
      Object.defineProperty(globalThis, "performance", { configurable: true, writable: true, value: ordinary });
      Date.now = wall;
    }
    assert.equal(now, 1);
    assert.equal(asked[0], has ? "steady" : "wall");
  }
});

/** A browser's events: returns what dispatches one. */
function fakeWindow(t, visibilityState) {
  const listeners = new Map();
  const target = { addEventListener: (name, run) => listeners.set(name, run), removeEventListener: (name) => listeners.delete(name) };
  globalThis.document = { ...target, visibilityState };
  globalThis.addEventListener = target.addEventListener;
  globalThis.removeEventListener = target.removeEventListener;
  t.after(() => {
    delete globalThis.document;
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  });
  return { fire: (type) => listeners.get(type)({ type }), listeners };
}

test("coming back online ends the wait", async (t) => {
  const { fire, listeners } = fakeWindow(t, "hidden");
  const { router, peer, stork, until } = await joined(t);
  peer.socket.terminate();
  await until("waiting");
  fire("visibilitychange");
  assert.equal(stork.state, "waiting");
  fire("online");
  await router.join();
  await until("open");
  stork.close();
  assert.equal(listeners.size, 0);
});

for (const type of ["online", "offline", "pageshow", "resume"]) {
  test(`at ${type} the client asks whether the connection lives, however lately something was heard`, async (t) => {
    const { fire } = fakeWindow(t, "visible");
    const { peer, clock, until } = await joined(t);
    fire(type);
    await peer.expect(34);
    clock.advance(10_000);
    assert.equal((await until("waiting")).reason, "silent");
  });
}

test("check() asks whether the connection lives, and tries again where there is none", async (t) => {
  const { peer, stork, router, until } = await joined(t);
  stork.check();
  await peer.expect(34);
  peer.socket.terminate();
  await until("waiting");
  stork.check();
  await router.join();
  await until("open");
});

test("a page that becomes visible asks at once, and gives the connection 10 s to answer", async (t) => {
  const { fire } = fakeWindow(t, "visible");
  const { peer, clock, until } = await joined(t);
  fire("visibilitychange");
  clock.sleep(20_000);
  fire("visibilitychange");
  await peer.expect(34);
  clock.advance(10_000);
  assert.equal((await until("waiting")).reason, "silent");
});

test("a page that becomes visible keeps a connection that answers", async (t) => {
  const { fire } = fakeWindow(t, "visible");
  const { peer, clock, stork } = await joined(t);
  clock.sleep(20_000);
  fire("visibilitychange");
  const [, request] = await peer.expect(34);
  peer.send([8, 34, request, {}, "wamp.error.no_such_subscription"]);
  await peer.flushed();
  clock.advance(29_000);
  assert.equal(stork.state, "open");
});

// --- Subscriptions ------------------------------------------------------------------------------------------------------

test("a handler gets the push, its position and its topic", async (t) => {
  const { stork, peer } = await joined(t);
  const got = new Queue();
  stork.subscribe(TOPIC, (...values) => got.push(values));
  await peer.admit(5, TOPIC);
  peer.event(5, "e:1", { n: 1 });
  assert.deepEqual(await got.next(), [{ type: "t", data: { n: 1 }, timestamp: "2026-01-01T00:00:00.000Z" }, "e:1", TOPIC]);
});

test("an event in the same piece of bytes as SUBSCRIBED is not lost", async (t) => {
  const { stork, peer } = await joined(t);
  const one = listen(stork);
  const [, request] = await peer.expect(32);
  peer.socket._socket.cork();
  peer.send([33, request, 5]);
  peer.event(5, "e:1");
  peer.socket._socket.uncork();
  assert.deepEqual(await one.events.next(), ["e:1", "e:1", TOPIC]);
});

test("repeated and late events are handed on once, in order", async (t) => {
  const { peer, one } = await subscribed(t);
  for (const position of ["e:3", "e:3", "e:2", "e:4", null, "e:1", "e:5"]) peer.event(5, position);
  const got = [];
  for (let i = 0; i < 4; i += 1) got.push((await one.events.next())[1]);
  assert.deepEqual(got, ["e:3", "e:4", null, "e:5"]);
  assert.equal(one.subscription.position, "e:5");
});

test("a handler that throws is reported, and stops nothing", async (t) => {
  const reported = t.mock.method(console, "error", () => {});
  const { peer, stork } = await joined(t);
  const bad = listen(stork, TOPIC, { onstate: () => { throw new Error("onstate"); } });
  const throwing = stork.subscribe(TOPIC, () => { throw new Error("handler"); });
  const one = listen(stork);
  for (let i = 0; i < 3; i += 1) await peer.admit(5, TOPIC);
  peer.event(5, "e:1");
  peer.event(5, "e:2");
  assert.equal((await bad.events.next())[1], "e:1");
  assert.equal((await one.events.next())[1], "e:1");
  assert.equal((await one.events.next())[1], "e:2");
  assert.equal(throwing.position, "e:2");
  const messages = reported.mock.calls.map(({ arguments: [error] }) => error.message);
  assert.equal(messages.filter((message) => message === "handler").length, 2);
});

test("a refused subscription is final: it is not asked for again", async (t) => {
  const { router, stork, peer, clock, until } = await joined(t);
  const refused = listen(stork, "v1.user.eve");
  const [, request] = await peer.expect(32);
  peer.send([8, 32, request, {}, "wamp.error.not_authorized", ["not yours"]]);
  const event = await refused.until("refused");
  assert.deepEqual([event.reason, event.uri, event.message], ["denied", "wamp.error.not_authorized", "not yours"]);
  const other = listen(stork);
  await peer.admit(5, TOPIC);
  await other.until("subscribed");
  peer.socket.terminate();
  await until("waiting");
  clock.advance(500);
  const next = await router.join();
  await next.admit(6, TOPIC);
  await next.recover("wamp.error.not_authorized");
  await next.flushed();
  assert.deepEqual(next.messages.items, []);
});

for (const uri of ["io.virge.stork.unavailable", "wamp.error.authorization_failed"]) {
  test(`a subscription that fails with ${uri} is tried again, with growing jittered delays`, async (t) => {
    const { stork, peer, clock } = await joined(t, { random: () => 1 });
    const one = listen(stork);
    for (const delay of [1000, 2000, 4000]) {
      const [, request] = await peer.expect(32);
      peer.send([8, 32, request, {}, uri]);
      const event = await one.until("waiting");
      assert.deepEqual([event.reason, event.delay], ["unavailable", delay]);
      clock.advance(delay);
    }
    await peer.admit(5, TOPIC);
    await one.until("subscribed");
    assert.equal(stork.state, "open");
  });
}

test("any other error refuses the subscription", async (t) => {
  const { stork, peer } = await joined(t);
  const one = listen(stork, "v1.orders.", { match: "prefix" });
  const [, request, options] = await peer.expect(32);
  assert.deepEqual(options, { match: "prefix" });
  peer.send([8, 32, request, {}, "wamp.error.option_not_allowed"]);
  assert.equal((await one.until("refused")).reason, "refused");
});

test("what is not a topic is refused without asking: it would cost the connection", async (t) => {
  const { stork, peer } = await joined(t);
  const one = listen(stork, "not a topic");
  assert.equal((await one.until("refused")).reason, "invalid_topic");
  await peer.flushed();
  assert.deepEqual(peer.messages.items, []);
});

test("a subscription that the router takes back is refused as revoked", async (t) => {
  const { peer, one } = await subscribed(t);
  peer.send([35, 0, { subscription: 5, reason: "io.example.moved" }]);
  const event = await one.until("refused");
  assert.deepEqual([event.reason, event.uri], ["revoked", "io.example.moved"]);
});

test("handlers of one topic share a subscription, which goes with the last of them", async (t) => {
  const { stork, peer } = await joined(t);
  const first = listen(stork);
  const second = listen(stork);
  await peer.admit(5, TOPIC);
  await peer.admit(5, TOPIC);
  await second.until("subscribed");
  peer.event(5, "e:1");
  await first.events.next();
  await second.events.next();
  first.subscription.unsubscribe();
  peer.event(5, "e:2");
  assert.equal((await second.events.next())[1], "e:2");
  assert.deepEqual(first.events.items, []);
  stork.unsubscribe(TOPIC);
  assert.equal(second.subscription.state, "closed");
  let message;
  do message = await peer.receive();
  while (message[0] === 48);
  assert.deepEqual([message[0], message[2]], [34, 5]);
  await peer.flushed();
  assert.deepEqual(peer.messages.items, []);
});

test("a subscription given up before SUBSCRIBED is given back", async (t) => {
  const { stork, peer } = await joined(t);
  stork.subscribe(TOPIC, () => {}).unsubscribe();
  await peer.admit(5, TOPIC);
  assert.equal((await peer.expect(34))[2], 5);
});

test("the last handler leaving while another's SUBSCRIBE is on its way does not end that one", async (t) => {
  const { stork, peer, one } = await subscribed(t);
  const second = listen(stork);
  one.subscription.unsubscribe();
  await peer.admit(5, TOPIC);
  await second.until("subscribed");
  peer.event(5, "e:1");
  assert.equal((await second.events.next())[1], "e:1");
  await peer.flushed();
  assert.ok(!peer.messages.items.some(([type]) => type === 34));
});

test("… and where that one is refused, the subscription is given back", async (t) => {
  const { stork, peer, one } = await subscribed(t);
  listen(stork);
  one.subscription.unsubscribe();
  const [, request] = await peer.expect(32);
  peer.send([8, 32, request, {}, "wamp.error.not_authorized"]);
  assert.equal((await peer.expect(34))[2], 5);
});

test("events of a pattern come with their own topic and keep a position for each", async (t) => {
  const { stork, peer } = await joined(t);
  const one = listen(stork, "v1.orders.", { match: "prefix" });
  await peer.admit(5, "v1.orders.");
  peer.event(5, "e:7", "a", { topic: "v1.orders.1" });
  peer.event(5, "e:7", "b", { topic: "v1.orders.2" });
  peer.event(5, "e:7", "again", { topic: "v1.orders.1" });
  peer.event(5, "e:8", "c", { topic: "v1.orders.1" });
  assert.deepEqual(await one.events.next(), ["a", "e:7", "v1.orders.1"]);
  assert.deepEqual(await one.events.next(), ["b", "e:7", "v1.orders.2"]);
  assert.deepEqual(await one.events.next(), ["c", "e:8", "v1.orders.1"]);
});

test("an id that meant another topic on the last connection means nothing on the next", async (t) => {
  const { router, stork, peer, clock, until } = await joined(t);
  const a = listen(stork, "v1.test.a");
  const b = listen(stork, "v1.test.b");
  await peer.admit(5, "v1.test.a");
  await peer.admit(6, "v1.test.b");
  await b.until("subscribed");
  peer.socket.terminate();
  await until("waiting");
  clock.advance(500);
  const next = await router.join();
  await next.admit(6, "v1.test.a");
  await next.expect(32);
  await next.recover("wamp.error.no_such_procedure");
  next.event(6, "e:1", "for a");
  assert.equal((await a.events.next())[0], "for a");
  await next.flushed();
  assert.deepEqual(b.events.items, []);
});

// --- Calls --------------------------------------------------------------------------------------------------------------

test("a call resolves to its first result, or to all of them", async (t) => {
  const { stork, peer } = await joined(t);
  const one = stork.call("virge.stork.example.foo", [], { name: "stork" });
  const [, request, options, uri, args, kwargs] = await peer.expect(48);
  assert.deepEqual([options, uri, args, kwargs], [{}, "virge.stork.example.foo", [], { name: "stork" }]);
  peer.send([50, request, {}, [{ bar: "stork" }]]);
  assert.deepEqual(await one, { bar: "stork" });
  const many = stork.call("a.b");
  peer.send([50, (await peer.expect(48))[1], {}, [1, 2], { k: 3 }]);
  assert.deepEqual(await many, { args: [1, 2], kwargs: { k: 3 } });
});

test("a call's ERROR is a StorkError with the callee's URI, arguments and text", async (t) => {
  const { stork, peer } = await joined(t);
  const called = stork.call("a.b");
  peer.send([8, 48, (await peer.expect(48))[1], {}, "io.example.error.x", ["too much"], { limit: 3 }]);
  await assert.rejects(called, { name: "StorkError", uri: "io.example.error.x", args: ["too much"], kwargs: { limit: 3 } });
});

const circular = {};
circular.self = circular;
for (const [name, ...values] of [
  ["a big integer", "a.b", [10n ** 18n]],
  ["what refers to itself", "a.b", [circular]],
  ["a value that throws", "a.b", [], { value: { toJSON() { throw new TypeError("no"); } } }],
  ["text that was cut within a character", "a.b", ["😀".slice(0, 1)]],
  ["a name that was cut within a character", "a.b", [], { ["😀".slice(1)]: 1 }],
  ["arguments that are no array", "a.b", "text"],
  ["keyword arguments that are no object", "a.b", [], [1]],
  ["null for keyword arguments", "a.b", [], null],
  ["no URI", undefined],
  ["a URI with a space", "a b"],
  ["a URI with an empty part", "a..b"],
]) {
  test(`a call with ${name} is rejected alone, and at once`, async (t) => {
    const router = await Router.start(t);
    const { stork } = client(t, router);
    const before = stork.call("io.example.first");
    await assert.rejects(stork.call(...values), TypeError);
    const after = stork.call("io.example.second");
    const peer = await router.join();
    for (const uri of ["io.example.first", "io.example.second"]) {
      const [, request, , asked] = await peer.expect(48);
      assert.equal(asked, uri);
      peer.send([50, request, {}, [uri]]);
    }
    assert.deepEqual(await Promise.all([before, after]), ["io.example.first", "io.example.second"]);
  });
}

test("a call waits for a connection; one that was sent is lost with its own", async (t) => {
  const router = await Router.start(t);
  const { stork, clock, until } = client(t, router);
  const early = stork.call("early");
  const peer = await router.join();
  assert.equal((await peer.expect(48))[3], "early");
  peer.socket.terminate();
  await assert.rejects(early, { uri: "io.virge.stork.error.lost" });
  await until("waiting");
  const later = stork.call("later");
  clock.advance(500);
  const next = await router.join();
  const [, request] = await next.expect(48);
  next.send([50, request, {}, ["done"]]);
  assert.equal(await later, "done");
});

test("a call that is not answered in time is rejected, without a CANCEL", async (t) => {
  const { stork, peer, clock } = await joined(t);
  const called = stork.call("slow", [], {}, { timeout: 1000 });
  await peer.expect(48);
  clock.advance(1000);
  await assert.rejects(called, { uri: "io.virge.stork.error.timeout" });
  await peer.flushed();
  assert.deepEqual(peer.messages.items, []);
});

// --- Recovery -----------------------------------------------------------------------------------------------------------

const missed = (...positions) => positions.map((position) => ({ position, type: "t", data: position, timestamp: "now" }));

/** A subscribed client whose position is e:10, reconnected: `next` is the new connection, its SUBSCRIBE admitted. */
async function reconnected(t, before = { [TOPIC]: { recovered: false, position: "e:10", events: [] } }) {
  const all = await subscribed(t, before);
  await all.peer.flushed();
  if (all.one.subscription.position === null) {
    all.peer.event(5, "e:10");
    await all.one.events.next();
  }
  all.peer.socket.terminate();
  await all.until("waiting");
  all.clock.advance(500);
  const next = await all.router.join(78);
  await next.admit(6, TOPIC);
  await all.one.until("subscribed");
  return { ...all, next };
}

test("the first subscription asks for a position, and tells of no gap", async (t) => {
  const { peer, one, asked } = await subscribed(t, { [TOPIC]: { recovered: false, position: "e:10", events: [] } });
  assert.deepEqual(asked, { [TOPIC]: null });
  await peer.flushed();
  assert.equal(one.subscription.position, "e:10");
  assert.deepEqual(one.recovered.items, []);
});

test("after a reconnect, what was missed is handed on before what comes now, each once", async (t) => {
  const { next, one, stork } = await reconnected(t);
  const told = new Queue();
  stork.on("recovered", (...values) => told.push(values));
  for (const position of ["e:12", "e:13", "e:14"]) next.event(6, position);
  await next.flushed();
  assert.deepEqual(one.events.items, []);
  const asked = await next.recover({ [TOPIC]: { recovered: true, position: "e:13", events: missed("e:11", "e:12", "e:13") } });
  assert.deepEqual(asked, { [TOPIC]: "e:10" });
  for (const position of ["e:11", "e:12", "e:13", "e:14"]) assert.equal((await one.events.next())[1], position);
  assert.deepEqual(await one.recovered.next(), [TOPIC, true, "e:14"]);
  assert.deepEqual(await told.next(), [TOPIC, true, "e:14"]);
});

test("a gap is told before what comes after it", async (t) => {
  const order = [];
  const { peer, router, clock, until, one } = await subscribed(t, { [TOPIC]: { recovered: false, position: "e:10", events: [] } }, {
    onrecovered: (...values) => order.push(values),
  });
  await peer.flushed();
  peer.socket.terminate();
  await until("waiting");
  clock.advance(500);
  const next = await router.join();
  await next.admit(6, TOPIC);
  one.subscription.handler = (push, position) => order.push(position);
  for (const position of ["f:4", "f:5"]) next.event(6, position);
  await next.recover({ [TOPIC]: { recovered: false, position: "f:4", events: [] } });
  await next.flushed();
  assert.deepEqual(order, [[TOPIC, false, "f:4"], "f:5"]);
});

test("more pages are asked for until the last", async (t) => {
  const { next, one } = await reconnected(t);
  next.event(6, "e:15");
  await next.recover({ [TOPIC]: { recovered: true, position: "e:12", events: missed("e:11", "e:12"), more: true } });
  await next.expect(32); // the beat
  const asked = await next.recover({ [TOPIC]: { recovered: true, position: "e:15", events: missed("e:14", "e:15") } });
  assert.deepEqual(asked, { [TOPIC]: "e:12" });
  for (const position of ["e:11", "e:12", "e:14", "e:15"]) assert.equal((await one.events.next())[1], position);
  assert.deepEqual(await one.recovered.next(), [TOPIC, true, "e:15"]);
  await next.flushed();
  assert.deepEqual(one.recovered.items, []);
});

test("a node that is not ready is asked again, and events wait", async (t) => {
  const { next, one, clock } = await reconnected(t);
  next.event(6, "e:11");
  for (let i = 0; i < 2; i += 1) {
    await next.recover("io.virge.stork.not_ready");
    await next.flushed();
    assert.deepEqual(one.events.items, []);
    clock.advance(500);
  }
  await next.recover({ [TOPIC]: { recovered: true, position: "e:11", events: missed("e:11") } });
  assert.equal((await one.events.next())[1], "e:11");
  assert.deepEqual(await one.recovered.next(), [TOPIC, true, "e:11"]);
});

test("a node that never answers recover is left after 30 s", async (t) => {
  const { next, clock, until } = await reconnected(t);
  await next.expect(48);
  clock.advance(29_000);
  next.event(6, "e:11");
  await next.flushed();
  clock.advance(1_000);
  assert.equal((await until("waiting")).reason, "silent");
});

for (const uri of ["wamp.error.no_such_procedure", "wamp.error.not_authorized"]) {
  test(`a node without recovery (${uri}): events go on, and a gap is told where a position was held`, async (t) => {
    const { next, one } = await reconnected(t, uri);
    next.event(6, "e:11");
    await next.recover(uri);
    assert.deepEqual(await one.recovered.next(), [TOPIC, false, "e:10"]);
    assert.equal((await one.events.next())[1], "e:11");
    assert.equal((await next.flushed(), next.messages.items.length), 0);
  });
}

test("what can never be answered is told as a gap, and not asked again", async (t) => {
  const { next, one, clock } = await reconnected(t);
  next.event(6, "e:11");
  await next.recover("wamp.error.invalid_argument");
  await next.recover("wamp.error.invalid_argument"); // asked as a node of an earlier release takes it
  assert.deepEqual(next.options, {});
  assert.deepEqual(await one.recovered.next(), [TOPIC, false, "e:10"]);
  assert.equal((await one.events.next())[1], "e:11");
  await next.expect(32); // the beat
  clock.advance(20_000);
  assert.equal((await next.flushed(), next.messages.items.length), 0);
});

test("more topics than a node answers at once are asked for in portions", async (t) => {
  const { stork, peer } = await joined(t);
  const topics = Array.from({ length: 1_104 }, (_, i) => `v1.orders.${i}`);
  const all = topics.map((topic) => listen(stork, topic, { since: "e:1" }));
  for (let i = 0; i < topics.length; i += 1) await peer.admit(1000 + i, topics[i]);
  const answer = (positions) => Object.fromEntries(Object.keys(positions).map((topic) => [topic, { recovered: true, position: "e:9", events: [] }]));
  const calls = [], sizes = [];
  const next = async () => {
    const call = await peer.expect(48);
    sizes.push(Object.keys(call[4][0]).length);
    calls.push(call);
  };
  for (let i = 0; i < 4; i += 1) await next(); // the others gather meanwhile
  await peer.flushed();
  for (let isFirst = true; calls.length; isFirst = false) {
    const [, request, , , [positions]] = calls.shift();
    peer.send([50, request, {}, [answer(positions)]]);
    if (isFirst) await peer.expect(32); // the beat
    if (sizes.reduce((one, other) => one + other) < topics.length) await next();
  }
  assert.deepEqual(sizes, [1, 1, 1, 1, 1000, 100]);
  assert.deepEqual(await all.at(-1).recovered.next(), [topics.at(-1), true, "e:9"]);
});

const PATTERN = "v1.orders.";

/** A pattern that has met a beat at e:100, and two events since, on a connection that is gone; the next connection. */
async function patternOnItsNextConnection(t) {
  const all = await joined(t);
  const { stork, peer, router, clock, until } = all;
  const one = listen(stork, PATTERN, { match: "prefix" });
  await peer.admit(5, PATTERN);
  assert.deepEqual(await peer.recover({ [PATTERN]: { recovered: false, position: "e:1", events: [] } }), { [PATTERN]: null });
  assert.deepEqual(peer.options.patterns, { [PATTERN]: "prefix" });
  await peer.admit(9, "io.virge.stork.beat");
  for (let i = 2; i < 100; i += 1) peer.event(5, `e:${i}`, i, { topic: `${PATTERN}${i}` });
  for (let i = 2; i < 100; i += 1) await one.events.next();
  peer.event(9, "e:100", null);
  peer.event(5, "e:101", "a", { topic: "v1.orders.1" });
  peer.event(5, "e:102", "b", { topic: "v1.orders.2" });
  for (let i = 0; i < 2; i += 1) await one.events.next();
  peer.socket.terminate();
  await until("waiting");
  clock.advance(500);
  const next = await router.join(78);
  await next.admit(6, PATTERN);
  return { ...all, one, next };
}

const of = (topic, position, data) => ({ topic, position, type: "t", data, timestamp: "2026-01-31T12:00:00.000Z" });

test("a pattern asks from what a beat has covered, and gets also topics that are new", async (t) => {
  const { one, next } = await patternOnItsNextConnection(t);
  next.event(6, "e:106", "held", { topic: "v1.orders.2" });
  const events = [of("v1.orders.1", "e:101", "again"), of("v1.orders.2", "e:102", "again"), of("v1.orders.new", "e:103", "c")];
  const page = { recovered: true, position: "e:103", events, more: true };
  assert.deepEqual(await next.recover({ [PATTERN]: page }), { [PATTERN]: "e:100" });
  await next.expect(32); // the beat
  const rest = { recovered: true, position: "e:105", events: [of("v1.orders.1", "e:105", "d"), of("v1.orders.2", "e:105", "e")] };
  assert.deepEqual(await next.recover({ [PATTERN]: rest }), { [PATTERN]: "e:103" });
  const got = [];
  for (let i = 0; i < 4; i += 1) got.push(await one.events.next());
  assert.deepEqual(got.map(([data, position, topic]) => [data, position, topic]), [
    ["c", "e:103", "v1.orders.new"],
    ["d", "e:105", "v1.orders.1"],
    ["e", "e:105", "v1.orders.2"],
    ["held", "e:106", "v1.orders.2"],
  ]);
  assert.deepEqual(await one.recovered.next(), [PATTERN, true, "e:105"]);
});

test("a pattern whose history is gone is told so, once", async (t) => {
  const { one, next } = await patternOnItsNextConnection(t);
  next.event(6, "f:7", "part of the state", { topic: "v1.orders.2" });
  next.event(6, "f:8", "later", { topic: "v1.orders.2" });
  await next.recover({ [PATTERN]: { recovered: false, position: "f:7", events: [] } });
  assert.deepEqual(await one.recovered.next(), [PATTERN, false, "f:7"]);
  assert.deepEqual((await one.events.next()).slice(0, 2), ["later", "f:8"]);
});

test("a node that knows no recovery of patterns leaves a gap", async (t) => {
  const { one, next } = await patternOnItsNextConnection(t);
  await next.recover("wamp.error.invalid_argument");
  assert.deepEqual(await one.recovered.next(), [PATTERN, false, "e:100"]);
});

test("topics of many subscriptions are asked for together", async (t) => {
  const { stork, peer } = await joined(t);
  const topics = Array.from({ length: 100 }, (_, i) => `v1.orders.${i}`);
  const all = topics.map((topic) => listen(stork, topic, { since: "e:1" }));
  for (let i = 0; i < 100; i += 1) await peer.admit(1000 + i, topics[i]);
  const answer = (positions) => Object.fromEntries(Object.keys(positions).map((topic) => [topic, { recovered: true, position: "e:9", events: [] }]));
  const first = [];
  for (let i = 0; i < 4; i += 1) first.push(await peer.expect(48)); // no more at the same time: the others gather meanwhile
  await peer.flushed();
  assert.equal(peer.messages.items.length, 0);
  for (const [, request, , , [positions]] of first) peer.send([50, request, {}, [answer(positions)]]);
  await peer.expect(32); // the beat
  let asked = 4;
  while (asked < 100) {
    const [, request, , , [positions]] = await peer.expect(48);
    asked += Object.keys(positions).length;
    peer.send([50, request, {}, [answer(positions)]]);
  }
  for (const { recovered } of all) assert.deepEqual((await recovered.next()).slice(1), [true, "e:9"]);
  assert.equal(asked, 100);
});

test("two subscriptions at different positions of one topic are asked for apart", async (t) => {
  const { stork, peer } = await joined(t);
  const all = ["e:3", "e:5"].map((since) => listen(stork, TOPIC, { since }));
  await peer.admit(5, TOPIC);
  await peer.admit(5, TOPIC);
  for (const position of ["e:3", "e:5"]) {
    assert.deepEqual(await peer.recover({ [TOPIC]: { recovered: true, position: "e:9", events: [] } }), { [TOPIC]: position });
  }
  for (const { recovered } of all) assert.deepEqual(await recovered.next(), [TOPIC, true, "e:9"]);
});

test("a topic that gets none of an answer's bytes is asked for again", async (t) => {
  const { stork, peer } = await joined(t);
  const one = listen(stork, "v1.a.1", { since: "e:1" });
  const two = listen(stork, "v1.a.2", { since: "e:1" });
  const taken = [];
  for (let i = 0; i < 4; i += 1) taken.push(listen(stork, `v1.b.${i}`, { since: "e:1" }));
  const ids = { "v1.a.1": 1, "v1.a.2": 2 };
  const requests = new Map();
  for (let i = 0; i < 6; i += 1) {
    const [, request, , topic] = await peer.expect(32);
    requests.set(topic, request);
  }
  // Those of b first, so that both of a wait and are asked for together.
  for (let i = 0; i < 4; i += 1) peer.send([33, requests.get(`v1.b.${i}`), 10 + i]);
  for (const [topic, id] of Object.entries(ids)) peer.send([33, requests.get(topic), id]);
  for (let i = 0; i < 4; i += 1) await peer.recover({ [`v1.b.${i}`]: { recovered: true, position: "e:1", events: [] } });
  await peer.expect(32); // the beat
  const event = (position) => ({ position, type: "t", data: position, timestamp: "now" });
  const asked = await peer.recover({
    "v1.a.1": { recovered: true, position: "e:8", events: [event("e:8")], more: true },
    "v1.a.2": { recovered: true, position: "e:1", events: [], more: true },
  });
  assert.deepEqual(asked, { "v1.a.1": "e:1", "v1.a.2": "e:1" });
  const again = await peer.recover({
    "v1.a.1": { recovered: true, position: "e:9", events: [] },
    "v1.a.2": { recovered: true, position: "e:9", events: [event("e:9")] },
  });
  assert.deepEqual(again, { "v1.a.1": "e:8", "v1.a.2": "e:1" });
  assert.deepEqual(await one.recovered.next(), ["v1.a.1", true, "e:9"]);
  assert.deepEqual(await two.recovered.next(), ["v1.a.2", true, "e:9"]);
});

test("a line that is too slow for an answer gets smaller ones, and a node is told of earlier sessions", async (t) => {
  const { stork, peer, router, clock, until } = await joined(t);
  listen(stork, TOPIC, { since: "e:3" });
  let next = peer;
  const options = [];
  for (const session of [78, 79, 80, 81]) {
    await next.admit(5, TOPIC);
    options.push((await next.expect(48))[5]);
    clock.advance(30_000);
    assert.equal((await until("waiting")).reason, "silent");
    clock.advance(500);
    next = await router.join(session);
    await until("open");
  }
  assert.deepEqual(options.map(({ max_bytes }) => max_bytes), [262144, 65536, 16384, 16384]);
  assert.deepEqual(options.map(({ sessions }) => sessions), [undefined, [77], [77, 78], [77, 78, 79]]);
});

test("a topic that is missing in the answer is told as a gap", async (t) => {
  const { next, one } = await reconnected(t);
  await next.recover({});
  assert.deepEqual(await one.recovered.next(), [TOPIC, false, "e:10"]);
});

test("an answer that makes no sense is told as a gap", async (t) => {
  for (const answer of [7, [], { [TOPIC]: 5 }, { [TOPIC]: { recovered: "yes", events: 7 } }]) {
    const { next, one } = await reconnected(t);
    await next.recover(answer);
    assert.deepEqual(await one.recovered.next(), [TOPIC, false, "e:10"]);
  }
});

test("since starts from the position that came with the page", async (t) => {
  const answer = { [TOPIC]: { recovered: true, position: "e:6", events: missed("e:5", "e:6") } };
  const { one, asked } = await subscribed(t, answer, { since: "e:4" });
  assert.deepEqual(asked, { [TOPIC]: "e:4" });
  assert.equal((await one.events.next())[1], "e:5");
  assert.equal((await one.events.next())[1], "e:6");
  assert.deepEqual(await one.recovered.next(), [TOPIC, true, "e:6"]);
});

test("a connection cut while recovering loses nothing: the next one asks from the same position", async (t) => {
  const { next, one, clock, router, until } = await reconnected(t);
  next.event(6, "e:12");
  await next.flushed();
  next.socket.terminate();
  await until("waiting");
  clock.advance(20_000);
  const third = await router.join(79);
  await third.admit(7, TOPIC);
  const asked = await third.recover({ [TOPIC]: { recovered: true, position: "e:12", events: missed("e:11", "e:12") } });
  assert.deepEqual(asked, { [TOPIC]: "e:10" });
  assert.equal((await one.events.next())[1], "e:11");
  assert.equal((await one.events.next())[1], "e:12");
});

test("the beat is subscribed where the node recovers, and raises the positions of quiet topics", async (t) => {
  const { peer, one } = await subscribed(t, { [TOPIC]: { recovered: false, position: "e:10", events: [] } });
  await peer.admit(9, "io.virge.stork.beat");
  peer.send([36, 9, 1, {}, [], { position: "e:900" }]);
  await peer.flushed();
  assert.equal(one.subscription.position, "e:900");
  assert.deepEqual(one.events.items, []);
});

test("a beat does not raise the position of a topic that is not subscribed again yet", async (t) => {
  const { peer, one, stork, router, clock, until } = await subscribed(t, { [TOPIC]: { recovered: false, position: "e:10", events: [] } });
  listen(stork, "v1.orders.43");
  await peer.expect(32); // the beat
  await peer.flushed();
  peer.socket.terminate();
  await until("waiting");
  clock.advance(500);
  const next = await router.join(78);
  const [, request] = await next.expect(32);
  next.send([8, 32, request, {}, "io.virge.stork.unavailable"]);
  await next.admit(7, "v1.orders.43");
  await next.recover({ "v1.orders.43": { recovered: false, position: "e:20", events: [] } });
  await next.admit(9, "io.virge.stork.beat");
  next.send([36, 9, 1, {}, [], { position: "e:20" }]);
  await next.flushed();
  assert.equal(one.subscription.position, "e:10");
  clock.advance(500);
  await next.admit(6, TOPIC);
  const asked = await next.recover({ [TOPIC]: { recovered: true, position: "e:20", events: missed("e:11") } });
  assert.deepEqual(asked, { [TOPIC]: "e:10" });
  assert.equal((await one.events.next())[1], "e:11");
});

test("a refused beat changes nothing", async (t) => {
  const { peer, stork, one } = await subscribed(t, { [TOPIC]: { recovered: false, position: "e:10", events: [] } });
  const [, request] = await peer.expect(32);
  peer.send([8, 32, request, {}, "wamp.error.not_authorized"]);
  peer.event(5, "e:11");
  assert.equal((await one.events.next())[1], "e:11");
  assert.equal(stork.state, "open");
});

test("an application that closes the client in the middle of a recovery gets no further event", async (t) => {
  const { next, one, stork } = await reconnected(t);
  const got = [];
  one.subscription.handler = (push, position) => {
    got.push(position);
    stork.close();
  };
  await next.recover({ [TOPIC]: { recovered: true, position: "e:12", events: missed("e:11", "e:12") } });
  await next.closed;
  assert.deepEqual(got, ["e:11"]);
  assert.deepEqual(one.recovered.items, []);
});
