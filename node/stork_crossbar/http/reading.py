"""Requests, one after the other, out of what a client sends: heads within their bounds, and bodies that are wanted."""

from collections.abc import Callable

from stork_node.http.heads import MAX_HEAD_BYTES, Head, Refused, end_of_head, read_head

__all__ = ["Refused", "RequestReader"]


class RequestReader:
    """The bytes of one client that are not yet answered."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._known = 0
        self._head: Head | None = None

    @property
    def has_unread(self) -> bool:
        """Whether bytes wait here: of the next request, or of a body."""
        return bool(self._received)

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request has come."""
        return bool(self._received) or self._head is not None

    @property
    def has_too_much(self) -> bool:
        """More waits than one request may have: the client does not wait for its answers."""
        return len(self._received) > MAX_HEAD_BYTES

    def add(self, data: bytes) -> None:
        self._received += data

    def next(self, check: Callable[[Head], None]) -> tuple[Head, bytes] | None:
        """
        Take out one request with its body, if it is whole.

        Args:
            check: is called with each head, before its body is waited for; raises ``Refused``.

        Raises:
            Refused: it is not wanted, which is known from its head.
        """
        head = self._head = self._head or self._read_head(check)
        size = head.body_bytes or 0 if head else 0
        if head is None or len(self._received) < size:
            return None
        self._head = None
        body = bytes(self._received[:size])
        del self._received[:size]
        return head, body

    def rest(self) -> bytes:
        """What has come behind the last request."""
        return bytes(self._received)

    def _read_head(self, check: Callable[[Head], None]) -> Head | None:
        end = end_of_head(self._received, self._known)
        if end is None:
            self._known = len(self._received)
            return None
        self._known = 0
        head = read_head(bytes(self._received[:end]))
        del self._received[:end]
        check(head)
        return head
