// What the node says of itself, so that the page proposes only what works here.

const ASK_MS = 5000;

/**
 * `commands`: the beginnings of commands that push. `websocket`: its address, relative to the page. `feeds`,
 * `procedures`: the shipped examples that the running application declares. `trial`: whether it takes the ticket of
 * STORK_TICKET.
 */
export const facts = await ask();

/** Examples of topics for this user. */
export function examples(authid) {
  const topics = { "v1.test": "v1.test.1", "v1.user": authid && `v1.user.${authid}` };
  return facts.feeds.map((feed) => topics[feed]).filter((topic) => topic && Stork.core.isTopic(topic));
}

async function ask() {
  const unknown = { commands: { stork: "stork", php: null, python: null, options: "" }, websocket: "ws", feeds: [], procedures: [], trial: false };
  try {
    const answer = await fetch("page.json", { signal: AbortSignal.timeout(ASK_MS) });
    return answer.ok ? { ...unknown, ...await answer.json() } : unknown;
  } catch {
    return unknown;
  }
}
