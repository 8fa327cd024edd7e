"""The sockets of the publish server, bound."""

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import zmq

from stork_node.curve import Channel, Doorkeeper, secure_server
from stork_node.errors import ConfigError, Problem
from stork_node.publish_server.counters import Counters
from stork_node.publish_server.settings import PublishServerSettings
from stork_node.sockets import prepare_socket

LINGER_MS = 2_000

# A frame beyond this cuts its sender's connection; up to it, one that is too large is refused with a reason.
_MAX_FRAME_BYTES = 64 << 20
_NO_LIMIT = 0

# For each relay. What it misses it sees by the numbers, and has replayed: better than to hold all that is pushed while
# it stands still. Its own socket holds as much again, and more.
_BUS_MESSAGES = 20_000
# For each peer, which asks for one page of about 1 MiB at a time. Beyond that an answer is an error, which is counted.
_REPLAY_ANSWERS = 16

# What one wake-up takes of each socket: enough that an append is shared, little enough that heartbeats stay on time.
_BATCH_MESSAGES = 1_000
_BATCH_BYTES = 16 << 20

_LAST, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)


@dataclass(frozen=True)
class Sockets:
    """PULL and ROUTER take pushes, PUB is the bus, another ROUTER replays; ``doorkeeper`` is there when a secret is."""

    context: "zmq.Context[zmq.Socket[bytes]]"
    pull: "zmq.Socket[bytes]"
    router: "zmq.Socket[bytes]"
    pub: "zmq.Socket[bytes]"
    replay: "zmq.Socket[bytes]"
    doorkeeper: Doorkeeper | None

    def close(self) -> None:
        """Close all; waits for what is not sent yet, ``LINGER_MS`` at most."""
        self.context.destroy(linger=LINGER_MS)


def open_sockets(settings: PublishServerSettings) -> Sockets:
    """
    Bind everything.

    Raises:
        ConfigError: an endpoint that is in use, or that this machine does not have; nothing stays bound.
    """
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        doorkeeper = Doorkeeper(context, settings.secret) if settings.secret else None
        # Receiving never drops: PUSH and DEALER peers wait when a queue here is full, so the default (1,000) is right.
        pull = _socket(context, zmq.PULL, settings.pull, settings.secret, "push")
        router = _socket(context, zmq.ROUTER, settings.router, settings.secret, "push")
        # ROUTER drops an answer to a peer whose queue is full, silently: a prototype stalled at the default of 1,000.
        router.sndhwm = _NO_LIMIT
        router.router_mandatory = True  # an answer to a peer that has left is an error, which is counted
        # PUB drops for a subscriber whose queue is full. One that has died loses its queue by heartbeats.
        pub = _socket(context, zmq.PUB, settings.pub, settings.secret, "follow")
        pub.sndhwm = _BUS_MESSAGES
        replay = _socket(context, zmq.ROUTER, settings.replay, settings.secret, "follow")
        replay.sndhwm = _REPLAY_ANSWERS
        replay.router_mandatory = True
        for socket, name in ((pull, "pull"), (router, "router"), (pub, "pub"), (replay, "replay")):
            _bind(socket, name, getattr(settings, name))
    except BaseException:
        context.destroy(linger=0)
        raise
    return Sockets(context, pull, router, pub, replay, doorkeeper)


def _socket(
    context: "zmq.Context[zmq.Socket[bytes]]", kind: int, endpoint: str, secret: str, channel: Channel
) -> "zmq.Socket[bytes]":
    socket = context.socket(kind)
    prepare_socket(socket, endpoint)
    socket.maxmsgsize = _MAX_FRAME_BYTES
    if secret:
        secure_server(socket, secret, channel)
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


def waiting(socket: "zmq.Socket[bytes]") -> Iterator[list[bytes]]:
    """The messages that wait on ``socket``, within the limits of a batch."""
    size = 0
    for _ in range(_BATCH_MESSAGES):
        try:
            frames = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        yield frames
        size += sum(map(len, frames))
        if size > _BATCH_BYTES:
            return


def answer_peer(socket: "zmq.Socket[bytes]", frames: Sequence[bytes], counters: Counters) -> None:
    """
    Send one message of a ROUTER; a peer that has left is counted.

    Raises:
        zmq.Again: the peer's queue is full.
    """
    try:
        send_frames(socket, frames)
    except zmq.ZMQError as error:
        if error.errno != zmq.EHOSTUNREACH:
            raise
        counters.unreachable += 1


def send_frames(socket: "zmq.Socket[bytes]", frames: Sequence[bytes]) -> None:
    """
    Send one message of a ROUTER, whole or not at all: the routing id comes first, and is what can fail.

    As ``send_multipart`` does, which spends most of its time on adding up the flags of each frame, as enumerations.

    Raises:
        zmq.Again: the peer's queue is full.
        zmq.ZMQError: the peer has left (EHOSTUNREACH).
    """
    for frame in frames[:-1]:
        socket.send(frame, _MORE)
    socket.send(frames[-1], _LAST)


def bound_to(socket: "zmq.Socket[bytes]") -> str:
    """The endpoint of a socket that is bound, with its real port."""
    return bytes(socket.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()
