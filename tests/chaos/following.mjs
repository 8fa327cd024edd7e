/** Subscribers with stork.js: `node tests/chaos/following.mjs URL`; reads and writes what following.py does. */
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { connect } from "../../node/js/stork.mjs";

const { WebSocket } = createRequire(new URL("../js/package.json", import.meta.url))("ws");
const [url] = process.argv.slice(2);
const followers = new Map();

function say(who, kind, what) {
  process.stdout.write(`${JSON.stringify({ who, kind, ...what, at: Date.now() / 1000 })}\n`);
}

function follow(who, topics) {
  const stork = connect({ url, ticket: who, authid: who, WebSocket });
  stork.on("state", ({ state, reason }) => say(who, "state", { state, reason: reason ?? "" }));
  const subscriptions = Object.entries(topics).map(([name, since]) =>
    stork.subscribe(name, (push, position, topic) => say(who, "got", { topic, id: push.data.id, position }), {
      since,
      onrecovered: (topic, ok, position) => say(who, "recovered", { topic, ok, position }),
    }));
  let unknown = subscriptions;
  const looking = setInterval(() => {
    for (const { topic, position } of unknown.filter((each) => each.position)) say(who, "start", { topic, position });
    unknown = unknown.filter((each) => !each.position);
    if (!unknown.length) clearInterval(looking);
  }, 50);
  followers.set(who, () => {
    clearInterval(looking);
    for (const subscription of subscriptions) {
      subscription.unsubscribe();
      say(who, "left", { topic: subscription.topic });
    }
    stork.close();
  });
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { op, who, topics } = JSON.parse(line);
  if (op === "follow") {
    follow(who, topics);
  } else {
    followers.get(who)();
    followers.delete(who);
  }
});
lines.on("close", () => process.exit(0)); // the end of the run, at which nobody leaves
