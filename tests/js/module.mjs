// The modules are made of the scripts: the same code, with exports. `node tests/js/module.mjs` writes them.
import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";

export const MODULES = [
  { name: "stork", global: "Stork", names: "connect, feedId, StorkError, core" },
  { name: "stork-pusher", global: "StorkPusher", names: "recover" },
];

const path = (name) => new URL(`../../node/js/${name}`, import.meta.url);

export const modulePath = ({ name }) => path(`${name}.mjs`);

const BEGIN = '(function (global) {\n  "use strict";\n';

export function moduleText({ name, global, names }) {
  const text = readFileSync(path(`${name}.js`), "utf8");
  const end = `  global.${global} = ${global};
  if (typeof module === "object" && module.exports) module.exports = ${global};
})(globalThis);
`;
  const begin = text.indexOf(BEGIN);
  if (begin < 0 || !text.endsWith(end)) throw new Error(`${name}.js begins or ends in another way`);
  const body = text.slice(begin + BEGIN.length, -end.length).replace(/^ {2}/gm, "");
  const first = names.split(",")[0];
  const head = `// ${name}.js as an ES module: import { ${first} } from "/${name}.mjs". Made by tests/js/module.mjs: change ${name}.js.\n`;
  const needsGlobal = /\bglobal\./.test(body) ? "\nconst global = globalThis;\n" : "";
  return `${head}${needsGlobal}${body}\nexport { ${names} };\nexport default ${global};\n`;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  for (const module of MODULES) writeFileSync(modulePath(module), moduleText(module));
}
