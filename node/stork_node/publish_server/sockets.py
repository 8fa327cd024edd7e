"""The sockets of the publish server, bound."""

import errno
from dataclasses import dataclass

import zmq

from stork_node.curve import Channel, Doorkeeper, secure_server
from stork_node.errors import ConfigError, Problem
from stork_node.publish_server.settings import PublishServerSettings
from stork_node.sockets import prepare_socket

LINGER_MS = 2_000

# A frame beyond this cuts its sender's connection; up to it, one that is too large is refused with a reason.
_MAX_FRAME_BYTES = 64 << 20
_NO_LIMIT = 0


@dataclass(frozen=True)
class Sockets:
    """PULL and ROUTER take pushes, PUB is the bus; ``doorkeeper`` is there when a secret is."""

    context: "zmq.Context[zmq.Socket[bytes]]"
    pull: "zmq.Socket[bytes]"
    router: "zmq.Socket[bytes]"
    pub: "zmq.Socket[bytes]"
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
        pub.sndhwm = _NO_LIMIT
        for socket, name in ((pull, "pull"), (router, "router"), (pub, "pub")):
            _bind(socket, name, getattr(settings, name))
    except BaseException:
        context.destroy(linger=0)
        raise
    return Sockets(context, pull, router, pub, doorkeeper)


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
