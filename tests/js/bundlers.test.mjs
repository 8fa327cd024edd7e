// The npm package, as `npm pack` makes it, in Vite and in webpack: all of it where it is used, nothing where it is not.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { build } from "vite";
import webpack from "webpack";

const folder = mkdtempSync(join(tmpdir(), "stork-bundlers-"));
const installed = join(folder, "node_modules/stork-node-client");
const packed = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", folder], { cwd: "../../node/js" }));
mkdirSync(installed, { recursive: true });
execFileSync("tar", ["-xzf", join(folder, packed[0].filename), "-C", installed, "--strip-components=1"]);
after(() => rmSync(folder, { recursive: true }));

const SOURCES = {
  import: `import { connect, feedId } from "stork-node-client"; globalThis.made = [typeof connect, feedId("a.b")];`,
  "default import": `import Stork from "stork-node-client"; globalThis.made = [typeof Stork.connect, Stork.feedId("a.b")];`,
  "dynamic import": `import("stork-node-client").then(({ connect, feedId }) => { globalThis.made = [typeof connect, feedId("a.b")]; });`,
  pusher: `import { recover } from "stork-node-client/pusher"; globalThis.made = [typeof recover, "a~2Eb"];`,
  "require pusher": `const { recover } = require("stork-node-client/pusher"); globalThis.made = [typeof recover, "a~2Eb"];`,
  require: `const { connect, feedId } = require("stork-node-client"); globalThis.made = [typeof connect, feedId("a.b")];`,
  unused: `import { connect } from "stork-node-client"; globalThis.made = [typeof fetch];`,
};

const BUNDLERS = {
  async vite(root, entry) {
    await build({
      root,
      configFile: false,
      logLevel: "error",
      build: { outDir: "out", rollupOptions: { input: entry, output: { entryFileNames: "main.js" } }, modulePreload: false },
    });
  },
  webpack(context, entry) {
    return new Promise((resolve, reject) => {
      const output = { path: join(context, "out"), filename: "main.js", publicPath: "" };
      webpack({ mode: "production", target: "web", context, entry, output }, (error, stats) => {
        if (error || stats.hasErrors() || stats.hasWarnings()) reject(error ?? new Error(stats.toString()));
        else resolve();
      });
    });
  },
};

function text(out) {
  return readdirSync(out, { recursive: true }).filter((name) => name.endsWith(".js")).map((name) => readFileSync(join(out, name), "utf8")).join("\n");
}

test("the package has the client, its types, and nothing else", () => {
  const files = packed[0].files.map(({ path }) => path).sort();
  const kinds = ["d.mts", "d.ts", "js", "mjs"];
  const clients = ["stork-pusher", "stork"].flatMap((name) => kinds.map((kind) => `${name}.${kind}`));
  assert.deepEqual(files, ["package.json", ...clients]);
});

for (const [bundler, bundle] of Object.entries(BUNDLERS)) {
  for (const [kind, source] of Object.entries(SOURCES)) {
    if (bundler === "vite" && kind.startsWith("require")) continue; // Vite takes ES modules only
    test(`${bundler} bundles ${kind}`, async () => {
      const root = mkdtempSync(join(folder, `${bundler}-`));
      writeFileSync(join(root, "package.json"), "{}");
      const entry = join(root, "main.js");
      writeFileSync(entry, source);
      await bundle(root, entry);
      const code = text(join(root, "out"));
      assert.equal(code.includes("wamp.2.json"), kind !== "unused" && !kind.includes("pusher"));
      assert.equal(code.includes("stork_beat"), kind.includes("pusher"));
      if (kind === "dynamic import") return; // its chunk loads in a page only
      globalThis.made = null;
      await import(`data:text/javascript,${encodeURIComponent(code)}`);
      assert.deepEqual(globalThis.made, kind === "unused" ? ["function"] : ["function", globalThis.made[1]]);
      if (kind !== "unused") assert.match(globalThis.made[1], /^[\w\-:@~]+$/);
    });
  }
}
