import { once } from "node:events";
import { WebSocketServer } from "ws";

/** A queue that is read with `await next()`. A test's own time-out is the deadline. */
export class Queue {
  constructor() {
    this.items = [];
    this.readers = [];
  }

  push(item) {
    const reader = this.readers.shift();
    if (reader) reader(item);
    else this.items.push(item);
  }

  next() {
    if (this.items.length) return Promise.resolve(this.items.shift());
    return new Promise((resolve) => this.readers.push(resolve));
  }
}

/** A WAMP router that says only what the test tells it to. */
export class Router {
  static async start(t) {
    const router = new Router();
    router.server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await once(router.server, "listening");
    router.url = `ws://127.0.0.1:${router.server.address().port}/ws`;
    router.arrivals = new Queue();
    router.count = 0;
    router.server.on("connection", (socket) => {
      router.count += 1;
      router.arrivals.push(new Peer(socket));
    });
    t.after(() => router.stop());
    return router;
  }

  /** The next connection, before its HELLO. */
  accept() {
    return this.arrivals.next();
  }

  /** The next connection, joined. */
  async join(session = 77) {
    const peer = await this.accept();
    await peer.join(session);
    return peer;
  }

  stop() {
    for (const client of this.server.clients) client.terminate();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

class Peer {
  constructor(socket) {
    this.socket = socket;
    this.protocol = socket.protocol;
    this.messages = new Queue();
    this.closed = once(socket, "close");
    socket.on("message", (data) => this.messages.push(JSON.parse(data)));
  }

  receive() {
    return this.messages.next();
  }

  /** The next message, which must be of this type. */
  async expect(type) {
    const message = await this.receive();
    if (message[0] !== type) throw new Error(`wanted message ${type}, got ${JSON.stringify(message)}`);
    return message;
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  async join(session) {
    this.hello = await this.expect(1);
    this.send([4, "ticket", {}]);
    this.authenticate = await this.expect(5);
    this.send([2, session, { authid: "joe", authrole: "frontend", authextra: { a: 1 }, roles: { broker: {} } }]);
  }

  /** Admit the next SUBSCRIBE; returns its topic. */
  async admit(id, topic) {
    const [, request, , asked] = await this.expect(32);
    if (topic !== undefined && asked !== topic) throw new Error(`wanted SUBSCRIBE ${topic}, got ${asked}`);
    this.send([33, request, id]);
    return asked;
  }

  /** Answer the next `recover`; returns the positions it asked with. */
  async recover(answer) {
    const [, request, , procedure, [positions], options] = await this.expect(48);
    this.options = options;
    if (procedure !== "io.virge.stork.recover") throw new Error(`wanted recover, got ${procedure}`);
    if (typeof answer === "string") this.send([8, 48, request, {}, answer]);
    else this.send([50, request, {}, [answer]]);
    return positions;
  }

  event(id, position, data = position, details = {}) {
    const kwargs = position === null ? {} : { position };
    this.send([36, id, 1, details, [{ type: "t", data, timestamp: "2026-01-01T00:00:00.000Z" }], kwargs]);
  }

  /** Until the client has taken all that was sent before: its WebSocket answers a ping in its turn. */
  async flushed() {
    this.socket.ping();
    await once(this.socket, "pong");
  }
}
