/** Recovery for pusher-js 7 and 8 on a Stork node. `stork-pusher.js` defines `StorkPusher`; `stork-pusher.mjs` exports the same. */

/** What is needed of pusher-js's client; each `Pusher` of pusher-js 7 and 8 has it, as has `echo.connector.pusher`. */
export interface PusherClient {
  connection: object;
  send_event(name: string, data: any, channel?: string): boolean;
  unsubscribe(channel: string): void;
  allChannels(): object[];
}

export interface RecoverOptions {
  /**
   * Called for each channel that is subscribed again after a reconnect. `ok`: all missed events have come, once and in
   * order; live ones follow. Not `ok`: events may be lost; load the state again.
   */
  onrecovered?: (channel: string, ok: boolean) => void;
}

/** Let a client recover what it misses while it is not connected; best called right after `new Pusher`. Returns it. */
export function recover<Client extends PusherClient>(pusher: Client, options?: RecoverOptions): Client;

export as namespace StorkPusher;
