"""Every WebSocket of a router process is read in turns (``turns``): private names of autobahn."""

from typing import Any

from autobahn.websocket.protocol import WebSocketProtocol
from crossbar.router.protocol import WampWebSocketServerProtocol

from stork_crossbar.compat import expect
from stork_crossbar.connections.turns import Turns

# Of one connection in its life: it may have been held up when a ping came, but not for ever.
_MOST_PINGS_FORGIVEN = 10


def read_in_turns(turns: Turns) -> None:
    """
    Have every WebSocket of this process read by ``turns``.

    Raises:
        NotAsKnown: autobahn reads in another way.
    """
    expect(WebSocketProtocol.consumeData, "self")
    expect(WebSocketProtocol.processData, "self")
    expect(WebSocketProtocol.onAutoPingTimeout, "self")
    ordinary, ping_timeout = WampWebSocketServerProtocol.consumeData, WampWebSocketServerProtocol.onAutoPingTimeout
    open_states = (WebSocketProtocol.STATE_OPEN, WebSocketProtocol.STATE_CLOSING)

    def consume(protocol: Any) -> None:
        if protocol.state in open_states:
            turns.take(protocol)
        else:
            ordinary(protocol)

    def time_out(protocol: Any) -> None:
        forgiven = getattr(protocol, "_stork_pings_forgiven", 0)
        if not turns.has_unread(protocol) or forgiven >= _MOST_PINGS_FORGIVEN:
            ping_timeout(protocol)
            return
        protocol._stork_pings_forgiven = forgiven + 1
        # Its pong may be among what waits here.
        protocol.autoPingTimeoutCall = protocol.autoPingPending = None
        protocol.autoPingPendingCall = protocol.factory._batched_timer.call_later(
            protocol.autoPingInterval, protocol._sendAutoPing
        )

    WampWebSocketServerProtocol.consumeData = consume
    WampWebSocketServerProtocol.onAutoPingTimeout = time_out
