// stork-pusher.js as an ES module: import { recover } from "/stork-pusher.mjs". Made by tests/js/module.mjs: change stork-pusher.js.

const SUBSCRIBE = "pusher:subscribe";
const SUCCEEDED = "pusher_internal:subscription_succeeded";
const BEAT = "pusher_internal:stork_beat";

function recover(pusher, { onrecovered } = {}) {
  const positions = new Map(); // by channel; null before one is known
  const live = new Set(); // the channels that are subscribed on this connection
  const missing = new Set(); // those whose missed events are still coming
  const ids = []; // of all sockets
  const { send_event: send, unsubscribe } = pusher;
  let transport;

  const raise = (channel, position) => {
    const [epoch, number] = position.split(":");
    const [known, at] = (positions.get(channel) || "").split(":");
    if (epoch !== known || +number > +at) positions.set(channel, position);
  };

  // Returns what is to be called after pusher-js has got the frame.
  const take = ({ event, channel, data, position, more }) => {
    if (event === BEAT) {
      for (const each of live) raise(each, JSON.parse(data).position);
    } else if (event === SUCCEEDED) {
      const told = JSON.parse(data);
      const known = positions.has(channel);
      live.add(channel);
      if (!told.recovered) positions.set(channel, told.position || null);
      else raise(channel, told.position);
      if (!known || !onrecovered) return;
      if (!more) return () => onrecovered(channel, told.recovered === true);
      missing.add(channel);
    } else if (position && live.has(channel)) {
      raise(channel, position);
      if (!more && missing.delete(channel)) return () => onrecovered(channel, true);
    }
  };

  const read = () => {
    const { connection, socket_id: id } = pusher.connection;
    if (!connection || connection.transport === transport) return;
    const mine = (transport = connection.transport);
    const { onMessage } = mine;
    ids.push(id);
    live.clear();
    missing.clear();
    mine.onMessage = (message) => {
      let tell;
      try {
        if (mine === transport) tell = take(JSON.parse(message.data));
      } catch {} // pusher-js complains of it
      try {
        onMessage.call(mine, message);
      } finally {
        if (tell) tell();
      }
    };
  };

  pusher.send_event = (event, data, channel) => {
    if (event === SUBSCRIBE) {
      read();
      const sessions = ids.slice(-101, -1);
      data = { ...data, since: positions.get(data.channel) || null, sessions };
    }
    return send.call(pusher, event, data, channel);
  };
  pusher.unsubscribe = (channel) => {
    positions.delete(channel);
    live.delete(channel);
    missing.delete(channel);
    return unsubscribe.call(pusher, channel);
  };
  read();
  for (const { name, subscribed } of pusher.allChannels()) if (subscribed) live.add(positions.set(name, null) && name);
  return pusher;
}

const StorkPusher = Object.freeze({ recover });

export { recover };
export default StorkPusher;
