"""
The gate in front of Crossbar's sessions: ``stork_node.gate`` reads and checks every message of a client.

It replaces autobahn's decoders for WebSockets, and for RawSockets on TCP. RawSockets on Unix sockets belong to the node
itself. A message that the session does not accept is refused here, too: one counted line, and no traceback.
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
    A message is one block of memory while it comes, and never larger than its sender may send. So frames and segments
    of one byte do not cost one object each.
    """

    maxMessagePayloadSize: int
    message_data: bytearray | None
    # autobahn sets this with the first message, but a ping or a close may come before.
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
        # autobahn uses this bound for inflating; but it is meant for sending, too.
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
        """Nothing to do: the message has the frame's bytes already."""

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
    Make the gate read every connection of a client that comes to this process from now on.

    Raises:
        Incompatible: Crossbar or autobahn have changed, and a message could bypass the gate.
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
    """Make transports offer only the serializers that the gate reads, without batches."""
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
