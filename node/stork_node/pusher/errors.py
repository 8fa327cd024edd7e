"""
What can be wrong with what a Pusher client or backend sends.

    StorkError
    ├── InvalidChannel   not a channel's name, or one that is too long for a topic
    ├── InvalidFrame     a client's frame that is none
    ├── InvalidMember    a user without an id, or with too much info
    ├── RoomFull         a presence channel has as many members as it takes
    └── HttpRefusal      a request of the HTTP API that is refused
"""

from stork_node.errors import StorkError


class InvalidChannel(StorkError):
    """``reason`` is one sentence for the client; ``is_too_long`` tells a limit from a mistake."""

    def __init__(self, name: str, reason: str, *, is_too_long: bool = False) -> None:
        super().__init__(f"{name[:200]!r} is not a channel: {reason}")
        self.reason, self.is_too_long = reason, is_too_long


class InvalidFrame(StorkError):
    """A frame that is no JSON object with an event; ``reason`` is one sentence for the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidMember(StorkError):
    """``reason`` is one sentence for the client; ``is_too_large`` tells a limit from a mistake."""

    def __init__(self, reason: str, *, is_too_large: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.is_too_large = reason, is_too_large


class RoomFull(StorkError):
    """``reason`` is one sentence for the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class HttpRefusal(StorkError):
    """``status`` is that of HTTP, ``reason`` one sentence for the backend's developer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason
