"""
The end of a connection: after its close frame a client is not read and gets no data. 2 s later it is cut.

autobahn reads messages after its own close frame, raises an error when other code still sends, and waits for ever for a
peer that does not answer.
"""

from collections.abc import Callable
from typing import Any

from autobahn.twisted.rawsocket import WampRawSocketProtocol
from autobahn.twisted.websocket import WebSocketAdapterProtocol
from autobahn.wamp.message import Abort, Goodbye
from autobahn.wamp.websocket import WampWebSocketProtocol
from autobahn.websocket.protocol import WebSocketProtocol
from crossbar.router.protocol import WampRawSocketServerProtocol, WampWebSocketServerProtocol

from stork_crossbar.compat import require_signature
from stork_crossbar.connections.closing import NORMAL
from stork_crossbar.internals import broadcasting
from stork_crossbar.internals.deadlines import Deadlines
from stork_crossbar.pusher.protocol import PusherProtocol

GRACE_S = 2.0
"""The time in which a client can answer the close frame, and read earlier data."""


def end_for_good(reactor: Any) -> None:
    """
    End every client's connection of this process in this way.

    Raises:
        Incompatible: autobahn closes connections in another way.
    """
    require_signature(WebSocketProtocol.sendCloseFrame, "self", "code", "reasonUtf8", "isReply")
    require_signature(WebSocketAdapterProtocol._closeConnection, "self", "abort")
    require_signature(WebSocketAdapterProtocol.connectionLost, "self", "reason")
    require_signature(WampWebSocketProtocol.send, "self", "msg")
    require_signature(WampRawSocketProtocol.send, "self", "msg")
    require_signature(WampRawSocketProtocol.close, "self")
    require_signature(WampRawSocketProtocol.connectionLost, "self", "reason")
    ends = _Ends(Deadlines(reactor, GRACE_S))
    _end_websockets(WampWebSocketServerProtocol, ends)
    _end_after_last_words(WampWebSocketServerProtocol)
    _end_websockets(PusherProtocol, ends)
    _end_rawsockets(WampRawSocketServerProtocol, ends)


def is_ending(transport: Any) -> bool:
    """Whether a close frame, ABORT or GOODBYE was sent on this transport."""
    return getattr(transport, "_stork_end", None) is not None


class _Ends:
    """The connections that are closing, each with its deadline."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines

    def begin(self, protocol: Any) -> None:
        if not is_ending(protocol):
            protocol._stork_end = self._deadlines.set(lambda: _abort(protocol))

    def forget(self, protocol: Any) -> None:
        if is_ending(protocol):
            self._deadlines.cancel(protocol._stork_end)


def _abort(protocol: Any) -> None:
    descriptor = broadcasting.descriptor(protocol)
    if descriptor is not None:
        broadcasting.abort(protocol, descriptor)


def _end_websockets(protocol_class: Any, ends: _Ends) -> None:
    send_close, close_connection = protocol_class.sendCloseFrame, protocol_class._closeConnection

    def end_with_frame(protocol: Any, code: Any = None, reasonUtf8: Any = None, isReply: bool = False) -> None:
        send_close(protocol, code, reasonUtf8, isReply)
        if protocol.state == WebSocketProtocol.STATE_CLOSING:
            # autobahn then drops the payload of every frame, and only looks for the peer's close frame.
            protocol.failedByMe = True
            ends.begin(protocol)

    def end_connection(protocol: Any, abort: bool = False) -> None:
        close_connection(protocol, abort)
        if not abort:
            ends.begin(protocol)

    protocol_class.sendCloseFrame = end_with_frame
    protocol_class._closeConnection = end_connection
    _forget_when_lost(protocol_class, ends)


def _end_after_last_words(protocol_class: Any) -> None:
    protocol_class.send = _last_words(
        protocol_class.send,
        lambda protocol: protocol.state != WebSocketProtocol.STATE_OPEN,
        lambda protocol: protocol.sendClose(NORMAL),
    )


def _end_rawsockets(protocol_class: Any, ends: _Ends) -> None:
    close = protocol_class.close

    def end(protocol: Any) -> None:
        close(protocol)
        ends.begin(protocol)

    protocol_class.close = end
    protocol_class.send = _last_words(protocol_class.send, is_ending, end)
    _forget_when_lost(protocol_class, ends)


def _last_words(
    send: Callable[[Any, Any], None], is_over: Callable[[Any], bool], close: Callable[[Any], None]
) -> Callable[[Any, Any], None]:
    """A ``send`` for connections that may be over: then it does nothing. It closes them after ABORT and GOODBYE."""

    def send_unless_over(protocol: Any, message: Any) -> None:
        # An error would hit other code: the detach of a callee, or the connection of a backend.
        if protocol._session is not None and is_over(protocol):
            return
        send(protocol, message)
        if isinstance(message, Abort | Goodbye):
            close(protocol)

    return send_unless_over


def _forget_when_lost(protocol_class: Any, ends: _Ends) -> None:
    lost = protocol_class.connectionLost

    def forget(protocol: Any, *args: Any, **kwargs: Any) -> None:
        ends.forget(protocol)
        lost(protocol, *args, **kwargs)

    protocol_class.connectionLost = forget
