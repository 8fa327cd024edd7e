/** Pushes from a Stork node, once and in order: types of stork.js (global `Stork`) and stork.mjs. */

export as namespace Stork;

/** `"<epoch>:<sequence>"`: compare two only by asking the node. */
export type Position = string;

/** A push as its subscribers get it. */
export interface Push<Data = unknown> {
  type: string;
  data: Data;
  /** RFC 3339, UTC. */
  timestamp: string;
}

/**
 * `position` is null for events of other publishers than the publish server. `topic` is the event's own topic, also for a
 * subscription to a pattern.
 */
export type Handler<Data = any> = (push: Push<Data>, position: Position | null, topic: string) => void;

/**
 * The reason why a connection ended or a try failed.
 *
 * Final: `denied` (the application said no to the ticket), `expired` if the ticket is a plain string, `disconnected`
 * (logged out by the backend), `refused` (any other ABORT, such as a realm that does not exist; and the close codes 1002,
 * 1007 and 1009: what this client sends is refused), `closed` (by `close()`).
 *
 * The client comes back: `expired` if the ticket is a function, `unavailable` (application absent, raised or too slow),
 * `draining` (to another node), `session_over` (the session's time), `break` (events were lost: recovery
 * says so), `goodbye`, `lost`, `silent` (no frame for 60 s, or no answer in time), `garbage` (a frame that is not WAMP),
 * `ticket` (the function that gets it failed).
 */
export type Reason =
  | "denied" | "expired" | "disconnected" | "refused" | "closed"
  | "unavailable" | "draining" | "session_over" | "break" | "goodbye" | "lost" | "silent" | "garbage" | "ticket";

export interface SessionDetails {
  id: number;
  authid: string | null;
  authrole: string | null;
  authextra: Record<string, unknown>;
}

export interface StateEvent {
  state: State;
  reason: Reason | null;
  /** With `open`. */
  session?: SessionDetails;
  /** With `waiting`: milliseconds until the next try. */
  delay?: number;
  /** The WAMP URI of the ABORT or GOODBYE, the code of the WebSocket's close, and what either said. */
  uri?: string;
  code?: number;
  message?: string;
}

export type State = "connecting" | "open" | "waiting" | "closed";

/**
 * `waiting`: for a connection, or for the next try after `unavailable`. `refused` is final: `denied` (the application said
 * no), `invalid_topic` (never asked), `revoked` (taken back while it ran), `refused` (any other error).
 */
export type SubscriptionState = "waiting" | "subscribing" | "subscribed" | "refused" | "closed";

export interface SubscriptionEvent {
  state: SubscriptionState;
  reason: "denied" | "invalid_topic" | "revoked" | "refused" | "unavailable" | Reason | null;
  uri?: string;
  message?: string;
  delay?: number;
}

export interface SubscribeOptions {
  /** The position that came with the page: events after it are delivered. */
  since?: Position | null;
  /**
   * Patterns, if the feed allows them. A pattern is recovered as a topic is; `onrecovered` gets the pattern. A node of an
   * earlier release recovers no patterns: then `ok` is false.
   */
  match?: "exact" | "prefix" | "wildcard";
  onstate?: (event: SubscriptionEvent) => void;
  /**
   * Called after a reconnect (or at the first connection, with `since`). `ok`: all missed events are delivered. Not `ok`:
   * events may be lost, and the next ones are later than `position`; load the state again.
   */
  onrecovered?: (topic: string, ok: boolean, position: Position | null) => void;
}

export interface Subscription {
  readonly topic: string;
  readonly state: SubscriptionState;
  readonly reason: SubscriptionEvent["reason"];
  /** The position of the last event, for `since`. Null for patterns, and before the first position is known. */
  readonly position: Position | null;
  unsubscribe(): void;
}

/** A user who is online. `info` is what the application says of it (`Principal.presence`), `since` RFC 3339, UTC. */
export interface OnlineUser<Info = any> {
  authid: string;
  info: Info | null;
  since: string;
}

export interface PresenceChange<Info = any> {
  /** Who is online now, in the order in which they came; empty if there are more than 1,000. */
  users: OnlineUser<Info>[];
  /** Who has come, or has other information now. The first time: everybody. */
  online: OnlineUser<Info>[];
  /** Who has gone. */
  offline: string[];
  count: number;
  position: Position;
}

