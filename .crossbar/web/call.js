// Calling a procedure, and what came back.

import { facts } from "./facts.js";
import { json } from "./show.js";
import { callError } from "./words.js";

const $ = (id) => document.getElementById(id);

/** Make the form call through `client()`, which may be null. */
export function enableCalls(client) {
  const [example] = facts.procedures;
  if (example) {
    $("procedure").value = example;
    $("kwargs").value = '{"name": "stork"}';
  }
  $("call").addEventListener("submit", async (event) => {
    event.preventDefault();
    const procedure = $("procedure").value.trim();
    const kwargs = parse($("kwargs").value);
    $("kwargs").setAttribute("aria-invalid", String(!kwargs));
    if (!kwargs) return answer("bad", "The arguments are not a JSON object.");
    if (!/^[^\s.#]+(\.[^\s.#]+)+$/.test(procedure)) return answer("bad", "This is not the name of a procedure: words with dots between them.");
    if (client()?.state !== "open") return answer("bad", "Not connected.");
    answer("busy", "Waiting for the answer …");
    const began = performance.now();
    try {
      const result = await client().call(procedure, [], kwargs);
      const took = Math.max(1, Math.round(performance.now() - began));
      return answer("good", `Answered in ${took} ms`, json(result));
    } catch (error) {
      const { text, detail } = callError(error);
      return answer("bad", text, detail);
    }
  });
}

function parse(text) {
  try {
    const value = JSON.parse(text.trim() || "{}");
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function answer(tone, text, detail) {
  const line = document.createElement("p");
  line.textContent = text;
  $("call-answer").dataset.tone = tone;
  $("call-answer").replaceChildren(line);
  if (detail === undefined) return;
  const block = document.createElement("pre");
  block.className = "mono";
  block.append(detail);
  $("call-answer").append(block);
}
