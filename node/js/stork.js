/*! stork.js: pushes from a Stork node, once and in order. MIT licence.
 *
 * WAMP v2 over JSON, and the client's half of recovery. A classic script that defines `Stork`; `stork.mjs` exports the
 * same names, `stork.d.ts` has the types. Everything above `Subscription` is pure: no socket, no timer, no clock.
 */
(function (global) {
  "use strict";

  const MIN_DELAY_MS = 500;
  const MAX_DELAY_MS = 20_000;
  const STABLE_MS = 10_000; // open for this long, and the next delay is short again
  const JOIN_MS = 30_000; // from the question for a ticket to WELCOME; the node itself gives up after 15 s
  const RECOVER_MS = 30_000; // the node answers within 3 s
  const RECOVER_TOPICS = 1_000; // as many as a node answers at once
  const RECOVER_CALLS = 4; // at the same time
  // Bytes of events in one answer. A line that is too slow for it gets smaller ones.
  const MIN_PAGE_BYTES = 16 << 10, FIRST_PAGE_BYTES = 256 << 10, MAX_PAGE_BYTES = 512 << 10;
  const QUICK_MS = 5_000; // an answer within this time may be larger the next time
  const EARLIER_SESSIONS = 100; // those that the node is told of
  const CHECK_MS = 5_000;
  const PROBE_AFTER_MS = 30_000;
  const SILENT_MS = 60_000;
  const WAKE_MS = 10_000; // the time for an answer after sleep or a change of network

  const RECOVER = "io.virge.stork.recover";
  const BEAT = "io.virge.stork.beat";
  const ONLINE = "io.virge.stork.online", PRESENCE = "io.virge.stork.presence.";
  const LOST = "io.virge.stork.error.lost";

  // --- Delays and positions ---------------------------------------------------------------------------------------

  /** Milliseconds before try number `attempt` (from 0): full jitter between 0.5 s and a ceiling of 1, 2, 4 … 20 s. */
  function retryDelay(attempt, random) {
    const ceiling = Math.min(MAX_DELAY_MS, 2 * MIN_DELAY_MS * 2 ** attempt);
    return MIN_DELAY_MS + random * (ceiling - MIN_DELAY_MS);
  }

  /** `"<epoch>:<sequence>"` as `{epoch, sequence, text}`; null for anything else. Sequences stay below 2^53. */
  function parsePosition(text) {
    const parts = typeof text === "string" && /^([0-9A-Za-z_-]{1,64}):(0|[1-9][0-9]{0,15})$/.exec(text);
    if (!parts || !Number.isSafeInteger(+parts[2])) return null;
    return { epoch: parts[1], sequence: +parts[2], text };
  }

  // --- Refusals and endings: what happened, in one word, and whether to try again -----------------------------------

  // The errors of an application that is down behind stock Crossbar.
  const OUTAGES = new Set([
    "io.virge.stork.unavailable",
    "wamp.error.authorization_failed",
    "wamp.error.canceled",
    "wamp.error.no_such_procedure",
    "wamp.error.runtime_error",
    "wamp.close.system_shutdown",
  ]);

  function abortEnding(uri) {
    if (uri === "io.virge.stork.denied") return { reason: "denied", again: false };
    if (uri === "io.virge.stork.expired") return { reason: "expired", again: true };
    return OUTAGES.has(uri) ? { reason: "unavailable", again: true } : { reason: "refused", again: false };
  }

  // After other GOODBYEs (a router that shuts down, a kill) the client comes back. The authenticator stops clients that must not.
  function goodbyeEnding(uri) {
    return uri === "io.virge.stork.disconnected" ? { reason: "disconnected", again: false } : { reason: "goodbye", again: true };
  }

  const CLOSE_REASONS = { 1012: "draining", 1013: "unavailable", 4001: "session_over", 4010: "break", 1002: "refused", 1007: "refused", 1009: "refused" };

  function closeEnding(code) {
    const reason = CLOSE_REASONS[code] || "lost";
    return { reason, again: reason !== "refused" }; // what this client sends is refused each time
  }

  function subscriptionEnding(uri) {
    if (uri === "wamp.error.not_authorized") return { reason: "denied", again: false };
    return OUTAGES.has(uri) ? { reason: "unavailable", again: true } : { reason: "refused", again: false };
  }

  // --- Topics -----------------------------------------------------------------------------------------------------

  const PART = "[A-Za-z0-9_:@~-]";
  const TOPICS = new Map([
    ["exact", RegExp(`^${PART}+\\.${PART}+\\.${PART}+$`)],
    ["prefix", RegExp(`^${PART}+\\.${PART}+\\.${PART}*$`)],
    ["wildcard", RegExp(`^${PART}+\\.${PART}+\\.$`)],
  ]);

  /** Whether `topic` can be asked for at all. What cannot would cost the whole connection (a protocol error). */
  function isTopic(topic, match = "exact") {
    return typeof topic === "string" && topic.length <= 255 && TOPICS.has(match) && TOPICS.get(match).test(topic);
  }

  /**
   * Any text as the id of a feed: what a topic cannot hold becomes `~` and the two hexadecimal digits of each byte of its
   * UTF-8, so `ann.lee@example.com` becomes `ann~2Elee@example~2Ecom`. The same in Python (`feed_id`) and PHP (`feedId`).
   */
  function feedId(text) {
    if (typeof text !== "string" || !text) throw new TypeError("feedId wants a text that is not empty");
    return Array.from(text, (character) => (ID_CHARACTER.test(character) ? character : escaped(character))).join("");
  }

  const ID_CHARACTER = /^[A-Za-z0-9_:@-]$/;

  function escaped(character) {
    let bytes;
    try {
      bytes = encodeURIComponent(character);
    } catch {
      throw new TypeError("feedId wants a text, and this one has half of a character");
    }
    // Some characters of ASCII are left as they are there.
    return bytes === character ? `~${hex(character.charCodeAt(0))}` : bytes.replace(/%/g, "~");
  }

  const hex = (byte) => byte.toString(16).toUpperCase().padStart(2, "0");

  // --- Stream: the order of one topic --------------------------------------------------------------------------------

  /**
   * The position of one topic within one subscription (docs/delivery.md#the-clients-algorithm).
   *
   * Items are `{event, position}`. Every method returns the items to hand on now, each at most once and in order.
   */
  class Stream {
    constructor(since = null) {
      this.at = parsePosition(since);
      this.held = null;
      this.followed = false;
    }

    get position() {
      return this.at && this.at.text;
    }

    /**
     * Subscribed: hold events back until the answer. The first time without a position there is no gap to fill, and nothing
     * is held; who was cut before knowing a position has a gap that nobody can fill, and is to be told so.
     */
    hold() {
      this.held = this.at || this.followed ? [] : null;
      this.followed = true;
      return this.position;
    }

    take(item) {
      if (!this.held) return this._pass([item]);
      this.held.push(item);
      return [];
    }

    /**
     * The answer of `recover` for this topic; null where the node has none to give.
     *
     * Returns `{items, recovered, position, more}`: `recovered` is null where no position was held or the rest is still to
     * come, false where a gap comes before the items, which are all later than `position`.
     */
    answer(answer) {
      const asked = this.held !== null;
      const before = this.position;
      let items = [];
      let recovered = Boolean(asked && answer && answer.recovered === true);
      if (recovered) {
        items = this._pass(Array.isArray(answer.events) ? answer.events.filter(isEvent).map(toItem) : []);
        this._advance(answer.position);
        if (answer.more && this.position !== before) return { items, recovered: null, position: this.position, more: true };
        recovered = !answer.more; // more without a step forward would go on for ever
      } else if (answer) {
        // After a false answer, the application loads its state after this position: held events up to it are part of the state.
        this._advance(answer.position);
      }
      const gapEnds = this.position;
      const held = this.held || [];
      this.held = null;
      items = items.concat(this._pass(held));
      if (!asked) return { items, recovered: null, position: this.position, more: false };
      return { items, recovered, position: recovered ? this.position : gapEnds, more: false };
    }

    /** Every event up to `position` has been sent on this connection. */
    beat(position) {
      const at = parsePosition(position);
      if (at && !this.held && (!this.at || this.at.epoch === at.epoch)) this._advance(position);
    }

    _pass(items) {
      return items.filter((item) => this._isNew(item));
    }

    _isNew({ position }) {
      return this._advance(position);
    }

    _advance(position) {
      const at = parsePosition(position);
      if (!at) return true; // not numbered (another publisher's event): nothing to compare
      if (this.at && this.at.epoch === at.epoch && at.sequence <= this.at.sequence) return false;
      this.at = at;
      return true;
    }
  }

  /**
   * The position of a pattern: all events up to it have come. Topics have a position of their own only beyond it, so that
   * what a beat has covered needs no memory.
   */
  class PatternStream extends Stream {
    constructor() {
      super();
      this.topics = new Map();
    }

    _isNew({ position, topic }) {
      const at = parsePosition(position);
      if (!at) return true;
      for (const known of [this.at, this.topics.get(topic)]) {
        if (known && known.epoch === at.epoch && at.sequence <= known.sequence) return false;
      }
      this.topics.set(topic, at);
      return true;
    }

    _advance(position) {
      if (!super._advance(position)) return false;
      if (parsePosition(position)) {
        for (const [topic, { epoch, sequence }] of this.topics) {
          if (epoch !== this.at.epoch || sequence <= this.at.sequence) this.topics.delete(topic);
        }
      }
      return true;
    }
  }

  function isEvent(value) {
    return Boolean(value) && typeof value === "object" && !Array.isArray(value);
  }

  function toItem({ position, topic, type, data, timestamp }) {
    return { event: { type, data, timestamp }, position, topic };
  }

  // --- Session: WAMP, without a socket -------------------------------------------------------------------------------

  /** What a WAMP peer answered with an ERROR, or why a call could not be made. */
  class StorkError extends Error {
    constructor(uri, args = [], kwargs = {}) {
      super(typeof args[0] === "string" && args[0] ? `${uri}: ${args[0]}` : uri);
      this.name = "StorkError";
      this.uri = uri;
      this.args = args;
      this.kwargs = kwargs;
    }
  }

  class Garbage extends Error {}

  const HELLO = 1, WELCOME = 2, ABORT = 3, CHALLENGE = 4, AUTHENTICATE = 5, GOODBYE = 6, ERROR = 8;
  const SUBSCRIBE = 32, SUBSCRIBED = 33, UNSUBSCRIBE = 34, UNSUBSCRIBED = 35, EVENT = 36, CALL = 48, RESULT = 50;
  const UNUSED_ID = 2 ** 53; // the highest id that WAMP has: no router gives it to a subscription

  /**
   * One WAMP session. `send(message)` writes a message; `on` is told what happens:
   * `welcome(session)`, `ended(ending)`, `event(id, item, topic)`, `revoked(id, reason)`.
   */
  class Session {
    constructor({ realm, authid, ticket, send, on }) {
      Object.assign(this, { realm, authid, ticket, on });
      this.send = send;
      this.open = false;
      this.requests = new Map();
      this.lastRequest = 0;
    }

    start() {
      const features = { subscription_revocation: true, pattern_based_subscription: true };
      const details = { roles: { subscriber: { features }, caller: { features: {} } }, authmethods: ["ticket"] };
      if (this.authid) details.authid = this.authid;
      this.send([HELLO, this.realm, details]);
    }

    subscribe(topic, match, done, failed) {
      this._request(SUBSCRIBE, [match === "exact" ? {} : { match }, topic], done, failed);
    }

    unsubscribe(id) {
      this._request(UNSUBSCRIBE, [id]);
    }

    call(uri, args, kwargs, done, failed) {
      this._request(CALL, [{}, uri, args, kwargs], done, failed);
    }

    /** A question that any router answers, by itself and at once: shows that the connection lives. */
    probe() {
      this.unsubscribe(UNUSED_ID);
    }

    leave() {
      if (this.open) this.send([GOODBYE, {}, "wamp.close.close_realm"]);
    }

    _request(type, rest, done, failed) {
      const id = ++this.lastRequest;
      this.requests.set(id, { type, done, failed });
      this.send([type, id, ...rest]);
    }

    /** Take one frame. Throws Garbage for what no WAMP router sends: what was lost in it cannot be known. */
    receive(text) {
      let message;
      try {
        message = JSON.parse(text);
      } catch {
        throw new Garbage("not JSON");
      }
      if (!Array.isArray(message) || !Number.isInteger(message[0])) throw new Garbage("not a WAMP message");
      if (this.open) this._receive(message);
      else this._join(message);
    }

    _join([type, first, second]) {
      if (type === CHALLENGE && first === "ticket") {
        this.send([AUTHENTICATE, this.ticket, {}]);
      } else if (type === WELCOME && Number.isSafeInteger(first)) {
        const { authid = null, authrole = null, authextra = {} } = asObject(second);
        this.open = true;
        this.on.welcome({ id: first, authid, authrole, authextra });
      } else if (type === ABORT) {
        this.on.ended({ ...abortEnding(second), uri: second, message: asObject(first).message });
      } else {
        throw new Garbage(`message ${type} before WELCOME`);
      }
    }

    _receive(message) {
      const [type, first, second] = message;
      switch (type) {
        case EVENT: {
          const [, , , details, args, kwargs] = message;
          const event = Array.isArray(args) ? args[0] : undefined;
          this.on.event(first, { event, position: asObject(kwargs).position ?? null }, asObject(details).topic);
          break;
        }
        case SUBSCRIBED:
          this._answered(SUBSCRIBE, first)?.done(second);
          break;
        case RESULT: {
          const [, , , args = [], kwargs = {}] = message;
          const plain = args.length < 2 && !Object.keys(kwargs).length;
          this._answered(CALL, first)?.done(plain ? args[0] : { args, kwargs });
          break;
        }
        case UNSUBSCRIBED:
          if (first === 0) this.on.revoked(asObject(second).subscription, asObject(second).reason);
          else this._answered(UNSUBSCRIBE, first);
          break;
        case ERROR: {
          const [, , id, , uri, args, kwargs] = message;
          this._answered(first, id)?.failed?.(new StorkError(uri, args, kwargs));
          break;
        }
        case GOODBYE:
          this.send([GOODBYE, {}, "wamp.close.goodbye_and_out"]);
          this.on.ended({ ...goodbyeEnding(second), uri: second, message: asObject(first).message });
          break;
        case WELCOME:
        case ABORT:
        case CHALLENGE:
          throw new Garbage(`message ${type} after WELCOME`);
        default: // a feature that was not asked for
      }
    }

    _answered(type, id) {
      const request = this.requests.get(id);
      if (!request || request.type !== type) return undefined;
      this.requests.delete(id);
      return request;
    }
  }

  function asObject(value) {
    return value && typeof value === "object" ? value : {};
  }

  // --- Subscription -------------------------------------------------------------------------------------------------

  /** One handler's interest in one topic or pattern, through all the connections of its client. */
  class Subscription {
    constructor(client, topic, handler, { since = null, match = "exact", onstate, onrecovered } = {}) {
      Object.assign(this, { client, topic, handler, match, onstate, onrecovered });
      this.stream = match === "exact" ? new Stream(since) : new PatternStream();
      this.state = "waiting";
      this.reason = null;
      this.wireId = null;
      this.attempt = 0;
      this.timer = null;
    }

    /** The position of the last event of an exact subscription, or null: what `since` takes. */
    get position() {
      return this.match === "exact" ? this.stream.position : null;
    }

    /** Neither refused for good nor given up. */
    get wanted() {
      return this.state !== "refused" && this.state !== "closed";
    }

    unsubscribe() {
      this.client.unsubscribe(this);
    }

    _set(state, { reason = null, uri, message, delay } = {}) {
      this.state = state;
      this.reason = reason;
      this.client._tell(this.onstate, { state, reason, uri, message, delay });
    }

    _hand(items) {
      for (const { event, position, topic } of items) {
        if (this.wanted) this.client._tell(this.handler, event, position, this.match === "exact" ? this.topic : topic);
      }
    }

    _take(item) {
      this._hand(this.stream.take(item));
    }

    _answer(answer) {
      const { items, recovered, position, more } = this.stream.answer(answer);
      if (recovered === false) this._recovered(false, position); // told first, then what comes after the gap
      this._hand(items);
      if (recovered === true) this._recovered(true, position);
      return more;
    }

    _recovered(ok, position) {
      if (!this.wanted) return;
      this.client._tell(this.onrecovered, this.topic, ok, position);
      this.client._emit("recovered", this.topic, ok, position);
    }
  }

  // --- Presence -------------------------------------------------------------------------------------------------------

  /** Who is online in a topic: asked once at a position, and then by the events after it. */
  class Presence {
    constructor(client, topic, { onchange, onstate } = {}) {
      Object.assign(this, { client, topic, onchange, onstate, users: new Map(), count: null, position: null });
      this._held = []; // events that came while the answer was on its way; null once it is there
      this._asked = null;
      this._attempt = 0;
      this._timer = null;
      this._subscription = client._follow(topic, PRESENCE + topic, (push, position) => this._event(push, position), {
        onstate: (event) => this._changed(event),
        onrecovered: (_, ok) => ok || this._load(),
      });
    }

    get state() {
      return this._subscription.state;
    }

    close() {
      this._subscription.unsubscribe();
    }

    _changed(event) {
      // After the first answer, recovery says whether to ask again.
      if (event.state === "subscribed" && this._held) this._load();
      if (event.state !== "subscribed") this._stop();
      this.client._tell(this.onstate, event);
    }

    _stop() {
      this._asked = null;
      this.client.clock.clearTimeout(this._timer);
    }

    _load() {
      this._stop();
      this._held ??= [];
      const asked = (this._asked = {});
      this.client.call(ONLINE, [this.topic]).then(
        (answer) => this._asked === asked && this._known(answer),
        () => {
          if (this._asked !== asked) return;
          this._timer = this.client.clock.setTimeout(() => this._load(), retryDelay(this._attempt++, this.client.random()));
        },
      );
    }

    _known({ users, count, position }) {
      this._attempt = 0;
      this.position = parsePosition(position);
      const before = this.users;
      this.users = new Map((users ?? []).map((user) => [user.authid, user]));
      this._isWhole = Boolean(users);
      this.count = count;
      const held = this._held;
      this._held = null;
      const online = [...this.users.values()].filter((user) => !isDeepEqual(before.get(user.authid), user));
      const offline = [...before.keys()].filter((authid) => !this.users.has(authid));
      this._tell(online, offline);
      for (const [push, at] of held) this._event(push, at);
    }

    _event(push, position) {
      if (this._held) {
        this._held.push([push, position]);
        return;
      }
      const at = parsePosition(position);
      const { epoch, sequence } = this.position;
      if (at?.epoch === epoch && at.sequence <= sequence) return;
      const { online, offline } = asObject(push.data);
      if (at?.epoch !== epoch || !online || !this._isWhole) {
        this._load();
        return;
      }
      this.position = at;
      for (const user of online) this.users.set(user.authid, user);
      for (const authid of offline) this.users.delete(authid);
      this.count = this.users.size;
      this._tell(online, offline);
    }

    _tell(online, offline) {
      const { users, count, position, client } = this;
      client._tell(this.onchange, { users: [...users.values()], online, offline, count, position: position.text });
    }
  }

  function isDeepEqual(one, other) {
    return JSON.stringify(one) === JSON.stringify(other);
  }

  // --- Client: the socket, the clock and the tries ----------------------------------------------------------------------

  class Client {
    constructor({ url, ticket, authid, realm = "realm1", WebSocket = global.WebSocket, random = Math.random, clock = systemClock }) {
      if (typeof WebSocket !== "function") throw new TypeError("no WebSocket here: pass one as connect({WebSocket})");
      if (!isTicket(ticket)) {
        throw new TypeError("connect({ticket}) wants a ticket, the address of one, {value}, {address}, or a function that returns one");
      }
      Object.assign(this, { ticket, authid, realm, random, clock });
      this.WebSocket = WebSocket;
      this.url = socketUrl(url);
      this.state = "connecting";
      this.session = null;
      this.subscriptions = new Set();
      this._listeners = { state: new Set(), recovered: new Set() };
      this._calls = new Set();
      this._topics = new Map(); // subscriptions by what they ask the router for, see `wish`
      this._ended = []; // what a final ending took away: `reopen` brings it back
      this._wire = new Map(); // wishes by the router's ids, and ids by wish
      this._ids = new Map();
      this._earlier = []; // ids of this client's sessions
      this._pageBytes = FIRST_PAGE_BYTES;
      this._link = null; // {socket, session, since, heard, probedAt, deadline}: one try, and the connection that came of it
      this._attempt = 0;
      this._expired = false;
      this._timer = null;
      this._checks = null;
      this._checked = null; // {now, wall} of the last check
      this._wake = ({ type }) => this._awake(type);
      this._start();
    }

    _start() {
      for (const [target, name] of wakingEvents()) target.addEventListener(name, this._wake);
      this._timer = this.clock.setTimeout(() => this._try(), 0);
      this._check();
    }

    /** Listen to `state` or `recovered`; returns a function that stops listening. */
    on(name, listener) {
      this._listeners[name].add(listener);
      return () => this._listeners[name].delete(listener);
    }

    subscribe(topic, handler, options) {
      return this._follow(topic, topic, handler, options);
    }

    /** Who is online in a topic, and who comes and goes. */
    presence(topic, options) {
      return new Presence(this, topic, options);
    }

    /** Subscribe to `uri`, which belongs to `topic`. */
    _follow(topic, uri, handler, options) {
      const subscription = new Subscription(this, uri, handler, options);
      if (this.state === "closed") {
        subscription.state = "closed";
      } else if (!isTopic(topic, subscription.match)) {
        subscription.state = "refused";
        subscription.reason = "invalid_topic";
      } else {
        this._add(subscription);
        if (this.session) this._subscribe(subscription);
        return subscription;
      }
      const { state, reason } = subscription;
      if (state === "refused") this._warn(subscription.onstate, `the subscription to ${topic} was refused: ${reason}`);
      global.queueMicrotask(() => this._tell(subscription.onstate, { state, reason }));
      return subscription;
    }

    _add(subscription) {
      const wish = wishOf(subscription);
      this.subscriptions.add(subscription);
      if (!this._topics.has(wish)) this._topics.set(wish, new Set());
      this._topics.get(wish).add(subscription);
    }

    /** Give up a subscription, or all subscriptions to a topic. */
    unsubscribe(which) {
      for (const match of which instanceof Subscription ? [which.match] : ["exact", "prefix", "wildcard"]) {
        const wish = wishOf({ match, topic: which instanceof Subscription ? which.topic : which });
        for (const subscription of [...(this._topics.get(wish) ?? [])]) {
          if (subscription === which || subscription.topic === which) this._drop(subscription, "closed");
        }
        this._sweep(wish);
      }
      // One that is not on the wire any more, since its client is closed.
      this._ended = this._ended.filter((subscription) => subscription !== which && subscription.topic !== which);
    }

    /**
     * Call a procedure; waits for a connection. Resolves to the first result, or `{args, kwargs}` where there are more.
     * Rejects with a StorkError; one with the URI `io.virge.stork.error.lost` may have been carried out. Rejects with a
     * TypeError what cannot be sent: a URI that is none, arguments that JSON cannot hold.
     */
    call(uri, args = [], kwargs = {}, { timeout = 30_000 } = {}) {
      return new Promise((resolve, reject) => {
        checkCall(uri, args, kwargs);
        const call = { uri, args, kwargs, sent: false };
        const settle = (how) => (value) => {
          this._calls.delete(call);
          this.clock.clearTimeout(call.timer);
          how(value);
        };
        call.done = settle(resolve);
        call.failed = settle(reject);
        if (this.state === "closed") return reject(new StorkError(LOST, ["the client is closed"]));
        this._calls.add(call);
        // No CANCEL: an INTERRUPT to a component inside the router breaks Crossbar 26.
        call.timer = this.clock.setTimeout(() => call.failed(new StorkError("io.virge.stork.error.timeout")), timeout);
        if (this.session) this._send(call);
        return undefined;
      });
    }

    /** Try again at once, where the client is waiting. */
    retry() {
      if (this.state === "waiting") this._try();
    }

    /** Ask now whether the connection lives, and try again at once where there is none. */
    check() {
      this.retry();
      this._ask();
    }

    /** Connect again after a final ending, with the subscriptions that it ended; `ticket` replaces the one before. */
    reopen({ ticket = this.ticket } = {}) {
      if (this.state !== "closed") return;
      if (!isTicket(ticket)) throw new TypeError("reopen({ticket}) wants what connect() takes");
      this.ticket = ticket;
      this._attempt = 0;
      this._expired = false;
      this.state = "connecting";
      for (const subscription of this._ended.splice(0)) {
        this._add(subscription);
        subscription._set("waiting");
      }
      this._start();
    }

    close() {
      if (this.state === "closed") return;
      this._link?.session?.leave();
      this._end({ reason: "closed", again: false });
    }

    // One try ----------------------------------------------------------------------------------------------------------

    _try() {
      this.clock.clearTimeout(this._timer);
      const now = this.clock.now();
      const link = {
        socket: null, session: null, since: now, heard: now, probed: false, deadline: now + JOIN_MS,
        toRecover: [], asked: 0, timers: new Set(), sessions: [], isPlain: false,
      };
      this._link = link;
      this._set("connecting");
      const ask = this.ticket;
      const expired = this._expired;
      Promise.resolve()
        .then(() => (typeof ask === "function" ? ask({ expired }) : isAddress(ask) ? fetchTicket(ask.address ?? ask) : ask.value ?? ask))
        .then(
          (ticket) => this._link === link && this._open(link, String(ticket ?? "")),
          (error) => this._link === link && this._end(ticketEnding(error)),
        );
    }

    _open(link, ticket) {
      let socket;
      try {
        socket = new this.WebSocket(this.url, ["wamp.2.json"]);
      } catch (error) {
        this._end({ reason: "lost", again: true, message: String(error) });
        return;
      }
      const send = (message) => socket.send(JSON.stringify(message));
      const { realm, authid } = this;
      link.socket = socket;
      link.session = new Session({ realm, authid, ticket, send, on: {
        welcome: (session) => this._welcome(link, session),
        ended: (ending) => this._end(ending),
        event: (id, item, topic) => this._event(id, item, topic),
        revoked: (id, reason) => this._revoked(id, reason),
      } });
      socket.onopen = () => link.session.start();
      socket.onclose = ({ code, reason }) => this._end({ ...closeEnding(code), code, message: reason || undefined });
      socket.onerror = () => {}; // a close event always follows
      socket.onmessage = ({ data }) => {
        link.heard = this.clock.now();
        link.probed = false;
        if (link.session.open) link.deadline = Infinity;
        try {
          link.session.receive(data);
        } catch (error) {
          if (!(error instanceof Garbage)) throw error;
          this._end({ reason: "garbage", again: true, message: error.message });
        }
      };
    }

    _welcome(link, session) {
      link.since = this.clock.now();
      link.deadline = Infinity;
      this._expired = false;
      this.session = session;
      link.sessions = [...this._earlier];
      this._earlier = [...this._earlier, session.id].slice(-EARLIER_SESSIONS);
      this._set("open", { session });
      for (const subscription of [...this.subscriptions]) {
        if (this._link === link && subscription.state === "waiting") this._subscribe(subscription);
      }
      for (const call of [...this._calls]) {
        if (this._link === link && !call.sent) this._send(call);
      }
    }

    /** The end of a try or a connection: come back after a jittered delay, or stay closed. */
    _end(ending) {
      const link = this._link;
      const wasOpen = Boolean(this.session);
      this._link = this.session = null;
      this._wire.clear();
      this._ids.clear();
      for (const timer of link?.timers ?? []) this.clock.clearTimeout(timer);
      if (link?.socket) {
        // Let go of it: a dead link's close event can take minutes.
        const { socket } = link;
        socket.onopen = socket.onclose = socket.onmessage = null;
        socket.close();
      }
      this.clock.clearTimeout(this._timer);
      // A ticket that is a plain string has no successor to ask for.
      const again = ending.again && !(ending.reason === "expired" && typeof this.ticket !== "function" && !isAddress(this.ticket));
      for (const call of [...this._calls]) {
        if (call.sent || !again) call.failed(new StorkError(LOST, [`connection: ${ending.reason}`]));
      }
      const { reason, uri, code, message } = ending;
      if (!again) {
        this._ended = [...this.subscriptions];
        for (const subscription of this._ended) this._drop(subscription, "closed", { reason });
        this.clock.clearTimeout(this._checks);
        for (const [target, name] of wakingEvents()) target.removeEventListener(name, this._wake);
        if (reason !== "closed") {
          this._warn(this._listeners.state.size, `the connection is closed for good: ${[reason, uri, message].filter(Boolean).join(", ")}`);
        }
        this._set("closed", { reason, uri, code, message });
        return;
      }
      if (wasOpen && this.clock.now() - link.since >= STABLE_MS) this._attempt = 0;
      this._expired = reason === "expired";
      const delay = retryDelay(this._attempt++, this.random());
      this._timer = this.clock.setTimeout(() => this._try(), delay);
      this._set("waiting", { reason, uri, code, message, delay });
      for (const subscription of [...this.subscriptions]) {
        this.clock.clearTimeout(subscription.timer);
        subscription.wireId = null;
        subscription.attempt = 0;
        if (subscription.state !== "waiting") subscription._set("waiting", { reason: "lost" });
      }
    }

    // Silence, sleep -----------------------------------------------------------------------------------------------------

    _check() {
      const now = this.clock.now();
      const wall = this.clock.wall?.() ?? now;
      const before = this._checked ?? { now, wall };
      this._checked = { now, wall };
      // After a standstill of the page, frames that came meanwhile are read before silence counts.
      if (now - before.now > 2 * CHECK_MS) {
        this._checks = this.clock.setTimeout(() => this._check(), 0);
        return;
      }
      this._checks = this.clock.setTimeout(() => this._check(), CHECK_MS);
      this._listen(PROBE_AFTER_MS);
      // Many machines stop the other clock while they sleep. If only this clock was set, one more request does no harm.
      if (wall - before.wall - (now - before.now) > CHECK_MS) this._ask();
    }

    _listen(probeAfter) {
      const link = this._link;
      if (!link) return;
      const now = this.clock.now();
      const silent = now - link.heard;
      if (now >= link.deadline || (this.session && silent >= SILENT_MS)) {
        this._end({ reason: "silent", again: true });
      } else if (this.session && silent >= probeAfter && !link.probed) {
        link.probed = true;
        link.session.probe();
      }
    }

    // A page that is shown again is often asked needlessly. What was heard before a change of network says nothing.
    _awake(event) {
      if (event === "visibilitychange" && global.document.visibilityState !== "visible") return;
      if (event === "offline") this._ask();
      else if (event !== "visibilitychange" || !this.session || this.clock.now() - this._link.heard >= CHECK_MS) this.check();
    }

    /** Ask whether the connection lives, and give it `WAKE_MS` for an answer. */
    _ask() {
      const link = this._link;
      if (!this.session) return;
      link.probed = false;
      this._listen(0);
      if (this._link !== link) return;
      // A page of events may be on its way, and the answer comes behind it.
      const patience = link.asked ? RECOVER_MS : WAKE_MS;
      link.deadline = Math.min(link.deadline, this.clock.now() + patience);
      this.clock.clearTimeout(this._checks);
      this._checks = this.clock.setTimeout(() => this._check(), patience);
    }

    // Subscriptions on the wire --------------------------------------------------------------------------------------------

    _subscribe(subscription) {
      const { session } = this._link;
      const { topic, match } = subscription;
      const wish = wishOf(subscription);
      subscription._set("subscribing");
      session.subscribe(
        topic,
        match,
        (id) => {
          this._wire.set(id, wish);
          this._ids.set(wish, id);
          if (subscription.state === "subscribing") {
            subscription.wireId = id;
            subscription.attempt = 0;
            subscription.stream.hold();
            subscription._set("subscribed");
            this._recover(subscription);
          }
          this._sweep(wish);
        },
        (error) => {
          if (subscription.state === "subscribing") this._refused(subscription, error);
          this._sweep(wish);
        },
      );
    }

    _refused(subscription, { uri, args }) {
      const ending = { ...subscriptionEnding(uri), uri, message: typeof args[0] === "string" ? args[0] : undefined };
      if (!ending.again) {
        this._drop(subscription, "refused", ending);
        return;
      }
      const delay = retryDelay(subscription.attempt++, this.random());
      subscription.timer = this.clock.setTimeout(() => this._subscribe(subscription), delay);
      subscription._set("waiting", { ...ending, delay });
    }

    _revoked(id, uri) {
      for (const subscription of this._onWire(id)) this._drop(subscription, "refused", { reason: "revoked", uri });
      this._ids.delete(this._wire.get(id));
      this._wire.delete(id);
    }

    /** The subscriptions that get the events of the router's subscription `id`. */
    _onWire(id) {
      return [...(this._topics.get(this._wire.get(id)) ?? [])].filter(({ wireId }) => wireId === id);
    }

    _drop(subscription, state, why) {
      const wish = wishOf(subscription);
      this.clock.clearTimeout(subscription.timer);
      this.subscriptions.delete(subscription);
      this._topics.get(wish)?.delete(subscription);
      if (!this._topics.get(wish)?.size) this._topics.delete(wish);
      subscription.wireId = null;
      if (state === "refused") this._warn(subscription.onstate, `the subscription to ${subscription.topic} was refused: ${why.reason}`);
      subscription._set(state, why);
    }

    // Handlers of one topic share one subscription on the wire: it goes with the last of them. One whose SUBSCRIBE is on its
    // way counts, for the router may have answered it with the same id.
    _sweep(wish) {
      const id = this._ids.get(wish);
      if (id === undefined) return;
      for (const { state } of this._topics.get(wish) ?? []) {
        if (state === "subscribing" || state === "subscribed") return;
      }
      this._ids.delete(wish);
      this._wire.delete(id);
      this._link.session.unsubscribe(id);
    }

    _event(id, item, topic) {
      if (id === this._link.beat) {
        for (const { state, stream } of this.subscriptions) {
          if (state === "subscribed") stream.beat(item.position); // others still have to recover what they missed
        }
        return;
      }
      for (const subscription of this._onWire(id)) subscription._take({ ...item, topic });
    }

    // Recovery -------------------------------------------------------------------------------------------------------------

    /** Ask what the topics of a subscription have missed. Topics of many subscriptions are asked for together. */
    _recover(subscription) {
      const link = this._link;
      if (link.noRecovery) {
        subscription._answer(null);
        return;
      }
      link.toRecover.push(subscription);
      this._askNext(link);
    }

    _askNext(link) {
      while (this._link === link && link.asked < RECOVER_CALLS && link.toRecover.length) {
        const asked = this._portion(link);
        if (asked.size) this._askFor(link, asked, 0);
      }
    }

    /** The next topics and patterns, with those who want them: two subscriptions to one may stand at different positions. */
    _portion(link) {
      const asked = new Map();
      const later = [];
      for (const subscription of link.toRecover.splice(0)) {
        const { topic, match, stream: { position } } = subscription;
        if (subscription.state !== "subscribed") continue;
        if (link.isPlain && match !== "exact") {
          this._answer(link, subscription, null); // it would take the pattern for a topic
          continue;
        }
        const same = asked.get(topic);
        if (same && same.position === position && same.match === match) same.subscriptions.push(subscription);
        else if (same || asked.size >= RECOVER_TOPICS) later.push(subscription);
        else asked.set(topic, { position, match, subscriptions: [subscription] });
      }
      link.toRecover = later;
      return asked;
    }

    _askFor(link, asked, attempt) {
      const began = this.clock.now();
      const after = (delay, run) => {
        const timer = this.clock.setTimeout(() => link.timers.delete(timer) && run(), delay);
        link.timers.add(timer);
        return timer;
      };
      const answered = (take) => (answer) => {
        if (this._link !== link) return;
        this.clock.clearTimeout(deadline);
        link.timers.delete(deadline);
        link.asked -= 1;
        take(answer);
        this._askNext(link);
      };
      const done = answered((answers) => {
        if (this.clock.now() - began < QUICK_MS) this._pageBytes = Math.min(2 * this._pageBytes, MAX_PAGE_BYTES);
        this._take(link, asked, asObject(answers));
      });
      const failed = answered(({ uri }) => {
        if (uri === "wamp.error.no_such_procedure" || uri === "wamp.error.not_authorized") {
          link.noRecovery = true;
          this._take(link, asked, {}, false);
          for (const subscription of link.toRecover.splice(0)) this._answer(link, subscription, null);
        } else if (uri === "wamp.error.invalid_argument") {
          // A node of an earlier release takes the topics alone. To them, the same question has the same answer: an event
          // larger than the node's max_message_size, say.
          const wasPlain = link.isPlain;
          link.isPlain = true;
          if (wasPlain) this._take(link, asked, {});
          else for (const { subscriptions } of asked.values()) link.toRecover.push(...subscriptions);
        } else {
          after(retryDelay(attempt, this.random()), () => this._askFor(link, asked, attempt + 1));
        }
      });
      const positions = {};
      const patterns = {};
      for (const [topic, { position, match }] of asked) {
        positions[topic] = position;
        if (match !== "exact") patterns[topic] = match;
      }
      const kwargs = link.isPlain ? {} : { max_bytes: this._pageBytes };
      if (!link.isPlain && link.sessions.length) kwargs.sessions = link.sessions;
      if (Object.keys(patterns).length) kwargs.patterns = patterns;
      link.asked += 1;
      // Events are held back meanwhile, so there is a time limit.
      const deadline = after(RECOVER_MS, () => {
        this._pageBytes = Math.max(this._pageBytes >> 2, MIN_PAGE_BYTES);
        this._end({ reason: "silent", again: true });
      });
      link.session.call(RECOVER, [positions], kwargs, done, failed);
    }

    _take(link, asked, answers, hasBeat = true) {
      if (hasBeat) this._beat(link);
      const hasEvents = [...asked.keys()].some((topic) => asObject(answers[topic]).events?.length);
      for (const [topic, { subscriptions }] of asked) {
        // The bytes of one answer are for all its topics: one that got none of them is asked for again.
        const { more, events } = asObject(answers[topic]);
        const gotNothing = hasEvents && more && !events?.length;
        for (const subscription of subscriptions) {
          if (gotNothing || this._answer(link, subscription, answers[topic])) link.toRecover.push(subscription);
        }
      }
    }

    /** Whether more is to be asked for. A handler may have ended the subscription, or the client. */
    _answer(link, subscription, answer) {
      return this._link === link && subscription.state === "subscribed" && subscription._answer(answer);
    }

    // A node that answers recover also sends position events.
    _beat(link) {
      if (link.beat !== undefined) return;
      link.beat = null;
      link.session.subscribe(BEAT, "exact", (id) => { link.beat = id; }, () => {});
    }

    // ------------------------------------------------------------------------------------------------------------------------

    _send(call) {
      call.sent = true;
      this._link.session.call(call.uri, call.args, call.kwargs, call.done, call.failed);
    }

    _set(state, more = {}) {
      this.state = state;
      this._emit("state", { state, reason: null, ...more });
    }

    _emit(name, ...values) {
      for (const listener of [...this._listeners[name]]) this._tell(listener, ...values);
    }

    /** Warn on the console if no function of the application gets the event. */
    _warn(isTold, sentence) {
      if (!isTold) global.console?.warn(`stork: ${sentence}`);
    }

    // The application's functions may throw: the error is reported, and stops nothing here.
    _tell(listener, ...values) {
      try {
        listener?.(...values);
      } catch (error) {
        (global.reportError || console.error)(error);
      }
    }
  }

  const systemClock = {
    // A phone's own clock may be set at any moment. Without performance there is no other.
    now: () => (global.performance?.now ? global.performance.now() : Date.now()),
    wall: () => Date.now(),
    setTimeout: (run, delay) => global.setTimeout(run, delay),
    clearTimeout: (timer) => global.clearTimeout(timer),
  };

  /** What the router is asked for: subscriptions with one wish share one on the wire. */
  function wishOf({ match, topic }) {
    return `${match} ${topic}`;
  }

  /** Where a browser, if this is one, says that the network or the page is there again, or not any more. */
  function wakingEvents() {
    const events = [];
    if (global.document?.addEventListener) events.push([global.document, "visibilitychange"], [global.document, "resume"]);
    if (global.addEventListener) for (const name of ["online", "offline", "pageshow"]) events.push([global, name]);
    return events;
  }

  const URI = /^[^\s.#]+(\.[^\s.#]+)*$/;

  // What cannot be sent would cost the whole connection, and all that is on its way.
  function checkCall(uri, args, kwargs) {
    if (typeof uri !== "string" || !URI.test(uri)) throw new TypeError(`call() wants the URI of a procedure: ${String(uri)}`);
    if (!Array.isArray(args)) throw new TypeError("call() wants its arguments as an array");
    if (kwargs === null || typeof kwargs !== "object" || Array.isArray(kwargs)) {
      throw new TypeError("call() wants its keyword arguments as an object");
    }
    const sent = JSON.parse(JSON.stringify([args, kwargs], checkText)); // throws what JSON cannot hold
    if (!Array.isArray(sent[0]) || sent[1] === null || typeof sent[1] !== "object") {
      throw new TypeError("call() wants arguments that JSON can hold");
    }
  }

  // Text that was cut within a character is no UTF-8, which WAMP wants.
  function checkText(key, value) {
    if (/\p{Surrogate}/u.test(key) || (typeof value === "string" && /\p{Surrogate}/u.test(value))) {
      throw new TypeError("call() wants text, and this one has half of a character");
    }
    return value;
  }

  // A text may be either; {value} and {address} say which.
  function isAddress(ticket) {
    return typeof ticket === "string" ? /^(\/(?!\/)|https?:\/\/)/.test(ticket) : typeof ticket.address === "string";
  }

  function isTicket(ticket) {
    return ["string", "function"].includes(typeof ticket) || typeof (ticket?.value ?? ticket?.address) === "string";
  }

  class TicketError extends Error {}

  async function fetchTicket(address) {
    const response = await global.fetch(address, { credentials: "same-origin", cache: "no-store" });
    if (response.status === 401 || response.status === 403) throw new TicketError(`${address} answered ${response.status}`);
    if (!response.ok) throw new Error(`${address} answered ${response.status}`);
    const text = (await response.text()).trim();
    // A site that sends visitors to a page for signing in answers 200 as well. PHP calls any text HTML, if not told otherwise.
    if (text.startsWith("<")) {
      throw new Error(`${address} answered with a page, and not with a ticket${response.redirected ? ` (${response.url})` : ""}`);
    }
    if (text === "") throw new Error(`${address} answered with an empty ticket`);
    return text;
  }

  // Only who asked for the ticket by its address knows that a no is final.
  function ticketEnding(error) {
    const message = String(error?.message ?? error);
    return error instanceof TicketError ? { reason: "denied", again: false, message } : { reason: "ticket", again: true, message };
  }

  /** An absolute address by its text alone: the URL of React Native has hardly any getter. */
  function socketUrl(url) {
    let text = String(url ?? "/ws").replace(/#.*/s, "");
    if (!/^[a-z][a-z0-9+.-]*:/i.test(text) && global.location) text = new global.URL(text, global.location.href).href;
    text = text.replace(/^http(s?):/i, "ws$1:");
    if (!/^wss?:\/\/[^/\s?]+[^\s]*$/i.test(text)) throw new TypeError(`not the address of a WebSocket: ${url}`);
    return text;
  }

  /** Connect to a node, and stay connected. See stork.d.ts for the options. */
  function connect(options) {
    return new Client(options);
  }

  const core = { retryDelay, parsePosition, abortEnding, goodbyeEnding, closeEnding, subscriptionEnding, isTopic, Stream, Session, Garbage };
  const Stork = Object.freeze({ connect, feedId, StorkError, core: Object.freeze(core) });
  global.Stork = Stork;
  if (typeof module === "object" && module.exports) module.exports = Stork;
})(globalThis);
