// Compiled by types.test.mjs, never run: what an application writes.
import { connect, feedId, StorkError, type Position, type StateEvent } from "../../node/js/stork.mjs";
import PusherModule from "pusher-js";
import { recover } from "../../node/js/stork-pusher.mjs";

const pusher = recover(new PusherModule.default("key", { cluster: "" }), {
  onrecovered: (channel, ok) => console.log(channel.toUpperCase(), ok ? 1 : 0),
});
pusher.subscribe("orders.42");
// @ts-expect-error: no client of pusher-js
recover({ connection: {} });

const stork = connect({ url: "wss://example.org/ws", ticket: async ({ expired }) => (expired ? "new" : "cached"), authid: "joe" });

const stop: () => void = stork.on("state", ({ state, reason, delay }: StateEvent) => {
  if (state === "waiting" && delay !== undefined) console.log(reason, delay / 1000);
});
stork.on("recovered", (topic, ok) => console.log(topic, ok));

const orders = stork.subscribe<{ id: number }>(
  "v1.orders.42",
  (push, position, topic) => console.log(push.type, push.data.id.toFixed(), position, topic),
  { since: "e:12", onrecovered: (topic, ok, position) => console.log(topic, ok, position), onstate: ({ reason }) => console.log(reason) },
);
const last: Position | null = orders.position;
stork.unsubscribe(orders);
stork.unsubscribe("v1.orders.42");

const answer = await stork.call<{ bar: string }>("virge.stork.example.foo", [], { name: "x" }, { timeout: 1000 });
console.log(answer.bar, last, stork.session?.authid, new StorkError("a.b") instanceof Error);
stop();
stork.check();
stork.reopen({ ticket: "/my-ticket" });
stork.reopen({ ticket: { value: "/9j/4AAQ" } });
stork.reopen({ ticket: { address: "my-ticket" } });
const topic: string = `v1.user.${feedId("ann@example.com")}`;
console.log(topic);
stork.retry();
stork.close();

// @ts-expect-error: a ticket is needed
connect({ url: "wss://example.org/ws" });
// @ts-expect-error: no such event
stork.on("sate", () => {});
// @ts-expect-error: no such match
stork.subscribe("v1.orders.", () => {}, { match: "regex" });
