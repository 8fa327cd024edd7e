"""The WebSocket of a Pusher client: autobahn's, with the bounds that WAMP clients have."""

from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.interfaces import ISSLTransport

from stork_crossbar.connections.whole_messages import WholeMessages
from stork_crossbar.opening.websockets import fail_handshake
from stork_node.pusher.client_frames import MAX_FRAME_BYTES

_CLOSE_TIMEOUT_S = 2


class PusherProtocol(WholeMessages, WebSocketServerProtocol):
    """
    It opens for every client, as Pusher clients understand codes and no HTTP status; then ``opened`` of its factory
    decides.

    Attributes:
        reader: has the bytes of all clients read round-robin; None under stock Crossbar.
        socket: what the client is here; None before it is opened, and if it is turned away.
    """

    reader: Any = None
    socket: Any = None
    # For the round-robin reader: no session of WAMP.
    _session = None

    @property
    def is_secure(self) -> bool:
        return ISSLTransport(self.transport, None) is not None

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        fail_handshake(self, reason, code, responseHeaders)

    def consumeData(self) -> None:
        if self.reader is not None and self.state in (self.STATE_OPEN, self.STATE_CLOSING):
            self.reader.take(self)
        else:
            super().consumeData()

    def onOpen(self) -> None:
        self.factory.opened(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.socket is not None:
            self.socket.receive(payload, is_binary=isBinary)

    def onPing(self, payload: bytes) -> None:
        if self.socket is not None:
            self.socket.hear()
        super().onPing(payload)

    def onPong(self, _payload: bytes) -> None:
        if self.socket is not None:
            self.socket.hear()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.socket is not None:
            self.socket.lost()

    def most_bytes(self) -> int:
        return MAX_FRAME_BYTES

    def refuse_size(self) -> None:
        if self.socket is not None:
            self.socket.connection.receive_too_much()
        else:
            self.dropConnection(abort=True)


class PusherFactory(WebSocketServerFactory):
    """
    Args:
        opened: takes each protocol whose WebSocket is open.
    """

    protocol = PusherProtocol

    def __init__(self, opened: Callable[[PusherProtocol], None]) -> None:
        super().__init__()
        self.opened = opened
        # Each app checks the origins of its pages, and the text of a message is checked when it is decoded.
        self.setProtocolOptions(
            webStatus=False,
            allowNullOrigin=True,
            failByDrop=True,
            closeHandshakeTimeout=_CLOSE_TIMEOUT_S,
            utf8validateIncoming=False,
            tcpNoDelay=True,
        )
