"""What one message may cost, and the error for one that would cost more."""

from dataclasses import dataclass

from stork_node.errors import StorkError

MAX_DEPTH = 110
"""Levels of a WAMP message: 100 of a push's data (docs/delivery.md#push-document), and a few more around them."""


class Unreadable(StorkError):
    """These bytes are no plain data, or more of it than the sender may send; ``reason`` is a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the message cannot be read: {reason}")
        self.reason = reason


class TooBig(Unreadable):
    """The message has more bytes than its sender may send."""


@dataclass(frozen=True)
class Bounds:
    """
    ``max_bytes`` of one message, and ``max_elements``: values, keys, lists and maps together.

    ``is_finite``: NaN and the infinities are refused. JSON has neither, and would carry them to browsers as no JSON.
    """

    max_bytes: int
    max_elements: int
    max_depth: int = MAX_DEPTH
    is_finite: bool = True

    def check_size(self, size: int) -> None:
        """
        Raises:
            TooBig: ``size`` bytes are more than the sender may send.
        """
        if size > self.max_bytes:
            raise TooBig(f"it has more than {self.max_bytes} bytes")


def too_deep(bounds: Bounds) -> Unreadable:
    return Unreadable(f"it has more than {bounds.max_depth} levels")


def too_many(bounds: Bounds) -> Unreadable:
    return Unreadable(f"it has more than {bounds.max_elements} elements")
