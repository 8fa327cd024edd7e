"""The maximum cost of one message, and the error above it."""

from dataclasses import dataclass

from stork_node.errors import StorkError

MAX_DEPTH = 110
"""Levels of a WAMP message: 100 for a push's data (docs/delivery.md#push-document), and a few more around them."""


class Unreadable(StorkError):
    """These bytes are no plain data, or exceed their sender's limits; ``reason`` is a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the message cannot be read: {reason}")
        self.reason = reason


class TooBig(Unreadable):
    """The message has more bytes than its sender may send."""


@dataclass(frozen=True)
class Bounds:
    """
    ``max_bytes`` of one message, and ``max_elements``: values, keys, lists and maps together.

    ``is_finite``: NaN and the infinities are refused. JSON has neither, so browsers could not read them.
    """

    max_bytes: int
    max_elements: int
    max_depth: int = MAX_DEPTH
    is_finite: bool = True

    def check_size(self, size: int) -> None:
        """
        Raises:
            TooBig: ``size`` is more than the sender may send.
        """
        if size > self.max_bytes:
            raise TooBig(f"it has more than {self.max_bytes} bytes")


def too_deep(bounds: Bounds) -> Unreadable:
    return Unreadable(f"it has more than {bounds.max_depth} levels")


def too_many(bounds: Bounds) -> Unreadable:
    return Unreadable(f"it has more than {bounds.max_elements} elements")
