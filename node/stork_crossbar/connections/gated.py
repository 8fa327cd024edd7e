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
from stork_crossbar.connections.closing import INVALID_PAYLOAD, PROTOCOL_ERROR, TOO_BIG
from stork_crossbar.connections.delivering import deliver, refuse, refuse_size, sender
from stork_crossbar.connections.gated_rawsocket import GatedRawSocket
from stork_crossbar.connections.whole_messages import WholeMessages
from stork_crossbar.limits import client_limits
from stork_node.gate.reading import SERIALIZERS

_CASES = {PROTOCOL_ERROR: "protocol", INVALID_PAYLOAD: "unreadable", TOO_BIG: "too_big"}


class GatedWebSocket(WholeMessages, WampWebSocketServerProtocol):
    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        serializer = self._serializer.SERIALIZER_ID
        if isBinary == (serializer == "json"):
            refuse(self, PROTOCOL_ERROR, "protocol", "a text message is JSON, and a binary one is not")
        else:
            deliver(self, serializer, payload)

    def _fail_connection(self, code: int = 1001, reason: str = "going away") -> None:
        """A frame that breaks WebSocket's rules: autobahn would log it twice, and reset the connection."""
        case = _CASES.get(code)
        if case is None or self.state == self.STATE_CLOSED:
            super()._fail_connection(code, reason)
            return
        self.data = b""  # what follows is not read
        if self.state == self.STATE_OPEN:
            refuse(self, code, case, reason)

    def most_bytes(self) -> int:
        most = client_limits.gate().max_bytes(sender(self._session))
        return min(most, self.maxMessagePayloadSize) if self.maxMessagePayloadSize else most

    def refuse_size(self) -> None:
        refuse_size(self, f"the message has more than {self.most_bytes()} bytes")


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
    require_signature(WampWebSocketServerProtocol._fail_connection, "self", "code", "reason")
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
