"""All clients of a router process are read round-robin by ``round_robin``: private names of autobahn."""

import time
from collections.abc import Callable
from typing import Any

from autobahn.websocket.protocol import WebSocketProtocol
from crossbar.router.protocol import WampWebSocketServerProtocol

from stork_crossbar.compat import require_signature
from stork_crossbar.connections.gated_rawsocket import GatedRawSocket
from stork_crossbar.connections.round_robin import RoundRobinReader
from stork_crossbar.pusher.protocol import PusherProtocol

# The time that a paused connection may stay without a pong: the pong may be among its unread bytes.
_FORGIVEN_S = 120.0


class _Forgiven:
    """The unanswered pings of one connection since it was paused."""

    def __init__(self, now: float) -> None:
        self._since = self._last = now

    def again(self, now: float, protocol: Any) -> bool:
        """Whether one more unanswered ping is forgiven."""
        between_s = (protocol.autoPingInterval or 0) + (protocol.autoPingTimeout or 0)
        if now - self._last > 1.5 * between_s:  # it has answered one in between
            self._since = now
        self._last = now
        return now - self._since < _FORGIVEN_S


def read_round_robin(reader: RoundRobinReader, clock: Callable[[], float] = time.monotonic) -> None:
    """
    Have every WebSocket and RawSocket of this process read by ``round_robin``.

    Raises:
        Incompatible: autobahn reads in another way.
    """
    require_signature(WebSocketProtocol.consumeData, "self")
    require_signature(WebSocketProtocol.processData, "self")
    require_signature(WebSocketProtocol.onAutoPingTimeout, "self")
    ordinary, ping_timeout = WampWebSocketServerProtocol.consumeData, WampWebSocketServerProtocol.onAutoPingTimeout
    open_states = (WebSocketProtocol.STATE_OPEN, WebSocketProtocol.STATE_CLOSING)

    def consume(protocol: Any) -> None:
        if protocol.state in open_states:
            reader.take(protocol)
        else:
            ordinary(protocol)

    def time_out(protocol: Any) -> None:
        forgiven = getattr(protocol, "_stork_forgiven", None) or _Forgiven(clock())
        if not reader.has_unread(protocol) or not forgiven.again(clock(), protocol):
            ping_timeout(protocol)
            return
        protocol._stork_forgiven = forgiven
        protocol.autoPingTimeoutCall = protocol.autoPingPending = None
        protocol.autoPingPendingCall = protocol.factory._batched_timer.call_later(
            protocol.autoPingInterval, protocol._sendAutoPing
        )

    GatedRawSocket.reader = reader
    PusherProtocol.reader = reader
    WampWebSocketServerProtocol.consumeData = consume
    WampWebSocketServerProtocol.onAutoPingTimeout = time_out
