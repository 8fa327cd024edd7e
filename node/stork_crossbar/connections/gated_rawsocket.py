"""
A client's RawSocket behind the gate: its frames are read round-robin, like those of WebSockets.

autobahn reads all frames of a segment at once, and copies the rest with each of them. It raises an error in code that
sends more than the client accepts. RawSockets on Unix sockets belong to the node itself, and are not changed.
"""

from typing import Any, ClassVar

from autobahn.exception import PayloadExceededError
from autobahn.websocket.protocol import WebSocketProtocol
from crossbar.router.protocol import WampRawSocketServerProtocol
from twisted.internet.address import UNIXAddress

from stork_crossbar.connections.closing import TOO_BIG
from stork_crossbar.connections.delivering import deliver, refuse, refuse_size, sender
from stork_crossbar.connections.endings import is_ending
from stork_crossbar.connections.round_robin import RoundRobinReader
from stork_crossbar.limits import client_limits

_HANDSHAKE_BYTES = 4
_PREFIX_BYTES = 4


class GatedRawSocket(WampRawSocketServerProtocol):
    reader: ClassVar[RoundRobinReader]

    _session: Any = None
    _is_inside = _is_lost = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self._is_inside = isinstance(self.transport.getHost(), UNIXAddress)
        self._received = bytearray()

    def connectionLost(self, reason: Any) -> None:
        self._is_lost = True
        super().connectionLost(reason)

    @property
    def state(self) -> int:
        """The state, in the words of a WebSocket."""
        if self._is_lost:
            return int(WebSocketProtocol.STATE_CLOSED)
        return int(WebSocketProtocol.STATE_CLOSING if is_ending(self) else WebSocketProtocol.STATE_OPEN)

    def dataReceived(self, data: bytes) -> None:
        if self._is_inside:
            super().dataReceived(data)
            return
        if not self._handshake_complete:
            missing = _HANDSHAKE_BYTES - len(self._handshake_bytes)
            super().dataReceived(data[:missing])
            data = data[missing:]
        if data and self._handshake_complete:
            self._received += data
            self.reader.take(self)

    def processData(self) -> bool:
        """Read one frame; returns whether there may be another one."""
        if is_ending(self):
            self._received.clear()
            return False
        if len(self._received) < _PREFIX_BYTES:
            return False
        size = int.from_bytes(self._received[:_PREFIX_BYTES], "big")
        if size > self.MAX_LENGTH:
            self._received.clear()
            self.lengthLimitExceeded(size)
            return False
        end = _PREFIX_BYTES + size
        if len(self._received) < end:
            return False
        payload = bytes(self._received[_PREFIX_BYTES:end])
        del self._received[:end]
        deliver(self, self._serializer.SERIALIZER_ID, payload)
        return bool(self._received)

    def lengthLimitExceeded(self, length: int) -> None:
        refuse_size(self, f"the message has more than {self.MAX_LENGTH} bytes")

    def send(self, msg: Any) -> None:
        try:
            super().send(msg)
        except PayloadExceededError:
            if self._is_inside:
                raise
            refuse(self, TOO_BIG, "too_big", "it takes smaller messages than what it asked for")

    @property
    def MAX_LENGTH(self) -> int:
        """The largest message; autobahn asks for it before it keeps a byte of the message."""
        if self._is_inside or self._session is None:
            return self._announced_length
        return min(self._announced_length, client_limits.gate().max_bytes(sender(self._session)))

    @MAX_LENGTH.setter
    def MAX_LENGTH(self, length: int) -> None:
        self._announced_length = length
