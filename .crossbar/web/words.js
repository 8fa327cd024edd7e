// What each ending, refusal and error means, in words for somebody who sees it for the first time.

/** Why there is no connection: `{title, text}` for a state event of stork.js. */
export function ending({ reason, uri }, address, wasOpen) {
  const words = {
    denied: ["This ticket was refused", "The application does not know it, so nobody gets in with it. Use the address that scripts/run printed, or enter another ticket."],
    expired: ["This ticket has expired", "It was good once, but its time is over. Enter a new one."],
    disconnected: ["You were logged out", "The backend ended this session. The page does not come back by itself."],
    refused: ["The node did not let you in", "It refused the connection before anyone looked at the ticket."],
    closed: ["Disconnected", "You left. Nothing arrives until you connect again."],
    unavailable: ["The application is not answering", "The node is up, but the application that checks tickets is not, or is too slow. That is no refusal: the page asks again."],
    draining: ["This node is restarting", "It sends everybody away in an orderly manner, to come back on another node or a little later."],
    session_over: ["This session's time is over", "Sessions end after a while, so that every ticket is checked anew. The page comes back by itself."],
    break: ["The stream was interrupted", "The node could not be sure that it has every push, so it hung up. The page comes back and says if anything is missing."],
    goodbye: ["The node said goodbye", "It ended the connection. The page comes back by itself."],
    silent: ["The line went quiet", "Nothing was heard for a while, so the page hung up and calls again."],
    garbage: ["That was not a Stork node", `What came from ${address} is not WAMP. Does something else answer there?`],
    lost: wasOpen
      ? ["The connection was lost", "The network or the node went away. The page comes back by itself."]
      : ["Nothing answers", `No node is to be reached at ${address}. Is it running?`],
  };
  const [title, text] = words[reason] ?? ["No connection", `${reason}${uri ? ` (${uri})` : ""}`];
  return { title, text };
}

/** What a subscription's state means: `{status, why, tone}`; `why` is empty where the status says it all. */
export function subscription({ state, reason, uri, message }, authid) {
  if (state === "subscribed") return { status: "live", why: "", tone: "good" };
  if (state === "subscribing") return { status: "asking …", why: "", tone: "busy" };
  if (state === "waiting" && reason === "unavailable") {
    return { status: "no answer", why: "The application that decides is not answering. That is no refusal: the page asks again.", tone: "busy" };
  }
  if (state === "waiting") return { status: "waiting", why: "", tone: "busy" };
  if (state === "closed") return { status: "ended", why: "", tone: "off" };
  const why = {
    denied: `The application says that ${authid ?? "this user"} may not see this topic, or there is no such feed.`,
    invalid_topic: INVALID_TOPIC,
    revoked: "The backend took this subscription back.",
  }[reason] ?? `The node refused it: ${uri}${message ? `, ${message}` : ""}.`;
  return { status: reason === "revoked" ? "revoked" : "refused", why, tone: "bad" };
}

export const TOPIC_HINT = "A version, a feed and an id, with dots between.";

export const INVALID_TOPIC = "Not a topic. It has three parts, version.feed.id, of letters, digits and _ - : @ ~, at most 255 characters.";

/** Why a call failed, for an error of stork.js. */
export function callError({ uri, args = [], message }) {
  const said = args.map((part) => (typeof part === "string" ? part : JSON.stringify(part))).join(" ");
  const words = {
    "wamp.error.not_authorized": "Browsers may not call this procedure, or there is none of this name.",
    "wamp.error.no_such_procedure": "There is no procedure of this name.",
    "wamp.error.invalid_argument": "The procedure does not take these arguments.",
    "wamp.error.authorization_failed": "The application that decides is not answering. Try again.",
    "io.virge.stork.unavailable": "The application that decides is not answering. Try again.",
    "io.virge.stork.error.lost": "The connection went away before the answer came. The call may have been carried out.",
    "io.virge.stork.error.timeout": "No answer within 30 seconds.",
  };
  return { text: words[uri] ?? "The procedure answered with an error.", detail: uri ? `${uri}${said ? `: ${said}` : ""}` : message };
}
