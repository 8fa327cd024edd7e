"""
The gate, in front of Crossbar's sessions: every message of a client is read and checked by ``stork_node.gate``.

Takes the place of autobahn's decoders for WebSockets, and for RawSockets on TCP; those on Unix sockets are of the node
itself. What a session does not want is refused here as well: one counted line, and no traceback.
"""

from typing import Any

from autobahn.wamp.exception import InvalidUriError, ProtocolError
from autobahn.wamp.serializer import Serializer
from crossbar.router.protocol import (
    WampRawSocketServerFactory,
    WampRawSocketServerProtocol,
    WampWebSocketServerFactory,
    WampWebSocketServerProtocol,
)
from twisted.internet.address import UNIXAddress
from twisted.logger import Logger

from stork_components import limiting
from stork_components.clients import INSIDERS
from stork_components.connections import INVALID_PAYLOAD, PROTOCOL_ERROR, TOO_BIG, close_transport
from stork_node.gate.bounds import TooBig, Unreadable
from stork_node.gate.options import NotExpected, Sender
from stork_node.gate.reading import SERIALIZERS
from stork_node.known import NotAsKnown, expect

_log = Logger(namespace="stork_components.guard")


def _sender(session: Any) -> Sender:
    if session is None or session._session_id is None:
        return Sender.STRANGER
    return Sender.BACKEND if session._authrole in INSIDERS else Sender.VISITOR


def _parse(serializer: str, payload: bytes, session: Any) -> Any:
    raw = limiting.gate().read(payload, serializer, _sender(session))
    return Serializer.MESSAGE_TYPE_MAP[raw[0]].parse(raw)


def _deliver(protocol: Any, serializer: str, payload: bytes) -> None:
    """Hand a message to the session, or close the connection that it came by."""
    session = protocol._session
    if session is None:
        return
    try:
        session.onMessage(_parse(serializer, payload, session))
    except TooBig as error:
        _refuse(protocol, TOO_BIG, "too_big", error.reason)
    except NotExpected as error:
        _refuse(protocol, PROTOCOL_ERROR, "protocol", error.reason)
    except Unreadable as error:
        _refuse(protocol, INVALID_PAYLOAD, "unreadable", error.reason)
    except (ProtocolError, InvalidUriError) as error:
        _refuse(protocol, PROTOCOL_ERROR, "protocol", str(error))
    except Exception:
        _log.failure("a message of {address} could not be handled", address=protocol.peer)
        _refuse(protocol, PROTOCOL_ERROR, "protocol", "the message could not be handled")


def _refuse(protocol: Any, code: int, case: str, reason: str) -> None:
    limiting.bounds().messages_refused[case] += 1
    _log.info("a message of {peer} is refused: {reason}", peer=protocol.peer, reason=reason)
    # A close frame has room for 123 bytes of reason.
    if not close_transport(protocol, code, reason.encode()[:120].decode(errors="ignore")):
        protocol.abort()


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
            _refuse(self, PROTOCOL_ERROR, "protocol", "a text message is JSON, and a binary one is not")
        else:
            _deliver(self, serializer, payload)

    def _most_bytes(self) -> int:
        most = limiting.gate().max_bytes(_sender(self._session))
        return min(most, self.maxMessagePayloadSize) if self.maxMessagePayloadSize else most

    def _check_size(self, size: int) -> None:
        if size > self._most_bytes() and self.state == self.STATE_OPEN:
            self.message_data = bytearray()
            _refuse(self, TOO_BIG, "too_big", f"the message has more than {self._most_bytes()} bytes")


class GatedRawSocket(WampRawSocketServerProtocol):
    _is_inside = False

    _session: Any = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self._is_inside = isinstance(self.transport.getHost(), UNIXAddress)

    def stringReceived(self, payload: bytes) -> None:
        if self._is_inside:
            super().stringReceived(payload)
        else:
            _deliver(self, self._serializer.SERIALIZER_ID, payload)

    def lengthLimitExceeded(self, length: int) -> None:
        _refuse(self, TOO_BIG, "too_big", f"the message has more than {self.MAX_LENGTH} bytes")

    @property
    def MAX_LENGTH(self) -> int:
        """Asked by Twisted before it keeps anything of a message."""
        if self._is_inside or self._session is None:
            return self._announced_length
        return min(self._announced_length, limiting.gate().max_bytes(_sender(self._session)))

    @MAX_LENGTH.setter
    def MAX_LENGTH(self, length: int) -> None:
        self._announced_length = length


def install_gate() -> None:
    """
    Have every connection of a client that this process takes from now on come by the gate.

    Raises:
        NotAsKnown: Crossbar or autobahn have changed, so that something could go around it.
    """
    expect(WampWebSocketServerProtocol.onMessage, "self", "payload", "isBinary")
    expect(WampWebSocketServerProtocol.onMessageBegin, "self", "isBinary")
    expect(WampWebSocketServerProtocol.onMessageFrameBegin, "self", "length")
    expect(WampWebSocketServerProtocol.onMessageFrameData, "self", "payload")
    expect(WampWebSocketServerProtocol.onFrameData, "self", "payload")
    expect(WampRawSocketServerProtocol.stringReceived, "self", "payload")
    expect(WampRawSocketServerProtocol.lengthLimitExceeded, "self", "length")
    if WampWebSocketServerFactory.protocol not in (WampWebSocketServerProtocol, GatedWebSocket):
        raise NotAsKnown("WebSockets of clients have another class")
    if WampRawSocketServerFactory.protocol not in (WampRawSocketServerProtocol, GatedRawSocket):
        raise NotAsKnown("RawSockets of clients have another class")
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
            raise NotAsKnown(f"a transport offers none of {', '.join(SERIALIZERS)}")
        if hasattr(factory, "protocols"):
            factory.protocols = [f"wamp.2.{name}" for name in factory._serializers]

    factory_class.__init__ = begin_with_few