export interface PresenceOptions<Info = any> {
  /** Called once the node has said who is online, and after each change. */
  onchange?: (change: PresenceChange<Info>) => void;
  onstate?: (event: SubscriptionEvent) => void;
}

export interface Presence<Info = any> {
  readonly topic: string;
  readonly users: ReadonlyMap<string, OnlineUser<Info>>;
  /** Null before the node has said who is online. */
  readonly count: number | null;
  readonly state: SubscriptionState;
  close(): void;
}

export interface ConnectOptions {
  /** `wss://…/ws`; in a browser by default `/ws` of the page's own host. */
  url?: string;
  /**
   * A ticket; or the address of one (`/my-ticket`, `https://…`), requested with the page's cookies at each try; or a
   * function, called at each try. A text that begins with one `/`, or with `http://` or `https://`, is an address.
   * `{ value }` is a ticket and `{ address }` an address, whatever the text. An answer that is a page (HTML) or empty is
   * no ticket. After 401 and 403 the client does not come back; after other failures, and if the
   * function throws, it tries again. `expired` says that the node refused the last ticket as expired.
   */
  ticket: string | { value: string } | { address: string } | ((why: { expired: boolean }) => string | Promise<string>);
  authid?: string;
  /** Default `realm1`. */
  realm?: string;
  /** Needed if there is no global one: `import { WebSocket } from "ws"`. */
  WebSocket?: new (url: string, protocols: string[]) => any;
  /** For tests: a number from 0 to below 1, and the time. */
  random?: () => number;
  clock?: { now(): number; wall?(): number; setTimeout(run: () => void, ms: number): any; clearTimeout(timer: any): void };
}

export interface Client {
  readonly url: string;
  readonly state: State;
  readonly session: SessionDetails | null;
  on(name: "state", listener: (event: StateEvent) => void): () => void;
  on(name: "recovered", listener: (topic: string, ok: boolean, position: Position | null) => void): () => void;
  subscribe<Data = any>(topic: string, handler: Handler<Data>, options?: SubscribeOptions): Subscription;
  /** Who is online in a topic of a feed with presence: for who may subscribe to the topic. It makes nobody online. */
  presence<Info = any>(topic: string, options?: PresenceOptions<Info>): Presence<Info>;
  /** A subscription, or all subscriptions to a topic. */
  unsubscribe(which: Subscription | string): void;
  /**
   * Waits for a connection; resolves to the first result, or to `{args, kwargs}` if there are more. Rejects with a
   * `StorkError`: the callee's, `io.virge.stork.error.timeout` (default 30,000 ms), or `io.virge.stork.error.lost` when the
   * connection was lost (the procedure may have run, or not). An invalid URI, and arguments that JSON cannot hold, are
   * rejected with a TypeError. JSON has no integers beyond 2^53: send them as text.
   */
  call<Result = any>(
    uri: string, args?: unknown[], kwargs?: Record<string, unknown>, options?: { timeout?: number },
  ): Promise<Result>;
  /** In the state `waiting`: try again now. */
  retry(): void;
  /** Check now whether the connection lives, and try again at once if there is none: for hosts other than browsers. */
  check(): void;
  /** After a final ending: connect again, with the subscriptions that it ended. */
  reopen(options?: { ticket?: ConnectOptions["ticket"] }): void;
  close(): void;
}

export class StorkError extends Error {
  constructor(uri: string, args?: unknown[], kwargs?: Record<string, unknown>);
  readonly uri: string;
  readonly args: unknown[];
  readonly kwargs: Record<string, unknown>;
}

/** Connect to a node, and stay connected: reconnects for ever with full jitter between 0.5 and 20 s. */
export function connect(options: ConnectOptions): Client;

/**
 * Any text as the id of a feed, as `feed_id` in Python and `Stork::feedId` in PHP: `ann.lee@example.com` becomes
 * `ann~2Elee@example~2Ecom`.
 */
export function feedId(text: string): string;

/** The pure parts, for tests and for clients of another kind. No promise of stability. */
export const core: Record<string, any>;
