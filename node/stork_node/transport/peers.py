"""
What each peer of a ZMQ socket makes this process hold, and how it is cut.

libzmq counts whole messages against its high-water marks, and bounds the size of one frame. It bounds neither a message
of endless frames, nor the bytes of what waits. The kernel counts the bytes of each connection: what has come from it,
less what was taken in whole messages, is what libzmq holds of it; what was sent to it, less what it has acknowledged,
is what waits for it.
"""

import os
import struct
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat, takewhile
from operator import attrgetter

import zmq

from stork_node.transport.arrival_guard import ArrivalGuard
from stork_node.transport.handshakes import stranger
from stork_node.transport.peer import Peer
from stork_node.transport.peer_places import who_gives_way
from stork_node.transport.tcp_traffic import waits_to_be_sent

_EVENT = struct.Struct("=HI")
_ACCEPTED, _DISCONNECTED = int(zmq.EVENT_ACCEPTED), int(zmq.EVENT_DISCONNECTED)
_REFUSED = int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
_CONNECTED = int(zmq.EVENT_CONNECTED)
_NOBLOCK = int(zmq.NOBLOCK)
_NOBLOCK_MORE = _NOBLOCK | int(zmq.SNDMORE)
_SRCFD = int(zmq.SRCFD)

MOST_FRAMES = 64
"""Of one message: an envelope, and a document or request."""
# What is left of a message with more is thrown away, so many frames at a time: others wait for some 10 ms.
_DROPPED_AT_ONCE = 10_000
_PREFIXES_AT_ONCE = 1_000
# A greeting, and the shortest READY (ZMTP, 3.1); under CURVE, HELLO and INITIATE (RFC 26).
_JOINED_BYTES, _CURVE_JOINED_BYTES = 64 + 27, 64 + 202 + 259

# The head of a frame is 2 or 9 bytes (ZMTP, 3.1), and a frame under CURVE has 33 more (RFC 26).
_HEAD_BYTES, _CURVE_BYTES = 9, 33
# What a peer may send a second besides messages: heartbeats, which take 4 bytes, and 17 under CURVE.
_CONTROL_BYTES, _CURVE_CONTROL_BYTES = 8, 32


@dataclass(frozen=True)
class PeerLimits:
    """
    Attributes:
        connections: how many at once.
        unread_bytes: how much libzmq may hold of one peer, of whole messages and of one that is not finished.
        unfinished_bytes: how much of that may be of one that is not finished. A frame of no bytes at all has two on the
            wire, and needs 64 in memory.
        unsent_bytes: how much may wait for one peer, in libzmq and in the kernel.
        prefixes: how many prefixes one peer of an XPUB may name while it is connected, the same one again included.
        prefix_bytes: how many bytes all of these may have together.
        arrived_bytes: beyond that, besides heartbeats, a peer is cut as soon as it comes; 0 for no such limit.
    """

    connections: int
    unread_bytes: int
    unfinished_bytes: int
    unsent_bytes: int
    prefixes: int = 0
    prefix_bytes: int = 0
    arrived_bytes: int = 0


