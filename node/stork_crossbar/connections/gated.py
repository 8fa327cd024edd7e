"""
The gate, in front of Crossbar's sessions: every message of a client is read and checked by ``stork_node.gate``.

Takes the place of autobahn's decoders for WebSockets, and for RawSockets on TCP; those on Unix sockets are of the node
itself. What a session does not want is refused here as well: one counted line, and no traceback.
"""

from typing import Any

from crossbar.router.protocol import (
    WampRawSocketServerFactory,
    WampRawSocketServerProtocol,
    WampWebSocketServerFactory,
    WampWebSocketServerProtocol,
)

from stork_crossbar.compat import Incompatible, require_signature
from stork_crossbar.connections import client_limits
from stork_crossbar.connections.closing import PROTOCOL_ERROR, TOO_BIG
from stork_crossbar.connections.delivering import deliver, refuse, sender
from stork_crossbar.connections.gated_rawsocket import GatedRawSocket
from stork_node.gate.reading import SERIALIZERS


class GatedWebSocket(WampWebSocketServerProtocol):
    """
    A message is kept as one piece of memory while it comes, and no more of it than its sender may send: frames and
    segments of a byte each cost no object each.
    """

    maxMessagePayloadSize: int
    message_data: bytearray | None
    # autobahn sets it with the first message, and a ping or a close may come before.
    _isMessageCompressed = False

    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)
        self.message_data = bytearray()

    def onMessageFrameBegin(self, length: int) -> None:
        self.message_data_total_length += length
        self._check_size(self.message_data_total_length)

    def onFrameData(self, payload: bytes) -> Any:
        if not self._isMessageCompressed:
            return super().onFrameData(payload)
        # autobahn bounds by this what it inflates; but the bound is for what is sent, too.
        usual, self.maxMessagePayloadSize = self.maxMessagePayloadSize, self._most_bytes()
        try:
            return super().onFrameData(payload)
        finally:
            self.maxMessagePayloadSize = usual

    def onMessageFrameData(self, payload: bytes) -> None:
        if self.message_data is not None and self.state == self.STATE_OPEN:
            self.message_data += payload
            self._check_size(len(self.message_data))

    def onMessageFrameEnd(self) -> None:
        """Nothing: what the frame had lies with the message."""

    def onMessageEnd(self) -> None:
        payload, self.message_data = self.message_data, None
        if payload is not None and self.state == self.STATE_OPEN:
            self._onMessage(bytes(payload), self.message_is_binary)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        serializer = self._serializer.SERIALIZER_ID
        if isBinary == (serializer == "json"):
            refuse(self, PROTOCOL_ERROR, "protocol", "a text message is JSON, and a binary one is not")
        else:
            deliver(self, serializer, payload)

    def _most_bytes(self) -> int:
        most = client_limits.gate().max_bytes(sender(self._session))
        return min(most, self.maxMessagePayloadSize) if self.maxMessagePayloadSize else most

    def _check_size(self, size: int) -> None:
        if size > self._most_bytes() and self.state == self.STATE_OPEN:
            self.message_data = bytearray()
            refuse(self, TOO_BIG, "too_big", f"the message has more than {self._most_bytes()} bytes")


def install_gate() -> None:
    """
    Have every connection of a client that this process takes from now on come by the gate.

    Raises:
        Incompatible: Crossbar or autobahn have changed, so that something could go around it.
    """
    require_signature(WampWebSocketServerProtocol.onMessage, "self", "payload", "isBinary")
    require_signature(WampWebSocketServerProtocol.onMessageBegin, "self", "isBinary")
    require_signature(WampWebSocketServerProtocol.onMessageFrameBegin, "self", "length")
    require_signature(WampWebSocketServerProtocol.onMessageFrameData, "self", "payload")
    require_signature(WampWebSocketServerProtocol.onFrameData, "self", "payload")
    require_signature(WampRawSocketServerProtocol.dataReceived, "self", "data")
    require_signature(WampRawSocketServerProtocol.stringReceived, "self", "payload")
    require_signature(WampRawSocketServerProtocol.lengthLimitExceeded, "self", "length")
    if WampWebSocketServerFactory.protocol not in (WampWebSocketServerProtocol, GatedWebSocket):
        raise Incompatible("WebSockets of clients have another class")
    if WampRawSocketServerFactory.protocol not in (WampRawSocketServerProtocol, GatedRawSocket):
        raise Incompatible("RawSockets of clients have another class")
    WampWebSocketServerFactory.protocol = GatedWebSocket
    WampRawSocketServerFactory.protocol = GatedRawSocket
    _offer_only(WampWebSocketServerFactory)
    _offer_only(WampRawSocketServerFactory)


def _offer_only(factory_class: Any) -> None:
    """Have transports offer the serializers that the gate reads, and no batches."""
    begin = factory_class.__init__

    def begin_with_few(factory: Any, *args: Any, **kwargs: Any) -> None:
        begin(factory, *args, **kwargs)
        factory._serializers = {
            key: serializer
            for key, serializer in factory._serializers.items()
            if serializer.SERIALIZER_ID in SERIALIZERS
        }
        if not factory._serializers:
            raise Incompatible(f"a transport offers none of {', '.join(SERIALIZERS)}")
        if hasattr(factory, "protocols"):
            factory.protocols = [f"wamp.2.{name}" for name in factory._serializers]

    factory_class.__init__ = begin_with_few
