import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { test } from "node:test";
import { connect } from "../../node/js/stork.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

test("what an application writes compiles with stork.d.ts", { timeout: 120_000 }, async () => {
  const options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom"];
  const { stdout } = await promisify(execFile)(process.execPath, [here("node_modules/typescript/bin/tsc"), ...options, here("usage.ts")])
    .catch((error) => error);
  assert.equal(stdout, "");
});

test("the types name what a client and a subscription have", async (t) => {
  const stork = connect({ url: "ws://127.0.0.1:9/", ticket: "a", WebSocket: class { close() {} } });
  t.after(() => stork.close());
  const subscription = stork.subscribe("v1.a.b", () => {});
  for (const name of ["state", "session", "on", "subscribe", "unsubscribe", "call", "retry", "close"]) assert.ok(name in stork, name);
  for (const name of ["topic", "state", "reason", "position", "unsubscribe"]) assert.ok(name in subscription, name);
});
