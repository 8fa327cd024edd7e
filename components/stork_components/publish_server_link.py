"""
The relay's two sockets: SUB for the bus, and DEALER for replay. The DEALER is replaced if an answer does not come.
"""

from collections.abc import Callable
from typing import Any

import zmq

from stork_crossbar.internals.zmq_reader import Message, ZmqReader
from stork_node.protocol import bus
from stork_node.protocol.replay import encode_request
from stork_node.relay.steps import Ask
from stork_node.transport import curve
from stork_node.transport.sockets import prepare_socket

# Maximum of frames that wait in SUB while the reactor is busy. More frames wait at the publish server, or are dropped
# there; replay brings them.
_HIGH_WATER_MARK = 10_000
_RECONNECT_MS = (100, 500)
# A push has 1 MiB, and its frame also a head with topics. A larger frame ends the connection.
_MAX_FRAME_BYTES = 4 << 20
# One page is requested at a time.
_PAGES = 2


class PublishServerLink:
    """
    Args:
        bus_endpoint, replay_endpoint: of the publish server.
        secret: STORK_BUS_SECRET, or empty.
        heard: takes messages of the bus.
        answered: takes messages of replay: only answers to the last request.
    """

    def __init__(
        self,
        reactor: Any,
        bus_endpoint: str,
        replay_endpoint: str,
        secret: str,
        heard: Callable[[list[Message]], None],
        answered: Callable[[list[Message]], None],
    ) -> None:
        self._reactor, self._replay_endpoint, self._secret = reactor, replay_endpoint, secret
        self._answered = answered
        socket = self._socket(zmq.SUB, bus_endpoint)
        socket.rcvhwm = _HIGH_WATER_MARK
        socket.subscribe(bus.PREFIX)
        socket.connect(bus_endpoint)
        self._bus = ZmqReader(reactor, socket, heard)
        self._open_replay()

    def _open_replay(self) -> None:
        self._dealer = self._socket(zmq.DEALER, self._replay_endpoint)
        self._dealer.rcvhwm = _PAGES
        self._dealer.connect(self._replay_endpoint)
        self._replay = ZmqReader(self._reactor, self._dealer, self._answered)

    def _socket(self, kind: int, endpoint: str) -> "zmq.Socket[bytes]":
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        prepare_socket(socket, endpoint)
        socket.linger = 0
        socket.maxmsgsize = _MAX_FRAME_BYTES
        socket.reconnect_ivl, socket.reconnect_ivl_max = _RECONNECT_MS
        if self._secret:
            curve.secure_client(socket, curve.ClientKeys.from_secret(self._secret, "follow"))
        return socket

    def ask(self, ask: Ask) -> None:
        """Send a request for a page."""
        if ask.anew:
            self._replay.close()
            self._open_replay()
        # This does not block: there is one request at a time.
        self._dealer.send(encode_request(ask.request), zmq.NOBLOCK)
        self._replay.look_again()

    def close(self) -> None:
        self._bus.close()
        self._replay.close()
