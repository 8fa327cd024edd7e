"""
The relay's sockets: SUB for the bus, DEALER for replay, and another one for what the node says of itself.

Each is made anew where it holds too much.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import zmq

from stork_crossbar.internals.zmq_reader import Message, ZmqReader
from stork_node.protocol import bus
from stork_node.protocol.replay import encode_request
from stork_node.relay.steps import Ask
from stork_node.transport import curve
from stork_node.transport.handshakes import Reachability
from stork_node.transport.server_watch import CHECK_S, ServerLimits, ServerWatch
from stork_node.transport.sockets import prepare_socket

_RECONNECT_MS = (100, 500)
# A push has 1 MiB, and its frame a head with topics besides. A larger frame ends the connection.
_MAX_FRAME_BYTES = 2 << 20
# One page is asked for at a time.
_PAGES = 2
# What a node says each second, and about commands.
_SAID = 100
# For the goodbye of a node that stops.
_GOODBYE_MS = 500
# After a connection was cut.
_PAUSE_S = 1.0

# A page has 1 MiB and one frame more at most, and the shortest frame some 80 bytes.
_BUS_LIMITS = ServerLimits(frames=64, unread_bytes=128 << 20, unfinished_bytes=3 << 20)
# The nodes' replies to a question have 4 MiB together.
_SAYING_LIMITS = ServerLimits(frames=2_000, unread_bytes=16 << 20, unfinished_bytes=5 << 20)
_REPLAY_LIMITS = ServerLimits(frames=20_000, unread_bytes=16 << 20, unfinished_bytes=3 << 20)


class PublishServerLink:
    """
    Args:
        buses, replays: the endpoints of each publish server; one at a time is followed.
        secret: STORK_BUS_SECRET, or empty.
        heard: takes messages of the bus.
        answered: takes messages of replay, answers to the last request only.
        leased: takes answers to what the node has said.
        cut: is told of a connection that was cut: the endpoint, and why.
    """

    def __init__(
        self,
        reactor: Any,
        buses: Sequence[str],
        replays: Sequence[str],
        secret: str,
        heard: Callable[[list[Message]], None],
        answered: Callable[[list[Message]], None],
        leased: Callable[[list[Message]], None],
        cut: Callable[[str, str], None],
    ) -> None:
        self._servers = list(zip(buses, replays, strict=False))
        self._reactor, self._secret, self._cut = reactor, secret, cut
        self._heard, self._answered, self._leased = heard, answered, leased
        self._asked: Ask | None = None
        self._connect()
        self._checking = reactor.callLater(CHECK_S, self._check)

    def _connect(self) -> None:
        reactor, has_secret = self._reactor, bool(self._secret)
        make = partial(_make_socket, secret=self._secret)
        bus_endpoint, replay_endpoint = self._servers[0]
        self._bus = _Connection(
            reactor, bus_endpoint, partial(make, zmq.SUB, bus_endpoint), _BUS_LIMITS, self._heard, has_secret
        )
        self._replay = _Connection(
            reactor,
            replay_endpoint,
            partial(make, zmq.DEALER, replay_endpoint),
            _REPLAY_LIMITS,
            self._answered,
            has_secret,
        )
        # A refusal of what a node says must not be taken for that of a request.
        self._open_saying = partial(
            _Connection,
            reactor,
            replay_endpoint,
            partial(make, zmq.DEALER, replay_endpoint, is_saying=True),
            _SAYING_LIMITS,
            self._leased,
            has_secret,
        )
        self._saying: _Connection | None = None

    @property
    def endpoint(self) -> str:
        """The bus that is followed now."""
        return self._servers[0][0]

    @property
    def replay_endpoint(self) -> str:
        """Where it replays."""
        return self._servers[0][1]

    @property
    def has_others(self) -> bool:
        """Whether there is another publish server to follow."""
        return len(self._servers) > 1

    def change_over(self, is_waiting: bool) -> None:
        """
        Follow the next publish server.

        Args:
            is_waiting: whether the last request has no answer yet, and is to be sent there.
        """
        self._disconnect()
        self._servers.append(self._servers.pop(0))
        self._connect()
        if is_waiting and self._asked is not None:
            self._replay.send(encode_request(self._asked.request))

    @property
    def trouble(self) -> str:
        """Why the publish server is out of reach, in one sentence; empty if it is not, or nothing is known."""
        return self._bus.reachability.trouble or self._replay.reachability.trouble

    def ask(self, ask: Ask) -> None:
        """Send a request for a page; while there is no connection, it goes nowhere, and will be repeated."""
        self._asked = ask
        if ask.anew:
            self._replay.open()
        self._replay.send(encode_request(ask.request))

    def say(self, frame: bytes) -> bool:
        """Say something of this node; returns whether there is a connection that takes it."""
        if self._saying is None:
            self._saying = self._open_saying()
        return self._saying.try_to_send(frame)

    def _check(self) -> None:
        self._checking = self._reactor.callLater(CHECK_S, self._check)
        for connection in filter(None, (self._bus, self._replay, self._saying)):
            why = connection.check()
            if why:
                self._cut(connection.endpoint, why)

    def close(self) -> None:
        self._checking.cancel()
        self._disconnect()

    def _disconnect(self) -> None:
        self._bus.close()
        self._replay.close()
        if self._saying is not None:
            self._saying.close(_GOODBYE_MS)


class _Connection:
    """One socket, which is made anew after it was cut."""

    def __init__(
        self,
        reactor: Any,
        endpoint: str,
        make_socket: "Callable[[], zmq.Socket[bytes]]",
        limits: ServerLimits,
        received: Callable[[list[Message]], None],
        has_secret: bool,
    ) -> None:
        self._reactor, self.endpoint, self._make_socket = reactor, endpoint, make_socket
        self._limits, self._received = limits, received
        self.reachability = Reachability(f"the publish server at {endpoint}", has_secret)
        self._watch: ServerWatch | None = None
        self._opening: Any = None
        self.open()

    def open(self) -> None:
        """Connect, with a new socket."""
        self.close()
        self._socket = self._make_socket()
        self._watch = ServerWatch(self._socket, self._limits, self.reachability)
        self._socket.connect(self.endpoint)
        self._reader = ZmqReader(self._reactor, self._socket, self._received, self._watch.receive)

    def send(self, frame: bytes) -> None:
        if self._watch is None:
            return
        try:
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:  # it answers, and does not read what it is asked
            self.open()
            self._socket.send(frame, zmq.NOBLOCK)
        self._reader.look_again()

    def try_to_send(self, frame: bytes) -> bool:
        """Send, if there is a connection, and room."""
        if self._watch is None:
            return False
        try:
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        finally:
            self._reader.look_again()
        return True

    def check(self) -> str:
        """Why it was cut just now; empty if it was not."""
        if self._watch is None:
            return ""
        why = self._watch.check(self._reactor.seconds())
        if why:
            self.close()
            self._opening = self._reactor.callLater(_PAUSE_S, self._open_again)
        elif self._watch.is_readable:
            self._reader.look_again()  # to ask has used up what the descriptor told
        return why

    def _open_again(self) -> None:
        self._opening = None
        self.open()

    def close(self, linger_ms: int = 0) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._watch is not None:
            self._watch.close()
            self._reader.close(linger_ms)
            self._watch = None


def _make_socket(kind: int, endpoint: str, *, secret: str, is_saying: bool = False) -> "zmq.Socket[bytes]":
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    prepare_socket(socket, endpoint)
    socket.linger = 0
    socket.maxmsgsize = _MAX_FRAME_BYTES
    socket.reconnect_ivl, socket.reconnect_ivl_max = _RECONNECT_MS
    if secret:
        curve.secure_client(socket, curve.ClientKeys.from_secret(secret, "follow"))
    if kind == zmq.SUB:
        socket.subscribe(bus.PREFIX)
        socket.subscribe(bus.NODES_PREFIX)
    elif is_saying:
        socket.immediate = True
        socket.sndhwm = _SAID
    else:
        socket.sndhwm = _PAGES
    return socket
