"""The messages of a client's WebSocket, each in one bounded block of memory: private names of autobahn."""

from typing import Any


class WholeMessages:
    """
    A message is one block of memory while it comes, and never larger than its sender may send. So frames and segments
    of one byte do not cost one object each.

    It is a base of an autobahn protocol's subclass.
    """

    maxMessagePayloadSize: int
    message_data: bytearray | None
    message_data_total_length: int
    # autobahn sets this with the first message, but a ping or a close may come before.
    _isMessageCompressed = False

    def most_bytes(self) -> int:
        """The maximum of a message now."""
        raise NotImplementedError

    def refuse_size(self) -> None:
        """A message is larger: end the connection."""
        raise NotImplementedError

    def onMessageBegin(self: Any, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)  # type: ignore[misc]  # of the protocol that follows in the order of classes
        self.message_data = bytearray()

    def onMessageFrameBegin(self, length: int) -> None:
        self.message_data_total_length += length
        self._check_size(self.message_data_total_length)

    def onFrameData(self: Any, payload: bytes) -> Any:
        if not self._isMessageCompressed:
            return super().onFrameData(payload)  # type: ignore[misc]  # as above
        # autobahn uses this bound for inflating; but it is meant for sending, too.
        usual, self.maxMessagePayloadSize = self.maxMessagePayloadSize, self.most_bytes()
        try:
            return super().onFrameData(payload)  # type: ignore[misc]  # as above
        finally:
            self.maxMessagePayloadSize = usual

    def onMessageFrameData(self: Any, payload: bytes) -> None:
        if self.message_data is not None and self.state == self.STATE_OPEN:
            self.message_data += payload
            self._check_size(len(self.message_data))

    def onMessageFrameEnd(self) -> None:
        """Nothing to do: the message has the frame's bytes already."""

    def onMessageEnd(self: Any) -> None:
        payload, self.message_data = self.message_data, None
        if payload is not None and self.state == self.STATE_OPEN:
            self._onMessage(bytes(payload), self.message_is_binary)

    def _check_size(self: Any, size: int) -> None:
        if size > self.most_bytes() and self.state == self.STATE_OPEN:
            self.message_data = bytearray()
            self.refuse_size()
