"""The sockets of the publish server, bound."""

import ctypes
import errno
import resource
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import zmq

from stork_node.errors import ConfigError, Problem
from stork_node.publish_server.counters import Counters
from stork_node.publish_server.settings import PublishServerSettings
from stork_node.publish_server.zap_handler import ZapHandler
from stork_node.transport.curve import Channel, secure_server
from stork_node.transport.peer_watch import PeerWatch
from stork_node.transport.peers import PeerLimits, WatchedSocket
from stork_node.transport.sockets import prepare_server_socket

LINGER_MS = 2_000

# A frame beyond this cuts its sender's connection; up to it, one that is too large is refused with a reason.
_MAX_FRAME_BYTES = 5 << 18
# A request for replay is a line.
_MAX_REQUEST_BYTES = 64 << 10

# For each pusher: PUSH and DEALER peers wait when a queue here is full, and nothing is dropped. With half as many, they
# stop and go on so often that a fifth of the rate is lost. (libzmq must not raise it later: a peer that waits just then
# would wait for ever, as it is woken at a multiple of half the mark.) As many of the largest pushes (1 MiB) are less
# than a peer may make the server hold.
_PUSHES = 120
# For each pusher that does not read its answers, of some 100 bytes: beyond that it is cut.
_ANSWERS = 20_000
# For each relay. What it misses it sees by the numbers, and has replayed: better than to hold all that is pushed while
# it stands still. Its own socket holds as much again, and more.
_BUS_MESSAGES = 20_000
# A relay names one prefix, of 6 bytes.
_PREFIXES, _PREFIX_BYTES = 8, 256
# A greeting, READY and prefixes; CURVE's commands. libzmq keeps prefixes in a tree, which needs 2 KiB for one of a few
# bytes, and it walks through all of it where a connection ends.
_RELAY_BYTES, _CURVE_RELAY_BYTES = 320, 704
# Or a tenth of all connections.
_RELAYS = 100
# On the bus, of READY (ZMTP, 3.1) and INITIATE (RFC 26), which come before.
_MAX_HANDSHAKE_BYTES = 1 << 10
# What may come from a relay before anybody looks at it: the kernel holds no more of it.
_BUS_BUFFER_BYTES = 1 << 10
# For each relay, which asks for one page of about 1 MiB at a time.
_REPLAY_REQUESTS, _REPLAY_ANSWERS = 2, 4

HANDSHAKE_MS = 10_000
"""How long a connection may take until it has said who it is."""

# What one wake-up takes of each socket: enough that an append is shared, little enough that heartbeats stay on time.
_BATCH_MESSAGES = 1_000
_BATCH_BYTES = 16 << 20
_BATCH_S = 0.02

_PORTS, _OTHER_DESCRIPTORS = 4, 200


@dataclass(frozen=True)
class Sockets:
    """
    PULL and ROUTER take pushes, XPUB is the bus, another ROUTER replays; ``watch`` checks the peers of all.

    ``zap_handler`` is there where a secret is.
    """

    context: "zmq.Context[zmq.Socket[bytes]]"
    pull: WatchedSocket
    router: WatchedSocket
    pub: WatchedSocket
    replay: WatchedSocket
    watch: PeerWatch
    zap_handler: ZapHandler | None

    @property
    def all(self) -> tuple[WatchedSocket, ...]:
        return self.pull, self.router, self.pub, self.replay

    def close(self) -> None:
        """Close all; waits for what is not sent yet, ``LINGER_MS`` at most."""
        for each in self.all:
            each.close()
        self.context.destroy(linger=LINGER_MS)