class WatchedSocket:
    """
    A ZMQ socket whose peers are known; send and receive by this object only. To be made before the socket binds.

    Attributes:
        events: readable where connections have come or gone; call ``take_events`` then.
        cuts: why peers were cut, since somebody last took it.
        strangers: why peers were refused for their key, since somebody last took it.
    """

    def __init__(self, socket: "zmq.Socket[bytes]", limits: PeerLimits) -> None:
        self.socket, self.limits = socket, limits
        self.cuts: list[str] = []
        self.strangers: list[str] = []
        self._peers: dict[int, Peer] = {}  # by libzmq's descriptor
        self._by_routing_id: dict[bytes, Peer] = {}
        self._early: dict[int, list[bytes]] = {}  # prefixes of connections that no event has told of yet
        is_curve = self._is_curve = socket.mechanism == zmq.CURVE
        self._frame_bytes = _HEAD_BYTES + (_CURVE_BYTES if is_curve else 0)
        self._control_bytes = _CURVE_CONTROL_BYTES if is_curve else _CONTROL_BYTES
        self._published, self._now = 0, 0.0
        self._joined_bytes = _CURVE_JOINED_BYTES if is_curve else _JOINED_BYTES
        self._is_drained = self._is_dropping = False
        self._has_routing_ids = socket.type == zmq.ROUTER
        endpoint = f"inproc://stork-peers-{id(self)}"
        socket.monitor(endpoint, _ACCEPTED | _CONNECTED | _DISCONNECTED | _REFUSED)
        self.events: zmq.Socket[bytes] = socket.context.socket(zmq.PAIR)
        self.events.linger = 0
        self.events.rcvhwm = 0  # libzmq's thread would wait for this one
        self.events.connect(endpoint)
        self._guard: ArrivalGuard | None = None
        if limits.arrived_bytes and sys.platform == "linux":
            self._guard = ArrivalGuard(self.events, self._control_bytes, limits.arrived_bytes)
            self.events = self._guard.events

    @property
    def has_peers(self) -> bool:
        return bool(self._peers)

    @property
    def peers(self) -> list[Peer]:
        """Those that are not cut."""
        return [peer for peer in self._peers.values() if not peer.is_cut]

    def receive(self) -> list[bytes]:
        """
        Take one whole message.

        Raises:
            zmq.Again: there is none, or one of very many frames comes first, which goes away piece by piece.
        """
        return self._receive()[0]

    def receive_from(self) -> tuple[list[bytes], str, str]:
        """
        As ``receive``; with the peer's address, and what the ZAP handler has called it (empty where there is none).

        Raises:
            zmq.Again: there is none.
        """
        frames, first = self._receive()
        return frames, _property(first, "Peer-Address"), _property(first, "User-Id")

    def take_prefixes(self) -> None:
        """
        Take what the peers of an XPUB say, some of it at once; cut those that name more prefixes than they may.

        libzmq keeps prefixes in a tree that needs up to 2 KiB for one of a few bytes.
        """
        for _ in range(_PREFIXES_AT_ONCE):
            try:
                said = self.socket.recv(_NOBLOCK, False, False)
            except zmq.Again:
                self._is_drained = True
                return
            try:
                fd = int(said.get(_SRCFD))
            except zmq.ZMQError:  # libzmq says that a prefix has gone with a connection
                continue
            peer = self._peer_at(fd)
            if peer:
                self._note_prefix(peer, said.bytes)
            else:
                self._early.setdefault(fd, []).append(said.bytes)

    def _note_prefix(self, peer: Peer, said: bytes) -> None:
        if peer.is_cut:
            return
        size = len(said)
        peer.inflow.taken += size + self._frame_bytes
        peer.prefixes += 1
        if peer.prefixes <= self.limits.prefixes and size <= self.limits.prefix_bytes:
            peer.named.append(said[1:])
        peer.prefix_bytes += size
        if peer.prefixes > self.limits.prefixes or peer.prefix_bytes > self.limits.prefix_bytes:
            self._cut(peer, f"it has named {peer.prefixes} prefixes, of {peer.prefix_bytes:,} bytes together")

    def note_drained(self) -> None:
        """A poll has found no whole message."""
        self._is_drained = True

    def _receive(self) -> tuple[list[bytes], zmq.Frame]:
        """One whole message, and its first frame as libzmq has it."""
        if self._is_dropping:
            self._drop_some()
        try:
            first = self.socket.recv(_NOBLOCK, False, False)
        except zmq.Again:
            self._is_drained = True
            raise
        frames = [first.bytes]
        if first.more:
            self._receive_more(frames)
        fd = first.get(_SRCFD)
        peer = self._peers.get(fd) or self._peer_at(int(fd))
        if self._is_dropping:
            self._drop_rest(peer)
        if peer is None:
            return frames, first
        if not self._has_routing_ids and len(frames) == 1:
            peer.inflow.taken += len(frames[0]) + self._frame_bytes
            return frames, first
        size = sum(map(len, frames)) + self._frame_bytes * len(frames)
        if self._has_routing_ids:
            self._note_routing_id(peer, frames[0])
            size -= len(frames[0]) + self._frame_bytes  # libzmq has put it there
        peer.inflow.taken += size
        return frames, first

    def _receive_more(self, frames: list[bytes]) -> None:
        """The frames of a message after its first; as many as a message may have."""
        while len(frames) < MOST_FRAMES:
            frame = self.socket.recv(_NOBLOCK, False, False)
            frames.append(frame.bytes)
            if not frame.more:
                return
        self._is_dropping = True

    def _drop_rest(self, peer: Peer | None) -> None:
        """Cut who sends a message of very many frames, and take the others of it out of the way."""
        if peer and not peer.is_cut:
            self._cut(peer, f"a message of it has more than {MOST_FRAMES} frames")
        with suppress(zmq.Again):
            self._drop_some()

    def _drop_some(self) -> None:
        """
        Throw frames away, until the message ends.

        Raises:
            zmq.Again: there are more.
        """
        # A loop in C: a turn of one in Python costs twice as much.
        frames = map(self.socket.recv, repeat(_NOBLOCK, _DROPPED_AT_ONCE), repeat(False), repeat(False))
        dropped = deque(enumerate(takewhile(attrgetter("more"), frames), 1), maxlen=1)
        if dropped and dropped[0][0] == _DROPPED_AT_ONCE:
            raise zmq.Again
        self._is_dropping = False

    def _note_routing_id(self, peer: Peer, routing_id: bytes) -> None:
        if peer.routing_id != routing_id:
            self._by_routing_id.pop(peer.routing_id, None)
            peer.routing_id = routing_id
            self._by_routing_id[routing_id] = peer

    def _peer_at(self, fd: int) -> Peer | None:
        if fd not in self._peers:
            self.take_events(self._now)
        return self._peers.get(fd)

    def answer(self, frames: list[bytes]) -> None:
        """
        Send one message of a ROUTER, whole or not at all: the routing id comes first, and is what can fail.

        As ``send_multipart`` does, which spends most of its time on adding up the flags of each frame.

        Raises:
            zmq.Again: too much waits for the peer, which is cut.
            zmq.ZMQError: the peer has left (EHOSTUNREACH).
        """
        routing_id, *body, last = frames
        peer = self._by_routing_id.get(routing_id)
        try:
            self.socket.send(routing_id, _NOBLOCK_MORE)
            for frame in body:
                self.socket.send(frame, _NOBLOCK_MORE)
            self.socket.send(last, _NOBLOCK)
        except zmq.Again:
            # A message that waited may be of a connection that has ended, and whose descriptor another one has by now.
            if peer and not peer.is_cut and waits_to_be_sent(peer.connection):
                self._cut(peer, "it does not read its answers")
            raise
        if peer:
            peer.queued += len(last) + sum(map(len, body)) + self._frame_bytes * (len(body) + 1)

    def publish(self, frame: bytes) -> None:
        """Send to all peers; libzmq drops it for one whose queue is full."""
        self.socket.send(frame, _NOBLOCK)
        self._published += len(frame) + self._frame_bytes

    def take_events(self, now: float) -> None:
        """Note connections that have come, and those that have gone; cut those that are too many."""
        self._now = now
        while self._take_event(now):
            pass
        # Only now: a descriptor that was closed and given away again is known to be so once all events are taken.
        if len(self._peers) > self.limits.connections:
            self._make_room(now)

    def _make_room(self, now: float) -> None:
        peers = self.peers
        if len(peers) <= self.limits.connections:
            return
        for peer in peers:
            if not peer.has_joined:
                peer.notice_joining(self._joined_bytes)
        for peer in who_gives_way(peers, self.limits.connections, now):
            why = "been idle longest" if peer.has_joined else "not said who it is"
            self._cut(peer, f"there are {self.limits.connections:,} connections, and it has {why}")

    def _take_event(self, now: float) -> bool:
        try:
            event, fd = _EVENT.unpack(self.events.recv_multipart(_NOBLOCK)[0])
        except zmq.Again:
            return False
        if event == _REFUSED:
            if why := stranger(event, fd, self._is_curve):
                self.strangers.append(why)
            return True
        self._forget(fd)  # also where libzmq has closed one without a word
        early = self._early.pop(fd, ())
        if event != _DISCONNECTED:
            with suppress(OSError):  # it is closed already, or no descriptor is left
                peer = self._peers[fd] = Peer(fd, now, -self._published, self._control_bytes)
                for said in early:
                    self._note_prefix(peer, said)
        return True

    def _forget(self, fd: int) -> None:
        peer = self._peers.pop(fd, None)
        if peer:
            peer.close()
            if self._by_routing_id.get(peer.routing_id) is peer:
                del self._by_routing_id[peer.routing_id]

    def check(self, now: float) -> None:
        """Measure all peers, and cut those beyond a limit."""
        self._note_cuts_of_guard()
        is_drained, self._is_drained = self._is_drained, False
        for peer in self.peers:
            peer.measure(self._published, is_drained, now)
            if peer.unread > self.limits.unread_bytes:
                self._cut(peer, f"{peer.unread:,} bytes of it wait")
            elif peer.unfinished > self.limits.unfinished_bytes:
                self._cut(peer, f"a message of it has no end after {peer.unfinished:,} bytes")
            elif peer.unsent > self.limits.unsent_bytes:
                self._cut(peer, f"{peer.unsent:,} bytes wait for it: it does not read")

    def _note_cuts_of_guard(self) -> None:
        while self._guard and self._guard.cuts:
            name, why = self._guard.cuts.popleft()
            peer = next((peer for peer in self._peers.values() if peer.name == name), None)
            if peer and not peer.is_cut:
                self._cut(peer, why)
            elif not peer:
                self.cuts.append(f"{name} is cut: {why}")

    def cut_largest(self) -> None:
        """Cut the peer that makes this process hold most."""
        peer = max(self.peers, key=lambda peer: peer.held)
        self._cut(peer, f"peers hold too much together, and this one most: {peer.held:,} bytes")

    def _cut(self, peer: Peer, why: str) -> None:
        peer.cut()
        self.cuts.append(f"{peer.name} is cut: {why}")

    def sweep(self) -> None:
        """Forget connections that libzmq has closed without a word."""
        self._early.clear()
        for fd, peer in list(self._peers.items()):
            if not _is_same(fd, peer.connection.fileno()):
                self._forget(fd)

    def close(self) -> None:
        """Let go of all peers; the sockets are the context's to close."""
        if self._guard:
            self._guard.close()
        for fd in list(self._peers):
            self._forget(fd)


def _property(frame: zmq.Frame, name: str) -> str:
    """What libzmq knows of the connection that a frame came by. (Its descriptor may be another one's by now.)"""
    try:
        return str(frame.get(name))
    except zmq.ZMQError:  # there is no ZAP handler
        return ""


def _is_same(one: int, other: int) -> bool:
    try:
        return os.path.sameopenfile(one, other)
    except OSError:
        return False
