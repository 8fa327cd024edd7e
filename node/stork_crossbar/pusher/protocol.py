"""The WebSocket of a Pusher client: autobahn's, with the bounds that WAMP clients have."""

from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.interfaces import ISSLTransport

from stork_crossbar.connections.whole_messages import WholeMessages
from stork_crossbar.opening.websockets import fail_handshake
from stork_node.http.upgrades import Upgrade, read_upgrade
from stork_node.pusher.client_frames import MAX_FRAME_BYTES

_END = b"\r\n\r\n"
_VERSION = 13
# Otherwise autobahn opens them all, more slowly.
_IS_AS_KNOWN = {"openHandshakeTimeoutCall", "inside_message", "current_frame", "websocket_extensions_in_use"} <= set(
    WebSocketServerProtocol.succeedHandshake.__code__.co_names
)
_CLOSE_TIMEOUT_S = 2


class PusherProtocol(WholeMessages, WebSocketServerProtocol):
    """
    It opens for every client, as Pusher clients understand codes and no HTTP status; then ``opened`` of its factory
    decides.

    Attributes:
        reader: has the bytes of all clients read round-robin; None under stock Crossbar.
        socket: what the client is here; None before it is opened, and if it is turned away.
        open_recoveries: how many channels wait for what they have missed, replaced requests too.
    """

    reader: Any = None
    socket: Any = None
    open_recoveries = 0
    # For the round-robin reader: no session of WAMP.
    _session = None

    @property
    def is_secure(self) -> bool:
        return ISSLTransport(self.transport, None) is not None

    def processHandshake(self) -> None:
        """Open the WebSocket of a usual request in a third of autobahn's time, and leave all others to autobahn."""
        end = self.data.find(_END)
        upgrade = read_upgrade(bytes(self.data[:end])) if _IS_AS_KNOWN and end >= 0 else None
        if upgrade is None:
            super().processHandshake()
        else:
            _accept(self, upgrade, end + len(_END))

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

    def end_recovery(self) -> None:
        """One of ``open_recoveries`` has its answer, or needs none any more."""
        self.open_recoveries -= 1
        if self.reader is not None:
            self.reader.let_go(self)

    def most_bytes(self) -> int:
        return MAX_FRAME_BYTES

    def refuse_size(self) -> None:
        if self.socket is not None:
            self.socket.connection.receive_too_much()
        else:
            self.dropConnection(abort=True)


def _accept(protocol: Any, upgrade: Upgrade, end: int) -> None:
    """What autobahn does for a request without subprotocol and extensions; ``end``: of the request."""
    protocol.http_request_data, protocol.http_request_uri = bytes(protocol.data[:end]), upgrade.target
    protocol.data = protocol.data[end:]
    protocol.websocket_version, protocol.websocket_protocol_in_use = _VERSION, None
    protocol.websocket_extensions_in_use = []
    protocol.sendData(upgrade.answer)
    protocol.state = protocol.STATE_OPEN
    if protocol.openHandshakeTimeoutCall is not None:
        protocol.openHandshakeTimeoutCall.cancel()
        protocol.openHandshakeTimeoutCall = None
    protocol.inside_message, protocol.current_frame = False, None
    protocol.onOpen()
    if protocol.data:
        protocol.consumeData()


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
