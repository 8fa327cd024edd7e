// What each ending, refusal and error means, in words for somebody who sees it for the first time.

/** Why there is no connection: `{title, text}` for a state event of stork.js. */
export function ending({ reason, uri }, address, wasOpen, trial) {
  const words = {
    denied: ["This ticket was refused", `The application does not accept this ticket. ${trial ? "Use the address that was printed at the start, or enter" : "Enter"} another ticket.`],
    expired: ["This ticket has expired", "The time of this ticket is over. Enter a new one."],
    disconnected: ["You were logged out", "The backend ended this session. The page does not come back by itself."],
    refused: ["The node did not let you in", "It refused the connection before the application saw the ticket."],
    closed: ["Disconnected", "You disconnected. No pushes arrive until you connect again."],
    unavailable: ["The application is not answering", "The node runs, but the application that checks tickets does not answer in time. The ticket is not refused: the page tries again."],
    draining: ["This node is restarting", "The node closes its connections. The page comes back by itself, on another node or a little later."],
    session_over: ["This session's time is over", "Sessions end after a while, so that tickets are checked again. The page comes back by itself."],
    break: ["The stream was interrupted", "The node may have missed pushes, so it closed the connection. The page comes back, and says if pushes are missing."],
    goodbye: ["The node said goodbye", "It ended the connection. The page comes back by itself."],
    silent: ["The line went quiet", "No data came for a while, so the page closed the connection. It connects again."],
    garbage: ["That was not a Stork node", `The answer from ${address} is not WAMP. Is another server running there?`],
    lost: wasOpen
      ? ["The connection was lost", "The network or the node failed. The page comes back by itself."]
      : ["Nothing answers", `No node answers at ${address}. Is it running?`],
  };
  const [title, text] = words[reason] ?? ["No connection", `${reason}${uri ? ` (${uri})` : ""}`];
  return { title, text };
}

/** What a subscription's state means: `{status, why, tone}`; `why` is empty where the status says it all. */
export function subscription({ state, reason, uri, message }, authid) {
  if (state === "subscribed") return { status: "live", why: "", tone: "good" };
  if (state === "subscribing") return { status: "asking …", why: "", tone: "busy" };
  if (state === "waiting" && reason === "unavailable") {
    return { status: "no answer", why: "The application does not answer in time. The topic is not refused: the page tries again.", tone: "busy" };
  }
  if (state === "waiting") return { status: "waiting", why: "", tone: "busy" };
  if (state === "closed") return { status: "ended", why: "", tone: "off" };
  const why = {
    denied: `The application says that ${authid ?? "this user"} may not see this topic, or there is no such feed.`,
    invalid_topic: INVALID_TOPIC,
    revoked: "The backend ended this subscription.",
  }[reason] ?? `The node refused it: ${uri}${message ? `, ${message}` : ""}.`;
  return { status: reason === "revoked" ? "revoked" : "refused", why, tone: "bad" };
}

export const TOPIC_HINT = "A version, a feed and an id, with dots between them.";

export const INVALID_TOPIC = "Not a topic. It has three parts, version.feed.id, of letters, digits and _ - : @ ~, at most 255 characters.";

/** Why a call failed, for an error of stork.js. */
export function callError({ uri, args = [], message }) {
  const said = args.map((part) => (typeof part === "string" ? part : JSON.stringify(part))).join(" ");
  const words = {
    "wamp.error.not_authorized": "Browsers may not call this procedure, or it does not exist.",
    "wamp.error.no_such_procedure": "This procedure does not exist.",
    "wamp.error.invalid_argument": "The procedure does not take these arguments.",
    "wamp.error.authorization_failed": "The application does not answer in time. Try again.",
    "io.virge.stork.unavailable": "The application does not answer in time. Try again.",
    "io.virge.stork.error.lost": "The connection was lost before the answer came. The procedure may have run, or not.",
    "io.virge.stork.error.timeout": "No answer within 30 seconds.",
  };
  return { text: words[uri] ?? "The procedure answered with an error.", detail: uri ? `${uri}${said ? `: ${said}` : ""}` : message };
}
