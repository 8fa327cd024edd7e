// Real parts, none of them ours: pusher-js as the client, and pusher (npm) as the backend.
//
//   node pusher_clients.mjs PORT KEY SECRET        ends with 0 if all is as with Pusher

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import WebSocket from 'ws'

const [port, key, secret] = process.argv.slice(2)
const require = createRequire(import.meta.url)
const Backend = require('pusher')
const Client = require('pusher-js')
globalThis.self = globalThis
globalThis.WebSocket = WebSocket
const EncryptedClient = require('pusher-js/dist/worker/pusher-with-encryption.worker.js')

const place = { appId: '1', key, secret, host: '127.0.0.1', port, useTLS: false }
const backend = new Backend(place)
const encrypting = new Backend({ ...place, encryptionMasterKeyBase64: Buffer.alloc(32, 7).toString('base64') })

const options = (signing, member = undefined) => ({
  cluster: '',
  wsHost: '127.0.0.1',
  wsPort: Number(port),
  forceTLS: false,
  enabledTransports: ['ws'],
  channelAuthorization: {
    customHandler: ({ socketId, channelName }, done) =>
      done(null, signing.authorizeChannel(socketId, channelName, channelName.startsWith('presence-') ? member : undefined)),
  },
  userAuthentication: {
    customHandler: ({ socketId }, done) => done(null, signing.authenticateUser(socketId, { id: 'ann' })),
  },
})

const next = (source, event) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} within 20 s`)), 20_000)
    source.bind(event, (data) => {
      clearTimeout(timer)
      resolve(data)
    })
  })
const subscribed = async (client, name) => {
  const channel = client.subscribe(name)
  await next(channel, 'pusher:subscription_succeeded')
  return channel
}
const answer = async (response) => (await response).json()

const one = new Client(key, options(backend))
const two = new Client(key, options(backend))
await Promise.all([next(one.connection, 'connected'), next(two.connection, 'connected')])

const orders = await subscribed(one, 'orders.42')
const mine = await subscribed(one, 'private-room.1')
const theirs = await subscribed(two, 'private-room.1')
const last = one.subscribe('cache-last.1')
await next(last, 'pusher:cache_miss')

// An event, one to all but its sender, a batch, a client event.
let event = next(orders, 'paid')
assert.deepEqual(await answer(backend.trigger('orders.42', 'paid', { id: 42, name: 'Zoë' })), {})
assert.deepEqual(await event, { id: 42, name: 'Zoë' })

mine.bind('left-out', () => assert.fail('the sender got its own event'))
mine.bind('client-typing', () => assert.fail('the sender got its own client event'))
event = next(theirs, 'left-out')
const info = { socket_id: one.connection.socket_id, info: 'subscription_count' }
assert.deepEqual(await answer(backend.trigger('private-room.1', 'left-out', 'plain', info)), {
  channels: { 'private-room.1': { subscription_count: 2 } },
})
assert.equal(await event, 'plain')

event = next(orders, 'second')
const batch = ['first', 'second'].map((name, n) => ({ channel: 'orders.42', name, data: { n } }))
assert.deepEqual(await answer(backend.triggerBatch(batch)), {})
assert.deepEqual(await event, { n: 1 })

event = next(theirs, 'client-typing')
assert.ok(mine.trigger('client-typing', { who: 'one' }))
assert.deepEqual(await event, { who: 'one' })

// A cache channel tells its last event to who comes later.
await backend.trigger('cache-last.1', 'price', { euro: 7 })
const late = two.subscribe('cache-last.1')
assert.deepEqual(await next(late, 'price'), { euro: 7 })

// A user, an encrypted channel, what channels there are.
one.signin()
await one.user.signinDonePromise
event = next(one.user, 'hello')
const greet = setInterval(() => backend.sendToUser('ann', 'hello', { x: 1 }), 200) // until its channel is subscribed
assert.deepEqual(await event, { x: 1 })
clearInterval(greet)

const three = new EncryptedClient(key, options(encrypting))
const notes = await subscribed(three, 'private-encrypted-notes')
event = next(notes, 'note')
await encrypting.trigger('private-encrypted-notes', 'note', { secret: 7 })
assert.deepEqual(await event, { secret: 7 })

// Members of a presence channel.
const ann = new Client(key, options(backend, { user_id: 'ann', user_info: { name: 'Ann' } }))
const bob = new Client(key, options(backend, { user_id: 'bob' }))
const room = await subscribed(ann, 'presence-room.1')
assert.deepEqual([room.members.count, room.members.me], [1, { id: 'ann', info: { name: 'Ann' } }])
let told = next(room, 'pusher:member_added')
const other = await subscribed(bob, 'presence-room.1')
assert.deepEqual(await told, { id: 'bob', info: null })
if (!other.members.get('ann')) await next(other, 'pusher:member_added')
assert.deepEqual(other.members.get('ann'), { id: 'ann', info: { name: 'Ann' } })
assert.deepEqual([room.members.count, other.members.count], [2, 2])
const users = await answer(backend.get({ path: '/channels/presence-room.1/users' }))
assert.deepEqual(users, { users: [{ id: 'ann' }, { id: 'bob' }] })
const typing = new Promise((resolve) => room.bind('client-typing', (data, { user_id }) => resolve({ data, user_id })))
assert.ok(other.trigger('client-typing', { a: 1 }))
assert.deepEqual(await typing, { data: { a: 1 }, user_id: 'bob' })
told = next(room, 'pusher:member_removed')
bob.unsubscribe('presence-room.1')
assert.deepEqual(await told, { id: 'bob', info: null })
assert.equal(room.members.count, 1)

// A user whose connections the backend ends.
const ended = next(one.connection, 'disconnected')
await backend.terminateUserConnections('ann')
await ended

const found = await answer(backend.get({ path: '/channels', params: { filter_by_prefix: 'private-room' } }))
assert.deepEqual(found, { channels: { 'private-room.1': {} } })

// Refusals.
const stranger = new Client('nobody', options(backend))
const refused = await next(stranger.connection, 'error')
assert.equal(refused.error.data.code, 4001)
const liar = new Client(key, options(new Backend({ ...place, secret: 'another' })))
const error = await next(liar.subscribe('private-room.1'), 'pusher:subscription_error')
assert.deepEqual([error.type, error.status], ['AuthError', 401])
await assert.rejects(backend.trigger('orders.42', 'pusher:x', {}), { status: 400 })
await assert.rejects(new Backend({ ...place, secret: 'another' }).trigger('a', 'b', {}), { status: 401 })

process.exit(0)
