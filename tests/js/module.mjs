// stork.mjs is made of stork.js: the same code, as a module. `node tests/js/module.mjs` writes it.
import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";

const SCRIPT = new URL("../../node/js/stork.js", import.meta.url);
export const MODULE = new URL("../../node/js/stork.mjs", import.meta.url);

const BEGIN = '(function (global) {\n  "use strict";\n';
const END = `  global.Stork = Stork;
  if (typeof module === "object" && module.exports) module.exports = Stork;
})(globalThis);
`;
const HEAD = `// stork.js as an ES module: import { connect } from "/stork.mjs". Made by tests/js/module.mjs: change stork.js.

const global = globalThis;
`;
const TAIL = `
export { connect, feedId, StorkError, core };
export default Stork;
`;

export function moduleText() {
  const text = readFileSync(SCRIPT, "utf8");
  const begin = text.indexOf(BEGIN);
  if (begin < 0 || !text.endsWith(END)) throw new Error("stork.js begins or ends in another way");
  const body = text.slice(begin + BEGIN.length, -END.length).replace(/^ {2}/gm, "");
  return HEAD + body + TAIL;
}

if (argv[1] === fileURLToPath(import.meta.url)) writeFileSync(MODULE, moduleText());