def open_sockets(settings: PublishServerSettings) -> Sockets:
    """
    Bind everything.

    Raises:
        ConfigError: an endpoint that is in use, or that this machine does not have; nothing stays bound.
    """
    _seed_routing_ids()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    watched: tuple[WatchedSocket, ...] = ()
    try:
        zap_handler = ZapHandler(context, settings.secret) if settings.secret else None
        pull = _socket(context, zmq.PULL, "pull", settings)
        router = _socket(context, zmq.ROUTER, "router", settings)
        pub = _socket(context, zmq.XPUB, "pub", settings)
        replay = _socket(context, zmq.ROUTER, "replay", settings)
        pull.rcvhwm = router.rcvhwm = _PUSHES
        router.sndhwm = _ANSWERS
        pub.sndhwm, pub.maxmsgsize, pub.rcvbuf = _BUS_MESSAGES, _MAX_HANDSHAKE_BYTES, _BUS_BUFFER_BYTES
        # libzmq ends the process where a connection is cut while its queue is full: this one never is.
        pub.rcvhwm = 0
        # It says who names which prefix; a PUB says nothing.
        pub.setsockopt(zmq.XPUB_VERBOSE, 1)
        replay.rcvhwm, replay.sndhwm, replay.maxmsgsize = _REPLAY_REQUESTS, _REPLAY_ANSWERS, _MAX_REQUEST_BYTES
        # An answer that cannot be sent is an error, which is counted, and is not dropped.
        router.router_mandatory = replay.router_mandatory = True
        most = connections_per_port(settings.connections)
        pushing = PeerLimits(most, unread_bytes=128 << 20, unfinished_bytes=3 << 19, unsent_bytes=32 << 20)
        relays = min(most, max(_RELAYS, most // 10))
        bus = _RELAY_BYTES + (_CURVE_RELAY_BYTES if settings.secret else 0)
        watched = (
            WatchedSocket(pull, pushing),
            WatchedSocket(router, pushing),
            # A relay sends a greeting and its prefix, and nothing else.
            WatchedSocket(pub, PeerLimits(relays, bus, bus, 64 << 20, _PREFIXES, _PREFIX_BYTES, arrived_bytes=bus)),
            WatchedSocket(
                replay, PeerLimits(most, unread_bytes=256 << 10, unfinished_bytes=64 << 10, unsent_bytes=8 << 20)
            ),
        )
        for socket, name in ((pull, "pull"), (router, "router"), (pub, "pub"), (replay, "replay")):
            _bind(socket, name, getattr(settings, name))
    except BaseException:
        for each in watched:
            each.close()
        context.destroy(linger=0)
        raise
    watch = PeerWatch([watched[0], watched[1], watched[3]], [watched[2]], settings.peers_bytes)
    return Sockets(context, *watched, watch, zap_handler)


def _seed_routing_ids() -> None:
    """
    Have libzmq's routing ids begin at random.

    It counts on from a number of libc's rand(), which nobody seeds. A peer that claims an id which is given to another
    one later ends the process (an assertion in socket_base.cpp).
    """
    with suppress(OSError, AttributeError):  # no libc of that kind
        ctypes.CDLL(None).srand(secrets.randbits(32))


def connections_per_port(wanted: int) -> int:
    """As many as wanted, and no more than this process has descriptors for: two for each connection."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * _PORTS * wanted + _OTHER_DESCRIPTORS
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        allowed = needed if most == resource.RLIM_INFINITY else min(needed, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
        return max(1, (allowed - _OTHER_DESCRIPTORS) // (2 * _PORTS))
    return wanted


def _socket(
    context: "zmq.Context[zmq.Socket[bytes]]", kind: int, name: str, settings: PublishServerSettings
) -> "zmq.Socket[bytes]":
    socket = context.socket(kind)
    prepare_server_socket(socket, getattr(settings, name))
    socket.maxmsgsize = _MAX_FRAME_BYTES
    socket.handshake_ivl = HANDSHAKE_MS
    # Without a secret, too: libzmq refuses peers of ZMTP 1.0 and 2.0 where there is a domain (its zap_enabled). ZMTP
    # 1.0 has no greeting, so that the POST of a web page, headers and body, would be read as messages.
    socket.zap_domain = name.encode()
    if settings.secret:
        channel: Channel = "push" if name in ("pull", "router") else "follow"
        secure_server(socket, settings.secret, channel)
    return socket


def _bind(socket: "zmq.Socket[bytes]", name: str, endpoint: str) -> None:
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        raise ConfigError([Problem(name, _explain(endpoint, error))]) from None


def _explain(endpoint: str, error: zmq.ZMQError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"{endpoint} is in use (by another publish server?): there is one per deployment, "
            f"so stop what listens on port {endpoint.rpartition(':')[2]}, or choose another endpoint"
        )
    if error.errno in (errno.ENODEV, errno.EADDRNOTAVAIL):
        return f"{endpoint} is not an address of this machine (want tcp://127.0.0.1:5555 or tcp://0.0.0.0:5555)"
    return f"cannot bind {endpoint}: {error.strerror}"


def waiting(socket: WatchedSocket) -> Iterator[list[bytes]]:
    """The messages that wait on ``socket``, within the limits of a batch."""
    size, ends_at = 0, time.monotonic() + _BATCH_S
    for _ in range(_BATCH_MESSAGES):
        try:
            frames = socket.receive()
        except zmq.Again:
            return
        yield frames
        size += sum(map(len, frames))
        if size > _BATCH_BYTES or time.monotonic() > ends_at:
            return


def answer_peer(socket: WatchedSocket, frames: list[bytes], counters: Counters) -> bool:
    """Send one message of a ROUTER; returns whether it is on its way. A peer that has left or is cut is counted."""
    try:
        socket.answer(frames)
    except zmq.Again:  # it asks, and does not read
        return False
    except zmq.ZMQError as error:
        if error.errno != zmq.EHOSTUNREACH:
            raise
        counters.unreachable += 1
        return False
    return True


def bound_to(socket: WatchedSocket) -> str:
    """The endpoint of a socket that is bound, with its real port."""
    return bytes(socket.socket.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()
