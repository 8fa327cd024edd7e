"""Reads a client's requests one after the other: heads within their bounds, and bodies that a resource takes."""

from collections.abc import Callable

from stork_node.http.heads import MAX_HEAD_BYTES, Head, Refusal, Refused, end_of_head, read_head

__all__ = ["Refused", "RequestReader"]


class RequestReader:
    """The bytes of one client that are not answered yet."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._known = 0
        self._head: Head | None = None
        # A program sends the same head again and again.
        self._last: tuple[bytes, Head] | None = None

    @property
    def has_unread(self) -> bool:
        """Whether bytes of the next request, or of a body, wait here."""
        return bool(self._received)

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request has come."""
        return bool(self._received) or self._head is not None

    @property
    def has_too_much(self) -> bool:
        """Whether more bytes wait than one request may have: the client does not wait for its answers."""
        return len(self._received) > MAX_HEAD_BYTES

    def add(self, data: bytes) -> None:
        self._received += data

    def next(self, check: Callable[[Head], None]) -> tuple[Head, bytes] | None:
        """
        Take one whole request with its body; None if it is not whole yet.

        Args:
            check: is called with each head before its body comes; raises ``Refused``.

        Raises:
            Refused: the request is refused because of its head.
        """
        head = self._head = self._head or self._read_head(check)
        if head is None:
            return None
        size = head.body_bytes
        if size is None:  # its end is not known: what follows it would be read as a request
            raise Refused(Refusal(411, "a body needs its Content-Length here", "body"))
        if len(self._received) < size:
            return None
        self._head = None
        body = bytes(self._received[:size])
        del self._received[:size]
        return head, body

    def rest(self) -> bytes:
        """The bytes after the last request."""
        return bytes(self._received)

    def _read_head(self, check: Callable[[Head], None]) -> Head | None:
        end = end_of_head(self._received, self._known)
        if end is None:
            self._known = len(self._received)
            return None
        self._known = 0
        data = bytes(self._received[:end])
        del self._received[:end]
        head = self._last[1] if self._last and self._last[0] == data else read_head(data)
        self._last = data, head
        check(head)
        return head
